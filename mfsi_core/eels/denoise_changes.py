"""Changes: how much denoising has changed in each pixel and channel, in units of the noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lbj import Signal, UsageError
from lbj.array_types import Floats

from ..series.axis import centres
from .noise import Noise, measure_noise

LOST = 5.0  # standard deviations of a pixel's or channel's chi-square from which signal was lost,
MUCH = 1.3  # where the rms change also reaches this, in units of the noise
NAMED = 8


class Changes:
    """Sums up frames as recorded (less outliers) against the same rebuilt.

    Attributes
    ----------
    signal : Signal
    replaced : (Y, X, C) int
        How often each voxel was an outlier, over the frames.
    """

    def __init__(self, signal: Signal) -> None:
        self.signal = signal
        self.replaced: NDArray[np.int32] = np.zeros(signal.shape, np.int32)
        self._square, self._seen = np.zeros(signal.shape), np.zeros(signal.shape)
        self._frames = 0

    def add(self, cube: Floats, rebuilt: Floats, replaced: NDArray[np.bool_] | None) -> None:
        """Take a frame into account."""
        self._frames += 1
        if replaced is not None:
            self.replaced += replaced
        finite = np.isfinite(cube)
        filled = np.where(finite, cube, 0.0)
        mean = filled.sum(axis=(0, 1)) / np.maximum(finite.sum(axis=(0, 1)), 1)
        try:
            noise = measure_noise(filled, mean)
        except (UsageError, ValueError):  # no noise, or too few channels to tell
            noise = Noise(1.0, 0.0, {})
        off = np.where(finite, cube - np.where(finite, rebuilt, 0.0), 0.0)
        self._square += off**2 / np.maximum(noise.variance(np.where(finite, rebuilt, 0.0)), 1e-300)
        self._seen += finite

    @property
    def by_pixel(self) -> Floats:
        """Rms change of every pixel (Y, X) in units of the noise; NaN where nothing is finite."""
        return self._rms(2)

    @property
    def by_channel(self) -> Floats:
        """The same of every channel (C,)."""
        return self._rms((0, 1))

    def _rms(self, axes: int | tuple[int, int]) -> Floats:
        seen = self._seen.sum(axis=axes)
        return np.asarray(np.sqrt(np.where(seen > 0, self._square.sum(axis=axes) / np.maximum(seen, 1), np.nan)))

    def outliers(self, sigmas: float) -> str:
        """Say what was replaced."""
        total, voxels = int(self.replaced.sum()), self.replaced.size * max(self._frames, 1)
        bad = np.flatnonzero(self.replaced.min(axis=(0, 1)) > 0)
        spikes = np.delete(self.replaced, bad, axis=2)
        text = (
            f"{total} outliers beyond {sigmas:g} sigma replaced ({100 * total / voxels:.2g} % of the voxels): "
            f"{int(spikes.sum())} spikes in {int((spikes.sum(axis=2) > 0).sum())} pixels"
        )
        if not bad.size:
            return f"{text}, no bad channel."
        unit = str(self.signal.axes[-1].get("units", ""))
        axis = centres(self.signal)
        places = ", ".join(f"{axis[c]:g}" for c in bad[:NAMED]) + (", …" if bad.size > NAMED else "")
        return f"{text}, and {bad.size} dead or hot channels at {places} {unit}".rstrip() + "."

    def told(self) -> list[str]:
        """Say how much the components changed, and where they do not hold what was recorded."""
        pixel, channel = self.by_pixel, self.by_channel
        if not np.isfinite(pixel).any():
            return []
        overall = float(np.sqrt(self._square.sum() / self._seen.sum()))
        out = [f"the components changed the spectra by {overall:.2f} times their noise (rms; 1 is noise alone)."]
        lost = _beyond(pixel, self._seen.sum(axis=2))
        if lost.any():
            row, column = np.unravel_index(int(np.nanargmax(np.where(lost, pixel, np.nan))), pixel.shape)
            out.append(
                f"{int(lost.sum())} pixels show what the components do not hold, most of all ({row}, {column}), which "
                f"changed by {pixel[row, column]:.1f} times its noise: keep more of them, or map the recorded spectra."
            )
        lost = _beyond(channel, self._seen.sum(axis=(0, 1)))
        if lost.any():
            worst = int(np.nanargmax(np.where(lost, channel, np.nan)))
            unit = str(self.signal.axes[-1].get("units", "")) or "(channel)"
            out.append(
                f"{int(lost.sum())} channels show what the components do not hold, most of all at "
                f"{centres(self.signal)[worst]:g} {unit}, which changed by {channel[worst]:.1f} times its noise."
            )
        return out


def _beyond(rms: Floats, count: Floats) -> NDArray[np.bool_]:
    """Where an rms deviation of `count` values, in units of their noise, is beyond chance."""
    known = np.isfinite(rms) & (count > 0)
    typical = max(float(np.median(rms[known])), 1.0) if known.any() else 1.0
    limit = typical * np.maximum(1 + LOST / np.sqrt(2 * np.maximum(count, 1)), MUCH)
    return np.asarray(known & (np.where(known, rms, 0.0) > limit))
