"""Jitter: prior of the rows' displacements, learned from the rows, and their posterior."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Floats = NDArray[np.float64]

ROUNDS = 60
SETTLED = 1e-2  # relative residual of the conjugate gradients
OCTAVE = 1.2  # frequencies within this factor share one power
LEAST_POWER = 1e-7  # px²
SAMPLES = 1
LEAST_KNOWN = 0.1  # share of the power that the data must determine for it to be believed
FREE = 10.0  # px; displacement of whole frames that is not held back
CERTAIN = 3.0  # standard errors by which power must exceed the noise to be believed
LONGEST_STEP = 0.2  # factor by which power falls in one round at most


class Jitter:
    """Stationary Gaussian process of the rows' displacements, one power spectrum for each mode and direction.

    Parameters
    ----------
    rows, modes : int
        Rows of a frame, modes of a row.
    spread : float
        First guess of the displacement of rows, px rms.
    """

    def __init__(self, rows: int, modes: int, spread: float) -> None:
        self.rows = rows
        self.length = int(fft.next_fast_len(rows + max(8, rows // 4), real=True))
        power = np.full((self.length // 2 + 1, modes, 2), spread**2)
        power[:, 1:] /= 16
        power[0, 0] = self.length * FREE**2
        self.power = power

    def posterior(self, matrix: Floats, pull: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """Maximum a posteriori and samples of what remains uncertain.

        Parameters
        ----------
        matrix : (N, Y, M, M)
            Information of each row, 1/px²; M modes and directions.
        pull : (N, Y, M)
            Its product with the displacement that fits each row best.
        rng : Generator

        Returns
        -------
        (N, length, M), (SAMPLES, N, length, M)
            Displacements, px; draws of what they may be less that; both on the padded rows.
        """
        frames, rows, size = pull.shape
        root = np.linalg.cholesky(matrix + 1e-9 * np.trace(matrix, axis1=2, axis2=3).max() * np.eye(size))
        right = np.zeros((1 + SAMPLES, frames, self.length, size))
        right[0, :, :rows] = pull
        noise = rng.standard_normal((SAMPLES, frames, rows, size))
        right[1:, :, :rows] = np.einsum("nyab,snyb->snya", root, noise)
        white = fft.rfft(rng.standard_normal((SAMPLES, frames, self.length, size)), axis=2)
        power = self.power.reshape(-1, size)
        right[1:] += fft.irfft(white / np.sqrt(power), self.length, axis=2)
        found = self._solve(matrix, right)
        return found[0], found[1:]

    def _solve(self, matrix: Floats, right: Floats) -> Floats:
        """Solve (C⁻¹ + F) u = b by conjugate gradients, preconditioned by the rows' mean information."""
        rows, size = matrix.shape[1:3]
        power = self.power.reshape(-1, size)
        inverse = self._uncertain(matrix)

        def times(u: Floats) -> Floats:
            out = fft.irfft(fft.rfft(u, axis=2) / power, self.length, axis=2)
            out[:, :, :rows] += np.einsum("nyab,snyb->snya", matrix, u[:, :, :rows], optimize=True)
            return np.asarray(out)

        def conditioned(r: Floats) -> Floats:
            wave = fft.rfft(r, axis=2)
            return np.asarray(
                fft.irfft(np.einsum("nfab,snfb->snfa", inverse, wave, optimize=True), self.length, axis=2)
            )

        u = np.zeros_like(right)
        residual = right
        direction = z = conditioned(residual)
        square = (residual * z).sum(axis=(2, 3), keepdims=True)
        first = square
        for _ in range(ROUNDS):
            step = times(direction)
            alpha = square / np.maximum((direction * step).sum(axis=(2, 3), keepdims=True), 1e-300)
            u = u + alpha * direction
            residual = residual - alpha * step
            z = conditioned(residual)
            before, square = square, (residual * z).sum(axis=(2, 3), keepdims=True)
            if (square <= SETTLED**2 * first).all():
                break
            direction = z + square / np.maximum(before, 1e-300) * direction
        return u

    def learn(self, found: Floats, samples: Floats, matrix: Floats) -> None:
        """Take the power spectra from the posterior.

        The power found, p = |u|², was shrunk to a share g of what the data alone say; the spectrum that explains it
        is p / g² less the noise, P (1 - g) / g, whose fixed point p = g P is that of the evidence (D. J. C. MacKay,
        Neural Comput. 4 (1992) 415). Power that does not exceed the noise significantly is given up step by step.

        Parameters
        ----------
        found, samples
            As `posterior` returns them.
        matrix : (N, Y, M, M)
            Information of each row, 1/px².
        """
        frames, _, size = found.shape
        old = self.power.reshape(-1, size)
        power = (np.abs(fft.rfft(found, axis=1)) ** 2).mean(axis=0) / self.length * (frames / max(frames - 1, 1))
        drawn = (np.abs(fft.rfft(samples, axis=2)) ** 2).mean(axis=(0, 1)) / self.length
        even = np.diagonal(self._uncertain(matrix), axis1=2, axis2=3).mean(axis=0)
        unsure = even * (drawn.sum(axis=0) / even.sum(axis=0))
        (power, count), (old, _), (unsure, _) = _smooth(power), _smooth(old), _smooth(unsure)
        known = np.clip(1 - unsure / old, 1e-3, 0.999)
        noise = old * (1 - known) / known
        excess = power / known**2 - noise
        certain = (known > LEAST_KNOWN) & (excess > CERTAIN * noise / np.sqrt(frames * count)[:, None])
        new = np.where(certain, np.maximum(excess, old * LONGEST_STEP), old * LONGEST_STEP)
        self.power = np.maximum(new, LEAST_POWER).reshape(self.power.shape)

    def _uncertain(self, matrix: Floats) -> Floats:
        """Posterior spectral covariance, (N, frequencies, M, M), were every row to tell as much as the mean row."""
        size = matrix.shape[2]
        mean = matrix.mean(axis=1) * (self.rows / self.length)
        power = self.power.reshape(-1, size)
        return np.asarray(np.linalg.inv(mean[:, None] + (1 / power)[None, :, :, None] * np.eye(size)))


def _smooth(power: Floats) -> tuple[Floats, Floats]:
    """Mean over a fraction of an octave around each frequency, and the number of frequencies in it."""
    total = np.concatenate([np.zeros((1, power.shape[1])), np.cumsum(power, axis=0)])
    index = np.arange(len(power))
    low = np.minimum(np.ceil(index / OCTAVE), index).astype(int)
    high = np.minimum(np.maximum(np.floor(index * OCTAVE), index), len(power) - 1).astype(int)
    count = (high + 1 - low).astype(float)
    return np.asarray((total[high + 1] - total[low]) / count[:, None]), count


def information(moments: Floats, modes: int) -> Floats:
    """Information of the rows' modes, (Y, 2K, 2K), from the moments (Y, 2K-1, 3) of the squared gradient.

    A product of two Legendre polynomials is a sum of Legendre polynomials.
    """
    sums = np.einsum("kjd,yda->ykja", _products(modes), moments, optimize=True)
    out = np.empty((len(moments), modes, 2, modes, 2))
    out[:, :, 0, :, 0], out[:, :, 1, :, 1] = sums[..., 0], sums[..., 2]
    out[:, :, 0, :, 1] = out[:, :, 1, :, 0] = sums[..., 1]
    return out.reshape(len(moments), 2 * modes, 2 * modes)


@cache
def _products(modes: int) -> Floats:
    """Products of the first Legendre polynomials as sums of Legendre polynomials: (K, K, 2K-1)."""
    unit, out = np.eye(modes), np.zeros((modes, modes, 2 * modes - 1))
    for k in range(modes):
        for j in range(modes):
            share = np.polynomial.legendre.legmul(unit[k], unit[j])
            out[k, j, : len(share)] = share
    return out


def variance(samples: Floats, rows: int, basis: Any) -> Floats:
    """Mean variance of one component of each frame's displacement, px²: (N,), from posterior draws."""
    shape = (*samples.shape[:3], samples.shape[3] // 2, 2)
    draws = samples.reshape(shape)[:, :, :rows]
    weight = (basis[: shape[3]] ** 2).mean(axis=1)
    return np.asarray(((draws**2).mean(axis=(0, 2, 4)) * weight).sum(axis=-1))
