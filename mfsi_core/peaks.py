"""Peaks: lines that stand out of a sum spectrum whose elements nobody named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .energy import width
from .lines import candidates, fwhm, lines_of

Floats = NDArray[np.float64]

LEAST_SIGNIFICANCE = 8.0  # standard deviations above the local background


@dataclass(frozen=True)
class Peak:
    """A peak of a sum spectrum.

    Attributes
    ----------
    energy, fwhm : float
        eV.
    significance : float
        Standard deviations above the local background.
    lines : list of str
        Lines that may explain it: weaker lines of elements that explain stronger peaks, else alpha lines.
    """

    energy: float
    fwhm: float
    significance: float
    lines: list[str]


def find_peaks(
    counts: NDArray[Any],
    energy: Floats,
    resolution: float = 130.0,
    low: float = 150.0,
    beam_energy: float | None = None,
    elements: Sequence[str] = (),
) -> list[Peak]:
    """Find the peaks of a sum spectrum, the most significant first.

    Counts within one width of the detector are compared with the mean of as wide windows one and a half widths below
    and above.

    Parameters
    ----------
    counts, energy : (C,) arrays
        Counts; centres of the channels, eV.
    resolution : float
        Full width at half maximum at Mn Ka, eV.
    low : float
        Energy below which nothing is looked for, eV.
    beam_energy : float, optional
        eV.
    elements : sequence of str
        Elements known to be there.
    """
    step = width(energy)
    if energy.size < 3 or step <= 0:
        return []
    widths = np.array([fwhm(max(e, 0.0), resolution) for e in energy])
    half = np.maximum(np.round(widths / 2 / step).astype(int), 0)
    away = np.maximum(np.round(1.5 * widths / step).astype(int), 2 * half + 1)
    total = np.concatenate([[0.0], np.cumsum(counts, dtype=np.float64)])
    index = np.arange(energy.size)

    def window(centre: NDArray[Any]) -> Floats:
        low_end, high_end = np.clip(centre - half, 0, energy.size), np.clip(centre + half + 1, 0, energy.size)
        return np.asarray(total[high_end] - total[low_end])

    inside = (index - away - half >= 0) & (index + away + half < energy.size) & (energy >= low)
    middle, sides = window(index), (window(index - away) + window(index + away)) / 2
    significance = np.where(inside, (middle - sides) / np.sqrt(np.maximum(middle + sides / 2, 1)), 0)
    found: list[Peak] = []
    for i in np.argsort(-significance, kind="stable"):
        if significance[i] < LEAST_SIGNIFICANCE:
            break
        if all(abs(energy[i] - peak.energy) > 1.2 * peak.fwhm for peak in found):
            part = slice(max(i - half[i], 0), i + half[i] + 1)
            above = np.maximum(counts[part] - sides[i] / (2 * half[i] + 1), 0)
            place = float((energy[part] * above).sum() / above.sum()) if above.sum() > 0 else float(energy[i])
            tolerance = max(0.25 * float(widths[i]), 1.5 * step)
            first = [peak.lines[0].split("_")[0] for peak in found if peak.lines]
            lines = explained(place, tolerance, [*elements, *first]) or candidates(place, tolerance, beam_energy)
            found.append(Peak(place, float(widths[i]), float(significance[i]), lines))
    return [_second_thought(peak, found) for peak in found]


def _second_thought(peak: Peak, found: list[Peak]) -> Peak:
    """Where a peak's element explains nothing else, prefer a line of one that explains three other peaks."""
    shares: dict[str, int] = {}
    for other in found:
        for line in other.lines[:1]:
            shares[line.split("_")[0]] = shares.get(line.split("_")[0], 0) + 1
    if not peak.lines or shares[peak.lines[0].split("_")[0]] > 1:
        return peak
    lines = explained(peak.energy, peak.fwhm / 2, [element for element, count in shares.items() if count >= 3])
    return replace(peak, lines=lines or peak.lines)


def explained(energy: float, tolerance: float, elements: list[str]) -> list[str]:
    """Lines of the elements, of at least 3 % of their family, that lie at an energy (eV), the strongest first."""
    found: dict[str, float] = {}
    for element in dict.fromkeys(elements):
        for line in lines_of(element, energy - tolerance, energy + tolerance):
            if line.weight >= 0.03:
                name = f"{element}_{line.name[:2]}"
                found[name] = found.get(name, 0.0) + line.weight
    return sorted(found, key=lambda name: -found[name])
