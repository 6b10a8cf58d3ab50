"""Families: the lines of one shell of an element, which share one intensity."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from lbj import UsageError
from lbj.array_types import Floats

from ..tables.lines import Line, check_symbols, lines_of

USUAL_BEAM = 200e3  # eV; above 60 keV it hardly matters which
OVERVOLTAGE = 1.1  # from which a shell is ionised enough to be seen
FAINTEST = 1e-3  # of its usual strength, for a group of lines that a beam does not excite
LEAST_SHARE = 0.3  # of a family's photons that must lie on the axis
GROUPS = {  # lines whose relative strength is well known; the strength of one group to another is less so
    "K": (("Ka1", "Ka2"), ("Kb1", "Kb2", "Kb3", "Kb5")),
    "L": (
        ("La1", "La2", "Lb2", "Lb5", "Lb6"),
        ("Lb1", "Lg1", "Lg6"),
        ("Ll", "Ln"),
        ("Lb3", "Lb4", "Lg2", "Lg3", "Lg4"),
    ),
    "M": (
        ("Ma1", "Ma2"),
        ("Mb",),
        ("Mz", "Mz2", "M5O3", "M4O2"),
        ("Mg", "M3N1", "M3O1", "M3O5", "M2N1", "M2N4", "M2O4", "M1N3"),
    ),
}
SOLID_GROUP = 2  # of L lines: Ll and Ln
# By how much Ll and Ln are stronger beside La and Lb1, which are transitions of valence electrons in 3d metals, than in
# free atoms, those of the table: weights of NIST's DTSA-II (N. W. M. Ritchie, EPQ library, LineWeights.csv). Spectra of
# SrTiO3, FePt and Cu have 3.5, 2.5 and 1.6.
SOLID = {"Sc": 3.0, "Ti": 3.8, "V": 2.6, "Cr": 4.4, "Mn": 3.1, "Fe": 2.1, "Co": 2.9, "Ni": 2.9, "Cu": 1.5}


@dataclass(frozen=True)
class Family:
    """Lines of one shell.

    Attributes
    ----------
    element, family : str
        Symbol; ``K``, ``L`` or ``M``.
    lines : tuple of Line
    """

    element: str
    family: str
    lines: tuple[Line, ...]

    @property
    def name(self) -> str:
        """Such as ``Ti_K``."""
        return f"{self.element}_{self.family}"

    @property
    def alphas(self) -> tuple[Line, ...]:
        """The alpha lines; of a shell that has none (L of Ca, M of Ba) those of its first group."""
        held = self.groups()
        alphas = tuple(line for line in self.lines if line.name[1] == "a")
        return alphas or tuple(line for line, group in zip(self.lines, held, strict=True) if group == min(held))

    @property
    def line(self) -> str:
        """Name of the alpha lines, such as ``Ti_Ka``; where there are none, ``Ca_Ll``."""
        return f"{self.element}_{self.alphas[0].name[:2]}"

    @property
    def alpha_energy(self) -> float:
        """Mean energy of the alpha lines, eV."""
        return sum(line.energy * line.weight for line in self.alphas) / sum(line.weight for line in self.alphas)

    def share(self, strengths: Floats) -> float:
        """Share of the alpha lines in the family's photons, given the weights of its lines."""
        names = {line.name for line in self.alphas}
        return float(sum(w for line, w in zip(self.lines, strengths, strict=True) if line.name in names))

    def groups(self) -> list[int]:
        """Group of every line; alpha lines are of group 0."""
        return [next(i for i, names in enumerate(GROUPS[self.family]) if line.name in names) for line in self.lines]

    def in_solid(self, group: int) -> float:
        """How much stronger a group of lines is in a solid than in free atoms."""
        return SOLID.get(self.element, 1.0) if (self.family, group) == ("L", SOLID_GROUP) else 1.0


def families_of(element: str, low: float, high: float, beam_energy: float | None = None) -> list[Family]:
    """Families of an element whose main lines lie between two energies and that the beam ionises.

    Parameters
    ----------
    element : str
        Symbol.
    low, high : float
        eV.
    beam_energy : float, optional
        eV. Weights are those of its overvoltage, to whose logarithm subshells are ionised (Bethe); where it is not
        known, those of 200 keV.

    Raises
    ------
    UsageError
        If the element is unknown.
    """
    limit = math.inf if beam_energy is None else beam_energy
    out = []
    for name in GROUPS:
        lines = [line for line in lines_of(element) if line.family == name and line.edge < limit]
        inside = [line for line in lines if low <= line.energy <= high]
        if sum(line.weight for line in inside) < LEAST_SHARE:
            continue
        family = Family(element, name, tuple(_excited(lines, beam_energy or USUAL_BEAM)))
        if any(low <= line.energy <= high for line in family.alphas):
            out.append(family)
    return out


def swayed_by_beam(family: Family, least: float, kept: Mapping[int, float] | None = None) -> float:
    """Relative change of the share of alpha lines by a beam of `least` eV, in place of 200 keV.

    `kept` says of groups of lines how much of an error of their expected strength a fit keeps: 1 of those that the
    spectrum does not tell apart, as where none are given, 0 of those that it does.
    """
    lines = [line for line in lines_of(family.element) if line.family == family.family]
    held = Family(family.element, family.family, tuple(lines)).groups()
    first = min(held)
    beam = max(least, OVERVOLTAGE * min(line.edge for line, group in zip(lines, held, strict=True) if group == first))

    def strengths(beam: float) -> dict[int, float]:
        excited = {line.name: line.weight for line in _excited([line for line in lines if line.edge < beam], beam)}
        sums = dict.fromkeys(held, 0.0)
        for line, group in zip(lines, held, strict=True):
            sums[group] += excited.get(line.name, 0.0)
        return {group: total / sums[first] for group, total in sums.items()}

    usual, other = strengths(USUAL_BEAM), strengths(beam)
    ratio = {group: max(other[group] / usual[group], FAINTEST) ** (kept or {}).get(group, 1.0) for group in usual}
    return float(sum(usual.values()) / sum(usual[group] * ratio[group] for group in usual)) - 1


def _excited(lines: list[Line], beam_energy: float) -> list[Line]:
    """Lines with the weights that a beam gives them; their sum stays."""
    excited = [line.weight * math.log(beam_energy / line.edge) for line in lines]
    scale = sum(line.weight for line in lines) / sum(excited)
    return [replace(line, weight=scale * weight) for line, weight in zip(lines, excited, strict=True)]


def check_named(elements: list[str]) -> None:
    """Refuse an empty list, unknown and repeated elements: raises UsageError."""
    if not elements:
        raise UsageError("no elements are named; expected symbols such as ['La', 'Fe', 'O']")
    check_symbols(elements)
    if len(set(elements)) < len(elements):
        raise UsageError(f"an element is named twice: {', '.join(elements)}")


def check_families(elements: list[str], low: float, high: float, beam_energy: float | None) -> None:
    """Refuse elements without a line in range.

    Raises
    ------
    UsageError
        Naming the element, the range and its lines.
    """
    for element in elements:
        if not families_of(element, low, high, beam_energy):
            where = ", ".join(f"{line.name} {line.energy:.0f}" for line in lines_of(element) if line.name[1:] == "a1")
            beam = "" if beam_energy is None else f" that a beam of {beam_energy / 1000:g} keV excites"
            raise UsageError(
                f"{element} has no line{beam} between {low:.0f} and {high:.0f} eV (its alpha lines: {where} eV); "
                "leave it out, or widen the range of energies"
            )
