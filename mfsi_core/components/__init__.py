"""Components: how many independent spectra the sums of a series hold."""
