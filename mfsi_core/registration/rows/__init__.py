"""Rows: every row of every frame has its own displacement, smooth along the row.

bands.py     power averaged over the narrowest band of frequencies in which it exceeds its noise with certainty
drift.py     shared distortions, which registration cannot see: shear by steady drift, hum in step with the frames
field.py     `register_rows`: the displacement of every row of every frame, estimated together with the scene
hum.py       mains hum in the rows' displacements: its frequency, and amplitude and phase of every frame
jitter.py    power spectrum of the rows' displacements, learned from them, as their prior; and the posterior
kernels.py   the scene as a cubic B-spline, evaluated at the displaced pixels of a frame, in single precision
scene.py     the noise-filtered scene that all frames sampled, as knots of a cubic B-spline
stage.py     state of the joint fit of scene and rows; runs the kernels over the frames in threads
taken.py     error of the rows' displacements that the fitted scene has absorbed, and so hides
unknowns.py  displacement and brightness of a row as polynomials along it, with their normal equations
"""
