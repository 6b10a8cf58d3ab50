"""Bytes per event and speed of `.lbj` beside what a user would pick instead, in one run on one core.

    python benchmarks/codec.py [--shared FOLDER] [--quick]

Frames of 200 x 200 x 2048 voxels are simulated at several densities; the real files come from FOLDER (by default
../shared/data). Rates are millions of events a second, the best of several repeats; peers get the dense uint32 cube
in memory (328 MB), those that store lists get the events. The journal is written to and read from a file, container
included, without fsync; it holds ten frames, or one where they have more than a million events.
"""

from __future__ import annotations

import argparse
import io
import itertools
import os
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path

for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "BLOSC_NTHREADS"):
    os.environ[name] = "1"

import blosc2
import h5py
import numpy as np
import pcodec
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard
from helpers import edx, tables

import lbj
from lbj.importing import open_source

DENSITIES = {"0.004 %": 4e-5, "0.04 %": 4e-4, "0.4 %": 4e-3, "4 %": 4e-2, "20 %": 0.2}


def best(call: Callable, repeats: int):
    """Result and shortest time of several calls."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        out = call()
        times.append(time.perf_counter() - start)
        if sum(times) > 5:
            break
    return out, min(times)


class Journal:
    """The journal on disk: create once, append and read frames."""

    def __init__(self, folder: str, repeats: int) -> None:
        self.path, self.repeats = Path(folder) / "bench.lbj", repeats

    def run(self, events: lbj.Events, frames: int) -> tuple[float, float, float]:
        """Bytes a frame, container included, and seconds to append and to read one."""
        signals = [lbj.Signal("EDX", "events", events.shape)]
        self.path.unlink(missing_ok=True)
        with lbj.create(self.path, signals, sync=False) as writer:
            _, encode = best(lambda: writer.append({"EDX": events}), self.repeats)
        with lbj.open(self.path) as journal:
            numbers = itertools.cycle(range(len(journal)))
            back, decode = best(lambda: journal[next(numbers)].events("EDX"), self.repeats)
        assert back == events
        self.path.unlink()
        with lbj.create(self.path, signals, sync=False) as writer:
            for _ in range(frames):
                writer.append({"EDX": events})
        return self.path.stat().st_size / frames, encode, decode


def dense_peers() -> dict[str, tuple[Callable, Callable]]:
    """Name -> (encode dense cube, decode)."""
    blosc = {"clevel": 5, "nthreads": 1, "codec": blosc2.Codec.ZSTD, "filters": [blosc2.Filter.BITSHUFFLE]}
    zstd, unzstd = zstandard.ZstdCompressor(level=3), zstandard.ZstdDecompressor()

    def hdf5(cube):
        file = io.BytesIO()
        with h5py.File(file, "w") as h5:
            h5.create_dataset("data", data=cube, compression="gzip", chunks=(16, 16, cube.shape[2]))
        return file.getvalue()

    def unhdf5(data):
        with h5py.File(io.BytesIO(data)) as h5:
            return h5["data"][...]

    return {
        "zip (deflate 6)": (lambda cube: zlib.compress(cube, 6), lambda data: zlib.decompress(data, bufsize=2**28)),
        "zstd -3": (zstd.compress, unzstd.decompress),
        "blosc2 bitshuffle+zstd": (
            lambda cube: (
                blosc2.compress2(cube.view(np.uint8).reshape(-1), cparams=blosc) if cube.nbytes < 2**31 else b""
            ),
            lambda data: blosc2.decompress2(data, dparams={"nthreads": 1}),
        ),
        ".hspy (HDF5 gzip)": (hdf5, unhdf5),
    }


def list_peers() -> dict[str, tuple[Callable, Callable]]:
    """Name -> (encode events, decode)."""
    config = pcodec.ChunkConfig()

    def gaps(events):
        voxel = events.channel.astype(np.uint64) * events.pixels + events.pixel
        gap = np.diff(voxel, prepend=np.uint64(0)).astype(np.uint32)
        # Counts above one as a list of their own: almost all are one.
        many = np.flatnonzero(events.count > 1).astype(np.uint32)
        parts = (gap, many, events.count[many])
        return [pcodec.standalone.simple_compress(part, config) for part in parts]

    def ungaps(parts):
        gap, many, more = (pcodec.standalone.simple_decompress(part) for part in parts)
        count = np.ones(gap.size, np.uint32)
        if many is not None and many.size:
            count[many] = more
        voxel = np.cumsum(gap, dtype=np.uint64)
        return voxel // 40000, voxel % 40000, count

    def parquet(events):
        sink = io.BytesIO()
        table = pa.table({"channel": events.channel, "pixel": events.pixel, "count": events.count})
        pq.write_table(table, sink, compression="zstd")
        return sink.getvalue()

    return {
        "Parquet + zstd": (parquet, lambda data: pq.read_table(io.BytesIO(data), use_threads=False)),
        "pcodec (gaps)": (gaps, ungaps),
    }


def size(coded) -> int:
    return sum(map(len, coded)) if isinstance(coded, list) else len(coded)


OURS, ZSTD = "**.lbj**", "zstd -3"


def methods(events: lbj.Events, frames: int, repeats: int, quick: bool):
    """Name, bytes a frame, and seconds to encode and to decode one, method by method."""
    with tempfile.TemporaryDirectory() as folder:
        yield OURS, *Journal(folder, repeats).run(events, frames)
    for name, (encode, decode) in list_peers().items():
        coded, t0 = best(lambda encode=encode: encode(events), repeats)
        _, t1 = best(lambda decode=decode, coded=coded: decode(coded), repeats)
        yield name, size(coded), t0, t1
    cube = events.dense()
    for name, (encode, decode) in dense_peers().items():
        if quick and "zip" in name:
            continue
        coded, t0 = best(lambda encode=encode: encode(cube), 3)
        if coded:
            yield name, size(coded), t0, best(lambda decode=decode, coded=coded: decode(coded), 3)[1]


def simulated(quick: bool) -> None:
    titles = ("bytes an event", "dense / stored", "encode, Mevents/s", "decode, Mevents/s", "wins below, Gbit/s")
    lines: dict[str, dict[str, list[str]]] = {title: {} for title in titles}
    lines[titles[0]]["Shannon bound, every rate known"] = []
    zstd = []
    for density in DENSITIES.values():
        maps, spectra = edx.rates(density)
        events = edx.draw(maps, spectra, seed=20261121)
        n, raw = events.total, 4 * events.pixels * events.channels
        lines[titles[0]]["Shannon bound, every rate known"].append(f"{edx.shannon_bytes(maps, spectra) / n:.3f}")
        took = {}
        for name, stored, encode, decode in methods(events, 10 if n < 10**6 else 1, 3 if quick else 60, quick):
            took[name] = encode, decode
            link = (raw - stored) / (encode + decode) * 8 / 1e9
            figures = (n / encode / 1e6, n / decode / 1e6)
            cells = (f"{stored / n:.3f}", f"{raw / stored:,.0f}", *(f"{rate:.2f}" for rate in figures), f"{link:.3g}")
            for title, cell in zip(titles, cells, strict=True):
                lines[title].setdefault(name, []).append(cell)
        zstd.append([theirs / ours for theirs, ours in zip(took[ZSTD], took[OURS], strict=True)])
    for title in titles:
        tables.head(f"{title}, at a density of", *DENSITIES)
        for name, cells in lines[title].items():
            tables.row(name, *cells)
    tables.head("times as fast as zstd -3 on the dense cube", *DENSITIES)
    for name, ratios in zip(("writing", "reading"), zip(*zstd, strict=True), strict=True):
        tables.row(name, *(f"{ratio:.0f}" for ratio in ratios))


REAL = [
    "velox/fei_SI_SuperX-HAADF_10frames_10x50.emd",
    "velox/fei_SI_EDS-HAADF-4detectors_2frames.emd",
    "velox/fei_emd_si.emd",
    "velox/velox_v11_SI_16x16_2frames.emd",
    "jeol/64.pts",
    "bruker/L2083-K-4-1_tilt0.bcf",
    "bruker/P45_12bit_packed_8bit_compressed.bcf",
    "bruker/test_TEM.bcf",
    "eds/core_shell.hdf5",
    "eds/88_ES-LP_G8_selection2_cropped2.hspy",
]


def real(shared: Path) -> None:
    names = ("pcodec (gaps)", "Parquet + zstd")
    tables.head("real file, bytes an event", "events", "frames", "source file", ".lbj", *names, "zstd -3, dense")
    for name in REAL:
        path = shared / name
        if not path.exists():
            tables.row(name, "absent", *[None] * 6)
            continue
        source = open_source([str(path)])
        signals = [signal for signal in source.signals if signal.kind == "events"]
        wanted = {signal.name for signal in signals}
        peers, n, frames = dict.fromkeys(names, 0), 0, 0
        dense = zstandard.ZstdCompressor(level=3)
        dense_size = 0
        file = io.BytesIO()
        with lbj.create(file, signals) as writer:
            for data, _ in source.frames:
                counts = {key: value for key, value in data.items() if key in wanted}
                writer.append(counts)
                frames += 1
                for events in counts.values():
                    listed = events if isinstance(events, lbj.Events) else lbj.Events.from_dense(events)
                    n += listed.total
                    for peer in peers:
                        peers[peer] += size(list_peers()[peer][0](listed))
                    dense_size += len(dense.compress(listed.dense()))
        stored = len(file.getvalue())
        row = [path.stat().st_size, stored, *peers.values(), dense_size]
        tables.row(path.name, f"{n:,}", frames, *(f"{value / n:.3f}" for value in row))


def startup() -> None:
    """Wall time of `lbj info` beside that of importing numpy, in turn."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.lbj"
        with lbj.create(path, [lbj.Signal("EDX", "events", (2, 3, 4))]) as writer:
            writer.append({"EDX": np.ones((2, 3, 4))})
        info = [str(Path(sys.executable).with_name("lbj")), "info", str(path)]
        ratios = []
        for _ in range(11):
            seconds = []
            for command in (info, [sys.executable, "-c", "import numpy"]):
                start = time.perf_counter()
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
                seconds.append(time.perf_counter() - start)
            ratios.append(seconds[0] / seconds[1])
    print(
        f'\n`lbj info` takes {np.median(ratios):.2f} x the wall time of `python -c "import numpy"` (median of 11 pairs)'
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    parser.add_argument("--quick", action="store_true", help="fewer repeats, no zip")
    args = parser.parse_args()
    simulated(args.quick)
    real(args.shared)
    startup()


if __name__ == "__main__":
    main()
