"""Bilinear interpolation, compiled: weights of the four pixels around a position, and its inverse within a cell."""

from __future__ import annotations

import math
from typing import Any

from numba import njit

EDGE = 1e-9  # a solution this far outside a cell still counts as on its border


@njit(cache=True, nogil=True)
def share_of(corner: int, down: float, right: float) -> float:
    """Share of one of the four pixels around a position.

    The corners are 0, the upper left, 1 to the right of it, and 2 and 3 below; `down` and `right` (0..1) are the
    position's distance from the upper left.
    """
    return (down if corner >= 2 else 1 - down) * (right if corner % 2 else 1 - right)


@njit(cache=True, nogil=True)
def cell_of(displacement: Any, iy: int, ix: int) -> tuple[float, float, float, float, float, float, float, float]:
    """Scene positions that the four pixels of a cell of one frame (2, Y, X) sampled: y, x of each corner in turn.

    The cell's upper left pixel is (iy, ix); a frame of one row or column goes on as its edge does.
    """
    jy, jx = min(iy + 1, displacement.shape[1] - 1), min(ix + 1, displacement.shape[2] - 1)
    y00, x00 = iy + float(displacement[0, iy, ix]), ix + float(displacement[1, iy, ix])
    y01, x01 = iy + float(displacement[0, iy, jx]), ix + 1 + float(displacement[1, iy, jx])
    y10, x10 = iy + 1 + float(displacement[0, jy, ix]), ix + float(displacement[1, jy, ix])
    y11, x11 = iy + 1 + float(displacement[0, jy, jx]), ix + 1 + float(displacement[1, jy, jx])
    return y00, x00, y01, x01, y10, x10, y11, x11


@njit(cache=True, nogil=True)
def place_in(cell: Any, y: float, x: float, deep: float, wide: float) -> tuple[float, float]:
    """Where in a cell (`cell_of`) a scene position was sampled, from its upper left pixel: (0..deep, 0..wide).

    Of two places the one in the upper row; -1, -1 where there is none.
    """
    y00, x00, y01, x01, y10, x10, y11, x11 = cell
    return _solve(
        y00 - y, x00 - x, y10 - y00, x10 - x00, y01 - y00, x01 - x00, y11 - y10 - y01 + y00, x11 - x10 - x01 + x00,
        deep, wide,
    )  # fmt: skip


@njit(cache=True, nogil=True)
def _solve(
    ay: float, ax: float, by: float, bx: float, cy: float, cx: float, dy: float, dx: float, deep: float, wide: float
) -> tuple[float, float]:
    """Solve A + a B + b C + a b D = 0 for the smallest a in 0..deep with b in 0..wide; -1 where there is none.

    Crossing with C + a D leaves a quadratic in a.
    """
    square = by * dx - bx * dy
    linear = ay * dx - ax * dy + by * cx - bx * cy
    constant = ay * cx - ax * cy
    root = linear * linear - 4 * square * constant
    if root < 0:
        return -1.0, -1.0
    half = -0.5 * (linear + math.copysign(math.sqrt(root), linear))
    first = constant / half if half != 0 else 0.0
    second = half / square if square != 0 else first
    found_a, found_b = -1.0, -1.0
    for a in (min(first, second), max(first, second)):
        if not -EDGE <= a <= deep or found_a >= 0:
            continue
        ey, ex = cy + a * dy, cx + a * dx
        length = ey * ey + ex * ex
        if length == 0:
            continue
        b = -((ay + a * by) * ey + (ax + a * bx) * ex) / length
        if -EDGE <= b <= wide:
            found_a, found_b = max(a, 0.0), max(b, 0.0)
    return found_a, found_b
