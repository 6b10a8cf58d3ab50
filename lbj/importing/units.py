"""Units: everything a source states, in eV, s, A, m and rad."""

from __future__ import annotations

import math
import re
import unicodedata
from typing import Any

Axis = dict[str, Any]

_PREFIXES = {"p": 1e-12, "n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6}
_WORDS = {"pico": "p", "nano": "n", "micro": "u", "milli": "m", "kilo": "k", "mega": "M"}
_SI: dict[str, tuple[str, float]] = {
    **{p + "eV": ("eV", f) for p, f in _PREFIXES.items()},
    **{p + unit: (unit, f) for p, f in _PREFIXES.items() if f <= 1 for unit in ("m", "s", "rad")},
    "cm": ("m", 1e-2),
    "km": ("m", 1e3),
    "Å": ("m", 1e-10),
    "deg": ("rad", math.pi / 180),
    "°": ("rad", math.pi / 180),
    "min": ("s", 60.0),
}
_LOWER = {
    **dict.fromkeys(("ev", "electronvolt", "electron volt"), ("eV", 1.0)),
    **dict.fromkeys(("kev", "kv", "kiloelectronvolt"), ("eV", 1e3)),
    **dict.fromkeys(("angstrom", "angström", "ångström", "ångstrom", "å"), ("m", 1e-10)),
    **dict.fromkeys(("micron", "um"), ("m", 1e-6)),
    **dict.fromkeys(("degree", "deg"), ("rad", math.pi / 180)),
    "nm": ("m", 1e-9),
    "mm": ("m", 1e-3),
    "meter": ("m", 1.0),
    "metre": ("m", 1.0),
    "radian": ("rad", 1.0),
    "sec": ("s", 1.0),
    "second": ("s", 1.0),
    "msec": ("s", 1e-3),
    "usec": ("s", 1e-6),
    "minute": ("s", 60.0),
    "hour": ("s", 3600.0),
    **{
        full + stem: (unit, _PREFIXES[prefix])
        for full, prefix in _WORDS.items()
        for stem, unit in (("meter", "m"), ("metre", "m"), ("second", "s"), ("radian", "rad"))
    },
}
_NONE = {
    "", "px", "pixel", "pixels", "none", "<undefined>", "channel", "channels", "undefined", "t.undefined", "unitless",
    "dimensionless", "-", "n/a", "nan", "[]", "index", "frame", "frames",
}  # fmt: skip


def unit(text: Any) -> tuple[str, float]:
    """Return a unit in the journal's spelling, and what to multiply values in `text` by.

    Any spelling of multiples of eV, m, s and rad becomes that unit; a unit that has no counterpart (``1/nm``, ``%``)
    stays as it is, a word that says that there is none becomes ``""``.
    """
    plain = unicodedata.normalize("NFKC", str("" if text is None else text).replace("\\u00B5", "µ")).strip()
    inner = plain.replace("μ", "u").strip("[]").replace("_", "")  # NCEM writes [n_m]
    lower = inner.lower().rstrip(".")
    if lower in _NONE:
        return "", 1.0
    if inner in _SI:
        return _SI[inner]
    for word in (lower, lower.removesuffix("s")):
        if word in _LOWER:
            return _LOWER[word]
    named = re.fullmatch(r"[^()]+\(([^()]+)\)", inner)  # "Energy Loss (eV)"
    if named and unit(named[1])[0] in ("eV", "m", "s", "rad"):
        return unit(named[1])
    return (inner if plain.startswith("[") else str(text).strip()), 1.0


def number(value: Any) -> float | None:
    """Return `value` as a finite float, or None where it is nothing of the kind."""
    if value is None or isinstance(value, (bool, dict)):
        return None
    try:
        out = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return out if math.isfinite(out) else None


def positive(value: Any) -> float | None:
    """Return `value` as a float above zero, or None; sources write 0 for what was never measured."""
    out = number(value)
    return out if out is not None and out > 0 else None


def linear_axis(name: str, size: int, offset: Any, scale: Any, units: Any) -> Axis:
    """Describe a linear axis; where offset or step is no number, or the step is zero, it is not calibrated.

    Parameters
    ----------
    name, size
        Name and length.
    offset, scale
        Value of index 0 and step, in `units`.
    units : str or None
        As in `unit`.
    """
    out: Axis = {"name": name, "size": int(size)}
    start, step = number(offset), number(scale)
    if start is None or step is None or step == 0:
        return out
    text, factor = unit(units)
    out.update(offset=start * factor + 0.0, scale=step * factor)
    if text:
        out["units"] = text
    return out


def table_axis(name: str, values: Any, units: Any) -> Axis:
    """Describe an axis by a value per index, as `linear_axis` does for linear ones."""
    text, factor = unit(units)
    out: Axis = {"name": name, "size": len(values), "values": [float(value) * factor for value in values]}
    if text:
        out["units"] = text
    return out
