"""Sight: along which directions the scene shows a displacement at all; along fringes, edges or wires none is seen."""

from __future__ import annotations

import numpy as np
from scipy import fft

from lbj.array_types import Floats, Singles

from .laid import Laid, filtered, mean_of, moved
from .rigid.noise import faint_filter, noise_floor

CERTAIN = 5.0  # standard deviations of noise that the power of the slopes common to two half series must exceed
# Share of the squared slope along the clearest direction that another one must exceed; rows misplaced by the same
# amount in all frames can feign as much.
LEAST = 0.1
CHANCE = 0.3  # share of the slopes' power that two half series have in common; where it is less, noise prevails
ALONG = 0.15  # component of a unit vector below which it is taken to point along the other axis


def sight(laid: Laid) -> Floats:
    """How the information about displacements is shared between directions, a (2, 2) matrix of trace 2.

    It has rank one where displacements along one direction cannot be seen, and is zero where the slopes of the series
    are mostly noise, so that neither displacements nor errors can be believed.

    The series is split into every second frame and the others, and the slopes of the two mean images are multiplied.
    Their noise is independent and averages out; along a fringe, an edge or a wire nothing but chance is left.
    """
    passed = _passed(laid)
    a, b = (moved(filtered(mean_of(half), passed), (0.0, 0.0)) for half in laid.halves)
    slopes = [np.array(np.gradient(image)) for image in (a, b)]
    seen = np.isfinite(slopes[0]).all(axis=0) & np.isfinite(slopes[1]).all(axis=0)
    if seen.sum() < 16:
        return np.eye(2)
    first, second = (part[:, seen].astype(float) for part in slopes)
    common = first @ second.T
    common = (common + common.T) / 2
    whole = (first @ first.T + second @ second.T) / 2
    independent = max(2 * float(passed.sum()) * seen.mean(), 1.0)
    values, vectors = np.linalg.eigh(common)
    power = np.einsum("an,ab,bn->n", vectors, whole, vectors)
    certain = values > CERTAIN / np.sqrt(independent) * power
    certain &= values > LEAST * values.max()
    if not certain.any():
        return np.eye(2)
    if (values < CHANCE * power).all():
        return np.zeros((2, 2))
    shares = np.where(certain, np.maximum(values, 0), 0)
    for vector in vectors.T:
        vector[np.abs(vector) < ALONG] = 0
    vectors /= np.hypot(*vectors)
    shares *= 2 / shares.sum()
    return np.asarray((vectors * shares) @ vectors.T)


def _passed(laid: Laid) -> Singles:
    """Wiener filter of the mean, (H, W//2+1), as `faint_filter`.

    The noise is that of frames laid bilinearly from all positions between grid points.
    """
    scene = mean_of(laid.all)
    down, along = ((2 + np.cos(2 * np.pi * f)) / 3 for f in (fft.fftfreq(len(scene)), fft.rfftfreq(scene.shape[1])))
    power = np.abs(fft.rfft2(np.where(np.isfinite(scene), scene, 0))) ** 2 / np.multiply.outer(down, along)
    return faint_filter(power, noise_floor(power, 1))


def covariance(error: Floats, shares: Floats) -> Floats:
    """Covariance (N, 2, 2) of the frames' displacements, px², infinite along directions that are not seen.

    `error`, (N,): error of one component, px rms; `shares`: as of `sight`.
    """
    values, vectors = np.linalg.eigh(shares)
    seen = values > 1e-9
    inverse = np.where(seen, 1 / np.where(seen, values, 1), 0)
    out = (vectors * inverse) @ vectors.T
    known = np.isfinite(error)
    out = np.where(known, error, 0)[:, None, None] ** 2 * (out * seen.sum() / max(float(np.trace(out)), 1e-300))
    for vector in vectors[:, ~seen].T:
        blind = np.abs(vector) > ALONG
        both = np.logical_and.outer(blind, blind)
        out[:, both] = np.copysign(np.inf, np.multiply.outer(vector, vector)[both])
    out[~known] = np.diag([np.inf, np.inf])
    return np.asarray(out)
