"""noise-q: spectra and images quantised in units of their own noise (spec/lbj.md 8.8)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from . import _exceptions, _integers, _lossy, _quantiser
from ._integers import Cursor
from ._lossy import EXCEPTIONS, Frame
from ._parameters import noise_q
from ._quantiser import Map, Quantised

NAME, NUMBER = "noise-q", 6
CLAUSE = "8.8"


def plan(array: NDArray, parameters: str | None, kind: str) -> Frame:
    """Measure the noise of a frame.

    Raises
    ------
    UsageError
        If its noise is not that of a detector, saying why.
    """
    frame = _lossy.look(array, noise_q(parameters), kind)
    return frame._replace(model=_integers.shared(array, lambda piece: _quantised(piece, frame, 0)[2].q, 0))


def _quantised(array: NDArray, frame: Frame, seed: int) -> tuple[NDArray[np.bool_], Map, Quantised]:
    """Exceptions of a part of a frame, the map, and the integers."""
    odd, values = _lossy.calmed(array, frame)
    given = _quantiser.make(frame.noise, frame.step, frame.fraction)
    rows = values.reshape(-1, array.shape[-1])
    which = np.zeros(rows.shape[1], np.int64)
    marked = odd.reshape(rows.shape) if odd.any() else None
    found = _quantiser.quantise(rows, marked, [given], which, [frame.noise], seed, whole=array.dtype.kind != "f")
    return odd, given, found


def encode_array(array: NDArray, frame: Frame) -> bytes:
    """Quantise and code a part of a frame."""
    seed = _lossy.seed(array)
    odd, given, found = _quantised(array, frame, seed)
    some = bool(odd.any())
    return b"".join(
        [
            _lossy.stated(EXCEPTIONS if some else 0, frame, found.chi2, found.worst),
            given.pack(),
            _exceptions.encode(array, odd) if some else b"",
            _integers.encode(found.q, array.shape, seed, frame.model),
        ]
    )


def decode_array(data: memoryview, shape: tuple[int, ...], dtype: np.dtype) -> NDArray:
    """Inverse of `encode_array`, within the step."""
    cursor = Cursor(data, CLAUSE)
    flags = _lossy.begin(cursor, EXCEPTIONS, "8.8.1")
    given = _quantiser.unpack(cursor)
    listed = _exceptions.decode(cursor, math.prod(shape), dtype) if flags & EXCEPTIONS else None
    q, seed = _integers.decode(cursor.rest(), shape)
    which = np.zeros(shape[-1], np.int64)
    out = np.empty(q.shape, dtype)
    for part in _integers.stretches(*q.shape):
        fixed = _quantiser.restore(q[part], seed, [given], which, part.start)
        out[part] = _quantiser.valued(fixed, given.f, dtype)
    return _exceptions.restored(out.reshape(shape), listed)
