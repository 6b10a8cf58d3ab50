"""noise-q: spectra and images quantised in units of their own noise (spec/lbj.md 8.8)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from .shared import exceptions, integers, lossy, quantiser
from .shared.integers import Cursor
from .shared.lossy import EXCEPTIONS, Frame
from .shared.parameters import noise_q
from .shared.quantiser import Map, Quantised

NAME, NUMBER = "noise-q", 6
CLAUSE = "8.8"


def plan(array: NDArray, parameters: str | None, kind: str) -> Frame:
    """Measure the noise of a frame.

    Raises
    ------
    UsageError
        If its noise is not that of a detector, saying why.
    """
    frame = lossy.look(array, noise_q(parameters), kind)
    return frame._replace(model=integers.shared(array, lambda piece: _quantised(piece, frame, 0)[2].q, 0))


def _quantised(array: NDArray, frame: Frame, seed: int) -> tuple[NDArray[np.bool_], Map, Quantised]:
    """Exceptions of a part of a frame, the map, and the integers."""
    odd, values = lossy.calmed(array, frame)
    given = quantiser.make(frame.noise, frame.step, frame.fraction)
    rows = values.reshape(-1, array.shape[-1])
    which = np.zeros(rows.shape[1], np.int64)
    marked = odd.reshape(rows.shape) if odd.any() else None
    found = quantiser.quantise(rows, marked, [given], which, [frame.noise], seed, whole=array.dtype.kind != "f")
    return odd, given, found


def encode_array(array: NDArray, frame: Frame) -> bytes:
    """Quantise and code a part of a frame."""
    seed = lossy.seed(array)
    odd, given, found = _quantised(array, frame, seed)
    some = bool(odd.any())
    return b"".join(
        [
            lossy.head(EXCEPTIONS if some else 0, frame, found.chi2, found.worst),
            given.pack(),
            exceptions.encode(array, odd) if some else b"",
            integers.encode(found.q, array.shape, seed, frame.model),
        ]
    )


def decode_array(data: memoryview, shape: tuple[int, ...], dtype: np.dtype) -> NDArray:
    """Inverse of `encode_array`, within the step."""
    cursor = Cursor(data, CLAUSE)
    flags = lossy.begin(cursor, EXCEPTIONS, "8.8.1")
    given = quantiser.unpack(cursor)
    listed = exceptions.decode(cursor, math.prod(shape), dtype) if flags & EXCEPTIONS else None
    q, seed = integers.decode(cursor.rest(), shape)
    which = np.zeros(shape[-1], np.int64)
    out = np.empty(q.shape, dtype)
    for part in integers.stretches(*q.shape):
        fixed = quantiser.restore(q[part], seed, [given], which, part.start)
        out[part] = quantiser.valued(fixed, given.f, dtype)
    return exceptions.restored(out.reshape(shape), listed)
