"""Rigid registration: one shift per frame, from the cross-correlations of all pairs.

align.py       rigid registration of a series: shifts between pairs of frames, their consensus, its refinement
consensus.py   one position per frame from the candidate shifts of all pairs (robust least squares)
filled.py      images without gaps, each made when it is asked for
noise.py       what of a power spectrum is white noise, and what a scene has in it beyond
pairs.py       candidate shifts of two images, from the peaks of their cross-correlation
refine.py      maximum-likelihood shift of every frame against the mean of the other frames
row_scores.py  how well two images agree at a shift from which every row may deviate a little (jitter)
surfaces.py    cross-correlations of pairs of images on a grid of shifts, and their peaks
"""
