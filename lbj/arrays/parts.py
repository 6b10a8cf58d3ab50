"""Parts of a frame: only the blocks that overlap a window are read and decoded."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import TYPE_CHECKING

import numpy as np

from ..format import blocks, layout
from .decoded import LARGEST, RECENT, ByPixel

if TYPE_CHECKING:
    from ..frame import Frame
    from ..signal import Signal
    from .windows import Window


def add_part(
    frame: Frame, name: str, window: Window, out: np.ndarray, journal: Hashable, *, first: bool = False
) -> None:
    """Add the part of a declared signal that lies in a window to `out`, which has the window's shape.

    Parameters
    ----------
    frame : Frame
    name : str
    window : tuple of (int, int)
        First and past-the-last index of every axis of one frame.
    out : array, C-contiguous
    journal : hashable
        Which journal it is: counts of its frames are kept for the next part.
    first : bool
        Nothing but zeros stands there: values are put in their place bit for bit, a negative zero too.

    Raises
    ------
    DamagedError, UnsupportedError
        As `Frame.array`, for the blocks that are needed.
    """
    signal = frame.journal.signals[name]
    if signal.kind != "events":
        for block in overlapping(frame, name, window):
            _add_array(signal, block, window, out, alone=first)
        return
    shape, whole = signal.shape, tuple((0, size) for size in signal.shape)
    key = (journal, name, frame.index)
    kept = RECENT.get(key)
    if kept is None and window != whole and _counts(frame, name) <= LARGEST:
        kept = ByPixel.of(frame.events(name))
        RECENT.put(key, kept)
    if kept is None:
        for block in overlapping(frame, name, window):
            _add_counts(*_located(signal, block), window, out)
        return
    row = math.prod(shape[1:-1])
    begin, end = np.searchsorted(kept.pixel, np.array([window[0][0] * row, window[0][1] * row], np.uint32))
    place: list[np.ndarray] = [*np.unravel_index(kept.pixel[begin:end], shape[:-1]), kept.channel[begin:end]]
    _add_counts(place, kept.count[begin:end], whole, window, out)


def _counts(frame: Frame, name: str) -> int:
    source = frame.journal.source
    heads = [source.read(one.body, min(one.length, layout.BLOK_SIZE)) for one in frame.block_records(name)]
    return sum(int(layout.blok.parse(head).events) for head in heads)


def overlapping(frame: Frame, name: str, window: Window) -> list[blocks.Block]:
    """Blocks of a declared signal that share voxels with a window."""
    journal = frame.journal
    source, signals = journal.source, journal.declared
    records = frame.block_records(name)
    size = layout.BLOK_SIZE + len(window) * layout.BOUNDS_SIZE
    heads = [
        blocks.parse(record, source.read(record.body, min(record.length, size)), signals, frame.index)
        for record in records
    ]
    blocks.check_cover(journal.signals[name], heads)
    return [
        blocks.parse(head.record, source.payload(head.record), signals, frame.index)
        for head in heads
        if all(a < stop and start < b for (a, b), (start, stop) in zip(head.window, window, strict=True))
    ]


def _located(signal: Signal, block: blocks.Block) -> tuple[list[np.ndarray], np.ndarray, Window]:
    """Indices along every axis of a block's voxels, their counts, and the block's window."""
    dtype, shape = np.dtype(signal.dtype), block.shape
    voxel, count = blocks.decoded(block, "decode_counts", shape, dtype, block.voxels, block.events)
    blocks.check_counts(signal, block, count)
    pixels = np.uint32(math.prod(shape[:-1]))
    channel = voxel // pixels
    return [*np.unravel_index(voxel - channel * pixels, shape[:-1]), channel], count, block.window


def _add_counts(place: list[np.ndarray], count: np.ndarray, held: Window, window: Window, out: np.ndarray) -> None:
    """Add counts, of which no two are of one voxel, whose indices count from the window `held`."""
    inside = np.ones(count.size, bool)
    for axis, ((start, stop), (first, last)) in enumerate(zip(held, window, strict=True)):
        if start < first or stop > last:
            inside &= (place[axis] >= first - start) & (place[axis] < last - start)
    index = np.zeros(int(np.count_nonzero(inside)), np.int64)
    for axis, ((start, _), (first, last)) in enumerate(zip(held, window, strict=True)):
        index *= last - first
        index += place[axis][inside].astype(np.int64) + (start - first)
    out.reshape(-1)[index] += count[inside].astype(out.dtype)


def _add_array(signal: Signal, block: blocks.Block, window: Window, out: np.ndarray, *, alone: bool) -> None:
    part = blocks.decoded(block, "decode_array", block.shape, np.dtype(signal.dtype))
    to, of = [], []
    for (start, stop), (first, last) in zip(block.window, window, strict=True):
        low, high = max(start, first), min(stop, last)
        to.append(slice(low - first, high - first))
        of.append(slice(low - start, high - start))
    if alone:
        out[tuple(to)] = part[tuple(of)]
    else:
        out[tuple(to)] += part[tuple(of)].astype(out.dtype)
