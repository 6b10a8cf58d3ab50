"""Sums over windows: counts of a series in some channels, pixel by pixel."""

from __future__ import annotations

from typing import Any

import numpy as np

from lbj import Signal, UsageError
from lbj.array_types import Array, Floats
from lbj.events import Events

from ..accumulation.weighted_sums import aligned_sums
from ..geometry.registration import Registration
from ..series.axis import centres
from ..series.series import Series, as_series, is_journal


def spectra_of(source: Any, signal: str | Signal) -> tuple[Series, Floats]:
    """Spectra of a source, a cube standing for a series of one frame, and the centres of their channels."""
    if not is_journal(source) and not isinstance(source, Events) and np.ndim(source[0] if len(source) else 0) == 2:
        source = [np.asarray(source)]
    series = as_series(source, signal)
    if series.signal.kind == "image":
        raise UsageError(f"maps need spectra, got {series.signal.kind} {series.signal.name!r} of {series.signal.shape}")
    return series, centres(series.signal)


def window_sums(
    series: Series,
    parts: list[slice],
    registration: Registration | None,
    frames: slice,
    spectrum: Floats | None = None,
) -> tuple[Floats, Floats]:
    """Counts in each of K windows, summed over the frames.

    Parameters
    ----------
    series : Series
    parts : list of slice
        Channels of each window.
    registration : Registration or None
        Sums the frames aligned.
    frames : slice
        Frames to sum.
    spectrum : (C,) float64, optional
        The spectrum of all pixels is added to it.

    Returns
    -------
    (Y, X, K) float64, twice
        Counts; and their variance if every voxel of a frame is a plain count.
    """

    def add(frame: Events | Array, total: Floats, square: Floats) -> None:
        counts = _window_counts(frame, parts, spectrum)
        total += counts
        square += np.abs(counts)

    total, square = aligned_sums(series, len(parts), registration, frames, add)
    return total, np.abs(total) if registration is None else square


def _window_counts(frame: Events | Array, parts: list[slice], spectrum: Floats | None = None) -> Floats:
    if spectrum is not None:
        spectrum += frame.spectrum() if isinstance(frame, Events) else np.asarray(frame).sum(axis=(0, 1), dtype=float)
    if not isinstance(frame, Events):
        cube = np.asarray(frame)
        return np.stack([cube[..., part].sum(axis=-1, dtype=np.float64) for part in parts], axis=-1)
    out = np.empty((frame.pixels, len(parts)))
    for k, part in enumerate(parts):
        first, last = np.searchsorted(frame.channel, [part.start, part.stop])
        out[:, k] = np.bincount(frame.pixel[first:last], frame.count[first:last], frame.pixels)
    return out.reshape((*frame.shape[:-1], len(parts)))
