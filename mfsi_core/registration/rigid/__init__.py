"""Rigid registration: one shift per frame, from the cross-correlations of all pairs.

align.py       rigid registration of a series: pairs of frames, their consensus, and the refinement
consensus.py   one position per frame from the candidate shifts of all pairs (robust least squares)
pairs.py       candidate shifts of two images, from the peaks of their cross-correlation
refine.py      maximum-likelihood shift of every frame against the series' own mean
row_scores.py  how well two images agree at a shift when every row may be a little off it (jitter)
surfaces.py    cross-correlations of pairs of images on a grid, and the peaks of them
"""
