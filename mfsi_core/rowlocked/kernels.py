"""Kernels: the scene as a cubic B-spline, seen from the displaced pixels of one frame."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

STATISTICS = 10


@njit(cache=True, nogil=True)
def _values(f: float) -> tuple[float, float, float, float]:
    """Cubic B-spline at the four knots around a position f beyond the second."""
    g = 1.0 - f
    return g * g * g / 6, 2 / 3 - f * f * (2 - f) / 2, 2 / 3 - g * g * (2 - g) / 2, f * f * f / 6


@njit(cache=True, nogil=True)
def _slopes(f: float) -> tuple[float, float, float, float]:
    g = 1.0 - f
    return -g * g / 2, f * (3 * f - 4) / 2, -g * (3 * g - 4) / 2, f * f / 2


@njit(cache=True, nogil=True)
def look(
    knots: Any, corner: tuple[float, float], modes: Any, basis: Any, image: Any, line: Any, noise: Any,
    moments: Any, pull: Any, statistics: Any,
) -> None:  # fmt: skip
    """Sum up what one frame tells about its displacement, row by row.

    Parameters
    ----------
    knots : (H, W)
        Scene; knot (0, 0) lies at the scene position -corner.
    corner : (float, float)
    modes : (Y, K, 2)
        Displacement (y, x) of each row: coefficients of the first K functions of the basis.
    basis : (D, X)
        Legendre polynomials along the row, D = 2 K - 1.
    image : (Y, X)
    line : (2,)
        Gain and offset of the frame: image = gain * scene + offset.
    noise : (3,)
        Variance = noise[0] + noise[1] * (gain * scene + offset), but at least noise[2].
    moments : (Y, D, 3)
        Filled with sums of weight * (gy gy, gy gx, gx gx) * basis.
    pull : (Y, K, 2)
        Filled with sums of weight * residual * gradient * basis.
    statistics : (STATISTICS,)
        Filled with the sums that `line` and `noise` are fitted from.
    """
    rows, columns = image.shape
    count, degrees = modes.shape[1], basis.shape[0]
    height, width = knots.shape
    moments[:] = 0
    pull[:] = 0
    statistics[:] = 0
    gain, offset = line[0], line[1]
    for y in range(rows):
        for x in range(columns):
            py, px = y + corner[0], x + corner[1]
            for k in range(count):
                py += modes[y, k, 0] * basis[k, x]
                px += modes[y, k, 1] * basis[k, x]
            iy, ix = math.floor(py), math.floor(px)
            if iy < 1 or ix < 1 or iy > height - 3 or ix > width - 3:
                continue
            by, bx = _values(py - iy), _values(px - ix)
            dy, dx = _slopes(py - iy), _slopes(px - ix)
            value = sy = sx = 0.0
            for a in range(4):
                across = along = 0.0
                for b in range(4):
                    knot = knots[iy - 1 + a, ix - 1 + b]
                    across += bx[b] * knot
                    along += dx[b] * knot
                value += by[a] * across
                sy += dy[a] * across
                sx += by[a] * along
            model = gain * value + offset
            weight = 1.0 / max(noise[0] + noise[1] * model, noise[2])
            residual = image[y, x] - model
            sy *= gain
            sx *= gain
            for d in range(degrees):
                share = weight * basis[d, x]
                moments[y, d, 0] += share * sy * sy
                moments[y, d, 1] += share * sy * sx
                moments[y, d, 2] += share * sx * sx
                if d < count:
                    pull[y, d, 0] += share * residual * sy
                    pull[y, d, 1] += share * residual * sx
            statistics[0] += weight
            statistics[1] += weight * value
            statistics[2] += weight * value * value
            statistics[3] += weight * image[y, x]
            statistics[4] += weight * image[y, x] * value
            square = residual * residual
            statistics[5] += 1
            statistics[6] += model
            statistics[7] += model * model
            statistics[8] += square
            statistics[9] += square * model


@njit(cache=True, nogil=True)
def spread(
    knots: Any, corner: tuple[float, float], modes: Any, basis: Any, image: Any, line: Any, noise: Any, level: float,
    right: Any, out: Any,
) -> None:  # fmt: skip
    """Normal equations of the scene, one frame's share.

    Adds to `out` (H, W) the product of the normal matrix B'WB with the knots and, where `right` has a size, to it the
    right-hand side B'W(image - offset - gain * level); weights are those of a scene of the `level`.
    """
    rows, columns = image.shape
    count = modes.shape[1]
    height, width = out.shape
    gain, offset = line[0], line[1]
    weight = gain / max(noise[0] + noise[1] * (gain * level + offset), noise[2])
    wanted = right.size > 0
    for y in range(rows):
        for x in range(columns):
            py, px = y + corner[0], x + corner[1]
            for k in range(count):
                py += modes[y, k, 0] * basis[k, x]
                px += modes[y, k, 1] * basis[k, x]
            iy, ix = math.floor(py), math.floor(px)
            if iy < 1 or ix < 1 or iy > height - 3 or ix > width - 3:
                continue
            by, bx = _values(py - iy), _values(px - ix)
            if wanted:
                value = weight * (image[y, x] - offset - gain * level)
                for a in range(4):
                    for b in range(4):
                        right[iy - 1 + a, ix - 1 + b] += by[a] * bx[b] * value
            value = 0.0
            for a in range(4):
                for b in range(4):
                    value += by[a] * bx[b] * knots[iy - 1 + a, ix - 1 + b]
            value *= weight * gain
            for a in range(4):
                for b in range(4):
                    out[iy - 1 + a, ix - 1 + b] += by[a] * bx[b] * value


def legendre(degrees: int, columns: int) -> Any:
    """Legendre polynomials along a row of some columns: (degrees, columns)."""
    x = (np.arange(columns) + 0.5) / columns * 2 - 1
    return np.ascontiguousarray(np.polynomial.legendre.legvander(x, degrees - 1).T)
