"""Compiled kernels of the quantiser; the clauses are those of spec/lbj.md section 8.8."""

# mypy: ignore-errors
# Inside compiled kernels types are numba's.

from __future__ import annotations

import numpy as np
from numba import njit

from .integers import dither

FAR = 2.0**53 - 64  # bound of fixed-point values, less their rounding in f64


@njit(cache=True, nogil=True)
def _fixed(t, maps, k):
    """Fixed-point value of a sample (clause 8.8.2)."""
    w = t * t - 341 if t > 0 else 0
    return (maps[k, 0] * w + maps[k, 1] * t + maps[k, 2]) >> maps[k, 3]


@njit(cache=True, nogil=True)
def carried(values, maps, which, chained, seed, out):
    """Error diffusion: fill `out` with (rows, C) values plus the rounding error of the columns before, along chains.

    A column takes over at most half a step of its own; the rest goes on to the next column.
    """
    rows, channels = values.shape
    scale = 2.0 ** (maps[:, 3] + maps[:, 4])
    curves, slopes = maps[:, 0] / scale, maps[:, 1] / scale
    levels = (maps[:, 2] - (1 << maps[:, 3] >> 1)) / scale
    for i in range(rows):
        left = 0.0
        for c in range(channels):
            curve, slope, level = curves[which[c]], slopes[which[c]], levels[which[c]]
            above = values[i, c] - level
            root = np.sqrt(slope * slope + 4 * curve * max(above, 0.0))
            if chained[c]:
                above += min(max(left, -32 * root), 32 * root)
                root = np.sqrt(slope * slope + 4 * curve * max(above, 0.0))
            else:
                left = 0.0
            out[i, c] = above + level
            u = dither(seed, i * channels + c)
            sample = 64 * np.rint((2 * above / (slope + root) + u) / 64) - u
            left += values[i, c] - level - slope * sample - (curve * (sample * sample - 341) if sample > 0 else 0.0)


@njit(cache=True, nogil=True)
def quantise(values, aims, odd, q, maps, which, noise, seed, limit, whole):
    """Quantise (rows, C) aims, column c with map `which[c]`, and measure how far from the values that leads.

    Errors are in standard deviations. Returns whether all integers are within the limit, the sum of squared errors,
    their number and the largest.
    """
    rows, channels = values.shape
    scale = 2.0 ** (maps[:, 3] + maps[:, 4])
    curve, slope = (maps[:, 0] / scale)[which], (maps[:, 1] / scale)[which]
    level = ((maps[:, 2] - (1 << maps[:, 3] >> 1)) / scale)[which]
    grid = (2.0 ** maps[:, 4])[which]
    read, gain, flicker, zero = noise[which, 0], noise[which, 1], noise[which, 2], noise[which, 3]
    u, t, error = np.empty(channels), np.empty(channels), np.empty(channels)
    total, worst, n = 0.0, 0.0, 0
    for i in range(rows):
        v, aim, line = values[i], aims[i], q[i]
        # Short loops without branches, which the compiler vectorises.
        for c in range(channels):
            u[c] = dither(seed, i * channels + c)
        outside = 0
        for c in range(channels):
            above = aim[c] - level[c]
            # t solves curve t² + slope t = above, in the form without cancellation; below zero t = above / slope.
            root = 2 * above / (slope[c] + np.sqrt(slope[c] * slope[c] + 4 * curve[c] * max(above, 0.0)))
            t[c] = np.rint((root + u[c]) / 64)
            outside += 0 if abs(t[c]) <= limit else 1
        if outside:
            return False, total, n, worst
        for c in range(channels):
            line[c] = np.int32(t[c])
            sample = 64 * t[c] - u[c]
            value = level[c] + slope[c] * sample + (curve[c] * (sample * sample - 341) if sample > 0 else 0.0)
            fixed = np.rint(value * grid[c])
            outside += 0 if abs(fixed) < FAR else 1
            value = fixed / grid[c]
            if whole:
                value = np.rint(value)
            over = max(v[c] - zero[c], 0.0)
            error[c] = (value - v[c]) ** 2 / (read[c] + gain[c] * over + flicker[c] * over * over)
        if outside:
            return False, total, n, worst
        for c in range(channels):
            if odd.size and odd[i, c]:
                continue
            total += error[c]
            worst = max(worst, error[c])
            n += 1
    return True, total, n, np.sqrt(worst)


@njit(cache=True, nogil=True)
def restore(q, out, maps, which, dithered, seed, first):
    """Fixed-point values of (rows, C) integers from row `first` on.

    Returns False where a sample lies beyond 2^25 or its value beyond 2^53.
    """
    for i in range(q.shape[0]):
        for c in range(q.shape[1]):
            k = which[c]
            t = 64 * np.int64(q[i, c]) - (dither(seed, (first + i) * q.shape[1] + c) if dithered else 0)
            if t > 1 << 25 or t < -(1 << 25):
                return False
            out[i, c] = _fixed(t, maps, k)
            if abs(out[i, c]) >= 1 << 53:
                return False
    return True


@njit(cache=True, nogil=True)
def spikes(values, shape, image, noise, out):
    """Mark values that stand 8 standard deviations above, or below, all their neighbours.

    Neighbours of an image's pixel are the eight around it; of a voxel, two channels off and in the next pixels.
    """
    height, width, channels = shape
    reach = 1 if image else 2
    for y in range(height):
        for x in range(width):
            line = values[y, x]
            # A quick look along the channels first: neighbours in other pixels only make a value stand out less.
            some = _suspects(line, reach, noise)
            for c in range(channels):
                if some or c < reach or c >= channels - reach:
                    out[y, x, c] = _spike(values, shape, image, noise, y, x, c, reach)


@njit(cache=True, nogil=True)
def _suspects(line, reach, noise):
    """Count the values of a line that stand out from the values `reach` before and after them."""
    count = 0
    for c in range(reach, line.size - reach):
        a, b = np.float64(line[c - reach]), np.float64(line[c + reach])
        count += 1 if _stands_out(np.float64(line[c]), min(a, b), max(a, b), noise) else 0
    return count


@njit(cache=True, nogil=True)
def _spike(values, shape, image, noise, y, x, c, reach):
    """Whether a value stands out from all its neighbours."""
    height, width, channels = shape
    v = np.float64(values[y, x, c])
    low, high, n = np.inf, -np.inf, 0
    for d in (-reach, reach):
        if 0 <= c + d < channels:
            e = values[y, x, c + d]
            low, high, n = min(low, e), max(high, e), n + 1
    if n == 0 or not _stands_out(v, low, high, noise):
        return False
    for dy in range(-1, 2):
        for dx in range(-1, 2):
            if (dy == 0) == (dx == 0):
                continue
            if 0 <= y + dy < height and 0 <= x + dx < width:
                for d in range(-1 if image else 0, 2 if image else 1):
                    if 0 <= c + d < channels:
                        e = values[y + dy, x + dx, c + d]
                        low, high, n = min(low, e), max(high, e), n + 1
    return n >= 3 and _stands_out(v, low, high, noise)


@njit(cache=True, nogil=True)
def _stands_out(v, low, high, noise):
    """Whether a value lies 8 standard deviations outside of a range."""
    read, gain, multiplicative, zero = noise
    edge = high if v > high else low
    above = max(edge - zero, 0.0)
    far = 64 * (read * read + gain * above + (multiplicative * above) ** 2)
    return ((v > high) | (v < low)) & ((v - edge) ** 2 > far)
