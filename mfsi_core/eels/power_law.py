"""Power-law background of EELS: fitted before an edge, extrapolated below it, with its uncertainty."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lbj.array_types import Floats

from .log_linear import Fit, fit_loglinear, information, noise_variance, products

DEFAULT_EXPONENT = 3.0  # exponent where there is nothing to fit
LEAST_COUNTS = 3.0  # standard deviations of a pixel's sum below which its own exponent is not fitted
LARGEST_ERROR = 0.7  # of the logarithm of the extrapolation; beyond, a pixel's own exponent says nothing
MIN_DEGREES_OF_FREEDOM = 20  # residuals from which the noise is estimated
OUTLIER = 8.0  # standard deviations; spikes beyond do not enter the noise
CLASSES = 20  # of equal brightness, for a first guess of the noise
READ_NOISE_SIGMA = 3.0  # standard deviations from which read noise is told from gain
BLOCK = 8192  # pixels fitted at a time


class Background(NamedTuple):
    """Extrapolated counts.

    Attributes
    ----------
    counts, variance : (P,) float64
        Sum over the channels asked for, and its variance.
    gain, read : float
        Noise model: variance of a channel of one frame = gain * counts + read.
    """

    counts: Floats
    variance: Floats
    gain: float
    read: float


def extrapolate(
    counts: Floats, energy: Floats, onto: Floats, share: Floats, noise: tuple[float, float] | None = None
) -> Background:
    """Fit A E^-r to the counts of every pixel and extrapolate.

    Parameters
    ----------
    counts : (P, K) float64
        Finite counts before the edge; negative ones and zeros are ordinary.
    energy, onto : (K,) and (J,) float64
        Energies of those channels and of those below the edge, eV, positive.
    share : (P, 2) float64
        Factors of a pixel's gain and read variance: 1 and the number of frames for a plain sum, less and more where
        interpolation mixed pixels.
    noise : (gain, read variance), optional
        Default: estimated from the residuals of the fit.

    Returns
    -------
    Background
        The counts are corrected for the bias that exponentials of noisy exponents have. A pixel too dark for an
        exponent of its own (its sum below 3 standard deviations, or the extrapolation uncertain by more than a factor
        of 2) takes that of all pixels' sum; its amplitude may then come out negative, which keeps sums over dark
        pixels unbiased.
    """
    if not counts.size:
        return Background(np.zeros(0), np.zeros(0), *(noise or (1.0, 0.0)))
    middle = float(np.log(energy).mean())
    scale = max(float(np.log(energy).std()), 1e-12)

    def basis(e: Floats) -> Floats:
        return np.stack([np.ones(e.size), (np.log(e) - middle) / scale], axis=1)

    before, below = basis(energy), basis(onto)
    slope = _common_slope(counts, before, -DEFAULT_EXPONENT * scale)
    if noise is not None:
        found = noise
    else:
        found = (1.0, 0.0)
        for _ in range(2):
            found = _noise(counts, before, slope, share, found) or found
    out = np.empty((2, len(counts)))
    for first in range(0, len(counts), BLOCK):
        part = slice(first, first + BLOCK)
        out[:, part] = _extrapolated(counts[part], before, below, slope, share[part], found)
    return Background(out[0], out[1], *found)


def _common_slope(counts: Floats, basis: Floats, typical: float) -> float:
    """Slope of the logarithm of all pixels' sum; a typical one where there are no counts."""
    total, unit = counts.sum(axis=0)[None], np.ones((1, 1))
    if not total.sum() > 0:
        return typical
    fit = fit_loglinear(total, basis, unit, 0 * unit, np.array([[np.log(total.mean()), typical]]))
    error = float(np.sqrt(fit.covariance[0, 1, 1]))
    return float(fit.theta[0, 1]) if fit.converged[0] and error < 1.0 else typical


def _levels(gain: float, read: float, share: Floats) -> tuple[Floats, Floats]:
    return gain * share[:, :1], read * share[:, 1:]


def _amplitude(counts: Floats, basis: Floats, slope: float, gain: Floats, read: Floats) -> tuple[Floats, Floats]:
    """Amplitude of the common power law, linear in the counts, and its variance: (P, 1) each."""
    model = np.exp(basis[:, 1] * slope)[None]
    level = max(float(counts.mean()), 0.0) * model / model.mean()
    pull = model / noise_variance(level, np.array([[gain.mean()]]), np.array([[read.mean()]]))
    pull = pull / pull.max()
    norm = (pull * model).sum()
    amplitude = (counts @ pull.T) / norm
    variance = (noise_variance(amplitude * model, gain, read) * pull**2).sum(axis=1, keepdims=True) / norm**2
    return amplitude, variance


def _own(
    counts: Floats, basis: Floats, slope: float, gain: Floats, read: Floats
) -> tuple[Fit, NDArray[np.bool_], Floats, Floats]:
    """Fit exponents pixel by pixel; which of them may be used; and the amplitudes with the common exponent."""
    amplitude, variance = _amplitude(counts, basis, slope, gain, read)
    bright = (amplitude > LEAST_COUNTS * np.sqrt(variance))[:, 0]
    start = np.stack([np.log(np.where(bright, amplitude[:, 0], 1.0)), np.full(len(counts), slope)], axis=1)
    fit = fit_loglinear(np.where(bright[:, None], counts, np.exp(start @ basis.T)), basis, gain, read, start)
    total = np.where(bright, counts.sum(axis=1), 1.0)
    centre = (counts @ basis[:, 1]) / total
    inside = (centre > basis[:, 1].min()) & (centre < basis[:, 1].max())
    return fit, bright & inside & fit.converged, amplitude, variance


def _extrapolated(
    counts: Floats, before: Floats, below: Floats, slope: float, share: Floats, noise: tuple[float, float]
) -> tuple[Floats, Floats]:
    gain, read = _levels(*noise, share)
    fit, usable, amplitude, spread = _own(counts, before, slope, gain, read)
    mean = np.exp(np.clip(fit.theta @ below.T, -600.0, 600.0))
    total = mean.sum(axis=1)
    curved = (mean @ products(below)).reshape(-1, 2, 2)
    bias = ((mean @ below) * fit.bias).sum(axis=1) + 0.5 * (curved * fit.covariance).sum(axis=(1, 2))
    variance = _variance(fit, usable, before, below, gain, read)
    usable &= variance <= (LARGEST_ERROR * total) ** 2
    onward = np.exp(below[:, 1] * slope).sum()
    return (
        np.where(usable, total - bias, amplitude[:, 0] * onward),
        np.where(usable, variance, spread[:, 0] * onward**2),
    )


def _variance(fit: Fit, usable: NDArray[np.bool_], before: Floats, below: Floats, gain: Floats, read: Floats) -> Floats:
    """Variance of the extrapolated sum.

    It is taken at exponents drawn towards the pixels' mean by as much as they are noise: at the fitted ones it would
    be largest where the extrapolation is by chance too large.
    """
    slope, error = fit.theta[:, 1], fit.covariance[:, 1, 1]
    if usable.any():
        mean = np.average(slope[usable], weights=1 / error[usable])
        spread = max(float(((slope[usable] - mean) ** 2).mean() - error[usable].mean()), 0.0)
        slope = mean + (slope - mean) * spread / (spread + error)
    slope = np.clip(slope, -50.0, 50.0)[:, None]
    model = np.exp(slope * before[:, 1])
    model *= fit.mean.sum(axis=1, keepdims=True) / model.sum(axis=1, keepdims=True)
    scale = model[:, :1] / np.exp(slope * before[0, 1])
    covariance = np.linalg.inv(information(model**2 / noise_variance(model, gain, read), before))
    toward = (scale * np.exp(slope * below[:, 1])) @ below
    return np.asarray(np.einsum("pm,pmn,pn->p", toward, covariance, toward))


def _noise(
    counts: Floats, basis: Floats, slope: float, share: Floats, start: tuple[float, float]
) -> tuple[float, float] | None:
    """Estimate gain and read variance from the residuals; None where there are too few."""
    squares, levels = [], []
    for first in range(0, len(counts), BLOCK):
        part = slice(first, first + BLOCK)
        gain, read = _levels(*start, share[part])
        fit, usable, amplitude, _ = _own(counts[part], basis, slope, gain, read)
        plain = amplitude * np.exp(basis[:, 1] * slope)
        mean = np.where(usable[:, None], fit.mean, plain)
        freedom = np.where(usable[:, None], 1 - fit.leverage, 1 - 1 / len(basis))
        squares.append(((counts[part] - mean) ** 2 / np.maximum(freedom, 0.05)).ravel())
        one = np.ones_like(mean)
        levels.append(np.stack([share[part, :1] * np.maximum(mean, 0.0), share[part, 1:] * one], axis=-1))
    square, level = np.concatenate(squares), np.concatenate([item.reshape(-1, 2) for item in levels])
    if len(counts) * (len(basis) - 2) < MIN_DEGREES_OF_FREEDOM or not level[:, 0].max() > 0:
        return None
    return _two_levels(square, level)


def _two_levels(square: Floats, level: Floats) -> tuple[float, float]:
    """Fit squared residuals by gain * mean + read, neither negative, the second only where it is significant."""
    classes = np.array_split(np.argsort(level[:, 0]), min(CLASSES, len(level)))
    scatter = [float(square[part][square[part] <= np.quantile(square[part], 0.999)].mean()) for part in classes]
    known = [(level[part].mean(axis=0) / value) for part, value in zip(classes, scatter, strict=True) if value > 0]
    if not known:
        return 0.0, 0.0
    found, _, _ = _positive(np.array(known), np.ones(len(known)))
    for _ in range(4):
        expected = level @ found
        kept = (square <= OUTLIER**2 * expected) & (expected > 0)
        if not kept.any():
            break
        design, target = level[kept] / expected[kept, None], square[kept] / expected[kept]
        best, alone, gained = _positive(design, target)
        found = best if gained > 2 * READ_NOISE_SIGMA**2 else alone  # a squared residual's variance is 2
    return float(found[0]), float(found[1])


def _positive(design: Floats, target: Floats) -> tuple[Floats, Floats, float]:
    """Non-negative least squares with both coefficients and with the first alone, and what the second one gains."""
    gram, moment = design.T @ design, design.T @ target
    single = moment / np.maximum(np.diag(gram), 1e-300)
    choices = [np.array([single[0], 0.0]), np.array([0.0, single[1]])]
    determinant = gram[0, 0] * gram[1, 1] - gram[0, 1] ** 2
    if determinant > 1e-9 * gram[0, 0] * gram[1, 1]:
        both = np.linalg.solve(gram, moment)
        choices += [both] if both.min() >= 0 else []
    costs = [float(choice @ gram @ choice - 2 * choice @ moment) for choice in choices]
    best = int(np.argmin(costs))
    return choices[best], choices[0], costs[0] - costs[best]
