"""Compression: the data-compression chart of EELS spectrum images.

chart.py   the data-compression chart: which channels of an EELS spectrum image are kept, and which are binned how far
check.py   what a data-compression chart loses, and the bins that must be halved so that it loses nothing visible
drift.py   energy drift within a spectrum image, as far as a data-compression chart minds it
figure.py  figure of a data-compression chart
source.py  the spectrum image a chart is picked for: summed, shifted, without spikes, with its noise and its drift
"""
