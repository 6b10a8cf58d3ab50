"""Pull: events of displaced frames summed by bilinear interpolation, without a dense frame (``method="pull"``).

Every kernel works on some rows of the output, visits frames and neighbours in a fixed order and owns what it writes:
the result does not depend on how rows are dealt to threads.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lbj.events import Events

from ..geometry.bilinear import share_of


@dataclass(frozen=True)
class Listed:
    """Events of all frames, sorted by pixel.

    Attributes
    ----------
    start : (N, Y*X + 1) uint32
        Where the events of each pixel begin, counted from the frame's first event.
    frame : (N,) int64
        Where each frame begins in the lists.
    column : (E,) uint16 or uint32
        The pixel's column.
    channel : (E,) uint16 or uint32
    count : (E,) uint32 or float64
        Whole unless the frames' channels were moved by fractions of a channel.
    """

    start: NDArray[np.uint32]
    frame: NDArray[np.int64]
    column: NDArray[Any]
    channel: NDArray[Any]
    count: NDArray[Any]


def by_pixel(frames: Iterable[Events], channels: tuple[int, int]) -> Listed:
    """Sort the events of every frame by pixel; keep only channels from the first to before the last."""
    low, high = channels
    starts, columns, lists, counts, begin = [], [], [], [], [0]
    for events in frames:
        part = slice(*np.searchsorted(events.channel, [low, high]))
        kept = (events.pixel[part], events.channel[part], events.count[part])
        width = events.shape[-2]
        start = np.zeros(events.pixels + 1, np.uint32)
        column = np.empty(kept[0].size, _narrow(width))
        channel = np.empty(kept[0].size, _narrow(high - low))
        count = np.empty(kept[0].size, kept[2].dtype)
        _sort(*kept, width, low, start, column, channel, count)
        starts.append(start)
        columns.append(column)
        lists.append(channel)
        counts.append(count)
        begin.append(begin[-1] + channel.size)
    frame = np.array(begin[:-1], np.int64)
    return Listed(np.stack(starts), frame, _joined(columns), _joined(lists), _joined(counts))


def _joined(parts: list[NDArray[Any]]) -> NDArray[Any]:
    """Concatenate the parts, and free them."""
    whole = np.concatenate(parts)
    parts.clear()
    return whole


def _narrow(size: int) -> Any:
    return np.uint16 if size <= 65536 else np.uint32


@njit(cache=True, nogil=True)
def _sort(
    pixel: Any,
    channel: Any,
    count: Any,
    width: int,
    low: int,
    start: Any,
    column: Any,
    out_channel: Any,
    out_count: Any,
) -> None:
    for i in range(len(pixel)):
        start[pixel[i] + 1] += 1
    for p in range(1, len(start)):
        start[p] += start[p - 1]
    place = start[:-1].copy()
    for i in range(len(pixel)):
        at = place[pixel[i]]
        column[at] = pixel[i] % width
        out_channel[at] = channel[i] - low
        out_count[at] = count[i]
        place[pixel[i]] += 1


@njit(cache=True, nogil=True)
def pull_field(
    start: Any, frame: Any, channel: Any, count: Any, width: int, iy: Any, ix: Any, fy: Any, fx: Any, out: Any
) -> None:
    """Sum the events at the corners (`warp.Corners`, (N, rows, columns)) into `out` (rows, columns, C).

    `width` is the frame's number of columns.
    """
    rows, columns, channels = out.shape
    total = np.zeros(channels)
    for oy in range(rows):
        for ox in range(columns):
            for n in range(len(frame)):
                if iy[n, oy, ox] < 0 or ix[n, oy, ox] < 0:
                    continue
                pixel = iy[n, oy, ox] * width + ix[n, oy, ox]
                down, right = fy[n, oy, ox], fx[n, oy, ox]
                for corner in range(4):
                    weight = share_of(corner, down, right)
                    if weight == 0:
                        continue
                    p = pixel + (width if corner >= 2 else 0) + corner % 2
                    for e in range(frame[n] + start[n, p], frame[n] + start[n, p + 1]):
                        total[channel[e]] += weight * count[e]
            for c in range(channels):
                out[oy, ox, c] = total[c]
                total[c] = 0.0


@njit(cache=True, nogil=True)
def pull_rigid(
    start: Any, frame: Any, column: Any, channel: Any, count: Any, width: int, iy: Any, fy: Any,
    whole: Any, part: Any, seen: Any, left: int, strip: int, out: Any,
) -> None:  # fmt: skip
    """Sum the events of frames that moved as a whole into `out` (rows, columns, C); faster than `pull_field`.

    A frame's rows are visited event by event, in strips of `strip` output columns that stay in cache. Output column
    s m + r samples the frame at column m + whole + part, both (N, s): one event meets the same weights everywhere.

    iy, fy (N, rows) : row corner of each output row, -1 where the frame did not see it, and fraction
    seen (N, 2) : first and last output column that the frame saw
    left : output column of the first column of `out`
    """
    rows, columns, channels = out.shape
    scale = whole.shape[1]
    total = np.zeros((strip, channels))
    for oy in range(rows):
        for begin in range(left, left + columns, strip):
            end = min(begin + strip, left + columns)
            for n in range(len(frame)):
                low, high = max(begin, seen[n, 0]), min(end - 1, seen[n, 1])
                if iy[n, oy] < 0 or low > high:
                    continue
                first = max(low // scale + whole[n, 0], 0)
                last = min(high // scale + whole[n, scale - 1] + 1, width - 1)
                for below in range(2):
                    weight = fy[n, oy] if below else 1 - fy[n, oy]
                    if weight == 0:
                        continue
                    row = (iy[n, oy] + below) * width
                    for e in range(frame[n] + start[n, row + first], frame[n] + start[n, row + last + 1]):
                        c, value = channel[e], weight * count[e]
                        for r in range(scale):
                            ox = (np.int64(column[e]) - whole[n, r]) * scale + r
                            if low <= ox <= high:
                                total[ox - begin, c] += value * (1 - part[n, r])
                            if low <= ox - scale <= high:
                                total[ox - scale - begin, c] += value * part[n, r]
            for ox in range(begin, end):
                for c in range(channels):
                    out[oy, ox - left, c] = total[ox - begin, c]
                    total[ox - begin, c] = 0.0


@njit(cache=True, nogil=True)
def pull_dense(data: Any, low: int, iy: Any, ix: Any, fy: Any, fx: Any, power: int, rounder: float, total: Any) -> None:
    """Add one dense frame (Y, X, C) at the corners (rows, columns) to `total` (rows, columns, C').

    The weights are raised to `power`: 1 for values, 2 for variances. Addends are rounded by `rounder` (see `exact`).
    """
    rows, columns, channels = total.shape
    for oy in range(rows):
        for ox in range(columns):
            if iy[oy, ox] < 0 or ix[oy, ox] < 0:
                continue
            down, right = fy[oy, ox], fx[oy, ox]
            for corner in range(4):
                weight = share_of(corner, down, right)
                if weight == 0:
                    continue
                y, x = iy[oy, ox] + corner // 2, ix[oy, ox] + corner % 2
                share = weight**power
                for c in range(channels):
                    total[oy, ox, c] += (share * data[y, x, low + c] + rounder) - rounder
