"""Quantification: from X-ray spectra of chips to a table of compositions.

absorption.py   what is needed to correct a composition for X-rays that the specimen absorbs
chips.py        the parts of a field whose spectra are summed and quantified
compare.py      two quantifications of one field, and either against a stated stoichiometry
export.py       chips with image patch, composition and raw spectrum, as a few-shot model takes them
factors.py      tables of k-factors, zeta-factors or cross-sections are read, with their basis and lines
figures.py      at% maps, differences and the fitted sum spectrum, and the section of the report that shows them
intensities.py  net counts of families of lines in every chip, by maximum likelihood or by the linear filter
methods.py      compositions from intensities by Cliff-Lorimer, zeta-factors or cross-sections, on plain arrays
poisson_fit.py  the maximum likelihood of non-negative intensities, for all chips at once
quantify.py     from a source of spectra to the composition of every chip
result.py       what a quantification found, its table, and the flags of what is not to be trusted (few counts, bulk, …)
standards.py    factors from a specimen of known composition
summing.py      straight from events, or from cubes, without a dense frame of events
"""
