"""EDX: the X-ray spectrum: detector, families of lines, calibration of the axis, peaks, and fits.

axis_check.py     whether lines stand where the energy axis of X-ray spectra puts them, and by how much it is off
axis_search.py    where a spectrum's lines say that its energy axis lies, however far off it is
calibration.py    axis, resolution, tail, pile-up and background of a detector, learnt once on the sum spectrum
detector.py       where a line appears, how wide it is, its tail, and how many photons are seen
families.py       the lines of one shell of an element, which share one intensity
hidden.py         light elements that nobody named, whose lines lie under lines of those that were
linear_filter.py  intensities as weighted sums of a spectrum's counts, one set of weights for every pixel
model.py          what a spectrum is made of, in as few energy bins as lose nothing
peaks.py          lines that stand out of a sum spectrum whose elements nobody named
unassigned.py     peaks of elements that nobody named, which must not be taken for those that were
"""
