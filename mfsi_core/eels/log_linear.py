"""Log-linear fits: exponentials (power laws) fitted to noisy counts of all pixels, without bias at few counts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lbj.array_types import Floats

ROUNDS = 40
LARGEST_STEP = 1.0  # change of ln(mu) in one round, in any channel
SMALLEST_STEP = 1e-7
LEAST_NOISE = 1e-6  # standard deviation relative to the mean, assumed where data have no noise


class Fit(NamedTuple):
    """Fitted exponentials of P pixels.

    Attributes
    ----------
    theta : (P, M) float64
        Coefficients.
    covariance : (P, M, M) float64
        Of the coefficients, from the noise model.
    bias : (P, M) float64
        Expected error of the coefficients to first order.
    leverage : (P, K) float64
        How far each channel draws the fit to itself, 0 to 1.
    mean : (P, K) float64
        Fitted counts.
    converged : (P,) bool
    """

    theta: Floats
    covariance: Floats
    bias: Floats
    leverage: Floats
    mean: Floats
    converged: NDArray[np.bool_]


def noise_variance(mean: Floats, gain: Floats, read: Floats) -> Floats:
    """Variance gain * mean + read of counts, never below (1e-6 mean)²."""
    floor = (LEAST_NOISE * mean) ** 2 + np.finfo(float).tiny
    return np.maximum(gain * np.maximum(mean, 0.0) + read, floor)


def products(basis: Floats) -> Floats:
    """Products of the basis functions, (K, M * M)."""
    return (basis[:, :, None] * basis[:, None, :]).reshape(len(basis), -1)


def information(weight: Floats, basis: Floats) -> Floats:
    """Fisher information (P, M, M) of the coefficients, from the weights mu²/V(mu) of the channels."""
    number = basis.shape[1]
    found = (weight @ products(basis)).reshape(-1, number, number)
    scale = np.trace(found, axis1=1, axis2=2)[:, None, None]
    return np.asarray(found + (1e-12 * scale + 1e-290) * np.eye(number))


def fit_loglinear(
    counts: Floats, basis: Floats, gain: Floats, read: Floats, start: Floats, weight: Floats | None = None
) -> Fit:
    """Fit mean counts exp(basis @ theta) to every pixel.

    Parameters
    ----------
    counts : (P, K) float64
        Any finite numbers; negative ones and zeros are noise like others.
    basis : (K, M) float64
    gain, read : (P, 1) float64
        Noise model: variance of a channel = gain * mean + read.
    start : (P, M) float64
    weight : (P, K) float64, optional
        0 leaves a channel out.

    Returns
    -------
    Fit

    Notes
    -----
    Solves the score equations sum of (y - mu) dmu/dtheta / V(mu) = 0 by Fisher scoring with bounded steps: maximum
    likelihood for Poisson counts, quasi-likelihood (Wedderburn, Biometrika 61 (1974) 439) for scaled ones with read
    noise. Unlike least squares of the logarithms it needs no positive counts and is unbiased but for a term of second
    order, which `Fit.bias` holds (Cordeiro and McCullagh, J. R. Stat. Soc. B 53 (1991) 629).
    """
    number = basis.shape[1]
    squares = products(basis)
    limit = np.log(max(float(np.abs(counts).max(initial=0.0)), 1e-200)) + 25.0

    def expected(theta: Floats) -> tuple[Floats, Floats]:
        mean = np.exp(np.clip(theta @ basis.T, limit - 200.0, limit))
        share = mean / noise_variance(mean, gain, read)
        return mean, share if weight is None else share * weight

    theta = np.array(start, float)
    converged = np.zeros(len(theta), bool)
    for _ in range(ROUNDS):
        mean, share = expected(theta)
        score = (share * (counts - mean)) @ basis
        step = np.linalg.solve(information(mean * share, basis), score[..., None])[..., 0]
        largest = np.abs(step @ basis.T).max(axis=1, initial=0.0)
        theta += step * (LARGEST_STEP / np.maximum(largest, LARGEST_STEP))[:, None]
        converged = largest < SMALLEST_STEP
        if converged.all():
            break
    mean, share = expected(theta)
    covariance = np.linalg.inv(information(mean * share, basis))
    spread = covariance.reshape(-1, number * number) @ squares.T
    drawn = mean * share
    bias = -0.5 * np.einsum("pmn,pn->pm", covariance, (drawn * spread) @ basis)
    return Fit(theta, np.asarray(covariance, np.float64), bias, np.minimum(drawn * spread, 0.999), mean, converged)
