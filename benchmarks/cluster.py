"""What frames cost by workers of dask.distributed: from 1 to 4 of them, and from 1 to 100 million counts.

    python benchmarks/cluster.py [--frames 128] [--workers 1,2,4] [--counts 1e6,1e7,1e8] [--pixels 64] [--channels 512]

Of each series and number of workers: whether the sum has the bits of one process, the wall time, the CPU time of all
workers together per frame and per count, and the bytes that travelled between workers per frame. What the workers take
when idle (heartbeats) meanwhile is subtracted. The CPU time should not grow with the number of workers, nor per count
with the counts.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from functools import partial
from pathlib import Path

import dask
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
    """Result, wall time (s), CPU time of all workers above idle ones (s), bytes that travelled between them."""

    def total(what):
        return sum(client.run(what).values())

    cpu, began = total(time.process_time), time.perf_counter()
    time.sleep(1.0)
    idle = (total(time.process_time) - cpu) / (time.perf_counter() - began)
    cpu, received, began = total(time.process_time), total(_received), time.perf_counter()
    result = run()
    wall = time.perf_counter() - began
    return result, wall, total(time.process_time) - cpu - idle * wall, total(_received) - received


def _received(dask_worker):
    return sum(entry["total"] for entry in dask_worker.transfer_incoming_log)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--frames", type=int, default=128)
    parser.add_argument("--pixels", type=int, default=64)
    parser.add_argument("--channels", type=int, default=512)
    parser.add_argument("--workers", default="1,2,4")
    parser.add_argument("--counts", default="1e6,1e7,1e8")
    args = parser.parse_args()
    print("   counts  workers   bits    wall, s        CPU, ms/frame   ns/count   received, kB/frame")
    with tempfile.TemporaryDirectory() as folder:
        for counts in map(float, args.counts.split(",")):
            path = Path(folder, f"{counts:g}.lbj")
            registration = series(path, args.frames, args.pixels, args.channels, counts)
            with lbj.open(path) as journal:
                accumulate(journal, registration)  # programs are compiled
                began, cpu = time.perf_counter(), time.process_time()
                here = accumulate(journal, registration)
                wall, cpu = time.perf_counter() - began, time.process_time() - cpu
                costs = f"{1e3 * cpu / args.frames:20.1f} {1e9 * cpu / counts:10.0f}"
                print(f"{counts:9.0e}      one process {wall:10.2f} {costs}")
                for workers in map(int, args.workers.split(",")):
                    with (
                        dask.config.set({"distributed.worker.profile.enabled": False}),  # it takes time by the clock
                        distributed.LocalCluster(
                            n_workers=workers, threads_per_worker=1, dashboard_address=":0"
                        ) as cluster,
                        distributed.Client(cluster) as client,
                    ):
                        run = partial(accumulate, journal, registration, client=client)
                        for _ in range(2):
                            run()  # programs are compiled
                        there, wall, cpu, received = measured(client, run)
                    bits = "same" if here.tobytes() == there.tobytes() else "DIFFER"
                    per = (1e3 * cpu / args.frames, 1e9 * cpu / counts, received / 1e3 / args.frames)
                    print(
                        f"{counts:9.0e} {workers:8d}   {bits} {wall:10.2f} {per[0]:20.1f} {per[1]:10.0f} {per[2]:20.0f}"
                    )


if __name__ == "__main__":
    main()
