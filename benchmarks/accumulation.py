"""Accumulation of 200 x 200 x 2048 EDX frames at 0.04 %, beside linear interpolation of the dense frames by SciPy.

    python benchmarks/accumulation.py [FRAMES]

CPU time of one thread. Frames moved as a whole ("rigid") or row by row by 0.4 px rms besides ("jitter"). The memory is
the largest resident size of a process of its own, which reads the frames from a journal.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import h5py
import numba
import numpy as np
from helpers import edx, tables
from scipy.ndimage import map_coordinates

import lbj
from mfsi_core import Registration, accumulate

DENSITY = 4e-4
SHIFT = 13.7  # eV, 1.37 channels, of every frame where frames are shifted
SIZE = edx.SHAPE[:2]
REGION = (40, 80)  # rows and columns of the frame that are upsampled
AXES = [{"name": "y"}, {"name": "x"}, {"name": "energy", "offset": 0.0, "scale": 10.0, "units": "eV"}]
EDX = lbj.Signal("EDX", "events", edx.SHAPE, axes=AXES)


def displacements(kind: str, frames: int) -> Registration:
    """A drift of 2 px rms; "jitter" adds 0.4 px rms to each row."""
    rng = np.random.default_rng(1)
    field = rng.normal(0, 2, (frames, 2, 1, 1))
    if kind == "jitter":
        field = field + rng.normal(0, 0.4, (frames, 2, SIZE[0], 1))
    return Registration(displacement=np.broadcast_to(field, (frames, 2, *SIZE)))


def cpu(work) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def by_rows(field: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where one frame, displaced row by row, sampled the scene's pixels; NaN where it did not."""
    uy, ux = field[:, :, 0].astype(float)
    at = np.arange(len(uy)) + uy
    y, x = np.indices(SIZE, float)
    qy, qx = np.full(SIZE, np.nan), np.full(SIZE, np.nan)
    for row in range(len(uy) - 1):
        part = (y - at[row]) / (at[row + 1] - at[row])
        column = x - (1 - part) * ux[row] - part * ux[row + 1]
        new = np.isnan(qy) & (part >= 0) & (part <= 1) & (column >= 0) & (column <= SIZE[1] - 1)
        qy[new], qx[new] = row + part[new], column[new]
    return qy, qx


def dense(cube: np.ndarray, qy: np.ndarray, qx: np.ndarray) -> tuple[np.ndarray, float]:
    """One dense frame interpolated with SciPy channel by channel, and its CPU s."""
    inside = np.isfinite(qy)
    where = [np.where(inside, qy, 0), np.where(inside, qx, 0)]
    out = np.zeros(cube.shape, np.float32)
    channels = np.moveaxis(cube, 2, 0).copy()  # contiguous images, in favour of SciPy
    start = time.process_time()
    for c, image in enumerate(channels):
        out[..., c] = map_coordinates(image, where, order=1) * inside
    return out, time.process_time() - start


def speeds(frames: list) -> None:
    """Pull, push and shifted pull at x1 with SciPy beside."""
    number, out = len(frames), np.ones(edx.SHAPE, np.float32)
    tables.head("a frame at x1", "CPU ms, rigid", "times as fast as dense", "CPU ms, jitter", "times as fast as dense")
    cells: dict[str, list[str]] = {}
    errors = []
    for kind in ("rigid", "jitter"):
        registration = displacements(kind, number)
        one = Registration(displacement=registration.displacement[:1])
        cube = frames[0].dense().astype(np.float32)
        expected, theirs = dense(cube, *by_rows(registration.displacement[0]))
        got = accumulate(frames[:1], one)
        error = float(np.abs(got - expected).max() / expected.max())
        took = {}
        for name, options in (
            ("pull", {}),
            ("push", {"method": "push"}),
            ("pull, shifted", {"signal": EDX, "energy_shift": SHIFT}),
        ):
            accumulate(frames[:1], one, **options)  # compiles
            took[name] = cpu(lambda o=options, r=registration: accumulate(frames, r, out=out, **o)) / number
        cells.setdefault("dense, `scipy.ndimage.map_coordinates`", []).extend([f"{1e3 * theirs:.0f}", "1"])
        for name, ours in took.items():
            cells.setdefault(f"**{name}**", []).extend([f"{1e3 * ours:.2f}", f"{theirs / ours:,.0f}"])
        errors.append(f"{error:.1e}")
    for name, line in cells.items():
        tables.row(name, *line)
    tables.row("largest difference of pull from SciPy, of the maximum", errors[0], None, errors[1], None)


def dense_frames() -> None:
    """EELS-like dense frames."""
    shape, number = (60, 94, 2048), 4
    cubes = np.random.default_rng(3).poisson(40, (number, *shape)).astype(np.uint16)
    registration = Registration.rigid(np.random.default_rng(4).normal(0, 2, (number, 2)), shape[:2])
    signal = lbj.Signal("EELS", "spectra", shape, dtype="uint16", axes=AXES)
    tables.head(f"a dense frame of {' x '.join(map(str, shape))}", "CPU ms")
    for name, options in (
        ("pull", {}),
        ("push", {"method": "push"}),
        ("pull, shifted", {"energy_shift": SHIFT}),
    ):
        accumulate(cubes, registration, signal, **options)
        took = cpu(lambda o=options: accumulate(cubes, registration, signal, **o))
        tables.row(f"**{name}**", f"{1e3 * took / number:.1f}")


def upsampled(frames: list) -> None:
    """A region of the frame at finer steps."""
    scales = (1, 2, 4, 8)
    title = f"{len(frames)} frames, {REGION[0]} x {REGION[1]} px of them, CPU µs an output pixel"
    tables.head(title, *(f"x{s}" for s in scales))
    for kind in ("rigid", "jitter"):
        registration, line = displacements(kind, len(frames)), []
        for s in scales:
            region = tuple(slice(60 * s, (60 + size) * s) for size in REGION)
            accumulate(
                frames[:1], Registration(displacement=registration.displacement[:1]), upsampling=s, region=region
            )
            out = np.ones((REGION[0] * s, REGION[1] * s, edx.SHAPE[2]), np.float32)
            took = cpu(lambda r=registration, s=s, a=region, o=out: accumulate(frames, r, "EDX", s, a, out=o))
            line.append(f"{1e6 * took / (REGION[0] * REGION[1] * s * s):.1f}")
        tables.row(kind, *line)


def large(path: Path, kind: str, s: int, shifted: bool) -> None:
    """All channels of a journal's frames into an HDF5 file; prints CPU s and peak memory in bytes."""
    numba.set_num_threads(1)
    size = (SIZE[0] * s, SIZE[1] * s, edx.SHAPE[2])
    options = {"upsampling": s, "energy_shift": SHIFT if shifted else 0}
    with lbj.open(path) as journal, h5py.File(path.with_name("sum.h5"), "w") as file:
        registration = displacements(kind, len(journal))
        one = Registration(displacement=registration.displacement[:1])
        corner = (slice(0, 1), slice(0, 1))
        accumulate([journal[0].events("EDX")], one, EDX, region=corner, **options)  # compiles
        data = file.create_dataset("EDX", size, "f4", chunks=(1, 64, size[2]), compression="lzf", shuffle=True)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        took = cpu(lambda: accumulate(journal, registration, out=data, **options))
    print(took, 1024 * before, 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def memory(path: Path, number: int) -> None:
    title = f"{number} frames of 200 x 200 x 2048 into a compressed HDF5 file"
    tables.head(
        title, "CPU s", "CPU µs an output pixel", "of that at x1", "peak memory, MB", "of which before the call"
    )
    for kind, shifted, scales in (("rigid", False, (1, 4)), ("jitter", False, (1, 4)), ("rigid", True, (1,))):
        per_pixel = {}
        for s in scales:
            command = [sys.executable, __file__, "--large", str(path), kind, str(s), str(int(shifted))]
            answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
            took, before, peak = (float(value) for value in answer)
            per_pixel[s] = took / (SIZE[0] * SIZE[1] * s * s)
            name = kind + (", shifted" if shifted else "")
            tables.row(
                f"{name}, x{s}",
                f"{took:.1f}",
                f"{1e6 * per_pixel[s]:.1f}",
                f"{per_pixel[s] / per_pixel[1]:.2f}",
                f"{peak / 1e6:.0f}",
                f"{before / 1e6:.0f}",
            )


def main(number: int = 230) -> None:
    numba.set_num_threads(1)
    rates = edx.rates(DENSITY)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "series.lbj"
        with lbj.create(path, [EDX], sync=False) as writer:
            for seed in range(number):
                writer.append({"EDX": edx.draw(*rates, seed)})
        memory(path, number)  # first: a process inherits the largest size of the one that starts it
        with lbj.open(path) as journal:
            frames = [frame.events("EDX") for frame in journal]
    speeds(frames)
    dense_frames()
    upsampled(frames[:32])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--large"]:
        large(Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]), sys.argv[5] == "1")
    else:
        main(*map(int, sys.argv[1:]))
