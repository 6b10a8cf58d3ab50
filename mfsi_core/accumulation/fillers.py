"""In one process: rows of the aligned sum filled block by block in threads, from events or from dense frames."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numba
import numpy as np

from lbj.array_types import Array

from ..geometry.registration import Registration
from ..geometry.warp import Warp
from ..series.series import Series
from . import exact, pull, push

Filler = Callable[[int, int, Array], float]  # fills rows of the output into an array, returns the largest voxel
EXACT = 2**24  # largest whole number up to which float32 counts
BAND_BYTES = 2**27
BLOCK_ROWS = 16
BLOCK_BYTES = 2**24
STRIP_BYTES = 2**20  # of float64 sums, which should stay in cache


def _in_blocks(work: Callable[[int, int], float], top: int, bottom: int, rows: int) -> float:
    """Work on blocks of rows in threads; the largest voxel of all."""
    starts = range(top, bottom, rows)
    with ThreadPoolExecutor(numba.get_num_threads()) as pool:
        return max(pool.map(lambda start: work(start, min(start + rows, bottom)), starts), default=0.0)


def sparse(series: Series, registration: Registration, warp: Warp, window: tuple[int, int], method: str) -> Filler:
    """Fill rows with sums of events; one block of rows a thread, in the order of the frames."""
    return listed_filler(pull.by_pixel(series, window), registration, warp, method)


def listed_filler(listed: pull.Listed, registration: Registration, warp: Warp, method: str) -> Filler:
    """Return what sums listed counts into rows of the output; it returns the largest voxel where that may pass 2^24."""
    fill = (_pull if method == "pull" else _push)(listed, registration, warp)
    ends = np.append(listed.frame[1:], listed.count.size)
    peaks = [float(listed.count[i:j].max(initial=0)) for i, j in zip(listed.frame, ends, strict=True)]
    bound = sum(peaks) if method == "pull" else float(listed.count.sum(dtype=np.float64))
    bound *= 1 if listed.count.dtype.kind == "u" else 2  # counts shared out to channels: two shares may meet in one
    rows = max(1, min(BLOCK_ROWS, BLOCK_BYTES // (len(registration) * (warp.columns[1] - warp.columns[0]) * 24)))

    def filler(top: int, bottom: int, view: Array) -> float:
        def work(start: int, stop: int) -> float:
            part = view[start - top : stop - top]
            if bound <= EXACT:
                fill(start, stop, part)
                return 0.0
            exact = np.zeros(part.shape)
            fill(start, stop, exact)
            part[:] = exact
            return float(exact.max(initial=0.0))

        return _in_blocks(work, top, bottom, rows)

    return filler


def _pull(listed: pull.Listed, registration: Registration, warp: Warp) -> Callable[[int, int, Array], None]:
    everything, width = slice(None), registration.shape[1]
    if not warp.rigid or warp.recorded is not None:
        lists = (listed.start, listed.frame, listed.channel, listed.count)
        return lambda start, stop, part: pull.pull_field(*lists, width, *warp.corners(start, stop, everything), part)
    whole, fraction, seen = warp.strides()
    columns = (listed.start, listed.frame, listed.column, listed.channel, listed.count)

    def fill(start: int, stop: int, part: Array) -> None:
        corners = warp.corners(start, stop, everything)
        strip = max(1, STRIP_BYTES // 8 // part.shape[2])
        rows = (np.ascontiguousarray(corners.iy[:, :, 0]), np.ascontiguousarray(corners.fy[:, :, 0]))
        pull.pull_rigid(*columns, width, *rows, whole, fraction, seen, warp.columns[0], strip, part)

    return fill


def _push(listed: pull.Listed, registration: Registration, warp: Warp) -> Callable[[int, int, Array], None]:
    field = registration.displacement
    order = push.by_row(field, warp.upsampling, registration.shape[0] * warp.upsampling)
    lists = (listed.start, listed.frame, listed.channel, listed.count)

    def fill(start: int, _stop: int, part: Array) -> None:
        strip = max(1, STRIP_BYTES // 8 // part.shape[2])
        for left in range(0, part.shape[1], strip):
            corner = (warp.rows[0] + start, warp.columns[0] + left)
            push.push_events(*lists, field, warp.upsampling, *order, *corner, part[:, left : left + strip])

    return fill


def dense(series: Series, registration: Registration, warp: Warp, window: tuple[int, int], method: str) -> Filler:
    """Fill rows with sums of dense frames, band by band."""
    step, guess = dense_plan(series, registration, warp, window, method)
    return exact.filler(partial(dense_totals, series, warp, window, method), guess, step)


def dense_plan(
    series: Series, registration: Registration, warp: Warp, window: tuple[int, int], method: str
) -> tuple[int, float]:
    """Rows summed at a time, and a guess of the largest sum by the first frame, for `exact.filler`."""
    step = max(1, 2 * BAND_BYTES // ((warp.columns[1] - warp.columns[0]) * (window[1] - window[0]) * 8))
    first = exact.peak(np.asarray(series.data[0]).reshape((*registration.shape, -1)))
    spread = exact.spreads(registration.displacement, warp.upsampling, method)
    return step, exact.MARGIN * first * float(spread.sum())


def dense_totals(
    series: Iterable[Any], warp: Warp, window: tuple[int, int], method: str, first: int, last: int, rounder: float
) -> tuple[Array, float]:
    """Sums of dense frames in rows of the output, (rows, columns, C) float64, and a bound of all (`exact.filler`)."""
    total = np.zeros((last - first, warp.columns[1] - warp.columns[0], window[1] - window[0]))
    field, bound = warp.displacement, 0.0
    spread = exact.spreads(field, warp.upsampling, method)
    for n, frame in enumerate(series):
        data = np.asarray(frame).reshape((*field.shape[2:], -1))
        bound += exact.peak(data) * float(spread[n])

        def work(start: int, stop: int, n: int = n, data: Array = data) -> float:
            part = total[start - first : stop - first]
            if method == "pull":
                pull.pull_dense(data, window[0], *warp.corners_of(start, stop, n), 1, rounder, part)
            else:
                corner = (warp.rows[0] + start, warp.columns[0])
                push.push_dense(data, window[0], field[n], warp.upsampling, *corner, rounder, part)
            return 0.0

        _in_blocks(work, first, last, max(1, -(-(last - first) // numba.get_num_threads())))
    return total, bound


def fill_bands(filler: Filler, result: Any, size: tuple[int, int, int]) -> float:
    """Fill an array or a dataset band by band."""
    step = max(1, min(size[0], BAND_BYTES // (size[1] * size[2] * 8)))
    chunk = (getattr(result, "chunks", None) or (1,))[0]
    step = max(step - step % chunk, 1)
    direct = isinstance(result, np.ndarray)
    largest = 0.0
    for top in range(0, size[0], step):
        bottom = min(top + step, size[0])
        band = result[top:bottom] if direct else np.zeros((bottom - top, *result.shape[1:]), result.dtype)
        largest = max(largest, filler(top, bottom, band[..., None] if band.ndim == 2 else band))
        if not direct:
            result[top:bottom] = band
    return largest
