"""Text: numbers, sizes, times and currents as text, and names of lines with Greek letters."""

from __future__ import annotations

import math
import re

RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def greek(line: str) -> str:
    """Write ``Ti_Ka`` as Ti Kα."""
    element, _, name = line.partition("_")
    letters = {"a": "α", "b": "β", "g": "γ"}
    return f"{element} {name[:1]}{letters.get(name[1:2], name[1:2])}{name[2:]}"


def artefact(text: str) -> str:
    """Write ``escape from Ca_Ka`` and ``Si_Ka + O_Ka`` with Greek letters."""
    return re.sub(r"[A-Z][a-z]?_\w+", lambda found: greek(found[0]), text)


def number(value: float | None, digits: int = 3) -> str:
    """Write a number with some significant digits; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    if value and not 1e-3 <= abs(value) < 1e6:
        mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
        return f"{mantissa} × 10{str(int(exponent)).translate(RAISED)}"
    return f"{value:.{digits}g}" if abs(value) < 1000 else f"{value:,.0f}"


def size(count: float) -> str:
    """Write a number of bytes."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.3g} {unit}"
    return f"{count:.0f} bytes"


def time_label(seconds: float) -> str:
    """Write a time."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def current_label(current: float) -> str:
    """Write a current."""
    return f"{current / 1e-9:.3g} nA" if current >= 1e-9 else f"{current / 1e-12:.3g} pA"
