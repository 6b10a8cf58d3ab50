"""Cluster: frames and areas on the workers of dask.distributed; the results are those of one process, to the last bit.

client.py   a client is checked, results are waited for, and what fails is named
splitting.py the halves of `scree` by workers
pieces.py   frames of a series as a task carries them: (path, frames, signal), never an open handle
sums.py     `accumulate` by workers: counts travel as lists, dense frames as partial sums reduced as a tree
areas.py    `register` by workers, an area each
"""
