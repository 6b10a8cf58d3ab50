"""Push: every count is splatted on the four output pixels around it, so that sums are kept (``method="push"``)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lbj.array_types import Singles

from ..geometry.bilinear import share_of


def by_row(displacement: Singles, upsampling: int, rows: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Sort the pixels of every frame by the output row at or above the place they sampled.

    Returns
    -------
    start : (N, rows + 2) uint32
        The pixels above or on output row r, from -1 on, are order[n, start[n, r + 1] : start[n, r + 2]].
    order : (N, Y*X) uint32
        In the order of the scan within a row.
    """
    frames, _, height, width = displacement.shape
    start = np.zeros((frames, rows + 2), np.uint32)
    order = np.zeros((frames, height * width), np.uint32)
    for n in range(frames):
        _sort_rows(displacement[n], upsampling, start[n], order[n])
    return start, order


@njit(cache=True, nogil=True)
def _output(position: float, upsampling: int) -> float:
    return (position + 0.5) * upsampling - 0.5


@njit(cache=True, nogil=True)
def _sort_rows(displacement: Any, upsampling: int, start: Any, order: Any) -> None:
    height, width = displacement.shape[1:]
    rows = len(start) - 2
    for p in range(height * width):
        row = math.floor(_output(p // width + float(displacement[0, p // width, p % width]), upsampling))
        if -1 <= row < rows:
            start[row + 2] += 1
    for r in range(1, len(start)):
        start[r] += start[r - 1]
    place = start.copy()
    for p in range(height * width):
        row = math.floor(_output(p // width + float(displacement[0, p // width, p % width]), upsampling))
        if -1 <= row < rows:
            order[place[row + 1]] = p
            place[row + 1] += 1


@njit(cache=True, nogil=True)
def push_events(
    start: Any, frame: Any, channel: Any, count: Any, displacement: Any, upsampling: int,
    rows: Any, order: Any, top: int, left: int, out: Any,
) -> None:  # fmt: skip
    """Add the events that reach a rectangle of the output, from row `top` and column `left`."""
    height, width, channels = out.shape
    columns = displacement.shape[3]
    total = np.zeros((width, channels))
    for oy in range(height):
        for n in range(len(frame)):
            for above in range(2):
                r = top + oy - 1 + above
                for i in range(rows[n, r + 1], rows[n, r + 2]):
                    p = order[n, i]
                    iy, ix = p // columns, p % columns
                    y = _output(iy + float(displacement[n, 0, iy, ix]), upsampling)
                    x = _output(ix + float(displacement[n, 1, iy, ix]), upsampling)
                    cell = math.floor(x)
                    for dx in range(2):
                        ox = cell + dx - left
                        w = share_of(2 * (1 - above) + dx, y - r, x - cell)
                        if 0 <= ox < width and w > 0:
                            for e in range(frame[n] + start[n, p], frame[n] + start[n, p + 1]):
                                total[ox, channel[e]] += w * count[e]
        for ox in range(width):
            for c in range(channels):
                out[oy, ox, c] = total[ox, c]
                total[ox, c] = 0.0


@njit(cache=True, nogil=True)
def push_dense(
    data: Any, low: int, displacement: Any, upsampling: int, top: int, left: int, rounder: float, total: Any
) -> None:
    """Add one dense frame (Y, X, C) to `total` (rows, columns, C'), the rectangle from row `top`, column `left`.

    Addends are rounded by `rounder` (see `exact`).
    """
    height, width, channels = total.shape
    for iy in range(data.shape[0]):
        for ix in range(data.shape[1]):
            y = _output(iy + float(displacement[0, iy, ix]), upsampling)
            x = _output(ix + float(displacement[1, iy, ix]), upsampling)
            row, column = math.floor(y), math.floor(x)
            for dy in range(2):
                oy = row + dy - top
                for dx in range(2):
                    ox = column + dx - left
                    w = share_of(2 * dy + dx, y - row, x - column)
                    if 0 <= oy < height and 0 <= ox < width and w > 0:
                        for c in range(channels):
                            total[oy, ox, c] += (w * data[iy, ix, low + c] + rounder) - rounder
