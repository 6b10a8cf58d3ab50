"""Judge: compares an adapter's answer with what the manifest expects."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

Json = dict[str, Any]
MEMBERS = ("name", "kind", "shape", "dtype", "axes", "group", "role", "of", "to_field", "metadata")
KEPT = {b"HEAD", b"FRAM", b"BLOK", b"DONE", b"iNDX", b"fOOT", b"hEAD", b"aMNd", b"pERs", b"cONT"}
SHOWN = 250


def same(a: Any, b: Any) -> bool:
    """Whether two JSON values are equal: numbers by value, true is no number, members in any order."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(value, b[key]) for key, value in a.items())
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return isinstance(a, bool) == isinstance(b, bool) and bool(a == b)


def journal(expected: Json, answer: Json, *, written: bool = False) -> list[str]:
    """Differences between the expected and the answered reading of a journal; none means that they agree.

    `written`: the journal is one that the command under test wrote, which may name axes that were not described.
    """
    keys = ["result", "offset", *(key for key in ("version", "digest") if key in answer)]
    out = [
        _differs(key, expected[key], answer.get(key))
        for key in keys
        if key in expected and not _agrees(expected[key], answer.get(key), any_of=key == "offset")
    ]
    if "header" in expected:
        out += _header(expected["header"], answer.get("header"), written=written)
    if "frames" in expected:
        found = answer.get("frames")
        if not isinstance(found, list) or len(found) != len(expected["frames"]):
            number = len(found) if isinstance(found, list) else found
            out.append(_differs("number of frames", len(expected["frames"]), number))
        else:
            for i, (one, other) in enumerate(zip(expected["frames"], found, strict=True)):
                out += _frame(f"frame {i}", one, other)
    if "static" in expected:
        out += _arrays("static", expected["static"], answer.get("static"))
    return out


def _agrees(expected: Any, found: Any, *, any_of: bool = True) -> bool:
    return found in expected if any_of and isinstance(expected, list) else same(expected, found)


def _differs(what: str, expected: Any, found: Any) -> str:
    one, other = (json.dumps(value, ensure_ascii=False) for value in (expected, found))
    return f"{what}: expected {one[:SHOWN]}, got {other[:SHOWN]}"


def _header(expected: Json, found: Any, *, written: bool) -> list[str]:
    if not isinstance(found, dict) or not isinstance(found.get("signals"), list):
        return ["header: signals and metadata are expected, got none"]
    out = []
    if not same(expected["metadata"], found.get("metadata")):
        out.append(_differs("metadata", expected["metadata"], found.get("metadata")))
    if "source" in expected and not _holds(expected["source"], found.get("source")):
        out.append(_differs("source", expected["source"], found.get("source")))
    if len(found["signals"]) != len(expected["signals"]):
        return [*out, _differs("number of signals", len(expected["signals"]), len(found["signals"]))]
    for i, (one, other) in enumerate(zip(expected["signals"], found["signals"], strict=True)):
        for member in MEMBERS:
            a, b = one.get(member), other.get(member) if isinstance(other, dict) else None
            free = (member == "metadata" and not a and not b) or (member == "axes" and a is None and written)
            if not same(a, b) and not free:
                out.append(_differs(f"signal {i}, {member}", a, b))
    return out


def _holds(expected: Json, found: Any) -> bool:
    """Whether a source still has what it had, its notes before those of the recoverer."""
    if not isinstance(found, dict) or not isinstance(found.get("notes"), list):
        return False
    begin = {**found, "notes": found["notes"][: len(expected["notes"])]}
    return all(same(value, begin.get(key)) for key, value in expected.items())


def _frame(where: str, expected: Json, found: Any) -> list[str]:
    if not isinstance(found, dict):
        return [_differs(where, "an object", found)]
    if "error" in expected:
        errors = [found] if expected.get("whole") else [found, *found.get("signals", {}).values()]
        hit = [
            one
            for one in errors
            if one.get("error") == expected["error"] and _agrees(expected["offset"], one.get("offset"))
        ]
        return [] if hit else [_differs(where, expected, found)]
    if "error" in found:
        return [_differs(where, "a frame", found)]
    out = []
    if not same(expected["attributes"], found.get("attributes")):
        out.append(_differs(f"{where}, attributes", expected["attributes"], found.get("attributes")))
    out += _arrays(where, expected["signals"], found.get("signals"))
    return out + _arrays(f"{where}, group", expected.get("groups", {}), found.get("groups", {}))


def _arrays(where: str, expected: Json, found: Any) -> list[str]:
    if not isinstance(found, dict) or expected.keys() != found.keys():
        return [_differs(f"{where}, names", sorted(expected), sorted(found) if isinstance(found, dict) else found)]
    return [
        _differs(f"{where}, {name}", _shown(one, found[name]), found[name])
        for name, one in expected.items()
        if not _array(one, found[name])
    ]


def _shown(expected: Json, found: Any) -> Json:
    """What is expected in the form in which the answer came."""
    if "values" in expected and isinstance(found, dict) and "sha256" in found:
        return {"shape": expected["shape"], "dtype": expected["dtype"], "sha256": _digest(expected)}
    return expected


def _digest(expected: Json) -> str:
    import numpy as np  # here, since who asks where the ports are imports this file too

    dtype = np.dtype(expected["dtype"]).newbyteorder("<")
    return hashlib.sha256(np.array(expected["values"], dtype).tobytes()).hexdigest()


def _array(expected: Json, found: Any) -> bool:
    if not isinstance(found, dict):
        return False
    if "error" in expected:
        return bool(found.get("error") == expected["error"] and _agrees(expected["offset"], found.get("offset")))
    if not same(expected["shape"], found.get("shape")) or found.get("dtype") != expected["dtype"]:
        return False
    if "list" in expected:
        return same(expected["list"], found.get("list"))
    digest = _digest(expected) if "values" in expected else expected["sha256"]
    return bool(found.get("sha256") == digest)


def recovered(expected: Json, answer: Json, out: Path) -> list[str]:
    """Differences of a recoverer's answer and of the identity of what it wrote."""
    keys = ("result", "offset", "kept", "lost")
    found = [
        _differs(key, expected[key], answer.get(key))
        for key in keys
        if key in expected and not same(expected[key], answer.get(key))
    ]
    if expected["result"] != "ok":
        return found + ([f"{out.name} was written, though nothing could be decoded"] if out.exists() else [])
    if not out.exists():
        return [*found, f"{out.name} was not written"]
    data = out.read_bytes()
    try:
        head = json.loads(data[40 : 32 + struct.unpack_from("<Q", data, 16)[0]])
        head = head if isinstance(head, dict) else {}
    except (struct.error, ValueError) as error:
        return [*found, f"{out.name} has no HEAD that can be read: {error}"]
    if head.get("uuid") == expected["old_uuid"]:
        found.append("the new journal must have a uuid of its own (clause 9.7)")
    if expected["old_uuid"] not in json.dumps(head.get("source", {})):
        found.append("'source' must name the old uuid (clause 9.7)")
    types = _types(data)
    strange = set(types) - KEPT
    if strange:
        found.append(f"records of types {sorted(map(repr, strange))} were copied (clause 9.7)")
    personal = types.count(b"pERs")
    if personal != expected["personal"]:
        found.append(_differs("number of pERs records", expected["personal"], personal))
    return found


def _types(data: bytes) -> list[bytes]:
    at, out = 8, []
    while at + 24 <= len(data):
        out.append(data[at + 4 : at + 8])
        at += 24 + -(-int(struct.unpack_from("<Q", data, at + 8)[0]) // 8) * 8
    return out
