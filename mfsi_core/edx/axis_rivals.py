"""Axis rivals: which of the axes that explain the strongest lines the fit of the whole spectrum bears out."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .axis_search import REACH, STRETCH, Found
from .calibration import Calibration
from .unassigned import ELEMENT

FAR = 15.0  # eV at a line; where the search finds more, the axis is moved before the fine fit, or a line is misplaced
EASY = 8.0**2  # burden below which an axis is taken without a look at those that explain less
LIGHTER = 1.5  # times as much must a fit be burdened for another axis to be taken instead,
ALIKE = 1.25  # and up to which one that is burdened more may be right as well
CLEAR = 5.0  # standard errors from which a line tells of the axis by its place,
ROUNDS = 3  # of straightening an axis by them
PLACED = 4.0  # eV, to which it does at best

Start = tuple[float, float]


def burden(fit: Calibration, strangers: Collection[str], *, counted: bool = False) -> float:
    """What a fit leaves unexplained or strains, in squares of standard errors.

    Its deviance beyond noise, how far its parameters are from what is expected, and the counts of peaks that are none
    of the elements', and of lines that are taken for an element's though they stand elsewhere. Those of `strangers`,
    elements that nobody named but that may be there, are excused, or `counted` wherever they stand.
    """
    excess = max((fit.deviance_dof - 1) * fit.centres.size, 0.0)
    allowed = np.array([family.element in strangers for family in fit.families], bool)
    nobodys = np.array([family.element == ELEMENT for family in fit.families], bool)
    strange = nobodys | _misplaced(fit, strangers) | (allowed & counted)
    peaks = (fit.counts / np.maximum(fit.counts_error, 1e-300))[strange]
    return float(excess + fit.strain + (peaks**2).sum())


def _misplaced(fit: Calibration, strangers: Collection[str]) -> NDArray[np.bool_]:
    named = np.array([family.element not in (ELEMENT, *strangers) for family in fit.families], bool)
    return np.asarray(named & (np.abs(fit.shifts) > FAR))


def _straightened(found: Found, fit: Calibration, strangers: Collection[str]) -> Found | None:
    """Axis by which lines stand in their places that do not on the one found; None where all do, or none is near.

    It is the straight line through the places of all lines that are clear, the misplaced ones among them.
    """
    clear = fit.counts > CLEAR * fit.counts_error
    clear &= np.array([family.element not in (ELEMENT, *strangers) for family in fit.families], bool)
    if not (clear & _misplaced(fit, strangers)).any() or clear.sum() <= 2:
        return None
    energy = np.array([family.alpha_energy for family in fit.families])[clear]
    place = fit.detector.positions(energy + fit.shifts[clear])
    error = np.hypot(fit.detector.sigmas(energy) / np.sqrt(fit.counts[clear]), PLACED)
    gain, offset = np.polyfit(energy, place, 1, w=1 / error)
    start = start_of(found)
    offset, gain = float(start[0] + start[1] * offset), float(start[1] * gain)
    if abs(offset) > REACH or abs(gain - 1) > STRETCH:
        return None
    return replace(found, offset=offset, gain=gain)


def _straighter(
    found: Found, fit: Callable[[Start], Calibration], strangers: Collection[str]
) -> tuple[Found, Calibration]:
    """Axis straightened while that helps, and its fit."""
    tried = [(found, fit(start_of(found)))]
    while len(tried) <= ROUNDS:
        one = _straightened(*tried[-1], strangers)
        if one is None:
            break
        tried.append((one, fit(start_of(one))))
    return min(tried, key=lambda pair: burden(pair[1], strangers))


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
    found, known = _straighter(found, fit, strangers)
    others = [one for one in found.others if one.witnesses and (one.close or burden(known, strangers) > EASY)]
    tried = [(found, known), *((one, fit(start_of(one))) for one in others)]
    loads = [burden(trial, strangers) + one.unlikely for one, trial in tried]
    best = int(np.argmin(loads))
    if loads[0] <= LIGHTER * loads[best] + EASY:
        best = 0
    weight = [burden(trial, strangers, counted=True) + one.unlikely for one, trial in tried]
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
