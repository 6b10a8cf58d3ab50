"""Decoding one block by the library's compiled kernels (numba) and by the C implementation, side by side in one run.

    python benchmarks/ports.py [--cc cc]

Blocks of simulated frames of 200 x 200 x 2048 voxels; millions of counts a second on one core, the best of repeats,
from the coded bytes to sorted lists of voxels and counts. The C source is compiled with -O2 alone.
"""

from __future__ import annotations

import argparse
import ctypes
import math
import subprocess
import tempfile
import time
from pathlib import Path

import edx
import numpy as np

from lbj import codings

SOURCE = Path(__file__).parents[1] / "conformance" / "ports" / "c" / "lbj.c"
DENSITIES = {"0.004 %": 4e-5, "0.04 %": 4e-4, "0.4 %": 4e-3, "4 %": 4e-2, "20 %": 0.2}
REPEATS = 7
VOLUME = math.prod(edx.SHAPE)


class InC:
    """Decoders of the C implementation."""

    def __init__(self, compiler: str, folder: str) -> None:
        library = str(Path(folder) / "lbj.so")
        subprocess.run([compiler, "-std=c99", "-O2", "-shared", "-fPIC", str(SOURCE), "-o", library], check=True)
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


def rate(call, total: int) -> tuple[tuple[np.ndarray, np.ndarray], float]:
    """Result and millions of counts a second."""
    best = math.inf
    for _ in range(REPEATS):
        start = time.perf_counter()
        out = call()
        best = min(best, time.perf_counter() - start)
    return out, total / best / 1e6


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cc", default="cc", help="C compiler")
    args = parser.parse_args()
    names = [f"{coding}, {port}" for coding in ("split-rice", "leb128") for port in ("numba", "C")]
    print("| Mcounts/s, decoding | " + " | ".join(DENSITIES) + " |\n|---" + "|---" * len(DENSITIES) + "|")
    rows: dict[str, list[str]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as folder:
        in_c = InC(args.cc, folder)
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
    for name, cells in rows.items():
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
