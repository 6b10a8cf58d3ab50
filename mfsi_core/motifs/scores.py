"""Scores: how like a motif, under one transform, every place of an image is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lbj.array_types import Floats

from .correlate import RIM, Smooth, correlation
from .symmetry import turned

OVER = 0.25  # px by which a repeat may reach beyond the image


class Scores:
    """Scores of one transform of the motif all over an image."""

    def __init__(self, image: NDArray[Any], motif: Floats, matrix: Floats) -> None:
        values, support = turned(motif, matrix)
        self.values, self._whole = np.zeros((1, 1)), np.zeros((1, 1), bool)
        if all(n <= m for n, m in zip(values.shape, image.shape, strict=True)):
            self.values, self._whole = correlation(image, values, support)
        self.smooth = Smooth(self.values)
        self.corner = (np.array(values.shape) - 1) / 2 - RIM

    def at(self, positions: Floats) -> Floats:
        """Scores at positions (R, 2); NaN where the motif reaches over what is known of the image."""
        place = positions - self.corner
        last = np.array(self.values.shape) - 1
        inside = ((place >= RIM - OVER) & (place <= last - RIM + OVER)).all(axis=-1)
        pixel = np.clip(np.round(place), RIM, np.maximum(last - RIM, 0)).astype(int)
        pixel = np.minimum(pixel, last)
        score = np.minimum(self.smooth(place), 1.0)
        return np.where(inside & self._whole[pixel[:, 0], pixel[:, 1]], score, np.nan)

    def refined(self, positions: Floats, reach: float) -> Floats:
        """Positions (R, 2) moved to the maxima next to them, where there are."""
        return self.smooth.climb(positions - self.corner, reach)[0] + self.corner
