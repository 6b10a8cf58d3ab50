"""Strays: rows that lie far beside their neighbours, as where the scan glitched, found again in the fitted scene."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lbj.array_types import Floats, Mask

from .places import compared, likelihoods, misfits, settled
from .stage import Stage
from .unknowns import SHIFTS, SIZE

AROUND = 17  # rows; where a row is expected is the median over so many
FAR, LEAST = 4.0, 0.25  # rows are searched for if they lie FAR standard deviations plus LEAST px beside that
NORMAL = 1.4826  # standard deviation over the median distance
GAP = 2  # rows between such rows that are searched for, too
FEWEST = 3  # least number of frames
MOST = 0.03  # share of the rows; if more lie so far away, jitter is of another kind
DOWN, ALONG, STEP = 4.0, 24.0, 0.5  # px; how far rows are searched for, and the steps
NEAR = 1.5  # px by which single rows may lie beside the place found for those side by side
TRIED = 4  # places at which the rows are fitted, those where they fit best
# Log-likelihood by which a place must be better than any other: one that is like the fitted one, or another.
LIKELY, CERTAIN = 2.0, 8.0
FEW = 2.0  # times more certain that must be for so few rows as lie in a gap to be doubted
RARE = 16.0  # the same by which a glitch is less likely than that rows lie where they are expected
FITTING = 3.0  # times the usual misfit that a row may have in its place, and
USUAL = 3.0  # standard deviations above it the median of rows side by side
APART = 1.0  # px by which a place must differ from the fitted one to be taken


def strays(stage: Stage, modes: Floats, spread: Floats, doubted: Mask) -> tuple[Floats, Mask]:
    """Find the rows that lie far beside their neighbours, and where.

    Searched for are rows that were fitted far beside their neighbours, or that fit badly (`doubted`): caught by a wrong
    part of the scene, they may lie elsewhere. The scene is fitted again without them, and they are compared with it,
    those side by side together, up to `DOWN` and `ALONG` px from where their neighbours lie.

    Parameters
    ----------
    stage : Stage
        Its scene is changed.
    modes : (N, Y, K, 2)
        Displacements as fitted; those of strays are replaced.
    spread : (M,)
        Expected size of the unknowns of a row, rms.
    doubted : (N, Y) bool
        Rows that fit badly.

    Returns
    -------
    beside : (N, Y, 2)
        How far (y, x), px, rows lie beside where their neighbours let expect them; 0 for those that are no strays.
    lost : (N, Y) bool
        Strays that fit several places as well, or none; `beside` is 0.
    """
    fitted = modes[:, :, 0]
    usual = ndimage.median_filter(fitted, (1, AROUND, 1), mode="nearest")  # and in the other unknowns, of all rows
    beside, lost = np.zeros(fitted.shape), np.zeros(fitted.shape[:2], bool)
    away = np.abs(fitted - usual)
    jitter = NORMAL * np.median(away, axis=(0, 1))
    far = (away > FAR * jitter + LEAST).any(axis=2)
    sought = ndimage.binary_closing(far | doubted, np.ones((1, GAP + 1)))
    sought &= np.array([np.isfinite(image).any(axis=1) for image in stage.images])
    if not 0 < sought.mean() < MOST or len(fitted) < FEWEST:
        return beside, lost
    trust = stage.trust
    stage.trust = np.where(sought, 0, trust).astype(np.float32)
    stage.fit_scene(modes.astype(np.float32), 0.0)
    stage.trust = trust
    known = 1 / np.maximum(np.concatenate([jitter, spread[2:]]), 1e-3) ** 2
    for n in np.flatnonzero(sought.any(axis=1)).tolist():
        others = np.flatnonzero(~sought[n])
        unknown = np.concatenate([modes[n].reshape(-1, SHIFTS), stage.bright[n]], axis=1)[others]
        expected = np.tile(np.median(unknown, axis=0) if others.size else np.zeros(SIZE), (len(usual[n]), 1))
        expected[:, :2] = usual[n]
        usually = misfits(compared(stage, n, others, unknown)) if others.size else np.zeros(1)
        usually = usually[np.isfinite(usually)] if np.isfinite(usually).any() else np.zeros(1)
        middle = float(np.median(usually))
        most = middle + USUAL * NORMAL * float(np.median(np.abs(usually - middle)))
        number, count = ndimage.label(sought[n])
        for k in range(count):
            rows = np.flatnonzero(number == k + 1)
            rows = rows[~beside[n, rows].any(axis=1)]  # the others were found with strays before them
            if not rows.size:
                continue
            told = far[n, rows] | (rows.size > GAP)  # a single row may fit badly by chance
            found = _found(stage, n, rows, expected[rows], fitted[n, rows], known)
            if found is None:
                lost[n, rows] = told
                continue
            off, misfit = found
            moved = np.abs(usual[n, rows] + off - fitted[n, rows]).max(axis=1) > APART
            fits = (misfit < FITTING * middle) & (np.median(misfit) < most)
            ends = {}
            if (moved & fits).all():
                ends = _ends(stage, n, rows, expected, fitted[n], np.median(off, axis=0), known)
            alone = rows.size + len(ends) <= GAP  # too few to be sure that it was no jitter
            lost[n, rows] = moved & told & (~fits | alone)
            if not alone:
                beside[n, rows[moved & fits]] = off[moved & fits]
                for y, one in ends.items():
                    beside[n, y] = one
    astray = lost | beside.any(axis=2)
    modes[astray] = np.broadcast_to(np.median(modes, axis=1, keepdims=True), modes.shape)[astray]
    modes[astray, 0] = (usual + beside)[astray]
    return beside, lost


def _found(
    stage: Stage, n: int, rows: NDArray[np.int64], expected: Floats, fitted: Floats, known: Floats
) -> tuple[Floats, Floats] | None:
    """How far rows side by side lie aside, (R, 2) px, and their misfit there, (R,); None if several places fit.

    `expected`: their unknowns where nothing went wrong, (R, M), from which all is counted; `fitted`: displacements as
    fitted, (R, 2), px; `known`: information that the unknowns are as expected, (M,).
    """
    down, along = (np.arange(-reach, reach + STEP / 2, STEP) for reach in (DOWN, ALONG))
    shifts = np.stack(np.meshgrid(down, along, indexing="ij"), axis=-1).reshape(-1, 2)
    usual = expected[:, :2]
    likely = np.empty((rows.size, len(shifts)))
    for k, y in enumerate(rows):
        places = np.tile(expected[k], (len(shifts), 1))
        places[:, :2] += shifts
        likely[k] = likelihoods(compared(stage, n, np.repeat(y, len(shifts)), places), stage.images.shape[2])
    reach = round(2 * NEAR / STEP) + 1
    nearby = ndimage.maximum_filter(likely.reshape(-1, down.size, along.size), (1, reach, reach), mode="nearest")
    total = nearby.sum(axis=0).ravel()
    tried: list[tuple[float, Floats, Floats]] = []
    while len(tried) < TRIED and np.isfinite(total.max()):
        off = np.abs(shifts - shifts[total.argmax()]).max(axis=1)
        total[off <= 2 * NEAR] = -np.inf
        start = shifts[np.where(off <= NEAR, likely, -np.inf).argmax(axis=1)]
        tried.append(_settled(stage, n, rows, expected, start, known))
    tried.sort(key=lambda one: -one[0])
    if not tried:
        return None
    best, off, fit = tried[0]
    if rows.size <= GAP:
        here, _, fit_here = _settled(stage, n, rows, expected, fitted - usual, known)
        if best - here < FEW * CERTAIN:
            return fitted - usual, fit_here  # jitter has rows that lie far aside, too
    others = [one for one, place, _ in tried if np.abs(place - off).max() > APART]
    least = LIKELY if np.abs(usual + off - fitted).max() < APART else CERTAIN
    seen = 1 - abs(float(np.median(off[:, 1]))) / stage.images.shape[2]
    return None if others and best - others[0] < least / seen**2 else (off, fit)


def _ends(
    stage: Stage, n: int, rows: NDArray[np.int64], expected: Floats, fitted: Floats, off: Floats, known: Floats
) -> dict[int, Floats]:
    """Rows before and after strays that lie aside as they do, by about `off`, (2,) px, and how far.

    The other arguments are those of `_found`, for all rows of the frame.
    """
    out = {}
    for following in (range(rows[0] - 1, -1, -1), range(rows[-1] + 1, len(fitted))):
        for y in following:
            row = np.array([y])
            own = fitted[y] - expected[y, :2]
            there, here = (_settled(stage, n, row, expected[row], one[None], known) for one in (off, own))
            if not there[0] + RARE - here[0] > CERTAIN:  # beside a stray it is not rare
                break
            out[y] = there[1][0]
    return out


def _settled(
    stage: Stage, n: int, rows: NDArray[np.int64], expected: Floats, start: Floats, known: Floats
) -> tuple[float, Floats, Floats]:
    """Log-likelihood of rows aside by about `start`, (R, 2) px; how far they lie aside, (R, 2); their misfit, (R,).

    They are taken to lie aside by the median of `start`, as far as `known` tells, and by jitter or, rarely, a glitch.
    """
    around = np.zeros(SIZE)
    around[:2] = np.median(start, axis=0)
    unknown, sums = settled(stage, n, rows, expected, around, start, known)
    likely = likelihoods(sums, stage.images.shape[2]) - ((unknown - around) ** 2 * known).sum(axis=1) / 2
    off = unknown[:, :2]
    by_jitter = float((off**2 * known[:2]).sum()) / 2
    return float(likely.sum()) - min(by_jitter, RARE), off, misfits(sums)
