"""Gain averaging: frames at several energy offsets, so that the pattern of the detector averages out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lbj import Signal, UsageError
from lbj.array_types import Floats
from lbj.progress import track

from ..series.axis import even_axis, width
from ..series.series import as_series, is_journal
from .shift_spectra import shift_spectra

ROUNDS = 100
LARGEST = 4.0  # times more or less sensitive than the mean; beyond, a channel is taken for dead


@dataclass(frozen=True, eq=False)
class GainAverage:
    """Spectra averaged over energy offsets.

    Attributes
    ----------
    spectra : (Y, X, C) float64
        Mean over the frames on the nominal axis, counts per frame; NaN where no frame reaches.
    frames : (C,) int
        How many frames reach a channel of the nominal axis.
    pattern : (C,) float64
        Sensitivity of the detector's channels relative to their mean.
    """

    spectra: Floats
    frames: NDArray[np.int64]
    pattern: Floats


def gain_average(
    source: Any, offsets: Any, signal: str | Signal = "EELS", *, divide: bool = False, quiet: bool = True
) -> GainAverage:
    """Average a series recorded at known energy offsets (drift tube), aligned by the offsets.

    Parameters
    ----------
    source : journal, or (N, Y, X, C) frames
        A journal is read frame by frame, twice.
    offsets : (N,) array
        eV; true energy of a channel = axis value + offset, as for ``energy_shift``. Known from the drift tube, or
        measured: the median of each frame's `zero_loss_shift`.
    signal : str or Signal
        Name of the signal of a journal; a Signal gives the axis of frames.
    divide : bool
        Divide every frame by the estimated pattern before averaging.
    quiet : bool
        No progress bar.

    Returns
    -------
    GainAverage

    Raises
    ------
    UsageError
        If there are fewer than two different offsets, they do not fit the source, or its axis is not even and in eV.

    Notes
    -----
    M. Bosman and V. J. Keast, Ultramicroscopy 108 (2008) 837. A feature of the specimen moves over the channels with
    the offset, one of the detector does not: averaging N offsets that are further apart than the channels' correlation
    leaves 1/sqrt(N) of the pattern. The pattern itself is, channel by channel, the ratio of the data, summed over
    frames and pixels, to the aligned mean spectrum seen at each offset; both are refined in turn (100 rounds). What
    changes over the channels more slowly than the offsets span cannot be told from the specimen and stays in the
    spectra, and so does a pattern that repeats with the distance of equally spaced offsets: space them unequally
    (0, 3, 7, 12, 18 … channels). The beam's current may change from frame to frame.
    """
    series = as_series(source, signal, 0)
    if series.sparse or series.signal.kind == "image":
        raise UsageError(f"gain averaging needs dense spectra, got {series.signal.kind} {series.signal.name!r}")
    if not is_journal(source) and not isinstance(signal, Signal):
        raise UsageError("frames without a journal need signal=Signal(…) with their energy axis")
    energy = even_axis(series.signal)
    moved = np.asarray(offsets, float)
    if moved.shape != (len(series),) or not np.isfinite(moved).all():
        raise UsageError(f"the offsets must be {len(series)} finite numbers, one for each frame, got {offsets!r}")
    if np.ptp(moved) < width(energy):
        raise UsageError("gain averaging needs offsets at least a channel apart")
    seen = track(series, "pattern", len(series), quiet=quiet)
    sums = np.stack([np.where(np.isfinite(frame), frame, 0.0).sum(axis=(0, 1)) for frame in seen])
    pattern = gain_pattern(sums, moved / width(energy))
    total = np.zeros(series.signal.shape)
    frames = np.zeros(energy.size, np.int64)
    for frame, offset in zip(track(series, "gain averaging", len(series), quiet=quiet), moved, strict=True):
        flat = np.asarray(frame) / pattern if divide else np.asarray(frame)
        reached = np.isfinite(shift_spectra(np.zeros(energy.size), offset, energy))
        total += np.where(reached, shift_spectra(flat, offset, energy), 0.0)
        frames += reached
    spectra = np.where(frames > 0, total / np.maximum(frames, 1), np.nan)
    return GainAverage(spectra, frames, pattern)


def gain_pattern(spectra: Floats, offsets: Floats) -> Floats:
    """Sensitivity of the channels, mean 1.

    Parameters
    ----------
    spectra : (N, C) array
        Sum spectrum of every frame.
    offsets : (N,) array
        Channels; channel i of frame n lies at i + offsets[n].

    Returns
    -------
    (C,) float64
        1 where the data say nothing: no counts, or more than 4 times off.
    """
    from scipy.ndimage import map_coordinates

    number, size = spectra.shape
    channels = np.arange(size)
    first = int(np.floor(offsets.min()))
    grid = np.arange(first, size + int(np.ceil(offsets.max())) + 1)  # every place that a frame reaches
    reached = [(grid - offset >= 0) & (grid - offset <= size - 1) for offset in offsets]
    covered = np.maximum(np.sum(reached, axis=0), 1)
    pattern = np.ones(size)
    strength = np.ones(number)
    for _ in range(ROUNDS):
        mean = np.zeros(grid.size)
        for one, offset, inside, factor in zip(spectra / pattern, offsets, reached, strength, strict=True):
            mean[inside] += map_coordinates(one, [grid[inside] - offset], order=3, mode="nearest") / factor
        mean /= covered
        seen = np.any(reached, axis=0)
        model = np.stack(
            [map_coordinates(mean[seen], [channels + o - grid[seen][0]], order=3, mode="nearest") for o in offsets]
        )
        level = (model * pattern).sum(axis=1)
        strength = np.where(level > 0, spectra.sum(axis=1) / np.where(level > 0, level, 1.0), 1.0)
        strength = np.where(strength > 0, strength / max(float(strength.mean()), 1e-300), 1.0)
        expected = (strength[:, None] * model).sum(axis=0)
        counted = spectra.sum(axis=0)
        known = (expected > 0) & (counted > expected / LARGEST) & (counted < expected * LARGEST)
        pattern = np.where(known, counted / np.where(known, expected, 1.0), 1.0)
        pattern /= pattern[known].mean() if known.any() else 1.0
        pattern[~known] = 1.0
    return pattern
