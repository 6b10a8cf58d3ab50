"""Maps: net counts of a line, pixel by pixel, with their variance."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lbj import Signal, UsageError

from .disturbing import LEAST_WEIGHT, disturbing
from .energy import STROBE, Window, centres, width, window_channels
from .lines import best_line, fwhm, line_energy, lines_of
from .registration import Registration
from .sources import Series, is_journal
from .window_sums import spectra_of, window_sums

Floats = NDArray[np.float64]

LINE_HALF_WIDTH = 1.2  # of an element's window, in full widths at half maximum
FARTHEST = 4  # widths of the window to its background; beyond, a straight line is no guide


@dataclass(frozen=True, eq=False)
class Map:
    """A map of net counts.

    Attributes
    ----------
    values, variance : (Y, X) float64
        Net counts and their variance, counts².
    window : (float, float)
        Line window, in the axis's unit.
    background : tuple of (float, float)
        Background windows below and above the line; before an edge, one.
    line : str
        Name of the line or edge, where it was chosen by name.
    noise : (float, float) or None
        Of an edge map: gain and read noise of the detector, counts per electron and counts.
    """

    values: Floats
    variance: Floats
    window: Window
    background: tuple[Window, ...]
    line: str = ""
    noise: tuple[float, float] | None = None


def line_map(
    source: Any,
    window: Window,
    background: tuple[Window, Window] | None = None,
    signal: str | Signal = "EDX",
    registration: Registration | None = None,
    frames: slice | None = None,
    elements: list[str] | None = None,
) -> Map:
    """Map an X-ray line: counts in a window less a linear background between two others.

    Parameters
    ----------
    source : journal, Events, sequence of Events, or (Y, X, C) cube
        A series is summed over its frames, in event space.
    window : (float, float)
        In the unit of the energy axis (eV); channel numbers where no axis is known.
    background : ((float, float), (float, float)), optional
        Windows below and above the line. Default: beside it, each half as wide.
    signal : str or Signal
        Name of the signal of a journal; a Signal gives the axis of a cube or of Events.
    registration : Registration, optional
        Sums the frames aligned (`accumulate`'s ``pull``) instead of as they are.
    frames : slice, optional
        Sums only these frames of the series.
    elements : list of str, optional
        Symbols of what the specimen holds, for the warnings; default: those the journal names.

    Returns
    -------
    Map
        The background under the line is the straight line through the mean counts per channel of both windows. The
        variance is Poisson's, propagated through background and interpolation; for a cube it takes every voxel for a
        plain count, which is too high for a cube that was interpolated.

    Raises
    ------
    UsageError
        Naming the window that is reversed, empty, off the axis or overlaps another.

    Warns
    -----
    UserWarning
        If another line of the elements lies in a window or, where no elements are known, another peak of the sum
        spectrum.
    """
    given, axis = spectra_of(source, signal)
    unit = str(given.signal.axes[-1].get("units", ""))
    below, above = background or beside(axis, window, unit)
    spectrum = np.zeros(axis.size)
    (line,) = _net(given, axis, [(window, (below, above))], registration, frames, spectrum)
    about = source.metadata if is_journal(source) else {}
    named, beam = elements or about.get("elements"), about.get("beam_energy")
    for text in disturbing(given.signal, spectrum, line.window, line.background, named, beam):
        warnings.warn(text, stacklevel=2)
    return line


def element_maps(
    source: Any,
    elements: list[str],
    signal: str | Signal = "EDX",
    registration: Registration | None = None,
    beam_energy: float | None = None,
    frames: slice | None = None,
) -> dict[str, Map]:
    """Map elements by their best lines.

    Parameters
    ----------
    source, signal, registration, frames
        As for `line_map`; the energy axis in eV.
    elements : list of str
        Symbols. Those without a line on the axis are left out of the result.
    beam_energy : float, optional
        eV; decides which shells are ionised.

    Returns
    -------
    dict of str to Map
        Windows of 1.2 full widths (the detector's at that energy) to either side of the line; backgrounds as near as
        they keep clear of all lines of the elements named.
    """
    given, axis = spectra_of(source, signal)
    step = abs(width(axis))
    first, last = float(axis[0]) - step / 2, float(axis[-1]) + step / 2
    resolution = float(given.signal.metadata.get("energy_resolution") or 130.0)
    blocked: list[Window] = [(-np.inf, STROBE)]
    chosen: dict[str, str] = {}
    for element in dict.fromkeys(elements):
        blocked += [
            line_window(line.energy, resolution)
            for line in lines_of(element, first, last)
            if line.weight >= LEAST_WEIGHT and (beam_energy is None or line.edge < beam_energy)
        ]
        name = best_line(element, max(first, 0.0), last, beam_energy)
        if name is not None:
            chosen[element] = name
    windows = {element: line_window(line_energy(name), resolution) for element, name in chosen.items()}
    found = window_maps(given, windows, blocked, registration, frames)
    return {element: replace(one, line=chosen[element]) for element, one in found.items()}


def line_window(energy: float, resolution: float = 130.0) -> Window:
    """Window of 1.2 full widths to either side of a line, eV; `resolution` is the full width at Mn Ka."""
    reach = LINE_HALF_WIDTH * fwhm(energy, resolution)
    return energy - reach, energy + reach


def window_maps(
    given: Series,
    windows: dict[str, Window],
    blocked: list[Window],
    registration: Registration | None = None,
    frames: slice | None = None,
) -> dict[str, Map]:
    """Map several windows in one pass, each clipped to the axis, with the nearest backgrounds clear of `blocked`.

    Windows too near an axis's ends to have channel and background are left out of the result.
    """
    axis = centres(given.signal)
    step = abs(width(axis))
    wanted = {}
    for name, (low, high) in windows.items():
        middle = min(max((low + high) / 2, float(axis[0])), float(axis[-1]))
        part = (
            max(min(low, middle - 0.51 * step), float(axis[0]) - step / 2),
            min(max(high, middle + 0.51 * step), float(axis[-1]) + step / 2),
        )
        pair = _clear(axis, part, blocked)
        if pair is not None:
            wanted[name] = (part, pair)
    found = _net(given, axis, list(wanted.values()), registration, frames) if wanted else []
    return dict(zip(wanted, found, strict=True))


def map_snr(a: Any, b: Any = None, truth: Any = None) -> float:
    """Signal-to-noise ratio of a map.

    Parameters
    ----------
    a, b : Map or (Y, X) array
        A map; or the maps of two halves of a series.
    truth : (Y, X) array, optional
        What the map should be.

    Returns
    -------
    float
        With truth: mean true signal over the rms error of `a`. With two halves: sqrt(2r / (1 - r)) of their sum, r
        being their correlation; 0 where they do not correlate. Pixels that are not finite do not enter.
    """
    first = np.asarray(a.values if isinstance(a, Map) else a, float)
    if truth is not None:
        right = np.asarray(truth, float)
        if right.shape != first.shape:
            raise UsageError(f"map and truth differ in shape: {first.shape} and {right.shape}")
        known = np.isfinite(first) & np.isfinite(right)
        if not known.any():
            return 0.0
        error = float(np.sqrt(np.mean((first[known] - right[known]) ** 2)))
        return float(right[known].mean() / error) if error > 0 else float("inf")
    if b is None:
        raise UsageError("map_snr needs a second map or the truth")
    second = np.asarray(b.values if isinstance(b, Map) else b, float)
    if second.shape != first.shape:
        raise UsageError(f"the maps differ in shape: {first.shape} and {second.shape}")
    known = np.isfinite(first) & np.isfinite(second)
    if not known.any():
        return 0.0
    one, two = (values[known] - values[known].mean() for values in (first, second))
    norm = float(np.sqrt((one * one).sum() * (two * two).sum()))
    r = float((one * two).sum()) / norm if norm > 0 else 0.0
    if r <= 0:
        return 0.0
    return float(np.sqrt(2 * r / (1 - r))) if r < 1 else float("inf")


def beside(axis: Floats, window: Window, unit: str = "") -> tuple[Window, Window]:
    """Background windows half as wide as the window, on either side of it; both on one side at the axis's end."""
    window_channels(axis, window, unit=unit)
    pair = _clear(axis, (float(window[0]), float(window[1])), [])
    if pair is None:
        raise UsageError(f"the axis leaves no room for a background beside the window {window}; name it")
    return pair


def _clear(axis: Floats, window: Window, blocked: list[Window]) -> tuple[Window, Window] | None:
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
        return _clear(axis, window, []) if blocked else None
    first, second = ((float(axis[i]) - step / 2, float(axis[i + size - 1]) + step / 2) for i in pair)
    return first, second


def _net(
    given: Series,
    axis: Floats,
    wanted: list[tuple[Window, tuple[Window, Window]]],
    registration: Registration | None,
    frames: slice | None,
    spectrum: Floats | None = None,
) -> list[Map]:
    parts, shares = [], []
    unit = str(given.signal.axes[-1].get("units", ""))
    for window, (below, above) in wanted:
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
        parts += [peak, low, high]
        shares.append(
            ((1 - toward).sum() / (low.stop - low.start), toward.sum() / (high.stop - high.start)),
        )
    total, square = window_sums(given, parts, registration, frames or slice(None), spectrum)
    out = []
    for i, ((window, pair), (a, b)) in enumerate(zip(wanted, shares, strict=True)):
        counts, noise = ([data[..., 3 * i + j] for j in range(3)] for data in (total, square))
        net, variance = counts[0] - a * counts[1] - b * counts[2], noise[0] + a * a * noise[1] + b * b * noise[2]
        out.append(Map(net, variance, (float(window[0]), float(window[1])), pair))
    return out
