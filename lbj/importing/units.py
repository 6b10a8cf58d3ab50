"""Units: everything a source states, in eV, s, A, m and rad."""

from __future__ import annotations

import math
from typing import Any

Axis = dict[str, Any]

_SI = {
    "eV": ("eV", 1.0),
    "keV": ("eV", 1e3),
    "m": ("m", 1.0),
    "mm": ("m", 1e-3),
    "µm": ("m", 1e-6),
    "μm": ("m", 1e-6),
    "um": ("m", 1e-6),
    "nm": ("m", 1e-9),
    "Å": ("m", 1e-10),
    "pm": ("m", 1e-12),
    "s": ("s", 1.0),
    "ms": ("s", 1e-3),
    "µs": ("s", 1e-6),
    "μs": ("s", 1e-6),
    "us": ("s", 1e-6),
    "ns": ("s", 1e-9),
    "rad": ("rad", 1.0),
    "mrad": ("rad", 1e-3),
}
_NONE = {"", "px", "pixel", "pixels", "None", "<undefined>"}


def number(value: Any) -> float | None:
    """Return `value` as a finite float, or None where it is nothing of the kind."""
    if value is None or isinstance(value, (bool, dict)):
        return None
    try:
        out = float(value)
    except (TypeError, ValueError):
        return None
    return out if math.isfinite(out) else None


def positive(value: Any) -> float | None:
    """Return `value` as a float above zero, or None; sources write 0 for what was never measured."""
    out = number(value)
    return out if out is not None and out > 0 else None


def is_energy(units: Any) -> bool:
    """Whether `units` are those of an energy axis."""
    return units in ("eV", "keV")


def linear_axis(name: str, size: int, offset: Any, scale: Any, units: Any) -> Axis:
    """Describe a linear axis; a calibration in a unit that has no counterpart is left out.

    Parameters
    ----------
    name, size
        Name and length.
    offset, scale
        Value of index 0 and step, in `units`.
    units : str or None
        Any of the usual multiples of eV, m, s and rad, or nothing for an uncalibrated axis.
    """
    out: Axis = {"name": name, "size": int(size)}
    start, step = number(offset), number(scale)
    text = str(units).strip() if units is not None else ""
    if start is None or step is None or step == 0 or (text not in _SI and text not in _NONE):
        return out
    unit, factor = _SI.get(text, ("", 1.0))
    out.update(offset=start * factor + 0.0, scale=step * factor)
    if unit:
        out["units"] = unit
    return out


def table_axis(name: str, values: Any, units: Any) -> Axis:
    """Describe an axis by a value per index, as `linear_axis` does for linear ones."""
    unit, factor = _SI.get(str(units), ("", 1.0))
    out: Axis = {"name": name, "size": len(values), "values": [float(value) * factor for value in values]}
    if unit:
        out["units"] = unit
    return out
