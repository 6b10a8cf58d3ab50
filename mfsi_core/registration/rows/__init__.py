"""Rows: every row of every frame has its own displacement, smooth along the row.

drift.py     what all frames share, which registration cannot see: the shear by a steady drift, and a synchronous hum
field.py     displacement of every row of every frame, estimated together with the scene
hum.py       a mains hum among the rows' displacements, whose frequency is found and whose phase is each frame's own
jitter.py    prior of the rows' displacements, learned from the rows, and their posterior
kernels.py   the scene as a cubic B-spline, seen from the displaced pixels of one frame, in single precision
scene.py     the scene that all frames sampled, freed of noise, as knots of a cubic B-spline
stage.py     the frames, the scene they show, and what is fitted beside it; kernels run over the frames in threads
taken.py     how much of the rows' displacements the scene may have taken on
unknowns.py  unknowns of a row, its displacement and brightness, as polynomials along it; what the pixels tell of them
"""
