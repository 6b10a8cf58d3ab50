"""Trees: HyperSpy's nested metadata as JSON, and the difference of two such trees.

What JSON has no word for is an object with the member ``lbj:type``: tuples, arrays, None, numbers that are not finite.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

TYPE = "lbj:type"
MOST = 1 << 16  # entries of an array
DEEPEST = 20  # levels; a journal's descriptions have 32 at most


class Unsaid(Exception):  # noqa: N818  no error that a user sees
    """A value that JSON cannot say."""


def encode(value: Any, depth: int = 0) -> Any:
    """Return a value as JSON has it, `depth` levels down.

    Raises
    ------
    Unsaid
        If it is a function, an object, a large array, deeper than `DEEPEST` …
    """
    if depth > DEEPEST:
        raise Unsaid
    if isinstance(value, np.generic):
        value = value.item()
    if value is None:
        return {TYPE: "none"}
    if isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {TYPE: "float", "value": repr(value)}
    if isinstance(value, list):
        return [encode(one, depth + 1) for one in value]
    if isinstance(value, tuple):
        return {TYPE: "tuple", "value": [encode(one, depth + 1) for one in value]}
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufU" and value.size <= MOST:
        return {TYPE: value.dtype.str, "shape": list(value.shape), "value": [encode(one) for one in value.ravel()]}
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: encode(one, depth + 1) for key, one in value.items()}
    raise Unsaid


def decode(value: Any) -> Any:
    """Return what `encode` was given; anything that it does not write comes back as it is."""
    if isinstance(value, list):
        return [decode(one) for one in value]
    if not isinstance(value, dict):
        return value
    kind, inner = value.get(TYPE), value.get("value")
    if kind == "none":
        return None
    if kind == "float" and inner in ("nan", "inf", "-inf"):
        return float(inner)
    if kind == "tuple" and isinstance(inner, list):
        return tuple(decode(one) for one in inner)
    if isinstance(kind, str) and isinstance(inner, list):
        try:
            return np.array([decode(one) for one in inner], np.dtype(kind)).reshape(value.get("shape", -1))
        except (TypeError, ValueError):
            return value
    return {key: decode(one) for key, one in value.items()}


def sayable(tree: dict[str, Any], unsaid: list[str], path: str = "") -> dict[str, Any]:
    """Return a tree as JSON has it; the dotted names of what has no place there are added to `unsaid`."""
    out: dict[str, Any] = {}
    depth = path.count(".") + 1
    for key, value in tree.items():
        if isinstance(value, dict) and depth < DEEPEST:
            out[str(key)] = sayable(value, unsaid, f"{path}{key}.")
            continue
        try:
            out[str(key)] = encode(value, depth)
        except Unsaid:
            unsaid.append(f"{path}{key}")
    return out


def difference(wanted: dict[str, Any], given: dict[str, Any], path: tuple[str, ...] = ()) -> tuple[dict, list]:
    """What to set in `given`, and the paths to remove from it, so that it becomes `wanted`."""
    change: dict[str, Any] = {}
    gone: list[list[str]] = [[*path, key] for key in given if key not in wanted]
    for key, value in wanted.items():
        other = given.get(key)
        if isinstance(value, dict) and isinstance(other, dict) and TYPE not in value and TYPE not in other:
            inner, more = difference(value, other, (*path, key))
            gone += more
            if inner:
                change[key] = inner
        elif key not in given or value != other or type(value) is not type(other):
            change[key] = value
    return change, gone


def changed(tree: dict[str, Any], change: dict[str, Any], gone: list[list[str]]) -> dict[str, Any]:
    """Apply a `difference`, decoded, to a tree."""
    out = dict(tree)
    for key, *rest in gone:
        if not rest:
            out.pop(key, None)
        elif isinstance(out.get(key), dict):
            out[key] = changed(out[key], {}, [rest])
    for key, value in change.items():
        if isinstance(value, dict) and TYPE not in value:
            out[key] = changed(out[key] if isinstance(out.get(key), dict) else {}, value, [])
        else:
            out[key] = decode(value)
    return out
