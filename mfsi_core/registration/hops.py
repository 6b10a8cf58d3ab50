"""Lattice hops: whether frames were registered a lattice period off, judged by the images."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import fft, ndimage

from lbj.array_types import Floats, Mask, Singles

from .laid import Binned, Laid, mean_of, misfit, moved

ALIKE = 0.6  # least correlation of the scene with itself, shifted, for the shift to be taken for a lattice vector
RESEMBLING = 0.3  # the same correlation above which parts of the scene may repeat at the shift
SHORT = 5.0  # px; for shorter periods the pixels are too coarse to examine them, and the shortest steps are taken
NEAREST = 8  # shifts at which the scene resembles itself that are kept
PERIODS = 120  # most lattice vectors that are considered, the shortest ones
TRIED = 3  # lattice vectors examined at each cut of the series, those that fit best
HOPELESS = 2.0  # times the misfit without a move; vectors that fit worse are not examined
NEXT = 4  # frames after a cut that are compared with those before it, before all the later frames are
OVERLAP = 0.25  # least share of the scene that must overlap with itself when moved by a lattice vector
BLOCKS = 8  # blocks along each side of the scene; the scatter from block to block gives the standard error
FLAT = 0.1  # share of the strongest block's variance below which a block is taken for empty
CERTAIN = 3.5  # standard errors by which frames moved by a lattice vector must fit better to be moved
CLEAR = 0.08  # share of the misfit by which they must fit better, too
LONGER = 2.0  # factor on both limits for a vector that makes the step from frame to frame longer
# A lattice vector that fits no better is a tie, unless it fits worse by WORSE of the misfit or by UNLIKELY standard
# errors. So much difference arises even in a perfect crystal, from rows misplaced by the same amount in all frames.
WORSE, UNLIKELY = 0.15, 3.0
FEWEST = 24  # least number of blocks that are not empty
ROUND = 8  # px of zeros added to the images, so that spline interpolation does not reach the opposite border
EVEN = 0.05  # share of the misfit by which two positions of the frames may differ and still fit equally well
SHORTEST = 2.0  # px by which a step must become shorter for the other such position to be taken
SHORTER, SHORTEST_TRIED = 0.5, 2  # px by which the median step must become shorter; number of such steps tried
FEW_STEPS = 4  # frames; in shorter series the median step says nothing
# A step changed by a lattice vector counts as usual if its distance from the median step is below UNLIKE times what it
# was before, and below NEARER lattice periods.
UNLIKE, NEARER = 0.4, 0.25


@dataclass(frozen=True)
class Hops:
    """Frames that lie lattice vectors off, or may do so.

    Attributes
    ----------
    shift : (N, 2)
        To be added to each frame's displacement, px, because the frames then agree better, or equally well with shorter
        steps.
    tied : list of (int, (float, float))
        Frames from which on all others might as well lie a lattice vector (y, x), px, off.
    period : float
        Length of the shortest lattice vector, px. Where it is below `SHORT`, `shift` makes the steps shortest.
    resembling : float
        Shortest distance, px, at which parts of the scene repeat.
    vectors : (L, 2)
        Lattice vectors (y, x), px, the shortest first.
    alike : (K, 2)
        The shortest shifts (y, x), px, at which the scene resembles itself, whether or not they are lattice vectors.
    """

    shift: Floats
    tied: list[tuple[int, tuple[float, float]]]
    period: float = np.inf
    resembling: float = np.inf
    vectors: Floats = field(default_factory=lambda: np.zeros((0, 2)))
    alike: Floats = field(default_factory=lambda: np.zeros((0, 2)))


def find_hops(laid: Laid) -> Hops:
    """Look for lattice hops: the series is cut between any two frames, and the later ones are moved by lattice vectors.

    Lattice vectors are the shifts at which the scene resembles itself. The mean images of the frames before and after
    the cut, resampled by the fitted displacements, are compared as they are and moved by a lattice vector. This is done
    in blocks of the scene; the scatter from block to block tells whether a better fit is significant.
    """
    frames = len(laid.images)
    vectors, alike = _periods(laid)
    resembling = float(np.hypot(*vectors[0])) if len(vectors) else np.inf
    near = vectors[:NEAREST]
    vectors = vectors[alike > ALIKE][:PERIODS]
    offset = np.zeros((frames, 2))
    tied: list[tuple[int, tuple[float, float]]] = []
    period = float(np.hypot(*vectors[0])) if len(vectors) else np.inf
    if not SHORT < period < np.inf:
        return Hops(nearest(laid.shift, vectors) - laid.shift, tied, period, resembling, alike=near)
    scene = Binned(laid)
    steps = np.diff(laid.shift, axis=0)
    own = scene.frame(0)
    total = own.copy()
    rest, coming = scene.all - total, deque(scene.frame(n) for n in range(1, min(NEXT, frames)))
    for cut in range(1, frames):
        before = _Known(moved(scene.waves(total), np.zeros(2)))
        offset[cut:] = offset[cut - 1]
        if cut + NEXT <= frames:
            coming.append(scene.frame(cut + NEXT - 1))
        after = [sum(coming, np.zeros_like(own))]
        if cut + NEXT < frames:
            after.append(rest)
        shift, tie = _ask(scene, before, after, vectors, offset[cut], steps[cut - 1])
        offset[cut:] += shift
        if tie is not None:
            tied.append((cut, tie))
        own = coming.popleft()
        total += _moved(own, offset[cut] / scene.factor)
        rest -= own
    return Hops(offset - np.median(offset, axis=0), tied, period, resembling, vectors, near)


def resembling_moves(laid: Laid, cut: int, vectors: Floats) -> Floats:
    """Moves (y, x), px, of all frames from one on by lattice vectors with which both sides resemble each other most.

    They are compared as they are. Rows misplaced by the same amount in all frames make even the right move look bad, so
    the rows are to be fitted again at each of them.
    """
    scene = Binned(laid)
    before = sum((scene.frame(n) for n in range(cut)), np.zeros_like(scene.all))
    earlier, later = (_Known(moved(scene.waves(part), np.zeros(2))) for part in (before, scene.all - before))
    fits = _misfits(earlier, later, -vectors / scene.factor)
    chosen = np.argsort(fits)[:TRIED]
    return vectors[chosen[np.isfinite(fits[chosen])]]


def steadied(place: Floats, vectors: Floats) -> Floats:
    """Shifts (N, 2) whose unusual steps are changed by a lattice vector where that makes them like the median step.

    A series that drifts steadily and then seems to jump by about a lattice period has probably been registered a period
    off.
    """
    if not len(vectors) or len(place) < FEW_STEPS:
        return place
    steps = np.diff(place, axis=0)
    usual = np.median(steps, axis=0)
    either = np.concatenate([np.zeros((1, 2)), vectors, -vectors])
    away = np.hypot(*np.moveaxis(steps[:, None] + either - usual, 2, 0))
    best = np.argmin(away, axis=1)
    near = away[np.arange(len(steps)), best] < np.minimum(UNLIKE * away[:, 0], NEARER * np.hypot(*vectors[0]))
    if not near.any():
        return place
    steps += np.where(near[:, None], either[best], 0)
    out = np.concatenate([place[:1], place[0] + np.cumsum(steps, axis=0)])
    return np.asarray(out - out.mean(axis=0))


def shortened(place: Floats, vectors: Floats) -> list[Floats]:
    """Shifts (N, 2) for a median step made shorter by a lattice vector, the shortest first; a few at most."""
    if not len(vectors) or len(place) < FEW_STEPS:
        return []
    usual = np.median(np.diff(place, axis=0), axis=0)
    others = usual + np.concatenate([vectors, -vectors])
    length = np.hypot(*others.T)
    chosen = [k for k in np.argsort(length)[:SHORTEST_TRIED] if length[k] < np.hypot(*usual) - SHORTER]
    number = np.arange(len(place)) - (len(place) - 1) / 2
    return [np.asarray(place + number[:, None] * (others[k] - usual)) for k in chosen]


def nearest(place: Floats, vectors: Floats) -> Floats:
    """Shifts (N, 2) whose steps are changed by the lattice vectors that make each of them shortest."""
    if not len(vectors):
        return place
    steps = np.diff(place, axis=0)
    either = np.concatenate([np.zeros((1, 2)), vectors, -vectors])
    chosen = either[np.argmin(np.hypot(*np.moveaxis(steps[:, None] + either, 2, 0)), axis=1)]
    if not chosen.any():
        return place
    out = np.concatenate([place[:1], place[0] + np.cumsum(steps + chosen, axis=0)])
    return np.asarray(out - out.mean(axis=0))


def _moved(image: Singles, shift: Floats) -> Singles:
    return np.asarray(ndimage.shift(image, (0, *shift), order=1, prefilter=False)) if shift.any() else image


class _Known:
    """An image, NaN where it is not known; what is computed from it repeatedly is kept."""

    def __init__(self, image: Singles) -> None:
        self.image, self.seen = image, np.isfinite(image)
        self._waves: dict[tuple[int, int], list[NDArray[np.complex64]]] = {}

    @cached_property
    def structured(self) -> Mask:
        """Blocks that are not empty, (BLOCKS²,)."""
        power, count = _by_block(self.image, np.where(self.seen, np.float32(0), np.float32(np.nan)))
        level = np.where(count > 0, power / np.maximum(count, 1), 0)
        return np.asarray(level > FLAT * level.max())

    def waves(self, size: tuple[int, int]) -> list[NDArray[np.complex64]]:
        """Fourier transforms on a grid of this size of the image, of the mask where it is known, and of its square."""
        if size not in self._waves:
            value = np.where(self.seen, self.image, 0)
            parts = value, self.seen.astype(np.float32), value**2
            self._waves[size] = [fft.rfft2(part, size) for part in parts]
        return self._waves[size]


def _ask(
    scene: Binned, before: _Known, after: list[NDArray[Any]], vectors: Floats, offset: Floats, step: Floats
) -> tuple[Floats, tuple[float, float] | None]:
    """Lattice vector by which the frames after a cut are to be moved, and one that would fit equally well (a tie).

    `after`: sum of the next few frames, and of all later ones. The few are compared first, since there may be other
    hops later; all are used only if these leave a tie.
    """
    tie = None
    for total in after:
        shift, tie = _compare(scene, before, total, vectors, offset, step)
        if tie is None:
            return shift, None
    return shift, tie


def _compare(
    scene: Binned, before: _Known, after: NDArray[Any], vectors: Floats, offset: Floats, step: Floats
) -> tuple[Floats, tuple[float, float] | None]:
    spectrum = scene.waves(after)
    still = _Known(moved(spectrum, -offset / scene.factor))
    now = _by_block(before.image, still.image)
    best, gained, tie = np.zeros(2), 0.0, None
    unmoved, *fits = _misfits(before, still, -np.concatenate([np.zeros((1, 2)), vectors]) / scene.factor)
    for k in np.argsort(fits)[:TRIED]:
        if fits[k] > HOPELESS * unmoved:
            break
        then = _by_block(before.image, moved(spectrum, -(offset + vectors[k]) / scene.factor))
        known = (now[1] > 0) & (then[1] > 0) & before.structured
        if known.sum() < FEWEST:
            continue
        old, new = (part[0][known] / part[1][known] for part in (now, then))
        better = 2 * (old - new) / np.maximum(old + new, 1e-300)
        share, error = float(better.mean()), float(better.std(ddof=1)) / np.sqrt(known.sum()) + 1e-300
        longer = np.hypot(*(step + vectors[k])) > np.hypot(*step)
        certain = share > max(CERTAIN * error, CLEAR) * (LONGER if longer else 1.0)
        if certain and share > gained:
            best, gained, tie = vectors[k], share, None
        elif not certain and gained == 0 and share > -min(WORSE, UNLIKELY * error):
            tie = (float(vectors[k, 0]), float(vectors[k, 1]))
            even = abs(share) < min(error, EVEN)
            if even and np.hypot(*(step + vectors[k])) < np.hypot(*(step + best)) - SHORTEST:
                best = vectors[k]
    return best, tie


def _by_block(a: Singles, b: Singles) -> tuple[Floats, Floats]:
    """Sum of squared differences and number of pixels of each block; the number is 0 where it is too small."""
    sums, count = _block_sums(misfit(a, b))
    return sums, np.where(count > 0.3 * a.size / BLOCKS**2, count, 0)


@njit(cache=True, nogil=True, fastmath={"reassoc", "nsz", "contract"})
def _block_sums(image: Any) -> tuple[Any, Any]:
    """Sum and number of the finite pixels of each block, (BLOCKS²,) each."""
    sums, count = np.zeros(BLOCKS**2), np.zeros(BLOCKS**2)
    rows, columns = image.shape
    for y in range(rows):
        for k in range(BLOCKS):
            part = image[y, -(-k * columns // BLOCKS) : -(-(k + 1) * columns // BLOCKS)]
            total = number = np.float32(0)
            for x in range(part.size):
                seen = math.isfinite(part[x])
                total += part[x] if seen else np.float32(0)
                number += np.float32(1) if seen else np.float32(0)
            sums[y * BLOCKS // rows * BLOCKS + k] += total
            count[y * BLOCKS // rows * BLOCKS + k] += number
    return sums, count


def _misfits(a: _Known, b: _Known, shifts: Floats) -> Floats:
    """Mean square of a(p) - b(p + shift) for each shift, over the pixels known in both; infinite if these are few."""
    far = np.abs(shifts).max(axis=0)
    rows, columns = (
        int(fft.next_fast_len(int(n + d) + ROUND, real=True)) for n, d in zip(a.image.shape, far, strict=True)
    )
    size = rows, columns
    (wave, mask, power), (other, also, others) = a.waves(size), b.waves(size)
    both = fft.irfft2(np.conj(mask) * also, size)
    spectrum = np.conj(power) * also + np.conj(mask) * others - 2 * np.conj(wave) * other
    square = fft.irfft2(spectrum, size) / np.maximum(both, 1.0)
    places = np.mod(shifts.T, np.array(size)[:, None])
    found, count = (
        ndimage.map_coordinates(part, places, order=order, mode="grid-wrap") for part, order in ((square, 3), (both, 1))
    )
    return np.where(count > OVERLAP * a.image.size, found, np.inf)


def _periods(laid: Laid) -> tuple[Floats, Floats]:
    """Shifts (y, x), px, at which the scene resembles itself, (L, 2), the shortest first, and correlations, (L,)."""
    scene = laid.smooth(mean_of(laid.all))
    seen = np.isfinite(scene)
    rows, columns = scene.shape
    size = [int(fft.next_fast_len(2 * n, real=True)) for n in scene.shape]
    flat = np.where(seen, scene, 0) - np.where(seen, scene[seen].mean(), 0)
    wave, mask = fft.rfft2(flat, size), fft.rfft2(seen.astype(np.float32), size)
    both = np.maximum(fft.irfft2(np.abs(mask) ** 2, size), 0.2 * seen.sum())
    power = fft.irfft2(np.conj(mask) * fft.rfft2(flat**2, size), size)
    surface = fft.irfft2(np.abs(wave) ** 2, size) / both
    opposite = np.roll(power[::-1, ::-1], 1, axis=(0, 1))
    surface = surface / np.sqrt(np.maximum(power * opposite, 1e-12 * float(power.max()) ** 2)) * both
    surface = np.fft.fftshift(surface)
    middle = np.array(surface.shape) // 2
    part = surface[middle[0] - rows // 2 : middle[0] + rows // 2 + 1, middle[1] - columns // 2 :][:, : columns + 1]
    origin = np.array([rows // 2, columns // 2])
    high = (part == ndimage.maximum_filter(part, 3)) & (part > RESEMBLING)
    found = np.argwhere(high)
    found = found[np.abs(found - origin).max(axis=1) > 1]
    found = found[((found > 0) & (found < np.array(part.shape) - 1)).all(axis=1)]
    found = found[np.argsort(np.hypot(*(found - origin).T), kind="stable")]
    out = found.astype(float) - origin
    for axis in range(2):
        step = np.eye(2, dtype=int)[axis]
        low, mid, top = (part[tuple((found + k * step).T)] for k in (-1, 0, 1))
        bend = low + top - 2 * mid
        out[:, axis] += np.where(bend < 0, (low - top) / (2 * np.where(bend < 0, bend, 1)), 0)
    return out, np.asarray(part[tuple(found.T)], float)
