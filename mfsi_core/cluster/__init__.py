"""Cluster: frames and areas on the workers of dask.distributed; the results are those of one process, to the last bit.

client.py   a client is checked, results are waited for, and what fails is named
pieces.py   frames of a series as a task carries them, never an open handle; how many travel together

What workers do stands beside what one process does: `by_workers.py` in accumulation/, registration/ and components/.
A quantification sums in one process frames that workers decode.
"""
