"""Onsets: where the edges of a sum spectrum begin, against where the table says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lbj.array_types import Floats

from ..tables.edges import Edge

SHARP = ("K", "L3")  # shells whose edges rise at once
REACH = 15.0  # eV, within which an onset is looked for
SMOOTH = 1.5  # eV, standard deviation of the smoothing
BEFORE = 60.0  # eV before the edge, where the background is fitted, to REACH before it
LEAST = 6.0  # standard errors by which an onset stands out of how the background varies
OFF = 3.0  # eV, from which an onset is told to lie elsewhere
AGREE = 2.0  # eV, by which onsets agree on one shift


@dataclass(frozen=True)
class Onset:
    """An edge that was found.

    Attributes
    ----------
    edge : Edge
    shift : float
        Where it rises most steeply less where the table puts it, eV.
    """

    edge: Edge
    shift: float


def find_onsets(spectrum: Floats, axis: Floats, edges: list[Edge]) -> list[Onset]:
    """Find where sharp edges rise.

    Parameters
    ----------
    spectrum : (C,) array
        Sum spectrum.
    axis : (C,) array
        Energies, eV, even and rising.
    edges : list of Edge
        Those of the elements named; K and L3 edges are used, whose rise is sharp.

    Returns
    -------
    list of Onset
        Of the edges that stand out within 15 eV of their place: the steepest rise of the spectrum over the power law
        before it, smoothed by 1.5 eV.
    """
    from scipy.ndimage import gaussian_filter1d

    step = float(axis[1] - axis[0]) if axis.size > 1 else 0.0
    if not 0 < step <= 2 * SMOOTH:
        return []
    out = []
    for edge in edges:
        if edge.name.partition("_")[2] not in SHARP:
            continue
        before = (axis > edge.energy - BEFORE) & (axis < edge.energy - REACH) & (axis > 0)
        near = np.abs(axis - edge.energy) <= REACH
        if before.sum() < 10 or near.sum() < 5 or axis[-1] < edge.energy + REACH or not (spectrum[before] > 0).all():
            continue
        slope, level = np.polyfit(np.log(axis[before]), np.log(spectrum[before]), 1)
        part = before | near | ((axis >= edge.energy - REACH) & (axis < edge.energy + 2 * REACH))
        ratio = np.maximum(spectrum[part], 0) / np.exp(level + slope * np.log(axis[part]))
        rise = gaussian_filter1d(ratio, max(SMOOTH / step, 1.0), order=1) / step
        noise = float(rise[before[part]].std())
        inside = np.flatnonzero(near[part])
        top = int(inside[rise[inside].argmax()])
        if top in (inside[0], inside[-1]) or rise[top] < LEAST * noise or rise[top] <= 0:
            continue
        left, middle, right = rise[top - 1 : top + 2]
        bend = left - 2 * middle + right
        place = axis[part][top] + (0.5 * (left - right) / bend * step if bend < 0 else 0.0)
        out.append(Onset(edge, float(place - edge.energy)))
    return out


def tell(onsets: list[Onset]) -> tuple[list[str], float | None]:
    """Sentences on onsets that lie elsewhere, and the one shift that most agree on, eV, if they do."""
    away = [one for one in onsets if abs(one.shift) > OFF]
    if not away:
        return [], None
    shifts = np.array([one.shift for one in onsets])
    middle = float(np.median(shifts))
    common = middle if abs(middle) > OFF and (np.abs(shifts - middle) < AGREE).all() else None
    places = ", ".join(f"{one.edge.name.replace('_', ' ')} {one.shift:+.1f} eV" for one in away)
    text = f"Edges begin elsewhere than the table says: {places}"
    if common is None:
        return [f"{text}. They do not agree on one shift: their maps may lose counts, check the energy axis."], None
    return [f"{text}; of all, {common:+.1f} eV"], common
