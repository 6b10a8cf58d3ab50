"""Intensities: net counts of families of lines in every chip, by maximum likelihood or by the linear filter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lbj.array_types import Floats

from ..edx.calibration import Calibration, beyond_noise
from ..edx.linear_filter import linear_filter
from ..edx.model import Model
from .chips import Chips
from .methods import BATCH
from .poisson_fit import Fit, poisson_fit
from .summing import Spectra

LINE = 0.1  # of the highest bin of a family, from which one belongs to its main line
MISSED = 0.05  # share of a line's counts by which the fit may miss the spectrum there


@dataclass(frozen=True, eq=False)
class Intensities:
    """Net counts of N chips and m families, and how well they are known.

    Attributes
    ----------
    counts : (N, m) float64
    covariance : function
        Of the counts of some chips, (n, m, m), for a slice of them.
    bound : (N, m) bool
        Intensities held at zero.
    converged : (N,) bool
    deviance_dof : (N,) float64
        Goodness of fit; NaN for the linear filter.
    misfit : (N,) bool
        Whether it is worse than noise explains.
    missed : (N, m) bool
        Whether it is so around the main line of a family, by more than a twentieth of its counts.
    """

    counts: Floats
    covariance: Callable[[slice], Floats]
    bound: NDArray[np.bool_]
    converged: NDArray[np.bool_]
    deviance_dof: Floats
    misfit: NDArray[np.bool_]
    missed: NDArray[np.bool_]


def by_likelihood(spectra: Spectra, chips: Chips, model: Model, wanted: list[int], scope: Floats) -> Intensities:
    """Fit every chip by maximum likelihood, no intensity below zero; `scope` scales the families that are `wanted`."""
    sums = spectra.sums(chips.labels, chips.ids.size, model.bin_of, model.mean.size)
    found = poisson_fit(sums, model.columns)
    covariances = found.covariance[:, wanted][:, :, wanted] * np.outer(scope, scope)
    covariances[found.misfit] *= found.deviance_dof[found.misfit, None, None]
    return Intensities(
        found.counts[:, wanted] * scope, covariances.__getitem__, found.bound[:, wanted], found.converged,
        found.deviance_dof, found.misfit, _missed(sums, found, model, wanted),
    )  # fmt: skip


def _missed(sums: NDArray[Any], found: Fit, model: Model, wanted: list[int]) -> NDArray[np.bool_]:
    """Which families' main lines the fit misses, in the chips that it misses."""
    chips = np.flatnonzero(found.misfit)
    out = np.zeros((len(sums), len(wanted)), bool)
    for start in range(0, chips.size, BATCH):
        part = chips[start : start + BATCH]
        fit = found.counts[part] @ model.columns
        for j, index in enumerate(wanted):
            column = model.columns[index]
            near = column > LINE * column.max()
            own = found.counts[part, index] * column[near].sum()
            excess = np.maximum(beyond_noise(sums[part][:, near], fit[:, near]), 0.0) * near.sum()
            out[part, j] = excess > (MISSED * own) ** 2
    return out


def by_filter(
    spectra: Spectra, chips: Chips, model: Model, calibration: Calibration, elements: list[str], wanted: list[int],
    scope: Floats, channels: slice,
) -> Intensities:  # fmt: skip
    """Filter every chip's spectrum linearly, the channels of the fit alone; intensities may be negative."""
    owner = [elements.index(f.element) if f.element in elements else -1 for f in calibration.families]
    tool = linear_filter(model.columns, calibration.counts, model.mean, wanted, owner).scaled(scope)
    weights = np.zeros((model.bin_of.size, len(wanted) + 1))
    weights[channels, :-1] = tool.weights.T[model.bin_of[channels]]
    weights[channels, -1] = 1.0
    sums = spectra.filtered(chips.labels, chips.ids.size, weights)
    counts, totals = np.ascontiguousarray(sums[:, :-1]), sums[:, -1]
    work = np.empty((BATCH, *counts.shape[1:], counts.shape[1]))

    def covariance(part: slice) -> Floats:
        return tool.covariance(counts[part], totals[part], work[: len(counts[part])])

    nothing = np.zeros(len(counts), bool)
    none = np.zeros(counts.shape, bool)
    return Intensities(counts, covariance, none, ~nothing, np.full(len(counts), np.nan), nothing, none)
