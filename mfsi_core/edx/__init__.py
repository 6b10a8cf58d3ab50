"""EDX: the X-ray spectrum: detector, families of lines, energy calibration, peaks, and the fit.

axis_check.py     whether lines stand where the energy axis puts them, and the correction of its offset and gain
axis_rivals.py    which of the axes that explain the strongest lines the fit of the whole spectrum bears out
axis_search.py    offset and gain of the energy axis by the lines of the spectrum, within ±200 eV and ±2 %
background.py     the splines and absorbers that the background of a spectrum is made of
beneath.py        whether an element that nobody named stands under a line of one that is named
calibration.py    axis, resolution, tail, pile-up and background of a detector, fitted once to the sum spectrum
detector.py       where a line appears, how wide it is, its tail, and how many photons are seen
families.py       the lines of one shell of an element, which share one intensity
fit_errors.py     errors of a fit: of counts in peaks, and by how strong groups of lines were expected
guesses.py        which elements that nobody named explain peaks, or stand beneath the lines of one that is named
hidden.py         light elements that the spectrum cannot show, since their only line lies under another element's
likelihood.py     the model of a sum spectrum, its fit by Fisher scoring, and the priors of detector and lines
linear_filter.py  intensities as weighted sums of a spectrum's counts, one set of weights for every pixel
model.py          the linear model of an EDX spectrum (families, background, pile-up) in few energy bins
peaks.py          lines that stand out of a sum spectrum whose elements nobody named
unassigned.py     those of elements that nobody named, found so that they are not counted as others
"""
