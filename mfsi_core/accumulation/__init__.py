"""Accumulation: all frames of a registered series summed into one image or spectrum image.

accumulate.py     one spectrum image, or image, out of all frames of a registered series
exact.py          sums that are the same in any order
mean.py           frames averaged where they lie in the scene
pull.py           sum events of many displaced frames into spectra, without a dense frame ever existing
push.py           push every count to where it was sampled; sums are kept exactly
weighted_sums.py  of the counts of every pixel's spectrum, with weights by channel, over the frames of a series
"""
