"""By workers: the sums of `accumulate` computed on a dask cluster.

Counts are decoded where their frames are and travel as lists, a few bytes each, to the worker that sums some rows of
the output over all frames: what is summed, and in which order, is as in one process. Dense frames stay where they are
decoded; partial sums travel, joined as a tree, in numbers whose sums are the same in any order (`accumulation.exact`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lbj.array_types import Array, Floats

from ..cluster.client import Workers
from ..cluster.pieces import Piece, cut, worth
from ..geometry.registration import Registration
from ..geometry.warp import Warp, row_spans, scene_positions
from ..series.series import Series
from . import exact, pull
from .fillers import dense_plan, dense_totals, fill_bands, listed_filler


def filler_of(
    client: Any, series: Series, registration: Registration, warp: Warp, window: tuple[int, int], method: str
) -> Callable[[int, int, Array], float]:
    """Return what fills rows of the output of `accumulate` and returns the largest voxel."""
    workers = Workers(client)
    if series.sparse:
        return Lists(workers, series, registration, window).filler(len(series), warp, method)
    pieces = cut(series, worth(series, workers))
    fields = _fields(workers, registration, np.cumsum([0, *map(len, pieces)]))
    step, guess = dense_plan(series, registration, warp, window, method)

    def totals(first: int, last: int, rounder: float) -> tuple[Array, float]:
        grid = (warp.upsampling, warp.rows, warp.columns, warp.rigid)
        parts = [
            workers.submit(_totals, piece, field, grid, window, method, first, last, rounder)
            for piece, field in zip(pieces, fields, strict=True)
        ]
        found: tuple[Array, float] = workers.result(workers.tree(parts, _joined))
        return found

    return exact.filler(totals, guess, step)


class Lists:
    """Counts of a series, decoded once by workers and kept there, for as many sums of its first frames as are wanted.

    Parameters
    ----------
    workers : Workers
    given : Series
        Of events.
    registration : Registration
        Of its frames.
    window : (int, int)
        First and past-the-last channel.
    """

    def __init__(self, workers: Workers, given: Series, registration: Registration, window: tuple[int, int]) -> None:
        pieces = cut(given, worth(given, workers))
        self._workers, self._given, self._registration = workers, given, registration
        self._channels = window[1] - window[0]
        self._ends = np.cumsum([0, *map(len, pieces)])
        fields = [_packed(registration, a, b) for a, b in itertools.pairwise(self._ends)]
        self._lists = [workers.submit(_listed, *piece, window) for piece in zip(pieces, fields, strict=True)]

    def filler(self, frames: int, warp: Warp, method: str) -> Callable[[int, int, Array], float]:
        """Return what fills rows of the sum of the first frames, as `filler_of`."""
        ends = np.minimum(self._ends, frames)
        ends = ends[: int(np.searchsorted(ends, frames)) + 1]
        workers, width = self._workers, self._registration.shape[1]
        spans = row_spans(self._registration.displacement[:frames])
        grid = (warp.upsampling, warp.rows, warp.columns, warp.rigid)
        most = worth(self._given, workers, warp.upsampling**2)

        def band(top: int, bottom: int, dtype: Any) -> Any:
            """Submit the sum of some rows, from the frames' rows that may reach them."""
            rows = scene_positions(warp.rows[0] + top, warp.rows[0] + bottom, warp.upsampling)
            first, last = (row * width for row in _reaching(spans, rows[0], rows[-1]))
            parts = [
                workers.submit(_part, counts, first[i:j], last[i:j])
                for counts, (i, j) in zip(self._lists, itertools.pairwise(ends), strict=False)
            ]
            return workers.submit(_band, parts, grid, self._channels, method, (top, bottom), dtype)

        def fill(top: int, bottom: int, view: Array) -> float:
            edges = np.linspace(top, bottom, min(most, bottom - top) + 1).astype(int)
            bands = list(itertools.pairwise(edges.tolist()))
            futures = [band(*span, view.dtype) for span in bands]
            largest = 0.0
            for (start, stop), future in zip(bands, futures, strict=True):
                high, found = workers.result(future)
                largest = max(largest, high)
                view[start - top : stop - top] = found
            return largest

        return fill

    def sum(self, frames: int, out: Any) -> None:
        """Sum the first frames into an array: as `accumulate` does, unscaled."""
        size = (*self._registration.shape, self._channels)
        recorded = self._registration.recorded
        field = self._registration.displacement[:frames]
        warp = Warp(field, 1, (0, size[0]), (0, size[1]), None if recorded is None else recorded[:frames])
        fill_bands(self.filler(frames, warp, "pull"), out, size)


def lists_of(client: Any, given: Series, registration: Registration, window: tuple[int, int]) -> Lists:
    """Have the workers of a client decode the counts of a series, and keep them with the displacements."""
    return Lists(Workers(client), given, registration, window)


def _fields(workers: Workers, registration: Registration, ends: NDArray[np.int64]) -> list[Any]:
    """Have a worker hold the displacements of each piece of the frames."""
    return [workers.submit(_field, *_packed(registration, a, b)) for a, b in itertools.pairwise(ends)]


def _reaching(spans: Floats, low: float, high: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and past-the-last row of each frame whose counts may lie within a pixel of some rows of the scene."""
    below = np.minimum(np.arange(spans.shape[1]) + 1, spans.shape[1] - 1)  # counts are sampled between two rows
    reach = np.minimum(spans, spans[:, below])[..., 0] <= high + 1
    reach &= np.maximum(spans, spans[:, below])[..., 1] >= low - 1
    first = reach.argmax(axis=1)
    last = np.minimum(reach.shape[1] - reach[:, ::-1].argmax(axis=1) + 1, reach.shape[1])
    return first, np.where(reach.any(axis=1), last, first)


def _packed(registration: Registration, start: int, stop: int) -> tuple[Any, ...]:
    """Displacements of some frames (two numbers a frame where they are rigid), and the pixels recorded."""
    field = registration.displacement[start:stop]
    whole = bool((field == field[:, :, :1, :1]).all())
    recorded = None if registration.recorded is None else registration.recorded[start:stop]
    return (field[:, :, 0, 0] if whole else field, registration.shape, recorded)


def _field(displacement: Array, shape: tuple[int, int], recorded: Any) -> tuple[Array, Any]:
    """Unpack what `_packed` gives, on the worker from which other workers fetch it."""
    return displacement if displacement.ndim == 4 else displacement[:, :, None, None], (shape, recorded)


def _spread(field: tuple[Array, Any]) -> tuple[Array, Any]:
    displacement, (shape, recorded) = field
    return np.broadcast_to(displacement, (len(displacement), 2, *shape)), recorded


def _totals(
    piece: Piece, field: tuple[Array, Any], grid: Any, window: tuple[int, int], method: str, first: int, last: int,
    rounder: float,
) -> tuple[Array, float]:  # fmt: skip
    displacement, recorded = _spread(field)
    upsampling, rows, columns, rigid = grid
    warp = Warp(displacement, upsampling, rows, columns, recorded, rigid)
    return dense_totals(piece, warp, window, method, first, last, rounder)


def _joined(one: tuple[Array, float], other: tuple[Array, float]) -> tuple[Array, float]:
    with np.errstate(invalid="ignore"):  # infinities of both signs
        return one[0] + other[0], one[1] + other[1]


def _listed(piece: Piece, field: tuple[Any, ...], window: tuple[int, int]) -> tuple[Any, ...]:
    """Displacements of a piece, and its counts by pixel, in as few bytes as they need: the arrays of `pull.Listed`."""
    found = pull.by_pixel(piece, window)
    count = found.count
    if count.dtype.kind == "u":
        count = count.astype(np.min_scalar_type(int(count.max(initial=0))))
    return field, found.start, found.frame, found.column, found.channel, count


def _part(
    listed: tuple[Any, ...], first: NDArray[np.int64], last: NDArray[np.int64]
) -> tuple[tuple[Any, ...], Array, list[Array], tuple[Array, ...]]:
    """Displacements, and counts of the pixels `first` to before `last` of each frame: starts by pixel, lists."""
    (displacement, shape, recorded), start, frame, *lists = listed
    frames = len(first)
    start, frame = start[:frames], frame[:frames]
    starts = [one[low : high + 1] - one[low] for one, low, high in zip(start, first, last, strict=True)]
    begin = frame + start[np.arange(frames), first]
    chosen = [slice(at, at + one[-1]) for at, one in zip(begin.tolist(), starts, strict=True)]
    field = (displacement[:frames], shape, None if recorded is None else recorded[:frames])
    return field, first, starts, tuple(np.concatenate([one[part] for part in chosen]) for one in lists)


def _whole(parts: list[tuple[Any, ...]], pixels: int) -> pull.Listed:
    """Join the parts of all frames to one `pull.Listed`; pixels outside of the parts are empty."""
    frames = [pair for _, first, starts, _ in parts for pair in zip(first, starts, strict=True)]
    start = np.zeros((len(frames), pixels + 1), np.uint32)
    for out, (low, one) in zip(start, frames, strict=True):
        out[low : low + len(one)] = one
        out[low + len(one) :] = one[-1]
    begin = np.cumsum([0, *(int(one[-1]) for _, one in frames)])[:-1]
    column, channel, count = (np.concatenate(lists) for lists in zip(*(lists for *_, lists in parts), strict=True))
    return pull.Listed(start, begin, column, channel, count if count.dtype.kind == "f" else count.astype(np.uint32))


def _band(
    parts: list[Any], grid: Any, channels: int, method: str, span: tuple[int, int], dtype: Any,
) -> tuple[float, Array]:  # fmt: skip
    """Sum some rows over all frames: the largest voxel, and the rows."""
    spread = [_spread(_field(*field)) for field, *_ in parts]
    displacement = np.concatenate([one for one, _ in spread])
    recorded = None if spread[0][1] is None else np.concatenate([mask for _, mask in spread])
    upsampling, rows, columns, rigid = grid
    registration = Registration(displacement, recorded=recorded)
    warp = Warp(displacement, upsampling, rows, columns, recorded, rigid)
    listed = _whole(parts, math.prod(registration.shape))
    out = np.zeros((span[1] - span[0], columns[1] - columns[0], channels))
    listed_filler(listed, registration, warp, method)(*span, out)
    return float(out.max(initial=0.0)), out.astype(dtype)
