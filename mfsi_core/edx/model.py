"""Model: the linear model of an EDX spectrum (families, background, pile-up) in few energy bins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lbj.array_types import Floats

from .calibration import Calibration

NODES = (400.0, 2000.0, 10000.0)  # eV, at which a chip's background may differ from the mean one; linear between
LOSS = 3e-5  # share of a column's information that one bin may lose


@dataclass(frozen=True, eq=False)
class Model:
    """Columns of the linear model.

    Attributes
    ----------
    columns : (n, B) float64
        Share of a family's photons, then of each background's and of pile-up's counts, in every bin.
    mean : (B,) float64
        Counts per bin of the sum spectrum, as fitted.
    bin_of : (C,) int32
        Bin of every channel of the signal; -1 outside the range.
    families : int
        How many of the columns are families.
    """

    columns: Floats
    mean: Floats
    bin_of: NDArray[np.int32]
    families: int


def build(calibration: Calibration, centres: Floats, channels: int, start: int) -> Model:
    """Make the model.

    Parameters
    ----------
    calibration : Calibration
    centres : (C',) array
        Of the calibrated channels, eV.
    channels, start : int
        Channels of the signal; the first that was calibrated.
    """
    backgrounds = (calibration.background - calibration.pile_up) * tilts(centres)
    share = backgrounds.sum(axis=1, keepdims=True)
    backgrounds = (backgrounds / np.maximum(share, 1e-300))[share[:, 0] > 0]
    piled = calibration.pile_up[None] / max(calibration.pile_up.sum(), 1e-300)
    columns = np.vstack([calibration.templates, backgrounds, *([piled] if piled.any() else [])])
    mean = np.maximum(calibration.counts @ calibration.templates + calibration.background, 1e-12)
    precision = (columns**2 / mean).sum(axis=1)
    relative = columns / mean / np.sqrt(np.maximum(precision, 1e-300))[:, None]
    bins = _merge(np.ascontiguousarray(relative.T), mean, LOSS)
    bin_of = np.full(channels, -1, np.int32)
    bin_of[start : start + centres.size] = bins
    first = np.flatnonzero(np.diff(bins, prepend=-1))
    return Model(
        np.add.reduceat(columns, first, axis=1), np.add.reduceat(mean, first), bin_of, len(calibration.families)
    )


def tilts(centres: Floats) -> Floats:
    """Factors that tilt a background: triangles over the logarithm of energy (eV) that sum to 1, one a node."""
    nodes = np.log(NODES)
    return np.array([np.interp(np.log(np.maximum(centres, 1.0)), nodes, row) for row in np.eye(nodes.size)])


@njit(cache=True, nogil=True)
def _merge(relative, mean, loss):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Number of each channel's bin: neighbours are merged as long as no column loses more than `loss`.

    With rows r_c = column / mean, in units that make the information sum(mean r²) = 1, a bin loses
    sum(mean (r - r_bin)²), r_bin being the mean by counts.
    """
    channels, columns = relative.shape
    out = np.zeros(channels, np.int32)
    weight, first, second = 0.0, np.zeros(columns), np.zeros(columns)
    number = 0
    for c in range(channels):
        worst = 0.0
        for j in range(columns):
            r, m = relative[c, j], mean[c]
            total = first[j] + m * r
            worst = max(worst, second[j] + m * r * r - total * total / (weight + m))
        if weight > 0 and worst > loss:
            number += 1
            weight = 0.0
            first[:] = 0
            second[:] = 0
        weight += mean[c]
        for j in range(columns):
            first[j] += mean[c] * relative[c, j]
            second[j] += mean[c] * relative[c, j] ** 2
        out[c] = number
    return out
