"""One frame of a damaged file: everything is decoded and compared with what the frame states."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..errors import DamagedError, LbjError
from ..events import Events
from ..format import blocks, layout
from ..format.records import Bytes, Record, fields, parse_json
from ..signal import Signal
from .salvage import Piece


@dataclass
class Decoded:
    """What a group holds.

    Attributes
    ----------
    data : dict
        Signal name -> Events or array, of what is whole.
    attributes : dict
        The frame's attributes.
    faults : list of LbjError
        Everything that is wrong with the group, `piece.faults` first.
    deviations : list of LbjError
        What readers pass over: blocks in the wrong kind of frame (5.3.8), a wrong sum of counts (5.4.3).
    """

    data: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    faults: list[LbjError] = field(default_factory=list)
    deviations: list[LbjError] = field(default_factory=list)


def decode(source: Bytes, piece: Piece, signals: list[Signal], max_bytes: int, *, keep: bool = False) -> Decoded:
    """Decode a group completely; with `keep`, lossy blocks as they are stored.

    A wrong block spoils a frame; of static data only the signals to which it belongs (clause 9.5).
    """
    out = Decoded(faults=[*piece.faults, *([] if piece.static else piece.wrong)])
    if out.faults:
        out.faults += piece.wrong if piece.static else []
        return out
    parsed: dict[int, list[blocks.Block]] = {}
    spoilt: set[int] = set()
    events = 0
    for record in piece.records:
        try:
            payload = source.payload(record)
            if record.type == layout.BLOK:
                head = fields(layout.blok, payload[: layout.BLOK_SIZE], record)
                events += head.events
                if head.signal < len(signals) and signals[head.signal].static != piece.static:
                    out.deviations.append(_misplaced(signals[head.signal], record))
                    continue
                try:
                    block = blocks.parse(record, payload, signals, piece.number or 0)
                except LbjError:
                    spoilt.add(head.signal)
                    raise
                parsed.setdefault(block.signal, []).append(block)
            elif record.type == layout.DONE:
                _complete(out, fields(layout.done, payload, record), record, events, static=piece.static)
        except LbjError as error:
            out.faults.append(error)
    for number in sorted(set(parsed) - spoilt, key=list(parsed).index):
        try:
            out.data[signals[number].name] = _joined(signals[number], parsed[number], max_bytes, keep=keep)
        except LbjError as error:
            out.faults.append(error)
    return out


def _misplaced(signal: Signal, record: Record) -> DamagedError:
    what = f"signal {signal.name!r} stands in the wrong kind of frame"
    return DamagedError(what, offset=record.offset, clause="5.3.8")


def _complete(out: Decoded, done: Any, record: Record, events: int, *, static: bool) -> None:
    if done.events != events:
        what = f"DONE states {done.events} counts, the blocks {events}"
        out.deviations.append(DamagedError(what, offset=record.offset, clause="5.4.3"))
    if done.json and not static:
        out.attributes = parse_json(done.json, record)


def _joined(signal: Signal, found: list[blocks.Block], max_bytes: int, *, keep: bool) -> Any:
    """Join a signal's decoded blocks to Events or an array."""
    if signal.kind == "events":
        events: Events = blocks.join_events(signal, found)
        events.check()
        return events
    array = blocks.join_array(signal, found, max_bytes)
    return blocks.Verbatim(signal, found, array) if keep and blocks.lossy(found) else array
