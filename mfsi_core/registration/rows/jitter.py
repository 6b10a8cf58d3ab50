"""Jitter: the prior of the rows' displacements, a power spectrum learned from the data, and their posterior."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import fft

from lbj.array_types import Floats, Singles

from ..threads import summed
from .bands import certain
from .hum import apart, frequency, waves
from .unknowns import SHIFTS

Waves = NDArray[np.complex64]

ROUNDS = 60  # most steps of the conjugate gradients
SETTLED = 0.03  # rms error at which the conjugate gradients end, in standard deviations of the posterior
SINGLE = float(np.finfo(np.float32).eps)  # relative precision of float32
FREE = 10.0  # px, rms; prior of the shift of a whole frame, so wide that it does not hold the frame back
RETURN = 2.0  # factor by which power that was given up must be more certain than other power to be believed again
LONGEST_STEP = 0.2  # most that power falls to in one round, as a share of what it was; it rises by 1 / this at most
LEAST_KNOWN = 0.25  # share of the noise below which power is not believed
APART = 2.0  # cycles a frame; power this near to the frequency of a hum belongs to the hum
# px², variances of the rows' own displacement that are considered where it is lost in the noise.
JITTERS = np.concatenate([[0.0], np.geomspace(0.02, 2.0, 30) ** 2])
BENT = 1 / 16  # highest variance of a bend of rows lost in the noise, as a share of that of their shift
GONE = 0.01  # share of the noise below which power is set to zero, that is, given up


@dataclass
class Told:
    """What the data tell about the rows of some frames; Fourier transforms are over a circle of L rows.

    Attributes
    ----------
    unknown : (N, Y, M)
        Unknowns at the maximum a posteriori.
    unsure : (N, M)
        Variance of their error, estimated as the mean square over the rows of a random draw from the posterior.
    found : (N, F, M) complex
        Fourier transform of `unknown` without the hum.
    drawn : (1, F, M)
        Power spectrum of the draw without the hum, summed over the frames.
    line : (N, 4, 2)
        Coefficients of the hum, cosine (y, x) and sine (y, x): as found, and a draw of their error.
    tilt : (N, 2)
        Derivative of the log-likelihood by the hum's frequency at the unknowns found, and the information about it.
    mean : (N, M, M)
        Information matrix of the unknowns of a row, averaged over the rows of the circle.
    rest : (N, F, M) complex
        Fourier transform of the derivative of the log-likelihood by the unknowns, where they were found.
    """

    unknown: Singles
    unsure: Floats
    found: Waves
    drawn: Floats
    line: Floats
    tilt: Floats
    mean: Floats
    rest: Waves


def gather(parts: list[Told]) -> Told:
    """Join what was told of several groups of frames; the parts are emptied, to save memory."""
    out = {}
    for f in fields(Told):
        out[f.name] = np.concatenate([part.__dict__.pop(f.name) for part in parts])
    return Told(**out)


class Jitter:
    """Prior of the rows' unknowns: a stationary Gaussian process along the slow scan, one power spectrum for each.

    Parameters
    ----------
    rows : int
        Rows of a frame.
    spread : (M,)
        First guess of each unknown, rms; those of the whole frame's displacement come first (y, x), px.

    Attributes
    ----------
    length : int
        Rows after which the process repeats (the circle), more than the frame has.
    power : (F, M)
        Power at the frequencies 0 to 1/2 cycles a row; 0 where it was given up, as it was lost in the noise.
    line : float
        Frequency of a hum that is added to the process, cycles a row, 0 for none; its phase and amplitude differ from
        frame to frame.
    line_power : (2,)
        Variance of the hum's coefficients (y, x), px².
    """

    def __init__(self, rows: int, spread: Floats) -> None:
        self.rows = rows
        self.length = int(fft.next_fast_len(rows + max(8, rows // 4), real=True))
        self.power = np.tile(spread**2, (self.length // 2 + 1, 1))
        self.line, self.line_power, self._alone = 0.0, np.ones(2), 0.0
        self._given_up = np.zeros((2, len(spread)))
        self._free()

    def _free(self) -> None:
        self.power[0, :2] = self.length * FREE**2

    def posterior(self, unknown: Floats, frames: NDArray[np.int64], matrix: Floats, pull: Floats) -> Told:
        """Unknowns at the maximum a posteriori, and a random draw from the posterior of their error.

        Parameters
        ----------
        unknown : (N, Y, M)
            Present unknowns of all frames; rows without information stay at the mean shift of their frame.
        frames : (n,)
            Numbers of the frames to be treated.
        matrix : (n, Y, M, M)
            Information of each row.
        pull : (n, Y, M)
            Its product with the unknowns that fit each row best, less the present ones.
        """
        number, rows, size = pull.shape
        start = np.zeros((number, 1, size))
        start[:, 0, :2] = unknown[frames, :, :2].mean(axis=1)
        pull = pull + _weighed(matrix, (unknown[frames] - start)[None])[0]
        used = np.flatnonzero((self.power > 0).any(axis=0))
        every = used.size == size
        some = matrix if every else np.ascontiguousarray(matrix[:, :, used[:, None], used])
        hum, hum_slope = (np.kron(w, np.eye(2)).reshape(rows, 2, -1) for w in waves(self.line, rows))
        felt = np.einsum("nyba,yai->inyb", some[..., :2], hum)
        rest = np.zeros((2 + len(felt), number, self.length, used.size), np.float32)
        rest[2:, :, :rows] = felt
        rest[0, :, :rows] = pull if every else pull[:, :, used]
        rng = np.random.default_rng(int(frames[0]))
        least = max(SINGLE * float(np.trace(some, axis1=2, axis2=3).max()), 1e-30)  # against rounding in float32
        rest[1, :, :rows] = _coloured(some, least, rng.standard_normal((number, rows, used.size)))
        white = fft.rfft(rng.standard_normal((number, self.length, used.size)), axis=1)
        right = fft.rfft(rest, axis=2)
        power = np.maximum(self.power[:, used], 1e-12 * self.power[:, used].max(axis=0))
        right[1] += white / np.sqrt(power)
        wave = self._solve(some, right, power)
        solved = fft.irfft(wave, self.length, axis=2)[:, :, :rows]
        known = np.tile(1 / self.line_power, 2)[: len(felt)]
        wanted = np.einsum("snya,yai->nis", rest[:2, :, :rows, :2], hum)
        wanted -= np.einsum("inyb,snyb->nis", felt, solved[:2])
        wanted[:, :, 1] += rng.standard_normal((number, len(felt))) * np.sqrt(known)
        inner = np.einsum("inya,yaj->nij", felt[..., :2], hum)
        inner -= np.einsum("inyb,jnyb->nij", felt, solved[2:])
        line = np.linalg.solve(inner + np.diag(known), wanted)
        both = np.zeros((2, number, rows, size))
        both[..., used] = solved[:2] - np.einsum("nis,inlb->snlb", line, solved[2:])
        both[..., :2] += np.einsum("nis,yai->snya", line, hum)
        left = pull - _weighed(matrix, both[:1])[0]
        both[0] += start
        apart = np.zeros((2, number, len(power), size), np.complex64)
        apart[..., used] = wave[:2] - np.einsum("nis,inlb->snlb", line, wave[2:])
        apart[0, :, 0] += self.length * start[:, 0]
        slope = np.einsum("ni,yai->nya", line[:, :, 0], hum_slope)
        bent = np.einsum("nyab,nyb->nya", matrix[..., :2, :2], slope)
        tilt = [(slope * part).sum(axis=(1, 2)) for part in (left[..., :2], bent)]
        mean = matrix.mean(axis=1) * (rows / self.length)
        return Told(
            both[0].astype(np.float32),
            (both[1] ** 2).mean(axis=1),
            apart[0],
            (np.abs(apart[1]) ** 2).sum(axis=0, keepdims=True, dtype=np.float64),
            line,
            np.stack(tilt, axis=1),
            mean,
            fft.rfft(left.astype(np.float32), self.length, axis=1),
        )

    def _solve(self, matrix: Floats, right: Waves, power: Floats) -> Waves:
        """Solve (C⁻¹ + F) u = b, prior covariance C and information F, by preconditioned conjugate gradients.

        The preconditioner takes every row to have the mean information.
        """
        rows, size = matrix.shape[1:3]
        inverse = _uncertain(matrix.mean(axis=(0, 1)) * (rows / self.length), power).astype(np.float32)
        twice = np.full(len(power), 2 / self.length)
        twice[0] = 1 / self.length
        if self.length % 2 == 0:
            twice[-1] = 1 / self.length
        single, stiff = matrix.astype(np.float32), (1 / power).astype(np.float32)

        def times(u: Waves) -> Waves:
            return np.asarray(u * stiff + fft.rfft(_weighed(single, fft.irfft(u, self.length, axis=2)), axis=2))

        u, residual = np.zeros_like(right), right
        direction = z = _conditioned(inverse, residual)
        square = _inner(residual, z, twice)
        for _ in range(ROUNDS):
            step = times(direction)
            alpha = (square / np.maximum(_inner(direction, step, twice), 1e-300)).astype(np.float32)
            u += alpha * direction
            residual = residual - alpha * step
            z = _conditioned(inverse, residual)
            before, square = square, _inner(residual, z, twice)
            if (square <= SETTLED**2 * rows * size).all():
                break
            direction = z + (square / np.maximum(before, 1e-300)).astype(np.float32) * direction
        return u

    def tune(self, place: Floats) -> None:
        """Look for a hum in the rows' displacements (N, Y, 2); where found, take its peak out of the spectrum."""
        if self.line:
            return
        line = frequency(place, self._alone)
        if line:
            near = np.abs(np.arange(len(self.power)) / self.length - line) < APART / self.rows
            outside = ~near & (np.abs(np.arange(len(self.power)) / self.length - line) < 4 * APART / self.rows)
            if outside.any():
                self.power = self.power.copy()
                self.power[near, :2] = np.median(self.power[outside, :2], axis=0)
                self._free()
        self.line = line

    def learn(self, told: Told) -> None:
        """Learn the power spectra from the posterior.

        This is a step of Fisher scoring on the evidence (D. J. C. MacKay, Neural Comput. 4 (1992) 415). The derivative
        of the evidence by the power is given by |r|² less its expectation, where r is the derivative of the
        log-likelihood by the unknowns (`Told.rest`); this holds for power that was given up, too. The power is averaged
        over the narrowest of four bands in which it clearly exceeds its noise (`bands.certain`): one frequency, a
        fraction of an octave, two octaves, all higher frequencies. Where it does so in none, it is lowered round by
        round until it is given up.
        """
        found, mean = told.found, told.mean
        if told.line.size:
            pull, information = told.tilt.sum(axis=0)
            self.line += float(np.clip(pull / max(information, 1e-300), -0.2 / self.rows, 0.2 / self.rows))
            self.line_power = np.maximum((told.line**2).sum(axis=2).mean(axis=0).reshape(2, 2).mean(axis=0), 1e-9)
        free = max(len(found) - 1, 1)
        shift = found[:, 0, 0].real / self.length
        square, place = (apart(w, shift) / self.length for w in (told.rest, found))
        drawn = told.drawn.sum(axis=0) / (len(found) * self.length)
        fisher = np.diagonal(mean, axis1=1, axis2=2).mean(axis=0)
        self._alone = float((self.rows / self.length / fisher[:2]).sum())
        power = np.maximum(self.power, 1e-6 * GONE / fisher)
        even = summed(partial(_even, mean, power), len(mean)) / len(mean)
        known = np.maximum(1 - even / power, 1e-12)
        unlike = np.clip((drawn * known).sum(axis=0) / (even * known).sum(axis=0), 0.5, 10.0)
        noise = power * np.maximum(1 - known, 1e-9) / known * np.where(self.power > 0, unlike, 1.0)
        total = power + noise
        square = np.where(known > 0.5, place / power**2, square)
        least = np.where(self.power > 0, 1.0, RETURN)
        excess = power + total * (square * total - 1)
        new = certain(excess, noise / np.sqrt(free), least)
        new = np.where(new > LEAST_KNOWN * noise, new, 0.0)
        new = np.clip(new, self.power * LONGEST_STEP, np.maximum(self.power, GONE * noise) / LONGEST_STEP)
        self.power = np.where(new > GONE * noise, new, 0.0)
        gone = np.where(self.power > 0, 0, noise**-2.0)
        weight = np.maximum(gone.sum(axis=0), 1e-300)
        rest = (excess * gone).sum(axis=0) / weight
        unsure = np.where(gone.any(axis=0), 1 / np.sqrt(weight * free), 0.0)
        self._given_up = np.stack([rest, unsure]) * (self.power == 0).mean(axis=0)
        self._free()

    def given_up(self, basis: Any) -> float:
        """Variance of a component of the displacement that is to be expected where the power was given up, px².

        The expectation is taken over the variances `JITTERS`, each as likely as the measured power and its standard
        error make it; beforehand no jitter at all is as likely as all the others together. The bend along a row is
        taken to be small where the row's shift is.
        """
        seen, unsure = self._given_up[:, :SHIFTS]
        unlike = ((seen - JITTERS[:, None]) / np.where(unsure > 0, unsure, 1.0)) ** 2 / 2
        likely = np.exp(unlike.min(axis=0) - unlike)
        likely[0] *= len(JITTERS) - 1
        power = (likely * JITTERS[:, None]).sum(axis=0) / likely.sum(axis=0)
        power = np.where(unsure > 0, power, 0.0).reshape(-1, 2)
        power[1:] = np.minimum(power[1:], BENT * (power[0] + self.power[1:, :2].mean(axis=0)))
        each = power.mean(axis=1)
        return float((each * (basis[: each.size] ** 2).mean(axis=1)).sum())


def _even(mean: Floats, power: Floats, frames: NDArray[np.int64]) -> Floats:
    """Posterior variances of the Fourier components, (F, M), as of `_uncertain`, summed over some frames."""
    out = np.zeros_like(power)
    for n in frames:
        out += np.diagonal(_uncertain(mean[n], power), axis1=1, axis2=2)
    return out


@njit(cache=True, nogil=True)
def _root(matrix: Any, least: float, out: Any) -> None:
    """Cholesky factor, lower triangle, of a matrix whose eigenvalues are `least` or more, except for rounding."""
    for a in range(len(matrix)):
        for b in range(a + 1):
            total = matrix[a, b]
            for k in range(b):
                total -= out[a, k] * out[b, k]
            out[a, b] = math.sqrt(max(total, least)) if a == b else total / out[b, b]


@njit(cache=True, nogil=True)
def _uncertain(mean: Any, power: Any) -> Any:
    """Posterior covariance of the Fourier components, (F, M, M), if every row had the mean information, (M, M)."""
    size = len(mean)
    out = np.empty((len(power), size, size))
    matrix, root, inverse = np.empty((size, size)), np.zeros((size, size)), np.zeros((size, size))
    for f in range(len(power)):
        scale = np.sqrt(power[f])
        for a in range(size):
            for b in range(size):
                matrix[a, b] = mean[a, b] * scale[a] * scale[b] + (a == b)
        _root(matrix, 1.0, root)
        for b in range(size):  # the factor's inverse, column by column
            inverse[b, b] = 1 / root[b, b]
            for a in range(b + 1, size):
                total = 0.0
                for k in range(b, a):
                    total -= root[a, k] * inverse[k, b]
                inverse[a, b] = total / root[a, a]
        for a in range(size):
            for b in range(a + 1):
                total = 0.0
                for k in range(a, size):
                    total += inverse[k, a] * inverse[k, b]
                out[f, a, b] = out[f, b, a] = total * scale[a] * scale[b]
    return out


@njit(cache=True, nogil=True)
def _coloured(matrix: Any, least: float, white: Any) -> Any:
    """Noise (N, Y, M) with the covariance matrices (N, Y, M, M), made from white noise."""
    size = white.shape[2]
    out, root = np.zeros(white.shape), np.zeros((size, size))
    for n in range(white.shape[0]):
        for y in range(white.shape[1]):
            _root(matrix[n, y] + least * np.eye(size), least, root)
            for a in range(size):
                for b in range(a + 1):
                    out[n, y, a] += root[a, b] * white[n, y, b]
    return out


@njit(cache=True, nogil=True, fastmath=True)
def _weighed(matrix: Any, rows: Any) -> Any:
    """Products of the rows' symmetric matrices (N, Y, M, M) with S sets of vectors on circles of L rows, (S, N, L, M).

    Zero beyond row Y, where the frame ends.
    """
    out = np.zeros(rows.shape, rows.dtype)
    for s in range(rows.shape[0]):
        for n in range(rows.shape[1]):
            for y in range(matrix.shape[1]):
                one, own = out[s, n, y], rows[s, n, y]
                for b in range(own.size):
                    column, value = matrix[n, y, b], own[b]
                    for a in range(own.size):
                        one[a] += column[a] * value
    return out


@njit(cache=True, nogil=True, fastmath=True)
def _conditioned(matrix: Any, waves: Any) -> Any:
    """Products of a symmetric matrix for each frequency, (F, M, M), with Fourier components, (S, N, F, M)."""
    out = np.empty_like(waves)
    size = waves.shape[3]
    real, imaginary = np.empty(size, np.float32), np.empty(size, np.float32)
    for s in range(waves.shape[0]):
        for n in range(waves.shape[1]):
            for f in range(waves.shape[2]):
                real[:] = 0
                imaginary[:] = 0
                for b in range(size):
                    column, value = matrix[f, b], waves[s, n, f, b]
                    for a in range(size):
                        real[a] += column[a] * value.real
                        imaginary[a] += column[a] * value.imag
                for a in range(size):
                    out[s, n, f, a] = complex(real[a], imaginary[a])
    return out


@njit(cache=True, nogil=True)
def _inner(a: Any, b: Any, weight: Any) -> Any:
    """Inner products of Fourier components (S, N, F, M), the frequencies weighted by (F,): (S, N, 1, 1)."""
    out = np.zeros((*a.shape[:2], 1, 1))
    for s in range(a.shape[0]):
        for n in range(a.shape[1]):
            for f in range(a.shape[2]):
                total = 0.0
                for k in range(a.shape[3]):
                    one, other = a[s, n, f, k], b[s, n, f, k]
                    total += one.real * other.real + one.imag * other.imag
                out[s, n, 0, 0] += total * weight[f]
    return out
