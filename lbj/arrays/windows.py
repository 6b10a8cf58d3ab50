"""Base class of the lazy arrays: shape, element type, slicing, and the size of chunks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

PIECE = 1 << 24  # bytes of an array that are read at once

Window = tuple[tuple[int, int], ...]


class WindowArray:
    """An array that stands in a journal; indexing reads what is asked for.

    It holds the journal's name, never an open file: it can be pickled, and read in other processes.

    Parameters
    ----------
    shape : tuple of int
    dtype : dtype
    lead : int
        How many of the first axes count things that are stored apart, as frames are: a piece holds one of each.
    whole : int
        How many of the last axes a piece holds whole.
    identity : tuple
        What tells this array from any other: path, identifier of the journal, signal, frames, …
    """

    def __init__(self, shape: tuple[int, ...], dtype: Any, lead: int, whole: int, identity: tuple[Any, ...]) -> None:
        self.shape, self.dtype = shape, np.dtype(dtype)
        self.lead, self._whole, self._identity = lead, whole, identity

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def chunks(self) -> tuple[int, ...]:
        """Shape of a piece: one frame, the last axes whole, and about 16 MB of the axes between."""
        free = range(self.lead, self.ndim - self._whole)
        out = [1] * self.lead + list(self.shape[self.lead :])
        room = max(1, PIECE // max(1, self.dtype.itemsize * math.prod(out[self.ndim - self._whole :])))
        for axis in reversed(free):
            out[axis] = max(1, min(self.shape[axis], room))
            room //= out[axis]
        return tuple(out)

    def read(self, window: Window) -> np.ndarray:
        """Return the part between the first and past-the-last index of every axis."""
        raise NotImplementedError

    def __getitem__(self, index: Any) -> np.ndarray:
        given = index if isinstance(index, tuple) else (index,)
        if Ellipsis in [one for one in given if one is Ellipsis]:
            at = next(i for i, one in enumerate(given) if one is Ellipsis)
            given = (*given[:at], *[slice(None)] * (self.ndim - len(given) + 1), *given[at + 1 :])
        given = (*given, *[slice(None)] * (self.ndim - len(given)))
        window, rest = zip(*(_bounds(one, size) for one, size in zip(given, self.shape, strict=True)), strict=True)
        if any(stop <= start for start, stop in window):
            part = np.empty([max(0, stop - start) for start, stop in window], self.dtype)
        else:
            part = self.read(window)
        return np.asarray(part[rest])

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        out = self[()]
        return out if dtype is None else out.astype(dtype)

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        return (type(self).__name__, *self._identity)


def _bounds(index: Any, size: int) -> tuple[tuple[int, int], Any]:
    """First and past-the-last index that an index of one axis needs, and the index within that part."""
    if isinstance(index, slice):
        start, stop, step = index.indices(size)
        if step == 1:
            return (start, max(start, stop)), slice(None)
        wanted = range(start, stop, step)
        low, high = (min(wanted[0], wanted[-1]), max(wanted[0], wanted[-1]) + 1) if wanted else (0, 0)
        return (low, high), slice(None, None, step)
    at = int(index)
    if not -size <= at < size:
        raise IndexError(f"index {at} of an axis of {size}")
    return (at % size, at % size + 1), 0
