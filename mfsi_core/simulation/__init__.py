"""Simulation: series whose truth is known.

edx.py    `simulate`, a drifting, jittering crystal recorded as a series of EDX events and HAADF images
eels.py   `simulate_eels`, core loss and low loss of a crystal, with detector noise, drift, fixed pattern
image.py  disturbances of a simulated image: pedestal, stripes, charging, cosmic rays, missing rows
scan.py   distortions of a simulated scan: hum, coloured jitter, steps, glitches, serpentine lag
scene.py  the specimen of a simulation (crystal, amorphous film, fringes, edge), known at every position
"""
