"""Describe: metadata and axes of a journal as lines of text, for `lbj info`."""

from __future__ import annotations

from typing import Any

LENGTHS = ((1.0, "m"), (1e-3, "mm"), (1e-6, "µm"), (1e-9, "nm"), (1e-12, "pm"))


def described(metadata: dict[str, Any]) -> list[str]:
    """Title, and what else is known of the series, a line each."""
    out = [str(metadata["title"])] if metadata.get("title") else []
    known = []
    energy = metadata.get("beam_energy")
    if isinstance(energy, (int, float)):
        known.append(f"beam energy {energy / 1000:g} keV")
    elements = metadata.get("elements")
    if isinstance(elements, list) and elements:
        known.append(f"elements {', '.join(map(str, elements))}")
    if metadata.get("microscope"):
        known.append(str(metadata["microscope"]))
    return out + (["; ".join(known)] if known else [])


def calibrated(axes: list[dict[str, Any]]) -> str:
    """Steps and ranges of the axes for which the journal has any; nothing where it has none."""
    out = []
    for axis in axes:
        name, units = str(axis.get("name") or "axis"), str(axis.get("units") or "")
        values, scale, offset = axis.get("values"), axis.get("scale", 1.0), axis.get("offset", 0.0)
        if isinstance(values, list) and values and all(isinstance(value, (int, float)) for value in values):
            out.append(f"{name} {_range(values[0], values[-1], units)} by a table")
        elif not isinstance(scale, (int, float)) or not isinstance(offset, (int, float)):
            continue
        elif units == "m" and not offset:
            out.append(f"{name} {length_label(abs(scale))}")
        elif units or (scale, offset) != (1.0, 0.0):
            step = length_label(abs(scale)) if units == "m" else f"{scale:g}"
            out.append(f"{name} {_range(offset, offset + float(scale) * (axis['size'] - 1), units)} by {step}")
    return ", ".join(out)


def _range(first: float, last: float, units: str) -> str:
    if units != "m":
        return f"{first:g} to {last:g} {units or '(no unit)'}"
    unit, name = next((one for one in LENGTHS if max(abs(first), abs(last)) >= one[0]), LENGTHS[-1])
    return f"{first / unit:.4g} to {last / unit:.4g} {name}"


def length_label(metres: float) -> str:
    """Write a length to three digits, with the unit that suits it."""
    length = float(f"{metres:.3g}")
    unit, name = next((one for one in LENGTHS if length >= one[0] * (1 - 1e-9)), LENGTHS[-1])
    return f"{length / unit:.3g} {name}"
