"""Decoding one block by the library's compiled kernels (numba), in C and in JavaScript, side by side in one run.

    python benchmarks/ports.py [--cc cc] [--node node]

Blocks of simulated frames of 200 x 200 x 2048 voxels; millions of counts a second of CPU time, the best of repeats,
from the coded bytes to sorted lists of voxels and counts. The C source is compiled with -O2 alone. Then the integer
stream, by the library and in JavaScript: one block of spectra of 64 x 64 x 512 voxels, millions of voxels a second.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import math
import os
import subprocess
import tempfile
import time
import zlib
from pathlib import Path

os.environ["NUMBA_NUM_THREADS"] = "1"

import numpy as np
from helpers import edx, tables

from lbj import codings
from lbj.codings import lossless_int

SOURCES = [str(Path(__file__).parents[1] / "conformance" / "ports" / "c" / name) for name in ("lbj.c", "dense.c")]
DENSITIES = {"0.004 %": 4e-5, "0.04 %": 4e-4, "0.4 %": 4e-3, "4 %": 4e-2, "20 %": 0.2}
REPEATS, SPENT = 7, 0.5  # at least so often, and for so many seconds
VOLUME = math.prod(edx.SHAPE)
SPECTRA = (64, 64, 512)
MEANS = (0.3, 30.0, 3000.0)
SCRIPT = Path(__file__).with_name("ports_js.mjs")


class InC:
    """Decoders of the C implementation."""

    def __init__(self, compiler: str, folder: str) -> None:
        library = str(Path(folder) / "lbj.so")
        subprocess.run([compiler, "-std=c99", "-O2", "-shared", "-fPIC", *SOURCES, "-o", library, "-lm"], check=True)
        self.library = ctypes.CDLL(library)

    def decode(self, coding: str, data: bytes, voxels: int, events: int) -> tuple[np.ndarray, np.ndarray]:
        """Decode one block."""
        function = getattr(self.library, f"lbj_decode_{coding.replace('-', '_')}")
        voxel, count = np.empty(voxels, np.uint32), np.empty(voxels, np.uint32)
        status = function(
            data,
            ctypes.c_size_t(len(data)),
            ctypes.c_uint32(VOLUME),
            ctypes.c_uint32(voxels),
            ctypes.c_uint64(events),
            ctypes.c_void_p(voxel.ctypes.data),
            ctypes.c_void_p(count.ctypes.data),
            None,
        )
        assert status == 0
        return voxel, count


class InJavaScript:
    """Blocks for the decoders of the JavaScript implementation, which one run of node decodes."""

    def __init__(self, node: str, folder: str) -> None:
        self.node, self.folder = node, Path(folder)
        self.blocks: list[dict] = []
        self.totals: list[int] = []
        self.digests: list[list[int]] = []

    def add(self, coding: str, data: bytes, shape: tuple[int, ...], total: int, expected: list[np.ndarray], **declared):
        """Note one block, what it decodes to, and the total to be divided by the time."""
        path = self.folder / f"{len(self.blocks)}.bin"
        path.write_bytes(data)
        block = {"file": str(path), "coding": coding, "shape": shape, "dtype": "uint32", "voxels": None, "events": None}
        self.blocks.append({**block, **declared})
        self.totals.append(total)
        self.digests.append([zlib.crc32(np.ascontiguousarray(array).tobytes()) for array in expected])

    def rates(self) -> list[float]:
        """Millions a second, block by block; what was decoded is compared."""
        path = self.folder / "blocks.json"
        path.write_text(json.dumps({"repeats": REPEATS, "spent": SPENT, "blocks": self.blocks}))
        done = subprocess.run([self.node, str(SCRIPT), str(path)], check=True, capture_output=True)
        answers = json.loads(done.stdout)
        assert [answer["digests"] for answer in answers] == self.digests
        return [total / answer["seconds"] / 1e6 for total, answer in zip(self.totals, answers, strict=True)]


def spectra(mean: float) -> np.ndarray:
    """Counts of spectra that fall and have edges, as EELS has, with `mean` counts a voxel."""
    rows, columns, channels = SPECTRA
    channel = np.arange(channels)
    shape = np.exp(-channel / 150) + 0.5 * (channel > 200) * np.exp(-(channel - 200) / 80)
    image = 1 + 0.3 * np.sin(np.arange(rows)[:, None] / 5) * np.cos(np.arange(columns) / 7)
    rate_ = image[..., None] * shape
    return np.random.default_rng(0).poisson(rate_ * (mean / rate_.mean())).astype(np.uint32)


def integer_stream(in_js: InJavaScript) -> dict[str, float]:
    """Speeds of the library by the mean count, the blocks noted for JavaScript."""
    out = {}
    for mean in MEANS:
        array = spectra(mean)
        data = lossless_int.encode_array(array)
        decoded, speed = rate(
            lambda data=data: lossless_int.decode_array(memoryview(data), SPECTRA, np.dtype("uint32")), array.size
        )
        np.testing.assert_array_equal(decoded, array)
        in_js.add("lossless-int", data, SPECTRA, array.size, [array])
        out[f"{mean:g}"] = speed
    return out


def rate(call, total: int):
    """Result and millions of counts a second."""
    best, spent, repeats = math.inf, 0.0, 0
    while repeats < REPEATS or spent < SPENT:
        start = time.process_time()
        out = call()
        took = time.process_time() - start
        best, spent, repeats = min(best, took), spent + took, repeats + 1
    return out, total / best / 1e6


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cc", default="cc", help="C compiler")
    parser.add_argument("--node", default="node", help="Node.js")
    args = parser.parse_args()
    ports = ("numba", "C", "JavaScript")
    rows: dict[str, list[str]] = {f"{coding}, {port}": [] for coding in ("split-rice", "leb128") for port in ports}
    with tempfile.TemporaryDirectory() as folder:
        in_c, in_js = InC(args.cc, folder), InJavaScript(args.node, folder)
        for number, density in enumerate(DENSITIES.values()):
            events = edx.draw(*edx.rates(density), seed=number)
            voxel = events.channel * np.uint32(events.pixels) + events.pixel
            for coding in ("split-rice", "leb128"):
                module = codings.module(codings.NAMES[coding])
                data = module.encode_counts(voxel, events.count, events.shape, np.dtype("uint32"), events.total)

                def ours(module=module, data=data, events=events):
                    view = memoryview(data)
                    return module.decode_counts(view, events.shape, np.dtype("uint32"), len(events), events.total)

                def theirs(coding=coding, data=data, events=events):
                    return in_c.decode(coding, data, len(events), events.total)

                one, speed = rate(ours, events.total)
                rows[f"{coding}, numba"].append(f"{speed:.0f}")
                other, speed = rate(theirs, events.total)
                rows[f"{coding}, C"].append(f"{speed:.0f}")
                for a, b in zip(one, other, strict=True):
                    np.testing.assert_array_equal(a, b)
                declared = {"voxels": len(events), "events": events.total}
                in_js.add(coding, data, events.shape, events.total, list(one), **declared)
                rows[f"{coding}, JavaScript"].append("")
        stream = integer_stream(in_js)
        speeds = iter(in_js.rates())
    for place in range(len(DENSITIES)):
        for coding in ("split-rice", "leb128"):
            rows[f"{coding}, JavaScript"][place] = f"{next(speeds):.0f}"
    tables.head("Mcounts/s, decoding", *DENSITIES)
    for name, cells in rows.items():
        tables.row(name, *cells)
    in_javascript = list(speeds)
    tables.head("Mvoxels/s, integer stream, mean count", *stream)
    tables.row("numba", *(f"{speed:.1f}" for speed in stream.values()))
    tables.row("JavaScript", *(f"{speed:.1f}" for speed in in_javascript))
    tables.head("JavaScript's share of numba's speed", *DENSITIES)
    for coding in ("split-rice", "leb128"):
        both = zip(rows[f"{coding}, JavaScript"], rows[f"{coding}, numba"], strict=True)
        tables.row(coding, *(f"{float(theirs) / float(ours):.2f}" for theirs, ours in both))
    tables.head("JavaScript's share, integer stream, mean count", *stream)
    both = zip(in_javascript, stream.values(), strict=True)
    tables.row("integer stream", *(f"{theirs / ours:.2f}" for theirs, ours in both))
    compiler = subprocess.run([args.cc, "--version"], check=True, capture_output=True, text=True).stdout
    node = subprocess.run([args.node, "--version"], check=True, capture_output=True, text=True).stdout
    print(f"\nC by {compiler.splitlines()[0]} with -O2; JavaScript in Node {node.strip()}.")


if __name__ == "__main__":
    main()
