"""A frame between its FRAM and its DONE: clauses 5.2 and 5.4."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from . import json_text, layouts
from .blocks import Block, read_block
from .errors import Refused, damaged
from .header import Signal
from .records import Record, Source, read_payload

DONE_SIZE = 24
MOST_DONE = DONE_SIZE + json_text.MOST_BYTES + 1


@dataclass(frozen=True)
class Frame:
    """A completed frame, or a pseudo-frame of static signals.

    `error` tells why the frame as a whole cannot be read; then attributes and blocks mean nothing. `hit` names the
    static signals that a damaged pseudo-frame leaves without data, each with its error.
    """

    number: int
    offset: int
    json: bytes = b""
    attributes: dict[str, Any] = field(default_factory=dict)
    blocks: dict[int, list[Block]] = field(default_factory=dict)
    error: Refused | None = None
    hit: dict[int, Refused] = field(default_factory=dict)

    @property
    def static(self) -> bool:
        """Whether this is no frame but holds static signals (clause 5.2.3)."""
        return self.number == layouts.STATIC


class Pending:
    """A frame that is begun and not completed."""

    def __init__(self, source: Source, record: Record) -> None:
        self.offset = record.offset
        self.number: int | None = None
        self._damage: Refused | None = None
        self._stored: list[tuple[int, bytes, bool]] = []
        if record.length != layouts.FRAM_SIZE:
            raise damaged(record.offset, "4.3.4", f"FRAM of {record.length} bytes")
        payload, intact = read_payload(source, record, layouts.FRAM_SIZE)
        if not intact:
            self._damage = damaged(record.offset, "4.2.5", "wrong payload digest of FRAM")
        else:
            self.number = layouts.fram.parse(payload).frame

    def add(self, source: Source, record: Record) -> bool:
        """Take a BLOK; its content is not looked at before the frame is completed (clause 5.2.1)."""
        payload, intact = read_payload(source, record)
        self._stored.append((record.offset, payload, intact))
        if not intact and self._damage is None:
            self._damage = damaged(record.offset, "4.2.5", "wrong payload digest of BLOK")
        return intact

    def complete(self, source: Source, record: Record, signals: list[Signal]) -> Frame:
        """Return the frame that a DONE completes; refuse wrong structure."""
        payload, intact = read_payload(source, record, MOST_DONE)
        if not intact:
            raise damaged(record.offset, "4.2.5", "wrong payload digest of DONE")
        if len(payload) < DONE_SIZE:
            raise damaged(record.offset, "4.3.4", f"DONE of {len(payload)} bytes")
        done = layouts.done.parse(payload[:DONE_SIZE])
        number = done.frame if self.number is None else self.number
        blocks: dict[int, list[Block]] = {}
        for offset, stored, whole in self._stored:
            if whole:
                block = read_block(offset, stored, number, signals)
                if signals[block.signal].static == (number == layouts.STATIC):  # others are ignored, clause 5.3.8
                    blocks.setdefault(block.signal, []).append(block)
        if done.frame != number:
            raise damaged(record.offset, "5.4.2", f"DONE of frame {done.frame} in frame {number}")
        if done.blocks != len(self._stored):
            raise damaged(record.offset, "5.4.2", f"DONE of {done.blocks} blocks after {len(self._stored)}")
        if number == layouts.STATIC:
            return Frame(number, self.offset, blocks=blocks, error=self._damage, hit=self._hit(signals))
        if self._damage is not None:
            return Frame(number, self.offset, error=self._damage)
        text = payload[DONE_SIZE:]
        try:
            attributes = json_text.load(text, record.offset) if text else {}
        except Refused as refused:
            return Frame(number, self.offset, error=refused)
        return Frame(number, self.offset, text, attributes, blocks)

    def _hit(self, signals: list[Signal]) -> dict[int, Refused]:
        """Return the static signals that a wrong record of a pseudo-frame spoils: all of them (clause 5.2.3)."""
        if self._damage is None:
            return {}
        return {signal.number: self._damage for signal in signals if signal.static}
