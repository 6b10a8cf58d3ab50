"""Absorbed: expected error of the rows' displacements because the fitted scene has absorbed a part of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from lbj.array_types import Floats

SOUGHT = 0.15  # share of the information in the scene's prior that the fit makes use of; measured on simulations
SMOOTHED = 9  # Fourier components over which the scene's power spectrum was averaged


def taken_on(signal: NDArray[Any], power: Floats, length: int, shift: Floats) -> float:
    """Variance of the error in a component of the displacements because the fitted scene is distorted, px².

    A scene whose rows are displaced by m(y), and frames whose rows are displaced by that much less, give the same
    images; only the priors decide about m. The prior of the rows, with power P at a frequency f, gives m the variance
    P / N. The prior of the scene, a Gaussian process of power s with noise of power 1, adds the information
    sum |q s(q) - r s(r)|² / ((s(q) + 1) (s(r) + 1)) / 2H, over the wave vectors q and r = q + f. The part of m that
    is the same in all frames, as where they are not shifted against one another, does not count as an error.

    Parameters
    ----------
    signal : (H, W//2+1)
        Power spectrum of the scene, in units of the noise power.
    power : (F, 2)
        As `jitter.Jitter.power`, of the displacements (y, x).
    length : int
        Number of rows of the periodic process that has this power spectrum.
    shift : (N,)
        Shifts of the frames across the rows (y), px.
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
    """Correlation along the first axis: sum over q of first(q) second(q + f), for each f and column."""
    if absolute:
        first, second = np.abs(first), np.abs(second)
    both = np.conj(fft.fft(first, axis=0)) * fft.fft(second, axis=0)
    return np.asarray(fft.ifft(both, axis=0).real)
