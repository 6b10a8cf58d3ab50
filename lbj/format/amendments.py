"""Amendments: descriptions that later records change (spec/lbj.md 7.1)."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from ..errors import DamagedError, TruncatedError, UsageError
from ..signal import Signal
from . import layout
from .contents import Header
from .records import Bytes, Record, parse_json

MOST = 4096
WHEN = "x-lbj-amended"  # private member: the instant at which the amendment was made
FIXED = ("name", "kind", "shape", "dtype", "coding", "group", "role", "of")


def offsets(others: Iterable[tuple[bytes, int]]) -> list[int]:
    """Offsets of the aMNd records among the records outside of frames, their number checked."""
    found = [offset for kind, offset in others if kind == layout.AMND]
    if len(found) > MOST:
        raise DamagedError(f"{len(found)} amendments are more than {MOST}", offset=found[MOST], clause="7.1.3")
    return found


def read(source: Bytes, record: Record) -> dict[str, Any]:
    """Return the patch of an aMNd record: the members and signals' members that can be amended.

    Raises
    ------
    DamagedError
        If digest, JSON or structure are wrong.
    """
    if record.type != layout.AMND:
        raise DamagedError(
            "the index names an amendment that does not stand here", offset=record.offset, clause="6.3.3"
        )
    patch = parse_json(source.payload(record), record)
    parts: dict[str, Any] = {name: patch[name] for name in ("metadata", "source", "signals") if name in patch}
    inner = list(parts.get("signals", {}).values()) if isinstance(parts.get("signals", {}), dict) else []
    if not all(isinstance(part, dict) for part in [*parts.values(), *inner]):
        raise DamagedError("the parts of an amendment must be objects", offset=record.offset, clause="7.1.1")
    if "signals" in parts:
        parts["signals"] = {
            name: {key: value for key, value in change.items() if key not in FIXED}
            for name, change in parts["signals"].items()
        }
    if isinstance(patch.get(WHEN), str):
        parts[WHEN] = patch[WHEN]
    return parts


def patches(source: Bytes, others: Iterable[tuple[bytes, int]], size: int) -> list[tuple[int, dict[str, Any]]]:
    """Return the amendments among the records outside of frames, each with its offset.

    Raises
    ------
    DamagedError
        If one of them is damaged, or there are too many.
    """
    try:
        return [(offset, read(source, source.header(offset, size))) for offset in offsets(others)]
    except TruncatedError as error:
        raise DamagedError(error.reason, offset=error.offset, clause="6.3.3") from error


def apply(header: Header, patches: list[tuple[int, dict[str, Any]]]) -> tuple[dict[str, Any], list[Signal]]:
    """Return the header's JSON object and its signals with the patches, each with its offset, applied in order.

    Raises
    ------
    DamagedError
        If what comes out breaks clause 5.1.
    """
    out = copy.deepcopy(header.json) if patches else header.json
    items = {item["name"]: item for item in out["signals"]}
    for _, patch in patches:
        for name in ("metadata", "source"):
            if name in patch:
                merge(out, {name: patch[name]})
        for name, change in patch.get("signals", {}).items():
            if name in items:
                merge(items[name], change)
    try:
        return out, [Signal.from_json(item) for item in items.values()]
    except UsageError as error:
        raise DamagedError(f"an amendment spoils a signal: {error}", offset=patches[-1][0], clause="7.1.2") from error


def merge(target: dict[str, Any], patch: dict[str, Any]) -> None:
    """JSON merge patch, RFC 7396, in place; the work is that of the patch alone."""
    for name, value in patch.items():
        if value is None:
            target.pop(name, None)
        elif isinstance(value, dict):
            if not isinstance(target.get(name), dict):
                target[name] = {}
            merge(target[name], value)
        else:
            target[name] = value
