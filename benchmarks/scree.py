"""Scree of a simulated crystal, CPU time of each sum beside HyperSpy's decomposition of the same sum.

    python benchmarks/scree.py [ROWS COLUMNS CHANNELS FRAMES]

HyperSpy is timed from the dense sum on; ours from the events on, with summing, splitting and testing.
"""

from __future__ import annotations

import os
import sys
import time
import warnings

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from helpers import tables

from lbj.events import Events
from mfsi_core import Registration, accumulate, simulate
from mfsi_core.components.scree import scree

LEADING = 20  # components that HyperSpy's quicker, truncated decomposition is asked for


def peer():
    """HyperSpy's decomposition of a cube, or None where HyperSpy is absent."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import hyperspy.api as hs
    except ImportError:
        return None

    def decompose(cube: np.ndarray, components: int | None) -> np.ndarray:
        signal = hs.signals.Signal1D(cube.astype(np.float64))
        signal.decomposition(
            normalize_poissonian_noise=True, algorithm="SVD", output_dimension=components, print_info=False
        )
        return signal.get_explained_variance_ratio().data

    return decompose


def timed(work, *args, **options):
    start = time.process_time()
    result = work(*args, **options)
    return result, time.process_time() - start


def main(rows: int = 100, columns: int = 100, channels: int = 2048, frames: int = 25) -> None:
    sim = simulate((rows, columns), frames, channels, 1)
    events, registration = sim.events, Registration(sim.displacement)
    scree(events[:1], frames=[1])  # compiles
    scree([Events.from_dense(np.ones((4, 4, 4), int))])
    decompose = peer()
    if decompose is None:
        print("HyperSpy is absent: nothing to compare with")
    tables.head(
        f"frames of {rows} x {columns} x {channels}, CPU s",
        "counts",
        "significant",
        "**mfsi_core**",
        "HyperSpy, full SVD",
        f"HyperSpy, {LEADING} components",
        "largest difference of a ratio, of the first",
    )
    numbers = [k * k for k in range(1, int(frames**0.5) + 1)]
    for number in numbers:
        found, ours = timed(scree, events, frames=[number], registration=registration)
        cells = [f"{found.dose[0]:,.0f}", found.significant[0], f"{ours:.2f}"]
        if decompose is not None:
            cube = accumulate(events[:number], Registration(sim.displacement[:number]))
            theirs, full = timed(decompose, cube, None)
            _, truncated = timed(decompose, cube, LEADING)
            worst = float(np.abs(theirs - found.variance_ratio[0]).max() / theirs[0])
            cells += [f"{full:.2f}", f"{truncated:.2f}", f"{worst:.1e}"]
        tables.row(number, *cells)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
