"""What frames cost by workers of dask.distributed: from 1 to 4 of them, and from 1 to 100 million counts.

    python benchmarks/cluster.py [--frames 128] [--workers 1,2,4] [--counts 1e6,1e7,1e8] [--pixels 64] [--channels 512]

Of each series and number of workers: whether the sum has the bits of one process, the wall time, the CPU time of all
processes together (workers; scheduler and caller, which are one) per frame and per count, that of scheduler and caller
alone, and the bytes that travelled between workers per frame, over several sums. What the processes take when idle
(heartbeats) meanwhile is subtracted. The CPU time should not grow with the number of workers, nor per count with the
counts.
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
from helpers import tables

import lbj
from mfsi_core import Registration, accumulate

RUNS = 5


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


def alone(path, registration):
    """Sum in this process."""
    with lbj.open(path) as journal:
        accumulate(journal, registration)


def measured(client, run):
    """Result, and of one run: wall time, CPU time of workers and of this process, s; bytes between workers.

    CPU times are above those of idle processes.
    """

    def total(what):
        return sum(client.run(what).values())

    def used():
        return np.array([total(time.process_time), time.process_time()])

    cpu, began = used(), time.perf_counter()
    time.sleep(1.0)
    idle = (used() - cpu) / (time.perf_counter() - began)
    received, cpu, began = total(_received), used(), time.perf_counter()
    for _ in range(RUNS):
        result = run()
    wall = time.perf_counter() - began
    workers, here = (used() - cpu - idle * wall) / RUNS
    return result, wall / RUNS, workers, here, (total(_received) - received) / RUNS


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
    title = f"{args.frames} frames of {args.pixels} x {args.pixels} x {args.channels}, counts"
    columns = ("bits", "wall, s", "CPU, ms a frame", "ns a count", "of it scheduler and caller, ms a frame")
    tables.head(title, "workers", *columns, "received, kB a frame")
    with tempfile.TemporaryDirectory() as folder:
        for counts in map(float, args.counts.split(",")):
            path = Path(folder, f"{counts:g}.lbj")
            registration = series(path, args.frames, args.pixels, args.channels, counts)
            with lbj.open(path) as journal:
                accumulate(journal, registration)  # programs are compiled
                began, cpu = time.perf_counter(), time.process_time()
                for _ in range(RUNS):
                    here = accumulate(journal, registration)
                wall, cpu = (time.perf_counter() - began) / RUNS, (time.process_time() - cpu) / RUNS
                costs = per(cpu, args.frames, counts)
                tables.row(f"{counts:,.0f}", "one process", None, f"{wall:.2f}", *costs, None, None)
                for workers in map(int, args.workers.split(",")):
                    with (
                        dask.config.set({"distributed.worker.profile.enabled": False}),  # it takes time by the clock
                        distributed.LocalCluster(
                            n_workers=workers, threads_per_worker=1, dashboard_address=":0"
                        ) as cluster,
                        distributed.Client(cluster) as client,
                    ):
                        run = partial(accumulate, journal, registration, client=client)
                        client.run(alone, path, registration)  # every worker has its programs compiled
                        run()
                        there, wall, cpu, other, received = measured(client, run)
                    bits = "same" if here.tobytes() == there.tobytes() else "DIFFER"
                    costs = (*per(cpu + other, args.frames, counts), f"{1e3 * other / args.frames:.1f}")
                    costs += (f"{received / 1e3 / args.frames:.0f}",)
                    tables.row(f"{counts:,.0f}", workers, bits, f"{wall:.2f}", *costs)


def per(cpu, frames, counts):
    """CPU time: ms a frame, ns a count."""
    return f"{1e3 * cpu / frames:.1f}", f"{1e9 * cpu / counts:.0f}"


if __name__ == "__main__":
    main()
