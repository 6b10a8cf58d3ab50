"""History: what the amendments of a journal changed, in words."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable
from typing import Any

from ..format.amendments import FIXED, WHEN, merge
from . import quantities

LONGEST = 60  # characters of a value that are shown
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
AXIS = ("name", "offset", "scale", "units", "values")


def history(header: dict[str, Any], patches: Iterable[dict[str, Any]]) -> list[str]:
    """Return a line for all that each amendment changed of metadata and signals, with the instant where it states one.

    Parameters
    ----------
    header : dict
        The JSON object of HEAD, without amendments.
    patches : iterable of dict
        The amendments, in order.
    """
    now = copy.deepcopy({"metadata": header.get("metadata", {}), "signals": header["signals"]})
    out = []
    for patch in patches:
        when = patch.get(WHEN, "")
        out += [f"{line}, {when}" if INSTANT.fullmatch(when) else line for line in changes(now, patch)]
        apply(now, patch)
    return out


def apply(header: dict[str, Any], patch: dict[str, Any]) -> None:
    """Apply the parts of an amendment that concern metadata and signals, in place."""
    merge(header, {"metadata": patch.get("metadata", {})})
    items = {item["name"]: item for item in header["signals"]}
    for name, change in patch.get("signals", {}).items():
        if name in items:
            merge(items[name], {key: value for key, value in change.items() if key not in FIXED})


def changes(header: dict[str, Any], patch: dict[str, Any]) -> list[str]:
    """Return a line for everything of metadata and signals that an amendment changes; those it names are looked at."""
    out = _differences("", header.get("metadata", {}), patch.get("metadata", {}))
    items = {item["name"]: item for item in header["signals"]}
    for name, change in patch.get("signals", {}).items():
        item = items.get(name)
        if item is None:
            continue
        own = change.get("metadata")
        out += _differences(f"{name}.", _as(dict, item.get("metadata")), _as(dict, own))
        if "axes" in change:
            out += _axes(name, _as(list, item.get("axes")), _as(list, change["axes"]))
        others = {key: value for key, value in change.items() if key not in (*FIXED, "metadata", "axes")}
        out += _differences(f"{name}.", item, others)
    return out


def _as(kind: type, value: Any) -> Any:
    """Return a value if it is of the kind, else an empty one: only the result of all amendments need be right."""
    return value if isinstance(value, kind) else kind()


def _differences(prefix: str, before: dict[str, Any], patch: dict[str, Any]) -> list[str]:
    kinds = quantities.DETECTOR if prefix else quantities.SERIES
    return [
        line(f"{prefix}{name}", before.get(name), value, kinds.get(name, ""))
        for name, value in patch.items()
        if before.get(name) != value
    ]


def _axes(name: str, before: list[Any], after: list[Any]) -> list[str]:
    out = []
    for number, axis in enumerate(_as(dict, one) for one in after):
        old = _as(dict, before[number]) if number < len(before) else {}
        for key in AXIS:
            if old.get(key) != axis.get(key):
                units = axis.get("units", "") if key in ("offset", "scale") else ""
                was = old.get("units", "") if key in ("offset", "scale") else ""
                title = f"{name}.{old.get('name', axis.get('name'))}.{key}"
                out.append(line(title, old.get(key), axis.get(key), units, was))
    return out


def line(name: str, before: Any, after: Any, unit: str, unit_before: str | None = None) -> str:
    """Write what a value is now, and what it was."""
    now = "taken away" if after is None else _text(after, unit)
    was = "" if before is None else _text(before, unit if unit_before is None else unit_before)
    return f"{name} {now}" + (f" (was {was})" if was else "")


def _text(value: Any, unit: str) -> str:
    unit = unit.removesuffix(", several")
    unit = "" if unit in ("text", "symbols", "times") else unit
    if isinstance(value, list) and len(value) > 8:
        return f"a table of {len(value)} values"
    if isinstance(value, list):
        return ", ".join(_text(one, unit) for one in value)
    if isinstance(value, float):
        return f"{value:.10g} {unit}".rstrip()
    found = str(value) if str(value).isprintable() else repr(value)
    found = found if len(found) <= LONGEST else f"{found[:LONGEST]}…"
    return f"{found} {unit}".rstrip() if isinstance(value, int) else found
