"""Live: what the microscope's program uses while a series is being recorded.

mapping.py   maps of the frames recorded so far, and their signal-to-noise ratios
options.py   which image is registered and which maps are made, checked before anything is written
running.py   each new frame is registered against the mean of those before it
session.py   `mfsi_core.Session`: frames are pushed into the journal while the microscope runs, and analysed
status.py    dose, drift, counts, maps and components of the frames so far, as `Session.status` tells them
tracking.py  frames of a growing journal are taken up, checked (blank, saturated, not finite) and registered
"""
