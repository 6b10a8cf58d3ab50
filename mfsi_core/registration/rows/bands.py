"""Bands: spectral power averaged over the narrowest band of frequencies in which it clearly exceeds its noise."""

from __future__ import annotations

from functools import cache

import numpy as np

from lbj.array_types import Floats

OCTAVE = 1.2  # factor; the second narrowest band reaches from a frequency divided by it to the frequency times it
# Standard errors that power must reach to be believed: averaged over a band of frequencies, and at a single one.
CERTAIN, LINE = 3.0, 12.0


def certain(excess: Floats, noise: Floats, caution: Floats) -> Floats:
    """Power (F, M), averaged over the narrowest band around each frequency in which it clearly exceeds its noise.

    It is 0 where it does so in no band. `excess`: estimates of the power, of which noise has been subtracted; `noise`:
    their standard errors; `caution`: factors by which more certainty is asked for. All are (F, M).
    """
    out, weight = np.zeros_like(excess), 1 / noise**2
    for band, least in _bands(len(excess)):
        value, inverse = band @ (excess * weight), band @ weight
        certain = (value > least * caution * np.sqrt(inverse)) & (weight > 0)
        if least == LINE:
            certain[:, 2:] = False
        out = np.where(certain, value / np.maximum(inverse, 1e-300), out)
        weight = np.where(certain, 0, weight)
    return out


@cache
def _bands(number: int) -> list[tuple[Floats, float]]:
    """Bands from narrow to broad: a matrix that sums over the band around each frequency, and the certainty needed."""
    at, other = np.arange(number)[:, None], np.arange(number)
    out = []
    for below, above, least in ((1, 1, LINE), (OCTAVE, OCTAVE, CERTAIN), (2, 2, CERTAIN), (2, number, CERTAIN)):
        band = (at <= other * below) & (other <= at * above) | (at == other)
        band[0], band[:, 0] = other == 0, other == 0
        out.append((band.astype(float), least))
    return out
