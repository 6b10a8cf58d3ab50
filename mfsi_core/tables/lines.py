"""X-ray lines: energies, weights, and the choice of the line that maps an element."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from lbj import UsageError

from .rows import check_elements, table_rows

MN_KA = 5895.0
LEAST_OVERVOLTAGE = 1.5
LOW_BEAM = 10e3  # eV; where it leaves the choice of a line as it is, the beam energy does not matter
RARE = ("Ne", "Ar", "Kr", "Xe", "Tc", "Pm", "Po", "At", "Rn", "Fr", "Ra", "Ac", "Pa")
DETECTOR_LIMIT = 16000.0  # eV; above it a silicon drift detector grows transparent


@dataclass(frozen=True)
class Line:
    """One line of the table.

    Attributes
    ----------
    element, family, name : str
        Symbol; ``K``, ``L`` or ``M``; Siegbahn name such as ``Ka1``.
    energy, edge : float
        Energy of the line and of the ionised subshell, eV.
    weight : float
        Share of the family's photons.
    """

    element: str
    family: str
    name: str
    energy: float
    edge: float
    weight: float


@lru_cache(maxsize=1)
def _table() -> dict[str, list[Line]]:
    table: dict[str, list[Line]] = {}
    for row in table_rows("lines.csv"):
        line = Line(
            row["element"],
            row["family"],
            row["line"],
            float(row["energy_eV"]),
            float(row["edge_eV"]),
            float(row["weight"]),
        )
        table.setdefault(line.element, []).append(line)
    return table


def symbols() -> list[str]:
    """Elements of the table, by atomic number."""
    return list(_table())


def check_symbols(elements: Iterable[str]) -> None:
    """Refuse elements that the table does not know.

    Raises
    ------
    UsageError
        Naming them.
    """
    check_elements(elements, _table(), "X-ray lines are")


def lines_of(element: str, low: float = 0.0, high: float = math.inf) -> list[Line]:
    """Lines of an element between two energies.

    Parameters
    ----------
    element : str
        Symbol, such as ``Ti``.
    low, high : float
        Bounds, eV, both included.

    Raises
    ------
    UsageError
        If the table does not know the element.
    """
    check_symbols([element])
    return [line for line in _table()[element] if low <= line.energy <= high]


def _named(name: str) -> list[Line]:
    element, _, wanted = name.partition("_")
    found = [line for line in lines_of(element) if wanted and line.name in (wanted, wanted + "1", wanted + "2")]
    if not found:
        known = ", ".join(f"{element}_{line.name}" for line in lines_of(element))
        raise UsageError(f"no line {name!r} is known; {element} has {known}")
    return [line for line in found if line.name == wanted] or found


def line_energy(name: str) -> float:
    """Energy of a line in eV.

    Parameters
    ----------
    name : str
        ``Fe_Ka1`` for one line, ``Fe_Ka`` for the mean of Ka1 and Ka2 by weight.

    Raises
    ------
    UsageError
        If element or line are not in the table.
    """
    lines = _named(name)
    return sum(line.energy * line.weight for line in lines) / sum(line.weight for line in lines)


def best_line(element: str, low: float, high: float, beam_energy: float | None = None) -> str | None:
    """Name of the alpha line by which to map an element.

    The first of K, L and M whose alpha line lies on the axis and whose edge the beam passes 1.5-fold; lines above
    16 keV only where nothing else is left.

    Parameters
    ----------
    element : str
        Symbol.
    low, high : float
        Range of the energy axis, eV.
    beam_energy : float, optional
        eV.

    Returns
    -------
    str or None
        Such as ``"Ti_Ka"``; None if no line qualifies.
    """
    limit = math.inf if beam_energy is None else beam_energy / LEAST_OVERVOLTAGE
    alphas = [line for line in lines_of(element, low, high) if line.name.endswith("a1") and line.edge <= limit]
    chosen = next((line for line in alphas if line.energy <= DETECTOR_LIMIT), alphas[0] if alphas else None)
    return None if chosen is None else f"{element}_{chosen.family}a"


def beam_decides(element: str, high: float) -> bool:
    """Whether the beam energy decides which line of an element is the best below `high` (eV)."""
    return best_line(element, 0.0, high) != best_line(element, 0.0, high, LOW_BEAM)


def fwhm(energy: float, mn: float = 130.0) -> float:
    """Width of a line in a silicon detector, eV.

    ``sqrt(mn² + 2.5 eV (energy - 5895 eV))``, Fiori and Newbury, Scanning Electron Microscopy 1 (1978) 401.

    Parameters
    ----------
    energy : float
        Energy of the line, eV.
    mn : float
        Full width at half maximum at Mn Ka, eV.
    """
    return math.sqrt(max(mn**2 + 2.5 * (energy - MN_KA), 40.0**2))


def candidates(energy: float, tolerance: float, beam_energy: float | None = None) -> list[str]:
    """Alpha lines that may explain a peak: K before L before M, the nearest first; radioactive elements left out.

    Parameters
    ----------
    energy, tolerance : float
        Position of the peak and the distance allowed, eV.
    beam_energy : float, optional
        eV; leaves out what the beam cannot ionise.
    """
    limit = math.inf if beam_energy is None else beam_energy
    found = [
        (line.family, abs(line.energy - energy), f"{element}_{line.family}a")
        for element in symbols()
        for line in lines_of(element, energy - tolerance, energy + tolerance)
        if line.name.endswith("a1") and line.edge < limit and element not in RARE
    ]
    return [name for _, _, name in sorted(found)]
