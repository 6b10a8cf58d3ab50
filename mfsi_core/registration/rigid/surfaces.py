"""Surfaces: cross-correlations of pairs of images on a grid of shifts, and their peaks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

NEAREST = 0.7  # share of a pair's highest peak; the shortest shift with a higher peak is always a candidate
TAPS = 8  # grid points on either side from which the height of a peak is interpolated
# Cosine and sine of the window of that interpolation at the grid points.
TURNS = np.array([f(np.pi * np.arange(1 - TAPS, TAPS + 1) / TAPS) for f in (np.cos, np.sin)])


@njit(cache=True, nogil=True, fastmath=True)
def turned(spectrum: Any, ramp_y: Any, ramp_x: Any) -> Any:
    """Spectrum times a phase ramp along either axis, which shifts the image."""
    out = np.empty_like(spectrum)
    for y in range(spectrum.shape[0]):
        one, wave, turn = out[y], spectrum[y], ramp_y[y]
        for x in range(one.size):
            one[x] = wave[x] * (turn * ramp_x[x])
    return out


@njit(cache=True, nogil=True, fastmath=True)
def turned_sum(spectra: Any, ramp_y: Any, ramp_x: Any, first: int, last: int, out: Any) -> None:
    """Sum over the frames, (N, H, W), of what `turned` makes of them; rows `first` to `last` of `out` are filled."""
    for y in range(first, last):
        one = out[y]
        one[:] = 0
        for n in range(spectra.shape[0]):
            wave, turn, along = spectra[n, y], ramp_y[n, y], ramp_x[n]
            for x in range(one.size):
                one[x] += wave[x] * (turn * along[x])


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def crossed(spectra: Any, first: Any, second: Any) -> Any:
    """Cross spectra (P, H, W) of pairs, conj(first) second, complex64."""
    out = np.empty((first.size, *spectra.shape[1:]), np.complex64)
    for n in range(first.size):
        for y in range(spectra.shape[1]):
            a, b, one = spectra[first[n], y], spectra[second[n], y], out[n, y]
            for x in range(one.size):
                one[x] = a[x].conjugate() * b[x]
    return out


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def crossed_white(spectra: Any, rows: Any, across: Any, weight: Any, first: Any, second: Any) -> Any:
    """Cross spectra (P, H, W) of pairs whose row means were subtracted, times a weight (H, W).

    `rows`, (N, H): spectra of the frames' row means; `across`, (W,): spectrum of the window along a row.
    """
    out = np.empty((first.size, *spectra.shape[1:]), np.complex64)
    for n in range(first.size):
        i, j = first[n], second[n]
        for y in range(spectra.shape[1]):
            a, b, one, share = spectra[i, y], spectra[j, y], out[n, y], weight[y]
            mean, other = rows[i, y], rows[j, y]
            for x in range(one.size):
                one[x] = (a[x] - mean * across[x]).conjugate() * (b[x] - other * across[x]) * share[x]
    return out


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def normalise(surfaces: Any, first: Any, second: Any, mean: Any, scale: Any) -> None:
    """Turn correlations (P, H, W) into correlation coefficients of the overlapping parts, in place.

    `mean`, `scale`: mean and inverse standard deviation of the part of a frame that overlaps another at each shift,
    where it is the first of the pair, at every second shift, (N, H/2, W/2), or every one along axes of one point. For
    the second frame those at the opposite shift hold.
    """
    count, rows, columns = surfaces.shape
    lines = np.empty((4, (columns + 1) // 2, 2), np.float32)  # even and odd points in turn
    flat = lines.reshape(4, -1)
    a, s, b, t = flat[0], flat[1], flat[2], flat[3]
    between = np.empty(columns // 2 + 1, np.float32)
    for y in range(rows):
        last = -1
        for n in range(count):
            if first[n] != last:
                last = first[n]
                _interpolated(mean[last], y, rows, False, between, lines[0])
                _interpolated(scale[last], y, rows, False, between, lines[1])
            _interpolated(mean[second[n]], y, rows, True, between, lines[2])
            _interpolated(scale[second[n]], y, rows, True, between, lines[3])
            one = surfaces[n, y]
            for x in range(columns):
                one[x] = (one[x] - a[x] * b[x]) * s[x] * t[x]


@njit(cache=True, nogil=True, fastmath=True)
def _interpolated(coarse: Any, y: int, rows: int, opposite: bool, between: Any, out: Any) -> None:
    """Row y of a periodic image, even and odd points (X/2, 2), of which every second one is given.

    Along axes of one point it is given. With `opposite` it is row -y, from point 0 backwards.
    """
    half = np.float32(0.5)
    y = (rows - y) % rows if opposite else y
    step = 2 if rows > 1 else 1
    up, down = coarse[y // step], coarse[(y + step - 1) // step % len(coarse)]
    last = between.size - 1
    if opposite:
        for k in range(up.size):
            between[last - k] = half * (up[k] + down[k])
        between[0] = between[last]
    else:
        for k in range(up.size):
            between[k] = half * (up[k] + down[k])
        between[last] = between[0]
    here, following = between[: len(out)], between[min(last, 1) :]
    for k in range(len(out)):
        out[k, 0] = here[k]
        out[k, 1] = half * (here[k] + following[k])


@njit(cache=True, nogil=True)
def _vertex(a: float, b: float, c: float, d: float, e: float) -> float:
    """Position of the maximum, from the middle on, of the quartic through five equidistant points."""
    c1 = (a - 8 * b + 8 * d - e) / 12
    c2 = (-a + 16 * b - 30 * c + 16 * d - e) / 24
    c3 = (-a + 2 * b - 2 * d + e) / 12
    c4 = (a - 4 * b + 6 * c - 4 * d + e) / 24
    t = 0.0
    for _ in range(5):
        slope = c1 + t * (2 * c2 + t * (3 * c3 + t * 4 * c4))
        bend = 2 * c2 + t * (6 * c3 + t * 12 * c4)
        if bend >= 0:
            return 0.0
        t = min(max(t - slope / bend, -0.75), 0.75)
    return t


@njit(cache=True, nogil=True)
def _sinc(t: float, weight: Any) -> None:
    """Interpolation weights of the grid points 1 - TAPS … TAPS at t, 0 to 1: a sinc times a squared-cosine window."""
    total = 0.0
    sine = math.sin(math.pi * t) / math.pi
    cosine_t, sine_t = math.cos(math.pi * t / TAPS), math.sin(math.pi * t / TAPS)
    for k in range(2 * TAPS):
        away = t - (k + 1 - TAPS)
        value = 0.5 * (1 + cosine_t * TURNS[0, k] + sine_t * TURNS[1, k])
        if abs(away) > 1e-9:
            value *= (sine if (k + 1 - TAPS) % 2 == 0 else -sine) / away
        weight[k] = value
        total += value
    weight /= total


@njit(cache=True, nogil=True)
def _height(surface: Any, y: float, x: float, weight_y: Any, weight_x: Any) -> float:
    """Value of a periodic surface between its grid points."""
    rows, columns = surface.shape
    top, left = math.floor(y), math.floor(x)
    _sinc(y - top, weight_y)
    _sinc(x - left, weight_x)
    first, out = (left + 1 - TAPS) % columns, 0.0
    for a in range(2 * TAPS if rows > 1 else 1):
        line = surface[(top + a + 1 - TAPS) % rows]
        x, along = first, 0.0
        for b in range(2 * TAPS if columns > 1 else 1):
            along += (weight_x[b] if columns > 1 else 1.0) * line[x]
            x = x + 1 if x + 1 < columns else 0
        out += (weight_y[a] if rows > 1 else 1.0) * along
    return out


@njit(cache=True, nogil=True)
def _is_peak(surface: Any, y: int, x: int) -> bool:
    rows, columns = surface.shape
    value = surface[y, x]
    if 0 < x < columns - 1 and (surface[y, x - 1] > value or surface[y, x + 1] >= value):
        return False
    for dy in range(-1 if rows > 1 else 0, 2 if rows > 1 else 1):
        row = y + dy
        row = row - rows if row >= rows else row + rows if row < 0 else row
        for dx in range(-1 if columns > 1 else 0, 2 if columns > 1 else 1):
            column = x + dx
            column = column - columns if column >= columns else column + columns if column < 0 else column
            other = surface[row, column]
            if other > value or (other == value and (dy > 0 or (dy == 0 and dx > 0))):
                return False
    return True


@njit(cache=True, nogil=True)
def _peak(surface: Any, y: int, x: int, weight_y: Any, weight_x: Any) -> tuple[float, float, float]:
    """Shift (y, x) and height of the maximum around a grid point."""
    rows, columns = surface.shape
    value = surface[y, x]
    down, right = surface[(y + 1) % rows, x], surface[y, (x + 1) % columns]
    up, left = surface[(y - 1) % rows, x], surface[y, (x - 1) % columns]
    dy = _vertex(surface[(y - 2) % rows, x], up, value, down, surface[(y + 2) % rows, x])
    dx = _vertex(surface[y, (x - 2) % columns], left, value, right, surface[y, (x + 2) % columns])
    height = _height(surface, y + dy, x + dx, weight_y, weight_x)
    return (y if 2 * y < rows else y - rows) + dy, (x if 2 * x < columns else x - columns) + dx, height


@njit(cache=True, nogil=True, fastmath=True)
def _highest(a: Any, b: Any) -> Any:
    out = a[0] * b[0]
    for x in range(a.size):
        out = max(out, a[x] * b[x])
    return out


@njit(cache=True, nogil=True)
def peaks(surfaces: Any, rank: Any, shift: Any, score: Any) -> None:
    """Find the local maxima of each periodic surface that are highest in rank times height, and the nearest high one.

    `shift`, (P, K, 2), and `score`, (P, K), are filled with their shifts, grid points (y, x), and heights.
    """
    count, rows, columns = surfaces.shape
    kept = shift.shape[1]
    order = np.empty(kept)
    weight_y, weight_x = np.empty(2 * TAPS), np.empty(2 * TAPS)
    for n in range(count):
        surface = surfaces[n]
        order[:] = 0
        for y in range(rows):
            if _highest(rank[y], surface[y]) <= max(0.9 * order[kept - 1], 0.0):
                continue
            for x in range(columns):
                value = surface[y, x]
                if rank[y, x] * value <= max(0.9 * order[kept - 1], 0.0) or not _is_peak(surface, y, x):
                    continue
                dy, dx, height = _peak(surface, y, x, weight_y, weight_x)
                if rank[y, x] * height <= order[kept - 1]:
                    continue
                place = kept - 1
                while place > 0 and order[place - 1] < rank[y, x] * height:
                    order[place] = order[place - 1]
                    score[n, place] = score[n, place - 1]
                    shift[n, place] = shift[n, place - 1]
                    place -= 1
                order[place] = rank[y, x] * height
                score[n, place], shift[n, place, 0], shift[n, place, 1] = height, dy, dx
        least, nearest, ny, nx = NEAREST * score[n].max(), np.inf, -1, -1
        for y in range(rows if least > 0 else 0):
            down = min(y, rows - y) ** 2
            for x in range(columns if down < nearest else 0):
                if surface[y, x] >= least:
                    away = down + min(x, columns - x) ** 2
                    if away < nearest and _is_peak(surface, y, x):
                        nearest, ny, nx = away, y, x
        if ny >= 0:
            dy, dx, height = _peak(surface, ny, nx, weight_y, weight_x)
            if (np.abs(shift[n, :, 0] - dy) + np.abs(shift[n, :, 1] - dx)).min() > 0:
                score[n, kept - 1], shift[n, kept - 1, 0], shift[n, kept - 1, 1] = height, dy, dx
