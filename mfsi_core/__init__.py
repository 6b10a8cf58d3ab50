"""mfsi_core: align, accumulate and analyse multi-frame spectrum images."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .accumulate import accumulate, common_region, coverage
    from .lines import best_line, line_energy, lines_of
    from .maps import Map, element_maps, line_map, map_snr
    from .pipeline import run
    from .registration import Registration
    from .rigid import register
    from .simulate import Simulation, simulate

__all__ = [
    "Map",
    "Registration",
    "Simulation",
    "accumulate",
    "best_line",
    "common_region",
    "coverage",
    "element_maps",
    "line_energy",
    "line_map",
    "lines_of",
    "map_snr",
    "register",
    "run",
    "simulate",
]

# Imported when first named, so that importing the package stays quick.
_HOMES = {
    "Map": ".maps",
    "Registration": ".registration",
    "Simulation": ".simulate",
    "accumulate": ".accumulate",
    "best_line": ".lines",
    "common_region": ".accumulate",
    "coverage": ".accumulate",
    "element_maps": ".maps",
    "line_energy": ".lines",
    "line_map": ".maps",
    "lines_of": ".lines",
    "map_snr": ".maps",
    "register": ".rigid",
    "run": ".pipeline",
    "simulate": ".simulate",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'mfsi_core' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name], __name__), name)
    globals()[name] = value
    return value
