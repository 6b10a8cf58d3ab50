"""Rigid registration: one shift per frame, from the cross-correlations of all pairs.

align.py       rigid registration of a series of images, from many pairs of frames
consensus.py   one position per frame from the candidate shifts of pairs
pairs.py       candidate shifts of pairs of images, from the peaks of their cross-correlation
refine.py      joint maximum-likelihood shifts of a series against its own mean
row_scores.py  how far two images agree at a shift where every row of them may lie a little off it
"""
