"""Outliers: spikes of single voxels, found and replaced by a median filter."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SPECTRAL = 7  # channels of the median along the energy; a spike may fill 3
SPATIAL = 3  # pixels of the median in the plane
LEVELS = 64  # brightness classes in which the scatter is measured
LEAST = 200  # voxels of a class
BAND = 2**21  # voxels of the rows that are worked on, and whose scatter is measured, at a time


def remove_outliers(cube: Any, sigmas: float = 8.0) -> tuple[Floats, int]:
    """Replace voxels that stand out of their neighbours in the spectrum and of those in the image.

    Parameters
    ----------
    cube : (Y, X, C) array
        Voxels that are not finite count as outliers, unless their whole channel is.
    sigmas : float
        How many standard deviations a voxel must lie off both medians, to the same side.

    Returns
    -------
    (Y, X, C) float64
        Outliers replaced by the median of the channels around them in their spectrum, all other voxels as they were.
    int
        Number of voxels replaced.

    Notes
    -----
    The standard deviation is 1.48 times the median deviation (over the root of the brightness) in classes of like
    brightness: no gain or read noise need be known, and where a zero-loss peak flickers its scatter is taken for what
    it is. Peaks that only the spectrum has (narrow edges) or only the image has (bright columns) stay. A cube of one
    pixel is judged by the spectrum alone, one of a single channel by the image alone.
    """
    data = np.asarray(cube)
    out = np.array(data, float)
    rows = max(BAND // max(data[:1].size, 1), 8 * SPATIAL)
    count = 0
    for first in range(0, len(data), rows):
        last, reach = min(first + rows, len(data)), SPATIAL // 2
        low, high = max(first - reach, 0), min(last + reach, len(data))
        found, outlier = _replaced(np.asarray(data[low:high], float), sigmas)
        part = slice(first - low, last - low)
        out[first:last] = found[part]
        count += int(outlier[part].sum())
    return out, count


def _replaced(data: Floats, sigmas: float) -> tuple[Floats, NDArray[np.bool_]]:
    """Replace the outliers of some rows; and where they were."""
    from scipy.ndimage import median_filter

    finite = np.isfinite(data)
    filled = np.where(finite, data, 0.0)
    if not finite.all():
        filled = np.where(finite, filled, _nearest_level(filled, finite))
    off = []
    if data.shape[2] > 2:
        middle = median_filter(filled, (1, 1, SPECTRAL), mode="nearest")
        off.append(_relative(filled, middle, finite))
        replaced = middle
    else:
        replaced = np.zeros(0)
    if max(data.shape[:2]) > 2:
        middle = median_filter(filled, (SPATIAL, SPATIAL, 1), mode="nearest")
        off.append(_relative(filled, middle, finite))
        replaced = replaced if replaced.size else middle
    if not off:
        return data, np.zeros(data.shape, bool)
    same = np.all([np.sign(part) == np.sign(off[0]) for part in off], axis=0)
    outlier = same & (np.min([np.abs(part) for part in off], axis=0) > sigmas)
    outlier |= ~finite & finite.any(axis=(0, 1))
    return np.where(outlier, replaced, data), outlier


def _nearest_level(data: Floats, finite: NDArray[np.bool_]) -> Floats:
    """Mean of what is finite in the channel; 0 where nothing is."""
    count = finite.sum(axis=(0, 1))
    return np.asarray(data.sum(axis=(0, 1)) / np.maximum(count, 1))


def _relative(data: Floats, middle: Floats, finite: NDArray[np.bool_]) -> Floats:
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
        scatter = 1.4826 * float(np.median(np.abs(values)))
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
