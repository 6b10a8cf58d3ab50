"""Series: one signal of a recording, frame by frame, whatever it was given as.

axis.py           energies of channels, windows on them, where the zero strobe ends, and sizes of pixels
copying.py        a new journal from an old one, with its origin on record
dose.py           electrons that each frame received, by current, dwell time and pixel, or else by its counts
energy_shifts.py  by how much the energies of a journal's frames, or of their pixels, are to be moved
moving.py         counts and spectra put where they belong on the energy axis, by channels
scanned.py        which pixels of a frame the beam reached before the scan was aborted
selection.py      which frames and signals of a journal a run works on
series.py         one signal of a series, whatever it was given as
"""
