"""Beneath: whether an element that nobody named stands under a line of one that is named (C. R. Rao's score test)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from lbj.array_types import Floats

from ..tables.lines import symbols
from ..text import greek
from .detector import FWHM
from .families import Family, families_of
from .likelihood import Before, Likelihood
from .unassigned import ELEMENT, SIGNIFICANT, STRONG

WITHIN = 1.2  # full widths between alpha lines and a strong line of an element that is named
LEAST = 0.1  # share of the counts of that element's family, from which another one beside it is told


def beneath(fit: Likelihood, theta: Floats, scatter: float) -> dict[int, str]:
    """Sentence on families of the elements named whose peaks hold more than their own lines.

    Parameters
    ----------
    fit : Likelihood
    theta : (P,) array
        Its best parameters.
    scatter : float
        Root of the deviance per degree of freedom, where that is above 1.

    Returns
    -------
    dict
        By the numbers of the families. Every family of every other element whose alpha lines lie near is tried: its
        photons, and their error, as one step of scoring finds them, with all parameters of the fit free. The most
        significant one is told, from a tenth of the photons of the element named.
    """
    detector = fit.lines(theta)[0]
    named = {f.element for f in fit.families}
    rivals = [f for f in _all(float(fit.edges[0]), float(fit.edges[-1]), fit.beam) if f.element not in named]
    if not rivals:
        return {}
    alphas = np.array([f.alpha_energy for f in rivals])
    widths = FWHM * detector.sigmas(alphas)
    near = {}
    for number, (family, amount) in enumerate(zip(fit.families, theta[fit.amounts], strict=True)):
        strong = np.array([line.energy for line in family.lines if line.weight >= STRONG])
        if family.element != ELEMENT and amount > 0 and strong.size:
            close = np.flatnonzero(np.abs(alphas[:, None] - strong).min(axis=1) < WITHIN * widths)
            near[number] = close
    tried = sorted({int(i) for close in near.values() for i in close})
    if not tried:
        return {}
    other = Likelihood(fit.counts, fit.edges, [rivals[i] for i in tried], Before(detector, fit.axis, fit.beam))
    templates = other.templates(other.prior)
    covariance = fit.covariance(theta, slice(None))
    mean, slopes = np.maximum(fit.mean(theta), 1e-12), fit.slopes(theta)
    across = (slopes / mean) @ templates.T
    information = (templates**2 / mean).sum(axis=1) - (across * (covariance @ across)).sum(axis=0)
    amounts = templates @ (fit.counts / mean - 1) / np.maximum(information, 1e-300)
    significance = np.where(information > 0, amounts * np.sqrt(np.maximum(information, 0.0)), 0.0) / scatter
    out = {}
    for number, close in near.items():
        least = LEAST * theta[fit.amounts][number]
        enough = [int(i) for i in np.searchsorted(tried, close) if amounts[i] > least]
        best = max(enough, key=significance.__getitem__, default=None)
        if best is not None and significance[best] > SIGNIFICANT:
            line, place = greek(rivals[tried[best]].line), alphas[tried[best]] / 1000
            out[number] = (
                f"its peak holds more than its own lines: {line} ({place:.2f} keV), which nobody named, would explain "
                f"it best, by {significance[best]:.0f} standard errors"
            )
    return out


@lru_cache(4)
def _all(low: float, high: float, beam: float | None) -> list[Family]:
    """Families of all elements."""
    return [family for element in symbols() for family in families_of(element, low, high, beam)]
