"""Poisson fit: the maximum likelihood of non-negative intensities, for all chips at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numba import get_num_threads, njit
from numpy.typing import NDArray

from lbj.array_types import Floats

ROUNDS = 100
TOGETHER = 16  # chips that a thread takes at a time
ENOUGH = 1e-8  # expected gain of log-likelihood at which the fit has converged
VANISHING = 1e-9  # expected counts of a bin that holds some; a step that leads there is too long
LEAST = 5.0  # expected counts of a group of bins that enters the deviance
MISFIT, CHANCE = 1.5, 5.0  # a deviance per degree of freedom above the first, and so many sigma above 1, is no noise


@dataclass(frozen=True, eq=False)
class Fit:
    """Intensities of N chips.

    Attributes
    ----------
    counts : (N, n) float64
        Photons of every column.
    covariance : (N, n, n) float64
        Of the counts: the inverse of the expected Fisher information of the columns that are not at zero. A column at
        zero has on its diagonal the variance that it would have were it not.
    bound : (N, n) bool
        Columns held at zero by the condition that counts are not negative.
    deviance_dof : (N,) float64
        Poisson deviance per degree of freedom over groups of neighbouring bins that expect 5 counts; NaN where fewer
        groups than free columns are left.
    misfit : (N,) bool
        Whether that is more than noise explains: lines, background or detector are not as the columns say.
    converged : (N,) bool
    """

    counts: Floats
    covariance: Floats
    bound: NDArray[np.bool_]
    deviance_dof: Floats
    misfit: NDArray[np.bool_]
    converged: NDArray[np.bool_]


def poisson_fit(spectra: NDArray, columns: Floats) -> Fit:
    """Fit spectra as sums of non-negative columns.

    Parameters
    ----------
    spectra : (N, B) array
        Counts; whole or not.
    columns : (n, B) float64
        Share of each column's photons in every bin.

    Returns
    -------
    Fit
        The maximum of sum(n log(mu)) - sum(mu), mu = counts @ columns, by projected Newton steps (D. P. Bertsekas, SIAM
        J. Control Optim. 20 (1982) 221) on the bins that hold counts.

    Notes
    -----
    The information is taken at the fitted intensities plus one count in each family: the square root of a small number
    of counts, taken as its own error, makes low counts too sure and pulls too wide.
    """
    seen, rows = np.ascontiguousarray(spectra, np.float64), np.ascontiguousarray(columns.T)
    chips, n = len(seen), rows.shape[1]
    counts, covariance, bound = np.zeros((chips, n)), np.zeros((chips, n, n)), np.zeros((chips, n), np.bool_)
    deviance, degrees, converged = np.full(chips, np.nan), np.zeros(chips), np.zeros(chips, np.bool_)
    out = counts, covariance, bound, deviance, degrees, converged

    def fit(start: int) -> None:
        part = slice(start, start + TOGETHER)
        _fit(seen[part], rows, *(one[part] for one in out))

    with ThreadPoolExecutor(get_num_threads()) as pool:
        list(pool.map(fit, range(0, chips, TOGETHER)))
    noise = 1 + CHANCE * np.sqrt(2 / np.maximum(degrees, 1))
    return Fit(counts, covariance, bound, deviance, deviance > np.maximum(noise, MISFIT), converged)


@njit(cache=True, nogil=True)
def _factor(matrix, free, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Cholesky factor of the rows and columns that are free; the others become those of the identity."""
    n = free.size
    for i in range(n):
        for j in range(i + 1):
            total = 0.0
            if free[i] and free[j]:
                total = matrix[i, j]
                for k in range(j):
                    total -= out[i, k] * out[j, k]
            elif i == j:
                total = 1.0
            if i == j:
                out[i, i] = np.sqrt(max(total, 1e-14 * max(matrix[i, i], 1e-300)))
            else:
                out[i, j] = total / out[j, j]


@njit(cache=True, nogil=True)
def _solve(factor, right):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Solve in place."""
    n = right.size
    for i in range(n):
        for k in range(i):
            right[i] -= factor[i, k] * right[k]
        right[i] /= factor[i, i]
    for i in range(n - 1, -1, -1):
        for k in range(i + 1, n):
            right[i] -= factor[k, i] * right[k]
        right[i] /= factor[i, i]


@njit(cache=True, nogil=True)
def _value(x, sums, held, rows, seen):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    total = 0.0
    for j in range(x.size):
        total += sums[j] * x[j]
    for b in range(held):
        mean = 1e-300
        for j in range(x.size):
            mean += x[j] * rows[b, j]
        if mean < VANISHING:
            return np.inf
        total -= seen[b] * np.log(mean)
    return total


@njit(cache=True, nogil=True)
def _fit(spectra, rows, counts, covariance, bound, deviance, degrees, converged):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Fill the last six, which have an entry for every spectrum."""
    bins, n = rows.shape
    sums, largest = np.zeros(n), np.zeros(bins)
    for b in range(bins):
        for j in range(n):
            sums[j] += rows[b, j]
            largest[b] = max(largest[b], rows[b, j])
    seen, part = np.empty(bins), np.empty((bins, n))
    for chip in range(len(spectra)):
        held, total = _held(spectra[chip], rows, largest, seen, part)
        x = counts[chip]
        x[:] = total / n
        converged[chip] = not held or _climb(x, sums, held, part, seen, total)
        _judge(rows, x, covariance[chip], bound[chip])
        free = n
        for j in range(n):
            free -= bound[chip, j]
        deviance[chip], degrees[chip] = _deviance(spectra[chip], rows, x, free)


@njit(cache=True, nogil=True)
def _held(spectrum, rows, largest, seen, part):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Copy the bins that hold counts; returns how many do, and the counts."""
    held = 0
    total = 0.0
    for b in range(spectrum.size):
        if spectrum[b] > 0 and largest[b] > VANISHING:
            seen[held] = spectrum[b]
            for j in range(rows.shape[1]):
                part[held, j] = rows[b, j]
            total += spectrum[b]
            held += 1
    return held, total


@njit(cache=True, nogil=True)
def _climb(x, sums, held, rows, seen, total):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Move x to the maximum; returns whether it got there."""
    n = x.size
    gradient, step, trial = np.empty(n), np.empty(n), np.empty(n)
    hessian, factor = np.empty((n, n)), np.zeros((n, n))
    free = np.empty(n, np.bool_)
    value = _value(x, sums, held, rows, seen)
    for _ in range(ROUNDS):
        hessian[:] = 0
        for j in range(n):
            gradient[j] = sums[j]
        for b in range(held):
            mean = 1e-300
            for j in range(n):
                mean += x[j] * rows[b, j]
            ratio = seen[b] / mean
            curve = ratio / mean
            for j in range(n):
                gradient[j] -= rows[b, j] * ratio
                scaled = curve * rows[b, j]
                if scaled > 0:
                    for k in range(j + 1):
                        hessian[j, k] += scaled * rows[b, k]
        for j in range(n):
            free[j] = x[j] > 1e-9 * total or gradient[j] < 0
            if not free[j]:
                x[j] = 0.0
            hessian[j, j] += 1e-10 * sums[j] * sums[j] / total
            step[j] = -gradient[j] if free[j] else 0.0
        _factor(hessian, free, factor)
        _solve(factor, step)
        gain = 0.0
        for j in range(n):
            if free[j]:
                gain -= gradient[j] * step[j]
        if gain < ENOUGH:
            return True
        length = 1.0
        while True:
            expected = 0.0
            for j in range(n):
                trial[j] = max(x[j] + length * step[j], 0.0) if free[j] else 0.0
                expected += gradient[j] * (trial[j] - x[j])
            new = _value(trial, sums, held, rows, seen)
            if new <= value + 1e-4 * min(expected, 0.0) or length < 1e-12:
                break
            length *= 0.5
        if length < 1e-12:
            return False
        for j in range(n):
            x[j] = trial[j]
        value = new
    return False


@njit(cache=True, nogil=True)
def _judge(rows, x, covariance, bound):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Fill the covariance and say which columns are held at zero."""
    bins, n = rows.shape
    information = np.zeros((n, n))
    for b in range(bins):
        mean = 1e-12
        for j in range(n):
            mean += (x[j] + 1.0) * rows[b, j]
        for j in range(n):
            scaled = rows[b, j] / mean
            if scaled > 0:
                for k in range(j + 1):
                    information[j, k] += scaled * rows[b, k]
    factor, free, column = np.zeros((n, n)), np.ones(n, np.bool_), np.empty(n)
    _factor(information, free, factor)
    for j in range(n):
        bound[j] = x[j] <= 0
        column[:] = 0
        column[j] = 1
        _solve(factor, column)
        covariance[j, j] = column[j]
        free[j] = not bound[j]
    _factor(information, free, factor)
    for j in range(n):
        if free[j]:
            column[:] = 0
            column[j] = 1
            _solve(factor, column)
            for k in range(n):
                if free[k]:
                    covariance[j, k] = column[k]


@njit(cache=True, nogil=True)
def _deviance(spectrum, rows, x, free):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    bins, n = rows.shape
    total, groups = 0.0, 0
    seen = expected = 0.0
    for b in range(bins):
        seen += spectrum[b]
        for j in range(n):
            expected += x[j] * rows[b, j]
        if expected >= LEAST:
            total += 2 * (expected - seen)
            if seen > 0:
                total += 2 * seen * np.log(seen / expected)
            groups += 1
            seen = expected = 0.0
    return (total / (groups - free), groups - free) if groups > free else (np.nan, 0)
