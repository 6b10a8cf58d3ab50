"""Settled: rows fitted with frames moved by lattice vectors, until none fits better; which fits as well is told."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lbj.array_types import Floats, Singles

from .hops import FEW_STEPS, Hops, find_hops, nearest, resembling_moves, shortened, steadied
from .laid import Laid, mean_of, misfit
from .motion import jumps
from .rows.field import Field, register_rows
from .rows.unknowns import MODES

JUMPS = 2  # jumps of the stage over a lattice that are examined, the farthest
ROUNDS = 2  # most times that lattice hops are corrected and the rows fitted again
STEADY = 0.2  # share of steps that may be like the one before in a series that is said to move irregularly
# Relative rise of the mean squared residual that may be chance, times the square root of the number of pixels.
CHANCE = 3.0
# Relative rise of that residual that is accepted where frames are moved by lattice vectors, as with shorter steps they
# overlap more.
OVERLAPPING = 0.03
UNLIKE = 0.3  # share of the scene's variance by which half series may differ more with the shortest steps


@dataclass
class Fit:
    """State of the fit: displacements of rows, shifts of frames (N, 2), px, lattice hops still found, aligned sums.

    `longer`: the shifts before the shortest steps were taken, where the steps were unlike a drift (`_to_and_fro`).
    """

    fitted: Field
    place: Floats
    hops: Hops
    laid: Laid
    longer: Floats | None = None


def lattice_settled(images: Singles, place: Floats, before: Field | None) -> Fit:
    """Fit the displacements of the rows; correct frames that are a lattice vector off, and fit again."""
    fitted = register_rows(images, place, before)
    for _ in range(ROUNDS):
        laid = Laid(images, fitted.modes)
        hops = find_hops(laid)
        if not hops.shift.any():
            break
        moved = register_rows(images, laid.shift + hops.shift)
        if moved.residual > (1 + OVERLAPPING) * fitted.residual:
            hops = replace(hops, shift=np.zeros_like(place))
            break
        fitted, place = moved, laid.shift + hops.shift
    even = _steady(images, fitted, hops)
    if even is not None:
        fitted, place = even, even.modes[:, :, 0].mean(axis=1)
    if fitted.modes is not laid.modes:
        laid = Laid(images, fitted.modes)
    if not _to_and_fro(hops, place):
        return _jumps_settled(images, Fit(fitted, place, hops, laid))
    own = fitted.modes[:, :, 0].mean(axis=1)
    shorter = nearest(own, hops.vectors) - own
    other = Laid(images, fitted.modes + shorter[:, None, None] * (np.arange(MODES) == 0)[:, None])
    if shorter.any() and unlike(other) < unlike(laid) + UNLIKE:
        return Fit(replace(fitted, modes=other.modes), place + shorter, hops, other, place)
    return Fit(fitted, place, hops, laid)


def _jumps_settled(images: Singles, found: Fit) -> Fit:
    """Where the stage jumped over a lattice, fit again with the jump changed by lattice vectors.

    Rows misplaced alike in all frames hide how well another vector fits until they are fitted again. A shorter jump
    that then fits better is taken. A longer one is a tie: frames overlap less then, and so fit more easily.
    """
    if not len(found.hops.vectors):
        return found
    chance = CHANCE / np.sqrt(images.size)
    for cut in jumps(found.place)[:JUMPS]:
        own, best, tie = found.place[cut] - found.place[cut - 1], found, None
        for vector in resembling_moves(found.laid, cut, found.hops.vectors):
            place = found.place.copy()
            place[cut:] += vector
            fitted = register_rows(images, place - place.mean(axis=0))
            gain = 1 - fitted.residual / best.fitted.residual
            if gain > chance and np.hypot(*(own + vector)) < np.hypot(*own):
                best, tie = replace(found, fitted=fitted, place=place), None
            elif gain > -chance:
                tie = cut, (float(vector[0]), float(vector[1]))
        if best is not found:
            found = replace(best, laid=Laid(images, best.fitted.modes))
        if tie is not None:
            found.hops.tied.append(tie)
    return found


def _to_and_fro(hops: Hops, place: Floats) -> bool:
    """Whether the steps change by more than half a lattice period, again and again.

    In four frames or fewer one jump of the stage changes all of them; there most of the steps must be long, too.
    """
    usual, change = moving_by(place)
    return bool(hops.period / 2 < change and (len(place) > FEW_STEPS or hops.period / 2 < usual))


def moving_by(place: Floats) -> tuple[float, float]:
    """Median length of the steps from frame to frame, and how much they change at least, but for a few; px."""
    change = float(np.quantile(np.hypot(*np.diff(place, 2, axis=0).T), STEADY)) if len(place) > 2 else 0.0
    return float(np.median(np.hypot(*np.diff(place, axis=0).T))), change


def _steady(images: Singles, fitted: Field, hops: Hops) -> Field | None:
    """Another fit in which frames step more evenly, or less far, over a lattice, if one fits the images as well."""
    place = fitted.modes[:, :, 0].mean(axis=1)
    found: Field | None = None
    for changed in (steadied, nearest):
        even = changed(place, hops.vectors)
        if not np.array_equal(even, place):
            other = register_rows(images, even)
            if other.residual < (1 + CHANCE / np.sqrt(images.size)) * (found or fitted).residual:
                place, found = even, other
    for shorter in shortened(place, hops.vectors) if hops.tied else []:
        other = register_rows(images, shorter)
        if other.residual < (1 + OVERLAPPING) * (found or fitted).residual:
            return other
    return found


def unlike(laid: Laid) -> float:
    """Difference between the means of every second frame and of the others, as a share of their variance."""
    halves = [laid.smooth(mean_of(half)) for half in laid.halves]
    square = misfit(*halves)
    both = np.isfinite(square)
    return float(square[both].mean() / max(halves[0][both].var(), 1e-30)) if both.any() else 0.0
