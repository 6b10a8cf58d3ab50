"""Detector: where a line appears, how wide it is, its tail, and how many photons are seen."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit

from lbj.array_types import Floats

from ..tables.constants import mass_attenuation
from ..tables.lines import MN_KA

FWHM = 2 * math.sqrt(2 * math.log(2))  # of a Gaussian, in standard deviations
LEAST_WIDTH = 25.0  # eV, full width
SILICON, DEAD_LAYER = 0.045, 0.1e-4  # cm, thickness of a silicon drift detector without window, and of its dead layer
SILICON_DENSITY = 2.33  # g/cm3
SHORTEST_TAIL = 0.4  # in standard deviations
FAR = 7.0  # standard deviations beyond which a Gaussian is over
SLOPES = (0, 0, 1, 1, 1, 2, 2, 3, 4)  # derivative in each column: by the line itself, position, sigma, tail, length


@dataclass(frozen=True)
class Detector:
    """Response of a detector.

    Attributes
    ----------
    offset, gain : float
        A photon of energy E appears at ``offset + gain * E`` of the axis, eV.
    resolution : float
        Full width at half maximum at Mn Ka, eV.
    slope : float
        Growth of the squared width with energy, eV: width² = resolution² + slope (E - 5895 eV).
    tail, tail_length : float
        Share of the photons that lose part of their charge, and the mean loss, eV.
    """

    offset: float = 0.0
    gain: float = 1.0
    resolution: float = 130.0
    slope: float = 2.5
    tail: float = 0.0
    tail_length: float = 150.0

    def positions(self, energy: Floats) -> Floats:
        """Place on the axis, eV."""
        return np.asarray(self.offset + self.gain * energy)

    def sigmas(self, energy: Floats) -> Floats:
        """Standard deviation of lines, eV."""
        square = self.resolution**2 + self.slope * (energy - MN_KA)
        return np.asarray(np.sqrt(np.maximum(square, LEAST_WIDTH**2)) / FWHM)


def efficiency(energy: Floats) -> Floats:
    """Share of photons that a silicon drift detector without window counts: 0.45 mm behind a dead layer of 100 nm."""
    depth = mass_attenuation("Si", energy) * SILICON_DENSITY
    return np.asarray(np.exp(-depth * DEAD_LAYER) * -np.expm1(-depth * SILICON))


@njit(cache=True, nogil=True)
def respond(edges, position, sigma, tail, length, weight, owner, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Add lines, integrated over channels, to the spectra of their families.

    A Gaussian and, as the tail, an exponential below the line convolved with it: the Hypermet form of G. W. Phillips
    and K. W. Marlow, Nucl. Instrum. Methods 137 (1976) 525.

    Parameters
    ----------
    edges : (C + 1,) array
        Bounds of the channels, eV.
    position, sigma, weight, owner : (L,) arrays
        Place on the axis and standard deviation, eV; photons; row of `out`.
    tail, length : float
        Share of photons in the tail and its mean loss, eV.
    out : (F, C) array
        Is added to.
    """
    for i in range(position.size):
        first, last = _reach(edges, position[i], sigma[i], tail, length)
        before = 0.0
        for c in range(first, last + 1):
            value, _, _, _, _ = _cumulated((edges[c] - position[i]) / sigma[i], sigma[i], tail, length)
            if c > first:
                out[owner[i], c - 1] += weight[i] * (value - before)
            before = value


@njit(cache=True, nogil=True)
def respond_slopes(edges, position, sigma, tail, length, weight, owner, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Do the same for derivatives: `owner` (L, K) and `weight` (L, K) give, for every line, rows of `out` and factors.

    Column k takes what `SLOPES` says; a row below zero is left out.
    """
    old, new = np.empty(5), np.empty(5)
    for i in range(position.size):
        first, last = _reach(edges, position[i], sigma[i], tail, length)
        old[:] = 0
        for c in range(first, last + 1):
            new[0], new[1], new[2], new[3], new[4] = _cumulated(
                (edges[c] - position[i]) / sigma[i], sigma[i], tail, length
            )
            if c > first:
                for k in range(owner.shape[1]):
                    kind = SLOPES[k]
                    if owner[i, k] >= 0:
                        out[owner[i, k], c - 1] += weight[i, k] * (new[kind] - old[kind])
            for k in range(new.size):
                old[k] = new[k]


@njit(cache=True, nogil=True)
def _reach(edges, position, sigma, tail, length):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    below = max(FAR * sigma, 12 * length) if tail > 0 else FAR * sigma
    first = np.searchsorted(edges, position - below) - 1
    last = np.searchsorted(edges, position + FAR * sigma)
    return max(first, 0), min(last, edges.size - 1)


@njit(cache=True, nogil=True)
def _cumulated(x, sigma, tail, length):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Share of a line below x standard deviations from it; its slopes by position, sigma, tail and length."""
    b = max(length, SHORTEST_TAIL * sigma)
    ratio = sigma / b
    gauss = math.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
    lost = 0.0
    if abs(x) < FAR or tail > 0:
        lost = math.exp(x * ratio + 0.5 * ratio * ratio)
        if x + ratio > -FAR:
            lost *= 0.5 * math.erfc((x + ratio) / math.sqrt(2.0))
    value = tail * lost
    if x > -FAR:
        value += 0.5 * math.erfc(-x / math.sqrt(2.0))
    by_position = -((1 - tail) * gauss / sigma + tail * lost / b)
    by_sigma = -x / sigma * gauss + tail * (ratio / b * lost + gauss * (x / sigma - 1 / b))
    by_length = tail * (-(x * ratio + ratio * ratio) / b * lost + ratio / b * gauss)
    return value, by_position, by_sigma, lost, by_length
