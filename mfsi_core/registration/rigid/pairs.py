"""Pairs: candidate shifts of two images, from the peaks of their cross-correlation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from lbj.array_types import Floats, Singles

from ..threads import each
from .filled import Filled
from .noise import noise_filter
from .row_scores import row_scores
from .surfaces import crossed, crossed_white, normalise, peaks

FEW = 40  # frames up to which every pair of a series is compared
NEAR = 8  # frames; in longer series all pairs up to this far apart are compared; they settle the lattice periods
FARTHEST, NEARER = 0.75, 4  # besides, pairs of frames this share of the series apart, and of it divided by 4, 16, …
CANDIDATES = 10  # peaks of the correlation kept per pair
OTHERS = 8  # peaks of the whitened correlation kept in addition, per pair of frames near in time
SAME = 1.5  # grid points; two peaks nearer to each other than this are taken for one
COARSEST, FINEST = 128, 512  # least and most grid points per axis for the peaks; at most two per pixel
FAINT = 1e-2  # share of the signal's power that may be lost at frequencies too high for the grid
LEAST_OVERLAP = 0.3  # least overlap of the windows of two frames, as a share of that without a shift
AT_ONCE = 150_000  # grid points of the pairs that a thread compares at once
# Cycles per grid point up to which frequencies are kept, and from which on they are removed. This oversamples the
# correlation, so that peaks between grid points are found.
PASSED, STOPPED = 0.32, 0.46
FAINTEST = 1e-4  # share of the strongest Fourier component's power below which components are not whitened
REACH = 2  # grid points by which single rows may deviate from a shift at most; lattice peaks lie farther apart
SPREAD = 1.0  # grid points, rms; displacement of single rows that is expected
MOST_MODES = 60.0  # most independent numbers that a pair is taken to compare, however good its images
TRUST = 0.98  # highest correlation expected of two frames of one scene, since their distortions differ


@dataclass(frozen=True)
class Pairs:
    """Candidate shifts between pairs of frames.

    Attributes
    ----------
    first, second : (P,) int
        Frames of each pair, first < second, in lexicographic order.
    shift : (P, K, 2) float64
        Candidates for u_first - u_second, px (y, x).
    score : (P, K) float64
        Log-likelihood ratio of each candidate against unrelated images, ``-M log(1 - r²)``; r is the correlation of the
        overlapping parts with each row placed where it fits best (`row_scores`), M the number of independent Fourier
        components. 0 where there is no candidate.
    width : float
        Standard deviation of the correlation peaks, px.
    likeness : (P,) float64
        Highest of the scores with rows left in place, which tells whether the frames resemble each other at all.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    shift: Floats
    score: Floats
    width: float
    likeness: Floats


def graph(weight: NDArray[Any], first: NDArray[np.int64], second: NDArray[np.int64], frames: int) -> Any:
    """Links between frames as a sparse matrix; its indices have 32 bits, which all versions of csgraph accept."""
    from scipy.sparse import coo_array

    return coo_array((weight, (first.astype(np.int32), second.astype(np.int32))), shape=(frames, frames))


def compared(frames: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of frames that are compared, first < second, in lexicographic order: (P,) each.

    In a long series these are all pairs near in time, and farther ones only at a few distances; so their number grows
    hardly faster than that of the frames.
    """
    near = frames - 1 if frames <= FEW else NEAR
    far = FARTHEST * frames / NEARER ** np.arange(math.ceil(math.log(max(frames, NEARER), NEARER)))
    gaps = [*range(1, near + 1), *sorted(int(gap) for gap in far if gap >= near + 1)]
    second = np.arange(frames)[:, None] + np.array(gaps, np.int64)
    first, which = np.nonzero(second < frames)
    return first, second[first, which]


def taper(size: int, edge: float) -> Floats:
    """Window that rises over `edge` pixels at both ends like a squared sine; ones along an axis of one pixel."""
    if size == 1:
        return np.ones(1)
    distance = np.minimum(np.arange(size), np.arange(size)[::-1]) + 0.5
    return np.asarray(np.sin(0.5 * np.pi * np.minimum(distance / edge, 1.0)) ** 2)


def candidate_shifts(images: Singles | Filled, seen: NDArray[np.bool_] | None = None) -> Pairs:
    """Find candidate shifts between pairs of images (`compared`).

    The images are filtered of noise by one Wiener filter for the series, windowed, and correlated. This is done without
    whitening, since phase correlation locks onto patterns that stand still in the frame (scan artefacts), and not on
    the modulus of the gradient, which would halve the period of lattice fringes. The correlation coefficient is that
    of the overlapping parts alone (D. Padfield, IEEE Trans. Image Process. 21 (2012) 2706), so that small shifts are
    not preferred. Peaks of the whitened correlation are added as further candidates to pairs of frames near in time,
    which decide between candidates (`consensus`).

    Parameters
    ----------
    images : (N, Y, X) float32
        Finite images.
    seen : (N, Y) bool, optional
        Rows that were recorded; default: all.
    """
    frames, rows, columns = images.shape
    clean = _Denoised(images)
    grid = clean.grid
    tapers = [taper(size, size / 4).astype(np.float32) for size in grid]
    first, second = compared(frames)
    shift, height = _correlated(clean.images, tapers, first, second)
    given = height > 0
    for k in range(1, CANDIDATES + OTHERS):
        away = np.abs(shift[:, :k] - shift[:, k : k + 1]).max(axis=2)
        given[:, k] &= ~((away < SAME) & given[:, :k]).any(axis=1)
    modes = min(clean.modes * float(np.prod([(one**2).mean() for one in tapers])), MOST_MODES)

    def score(correlation: Floats) -> Floats:
        return np.asarray(-modes * np.log1p(-TRUST * np.minimum(correlation, 1.0) ** 2))

    likeness = score(height[:, :CANDIDATES].max(axis=1, initial=0.0))
    least = min(g / n for n, g in zip((rows, columns), grid, strict=True))
    reach = int(np.clip(round(1.5 * clean.width * least), 1, REACH))
    seen = np.ones((frames, rows), bool) if seen is None else seen
    seen = seen[:, np.minimum(np.arange(grid[0]) * rows // grid[0], rows - 1)]
    correlation = row_scores(clean.images, seen, first, second, shift, given, reach, clean.noise / SPREAD**2)
    shift *= [n / g if n > 1 else 0.0 for n, g in zip((rows, columns), grid, strict=True)]
    return Pairs(first, second, shift, score(correlation), clean.width, likeness)


def _correlated(
    images: Singles, tapers: list[Singles], first: NDArray[np.int64], second: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """Correlation peaks of pairs of windowed images: shifts, grid points (y, x), (P, K, 2), and heights (P, K)."""
    frames, *grid = images.shape
    window = np.multiply.outer(*tapers)
    mask = fft.rfft2(window)
    overlap = fft.irfft2(np.abs(mask) ** 2, grid)
    share = overlap / overlap.flat[0]
    rank = np.where(share >= LEAST_OVERLAP, np.sqrt(np.maximum(share, 0)), 0)
    root = np.sqrt(np.maximum(overlap, LEAST_OVERLAP * overlap.flat[0]))
    spectra = np.empty((frames, *mask.shape), np.complex64)
    coarse = (max(grid[0] // 2, 1), max(grid[1] // 2, 1))  # what depends on the overlap alone changes gradually
    low = _resampled(mask, grid[1], coarse) * (coarse[0] * coarse[1] / (grid[0] * grid[1]))
    fade = root[:: grid[0] // coarse[0], :: grid[1] // coarse[1]]
    mean, scale = np.empty((2, frames, *coarse), np.float32)
    profiles = np.empty((frames, grid[0]), np.float32)
    for n, image in enumerate(images):
        spectra[n], profiles[n] = fft.rfft2(image * window), image.mean(axis=1)
        mean[n] = fft.irfft2(np.conj(_resampled(spectra[n], grid[1], coarse)) * low, coarse) / fade
        square = _resampled(fft.rfft2(image**2 * window), grid[1], coarse)
        power = fft.irfft2(np.conj(square) * low, coarse)
        scale[n] = 1 / np.sqrt(np.maximum(power - mean[n] ** 2, max(1e-9 * float(power.max()), 1e-30)))
    white = _white(profiles, spectra, tapers)
    shift, height = np.zeros((first.size, CANDIDATES + OTHERS, 2)), np.zeros((first.size, CANDIDATES + OTHERS))
    batch = max(1, AT_ONCE // (grid[0] * grid[1]))
    inside, inverse = np.sign(rank), 1 / root

    def find(part: slice) -> None:
        pairs = first[part], second[part]
        found = fft.irfft2(crossed(spectra, *pairs), grid)
        normalise(found, *pairs, mean, scale)
        peaks(found, rank, shift[part, :CANDIDATES], height[part, :CANDIDATES])
        near = np.flatnonzero(pairs[1] - pairs[0] <= NEAR)
        found = fft.irfft2(crossed_white(spectra, *white, *(one[near] for one in pairs)), grid)
        found *= inverse
        others = np.zeros((near.size, OTHERS, 2)), np.zeros((near.size, OTHERS))
        peaks(found, inside, *others)
        shift[part][near, CANDIDATES:], height[part][near, CANDIDATES:] = others

    each(find, (slice(start, start + batch) for start in range(0, first.size, batch)))
    return shift, height


def _white(profiles: Singles, spectra: Any, tapers: list[Singles]) -> tuple[Any, Any, Singles]:
    """Arguments of `crossed_white` by which all Fourier components of the cross spectra become equally strong.

    Otherwise the strong components of a lattice would hide defects and edges, which alone tell its periods apart.
    `profiles`, (N, Y): row means of the images, which are subtracted.
    """
    rows = fft.fft(profiles * tapers[0], axis=1)
    across, power = fft.rfft(tapers[1]), np.zeros(spectra.shape[1:])
    for spectrum, row in zip(spectra, rows, strict=True):
        power += np.abs(spectrum - row[:, None] * across) ** 2
    power = ndimage.uniform_filter(power / len(spectra), 3, mode="wrap")
    return rows, across, (1 / (power + FAINTEST * power.max() + 1e-30)).astype(np.float32)


class _Denoised:
    """Images filtered of noise and resampled to the grid; their mean square is about 1.

    Attributes
    ----------
    images : (N, *grid) float32
    grid : (int, int)
    modes : float
        Number of Fourier components that hold signal.
    width : float
        Standard deviation of their correlation peaks, px.
    noise : float
        Variance of the noise that is left at a grid point.
    """

    def __init__(self, images: Singles | Filled) -> None:
        frames, rows, columns = images.shape
        edge = np.multiply.outer(taper(rows, min(4, rows / 4)), taper(columns, min(4, columns / 4)))
        edge = edge.astype(np.float32)
        spectra = np.empty((frames, rows, columns // 2 + 1), np.complex64)
        mean_power = np.zeros(spectra.shape[1:])
        for image, spectrum in zip(images, spectra, strict=True):
            mean = float((image * edge).sum(dtype=float)) / float(edge.sum(dtype=float))
            spectrum[:] = fft.rfft2((image - np.float32(mean)) * edge)
            mean_power += spectrum.real**2 + spectrum.imag**2
        mean_power /= frames
        passed = noise_filter(mean_power, frames)
        noise = (1 - passed) * mean_power  # the noise floor, where the filter lets anything pass
        power = mean_power * passed**2
        waves = np.abs(fft.fftfreq(rows)), fft.rfftfreq(columns)
        self.grid = grid = (
            _grid(rows, waves[0], power.sum(axis=1)),
            _grid(columns, waves[1], power.sum(axis=0)),
        )
        passed *= np.multiply.outer(*(_band(w * n / g) for w, n, g in zip(waves, (rows, columns), grid, strict=True)))
        power = mean_power * passed**2
        square = (2 * np.pi) ** 2 * (waves[0][:, None] ** 2 + waves[1] ** 2)
        axes = (rows > 1) + (columns > 1)
        total = max(float(power.sum()) * axes, 1e-300)
        self.width = float(1 / np.sqrt(max(float((power * square).sum()) / total, 1e-4)))
        self.modes = 2 * float(passed.sum())
        points = grid[0] * grid[1]
        deviation = max(math.sqrt(2 * float(power.sum())) / points, 1e-30)
        through = (passed / deviation).astype(np.float32)
        level = float((noise * passed**2).sum() / max(float((passed**2).sum()), 1e-30))
        self.noise = level / (points * deviation**2)
        self.images = np.empty((frames, *grid), np.float32)
        for spectrum, image in zip(spectra, self.images, strict=True):
            image[:] = fft.irfft2(_resampled(spectrum * through, columns, grid), grid)


def _grid(size: int, frequency: Floats, power: Floats) -> int:
    """Grid points for an axis of `size` pixels such that `_band` passes the signal's frequencies (cycles per px)."""
    if size == 1:
        return 1
    order = np.argsort(frequency)
    share = np.cumsum(power[order])
    highest = frequency[order][np.searchsorted(share, (1 - FAINT) * share[-1])] if share[-1] > 0 else 0.0
    needed = min(max(math.ceil(size * highest / PASSED), COARSEST), FINEST, 2 * size, max(size, COARSEST))
    return 2 * int(fft.next_fast_len(-(-needed // 2)))


def _band(frequency: Floats) -> Floats:
    """Factor by which a Fourier component is multiplied, by its frequency, cycles per grid point."""
    beyond = np.clip((frequency - PASSED) / (STOPPED - PASSED), 0, 1)
    return np.asarray(np.cos(0.5 * np.pi * beyond) ** 2)


def _resampled(spectrum: NDArray[Any], columns: int, grid: tuple[int, int]) -> NDArray[Any]:
    """Spectrum on another grid: frequencies too high for a coarser grid are dropped, a finer one gets zeros."""
    rows = len(spectrum)
    out = np.zeros((grid[0], grid[1] // 2 + 1), spectrum.dtype)
    high = (min(rows, grid[0]) + 1) // 2
    low = min(rows, grid[0]) - high if min(rows, grid[0]) % 2 else high - 1
    right = (min(columns, grid[1]) + 1) // 2
    out[:high, :right] = spectrum[:high, :right]
    if low:
        out[-low:, :right] = spectrum[rows - low :, :right]
    return out
