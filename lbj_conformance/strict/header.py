"""Header: the description in HEAD: clause 5.1."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import json_text, layouts
from .errors import damaged, unsupported

HEAD_OFFSET = 8
FIXED_SIZE = 8
MOST_PAYLOAD = FIXED_SIZE + json_text.MOST_BYTES
KINDS = ("events", "spectra", "image")
DTYPES = ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float32", "float64")
STATIC_ROLES = ("survey", "dark", "gain")
_NAME = re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,64}")


@dataclass(frozen=True)
class Signal:
    """What decoding needs to know of a signal."""

    number: int
    name: str
    kind: str
    shape: tuple[int, ...]
    dtype: str
    group: str | None
    static: bool

    @property
    def little(self) -> np.dtype[Any]:
        """Type of an element, little-endian."""
        return np.dtype(self.dtype).newbyteorder("<")

    @property
    def elements(self) -> int:
        """Number of elements of the array."""
        return math.prod(self.shape)


def is_integer(value: Any) -> bool:
    """Whether this is a JSON number without fraction and exponent."""
    return type(value) is int


def is_number(value: Any) -> bool:
    """Whether this is a JSON number."""
    return type(value) in {int, float}


def is_name(value: Any) -> bool:
    """Whether this may be the name of a signal or group."""
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


class _Check:
    """Raises at one offset."""

    def __init__(self, offset: int, where: str) -> None:
        self.offset, self.where = offset, where

    def __call__(self, good: bool, clause: str, message: str) -> None:
        if not good:
            raise damaged(self.offset, clause, f"{self.where}: {message}")


def _check_shape(check: _Check, kind: str, shape: Any) -> tuple[int, ...]:
    least = 1 if kind == "image" else 2
    check(isinstance(shape, list) and least <= len(shape) <= 8, "5.1.5", "shape")
    check(all(is_integer(size) and 1 <= size < 2**32 for size in shape), "5.1.5", "sizes of the shape")
    pixels = math.prod(shape if kind == "image" else shape[:-1])
    check(pixels < 2**32, "5.1.5", f"{pixels} pixels")
    check(math.prod(shape) < 2**43, "5.1.5", "too many elements")
    return tuple(shape)


def _check_axis(check: _Check, axis: Any, size: int) -> None:
    check(isinstance(axis, dict), "5.1.6", "an axis is no object")
    check(isinstance(axis.get("name"), str), "5.1.6", "name of an axis")
    check(is_integer(axis.get("size")) and axis["size"] == size, "5.1.6", "size of an axis")
    check(isinstance(axis.get("units", ""), str), "5.1.6", "units of an axis")
    check(("offset" in axis) == ("scale" in axis), "5.1.6", "offset without scale, or scale without offset")
    check(all(is_number(axis[key]) for key in ("offset", "scale") if key in axis), "5.1.6", "offset or scale")
    if "values" in axis:
        values = axis["values"]
        check("scale" not in axis, "5.1.6", "both scale and values")
        check(isinstance(values, list) and len(values) == size, "5.1.6", "values are not one per index")
        check(all(is_number(value) for value in values), "5.1.6", "values are not numbers")


def _check_optional(check: _Check, signal: dict[str, Any], kind: str, shape: tuple[int, ...]) -> None:
    for key in ("coding", "role"):
        check(isinstance(signal.get(key, ""), str), "5.1.5", key)
    for key in ("group", "of"):
        check(key not in signal or is_name(signal[key]), "5.1.5", key)
    check(isinstance(signal.get("metadata", {}), dict), "5.1.5", "metadata")
    if "axes" in signal:
        axes = signal["axes"]
        check(isinstance(axes, list) and len(axes) == len(shape), "5.1.5", "axes are not one per dimension")
        for axis, size in zip(axes, shape, strict=True):
            _check_axis(check, axis, size)
    if "to_field" in signal:
        rows = signal["to_field"]
        check(len(shape) - (kind != "image") >= 2, "5.1.5", "to_field without two navigation axes")
        good = isinstance(rows, list) and len(rows) == 2
        good = good and all(isinstance(row, list) and len(row) == 3 and all(map(is_number, row)) for row in rows)
        check(good, "5.1.5", "to_field is not 2 x 3 numbers")


def _check_signal(offset: int, number: int, signal: Any) -> Signal:
    check = _Check(offset, f"signal {number}")
    check(isinstance(signal, dict), "5.1.5", "no object")
    check(is_name(signal.get("name")), "5.1.5", "name")
    kind, dtype = signal.get("kind"), signal.get("dtype")
    check(kind in KINDS, "5.1.5", "kind")
    check(dtype in (DTYPES[:3] if kind == "events" else DTYPES), "5.1.5", "dtype")
    shape = _check_shape(check, kind, signal.get("shape"))
    _check_optional(check, signal, kind, shape)
    static = signal.get("role") in STATIC_ROLES
    return Signal(number, signal["name"], kind, shape, dtype, signal.get("group"), static)


def check_signals(header: dict[str, Any], offset: int) -> list[Signal]:
    """Check clauses 5.1.5 to 5.1.7, which every reader must, and return the signals."""
    given = header.get("signals")
    if not isinstance(given, list) or not 1 <= len(given) <= 65535:
        raise damaged(offset, "5.1.4", "signals are no array of 1 to 65,535")
    signals = [_check_signal(offset, number, signal) for number, signal in enumerate(given)]
    names = {signal.name for signal in signals}
    groups: dict[str, Signal] = {}
    check = _Check(offset, "signals")
    check(len(names) == len(signals), "5.1.5", "two of one name")
    for signal in signals:
        if signal.group is not None:
            check(signal.group not in names, "5.1.5", f"group {signal.group!r} has the name of a signal")
            first = groups.setdefault(signal.group, signal)
            same = (signal.kind, signal.shape) == (first.kind, first.shape)
            check(same, "5.1.5", f"group {signal.group!r} differs in kind or shape")
    return signals


@dataclass(frozen=True)
class Head:
    """The payload of HEAD, or of its copy."""

    version: tuple[int, int]
    header: dict[str, Any]
    signals: list[Signal]


def read_version(payload: bytes, offset: int) -> tuple[int, int]:
    """Return major and minor version that HEAD states."""
    if len(payload) < FIXED_SIZE:
        raise damaged(offset, "4.3.4", f"HEAD of {len(payload)} bytes")
    fields = layouts.head.parse(payload[:FIXED_SIZE])
    return fields.major, fields.minor


def read_head(payload: bytes, offset: int) -> Head:
    """Check a payload of HEAD and return what it says."""
    version = read_version(payload, offset)
    if version[0] > layouts.MAJOR:
        own = f"{layouts.MAJOR}.{layouts.MINOR}"
        raise unsupported(offset, "5.1.2", f"version {version[0]}.{version[1]}, this reader knows {own}")
    header = json_text.load(payload[FIXED_SIZE:], offset)
    return Head(version, header, check_signals(header, offset))
