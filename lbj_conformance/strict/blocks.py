"""Blocks, their windows, and the arrays that they make together: clause 5.3."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import codings, layouts
from .errors import LIMIT, Refused, damaged, unsupported
from .header import Signal

MOST_WINDOWS = 4096
MOST_ELEMENTS = 2**32 - 1

Window = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Block:
    """A BLOK record whose place in its frame is right, not yet its content."""

    offset: int
    signal: int
    coding: int
    flags: int
    voxels: int
    events: int
    payload: bytes


@dataclass(frozen=True)
class Events:
    """Array of an events signal: channel-major indices over the whole array, rising, and the counts there."""

    shape: tuple[int, ...]
    indices: np.ndarray
    counts: np.ndarray

    def dense(self, dtype: Any) -> np.ndarray:
        """Return the array itself."""
        pixels = math.prod(self.shape[:-1])
        result = np.zeros((pixels, self.shape[-1]), dtype)
        result[self.indices % pixels, self.indices // pixels] = self.counts
        return result.reshape(self.shape)


def read_block(offset: int, payload: bytes, frame: int, signals: list[Signal]) -> Block:
    """Check what is structure: clauses 4.3.4, 5.3.1 and 5.3.2 (signal)."""
    if len(payload) < layouts.BLOK_SIZE:
        raise damaged(offset, "4.3.4", f"BLOK of {len(payload)} bytes")
    fields = layouts.blok.parse(payload[: layouts.BLOK_SIZE])
    if fields.frame != frame:
        raise damaged(offset, "5.3.1", f"block of frame {fields.frame} in frame {frame}")
    if fields.signal >= len(signals):
        raise damaged(offset, "5.3.2", f"signal {fields.signal} is not declared")
    return Block(offset, fields.signal, fields.coding, fields.flags, fields.voxels, fields.events, payload)


def _window(block: Block, signal: Signal) -> Window:
    """Return the window, checked for itself (clauses 4.3.4, 5.3.4 and 5.3.5)."""
    if _windowed(block):
        size = layouts.BOUNDS_SIZE
        stated = block.payload[layouts.BLOK_SIZE : layouts.BLOK_SIZE + size * len(signal.shape)]
        if len(stated) < size * len(signal.shape):
            raise damaged(block.offset, "4.3.4", "BLOK ends inside its window")
        bounds = [layouts.bounds.parse(stated[place : place + size]) for place in range(0, len(stated), size)]
        window = tuple((bound.start, bound.stop) for bound in bounds)
    else:
        window = tuple((0, size) for size in signal.shape)
    for (start, stop), size in zip(window, signal.shape, strict=True):
        if not start < stop <= size:
            raise damaged(block.offset, "5.3.4", f"window {start} to {stop} of {size}")
    if volume_of(window) > MOST_ELEMENTS:
        raise damaged(block.offset, "5.3.5", f"a window of {volume_of(window)} elements")
    return window


def _windowed(block: Block) -> bool:
    return bool(block.flags & layouts.HAS_WINDOW)


def shape_of(window: Window) -> tuple[int, ...]:
    """Sizes of a window."""
    return tuple(stop - start for start, stop in window)


def volume_of(window: Window) -> int:
    """Number of elements of a window."""
    return math.prod(shape_of(window))


def _check_numbers(block: Block, signal: Signal, volume: int) -> None:
    """Clause 5.3.6, before anything is decoded."""
    voxels, events = block.voxels, block.events
    if signal.kind == "events":
        good = voxels <= volume and voxels <= events and (voxels == 0) == (events == 0)
    else:
        good = voxels == events == 0
    if not good:
        raise damaged(block.offset, "5.3.6", f"{voxels} voxels and {events} events in {volume} voxels of {signal.kind}")


def _check_windows(blocks: list[Block], windows: list[Window], signal: Signal) -> None:
    """Clause 5.3.7: disjoint, and together the whole array."""
    places = np.array(windows, np.int64)
    starts, stops = places[:, :, 0], places[:, :, 1]
    for k in range(1, len(blocks)):
        if np.any(np.all((starts[:k] < stops[k]) & (starts[k] < stops[:k]), axis=1)):
            raise damaged(blocks[k].offset, "5.3.7", "two windows intersect")
    if sum(map(volume_of, windows)) != signal.elements:
        raise damaged(blocks[-1].offset, "5.3.7", "the windows do not cover the array")


def check(blocks: list[Block], signal: Signal) -> list[Window]:
    """Check the blocks of one signal in one frame as far as that is possible without decoding."""
    if len(blocks) > MOST_WINDOWS:
        raise damaged(blocks[MOST_WINDOWS].offset, "5.3.7", f"{len(blocks)} windows")
    windows = []
    for block in blocks:
        if block.flags & ~layouts.HAS_WINDOW:
            raise unsupported(block.offset, "5.3.3", f"reserved flags {block.flags:#x} of a block")
        codings.check_kind(block.coding, signal.kind, block.offset)
        window = _window(block, signal)
        _check_numbers(block, signal, volume_of(window))
        windows.append(window)
    _check_windows(blocks, windows, signal)
    return windows


def data_of(block: Block, signal: Signal) -> bytes:
    """Coded voxels of a block."""
    return block.payload[layouts.BLOK_SIZE + _windowed(block) * layouts.BOUNDS_SIZE * len(signal.shape) :]


def _globally(indices: np.ndarray, window: Window, shape: tuple[int, ...]) -> np.ndarray:
    """Turn indices inside a window into indices over the whole array (clause 2.3)."""
    pixels = math.prod(shape_of(window)[:-1])
    indices = indices.astype(np.int64)
    places = np.unravel_index(indices % pixels, shape_of(window)[:-1])
    pixel = np.zeros(len(indices), np.int64)
    for (start, _), size, place in zip(window[:-1], shape[:-1], places, strict=True):
        pixel = pixel * size + start + place
    return (indices // pixels + window[-1][0]) * math.prod(shape[:-1]) + pixel


def _join_events(blocks: list[Block], windows: list[Window], signal: Signal) -> Events:
    indices, counts = [], []
    for block, window in zip(blocks, windows, strict=True):
        inside, values = codings.decode_events(
            block.coding, data_of(block, signal), signal, shape_of(window), block.voxels, block.events, block.offset
        )
        indices.append(_globally(inside, window, signal.shape))
        counts.append(values)
    index = np.concatenate(indices)
    order = np.argsort(index)
    return Events(signal.shape, index[order], np.concatenate(counts)[order])


def join(blocks: list[Block], signal: Signal, most_bytes: int) -> Events | np.ndarray:
    """Decode the array of one signal in one frame; a dense one of more than `most_bytes` is refused."""
    windows = check(blocks, signal)
    if signal.kind == "events":
        return _join_events(blocks, windows, signal)
    dtype = signal.little
    if signal.elements * dtype.itemsize > most_bytes:
        raise Refused(LIMIT, blocks[0].offset, "11.1", f"a dense array of {signal.elements} elements")
    result = np.empty(signal.shape, dtype)
    for block, window in zip(blocks, windows, strict=True):
        place = tuple(slice(start, stop) for start, stop in window)
        result[place] = codings.decode_dense(
            block.coding, data_of(block, signal), signal, shape_of(window), block.offset
        )
    return result


def add(members: list[Events]) -> Events:
    """Return the sum of the members of a group (clause 5.1.5)."""
    indices, places = np.unique(np.concatenate([member.indices for member in members]), return_inverse=True)
    counts = np.zeros(len(indices), np.uint64)
    np.add.at(counts, places, np.concatenate([member.counts for member in members]))
    return Events(members[0].shape, indices, counts)
