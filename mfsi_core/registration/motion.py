"""Motion: how frames and rows moved, by their displacements: rows that kept still, jumps, steps within frames."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lbj.array_types import Floats

from .hops import FEW_STEPS

STILL = 1e-3  # px; rows displaced by less than this from their frame have not moved
FAR = 5.0  # a frame stands apart if its steps exceed this many median steps plus this many px
BESIDE = 8  # rows on either side that are averaged to find a step within a frame
# The largest change over these rows is a step if it exceeds SUDDEN times its median over the frames by LARGE px.
SUDDEN = 2.0
LARGE = 0.5
UNUSUAL = 3.0  # the stage jumped where a step is this many median deviations plus LARGE px away from the median step


def sway(modes: Floats) -> Floats:
    """Displacement of the rows of each frame from the frame's mean, one component, px rms: (N,)."""
    place = modes[:, :, 0] - modes[:, :, 0].mean(axis=1, keepdims=True)
    return np.asarray(np.sqrt((place**2).mean(axis=(1, 2))))


def keeps_still(modes: Floats) -> bool:
    """Whether no row was seen to move differently from its frame."""
    own = modes.copy()
    own[:, :, 0] -= own[:, :, 0].mean(axis=1, keepdims=True)
    return bool(np.abs(own).max() < STILL)


def jumps(place: Floats) -> NDArray[np.int64]:
    """Frames (of shifts (N, 2), px) to which the step is unlike the others, as the stage jumped; farthest first."""
    if len(place) < FEW_STEPS:
        return np.zeros(0, np.int64)
    steps = np.diff(place, axis=0)
    away = np.hypot(*(steps - np.median(steps, axis=0)).T)
    farthest = np.argsort(-away, kind="stable")
    return np.asarray(farthest[away[farthest] > UNUSUAL * np.median(away) + LARGE] + 1)


def standing_apart(place: Floats) -> NDArray[np.int64]:
    """Frames that lie far from those before and after them, while these lie near each other."""
    if len(place) < FEW_STEPS:
        return np.zeros(0, np.int64)
    steps = np.hypot(*np.diff(place, axis=0).T)
    usual = FAR * np.median(steps) + FAR
    around = np.hypot(*(place[2:] - place[:-2]).T)
    return np.flatnonzero((steps[1:] > usual) & (steps[:-1] > usual) & (around < usual)) + 1


def stepping(place: Floats) -> list[tuple[int, int, float]]:
    """Frames within which the displacement steps suddenly: their number, the row of the step, and its length, px.

    Displacements have no mean over the frames, so in few frames the others seem to step the other way by much, too;
    their median is subtracted.

    `place`: displacement of the rows, (N, Y, 2), px.
    """
    if place.shape[1] < 2 * BESIDE or len(place) < 3:
        return []
    if len(place) <= FEW_STEPS:
        place = place - np.median(place, axis=0)
    total = np.cumsum(np.concatenate([np.zeros_like(place[:, :1]), place], axis=1), axis=1)
    mean = (total[:, BESIDE:] - total[:, :-BESIDE]) / BESIDE
    change = np.linalg.norm(mean[:, BESIDE:] - mean[:, :-BESIDE], axis=2)
    most = change.max(axis=1)
    sudden = np.flatnonzero(most > SUDDEN * np.median(most) + LARGE)
    return [(int(n), int(change[n].argmax()) + BESIDE, float(most[n])) for n in sudden]
