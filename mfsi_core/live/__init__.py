"""Live: what the microscope's program uses while a series is being recorded.

mapping.py   maps of the frames so far, and their signal-to-noise ratios
options.py   which image is registered and which maps are made, checked before anything is written
running.py   each whole frame against the mean of those before, and when that mean is begun anew
session.py   frames go into the journal while the microscope runs; decides when all are looked at anew
status.py    the figures, image and maps of the frames so far, as `Session.status` gives them
tracking.py  the frames of a journal that is still growing, and their registration
"""
