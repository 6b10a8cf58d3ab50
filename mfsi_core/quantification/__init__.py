"""Quantification: from X-ray spectra of chips to a table of compositions.

axis_check.py     whether lines stand where the energy axis of X-ray spectra puts them, and by how much it is off
axis_search.py    where a spectrum's lines say that its energy axis lies, however far off it is
calibration.py    axis, resolution, tail and background of a detector, learnt once on the sum spectrum
chips.py          the parts of a field whose spectra are summed and quantified
compare.py        two quantifications of one field, and either against a stated stoichiometry
detector.py       where a line appears, how wide it is, its tail, and how many photons are seen
export.py         chips with image patch, composition and raw spectrum, as a few-shot model takes them
factors.py        k-factors, zeta-factors or cross-sections, with the basis and the lines that they speak of
families.py       the lines of one shell of an element, which share one intensity
figures.py        at% maps, differences and the fitted sum spectrum, and the section of the report that shows them
linear_filter.py  intensities as weighted sums of a spectrum's counts, one set of weights for every pixel
methods.py        compositions from intensities by Cliff-Lorimer, zeta-factors or cross-sections, on plain arrays
model.py          what a spectrum is made of, in as few energy bins as lose nothing
poisson_fit.py    the maximum likelihood of non-negative intensities, for all chips at once
standards.py      factors from a specimen of known composition
strays.py         peaks of elements that nobody named, which must not be taken for those that were
summing.py        straight from events, or from cubes, without a dense frame of events
table.py          from a source of spectra to the composition of every chip
"""
