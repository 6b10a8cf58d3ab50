"""What a writer must observe in a header and a reader need not check: clauses 5.1.4, 5.1.9, 5.1.10, the schema."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from .errors import damaged
from .header import is_number

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_INSTANT = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})([.][0-9]+)?Z")
_SYMBOL = re.compile(r"[A-Z][a-z]?")
_FILE = re.compile(r"[^/\\]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NUMBERS = ("beam_energy", "convergence_angle", "collection_angle", "stage_tilt", "magnification")
_ATTRIBUTE_ROLES = ("live_time", "real_time", "dwell_time", "exposure", "energy_shift")


def _matches(pattern: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_instant(value: Any) -> bool:
    match = _INSTANT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return False
    text = match[1]
    if text.endswith(":60"):  # a leap second, which the module does not know
        text = text[:-2] + "59"
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_metadata(metadata: Any) -> bool:
    if not isinstance(metadata, dict):
        return False
    elements = metadata.get("elements", [])
    return (
        all(isinstance(metadata.get(name, ""), str) for name in ("title", "microscope"))
        and all(is_number(metadata.get(name, 0)) for name in _NUMBERS)
        and metadata.get("beam_energy", 1) > 0
        and _strings(elements)
        and all(_SYMBOL.fullmatch(symbol) for symbol in elements)
    )


def _is_source(source: Any) -> bool:
    if not isinstance(source, dict) or not isinstance(source.get("name", ""), str):
        return False
    files = source.get("files", [])
    return (
        _strings(source.get("notes", []))
        and isinstance(files, list)
        and all(
            isinstance(file, dict) and _matches(_FILE, file.get("name")) and _matches(_SHA256, file.get("sha256"))
            for file in files
        )
    )


def _is_writer(writer: Any) -> bool:
    return isinstance(writer, dict) and all(isinstance(writer.get(name, ""), str) for name in ("name", "version"))


def _check_maps(header: dict[str, Any], offset: int) -> None:
    """Clause 5.1.10: attributes pixel by pixel have the shape of what they belong to."""
    signals = header["signals"]
    shapes = {signal["name"]: signal for signal in signals}
    shapes |= {signal["group"]: signal for signal in signals if "group" in signal}
    for signal in signals:
        if signal["kind"] == "image" and signal.get("role") in _ATTRIBUTE_ROLES and "of" in signal:
            owner = shapes.get(signal["of"])
            if owner is None:
                raise damaged(offset, "5.1.10", f"{signal['of']!r} is no signal and no group")
            pixels = owner["shape"] if owner["kind"] == "image" else owner["shape"][:-1]
            if signal["shape"] != pixels:
                raise damaged(offset, "5.1.10", f"shape of {signal['name']!r}")


def check(header: dict[str, Any], offset: int) -> None:
    """Refuse a header that a writer must not write, its signals having been checked."""
    checks: tuple[tuple[str, str, Callable[[Any], bool]], ...] = (
        ("5.1.4", "uuid", lambda value: _matches(_UUID, value)),
        ("5.1.4", "created", _is_instant),
        ("5.1.4", "writer", _is_writer),
        ("5.1.9", "metadata", _is_metadata),
        ("5.1.4", "source", _is_source),
    )
    for clause, name, good in checks:
        if name in header and not good(header[name]):
            raise damaged(offset, clause, f"member {name}")
    _check_maps(header, offset)
