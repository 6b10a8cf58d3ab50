"""Blocks: cut the data of one signal of one frame into blocks, and put it together again (spec/lbj.md 5.3)."""

from __future__ import annotations

import contextlib
import math
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from .. import codings
from ..codings.shared.remembered import Remembered
from ..errors import DamagedError, UnsupportedError, UsageError
from ..events import Events
from ..signal import Signal
from . import layout
from .records import Record, build, fields

EVENTS_PER_BLOCK = 65536
VOXELS_PER_BLOCK = 2**21  # of the codings of integers; blocks are coded side by side
VOXELS_PER_CHART = 2**23
SHARED = 2**19  # voxels from which on a frame is cut for two
INTEGERS = ("lossless-int", "float-lattice", "noise-q", "chart")
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


def _whole(signal: Signal) -> Window:
    return tuple((0, size) for size in signal.shape)


def _record(number: int, frame: int, coding: int, counts: tuple[int, int], window: Window | None, data: bytes) -> bytes:
    fixed = layout.pack_blok(frame, number, coding, layout.HAS_WINDOW if window else 0, *counts)
    bounds = b"".join(layout.pack_bounds(start, stop) for start, stop in window or ())
    return build(layout.BLOK, fixed + bounds + data)


Memory = defaultdict[int, Remembered]  # what is remembered of the frames before, by number of the signal
"""What earlier frames taught of each signal, by its number."""


class Prepared(NamedTuple):
    """The BLOK records of one signal of one frame, each with its counts."""

    records: list[tuple[bytes, int]]

    @property
    def size(self) -> int:
        """Bytes of the records."""
        return sum(len(record) for record, _ in self.records)


def copied(number: int, signal: Signal, frame: int, blocks: list[Block]) -> Prepared:
    """Return the records of blocks as they are stored."""
    whole = _whole(signal)
    return Prepared(
        [
            (
                _record(
                    number,
                    frame,
                    block.coding,
                    (block.voxels, block.events),
                    None if block.window == whole else block.window,
                    bytes(block.data),
                ),
                block.events,
            )
            for block in blocks
        ]
    )


def no_memory(*, steady: bool = False) -> Memory:
    """Return what is remembered before the first frame; `steady` as for `Remembered`."""
    return defaultdict(partial(Remembered, steady=steady))


def write(
    number: int, signal: Signal, frame: int, value: Any, memory: Memory, *, smallest: bool = False
) -> Iterator[tuple[bytes, int]]:
    """Yield the BLOK records of one signal of one frame, each with its counts; `smallest` takes longer."""
    if isinstance(value, Prepared):
        yield from value.records
    elif signal.kind == "events":
        yield from _write_events(number, signal, frame, value, smallest=smallest)
    else:
        yield from _write_array(number, signal, frame, value, memory)


def _write_events(
    number: int, signal: Signal, frame: int, value: Any, *, smallest: bool
) -> Iterator[tuple[bytes, int]]:
    events = value if isinstance(value, Events) else Events.from_dense(value)
    _same_shape(signal, events.shape)
    if events.count.size and signal.dtype != "uint32" and int(events.count.max()) > np.iinfo(signal.dtype).max:
        raise UsageError(
            f"signal {signal.name!r}: a voxel holds {events.count.max()} counts, more than {signal.dtype} can; "
            "declare a wider dtype"
        )
    coding = codings.module(codings.NAMES[signal.coding])
    encode = getattr(coding, "encode_smallest", coding.encode_counts) if smallest else coding.encode_counts
    whole = _whole(signal)
    total = events.total
    target = max(EVENTS_PER_BLOCK, total // (MAX_BLOCKS // 4))
    fits = total <= target and math.prod(events.shape) <= codings.MAX_BLOCK
    for part, window in [(events, whole)] if fits else _cut(events, whole, target):
        shape = tuple(stop - start for start, stop in window)
        pixels = np.uint32(math.prod(shape[:-1]))
        voxel = part.channel * pixels + part.pixel
        counts = (len(part), total if part is events else part.total)
        data = encode(voxel, part.count, shape, np.dtype(signal.dtype), counts[1])
        yield _record(number, frame, coding.NUMBER, counts, None if window == whole else window, data), counts[1]


def _cut(events: Events, window: Window, target: int) -> Iterator[tuple[Events, Window]]:
    """Halve, by channels while there are several, until a block is decodable on its own and not too large."""
    voxels, total = math.prod(events.shape), events.total
    start, stop = window[-1]
    large = total > target and len(events) > 1 and stop - start > 1
    if voxels <= codings.MAX_BLOCK and total <= codings.MAX_BLOCK and not large:
        yield events, window
        return
    if stop - start > 1:
        # Events are sorted by channel: the channel of the middle one halves them.
        middle = (stop - start) // 2 if voxels > codings.MAX_BLOCK else int(events.channel[len(events) // 2]) + 1
        middle = min(middle, stop - start - 1)
        place = int(np.searchsorted(events.channel, middle))
        for side, a, b in ((slice(place), 0, middle), (slice(place, None), middle, stop - start)):
            half = Events.unchecked(
                events.pixel[side],
                events.channel[side] - np.uint32(a),
                events.count[side],
                (*events.shape[:-1], b - a),
            )
            yield from _cut(half, (*window[:-1], (start + a, start + b)), target)
        return
    axis = next(i for i, size in enumerate(events.shape) if size > 1)
    start, stop = window[axis]
    middle = (stop - start) // 2
    row = math.prod(events.shape[axis + 1 : -1])
    for a, b in ((0, middle), (middle, stop - start)):
        keep = (events.pixel >= a * row) & (events.pixel < b * row)
        shape = (*events.shape[:axis], b - a, *events.shape[axis + 1 :])
        part = Events.unchecked(
            events.pixel[keep] - np.uint32(a * row), events.channel[keep], events.count[keep], shape
        )
        yield from _cut(part, (*window[:axis], (start + a, start + b), *window[axis + 1 :]), target)


class Verbatim:
    """Blocks of one signal of one frame as they are stored, to be copied: a lossy coding must not be applied twice."""

    def __init__(self, signal: Signal, blocks: list[Block], array: np.ndarray) -> None:
        self.signal, self.blocks, self.array = signal, blocks, array


def lossy(blocks: list[Block]) -> bool:
    """Whether any of the blocks is of a lossy coding."""
    return any(codings.name(block.coding) in codings.LOSSY for block in blocks)


def _write_array(number: int, signal: Signal, frame: int, value: Any, memory: Memory) -> Iterator[tuple[bytes, int]]:
    if isinstance(value, Verbatim):
        if value.signal.coding == signal.coding and value.signal.shape == signal.shape:
            yield from copied(number, signal, frame, value.blocks).records
            return
        value = value.array
    array = np.asarray(value)
    _same_shape(signal, array.shape)
    array = as_dtype(signal, array)
    base, parameters = codings.split(signal.coding)
    coding = codings.module(codings.NAMES[base])
    try:
        plan = coding.plan(array, parameters, signal.kind) if hasattr(coding, "plan") else None
    except UsageError as error:
        raise UsageError(f"signal {signal.name!r}: {error}") from error
    parts = _rows(signal, base)
    if plan is None and base == "lossless-int" and len(parts) == 1:
        plan = memory[number]

    def encode(rows: tuple[int, int]) -> tuple[int, bytes]:
        part = array[rows[0] : rows[1]]
        try:
            return coding.NUMBER, coding.encode_array(part, plan)
        except UsageError:
            if base != "lossless-int":
                raise
            return _otherwise(part)

    for rows, (used, data) in zip(parts, _side_by_side(encode, parts), strict=True):
        window = None if rows == (0, signal.shape[0]) else (rows, *_whole(signal)[1:])
        yield _record(number, frame, used, (0, 0), window, data), 0


def _otherwise(part: np.ndarray) -> tuple[int, bytes]:
    """Coding and bytes of what is no array of integers."""
    plain, lattice = (codings.module(codings.NAMES[name]) for name in ("shuffle-zstd", "float-lattice"))
    found = [(plain.NUMBER, plain.encode_array(part))]
    plan = lattice.binary(part) if part.dtype.kind == "f" else None
    if plan is not None:
        with contextlib.suppress(UsageError):  # too many exceptions
            found.append((lattice.NUMBER, lattice.encode_array(part, plan)))
    return min(found, key=lambda one: len(one[1]))


def _rows(signal: Signal, base: str) -> list[tuple[int, int]]:
    """Cut the first axis into blocks."""
    first, line = signal.shape[0], math.prod(signal.shape[1:])
    if line > codings.MAX_BLOCK:
        raise UsageError(f"signal {signal.name!r}: one row of shape {signal.shape} has more than 2^32-1 elements")
    pieces = -(-first // (codings.MAX_BLOCK // line))  # of whole rows: the larger of uneven pieces fits too
    if base in INTEGERS and signal.kind == "spectra":
        most = VOXELS_PER_CHART if base == "chart" else VOXELS_PER_BLOCK
        wanted = 2 * -(-first * line // (2 * most)) if first * line >= SHARED else 1
        pieces = max(pieces, min(wanted, first, MAX_BLOCKS))
    bounds = [first * i // pieces for i in range(pieces + 1)]
    return [(a, b) for a, b in pairwise(bounds) if b > a]


def _side_by_side(function: Callable[[Any], Any], items: list) -> Iterator[Any]:
    """Apply a function that releases the interpreter's lock, in order, on as many cores as there are."""
    if len(items) < 2:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(min(len(items), os.cpu_count() or 1)) as pool:
        yield from pool.map(function, items)


def _same_shape(signal: Signal, shape: tuple[int, ...]) -> None:
    if tuple(shape) != signal.shape:
        raise UsageError(
            f"signal {signal.name!r} was declared with shape {signal.shape}, the frame has {tuple(shape)}; "
            "navigation axes come first, (Y, X, C)"
        )


def as_dtype(signal: Signal, array: np.ndarray) -> np.ndarray:
    """Return an array in the signal's dtype; UsageError where a value would change."""
    dtype = np.dtype(signal.dtype)
    if array.dtype == dtype:
        return array
    with np.errstate(invalid="ignore"):
        out = array.astype(dtype) if array.dtype.kind in "biuf" else None
        same = out is not None and np.array_equal(out, array, equal_nan=array.dtype.kind == "f")
    if out is None or not same:
        raise UsageError(
            f"signal {signal.name!r} was declared as {signal.dtype}; the frame is {array.dtype} and would change when "
            f"converted. Declare it as they are: lbj.Signal({signal.name!r}, …, dtype={array.dtype.name!r})"
        )
    return out


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
    window = _whole(signal)
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
    if firsts == sorted(firsts) and all(block.window[:-1] == _whole(signal)[:-1] for block in blocks):
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

    for _ in _side_by_side(decode, blocks):
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
    if len(blocks) == 1 and blocks[0].window == _whole(signal):
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
