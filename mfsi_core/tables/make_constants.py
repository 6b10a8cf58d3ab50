"""Write `attenuation.csv` and `atomic_weights.csv`; needs xraylib.

`python -m mfsi_core.tables.make_constants`
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

LOW, HIGH = 100.0, 40000.0  # eV
PER_DECADE = 24
BESIDE_EDGE = 0.02  # eV
LAST = 92
SHELLS = ["K", "L1", "L2", "L3", "M1", "M2", "M3", "M4", "M5", "N1", "N2", "N3", "N4", "N5"]


def energies(xraylib: Any, z: int) -> list[float]:
    """Energies of the table in eV: a logarithmic grid, and either side of every absorption edge."""
    grid = list(np.geomspace(LOW, HIGH, round(PER_DECADE * np.log10(HIGH / LOW)) + 1))
    for shell in SHELLS:
        try:
            edge = 1000 * xraylib.EdgeEnergy(z, getattr(xraylib, f"{shell}_SHELL"))
        except ValueError:
            continue
        if LOW + 1 < edge < HIGH - 1:
            grid += [edge - BESIDE_EDGE, edge + BESIDE_EDGE]
    return sorted({round(energy, 2) for energy in grid})


def main() -> None:
    """Write the tables beside this file."""
    import xraylib

    source = (
        f"Source: xraylib {xraylib.__version__} (T. Schoonjans et al.,\n"
        "# Spectrochim. Acta B 66 (2011) 776), written by mfsi_core/tables/make_constants.py.\n"
    )
    folder = Path(__file__).parent
    with (folder / "attenuation.csv").open("w", newline="") as file:
        file.write(
            f"# Mass attenuation coefficients, table version 1. {source}"
            "# To be interpolated in the logarithms of both columns; every edge has a point on either side.\n"
        )
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["element", "energy_eV", "cm2_per_g"])
        for z in range(1, LAST + 1):
            symbol = xraylib.AtomicNumberToSymbol(z)
            for energy in energies(xraylib, z):
                writer.writerow([symbol, f"{energy:.2f}", f"{xraylib.CS_Total(z, energy / 1000):.5g}"])
    with (folder / "atomic_weights.csv").open("w", newline="") as file:
        file.write(f"# Standard atomic weights, table version 1. {source}")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["element", "atomic_weight"])
        for z in range(1, LAST + 1):
            writer.writerow([xraylib.AtomicNumberToSymbol(z), f"{xraylib.AtomicWeight(z):.6g}"])


if __name__ == "__main__":
    main()
