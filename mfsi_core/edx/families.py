"""Families: the lines of one shell of an element, which share one intensity."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lbj import UsageError

from ..tables.lines import Line, check_symbols, lines_of

LEAST_SHARE = 0.3  # of a family's photons that must lie on the axis
GROUPS = {  # lines whose relative strength is well known; the strength of one group to another is less so
    "K": (("Ka1", "Ka2"), ("Kb1", "Kb2", "Kb3", "Kb5")),
    "L": (
        ("La1", "La2", "Lb2", "Lb5", "Lb6"),
        ("Lb1", "Lg1", "Lg6"),
        ("Ll", "Ln"),
        ("Lb3", "Lb4", "Lg2", "Lg3", "Lg4"),
    ),
    "M": (("Ma1", "Ma2"), ("Mb",), ("Mz",), ("Mg", "M2N4", "M1N3")),
}


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
    def alpha_energy(self) -> float:
        """Mean energy of the alpha lines, eV."""
        alphas = [line for line in self.lines if line.name[1] == "a"]
        return sum(line.energy * line.weight for line in alphas) / sum(line.weight for line in alphas)

    def groups(self) -> list[int]:
        """Group of every line; the alpha lines are of group 0."""
        return [next(i for i, names in enumerate(GROUPS[self.family]) if line.name in names) for line in self.lines]


def families_of(element: str, low: float, high: float, beam_energy: float | None = None) -> list[Family]:
    """Families of an element whose alpha lines lie between two energies and that the beam ionises.

    Parameters
    ----------
    element : str
        Symbol.
    low, high : float
        eV.
    beam_energy : float, optional
        eV.

    Raises
    ------
    UsageError
        If the element is unknown.
    """
    limit = math.inf if beam_energy is None else beam_energy
    out = []
    for family in GROUPS:
        lines = [line for line in lines_of(element) if line.family == family and line.edge < limit]
        inside = [line for line in lines if low <= line.energy <= high]
        if sum(line.weight for line in inside) >= LEAST_SHARE and any(line.name[1] == "a" for line in inside):
            out.append(Family(element, family, tuple(lines)))
    return out


def check_families(elements: list[str], low: float, high: float, beam_energy: float | None) -> None:
    """Refuse an empty list, unknown and repeated elements and those without a line in range.

    Raises
    ------
    UsageError
        Naming the element, the range and its lines.
    """
    if not elements:
        raise UsageError("no elements are named; expected symbols such as ['La', 'Fe', 'O']")
    for element in elements:
        check_symbols([element])
        if not families_of(element, low, high, beam_energy):
            where = ", ".join(f"{line.name} {line.energy:.0f}" for line in lines_of(element) if line.name[1:] == "a1")
            beam = "" if beam_energy is None else f" that a beam of {beam_energy / 1000:g} keV excites"
            raise UsageError(
                f"{element} has no line{beam} between {low:.0f} and {high:.0f} eV (its alpha lines: {where} eV); "
                "leave it out, or widen the range of energies"
            )
    if len(set(elements)) < len(elements):
        raise UsageError(f"an element is named twice: {', '.join(elements)}")
