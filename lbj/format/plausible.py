"""Plausible ranges of quantities (beam energy, current, …); a value outside is taken for a wrong unit."""

from __future__ import annotations

from typing import Any

RANGES = {  # lowest and highest value, unit
    "beam_energy": (10.0, 4e6, "eV"),
    "beam_current": (0.0, 1e-4, "A"),
    "screen_current": (0.0, 1e-4, "A"),
    "dwell_time": (0.0, 1e5, "s per pixel"),
    "exposure": (0.0, 1e6, "s"),
}


def implausible(name: str, value: Any) -> str | None:
    """Say why a value cannot be; None where it can, or nothing is known of the name."""
    if isinstance(value, dict):
        return next((said for said in (implausible(name, one) for one in value.values()) if said), None)
    if name not in RANGES or not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    low, high, unit = RANGES[name]
    if low <= value <= high:
        return None
    return f"{name} of {value:g} {unit} is impossible; expected {low:g} to {high:g} {unit}: check the unit"


def without_implausible(values: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Values that can be, and what is said of the others."""
    said = {name: implausible(name, value) for name, value in values.items()}
    return {name: value for name, value in values.items() if not said[name]}, [text for text in said.values() if text]
