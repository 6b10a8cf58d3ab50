"""Attributes of a frame: live, real and dwell time, current and other values of single frames (spec/lbj.md 5.4.4)."""

from __future__ import annotations

import datetime
import re
from collections.abc import Collection
from typing import Any

from ..errors import UsageError
from ..signal import finite
from .plausible import implausible

PER_SIGNAL = {
    "live_time": "s",
    "real_time": "s",
    "dwell_time": "s per pixel",
    "exposure": "s",
    "energy_shift": "eV, added to the axis",
    "scanned_pixels": "pixels, from the first on",
}
PER_FRAME = {
    "beam_current": "A, at the specimen",
    "screen_current": "A, at the screen",
    "time_offset": "s since the series began, monotonic",
    "rotation": "rad, of the scan",
}
NAMES = (*PER_SIGNAL, *PER_FRAME, "start_time", "region", "scan", "metadata")


def checked(given: dict[str, Any], signals: list[str]) -> dict[str, Any]:
    """Return the attributes as they are stored.

    Raises
    ------
    UsageError
        Naming an unknown attribute or signal, or a value that is not what the attribute needs.
    """
    out: dict[str, Any] = {}
    for name, value in given.items():
        if value is None:
            continue
        if said := implausible(name, value):
            raise UsageError(said)
        if name in PER_SIGNAL:
            out[name] = _per_signal(name, value, signals)
        elif name in PER_FRAME:
            out[name] = _number(name, value, PER_FRAME[name])
        elif name == "region":
            out[name] = _region(value)
        elif name == "start_time":
            out[name] = _instant(value)
        elif name in ("scan", "metadata"):
            if not isinstance(value, dict):
                raise UsageError(f"{name} must be a dict, got {value!r}")
            out[name] = value
        else:
            raise UsageError(f"a frame has no attribute {name!r}; expected one of {', '.join(NAMES)}")
    return out


def known(stored: dict[str, Any], signals: Collection[str]) -> dict[str, Any]:
    """Return what of stored attributes means something: names of clause 5.4.4 with values of their types.

    Others are to be ignored; so are signals that the journal has not, in values by signal.
    """
    out: dict[str, Any] = {}
    for name, value in stored.items():
        if name in PER_SIGNAL and isinstance(value, dict):
            parts = {key: item for key, item in value.items() if key in signals and _fits(name, item)}
            if parts:
                out[name] = parts
        elif value is not None and _fits(name, value):
            out[name] = value
    return out


def _fits(name: str, value: Any) -> bool:
    try:
        return bool(checked({name: value}, []))
    except UsageError:
        return False


def _per_signal(name: str, value: Any, signals: list[str]) -> Any:
    if not isinstance(value, dict):
        return _number(name, value, PER_SIGNAL[name])
    unknown = sorted(set(value) - set(signals))
    if unknown:
        raise UsageError(f"{name} names the signal {unknown[0]!r}; the journal has {', '.join(signals)}")
    return {key: _number(name, item, PER_SIGNAL[name]) for key, item in value.items()}


def _number(name: str, value: Any, unit: str) -> float | int:
    if hasattr(value, "__index__") and not isinstance(value, bool):
        return int(value)
    return finite(f"{name} ({unit})", value)


def _region(value: Any) -> int:
    if not hasattr(value, "__index__") or isinstance(value, bool) or not 0 <= int(value) < 2**32:
        raise UsageError(f"region must be a whole number from 0 on, got {value!r}")
    return int(value)


def _instant(value: Any) -> str:
    if isinstance(value, datetime.datetime):
        if value.tzinfo is None:
            raise UsageError("start_time needs a time zone; give it in UTC")
        value = value.astimezone(datetime.timezone.utc).isoformat().replace("+00:00", "Z")
    try:
        text = re.sub(r"\.\d+", lambda part: f"{part[0]:0<7.7}", str(value))  # microseconds, which any Python reads
        when = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        when = None
    if when is None or when.tzinfo is None or when.utcoffset():
        raise UsageError(f"start_time must be RFC 3339 in UTC, as 2026-11-21T08:30:00Z, got {value!r}")
    return str(value)
