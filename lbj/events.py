"""Events: the counts of one signal in one frame, as a sorted list."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .errors import UsageError

U32_MAX = 2**32 - 1


def _as_u32(name: str, values: Any) -> np.ndarray:
    array = np.asarray(values)
    if array.ndim != 1:
        raise UsageError(f"Events.{name} must be one-dimensional, got shape {array.shape}")
    if array.dtype == np.uint32:
        return np.ascontiguousarray(array)
    if array.size == 0:
        return np.zeros(0, np.uint32)
    if array.dtype.kind not in "iu":
        raise UsageError(f"Events.{name} must be integers, got {array.dtype}")
    if int(array.min()) < 0 or int(array.max()) > U32_MAX:
        raise UsageError(f"Events.{name} must lie in 0..{U32_MAX}, got {array.min()}..{array.max()}")
    return array.astype(np.uint32)


def _sums(index: np.ndarray, count: np.ndarray, size: int) -> np.ndarray:
    """Sum counts by index, exactly: halves of 16 bits stay whole numbers in float64."""
    low, high = (np.bincount(index, part, size).astype(np.uint64) for part in (count & 0xFFFF, count >> 16))
    return low + (high << np.uint64(16))


class Events:
    """Counts of one frame, one entry per voxel that is not empty.

    Parameters
    ----------
    pixel : (n,) uint32
        Pixel of each voxel: the C-order index over the navigation axes, ``y * X + x``.
    channel : (n,) uint32
        Channel of each voxel, 0 … C-1.
    count : (n,) uint32
        Counts in the voxel, at least 1.
    shape : tuple of int
        Shape of the dense frame, ``(Y, X, C)``: navigation axes first, channel last.

    Entries are unique and sorted by (channel, pixel).

    Raises
    ------
    UsageError
        If the arrays differ in length, leave the shape, are unsorted or hold a zero count.
    """

    __slots__ = ("channel", "count", "pixel", "shape")

    def __init__(self, pixel: Any, channel: Any, count: Any, shape: tuple[int, ...]) -> None:
        self.pixel = _as_u32("pixel", pixel)
        self.channel = _as_u32("channel", channel)
        self.count = _as_u32("count", count)
        self.shape = tuple(int(n) for n in shape)
        if len(self.shape) < 2 or min(self.shape) < 1:
            raise UsageError(f"Events.shape must be (…, Y, X, C) with sizes of at least 1, got {shape}")
        self.check()

    def check(self) -> None:
        """Refuse entries that are not as they must be; nothing that was made by `Events(…)` or read by us needs it."""
        n = self.pixel.size
        if self.channel.size != n or self.count.size != n:
            raise UsageError(
                f"pixel, channel and count must be equally long, got {n}, {self.channel.size}, {self.count.size}"
            )
        if n == 0:
            return
        if int(self.pixel.max()) >= self.pixels:
            raise UsageError(f"pixel {self.pixel.max()} lies outside the shape {self.shape} ({self.pixels} pixels)")
        if int(self.channel.max()) >= self.channels:
            raise UsageError(f"channel {self.channel.max()} lies outside the shape {self.shape}")
        if int(self.count.min()) == 0:
            raise UsageError("an event's count must be at least 1; leave empty voxels out")
        same = self.channel[1:] == self.channel[:-1]
        rising = (self.channel[1:] > self.channel[:-1]) | (same & (self.pixel[1:] > self.pixel[:-1]))
        if not rising.all():
            at = int(np.argmin(rising)) + 1
            raise UsageError(
                f"events must be unique and sorted by (channel, pixel); entry {at} is not after entry {at - 1}. "
                "Use Events.from_list to sort and merge"
            )

    @classmethod
    def unchecked(cls, pixel: np.ndarray, channel: np.ndarray, count: np.ndarray, shape: tuple[int, ...]) -> Events:
        """Build without the checks, for arrays that a decoder has just proved sorted and in range."""
        self = object.__new__(cls)
        self.pixel, self.channel, self.count, self.shape = pixel, channel, count, shape
        return self

    @classmethod
    def from_list(cls, pixel: Any, channel: Any, shape: tuple[int, ...], count: Any = None) -> Events:
        """Events from detections in any order; repeats of a voxel are added up.

        Parameters
        ----------
        pixel, channel : (n,) integers
            One entry per detection.
        shape : tuple of int
            ``(Y, X, C)``.
        count : (n,) integers, optional
            Counts per entry; one each when absent.
        """
        pixel, channel = _as_u32("pixel", pixel), _as_u32("channel", channel)
        pixels, channels = math.prod(shape[:-1]), shape[-1]
        if pixel.size and (int(pixel.max()) >= pixels or int(channel.max()) >= channels):
            raise UsageError(
                f"pixel up to {pixel.max()}, channel up to {channel.max()} lie outside the shape {tuple(shape)}"
            )
        voxel = channel.astype(np.uint64) * np.uint64(pixels) + pixel
        if count is None:
            voxel, total = np.unique(voxel, return_counts=True)
        else:
            count = np.asarray(count).astype(np.uint64)
            order = np.argsort(voxel, kind="stable")
            voxel, first = np.unique(voxel[order], return_index=True)
            total = np.add.reduceat(count[order], first) if voxel.size else count[:0]
            voxel, total = voxel[total > 0], total[total > 0]
        return cls(
            (voxel % np.uint64(pixels)).astype(np.uint32),
            (voxel // np.uint64(pixels)).astype(np.uint32),
            total,
            shape,
        )

    @classmethod
    def from_dense(cls, cube: Any) -> Events:
        """Events of a dense array of counts.

        Parameters
        ----------
        cube : (Y, X, C) array
            Counts: any integer type, or floats that hold whole numbers.

        Raises
        ------
        UsageError
            If a value is negative, fractional, not finite or above 2^32-1.
        """
        cube = np.asarray(cube)
        if cube.ndim < 2:
            raise UsageError(
                f"a dense array of counts needs navigation axes and a channel axis, got shape {cube.shape}"
            )
        if cube.dtype.kind not in "biuf":
            raise UsageError(f"counts must be numbers, got {cube.dtype}")
        flat = cube.reshape(-1, cube.shape[-1])
        pixel, channel = np.nonzero(flat)
        value = flat[pixel, channel]
        if value.size:
            bad = ~(value >= 0)
            if value.dtype.kind == "f":
                bad |= value != np.floor(value)
            bad |= value > U32_MAX
            if bad.any():
                at = int(np.argmax(bad))
                where = (*(int(i) for i in np.unravel_index(pixel[at], cube.shape[:-1])), int(channel[at]))
                raise UsageError(
                    f"counts must be whole numbers in 0..{U32_MAX}; found {value[at]} at voxel {where}. "
                    "Store fractional or background-subtracted data as a signal of kind 'spectra'"
                )
        order = np.lexsort((pixel, channel))
        shape = tuple(int(n) for n in cube.shape)
        return cls(
            pixel[order].astype(np.uint32), channel[order].astype(np.uint32), value[order].astype(np.uint32), shape
        )

    @property
    def pixels(self) -> int:
        """Number of pixels, the product of the navigation sizes."""
        return math.prod(self.shape[:-1])

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self.shape[-1]

    @property
    def total(self) -> int:
        """Sum of all counts."""
        return int(self.count.sum(dtype=np.uint64))

    def spectrum(self) -> np.ndarray:
        """Counts per channel, summed over all pixels: (C,) uint64."""
        return _sums(self.channel, self.count, self.channels)

    def image(self) -> np.ndarray:
        """Counts per pixel, summed over all channels: (Y, X) uint64."""
        return _sums(self.pixel, self.count, self.pixels).reshape(self.shape[:-1])

    def dense(self) -> np.ndarray:
        """The dense array of counts: (Y, X, C) uint32."""
        out = np.zeros((self.pixels, self.channels), np.uint32)
        out[self.pixel, self.channel] = self.count
        return out.reshape(self.shape)

    def __len__(self) -> int:
        """Return the number of voxels that are not empty."""
        return int(self.pixel.size)

    def __eq__(self, other: object) -> bool:
        """Compare shape and every entry."""
        if not isinstance(other, Events):
            return NotImplemented
        return self.shape == other.shape and all(
            np.array_equal(getattr(self, name), getattr(other, name)) for name in ("pixel", "channel", "count")
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """Return a one-line summary."""
        return f"<Events {self.total} counts in {len(self)} voxels of {self.shape}>"

    @classmethod
    def sum(cls, parts: list[Events]) -> Events:
        """Add the events of several detectors or frames of equal shape."""
        if len(parts) == 1:
            return parts[0]
        if not parts or any(part.shape != parts[0].shape for part in parts):
            raise UsageError(f"only events of one shape can be added, got {[part.shape for part in parts]}")
        return cls.from_list(
            np.concatenate([part.pixel for part in parts]),
            np.concatenate([part.channel for part in parts]),
            parts[0].shape,
            np.concatenate([part.count for part in parts]),
        )
