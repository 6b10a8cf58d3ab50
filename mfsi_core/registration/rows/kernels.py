"""Kernels: displaced pixels of a frame and the scene, a cubic B-spline or an image, in single precision.

The displacement changes slowly along a row. A row is therefore cut into runs of pixels with the same whole part of the
displacement: from one pixel of a run to the next the knots needed move on by one, so that loops are vectorised.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

SINGLE = np.float32
FINITE = {"reassoc", "nsz", "arcp", "contract", "afn"}  # flags of fast mathematics that still respect NaN
STATISTICS = 10  # sums over a frame, from which its gain and offset and the noise are fitted
CHANNELS = 17  # quantities that `look` sums over each row; its docstring lists them
NEEDED = np.array([7, 7, 7, 4, 4, 5, 6, 6, 3, 1, 3, 4, 4, 1, 1, 1, 1])  # polynomials each channel is summed with
DEGREES = 7  # Legendre polynomials of which products of two polynomials up to the third degree consist
OUTLIER = SINGLE(5.0)  # standard deviations of the noise beyond which a pixel counts less
SKEWED = SINGLE(4.0)  # added to that, because counting noise is skewed: intensities of one count

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


@njit(cache=True, nogil=True, fastmath=True)
def _part(d: Any, floor: Any, rest: Any) -> bool:
    """Split a row's displacements into whole part and remainder; return whether all whole parts are the same."""
    other = ZERO
    for x in range(d.size):
        whole = SINGLE(np.int32(d[x]))
        whole -= ONE if whole > d[x] else ZERO
        floor[x], rest[x] = whole, d[x] - whole
    for x in range(d.size):
        other += abs(floor[x] - floor[0])
    return bool(other == ZERO)


@njit(cache=True, nogil=True)
def _run(
    begin: int, oy: Any, ox: Any, one: bool, shape: tuple[int, int], corner: tuple[int, int]
) -> tuple[int, int, int, int, int]:
    """End of the run; begin and end of the part of it within the grid of knots; first knot (y, x) that this part needs.

    `oy`, `ox`: whole parts of the displacements; `one`: whether they are the same along the row; `corner`: knot of the
    row's first pixel if it were not displaced.
    """
    end = oy.size if one else begin + 1
    while end < oy.size and oy[end] == oy[begin] and ox[end] == ox[begin]:
        end += 1
    top, left = corner[0] + int(oy[begin]) - 1, corner[1] + int(ox[begin]) - 1
    first, last = max(begin, -left), min(end, shape[1] - 3 - left)
    if top < 0 or top > shape[0] - 4 or last <= first:
        return end, begin, begin, 0, 0
    return end, first, last, top, left + first


@njit(cache=True, nogil=True, fastmath=True)
def _splines(rest: Any, at: Any) -> None:
    """Weights of the four knots around each position in a cubic B-spline: (4, n)."""
    a0, a1, a2, a3 = at[0], at[1], at[2], at[3]
    for x in range(rest.size):
        f = rest[x]
        g = ONE - f
        a0[x] = g * g * g * SIXTH
        a1[x] = THIRD - f * f * (TWO - f) * HALF
        a2[x] = THIRD - g * g * (TWO - g) * HALF
        a3[x] = f * f * f * SIXTH


@njit(cache=True, nogil=True, fastmath=True)
def _slopes(rest: Any, at: Any) -> None:
    a0, a1, a2, a3 = at[0], at[1], at[2], at[3]
    for x in range(rest.size):
        f = rest[x]
        g = ONE - f
        a0[x] = -g * g * HALF
        a1[x] = f * (f + TWO * f - FOUR) * HALF
        a2[x] = -g * (g + TWO * g - FOUR) * HALF
        a3[x] = f * f * HALF


@njit(cache=True, nogil=True, fastmath=True)
def _gather(knots: Any, top: int, left: int, across: Any, along: Any, first: int, out: Any) -> None:
    """Sum over the knots around each pixel of the run, weighted across rows and along them: (n,)."""
    n, last = out.size, first + out.size
    k0, k1 = knots[top, left : left + n + 3], knots[top + 1, left : left + n + 3]
    k2, k3 = knots[top + 2, left : left + n + 3], knots[top + 3, left : left + n + 3]
    a0, a1, a2, a3 = across[0, first:last], across[1, first:last], across[2, first:last], across[3, first:last]
    b0, b1, b2, b3 = along[0, first:last], along[1, first:last], along[2, first:last], along[3, first:last]
    for x in range(n):
        r0 = b0[x] * k0[x] + b1[x] * k0[x + 1] + b2[x] * k0[x + 2] + b3[x] * k0[x + 3]
        r1 = b0[x] * k1[x] + b1[x] * k1[x + 1] + b2[x] * k1[x + 2] + b3[x] * k1[x + 3]
        r2 = b0[x] * k2[x] + b1[x] * k2[x + 1] + b2[x] * k2[x + 2] + b3[x] * k2[x + 3]
        r3 = b0[x] * k3[x] + b1[x] * k3[x + 1] + b2[x] * k3[x + 2] + b3[x] * k3[x + 3]
        out[x] = a0[x] * r0 + a1[x] * r1 + a2[x] * r2 + a3[x] * r3


@njit(cache=True, nogil=True, fastmath=True)
def _scatter(value: Any, top: int, left: int, across: Any, along: Any, first: int, one: Any, out: Any) -> None:
    """Transpose of `_gather`: add the values of a run to the knots around each pixel, with the same weights."""
    n, last = value.size, first + value.size
    for a in range(4):
        row, weight = out[top + a, left : left + n + 3], across[a, first:last]
        for x in range(n):
            one[x] = weight[x] * value[x]
        for b in range(4):
            part, with_b = row[b : b + n], along[b, first:last]
            for x in range(n):
                part[x] += one[x] * with_b[x]


@njit(cache=True, nogil=True, fastmath=True)
def _product(a: Any, b: Any) -> Any:
    total = ZERO
    for x in range(a.size):
        total += a[x] * b[x]
    return total


@njit(cache=True, nogil=True, fastmath=True)
def _background(bright: Any, basis: Any, offset: Any, back: Any) -> None:
    back[:] = offset
    for k in range(bright.size - 1):
        if bright[k] != ZERO:
            for x in range(back.size):
                back[x] += bright[k] * basis[k, x]


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _trust(square: Any, variance: Any, slope: Any) -> Any:
    """Weight of a pixel by its squared residual: 1, and less for outliers.

    `slope`: rise of the variance with the intensity, the intensity of one count.
    """
    least = OUTLIER * math.sqrt(variance) + SKEWED * slope
    least *= least
    share = least / max(square, least)
    return share * share


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FINITE)
def spread(
    knots: Any, corner: tuple[int, int], band: tuple[int, int], modes: Any, bright: Any, basis: Any, images: Any,
    lines: Any, noise: Any, weights: Any, rely: Any, out: Any,
) -> None:  # fmt: skip
    """Add what some rows of all frames contribute to the normal equations of the scene to `out` (H, W).

    With images it is the right-hand side: residuals of the pixels, weighted and with outliers reduced, are added to
    the knots around them. With images of no frames it is the product of the normal matrix with `knots`. Arguments as
    for `look`, each for all frames (N, ...); `band`: first row, and the row after the last one; `weights`, (N,): gain²
    / noise variance of a frame at its mean intensity.
    """
    columns = basis.shape[1]
    dy, dx = np.empty(columns, SINGLE), np.empty(columns, SINGLE)
    oy, ox = np.empty(columns, SINGLE), np.empty(columns, SINGLE)
    across, along = np.empty((4, columns), SINGLE), np.empty((4, columns), SINGLE)
    value, one, back = np.empty(columns, SINGLE), np.empty(columns, SINGLE), np.empty(columns, SINGLE)
    for n in range(modes.shape[0]):
        line, weight = lines[n], weights[n]
        for y in range(band[0], band[1]):
            _place(modes[n, y], basis, dy, dx)
            whole = _part(dy, oy, dy) & _part(dx, ox, dx)
            _splines(dy, across)
            _splines(dx, along)
            if images.shape[0] > 0:
                _background(bright[n, y], basis, line[1], back)
            begin = 0
            while begin < columns:
                begin, first, last, top, left = _run(begin, oy, ox, whole, out.shape, (y + corner[0], corner[1]))
                v = value[: last - first]
                _gather(knots, top, left, across, along, first, v)
                if images.shape[0] > 0:
                    gain = line[0] * (ONE + bright[n, y, bright.shape[2] - 1])
                    _residuals(v, images[n, y, first:last], back[first:last], gain, line, noise, weight, rely[n, y])
                else:
                    for x in range(v.size):
                        v[x] *= weight
                _scatter(v, top, left, across, along, first, one, out)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FINITE)
def _residuals(value: Any, seen: Any, back: Any, gain: Any, line: Any, noise: Any, weight: Any, rely: Any) -> None:
    """Replace the sampled scene by the residuals of the pixels, weighted and with outliers reduced; 0 where missing."""
    share, shot, steady, least = weight / line[0] * rely, noise[1], noise[0], noise[2]
    for x in range(value.size):
        model = gain * value[x] + back[x]
        residual = seen[x] - model
        residual = ZERO if math.isnan(residual) else residual
        expected = max(steady + shot * model, least)
        value[x] = share * residual * _trust(residual * residual, expected, shot)


@njit(cache=True, nogil=True, fastmath=True)
def look(
    knots: Any, corner: tuple[int, int], modes: Any, bright: Any, basis: Any, image: Any, line: Any, noise: Any,
    rely: Any, sums: Any, statistics: Any,
) -> None:  # fmt: skip
    """Sum up what each row of one frame tells about its displacement and its brightness.

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
    sums : (CHANNELS, DEGREES, Y)
        Filled, for each row and channel, with sums over the pixels times each of the first `NEEDED` polynomials.
        Channels 0 to 13 are trust / variance times: gy gy, gy gx, gx gx, residual gy, residual gx (0 to 4); 1, gy, gx,
        residual (5 to 8); gain² scene², gain scene, and this times gy, gx and residual (9 to 13), where (gy, gx) is
        the gradient of gain * scene. Channel 14 is the trust, 15 the number of pixels that are not missing, 16 their
        squared residuals / variance, capped for outliers. Not filled where it has no rows.
    statistics : (STATISTICS,) float64
        Filled with the sums that `line` and `noise` are fitted from.
    """
    rows, columns = image.shape
    dy, dx = np.empty(columns, SINGLE), np.empty(columns, SINGLE)
    oy, ox = np.empty(columns, SINGLE), np.empty(columns, SINGLE)
    across, along = np.empty((4, columns), SINGLE), np.empty((4, columns), SINGLE)
    down, right = np.empty((4, columns), SINGLE), np.empty((4, columns), SINGLE)
    back = np.empty(columns, SINGLE)
    value, sy, sx = np.empty(columns, SINGLE), np.empty(columns, SINGLE), np.empty(columns, SINGLE)
    seen = np.empty((CHANNELS, columns), SINGLE)
    wanted = sums.shape[2] > 0
    statistics[:] = 0
    for y in range(rows):
        _place(modes[y], basis, dy, dx)
        whole = _part(dy, oy, dy) & _part(dx, ox, dx)
        _splines(dy, across)
        _splines(dx, along)
        if wanted:
            _slopes(dy, down)
            _slopes(dx, right)
        _background(bright[y], basis, line[1], back)
        gain = line[0] * (ONE + bright[y, bright.shape[1] - 1])
        seen[:] = ZERO
        begin = 0
        while begin < columns:
            begin, first, last, top, left = _run(begin, oy, ox, whole, knots.shape, (y + corner[0], corner[1]))
            n = last - first
            _gather(knots, top, left, across, along, first, value[:n])
            _compare(value[:n], image[y, first:last], back[first:last], gain, line, noise, rely[y], first, seen,
                     statistics)  # fmt: skip
            if wanted:
                _gather(knots, top, left, down, along, first, sy[:n])
                _gather(knots, top, left, across, right, first, sx[:n])
                _multiply(sy[:n], sx[:n], gain, first, seen)
        if wanted:
            for c in range(CHANNELS):
                for d in range(NEEDED[c]):
                    sums[c, d, y] = _product(seen[c], basis[d])


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FINITE)
def _compare(
    value: Any, image: Any, back: Any, gain: Any, line: Any, noise: Any, rely: Any, first: int, seen: Any,
    statistics: Any,
) -> None:  # fmt: skip
    """Compare a run of pixels with the sampled scene: fill channels 5, 8, 9, 10, 13 to 16 and add to the statistics."""
    steady, shot, least = noise[0], noise[1], noise[2]
    run = slice(first, first + value.size)
    weight, pulled, power, plain, wrong = seen[5, run], seen[8, run], seen[9, run], seen[10, run], seen[13, run]
    trust, present, square = seen[14, run], seen[15, run], seen[16, run]
    for x in range(value.size):
        model = gain * value[x] + back[x]
        expected = max(steady + shot * model, least)
        residual = image[x] - model
        there = ZERO if math.isnan(residual) else ONE
        residual = ZERO if math.isnan(residual) else residual
        share = rely * there * _trust(residual * residual, expected, shot)
        weight[x], pulled[x] = share / expected, residual
        trust[x], present[x], square[x] = share, there, residual * residual / expected
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = s8 = s9 = ZERO
    for x in range(value.size):
        w, v, r, t = weight[x], value[x], pulled[x], trust[x]
        model = gain * v + back[x]
        pure = r + line[0] * v + line[1]  # the image without the brightness and gain of its rows
        s0 += w
        s1 += w * v
        s2 += w * v * v
        s3 += w * pure
        s4 += w * pure * v
        s5 += t
        s6 += t * model
        s7 += t * model * model
        s8 += r * r * t
        s9 += r * r * t * model
    for k, one in enumerate((s0, s1, s2, s3, s4, s5, s6, s7, s8, s9)):
        statistics[k] += one
    for x in range(value.size):
        v = gain * value[x]
        plain[x] = weight[x] * v
        power[x] = plain[x] * v
    for x in range(value.size):
        wrong[x] = plain[x] * pulled[x]
    for x in range(value.size):
        pulled[x] *= weight[x]
        square[x] = present[x] * min(square[x], OUTLIER * OUTLIER)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FINITE)
def _multiply(sy: Any, sx: Any, gain: Any, first: int, seen: Any) -> None:
    """Fill the channels with the gradient of the scene: 0 to 4, 6, 7, 11 and 12."""
    run = slice(first, first + sy.size)
    weight, pulled, plain, wy, wx = seen[5, run], seen[8, run], seen[10, run], seen[6, run], seen[7, run]
    for a, product, slope, b in ((wy, seen[11, run], sy, seen[0, run]), (wx, seen[12, run], sx, seen[2, run])):
        for x in range(slope.size):
            g = gain * slope[x]
            slope[x] = g
            a[x] = weight[x] * g
            b[x] = a[x] * g
        for x in range(slope.size):
            product[x] = plain[x] * slope[x]
    both, down, right = seen[1, run], seen[3, run], seen[4, run]
    for x in range(sy.size):
        both[x] = wy[x] * sx[x]
        down[x] = pulled[x] * sy[x]
    for x in range(sx.size):
        right[x] = pulled[x] * sx[x]


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FINITE)
def lay(
    modes: Any, basis: Any, image: Any, level: Any, scale: Any, corner: tuple[int, int], total: Any, weight: Any
) -> None:
    """Add the pixels (image - level) * scale to the four pixels around each in the scene, bilinearly.

    `modes`, `basis`, `image`: as for `look`; `corner`: position in the scene of the first pixel of `total`, (H, W),
    with the sign reversed. The weights are added to `weight`, (H, W).
    """
    rows, columns = image.shape
    dy, dx = np.empty(columns, SINGLE), np.empty(columns, SINGLE)
    oy, ox = np.empty(columns, SINGLE), np.empty(columns, SINGLE)
    value, seen = np.empty(columns, SINGLE), np.empty(columns, SINGLE)
    part, share = np.empty(columns, SINGLE), np.empty(columns, SINGLE)
    for y in range(rows):
        _place(modes[y], basis, dy, dx)
        whole = _part(dy, oy, dy) & _part(dx, ox, dx)
        for x in range(columns):
            one = (image[y, x] - level) * scale
            seen[x] = ZERO if math.isnan(one) else ONE
            value[x] = ZERO if math.isnan(one) else one
        begin = 0
        while begin < columns:
            begin, first, last, top, left = _run(begin, oy, ox, whole, total.shape, (y + corner[0], corner[1]))
            n = last - first
            own, there, down, right = value[first:last], seen[first:last], dy[first:last], dx[first:last]
            for a in range(2):
                for x in range(n):
                    near = down[x] if a else ONE - down[x]
                    part[x], share[x] = near * own[x], near * there[x]
                for b in range(2):
                    sums = total[top + 1 + a, left + 1 + b : left + 1 + b + n]
                    weights = weight[top + 1 + a, left + 1 + b : left + 1 + b + n]
                    if b:
                        for x in range(n):
                            sums[x] += part[x] * right[x]
                            weights[x] += share[x] * right[x]
                    else:
                        for x in range(n):
                            sums[x] += part[x] * (ONE - right[x])
                            weights[x] += share[x] * (ONE - right[x])


def legendre(degrees: int, columns: int) -> Any:
    """Legendre polynomials along a row of some columns: (degrees, columns)."""
    x = (np.arange(columns) + 0.5) / columns * 2 - 1
    return np.ascontiguousarray(np.polynomial.legendre.legvander(x, degrees - 1).T)


def displaced(modes: Any, columns: int) -> Any:
    """Displacement (2, Y, X) float32, px, of the rows of a frame whose coefficients are (Y, K, 2)."""
    basis = legendre(modes.shape[1], columns).astype(np.float32)
    return np.matmul(np.moveaxis(modes, 2, 0).astype(np.float32), basis)
