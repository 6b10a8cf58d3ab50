"""JEOL header: the tree of tagged values in front of the event words of a `.pts` file.

A node is a byte 1, the length of its name (int32), the name, a type and a byte count (int32 each) and the value; it is
followed by its children and closed by a byte 255. Type 0 has no value, only children. Any other byte ends the tree.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from ..errors import DamagedError

_NUMBERS = {
    1: "u1",
    2: "<u2",
    3: "<i4",
    4: "<f4",
    5: "<f8",
    6: "u1",
    7: "<u2",
    8: "<i4",
    9: "<f4",
    10: "<f8",
    11: "?",
    14: "<u2",
    65552: "?",
    65553: "?",
}
_TEXTS = (12, 13, 20)
_MAX_DEPTH = 32

Tree = dict[str, Any]


def parse(data: bytes, start: int) -> Tree:
    """Read the tree that begins at byte `start`.

    Returns
    -------
    dict
        Children by name. A node with a value and children holds the value under ``""``. A page (``PARAMPAGE0``) is
        named with its value: ``PARAMPAGE0_SEM``.

    Raises
    ------
    DamagedError
        With the offset of the tag at fault.
    """
    root: Tree = {}
    path: list[Tree] = [root]
    at = start
    while path:
        if at >= len(data):
            raise DamagedError("the JEOL header ends inside its tree", offset=at)
        mark = data[at]
        at += 1
        if mark == 255:
            path.pop()
            continue
        if mark != 1:
            break
        name, kind, size, at = _tag(data, at)
        value = _value(data, at, kind, size)
        at += size
        if len(path) > _MAX_DEPTH:
            raise DamagedError(f"the JEOL header nests deeper than {_MAX_DEPTH}", offset=at)
        if name[-5:-1] == "PAGE":
            name = f"{name}_{value}"
        node: Tree = {} if value is None else {"": value}
        path[-1][name] = node
        path.append(node)
    return root


def _tag(data: bytes, at: int) -> tuple[str, int, int, int]:
    """Return name, type, byte count and the offset of the value."""
    try:
        (length,) = struct.unpack_from("<i", data, at)
        if not 0 <= length <= 4096:
            raise DamagedError(f"the JEOL header has a name of {length} bytes", offset=at)
        name = data[at + 4 : at + 4 + length].rstrip(b"\0").decode("ascii", "ignore")
        kind, size = struct.unpack_from("<ii", data, at + 4 + length)
    except struct.error:
        raise DamagedError("the JEOL header ends inside a tag", offset=at) from None
    at += 12 + length
    if not 0 <= size <= len(data) - at:
        raise DamagedError(f"the JEOL header's {name!r} claims {size} bytes, {len(data) - at} are left", offset=at)
    return name, kind, size, at


def _value(data: bytes, at: int, kind: int, size: int) -> Any:
    if kind == 0:
        return None
    raw = data[at : at + size]
    if kind in _NUMBERS:
        dtype = np.dtype(_NUMBERS[kind])
        values = np.frombuffer(raw[: size - size % dtype.itemsize], dtype)
        return values[0].item() if values.size == 1 else values
    if kind in _TEXTS:
        texts = raw.rstrip(b"\0").decode("latin-1").split("\0")
        return texts[0] if len(texts) == 1 else texts
    return None


def find(tree: Tree, *path: str) -> Any:
    """Return the value at `path`, or None."""
    node: Any = tree
    for key in path:
        node = node.get(key) if isinstance(node, dict) else None
    return node.get("") if isinstance(node, dict) else node
