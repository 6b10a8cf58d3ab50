"""Noise: what of a power spectrum is white noise, and what a scene has in it beyond."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from lbj.array_types import Floats, Singles

WIDTHS = (1, 3, 9, 27)  # Fourier components along an axis over which power is averaged, the fewest that suffice
CAUTION = 2.0  # standard deviations of the noise floor above which power counts as signal in `noise_filter`
ROUNDING = 1e-12  # squared relative precision of float32, about
CERTAIN = 4.0  # standard deviations of the noise by which the power must exceed it


def noise_filter(power: NDArray[Any], frames: int) -> Floats:
    """Wiener filter of a series from its mean power spectrum, of what is clearly seen in each component.

    Parameters
    ----------
    power : (Y, X//2+1) array
        Mean over the frames of the squared moduli of the real FFT.
    frames : int
        Number of frames averaged, on which the scatter of the mean spectrum depends.

    Returns
    -------
    array of the same shape
        Share of the power that exceeds the white noise, whose level is the median of the outermost quarter of the
        frequencies.
    """
    power = np.asarray(power, np.float64)
    floor = _median(power) * (1 + CAUTION / np.sqrt(frames))
    return np.asarray(np.clip(1 - floor / np.maximum(power, 1e-300), 0, 1))


def noise_floor(power: NDArray[Any], averaged: float) -> float:
    """Power of the white noise: the median of the outermost quarter of the frequencies, as a mean of gammas.

    At least what rounding leaves. `power`, (Y, X//2+1): mean of so many independent squared moduli of real FFTs.
    """
    return max(_median(power) / (1 - 1 / (9 * averaged)) ** 3, ROUNDING * float(power.max()), 1e-300)


def faint_filter(power: Floats, floor: float) -> Singles:
    """Wiener filter of one periodogram, (H, W//2+1), that passes what a scene has in it below each component's noise.

    `floor`: power of the noise.
    """
    signal = scene_power(power / floor, 1)
    return np.asarray(signal / (1 + signal), np.float32)


def scene_power(power: Floats, averaged: float, narrowest: int = 1) -> Floats:
    """Power of the scene at each Fourier component.

    It is averaged over the smallest square around a component in which it clearly exceeds the noise; components that
    do so in a smaller one do not count in it. So the peaks of a lattice stay sharp, and what a film shows at
    frequencies where every component is lost in the noise is found all the same.

    Parameters
    ----------
    power : (H, W//2+1)
        Squared moduli of a real FFT, in units of the noise.
    averaged : float
        Number of independent periodograms of which these are the mean.
    narrowest : int
        Width of the smallest square.

    Returns
    -------
    (H, W//2+1)
        In the same units; 0 where there is none to be seen.
    """
    signal, left = np.zeros(power.shape), np.ones(power.shape)
    for width in WIDTHS:
        if not narrowest <= width <= min(power.shape):
            continue
        count = np.maximum(_mean(left, width), width**-2.0)
        excess = _mean(left * (power - 1), width) / count
        many = averaged * count * width**2
        sure = (left > 0) & (excess > _rarely(many) - 1)
        signal[sure] = excess[sure]
        left[sure] = 0
    return signal


def _mean(image: Floats, width: int) -> Floats:
    return np.asarray(ndimage.uniform_filter(image, width, mode=("wrap", "mirror")))


def _rarely(many: Floats) -> Floats:
    """What the mean of so many exponentially distributed numbers of mean 1 hardly exceeds (Wilson and Hilferty)."""
    return np.asarray((1 - 1 / (9 * many) + CERTAIN / (3 * np.sqrt(many))) ** 3)


def _median(power: NDArray[Any]) -> float:
    """Median of the outermost quarter of the frequencies."""
    rows = np.abs(fft.fftfreq(power.shape[0]))[:, None]
    radius = np.hypot(rows, np.arange(power.shape[1])[None] / max(2 * power.shape[1] - 2, 1))
    return float(np.median(power[radius >= np.quantile(radius, 0.75)]))
