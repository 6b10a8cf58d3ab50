"""Outliers: bad channels and spikes, found by what surrounds them in spectrum, image and time, and replaced."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lbj.array_types import Floats, Mask

SPECTRAL = 7  # channels of the median along the energy; a spike may fill 3
SPATIAL = 3  # pixels of the median in the plane
LEVELS = 64  # brightness classes in which the scatter is measured
LEAST = 200  # voxels of a class
CORE, CORE_MEAN = 0.95, 0.7169  # share of the smaller deviations; their mean, of normal ones of standard deviation 1
BAND = 2**21  # voxels of the rows that are worked on, and whose scatter is measured, at a time
SAMPLE = 4096  # pixels by which channels are judged,
TRIMMED = 0.1  # less this share of the brightest and of the darkest in each channel
EVERYWHERE = 0.75  # share of the pixels in which a bad channel is off to the same side
BAD = 0.3  # share of a channel's counts by which it is off in the mean of all pixels
ALONE = 0.1  # share of a bad channel's deviation by which the channels beside it may be off
TWINS = 2  # most neighbouring channels that may be bad together
DARK = 0.05  # share of the highest channel; if half the spectrum is darker, that channel is a zero-loss peak
NARROW = 1.3  # second difference at the top of an excess, and
ABRUPT = 0.8  # at its foot, in units of its height, from which no detector can have seen a line so sharp
MOVED = 16  # channels within which a peak in a neighbouring pixel counts as the same peak
ALIKE = 0.4  # share of a voxel's excess that a neighbour's peak must have to confirm it
REACH = 2  # distance of the neighbouring pixels that are looked at, px,
WITNESSES = 2  # and how many of them must show such a peak, for it to be no spike


def remove_outliers(
    cube: Any, sigmas: float = 8.0, neighbours: Callable[[], Iterable[Any]] | None = None
) -> tuple[Floats, Mask]:
    """Replace dead and hot channels, and spikes.

    Parameters
    ----------
    cube : (Y, X, C) array
        Voxels that are not finite count as spikes, unless their whole channel is.
    sigmas : float
        How many standard deviations a voxel must lie off both medians, to the same side.
    neighbours : function that returns cubes, optional
        The frames before and after, read only if there is a voxel to be judged by them.

    Returns
    -------
    (Y, X, C) float64
        What is replaced takes the shape of the median spectrum, at the height of the channels around it in its own
        spectrum; all other voxels are as they were.
    (Y, X, C) bool
        Voxels that were replaced.

    Notes
    -----
    A channel is bad where the mean spectrum is off by 30 % and by `sigmas` while the channels beside it are not: no
    detector sees a line as sharp. A spike stands out of the median of its spectrum and out of that of the pixels around
    it, is sharper than lines of two channels' width are, and neither two pixels around it nor the frames before and
    after, pixels around included, show a peak nearly half as high within 16 channels. So the white line of a particle
    of one pixel stays, and a zero-loss peak wherever it moves. The standard deviation is that of the smaller deviations
    (over the root of the brightness) in classes of like brightness: no gain or read noise need be known, and where a
    zero-loss peak flickers its scatter is taken for what it is. A cube of one pixel is judged by the spectrum alone,
    one of a single channel by the image alone.
    """
    data = np.asarray(cube)
    out = np.array(data, float)
    channels = _bad_channels(out, sigmas)
    _repair(out, np.broadcast_to(channels, out.shape) & np.isfinite(out))
    rows = max(BAND // max(data[:1].size, 1), 8 * SPATIAL)
    changed = np.broadcast_to(channels, data.shape) & np.isfinite(data)
    spikes = np.zeros(data.shape, bool)
    for first in range(0, len(data), rows):
        last, reach = min(first + rows, len(data)), SPATIAL // 2
        low, high = max(first - reach, 0), min(last + reach, len(data))
        spikes[first:last] = _spikes(out[low:high], sigmas)[first - low : last - low]
    finite = np.isfinite(out)
    spikes &= ~changed
    candidates = np.argwhere(spikes & finite)
    if len(candidates) and neighbours is not None:
        for other in neighbours():
            candidates = candidates[_seen(np.asarray(other, float), out, candidates, itself=True) < 1]
    spikes &= ~finite
    spikes[tuple(candidates.T)] = True
    _repair(out, spikes)
    return out, changed | spikes


def _bad_channels(data: Floats, sigmas: float) -> Mask:
    """Channels (C,) that are off in the mean of all pixels, alone or two together."""
    from scipy.ndimage import median_filter

    bad = np.zeros(data.shape[2], bool)
    flat = data.reshape(-1, data.shape[2])
    flat = flat[:: max(len(flat) // SAMPLE, 1)]
    flat = flat[np.isfinite(flat).all(axis=1)]
    if data.shape[2] < SPECTRAL or len(flat) < 2:
        return bad
    cut = int(TRIMMED * len(flat))
    inner = np.sort(flat, axis=0)[cut : len(flat) - cut]
    mean, error = inner.mean(axis=0), inner.std(axis=0) / np.sqrt(len(inner))
    middle = median_filter(mean, SPECTRAL, mode="mirror")
    off = mean - middle
    chance = sigmas * np.hypot(error, median_filter(error, SPECTRAL, mode="mirror"))
    off = np.where(np.abs(off) > np.maximum(chance, 1e-12 * np.abs(mean).max()), off, 0.0)
    top = int(mean.argmax())
    dominant = np.median(mean) < DARK * mean[top]
    for channel in np.flatnonzero(np.abs(off) > BAD * np.abs(middle)):
        alike = np.abs(off) > ALONE * abs(off[channel])
        first, last = channel, channel
        while first > 0 and alike[first - 1]:
            first -= 1
        while last < off.size - 1 and alike[last + 1]:
            last += 1
        if last - first < TWINS and not (dominant and first <= top <= last):
            here = _excess(flat[:, None], np.arange(len(flat)), 0, np.full(len(flat), channel))
            bad[channel] = (here * off[channel] > 0).mean() > EVERYWHERE
    return bad


def _spikes(data: Floats, sigmas: float) -> Mask:
    """Voxels of some rows that stand out of their spectrum and of the pixels around."""
    from scipy.ndimage import median_filter

    finite = np.isfinite(data)
    filled = np.where(finite, data, 0.0)
    if not finite.all():
        filled = np.where(finite, filled, _nearest_level(filled, finite))
    off = []
    for axes, least in (((2,), SPECTRAL), ((0, 1), SPATIAL)):
        size = [least if axis in axes and data.shape[axis] > 1 else 1 for axis in range(3)]
        if max(data.shape[axis] for axis in axes) > 2:
            middle = median_filter(filled, size, mode="mirror")
            off.append(_relative(filled, middle, finite))
    outlier = np.zeros(data.shape, bool)
    if off:
        same = np.all([np.sign(part) == np.sign(off[0]) for part in off], axis=0)
        outlier = same & (np.min([np.abs(part) for part in off], axis=0) > sigmas) & finite
        places = np.argwhere(outlier)
        if len(places) and data.shape[2] > 2:
            kept = _sharp(filled, places)
            if data.shape[0] * data.shape[1] > 1:
                least = min(WITNESSES, data.shape[0] * data.shape[1] - 1)
                kept &= _seen(filled, filled, places, itself=False) < least
            outlier[tuple(places[~kept].T)] = False
    return outlier | (~finite & finite.any(axis=(0, 1)))


def _values(data: Floats, y: Any, x: Any, channels: NDArray[np.int64]) -> Floats:
    """Voxels of several channels (n, K); beyond its ends a spectrum is mirrored."""
    last = data.shape[2] - 1
    place = np.abs(channels)
    return np.asarray(data[y, x, np.clip(np.where(place > last, 2 * last - place, place), 0, last)])


def _around(channel: NDArray[np.int64], low: int, high: int) -> NDArray[np.int64]:
    return channel + np.arange(low, high + 1)[:, None]


def _excess(data: Floats, y: Any, x: Any, channel: NDArray[np.int64]) -> Floats:
    """By how much voxels exceed the median of the channels around."""
    near = _values(data, y, x, _around(channel, -(SPECTRAL // 2), SPECTRAL // 2))
    return np.asarray(near[SPECTRAL // 2] - np.median(near, axis=0))


def _sharp(data: Floats, places: NDArray[np.int64]) -> Mask:
    """Whether an excess is sharper than what a detector makes of a line; places (K, 3)."""
    y, x, channel = places.T
    near = _values(data, y, x, _around(channel, -SPECTRAL, SPECTRAL))
    sides = np.median(near[:3], axis=0), np.median(near[-3:], axis=0)
    near = near[SPECTRAL - 4 : SPECTRAL + 5]
    above = near - (sides[0] + sides[1]) / 2
    sign = np.sign(above[4])
    height = (sign * above)[2:7].max(axis=0)
    bend = sign * (near[:-2] - 2 * near[1:-1] + near[2:])
    return np.asarray((bend.min(axis=0) < -NARROW * height) | (bend.max(axis=0) > ABRUPT * height))


def _seen(other: Floats, data: Floats, places: NDArray[np.int64], *, itself: bool) -> NDArray[np.int64]:
    """How many pixels around each place, itself included or not, show a peak like that of `data` there."""
    y, x, channel = places.T
    height = _excess(data, y, x, channel)
    count = np.zeros(len(places), np.int64)
    for dy, dx in itertools.product(range(-REACH, REACH + 1), repeat=2):
        if not itself and dy == dx == 0:
            continue
        row, column = y + dy, x + dx
        inside = (row >= 0) & (row < other.shape[0]) & (column >= 0) & (column < other.shape[1])
        row, column = np.where(inside, row, y), np.where(inside, column, x)
        best = np.full(len(places), -np.inf)
        for step in range(-MOVED, MOVED + 1):
            at = channel + step
            there = (at >= 0) & (at < other.shape[2])
            found = _excess(other, row, column, np.where(there, at, channel)) * np.sign(height)
            best = np.where(there & np.isfinite(found), np.maximum(best, found), best)
        count += inside & (best > ALIKE * np.abs(height))
    return count


def _repair(data: Floats, wrong: Mask) -> None:
    """Replace voxels in place."""
    places = np.argwhere(wrong)
    if not len(places):
        return
    masked = np.where(wrong | ~np.isfinite(data), np.nan, data)
    known = np.isfinite(masked).any(axis=(0, 1))
    shape = np.zeros(data.shape[2])
    shape[known] = np.nanmedian(masked[..., known], axis=(0, 1))
    whole = np.flatnonzero(known)
    if whole.size:
        shape = np.interp(np.arange(shape.size), whole, shape[whole])
    for y, x, channel in places:
        low, high = max(channel - SPECTRAL // 2, 0), channel + SPECTRAL // 2 + 1
        there = np.isfinite(masked[y, x, low:high])
        if not there.any():
            data[y, x, channel] = shape[channel]
            continue
        around, form = masked[y, x, low:high][there], shape[low:high][there]
        scaled = (form > 0).all() and shape[channel] > 0
        data[y, x, channel] = np.median(around / form) * shape[channel] if scaled else np.median(around)


def _nearest_level(data: Floats, finite: Mask) -> Floats:
    """Mean of what is finite in the channel; 0 where nothing is."""
    count = finite.sum(axis=(0, 1))
    return np.asarray(data.sum(axis=(0, 1)) / np.maximum(count, 1))


def _relative(data: Floats, middle: Floats, finite: Mask) -> Floats:
    """Deviation from the median in standard deviations of voxels as bright."""
    off = data - middle
    order = np.argsort(middle, axis=None, kind="stable")
    order = order[finite.ravel()[order]]
    out = np.zeros(data.size)
    usual = 0.01 * float(np.abs(middle).mean())
    level = np.sqrt(np.maximum(np.abs(middle), usual if usual > 0 else 1.0)).ravel()
    ends = _classes(order.size) if order.size else []
    for first, last in itertools.pairwise(ends):
        part = order[first:last]
        values = off.ravel()[part] / level[part]
        size = np.sort(np.abs(values))[: max(int(CORE * part.size), 1)]
        scatter = float(size.mean()) / CORE_MEAN
        if scatter == 0:  # few values of few counts, or no noise
            scatter = float(values.std())
        out[part] = values / scatter if scatter > 0 else 0.0
    return out.reshape(data.shape)


def _classes(size: int) -> list[int]:
    """Ends of the classes: equal, the brightest ones ever smaller down to 200 voxels."""
    equal = np.linspace(0, size, max(min(LEVELS, size // LEAST), 1) + 1).astype(int)
    ends = list(equal[:-1])
    while size - ends[-1] > 2 * LEAST:
        ends.append((ends[-1] + size) // 2)
    return [*(int(end) for end in ends), size]
