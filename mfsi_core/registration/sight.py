"""Blind directions: along which directions the scene shows a displacement at all (fringes, edges, wires do not)."""

from __future__ import annotations

import numpy as np

from lbj.array_types import Floats

from .laid import Laid, mean_of

CERTAIN = 5.0  # standard deviations by which what two half series show alike must exceed noise
LEAST = 0.1  # of the clearest direction's squared slope: rows misplaced in all frames alike leave as much
CHANCE = 0.5  # of the slopes' power, below which what two half series share is less than what they do not
ALONG = 0.15  # component of a unit vector below which it points along an axis


def sight(laid: Laid) -> Floats:
    """Share of the information along each direction, (2, 2): trace 2; of rank one where a direction cannot be seen.

    Zero where the slopes of the series are mostly noise: no place found and no error can then be believed.

    The slopes of the means of every second frame and of the others are multiplied, in which the noise of the two does
    not take part: along a fringe, an edge or a wire nothing is left but chance.
    """
    a, b = (laid.smooth(mean_of(half)) for half in laid.halves)
    slopes = [np.array(np.gradient(image)) for image in (a, b)]
    seen = np.isfinite(slopes[0]).all(axis=0) & np.isfinite(slopes[1]).all(axis=0)
    if seen.sum() < 16:
        return np.eye(2)
    first, second = (part[:, seen].astype(float) for part in slopes)
    common = first @ second.T
    common = (common + common.T) / 2
    whole = (first @ first.T + second @ second.T) / 2
    independent = max(2 * float(laid.passed.sum()) * seen.mean(), 1.0)
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


def covariance(error: Floats, shares: Floats) -> Floats:
    """Covariance (N, 2, 2) of frames whose error of one component, px rms, is (N,); infinite where nothing is seen."""
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
