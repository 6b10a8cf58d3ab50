"""Decoder of noise-q: quantised values and the map that gives them back: clause 8.8."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from .cursor import Cursor
from .dense import EXCEPTIONS, Dtype, Shape, read_exceptions, read_flags, replaced
from .integer_stream import decode, shape_of_stream

FOR_PEOPLE = 4 + 8 * 4 + 3 * 4
MOST_SAMPLE = 2**25
BEYOND_F64 = 2**53


class Map(NamedTuple):
    """Clause 8.8.2."""

    a2: int
    a1: int
    a0: int
    shift: int
    fraction: int

    def fixed(self, t: int, cursor: Cursor) -> int:
        """Fixed-point value of a sample."""
        if abs(t) > MOST_SAMPLE:
            raise cursor.damaged("8.8.2", f"a sample of {t}")
        square = t * t - 341 if t > 0 else 0
        fixed = self.a2 * square + self.a1 * t + self.a0 >> self.shift
        if abs(fixed) >= BEYOND_F64:
            raise cursor.damaged("8.8.2", f"a fixed-point value of {fixed}")
        return fixed


def read_map(cursor: Cursor) -> Map:
    """Read a map, and check its ranges."""
    a2, a1, a0 = (cursor.signed(-(2**n), 2**n, "8.8.2") for n in (11, 35, 60))
    return Map(a2, a1, a0, cursor.number(0, 62, "8.8.2"), cursor.number(0, 24, "8.8.2"))


def value_of(fixed: int, fraction: int, dtype: Dtype) -> Any:
    """Value of a fixed-point value in the dtype."""
    if dtype.kind == "f":
        return dtype.type(math.ldexp(fixed, -fraction))  # exact in f64, so rounded once
    info = np.iinfo(dtype)
    return min(max(fixed + (2**fraction >> 1) >> fraction, int(info.min)), int(info.max))


def noise_q(cursor: Cursor, shape: Shape, dtype: Dtype) -> np.ndarray:
    """Clause 8.8.1."""
    flags = read_flags(cursor, EXCEPTIONS, "8.8.1")
    cursor.take(FOR_PEOPLE, "8.8.1")
    map_ = read_map(cursor)
    exceptions = read_exceptions(cursor, shape, dtype) if flags & EXCEPTIONS else {}
    samples = decode(cursor.rest(), shape_of_stream(shape), cursor.offset).samples
    result = np.zeros(len(samples), dtype)
    for i, t in enumerate(samples):
        result[i] = value_of(map_.fixed(t, cursor), map_.fraction, dtype)
    return replaced(result, exceptions, shape)
