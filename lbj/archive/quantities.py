"""Quantities: the names of metadata that can be set by hand, and their values with units."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..errors import UsageError
from ..importing.elements import SYMBOLS
from ..importing.units import unit

SERIES = {
    "acquisition_mode": "text",
    "beam_energy": "eV",
    "camera_length": "m",
    "collection_angle": "rad",
    "convergence_angle": "rad",
    "electron_source": "text",
    "elements": "symbols",
    "magnification": "times",
    "manufacturer": "text",
    "microscope": "text",
    "specimen": "text",
    "stage_position": "m, several",
    "stage_tilt": "rad, several",
    "title": "text",
}
DETECTOR = {
    "aperture": "m",
    "azimuth": "rad",
    "collection_angle": "rad",
    "elevation": "rad",
    "energy_resolution": "eV",
    "quantity": "text",
    "solid_angle": "sr",
    "spectrometer": "text",
}
"""Names of the metadata of a series and of a signal, and what their values are."""

ABOVE_ZERO = {"beam_energy", "camera_length", "magnification", "aperture", "energy_resolution", "solid_angle"}
EXAMPLES = {
    "eV": "200keV or 130eV",
    "m": "0.1nm",
    "rad": "25mrad or 18deg",
    "sr": "0.7sr",
    "times": "20000, without any",
}
NUMBER = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(.*?)\s*")


def known_name(name: str, known: Mapping[str, str], where: str) -> str:
    """Return what the value of a known name is.

    Raises
    ------
    UsageError
        With the list of known names.
    """
    if name not in known:
        raise UsageError(f"{where} {name!r} is not known; known are {', '.join(sorted(known))}")
    return known[name]


def value(name: str, kind: str, text: str) -> Any:
    """Return the value that a text says, in the journal's unit; None for an empty text, which takes it away.

    Raises
    ------
    UsageError
        If it is none of its kind, or its unit measures something else.
    """
    if not text.strip():
        return None
    if kind == "text":
        return text.strip()
    if kind == "symbols":
        found = [part for part in re.split(r"[\s,;]+", text.strip()) if part]
        wrong = [part for part in found if part not in SYMBOLS]
        if wrong:
            raise UsageError(f"{name}: {wrong[0]!r} is no symbol of an element; write them as Ti,O,La")
        return list(dict.fromkeys(found))
    single = kind.removesuffix(", several")
    if single != kind:
        return [quantity(name, single, part) for part in text.split(",")]
    return quantity(name, kind, text)


def quantity(name: str, kind: str, text: str) -> float:
    """Return a number in the unit `kind`, which another of its kind may stand for: ``200keV`` is 2e5."""
    number, found = measured(name, text)
    wanted = "" if kind == "times" else kind
    if (found[0] if found else "") != wanted:
        raise UsageError(f"{name} is given with a unit of its kind, as {EXAMPLES[kind]}; got {text!r}")
    out = number * (1.0 if found is None else found[1])
    if name in ABOVE_ZERO and not out > 0:
        raise UsageError(f"{name} must be above zero, got {text!r}")
    return out


def measured(name: str, text: str) -> tuple[float, tuple[str, float] | None]:
    """Return a number and its unit: the journal's, and what to multiply by; None without one."""
    match = NUMBER.fullmatch(text)
    if match is None or len(match[1]) > 100 or abs(float(match[1])) > 1e300:
        raise UsageError(f"{name}: a number is expected, with its unit, as 200keV or 0.5nm; got {text!r}")
    return float(match[1]), known_unit(name, match[2]) if match[2] else None


def known_unit(name: str, text: str) -> tuple[str, float]:
    """Return a unit in the journal's spelling and what to multiply by.

    Raises
    ------
    UsageError
        If it is none that a journal has.
    """
    if text in ("sr", "msr"):
        return "sr", 1.0 if text == "sr" else 1e-3
    found, factor = unit(text)
    inverse = re.fullmatch(r"1\s*/\s*(\S+)", text)
    if inverse and unit(inverse[1])[0] in ("eV", "m", "s", "rad"):
        inner, factor = unit(inverse[1])
        return f"1/{inner}", 1 / factor
    if found not in ("", "eV", "m", "s", "rad"):
        raise UsageError(
            f"{name}: {text!r} is no unit that is known; known are eV, m, s, rad, sr with keV, nm, ms, mrad, deg …"
        )
    return found, factor
