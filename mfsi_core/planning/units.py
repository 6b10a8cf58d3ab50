"""Units: quantities as people write them, 11.1nm or 17 pA."""

from __future__ import annotations

import re

from lbj import UsageError

NUMBER = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([^\W\d_]*)\s*")
UNITS = {
    "length": {"m": 1.0, "mm": 1e-3, "um": 1e-6, "nm": 1e-9, "pm": 1e-12, "Å": 1e-10, "angstrom": 1e-10},
    "current": {"A": 1.0, "mA": 1e-3, "uA": 1e-6, "nA": 1e-9, "pA": 1e-12, "fA": 1e-15},
    "time": {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "min": 60.0, "h": 3600.0},
}
LEAST, MOST = 1e-30, 1e30  # SI units; beyond, no figure of a plan would be one
SAME = str.maketrans({"\u00b5": "u", "\u03bc": "u", "\u212b": "Å"})  # micro sign, Greek mu, ångström sign


def quantity(value: str | float, kind: str, name: str, *, zero: bool = False) -> float:
    """Value of a quantity in SI units.

    Parameters
    ----------
    value : str or float
        Text: a number and its unit, such as ``"0.555Å"`` (also ``angstrom``), ``"17 pA"``, ``"100us"``.
        A float is taken to be in m, A or s. The letter A alone is ampere, and no length.
    kind : {"length", "current", "time"}
    name : str
        What the quantity is, for the message.
    zero : bool
        Whether zero is allowed.

    Raises
    ------
    UsageError
        If number or unit are missing, the unit is none of that kind, or the value is negative, zero, below 1e-30 or
        above 1e30 in SI units.
    """
    if isinstance(value, str):
        units = UNITS[kind]
        expected = f"{name} takes a {kind} with its unit ({', '.join(units)})"
        match = NUMBER.fullmatch(value.translate(SAME))
        if match is None:
            raise UsageError(f"{expected}, got {value!r}")
        number, unit = match.groups()
        if not unit:
            raise UsageError(f"{expected}, got {value!r} without one")
        if unit not in units:
            hint = "; an ångström is written Å or angstrom" if kind == "length" and unit == "A" else ""
            raise UsageError(f"{expected}, got {value!r}: {unit!r} is no unit of {kind}{hint}")
        result = float(number) * units[unit]
    else:
        result = float(value)
    if not (LEAST <= result <= MOST or (zero and result == 0)):
        sign, least = ("not negative", "0, or ") if zero else ("above zero", "")
        raise UsageError(f"{name} must be finite and {sign} ({least}{LEAST:g} to {MOST:g} in SI units), got {value!r}")
    return result
