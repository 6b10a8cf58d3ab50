"""Ionisation edges for EELS: their energies, by element."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from .lines import RARE
from .rows import check_elements, table_rows


@dataclass(frozen=True)
class Edge:
    """One edge of the table.

    Attributes
    ----------
    element, name : str
        Symbol; element and subshell, such as ``Ti_L3``.
    energy : float
        Binding energy of the subshell, eV.
    """

    element: str
    name: str
    energy: float


@lru_cache(maxsize=1)
def edge_table() -> dict[str, list[Edge]]:
    """Edges of every element of the table."""
    table: dict[str, list[Edge]] = {}
    for row in table_rows("edges.csv"):
        edge = Edge(row["element"], f"{row['element']}_{row['edge']}", float(row["energy_eV"]))
        table.setdefault(edge.element, []).append(edge)
    return table


def edges_of(element: str, low: float = 0.0, high: float = math.inf) -> list[Edge]:
    """Edges of an element between two energies.

    Parameters
    ----------
    element : str
        Symbol, such as ``Ti``.
    low, high : float
        Bounds, eV, both included.

    Returns
    -------
    list of Edge
        By energy, 20 eV to 3.3 keV; empty where none lies between the bounds. The energies are binding energies
        (xraylib's tables). Edges with white lines (K of light elements, L3 and L2 of transition metals, M5 and M4 of
        lanthanides) are seen there within 1-3 eV, more in compounds. M4, M5 edges of Rb to Cs and of Hf to U, N4, N5
        and N6, N7 edges are delayed by the centrifugal barrier: they rise slowly and are largest 20-100 eV above the
        energy given (C. C. Ahn (ed.), Transmission Electron Energy Loss Spectrometry, 2004, ch. 1).

    Raises
    ------
    UsageError
        If the table does not know the element.
    """
    check_elements([element], edge_table(), "edges are")
    return [edge for edge in edge_table()[element] if low <= edge.energy <= high]


def strongest_between(low: float, high: float, most: int = 6) -> list[str]:
    """Names of the K, L3 and M5 edges between two energies, eV: K before L3 before M5, without rare elements."""
    found = [
        edge
        for element in edge_table()
        if element not in RARE
        for edge in edges_of(element, low, high)
        if edge.name.endswith(("_K", "_L3", "_M5"))
    ]
    found.sort(key=lambda edge: (edge.name.split("_")[1], edge.energy))
    return [edge.name for edge in found[:most]]
