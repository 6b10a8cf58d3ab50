"""Steps within frames: rows from one on that lie elsewhere than those above, as when the stage moves in mid-frame."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from lbj.array_types import Floats, Singles

from .bad_parts import LEAST_ROWS
from .laid import Laid, mean_of, moved

PARTS = 12  # parts of the rows between which a step is looked for at first, at most
NEAR = 2.0  # px; rows this near to the place of their frame have not stepped: the fit of the rows finds them there
FARTHEST = 0.25  # share of the frame's rows and columns by which rows may lie off
PLACES = 8  # places that are considered for the rows on each side, those that fit best
LEAST = 1.0  # px; a shorter step is left to the fit of the rows even where one side would fit elsewhere nearly as well
# Rows lie elsewhere if they fit better there by CERTAIN standard errors, taken from the scatter from row to row.
CERTAIN = 4.0
# Another place that fits worse by less than APART standard errors may be the right one.
APART = 4.0
DEVIATIONS = (0.0, -1.2, 1.2, -2.4, 2.4)  # of single rows from their place, in standard deviations of the jitter
SEEN = 0.1  # share of the squared slope along the clearest direction that another one must have to be looked along
WIDTH = 12  # px; what rows and images have by chance in common is taken to be independent at this distance along rows
KNOWN = 0.5  # least share of the rows' pixels where the other frames must be known for them to be placed there


@dataclass(frozen=True)
class Step:
    """A step within a frame.

    Attributes
    ----------
    frame, row : int
        Number of the frame, and of the first row after the step.
    places : (2, 2)
        Displacements (y, x), px, of the rows before and after it.
    unsure : float
        Variance of a component of the displacement, px², averaged over the frame, since the row is not certain.
    tied : bool
        Whether the rows on one side would fit elsewhere nearly as well.
    """

    frame: int
    row: int
    places: Floats
    unsure: float
    tied: bool

    @property
    def length(self) -> float:
        """Length of the step, px."""
        return float(np.hypot(*(self.places[1] - self.places[0])))


def find_step(laid: Laid, n: int, jitter: float) -> Step | None:
    """Look for a step in frame n of a registered series: the rows above and below a cut are placed for themselves.

    They are compared with the mean of the other frames at all shifts up to the share `FARTHEST` of the frame. Each side
    stays where the frame lies unless it clearly fits better elsewhere. Then each row is compared at the places of both
    sides, where it may deviate by jitter, of which the standard deviation of a component is `jitter`, px.
    """
    frame = _Frame(laid, n)
    rows, columns = frame.own.shape
    if rows < 2 * LEAST_ROWS:
        return None
    reach = (int(FARTHEST * rows), int(FARTHEST * columns))
    edges = np.linspace(0, rows, min(PARTS, rows // LEAST_ROWS) + 1).astype(int)
    gains = frame.gains(edges, reach)
    above = np.cumsum(gains, axis=0)[:-1]
    below = gains.sum(axis=0) - above
    cut = int(np.argmax(above.max(axis=(1, 2)) + below.max(axis=(1, 2))))
    row = int(edges[cut + 1])
    for _ in range(2):
        top, bottom = (
            frame.placed(surface, reach, side)
            for surface, side in ((above[cut], slice(0, row)), (below[cut], slice(row, rows)))
        )
        near, far = frame.misfits(top.place, jitter), frame.misfits(bottom.place, jitter)
        noise = float(np.nanmedian(np.minimum(near, far))) * frame.excess(top.place, bottom.place, row)
        gain = (far - near) / (2 * max(noise, 1e-30))
        # log-likelihood, but for a constant, of the step before each row
        likely = np.cumsum(np.concatenate([[0.0], np.nan_to_num(gain) * columns]))
        row = int(np.argmax(likely))
        if not LEAST_ROWS <= row <= rows - LEAST_ROWS:
            return None
    step = bottom.place - top.place
    tied = top.tied or bottom.tied
    if np.hypot(*step) < (LEAST if tied else NEAR) or not frame.differ(top.place, bottom.place, row):
        return None
    likely = np.exp(likely - likely.max())
    likely /= likely.sum()
    unsure = float(likely @ np.abs(np.arange(rows + 1) - row)) / rows * float(step @ step) / 2
    return Step(n, row, np.array([top.place, bottom.place]), unsure, tied)


@dataclass(frozen=True)
class _Placed:
    """Rows of one side of a cut: their displacement, px, and whether another one fits nearly as well."""

    place: Floats
    tied: bool


class _Frame:
    """A frame and the mean of the others."""

    def __init__(self, laid: Laid, n: int) -> None:
        self.own, self.others = laid.plain(n), _others(laid, n)
        self.corner, self.place = np.array(laid.corner), laid.shift[n]
        missing = ~np.isfinite(self.others)
        self._waves = fft.rfft2(np.where(missing, np.float32(0), self.others)), missing

    def gains(self, edges: NDArray[np.int64], reach: tuple[int, int]) -> Singles:
        """By how much the squared difference of parts of the frame and the others falls, at shifts around its place.

        It is twice the product less the square of the others' mean, summed over the pixels where that is known; shifts
        are whole pixels up to `reach`: (parts, 2 reach + 1, 2 reach + 1).
        """
        own, others = self.own, self.others
        size = [int(fft.next_fast_len(n + m, real=True)) for n, m in zip(others.shape, own.shape, strict=True)]
        known = np.where(np.isfinite(others), others, np.float32(0))
        wave, square = fft.rfft2(known, size), fft.rfft2(known**2, size)
        middle = np.rint(self.place).astype(int) + self.corner
        down, along = (np.arange(-r, r + 1) + m for r, m in zip(reach, middle, strict=True))
        out = []
        for top, bottom in pairwise(edges):
            part = np.zeros((2, *own.shape), np.float32)
            seen = np.isfinite(own[top:bottom])
            part[0, top:bottom], part[1, top:bottom] = np.where(seen, own[top:bottom], 0), seen
            one, mask = np.conj(fft.rfft2(part, size))
            surface = fft.irfft2(2 * one * wave - mask * square, size)
            out.append(surface[np.ix_(down % size[0], along % size[1])])
        return np.array(out)

    def placed(self, surface: Singles, reach: tuple[int, int], side: slice) -> _Placed:
        """Place of the rows of one side: near that of the frame unless they clearly fit better elsewhere."""
        peaks = np.argwhere(surface == ndimage.maximum_filter(surface, 3))
        peaks = peaks[np.argsort(-surface[tuple(peaks.T)])]
        places = peaks - np.array(reach) + np.rint(self.place)
        away = np.hypot(*(places - self.place).T)
        tried = [*(places[away < NEAR][:1] if (away < NEAR).any() else [self.place]), *places[away >= NEAR][:PLACES]]
        tried = [self._refined(place, side) for place in tried]
        there = [self.at(place)[side] for place in tried]
        best = 0
        for k in range(1, len(tried)):
            far = _better(self.own[side], there[k], there[0]) > CERTAIN
            if far and _better(self.own[side], there[k], there[best]) > 0:
                best = k
        apart = [k for k in range(len(tried)) if np.hypot(*(tried[k] - tried[best])) > NEAR]
        t = [_better(self.own[side], there[best], there[k]) for k in apart]
        return _Placed(tried[best], any(one < APART for one in t))

    def _refined(self, place: Floats, side: slice) -> Floats:
        for _ in range(2):
            there = self.at(place)
            slope = np.nan_to_num(np.array(np.gradient(there)))[:, side].reshape(2, -1)
            rest = np.nan_to_num(self.own - there)[side].ravel()
            power = slope @ slope.T
            values, vectors = np.linalg.eigh(power)
            known = np.where(values > SEEN * values[-1], 1 / np.maximum(values, 1e-30), 0.0)
            place = place + np.clip(vectors @ (known * (vectors.T @ (slope @ rest))), -1, 1)
        return place

    def at(self, place: Floats) -> Singles:
        """Mean of the others where the pixels of the frame lie if it is displaced by `place`; NaN where not seen."""
        whole = np.floor(place + self.corner).astype(int)
        image = moved(self._waves, place + self.corner - whole)
        out = np.full(self.own.shape, np.nan, np.float32)
        low = np.maximum(whole, 0)
        high = np.minimum(whole + self.own.shape, image.shape)
        if (high > low).all():
            (a, b), (c, d) = low - whole, high - whole
            out[a:c, b:d] = image[low[0] : high[0], low[1] : high[1]]
        return out

    def misfits(self, place: Floats, jitter: float) -> Floats:
        """Mean squared difference of each row, (Y,), near a place: at the deviation from it that is likeliest."""
        found = np.full(len(self.own), np.nan)
        noise = None
        for down in DEVIATIONS:
            for along in DEVIATIONS:
                square = (self.own - self.at(place + jitter * np.array([down, along]))) ** 2
                seen = np.isfinite(square)
                mean = np.where(seen, square, 0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
                one = np.where(seen.mean(axis=1) > KNOWN / 2, mean, np.nan)
                if noise is None:
                    noise = float(np.nanmedian(one)) if np.isfinite(one).any() else 0.0
                one += noise * (down**2 + along**2) / self.own.shape[1]
                found = np.fmin(found, one)
        return found

    def differ(self, first: Floats, second: Floats, row: int) -> bool:
        """Whether the rows before a cut fit clearly better at the first place, and the others at the second."""
        one, other = self.at(first), self.at(second)
        above, below = slice(0, row), slice(row, None)
        return (
            _better(self.own[above], one[above], other[above]) > CERTAIN
            and _better(self.own[below], other[below], one[below]) > CERTAIN
        )

    def excess(self, first: Floats, second: Floats, row: int) -> float:
        """Factor by which the chance of mistaking one place for the other exceeds that by white noise."""
        one, other = self.at(first), self.at(second)
        one[row:], other[row:] = other[row:].copy(), one[row:].copy()
        rest, apart = self.own - one, one - other
        seen = np.isfinite(rest + apart)
        rest, apart = np.where(seen, rest, 0), np.where(seen, apart, 0)
        white = float((rest**2).sum()) / max(int(seen.sum()), 1) * float((apart**2).sum())
        return max(float((_cells(rest * apart) ** 2).sum()) / max(white, 1e-30), 1.0)


def _cells(image: Singles) -> Floats:
    """Sums over cells of `LEAST_ROWS` x `WIDTH` pixels."""
    out = image.astype(float)
    for axis, side in enumerate((LEAST_ROWS, WIDTH)):
        out = np.add.reduceat(out, np.arange(0, image.shape[axis], side), axis=axis)
    return out


def _better(own: Singles, one: Singles, other: Singles) -> float:
    """By how many standard errors rows fit the one image better than the other, where both are known.

    The error is taken from what they have by chance in common with the difference of the two images, in cells of
    `LEAST_ROWS` x `WIDTH` pixels. Minus infinity where `one` is known too little, infinity where only `other` is.
    """
    known, recorded = np.isfinite(own + one + other), float(np.isfinite(own).sum())
    if np.isfinite(own + one).sum() < KNOWN * recorded or recorded < LEAST_ROWS / 2 * own.shape[1]:
        return -np.inf
    if known.sum() < KNOWN / 2 * recorded:
        return np.inf
    apart = np.where(known, one - other, 0).astype(float)
    by_chance = _cells(np.where(known, own - one, 0) * apart)
    gain = float((apart**2).sum() + 2 * by_chance.sum())
    return gain / (2 * float(np.sqrt((by_chance**2).sum())) + 1e-30)


def _others(laid: Laid, n: int) -> Singles:
    """Mean of the other frames, less the mean of each row, on the grid of the scene; NaN where it was not seen."""
    scene = laid.smooth(mean_of(laid.all - laid.frame(n)))
    seen = np.isfinite(scene)
    mean = np.where(seen, scene, 0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    return np.asarray(scene - mean[:, None], np.float32)
