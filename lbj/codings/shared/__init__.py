"""Shared: what several codings are made of.

declared.py     the error that a lossy block states in its first bytes, read without NumPy for `lbj info`
exceptions.py   elements stored bit for bit beside the coded ones, such as NaN and spikes (spec/lbj.md 8.6.2)
integer_fit.py  the encoder's fit of predictors (tap sets) by least squares, and of the noise that they leave
integers.py     an array of integers as a stream of bytes (spec/lbj.md 8.5)
lossy.py        what noise-q and chart share: saturated values and spikes, and the error that a block states
noise.py        noise of a detector (read-out, counting, flicker), measured on the data, refused where no model fits
parameters.py   parameters of the lossy codings, as written in coding strings
quantiser.py    quantiser of noise-q and chart: a square-root scale on which the noise is the same everywhere
remembered.py   the model that earlier frames were coded with is tried before a new one is fitted
"""
