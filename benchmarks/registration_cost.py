"""CPU time and memory of registration, a pixel and frame, beside its peers, each in a fresh process.

    python benchmarks/registration_cost.py [--sizes 10x512x512 60x200x200 …] [--peers]

Series of a crystal at 30 counts a pixel (uint16), whose rows jitter by 0.35 (y) and 0.5 px (x) rms while the frames
walk around one place; frames x rows x columns. A line a size: seconds of CPU (of all threads) and of the clock; CPU a
pixel and frame; the highest resident memory less that before the call, which holds the images, a pixel and frame; all
of the process's memory. Functions are compiled before, on a few small frames. With `--peers` those of `registration.py`
that are installed follow, on the same images; theirs includes the smoothed images that they are given. Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

for library in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
    os.environ[f"{library}_NUM_THREADS"] = "1"

import numpy as np
from helpers import tables
from scipy import ndimage

from mfsi_core import register, simulate

SIZES = ("10x512x512", "60x200x200", "230x200x200", "1000x64x64", "20x1024x1024")
OURS, PEERS = "ours", ("pystackreg", "SimpleITK Demons")
COUNTS, JITTER, WALK, BACK = (
    30.0,
    (0.35, 0.5),
    0.3,
    0.95,
)  # a frame lies at 0.95 of the place of that before, and a step
MARGIN, CELL = 8, 9.0  # px
DOSE = 40.0  # of `SMOOTHING`, the nearest


def series(frames: int, rows: int, columns: int) -> np.ndarray:
    """Images (N, Y, X) uint16 of a scene that was evaluated once and is interpolated by cubic splines."""
    rng = np.random.default_rng(1)
    y, x = (np.arange(n + 2.0 * MARGIN) for n in (rows, columns))
    scene = simulate((rows + 2 * MARGIN, columns + 2 * MARGIN), 1, 1, 1, spacing=CELL).scene
    rate = COUNTS * scene.haadf(scene.densities(*np.meshgrid(y, x, indexing="ij")))
    knots = ndimage.spline_filter(rate)
    images, place = np.empty((frames, rows, columns), np.uint16), np.zeros(2)
    for image in images:
        place = BACK * place + rng.normal(0, WALK, 2)
        off = place + MARGIN + rng.normal(0, JITTER, (rows, 2))
        at = [np.arange(n)[v] + off[:, a, None] for a, (n, v) in enumerate(((rows, np.s_[:, None]), (columns, None)))]
        seen = ndimage.map_coordinates(knots, np.broadcast_arrays(*at), order=3, prefilter=False, mode="mirror")
        image[:] = rng.poisson(np.maximum(seen, 0))
    return images


def memory() -> tuple[int, int]:
    """Resident memory of this process, now and at most so far, bytes."""
    status = Path("/proc/self/status").read_text().splitlines()
    now, most = (next(line for line in status if line.startswith(name)).split()[1] for name in ("VmRSS", "VmHWM"))
    return int(now) * 1024, int(most) * 1024


def one(size: str, method: str) -> dict[str, Any]:
    """Cost of one method at one size."""
    warnings.simplefilter("ignore")
    images = series(*map(int, size.split("x")))

    def run(some: np.ndarray) -> None:
        if method == OURS:
            register(some)
        else:
            import registration

            _, smoothing, whole = registration.METHODS[method]
            whole(registration.smoothed(some, smoothing(DOSE)))

    run(images[:4, :64, :64])
    before, cpu, clock = memory()[0], time.process_time(), time.perf_counter()
    run(images)
    cpu, clock = time.process_time() - cpu, time.perf_counter() - clock
    most = memory()[1]
    return {"cpu": cpu, "clock": clock, "above": (most - before) / images.size, "most": most, "pixels": images.size}


def main() -> None:
    parser = argparse.ArgumentParser(description="Cost of registration")
    parser.add_argument("--sizes", nargs="+", default=SIZES, metavar="NxYxX")
    parser.add_argument("--peers", action="store_true", help="measure the peers too")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one(*options.one)))
        return
    peers = []
    if options.peers:
        import registration

        peers = [name for name in PEERS if registration.METHODS[name][0]]
    tables.head("frames x pixels", "", "CPU, s", "clock, s", "µs a pixel", "B a pixel", "GB in all")
    for size in options.sizes:
        for method in (OURS, *peers):
            call = [sys.executable, __file__, "--one", size, method]
            found = json.loads(subprocess.run(call, check=True, capture_output=True, text=True).stdout)
            numbers = found["cpu"], found["clock"]
            each = found["cpu"] / found["pixels"] * 1e6, found["above"], found["most"] / 1e9
            tables.row(size, method, *(f"{v:.1f}" for v in numbers), *(f"{v:.2f}" for v in each))


if __name__ == "__main__":
    main()
