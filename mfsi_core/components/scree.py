"""Scree: variance ratios of cumulative sums against dose, with the number of significant components."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lbj import Signal, UsageError
from lbj.array_types import Floats, Singles
from lbj.events import Events
from lbj.progress import track

from ..accumulation.accumulate import accumulate
from ..accumulation.output import registration_on
from ..geometry.registration import Registration
from ..series.axis import above_strobe
from ..series.dose import doses
from ..series.series import Series, as_series, is_journal
from .count_splitting import Halves, add_frames, counted_events
from .moments import Moments
from .result import Scree, number_significant

BAND = 2**24  # voxels looked at together


def scree(
    source: Any,
    signal: str | Signal = "EDX",
    frames: Any = None,
    registration: Registration | None = None,
    *,
    client: Any = None,
    quiet: bool = True,
) -> Scree:
    """Weigh the components of cumulative sums of a series against dose.

    Parameters
    ----------
    source : journal, sequence of Events or dense frames
        Counts: see `series.as_series`.
    signal : str or Signal
        Name of a journal's signal; a Signal declares the data of another source.
    frames : sequence of int, optional
        Numbers of frames to sum, from the first on. Default: 1, 4, 9, 16 … and all.
    registration : Registration, optional
        Aligns the frames; those left out are skipped and not counted. Default: they are summed as they are.
    client : dask.distributed.Client, optional
        Whose workers split and sum the frames (`mfsi_core.cluster`).
    quiet : bool
        No progress.

    Returns
    -------
    Scree
        ``variance_ratio`` is of the sum that `accumulate` gives (``pull``); ``significant`` counts the components
        that an independent half of the counts confirms, split before the frames are moved
        (`count_splitting.Halves`). Spectra of a journal, which are no counts but a multiple of them, are not tested.
        The zero strobe of an X-ray detector, below 150 eV, is left out. Where energies are shifted by
        fractions of a channel, significance is of the counts moved by whole channels.

    Raises
    ------
    UsageError
        If the source holds images or values that cannot be counts, the registration does not fit, no frame is left, or
        the numbers of frames are not rising, from 1 to all.

    Notes
    -----
    As figure 5 of L. Jones et al. (2018). The ratios are those of a singular-value decomposition of the sum weighted
    for Poisson noise (`moments.Moments`), uncentred; HyperSpy's ``decomposition(normalize_poissonian_noise=True)``
    gives the same. Drift blurs components, but adds none. Significance holds for Poisson counts: a detector that
    multiplies them makes it too large.
    """
    series = as_series(source, signal)
    if series.signal.kind == "image":
        raise UsageError(f"signal {series.signal.name!r} is an image; components are of spectra")
    if registration is None:
        still = np.zeros((len(series), 2))
        registration = Registration.rigid(still, series.shape, to_field=series.signal.to_field)
    registration = registration_on(series, registration)
    kept = np.flatnonzero(~registration.left_out)
    if not kept.size:
        raise UsageError("every frame was left out by the registration: there is nothing to sum")
    numbers = _numbers(frames, kept.size)
    dose, unit = doses(source, series)
    first = above_strobe(series.signal)
    tested = series.sparse or not is_journal(source)
    halves = Halves((*series.shape, series.signal.channels - first)) if tested else None
    add = _adder(series, registration, kept, first, client)
    ratios, z = [], []
    for before, number in track(list(zip([0, *numbers], numbers, strict=False)), "sums", quiet=quiet):
        halves = _split(halves, series, registration.displacement, kept[before:number], first, client)
        moments = Moments((*series.shape, series.signal.channels - first))
        add(number, moments)
        ratios.append(_ratios(moments))
        z.append(np.zeros(0) if halves is None else halves.z_scores())
    return Scree(
        labels=["cumulative"] * len(numbers),
        frames=np.array(numbers, np.int64),
        dose=np.cumsum(dose[kept])[np.array(numbers) - 1],
        dose_unit=unit,
        variance_ratio=np.array(ratios),
        z=z,
        significant=np.array([number_significant(one) if halves is not None else -1 for one in z], np.int64),
    )


def variance_ratios(spectra: Any) -> Floats:
    """Share of every component in the variance of a spectrum image weighted for Poisson noise.

    Parameters
    ----------
    spectra : Events or (Y, X, C) array
        Counts, whole or fractional.

    Returns
    -------
    (min(Y*X, C),) array
        Largest first; sums to 1, or is 0 without counts.

    Raises
    ------
    UsageError
        If the array has other axes, or holds negative or missing values.
    """
    if isinstance(spectra, Events):
        series, moments = as_series(spectra), Moments(spectra.shape)
        accumulate(series, Registration.rigid(np.zeros((1, 2)), series.shape), out=moments)
        return _ratios(moments)
    if np.ndim(spectra) != 3 or 0 in np.shape(spectra):
        raise UsageError(f"a spectrum image has three axes (rows, columns, channels), got shape {np.shape(spectra)}")
    moments = Moments(spectra.shape)
    step = max(BAND // math.prod(spectra.shape[1:]), 1)
    for top in range(0, len(spectra), step):
        moments[top : top + step] = spectra[top : top + step]
    return _ratios(moments)


def with_sum(result: Scree, spectra: Any, label: str, dose: float, frames: int, signal: Signal | None = None) -> Scree:
    """Return the result with one more sum, such as that over all template matches.

    Parameters
    ----------
    result : Scree
    spectra : Events or (Y, X, C) array
        The sum. Events, and arrays of whole counts, are tested for significant components.
    label : str
        What the sum is called in table and figure.
    dose : float
        Its effective dose, in the result's ``dose_unit``.
    frames : int
        Frames it is made of.
    signal : Signal, optional
        Whose energy axis the sum has: what lies below the strobe of an X-ray detector is left out, as in `scree`.
    """
    first = 0 if signal is None else above_strobe(signal)
    events, z, number = counted_events(spectra, first), np.zeros(0), -1
    ratios = variance_ratios(spectra[..., first:] if events is None else events)
    if events is not None:
        halves = Halves(events.shape)
        halves.add(events, np.zeros((2, *events.shape[:2]), np.float32), 0)
        z = halves.z_scores()
        number = number_significant(z)
    table = np.zeros((len(result) + 1, max(result.variance_ratio.shape[1], ratios.size)))
    table[:-1, : result.variance_ratio.shape[1]] = result.variance_ratio
    table[-1, : ratios.size] = ratios
    return dataclasses.replace(
        result,
        labels=[*result.labels, label],
        frames=np.append(result.frames, frames),
        dose=np.append(result.dose, dose),
        variance_ratio=table,
        z=[*result.z, z],
        significant=np.append(result.significant, number),
    )


def _numbers(frames: Any, available: int) -> list[int]:
    """Numbers of frames to sum."""
    if frames is None:
        return sorted({*(k * k for k in range(1, math.isqrt(available) + 1)), available})
    numbers = list(np.atleast_1d(frames))
    whole = all(hasattr(n, "__index__") and not isinstance(n, bool) for n in numbers)
    if not whole or not numbers or numbers[0] < 1 or numbers[-1] > available or (np.diff(numbers) <= 0).any():
        raise UsageError(
            f"frames must be rising whole numbers from 1 to {available}, the usable frames, got {frames!r}"
        )
    return [int(n) for n in numbers]


def _split(
    halves: Halves | None, series: Series, displacement: Singles, frames: NDArray[np.int64], first: int,
    client: Any,
) -> Halves | None:  # fmt: skip
    """Add the counts of some frames to the halves; None once one holds other than whole counts."""
    if halves is None:
        return None
    if client is None:
        return add_frames(halves, ((int(n), series.nearest(int(n)), displacement[n]) for n in frames), first)
    from .by_workers import halves_of

    found = halves_of(client, series, displacement, frames, first)
    return None if found is None else halves.joined(found)


def _adder(
    series: Series, registration: Registration, kept: NDArray[np.int64], first: int, client: Any
) -> Callable[[int, Moments], None]:
    """Return what sums so many of the frames kept; counts are decoded once for all sums."""
    if series.sparse and client is not None:
        from ..accumulation.by_workers import lists_of

        lists = lists_of(client, series.subset(kept), registration.subset(kept), (first, series.signal.channels))
        return lists.sum
    held = Series(list(series), series.signal) if series.sparse else series

    def add(number: int, out: Moments) -> None:
        frames = kept[:number]
        part = slice(first, None)
        accumulate(held.subset(frames), registration.subset(frames), channels=part, out=out, client=client)

    return add


def _ratios(moments: Moments) -> Floats:
    variances = moments.variances()
    total = float(variances.sum())
    return variances / total if total > 0 else variances
