"""Simulation: series whose truth is known.

edx.py    a drifting, jittering crystal recorded as a series of EDX events and HAADF images
eels.py   a crystal's core loss and low loss, with detector noise, energy drift and a fixed pattern
image.py  disturbances of a simulated image: what a detector and a specimen do to the recorded intensity
scan.py   distortions of a simulated scan: displacements of rows beyond drift, random walk and white jitter
scene.py  a crystal, or what else a simulation shows, known at every position
"""
