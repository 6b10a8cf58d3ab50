"""By workers: the sums of `accumulate` on the workers of a cluster.

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

from lbj.array_types import Array

from ..cluster.client import Workers
from ..cluster.pieces import EACH, Piece, cut
from ..geometry.registration import Registration
from ..geometry.warp import Warp
from ..series.series import Series
from . import exact, pull
from .fillers import dense_plan, dense_totals, listed_filler

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
    lists = [workers.submit(_listed, piece, window) for piece in pieces]
    ends = np.cumsum([0, *map(len, pieces)])
    moved = registration.displacement[:, 0]
    low, high = moved.min(axis=(1, 2)), moved.max(axis=(1, 2))
    height, width = registration.shape
    grid = (warp.upsampling, warp.rows, warp.columns, warp.rigid)

    def band(top: int, bottom: int, dtype: Any) -> Any:
        """Submit the sum of some rows, from the frames' rows that may reach them."""
        a, b = ((row + 0.5) / warp.upsampling - 0.5 for row in (warp.rows[0] + top, warp.rows[0] + bottom - 1))
        first = np.clip(np.floor(a - high) - BEYOND, 0, height).astype(int) * width
        last = np.clip(np.ceil(b - low) + BEYOND + 1, 0, height).astype(int) * width
        last = np.maximum(first, last)
        parts = [
            workers.submit(_part, one, first[i:j], last[i:j])
            for one, (i, j) in zip(lists, itertools.pairwise(ends), strict=True)
        ]
        options = (grid, window[1] - window[0], method, (top, bottom), dtype)
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
    with np.errstate(invalid="ignore"):  # infinities of both signs
        return one[0] + other[0], one[1] + other[1]


def _listed(piece: Piece, window: tuple[int, int]) -> tuple[Array, ...]:
    """Counts of a piece sorted by pixel, in as few bytes as they need: the arrays of `pull.Listed`."""
    found = pull.by_pixel(piece, window)
    count = found.count
    if count.dtype.kind == "u":
        count = count.astype(np.min_scalar_type(int(count.max(initial=0))))
    return found.start, found.frame, found.column, found.channel, count


def _part(
    listed: tuple[Array, ...], first: NDArray[np.int64], last: NDArray[np.int64]
) -> tuple[Array, list[Array], tuple[Array, ...]]:
    """Counts of the pixels from the first to before the last of each frame: these, where each begins, and the lists."""
    start, frame, *lists = listed
    starts = [one[low : high + 1] - one[low] for one, low, high in zip(start, first, last, strict=True)]
    begin = frame + start[np.arange(len(frame)), first]
    chosen = np.concatenate([np.arange(at, at + one[-1]) for at, one in zip(begin, starts, strict=True)])
    return first, starts, tuple(one[chosen] for one in lists)


def _whole(parts: list[tuple[Array, list[Array], tuple[Array, ...]]], pixels: int) -> pull.Listed:
    """Counts of all frames, as if there were none beside those of the parts."""
    frames = [pair for first, starts, _ in parts for pair in zip(first, starts, strict=True)]
    start = np.zeros((len(frames), pixels + 1), np.uint32)
    for out, (low, one) in zip(start, frames, strict=True):
        out[low : low + len(one)] = one
        out[low + len(one) :] = one[-1]
    begin = np.cumsum([0, *(int(one[-1]) for _, one in frames)])[:-1]
    column, channel, count = (np.concatenate(lists) for lists in zip(*(lists for _, _, lists in parts), strict=True))
    return pull.Listed(start, begin, column, channel, count if count.dtype.kind == "f" else count.astype(np.uint32))


def _band(
    parts: list[Any], fields: list[Any], grid: Any, channels: int, method: str, span: tuple[int, int], dtype: Any,
) -> tuple[float, Array]:  # fmt: skip
    """Largest voxel, and rows of the sum over all frames."""
    spread = [_spread(field) for field in fields]
    displacement = np.concatenate([one for one, _ in spread])
    recorded = None if spread[0][1] is None else np.concatenate([mask for _, mask in spread])
    upsampling, rows, columns, rigid = grid
    registration = Registration(displacement, recorded=recorded)
    warp = Warp(displacement, upsampling, rows, columns, recorded, rigid)
    listed = _whole(parts, math.prod(registration.shape))
    out = np.zeros((span[1] - span[0], columns[1] - columns[0], channels))
    listed_filler(listed, registration, warp, method)(*span, out)
    return float(out.max(initial=0.0)), out.astype(dtype)
