"""Write `edges.csv`, the table of EELS edges: `python -m mfsi_core.tables.make_edges`; needs xraylib."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

LOW, HIGH = 20.0, 3300.0  # eV
LAST = 92

# Subshells whose edges are used in EELS: first and last atomic number.
SUBSHELLS = {
    "K": (3, LAST),
    "L3": (11, LAST),
    "L2": (11, LAST),
    "M5": (33, LAST),
    "M4": (33, LAST),
    "M3": (19, 42),
    "M2": (19, 42),
    "N5": (51, 71),
    "N4": (51, 71),
    "N7": (73, LAST),
    "N6": (73, LAST),
    "O5": (90, LAST),
    "O4": (90, LAST),
}


def rows(xraylib: Any) -> list[tuple[str, str, float]]:
    """Return (element, edge, energy_eV) for all edges kept, by atomic number and energy."""
    out = []
    for z in range(3, LAST + 1):
        found = []
        for shell, (first, last) in SUBSHELLS.items():
            if first <= z <= last:
                try:
                    energy = 1000 * float(xraylib.EdgeEnergy(z, getattr(xraylib, f"{shell}_SHELL")))
                except ValueError:
                    continue
                if LOW <= energy <= HIGH:
                    found.append((xraylib.AtomicNumberToSymbol(z), shell, energy))
        out += sorted(found, key=lambda row: (row[2], -ord(row[1][-1])))
    return out


def main() -> None:
    """Write the table beside this file."""
    import xraylib

    table = rows(xraylib)
    with (Path(__file__).parent / "edges.csv").open("w", newline="") as file:
        file.write(
            f"# Edges for EELS, table version 1. Source: xraylib {xraylib.__version__} (T. Schoonjans et al.,\n"
            "# Spectrochim. Acta B 66 (2011) 776), written by mfsi_core/tables/make_edges.py. energy_eV is the\n"
            f"# binding energy of the subshell, {LOW:g} to {HIGH:g} eV: K, L2, L3 of all elements, M4 and M5 from As,\n"
            "# M2 and M3 of K to Mo, N4 and N5 of Sb to Lu, N6 and N7 from Ta, O4 and O5 from Th.\n"
        )
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["element", "edge", "energy_eV"])
        writer.writerows((element, edge, f"{energy:.1f}") for element, edge, energy in table)


if __name__ == "__main__":
    main()
