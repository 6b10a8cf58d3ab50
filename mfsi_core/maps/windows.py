"""Windows for line maps: their default width, and net counts less a straight background between two others."""

from __future__ import annotations

import numpy as np

from lbj import UsageError
from lbj.array_types import Floats

from ..accumulation.weighted_sums import weighted_sums
from ..geometry.registration import Registration
from ..series.axis import Window, centres, width, window_channels
from ..series.series import Series
from ..tables.lines import fwhm
from .map import Map

LINE_HALF_WIDTH = 1.2  # of an element's window, in full widths at half maximum
FARTHEST = 4  # widths of the window to its background; beyond, a straight line is no guide


def line_window(energy: float, resolution: float = 130.0) -> Window:
    """Window of 1.2 full widths to either side of a line, eV; `resolution` is the full width at Mn Ka."""
    reach = LINE_HALF_WIDTH * fwhm(energy, resolution)
    return energy - reach, energy + reach


def window_maps(
    series: Series,
    windows: dict[str, Window],
    blocked: list[Window],
    registration: Registration | None = None,
    frames: slice | None = None,
) -> dict[str, Map]:
    """Map several windows in one pass, each clipped to the axis, with the nearest backgrounds clear of `blocked`.

    Windows too near an axis's ends to have channel and background are left out of the result.
    """
    axis = centres(series.signal)
    step = abs(width(axis))
    wanted = {}
    for name, (low, high) in windows.items():
        middle = min(max((low + high) / 2, float(axis[0])), float(axis[-1]))
        part = (
            max(min(low, middle - 0.51 * step), float(axis[0]) - step / 2),
            min(max(high, middle + 0.51 * step), float(axis[-1]) + step / 2),
        )
        pair = clear(axis, part, blocked)
        if pair is not None:
            wanted[name] = (part, pair)
    found = net_maps(series, axis, list(wanted.values()), registration, frames) if wanted else []
    return dict(zip(wanted, found, strict=True))


def adjacent_background(axis: Floats, window: Window, unit: str = "") -> tuple[Window, Window]:
    """Background windows half as wide as the window, on either side of it; both on one side at the axis's end."""
    window_channels(axis, window, unit=unit)
    pair = clear(axis, (float(window[0]), float(window[1])), [])
    if pair is None:
        raise UsageError(f"the axis leaves no room for a background beside the window {window}; name it")
    return pair


def clear(axis: Floats, window: Window, blocked: list[Window]) -> tuple[Window, Window] | None:
    """Nearest stretches below and above the window, half as wide, that no blocked stretch touches."""
    step = abs(width(axis))
    size = max(round((window[1] - window[0]) / step / 2), 1)
    part = window_channels(axis, window)
    free = np.ones(axis.size, bool)
    for low, high in blocked:
        free[(axis > low) & (axis < high)] = False
    free[part] = False
    room = np.convolve(free, np.ones(size, int), "valid") == size if size <= axis.size else np.zeros(0, bool)
    starts = np.flatnonzero(room)
    if blocked:
        far = FARTHEST * 2 * size
        starts = starts[(starts + size > part.start - far) & (starts < part.stop + far)]
    below, above = starts[starts + size <= part.start], starts[starts >= part.stop]
    if below.size and above.size:
        pair = (int(below[-1]), int(above[0]))
    elif above.size and above[-1] >= above[0] + size:
        pair = (int(above[0]), int(above[above >= above[0] + size][0]))
    elif below.size and below[0] + size <= below[-1]:
        pair = (int(below[below + size <= below[-1]][-1]), int(below[-1]))
    else:
        return clear(axis, window, []) if blocked else None
    first, second = ((float(axis[i]) - step / 2, float(axis[i + size - 1]) + step / 2) for i in pair)
    return first, second


def net_maps(
    series: Series,
    axis: Floats,
    wanted: list[tuple[Window, tuple[Window, Window]]],
    registration: Registration | None,
    frames: slice | None,
    spectrum: Floats | None = None,
) -> list[Map]:
    """Map windows less the straight line through the mean counts of their backgrounds; see `lines.line_map`."""
    unit = str(series.signal.axes[-1].get("units", ""))
    weights = window_weights(axis, wanted, unit)
    values, variance = weighted_sums(series, weights, registration, frames or slice(None), spectrum)
    return [
        Map(values[..., k], variance[..., k], (float(window[0]), float(window[1])), pair)
        for k, (window, pair) in enumerate(wanted)
    ]


def window_weights(axis: Floats, wanted: list[tuple[Window, tuple[Window, Window]]], unit: str = "") -> Floats:
    """Weight of every channel (C, K) in the net counts of each window: 1 inside, below 0 in the backgrounds.

    Raises
    ------
    UsageError
        Naming the window that is reversed, empty, off the axis or overlaps another.
    """
    weights = np.zeros((axis.size, len(wanted)))
    for k, (window, (below, above)) in enumerate(wanted):
        peak = window_channels(axis, window, unit=unit)
        low = window_channels(axis, below, "lower background window", unit)
        high = window_channels(axis, above, "upper background window", unit)
        if max(peak.start, low.start) < min(peak.stop, low.stop) or max(peak.start, high.start) < min(
            peak.stop, high.stop
        ):
            raise UsageError(f"the background windows {below} and {above} must not overlap the window {window}")
        if max(low.start, high.start) < min(low.stop, high.stop):
            raise UsageError(f"the background windows {below} and {above} must not overlap")
        middle = [float(axis[part].mean()) for part in (low, high)]
        toward = (axis[peak] - middle[0]) / (middle[1] - middle[0])
        weights[peak, k] = 1.0
        weights[low, k] = -(1 - toward).sum() / (low.stop - low.start)
        weights[high, k] = -toward.sum() / (high.stop - high.start)
    return weights
