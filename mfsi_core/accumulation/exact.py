"""Exact: float64 sums that do not depend on the order of summation, so that parts may be summed anywhere.

Every addend is rounded to a multiple of one quantum, small enough that the largest sum there can be has 52 bits: all
sums of such numbers are exact, hence equal to the last bit however they are grouped. The errors are those that adding
in float64 has anyway (pre-rounding: J. Demmel and H. D. Nguyen, IEEE Trans. Comput. 64, 2060 (2015)).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from lbj.array_types import Array, Floats, Singles

from .push import push_dense

Totals = Callable[[int, int, float], tuple[Array, float]]

MARGIN = 256  # the bound of the sums is guessed from the first frame, times this; few series pass it
LARGEST_EXPONENT = 1020


def rounder(bound: float) -> float:
    """Return the number r by which (x + r) - r rounds addends whose sums stay within ±bound; 0 for no rounding."""
    if not 0 < bound < math.inf:
        return 0.0
    exponent = math.ceil(math.log2(bound)) + 1
    return 1.5 * 2.0**exponent if exponent < LARGEST_EXPONENT else 0.0


def spreads(displacement: Singles, upsampling: int, method: str) -> Floats:
    """Return how much of a frame's largest value one output pixel may receive: (N,)."""
    out = np.ones(len(displacement))
    if method == "push":
        ones = np.ones((*displacement.shape[2:], 1))
        for n, field in enumerate(displacement):
            total = np.zeros((ones.shape[0] * upsampling, ones.shape[1] * upsampling, 1))
            push_dense(ones, 0, field, upsampling, 0, 0, 0.0, total)
            out[n] = max(total.max(), 1.0)
    return out


@njit(cache=True, nogil=True)
def peak(data: Any) -> float:
    """Largest absolute value that is finite of an array (Y, X, C)."""
    found = 0.0
    for y in range(data.shape[0]):
        for x in range(data.shape[1]):
            for c in range(data.shape[2]):
                value = abs(1.0 * data[y, x, c])
                if found < value < math.inf:
                    found = value
    return found


def filler(totals: Totals, guess: float, step: int) -> Callable[[int, int, Array], float]:
    """Return what fills rows of the output, a few at a time, and returns the largest voxel.

    Parameters
    ----------
    totals : function of (first row, last row, r)
        Sums addends rounded by r (`rounder`); returns them, and a bound of all voxels' sums.
    guess : float
        A guess of that bound. Rows whose bound passes it are summed again, rounded by the bound that was found; so the
        rounding never depends on how the rows were divided.
    step : int
        Rows at a time.
    """
    bound = guess

    def fill(top: int, bottom: int, view: Array) -> float:
        nonlocal bound
        largest = 0.0
        for first in range(top, bottom, step):
            last = min(first + step, bottom)
            total, found = totals(first, last, rounder(bound))
            if found > bound:
                bound = found
                total, _ = totals(first, last, rounder(bound))
            largest = max(largest, float(np.nanmax(np.abs(total), initial=0.0)))
            view[first - top : last - top] = total
        return largest

    return fill
