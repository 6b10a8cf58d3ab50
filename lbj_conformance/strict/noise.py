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

    a: int
    l: int  # noqa: E741 - the name in the text
    b: int
    s: int
    f: int

    def fixed(self, t: int, cursor: Cursor) -> int:
        """Fixed-point value of a sample."""
        if abs(t) > MOST_SAMPLE:
            raise cursor.damaged("8.8.2", f"a sample of {t}")
        w = t * t - 341 if t > 0 else 0
        fixed = self.a * w + self.l * t + self.b >> self.s
        if abs(fixed) >= BEYOND_F64:
            raise cursor.damaged("8.8.2", f"a fixed-point value of {fixed}")
        return fixed


def read_map(cursor: Cursor) -> Map:
    """Read a map, and check its ranges."""
    a, l, b = (cursor.signed(-(2**n), 2**n, "8.8.2") for n in (11, 35, 60))  # noqa: E741
    return Map(a, l, b, cursor.number(0, 62, "8.8.2"), cursor.number(0, 24, "8.8.2"))


def value_of(fixed: int, f: int, dtype: Dtype) -> Any:
    """Value of a fixed-point value in the dtype."""
    if dtype.kind == "f":
        return dtype.type(math.ldexp(fixed, -f))  # exact in f64, so rounded once
    info = np.iinfo(dtype)
    return min(max(fixed + (2**f >> 1) >> f, int(info.min)), int(info.max))


def noise_q(cursor: Cursor, shape: Shape, dtype: Dtype) -> np.ndarray:
    """Clause 8.8.1."""
    flags = read_flags(cursor, EXCEPTIONS, "8.8.1")
    cursor.take(FOR_PEOPLE, "8.8.1")
    map_ = read_map(cursor)
    exceptions = read_exceptions(cursor, shape, dtype) if flags & EXCEPTIONS else {}
    samples = decode(cursor.rest(), shape_of_stream(shape), cursor.offset).samples
    result = np.zeros(len(samples), dtype)
    for i, t in enumerate(samples):
        result[i] = value_of(map_.fixed(t, cursor), map_.f, dtype)
    return replaced(result, exceptions, shape)
