"""Write `lines.csv`, the table of X-ray lines: `python -m mfsi_core.tables.make_lines`; needs xraylib.

Weights within a family: a vacancy of every subshell in proportion to its electrons over its energy (H. Bethe, Ann.
Phys. 397 (1930) 325), moved on by Coster-Kronig transitions, times the subshell's fluorescence yield, times the line's
radiative rate.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

LOW, HIGH = 100.0, 40000.0  # eV
LEAST_WEIGHT = 0.002
LAST = 92

# Siegbahn name: the transitions it stands for.
K_LINES = {"Ka1": ["KL3"], "Ka2": ["KL2"], "Kb1": ["KM3"], "Kb3": ["KM2"], "Kb2": ["KN2", "KN3"], "Kb5": ["KM4", "KM5"]}
L_LINES = {
    "La1": ["L3M5"],
    "La2": ["L3M4"],
    "Lb1": ["L2M4"],
    "Lb2": ["L3N5", "L3N4"],
    "Lb3": ["L1M3"],
    "Lb4": ["L1M2"],
    "Lb5": ["L3O45"],
    "Lb6": ["L3N1"],
    "Lg1": ["L2N4"],
    "Lg2": ["L1N2"],
    "Lg3": ["L1N3"],
    "Lg4": ["L1O2", "L1O3"],
    "Lg6": ["L2O4"],
    "Ll": ["L3M1"],
    "Ln": ["L2M1"],
}
M_LINES = {
    "Ma1": ["M5N7"],
    "Ma2": ["M5N6"],
    "Mb": ["M4N6"],
    "Mg": ["M3N5", "M3N4"],
    "Mz": ["M5N3"],
    "Mz2": ["M4N2", "M4N3"],
    "M5O3": ["M5O3"],
    "M4O2": ["M4O2", "M4O3"],
    "M3N1": ["M3N1"],
    "M3O1": ["M3O1"],
    "M3O5": ["M3O4", "M3O5"],
    "M2N1": ["M2N1"],
    "M2N4": ["M2N4"],
    "M2O4": ["M2O4"],
    "M1N3": ["M1N2", "M1N3"],
}
# M lines that xraylib lacks, eV: J. A. Bearden, Rev. Mod. Phys. 39 (1967) 78 (Ma: also the X-ray Data Booklet,
# LBNL/PUB-490, 2009, table 1-2). Rates: those of Gd, the lightest element whose M rates xraylib has complete.
SUPPLIED = {
    "La": {"Ma1": 833.0, "Ma2": 833.0, "Mb": 854.0},
    "Ce": {"Ma1": 883.0, "Ma2": 883.0, "Mb": 902.0},
    "Pr": {"Ma1": 929.0, "Ma2": 929.0, "Mb": 950.0},
    "Nd": {"Ma1": 978.0, "Ma2": 978.0, "Mb": 997.0},
    "Sm": {"Ma1": 1081.0, "Ma2": 1081.0, "Mb": 1100.0},
    "Eu": {"Ma1": 1131.0, "Ma2": 1131.0, "Mb": 1153.0},
}
RATES_OF = 64
WITHOUT = {61}  # nobody has measured where the Ma line of Pm lies
COSTER_KRONIG_FROM = 67  # the lightest element for whose M shell xraylib has Coster-Kronig probabilities
M2_WRONG = (76, 83)  # between Os and Bi xraylib 4.3 runs through 0.0423 at Au, ten times what its neighbours have
FAMILIES = {"K": (K_LINES, ["K"]), "L": (L_LINES, ["L1", "L2", "L3"]), "M": (M_LINES, ["M1", "M2", "M3", "M4", "M5"])}
ELECTRONS = {"K": 2, "L1": 2, "L2": 2, "L3": 4, "M1": 2, "M2": 2, "M3": 4, "M4": 4, "M5": 6}


def _value(function: Any, *arguments: Any) -> float:
    try:
        return float(function(*arguments))
    except ValueError:
        return 0.0


def _vacancies(xraylib: Any, z: int, shells: list[str]) -> dict[str, float]:
    edges = {shell: _value(xraylib.EdgeEnergy, z, _shell(xraylib, shell)) for shell in shells}
    share = {shell: ELECTRONS[shell] / edge for shell, edge in edges.items() if edge}
    held = list(share)
    for i, upper in enumerate(held):
        for lower in held[i + 1 :]:
            name = f"F{upper[0]}{upper[1]}{lower[1]}_TRANS"
            known = max(z, COSTER_KRONIG_FROM) if upper[0] == "M" else z
            share[lower] += share[upper] * _value(xraylib.CosKronTransProb, known, getattr(xraylib, name))
    return share


def _yield(xraylib: Any, z: int, shell: str) -> float:
    """Fluorescence yield; for M5, where xraylib has none, that of M4; for M2 between elements that are right."""
    found = _value(xraylib.FluorYield, z, _shell(xraylib, shell))
    if shell == "M5" and not found:
        return _value(xraylib.FluorYield, z, _shell(xraylib, "M4"))
    first, last = M2_WRONG
    if shell == "M2" and first < z < last:
        low, high = (_value(xraylib.FluorYield, end, _shell(xraylib, shell)) for end in M2_WRONG)
        return low + (high - low) * (z - first) / (last - first)
    return found


def _shell(xraylib: Any, shell: str) -> int:
    return int(getattr(xraylib, f"{shell}_SHELL"))


def _supplied(
    xraylib: Any, symbol: str, z: int, name: str, shell: str, rates: list[float], energies: list[float]
) -> list[tuple[str, float, float, float]]:
    """Return an M line of SUPPLIED, or one that xraylib places, with the strength of the same line of Gd."""
    placed = [(r, e) for r, e in zip(rates, energies, strict=True) if r > 0 and e > 0]
    energy = SUPPLIED[symbol].get(name) or sum(r * e for r, e in placed) / max(sum(r for r, _ in placed), 1e-300)
    if not energy:
        return []
    strength = _vacancies(xraylib, RATES_OF, FAMILIES["M"][1])[shell]
    strength *= _yield(xraylib, RATES_OF, shell)
    strength *= sum(_value(xraylib.RadRate, RATES_OF, getattr(xraylib, f"{t}_LINE")) for t in M_LINES[name])
    return [(name, energy, 1000 * _value(xraylib.EdgeEnergy, z, _shell(xraylib, shell)), strength)]


def rows(xraylib: Any) -> list[tuple[str, str, str, float, float, float]]:
    """Return (element, family, line, energy_eV, edge_eV, weight) for all lines kept."""
    out = []
    for z in range(4, LAST + 1):
        symbol = xraylib.AtomicNumberToSymbol(z)
        for family, (lines, shells) in FAMILIES.items():
            share = _vacancies(xraylib, z, shells)
            found = []
            for name, transitions in lines.items():
                shell = transitions[0][0] if family == "K" else transitions[0][:2]
                rates = [_value(xraylib.RadRate, z, getattr(xraylib, f"{t}_LINE")) for t in transitions]
                energies = [1000 * _value(xraylib.LineEnergy, z, getattr(xraylib, f"{t}_LINE")) for t in transitions]
                rate = sum(r for r, e in zip(rates, energies, strict=True) if e > 0)
                if family == "M" and symbol in SUPPLIED:
                    found += _supplied(xraylib, symbol, z, name, shell, rates, energies)
                    continue
                if rate == 0 or shell not in share:
                    continue
                energy = sum(r * e for r, e in zip(rates, energies, strict=True)) / rate
                strength = share[shell] * _yield(xraylib, z, shell) * rate
                found.append((name, energy, 1000 * _value(xraylib.EdgeEnergy, z, _shell(xraylib, shell)), strength))
            total = sum(line[3] for line in found)
            if not total or (family == "M" and z in WITHOUT):
                continue
            for name, energy, edge, strength in found:
                if strength >= LEAST_WEIGHT * total and LOW <= energy <= HIGH:
                    out.append((symbol, family, name, energy, edge, strength / total))
    return out


def main() -> None:
    """Write the table beside this file."""
    import xraylib

    table = rows(xraylib)
    with (Path(__file__).parent / "lines.csv").open("w", newline="") as file:
        file.write(
            f"# X-ray lines, table version 3. Source: xraylib {xraylib.__version__} (T. Schoonjans et al.,\n"
            "# Spectrochim. Acta B 66 (2011) 776), written by mfsi_core/tables/make_lines.py. energy_eV of the line,\n"
            "# edge_eV of the ionised subshell, weight of the line within its family (sum 1 before weak lines and\n"
            "# those outside 0.1-40 keV are left out). Ma and Mb of La, Ce, Pr, Nd, Sm and Eu, which xraylib lacks:\n"
            "# J. A. Bearden, Rev. Mod. Phys. 39 (1967) 78, with the rates of Gd. Families without an alpha line: L\n"
            "# of Ca and lighter elements (Ll, Ln), M of Ba and lighter ones (Mz). Left out: the M lines of Pm, the K\n"
            "# lines of Li and Be.\n"
        )
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["element", "family", "line", "energy_eV", "edge_eV", "weight"])
        writer.writerows((e, f, n, f"{energy:.1f}", f"{edge:.1f}", f"{w:.4f}") for e, f, n, energy, edge, w in table)


if __name__ == "__main__":
    main()
