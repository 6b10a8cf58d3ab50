"""Noise of a spectrum image: gain and read noise, measured on the data; spikes removed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lbj import UsageError
from lbj.array_types import Floats

GROUPS = 32
SPIKE = 8.0  # standard deviations
CHI2_MEDIAN = 0.4549


@dataclass(frozen=True, eq=False)
class Noise:
    """Noise model: variance = gain · mean + read².

    Attributes
    ----------
    gain : float
        Variance per count of the signal, counts.
    read : float
        Standard deviation where there is no signal, counts.
    correlation : dict of int to float
        Standard deviation of sums over 1, 2, 4, … neighbouring channels, relative to independent channels.
    """

    gain: float
    read: float
    correlation: dict[int, float]

    def variance(self, mean: NDArray) -> Floats:
        """Variance of one voxel whose expected value is `mean`, counts²."""
        return np.asarray(self.gain * np.maximum(mean, 0.0) + self.read**2 + self.floor)

    @property
    def floor(self) -> float:
        """Added to every variance, so that none is 0 where there is neither signal nor read noise; counts²."""
        return 1e-6 * (self.gain**2 + self.read**2)

    def excess(self, width: int) -> float:
        """Relative standard deviation of sums over `width` channels; of the widest known beyond."""
        known = [size for size in self.correlation if size <= width]
        return self.correlation[max(known)] if known else 1.0


def second_difference(values: NDArray) -> Floats:
    """Second differences along the last axis, scaled to keep the variance of white noise."""
    return np.asarray((values[..., :-2] - 2 * values[..., 1:-1] + values[..., 2:]) / np.sqrt(6.0))


def measure_noise(cube: NDArray, mean: Floats) -> Noise:
    """Fit the noise of a cube.

    Second differences along the channels of the spectrum divided by the mean spectrum leave noise but for the few
    channels of sharp structure; their median square in groups of channels and of pixels by brightness is fitted by
    gain and read noise, neither negative. Sums of more channels tell how the noise of neighbours hangs together.

    Parameters
    ----------
    cube : (Y, X, C) array
    mean : (C,) array
        Its mean spectrum.

    Raises
    ------
    UsageError
        If the cube has no noise.
    """
    from scipy.optimize import nnls

    flat = cube.reshape(-1, cube.shape[-1])
    step = max(len(flat) // 2000, 1)
    flat = flat[::step].astype(float)
    safe = np.where(mean > 0, mean, np.inf)
    ratio = second_difference(flat / safe)
    level = flat.sum(axis=1) / max(float(mean.sum()), 1e-300)
    order = np.array_split(np.argsort(level), min(4, len(flat)))
    rows, squares = [], []
    for channels in np.array_split(np.arange(1, mean.size - 1), min(GROUPS, mean.size - 2)):
        for pixels in order:
            good = channels[mean[channels] > 0]
            if not good.size:
                continue
            square = float(np.median(ratio[np.ix_(pixels, good - 1)] ** 2)) / CHI2_MEDIAN
            here = float(level[pixels].mean())
            middle = float(mean[good].mean())
            if square > 0:
                scale = square * middle**2
                rows.append([max(here, 0.0) * middle / scale, 1.0 / scale])
                squares.append(1.0)
    if not rows:
        raise UsageError("the spectra hold no noise: no chart can be scaled to it")
    (gain, read), _ = nnls(np.array(rows), np.array(squares))
    noise = Noise(float(gain), float(np.sqrt(read)), {1: 1.0})
    return Noise(noise.gain, noise.read, _correlation(flat, mean, level, noise))


def _correlation(flat: Floats, mean: Floats, level: Floats, noise: Noise) -> dict[int, float]:
    found: dict[int, float] = {}
    width = 1
    variance = noise.variance(level[:, None] * mean)
    while width * 12 <= mean.size and width <= 64:
        starts = np.arange(0, mean.size - width + 1, width)
        whole = np.add.reduceat(mean[: starts[-1] + width], starts)
        sums = np.add.reduceat(flat[:, : starts[-1] + width], starts, axis=1)
        known = np.add.reduceat(variance[:, : starts[-1] + width], starts, axis=1)
        shape = np.where(whole > 0, sums / np.where(whole > 0, whole, 1.0), 0.0)
        rough = second_difference(shape) * whole[1:-1] / np.sqrt(np.maximum(known[:, 1:-1], 1e-300))
        # The quieter half of the places: elsewhere, wide sums see the specimen.
        spread = np.sqrt(np.median(rough**2, axis=0) / CHI2_MEDIAN)
        found[width] = float(np.clip(np.quantile(spread, 0.3), found.get(width // 2, 0.8), 3.0))
        width *= 2
    return found


def without_spikes(cube: NDArray, mean: Floats, noise: Noise) -> tuple[NDArray, int]:
    """Cube with its spikes and non-finite voxels replaced, and how many they were.

    A spike is a voxel more than eight standard deviations from the mean of its neighbours along the channels and
    from the median of the pixels around it, as an X-ray or cosmic particle on the detector leaves.
    """
    channels = cube.shape[-1]
    bad = np.zeros(cube.shape, bool)
    if channels > 4:
        ratio = np.where(mean > 0, mean, 1.0)
        here = cube[..., 2:-2]
        beside = 0.5 * (cube[..., :-4] / ratio[:-4] + cube[..., 4:] / ratio[4:]) * ratio[2:-2]
        bad[..., 2:-2] = np.abs(here - beside) > 1.3 * SPIKE * np.sqrt(noise.variance(np.maximum(beside, 0)))
    out = cube
    replaced = 0
    for y, x, c in np.argwhere(bad):
        around = cube[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2, c]
        middle = float(np.median(around))
        if around.size >= 4 and abs(cube[y, x, c] - middle) > SPIKE * np.sqrt(noise.variance(np.array(middle))):
            if out is cube:
                out = cube.copy()
            out[y, x, c] = middle
            replaced += 1
    return out, replaced
