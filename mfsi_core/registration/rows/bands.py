"""Bands: spectral power averaged over the narrowest band of frequencies in which it clearly exceeds its noise."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from lbj.array_types import Floats

OCTAVE = 1.2  # factor; the second narrowest band reaches from a frequency divided by it to the frequency times it
# Standard errors that power must reach to be believed: averaged over a band of frequencies, and at a single one.
CERTAIN, LINE = 3.0, 12.0

RESOLVED = 2.0  # frequencies to either side over which power is averaged at least where half of the rows tell anything


def certain(excess: Floats, noise: Floats, caution: Floats, seen: Floats) -> Floats:
    """Power (F, M), averaged over the narrowest band around each frequency in which it clearly exceeds its noise.

    It is 0 where it does so in no band. `excess`: estimates of the power, of which noise has been subtracted; `noise`:
    their standard errors; `caution`: factors by which more certainty is asked for. All are (F, M). `seen`, (M,): share
    of the rows that tell anything. The fewer they are, the less can neighbouring frequencies be told apart, and a power
    for each would make up the rows that are not seen of those that are.
    """
    out = np.empty_like(excess)
    apart = np.rint(RESOLVED * (1 / seen - 1)).astype(int)
    for near in np.unique(apart):
        some = apart == near
        out[:, some] = _certain(excess[:, some], noise[:, some], caution[:, some], int(near), np.flatnonzero(some))
    return out


def _certain(excess: Floats, noise: Floats, caution: Floats, near: int, which: NDArray[np.int64]) -> Floats:
    """Likewise for the unknowns `which`, the bands reaching at least `near` frequencies to either side."""
    out, weight = np.zeros_like(excess), 1 / noise**2
    for band, least in _bands(len(excess), near):
        value, inverse = band @ (excess * weight), band @ weight
        certain = (value > least * caution * np.sqrt(inverse)) & (weight > 0)
        if least == LINE:
            certain[:, which > 1] = False
        out = np.where(certain, value / np.maximum(inverse, 1e-300), out)
        weight = np.where(certain, 0, weight)
    return out


@cache
def _bands(number: int, near: int) -> list[tuple[Floats, float]]:
    """Bands from narrow to broad: a matrix that sums over the band around each frequency, and the certainty needed.

    They reach at least `near` frequencies to either side.
    """
    at, other = np.arange(number)[:, None], np.arange(number)
    out = []
    for below, above, least in ((1, 1, LINE), (OCTAVE, OCTAVE, CERTAIN), (2, 2, CERTAIN), (2, number, CERTAIN)):
        band = (at <= other * below) & (other <= at * above) | (abs(at - other) <= near)
        band[0], band[:, 0] = other == 0, other == 0
        out.append((band.astype(float), least))
    return out
