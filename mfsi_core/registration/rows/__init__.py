"""Rows: every row of every frame has its own displacement, smooth along the row.

bands.py     spectral power averaged over the narrowest band of frequencies in which it clearly exceeds its noise
drift.py     distortions that all frames share, unseen by registration: shear by steady drift, hum in step with them
field.py     `register_rows`: the displacement of every row of every frame, estimated together with the scene
hum.py       mains hum in the rows' displacements: its frequency, and its amplitude and phase in every frame
jitter.py    the prior of the rows' displacements, a power spectrum learned from the data, and their posterior
kernels.py   displaced pixels of a frame and the scene, a cubic B-spline or an image, in single precision
periods.py   rows fitted a lattice period off, found by the jitter that would be needed, and put where they belong
places.py    how well rows fit the scene at places where they are put, and the best place near each
scene.py     the scene that all frames sampled, filtered of noise, as coefficients of a cubic B-spline
shared.py    displacements of rows fixed to the scene, told from a distorted scene by the priors of both alone
solving.py   the rows' normal equations with a stationary prior, by conjugate gradients
stage.py     state of the joint fit of scene and rows; runs the kernels over the frames in threads
strays.py    rows that lie far beside their neighbours, as where the scan glitched, found again in the fitted scene
taken.py     expected error of the rows' displacements because the fitted scene has absorbed a part of them
unknowns.py  displacement and brightness of a row as polynomials along it, with their normal equations
"""
