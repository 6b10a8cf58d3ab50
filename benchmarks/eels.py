"""Size, loss and speed of the codings of spectra and images beside their peers, in one run.

    python benchmarks/eels.py [--shared FOLDER] [--quick]

Sizes of spectra are those of whole journals, container included, over raw float32. Real files come from
FOLDER (by default ../shared/data). SZ3 and zfp, which know one absolute error, get the cube on a square-root scale on
which the noise is 1, so that their largest error is the same in units of the noise. Speeds are of one frame with all
cores of the machine, from and to memory.
"""

from __future__ import annotations

import argparse
import io
import os
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pcodec.standalone
import zfpy
import zstandard
from helpers import recipe, tables
from pysz import sz, szConfig, szErrorBoundMode

import lbj
from lbj.codings import lossless_int, noise_q
from lbj.importing import open_source
from mfsi_core import edge_map, map_snr
from mfsi_core.compression.chart import pick_chart
from mfsi_core.simulation.eels import EDGES, EelsSimulation, simulate_eels

ELECTRONS, READ = 3000.0, 3.0  # so that pcodec makes the cube 4.34 times smaller
FOUR = "0:20,160:4,260:16,600:4,700:16,900:4,1000:16,1340:4,1440:32"  # fine at the four edges of the simulation
PARTLY_EXACT = "0:20,180:exact,200:16,600:4,640:16,920:4,960:16,1360:4,1400:32"
TWO = "0:40,600:8,680:40,900:8,980:40"
WINDOWS = {"Ca": (346, 376), "Ti": (456, 486), "O": (532, 562), "Mn": (640, 670)}
FITS = {"Ca": (305, 340), "Ti": (412, 450), "O": (500, 526), "Mn": (590, 634)}


def journal(frames: list[np.ndarray], kind: str, coding: str) -> tuple[int, np.ndarray]:
    """Bytes of a journal that holds the frames, and the first frame read back."""
    file = io.BytesIO()
    signal = lbj.Signal("EELS", kind, frames[0].shape, dtype=frames[0].dtype, coding=coding)
    with lbj.create(file, [signal], sync=False) as writer:
        for frame in frames:
            writer.append({"EELS": frame})
    with lbj.open(file) as read:
        return len(file.getvalue()), read[0].array("EELS")


def pco(array: np.ndarray) -> bytes:
    return pcodec.standalone.simple_compress(
        np.ascontiguousarray(array).ravel(), pcodec.ChunkConfig(compression_level=8)
    )


def stabilised(cube: np.ndarray) -> np.ndarray:
    """On a scale on which the noise of the simulation is 1."""
    return (2 * np.sqrt(np.maximum(cube.astype(np.float64) + 0.375 + READ**2, 0))).astype(np.float32)


def unstabilised(scale: np.ndarray) -> np.ndarray:
    return (scale.astype(np.float64) / 2) ** 2 - 0.375 - READ**2


def sz3(cube: np.ndarray, step: float) -> tuple[int, np.ndarray]:
    config = szConfig()
    config.errorBoundMode = szErrorBoundMode.ABS
    config.absErrorBound = step / 2
    scale = stabilised(cube)
    data, _ = sz.compress(scale, config)
    return data.nbytes, unstabilised(sz.decompress(data, np.float32, scale.shape)[0])


def zfp(cube: np.ndarray, step: float) -> tuple[int, np.ndarray]:
    data = zfpy.compress_numpy(stabilised(cube), tolerance=step / 2)
    return len(data), unstabilised(zfpy.decompress_numpy(data))


def series(shared: Path, name: str, kind: str) -> list[np.ndarray]:
    """All frames of the first signal of this kind in a file."""
    source = open_source([str(shared / name)])
    signal = next(s for s in source.signals if s.kind == kind and not s.static)
    return [np.asarray(data[signal.name]) for data, _ in source.frames if signal.name in data]


def lossless(cubes: dict[str, np.ndarray]) -> None:
    tables.head("times smaller than float32, lossless", ".lbj", "pcodec", "zstd -19", "zip")
    for name, cube in cubes.items():
        whole = np.array_equal(cube, np.rint(cube))
        size, back = journal([cube], "spectra", "lossless-int" if whole else "float-lattice")
        assert back.tobytes() == cube.tobytes()
        raw = 4 * cube.size
        zstd = len(zstandard.ZstdCompressor(level=19).compress(np.ascontiguousarray(cube).tobytes()))
        zipped = len(zlib.compress(np.ascontiguousarray(cube).tobytes(), 6))
        tables.row(name, *(f"{raw / stored:.2f}" for stored in (size, len(pco(cube)), zstd, zipped)))


def net(simulation: EelsSimulation, cube: np.ndarray, name: str) -> np.ndarray:
    return edge_map(cube, WINDOWS[name], FITS[name], simulation.signals[0]).values


def truth(simulation: EelsSimulation, name: str) -> np.ndarray:
    axis = simulation.axis
    inside = (axis >= WINDOWS[name][0]) & (axis < WINDOWS[name][1])
    return simulation.maps[name] * simulation.shapes[name][inside].sum()


def lossy(simulation: EelsSimulation, cube: np.ndarray, real: dict[str, np.ndarray]) -> None:
    deviation = np.sqrt(np.maximum(simulation.mean(0), 0) + READ**2)
    snr = {name: map_snr(net(simulation, cube, name), truth=truth(simulation, name)) for name in EDGES}
    tables.head(
        "simulated, largest error",
        "times smaller",
        "rms error, sigma",
        "mean spectrum",
        "signal-to-noise of maps",
        "implied by step²/12",
    )
    for step in (1.0, 2.0):
        implied = np.sqrt(1 / (1 + step * step / 12)) - 1
        rows: dict[str, tuple[int, np.ndarray]] = {
            f"**noise-q({step:g})**, {step / 2:g} sigma": journal([cube], "spectra", f"noise-q({step:g})"),
            f"SZ3 on a square-root scale, {step / 2:g} sigma": sz3(cube, step),
            f"zfp on a square-root scale, {step / 2:g} sigma": zfp(cube, step),
        }
        for name, (size, back) in rows.items():
            error = (back.astype(np.float64) - cube) / deviation
            pixels = cube.shape[0] * cube.shape[1]
            z = error.mean(axis=(0, 1)) * np.sqrt(12 * pixels) / step
            kept = np.mean([map_snr(net(simulation, back, n), truth=truth(simulation, n)) / snr[n] for n in EDGES])
            tables.row(
                name,
                f"{4 * cube.size / size:.2f}",
                f"{np.sqrt(np.mean(error**2)):.3f}",
                f"{np.sqrt(np.mean(z * z)):.2f}",
                f"{kept - 1:+.1%}",
                f"{implied:+.1%}",
            )
    tables.head("times smaller", "noise-q(1)", "noise-q(2)")
    for name, data in real.items():
        sizes = [journal([data], "spectra", f"noise-q({step})")[0] for step in (1, 2)]
        tables.row(name, *(f"{4 * data.size / size:.2f}" for size in sizes))


def picked(simulation: EelsSimulation, cube: np.ndarray, elements: list[str]) -> str:
    return pick_chart(cube, elements, signal=simulation.signals[0]).coding


def charts(seeds: range, quick: bool) -> None:
    shape = (30, 47) if quick else (60, 94)
    cases: dict[str, tuple[Callable[[EelsSimulation, np.ndarray], str] | None, list[str]]] = {
        "the paper's blocks, four edges": (lambda *_: f"chart({FOUR};0.5)", list(EDGES)),
        "the same, one block exact": (lambda *_: f"chart({PARTLY_EXACT};0.5)", list(EDGES)),
        "two edges": (lambda *_: f"chart({TWO};0.5)", ["Ti", "O"]),
        "`mfsi chart`, four edges named": (lambda s, c: picked(s, c, list(EDGES)), list(EDGES)),
        "`mfsi chart`, Mn not named": (lambda s, c: picked(s, c, ["Ca", "Ti", "O"]), list(EDGES)),
        "the paper's recipe, same points": (None, list(EDGES)),
    }  # fmt: skip
    blocks = [(int(a), int(b)) for a, b in (pair.split(":") for pair in FOUR.split(","))]
    tables.head(
        f"charts at half a sigma, {len(seeds)} seeds",
        "times smaller",
        "largest change of an edge's mean, standard errors",
        "signal-to-noise of maps",
        "by edge",
    )
    for title, (chart, names) in cases.items():
        ratios, changes, gains = [], [], []
        for seed in seeds:
            edges = {name: EDGES[name] for name in names}
            simulation = simulate_eels(shape, seed=seed, electrons=ELECTRONS, read_noise=READ, edges=edges)
            cube = simulation.frame(0)[0]["EELS"]
            if chart is None:
                data = recipe.encode(cube, blocks)
                size, back = len(data), recipe.decode(data, cube.shape, blocks)
            else:
                size, back = journal([cube], "spectra", chart(simulation, cube))
            ratios.append(4 * cube.size / size)
            before = {n: net(simulation, cube, n) for n in names}
            after = {n: net(simulation, back, n) for n in names}
            right = {n: truth(simulation, n) for n in names}
            error = {n: np.std(before[n] - right[n]) / np.sqrt(before[n].size) for n in names}
            changes.append([(after[n].mean() - before[n].mean()) / error[n] for n in names])
            gains.append([map_snr(after[n], truth=right[n]) / map_snr(before[n], truth=right[n]) - 1 for n in names])
        by = ", ".join(f"{n} {g:+.1%}" for n, g in zip(names, np.mean(gains, axis=0), strict=True))
        change = np.mean(changes, axis=0)
        tables.row(title, f"{np.mean(ratios):.1f}", f"{np.abs(change).max():.2f}", f"{np.mean(gains):+.1%}", by)


def images(shared: Path, quick: bool) -> None:
    tables.head("images, bits a pixel", ".lbj", "JPEG-XL", "JPEG-LS", "pcodec", "zstd -19", "noise-q(1)")
    simulated = {}
    for counts in (8, 40, 200):
        rng = np.random.default_rng(counts)
        y, x = np.indices((256, 256)) / 256
        scene = simulate_eels((256, 256), channels=8, seed=counts)
        rate = scene.haadf / scene.haadf.mean() * counts * (1 + 0.2 * np.sin(3 * y + 5 * x))
        simulated[f"simulated lattice, {counts} counts"] = [rng.poisson(rate).astype(np.uint16)]
    real = {
        "ABF series": "images/stem_abf_data_imagestack.hspy",
        "JEOL sweeps": "jeol/64.pts",
        "Velox, 10 frames": "velox/fei_SI_SuperX-HAADF_10frames_10x50.emd",
        "Velox, 2 frames": "velox/fei_SI_EDS-HAADF-4detectors_2frames.emd",
        "Velox, sparse": "velox/fei_emd_si.emd",
        "Velox 11": "velox/velox_v11_SI_16x16_2frames.emd",
        "Bruker HAADF": "bruker/L2083-K-4-1_tilt0.bcf",
        "Bruker test": "bruker/test_TEM.bcf",
        "CuZn HAADF": "eels/CuZn_HAADF.hspy",
    }
    found = {n: series(shared, path, "image") for n, path in real.items() if shared.exists() and not quick}
    for name, frames in {**simulated, **found}.items():
        pixels = sum(frame.size for frame in frames)
        size = sum(len(lossless_int.encode_array(frame)) for frame in frames)
        jxl = sum(len(imagecodecs.jpegxl_encode(frame, lossless=True, effort=9)) for frame in frames)
        jls = sum(len(imagecodecs.jpegls_encode(frame)) for frame in frames)
        level = zstandard.ZstdCompressor(level=19)
        zstd = sum(len(level.compress(frame.tobytes())) for frame in frames)
        try:
            plans = [noise_q.plan(frame, "1", "image") for frame in frames]
            stored = sum(len(noise_q.encode_array(f, plan)) for f, plan in zip(frames, plans, strict=True))
            noisy = f"{8 * stored / pixels:.2f}"
        except lbj.UsageError:
            noisy = "refused"
        bits = [8 * n / pixels for n in (size, jxl, jls, sum(len(pco(frame)) for frame in frames), zstd)]
        tables.row(name, *(f"{value:.2f}" for value in bits), noisy)


def speed(cube: np.ndarray) -> None:
    tables.head("MB/s of raw float32", "encode", "decode")
    raw = np.ascontiguousarray(cube).tobytes()
    zstd = zstandard.ZstdCompressor(level=3)

    def timed(call: Callable) -> tuple[object, float]:
        times = []
        for _ in range(3):
            start = time.perf_counter()
            out = call()
            times.append(time.perf_counter() - start)
        return out, len(raw) / 1e6 / min(times)

    packed, encode = timed(lambda: zstd.compress(raw))
    _, decode = timed(lambda: zstandard.ZstdDecompressor().decompress(packed))
    tables.row("zstd -3, one core", f"{encode:.0f}", f"{decode:.0f}")
    packed, encode = timed(lambda: pco(cube))
    _, decode = timed(lambda: pcodec.standalone.simple_decompress(packed))
    tables.row("pcodec 8, one core", f"{encode:.0f}", f"{decode:.0f}")
    for coding in ("lossless-int", "noise-q(1)", f"chart({FOUR};0.5)"):
        file = io.BytesIO()
        with lbj.create(file, [lbj.Signal("E", "spectra", cube.shape, coding=coding)], sync=False) as writer:
            _, encode = timed(lambda w=writer: w.append({"E": cube}))
        with lbj.open(file) as read:
            _, decode = timed(lambda r=read: r[0].array("E"))
        tables.row(f"{coding.split('(0')[0]}, {os.cpu_count()} cores", f"{encode:.0f}", f"{decode:.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    parser.add_argument("--quick", action="store_true", help="a small cube, two seeds, no real images")
    args = parser.parse_args()
    shape = (30, 47) if args.quick else (60, 94)
    simulation = simulate_eels(shape, seed=1, electrons=ELECTRONS, read_noise=READ)
    cube = simulation.frame(0)[0]["EELS"]
    real = {}
    if args.shared.exists():
        names = {
            "oxide interface (dm3)": "eels/DMReader_SpectrumImage_SI-EELS.dm3",
            "CuZn map": "eels/CuZn_EELS_mapping_tutorial.hspy",
            "LSMO core loss": "eels/LSMO_linescan.hspy",
            "LSMO low loss": "eels/LSMO_linescan_low_loss.hspy",
        }
        real = {title: series(args.shared, name, "spectra")[0] for title, name in names.items()}
    low = simulate_eels((20, 30), channels=64, seed=2, electrons=2000, low_loss=True, jitter=0.1).frame(0)[0]["EELS-LL"]
    exact = {title: data for title, data in real.items() if title != "LSMO core loss"}
    lossless({f"simulated {'x'.join(map(str, cube.shape))}": cube, **exact})
    speed(cube)
    lossy(simulation, cube, {**real, "low loss with jitter": low})
    images(args.shared, args.quick)
    charts(range(101, 103 if args.quick else 109), args.quick)


if __name__ == "__main__":
    main()
