"""Resemblance: whether registered frames show the same thing: each as the others, those before as those after.

Slopes are compared, not brightness, so that backgrounds which change from frame to frame do not count.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from lbj.array_types import Floats, Mask, Singles

from .laid import Binned, Laid, moved
from .threads import each

CERTAIN = 5.0  # standard errors of noise by which the power that the others lack must exceed zero
LEAST = 2  # least frames before and after that are compared
CUTS = 8  # frames, at most, before and after which the series is compared
COMMON = 0.95  # correlation of what is before and after, below which they differ,
LIKELY = 4.0  # if it lies this many standard errors below 1
BLOCKS = 8  # blocks along each axis by whose scatter that error is found
LAYING = 0.05  # px; lattices of 4 px are displaced by up to so much where frames are laid bilinearly
FEWEST = 64  # least pixels that are compared


@dataclass
class Compared:
    """Frames compared with the mean of the others.

    Attributes
    ----------
    lacking : (N,)
        Share of the power of a frame's slopes, beyond noise, that the others lack; 0 where it is not certain.
    beside : (2, N, 2)
        How far (y, x), px, a frame lies beside its place by the others; and by what rows show besides their brightness.
    unsure : (2, N, 2)
        Variance of the error of these, px².
    """

    lacking: Floats
    beside: Floats
    unsure: Floats

    def misled(self, kept: Mask) -> Floats:
        """Variance (y, x), px², of places beside that rows show besides their brightness, and do not show with it.

        Frames `kept` count, (N,), and what is beyond the error.
        """
        away, error = self.beside[:, kept], self.unsure[:, kept] + LAYING**2
        square = (away - away.mean(axis=1, keepdims=True)) ** 2
        plain, besides = np.maximum((square - error).mean(axis=1), 0)
        return np.asarray(np.maximum(besides - plain, 0))


def compare(laid: Laid) -> Compared:
    """Compare each frame with the mean of the others, both filtered of noise.

    The noise of a frame's slopes is known from its highest spatial frequencies. Where it lies is a least-squares fit of
    shift and gain, linear in the shift, with an offset of each row; its error is told by the scatter between blocks.
    """
    binned = Binned(laid)
    level, independent = _noise(binned)
    unit = (1 - 1 / len(laid.images)) * binned.factor  # displacements count from the mean of all, the frame among them

    def one(n: int) -> tuple[float, Floats, Floats]:
        frame = binned.frame(n)
        own, others = (moved(binned.waves(part), (0.0, 0.0)) for part in (frame, binned.all - frame))
        slopes = np.array(np.gradient(own)), np.array(np.gradient(others))
        seen = _seen(own[None], others[None], *slopes)
        if seen.sum() < FEWEST:
            return 0.0, np.zeros((2, 2)), np.zeros((2, 2))
        noise = level * _variance(laid, n) * int(seen.sum())
        certain = CERTAIN * noise * math.sqrt(2 / (independent * int(seen.sum())))
        shown = seen.astype(np.float32)
        plain = [np.where(seen, image, np.float32(0)) for image in (own, others, *slopes[1])]
        found = [_beside(*images) for images in (plain, [_less_mean(image, shown) for image in plain])]
        beside, unsure = (np.array(part) for part in zip(*found, strict=True))
        return _lacking(*slopes, seen, noise, certain), beside * unit, unsure * unit**2

    lacking, beside, unsure = (np.array(part) for part in zip(*each(one, range(len(laid.images))), strict=True))
    return Compared(lacking, beside.swapaxes(0, 1), unsure.swapaxes(0, 1))


def _lacking(own: Singles, others: Singles, seen: Mask, noise: float, certain: float) -> float:
    """Share of a frame's slopes that the others' lack, (2, H, W); 0 if their power is not `certain`."""
    first, second = own[:, seen], others[:, seen]
    power, common = float(np.vdot(first, first)) - noise, max(float(np.vdot(first, second)), 0.0)
    rest = power - common**2 / max(float(np.vdot(second, second)), 1e-30)
    return rest / power if rest > certain else 0.0


def _beside(own: Singles, others: Singles, down: Singles, along: Singles) -> tuple[Floats, Floats]:
    """Shift (y, x), grid points, from the others at which a frame fits best, and the variance of its error.

    `down`, `along`: slopes of the others, (H, W) as the images.
    """
    gain = np.float32(np.vdot(own, others) / max(float(np.vdot(others, others)), 1e-30))
    rest, slopes = own - gain * others, gain * np.stack([down, along])
    flat = slopes.reshape(2, -1)
    known = (flat @ flat.T).astype(float)
    inverse = np.linalg.inv(known + 1e-6 * (np.trace(known) + 1e-30) * np.eye(2))
    parts = inverse @ np.array([_by_block(slope * rest) for slope in slopes])
    return parts.sum(axis=1), (parts**2).sum(axis=1)


def _less_mean(image: Singles, seen: Singles) -> Singles:
    """The image less the mean of each row; 0 where it is not `seen`, which is 1 elsewhere."""
    mean = image.sum(axis=1, keepdims=True) / np.maximum(seen.sum(axis=1, keepdims=True), 1)
    return np.asarray((image - mean) * seen)


def parted(laid: Laid, without: Mask) -> tuple[int, float] | None:
    """From which frame on frames resemble those before less than either resemble themselves, and how much.

    Both parts are split into every second frame and the others. Of the mean slopes A, A' before and B, B' after, the
    mean of A B, A B', A' B and A' B' over the root of (A A') (B B') is compared with 1: noise averages out. Frames
    `without`, (N,), do not count.

    Returns
    -------
    (int, float) or None
        Number of the first frame after, and that correlation, where it lies the most standard errors (jackknife over
        blocks of the scene) below 1; None if it nowhere lies clearly below.
    """
    frames = len(laid.images)
    if frames < 2 * LEAST:
        return None
    binned = Binned(laid)
    cuts = np.unique(np.linspace(LEAST, frames - LEAST, CUTS).round().astype(int)).tolist()
    whole = np.array([binned.of(half) for half in laid.halves])
    for n in np.flatnonzero(without).tolist():
        whole[n % 2] -= binned.frame(n)
    before, found, farthest = np.zeros_like(whole), None, -LIKELY
    for n, excluded in enumerate(without[: cuts[-1]].tolist()):
        before[n % 2] += 0 if excluded else binned.frame(n)
        if n + 1 in cuts:
            halves = [_slopes(binned, one) for one in (*before, *(whole - before))]
            correlation, error = _correlation(*halves)
            if correlation < COMMON and (correlation - 1) / error < farthest:
                found, farthest = (n + 1, correlation), (correlation - 1) / error
    return found


def _correlation(a: Singles, other_a: Singles, b: Singles, other_b: Singles) -> tuple[float, float]:
    """Correlation of two parts from the slopes of their halves, (2, H, W), and its standard error; 1, 1 if noise."""
    seen = _seen(a, other_a, b, other_b)
    products = ((a + other_a) * (b + other_b) / 4, a * other_a, b * other_b)
    sums = np.array([_by_block(np.where(seen, one.sum(axis=0), 0)) for one in products])
    whole = sums.sum(axis=1, keepdims=True)
    common, first, second = np.concatenate([whole, whole - sums], axis=1)
    if seen.sum() < FEWEST or min(first.min(), second.min()) <= 0:
        return 1.0, 1.0
    found = common / np.sqrt(first * second)
    return float(found[0]), max(float(np.sqrt((found.size - 2) * found[1:].var())), 1e-6)


def _by_block(image: Floats) -> Floats:
    """Sums over the blocks of an image, in a row."""
    edges = (np.linspace(0, size, BLOCKS, endpoint=False).astype(int) for size in image.shape)
    for axis, edge in enumerate(edges):
        image = np.add.reduceat(image, edge, axis=axis, dtype=np.float64)
    return np.asarray(image.ravel())


def _noise(binned: Binned) -> tuple[float, float]:
    """Mean squared slope of white noise of variance 1 a pixel, filtered, and the independent numbers in it a pixel."""
    rows, columns = binned.all.shape[1:]
    power = np.sin(2 * np.pi * fft.fftfreq(rows))[:, None] ** 2 + np.sin(2 * np.pi * fft.rfftfreq(columns)) ** 2
    power = power * binned.passed.astype(float) ** 2
    twice = np.full(power.shape[1], 2.0)
    twice[0] = 1
    total, fourth = float((power @ twice).sum()), float((power**2 @ twice).sum())
    pixels = rows * columns
    return total / pixels / binned.factor**2, total**2 / max(fourth, 1e-300) / pixels


def _variance(laid: Laid, n: int) -> float:
    """Variance of a pixel's noise in a frame, in squares of its standard deviation, from its rows' finest quarter."""
    image = laid.images[n]
    seen = np.isfinite(image)
    level, scale = image[seen].mean(), image[seen].std()
    power = (np.abs(fft.rfft(np.where(seen, image - level, np.float32(0)), axis=1)) ** 2).sum(axis=0, dtype=np.float64)
    finest = power[power.size - max(power.size // 4, 1) :]
    return float(np.median(finest)) / max(int(seen.sum()), 1) / max(float(scale) ** 2, 1e-30)


def _slopes(binned: Binned, laid: NDArray[np.floating]) -> Singles:
    """Slopes (y, x), (2, H, W), of the filtered mean image of a sum of frames and its weights."""
    return np.array(np.gradient(moved(binned.waves(laid), (0.0, 0.0))))


def _seen(*images: Singles) -> Mask:
    """Where images, (n, H, W) each, are all known."""
    return np.asarray(np.logical_and.reduce([np.isfinite(one).all(axis=0) for one in images]))
