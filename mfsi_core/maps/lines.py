"""Line maps: `line_map` and `element_maps`, net counts of X-ray lines pixel by pixel, with their variance."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np

from lbj import Signal, UsageError

from ..accumulation.weighted_sums import sum_spectrum
from ..edx.axis_check import check_axis, resolution_of
from ..geometry.registration import Registration
from ..series.axis import STROBE, Window, centres, width
from ..series.series import Series, is_journal
from ..tables.lines import best_line, line_energy, lines_of
from .line_filter import line_filter, shown_lines
from .map import Map
from .overlaps import LEAST_WEIGHT, line_overlaps
from .window_sums import spectra_of
from .windows import adjacent_background, line_window, net_maps, window_maps

METHODS = ("filter", "windows")


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
    series, axis = spectra_of(source, signal)
    unit = str(series.signal.axes[-1].get("units", ""))
    below, above = background or adjacent_background(axis, window, unit)
    spectrum = np.zeros(axis.size)
    (line,) = net_maps(series, axis, [(window, (below, above))], registration, frames, spectrum)
    about = source.metadata if is_journal(source) else {}
    named, beam = elements or about.get("elements"), about.get("beam_energy")
    for text in line_overlaps(series.signal, spectrum, line.window, line.background, named, beam):
        warnings.warn(text, stacklevel=2)
    return line


def element_maps(
    source: Any,
    elements: list[str],
    signal: str | Signal = "EDX",
    registration: Registration | None = None,
    beam_energy: float | None = None,
    frames: slice | None = None,
    method: str = "filter",
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
    method : {"filter", "windows"}
        ``filter``: all lines of all elements, peaks that nobody named and a smooth background are fitted to the sum
        spectrum of all frames, and every pixel's counts of each line are told apart by one linear filter
        (`line_filter`). ``windows``: counts in windows of 1.2 full widths (the detector's at that energy) to either
        side of the line, less a linear background as near as it keeps clear of all lines of the elements named.

    Returns
    -------
    dict of str to Map
        Net counts of the alpha lines, or those of the windows. `Map.flags` say why a map is to be distrusted. Where the
        lines say that the energy axis is off (`edx.axis_check`) it is corrected, which the flags say too.

    Raises
    ------
    UsageError
        If an element is unknown, or a filter cannot be made.

    Warns
    -----
    UserWarning
        For ``windows``: if another line reaches into the window or its background, or these lie on one side.
    """
    if method not in METHODS:
        raise UsageError(f"maps are made by {' or '.join(map(repr, METHODS))}, got {method!r}")
    series, axis = spectra_of(source, signal)
    named, spectrum = list(dict.fromkeys(elements)), sum_spectrum(series)
    doubts: tuple[str, ...] = ()
    if series.signal.axes[-1].get("units") == "eV" and spectrum.min(initial=0.0) >= 0:
        checked = check_axis(spectrum, axis, named, beam_energy, resolution_of(series.signal))
        series, doubts = replace(series, signal=checked.signal(series.signal)), tuple(checked.notes)
    if method == "filter":
        tool = line_filter(spectrum, series.signal, named, beam_energy)
        maps = tool.maps(series, registration, frames)
        own = {name.split("_")[0]: one for name, one in maps.items() if "_" in name}
        return {element: replace(one, flags=(*one.flags, *doubts)) for element, one in own.items()}
    found = windowed_maps(series, named, registration, beam_energy, frames)
    for element, one in found.items():
        said = line_overlaps(series.signal, spectrum, one.window, one.background, named, beam_energy)
        found[element] = replace(one, flags=(*said, *doubts))
        for text in said:
            warnings.warn(f"{one.line}: {text}", stacklevel=2)
    return found


def windowed_maps(
    series: Series,
    elements: list[str],
    registration: Registration | None = None,
    beam_energy: float | None = None,
    frames: slice | None = None,
) -> dict[str, Map]:
    """Map elements by windows; see `element_maps`."""
    axis = centres(series.signal)
    step = abs(width(axis))
    first, last = float(axis[0]) - step / 2, float(axis[-1]) + step / 2
    resolution = float(series.signal.metadata.get("energy_resolution") or 130.0)
    blocked: list[Window] = [(-np.inf, STROBE)]
    shown = {} if beam_energy is not None else shown_lines(sum_spectrum(series), series.signal, elements)
    chosen: dict[str, str] = {}
    for element in elements:
        blocked += [
            line_window(line.energy, resolution)
            for line in lines_of(element, first, last)
            if line.weight >= LEAST_WEIGHT and (beam_energy is None or line.edge < beam_energy)
        ]
        name = shown.get(element) or best_line(element, max(first, 0.0), last, beam_energy)
        if name is not None:
            chosen[element] = name
    windows = {element: line_window(line_energy(name), resolution) for element, name in chosen.items()}
    found = window_maps(series, windows, blocked, registration, frames)
    return {element: replace(one, line=chosen[element]) for element, one in found.items()}
