"""Lines: a hum among the rows' displacements, whose frequency is found and whose phase is each frame's own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

Floats = NDArray[np.float64]

SHORT = 32  # rows, in fewer of which a hum is not sought
SLOWEST = 2  # cycles a frame, below which nothing is a hum
FINER = 8  # points on the frequency axis for each cycle a frame
STANDS_OUT = 8.0  # times the power around it, a line


def frequency(place: Floats) -> float:
    """Frequency of a hum in displacements (N, Y, 2), cycles a row; 0 where no line stands out of its surroundings."""
    rows = place.shape[1]
    if rows < SHORT:
        return 0.0
    wave = fft.rfft((place - place.mean(axis=1, keepdims=True)) * np.hanning(rows)[:, None], FINER * rows, axis=1)
    power = (np.abs(wave) ** 2).sum(axis=(0, 2))
    around = ndimage.median_filter(power, 6 * FINER + 1, mode="nearest")
    first = SLOWEST * FINER
    peak = first + int(np.argmax(power[first:-1] / np.maximum(around[first:-1], 1e-300)))
    if power[peak] < STANDS_OUT * around[peak] or not power[peak - 1] <= power[peak] >= power[peak + 1]:
        return 0.0
    below, at, above = np.log(np.maximum(power[peak - 1 : peak + 2], 1e-300))
    return float((peak + 0.5 * (below - above) / min(below - 2 * at + above, -1e-9)) / (FINER * rows))


def waves(line: float, rows: int) -> Floats:
    """Cosine and sine of so many cycles a row, (rows, 2); none, (rows, 0), where there is no line."""
    phase = 2 * np.pi * line * np.arange(rows)[:, None]
    return np.concatenate([np.cos(phase), np.sin(phase)], axis=1)[:, : 2 if line else 0]
