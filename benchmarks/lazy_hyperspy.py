"""Lazy work in HyperSpy and eXSpy on a journal of 15 GB (dense): seconds and peak memory of each step.

python benchmarks/lazy_hyperspy.py [--frames 56] [--pixels 256] [--density 0.0004] [--steps sum rebin …]

Every step is a process of its own that loads the journal lazily; HyperSpy's default solver of the decomposition holds
the signal, the incremental one (scikit-learn) a part of it. `pip install mfsi[analysis]`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from helpers import tables

import lbj

CHANNELS = 2048
STEPS = {  # of a sum of the frames, or of the frames
    "open": "pass",
    "sum of frames": "frames.sum().compute(show_progressbar=False)",
    "sum": "edx.sum().compute(show_progressbar=False)",
    "rebin": "edx.rebin(scale=[4, 4, 4]).compute(show_progressbar=False)",
    "get_lines_intensity": "[one.compute() for one in edx.get_lines_intensity(['Ti_Ka', 'Al_Ka'])]",
    "linear multifit": "edx.create_model().multifit(optimizer='lstsq')",
    "decomposition": "edx.change_dtype('float32'); edx.decomposition(output_dimension=4, print_info=False)",
    "incremental": (
        "edx.change_dtype('float32'); edx.decomposition(output_dimension=4, svd_solver='incremental', print_info=False)"
    ),
    "aligned sum": "hs.load(path, lazy=True, aligned=True)[0].sum().compute(show_progressbar=False)",
}
CHILD = """
import sys, time
import hyperspy.api as hs
import mfsi_core.hyperspy
hs.preferences.General.show_progressbar = False
def peak():
    with open("/proc/self/status") as status:
        return int(next(line.split()[1] for line in status if line.startswith("VmHWM"))) / 1e6
path = sys.argv[1]
hs.load(path, lazy=True)  # HyperSpy and eXSpy import the rest of themselves
before, start = peak(), time.perf_counter()
edx = hs.load(path, lazy=True)[0]
frames = hs.load(path, lazy=True, sum_frames=False)[0]
opened = time.perf_counter()
{step}
print(f"{{opened - start:.2f}} {{time.perf_counter() - opened:.1f}} {{before:.2f}} {{peak():.2f}}")
"""


def write(path: Path, frames: int, pixels: int, density: float) -> None:
    """A series of sparse frames: four lines on a background, images of a lattice, and displacements."""
    rng = np.random.default_rng(0)
    energy = 10.0 * np.arange(CHANNELS)
    mean = 0.02 + sum(3 * np.exp(-0.5 * ((energy - line) / 50) ** 2) for line in (525, 1487, 4510, 6400))
    share = np.cumsum(mean) / mean.sum()
    space = [{"name": name, "scale": 1e-10, "units": "m"} for name in "yx"]
    axes = [*space, {"name": "energy", "scale": 10.0, "units": "eV"}]
    shape = (pixels, pixels, CHANNELS)
    signals = [
        lbj.Signal("EDX", "events", shape, dtype="uint16", axes=axes),
        lbj.Signal("HAADF", "image", shape[:2], axes=space),
    ]
    image = (100 + 50 * np.sin(np.arange(pixels) / 9)).astype(np.uint16)
    known = {"beam_energy": 2e5, "elements": ["Al", "Ti", "Fe", "O"]}
    with lbj.create(path, signals, known, sync=False) as writer:
        for _ in range(frames):
            n = rng.poisson(density * pixels * pixels * CHANNELS)
            events = lbj.Events.from_list(
                rng.integers(0, pixels * pixels, n), np.searchsorted(share, rng.random(n)), shape
            )
            writer.append({"EDX": events, "HAADF": np.tile(image, (pixels, 1))}, live_time=20.0, beam_current=1e-10)
        writer.put_displacement("HAADF", coefficients=rng.normal(0, 1, (frames, pixels, 1, 2)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=56)
    parser.add_argument("--pixels", type=int, default=256, help="rows and columns of a frame")
    parser.add_argument("--density", type=float, default=0.0004, help="counts a voxel and frame")
    parser.add_argument("--steps", nargs="+", default=list(STEPS), choices=STEPS, metavar="STEP")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "series.lbj")
        write(path, args.frames, args.pixels, args.density)
        dense = 2 * args.frames * args.pixels**2 * CHANNELS
        title = f"{dense / 1e9:.1f} GB dense (uint16), {path.stat().st_size / 1e6:.1f} MB as a journal"
        tables.head(title, "open, s", "step, s", "peak memory, GB", "of which before")
        for name in args.steps:
            command = [sys.executable, "-W", "ignore", "-c", CHILD.format(step=STEPS[name]), str(path)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                tables.row(name, f"failed: {done.stderr.strip().splitlines()[-1]}", None, None, None)
                continue
            opened, step, before, peak = done.stdout.split()[-4:]
            tables.row(name, opened, step, peak, before)


if __name__ == "__main__":
    main()
