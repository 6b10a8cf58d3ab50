"""Beneath: whether an element that nobody named stands under a line of one that is named (C. R. Rao's score test)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from lbj.array_types import Floats

from ..tables.lines import symbols
from ..text import greek
from .detector import FWHM, Detector
from .families import Family, families_of
from .likelihood import Before, Likelihood
from .unassigned import ELEMENT, SIGNIFICANT, STRONG

WITHIN = 1.3  # full widths between alpha lines and a strong line of an element that is named
LEAST = 0.1  # share of the counts of that element's family, from which another one beside it is told
AS_WELL = 5.0  # standard errors, squared and subtracted, by which another element may explain a peak less well


@dataclass(frozen=True)
class Beneath:
    """What may stand under the lines of an element that is named.

    Attributes
    ----------
    lines : tuple of str
        Alpha lines of elements that nobody named, such as ``Mo_La``: that which explains the peak best, then what does
        nearly as well.
    energy : float
        Of the first, eV.
    significance : float
        Standard errors by which it does.
    families : tuple of Family
        Of its element.
    """

    lines: tuple[str, ...]
    energy: float
    significance: float
    families: tuple[Family, ...]

    def __str__(self) -> str:
        line = f"{greek(self.lines[0])} ({self.energy / 1000:.2f} keV), which nobody named, would explain it best"
        return f"its peak holds more than its own lines: {line}, by {self.significance:.0f} standard errors"


def near_strong(family: Family, others: Sequence[Family], detector: Detector) -> bool:
    """Whether the alpha lines of a family stand near a strong line of others, so that both make one peak."""
    places = np.array([line.energy for other in others for line in other.lines if line.weight >= STRONG])
    full = FWHM * float(detector.sigmas(np.array(family.alpha_energy)))
    return bool((np.abs(places - family.alpha_energy) < WITHIN * full).any())


def beneath(fit: Likelihood, theta: Floats, scatter: float) -> dict[int, Beneath]:
    """Find what stands under families of the elements named whose peaks hold more than their own lines.

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
    rivals = [f for f in all_families(float(fit.edges[0]), float(fit.edges[-1]), fit.beam) if f.element not in named]
    if not rivals:
        return {}
    alphas = np.array([f.alpha_energy for f in rivals])
    widths, main = FWHM * detector.sigmas(alphas), np.array([f.line.endswith("a") for f in rivals])
    near = {}
    for number, (family, amount) in enumerate(zip(fit.families, theta[fit.amounts], strict=True)):
        strong = np.array([line.energy for line in family.lines if line.weight >= STRONG])
        if family.element != ELEMENT and amount > 0 and strong.size:
            near[number] = np.flatnonzero(main & (np.abs(alphas[:, None] - strong).min(axis=1) < WITHIN * widths))
    tried = sorted({int(i) for close in near.values() for i in close})
    if not tried:
        return {}
    other = Likelihood(fit.counts, fit.edges, [rivals[i] for i in tried], Before(detector, fit.axis, fit.beam))
    templates = other.templates(other.prior)
    covariance = fit.covariance(theta, slice(None))
    mean, slopes = np.maximum(fit.mean(theta), 1e-12), fit.slopes(theta)
    across = (slopes / mean) @ templates.T
    information = (templates**2 / mean).sum(axis=1) - (across * (covariance @ across)).sum(axis=0)
    score = templates @ (fit.counts / mean - 1) + across.T @ (covariance @ fit.derivatives(theta)[0])
    amounts = score / np.maximum(information, 1e-300)
    significance = np.where(information > 0, amounts * np.sqrt(np.maximum(information, 0.0)), 0.0) / scatter
    out = {}
    for number, close in near.items():
        least = LEAST * theta[fit.amounts][number]
        enough = [int(i) for i in np.searchsorted(tried, close) if amounts[i] > least]
        enough = sorted((i for i in enough if significance[i] > SIGNIFICANT), key=lambda i: -significance[i])
        if enough:
            best = float(significance[enough[0]])
            alike = [i for i in enough if significance[i] ** 2 > best**2 - AS_WELL**2]
            lines = dict.fromkeys(rivals[tried[i]].line for i in alike)
            first = rivals[tried[enough[0]]]
            own = tuple(family for family in rivals if family.element == first.element)
            out[number] = Beneath(tuple(lines), first.alpha_energy, best, own)
    return out


@lru_cache(4)
def all_families(low: float, high: float, beam: float | None) -> list[Family]:
    """Families of all elements."""
    return [family for element in symbols() for family in families_of(element, low, high, beam)]
