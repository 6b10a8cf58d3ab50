"""Reading blocks: their fields are checked, and a signal's array is put together from them (spec/lbj.md 5.3)."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from .. import codings
from ..errors import DamagedError, UnsupportedError, UsageError
from ..events import Events
from ..signal import Signal
from . import layout
from .records import Record, fields

MAX_BYTES = 2**32  # of a dense array, unless the caller says otherwise
MAX_BLOCKS = 4096

Window = tuple[tuple[int, int], ...]


class Block(NamedTuple):
    """A block's fields and its coded bytes."""

    record: Record
    signal: int
    coding: int
    voxels: int
    events: int
    window: Window
    data: memoryview

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the window."""
        return tuple(stop - start for start, stop in self.window)


def whole(signal: Signal) -> Window:
    """Window of all of a signal."""
    return tuple((0, size) for size in signal.shape)


class Verbatim:
    """Blocks of one signal of one frame as they are stored, to be copied: a lossy coding must not be applied twice."""

    def __init__(self, signal: Signal, blocks: list[Block], array: np.ndarray) -> None:
        self.signal, self.blocks, self.array = signal, blocks, array


def lossy(blocks: list[Block]) -> bool:
    """Whether any of the blocks is of a lossy coding."""
    return any(codings.name(block.coding) in codings.LOSSY for block in blocks)


def side_by_side(function: Callable[[Any], Any], items: list) -> Iterator[Any]:
    """Apply a function that releases the interpreter's lock, in order, on as many cores as there are."""
    if len(items) < 2:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(min(len(items), os.cpu_count() or 1)) as pool:
        yield from pool.map(function, items)


def parse(record: Record, payload: bytes, signals: list[Signal], frame: int) -> Block:
    """Read a BLOK payload and check every field that can be checked before decoding (clause 5.3)."""
    head = fields(layout.blok, payload[: layout.BLOK_SIZE], record)

    def fault(what: str, clause: str) -> DamagedError:
        return DamagedError(what, offset=record.offset, clause=clause)

    if head.frame != frame:
        raise fault(f"a block of frame {head.frame} stands in frame {frame}", "5.3.1")
    if head.signal >= len(signals):
        raise fault(f"a block names signal {head.signal}, the header declares {len(signals)}", "5.3.2")
    if head.flags & ~layout.HAS_WINDOW:
        raise UnsupportedError(
            f"a block has the reserved flags {head.flags:#x} set", offset=record.offset, clause="5.3.3"
        )
    signal = signals[head.signal]
    at = layout.BLOK_SIZE
    window = whole(signal)
    if head.flags & layout.HAS_WINDOW:
        pairs = []
        for _ in signal.shape:
            pair = fields(layout.bounds, payload[at : at + layout.BOUNDS_SIZE], record)
            pairs.append((pair.start, pair.stop))
            at += layout.BOUNDS_SIZE
        window = tuple(pairs)
        if any(not 0 <= a < b <= size for (a, b), size in zip(window, signal.shape, strict=True)):
            raise fault(f"window {window} lies outside the signal's shape {signal.shape}", "5.3.4")
    voxels = math.prod(stop - start for start, stop in window)
    if voxels > codings.MAX_BLOCK:
        raise fault(f"a block of {voxels} voxels is larger than 2^32-1", "5.3.5")
    if signal.kind == "events":
        if head.voxels > min(voxels, head.events) or (head.events > 0) != (head.voxels > 0):
            raise fault(f"{head.voxels} voxels of {voxels} cannot hold {head.events} counts", "5.3.6")
    elif head.voxels or head.events:
        raise fault("a dense block states voxels or events", "5.3.6")
    return Block(record, head.signal, head.coding, head.voxels, head.events, window, memoryview(payload)[at:])


def join_events(signal: Signal, blocks: list[Block]) -> Events:
    """Events of one signal from all its blocks."""
    check_cover(signal, blocks)
    pixel, channel, count = [], [], []
    for block in blocks:
        shape = block.shape
        voxel, counts = decoded(
            block,
            "decode_counts",
            shape,
            np.dtype(signal.dtype),
            block.voxels,
            block.events,
        )
        pixels = np.uint32(math.prod(shape[:-1]))
        c = voxel // pixels
        p = voxel - c * pixels
        if shape[:-1] != signal.shape[:-1]:
            index = np.unravel_index(p, shape[:-1])
            shifted = [i + a for i, (a, _) in zip(index, block.window, strict=False)]
            p = np.ravel_multi_index(tuple(shifted), signal.shape[:-1]).astype(np.uint32)
        pixel.append(p)
        check_counts(signal, block, counts)
        channel.append(c + np.uint32(block.window[-1][0]))
        count.append(counts)
    if len(blocks) == 1:
        return Events.unchecked(pixel[0], channel[0], count[0], signal.shape)
    pixels_all, channels_all, counts_all = np.concatenate(pixel), np.concatenate(channel), np.concatenate(count)
    firsts = [block.window[-1][0] for block in blocks]
    if firsts == sorted(firsts) and all(block.window[:-1] == whole(signal)[:-1] for block in blocks):
        return Events.unchecked(pixels_all, channels_all, counts_all, signal.shape)
    order = np.lexsort((pixels_all, channels_all))
    return Events.unchecked(pixels_all[order], channels_all[order], counts_all[order], signal.shape)


def check_counts(signal: Signal, block: Block, counts: np.ndarray) -> None:
    """Decoded counts fit the signal's element type (clause 5.3.6)."""
    if signal.dtype != "uint32" and counts.size and int(counts.max()) > np.iinfo(signal.dtype).max:
        raise DamagedError(
            f"a voxel holds {counts.max()} counts, more than {signal.dtype} can",
            offset=block.record.offset,
            clause="5.3.6",
        )


def bound(signal: Signal, itemsize: int, max_bytes: int) -> None:
    """Refuse a dense array of more than `max_bytes`: its size is declared, not stored (clause 11.1)."""
    need = signal.pixels * signal.channels * itemsize
    if need > max_bytes:
        raise UsageError(
            f"signal {signal.name!r} needs {need} bytes, more than max_bytes={max_bytes}; "
            "open the journal with a larger max_bytes if the file is to be trusted"
        )


def join_array(signal: Signal, blocks: list[Block], max_bytes: int) -> np.ndarray:
    """Dense array of one signal from all its blocks."""
    check_cover(signal, blocks)
    dtype = np.dtype(signal.dtype)
    bound(signal, dtype.itemsize, max_bytes)
    if len(blocks) == 1:
        array = np.asarray(decoded(blocks[0], "decode_array", signal.shape, dtype))
        return array if array.flags.writeable else array.copy()
    out = np.empty(signal.shape, dtype)

    def decode(block: Block) -> None:
        part = decoded(block, "decode_array", block.shape, dtype)
        out[tuple(slice(start, stop) for start, stop in block.window)] = part

    for _ in side_by_side(decode, blocks):
        pass
    return out


def decoded(block: Block, function: str, *args: Any) -> Any:
    """Decode a block; what is wrong with it is said with its offset."""
    try:
        coding = codings.module(block.coding)
        decode = getattr(coding, function, None)
        if decode is None:
            raise DamagedError(f"coding {coding.NAME!r} cannot hold a block of this kind", clause="5.3.2")
        return decode(block.data, *args)
    except (DamagedError, UnsupportedError) as error:
        raise type(error)(error.reason, offset=block.record.offset, clause=error.clause) from error


def check_cover(signal: Signal, blocks: list[Block]) -> None:
    """Windows are disjoint and together the whole array (clause 5.3.7)."""
    if len(blocks) == 1 and blocks[0].window == whole(signal):
        return
    at = blocks[0].record.offset
    if len(blocks) > MAX_BLOCKS:
        raise DamagedError(
            f"{len(blocks)} blocks of one signal in one frame; at most {MAX_BLOCKS}", offset=at, clause="5.3.7"
        )
    bounds = np.array([block.window for block in blocks], np.int64)
    for i in range(len(blocks) - 1):
        apart = (bounds[i + 1 :, :, 0] >= bounds[i, :, 1]) | (bounds[i + 1 :, :, 1] <= bounds[i, :, 0])
        if not apart.any(axis=1).all():
            raise DamagedError(
                f"two blocks of signal {signal.name!r} overlap", offset=blocks[i].record.offset, clause="5.3.7"
            )
    covered = sum(math.prod(block.shape) for block in blocks)
    if covered != math.prod(signal.shape):
        raise DamagedError(
            f"the blocks of signal {signal.name!r} cover {covered} of {math.prod(signal.shape)} voxels",
            offset=at,
            clause="5.3.7",
        )
