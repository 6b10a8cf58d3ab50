"""Lines: a hum among the rows' displacements, whose frequency is found and whose phase is each frame's own."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from lbj.array_types import Floats

SHORT = 32  # rows, in fewer of which a hum is not sought
SLOWEST = 2  # cycles a frame, below which nothing is a hum
FINER = 8  # points on the frequency axis for each cycle a frame
STANDS_OUT = 8.0  # times the power around it, a line
FEW = 4  # frames, below which what is fixed to the scene is not told from what is fixed to the frame


def frequency(place: Floats, noise: float) -> float:
    """Frequency of a hum in displacements (N, Y, 2), cycles a row; 0 where no line stands out of its surroundings.

    `noise`: variance of a row's displacement (y and x together) by itself, px².
    """
    rows = place.shape[1]
    if rows < SHORT:
        return 0.0
    window = np.hanning(rows)
    wave = fft.rfft((place - place.mean(axis=1, keepdims=True)) * window[:, None], FINER * rows, axis=1)
    power = apart(wave, place[:, :, 0].mean(axis=1)).sum(axis=1)
    around = ndimage.median_filter(power, 6 * FINER + 1, mode="nearest")
    around = np.maximum(around, noise * (window**2).sum())
    first = SLOWEST * FINER
    peak = first + int(np.argmax(power[first:-1] / around[first:-1]))
    if power[peak] < STANDS_OUT * around[peak] or not power[peak - 1] <= power[peak] >= power[peak + 1]:
        return 0.0
    below, at, above = np.log(np.maximum(power[peak - 1 : peak + 2], 1e-300))
    return float((peak + 0.5 * (below - above) / min(below - 2 * at + above, -1e-9)) / (FINER * rows))


def waves(line: float, rows: int) -> tuple[Floats, Floats]:
    """Cosine and sine of so many cycles a row about the middle row, (rows, 2), and what they change by with the cycles.

    Where there is no line both are (rows, 0).
    """
    turn = 2 * np.pi * (np.arange(rows)[:, None] - (rows - 1) / 2)
    sine, cosine = np.sin(line * turn), np.cos(line * turn)
    both = np.concatenate([cosine, sine], axis=1), np.concatenate([-turn * sine, turn * cosine], axis=1)
    return both[0][:, : 2 if line else 0], both[1][:, : 2 if line else 0]


def apart(waves: NDArray[Any], shift: NDArray[Any]) -> Floats:
    """Variance of the waves (N, F, M) over the frames: less what is fixed to the frame, and what is fixed to the scene.

    The latter moves with the frames' shift (N,) along the rows' normal, px; it is what the scene fitted lacks.
    """
    frames, number = waves.shape[:2]
    waves = waves - waves.mean(axis=0)
    if frames < FEW:
        return np.asarray((np.abs(waves) ** 2).sum(axis=0, dtype=float) / max(frames - 1, 1))
    turn = np.exp(1j * np.pi / (number - 1) * np.arange(number) * shift[:, None])
    turn -= turn.mean(axis=0)
    size = (np.abs(turn) ** 2).sum(axis=0)
    turn *= np.where(size > frames / FEW, 1 / np.sqrt(np.maximum(size, 1e-9)), 0)
    waves -= (turn[:, :, None] * np.einsum("nf,nfm->fm", turn.conj(), waves)).astype(waves.dtype)
    free = frames - 1 - (np.abs(turn) ** 2).sum(axis=0)
    return np.asarray((np.abs(waves) ** 2).sum(axis=0, dtype=float) / free[:, None])
