"""Summing: spectra of chips summed straight from events, or from cubes, or filtered linearly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import get_num_threads, njit, prange
from numpy.typing import NDArray

from lbj import Signal, UsageError
from lbj.array_types import Floats
from lbj.events import Events
from lbj.frame import Frame

from ..geometry.registration import Registration
from ..series.axis import centres
from ..series.series import Series, as_series, is_journal

BAND_BYTES = 2**27  # of a cube that is held at a time
TILE = 16384  # pixels whose filtered counts stay in cache
LANES = 8  # weights that `_filter_events` applies at once


@dataclass(frozen=True, eq=False)
class Spectra:
    """Spectra of a field, frame after frame.

    Attributes
    ----------
    series : Series
    axis : (C,) array
        Centres of the channels, eV.
    shape : (int, int)
        Rows and columns.
    registration : Registration or None
        Aligns the frames while they are summed.
    metadata : dict
        Of the journal, else empty.
    client : dask.distributed.Client or None
        Whose workers decode the frames, and sum them where they are aligned.
    """

    series: Series
    axis: Floats
    shape: tuple[int, int]
    registration: Registration | None
    metadata: dict[str, Any]
    client: Any = None

    def parts(self) -> Iterator[tuple[int, Any]]:
        """First row, and Events or a (rows, X, C) array."""
        rows = max(BAND_BYTES // (8 * self.shape[1] * self.axis.size), 1)
        bands = [slice(top, min(top + rows, self.shape[0])) for top in range(0, self.shape[0], rows)]
        from ..accumulation.accumulate import accumulate
        from ..cluster.pieces import decoded

        if self.registration is None:
            for frame in self.series if self.client is None else decoded(self.client, self.series):
                if isinstance(frame, Events):
                    yield 0, frame
                else:
                    yield from ((band.start, frame[band]) for band in bands)
            return
        for band in bands:
            part = (band, slice(None))
            yield band.start, accumulate(self.series, self.registration, region=part, client=self.client)

    def sums(self, labels: NDArray[np.int32], chips: int, bin_of: NDArray[np.int32], bins: int) -> Floats:
        """Counts of every chip in every bin: (chips, bins) float64."""
        out = np.zeros((chips, bins))
        flat = labels.ravel()
        whole = chips == 1 and bool((flat >= 0).all())
        for top, part in self.parts():
            if isinstance(part, Events) and whole:
                _sum_channels(part.channel, part.count, bin_of, out)
            elif isinstance(part, Events):
                _sum_events(part.pixel, part.channel, part.count, flat, bin_of, out)
            else:
                data = _checked(part)
                _sum_dense(data, flat[top * self.shape[1] :][: len(data)], bin_of, out)
        return out

    def filtered(self, labels: NDArray[np.int32], chips: int, weights: Floats) -> Floats:
        """Sum over every chip's counts of the weights of their channels.

        Parameters
        ----------
        labels : (Y, X) int32
        chips : int
        weights : (C, m) float64

        Returns
        -------
        (chips, m) float64
        """
        blocks = -(-weights.shape[1] // LANES)
        padded = np.zeros((blocks, len(weights), LANES))
        for j in range(weights.shape[1]):
            padded[j // LANES, :, j % LANES] = weights[:, j]
        out = np.zeros((blocks, chips, LANES))
        flat = labels.ravel()
        alone = int((flat >= 0).sum()) == chips  # a chip a pixel
        bounds = np.linspace(0, flat.size, (int(get_num_threads()) if alone else 1) + 1).astype(np.uint32)
        for top, part in self.parts():
            if isinstance(part, Events):
                for block in range(blocks):
                    used = weights.shape[1] - block * LANES
                    _filter_events(part.pixel, part.channel, part.count, flat, padded[block], used, bounds, out[block])
            else:
                data = _checked(part)
                index = flat[top * self.shape[1] :][: len(data)]
                for block in range(blocks):
                    np.add.at(out[block], index[index >= 0], (data @ padded[block])[index >= 0])
        return out.transpose(1, 0, 2).reshape(chips, -1)[:, : weights.shape[1]]


def spectra_in(source: Any, signal: Any, registration: Registration | None, client: Any = None) -> Spectra:
    """Spectra of a source, with their energies.

    Parameters
    ----------
    source : journal, frame, Events, sequence of Events, or (Y, X, C) cube
    signal : str or Signal
        Name of a journal's signal; a Signal gives the energy axis of Events or of a cube.
    registration : Registration, optional
    client : dask.distributed.Client, optional

    Raises
    ------
    UsageError
        If the source holds no spectra, or no energy axis in eV is known.
    """
    metadata: dict[str, Any] = {}
    first = source[0] if isinstance(source, list) and source else source
    if is_journal(source) or isinstance(first, Frame):
        series = as_series(source, signal)
        metadata = dict((first.journal if isinstance(first, Frame) else source).metadata)
    else:
        series = _arrays(source, signal)
    declared = series.signal
    if declared.kind == "image" or len(declared.shape) != 3:
        raise UsageError(f"quantification needs spectra (Y, X, C), got {declared.kind} of shape {declared.shape}")
    axis = centres(declared)
    if declared.axes[-1].get("units") != "eV":
        raise UsageError(
            f"the energy axis of {declared.name!r} must be in eV, it is in "
            f"{declared.axes[-1].get('units') or 'channels'}; give signal=journal.signals['EDX'], or an lbj.Signal "
            "whose last axis has offset, scale and units"
        )
    if axis.size < 16 or not (np.diff(axis) > 0).all():
        raise UsageError(f"quantification needs at least 16 channels of rising energy, got {axis.size}")
    return Spectra(series, axis, series.shape, registration, metadata, client)


def _arrays(source: Any, signal: Any) -> Series:
    """Events or cubes with the energy axis of a Signal."""
    if isinstance(source, Events) or getattr(source, "ndim", 0) == 3:
        source = [source]
    series = as_series(source, "data")
    if not isinstance(signal, Signal):
        return series
    if series.signal.kind == "image" or signal.channels != series.signal.channels:
        raise UsageError(f"signal {signal.name!r} declares {signal.shape}, the data are {series.signal.shape}")
    axes = [*series.signal.axes[:-1], signal.axes[-1]]
    return Series(
        series.data,
        Signal(signal.name, series.signal.kind, series.signal.shape, axes=axes, metadata=signal.metadata),
    )


def _checked(part: Any) -> Floats:
    """Pixels x channels of a cube; refuses what is no count."""
    data = np.asarray(part, np.float64).reshape(-1, np.shape(part)[-1])
    if not np.isfinite(data).all() or data.min(initial=0) < 0:
        raise UsageError(
            "the cube holds values that are negative or not finite; quantification needs counts, not less a background "
            "nor masked with NaN (leave pixels out by labels of -1)"
        )
    return data


@njit(cache=True, nogil=True)
def _sum_events(pixel, channel, count, labels, bin_of, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for i in range(pixel.size):
        b = bin_of[channel[i]]
        if b >= 0:
            chip = labels[pixel[i]]
            if chip >= 0:
                out[chip, b] += count[i]


@njit(cache=True, nogil=True)
def _sum_channels(channel, count, bin_of, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """All pixels in one chip: the channels of sorted events come in runs."""
    ends = np.searchsorted(channel, np.arange(1, bin_of.size + 1).astype(np.uint32))
    start = 0
    for c in range(bin_of.size):
        total = 0.0
        for i in range(start, ends[c]):
            total += count[i]
        start = ends[c]
        if bin_of[c] >= 0:
            out[0, bin_of[c]] += total


@njit(cache=True, nogil=True)
def _sum_dense(data, labels, bin_of, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for i in range(data.shape[0]):
        chip = labels[i]
        if chip >= 0:
            for c in range(data.shape[1]):
                if bin_of[c] >= 0:
                    out[chip, bin_of[c]] += data[i, c]


@njit(cache=True, nogil=True, parallel=True)
def _filter_events(pixel, channel, count, labels, weights, used, bounds, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Visit the events tile by tile of pixels, whose results stay in cache, with eight weights in registers.

    The first `used` of the weights are wanted. Ranges of pixels between the `bounds` are visited side by side; their
    pixels belong to different chips.
    """
    channels = weights.shape[0]
    ends = np.searchsorted(channel, np.arange(1, channels + 1).astype(np.uint32))
    for part in prange(bounds.size - 1):
        at = np.empty(channels, np.int64)
        start = 0
        for c in range(channels):
            at[c] = start + np.searchsorted(pixel[start : ends[c]], bounds[part])
            start = ends[c]
        for top in range(bounds[part] + TILE, bounds[part + 1] + TILE, TILE):
            top = min(top, bounds[part + 1])  # noqa: PLW2901
            for c in range(channels):
                i, last = at[c], ends[c]
                w0, w1, w2, w3 = weights[c, 0], weights[c, 1], weights[c, 2], weights[c, 3]
                w4, w5, w6, w7 = weights[c, 4], weights[c, 5], weights[c, 6], weights[c, 7]
                while i < last and pixel[i] < top:
                    chip = labels[pixel[i]]
                    if chip >= 0:
                        row, n = np.uint64(chip), float(count[i])
                        out[row, 0] += n * w0
                        out[row, 1] += n * w1
                        out[row, 2] += n * w2
                        out[row, 3] += n * w3
                        if used > 4:
                            out[row, 4] += n * w4
                            out[row, 5] += n * w5
                        if used > 6:
                            out[row, 6] += n * w6
                            out[row, 7] += n * w7
                    i += 1
                at[c] = i
