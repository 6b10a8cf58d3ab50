"""Output: shape and axes of an aligned sum, and the registration converted to the pixels of a signal."""

from __future__ import annotations

from typing import Any

import numpy as np

from lbj import Signal, UsageError

from ..geometry.registration import Registration
from ..series.series import Series


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
    ends = rectangle(region, signal.shape, checked_upsampling(upsampling))
    if signal.kind != "image":
        ends.append(bounds(channels or slice(None), signal.channels, "channels"))
    return ends


def registration_on(series: Series, registration: Registration) -> Registration:
    """Registration in the signal's pixels, one displacement for each frame, with what was scanned of a journal's."""
    if len(registration) != len(series):
        raise UsageError(f"the registration has {len(registration)} frames, the source {len(series)}")
    areas = np.unique(registration.region[~registration.left_out])
    if areas.size > 1 and not registration.modulo_lattice:
        raise UsageError(
            f"the frames show {areas.size} areas, which were registered each for itself: sum the frames of one, or "
            "register with across=True to lay the areas on one another modulo the lattice"
        )
    moved = registration.on(series.signal)
    if series.recorded is not None:
        moved = moved.subset(slice(None))
        moved.recorded = series.recorded
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


def rectangle(region: Any, shape: tuple[int, ...], scale: int) -> list[tuple[int, int]]:
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
