"""Peaks: lines that stand out of a sum spectrum, and which of them are escape or sum peaks of others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lbj.array_types import Floats

from ..series.axis import width
from ..tables.constants import mass_attenuation
from ..tables.lines import candidates, fwhm, lines_of
from .detector import efficiency

LEAST_SIGNIFICANCE = 8.0  # standard deviations above the local background
TOLERANCE = 0.25  # full widths from a peak to the line that explains it; 1.5 channels at least
BESIDE = 60.0  # eV from a strong line of a named element within which a peak is taken for that line,
WITHIN = 0.6  # if it is also within so many full widths
STRONG = 0.2  # share of its family, from which a line is strong
SLACK = {"K": 2.0, "L": 3.0, "M": 4.0}  # by how much a line may exceed the table's share of its family
MINOR = 0.03  # share from which a line explains a peak where the main line of its family cannot be seen,
SOLE = 0.01  # and from which the strongest one does that can be seen
SILICON, SILICON_EDGE = 1740.0, 1839.0  # eV; the energy that escapes from a detector, and from where on
K_YIELD, K_SHARE = 0.05, 0.92  # of silicon's K shell: fluorescence yield, and share of the absorption
ESCAPES = 3.0  # by how much an escape peak may exceed the part that is expected
PILE_UP = 0.05  # of all counts at most fall together with another, unless sums of the strongest lines allow for more:
ALIKE, HIGHEST_RATE = 1.5, 0.5  # times the least of their rates, and this at most
LACKING = 0.3  # share of the counts that a candidate's side line should have, below which it is ruled out


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
        Lines that may explain it: lines of the elements known, and of those that explain stronger peaks, as far as they
        are strong enough by the other lines of their family; else alpha lines, those whose side lines are seen first.
    artefact : str
        What the detector makes of stronger peaks, where that explains it: ``escape from Ca_Ka``, ``Si_Ka + Si_Ka``.
    hidden : bool
        Whether a line of a known element lies there that is too weak to explain it.
    """

    energy: float
    fwhm: float
    significance: float
    lines: list[str]
    artefact: str = ""
    hidden: bool = False


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
    seen = _Seen(counts, energy, resolution, beam_energy)
    inside = seen.whole & (energy >= low)
    significance = np.where(inside, seen.net / seen.error, 0)
    found: list[Peak] = []
    for i in np.argsort(-significance, kind="stable"):
        if significance[i] < LEAST_SIGNIFICANCE:
            break
        if all(abs(energy[i] - peak.energy) > 1.2 * peak.fwhm for peak in found):
            place = seen.place(int(i))
            first = [peak.lines[0].split("_")[0] for peak in found if peak.lines]
            found.append(
                seen.named(Peak(place, float(seen.widths[i]), float(significance[i]), []), found, elements, first)
            )
    return [_second_thought(peak, found) for peak in found]


class _Seen:
    """Net counts of a peak at every channel: within one width of the detector, less windows beside it."""

    def __init__(self, counts: NDArray[Any], energy: Floats, resolution: float, beam_energy: float | None) -> None:
        self.counts, self.energy, self.beam = counts, energy, beam_energy
        self.step = step = width(energy)
        self.widths = np.array([fwhm(max(e, 0.0), resolution) for e in energy])
        self.half = half = np.maximum(np.round(self.widths / 2 / step).astype(int), 0)
        away = np.maximum(np.round(1.5 * self.widths / step).astype(int), 2 * half + 1)
        total = np.concatenate([[0.0], np.cumsum(counts, dtype=np.float64)])
        index = np.arange(energy.size)

        def window(centre: NDArray[Any]) -> Floats:
            low_end, high_end = np.clip(centre - half, 0, energy.size), np.clip(centre + half + 1, 0, energy.size)
            return np.asarray(total[high_end] - total[low_end])

        self.whole = (index - away - half >= 0) & (index + away + half < energy.size)
        middle, below, above = (window(index + shift) for shift in (0, -away, away))
        self.sides = (below + above) / 2
        self.most = middle - np.minimum(below, above)  # what a line may hold at most, beside a stronger one
        self.net = middle - self.sides
        self.error = np.sqrt(np.maximum(middle + self.sides / 2, 1))
        self.total = float(total[-1])

    def place(self, i: int) -> float:
        """Centre of the counts above the sides, eV."""
        part = slice(max(i - self.half[i], 0), i + self.half[i] + 1)
        above = np.maximum(self.counts[part] - self.sides[i] / (2 * self.half[i] + 1), 0)
        return float((self.energy[part] * above).sum() / above.sum()) if above.sum() > 0 else float(self.energy[i])

    def at(self, energy: float) -> tuple[float, float, float] | None:
        """Net counts, their error, and the most that they may be, at an energy; None where it cannot be seen."""
        i = int(np.argmin(np.abs(self.energy - energy)))
        if abs(self.energy[i] - energy) > self.step or not self.whole[i]:
            return None
        return float(self.net[i]), float(self.error[i]), float(self.most[i])

    def named(self, peak: Peak, found: list[Peak], elements: Sequence[str], guessed: list[str]) -> Peak:
        """Say what a peak may be, given the stronger ones."""
        net, error, _ = self.at(peak.energy) or (0.0, 1.0, 0.0)
        tolerance = max(TOLERANCE * peak.fwhm, 1.5 * self.step)
        reach = min(BESIDE, WITHIN * peak.fwhm)
        near = [
            line
            for element in dict.fromkeys(elements)
            for line in lines_of(element, peak.energy - reach, peak.energy + reach)
            if line.weight >= STRONG and (self.beam is None or line.edge < self.beam)
        ]
        if near:
            nearest = min(near, key=lambda line: abs(line.energy - peak.energy))
            away = abs(nearest.energy - peak.energy) + tolerance
            if self._expected(peak.energy, away, [nearest.element], net) + 3 * error >= net:
                known = explained(peak.energy, away, [nearest.element], STRONG)
                return replace(peak, lines=known)
        known = explained(peak.energy, tolerance, [*elements, *guessed], 0.0)
        if known and self._expected(peak.energy, tolerance, [*elements, *guessed], net) + 3 * error >= net:
            return replace(peak, lines=known)
        artefact = self._artefact(peak, net, error, found)
        if artefact:
            return replace(peak, artefact=artefact)
        lines = candidates(peak.energy, tolerance, self.beam)
        lines = [line for line in lines if line.split("_")[0] not in elements or line not in known]
        lines.sort(key=lambda line: self._lacks(line, net))
        return replace(peak, lines=lines, hidden=bool(known or near))

    def _expected(self, energy: float, tolerance: float, elements: Sequence[str], net: float) -> float:
        """Most counts that lines of the elements may have at an energy, by the main line of each family."""
        most = 0.0
        for element in dict.fromkeys(elements):
            for line in lines_of(element, energy - tolerance, energy + tolerance):
                if self.beam is not None and line.edge >= self.beam:
                    continue
                main = max((o for o in lines_of(element) if o.family == line.family), key=lambda o: o.weight)
                if abs(main.energy - line.energy) <= 2 * tolerance:
                    return net
                there = self.at(main.energy)
                if there is None:
                    seen = [o.weight for o in lines_of(element) if o.family == line.family and self.at(o.energy)]
                    most += net if line.weight >= min(MINOR, max([SOLE, *seen])) else 0.0
                else:
                    share = line.weight * _efficiency(line.energy) / (main.weight * _efficiency(main.energy))
                    most += SLACK[line.family] * share * max(there[2] + 3 * there[1], 0.0)
        return most

    def _artefact(self, peak: Peak, net: float, error: float, found: list[Peak]) -> str:
        """Escape or sum of stronger peaks that explains a peak."""
        tolerance = max(TOLERANCE * peak.fwhm, 1.5 * self.step)
        lines = [(other, (self.at(other.energy) or (0.0,))[0]) for other in found if not other.artefact]
        sums = [(other, (self.at(other.energy) or (0.0,))[0]) for other in found if "+" in other.artefact]
        for other, counts in lines:
            away = abs(other.energy - SILICON - peak.energy)
            if away < tolerance and net - 3 * error < ESCAPES * escape_share(other.energy) * counts:
                return f"escape from {_called(other)}"
        rate = self._rate(lines)
        for number, (one, first) in enumerate([*lines, *sums]):
            for other, second in lines[: number + 1]:
                most = (1 if one is other else 2) * rate * first * second / max(self.total, 1.0)
                if abs(one.energy + other.energy - peak.energy) < 2 * tolerance and net - 3 * error < most:
                    return f"{_called(other)} + {_called(one)}"
        return ""

    def _rate(self, lines: list[tuple[Peak, float]]) -> float:
        """Share of the counts that may fall together with another: what all sums of the two strongest lines allow."""
        two = sorted(lines, key=lambda line: -line[1])[:2]
        rates = []
        for number, (one, first) in enumerate(two):
            for other, second in two[: number + 1]:
                there = self.at(one.energy + other.energy)
                if there is not None and first > 0 < second:
                    pairs = (1 if one is other else 2) * first * second / max(self.total, 1.0)
                    rates.append((there[2] + 3 * there[1]) / pairs)
        return min(max(PILE_UP, ALIKE * min(rates)), HIGHEST_RATE) if len(rates) > 1 else PILE_UP

    def _lacks(self, name: str, net: float) -> bool:
        """Whether a side line that a candidate must have is not seen."""
        element, _, wanted = name.partition("_")
        lines = [line for line in lines_of(element) if line.family == wanted[0]]
        main = max(lines, key=lambda line: line.weight)
        alpha = sum(line.weight for line in lines if line.name[1] == "a")
        for line in lines:
            there = self.at(line.energy)
            if there is None or abs(line.energy - main.energy) < 1.2 * fwhm(main.energy):
                continue
            due = net * line.weight * _efficiency(line.energy) / (alpha * _efficiency(main.energy))
            if due > 5 * there[1] and there[0] + 3 * there[1] < LACKING * due:
                return True
        return False


def escape_share(energy: float) -> float:
    """Share of the photons of a line (eV) that leave an escape peak in a silicon detector, 1.74 keV below.

    S. J. B. Reed and N. G. Ware, J. Phys. E 5 (1972) 582, for normal incidence: half the photons of the K shell of
    silicon are emitted outwards, from the depth in which the line is absorbed.
    """
    if energy <= SILICON_EDGE:
        return 0.0
    inward, outward = (float(mass_attenuation("Si", np.array([e]))[0]) for e in (energy, SILICON))
    ratio = outward / inward
    return 0.5 * K_YIELD * K_SHARE * (1 - ratio * float(np.log1p(1 / ratio)))


def _efficiency(energy: float) -> float:
    return max(float(efficiency(np.array([energy]))[0]), 1e-3)


def _called(peak: Peak) -> str:
    return peak.artefact or (peak.lines[0] if peak.lines else f"{peak.energy / 1000:.2f} keV")


def _second_thought(peak: Peak, found: list[Peak]) -> Peak:
    """Where a peak's element explains nothing else, prefer a line of one that explains three other peaks."""
    shares: dict[str, int] = {}
    for other in found:
        for line in other.lines[:1]:
            shares[line.split("_")[0]] = shares.get(line.split("_")[0], 0) + 1
    if not peak.lines or peak.hidden or shares[peak.lines[0].split("_")[0]] > 1:
        return peak
    lines = explained(peak.energy, peak.fwhm / 2, [element for element, count in shares.items() if count >= 3])
    return replace(peak, lines=lines or peak.lines)


def explained(energy: float, tolerance: float, elements: list[str], least: float = MINOR) -> list[str]:
    """Lines of the elements that lie at an energy (eV), of at least that share of their family, strongest first."""
    found: dict[str, float] = {}
    for element in dict.fromkeys(elements):
        for line in lines_of(element, energy - tolerance, energy + tolerance):
            if line.weight >= least:
                name = f"{element}_{line.name[:2]}"
                found[name] = found.get(name, 0.0) + line.weight
    return sorted(found, key=lambda name: -found[name])
