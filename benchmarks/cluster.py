"""What frames cost by workers of dask.distributed: from 1 to 4 of them, and from 1 to 100 million counts.

    python benchmarks/cluster.py [--frames 64] [--workers 1,2,4] [--counts 1e6,1e7,1e8] [--pixels 64] [--channels 512]

Of each series and number of workers: whether the sum has the bits of one process, the wall time, the time that workers
computed (all together, as the scheduler has it) per frame, and the bytes that travelled between workers per frame. The
time computed per frame should not grow with the number of workers, nor per count with the counts.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from functools import partial
from pathlib import Path

import distributed
import numpy as np

import lbj
from mfsi_core import Registration, accumulate


def series(path, frames, pixels, channels, counts):
    """A journal of evenly spread counts, and displacements that differ from row to row."""
    rng = np.random.default_rng(5)
    signal = lbj.Signal("EDX", "events", (pixels, pixels, channels), dtype="uint32")
    with lbj.create(path, [signal], sync=False) as writer:
        for _ in range(frames):
            places = rng.integers(0, pixels * pixels * channels, int(counts / frames))
            pixel, channel = np.divmod(places, channels)
            writer.append({"EDX": lbj.Events.from_list(pixel, channel, signal.shape)})
    rows = rng.normal(0, 0.5, (frames, 2, pixels, 1)).astype(np.float32)
    return Registration(np.broadcast_to(rows, (frames, 2, pixels, pixels)).copy())


def measured(client, run):
    """Result, wall time, and from the workers' transition log the time computed and the bytes received, s and bytes."""
    start = time.time()
    began = time.perf_counter()
    result = run()
    wall = time.perf_counter() - began
    computed = received = 0.0
    for spans in client.get_task_stream(start=start):
        for span in spans["startstops"]:
            if span["action"] == "compute":
                computed += span["stop"] - span["start"]
    received = sum(entry["total"] for log in client.run(_received).values() for entry in log if entry["start"] >= start)
    return result, wall, computed, received


def _received(dask_worker):
    return [{"total": one["total"], "start": one["start"]} for one in dask_worker.transfer_incoming_log]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--pixels", type=int, default=64)
    parser.add_argument("--channels", type=int, default=512)
    parser.add_argument("--workers", default="1,2,4")
    parser.add_argument("--counts", default="1e6,1e7,1e8")
    args = parser.parse_args()
    print("   counts  workers   bits    wall, s   computed, ms/frame   ns/count   received, kB/frame")
    with tempfile.TemporaryDirectory() as folder:
        for counts in map(float, args.counts.split(",")):
            path = Path(folder, f"{counts:g}.lbj")
            registration = series(path, args.frames, args.pixels, args.channels, counts)
            with lbj.open(path) as journal:
                began = time.perf_counter()
                here = accumulate(journal, registration)
                alone = time.perf_counter() - began
                costs = f"{1e3 * alone / args.frames:20.1f} {1e9 * alone / counts:10.0f}"
                print(f"{counts:9.0e}      one process {alone:10.2f} {costs}")
                for workers in map(int, args.workers.split(",")):
                    with (
                        distributed.LocalCluster(workers, threads_per_worker=1, dashboard_address=":0") as cluster,
                        distributed.Client(cluster) as client,
                    ):
                        client.get_task_stream(start=0)  # the scheduler begins to record
                        run = partial(accumulate, journal, registration, client=client)
                        run()  # programs are compiled
                        there, wall, computed, received = measured(client, run)
                    bits = "same" if here.tobytes() == there.tobytes() else "DIFFER"
                    per = (1e3 * computed / args.frames, 1e9 * computed / counts, received / 1e3 / args.frames)
                    print(
                        f"{counts:9.0e} {workers:8d}   {bits} {wall:10.2f} {per[0]:20.1f} {per[1]:10.0f} {per[2]:20.0f}"
                    )


if __name__ == "__main__":
    main()
