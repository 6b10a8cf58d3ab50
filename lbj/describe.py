"""Describe: metadata and axes of a header in words."""

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
    """Steps and ranges of the axes that are calibrated; nothing where none is."""
    out = []
    for axis in axes:
        scale, offset, units = axis.get("scale"), axis.get("offset", 0.0), str(axis.get("units") or "")
        if not isinstance(scale, (int, float)) or not isinstance(offset, (int, float)) or not units:
            continue
        name = str(axis.get("name") or "axis")
        if units == "m":
            out.append(f"{name} {length_label(abs(scale))}")
        else:
            last = offset + float(scale) * (axis["size"] - 1)
            out.append(f"{name} {offset:g} to {last:g} {units} by {scale:g}")
    return ", ".join(out)


def length_label(metres: float) -> str:
    """Write a length to three digits, with the unit that suits it."""
    length = float(f"{metres:.3g}")
    unit, name = next((one for one in LENGTHS if length >= one[0] * (1 - 1e-9)), LENGTHS[-1])
    return f"{length / unit:.3g} {name}"
