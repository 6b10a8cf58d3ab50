"""Components: scree of a series: how many independent spectra (principal components) its sums hold.

by_workers.py       counts split into halves on a dask cluster, for `scree`
count_splitting.py  which components of one random half of the counts the other half confirms
counted.py          the number of significant components while a series is recorded, in memory that does not grow
figure.py           variance ratio against component, a curve for every sum
moments.py          covariance of a spectrum image weighted for Poisson noise, accumulated band by band
result.py           the table of a scree, variance ratios and significant components of every sum
scree.py            variance ratios of cumulative sums against dose, with the number of significant components
"""
