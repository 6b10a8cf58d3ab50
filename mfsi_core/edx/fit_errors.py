"""Errors that a fit states: of counts in peaks, and by how strong groups of lines were expected."""

from __future__ import annotations

import numpy as np

from lbj.array_types import Floats

from .detector import FWHM
from .likelihood import Likelihood


def peak_errors(model: Likelihood, theta: Floats, covariance: Floats) -> Floats:
    """Standard errors of the counts in the peaks of the alpha lines: (1 - tail) times share times amount."""
    strengths, amount, tail = model.strengths(theta), theta[model.amounts], theta[4]
    out = np.zeros(amount.size)
    for f, family in enumerate(model.families):
        own = model.owner == f
        names = {line.name for line in family.alphas}
        alpha = np.array([line.name in names for line in family.lines])
        weights, groups = strengths[own], model.group[own]
        share = float(weights[alpha].sum())
        slope = np.zeros(theta.size)
        slope[model.amounts.start + f] = (1 - tail) * share
        slope[4] = -share * amount[f] if tail > 0 else 0.0  # held at zero it has no error
        for g in set(groups[groups >= 0]):
            mine = groups == g
            slope[model.strength.start + g] = (
                (1 - tail) * amount[f] * (weights[alpha & mine].sum() - share * weights[mine].sum())
            )
        out[f] = np.sqrt(max(float(slope @ covariance @ slope), 0.0))
    return np.asarray(out)


def by_strengths(model: Likelihood, theta: Floats, covariance: Floats) -> Floats:
    """Photons by which each family changes where groups of lines under it are as strong as expected: (F,)."""
    moved = (theta - model.prior)[model.strength]
    changes = covariance[model.amounts, model.strength] / np.diag(covariance)[model.strength] * moved
    alpha = np.array([family.alpha_energy for family in model.families])
    under = np.abs(alpha[:, None] - model.energy) < FWHM * model.detector.sigmas(alpha)[:, None]
    under &= model.owner != np.arange(alpha.size)[:, None]
    near = np.zeros_like(changes, bool)
    for g in range(model.groups):
        near[:, g] = under[:, model.group == g].any(axis=1)
    return np.asarray(np.sqrt((np.where(near, changes, 0.0) ** 2).sum(axis=1)))


def kept(model: Likelihood, covariance: Floats) -> list[dict[int, float]]:
    """How much of an error of their expected strength stays in the fit, by every family's groups of lines."""
    share = np.diag(covariance)[model.strength] / model.strength_errors**2
    held = [(f, group) for f, family in enumerate(model.families) for group in family.groups()]
    out: list[dict[int, float]] = [{} for _ in model.families]
    for (f, group), number in zip(held, model.group, strict=True):
        if number >= 0:
            out[f][group] = float(min(share[number], 1.0))
    return out
