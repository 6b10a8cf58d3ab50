"""Unknowns of a row: its displacement and brightness as polynomials along it, with their normal equations."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba import njit

from lbj.array_types import Floats, Singles

MODES = 4  # Legendre polynomials of the displacement, up to the third degree; y and x of each in turn
SHADES = 3  # Legendre polynomials of the added brightness, up to the second degree; the row's gain comes after them
SHIFTS = 2 * MODES
SIZE = SHIFTS + SHADES + 1
# First guess of each unknown, rms: displacements in px, brightness in standard deviations of the images.
FIRST_SPREAD = np.array([0.3, 0.3] + [0.075] * (SHIFTS - 2) + [0.1, 0.05, 0.05, 0.05])


def information(sums: Any, share: Any) -> tuple[Singles, Singles]:
    """Normal equations of each row: matrix (information) (N, SIZE, SIZE, Y) and right-hand side (pull) (N, SIZE, Y).

    They are put together from the sums of `kernels.look`, (N, CHANNELS, D, Y): the product of two Legendre polynomials
    is a sum of Legendre polynomials. `share`, (N, Y): factor on the derivatives by the displacements.
    """
    frames, rows = share.shape
    out, pull = np.empty((frames, SIZE, SIZE, rows), np.float32), np.empty((frames, SIZE, rows), np.float32)
    _fill(sums, share.astype(np.float32), _products(MODES).astype(np.float32), out, pull)
    return out, pull


@njit(cache=True, nogil=True, fastmath=True)
def _fill(sums: Any, shares: Any, products: Any, out: Any, pull: Any) -> None:
    gain = SIZE - 1
    one_y, square = np.empty(shares.shape[1], np.float32), np.empty(shares.shape[1], np.float32)
    for n in range(sums.shape[0]):
        one, of, share = out[n], sums[n], shares[n]
        square[:] = share * share
        for i in range(MODES):
            for j in range(i + 1):
                _sum(of[0], products[i, j], i, j, square, one[2 * i, 2 * j])
                _sum(of[1], products[i, j], i, j, square, one[2 * i, 2 * j + 1])
                _sum(of[2], products[i, j], i, j, square, one[2 * i + 1, 2 * j + 1])
                one[2 * i + 1, 2 * j] = one[2 * i, 2 * j + 1]
        one_y[:] = 1
        for i in range(SHADES):
            for j in range(MODES):
                _sum(of[6], products[i, j], i, j, share, one[SHIFTS + i, 2 * j])
                _sum(of[7], products[i, j], i, j, share, one[SHIFTS + i, 2 * j + 1])
            for j in range(i + 1):
                _sum(of[5], products[i, j], i, j, one_y, one[SHIFTS + i, SHIFTS + j])
            one[gain, SHIFTS + i], pull[n, SHIFTS + i] = of[10, i], of[8, i]
        for j in range(MODES):
            for axis in range(2):
                one[gain, 2 * j + axis] = of[11 + axis, j] * share
                pull[n, 2 * j + axis] = of[3 + axis, j] * share
        one[gain, gain], pull[n, gain] = of[9, 0], of[13, 0]
        for a in range(SIZE):
            for b in range(a):
                one[b, a] = one[a, b]


@njit(cache=True, nogil=True, fastmath=True)
def _sum(channel: Any, product: Any, i: int, j: int, share: Any, out: Any) -> None:
    """Sums over each row times the product of polynomials i and j, from the sums times single polynomials, (D, Y)."""
    out[:] = 0
    for d in range(abs(i - j), min(i + j + 1, len(product)), 2):
        factor, one = product[d], channel[d]
        for y in range(out.size):
            out[y] += factor * one[y]
    for y in range(out.size):
        out[y] *= share[y]


@cache
def _products(modes: int) -> Floats:
    """Products of the first Legendre polynomials as sums of Legendre polynomials: (K, K, 2K-1)."""
    unit, out = np.eye(modes), np.zeros((modes, modes, 2 * modes - 1))
    for k in range(modes):
        for j in range(modes):
            share = np.polynomial.legendre.legmul(unit[k], unit[j])
            out[k, j, : len(share)] = share
    return out
