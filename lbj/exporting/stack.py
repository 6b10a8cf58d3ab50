"""Stack: one signal of all frames as one dense HDF5 dataset, written chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .series import dense_rows

if TYPE_CHECKING:
    from ..signal import Signal
    from .series import Series

CHUNK = 1 << 20  # bytes of a piece


def chunk_of(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Return a piece of about 1 MB that keeps the last axis whole where it can."""
    out, room = [], CHUNK // itemsize
    for size in reversed(shape):
        out.append(max(1, min(size, room)))
        room //= out[-1]
    return tuple(reversed(out))


def dtype_of(series: Series, signal: Signal) -> str:
    """Return an element type that holds the signal's data, counts as small as they are."""
    return series.count_dtype(signal) if signal.kind == "events" and not signal.static else signal.dtype


def values(series: Series, signal: Signal) -> Iterator[Any]:
    """Yield the data of each frame, or the static ones: Events or array."""
    return iter([series.journal.static(signal.name)]) if signal.static else series.data(signal)


def write_stack(series: Series, signal: Signal, group: Any, name: str) -> int:
    """Write a dataset of a HDF5 group: (Y, X, C) for one frame, (frame, Y, X, C) for several; returns how many."""
    depth = 1 if signal.static else sum(1 for _ in series.frames(signal.name))
    dtype = dtype_of(series, signal)
    chunk = chunk_of(signal.shape, np.dtype(dtype).itemsize)
    data = group.create_dataset(
        name,
        signal.shape if depth == 1 else (depth, *signal.shape),
        dtype,
        chunks=chunk if depth == 1 else (1, *chunk),
        compression="gzip",
        compression_opts=1,
        shuffle=True,
    )
    for frame, value in enumerate(values(series, signal)):
        lead = () if depth == 1 else (frame,)
        if signal.kind != "events":
            data[lead or ...] = value
            continue
        for row, block in dense_rows(value, dtype, chunk[0]):
            data[(*lead, slice(row, row + len(block)))] = block
    return depth
