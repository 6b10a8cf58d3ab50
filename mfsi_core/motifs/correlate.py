"""Correlation: normalised cross-correlation of an image with a motif, and its maxima to a fraction of a pixel."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lbj.array_types import Floats

RIM = 2  # px beyond the border at which the score is known too
STEP = 0.25  # px, of the differences from which a maximum is found
ROUNDS = 12


def correlation(image: NDArray[Any], motif: Floats, weight: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Normalised cross-correlation, mean and variance of both weighted, over what is known of the image.

    Parameters
    ----------
    image : (Y, X) array
        NaN where it is not known.
    motif, weight : (h, w) arrays
        The motif, and the weight of its pixels.

    Returns
    -------
    score : (Y - h + 1 + 2 RIM, X - w + 1 + 2 RIM) float64
        In -1..1, by the motif's first row and column less RIM; 0 where the image is flat or hardly known.
    whole : array of bool
        Whether all pixels of any weight are known.

    Notes
    -----
    J. P. Lewis, Fast normalized cross-correlation (1995), with the pixels that are not known left out as D. Padfield,
    IEEE Trans. Image Process. 21, 2706 (2012) does. The rim lets maxima at the border be seen as such.
    """
    from scipy.signal import correlate

    known = np.isfinite(image)
    level, spread = float(image[known].mean()), float(image[known].std())
    filled = np.pad(np.where(known, image - level, 0.0) / (spread or 1.0), RIM)
    sure = np.pad(known.astype(float), RIM)

    def slid(values: Floats, kernel: Floats) -> Floats:
        return np.asarray(correlate(values, kernel, mode="valid", method="fft"))

    pixels = float(weight.sum())
    shape = motif - float((weight * motif).sum()) / pixels
    shape /= math.sqrt(float((weight * shape * shape).sum()) / pixels) or 1.0
    count = slid(sure, weight)
    seen = np.maximum(count, weight.max() / 2)
    total, mean = slid(filled, weight), slid(sure, weight * shape)
    variance = slid(filled * filled, weight) - total * total / seen
    contrast = slid(sure, weight * shape * shape) - mean * mean / seen
    blank = (np.minimum(variance, contrast) <= 1e-9 * pixels) | (count < pixels / 2)
    norm = np.sqrt(np.where(blank, 1.0, variance * contrast))
    score = np.where(blank, 0.0, (slid(filled, weight * shape) - total * mean / seen) / norm)
    return np.clip(score, -1.0, 1.0), count > pixels - 0.5 * float(weight[weight > 0].min())


def summits(score: Floats, radius: float, least: float) -> NDArray[np.int64]:
    """Places (K, 2) that are the highest within a radius, px, and above `least`; the highest first."""
    from scipy.ndimage import maximum_filter

    reach = max(1, math.floor(radius))
    y, x = np.indices((2 * reach + 1, 2 * reach + 1)) - reach
    near = y * y + x * x <= max(radius * radius, 2.0)
    best = (score == maximum_filter(score, footprint=near, mode="constant", cval=-2.0)) & (score > least)
    found = np.argwhere(best)
    return found[np.argsort(-score[best], kind="stable")]


class Smooth:
    """A map as a cubic spline."""

    def __init__(self, values: Floats) -> None:
        from scipy.ndimage import spline_filter

        self.shape = values.shape
        self._spline = spline_filter(values, 3, mode="mirror")

    def __call__(self, places: Floats) -> Floats:
        """Values at places (..., 2)."""
        from scipy.ndimage import map_coordinates

        at = np.moveaxis(places, -1, 0)
        return np.asarray(map_coordinates(self._spline, at, order=3, mode="mirror", prefilter=False))

    def climb(self, start: Floats, reach: float = 1.0) -> tuple[Floats, Floats]:
        """Climb to the maxima next to some places by Newton's method.

        Returns
        -------
        places : (K, 2) float64
            Within the map; a start from which no maximum lies within `reach`, px, is returned as it was.
        values : (K,) float64
        """
        start = np.asarray(start, float).reshape(-1, 2)
        last = np.array(self.shape) - 1.0
        places = start.copy()
        shift = STEP * np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1], indexing="ij"), axis=-1)
        for _ in range(ROUNDS if len(places) else 0):
            v = self(places[:, None, None] + shift)
            gy, gx = (v[:, 2, 1] - v[:, 0, 1]) / (2 * STEP), (v[:, 1, 2] - v[:, 1, 0]) / (2 * STEP)
            a = (v[:, 2, 1] + v[:, 0, 1] - 2 * v[:, 1, 1]) / STEP**2
            b = (v[:, 1, 2] + v[:, 1, 0] - 2 * v[:, 1, 1]) / STEP**2
            c = (v[:, 2, 2] - v[:, 2, 0] - v[:, 0, 2] + v[:, 0, 0]) / (4 * STEP**2)
            bottom = a * b - c * c
            summit = (a < 0) & (bottom > 0)
            bottom = np.where(summit, bottom, 1.0)
            newton = np.stack([c * gx - b * gy, c * gy - a * gx], axis=-1) / bottom[:, None]
            slope = np.stack([gy, gx], axis=-1)
            uphill = slope * (0.5 / np.maximum(np.hypot(gy, gx), 1e-12))[:, None]
            step = np.where(summit[:, None], newton, uphill)
            length = np.maximum(np.hypot(step[:, 0], step[:, 1]), 1e-12)
            places = np.clip(places + step * np.minimum(1.0, 0.5 / length)[:, None], 0.0, last)
        far = ~(np.hypot(*(places - start).T) <= reach)
        places[far] = start[far]
        return places, self(places)
