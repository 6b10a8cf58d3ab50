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
def _positions(y: int, corner: tuple[float, float], modes: Any, basis: Any, py: Any, px: Any) -> None:
    """Fill in the positions of one row's pixels on the grid of knots."""
    py[:] = y + corner[0]
    for x in range(px.size):
        px[x] = x + corner[1]
    for k in range(modes.shape[1]):
        for x in range(px.size):
            py[x] += modes[y, k, 0] * basis[k, x]
            px[x] += modes[y, k, 1] * basis[k, x]


@njit(cache=True, nogil=True)
def look(
    knots: Any, corner: tuple[float, float], modes: Any, basis: Any, image: Any, line: Any, noise: Any,
    seen: Any, statistics: Any,
) -> None:  # fmt: skip
    """Take down what each pixel of one frame tells about its displacement.

    Parameters
    ----------
    knots : (H, W)
        Scene; knot (0, 0) lies at the scene position -corner.
    corner : (float, float)
    modes : (Y, K, 2)
        Displacement (y, x) of each row: coefficients of the first K functions of the basis.
    basis : (D, X)
        Legendre polynomials along the row, D >= K.
    image : (Y, X)
    line : (2,)
        Gain and offset of the frame: image = gain * scene + offset.
    noise : (3,)
        Variance = noise[0] + noise[1] * (gain * scene + offset), but at least noise[2].
    seen : (Y, 5, X)
        Filled with weight * (gy gy, gy gx, gx gx, residual gy, residual gx); zero outside the knots.
    statistics : (STATISTICS,)
        Filled with the sums that `line` and `noise` are fitted from.
    """
    rows, columns = image.shape
    height, width = knots.shape
    py, px = np.empty(columns), np.empty(columns)
    statistics[:] = 0
    gain, offset = line[0], line[1]
    for y in range(rows):
        _positions(y, corner, modes, basis, py, px)
        for x in range(columns):
            iy, ix = math.floor(py[x]), math.floor(px[x])
            if iy < 1 or ix < 1 or iy > height - 3 or ix > width - 3:
                seen[y, :, x] = 0
                continue
            by, bx = _values(py[x] - iy), _values(px[x] - ix)
            dy, dx = _slopes(py[x] - iy), _slopes(px[x] - ix)
            top, left = np.uint64(iy - 1), np.uint64(ix - 1)  # unsigned: not to be counted from the end
            value = sy = sx = 0.0
            for a in range(4):
                across = along = 0.0
                for b in range(4):
                    knot = knots[top + np.uint64(a), left + np.uint64(b)]
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
            seen[y, 0, x] = weight * sy * sy
            seen[y, 1, x] = weight * sy * sx
            seen[y, 2, x] = weight * sx * sx
            seen[y, 3, x] = weight * residual * sy
            seen[y, 4, x] = weight * residual * sx
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
    height, width = out.shape
    py, px = np.empty(columns), np.empty(columns)
    gain, offset = line[0], line[1]
    weight = gain / max(noise[0] + noise[1] * (gain * level + offset), noise[2])
    wanted = right.size > 0
    for y in range(rows):
        _positions(y, corner, modes, basis, py, px)
        for x in range(columns):
            iy, ix = math.floor(py[x]), math.floor(px[x])
            if iy < 1 or ix < 1 or iy > height - 3 or ix > width - 3:
                continue
            by, bx = _values(py[x] - iy), _values(px[x] - ix)
            top, left = np.uint64(iy - 1), np.uint64(ix - 1)
            if wanted:
                value = weight * (image[y, x] - offset - gain * level)
                for a in range(4):
                    for b in range(4):
                        right[top + np.uint64(a), left + np.uint64(b)] += by[a] * value * bx[b]
            model = 0.0
            for a in range(4):
                across = 0.0
                for b in range(4):
                    across += bx[b] * knots[top + np.uint64(a), left + np.uint64(b)]
                model += by[a] * across
            model *= weight * gain
            for a in range(4):
                for b in range(4):
                    out[top + np.uint64(a), left + np.uint64(b)] += by[a] * model * bx[b]


def legendre(degrees: int, columns: int) -> Any:
    """Legendre polynomials along a row of some columns: (degrees, columns)."""
    x = (np.arange(columns) + 0.5) / columns * 2 - 1
    return np.ascontiguousarray(np.polynomial.legendre.legvander(x, degrees - 1).T)
