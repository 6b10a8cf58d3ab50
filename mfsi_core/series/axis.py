"""Axis: energies of channels, channels of a window, the end of the zero strobe, and pixel sizes, by a signal's axes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lbj import Signal, UsageError
from lbj.array_types import Floats

Pixel = tuple[float, float]  # edges of a pixel along y and x, m
LEAST_PIXEL, LARGEST_PIXEL = 1e-15, 1.0  # m; what is stated beyond is no size

Window = tuple[float, float]

STROBE = 150.0  # eV; below it lies the zero-strobe peak of a detector


def centres(signal: Signal) -> Floats:
    """Centre of every channel in the axis's unit; the channel's number where the axis is not calibrated."""
    axis = signal.axes[-1]
    if "values" in axis:
        return np.asarray(axis["values"], float)
    return np.asarray(axis.get("offset", 0.0) + axis.get("scale", 1.0) * np.arange(signal.channels))


def units_found(signal: Signal) -> str:
    """Say what the energy axis has in place of eV."""
    units = signal.axes[-1].get("units")
    return f"is in {units!r}, not in eV" if units else "is not calibrated in eV"


def above_strobe(signal: Signal) -> int:
    """First channel above the zero strobe of an X-ray detector; 0 where that leaves none, and for other spectra."""
    if signal.axes[-1].get("units") != "eV" or not (signal.kind == "events" or signal.name.startswith("EDX")):
        return 0
    first = int(np.searchsorted(centres(signal), STROBE))
    return first if first < signal.channels else 0


def width(axis: Floats) -> float:
    """Mean distance of two channels."""
    return float(axis[-1] - axis[0]) / (axis.size - 1) if axis.size > 1 else 1.0


def even_axis(axis: Any) -> Floats:
    """Energies of an evenly spaced axis in eV, of a Signal or as given.

    Raises
    ------
    UsageError
        If it is not in eV, not even or not rising.
    """
    if isinstance(axis, Signal):
        if axis.kind == "image" or axis.axes[-1].get("units") != "eV":
            raise UsageError(f"the energy axis of {axis.name!r} must be in eV")
        energy = centres(axis)
    else:
        energy = np.asarray(axis)
        if energy.ndim != 1 or energy.size == 0 or energy.dtype.kind not in "fiu":
            raise UsageError(f"the axis must be a Signal or an array of energies, got {axis!r}")
        energy = energy.astype(float)
    steps = np.diff(energy)
    if not np.isfinite(energy).all() or (steps.size and not steps.min() > 0):
        raise UsageError("the energy axis must rise")
    if steps.size and np.ptp(steps) > 1e-3 * steps.mean():
        raise UsageError("the energy axis must be evenly spaced")
    return energy


def window_channels(axis: Floats, window: Any, name: str = "window", unit: str = "") -> slice:
    """Channels whose centre lies in a window, its lower end included and its upper not; `unit` is for messages.

    Raises
    ------
    UsageError
        If the window is no pair, reversed, empty or not wholly on the axis.
    """
    try:
        low, high = (float(value) for value in window)
    except (TypeError, ValueError):
        raise UsageError(f"the {name} must be a pair (low, high) of numbers, got {window!r}") from None
    half = abs(width(axis)) / 2
    first, last = float(axis[0]) - half, float(axis[-1]) + half
    of = f" {unit}" if unit else ""
    if not low < high:
        raise UsageError(f"the {name} must run from low to high, got ({low:g}, {high:g}){of}")
    if low < first - 1e-9 * abs(first) or high > last + 1e-9 * abs(last):
        axis_runs = f"the axis, which runs from {first:g} to {last:g}{of}"
        raise UsageError(f"the {name} ({low:g}, {high:g}){of} leaves {axis_runs}")
    start, stop = (int(i) for i in np.searchsorted(axis, [low, high]))
    if start == stop:
        raise UsageError(f"the {name} ({low:g}, {high:g}){of} holds no channel; channels are {2 * half:g}{of} apart")
    return slice(start, stop)


def pixel_size(signal: Signal) -> Pixel | None:
    """Edges of a signal's pixels along y and x, m; None where no axis tells, the other's where one does not."""
    navigation = signal.axes if signal.kind == "image" else signal.axes[:-1]
    edges = [abs(float(axis.get("scale", 0.0))) if axis.get("units") == "m" else math.nan for axis in navigation[-2:]]
    known = [edge for edge in edges if LEAST_PIXEL < edge < LARGEST_PIXEL]
    if not known:
        return None
    return (edges[0] if edges[0] in known else known[-1], edges[-1] if edges[-1] in known else known[-1])
