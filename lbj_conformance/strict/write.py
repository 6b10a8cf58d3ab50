"""A minimal writer: the baseline profile of clause 10.5, with payload digests."""

from __future__ import annotations

import os
import zlib
from collections.abc import Sequence
from types import TracebackType

from . import layouts
from .header import FIXED_SIZE

try:
    import fcntl
except ImportError:  # a system without advisory locks of this kind
    fcntl = None  # type: ignore[assignment]

BLOK_FRAME = 8
"""Bytes of a BLOK payload that state the frame."""
EVENTS_PLACE = slice(20, 24)
"""Where a BLOK payload states its events."""


class Writer:
    """Writes a new journal; removes it again where that fails."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._file = open(path, "xb")  # exclusively, clause 10.4
        if fcntl is not None:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # clause 10.1
        self._file.write(layouts.SIGNATURE)
        self._frames = 0

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._file.flush()
            os.fsync(self._file.fileno())
        self._file.close()
        if kind is not None:
            os.unlink(self._path)

    def record(self, kind: bytes, payload: bytes) -> None:
        """Write a record with a payload digest and its padding (clauses 4.2.2, 4.2.5, 4.2.6)."""
        crc = zlib.crc32(payload)
        fields = {"marker": layouts.MARKER, "flags": layouts.HAS_DIGEST, "type": kind}
        header = layouts.packed(layouts.record, **fields, length=len(payload), payload_crc=crc)[:20]
        self._file.write(header + zlib.crc32(header).to_bytes(4, "little"))
        self._file.write(payload + bytes(-len(payload) % 8))

    def head(self, json: bytes) -> None:
        """Write HEAD."""
        fixed = layouts.MAJOR.to_bytes(2, "little") + layouts.MINOR.to_bytes(2, "little")
        self.record(layouts.HEAD, fixed.ljust(FIXED_SIZE, b"\0") + json)

    def frame(self, payloads: Sequence[bytes], json: bytes = b"") -> None:
        """Write the next frame from whole BLOK payloads, whatever frame they state."""
        self._frame(self._frames, payloads, json)
        self._frames += 1

    def static(self, payloads: Sequence[bytes]) -> None:
        """Write a pseudo-frame of static signals (clause 5.2.3)."""
        self._frame(layouts.STATIC, payloads, b"")

    def _frame(self, number: int, payloads: Sequence[bytes], json: bytes) -> None:
        declared = number.to_bytes(BLOK_FRAME, "little")
        events = 0
        self.record(layouts.FRAM, layouts.packed(layouts.fram, frame=number))
        for payload in payloads:
            events += int.from_bytes(payload[EVENTS_PLACE], "little")
            self.record(layouts.BLOK, declared + payload[BLOK_FRAME:])
        self.record(
            layouts.DONE, layouts.packed(layouts.done, frame=number, blocks=len(payloads), events=events) + json
        )
