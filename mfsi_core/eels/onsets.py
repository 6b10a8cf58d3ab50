"""Onsets: where edges of a sum spectrum begin, compared with the table, to align the energy axis."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from lbj.array_types import Floats, Mask

from ..tables.edges import Edge
from ..tables.lines import symbols

# Shells whose edges rise within some eV: elements from the first to the last (C. C. Ahn (ed.), Transmission Electron
# Energy Loss Spectrometry, 2004, ch. 1). All others are delayed: they rise over tens of eV; no step tells their place.
SHARP = {"K": (("B", "U"),), "L3": (("K", "Zn"), ("Rb", "Ag")), "M5": (("Ba", "Yb"),)}
REACH = 15.0  # eV, within which an onset is looked for; five channels at least
LEAST_REACH = 7.5  # eV, of what lies nearer to another edge than to this
SMOOTH = 1.5  # eV, standard deviation of the smoothing; a channel at least
WIDEST = 8.0  # eV of a channel
BEFORE = 60.0  # eV before the edge, where the background is fitted, to REACH before it; fifteen channels at least
LEAST = 6.0  # standard errors by which an onset stands out of how the background varies
RIVAL = 0.5  # share of the steepest rise from which another before it, or of a whole one behind it, makes it doubtful
OFF = 3.0  # eV, from which an onset is told to lie elsewhere, and of a channel's width
OFF_CHANNELS = 0.6
AGREE = 2.0  # eV, by which onsets agree on one shift, and half a channel


@dataclass(frozen=True)
class Onset:
    """Where an edge begins.

    Attributes
    ----------
    edge : Edge
    shift : float
        Where it rises most steeply less where the table puts it, eV; NaN where that was not found.
    reason : str
        Why not; empty where it was.
    """

    edge: Edge
    shift: float = float("nan")
    reason: str = ""


def find_onsets(spectrum: Floats, axis: Floats, edges: list[Edge]) -> list[Onset]:
    """Find where edges rise.

    Parameters
    ----------
    spectrum : (C,) array
        Sum spectrum.
    axis : (C,) array
        Energies, eV, even and rising.
    edges : list of Edge
        Those of all elements named.

    Returns
    -------
    list of Onset
        Of each edge. It is found where it is one of those that rise at once and stands out within 15 eV of its place
        (and nearer to it than to another element's): the steepest rise of the spectrum over the power law before it,
        smoothed by 1.5 eV or a channel. Where another rise near it fits no edge of the elements, shifted likewise, it
        may belong to another edge, and is not found; nor where the axis holds less than 30 eV before the edge.
    """
    step = float(axis[1] - axis[0]) if axis.size > 1 else 0.0
    if not 0 < step <= WIDEST:
        wide = f"channels of {step:.3g} eV are too wide" if step > 0 else "the axis does not rise"
        return [Onset(edge, reason=wide) for edge in edges]
    return [_found(spectrum, axis, step, edge, edges) for edge in edges]


def _found(spectrum: Floats, axis: Floats, step: float, edge: Edge, edges: list[Edge]) -> Onset:
    if not is_sharp(edge):
        return Onset(edge, reason="such an edge is delayed and rises over tens of eV")
    farthest = max(REACH, 5 * step)
    others = [other for other in edges if other.element != edge.element]
    nearest = min(others, key=lambda other: abs(other.energy - edge.energy), default=None)
    reach = farthest if nearest is None else min(farthest, abs(nearest.energy - edge.energy) / 2)
    if nearest is not None and reach < max(LEAST_REACH, 1.5 * step):
        return Onset(edge, reason=f"{nearest.name.replace('_', ' ')} begins too near")
    before = (axis > edge.energy - max(BEFORE, 15 * step)) & (axis < edge.energy - farthest) & (axis > 0)
    short = axis[0] > edge.energy - 2 * farthest or axis[-1] < edge.energy + farthest
    used = before | (np.abs(axis - edge.energy) < farthest)
    if short or before.sum() < 8 or not (spectrum[used] > 0).all():
        return Onset(edge, reason="too little of the spectrum lies before or behind it")
    rises = _rises(spectrum, axis, step, edge.energy, before, (reach, farthest))
    if not rises:
        return Onset(edge, reason="no rise stands out near its place")
    shift = rises[0] - edge.energy
    for rival in rises[1:]:
        if min(abs(rival - other.energy - shift) for other in edges) > least_off(step):
            return Onset(edge, reason=f"another rise, at {rival:.0f} eV, fits no edge of the elements named")
    return Onset(edge, shift)


def _rises(
    spectrum: Floats, axis: Floats, step: float, energy: float, before: Mask, reaches: tuple[float, float]
) -> list[float]:
    """Energy of the steepest rise within the first reach, and of its rivals; empty where none stands out."""
    from scipy.ndimage import gaussian_filter1d

    slope, level = np.polyfit(np.log(axis[before]), np.log(spectrum[before]), 1)
    part = before | ((axis >= energy - reaches[1]) & (axis < energy + 2 * reaches[1]))
    ratio = np.maximum(spectrum[part], 0) / np.exp(level + slope * np.log(axis[part]))
    rise = gaussian_filter1d(ratio, max(SMOOTH / step, 1.0), order=1) / step
    noise = float(rise[before[part]].std())
    inside = np.flatnonzero(np.abs(axis[part] - energy) <= reaches[0])
    top = int(inside[rise[inside].argmax()])
    if top in (inside[0], inside[-1]) or rise[top] < LEAST * noise or rise[top] <= 0:
        return []
    left, middle, right = rise[top - 1 : top + 2]
    bend = left - 2 * middle + right
    place = float(axis[part][top] + (0.5 * (left - right) / bend * step if bend < 0 else 0.0))
    least = np.where(axis[part] < place, RIVAL, 1.0) * rise[top]
    maxima = np.r_[False, (rise[1:-1] >= rise[:-2]) & (rise[1:-1] > rise[2:]), False]
    maxima &= (rise >= least) & (np.abs(axis[part] - place) > 3 * max(SMOOTH, step))
    return [place, *axis[part][maxima].tolist()]


def is_sharp(edge: Edge) -> bool:
    """Whether an edge rises within some eV."""
    order = symbols()
    kind, number = edge.name.partition("_")[2], order.index(edge.element) if edge.element in order else -1
    return any(order.index(first) <= number <= order.index(last) for first, last in SHARP.get(kind, ()))


def tell(onsets: list[Onset], step: float = 1.0) -> tuple[list[str], float | None]:
    """Sentences on onsets that lie elsewhere, and the one shift that most agree on, eV, if they do.

    `step` is the width of a channel, eV.
    """
    found = [one for one in onsets if not one.reason]
    away = [one for one in found if abs(one.shift) > least_off(step)]
    if not away:
        return [], None
    shifts = np.array([one.shift for one in found])
    middle = float(np.median(shifts))
    agreed = bool((np.abs(shifts - middle) < max(AGREE, step / 2)).all())
    common = middle if abs(middle) > least_off(step) and agreed else None
    places = ", ".join(f"{one.edge.name.replace('_', ' ')} {one.shift:+.1f} eV" for one in away)
    text = f"Edges begin elsewhere than the table says: {places}"
    if common is None:
        return [f"{text}. They do not agree on one shift: their maps may lose counts, check the energy axis."], None
    return [f"{text}; of all, {common:+.1f} eV"], common


def least_off(step: float) -> float:
    """Shift from which an onset is told to lie elsewhere, in channels of a width, eV."""
    return max(OFF, OFF_CHANNELS * step)


def doubts(onsets: list[Onset], mapped: Edge, step: float, *, aligned: bool) -> list[str]:
    """Sentences on the map of an edge: that it begins elsewhere, or that this was not checked and why."""
    beyond = Onset(mapped, reason="it lies at the end of the axis")
    one = next((onset for onset in onsets if onset.edge == mapped), beyond)
    if not one.reason:
        away = abs(one.shift) > least_off(step) and not aligned
        return [f"its edge begins {one.shift:+.1f} eV from where the table says"] if away else []
    right = [other for other in onsets if not other.reason]
    agree = bool(right) and all(abs(a.shift - b.shift) < max(AGREE, step / 2) for a, b in pairwise(right))
    names = " and ".join(f"{other.edge.name.replace('_', ' ')} ({other.shift:+.1f} eV)" for other in right[:3])
    told = f"; the axis was checked by {names}" if agree else ""
    return [f"it cannot be decided whether its edge begins where the table says: {one.reason}{told}"]
