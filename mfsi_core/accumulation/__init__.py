"""Accumulation: all frames of a registered series summed into one image or spectrum image.

accumulate.py     one spectrum image, or image, out of all frames of a registered series
by_workers.py     the sums of `accumulate` on the workers of a cluster
exact.py          sums in float64 that are the same in any order, so that parts of a series may be summed anywhere
fillers.py        what fills rows of a sum over frames, band by band and block by block, with the frames in one process
mean.py           frames averaged where they lie in the scene
output.py         shape and axes of a sum, and the registration in the pixels of a signal
pull.py           sum events of many displaced frames into spectra, without a dense frame ever existing
push.py           push every count to where it was sampled; sums are kept exactly
weighted_sums.py  of the counts of every pixel's spectrum, with weights by channel, over the frames of a series
"""
