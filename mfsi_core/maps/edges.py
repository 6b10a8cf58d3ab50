"""Edge maps: `edge_map`, counts of an EELS edge less the power law before it, pixel by pixel, with variance."""

from __future__ import annotations

from typing import Any

import numpy as np

from lbj import Signal, UsageError
from lbj.array_types import Floats

from ..eels.power_law import extrapolate
from ..geometry.registration import Registration
from ..series.axis import Window, window_channels
from ..series.series import Series
from .map import Map
from .window_sums import spectra_of, window_sums

LEAST_CHANNELS = 3


def edge_map(
    source: Any,
    window: Window,
    fit_window: Window,
    signal: str | Signal = "EELS",
    registration: Registration | None = None,
    frames: slice | None = None,
    noise: tuple[float, float] | None = None,
) -> Map:
    """Map an ionisation edge: counts in a window less the power law A E^-r fitted before it.

    Parameters
    ----------
    source : journal, Events, sequence of Events or of (Y, X, C) frames, or (Y, X, C) cube
        A series is summed over its frames.
    window, fit_window : (float, float)
        Behind the edge, and before it, in the unit of the energy axis (eV); channel numbers where no axis is known.
        The fit window ends where the window begins, or lower.
    signal : str or Signal
        Name of the signal of a journal; a Signal gives the axis of a cube.
    registration : Registration, optional
        Sums the frames aligned (`accumulate`'s ``pull``) instead of as they are.
    frames : slice, optional
        Sums only these frames of the series.
    noise : (gain, read), optional
        Noise of a channel of one frame: variance = gain * counts + read². Detector counts per electron, and the
        standard deviation of the read noise in detector counts. Default: estimated once for the whole map from the
        residuals of the fits (Poisson's where there are fewer than 20). Give it for cubes whose channels share noise
        (resampled, or a detector with a broad point spread): their residuals look too small.

    Returns
    -------
    Map
        `values` are net counts of the detector; `variance` holds the counting noise in the window and the
        uncertainty of the extrapolated background (covariance of A and r); `background` is (fit_window,); `noise` the
        noise model used. A and r are fitted pixel by pixel by quasi-likelihood (`log_linear.fit_loglinear`), unbiased
        down to a few electrons per channel; negative counts and zeros are ordinary data. A pixel with a voxel that is
        not finite in either window is NaN, others are not affected; a pixel that no frame saw is 0, as in `line_map`.

    Raises
    ------
    UsageError
        Naming the window that is reversed, off the axis, too narrow, overlapping or at energies from 0 down.

    Notes
    -----
    The model is R. F. Egerton, Electron Energy-Loss Spectroscopy in the Electron Microscope (3rd ed., 2011), ch. 4.4.
    The variance is of the counts; that the background may be no power law it does not know.
    """
    series, axis = spectra_of(source, signal)
    (found,) = net_edges(series, axis, [(window, fit_window)], registration, frames, noise)
    return found


def net_edges(
    series: Series,
    axis: Floats,
    wanted: list[tuple[Window, Window]],
    registration: Registration | None = None,
    frames: slice | None = None,
    noise: tuple[float, float] | None = None,
) -> list[Map]:
    """Map several edges, (window, fit window) each, in one pass over the frames; otherwise as `edge_map`."""
    unit = str(series.signal.axes[-1].get("units", ""))
    model = None if noise is None else _checked(noise)
    pairs = [fitted_channels(axis, window, fit_window, unit) for window, fit_window in wanted]
    parts = [part for behind, before in pairs for part in (*_singly(before), behind)]
    counts, share = _spectra(series, parts, registration, frames or slice(None))
    out, first = [], 0
    for (window, fit_window), (behind, before) in zip(wanted, pairs, strict=True):
        last = first + before.stop - before.start
        part = counts[:, first : last + 1]
        first = last + 1
        known = np.isfinite(part).all(axis=1)
        seen = known & (share[:, 1] > 0)
        found = extrapolate(part[seen, :-1], axis[before], axis[behind], share[seen], model)
        values, variance = np.where(known, 0.0, np.full((2, 1), np.nan))
        inside = part[seen, -1]
        values[seen] = inside - found.counts
        gain, read = found.gain * share[seen, 0], found.read * share[seen, 1]
        variance[seen] = gain * np.maximum(inside, 0.0) + (behind.stop - behind.start) * read + found.variance
        low, high = (float(end) for end in window)
        fitted = ((float(fit_window[0]), float(fit_window[1])),)
        values, variance = values.reshape(series.shape), variance.reshape(series.shape)
        out.append(Map(values, variance, (low, high), fitted, noise=(found.gain, found.read**0.5)))
    return out


def fitted_channels(axis: Floats, window: Window, fit_window: Window, unit: str) -> tuple[slice, slice]:
    """Channels of the window behind an edge, and of the one before it, in which the background is fitted.

    Raises
    ------
    UsageError
        If they overlap or leave the axis, or the second is too short for a fit or reaches 0.
    """
    behind = window_channels(axis, window, unit=unit)
    before = window_channels(axis, fit_window, "fit window", unit)
    if before.stop > behind.start:
        raise UsageError(f"the fit window {fit_window} must lie below the window {window} and not overlap it")
    if before.stop - before.start < LEAST_CHANNELS:
        raise UsageError(
            f"the fit window {fit_window} holds {before.stop - before.start} channels; a power law needs "
            f"{LEAST_CHANNELS} or more"
        )
    if not axis[before.start] > 0:
        raise UsageError(
            f"the fit window {fit_window} begins at {axis[before.start]:g} {unit}; a power law of the energy needs "
            "energies above 0"
        )
    return behind, before


def _singly(part: slice) -> list[slice]:
    return [slice(i, i + 1) for i in range(part.start, part.stop)]


def _checked(noise: Any) -> tuple[float, float]:
    try:
        gain, read = (float(value) for value in noise)
    except (TypeError, ValueError):
        raise UsageError(f"noise must be a pair (gain, read noise), got {noise!r}") from None
    if not (np.isfinite([gain, read]).all() and gain >= 0 and read >= 0 and gain + read > 0):
        raise UsageError(f"noise must be a gain and a read noise, from 0 on and not both 0, got {noise!r}")
    return gain, read**2


def _spectra(
    series: Series, parts: list[slice], registration: Registration | None, frames: slice
) -> tuple[Floats, Floats]:
    """Summed counts (P, K) of the parts, and by which factors a pixel's gain and read variance are to be multiplied."""
    with np.errstate(invalid="ignore"):  # infinities of both signs in one window
        total, _ = window_sums(series, parts, registration, frames)
    counts = total.reshape(-1, len(parts))
    chosen = len(range(len(series))[frames])
    if registration is None:
        return counts, np.tile([1.0, float(chosen)], (len(counts), 1))
    one = np.ones((*series.shape, 1))
    unit = Signal(series.signal.name, "spectra", (*series.shape, 1), to_field=series.signal.to_field)
    weight, square = window_sums(Series([one] * len(series), unit), [slice(0, 1)], registration, frames)
    seen = weight.ravel() > 0
    part = np.divide(square.ravel(), weight.ravel(), out=np.zeros(len(counts)), where=seen)
    return counts, np.stack([part, square.ravel()], axis=1)
