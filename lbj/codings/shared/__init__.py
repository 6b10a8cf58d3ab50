"""Shared: what several codings are made of.

declared.py     what lossy blocks state of their error at their beginning (spec/lbj.md 8.8.1); read without NumPy
exceptions.py   elements that come back bit for bit, whatever the coding makes of the others (spec/lbj.md 8.6.2)
integer_fit.py  what the encoder of integers chooses: tap sets by least squares, and the noise model of the residuals
integers.py     an array of integers as a stream of bytes (spec/lbj.md 8.5)
lossy.py        what the lossy codings share: what they take for exceptions, and what they state of themselves
noise.py        noise models of detectors, measured from the data themselves, and refused where they do not fit (8.8.1)
parameters.py   parameters of the lossy codings, as written in coding strings
quantiser.py    quantiser of noise-q and chart: a scale on which the noise is even (spec/lbj.md 8.8.2)
remembered.py   the model that a signal's earlier frames were coded with
"""
