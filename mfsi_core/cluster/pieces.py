"""Pieces: the frames that one task carries, by path or as data, and how many travel together."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import lbj
from lbj import Signal

from ..series.selection import View
from ..series.series import Series, as_series
from .client import Workers

LEAST = 2**22  # bytes as stored, some 2 million counts, that are worth what a worker's share of a call costs, 0.04 s

FEW = 4  # frames that a worker decodes and sends at a time


@dataclass(frozen=True)
class Piece:
    """Some frames of one signal.

    Attributes
    ----------
    signal : Signal
    frames : list
        Numbers in the journal; else the frames.
    path : str or None
        Of the journal, which every task opens for itself.
    shift : float, (N,) or (N, Y, X) array, or None
        Energy shifts in place of those stored.
    """

    signal: Signal
    frames: list[Any]
    path: str | None = None
    shift: Any = None

    def __len__(self) -> int:
        return len(self.frames)

    def __iter__(self) -> Iterator[Any]:
        with self.opened() as series:
            yield from series

    @contextmanager
    def opened(self) -> Iterator[Series]:
        """Give the frames as a series, whose journal is open meanwhile."""
        if self.path is None:
            yield as_series(self.frames, self.signal, self.shift)
            return
        with lbj.open(self.path) as journal:
            yield as_series(View(journal, self.frames), self.signal, self.shift)


def cut(series: Series, number: int) -> list[Piece]:
    """Cut a series into so many pieces at most, of successive frames."""
    bounds = np.linspace(0, len(series), min(number, len(series)) + 1).astype(int)
    return [_piece(series, np.arange(a, b)) for a, b in itertools.pairwise(bounds)]


def worth(series: Series, workers: Workers, times: int = 1) -> int:
    """Into how many pieces a series is cut: one for every thread of the workers, unless they would be too small.

    `times`: how much more work the task is than to decode and sum the series once.
    """
    data = series.data
    while hasattr(data, "shifts") or hasattr(data, "frames"):
        data = data.data
    journal = getattr(data, "journal", None)
    journal = journal.journal if isinstance(journal, View) else journal
    each = _bytes(data[0]) if journal is None else journal.bytes / len(journal)
    return int(min(max(times * each * len(series) // LEAST, 1), workers.number))


def _bytes(frame: Any) -> int:
    """Bytes of a frame in memory, about as it would be stored."""
    return 2 * int(frame.count.size) if hasattr(frame, "count") else int(np.asarray(frame).nbytes)


def decoded(client: Any, series: Series) -> Iterator[Any]:
    """Yield the frames in order, as workers decode them."""
    workers = Workers(client)
    futures = [workers.submit(list, piece) for piece in cut(series, max(len(series) // FEW, 1))]
    while futures:
        yield from workers.result(futures.pop(0))


def _piece(series: Series, frames: NDArray[np.int64]) -> Piece:
    data, chosen, shift = series.data, frames, None
    while True:
        if hasattr(data, "shifts"):
            told = data.shifts[chosen]
            shift = told.reshape(-1) if told.shape[1] == 1 else told.reshape(-1, *series.shape)
            data = data.data
        elif hasattr(data, "frames"):
            chosen, data = data.frames[chosen], data.data
        else:
            break
    journal = getattr(data, "journal", None)
    if journal is None or journal.path is None:
        return Piece(series.signal, [data[int(n)] for n in chosen], None, shift)
    if shift is None and not data.stored:
        shift = 0.0
    numbers = journal.frames if isinstance(journal, View) else range(len(journal))
    return Piece(series.signal, [numbers[int(n)] for n in chosen], journal.path, shift)
