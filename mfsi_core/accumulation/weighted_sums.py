"""Weighted sums: counts of every pixel's spectrum times weights by channel, over the frames; sum spectra."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import njit

from lbj.array_types import Array, Floats
from lbj.events import Events

from ..geometry.registration import Registration
from ..geometry.warp import Warp
from ..series.series import Series


def weighted_sums(
    series: Series,
    weights: Floats,
    registration: Registration | None,
    frames: slice,
    spectrum: Floats | None = None,
) -> tuple[Floats, Floats]:
    """Sum the counts of every pixel times the weights of their channels.

    Parameters
    ----------
    series : Series
    weights : (C, K) float64
    registration : Registration or None
        Sums the frames aligned.
    frames : slice
        Frames to sum.
    spectrum : (C,) float64, optional
        The spectrum of all pixels is added to it.

    Returns
    -------
    (Y, X, K) float64, twice
        Sums; and their variance if every voxel of a frame is a plain count: counts times squared weights.
    """

    def add(frame: Events | Array, total: Floats, square: Floats) -> None:
        _add(frame, weights, total, square, spectrum)

    return aligned_sums(series, weights.shape[1], registration, frames, add)


def aligned_sums(
    series: Series,
    number: int,
    registration: Registration | None,
    frames: slice,
    add: Callable[[Events | Array, Floats, Floats], None],
) -> tuple[Floats, Floats]:
    """Sum K numbers of every pixel, and their variances, over the frames: (Y, X, K) float64, twice.

    `add` adds those of one frame, as recorded, to the two arrays that it is given.
    """
    shape = (*series.shape, number)
    chosen = range(len(series))[frames]
    total, square = np.zeros(shape), np.zeros(shape)
    if registration is None:
        for n in chosen:
            add(series.data[n], total, square)
        return total, square
    from .output import registration_on
    from .pull import pull_dense

    registration = registration_on(series, registration)
    warp = Warp(registration.displacement, 1, (0, shape[0]), (0, shape[1]), registration.recorded)
    part, spread = np.empty(shape), np.empty(shape)
    for n in chosen:
        if registration.left_out[n]:
            continue
        part[:], spread[:] = 0, 0
        add(series.data[n], part, spread)
        corners = warp.corners_of(0, shape[0], n)
        pull_dense(part, 0, *corners, 1, 0.0, total)
        pull_dense(spread, 0, *corners, 2, 0.0, square)
    return total, square


def sum_spectrum(series: Series) -> Floats:
    """Sum of the spectra of all frames and pixels (C,), voxels that are not finite left out."""
    total = np.zeros(series.signal.channels)
    for frame in series:
        if isinstance(frame, Events):
            total += frame.spectrum()
        else:
            cube = np.asarray(frame, np.float64)
            total += np.where(np.isfinite(cube), cube, 0.0).sum(axis=(0, 1))
    return total


def _add(frame: Events | Array, weights: Floats, total: Floats, square: Floats, spectrum: Floats | None) -> None:
    """Add one frame's weighted counts and their variances."""
    used = np.flatnonzero(weights.any(axis=1))  # so that NaN in a channel without weight does not spoil the sum
    if not isinstance(frame, Events):
        cube = np.asarray(frame, np.float64)
        part = cube[..., used]
        total += part @ weights[used]
        square += np.abs(part) @ weights[used] ** 2
        if spectrum is not None:
            spectrum += np.where(np.isfinite(cube), cube, 0.0).sum(axis=(0, 1))
        return
    if spectrum is not None:
        spectrum += frame.spectrum()
    starts, stops = np.searchsorted(frame.channel, np.stack([used, used + 1])).astype(np.int64)
    sums, squares = (out.reshape(-1, weights.shape[1]) for out in (total, square))
    _add_events(frame.pixel, frame.count, used, starts, stops, weights, sums, squares)


@njit(cache=True, nogil=True)
def _add_events(pixel, count, used, starts, stops, weights, total, square):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Add the events of the channels used; in each, those from `starts` to `stops`."""
    squares = weights**2
    for i in range(used.size):
        row, spread = weights[used[i]], squares[used[i]]
        for e in range(starts[i], stops[i]):
            n, p = float(count[e]), pixel[e]
            for k in range(row.size):
                total[p, k] += n * row[k]
                square[p, k] += n * spread[k]
