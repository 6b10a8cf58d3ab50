"""Accumulation: all frames of a registered series summed into one aligned image or spectrum image.

accumulate.py     `accumulate`, the aligned sum of all frames with its upsampling; coverage, and the region seen by all
by_workers.py     the sums of `accumulate` computed on a dask cluster
exact.py          float64 sums that do not depend on the order of summation, so that parts may be summed anywhere
fillers.py        rows of the aligned sum filled block by block in threads, from events or from dense frames
mean.py           the aligned mean image of a stack of frames, and the plain one
output.py         shape and axes of an aligned sum, and the registration converted to the pixels of a signal
pull.py           events of displaced frames summed by bilinear interpolation, without a dense frame (`method="pull"`)
push.py           every count is splatted on the four output pixels around it, so that sums are kept (`method="push"`)
weighted_sums.py  counts of every pixel's spectrum times weights by channel, over the frames; sum spectra
"""
