"""Warp: the inverse of the displacement: the frame position q that sampled a scene position p, q + u(q) = p."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lbj.array_types import Floats, Singles

from .bilinear import EDGE, cell_of, place_in


def is_rigid(displacement: Singles) -> bool:
    """Whether every frame moves as a whole."""
    if displacement.strides[2:] == (0, 0):
        return True
    return bool((displacement == displacement[:, :, :1, :1]).all())


def scene_positions(start: int, stop: int, upsampling: int) -> Floats:
    """Scene positions of the output indices from start to stop: (i + 1/2) / s - 1/2."""
    return (np.arange(start, stop) + 0.5) / upsampling - 0.5


def row_spans(displacement: Singles) -> Floats:
    """Lowest and highest scene row that each row of each frame sampled: (N, Y, 2)."""
    field = displacement[:, 0]
    spans = np.stack([field.min(axis=2), field.max(axis=2)], axis=-1).astype(np.float64)
    return np.asarray(spans + np.arange(field.shape[1])[:, None])


@njit(cache=True, nogil=True)
def locate(
    displacement: Any, span: Any, y: Any, x: Any, upsampling: int, first: tuple[int, int], qy: Any, qx: Any
) -> None:
    """Fill in where one frame sampled a rectangle of output pixels; NaN where it did not.

    Parameters
    ----------
    displacement : (2, Y, X) float32
    span : (Y, 2) float64
        Lowest and highest scene row that each frame row sampled (`row_spans`).
    y, x : (rows,), (columns,) float64
        Scene positions of the output pixels.
    upsampling : int
    first : (int, int)
        Output indices of the rectangle's first pixel.
    qy, qx : (rows, columns) float64
        Filled in.

    Notes
    -----
    u is bilinear within each cell of four pixels. The cells are visited in the order of the scan, and a pixel keeps
    the first solution found; of two within a cell the one in the upper row.
    """
    rows, columns = displacement.shape[1:]
    qy[:] = np.nan
    qx[:] = np.nan
    top, left, bottom, right = first[0], first[1], first[0] + len(y), first[1] + len(x)
    deep = (1.0 if rows > 1 else 0.0) + EDGE
    wide = (1.0 if columns > 1 else 0.0) + EDGE
    for iy in range(max(rows - 1, 1)):
        jy = min(iy + 1, rows - 1)
        if min(span[iy, 0], span[jy, 0]) > y[-1] + 1 or max(span[iy, 1], span[jy, 1] + 1) < y[0] - 1:
            continue
        for ix in range(max(columns - 1, 1)):
            cell = cell_of(displacement, iy, ix)
            y00, x00, y01, x01, y10, x10, y11, x11 = cell
            low = math.ceil((min(y00, y01, y10, y11) - EDGE + 0.5) * upsampling - 0.5)
            high = math.floor((max(y00, y01, y10, y11) + EDGE + 0.5) * upsampling - 0.5)
            if low >= bottom or high < top:
                continue
            near = math.ceil((min(x00, x01, x10, x11) - EDGE + 0.5) * upsampling - 0.5)
            far = math.floor((max(x00, x01, x10, x11) + EDGE + 0.5) * upsampling - 0.5)
            for oy in range(max(low, top), min(high + 1, bottom)):
                for ox in range(max(near, left), min(far + 1, right)):
                    if qy[oy - top, ox - left] >= 0:
                        continue
                    a, b = place_in(cell, y[oy - top], x[ox - left], deep, wide)
                    if a >= 0:
                        qy[oy - top, ox - left] = min(iy + a, float(rows - 1))
                        qx[oy - top, ox - left] = min(ix + b, float(columns - 1))


class Corners(NamedTuple):
    """Where frames are sampled: the upper left of the four pixels around each position, and the fractions beyond it.

    `iy` or `ix` is -1 where a frame did not see the output pixel.
    """

    iy: NDArray[np.int32]
    ix: NDArray[np.int32]
    fy: Floats
    fx: Floats


class Warp:
    """Where the frames sampled a rectangle of the output grid.

    Parameters
    ----------
    displacement : (N, 2, Y, X) float32
    upsampling : int
    rows, columns : (int, int)
        First and past-the-last output index.
    recorded : (N, Y, X) array of bool, optional
        Pixels that were; a position between others was not seen. All by default.
    rigid : bool, optional
        Whether the frames, among others of one series, moved as a whole; found from these by default.
    """

    def __init__(
        self,
        displacement: Singles,
        upsampling: int,
        rows: tuple[int, int],
        columns: tuple[int, int],
        recorded: NDArray[np.bool_] | None = None,
        rigid: bool | None = None,
    ) -> None:
        self.displacement, self.upsampling, self.rows, self.columns = displacement, upsampling, rows, columns
        self.recorded = recorded
        self.rigid = is_rigid(displacement) if rigid is None else rigid
        self._x = scene_positions(*columns, upsampling)
        self._spans = None if self.rigid else row_spans(displacement)

    def strides(self) -> tuple[NDArray[np.int64], Floats, NDArray[np.int64]]:
        """Columns of frames that moved as a whole, for `pull.pull_rigid`: whole, part (N, s), seen (N, 2)."""
        shift = self.displacement[:, 1, :1, 0].astype(np.float64)
        offset = scene_positions(0, self.upsampling, self.upsampling) - shift
        whole = np.floor(offset)
        inside = (self._x >= shift) & (self._x - shift <= self.displacement.shape[3] - 1)
        first, last = inside.argmax(axis=1), inside.shape[1] - 1 - inside[:, ::-1].argmax(axis=1)
        seen = np.where(inside.any(axis=1), [first, last], [[1], [0]]).T + self.columns[0]
        return whole.astype(np.int64), offset - whole, seen

    def corners_of(self, top: int, bottom: int, frame: int) -> Corners:
        """Corners of one frame, (bottom - top, columns) each."""
        found = self.corners(top, bottom, slice(frame, frame + 1))
        return Corners(found.iy[0], found.ix[0], found.fy[0], found.fx[0])

    def corners(self, top: int, bottom: int, frames: slice) -> Corners:
        """Corners of some rows of the rectangle, (N, bottom - top, columns) each."""
        first = self.rows[0] + top
        y = scene_positions(first, self.rows[0] + bottom, self.upsampling)
        field = self.displacement[frames]
        shape = (len(field), y.size, self._x.size)
        recorded = None if self.recorded is None else self.recorded[frames]
        if self.rigid:
            shift = field[:, :, 0, 0].astype(np.float64)
            iy, fy = whole_and_fraction((y - shift[:, :1])[:, :, None], field.shape[2])
            ix, fx = whole_and_fraction((self._x - shift[:, 1:])[:, None, :], field.shape[3])
            found = Corners(
                np.broadcast_to(iy, shape),
                np.broadcast_to(ix, shape),
                np.broadcast_to(fy, shape),
                np.broadcast_to(fx, shape),
            )
            return among(recorded, found)
        assert self._spans is not None
        qy, qx = np.empty(shape), np.empty(shape)
        spans = self._spans[frames]
        for n in range(len(field)):
            locate(field[n], spans[n], y, self._x, self.upsampling, (first, self.columns[0]), qy[n], qx[n])
        iy, fy = whole_and_fraction(qy, field.shape[2])
        ix, fx = whole_and_fraction(qx, field.shape[3])
        return among(recorded, Corners(iy, ix, fy, fx))


def among(recorded: NDArray[np.bool_] | None, corners: Corners) -> Corners:
    """Corners (N, …) of which those count as not seen that have a share in a pixel not recorded (N, Y, X)."""
    if recorded is None:
        return corners
    iy, ix, fy, fx = corners
    frame = np.arange(len(recorded)).reshape(-1, *(1,) * (iy.ndim - 1))
    seen = (iy >= 0) & (ix >= 0)
    for below in (0, 1):
        for right in (0, 1):
            shared = ((fy > 0) | (below == 0)) & ((fx > 0) | (right == 0))
            y, x = (np.minimum(iy + below, recorded.shape[1] - 1), np.minimum(ix + right, recorded.shape[2] - 1))
            seen &= recorded[frame, y, x] | ~shared
    return Corners(np.where(seen, iy, np.int32(-1)), ix, fy, fx)


def whole_and_fraction(position: Floats, size: int) -> tuple[NDArray[np.int32], Floats]:
    """Whole pixel and fraction of a position; -1 where it lies outside the frame."""
    inside = (position >= 0) & (position <= size - 1)
    whole = np.floor(np.where(inside, position, -1.0))
    return whole.astype(np.int32), np.where(inside, position - whole, 0.0)
