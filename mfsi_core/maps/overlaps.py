"""Line overlaps: warnings on other lines that lie in the window of a line map or in its background."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lbj import Signal

from ..edx.peaks import find_peaks
from ..series.axis import STROBE, Window, centres
from ..tables.lines import fwhm, lines_of, symbols

LEAST_WEIGHT = 0.02  # share of its family from which a line is reported
STRONG = 0.05  # share from which it is also reported where only its flank reaches into a window,
REACH = 0.6  # in full widths to either side, which hold 85 % of its counts

Place = tuple[str, str, float]  # element, what to call it, energy


def line_overlaps(
    signal: Signal,
    spectrum: NDArray[Any],
    window: Window,
    background: Sequence[Window],
    elements: Sequence[str] | None,
    beam_energy: float | None = None,
) -> list[str]:
    """Say which other lines lie in the windows of a line map.

    Parameters
    ----------
    signal : Signal
        With its energy axis in eV; of other axes nothing is said.
    spectrum : (C,) array
        Sum spectrum, asked for its peaks where no elements are known.
    window, background
        As for `lines.line_map`, eV.
    elements : sequence of str or None
        Symbols; unknown ones are passed over.
    beam_energy : float, optional
        eV; decides which shells are ionised.

    Returns
    -------
    list of str
        A sentence per line that reaches into a window, and one if both background windows lie on one side. The line
        mapped is the one strongest and nearest to the middle of `window`; in `window` only lines of other elements are
        foreign, in the background every line is.
    """
    if signal.axes[-1].get("units") != "eV":
        return []
    resolution = float(signal.metadata.get("energy_resolution") or 130.0)
    if elements:
        places = _lines(elements, beam_energy)
    else:
        axis = centres(signal)
        peaks = find_peaks(np.nan_to_num(spectrum), axis, resolution, STROBE, beam_energy)
        places = {(f"{p.energy:.0f}", _peak(p), p.energy): p.significance for p in peaks}
    return _foreign(places, window, background, resolution) + _one_sided(window, background)


def _one_sided(window: Window, background: Sequence[Window]) -> list[str]:
    for side, found in (
        ("below", [part[1] <= window[0] for part in background]),
        ("above", [part[0] >= window[1] for part in background]),
    ):
        if len(found) > 1 and all(found):
            return [f"both background windows lie {side} the window: a straight line through them is no good guide"]
    return []


def _lines(elements: Sequence[str], beam_energy: float | None) -> dict[Place, float]:
    known = [element for element in dict.fromkeys(elements) if element in symbols()]
    return {
        (element, f"the line {element}_{line.name}", line.energy): line.weight
        for element in known
        for line in lines_of(element)
        if line.weight >= LEAST_WEIGHT and (beam_energy is None or line.edge < beam_energy)
    }


def _peak(peak: Any) -> str:
    return "a peak" + (f", perhaps {peak.lines[0]}," if peak.lines else "")


def _foreign(places: dict[Place, float], window: Window, background: Sequence[Window], resolution: float) -> list[str]:
    def within(part: Window, reach: float = 0.0) -> list[Place]:
        def near(place: Place) -> bool:
            more = reach * fwhm(place[2], resolution) if places[place] >= STRONG else 0.0
            return part[0] - more <= place[2] < part[1] + more

        return sorted(filter(near, places), key=lambda place: -places[place])

    middle = (window[0] + window[1]) / 2
    inside = within(window)
    sigma = fwhm(max(middle, 0.0), resolution) / 2.355
    own = max(inside, key=lambda place: math.log(places[place]) - ((place[2] - middle) / sigma) ** 2 / 2, default=None)
    found: dict[tuple[str, str], str] = {}
    for part, name in ((window, "window"), *((pair, "background window") for pair in background)):
        for element, text, energy in within(part, REACH):
            if name == "background window" or own is None or element != own[0]:
                where = f"the {name} ({part[0]:g}, {part[1]:g}) eV"
                how = "lies in" if part[0] <= energy < part[1] else "reaches into"
                found.setdefault((text[:-1], where), f"{text} at {energy:.0f} eV {how} {where}")
    return list(found.values())
