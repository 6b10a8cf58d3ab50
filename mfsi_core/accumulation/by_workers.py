"""By workers: the sums of `accumulate` on the workers of a cluster.

Counts are decoded where their frames are and travel as lists, a few bytes each, to the worker that sums some rows of
the output over all frames: what is summed, and in which order, is as in one process. Dense frames stay where they are
decoded; partial sums travel, joined as a tree, in numbers whose sums are the same in any order (`accumulation.exact`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lbj.events import Events

from ..cluster.client import Workers
from ..cluster.pieces import EACH, Piece, cut
from ..geometry.registration import Registration
from ..geometry.warp import Warp
from ..series.series import Series, series
from . import exact
from .fillers import dense_plan, dense_totals, sparse

Array = NDArray[Any]

BEYOND = 2  # rows of a frame beyond those that its displacements reach


def filler_of(
    client: Any, given: Series, registration: Registration, warp: Warp, window: tuple[int, int], method: str
) -> Callable[[int, int, Array], float]:
    """Return what fills rows of the output of `accumulate` and returns the largest voxel."""
    workers = Workers(client)
    pieces = cut(given, EACH * workers.number)
    ends = np.cumsum([0, *map(len, pieces)])
    fields = [workers.submit(_field, *_packed(registration, a, b)) for a, b in itertools.pairwise(ends)]
    if given.sparse:
        return _sparse(workers, pieces, fields, registration, warp, window, method)
    step, guess = dense_plan(given, registration, warp, window, method)

    def totals(first: int, last: int, rounder: float) -> tuple[Array, float]:
        grid = (warp.upsampling, warp.rows, warp.columns, warp.rigid)
        parts = [
            workers.submit(_totals, piece, field, grid, window, method, first, last, rounder)
            for piece, field in zip(pieces, fields, strict=True)
        ]
        found: tuple[Array, float] = workers.result(workers.tree(parts, _joined))
        return found

    return exact.filler(totals, guess, step)


def _sparse(
    workers: Workers, pieces: list[Piece], fields: list[Any], registration: Registration, warp: Warp,
    window: tuple[int, int], method: str,
) -> Callable[[int, int, Array], float]:  # fmt: skip
    lists = [workers.submit(list, piece) for piece in pieces]
    ends = np.cumsum([0, *map(len, pieces)])
    moved = registration.displacement[:, 0]
    low, high = moved.min(axis=(1, 2)), moved.max(axis=(1, 2))

    def band(top: int, bottom: int, dtype: Any) -> Any:
        """Submit the sum of some rows, from the frames' rows that may reach them."""
        a, b = ((row + 0.5) / warp.upsampling - 0.5 for row in (warp.rows[0] + top, warp.rows[0] + bottom - 1))
        first = np.floor(a - high).astype(int) - BEYOND
        last = np.ceil(b - low).astype(int) + BEYOND + 1
        parts = [
            workers.submit(_rows, one, first[i:j].tolist(), last[i:j].tolist())
            for one, (i, j) in zip(lists, itertools.pairwise(ends), strict=True)
        ]
        region = (slice(warp.rows[0] + top, warp.rows[0] + bottom), slice(*warp.columns))
        options = (warp.upsampling, region, slice(*window), method, dtype)
        return workers.submit(_band, parts, fields, *options)

    def fill(top: int, bottom: int, view: Array) -> float:
        edges = np.linspace(top, bottom, min(EACH * workers.number, bottom - top) + 1).astype(int)
        spans = list(itertools.pairwise(edges.tolist()))
        largest = 0.0
        for (start, stop), future in zip(spans, [band(*span, view.dtype) for span in spans], strict=True):
            most, rows = workers.result(future)
            largest = max(largest, most)
            view[start - top : stop - top] = rows
        return largest

    return fill


def _packed(registration: Registration, start: int, stop: int) -> tuple[Any, ...]:
    """Displacements of some frames, briefly where they moved as a whole, and what was recorded."""
    field = registration.displacement[start:stop]
    whole = bool((field == field[:, :, :1, :1]).all())
    recorded = None if registration.recorded is None else registration.recorded[start:stop]
    return (field[:, :, 0, 0] if whole else field, registration.shape, recorded)


def _field(displacement: Array, shape: tuple[int, int], recorded: Any) -> tuple[Array, Any]:
    """Unpack them, on a worker, from which others have them."""
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
    return one[0] + other[0], one[1] + other[1]


def _rows(frames: list[Events], first: list[int], last: list[int]) -> list[Events]:
    """Events of some rows of each frame."""
    out = []
    for events, low, high in zip(frames, first, last, strict=True):
        width = events.shape[1]
        kept = (events.pixel >= max(low, 0) * width) & (events.pixel < max(high, 0) * width)
        parts = (events.pixel[kept], events.channel[kept], events.count[kept])
        out.append(type(events).unchecked(*parts, events.shape))
    return out


def _band(
    parts: list[list[Events]], fields: list[Any], upsampling: int, region: Any, channels: slice, method: str, dtype: Any
) -> tuple[float, Array]:  # fmt: skip
    """Largest voxel, and rows of the sum over all frames."""
    spread = [_spread(field) for field in fields]
    displacement = np.concatenate([one for one, _ in spread])
    recorded = None if spread[0][1] is None else np.concatenate([mask for _, mask in spread])
    frames = [events for part in parts for events in part]
    rows, columns, window = ((one.start, one.stop) for one in (*region, channels))
    registration, warp = (
        Registration(displacement, recorded=recorded),
        Warp(displacement, upsampling, rows, columns, recorded),
    )
    out = np.zeros((rows[1] - rows[0], columns[1] - columns[0], window[1] - window[0]))
    sparse(series(frames, None), registration, warp, window, method)(0, len(out), out)
    return float(out.max(initial=0.0)), out.astype(dtype)
