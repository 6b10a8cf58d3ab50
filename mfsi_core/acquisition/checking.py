"""Checking: frames that an instrument hands out twice, or skips."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from lbj.events import Events

from ..instruments.protocol import Frame

LOOKED_AT = 2**22  # bytes of a signal that enter the digest; of a larger one, evenly spaced rows


class Order:
    """Remembers the last frame by its number and a digest, not the frame."""

    def __init__(self) -> None:
        self._serial: int | None = None
        self._digest = b""

    def repeated(self, frame: Frame) -> str:
        """Say why a frame is the one before once more; empty where it is not."""
        if frame.serial is not None and self._serial is not None:
            if frame.serial == self._serial:
                return f"the instrument handed out its frame {frame.serial} again"
            return ""
        found = digest(frame.data)
        return "the instrument handed out the same data again" if found and found == self._digest else ""

    def skipped(self, frame: Frame) -> str:
        """Say how many frames were left out before this one; empty where none was. Remembers the frame."""
        before, self._serial = self._serial, frame.serial
        self._digest = digest(frame.data) if frame.serial is None else b""
        if before is None or frame.serial is None or frame.serial == before + 1:
            return ""
        if frame.serial < before:
            return f"the instrument counts backwards: frame {frame.serial} came after {before}"
        missing = frame.serial - before - 1
        return f"the instrument left out {missing} frame{'s' if missing > 1 else ''} before its frame {frame.serial}"


def digest(data: dict[str, Any]) -> bytes:
    """Digest of a frame; empty where all of it is the same value, which any two frames may be."""
    found, uniform = hashlib.blake2b(digest_size=16), True
    for name, value in sorted(data.items()):
        found.update(name.encode())
        parts = [value.pixel, value.channel, value.count] if isinstance(value, Events) else [np.asarray(value)]
        for part in parts:
            step = max(part.nbytes // LOOKED_AT, 1)
            seen = np.ascontiguousarray(part[::step] if part.ndim else part)
            uniform = uniform and (seen.size == 0 or bool((seen == seen.flat[0]).all()))
            found.update(repr(part.shape).encode())
            found.update(seen.view(np.uint8).data if seen.size else b"")
    return b"" if uniform else found.digest()
