"""Kernels: the scene as a cubic B-spline, evaluated at the displaced pixels of a frame, in single precision.

Along a row the displacement changes slowly: pixels fall into runs that use the same knots but for the step from pixel
to pixel, over which loops are vectorised.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

SINGLE = np.float32
FINITE = {"reassoc", "nsz", "arcp", "contract", "afn"}  # fast mathematics that knows NaN
STATISTICS = 10
CHANNELS = 17
NEEDED = np.array([7, 7, 7, 4, 4, 5, 6, 6, 3, 1, 3, 4, 4, 1, 1, 1, 1])  # degrees needed of each channel
DEGREES = 7  # of Legendre polynomials that products of two degrees up to 3 consist of
OUTLIER = SINGLE(5.0)  # standard deviations from which on a pixel counts less, and its allowance for skewed noise
SKEWED = SINGLE(4.0)

ZERO, ONE, TWO, FOUR = SINGLE(0), SINGLE(1), SINGLE(2), SINGLE(4)
HALF, THIRD, SIXTH = SINGLE(0.5), SINGLE(2 / 3), SINGLE(1 / 6)


@njit(cache=True, nogil=True, fastmath=True)
def _place(modes: Any, basis: Any, dy: Any, dx: Any) -> None:
    """Displacements of one row's pixels, px, from the coefficients (K, 2)."""
    dy[:] = ZERO
    dx[:] = ZERO
    for k in range(modes.shape[0]):
        for x in range(dy.size):
            dy[x] += modes[k, 0] * basis[k, x]
            dx[x] += modes[k, 1] * basis[k, x]


@njit(cache=True, nogil=True)
def _run(begin: int, dy: Any, dx: Any, shape: tuple[int, int], corner: tuple[int, int]) -> Any:
    """End of the run, the part of it that lies within the knots, its first knot, the floor of its displacement.

    `corner`: knot of the row's first pixel were it not displaced.
    """
    oy, ox = math.floor(dy[begin]), math.floor(dx[begin])
    end = begin + 1
    while end < dy.size and math.floor(dy[end]) == oy and math.floor(dx[end]) == ox:
        end += 1
    top, left = corner[0] + int(oy) - 1, corner[1] + int(ox) - 1
    first, last = max(begin, -left), min(end, shape[1] - 3 - left)
    if top < 0 or top > shape[0] - 4 or last <= first:
        return end, begin, begin, 0, 0, SINGLE(oy), SINGLE(ox)
    return end, first, last, top, left + first, SINGLE(oy), SINGLE(ox)


@njit(cache=True, nogil=True, fastmath=True)
def _splines(d: Any, floor: Any, at: Any) -> None:
    """Cubic B-spline at the four knots around each position: (4, n)."""
    for x in range(d.size):
        f = d[x] - floor
        g = ONE - f
        at[0, x] = g * g * g * SIXTH
        at[1, x] = THIRD - f * f * (TWO - f) * HALF
        at[2, x] = THIRD - g * g * (TWO - g) * HALF
        at[3, x] = f * f * f * SIXTH


@njit(cache=True, nogil=True, fastmath=True)
def _slopes(d: Any, floor: Any, at: Any) -> None:
    for x in range(d.size):
        f = d[x] - floor
        g = ONE - f
        at[0, x] = -g * g * HALF
        at[1, x] = f * (f + TWO * f - FOUR) * HALF
        at[2, x] = -g * (g + TWO * g - FOUR) * HALF
        at[3, x] = f * f * HALF


@njit(cache=True, nogil=True, fastmath=True)
def _gather(knots: Any, top: int, left: int, across: Any, along: Any, out: Any) -> None:
    """Sum over the knots around each pixel of the run, weighted across rows and along them: (n,)."""
    n = out.size
    k0, k1 = knots[top, left : left + n + 3], knots[top + 1, left : left + n + 3]
    k2, k3 = knots[top + 2, left : left + n + 3], knots[top + 3, left : left + n + 3]
    a0, a1, a2, a3 = across[0, :n], across[1, :n], across[2, :n], across[3, :n]
    b0, b1, b2, b3 = along[0, :n], along[1, :n], along[2, :n], along[3, :n]
    for x in range(n):
        r0 = b0[x] * k0[x] + b1[x] * k0[x + 1] + b2[x] * k0[x + 2] + b3[x] * k0[x + 3]
        r1 = b0[x] * k1[x] + b1[x] * k1[x + 1] + b2[x] * k1[x + 2] + b3[x] * k1[x + 3]
        r2 = b0[x] * k2[x] + b1[x] * k2[x + 1] + b2[x] * k2[x + 2] + b3[x] * k2[x + 3]
        r3 = b0[x] * k3[x] + b1[x] * k3[x + 1] + b2[x] * k3[x + 2] + b3[x] * k3[x + 3]
        out[x] = a0[x] * r0 + a1[x] * r1 + a2[x] * r2 + a3[x] * r3


@njit(cache=True, nogil=True, fastmath=True)
def _scatter(value: Any, top: int, left: int, across: Any, along: Any, one: Any, out: Any) -> None:
    """Transposed `_gather`."""
    n = value.size
    for a in range(4):
        row, weight = out[top + a, left : left + n + 3], across[a, :n]
        for x in range(n):
            one[x] = weight[x] * value[x]
        for b in range(4):
            part, with_b = row[b : b + n], along[b, :n]
            for x in range(n):
                part[x] += one[x] * with_b[x]


@njit(cache=True, nogil=True, fastmath=True)
def _background(bright: Any, basis: Any, offset: Any, back: Any) -> None:
    back[:] = offset
    for k in range(bright.size - 1):
        if bright[k] != ZERO:
            for x in range(back.size):
                back[x] += bright[k] * basis[k, x]


@njit(cache=True, nogil=True, fastmath=True)
def _trust(square: Any, variance: Any, slope: Any) -> Any:
    """Weight of a pixel by its squared residual: 1, but falls for outliers; noise that is skewed is allowed more."""
    least = OUTLIER * math.sqrt(variance) + SKEWED * slope
    least *= least
    share = least / max(square, least)
    return share * share


@njit(cache=True, nogil=True, fastmath=FINITE)
def spread(
    knots: Any, corner: tuple[int, int], modes: Any, bright: Any, basis: Any, image: Any, line: Any, noise: Any,
    weight: Any, rely: Any, out: Any,
) -> None:  # fmt: skip
    """Normal equations of the scene, one frame's share.

    Adds to `out` (H, W) the transposed sampling of the weighted, trusted residuals of the image or, where that has no
    rows, of the knots as sampled. Arguments as for `look`; `weight`: gain² / variance of the frame at its mean.
    """
    rows, columns = modes.shape[0], basis.shape[1]
    dy, dx = np.empty(columns, SINGLE), np.empty(columns, SINGLE)
    across, along = np.empty((4, columns), SINGLE), np.empty((4, columns), SINGLE)
    value, one, back = np.empty(columns, SINGLE), np.empty(columns, SINGLE), np.empty(columns, SINGLE)
    for y in range(rows):
        _place(modes[y], basis, dy, dx)
        if image.shape[0] > 0:
            _background(bright[y], basis, line[1], back)
        begin = 0
        while begin < columns:
            begin, first, last, top, left, oy, ox = _run(begin, dy, dx, out.shape, (y + corner[0], corner[1]))
            n = last - first
            _splines(dy[first:last], oy, across)
            _splines(dx[first:last], ox, along)
            v = value[:n]
            _gather(knots, top, left, across, along, v)
            if image.shape[0] > 0:
                gain = line[0] * (ONE + bright[y, bright.shape[1] - 1])
                seen, behind = image[y, first:last], back[first:last]
                for x in range(n):
                    model = gain * v[x] + behind[x]
                    residual = seen[x] - model
                    if math.isnan(residual):
                        residual = ZERO
                    expected = max(noise[0] + noise[1] * model, noise[2])
                    v[x] = weight / line[0] * rely[y] * residual * _trust(residual * residual, expected, noise[1])
            else:
                for x in range(n):
                    v[x] *= weight
            _scatter(v, top, left, across, along, one, out)


@njit(cache=True, nogil=True, fastmath=True)
def look(
    knots: Any, corner: tuple[int, int], modes: Any, bright: Any, basis: Any, image: Any, line: Any, noise: Any,
    rely: Any, sums: Any, statistics: Any,
) -> None:  # fmt: skip
    """Take down what each row of one frame tells about its displacement and its brightness.

    Parameters
    ----------
    knots : (H, W)
        Scene; knot (0, 0) lies at the scene position -corner.
    corner : (int, int)
    modes : (Y, K, 2)
        Displacement (y, x) of each row: coefficients of the first K functions of the basis, px.
    bright : (Y, B + 1)
        Brightness of each row: coefficients of the first B functions, which are added, and a gain less 1.
    basis : (DEGREES, X)
        Legendre polynomials along the row.
    image : (Y, X)
        NaN where there is no value.
    line : (2,)
        Gain and offset of the frame: image = gain * scene + offset.
    noise : (3,)
        Variance = noise[0] + noise[1] * model, but at least noise[2].
    rely : (Y,)
        Trust in each row.
    sums : (Y, CHANNELS, DEGREES)
        Filled with sums over each row, times the first `NEEDED` polynomials, of trust / variance * (gy gy,
        gy gx, gx gx, residual gy, residual gx; 1, gy, gx, residual; gain² scene², gain scene, and this times gy, gx,
        residual); of the trust, the pixels there are, and their squared residuals / variance, outliers' cut short.
        Left alone where it has no rows.
    statistics : (STATISTICS,) float64
        Filled with the sums that `line` and `noise` are fitted from.
    """
    rows, columns = image.shape
    dy, dx = np.empty(columns, SINGLE), np.empty(columns, SINGLE)
    across, along = np.empty((4, columns), SINGLE), np.empty((4, columns), SINGLE)
    down, right = np.empty((4, columns), SINGLE), np.empty((4, columns), SINGLE)
    back = np.empty(columns, SINGLE)
    value, sy, sx = np.empty(columns, SINGLE), np.empty(columns, SINGLE), np.empty(columns, SINGLE)
    seen = np.empty((CHANNELS, columns), SINGLE)
    statistics[:] = 0
    for y in range(rows):
        _place(modes[y], basis, dy, dx)
        _background(bright[y], basis, line[1], back)
        gain = line[0] * (ONE + bright[y, bright.shape[1] - 1])
        seen[:] = ZERO
        begin = 0
        while begin < columns:
            begin, first, last, top, left, oy, ox = _run(begin, dy, dx, knots.shape, (y + corner[0], corner[1]))
            n = last - first
            _splines(dy[first:last], oy, across)
            _splines(dx[first:last], ox, along)
            _slopes(dy[first:last], oy, down)
            _slopes(dx[first:last], ox, right)
            _gather(knots, top, left, across, along, value[:n])
            _gather(knots, top, left, down, along, sy[:n])
            _gather(knots, top, left, across, right, sx[:n])
            _compare(value[:n], sy[:n], sx[:n], image[y, first:last], back[first:last], gain, line, noise,
                     rely[y], seen[:, first:last], statistics)  # fmt: skip
        for c in range(CHANNELS if sums.shape[0] > 0 else 0):
            for d in range(NEEDED[c]):
                total = ZERO
                for x in range(columns):
                    total += seen[c, x] * basis[d, x]
                sums[y, c, d] = total


@njit(cache=True, nogil=True, fastmath=FINITE)
def _compare(
    value: Any,
    sy: Any,
    sx: Any,
    image: Any,
    back: Any,
    gain: Any,
    line: Any,
    noise: Any,
    rely: Any,
    seen: Any,
    statistics: Any,
) -> None:
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = s8 = s9 = ZERO
    for x in range(value.size):
        plain = gain * value[x]
        model = plain + back[x]
        expected = max(noise[0] + noise[1] * model, noise[2])
        residual, present = image[x] - model, ONE
        if math.isnan(residual):
            residual, present = ZERO, ZERO
        trust = rely * present * _trust(residual * residual, expected, noise[1])
        weight = trust / expected
        gy, gx = gain * sy[x], gain * sx[x]
        wy, wx, wr = weight * gy, weight * gx, weight * residual
        seen[0, x], seen[1, x], seen[2, x] = wy * gy, wy * gx, wx * gx
        seen[3, x], seen[4, x] = wr * gy, wr * gx
        seen[5, x], seen[6, x], seen[7, x], seen[8, x] = weight, wy, wx, wr
        seen[9, x], seen[10, x] = weight * plain * plain, weight * plain
        seen[11, x], seen[12, x], seen[13, x] = wy * plain, wx * plain, wr * plain
        seen[14, x], seen[15, x] = trust, present
        seen[16, x] = present * min(residual * residual / expected, OUTLIER * OUTLIER)
        pure = residual + line[0] * value[x] + line[1]  # the image less what is fitted to its rows
        s0 += weight
        s1 += weight * value[x]
        s2 += weight * value[x] * value[x]
        s3 += weight * pure
        s4 += weight * pure * value[x]
        square = residual * residual * trust
        s5 += trust
        s6 += trust * model
        s7 += trust * model * model
        s8 += square
        s9 += square * model
    statistics[0] += s0
    statistics[1] += s1
    statistics[2] += s2
    statistics[3] += s3
    statistics[4] += s4
    statistics[5] += s5
    statistics[6] += s6
    statistics[7] += s7
    statistics[8] += s8
    statistics[9] += s9


def legendre(degrees: int, columns: int) -> Any:
    """Legendre polynomials along a row of some columns: (degrees, columns)."""
    x = (np.arange(columns) + 0.5) / columns * 2 - 1
    return np.ascontiguousarray(np.polynomial.legendre.legvander(x, degrees - 1).T)


def displaced(modes: Any, columns: int) -> Any:
    """Displacement (2, Y, X) float32, px, of the rows of a frame whose coefficients are (Y, K, 2)."""
    basis = legendre(modes.shape[1], columns).astype(np.float32)
    return np.matmul(np.moveaxis(modes, 2, 0).astype(np.float32), basis)
