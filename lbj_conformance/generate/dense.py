"""Encoders of lossless-int, float-lattice, noise-q and chart in plain Python, written from clauses 8.6 to 8.9 alone."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from .codings import number
from .integer_stream import NEAR, Model, dither, encode, signed

PLAIN = Model(64, 4096, 64)
STATED = struct.pack("<f4d3f", 0.5, 1.5, 2.0, 0.0, -3.0, 1.0, 0.02, 0.25)


def exceptions(index: Sequence[int], values: bytes) -> bytes:
    """Clause 8.6.2."""
    due = [0, *(i + 1 for i in index)]
    return number(len(index)) + b"".join(number(i - j) for i, j in zip(index, due, strict=False)) + values


def picked(array: np.ndarray, index: Sequence[int]) -> bytes:
    """The elements at these places as exceptions."""
    if not index:
        return b""
    little = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"))
    return exceptions(index, little.reshape(-1)[list(index)].tobytes())


def value_list(values: Sequence[int], model: Model = PLAIN) -> bytes:
    """Clause 8.6.3."""
    out = number(len(values)) + signed(values[0])
    if len(values) > 1:
        gaps = [after - before - 1 for before, after in pairwise(values)]
        stream = encode(gaps, (len(gaps),), model)
        out += number(len(stream)) + stream
    return out


def lossless_int(
    array: np.ndarray,
    model: Model = NEAR,
    *,
    index: Sequence[int] = (),
    filler: int = 0,
    listed: Sequence[int] | None = None,
    zeros: bool = False,
    **more: Any,
) -> bytes:
    """A block of clause 8.6: `index` are the places of exceptions, where the stream holds `filler`.

    With `zeros`, -0.0 is stored as -1, and what is below 0 less 1.
    """
    skipped = set(index)
    flat = [filler if i in skipped else int(value) for i, value in enumerate(array.ravel().tolist())]
    if zeros:
        below = (np.signbit(array) & (array <= 0)).ravel().tolist()
        flat = [value - (minus and i not in skipped) for i, (value, minus) in enumerate(zip(flat, below, strict=True))]
    table = b""
    if listed is not None:
        table = value_list(listed)
        flat = [value if i in skipped else list(listed).index(value) for i, value in enumerate(flat)]
    flags = (listed is not None) + 2 * bool(index) + 4 * zeros
    return bytes([flags]) + picked(array, index) + table + encode(flat, array.shape, model, **more)


def single(value: float) -> float:
    """The nearest float32, ties to even; beyond the largest infinite."""
    try:
        found: float = struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError:
        return math.copysign(math.inf, value)
    return found


class Lattice(NamedTuple):
    """What clause 8.7.1 states."""

    d: Sequence[float]
    g: Sequence[float]
    single: bool = False
    short: bool = False

    def head(self, columns: int, *, excepted: bool = False) -> bytes:
        """Flags, d and g."""
        flags = excepted + 2 * self.single + 4 * self.short + 8 * (len(self.d) > 1) + 16 * (len(self.g) > 1)
        if columns == 1:  # one is one per column too
            flags |= 24
        kind = "f" if self.short else "d"
        return bytes([flags]) + struct.pack(f"<{len(self.d) + len(self.g)}{kind}", *self.d, *self.g)

    def value(self, q: int, column: int) -> float:
        """Clause 8.7.2; a double holds sums and products of singles without loss that rounding would show."""
        d, g = (values[column if len(values) > 1 else 0] for values in (self.d, self.g))
        if self.short:
            d, g = single(d), single(g)
        if self.single:
            return single(single(q - single(d)) * single(g))
        return (q - d) * g


def float_lattice(
    q: np.ndarray, lattice: Lattice, dtype: str, given: dict[int, int] | None = None, model: Model = NEAR
) -> tuple[bytes, np.ndarray]:
    """A block of clause 8.7 and its array; `given` are bits of exceptions by index."""
    columns = q.shape[-1]
    flat = [lattice.value(value, i % columns) for i, value in enumerate(q.ravel().tolist())]
    if dtype == "float32":
        flat = [single(value) for value in flat]
    array = np.array(flat, dtype).reshape(q.shape)
    array.reshape(-1).view(f"u{array.itemsize}")[list(given or {})] = list((given or {}).values())
    head = lattice.head(columns, excepted=bool(given))
    return head + picked(array, list(given or {})) + encode(q, q.shape, model), array


class Map(NamedTuple):
    """Clause 8.8.2."""

    a2: int
    a1: int
    a0: int
    shift: int
    fraction: int

    def pack(self) -> bytes:
        """Bytes of the map."""
        return signed(self.a2) + signed(self.a1) + signed(self.a0) + number(self.shift) + number(self.fraction)

    def fixed(self, t: int) -> int:
        """Fixed-point value of a sample."""
        return (self.a2 * (t**2 - 341 if t > 0 else 0) + self.a1 * t + self.a0) // (1 << self.shift)


def nearest(value: Fraction, dtype: str) -> Any:
    """A fraction in a dtype: floats to nearest, ties to even; integers half up, and limited."""
    if dtype == "float64":
        return value.numerator / value.denominator
    if dtype == "float32":
        about = struct.unpack("<i", struct.pack("<f", float(value)))[0]
        near = [bits for bits in (about - 1, about, about + 1) if bits != -1]
        floats = [struct.unpack("<f", struct.pack("<i", bits))[0] for bits in near]
        best = [(abs(Fraction(one) - value), bits & 1) for one, bits in zip(floats, near, strict=True)]
        return floats[best.index(min(best))]
    bounds = np.iinfo(dtype)
    return min(max(math.floor(value + Fraction(1, 2)), int(bounds.min)), int(bounds.max))


def samples(q: Sequence[int], model: Model) -> list[int]:
    """Clause 8.5.4."""
    return [64 * value - (0 if model.seed is None else dither(model.seed, i)) for i, value in enumerate(q)]


def noise_q(
    q: np.ndarray, map_: Map, dtype: str, given: dict[int, int] | None = None, model: Model = NEAR
) -> tuple[bytes, np.ndarray]:
    """A block of clause 8.8 and its array."""
    flat = [nearest(Fraction(map_.fixed(t), 2**map_.fraction), dtype) for t in samples(q.ravel().tolist(), model)]
    array = np.array(flat, dtype).reshape(q.shape)
    array.reshape(-1).view(f"u{array.itemsize}")[list(given or {})] = list((given or {}).values())
    head = bytes([bool(given)]) + STATED + map_.pack()
    return head + picked(array, list(given or {})) + encode(q, q.shape, model), array


class Part(NamedTuple):
    """A chart block: its length, its factor, its map unless it is exact."""

    length: int
    factor: int
    map: Map | None = None


class Piece(NamedTuple):
    """A bin: first and last channel, map, number of its run."""

    first: int
    last: int
    map: Map
    run: int


def pieces(parts: Sequence[Part]) -> tuple[list[Piece], list[int]]:
    """The bins, and the channels that are exact."""
    out: list[Piece] = []
    exact: list[int] = []
    at = 0
    for run, part in enumerate(parts):
        if part.map is None:
            exact += range(at, at + part.length)
        else:
            joined = run > 0 and parts[run - 1].map is not None
            name = out[-1].run if joined else run
            for first in range(0, part.length, part.factor or 1):
                last = min(first + part.factor, part.length) - 1
                out.append(Piece(at + first, at + last, part.map, name))
        at += part.length
    return out, exact


def spread(found: list[Piece], sums: list[int], profile: dict[int, int]) -> dict[int, int]:
    """Fixed-point values of the channels of one pixel (clause 8.9.3)."""
    out: dict[int, int] = {}
    ratio = [
        s * 2**20 // sum(profile[c] for c in range(one.first, one.last + 1)) for one, s in zip(found, sums, strict=True)
    ]
    middle = [one.first + one.last for one in found]
    for i, one in enumerate(found):
        channels = list(range(one.first, one.last + 1))
        share = []
        for c in channels:
            lower = [j for j, other in enumerate(found) if other.run == one.run and middle[j] <= 2 * c]
            upper = [j for j, other in enumerate(found) if other.run == one.run and middle[j] > 2 * c]
            if lower and upper:
                j, k = lower[-1], upper[0]
                here = ratio[j] + (ratio[k] - ratio[j]) * (2 * c - middle[j]) // (middle[k] - middle[j])
            else:
                here = ratio[lower[-1] if lower else upper[0]]
            share.append(here * profile[c] // 2**20)
        rest = sums[i] - sum(share)
        for k, c in enumerate(channels):
            out[c] = share[k] + rest // len(channels) + (k < rest % len(channels))
    return out


def chart_head(parts: Sequence[Part], *, flags: int) -> bytes:
    """All before the profile."""
    out = bytes([flags]) + STATED + number(len(parts))
    out += b"".join(number(part.length) + number(part.factor) for part in parts)
    return out + b"".join(part.map.pack() for part in parts if part.map is not None)


def sized(stream: bytes) -> bytes:
    """A stream after its length."""
    return number(len(stream)) + stream


def chart(
    parts: Sequence[Part],
    curve: Sequence[int],
    q: np.ndarray,
    dtype: str,
    exact: np.ndarray | None = None,
    given: dict[int, int] | None = None,
    model: Model = NEAR,
    profile_model: Model = PLAIN,
) -> tuple[bytes, np.ndarray]:
    """A block of clause 8.9 and its array: q are the integers of the bins, `exact` the other channels."""
    found, kept = pieces(parts)
    lossy = [c for one in found for c in range(one.first, one.last + 1)]
    profile = dict(zip(lossy, curve, strict=True))
    array = np.zeros((q[..., 0].size, len(lossy) + len(kept)), dtype)
    t = samples(q.ravel().tolist(), model)
    for pixel in range(len(array)):
        own = t[pixel * len(found) : (pixel + 1) * len(found)]
        sums = [one.map.fixed(value) for one, value in zip(found, own, strict=True)]
        for c, fixed in spread(found, sums, profile).items():
            array[pixel, c] = nearest(Fraction(fixed, 2 ** found[0].map.fraction), dtype)
    if exact is not None:
        array[:, kept] = exact.reshape(len(array), -1)
    array = array.reshape(*q.shape[:-1], array.shape[-1])
    array.reshape(-1).view(f"u{array.itemsize}")[list(given or {})] = list((given or {}).values())
    data = chart_head(parts, flags=bool(given) + 2 * (exact is not None)) + sized(
        encode(curve, (len(curve),), profile_model)
    )
    data += picked(array, list(given or {})) + sized(encode(q, q.shape, model))
    return data + (lossless_int(exact) if exact is not None else b""), array
