"""Source of a chart: the spectrum image, summed, shifted and freed of spikes, with its noise and drift."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lbj import Signal, UsageError
from lbj.array_types import Floats

from ..eels.noise import Noise, measure_noise, without_spikes
from ..eels.saturation import Saturation
from ..series.axis import centres
from ..series.energy_shifts import energy_shifts
from ..series.series import Series, as_series, is_journal
from .drift import LARGEST, Drift, drift_of_edges, drift_of_shifts, refuse_drift

LEAST_CHANNELS, LEAST_PIXELS = 16, 4
HELD = 0.9  # share of the spectra that must hold a channel for noise to be measured on it; others were filled
LOW_LOSS = "EELS-LL"


@dataclass(frozen=True, eq=False)
class Spectra:
    """A spectrum image, summed over its frames.

    Attributes
    ----------
    cube : (Y, X, C) array
        Finite, without spikes.
    mean : (C,) float64
    axis : (C,) float64
        eV.
    noise : Noise
    drift : Drift or None
        None where shifts were given.
    shifts : array or None
        Those applied, eV.
    notes : list of str
    """

    cube: NDArray
    mean: Floats
    axis: Floats
    noise: Noise
    drift: Drift | None
    shifts: Floats | None
    notes: list[str]


def spectrum_image(source: Any, signal: str | Signal) -> tuple[Series, Floats]:
    """Frames and energies of a source.

    Raises
    ------
    UsageError
        If it holds events or images, no frame, fewer than 16 channels or 4 pixels, or an axis that is not evenly
        spaced, ascending and in eV.
    """
    if is_journal(source):
        if not len(source):
            raise UsageError("the journal holds no complete frame; a chart is picked by the data")
    elif hasattr(source, "ndim") and source.ndim == 3:
        source = [np.asarray(source)]
    series = as_series(source, signal, 0)  # shifts are applied by whole channels: `summed`
    declared = series.signal
    if declared.kind != "spectra":
        what = "counted events, which need no chart" if declared.kind == "events" else "images"
        raise UsageError(f"signal {declared.name!r} holds {what}; a chart is for dense spectra such as EELS")
    if declared.channels < LEAST_CHANNELS:
        raise UsageError(f"a chart needs {LEAST_CHANNELS} channels or more, {declared.name!r} has {declared.channels}")
    if series.shape[0] * series.shape[1] < LEAST_PIXELS:
        raise UsageError(
            f"a chart needs {LEAST_PIXELS} pixels or more, of which the mean spectrum is taken; {declared.name!r} has "
            f"{series.shape[0] * series.shape[1]}"
        )
    axis = centres(declared)
    steps = np.diff(axis)
    if declared.axes[-1].get("units") != "eV" or not (steps > 0).all() or np.ptp(steps) > 1e-3 * steps.mean():
        raise UsageError(f"the energy axis of {declared.name!r} must be calibrated in eV, even and ascending")
    return series, axis


def summed(series: Series, axis: Floats, onsets: list[float], shifts: Any, source: Any) -> Spectra:
    """Sum the frames, shifted where shifts are given, and measure noise and drift.

    Raises
    ------
    UsageError
        If the spectra are constant or hold no finite value, the shifts do not fit, or the energy drifts.
    """
    notes: list[str] = []
    moved = _shifts(shifts, series, source, notes)
    step = float(axis[1] - axis[0])
    full = Saturation(series.signal)

    def frames() -> Iterator[NDArray]:
        from ..eels.shift_spectra import shift_spectra

        for index in range(len(series)):
            cube = np.asarray(series.data[index])
            full.add(cube)
            # By whole channels, which leaves the noise of channels independent.
            yield cube if moved is None else shift_spectra(cube, np.round(moved[index] / step) * step, axis)

    total: NDArray | None = None
    with np.errstate(invalid="ignore"):
        for cube in frames():
            total = cube.astype(np.float32) if total is None else total + cube
    assert total is not None
    notes += full.told()
    cube, mean, holes = _filled(total)
    if holes:
        notes.append(f"{holes} voxels are not finite or were shifted off the axis; they did not enter the choice")
    held = np.isfinite(total).mean(axis=(0, 1)) > HELD
    noise = measure_noise(cube[..., held], mean[held]) if held.sum() >= LEAST_CHANNELS else measure_noise(cube, mean)
    cube, spikes = without_spikes(cube, mean, noise)
    if spikes:
        mean = cube.mean(axis=(0, 1), dtype=float)
        notes.append(f"{spikes} spikes (X-rays on the detector) did not enter the choice")
    drift = None
    if moved is None:
        drift = _drift(series, axis, mean, onsets, noise, source, cube, notes)
        refuse_drift(drift, step)
        if not drift.known:
            notes.append(
                f"the spectra are too weak to tell an energy drift of {LARGEST:g} channels "
                f"(it is below {drift.limit:.2g})"
                if np.isfinite(drift.limit)
                else "no edge on the axis shows an energy drift: none could be measured"
            )
    return Spectra(cube, mean, axis, noise, drift, moved, notes)


def _drift(
    series: Series,
    axis: Floats,
    mean: Floats,
    onsets: list[float],
    noise: Noise,
    source: Any,
    cube: NDArray,
    notes: list[str],
) -> Drift:
    if is_journal(source) and LOW_LOSS in source.signals and series.signal.name != LOW_LOSS:
        low_loss = drift_of_shifts(_measured(source, LOW_LOSS, notes), float(axis[1] - axis[0]), LOW_LOSS)
        if np.isfinite(low_loss.limit):
            return low_loss
    if len(series) == 1:
        return drift_of_edges([cube], mean, axis, onsets, noise)
    one = Noise(noise.gain, noise.read / np.sqrt(len(series)), noise.correlation)

    def clean() -> Iterator[NDArray]:
        for index in range(len(series)):
            frame, own, _ = _filled(np.asarray(series.data[index]))
            yield without_spikes(frame, own, one)[0]

    return drift_of_edges(clean(), mean / len(series), axis, onsets, one)


def _measured(source: Any, low_loss: str, notes: list[str]) -> Floats:
    """Shifts of every spectrum by its zero-loss peak; what is doubtful of them is noted."""
    from ..eels.zero_loss import zero_loss_shift

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = zero_loss_shift(source, low_loss)
    notes += [f"{low_loss}: {one.message}" for one in caught if one.category is UserWarning]
    return found


def _shifts(shifts: Any, series: Series, source: Any, notes: list[str]) -> Floats | None:
    """Shifts as an array with a frame, row and column axis, (N, 1, 1) or (N, Y, X); those stored unless told."""
    if shifts is None and is_journal(source):
        shifts = energy_shifts(source, series.signal.name)
    if shifts is None:
        return None
    if isinstance(shifts, str):
        if not is_journal(source):
            raise UsageError(f"shifts={shifts!r} names a low-loss signal, which only a journal has")
        found = _measured(source, shifts, notes)
        if not np.isfinite(found).any():
            raise UsageError(f"shifts cannot be measured on {'; '.join(notes)}. Give them as FILE.npy, or 0")
        return found
    values = np.asarray(shifts, float)
    if values.shape == (len(series),):
        values = values[:, None, None]
    elif values.shape == series.shape and len(series) == 1:
        values = values[None]
    if values.shape not in ((len(series), 1, 1), (len(series), *series.shape)):
        raise UsageError(
            f"shifts of shape {np.shape(shifts)} do not fit {len(series)} frames of "
            f"{series.shape[0]} x {series.shape[1]} "
            "pixels: give (N,), (N, Y, X), or (Y, X) for one frame"
        )
    if not np.isfinite(values).any():
        raise UsageError("no shift is a finite number")
    return values


def _filled(cube: NDArray) -> tuple[NDArray, Floats, int]:
    """Cube with its holes filled by the mean spectrum at the pixel's level, the mean spectrum, and the holes."""
    finite = np.isfinite(cube)
    holes = int(cube.size - np.count_nonzero(finite))
    if holes == cube.size:
        raise UsageError("the spectra, or their sum over the frames, hold no finite value")
    known = cube[finite] if holes else cube
    if known.min() == known.max():
        raise UsageError(f"every voxel has the value {float(known.min()):g}: there is nothing to chart")
    if not holes:
        return cube, cube.mean(axis=(0, 1), dtype=float), 0
    data = np.where(finite, cube, 0)
    total, level = data.sum(axis=(0, 1), dtype=float), np.ones(cube.shape[:2])
    for _ in range(2):  # a channel that only bright pixels have is not brighter
        mean = total / np.maximum(np.tensordot(level, finite, 2), 1e-300)
        below = finite @ mean
        level = np.divide(data.sum(axis=2, dtype=float), below, out=np.ones(below.shape), where=below > 0)
    filled = np.where(finite, cube, (level[..., None] * mean).astype(cube.dtype))
    return filled, filled.mean(axis=(0, 1), dtype=float), holes
