"""Components: how many independent spectra the sums of a series hold.

by_workers.py       the halves into which `scree` deals counts, by workers; they are whole numbers, joined as a tree
count_splitting.py  components of one half of the counts that the other half confirms
counted.py          how many components of a sum are significant, in memory that does not grow with the frames
figure.py           variance ratio against component, a curve for every sum
moments.py          second moments of a spectrum image, filled band by band
result.py           variance ratios and significant components of several sums
scree.py            variance ratios of cumulative sums, with the number of significant components
"""
