"""Drift: distortions that all frames share, unseen by registration: shear by steady drift, hum in step with them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lbj.array_types import Floats

FEWEST = 4  # frames; in fewer neither a steady drift nor a hum is looked for
CERTAIN = 3.0  # standard errors that a steady drift must exceed to be believed
# Ratio of a hum's power to the smooth spectrum around it, at least; jitter without hum reaches it by chance in about
# one of 10,000 series.
LINE = 13.0
CLEAR, SMALL = 2.0, 0.03  # least amplitude of a hum: in predicted errors of a frame, and in px
FIRST = 5  # cycles a frame; slower displacements are taken for drift, not for hum


@dataclass(frozen=True)
class Hum:
    """A periodic displacement of rows that keeps step with the frames.

    Attributes
    ----------
    cycles : float
        Periods in a frame.
    turn : float
        Cycles by which its phase advances from frame to frame, -1/2 to 1/2.
    """

    cycles: float
    turn: float


def with_shear(modes: Floats) -> Floats:
    """Add the shear that all frames share, since a steady drift goes on within each frame.

    The drift is taken to be continuous: within a frame it runs at the rate at which the frames around it are shifted.
    The median over the frames of that rate, less the shear by which a frame differs from the others, is the common
    drift d, px a frame of Y rows; it is zero unless it exceeds three standard errors. What all frames share is a
    distortion of the scene: a position p found is that of p + d p_y / Y, and shifts found are d_y / Y too small.
    Fly-back is taken to be short.

    Parameters
    ----------
    modes : (N, Y, K, 2)
        As `field.Field.modes`.
    """
    frames, rows = modes.shape[:2]
    row = np.arange(rows) - (rows - 1) / 2
    if frames < FEWEST or rows < 2:
        return modes
    place = modes[:, :, 0]
    rate = np.gradient(place.mean(axis=1), axis=0)
    shear = np.einsum("y,nya->na", row, place) / (row**2).sum() * rows
    each = rate - shear
    middle = np.median(each, axis=0)
    error = 1.4826 * np.median(np.abs(each - middle), axis=0) * np.sqrt(np.pi / 2 / frames)
    steady = np.where(np.abs(middle) > CERTAIN * error, middle, 0.0)
    slope = steady / max(1 - steady[0] / rows, 0.5) / rows
    out: Floats = modes + slope * modes[..., :1]
    out[:, :, 0] += row[:, None] * slope
    return out


def mains_hum(modes: Floats, error: Floats) -> Hum | None:
    """Find a periodic displacement whose phase hardly moves from frame to frame; the frames' mean hides a part of it.

    It is sought in what the frames do not share, of which a hum leaves enough if it turns by a third of a cycle in all.

    Parameters
    ----------
    modes : (N, Y, K, 2)
        As `field.Field.modes`.
    error : (N,)
        As `field.Field.error`: what hardly exceeds it is noise, however its neighbourhood looks.
    """
    frames, rows = modes.shape[:2]
    if frames < FEWEST or rows < 16:
        return None
    row = np.arange(rows)
    place = modes[:, :, 0] - modes[:, :, 0].mean(axis=0)
    slope, offset = np.polynomial.polynomial.polyfit(row, place.transpose(1, 0, 2).reshape(rows, -1), 1)[::-1]
    straight = (offset + slope * row[:, None]).reshape(rows, frames, 2).transpose(1, 0, 2)
    window = np.hanning(rows)
    wave = np.fft.rfft((place - straight) * window[:, None], axis=1) * (2 / window.sum())
    turns = np.linspace(-1, 1, 17) / frames
    lines = np.einsum("tn,nfa->tfa", np.exp(-2j * np.pi * turns[:, None] * np.arange(frames)), wave) / frames
    highest = (np.abs(lines) ** 2).max(axis=0)[1 : (rows + 1) // 2]  # at half the rows a phase is not seen
    least = max(CLEAR**2 * float((error**2).mean()), SMALL**2)
    logarithm = np.log(np.maximum(highest, 2.5e-4 * least + 1e-300))
    cycles = np.log(np.arange(1, len(highest) + 1))
    smooth = np.polynomial.polynomial.polyval(cycles, np.polynomial.polynomial.polyfit(cycles, logarithm, 2)).T
    best: tuple[float, Hum] | None = None
    for axis in range(2):
        above = logarithm[FIRST - 1 :, axis] - smooth[FIRST - 1 :, axis]
        peak = FIRST + int(np.argmax(above))
        power = float(highest[peak - 1, axis])
        if above.max() > math.log(LINE) and power > max(least, best[0] if best else 0.0):
            steps = wave[1:, peak, axis] * np.conj(wave[:-1, peak, axis])
            best = power, Hum(float(peak), float(np.angle(steps.sum()) / (2 * np.pi)))
    return None if best is None else best[1]
