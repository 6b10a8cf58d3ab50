"""Arrays: a journal's signals as lazy arrays, for dask, xarray and HyperSpy; data are read when they are computed.

windows.py         shape, element type, slicing, and the size of chunks
frames.py          lazy array of all frames of one signal, (N, Y, X, C), or of their sum, (Y, X, C)
parts.py           only the blocks that overlap a window are read and decoded
decoded.py         cache of decoded counts, so that reading a second part of a frame does not decode it again
dask_arrays.py     any of them for dask
datasets.py        all signals for xarray, with coordinates and units
"""
