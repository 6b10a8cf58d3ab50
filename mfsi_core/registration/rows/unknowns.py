"""Unknowns of a row: its displacement and brightness as polynomials along it, with their normal equations."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

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
    sums = np.asarray(sums, np.float64)
    shape, shades = sums.shape[:2], slice(SHIFTS, SHIFTS + SHADES)
    product = _products(MODES)

    def between(channel: int, first: int, second: int) -> Floats:
        share = product[:first, :second].reshape(first * second, -1)
        return np.asarray(sums[:, :, channel] @ share.T).reshape(*shape, first, second)

    out, pull = np.empty((*shape, SIZE, SIZE)), np.empty((*shape, SIZE))
    for a in range(2):
        for b in range(2):
            out[..., a:SHIFTS:2, b:SHIFTS:2] = between(a + b, MODES, MODES)
        out[..., shades, a:SHIFTS:2] = between(6 + a, SHADES, MODES)
        out[..., -1, a:SHIFTS:2] = sums[..., 11 + a, :MODES]
        pull[..., a:SHIFTS:2] = sums[..., 3 + a, :MODES]
    out[..., shades, shades] = between(5, SHADES, SHADES)
    out[..., -1, shades] = sums[..., 10, :SHADES]
    out[..., -1, -1] = sums[..., 9, 0]
    out[..., :SHIFTS, SHIFTS:] = np.swapaxes(out[..., SHIFTS:, :SHIFTS], -1, -2)
    out[..., shades, -1] = out[..., -1, shades]
    pull[..., shades], pull[..., -1] = sums[..., 8, :SHADES], sums[..., 13, 0]
    return out, pull


@cache
def _products(modes: int) -> Floats:
    """Products of the first Legendre polynomials as sums of Legendre polynomials: (K, K, 2K-1)."""
    unit, out = np.eye(modes), np.zeros((modes, modes, 2 * modes - 1))
    for k in range(modes):
        for j in range(modes):
            share = np.polynomial.legendre.legmul(unit[k], unit[j])
            out[k, j, : len(share)] = share
    return out
