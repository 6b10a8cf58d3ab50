"""Bands: power averaged over the narrowest band of frequencies in which it exceeds its noise with certainty."""

from __future__ import annotations

from functools import cache

import numpy as np

from lbj.array_types import Floats

OCTAVE = 1.2  # frequencies within this factor share one power
CERTAIN, LINE = 3.0, 12.0  # standard errors by which power must exceed the noise to be believed; of one frequency


def certain(excess: Floats, noise: Floats, caution: Floats) -> Floats:
    """Power (F, M) that exceeds its noise with certainty, over the narrowest band in which it does; 0 where in none."""
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
    """Matrices that add frequencies up over a band around each, from narrow to broad; least standard errors of each."""
    at, other = np.arange(number)[:, None], np.arange(number)
    out = []
    for below, above, least in ((1, 1, LINE), (OCTAVE, OCTAVE, CERTAIN), (2, 2, CERTAIN), (2, number, CERTAIN)):
        band = (at <= other * below) & (other <= at * above) | (at == other)
        band[0], band[:, 0] = other == 0, other == 0
        out.append((band.astype(float), least))
    return out
