"""Accumulate: `accumulate`, the aligned sum of all frames with its upsampling; coverage, and the region seen by all."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lbj import UsageError

from ..geometry.registration import Registration
from ..geometry.warp import Warp
from ..series.series import as_series
from .fillers import EXACT, dense, fill_bands, sparse
from .output import bounds, checked_upsampling, rectangle, registration_on


def accumulate(
    source: Any,
    registration: Registration,
    signal: Any = "EDX",
    upsampling: int = 1,
    region: tuple[slice, slice] | None = None,
    channels: slice | None = None,
    method: str = "pull",
    out: Any = None,
    energy_shift: Any = None,
    client: Any = None,
) -> Any:
    """Sum all frames of a series on the undistorted grid.

    Parameters
    ----------
    source : journal, sequence of Events or dense frames
        See `series.as_series`.
    registration : Registration
        One displacement for each frame; frames left out are skipped.
    signal : str or Signal
        Name of a journal's signal; a Signal declares the data of another source.
    upsampling : int
        s >= 1: output pixels per frame pixel and direction.
    region : (slice, slice), optional
        Rows and columns of the output, in output pixels; all by default.
    channels : slice, optional
        Channels of the output; all by default.
    method : {"pull", "push"}
        ``pull``: every output pixel at scene position p samples each frame bilinearly at the q that solves
        q + u(q) = p (u bilinear, edge-extended; of several solutions the one scanned first; where there is none, or q
        lies outside the frame or beside a pixel not recorded, the frame gives nothing). ``push``: every count is
        splatted bilinearly where it was sampled; the sum and what left the field are all events.
    out : HDF5 or zarr dataset, or array, optional
        Filled tile by tile instead of allocating the result; of the result's shape.
    energy_shift : float, (N,) or (N, Y, X) array, optional
        eV, to be added to the signal's energy axis in each frame, or in each of its pixels (where not finite, the
        frame's median): a channel's counts land shift / width channels higher, shared out to the two channels
        around; what leaves the axis is dropped. By default what the frames of a journal have stored; 0 for none.
    client : dask.distributed.Client, optional
        Whose workers sum the frames; they open a journal by its name (`mfsi_core.cluster`).

    Returns
    -------
    (rows, columns, C) or (rows, columns) array
        Plain sums over the frames, divided by neither coverage nor s²; output index i is scene position
        (i + 1/2) / s - 1/2. float32, summed in float64; float64 where a voxel passes 2^24. `out` where given.

    Raises
    ------
    UsageError
        If registration and frames do not fit, an argument is out of range, or spectra are to be shifted whose axis is
        not even and in eV.
    ClusterError
        If the scheduler or its workers fail.

    Notes
    -----
    The result is the same to the last bit whatever the number of threads (`numba.set_num_threads`), tile or region, and
    in this process or by workers.
    The warp acts on the sorted events of every frame, a sparse operator (L. Jones et al. 2018 align dense frames before
    summing); it equals linear interpolation of the dense frames.
    """
    series = as_series(source, signal, energy_shift)
    registration = registration_on(series, registration)
    kept = np.flatnonzero(~registration.left_out)
    if 0 < kept.size < len(registration):
        series, registration = series.subset(kept), registration.subset(kept)
    scale = checked_upsampling(upsampling)
    if method not in ("pull", "push"):
        raise UsageError(f"method must be 'pull' or 'push', got {method!r}")
    rows, columns = rectangle(region, registration.shape, scale)
    window = bounds(channels or slice(None), series.signal.channels, "channels")
    size = (rows[1] - rows[0], columns[1] - columns[0], window[1] - window[0])
    shape = size[:2] if series.signal.kind == "image" else size
    if out is not None and (tuple(out.shape) != shape or np.dtype(out.dtype).kind != "f"):
        raise UsageError(f"out must hold floats of the result's shape {shape}, got {out.dtype} {tuple(out.shape)}")
    warp = Warp(registration.displacement, scale, rows, columns, registration.recorded)
    result = np.zeros(shape, np.float32) if out is None else out
    if 0 in shape:
        return result
    if not kept.size:
        result[:] = 0
        return result
    if client is None:
        filler = (sparse if series.sparse else dense)(series, registration, warp, window, method)
    else:
        from .by_workers import filler_of

        filler = filler_of(client, series, registration, warp, window, method)
    largest = fill_bands(filler, result, size)
    if largest > EXACT and np.dtype(result.dtype) == np.float32:
        if out is not None:
            warnings.warn(f"a voxel holds {largest:.0f}, beyond 2^24: give out as float64 to keep it", stacklevel=2)
            return result
        result = np.zeros(shape, np.float64)
        fill_bands(filler, result, size)
    return result


def coverage(registration: Registration, upsampling: int = 1) -> NDArray[np.uint32]:
    """Count the frames that saw each output pixel.

    Returns
    -------
    (Y*s, X*s) uint32
        Frames whose sampled field holds the pixel, and which recorded it, by the rule of `accumulate`'s ``pull``.
    """
    scale = checked_upsampling(upsampling)
    rows, columns = registration.shape[0] * scale, registration.shape[1] * scale
    warp = Warp(registration.displacement, scale, (0, rows), (0, columns), registration.recorded)
    total = np.zeros((rows, columns), np.uint32)
    for n in np.flatnonzero(~registration.left_out):
        corners = warp.corners(0, rows, slice(n, n + 1))
        total += ((corners.iy >= 0) & (corners.ix >= 0))[0]
    return total


def common_region(registration: Registration) -> tuple[slice, slice]:
    """Largest rectangle of pixels that all frames saw.

    Returns
    -------
    (slice, slice)
        Rows and columns, at upsampling 1; empty slices where no pixel was seen by all.
    """
    seen = coverage(registration) == np.count_nonzero(~registration.left_out)
    height = np.zeros(seen.shape[1], int)
    best, found = 0, (slice(0, 0), slice(0, 0))
    for row, line in enumerate(seen):
        height = np.where(line, height + 1, 0)
        open_at: list[tuple[int, int]] = []
        for column, high in enumerate([*height, 0]):
            start = column
            while open_at and open_at[-1][1] >= high:
                start, tall = open_at.pop()
                if tall * (column - start) > best:
                    best = tall * (column - start)
                    found = (slice(row + 1 - tall, row + 1), slice(start, column))
            open_at.append((start, int(high)))
    return found
