"""Unknowns of a row: its displacement and brightness as polynomials along it, with their normal equations."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba import njit

from lbj.array_types import Floats

MODES = 4  # Legendre polynomials of the displacement, up to the third degree; y and x of each in turn
SHADES = 3  # Legendre polynomials of the added brightness, up to the second degree; the row's gain comes after them
SHIFTS = 2 * MODES
SIZE = SHIFTS + SHADES + 1
# First guess of each unknown, rms: displacements in px, brightness in standard deviations of the images.
FIRST_SPREAD = np.array([0.3, 0.3] + [0.075] * (SHIFTS - 2) + [0.1, 0.05, 0.05, 0.05])


def information(sums: Any) -> tuple[Floats, Floats]:
    """Normal equations of each row: matrix (information) (N, Y, SIZE, SIZE) and right-hand side (pull) (N, Y, SIZE).

    They are put together from the sums of `kernels.look`, (N, Y, CHANNELS, D): the product of two Legendre polynomials
    is a sum of Legendre polynomials.
    """
    shape = sums.shape[:2]
    out, pull = np.empty((*shape, SIZE, SIZE)), np.empty((*shape, SIZE))
    _fill(sums, _products(MODES), out, pull)
    return out, pull


@njit(cache=True, nogil=True)
def _fill(sums: Any, products: Any, out: Any, pull: Any) -> None:
    gain, degrees = SIZE - 1, products.shape[2]
    for n in range(sums.shape[0]):
        for y in range(sums.shape[1]):
            one, of = out[n, y], sums[n, y]
            for i in range(MODES):
                for j in range(i + 1):
                    yy = yx = xx = 0.0
                    for d in range(i - j, min(i + j + 1, degrees), 2):
                        share = products[i, j, d]
                        yy += share * of[0, d]
                        yx += share * of[1, d]
                        xx += share * of[2, d]
                    one[2 * i, 2 * j] = one[2 * j, 2 * i] = yy
                    one[2 * i + 1, 2 * j + 1] = one[2 * j + 1, 2 * i + 1] = xx
                    one[2 * i, 2 * j + 1] = one[2 * j + 1, 2 * i] = yx
                    one[2 * i + 1, 2 * j] = one[2 * j, 2 * i + 1] = yx
            for i in range(SHADES):
                shade = SHIFTS + i
                for j in range(MODES):
                    down = right = even = 0.0
                    for d in range(abs(i - j), min(i + j + 1, degrees), 2):
                        share = products[i, j, d]
                        even += share * of[5, d]
                        down += share * of[6, d]
                        right += share * of[7, d]
                    one[shade, 2 * j] = one[2 * j, shade] = down
                    one[shade, 2 * j + 1] = one[2 * j + 1, shade] = right
                    if j < SHADES:
                        one[shade, SHIFTS + j] = even
                one[gain, shade] = one[shade, gain] = of[10, i]
                pull[n, y, shade] = of[8, i]
            for j in range(MODES):
                for axis in range(2):
                    one[gain, 2 * j + axis] = one[2 * j + axis, gain] = of[11 + axis, j]
                    pull[n, y, 2 * j + axis] = of[3 + axis, j]
            one[gain, gain], pull[n, y, gain] = of[9, 0], of[13, 0]


@cache
def _products(modes: int) -> Floats:
    """Products of the first Legendre polynomials as sums of Legendre polynomials: (K, K, 2K-1)."""
    unit, out = np.eye(modes), np.zeros((modes, modes, 2 * modes - 1))
    for k in range(modes):
        for j in range(modes):
            share = np.polynomial.legendre.legmul(unit[k], unit[j])
            out[k, j, : len(share)] = share
    return out
