"""JEOL event words: what lies behind the header of a `.pts` file, sweep by sweep.

Each uint16 word has a type in its upper four bits and a value in the lower twelve. 8 and 9 set the column and the row
in units of a 4096 x 4096 grid, 10 is the image's value there, 11 the channel of one count. 6 and 7 are ticks of the
real-time and the live-time clock. A row smaller than the one before begins a new sweep; on a line, which has one row, a
column smaller than the one before does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import DamagedError
from ..events import Events

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GRID = 4096
CHANNELS = 4096
CHUNK = 1 << 20  # words read at once
REAL_TICK, LIVE_TICK, COLUMN, ROW, IMAGE, COUNT = 6, 7, 8, 9, 10, 11


@dataclass
class Sweep:
    """One sweep of the beam."""

    events: Events
    image: np.ndarray  # (Y, X) uint32
    scanned: int  # pixels reached
    ticks: tuple[int, int]  # of the real-time and of the live-time clock


Area = tuple[int, int, int, int]


@dataclass
class Words:
    """The event words of a file and what a first look at all of them tells."""

    path: Path
    start: int
    grid: tuple[int, int]  # pixels of the whole field
    area: Area  # top, left, bottom, right of what was scanned of it, the last included
    sweeps: int = 0
    images: int = 0
    foreign: int = 0
    total: int = 0
    outside: int = 0  # counts and image values at pixels outside of the area
    ticks: tuple[int, int] = (0, 0)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns that were scanned."""
        top, left, bottom, right = self.area
        return bottom - top + 1, right - left + 1

    @property
    def line(self) -> bool:
        """Whether a single row was scanned."""
        return self.shape[0] == 1

    def chunks(self) -> Iterator[np.ndarray]:
        """Yield the words in order, a bounded number at a time."""
        with open(self.path, "rb") as file:
            file.seek(self.start)
            while data := file.read(2 * CHUNK):
                if len(data) > 1:
                    yield np.frombuffer(data[: len(data) // 2 * 2], "<u2")

    def look(self) -> None:
        """Count sweeps, images, words of no known type and positions outside of the area."""
        x, y = 0, 0
        kinds = np.zeros(16, np.int64)
        for words in self.chunks():
            kind, value = words >> 12, (words & 0xFFF).astype(np.int64)
            kinds += np.bincount(kind, minlength=16)
            column, row = _held(value, kind == COLUMN, x), _held(value, kind == ROW, y)
            self.sweeps += self.turns(column, row, x, y).size
            py, px = self.place(column, row)
            seen = (kind == COUNT) | (kind == IMAGE)
            self.outside += int((seen & self.beyond(py, px)).sum())
            x, y = int(column[-1]), int(row[-1])
        self.total = int(kinds.sum())
        self.sweeps += self.total > 0
        self.images = int(kinds[IMAGE])
        self.ticks = int(kinds[REAL_TICK]), int(kinds[LIVE_TICK])
        self.foreign = self.total - int(kinds[REAL_TICK : COUNT + 1].sum())

    def turns(self, column: np.ndarray, row: np.ndarray, x: int, y: int) -> np.ndarray:
        """Return at which words a new sweep begins, after column `x` and row `y`."""
        return np.flatnonzero((np.diff(column, prepend=x) if self.line else np.diff(row, prepend=y)) < 0)

    def place(self, column: np.ndarray, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the pixels (y, x) of positions in the grid, from the area's corner on."""
        return row // (GRID // self.grid[0]) - self.area[0], column // (GRID // self.grid[1]) - self.area[1]

    def beyond(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Return which pixels lie outside of the area."""
        ny, nx = self.shape
        return np.asarray((y < 0) | (y >= ny) | (x < 0) | (x >= nx))


def sweeps(words: Words) -> Iterator[Sweep]:
    """Yield the sweeps one by one; memory is one chunk and one sweep's events."""
    builder = Builder(words)
    x, y = 0, 0
    for chunk in words.chunks():
        kind, value = chunk >> 12, (chunk & 0xFFF).astype(np.int64)
        column, row = _held(value, kind == COLUMN, x), _held(value, kind == ROW, y)
        turns = words.turns(column, row, x, y)
        begin = 0
        for end in (*turns.tolist(), chunk.size):
            builder.add(kind[begin:end], value[begin:end], column[begin:end], row[begin:end])
            if end < chunk.size:
                yield builder.finish(last=False)
            begin = end
        x, y = int(column[-1]), int(row[-1])
    yield builder.finish(last=True)


def _held(value: np.ndarray, sets: np.ndarray, before: int) -> np.ndarray:
    """Return at each word the value last set, `before` where none was set yet."""
    at = np.maximum.accumulate(np.where(sets, np.arange(value.size), -1))
    return np.where(at < 0, before, value[at])


class Builder:
    """Collects the words of one sweep."""

    def __init__(self, words: Words) -> None:
        self.words = words
        self.shape = words.shape
        self.with_image = False
        self.least = math.prod(self.shape)  # pixel that every finished sweep has reached
        self._clear()

    def _clear(self) -> None:
        self.pixel: list[np.ndarray] = []
        self.channel: list[np.ndarray] = []
        self.image = np.zeros(math.prod(self.shape), np.uint32)
        self.ticks = np.zeros(2, np.int64)
        self.reached = -1

    def add(self, kind: np.ndarray, value: np.ndarray, column: np.ndarray, row: np.ndarray) -> None:
        """Add words with the position that holds at each."""
        ny, nx = self.shape
        counts, image = kind == COUNT, kind == IMAGE
        y, x = self.words.place(column, row)
        bad = (counts | image) & self.words.beyond(y, x)
        if bad.any():
            at = int(np.argmax(bad))
            where = f"({row[at]}, {column[at]})"
            raise DamagedError(
                f"{self.words.path}: an event at grid position {where} is outside the {nx} x {ny} pixels"
            )
        pixel = y * nx + x
        self.pixel.append(pixel[counts].astype(np.uint32))
        self.channel.append(value[counts].astype(np.uint32))
        if image.any():
            self.with_image = True
            np.add.at(self.image, pixel[image], value[image].astype(np.uint32))
        self.ticks += [int((kind == REAL_TICK).sum()), int((kind == LIVE_TICK).sum())]
        seen = pixel[counts | image]
        if seen.size:
            self.reached = max(self.reached, int(seen.max()))

    def finish(self, last: bool) -> Sweep:
        """Return the sweep and begin the next."""
        ny, nx = self.shape
        events = Events.from_list(np.concatenate(self.pixel), np.concatenate(self.channel), (ny, nx, CHANNELS))
        pixels = ny * nx
        # Without an image only the row tells how far the beam came: a last row may end without a count, and a line
        # was scanned to its end if the beam came as far as in any sweep before.
        if self.with_image:
            whole = self.reached == pixels - 1
        else:
            whole = self.reached >= self.least if self.words.line else self.reached // nx == ny - 1
        whole = whole or not last
        self.least = min(self.least, self.reached)
        sweep = Sweep(
            events,
            self.image.reshape(self.shape),
            pixels if whole else self.reached + 1,
            (int(self.ticks[0]), int(self.ticks[1])),
        )
        self._clear()
        return sweep
