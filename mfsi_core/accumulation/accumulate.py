"""Accumulate: one spectrum image, or image, out of all frames of a registered series."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from lbj import Signal, UsageError

from ..geometry.registration import Registration
from ..geometry.warp import Warp
from ..series.series import Series, series
from . import exact, pull, push

Array = NDArray[Any]
Floats = NDArray[np.float64]
Filler = Callable[[int, int, Array], float]  # fills rows of the output into an array, returns the largest voxel

EXACT = 2**24  # largest whole number up to which float32 counts
BAND_BYTES = 2**27
BLOCK_ROWS = 16
BLOCK_BYTES = 2**24
STRIP_BYTES = 2**20  # of float64 sums, which should stay in cache


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
        See `sources.series`.
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
    given = series(source, signal, energy_shift)
    registration = registration_on(given, registration)
    kept = np.flatnonzero(~registration.left_out)
    if 0 < kept.size < len(registration):
        given, registration = given.subset(kept), registration.subset(kept)
    scale = checked_upsampling(upsampling)
    if method not in ("pull", "push"):
        raise UsageError(f"method must be 'pull' or 'push', got {method!r}")
    rows, columns = _rectangle(region, registration.shape, scale)
    window = bounds(channels or slice(None), given.signal.channels, "channels")
    size = (rows[1] - rows[0], columns[1] - columns[0], window[1] - window[0])
    shape = size[:2] if given.signal.kind == "image" else size
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
        filler = (_sparse if given.sparse else _dense)(given, registration, warp, window, method)
    else:
        from ..cluster.sums import filler_of

        filler = filler_of(client, given, registration, warp, window, method)
    largest = _fill(filler, result, size)
    if largest > EXACT and np.dtype(result.dtype) == np.float32:
        if out is not None:
            warnings.warn(f"a voxel holds {largest:.0f}, beyond 2^24: give out as float64 to keep it", stacklevel=2)
            return result
        result = np.zeros(shape, np.float64)
        _fill(filler, result, size)
    return result


def result_shape(
    signal: Signal, upsampling: int = 1, region: tuple[slice, slice] | None = None, channels: slice | None = None
) -> tuple[int, ...]:
    """Shape of what `accumulate` returns for a signal."""
    return tuple(stop - start for start, stop in _part(signal, upsampling, region, channels))


def result_axes(
    signal: Signal, upsampling: int = 1, region: tuple[slice, slice] | None = None, channels: slice | None = None
) -> list[dict[str, Any]]:
    """Axes of what `accumulate` returns for a signal, calibrated as `Signal.axes`."""
    part, axes = _part(signal, upsampling, region, channels), []
    for number, (axis, (start, stop)) in enumerate(zip(signal.axes, part, strict=True)):
        scale = checked_upsampling(upsampling) if number < 2 else 1
        position = (np.arange(start, stop) + 0.5) / scale - 0.5
        new = {**axis, "size": stop - start}
        if "values" in axis:
            new["values"] = np.interp(position, np.arange(axis["size"]), axis["values"]).tolist()
        elif "scale" in axis:
            new["offset"] = axis["offset"] + axis["scale"] * ((start + 0.5) / scale - 0.5)
            new["scale"] = axis["scale"] / scale
        axes.append(new)
    return axes


def _part(signal: Signal, upsampling: int, region: Any, channels: slice | None) -> list[tuple[int, int]]:
    """First and past-the-last index of every axis of the result."""
    ends = _rectangle(region, signal.shape, checked_upsampling(upsampling))
    if signal.kind != "image":
        ends.append(bounds(channels or slice(None), signal.channels, "channels"))
    return ends


def registration_on(given: Series, registration: Registration) -> Registration:
    """Registration in the signal's pixels, one displacement for each frame, with what was scanned of a journal's."""
    if len(registration) != len(given):
        raise UsageError(f"the registration has {len(registration)} frames, the source {len(given)}")
    areas = np.unique(registration.region[~registration.left_out])
    if areas.size > 1 and not registration.modulo_lattice:
        raise UsageError(
            f"the frames show {areas.size} areas, which were registered each for itself: sum the frames of one, or "
            "register with across=True to lay the areas on one another modulo the lattice"
        )
    moved = registration.on(given.signal)
    if given.recorded is not None:
        moved = moved.subset(slice(None))
        moved.recorded = given.recorded
    return moved


def checked_upsampling(upsampling: Any) -> int:
    """Output pixels per pixel and direction, a whole number from 1 on.

    Raises
    ------
    UsageError
        Naming what was given.
    """
    if not hasattr(upsampling, "__index__") or isinstance(upsampling, bool) or int(upsampling) < 1:
        raise UsageError(f"upsampling must be a whole number from 1 on, got {upsampling!r}")
    return int(upsampling)


def _rectangle(region: Any, shape: tuple[int, ...], scale: int) -> list[tuple[int, int]]:
    """First and past-the-last row and column of a region of the output."""
    spans = (slice(None), slice(None)) if region is None else region
    if not isinstance(spans, (tuple, list)) or len(spans) != 2:
        raise UsageError(f"region must be two slices (rows, columns), got {region!r}")
    names = ("region's rows", "region's columns")
    return [bounds(part, size * scale, name) for part, size, name in zip(spans, shape, names, strict=False)]


def bounds(part: Any, size: int, name: str) -> tuple[int, int]:
    """First and past-the-last index of a slice without steps."""
    if not isinstance(part, slice) or part.step not in (None, 1):
        raise UsageError(f"the {name} must be a slice without a step, got {part!r}")
    try:
        start, stop, _ = part.indices(size)
    except TypeError:
        raise UsageError(f"the {name} must be whole numbers, got {part!r}") from None
    return start, max(start, stop)


def _fill(filler: Filler, result: Any, size: tuple[int, int, int]) -> float:
    """Fill an array or a dataset band by band."""
    step = max(1, min(size[0], BAND_BYTES // (size[1] * size[2] * 8)))
    chunk = (getattr(result, "chunks", None) or (1,))[0]
    step = max(step - step % chunk, 1)
    direct = isinstance(result, np.ndarray)
    largest = 0.0
    for top in range(0, size[0], step):
        bottom = min(top + step, size[0])
        band = result[top:bottom] if direct else np.zeros((bottom - top, *result.shape[1:]), result.dtype)
        largest = max(largest, filler(top, bottom, band[..., None] if band.ndim == 2 else band))
        if not direct:
            result[top:bottom] = band
    return largest


def _in_blocks(work: Callable[[int, int], float], top: int, bottom: int, rows: int) -> float:
    """Deal blocks of rows to threads."""
    starts = range(top, bottom, rows)
    with ThreadPoolExecutor(numba.get_num_threads()) as pool:
        return max(pool.map(lambda start: work(start, min(start + rows, bottom)), starts), default=0.0)


def _sparse(given: Series, registration: Registration, warp: Warp, window: tuple[int, int], method: str) -> Filler:
    listed = pull.by_pixel(given, window)
    fill = (_pull if method == "pull" else _push)(listed, registration, warp)
    ends = np.append(listed.frame[1:], listed.count.size)
    peaks = [float(listed.count[i:j].max(initial=0)) for i, j in zip(listed.frame, ends, strict=True)]
    bound = sum(peaks) if method == "pull" else float(listed.count.sum(dtype=np.float64))
    bound *= 1 if listed.count.dtype.kind == "u" else 2  # two shares of counts may meet in a channel
    rows = max(1, min(BLOCK_ROWS, BLOCK_BYTES // (len(registration) * (warp.columns[1] - warp.columns[0]) * 24)))

    def filler(top: int, bottom: int, view: Array) -> float:
        def work(start: int, stop: int) -> float:
            part = view[start - top : stop - top]
            if bound <= EXACT:
                fill(start, stop, part)
                return 0.0
            exact = np.zeros(part.shape)
            fill(start, stop, exact)
            part[:] = exact
            return float(exact.max(initial=0.0))

        return _in_blocks(work, top, bottom, rows)

    return filler


def _pull(listed: pull.Listed, registration: Registration, warp: Warp) -> Callable[[int, int, Array], None]:
    everything, width = slice(None), registration.shape[1]
    if not warp.rigid or warp.recorded is not None:
        lists = (listed.start, listed.frame, listed.channel, listed.count)
        return lambda start, stop, part: pull.pull_field(*lists, width, *warp.corners(start, stop, everything), part)
    whole, fraction, seen = warp.strides()
    columns = (listed.start, listed.frame, listed.column, listed.channel, listed.count)

    def fill(start: int, stop: int, part: Array) -> None:
        corners = warp.corners(start, stop, everything)
        strip = max(1, STRIP_BYTES // 8 // part.shape[2])
        rows = (np.ascontiguousarray(corners.iy[:, :, 0]), np.ascontiguousarray(corners.fy[:, :, 0]))
        pull.pull_rigid(*columns, width, *rows, whole, fraction, seen, warp.columns[0], strip, part)

    return fill


def _push(listed: pull.Listed, registration: Registration, warp: Warp) -> Callable[[int, int, Array], None]:
    field = registration.displacement
    order = push.by_row(field, warp.upsampling, registration.shape[0] * warp.upsampling)
    lists = (listed.start, listed.frame, listed.channel, listed.count)

    def fill(start: int, _stop: int, part: Array) -> None:
        strip = max(1, STRIP_BYTES // 8 // part.shape[2])
        for left in range(0, part.shape[1], strip):
            corner = (warp.rows[0] + start, warp.columns[0] + left)
            push.push_events(*lists, field, warp.upsampling, *order, *corner, part[:, left : left + strip])

    return fill


def _dense(given: Series, registration: Registration, warp: Warp, window: tuple[int, int], method: str) -> Filler:
    step, guess = dense_plan(given, registration, warp, window, method)
    return exact.filler(partial(dense_totals, given, warp, window, method), guess, step)


def dense_plan(
    given: Series, registration: Registration, warp: Warp, window: tuple[int, int], method: str
) -> tuple[int, float]:
    """Rows summed at a time, and the bound of the sums that the first frame lets expect (`exact.filler`)."""
    step = max(1, 2 * BAND_BYTES // ((warp.columns[1] - warp.columns[0]) * (window[1] - window[0]) * 8))
    first = exact.peak(np.asarray(given.data[0]).reshape((*registration.shape, -1)))
    spread = exact.spreads(registration.displacement, warp.upsampling, method)
    return step, exact.MARGIN * first * float(spread.sum())


def dense_totals(
    given: Iterable[Any], warp: Warp, window: tuple[int, int], method: str, first: int, last: int, rounder: float
) -> tuple[Array, float]:
    """Sums of dense frames in rows of the output, (rows, columns, C) float64, and a bound of all (`exact.filler`)."""
    total = np.zeros((last - first, warp.columns[1] - warp.columns[0], window[1] - window[0]))
    field, bound = warp.displacement, 0.0
    spread = exact.spreads(field, warp.upsampling, method)
    for n, frame in enumerate(given):
        data = np.asarray(frame).reshape((*field.shape[2:], -1))
        bound += exact.peak(data) * float(spread[n])

        def work(start: int, stop: int, n: int = n, data: Array = data) -> float:
            part = total[start - first : stop - first]
            if method == "pull":
                pull.pull_dense(data, window[0], *warp.corners_of(start, stop, n), 1, rounder, part)
            else:
                corner = (warp.rows[0] + start, warp.columns[0])
                push.push_dense(data, window[0], field[n], warp.upsampling, *corner, rounder, part)
            return 0.0

        _in_blocks(work, first, last, max(1, -(-(last - first) // numba.get_num_threads())))
    return total, bound


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
