"""Laid: frames laid on the scene where their displacements say, and sums of some of them compared with others."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import fft

from .rigid.pairs import noise_filter

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

SEEN = 0.3  # of a frame's weight on a pixel of the scene, from which on it has seen it
PAD = 2  # px of the scene beyond the displaced frames


class Laid:
    """Frames on the scene's grid.

    Parameters
    ----------
    images : (N, Y, X) float64
        NaN where a pixel is missing.
    displacement : (N, 2, Y, X) float32
        px.

    Attributes
    ----------
    total, weight : (N, H, W) float32
        Each frame's intensity, less its mean and over its standard deviation, splatted bilinearly, and the weights.
    corner : (int, int)
        Scene position of the grid's first pixel, negated.
    """

    def __init__(self, images: Floats, displacement: Singles) -> None:
        rows, columns = images.shape[1:]
        low = [math.floor(float(displacement[:, a].min())) - PAD for a in range(2)]
        high = [math.ceil(float(displacement[:, a].max())) + PAD for a in range(2)]
        self.corner = (-low[0], -low[1])
        size = tuple(
            int(fft.next_fast_len(n + h - b, real=True)) for n, h, b in zip((rows, columns), high, low, strict=True)
        )
        self.total = np.zeros((len(images), *size), np.float32)
        self.weight = np.zeros_like(self.total)
        mean = np.nanmean(images, axis=(1, 2))
        deviation = np.maximum(np.nanstd(images, axis=(1, 2)), 1e-300)
        for n, image in enumerate(images):
            level = ((image - mean[n]) / deviation[n]).astype(np.float32)
            _splat(level, displacement[n], self.corner, self.total[n], self.weight[n])
        self.all = self.total.sum(axis=0, dtype=np.float64), self.weight.sum(axis=0, dtype=np.float64)
        frames = len(images)
        scene = self.mean(np.ones(frames, bool))
        power = np.abs(fft.rfft2(np.where(np.isfinite(scene), scene, 0))) ** 2
        self.passed = noise_filter(power, 1)

    def mean(self, chosen: NDArray[np.bool_]) -> Singles:
        """Mean of some frames, (H, W); NaN where none of them has seen the scene."""
        return mean_of(*(np.tensordot(chosen.astype(np.float32), part, 1) for part in (self.total, self.weight)))

    def smooth(self, image: Singles, shift: Any = (0.0, 0.0)) -> Singles:
        """The image freed of noise and moved: its pixel p + shift at p; NaN stays where a pixel was not seen."""
        missing = ~np.isfinite(image)
        waves = 2j * np.pi * fft.fftfreq(image.shape[0])[:, None], 2j * np.pi * fft.rfftfreq(image.shape[1])[None]
        ramp = np.exp(waves[0] * shift[0] + waves[1] * shift[1])
        out = fft.irfft2(fft.rfft2(np.where(missing, 0, image)) * self.passed * ramp, image.shape)
        away = np.rint(np.asarray(shift)).astype(int)
        moved = np.roll(missing, -away, axis=(0, 1))
        for axis, step in enumerate(away):
            gone = [slice(None), slice(None)]
            gone[axis] = slice(-step, None) if step > 0 else slice(0, -step)
            if step:
                moved[tuple(gone)] = True
        return np.asarray(np.where(moved, np.nan, out), np.float32)


def mean_of(total: NDArray[Any], weight: NDArray[Any]) -> Singles:
    """Mean of what was laid; NaN where too little was."""
    return np.asarray(np.where(weight > SEEN, total / np.maximum(weight, SEEN), np.nan), np.float32)


def misfit(first: Singles, second: Singles) -> tuple[Floats, NDArray[np.bool_]]:
    """Squared difference of two images, gain and each row's offset fitted, and where both are seen: (H, W) each."""
    both = np.isfinite(first) & np.isfinite(second)
    count = np.maximum(both.sum(axis=1, keepdims=True), 1)
    a, b = (np.where(both, image, 0).astype(float) for image in (first, second))
    a, b = (np.where(both, part - part.sum(axis=1, keepdims=True) / count, 0) for part in (a, b))
    gain = float((a * b).sum()) / max(float((b * b).sum()), 1e-300)
    return (a - gain * b) ** 2, both


@njit(cache=True, nogil=True)
def _splat(image: Any, field: Any, corner: Any, total: Any, weight: Any) -> None:
    rows, columns = image.shape
    for y in range(rows):
        for x in range(columns):
            value = image[y, x]
            if not math.isfinite(value):
                continue
            py, px = y + field[0, y, x] + corner[0], x + field[1, y, x] + corner[1]
            top, left = math.floor(py), math.floor(px)
            if top < 0 or left < 0 or top > total.shape[0] - 2 or left > total.shape[1] - 2:
                continue
            fy, fx = py - top, px - left
            for a in range(2):
                for b in range(2):
                    share = (fy if a else 1 - fy) * (fx if b else 1 - fx)
                    total[top + a, left + b] += share * value
                    weight[top + a, left + b] += share
