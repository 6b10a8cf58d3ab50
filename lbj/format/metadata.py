"""Metadata of a series: the names that the standard knows, and what they must be (spec/lbj.md 5.1.9)."""

from __future__ import annotations

import re
from typing import Any

from ..errors import UsageError
from .plausible import RANGES, implausible

NUMBERS = {
    "beam_energy": "eV",
    "convergence_angle": "rad",
    "collection_angle": "rad",
    "magnification": "times",
}
TEXTS = ("title", "microscope")
SYMBOL = re.compile(r"[A-Z][a-z]?")


def faults(metadata: dict[str, Any]) -> list[str]:
    """Say what is wrong with the known names; none means that nothing is."""
    out = []
    for name, unit in NUMBERS.items():
        value = metadata.get(name)
        if value is not None and not _is_number(value):
            out.append(f"{name} must be a number ({unit}), got {value!r}")
    tilt = metadata.get("stage_tilt")
    angles = list(tilt) if isinstance(tilt, (list, tuple)) else [tilt]
    if tilt is not None and (len(angles) > 2 or not all(_is_number(angle) for angle in angles)):
        out.append(f"stage_tilt must be an angle, or those of both axes (rad), got {tilt!r}")
    energy = metadata.get("beam_energy")
    if isinstance(energy, (int, float)) and not energy > 0:
        out.append(f"beam_energy must be above zero (eV), got {energy!r}")
    else:
        out += [said for name in RANGES if (said := implausible(name, metadata.get(name)))]
    out += [
        f"{name} must be text, got {metadata[name]!r}"
        for name in TEXTS
        if metadata.get(name) is not None and not isinstance(metadata[name], str)
    ]
    elements = metadata.get("elements")
    if elements is not None and not (
        isinstance(elements, (list, tuple)) and all(isinstance(e, str) and SYMBOL.fullmatch(e) for e in elements)
    ):
        out.append(f"elements must be a list of symbols, such as ['Ti', 'O'], got {elements!r}")
    return out


def check_metadata(metadata: dict[str, Any]) -> None:
    """Refuse metadata of which a known name is wrong."""
    wrong = faults(metadata)
    if wrong:
        raise UsageError(f"metadata: {'; '.join(wrong)}")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
