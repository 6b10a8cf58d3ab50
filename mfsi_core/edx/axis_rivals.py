"""Axis rivals: which of the axes that explain the strongest lines the fit of the whole spectrum bears out."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np

from .axis_search import Found
from .calibration import Calibration
from .unassigned import ELEMENT

FAR = 15.0  # eV at a line; where the search finds more, the axis is moved before the fine fit
EASY = 8.0**2  # burden below which an axis is taken without a look at those that explain less
LIGHTER = 1.5  # times as much must a fit be burdened for another axis to be taken instead,
ALIKE = 1.25  # and up to which one that is burdened more may be right as well

Start = tuple[float, float]


def burden(fit: Calibration, strangers: Collection[str] = (ELEMENT,)) -> float:
    """What a fit leaves unexplained or strains, in squares of standard errors.

    Its deviance beyond noise, how far its parameters are from what is expected, and the counts of `strangers`: peaks
    that are none of the elements', or those of elements that nobody named.
    """
    excess = max((fit.deviance_dof - 1) * fit.centres.size, 0.0)
    strange = np.array([family.element in strangers for family in fit.families], bool)
    peaks = (fit.counts / np.maximum(fit.counts_error, 1e-300))[strange]
    return float(excess + fit.strain + (peaks**2).sum())


def start_of(found: Found) -> Start:
    """Where the fit of an axis that was found begins: there if it is far off, else at the axis given."""
    near = np.array(found.witnesses or (1000.0,))
    far = bool((np.abs(found.offset + (found.gain - 1) * near) > FAR).any())
    return (found.offset, found.gain) if far and found.witnesses else (0.0, 1.0)


def likeliest(
    found: Found, fit: Callable[[Start], Calibration], strangers: Collection[str]
) -> tuple[Found, Calibration, list[tuple[Found, Calibration]]]:
    """Fit the spectrum on the axis that was found and, where that leaves much unexplained, on its rivals.

    Returns the axis that is taken and its fit, and the others that may be right as well with theirs: those that are
    close, and those burdened as little, be it with elements that nobody named (`strangers`) among what burdens them.
    """
    known = fit(start_of(found))
    others = [one for one in found.others if one.witnesses and (one.close or burden(known) > EASY)]
    tried = [(found, known), *((one, fit(start_of(one))) for one in others)]
    loads = [burden(trial) + one.unlikely for one, trial in tried]
    best = int(np.argmin(loads))
    if loads[0] <= LIGHTER * loads[best] + EASY:
        best = 0
    weight = [burden(trial, (ELEMENT, *strangers)) + one.unlikely for one, trial in tried]
    rivals = [
        pair
        for number, pair in enumerate(tried)
        if number != best
        and (
            (best == 0 and pair[0].close and loads[number] < LIGHTER * loads[best] + EASY)
            or loads[number] < ALIKE * loads[best]
            or weight[number] < ALIKE * weight[best]
        )
    ]
    taken, known = tried[best]
    return taken, known, rivals
