"""Quantification: from X-ray spectra of chips to a table of compositions.

absorption.py   thickness, density and take-off angle checked, for the correction of absorbed X-rays
chips.py        the parts of a field (squares, labels, polygons) whose spectra are summed and quantified
compare.py      two quantifications of one field, and either against a stated stoichiometry
export.py       chips with image patch, composition and raw spectrum, as a few-shot model takes them
factors.py      tables of k-factors, zeta-factors or cross-sections are read, with their basis and lines
figures.py      at% maps, differences and the fitted sum spectrum, and the section of the report that shows them
intensities.py  net counts of families of lines in every chip, by maximum likelihood or by the linear filter
methods.py      compositions by Cliff-Lorimer, zeta-factors or cross-sections, with errors and absorption
poisson_fit.py  the maximum likelihood of non-negative intensities, for all chips at once
quantify.py     `quantify`, from a source of spectra to the composition of every chip
result.py       what a quantification found, its table, and the flags of what is not to be trusted (few counts, bulk, …)
standards.py    k-factors measured on a specimen of known composition
summing.py      spectra of chips summed straight from events, or from cubes, or filtered linearly
"""
