"""Amendments of the header: clause 7.1."""

from __future__ import annotations

from typing import Any

from . import json_text
from .errors import Refused, damaged
from .header import check_signals

MOST_AMENDMENTS = 4096
FIXED_MEMBERS = ("name", "kind", "shape", "dtype", "coding", "group", "role", "of")


def merge_patch(target: Any, patch: Any) -> Any:
    """Return `target` with a JSON merge patch applied (RFC 7396); neither is changed."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge_patch(result.get(name), value)
    return result


def read_amendment(payload: bytes, offset: int) -> dict[str, Any]:
    """Clause 7.1.1: what an amendment must be by itself."""
    amendment = json_text.load(payload, offset)
    patches = [amendment[name] for name in ("metadata", "source", "signals") if name in amendment]
    if isinstance(amendment.get("signals"), dict):
        patches += amendment["signals"].values()
    if not all(isinstance(patch, dict) for patch in patches):
        raise damaged(offset, "7.1.1", "a patch is no object")
    return amendment


def amended(header: dict[str, Any], amendment: dict[str, Any]) -> dict[str, Any]:
    """Return the header with one amendment applied (clause 7.1.2); the old one is not changed."""
    result = dict(header)
    for name in ("metadata", "source"):
        if name in amendment:
            result[name] = merge_patch(result.get(name), amendment[name])
    patches = amendment.get("signals", {})
    if patches:
        result["signals"] = [_amended_signal(signal, patches.get(signal["name"], {})) for signal in header["signals"]]
    return result


def _amended_signal(signal: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    allowed = {name: value for name, value in patch.items() if name not in FIXED_MEMBERS}
    result: dict[str, Any] = merge_patch(signal, allowed) if allowed else signal
    return result


class Description:
    """The header, and the amendments as they come by."""

    def __init__(self, header: dict[str, Any]) -> None:
        self.header = header
        self.count = 0
        self.refused: Refused | None = None
        self._last = 0

    def add(self, offset: int, payload: bytes, intact: bool) -> None:
        """Apply one amendment; one that cannot be read makes the description unreadable, and nothing else."""
        self.count += 1
        self._last = offset
        if self.refused is not None:
            return
        try:
            if self.count > MOST_AMENDMENTS:
                raise damaged(offset, "7.1.3", f"more than {MOST_AMENDMENTS} amendments")
            if not intact:
                raise damaged(offset, "4.2.5", "wrong payload digest of an amendment")
            self.header = amended(self.header, read_amendment(payload, offset))
        except Refused as refused:
            self.refused = refused

    def result(self) -> dict[str, Any]:
        """Return the header with all amendments applied, or refuse it as damaged."""
        if self.refused is not None:
            raise self.refused
        if self.count:
            check_signals(self.header, self._last)  # clause 7.1.2, once all are applied
        return self.header
