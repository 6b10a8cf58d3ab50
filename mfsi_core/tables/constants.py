"""Constants of the elements: atomic weights and mass attenuation coefficients."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from lbj.array_types import Floats

from .rows import check_elements, table_rows


@lru_cache(maxsize=1)
def _weights() -> dict[str, float]:
    return {row["element"]: float(row["atomic_weight"]) for row in table_rows("atomic_weights.csv")}


@lru_cache(maxsize=1)
def _attenuation() -> dict[str, tuple[Floats, Floats]]:
    table: dict[str, list[tuple[float, float]]] = {}
    for row in table_rows("attenuation.csv"):
        table.setdefault(row["element"], []).append((float(row["energy_eV"]), float(row["cm2_per_g"])))
    return {
        symbol: (np.log([e for e, _ in points]), np.log([c for _, c in points])) for symbol, points in table.items()
    }


def atomic_weight(element: str) -> float:
    """Standard atomic weight of an element, g/mol.

    Raises
    ------
    UsageError
        If the element is not in the table.
    """
    check_elements([element], _weights(), "atomic weight is")
    return _weights()[element]


def mass_attenuation(element: str, energy: float | Floats) -> Floats:
    """Mass attenuation coefficient of a pure element, cm²/g.

    Parameters
    ----------
    element : str
        The absorber's symbol.
    energy : float or array
        eV; beyond 0.1-40 keV the value at the table's end holds.

    Returns
    -------
    array
        Photoabsorption and scattering, of the shape of `energy`.
    """
    atomic_weight(element)
    log_energy, log_value = _attenuation()[element]
    return np.asarray(np.exp(np.interp(np.log(np.maximum(energy, 1e-3)), log_energy, log_value)))
