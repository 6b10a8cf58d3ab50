"""Edge windows: where to fit and where to integrate for an element's edge."""

from __future__ import annotations

from typing import Any, NamedTuple

from lbj.array_types import Floats

from ..series.axis import Window, width
from ..tables.edges import Edge, edges_of

MAJOR = ("K", "L3", "M5", "N5", "N7", "O5", "M3")  # edges to map by, those of a kind by energy
SOFT = 100.0  # eV; edges below, on the tail of the plasmons, only where there is no other
BEHIND = 40.0  # eV, length of the window behind an edge
LEAST_BEHIND = 10.0  # eV, its least length; an edge that leaves less is not mapped
BEFORE = 0.10  # length of the fit window as a share of the edge's energy
SHORTEST = 15.0  # eV, length of the fit window at least where there is room,
LEAST_BEFORE = 10.0  # eV, and where there is not; an edge that leaves less is not mapped
STRUCTURE = 25.0  # eV of fine structure behind the edge before, in which no power law is fitted
ROUNDING = 2.0  # eV by which an edge may begin before its energy


class EdgeWindows(NamedTuple):
    """An edge and its windows.

    Attributes
    ----------
    edge : Edge
    window, fit_window : (float, float)
        As for `edges.edge_map`, eV.
    """

    edge: Edge
    window: Window
    fit_window: Window


def edge_windows(elements: list[str], axis: Floats) -> dict[str, EdgeWindows]:
    """Choose an edge of each element and its windows.

    Parameters
    ----------
    elements : list of str
        Symbols of all that the specimen is known to hold: their edges keep clear of each other's windows.
    axis : (C,) array
        Energies of the channels, eV, rising.

    Returns
    -------
    dict of str to EdgeWindows
        The window begins 2 eV (or a channel) before the edge and is 40 eV long, or to the next element's edge. The
        fit window is a tenth of the energy long (15 eV at least), ends 4 eV (or 1 %, or two channels) before the edge
        and begins 25 eV behind the edge before. Elements without an edge on the axis that leaves 10 eV for both are
        left out.
    """
    step = abs(width(axis))
    first, last = float(axis[0]) - step / 2, float(axis[-1]) + step / 2
    every = {name: edges_of(name, 0.0, last) for name in dict.fromkeys(elements)}
    out = {}
    for name, edges in every.items():
        main = [edge for edge in edges if edge.energy > first and _kind(edge) in MAJOR]
        main.sort(key=lambda edge: (edge.energy < SOFT, MAJOR.index(_kind(edge)) > 2, edge.energy))
        others = [edge.energy for other in every if other != name for edge in every[other]]
        fitting = (_windows(edge, others, first, last, step) for edge in main)
        found: Any = next((one for one in fitting if one is not None), None)
        if found is not None:
            out[name] = found
    return out


def _kind(edge: Edge) -> str:
    return edge.name.partition("_")[2]


def _windows(edge: Edge, others: list[float], first: float, last: float, step: float) -> EdgeWindows | None:
    onset, pad = edge.energy, max(ROUNDING, step)
    start, end = onset - pad, max(onset - max(2 * pad, 0.01 * onset), first)
    behind = [other - pad for other in others if other > onset - pad]
    stop = min([onset + max(BEHIND, 6 * step), last, *behind])
    begin = max([first, end - max(BEFORE * onset, SHORTEST), *(o + STRUCTURE for o in others if o <= onset - pad)])
    if stop - start < max(LEAST_BEHIND, 3 * step) or end - begin < max(LEAST_BEFORE, 3 * step) or begin <= 0:
        return None
    return EdgeWindows(edge, (start, stop), (begin, end))
