"""Quantification of X-ray spectra: from events or cubes, by chips, to a table of compositions."""
