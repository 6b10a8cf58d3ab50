"""Solving: the rows' normal equations with a stationary prior, by conjugate gradients.

Arrays have the rows, or their Fourier components, last, so that loops over them are vectorised. Real and imaginary
parts of the components, with which the same is done, stand in turn in arrays of twice the length.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import fft

from lbj.array_types import Floats, Singles

Waves = NDArray[np.complex64]

ROUNDS = 60  # most steps of the conjugate gradients
SETTLED = 0.03  # rms error at which the conjugate gradients end, in standard deviations of the posterior
LEAST = 1e-300  # in place of 0 where a number is divided by


def solved(matrix: Singles, right: Waves, power: Floats, length: int) -> Waves:
    """Solve (C⁻¹ + F) u = b, prior covariance C and information F, by preconditioned conjugate gradients.

    The preconditioner takes every row to have the mean information.

    Parameters
    ----------
    matrix : (N, M, M, Y) float32
        Information of each row, symmetric.
    right : (S, N, M, F) complex64
        Fourier transforms of the right-hand sides over a circle of L rows; it is overwritten.
    power : (M, F)
        Prior variance of each Fourier component, as a power spectrum.
    length : int
        L, at least Y.

    Returns
    -------
    (S, N, M, F) complex64
        Fourier transforms of the solutions.
    """
    size, rows = matrix.shape[2:]
    inverse = _doubled(uncertain(matrix.mean(axis=(0, 3), dtype=float) * (rows / length), power))[None]
    twice = np.full(power.shape[1], 2 / length)
    twice[0] = 1 / length
    if length % 2 == 0:
        twice[-1] = 1 / length
    stiff, weight = _doubled(1 / power), _doubled(twice)
    residual = right.view(np.float32)
    out = np.zeros_like(residual)
    direction = products(inverse, residual, 0)
    square = _inner(residual, direction, weight)
    for _ in range(ROUNDS):
        moved = products(matrix, fft.irfft(direction.view(np.complex64), length), length)
        _advance(square, direction, fft.rfft(moved).view(np.float32), stiff, weight, out, residual)
        conditioned = products(inverse, residual, 0)
        before, square = square, _inner(residual, conditioned, weight)
        if (square <= SETTLED**2 * rows * size).all():
            break
        _turn(square / np.maximum(before, LEAST), conditioned, direction)
    return out.view(np.complex64)


def _doubled(values: Floats) -> Singles:
    return np.repeat(values.astype(np.float32), 2, axis=-1)


@njit(cache=True, nogil=True, fastmath=True)
def products(matrix: Any, vectors: Any, length: int) -> Any:
    """Products of symmetric matrices (N, M, M, Y), or (1, M, M, Y) for all, with S sets of vectors, (S, N, M, L).

    The result has this length, or that of the vectors for 0; it is zero beyond Y, where the frame ends.
    """
    rows = matrix.shape[3]
    out = np.zeros((*vectors.shape[:3], max(length, rows)), np.float32)
    for n in range(vectors.shape[1]):
        own = matrix[n % len(matrix)]
        for a in range(vectors.shape[2]):
            for b in range(vectors.shape[2]):
                factor = own[a, b]
                for s in range(vectors.shape[0]):
                    one, vector = out[s, n, a, :rows], vectors[s, n, b, :rows]
                    for y in range(rows):
                        one[y] += factor[y] * vector[y]
    return out


@njit(cache=True, nogil=True, fastmath=True)
def _inner(a: Any, b: Any, weight: Any) -> Any:
    """Inner products, (S, N), of Fourier components (S, N, M, 2 F), the frequencies weighted by (2 F,)."""
    out = np.zeros(a.shape[:2])
    for s in range(a.shape[0]):
        for n in range(a.shape[1]):
            for k in range(a.shape[2]):
                one, other = a[s, n, k], b[s, n, k]
                total = np.float32(0)
                for f in range(weight.size):
                    total += one[f] * other[f] * weight[f]
                out[s, n] += total
    return out


@njit(cache=True, nogil=True, fastmath=True)
def _advance(square: Any, direction: Any, moved: Any, stiff: Any, weight: Any, out: Any, residual: Any) -> None:
    """Go along the direction to the least residual; `moved`: its product with F, to which that with C⁻¹ is added."""
    for s in range(moved.shape[0]):
        for n in range(moved.shape[1]):
            bend = np.float64(0)
            for k in range(moved.shape[2]):
                one, along, stiffness = moved[s, n, k], direction[s, n, k], stiff[k]
                total = np.float32(0)
                for f in range(weight.size):
                    one[f] += stiffness[f] * along[f]
                    total += one[f] * along[f] * weight[f]
                bend += total
            step = np.float32(square[s, n] / max(bend, LEAST))
            for k in range(moved.shape[2]):
                one, along, place, rest = moved[s, n, k], direction[s, n, k], out[s, n, k], residual[s, n, k]
                for f in range(weight.size):
                    place[f] += step * along[f]
                    rest[f] -= step * one[f]


@njit(cache=True, nogil=True, fastmath=True)
def _turn(share: Any, conditioned: Any, direction: Any) -> None:
    """Make the direction the conditioned residual and a share, (S, N), of the direction before."""
    for s in range(direction.shape[0]):
        for n in range(direction.shape[1]):
            kept = np.float32(share[s, n])
            for k in range(direction.shape[2]):
                one, new = direction[s, n, k], conditioned[s, n, k]
                for f in range(one.size):
                    one[f] = new[f] + kept * one[f]


@njit(cache=True, nogil=True, fastmath=True)
def _roots(matrix: Any, least: float) -> Any:
    """Cholesky factors, lower triangles, of matrices (M, M, Y) of eigenvalues of `least` or more but for rounding."""
    size, rows = matrix.shape[1:]
    out = np.zeros((size, size, rows))
    for a in range(size):
        for b in range(a + 1):
            one = out[a, b]
            one[:] = matrix[a, b]
            for k in range(b):
                first, second = out[a, k], out[b, k]
                for y in range(rows):
                    one[y] -= first[y] * second[y]
            if a == b:
                for y in range(rows):
                    one[y] = math.sqrt(max(one[y], least))
            else:
                root = out[b, b]
                for y in range(rows):
                    one[y] /= root[y]
    return out


@njit(cache=True, nogil=True, fastmath=True)
def uncertain(mean: Any, power: Any) -> Any:
    """Posterior covariance of the Fourier components, (M, M, F), if every row had the mean information, (M, M).

    `power`, (M, F): their prior variances.
    """
    size, waves = power.shape
    scale = np.sqrt(power)
    matrix = np.empty((size, size, waves))
    for a in range(size):
        for b in range(size):
            matrix[a, b] = mean[a, b] * scale[a] * scale[b] + (1.0 if a == b else 0.0)
    root, inverse = _roots(matrix, 1.0), np.zeros((size, size, waves))
    for b in range(size):  # the factor's inverse, column by column
        inverse[b, b] = 1 / root[b, b]
        for a in range(b + 1, size):
            one, divisor = inverse[a, b], root[a, a]
            for k in range(b, a):
                first, second = root[a, k], inverse[k, b]
                for f in range(waves):
                    one[f] -= first[f] * second[f]
            for f in range(waves):
                one[f] /= divisor[f]
    out = matrix
    for a in range(size):
        for b in range(a + 1):
            one = out[a, b]
            one[:] = 0
            for k in range(a, size):
                first, second = inverse[k, a], inverse[k, b]
                for f in range(waves):
                    one[f] += first[f] * second[f]
            for f in range(waves):
                one[f] *= scale[a, f] * scale[b, f]
            out[b, a] = one
    return out


@njit(cache=True, nogil=True, fastmath=True)
def coloured(matrix: Any, least: float, white: Any) -> Any:
    """Noise (N, M, Y) with the covariance matrices (N, M, M, Y), made from white noise (N, Y, M)."""
    out = np.zeros((len(matrix), *matrix.shape[2:]))
    for n in range(white.shape[0]):
        own = matrix[n].astype(np.float64)
        for a in range(len(own)):
            own[a, a] += least
        root = _roots(own, least)
        for a in range(len(own)):
            for b in range(a + 1):
                one, factor, noise = out[n, a], root[a, b], white[n, :, b]
                for y in range(noise.size):
                    one[y] += factor[y] * noise[y]
    return out
