"""Arrays: a journal's signals as arrays that are read when they are computed.

windows.py         what all have in common: shape, element type, indexing, pieces
frames.py          frames of a signal one after the other, and their sum
parts.py           the blocks of a frame that a window needs
decoded.py         counts of the frames that were read last
dask_arrays.py     any of them for dask
datasets.py        all signals for xarray, with coordinates and units
"""
