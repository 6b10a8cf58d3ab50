"""Cluster: frames and areas on the workers of dask.distributed; the results are those of one process, to the last bit.

client.py   the connection to a dask.distributed scheduler; tasks, time-outs, and errors by name
pieces.py   the frames that one task carries, by path or as data, and how many travel together

What workers do stands beside what one process does: `by_workers.py` in accumulation/, registration/ and components/.
A quantification sums in one process frames that workers decode.
"""
