"""Compression: the data-compression chart of EELS spectrum images.

chart.py   the data-compression chart: which channels of an EELS spectrum image are kept, and which are binned how far
check.py   what its binning loses, and which bins must be halved so that nothing visible is lost
drift.py   energy drift within a spectrum image, which a chart cannot stand where it passes a quarter of a channel
figure.py  figure of a data-compression chart
source.py  the spectrum image, summed, shifted and freed of spikes, with its noise and drift
"""
