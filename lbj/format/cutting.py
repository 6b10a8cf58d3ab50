"""Writing blocks: a signal's data in one frame are cut into blocks, which are coded (spec/lbj.md 5.3)."""

from __future__ import annotations

import contextlib
import math
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from .. import codings
from ..codings.shared.remembered import Remembered
from ..errors import UsageError
from ..events import Events
from ..signal import Signal
from . import layout
from .blocks import MAX_BLOCKS, Block, Verbatim, Window, side_by_side, whole
from .records import build

EVENTS_PER_BLOCK = 65536
VOXELS_PER_BLOCK = 2**21  # for the codings of integers, whose blocks are coded in parallel
VOXELS_PER_CHART = 2**23
SHARED = 2**19  # voxels from which on a frame is cut in two, so that two cores share the work
INTEGERS = ("lossless-int", "float-lattice", "noise-q", "chart")


def _record(number: int, frame: int, coding: int, counts: tuple[int, int], window: Window | None, data: bytes) -> bytes:
    fixed = layout.pack_blok(frame, number, coding, layout.HAS_WINDOW if window else 0, *counts)
    bounds = b"".join(layout.pack_bounds(start, stop) for start, stop in window or ())
    return build(layout.BLOK, fixed + bounds + data)


Memory = defaultdict[int, Remembered]  # models of earlier frames, by number of the signal
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
    all_of_it = whole(signal)
    return Prepared(
        [
            (
                _record(
                    number,
                    frame,
                    block.coding,
                    (block.voxels, block.events),
                    None if block.window == all_of_it else block.window,
                    bytes(block.data),
                ),
                block.events,
            )
            for block in blocks
        ]
    )


def no_memory(*, steady: bool = False) -> Memory:
    """Return the memory of a journal's writer before its first frame; `steady` as for `Remembered`."""
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
    all_of_it = whole(signal)
    total = events.total
    target = max(EVENTS_PER_BLOCK, total // (MAX_BLOCKS // 4))
    fits = total <= target and math.prod(events.shape) <= codings.MAX_BLOCK
    for part, window in [(events, all_of_it)] if fits else _cut(events, all_of_it, target):
        shape = tuple(stop - start for start, stop in window)
        pixels = np.uint32(math.prod(shape[:-1]))
        voxel = part.channel * pixels + part.pixel
        counts = (len(part), total if part is events else part.total)
        data = encode(voxel, part.count, shape, np.dtype(signal.dtype), counts[1])
        yield _record(number, frame, coding.NUMBER, counts, None if window == all_of_it else window, data), counts[1]


def _cut(events: Events, window: Window, target: int) -> Iterator[tuple[Events, Window]]:
    """Halve a window, by channels while it has several, until each part is within the limits of a block."""
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

    for rows, (used, data) in zip(parts, side_by_side(encode, parts), strict=True):
        window = None if rows == (0, signal.shape[0]) else (rows, *whole(signal)[1:])
        yield _record(number, frame, used, (0, 0), window, data), 0


def _otherwise(part: np.ndarray) -> tuple[int, bytes]:
    """Coding and bytes of an array that does not hold integers: the shorter of shuffle-zstd and float-lattice."""
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
