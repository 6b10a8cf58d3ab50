"""Average: all repeats of a motif in all frames, summed into one image or spectrum image."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numba import njit
from numpy.typing import NDArray

from lbj import Signal, UsageError
from lbj.array_types import Floats

from ..accumulation import pull
from ..accumulation.fillers import BAND_BYTES
from ..accumulation.output import bounds, checked_upsampling, registration_on, result_axes
from ..geometry.bilinear import share_of
from ..geometry.points import Frames
from ..geometry.registration import Registration, affine
from ..geometry.warp import Corners
from ..series.axis import pixel_size
from ..series.series import Series, as_series
from .finding import Motifs

BLOCK_BYTES = 2**24  # of the corners of a block of pixels
LEAST_BLOCKS = 8


@dataclass(frozen=True, eq=False)
class Average:
    """Sum over all repeats of a motif.

    Attributes
    ----------
    values : (h*s, w*s[, C]) float64, or what `out` was
        Plain sums over frames and repeats.
    coverage : (h*s, w*s) int64
        How many samples, of one repeat in one frame each, every pixel got.
    repeats : int
        Repeats that were summed, over all regions and journals.
    axes : list of dict
        Calibrated as `Signal.axes`; y and x count from the motif's centre.
    signal : Signal
        What was summed.
    """

    values: Floats
    coverage: NDArray[np.int64]
    repeats: int
    axes: list[dict[str, Any]]
    signal: Signal

    @property
    def mean(self) -> Floats:
        """Mean of one sample: values over coverage, NaN where there is none."""
        seen = np.where(self.coverage > 0, self.coverage, np.nan)
        return np.asarray(self.values[:] / (seen if self.values.ndim == 2 else seen[..., None]))


def average_motif(
    sources: Any,
    registrations: Any,
    motifs: Any,
    signal: Any = "EDX",
    upsampling: int = 1,
    channels: slice | None = None,
    out: Any = None,
) -> Average:
    """Sum every repeat of a motif in every frame, in event space.

    Parameters
    ----------
    sources : source, or list of them
        As `accumulate` takes them, one for each region or journal; a list is taken for several sources where
        `registrations` is a list.
    registrations : Registration, or list of them
    motifs : Motifs, or list of them
        Positions in pixels of the image that was registered; by frame where `follow_motif` found them by frame.
    signal : str or Signal
        Name of the signal to sum.
    upsampling : int
        s >= 1: output pixels per pixel of the registered image and direction.
    channels : slice, optional
        Channels of the output; all by default.
    out : HDF5 or zarr dataset, or array, optional
        Of floats; filled band by band instead of allocating the result.

    Returns
    -------
    Average
        The pixel at offset d from the motif's centre is the sum over frames and repeats of the frame sampled bilinearly
        at the q that solves q + u(q) = c + R d, c being the repeat's position and R its transform; by the rule of
        `accumulate`'s ``pull``. Output index i is offset (i + 1/2) / s - h / 2.

    Raises
    ------
    UsageError
        If sources, registrations and motifs do not fit, or the motifs differ in size.

    Notes
    -----
    The result is the same to the last bit whatever the number of threads. Besides the result, one frame's data, 16 MB
    for each thread and, with `out`, a band of 128 MB are held; frames are read once a band.
    """
    several = isinstance(registrations, (list, tuple))
    parts = list(zip(sources, registrations, motifs, strict=False)) if several else [(sources, registrations, motifs)]
    if several and not len(sources) == len(registrations) == len(motifs) > 0:
        raise UsageError(
            f"each source needs a registration and motifs, got {len(sources)}, {len(registrations)}, {len(motifs)}"
        )
    scale = checked_upsampling(upsampling)
    size = parts[0][2].size
    all_series = [_checked(*part, signal) for part in parts]
    declared = all_series[0].signal
    window = bounds(channels or slice(None), declared.channels, "channels")
    for other, (_, _, found) in zip(all_series, parts, strict=True):
        if found.size != size:
            raise UsageError(f"the motifs must have one size, got {size} and {found.size}")
        if (other.signal.kind == "image", other.signal.channels) != (declared.kind == "image", declared.channels):
            raise UsageError(f"the sources differ in channels: {declared.shape} and {other.signal.shape}")
    coverage = np.zeros((size[0] * scale, size[1] * scale), np.int64)
    shape = coverage.shape if declared.kind == "image" else (*coverage.shape, window[1] - window[0])
    if out is not None and (tuple(out.shape) != shape or np.dtype(out.dtype).kind != "f"):
        raise UsageError(f"out must hold floats of the result's shape {shape}, got {out.dtype} {tuple(out.shape)}")
    result = np.zeros(shape) if out is None else out
    offset = _offsets(size, scale).reshape((*coverage.shape, 2))
    step = max(1, BAND_BYTES // (max(shape[1], 1) * (window[1] - window[0]) * 8)) if 0 not in shape else shape[0]
    for top in range(0, shape[0], max(step, 1)):
        band = slice(top, min(top + step, shape[0]))
        total = np.zeros((offset[band].size // 2, window[1] - window[0]))
        for one, (_, registration, found) in zip(all_series, parts, strict=True):
            _add(one, registration, found, window, offset[band].reshape(-1, 2), total, coverage[band].reshape(-1))
        result[band] = total.reshape((-1, *shape[1:]))
    repeats = sum(len(found) for _, _, found in parts)
    return Average(result, coverage, repeats, _axes(declared, parts[0][1], size, scale, window), declared)


def _checked(source: Any, registration: Registration, motifs: Motifs, signal: Any) -> Series:
    """Return the series to sum, checked against registration and motifs."""
    series = as_series(source, signal)
    registration_on(series, registration)
    motifs.check(registration)
    return series


def _offsets(size: tuple[int, int], scale: int) -> Floats:
    """Offsets (P, 2) of the output's pixels from the motif's centre, px."""
    y, x = ((np.arange(n * scale) + 0.5) / scale - n / 2 for n in size)
    return np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1).reshape(-1, 2)


def _axes(
    signal: Signal, registration: Registration, size: tuple[int, int], scale: int, window: tuple[int, int]
) -> list[dict[str, Any]]:
    pixel = pixel_size(signal)
    if pixel is not None:
        turn = np.linalg.solve(affine(signal.to_field)[:, :2], affine(registration.to_field)[:, :2])
        scaled = math.sqrt(abs(np.linalg.det(turn)))
        pixel = (pixel[0] * scaled, pixel[1] * scaled)
    steps, units = (pixel, "m") if pixel is not None else ((1.0, 1.0), "px")
    axes = [
        {"name": name, "size": n * scale, "offset": (0.5 / scale - n / 2) * step, "scale": step / scale, "units": units}
        for name, n, step in zip("yx", size, steps, strict=True)
    ]
    if signal.kind != "image":
        axes.append(result_axes(signal, 1, None, slice(*window))[-1])
    return axes


def _add(
    series: Series,
    registration: Registration,
    motifs: Motifs,
    window: tuple[int, int],
    offset: Floats,
    total: Floats,
    coverage: NDArray[np.int64],
) -> None:
    """Add the repeats of one series to `total` (P, C) and to `coverage` (P,)."""
    moved = registration_on(series, registration)
    kept = np.flatnonzero(~moved.left_out)
    if not kept.size or not len(motifs):
        return
    frames = Frames(moved.displacement, moved.recorded)
    other = affine(series.signal.to_field)
    back = np.linalg.inv(other[:, :2])
    mine = affine(registration.to_field)
    turn, shift = back @ mine[:, :2], back @ (mine[:, 2] - other[:, 2])
    matrices = np.stack([motifs.matrices[name] for name in motifs.transform])

    def corners(start: int, stop: int, frame: int) -> Corners:
        """Corners of some pixels in every repeat of one frame, (R, stop - start) each."""
        centre = motifs.positions if motifs.by_frame is None else motifs.by_frame[frame]
        scene = centre[:, None] + np.einsum("rij,pj->rpi", matrices, offset[start:stop])
        found = frames.corners(frame, (scene @ turn.T + shift).reshape(-1, 2))
        shape = (len(centre), stop - start)
        iy, ix, fy, fx = found.iy.reshape(shape), found.ix.reshape(shape), found.fy.reshape(shape), found.fx
        return Corners(iy, ix, fy, fx.reshape(shape))

    block = max(1, min(BLOCK_BYTES // (24 * len(motifs)), -(-len(offset) // LEAST_BLOCKS)))
    spans = [(start, min(start + block, len(offset))) for start in range(0, len(offset), block)]

    def dealt(work: Any) -> None:
        with ThreadPoolExecutor(numba.get_num_threads()) as pool:
            list(pool.map(work, spans))

    if series.sparse:
        for n in kept:
            listed = pull.by_pixel([series.data[int(n)]], window)

            def gathered(span: tuple[int, int], n: int = int(n), listed: pull.Listed = listed) -> None:
                found, out = corners(*span, n), total[slice(*span)]
                _pull_repeats(listed.start[0], listed.channel, listed.count, series.shape[1], *found, out)
                coverage[slice(*span)] += ((found.iy >= 0) & (found.ix >= 0)).sum(axis=0)

            dealt(gathered)
        return
    for n in kept:
        data = np.asarray(series.data[int(n)]).reshape((*series.shape, -1))

        def sampled(span: tuple[int, int], n: int = int(n), data: Any = data) -> None:
            found = corners(*span, n)
            out = total[slice(*span)][:, None]
            for r in range(len(found.iy)):
                one = Corners(found.iy[r, :, None], found.ix[r, :, None], found.fy[r, :, None], found.fx[r, :, None])
                pull.pull_dense(data, window[0], *one, 1, 0.0, out)
            coverage[slice(*span)] += ((found.iy >= 0) & (found.ix >= 0)).sum(axis=0)

        dealt(sampled)


@njit(cache=True, nogil=True)
def _pull_repeats(
    start: Any, channel: Any, count: Any, width: int, iy: Any, ix: Any, fy: Any, fx: Any, total: Any
) -> None:
    """Add one frame's events at the corners (R, P) to `total` (P, C)."""
    repeats, pixels = iy.shape
    for k in range(pixels):
        for r in range(repeats):
            if iy[r, k] < 0 or ix[r, k] < 0:
                continue
            pixel = iy[r, k] * width + ix[r, k]
            down, right = fy[r, k], fx[r, k]
            for corner in range(4):
                weight = share_of(corner, down, right)
                if weight == 0:
                    continue
                p = pixel + (width if corner >= 2 else 0) + corner % 2
                for e in range(start[p], start[p + 1]):
                    total[k, channel[e]] += weight * count[e]
