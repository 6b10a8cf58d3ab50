"""Energy drift within a spectrum image, which a chart cannot stand where it passes a quarter of a channel."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lbj import UsageError
from lbj.array_types import Floats

from ..eels.noise import Noise

LARGEST = 0.25  # channels
BEFORE, AFTER = 12.0, 20.0  # eV, of the windows about the edges
LEAST_CHANNELS = 12
RANGE = math.sqrt(12.0)  # ratio of the range of a uniform distribution to its standard deviation
TILES = 8  # regions along each side of the field
NOISE_KNOWN = 0.3  # relative error of the noise model
FALSE_ALARMS = 1e-3  # chance that noise passes for a drift, for each kind of group


@dataclass(frozen=True)
class Drift:
    """Energy drift over the pixels and frames.

    Attributes
    ----------
    range : float
        Channels: sqrt(12) standard deviations of the true shifts, the range of a steady drift.
    limit : float
        Largest range that the noise leaves possible (one time in a thousand it is larger), channels.
    where : str
        Between what it was seen: ``pixels``, ``regions``, ``rows``, ``columns`` or ``frames``.
    by : str
        ``edges`` or the name of the low-loss signal.
    """

    range: float
    limit: float
    where: str
    by: str

    @property
    def known(self) -> bool:
        """Whether the measurement can tell a quarter of a channel."""
        return self.limit < 2 * LARGEST


def drift_of_edges(frames: Iterable[NDArray], mean: Floats, axis: Floats, onsets: list[float], noise: Noise) -> Drift:
    """Measure the drift on the edges themselves.

    About each edge, every spectrum is fitted by a parabola, the mean spectrum and its derivative (weighted least
    squares): the derivative's share over the mean's is the shift, to first order. The mean square of the shifts of
    groups of pixels is that of their products between two edges, or, where there is but one edge, of its squares less
    what noise gives; of the kinds of groups the one counts whose drift is the most certain. A chemical shift that two
    edges share, or that of the only edge, looks the same.

    Parameters
    ----------
    frames : iterable of (Y, X, C) arrays
        Finite, without spikes.
    mean : (C,) array
        Mean spectrum of one pixel and frame.
    axis : (C,) array
        eV.
    onsets : list of float
        Energies of edges, eV.
    noise : Noise
        Of one frame.
    """
    step = float(axis[1] - axis[0])
    slope = np.gradient(mean)
    windows, last = [], -math.inf
    for onset in sorted(onsets):
        part = slice(*np.searchsorted(axis, [onset - BEFORE, onset + max(AFTER, LEAST_CHANNELS * step)]).tolist())
        if part.stop - part.start >= LEAST_CHANNELS and onset > last + AFTER / 2:
            windows.append(part)
            last = onset
    fits = [(part, *_fit(mean, slope, part, noise)) for part in windows]
    fits = [fit for fit in fits if np.isfinite(fit[2]).all()]
    if not fits:
        return Drift(0.0, math.inf, "pixels", "edges")
    noise_of = np.array([variance for _, _, variance in fits]) * noise.excess(4) ** 2
    weight = 1 / noise_of[:, 1]
    shares = (np.stack([cube[..., part] @ matrix.T for part, matrix, _ in fits], axis=-2) for cube in frames)
    found = np.stack(list(shares))  # (N, Y, X, J, 2)
    common = (weight * found[..., 0] * found[..., 1]).sum() / max((weight * found[..., 0] ** 2).sum(), 1e-300)
    found[..., 1] -= common * found[..., 0]
    kinds = []
    for name, groups, size in _groups(found):
        if len(groups) < 2:
            continue
        variance = noise_of / np.asarray(size)[:, None, None]  # (G, J, 2)
        apart = [
            (j, k)
            for k in range(len(fits))
            for j in range(k)
            if fits[j][0].stop <= fits[k][0].start and (groups[:, j, 0] * groups[:, k, 0]).sum() > 0
        ]
        found_here = _of_pairs(groups, variance, apart) if apart else _of_one(groups, variance, weight)
        if found_here is not None:
            kinds.append((*found_here, name))
    if not kinds:
        return Drift(0.0, math.inf, "pixels", "edges")
    least = max(square - error for square, error, _ in kinds)
    square, error, name = next(kind for kind in kinds if kind[0] - kind[1] >= least - 0.2 * abs(least))
    estimate = RANGE * math.sqrt(square) if square > error else 0.0
    return Drift(estimate, RANGE * math.sqrt(max(square, 0.0) + error), name, "edges")


def _of_pairs(groups: Floats, variance: Floats, pairs: list[tuple[int, int]]) -> tuple[float, float]:
    """Mean square shift and its error, from products of the shifts of two edges each.

    Noise, and what only one edge does (a chemical shift), drop out.
    """
    squares, errors = [], []
    for j, k in pairs:
        below = float((groups[:, j, 0] * groups[:, k, 0]).sum())
        squares.append(float((groups[:, j, 1] * groups[:, k, 1]).sum()) / below)
        errors.append(float(np.sqrt((variance[:, j, 1] * variance[:, k, 1]).sum())) / below)
    share = 1 / np.array(errors) ** 2
    error = float(1 / np.sqrt(share.sum()))
    return float((share * squares).sum() / share.sum()), error * _tail(len(groups))


def _of_one(groups: Floats, variance: Floats, weight: Floats) -> tuple[float, float] | None:
    """Mean square shift and its error, from the squares of shifts less their noise, which is known to a third."""
    below = float((weight * np.maximum(groups[..., 0] ** 2 - variance[..., 0], 0)).sum())
    if below <= 0:
        return None
    noise = float((weight * variance[..., 1]).sum()) / below
    square = float((weight * groups[..., 1] ** 2).sum()) / below - noise
    error = float(np.sqrt(2 * ((weight * variance[..., 1]) ** 2).sum())) / below
    return square, math.hypot(error * _tail(groups.shape[0]), NOISE_KNOWN * noise)


def _tail(number: int) -> float:
    """How many standard deviations a mean of `number` squares of noise exceeds once in a thousand times."""
    from scipy.stats import chi2

    return float(chi2.isf(FALSE_ALARMS, number) - number) / math.sqrt(2 * number)


def _fit(mean: Floats, slope: Floats, part: slice, noise: Noise) -> tuple[Floats, Floats]:
    """Matrix that gives the shares (mean, derivative) of a spectrum, and their variances for a mean pixel."""
    t = np.linspace(-1, 1, part.stop - part.start)
    level = max(float(mean[part].mean()), 1e-300)
    scale = max(float(np.abs(slope[part]).max()), 1e-300)
    columns = np.stack([level + 0 * t, level * t, level * t * t, mean[part], slope[part] / scale * level], axis=1)
    inverse = 1 / np.maximum(noise.variance(mean[part]), 1e-300)
    normal = columns.T @ (columns * inverse[:, None])
    if np.linalg.cond(normal) > 1e13:
        return np.zeros((2, t.size)), np.full(2, np.inf)
    matrix = np.linalg.solve(normal, columns.T * inverse)[3:]
    matrix[1] *= level / scale
    return np.asarray(matrix), np.asarray(matrix**2 @ noise.variance(mean[part]))


def _groups(found: Floats) -> list[tuple[str, Floats, list[int]]]:
    """Means over kinds of groups, the most particular first: (name, (G, J, 2) means, pixels of each)."""
    frames, rows, columns = found.shape[:3]
    still = found.mean(axis=0)
    tiles, sizes = [], []
    for band in np.array_split(still, min(TILES, rows), axis=0):
        for tile in np.array_split(band, min(TILES, columns), axis=1):
            tiles.append(tile.mean(axis=(0, 1)))
            sizes.append(frames * tile.shape[0] * tile.shape[1])
    return [
        ("frames", found.mean(axis=(1, 2)), [rows * columns] * frames),
        ("rows", still.mean(axis=1), [frames * columns] * rows),
        ("columns", still.mean(axis=0), [frames * rows] * columns),
        ("regions", np.stack(tiles), sizes),
        ("pixels", found.reshape(-1, *found.shape[3:]), [1] * (frames * rows * columns)),
    ]


def drift_of_shifts(shift: Floats, step: float, name: str) -> Drift:
    """Drift of shifts that were measured on the low loss: eV, not finite where unknown; `step` eV per channel."""
    finite = shift[np.isfinite(shift)]
    if finite.size < 2:
        return Drift(0.0, math.inf, "pixels", name)
    spread = RANGE * float(finite.std()) / step
    return Drift(spread, spread * (1 + 2 / math.sqrt(2 * finite.size)), "pixels", name)


def refuse_drift(drift: Drift, step: float) -> None:
    """Refuse a chart where the energy drifts.

    Raises
    ------
    UsageError
        If the drift is a quarter of a channel or more.
    """
    if drift.range >= LARGEST:
        raise UsageError(
            f"the energy drifts by about {drift.range:.2f} channels ({drift.range * step:.3g} eV) between "
            f"{drift.where}, seen on the {drift.by}; a chart needs less than {LARGEST:g} channels. Align the spectra "
            "first (mfsi_core.zero_loss_shift, shift_spectra), or give the shifts (shifts=, --shifts FILE.npy, or the "
            "name of the low-loss signal); --shifts 0, or zeros, where the axis is steady and what moves is chemistry"
        )
