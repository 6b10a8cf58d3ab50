"""Check of a chart: what its binning loses, and which bins must be halved so that nothing visible is lost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lbj.array_types import Floats

from ..eels.noise import Noise, second_difference

Starts = NDArray[np.int64]

COMPONENT = "principal component"
FALSE_ALARMS = 0.01  # halvings expected from noise alone, for each kind of pattern and each width of cell
COMPONENTS = 16
PCA_DIMENSIONS = 512
ABOVE_NOISE = 1.1  # times the largest eigenvalue that noise has
ROUNDS = 60


def reconstruct(spectra: NDArray, mean: Floats, starts: Starts) -> Floats:
    """Spectra as a chart gives them back, but for the quantisation.

    The sums of a spectrum and of the mean spectrum over each bin have a ratio; it is interpolated linearly between
    the centres of the bins (constant beyond the outermost), times the mean spectrum; what the sum of a bin then
    lacks is spread evenly over the bin.

    Parameters
    ----------
    spectra : (P, C) array
    mean : (C,) array
        Mean spectrum; a bin where it sums to zero or less is filled evenly.
    starts : (B,) array
        First channel of each bin, from 0, ascending.

    Returns
    -------
    (P, C) array
        Linear in `spectra`; the mean spectrum itself comes back as it was.
    """
    channels = mean.size
    sizes = np.diff(starts, append=channels)
    whole = np.add.reduceat(mean, starts)
    sums = np.add.reduceat(spectra, starts, axis=1)
    ratio = np.where(whole > 0, sums / np.where(whole > 0, whole, 1.0), 0.0)
    middle = starts + (sizes - 1) / 2
    channel = np.arange(channels)
    after = np.clip(np.searchsorted(middle, channel), 1, max(starts.size - 1, 1))
    if starts.size == 1:
        out = ratio * mean
    else:
        part = np.clip((channel - middle[after - 1]) / (middle[after] - middle[after - 1]), 0.0, 1.0)
        out = (ratio[:, after - 1] * (1 - part) + ratio[:, after] * part) * mean
    lacking = (sums - np.add.reduceat(out, starts, axis=1)) / sizes
    return np.asarray(out + np.repeat(lacking, sizes, axis=1))


@dataclass(frozen=True, eq=False)
class Patterns:
    """Spectra of the cube summed with the weights of some spatial patterns.

    Attributes
    ----------
    spectra, variance : (P, C) arrays
        Weighted sums, and their variance by the noise model.
    skew : float
        Skewness of a sum of one channel, at its largest.
    names : list of str
        What each pattern is, for people.
    """

    spectra: Floats
    variance: Floats
    skew: float
    names: list[str]


def boxes(cube: NDArray, noise: Noise) -> list[Patterns]:
    """Sums over squares: of 2 x 2 pixels side by side, then of 4, 8, … overlapping by half, and of the whole rows.

    A structure of a few pixels, or of a region, is summed with little else by one of them.
    """
    found = []

    def keep(sums: NDArray, pixels: Floats, names: list[str]) -> None:
        flat = sums.reshape(-1, sums.shape[-1]).astype(float)
        variance = noise.gain * np.maximum(flat, 0.0) + (noise.read**2 + noise.floor) * pixels.reshape(-1, 1)
        level = np.maximum(np.median(variance, axis=1), 1e-300)
        found.append(Patterns(flat, variance, float(noise.gain / np.sqrt(level.min())), names))

    def squares(sums: NDArray, side: int, stride: int) -> list[str]:
        return [
            f"pixels {y * stride} to {min(y * stride + side, rows) - 1} down, "
            f"{x * stride} to {min(x * stride + side, columns) - 1} across"
            for y, x in np.ndindex(sums.shape[:2])
        ]

    rows, columns = cube.shape[:2]
    cells, pixels, side = _halved(cube), _halved(np.ones((rows, columns, 1))), 2
    keep(cells, pixels, squares(cells, side, side))
    while max(cells.shape[:2]) > 1:
        size = min(2, cells.shape[0]), min(2, cells.shape[1])
        pair = _moving(cells, size)
        keep(pair, _moving(pixels, size), squares(pair, 2 * side, side))
        cells, pixels, side = _halved(cells), _halved(pixels), 2 * side
    keep(cube.sum(axis=1, dtype=float), np.full(rows, float(columns)), [f"row {y}" for y in range(rows)])
    keep(cube.sum(axis=0, dtype=float), np.full(columns, float(rows)), [f"column {x}" for x in range(columns)])
    return found


def _halved(cube: NDArray) -> NDArray:
    rows = np.arange(0, cube.shape[0], 2)
    columns = np.arange(0, cube.shape[1], 2)
    return np.asarray(np.add.reduceat(np.add.reduceat(cube, rows, axis=0), columns, axis=1))


def _moving(cells: NDArray, size: tuple[int, int]) -> NDArray:
    out = cells[: cells.shape[0] - size[0] + 1] + (cells[1:] if size[0] == 2 else 0)
    return np.asarray(out[:, : out.shape[1] - size[1] + 1] + (out[:, 1:] if size[1] == 2 else 0))


def components(cube: NDArray, mean: Floats, noise: Noise) -> Patterns | None:
    """Spectra along the cube's leading spatial patterns: principal components that stand out of the noise.

    Channels are summed to at most 512, the mean spectrum is taken off and each sum divided by its noise; components
    are kept whose eigenvalue passes the largest that noise has, (1 + sqrt(D / N))² for D sums and N pixels
    (V. Marchenko, L. Pastur, Mat. Sb. 72 (1967) 507). They find what varies alike in pixels that lie apart.
    """
    from scipy.sparse.linalg import eigsh

    flat = cube.reshape(-1, cube.shape[-1])
    channels = mean.size
    size = -(-channels // PCA_DIMENSIONS)
    starts = np.arange(0, channels, size)
    binned_mean = np.add.reduceat(mean, starts)
    level = flat.sum(axis=1, dtype=float) / max(float(mean.sum()), 1e-300)
    variance = np.add.reduceat(noise.variance(mean), starts)
    scaled = np.add.reduceat(flat, starts, axis=1).astype(float)
    scaled -= level[:, None] * binned_mean
    scaled /= np.sqrt(variance) * noise.excess(size)
    pixels, dimensions = scaled.shape
    most = min(COMPONENTS, pixels - 1, dimensions - 1)
    if most < 1:
        return None
    small = pixels < dimensions
    matrix = (scaled @ scaled.T if small else scaled.T @ scaled) / pixels
    values, vectors = eigsh(matrix, most, v0=np.ones(len(matrix)))
    least = ABOVE_NOISE * (1 + np.sqrt(dimensions / pixels)) ** 2
    chosen = [k for k in range(values.size)[::-1] if values[k] > least]
    if not chosen:
        return None
    weights = vectors[:, chosen] if small else scaled @ vectors[:, chosen]
    weights = weights / np.linalg.norm(weights, axis=0)
    spectra = weights.T @ flat
    spread = noise.gain * ((weights**2).T @ np.maximum(flat, 0)) + noise.read**2 + noise.floor
    skew = noise.gain * float(np.abs(weights**3).sum(axis=0).max()) / np.sqrt(max(float(np.median(spread)), 1e-300))
    names = [f"{COMPONENT} {k + 1}" for k in range(len(chosen))]
    return Patterns(spectra, _selected(spectra, spread, size, noise), skew, names)


def _selected(spectra: Floats, variance: Floats, size: int, noise: Noise) -> Floats:
    """Variance of the components' spectra, raised for the noise that the components themselves were fitted to."""
    starts = np.arange(0, spectra.shape[1], size)
    sums, known = np.add.reduceat(spectra, starts, axis=1), np.add.reduceat(variance, starts, axis=1)
    if sums.shape[1] < 8:
        return variance
    rough = second_difference(sums) / np.sqrt(known[:, 1:-1]) / noise.excess(size)
    spread = np.median(np.abs(rough), axis=1) / 0.6745
    return np.asarray(variance * np.clip(spread, 1.0, 3.0)[:, None] ** 2)


def refine(starts: Starts, patterns: list[Patterns], mean: Floats, noise: Noise) -> tuple[Starts, float, Patterns]:
    """Halve bins until what the chart loses is not visible.

    Every pattern's spectrum less its reconstruction is summed over cells half, a quarter, … as wide as the bin and
    compared with its standard deviation. A bin with a cell beyond the threshold is halved, unless the bin beside it,
    which throws its shadow through the interpolation, is worse by two. The threshold allows 0.01 false alarms for
    each kind of pattern and width of cell, all patterns and cells counted.

    Parameters
    ----------
    starts : (B,) array
        Bins to begin with: aligned to powers of two, as `chart` makes them.
    patterns : list of Patterns
    mean : (C,) array
    noise : Noise

    Returns
    -------
    starts : (B',) array
    worst : float
        Largest excess that remains, relative to its threshold; 1 or less.
    example : Patterns
        The one pattern that has it.
    """
    from scipy.stats import norm

    centred = []
    for kind in patterns:
        level = kind.spectra.sum(axis=1, keepdims=True) / max(float(mean.sum()), 1e-300)
        centred.append(kind.spectra - level * mean)
    common = noise.variance(mean)
    largest = shown = 0.0, patterns[0], 0
    for _ in range(ROUNDS):
        sizes = np.diff(starts, append=mean.size)
        owner = np.repeat(np.arange(starts.size), sizes)
        worst = np.zeros(starts.size)
        largest = shown = 0.0, patterns[0], 0
        one = np.eye(mean.size)
        operator = one - reconstruct(one, mean, starts)  # what each channel loses, in columns
        losses = [spectra - reconstruct(spectra, mean, starts) for spectra in centred]
        variances = [kind.variance for kind in patterns]
        width = 1
        while width < sizes.max():
            cells = np.arange(0, mean.size, width)
            active = np.flatnonzero(sizes[owner[cells]] > width)
            spread = common @ operator[:, active] ** 2 * noise.excess(width) ** 2
            under = np.add.reduceat(common, cells)[active]
            for kind, loss, variance in zip(patterns, losses, variances, strict=True):
                z = np.abs(loss[:, active]) / np.sqrt(variance[:, active] * (spread / under))
                limit = float(norm.isf(FALSE_ALARMS / 2 / z.size))
                limit += (limit**2 - 1) / 6 * kind.skew / np.sqrt(width)
                np.maximum.at(worst, owner[cells[active]], z.max(axis=0) / limit)
                if z.max() > limit * largest[0]:
                    largest = float(z.max() / limit), kind, int(z.max(axis=1).argmax())
                if z.max() > limit * shown[0] and not kind.names[0].startswith(COMPONENT):
                    shown = float(z.max() / limit), kind, int(z.max(axis=1).argmax())
            losses, variances = [_paired(loss) for loss in losses], [_paired(variance) for variance in variances]
            operator = _paired(operator)
            width *= 2
        padded = np.pad(worst, 1)
        beside = np.maximum(padded[:-2], padded[2:])
        split = (worst > 1) & (worst > beside / 2) & (sizes > 1)
        if not split.any():
            break
        starts = graded(halve(starts, split, mean.size), mean.size)
    _, kind, index = shown
    chosen = slice(index, index + 1)
    example = Patterns(kind.spectra[chosen], kind.variance[chosen], kind.skew, kind.names[chosen])
    return starts, largest[0], example


def _paired(cells: Floats) -> Floats:
    """Sums of neighbouring cells, two and two; an odd last one by itself."""
    out = cells[:, ::2].copy()
    out[:, : cells.shape[1] // 2] += cells[:, 1::2]
    return np.asarray(out)


def halve(starts: Starts, split: NDArray[np.bool_], channels: int) -> Starts:
    """Halve some bins; one cut short by the end of the axis as if it were whole."""
    half = starts + _nominal(starts, channels) // 2
    return np.unique(np.concatenate([starts, half[split & (half < np.append(starts[1:], channels))]]))


def graded(starts: Starts, channels: int) -> Starts:
    """Halve bins until none is more than twice as wide as the one beside it.

    Beside a much narrower bin, the noise of that bin would tilt the interpolated spectrum of the wide one more than
    its own noise did.
    """
    while True:
        sizes = _nominal(starts, channels)
        padded = np.pad(sizes, 1, constant_values=2 * channels)
        split = sizes > 2 * np.minimum(padded[:-2], padded[2:])
        after = halve(starts, split, channels)
        if after.size == starts.size:
            return starts
        starts = after


def _nominal(starts: Starts, channels: int) -> Starts:
    """Sizes of the bins, the last one's raised to a power of two."""
    sizes = np.diff(starts, append=channels)
    return np.asarray(2 ** np.ceil(np.log2(sizes)).astype(np.int64))
