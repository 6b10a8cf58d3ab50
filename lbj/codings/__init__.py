"""Codings: how the voxels of one block become bytes.

A coding is a module with ``NAME``, ``NUMBER`` and one or both pairs of functions:

- ``encode_counts(voxel, count, shape, dtype, events) -> bytes`` and
  ``decode_counts(data, shape, dtype, voxels, events) -> (voxel, count)`` for blocks of kind ``events``, where ``voxel``
  is sorted and channel-major within the block's window of ``shape``; where there is a smaller form that takes longer,
  ``encode_smallest`` too, with the arguments of the first;
- ``encode_array(array, plan) -> bytes`` and ``decode_array(data, shape, dtype) -> array`` for the dense kinds. A lossy
  coding has ``plan(array, parameters, kind)`` too, which sees the whole frame once: its noise, its mean spectrum.

Codings know nothing of files. The registry is in spec/registry.md.

chart.py          chart: the data-compression chart, spectra binned where they have no features, bins quantised
float_lattice.py  float-lattice: floats that are evenly spaced, (q - d) * g with integers q, stored exactly (8.7)
kernels/          the compiled loops of the codings
leb128.py         leb128: gaps between voxels and counts as LEB128 integers; a few lines in any language
lossless_int.py   lossless-int: arrays of integers, also where they stand in floats, bit for bit (spec/lbj.md 8.6)
noise_q.py        noise-q: spectra and images quantised in units of their own noise (spec/lbj.md 8.8)
raw.py            raw: the little-endian array itself, in the array's own order (C order over the window)
shared/           what several codings are made of
shuffle_zstd.py   shuffle-zstd: the bytes of the array, transposed so that bytes of equal weight stand together
split_rice.py     split-rice: sparse counts, as Rice-coded chunk totals that are split in halves down to the voxels
"""

from __future__ import annotations

import importlib
import re
from types import ModuleType

from ..errors import UnsupportedError, UsageError

MODULES = {
    0: "raw",
    1: "leb128",
    2: "split_rice",
    3: "shuffle_zstd",
    4: "lossless_int",
    5: "float_lattice",
    6: "noise_q",
    7: "chart",
}
NAMES = {name.replace("_", "-"): number for number, name in MODULES.items()}
COUNTS = ("raw", "leb128", "split-rice")
ARRAYS = {
    "image": ("raw", "shuffle-zstd", "lossless-int", "float-lattice", "noise-q"),
    "spectra": ("raw", "shuffle-zstd", "lossless-int", "float-lattice", "noise-q", "chart"),
}
LOSSY = ("noise-q", "chart")

MAX_BLOCK = 2**32 - 1


def split(coding: str) -> tuple[str, str | None]:
    """Return name and parameters of a coding string."""
    match = re.fullmatch(r"([a-z0-9-]+)(?:\((.*)\))?", coding)
    return (match[1], match[2]) if match else ("", None)


def check(coding: str, kind: str, signal: str) -> None:
    """Refuse a coding string that a signal of this kind cannot be written with.

    Raises
    ------
    UsageError
        Naming the coding found and those expected.
    """
    base, parameters = split(coding)
    allowed = COUNTS if kind == "events" else ARRAYS[kind]
    if base not in allowed:
        raise UsageError(f"signal {signal!r} of kind {kind!r} can be coded with {', '.join(allowed)}; got {coding!r}")
    if base not in LOSSY:
        if parameters is not None:
            raise UsageError(f"signal {signal!r}: coding {base!r} takes no parameters, got {coding!r}")
        return
    from .shared.parameters import chart, noise_q

    {"noise-q": noise_q, "chart": chart}[base](parameters)


def writable(coding: str, kind: str) -> bool:
    """Whether a signal of this kind can be written with a coding string."""
    try:
        check(coding, kind, "")
    except UsageError:
        return False
    return True


def module(number: int) -> ModuleType:
    """Return the coding's module; imported on first use, so that compiled ones cost nothing before."""
    if number not in MODULES:
        kind = "private" if number >= 0x8000 else "unknown"
        raise UnsupportedError(
            f"a block uses the {kind} coding number {number}; this reader knows 0 to {max(MODULES)}",
            clause="5.3.2",
        )
    return importlib.import_module(f".{MODULES[number]}", __name__)


def name(number: int) -> str:
    """Return the name of a coding number, for people."""
    return MODULES[number].replace("_", "-") if number in MODULES else f"coding {number}"
