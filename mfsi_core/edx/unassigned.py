"""Unassigned peaks: those of elements that nobody named, found so that they are not counted as others."""

from __future__ import annotations

import numpy as np

from lbj.array_types import Floats

from ..tables.lines import Line
from .detector import FWHM, Detector
from .families import Family

ELEMENT = "?"
MOST = 12
SIGNIFICANT = 8.0  # standard deviations
STANDS_OUT = 0.1  # share of the counts at the peak by which it exceeds both sides,
TWICE = 2.0  # or times the fit, and the misfit at both sides, that it is: so a peak shows in the valley between others
LEAST_COUNTS = 1e-3  # share of all counts
APART = 0.8  # full widths from every known line
BESIDE = 60.0  # eV from a strong line of a named element within which a peak is taken for that line
STRONG = 0.2  # share of its family, from which a line is strong
NO_EXCUSE = 0.5  # a misplaced known line explains a peak only if it has this share of the peak's counts


def peak_family(energy: float) -> Family:
    """Family of one line at an energy, eV."""
    return Family(ELEMENT, "K", (Line(ELEMENT, "K", "Ka1", energy, 0.0, 1.0),))


def find_unassigned_peak(
    counts: Floats, fit: Floats, edges: Floats, families: list[Family], amounts: Floats, detector: Detector,
    *, valleys: bool,
) -> Family | None:  # fmt: skip
    """Find the peak that a fit of the sum spectrum misses most.

    Parameters
    ----------
    counts, fit : (C,) arrays
        Sum spectrum and its fit.
    edges : (C + 1,) array
        Bounds of the channels, eV.
    families : list of Family
        What the fit knows.
    amounts : (F,) array
        Photons of each, as fitted.
    detector : Detector
    valleys : bool
        Whether peaks are looked for that are lower than others at their sides: if the widths of lines are fitted.

    Returns
    -------
    Family or None
        Where within one full width the counts exceed the fit by 8 standard deviations and a thousandth of all counts,
        exceed both sides or, in valleys, are twice the fit, no strong line of an element is near, however weak it was
        fitted, and no other known line that is at least half as strong. Shoulders are not found.
    """
    centre = (edges[:-1] + edges[1:]) / 2
    width = FWHM * detector.sigmas(centre)
    seen, expected = (_box(values, edges, centre, width) for values in (counts, fit))
    net = seen - expected
    score = np.where(expected > 0, net / np.sqrt(np.maximum(expected, 1.0)), 0.0)
    sides = [np.interp(centre + shift * width, centre, seen) for shift in (-1.2, 1.2)]
    highest = np.maximum(*sides)
    clear = seen - highest > np.maximum(STANDS_OUT * seen, SIGNIFICANT * np.sqrt(np.maximum(highest, 1.0)))
    beside = np.maximum(*(np.interp(centre + shift * width, centre, net) for shift in (-1.2, 1.2)))
    twofold = (seen > TWICE * expected) & (net > TWICE * beside)
    good = (score > SIGNIFICANT) & (net > LEAST_COUNTS * counts.sum()) & (clear | (twofold & valleys))
    apart = np.maximum(APART * width, BESIDE)
    for family, amount in zip(families, amounts, strict=True):
        for line in family.lines:
            away = np.abs(centre - detector.positions(np.array(line.energy)))
            if family.element != ELEMENT and line.weight >= STRONG:
                good &= away > apart
            else:
                good &= (away > APART * width) | (line.weight * amount < NO_EXCUSE * net)
    if not good.any():
        return None
    best = int(np.argmax(np.where(good, np.where(clear, seen - highest, net), -np.inf)))
    near = np.abs(centre - centre[best]) < 0.5 * width[best]
    excess = np.maximum(counts - fit, 0)[near]
    place = float((centre[near] * excess).sum() / excess.sum())
    return peak_family((place - detector.offset) / detector.gain)


def _box(values: Floats, edges: Floats, centre: Floats, width: Floats) -> Floats:
    """Sum within half a width to either side of every channel."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    high, low = (np.interp(centre + shift * width, edges, total) for shift in (0.5, -0.5))
    return np.asarray(high - low)
