"""Live: what the microscope's program uses while a series is being recorded.

mapping.py   maps of the frames so far, and their signal-to-noise ratios
options.py   which image is registered and which maps are made, checked before anything is written
running.py   whole frames as they come, each against the mean of those before, at the same cost each
session.py   frames go into the journal while the microscope runs; decides when all are looked at anew
status.py    the figures, image and maps of the frames so far, as `Session.status` gives them
tracking.py  the frames of a journal that is still growing, and their registration
"""
