"""Periods: rows fitted a lattice period off, found by the jitter that would be needed, and put where they belong."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from lbj.array_types import Floats, Mask

from .jitter import Jitter
from .places import likelihoods, settled
from .scene import SceneFit
from .stage import Stage
from .strays import AROUND, RARE
from .unknowns import SHIFTS, SIZE

LONGEST = 12  # px; longest period that is tried
ALIKE = 0.3  # least correlation of the scene with itself, shifted, for rows to be taken for displaced by that much
MOST = 12  # periods that are tried, the shortest
ODDS = 10.0  # log-likelihood by which jitter may speak against a place for it to be tried
CLEAR = 2.0  # log-likelihood by which a place must be better for rows to be moved there


def other_periods(stage: Stage, modes: Floats, prior: Jitter) -> tuple[Mask, float]:
    """Move rows that fit better where the scene repeats, and jitter counted, to there.

    A lattice draws each row to the nearest place at which it looks the same; of many rows, jitter has brought some
    nearer to a wrong one.

    Parameters
    ----------
    stage : Stage
        The brightness of rows that are moved is changed.
    modes : (N, Y, K, 2)
        Displacements as fitted; those of rows that are moved are replaced.
    prior : Jitter

    Returns
    -------
    moved : (N, Y) bool
    unsure : float
        Variance of a component of the displacement, px², because of rows of which it is not clear where they belong.
    """
    vectors, spread = _repeating(stage.scene), np.sqrt(prior.power[1:].mean(axis=0))
    fitted = modes[:, :, 0]
    usual = ndimage.median_filter(fitted, (1, AROUND, 1), mode="nearest")
    known = 1 / np.maximum(np.concatenate([prior.within(AROUND), spread[2:]]), 1e-3) ** 2
    shown = _shown(fitted[:, :, 0], stage.scene)
    moved, unsure = np.zeros(fitted.shape[:2], bool), 0.0
    for n in range(len(fitted)):
        off = fitted[n] - usual[n]
        places = off[:, None] + vectors
        cost = _by_jitter(places, known) - _by_jitter(off, known)[:, None]
        rows, which = np.nonzero((cost < ODDS) & _held(shown, fitted[n, :, None, 0] + vectors[:, 0], stage.scene))
        if not rows.size:
            continue
        own = np.unique(rows)
        unknown = np.concatenate([modes[n].reshape(-1, SHIFTS), stage.bright[n]], axis=1)
        expected = np.tile(np.median(unknown, axis=0), (len(unknown), 1)).astype(float)
        expected[:, :2] = usual[n]
        at = np.concatenate([own, rows])
        start = np.concatenate([off[own], places[rows, which]])
        likely, unknown = _likelihoods(stage, n, at, expected, start, known)
        here = dict(zip(own.tolist(), likely[: own.size], strict=True))
        for y in own.tolist():
            there = own.size + np.flatnonzero(rows == y)
            best = int(there[np.argmax(likely[there])])
            gain = float(likely[best] - here[y])
            if not np.isfinite(gain):
                continue
            apart = float(np.square(unknown[best, :2] - off[y]).sum()) / 2
            if gain > CLEAR:
                moved[n, y] = True
                modes[n, y] = (expected[y] + unknown[best])[:SHIFTS].reshape(-1, 2)
                stage.bright[n, y] = (expected[y] + unknown[best])[SHIFTS:]
            unsure += apart / (1 + np.exp(min(abs(gain), 700.0)))
    return moved, unsure / moved.size


def _likelihoods(
    stage: Stage, n: int, rows: NDArray[np.int64], expected: Floats, start: Floats, known: Floats
) -> tuple[Floats, Floats]:
    """Log-likelihood of rows near a start, jitter counted, (R,), and their unknowns less the expected ones, (R, M).

    `expected`: of all rows, (Y, M); the other arguments are those of `places.settled`.
    """
    around = np.zeros((rows.size, SIZE))
    around[:, :2] = start  # only the scene draws them from there
    unknown, sums = settled(stage, n, rows, expected[rows], around, start, known)
    rest = (unknown[:, 2:] ** 2 * known[2:]).sum(axis=1) / 2
    by_jitter = np.minimum(_by_jitter(unknown[:, :2], known), RARE)
    return likelihoods(sums, stage.images.shape[2]) - rest - by_jitter, unknown


def _by_jitter(off: Floats, known: Floats) -> Floats:
    """How much jitter speaks against rows that lie so far beside their neighbours, (..., 2) px, as a log-likelihood."""
    return np.asarray((off**2 * known[:2]).sum(axis=-1) / 2)


def _repeating(scene: SceneFit) -> Floats:
    """Displacements (L, 2), px, at which the scene resembles itself, the shortest first, opposite ones as well."""
    varied = np.where(scene.square[0] + scene.square[1] > 0, scene.signal, 0)
    alike = fft.fftshift(fft.irfft2(varied, scene.size))
    middle = np.array(alike.shape) // 2
    alike = alike / max(float(alike[tuple(middle)]), 1e-30)
    found = np.argwhere((alike == ndimage.maximum_filter(alike, 3, mode="wrap")) & (alike > ALIKE)) - middle
    length = np.hypot(*found.T)
    found, length = found[(length > 1) & (length <= LONGEST)], length[(length > 1) & (length <= LONGEST)]
    return np.asarray(found[np.argsort(length, kind="stable")][:MOST], float)


def _shown(place: Floats, scene: SceneFit) -> NDArray[np.int64]:
    """Number of frames that show each row of the scene, (H,), from the displacements (N, Y) of their rows, px."""
    rows = place.shape[1]
    first = np.clip(np.rint(place.mean(axis=1)).astype(int) + scene.corner[0], 0, scene.size[0] - rows)
    out = np.zeros(scene.size[0], int)
    for one in first:
        out[one : one + rows] += 1
    return out


def _held(shown: NDArray[np.int64], place: Floats, scene: SceneFit) -> Mask:
    """Whether more than half of the most frames show the scene where rows, displaced by (Y, L) px, would lie."""
    at = np.rint(place + np.arange(len(place))[:, None]).astype(int) + scene.corner[0]
    inside = (at >= 0) & (at < scene.size[0])
    return np.asarray(inside & (2 * shown[np.clip(at, 0, scene.size[0] - 1)] > shown.max()))
