"""Absorbed: error of the rows' displacements that the fitted scene has absorbed, and so hides."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from lbj.array_types import Floats

SOUGHT = 0.15  # of what the scene's prior tells, the part that the rounds make use of; measured on simulations
SMOOTHED = 9  # waves over which the scene's power was averaged


def taken_on(signal: NDArray[Any], power: Floats, length: int, shift: Floats) -> float:
    """Variance of a component of the displacements that is wrong because the scene is distorted, px².

    A scene whose rows are displaced by m(y), and frames whose rows are displaced by that much less, show the same. What
    the rows' prior, of power P at a frequency f, says of m is P / N; the scene's prior, a Gaussian process of power s
    with noise 1, tells of it by sum |q s(q) - r s(r)|² / ((s(q) + 1) (s(r) + 1)) / 2H over the waves q and r = q + f.
    Frames that are shifted alike are wrong alike, which does not count.

    Parameters
    ----------
    signal : (H, W//2+1)
        Power of the scene, in noise powers.
    power : (F, 2)
        As `jitter.Jitter.power`, of the displacements (y, x).
    length : int
        Rows of the circle for which that holds.
    shift : (N,)
        Of the frames along the rows' normal, px.
    """
    rows, half = signal.shape
    signal = np.asarray(signal, np.float64)
    twice = np.full(half, 2.0)
    twice[0] = 1
    waves = 2 * np.pi * fft.fftfreq(rows)[:, None], np.pi * np.arange(half) / max(half - 1, 1)
    cycles = np.arange(len(power)) / length
    apart = 1 - np.abs(np.exp(2j * np.pi * cycles[:, None] * shift).mean(axis=1)) ** 2
    weight, total = 1 / (signal + 1), 0.0
    for axis, wave in enumerate(waves):
        slope = wave * signal
        product = _along(slope**2 * weight, weight) - _along(slope * weight, slope * weight)
        by_chance = _along(slope * weight, slope * weight, absolute=True) / SMOOTHED
        told = np.maximum(product - by_chance, 0) @ twice / rows
        told = np.interp(cycles, np.arange(rows // 2 + 1) / rows, told[: rows // 2 + 1])
        own = power[:, axis] / len(shift)
        variance = own / (1 + SOUGHT * own * told) * apart
        variance[0] = 0
        total += float(variance[:-1].sum() * 2 + variance[-1]) / length / 2
    return total


def _along(first: Floats, second: Floats, *, absolute: bool = False) -> Floats:
    """Sum over the rows' frequencies of first(q) second(q + f), both ways, for each f and column."""
    if absolute:
        first, second = np.abs(first), np.abs(second)
    both = np.conj(fft.fft(first, axis=0)) * fft.fft(second, axis=0)
    return np.asarray(fft.ifft(both, axis=0).real)
