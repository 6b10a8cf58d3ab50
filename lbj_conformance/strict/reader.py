"""The streaming reader: the first column of clause 9.1."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from . import layouts
from .amend import Description
from .blocks import Block
from .errors import Refused, damaged, truncated, unsupported
from .frames import Frame, Pending
from .header import HEAD_OFFSET, MOST_PAYLOAD, read_head, read_version
from .json_text import MOST_BYTES
from .records import Source, check_signature, next_record, read_payload


class Reader:
    """Reads a journal from its first byte to the last.

    Attributes
    ----------
    version : tuple of int or None
        Major and minor version, as soon as HEAD has been found whole.
    signals : list of Signal
        What the header declares.
    static : dict
        By number of the static signal, its blocks, or the error that hides them; complete after `frames`.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.version: tuple[int, int] | None = None
        self.static: dict[int, list[Block] | Refused] = {}

    def read_header(self) -> None:
        """Read signature and HEAD (clause 5.1.1), or refuse the file."""
        check_signature(self.source)
        if self.source.size == HEAD_OFFSET:
            raise truncated(HEAD_OFFSET, "4.4.1", "the file ends after the signature")
        record = next_record(self.source, HEAD_OFFSET)
        if record.type != layouts.HEAD:
            raise damaged(HEAD_OFFSET, "5.1.1", f"the first record is {record.name}")
        payload, intact = read_payload(self.source, record, MOST_PAYLOAD + 1)
        if not intact:
            raise damaged(HEAD_OFFSET, "4.2.5", "wrong payload digest of HEAD")
        self.version = read_version(payload, HEAD_OFFSET)
        head = read_head(payload, HEAD_OFFSET)
        self.signals = head.signals
        self._description = Description(head.header)
        self._place = record.end

    def header(self) -> dict[str, Any]:
        """Return the header with the amendments that have come by, or refuse it as damaged."""
        return self._description.result()

    def frames(self) -> Iterator[Frame]:
        """Give the completed frames one after the other, and refuse what ends the reading."""
        source, place = self.source, self._place
        pending: Pending | None = None
        completed = 0
        while place < source.size:
            record = next_record(source, place)
            place = record.end
            if record.type == layouts.FRAM:
                pending = Pending(source, record)
            elif record.type == layouts.BLOK:
                if pending is None:
                    raise damaged(record.offset, "5.3.1", "BLOK outside of a frame")
                pending.add(source, record)
            elif record.type == layouts.DONE:
                if pending is None:
                    raise damaged(record.offset, "5.4.2", "DONE outside of a frame")
                frame = pending.complete(source, record, self.signals)
                pending = None
                if frame.static:
                    self._keep(frame)
                elif frame.number != completed:
                    raise damaged(frame.offset, "5.2.2", f"frame {frame.number} after {completed} frames")
                else:
                    completed += 1
                    yield frame
            elif record.type == layouts.HEAD:
                raise damaged(record.offset, "5.1.1", "a later HEAD")
            elif record.critical:
                raise unsupported(record.offset, "4.3.2", f"unknown critical record {record.name}")
            elif record.type == layouts.AMND and pending is None:
                payload, intact = read_payload(source, record, MOST_BYTES + 1)
                self._description.add(record.offset, payload, intact)
        if pending is not None:
            raise truncated(pending.offset, "4.4.1", "the file ends inside a frame")

    def _keep(self, frame: Frame) -> None:
        """Clause 5.2.3: the last pseudo-frame that holds a signal is valid."""
        self.static.update(frame.blocks)
        self.static.update(frame.hit)
