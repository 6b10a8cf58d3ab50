"""Exceptions: elements stored bit for bit beside the coded ones, such as NaN and spikes (spec/lbj.md 8.6.2)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...errors import DamagedError
from .integers import Cursor, number

CLAUSE = "8.6.2"


def encode(array: NDArray, where: NDArray[np.bool_]) -> bytes:
    """List the marked elements: their number, gaps and values."""
    index = np.flatnonzero(where)
    gaps = np.diff(index, prepend=-1) - 1
    values = array.reshape(-1)[index]
    return b"".join(
        [number(index.size), *map(number, gaps.tolist()), values.astype(values.dtype.newbyteorder("<")).tobytes()]
    )


Listed = tuple[NDArray[np.int64], NDArray]  # indices and values


def decode(cursor: Cursor, elements: int, dtype: np.dtype) -> Listed:
    """Inverse of `encode`."""
    count = cursor.number()
    if not 1 <= count <= elements or count > len(cursor.data):
        raise DamagedError(f"{count} exceptions in a window of {elements} elements", clause=CLAUSE)
    index = np.empty(count, np.int64)
    last = -1
    for i in range(count):
        last += cursor.number() + 1
        if last >= elements:
            raise DamagedError(f"an exception at element {last} of {elements}", clause=CLAUSE)
        index[i] = last
    return index, np.frombuffer(cursor.take(count * dtype.itemsize), dtype.newbyteorder("<")).astype(dtype, copy=False)


def restored(array: NDArray, listed: Listed | None) -> NDArray:
    """Put exceptions in their places of a contiguous array."""
    if listed is not None:
        array.reshape(-1)[listed[0]] = listed[1]
    return array


def filled(values: NDArray, where: NDArray[np.bool_]) -> NDArray:
    """Values with the marked ones replaced by the nearest before them in their row (last axis) that is not, or after.

    A row that is all marked becomes like the one before it, or the first that is not.
    """
    if not where.any():
        return values
    if where.all():
        return np.zeros_like(values)
    marked = where.reshape(-1, where.shape[-1])
    out = values.reshape(marked.shape).copy()
    touched, whole = np.flatnonzero(marked.any(axis=1)), marked.all(axis=1)
    for part in np.array_split(touched, 1 + touched.size * marked.shape[1] // 2**20):
        here = marked[part]
        place = np.where(here, -1, np.arange(here.shape[1]))
        np.maximum.accumulate(place, axis=1, out=place)
        out[part] = np.take_along_axis(out[part], np.where(place < 0, np.argmin(here, axis=1)[:, None], place), axis=1)
    for row in np.flatnonzero(whole):
        out[row] = out[row - 1 if row else np.argmin(whole)]
    return out.reshape(values.shape)
