"""Moving: counts or spectra shifted along the energy axis by channels, whole or fractional."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from lbj.array_types import Floats
from lbj.events import Events


class SharedEvents(Events):
    """Events moved by a fraction of a channel: their counts are shared out to two channels, and are float64."""

    __slots__ = ()

    @property
    def total(self) -> float:  # type: ignore[override]
        """Sum of all counts."""
        return float(self.count.sum())

    def spectrum(self) -> Floats:
        """Counts per channel, summed over all pixels: (C,) float64."""
        return np.asarray(np.bincount(self.channel, self.count, self.channels), float)

    def image(self) -> Floats:
        """Counts per pixel, summed over all channels: (Y, X) float64."""
        return np.asarray(np.bincount(self.pixel, self.count, self.pixels), float).reshape(self.shape[:-1])

    def dense(self) -> Floats:
        """Dense array of counts: (Y, X, C) float64."""
        out = np.zeros((self.pixels, self.channels))
        out[self.pixel, self.channel] = self.count
        return out.reshape(self.shape)


def move(data: Any, channels: Floats) -> Any:
    """Move the spectra of one frame upwards.

    Parameters
    ----------
    data : Events or (Y, X, C) array
    channels : (1,) or (Y*X,) float64
        By how many channels each pixel's spectrum moves; negative: downwards.

    Returns
    -------
    Events or (Y, X, C) array
        A count at channel c lands at c + move; where that is no whole number it is shared out to the two channels
        around, by how near they are (linear interpolation, which keeps sums): `SharedEvents`, or float64. Moves by
        whole channels keep integers. What leaves the axis is dropped.
    """
    if not channels.any():
        return data
    return _move_events(data, channels) if isinstance(data, Events) else _move_spectra(np.asarray(data), channels)


def _move_events(events: Events, channels: Floats) -> Events:
    move = channels[events.pixel] if channels.size > 1 else np.broadcast_to(channels, len(events))
    whole = np.floor(move)
    part = move - whole
    pixel, channel, count = events.pixel, events.channel + whole.astype(np.int64), events.count
    shared = bool(part.any())
    if shared:
        pixel, channel = np.concatenate([pixel, pixel]), np.concatenate([channel, channel + 1])
        count = np.concatenate([(1 - part) * count, part * count])
    inside = (channel >= 0) & (channel < events.channels) & (count > 0)
    pixel, channel, count = pixel[inside], channel[inside], count[inside]
    if shared or channels.size > 1:
        voxel = channel * events.pixels + pixel
        order = np.argsort(voxel, kind="stable")
        voxel, pixel, channel, count = voxel[order], pixel[order], channel[order], count[order]
    if shared and count.size:  # shares of two channels meet in one
        first = np.flatnonzero(np.diff(voxel, prepend=-1))
        pixel, channel, count = pixel[first], channel[first], np.add.reduceat(count, first)
    kind = SharedEvents if shared else Events
    return kind.unchecked(pixel.astype(np.uint32), channel.astype(np.uint32), count, events.shape)


def _move_spectra(cube: NDArray[Any], channels: Floats) -> NDArray[Any]:
    whole = np.floor(channels).astype(np.int64)
    part = channels - whole
    spectra = np.ascontiguousarray(cube.reshape(-1, cube.shape[-1]))
    out = np.zeros(spectra.shape, np.float64 if part.any() else cube.dtype)
    shape = (len(spectra),)
    _share(spectra, np.broadcast_to(whole, shape), np.broadcast_to(part, shape), out)
    return out.reshape(cube.shape)


@njit(cache=True, nogil=True, parallel=True)
def _share(spectra: Any, whole: Any, part: Any, out: Any) -> None:
    channels = spectra.shape[1]
    for i in prange(len(spectra)):
        for c in range(max(whole[i], 0), min(channels + whole[i], channels)):
            if part[i] > 0:
                out[i, c] += (1 - part[i]) * spectra[i, c - whole[i]]
            else:
                out[i, c] = spectra[i, c - whole[i]]
        if part[i] > 0:
            for c in range(max(whole[i] + 1, 0), min(channels + whole[i] + 1, channels)):
                out[i, c] += part[i] * spectra[i, c - whole[i] - 1]
