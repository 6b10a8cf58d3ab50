"""Series: one signal of a recording, frame by frame, whatever it was given as.

axis.py           energies of channels, channels of a window, the end of the zero strobe, and pixel sizes
copying.py        a new journal derived from an old one, whose name and digest are recorded as its source
dose.py           e/Å² that each frame received, by current, dwell time and pixel; else X-ray counts
energy_shifts.py  energy shifts stored in a journal, by frame or by pixel, and their application to a frame's spectra
moving.py         counts or spectra shifted along the energy axis by channels, whole or fractional
selection.py      the frames, image and spectra that a run works on, by region and name
series.py         one signal frame by frame, on one energy axis, from a journal, a list of frames or an array
"""
