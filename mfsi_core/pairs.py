"""Candidate shifts of every pair of images, from the peaks of their cross-correlation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import fft

Floats = NDArray[np.float64]

CANDIDATES = 16  # peaks kept per pair
FINEST = 128  # grid points per axis on which peaks are searched
LEAST_OVERLAP = 0.3  # of the windows, below which a shift is not considered
BATCH = 128
CAUTION = 2.0  # standard deviations of the noise floor above which power counts as signal
MOST_MODES = 60.0  # independent numbers a pair is trusted to compare, however good its images
FEW_MODES = 20.0  # the same where candidates of one pair are compared: jitter of the rows tells them apart by chance
TRUST = 0.98  # highest correlation that two frames of one scene are credited with: distortions differ


@dataclass(frozen=True)
class Pairs:
    """Candidate shifts.

    Attributes
    ----------
    first, second : (P,) int
        Frames of each pair, first < second, in lexicographic order.
    shift : (P, K, 2) float64
        Candidates for u_first - u_second, px (y, x).
    score : (P, K) float64
        Log-likelihood ratio for each against no relation at all, ``-M log(1 - r²)``, from the correlation coefficient
        r of the overlapping parts and the number M of their modes; 0 where there is no candidate.
    width : float
        Standard deviation of the correlation peaks, px.
    trust : float
        Share of a difference of scores that is believed.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    shift: Floats
    score: Floats
    width: float
    trust: float = 1.0


def taper(size: int, edge: float) -> Floats:
    """Window that rises over `edge` pixels at both ends like a squared sine; ones along an axis of one pixel."""
    if size == 1:
        return np.ones(1)
    distance = np.minimum(np.arange(size), np.arange(size)[::-1]) + 0.5
    return np.asarray(np.sin(0.5 * np.pi * np.minimum(distance / edge, 1.0)) ** 2)


def noise_filter(power: Floats, frames: int) -> Floats:
    """Wiener filter of a series from its mean power spectrum.

    Parameters
    ----------
    power : (Y, X//2+1) array
        Mean over the frames of the squared moduli of the real FFT.
    frames : int
        Number of frames, which tells how far the mean scatters.

    Returns
    -------
    array of the same shape
        Share of the power that exceeds the white noise, whose level is the median of the outermost quarter of the
        frequencies.
    """
    rows = np.abs(fft.fftfreq(power.shape[0]))[:, None]
    radius = np.hypot(rows, np.arange(power.shape[1])[None] / max(2 * power.shape[1] - 2, 1))
    floor = np.median(power[radius >= np.quantile(radius, 0.75)]) * (1 + CAUTION / np.sqrt(frames))
    return np.asarray(np.clip(1 - floor / np.maximum(power, 1e-300), 0, 1))


def candidate_shifts(images: Floats) -> Pairs:
    """Find candidate shifts between all pairs of images.

    The images are freed of noise by one Wiener filter for the series, windowed, and correlated without whitening:
    phase correlation locks onto what stands still in the frame (scan artefacts), and the gradient's modulus would
    halve the period of a lattice fringe. The coefficient is that of the overlapping parts alone (D. Padfield, IEEE
    Trans. Image Process. 21 (2012) 2706), so that small shifts are not preferred.

    Parameters
    ----------
    images : (N, Y, X) float64
        Finite images.
    """
    frames, rows, columns = images.shape
    grid = (_grid(rows), _grid(columns))
    clean, modes, width = _denoised(images, grid)
    window = np.multiply.outer(taper(grid[0], grid[0] / 4), taper(grid[1], grid[1] / 4))
    mask = fft.rfft2(window)
    overlap = fft.irfft2(np.abs(mask) ** 2, grid)
    share = overlap / overlap.flat[0]
    rank = np.where(share >= LEAST_OVERLAP, np.sqrt(np.maximum(share, 0)), 0).astype(np.float32)
    overlap = np.maximum(overlap, LEAST_OVERLAP * overlap.flat[0])
    spectra, squares = fft.rfft2(clean * window), fft.rfft2(clean**2 * window)
    local = []
    for sums, powers in (
        (np.conj(spectra) * mask, np.conj(squares) * mask),
        (np.conj(mask) * spectra, np.conj(mask) * squares),
    ):
        mean, power = fft.irfft2(sums, grid) / np.sqrt(overlap), fft.irfft2(powers, grid)
        deviation = np.sqrt(np.maximum(power - mean**2, 1e-9 * float(power.max())))
        local += [mean.astype(np.float32), np.maximum(deviation, 1e-15).astype(np.float32)]
    spectra = spectra.astype(np.complex64)
    first, second = np.triu_indices(frames, 1)
    shift, score = np.zeros((first.size, CANDIDATES, 2)), np.zeros((first.size, CANDIDATES))
    for start in range(0, first.size, BATCH):
        part = slice(start, start + BATCH)
        surfaces = fft.irfft2(np.conj(spectra[first[part]]) * spectra[second[part]], grid)
        _normalise(surfaces, first[part], second[part], *local)
        _peaks(surfaces, rank, shift[part], score[part])
    shift *= [n / g if n > 1 else 0.0 for n, g in zip((rows, columns), grid, strict=True)]
    modes = min(modes * float((window**2).mean()), MOST_MODES)
    return Pairs(
        first,
        second,
        shift,
        -modes * np.log1p(-TRUST * np.minimum(score, 1.0) ** 2),
        width,
        FEW_MODES / max(modes, FEW_MODES),
    )


def _grid(size: int) -> int:
    return 1 if size == 1 else int(fft.next_fast_len(min(2 * size, FINEST), real=True))


def _denoised(images: Floats, grid: tuple[int, int]) -> tuple[Floats, float, float]:
    """Images freed of noise, on the grid; number of modes that hold signal; width of their correlation peaks, px."""
    frames, rows, columns = images.shape
    edge = np.multiply.outer(taper(rows, min(4, rows / 4)), taper(columns, min(4, columns / 4)))
    mean = (images * edge).sum(axis=(1, 2)) / edge.sum()
    spectra = fft.rfft2((images - mean[:, None, None]) * edge)
    passed = noise_filter((np.abs(spectra) ** 2).mean(axis=0), frames)
    spectra *= passed
    power = (np.abs(spectra) ** 2).sum(axis=0)
    wave = (2 * np.pi) ** 2 * (fft.fftfreq(rows)[:, None] ** 2 + fft.rfftfreq(columns)[None] ** 2)
    axes = (rows > 1) + (columns > 1)
    total = max(float(power.sum()) * axes, 1e-300)
    width = 1 / np.sqrt(max(float((power * wave).sum()) / total, 1e-4))
    return fft.irfft2(_resampled(spectra, columns, grid), grid), 2 * float(passed.sum()), width


def _resampled(spectra: NDArray[Any], columns: int, grid: tuple[int, int]) -> NDArray[Any]:
    """Drop the frequencies that a coarser grid does not hold, or add zeros for a finer one."""
    rows = spectra.shape[1]
    out = np.zeros((len(spectra), grid[0], grid[1] // 2 + 1), spectra.dtype)
    high = (min(rows, grid[0]) + 1) // 2
    low = min(rows, grid[0]) - high if min(rows, grid[0]) % 2 else high - 1
    right = (min(columns, grid[1]) + 1) // 2
    out[:, :high, :right] = spectra[:, :high, :right]
    if low:
        out[:, -low:, :right] = spectra[:, rows - low :, :right]
    return out


@njit(cache=True, nogil=True)
def _normalise(
    surfaces: Any, first: Any, second: Any, mean_1: Any, deviation_1: Any, mean_2: Any, deviation_2: Any
) -> None:
    """Turn correlations into the coefficients of the overlapping parts, in place."""
    count, rows, columns = surfaces.shape
    for n in range(count):
        i, j = first[n], second[n]
        for y in range(rows):
            for x in range(columns):
                surfaces[n, y, x] = (surfaces[n, y, x] - mean_1[i, y, x] * mean_2[j, y, x]) / (
                    deviation_1[i, y, x] * deviation_2[j, y, x]
                )


@njit(cache=True, nogil=True)
def _vertex(a: float, b: float, c: float, d: float, e: float) -> tuple[float, float]:
    """Place and height of the maximum near the middle of the quartic through five equidistant points."""
    c1 = (a - 8 * b + 8 * d - e) / 12
    c2 = (-a + 16 * b - 30 * c + 16 * d - e) / 24
    c3 = (-a + 2 * b - 2 * d + e) / 12
    c4 = (a - 4 * b + 6 * c - 4 * d + e) / 24
    t = 0.0
    for _ in range(5):
        slope = c1 + t * (2 * c2 + t * (3 * c3 + t * 4 * c4))
        bend = 2 * c2 + t * (6 * c3 + t * 12 * c4)
        if bend >= 0:
            return 0.0, c
        t = min(max(t - slope / bend, -0.75), 0.75)
    return t, c + t * (c1 + t * (c2 + t * (c3 + t * c4)))


@njit(cache=True, nogil=True)
def _is_peak(surface: Any, y: int, x: int) -> bool:
    rows, columns = surface.shape
    value = surface[y, x]
    for dy in range(-1 if rows > 1 else 0, 2 if rows > 1 else 1):
        for dx in range(-1 if columns > 1 else 0, 2 if columns > 1 else 1):
            other = surface[(y + dy) % rows, (x + dx) % columns]
            if other > value or (other == value and (dy > 0 or (dy == 0 and dx > 0))):
                return False
    return True


@njit(cache=True, nogil=True)
def _peaks(surfaces: Any, rank: Any, shift: Any, score: Any) -> None:
    """Fill in the local maxima of each periodic surface, those highest in rank x height, refined to a fraction."""
    count, rows, columns = surfaces.shape
    kept = shift.shape[1]
    order = np.empty(kept)
    for n in range(count):
        surface = surfaces[n]
        order[:] = 0
        for y in range(rows):
            for x in range(columns):
                value = surface[y, x]
                if rank[y, x] * value <= max(0.9 * order[kept - 1], 0.0) or not _is_peak(surface, y, x):
                    continue
                down, right = surface[(y + 1) % rows, x], surface[y, (x + 1) % columns]
                up, left = surface[(y - 1) % rows, x], surface[y, (x - 1) % columns]
                dy, height_y = _vertex(surface[(y - 2) % rows, x], up, value, down, surface[(y + 2) % rows, x])
                dx, height_x = _vertex(surface[y, (x - 2) % columns], left, value, right, surface[y, (x + 2) % columns])
                height = height_y * height_x / value
                if rank[y, x] * height <= order[kept - 1]:
                    continue
                place = kept - 1
                while place > 0 and order[place - 1] < rank[y, x] * height:
                    order[place] = order[place - 1]
                    score[n, place] = score[n, place - 1]
                    shift[n, place] = shift[n, place - 1]
                    place -= 1
                order[place] = rank[y, x] * height
                score[n, place] = height
                shift[n, place, 0] = (y if 2 * y < rows else y - rows) + dy
                shift[n, place, 1] = (x if 2 * x < columns else x - columns) + dx
