"""Live: what the microscope's program uses while a series is being recorded.

mapping.py   maps of the frames so far, and their signal-to-noise ratios
options.py   which image is registered and which maps are made, checked before anything is written
running.py   whole frames as they come, each against the mean of those before, at the same cost each
session.py   frames go into the journal and are analysed while the microscope runs
status.py    what a series shows so far, computed when it is asked for: what is counted, and what is found
tracking.py  the frames of a journal that is still growing, and their registration
"""
