"""Guesses: which element a peak is of that nobody named, where several have a line there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lbj.array_types import Floats

from .calibration import calibrate
from .detector import Detector
from .families import Family, families_of
from .peaks import Peak

SIGNIFICANT = 30.0  # standard deviations, from which a peak taken for the wrong element does harm
PEAKS, OPTIONS = 3, 2  # how many peaks are judged, and by how many K, L and M lines each


def settled(
    peaks: Sequence[Peak], counts: Floats, edges: Floats, elements: Sequence[str], beam: float | None, resolution: float
) -> list[Peak]:
    """Put first, among the lines that may explain a peak, that of the element with which the spectrum is fitted best.

    Parameters
    ----------
    peaks : sequence of Peak
        The strongest first.
    counts : (C,) array
        Sum spectrum.
    edges : (C + 1,) array
        Bounds of the channels, eV.
    elements : sequence of str
        Those that are named.
    beam : float or None
        eV.
    resolution : float
        Full width at half maximum at Mn Ka, eV.
    """
    low, high, detector = float(edges[0]), float(edges[-1]), Detector(resolution=resolution)
    known: list[Family] = [f for element in elements for f in families_of(element, low, high, beam)]
    out, judged = list(peaks), 0
    for number, peak in enumerate(out):
        options = _options(peak, elements)
        held = {option: families_of(option, low, high, beam) for option in options}
        held = {option: found for option, found in held.items() if found and found[0] not in known}
        if not held or peak.significance < SIGNIFICANT or judged == PEAKS:
            continue
        best = next(iter(held))
        if len(held) > 1:
            judged += 1
            misfit = {o: calibrate(counts, edges, [*known, *found], detector).deviance_dof for o, found in held.items()}
            best = min(misfit, key=misfit.__getitem__)
            out[number] = replace(peak, lines=sorted(peak.lines, key=lambda line: not line.startswith(f"{best}_")))
        known += held[best]
    return out


def _options(peak: Peak, elements: Sequence[str]) -> list[str]:
    """Elements that nobody named and whose alpha lines may make a peak."""
    if peak.artefact or not peak.lines or not peak.lines[0].endswith("a"):
        return []
    alphas = [line.split("_") for line in peak.lines if line.endswith("a")]
    out: list[str] = []
    for family in "KLM":
        out += [element for element, line in alphas if line[0] == family][:OPTIONS]
    return [element for element in dict.fromkeys(out) if element not in elements]
