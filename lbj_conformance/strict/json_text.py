"""JSON of clause 4.5.1: what Python's json module checks, and what it does not."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from .errors import damaged

MOST_BYTES = 2**24
DEEPEST = 32
_BOM = b"\xef\xbb\xbf"
_ESCAPE_OR_STRUCTURE = re.compile(r'\\.|["\[\]{}]', re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")


class _WrongError(ValueError):
    """Something that the hooks of the parser find."""


def _depth(text: str) -> int:
    """Return how deep brackets are nested outside of strings; what is no JSON may give any number."""
    depth = deepest = 0
    inside = False
    for match in _ESCAPE_OR_STRUCTURE.finditer(text):
        sign = match.group()
        if sign == '"':
            inside = not inside
        elif inside or sign[0] == "\\":
            continue
        elif sign in "[{":
            depth += 1
            deepest = max(deepest, depth)
        else:
            depth -= 1
    return deepest


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _WrongError(f"the number {text[:40]} is not finite")
    return number


def _integer(text: str) -> int:
    _finite(text)  # first: a finite one has at most 309 digits
    return int(text)


def _constant(text: str) -> float:
    raise _WrongError(f"{text} is not JSON")


def _check_string(text: str) -> None:
    if _SURROGATE.search(text):
        raise _WrongError("lone surrogate")


def _check_strings(value: Any) -> None:
    if isinstance(value, str):
        _check_string(value)
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, (str, list)):
                _check_strings(item)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, value in pairs:
        _check_string(name)
        _check_strings(value)  # objects inside have been through here
        if name in result:
            raise _WrongError(f"name {name!r} twice in one object")
        result[name] = value
    return result


def load(data: bytes, offset: int, most_bytes: int = MOST_BYTES, deepest: int = DEEPEST) -> dict[str, Any]:
    """Return the one object that `data` is, or refuse it as damaged at `offset`."""
    if len(data) > most_bytes:
        raise damaged(offset, "4.5.1", f"JSON of {len(data)} bytes")
    if data.startswith(_BOM):
        raise damaged(offset, "4.5.1", "byte-order mark")
    try:
        text = data.decode("utf-8", "strict")
        if _depth(text) > deepest:
            raise _WrongError(f"nested deeper than {deepest}")
        value = json.loads(
            text, object_pairs_hook=_object, parse_float=_finite, parse_int=_integer, parse_constant=_constant
        )
    except ValueError as error:  # UnicodeDecodeError and JSONDecodeError are among them
        raise damaged(offset, "4.5.1", f"JSON: {error}") from None
    if not isinstance(value, dict):
        raise damaged(offset, "4.5.1", "JSON is no object")
    return value


def dump(value: dict[str, Any], offset: int) -> bytes:
    """Return the JSON of an object; refuse one that clause 4.5.1 does not allow."""
    try:
        data = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8")
    except ValueError as error:
        raise damaged(offset, "4.5.1", f"JSON: {error}") from None
    load(data, offset)
    return data
