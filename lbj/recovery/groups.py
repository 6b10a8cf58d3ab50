"""Check one frame group that was found by salvage: decode everything and compare with what is stated."""

from __future__ import annotations

from typing import Any

from ..errors import DamagedError, LbjError
from ..events import Events
from ..format import blocks, layout
from ..format.records import Bytes, fields, parse_json
from ..signal import Signal
from .salvage import Piece


def decode(
    source: Bytes, piece: Piece, signals: list[Signal], max_bytes: int, *, keep: bool = False
) -> tuple[dict[str, Any], dict[str, Any], list[LbjError]]:
    """Decode a group completely.

    Returns
    -------
    data : dict
        Signal name -> Events or array, of what could be decoded; with `keep`, lossy blocks as they are stored.
    attributes : dict
        The frame's attributes.
    faults : list of LbjError
        Everything that is wrong with the group, `piece.faults` first.
    """
    faults: list[LbjError] = list(piece.faults)
    data: dict[str, Any] = {}
    attributes: dict[str, Any] = {}
    if faults:
        return data, attributes, faults
    parsed: dict[int, list[blocks.Block]] = {}
    events = 0
    for record in piece.records:
        try:
            payload = source.payload(record)
            if record.type == layout.BLOK:
                block = blocks.parse(record, payload, signals, piece.number or 0)
                parsed.setdefault(block.signal, []).append(block)
                events += block.events
            elif record.type == layout.DONE:
                done = fields(layout.done, payload, record)
                attributes = parse_json(done.json, record) if done.json and not piece.static else {}
                if done.events != events:
                    faults.append(
                        DamagedError(
                            f"DONE states {done.events} counts, the blocks {events}",
                            offset=record.offset,
                            clause="5.4.3",
                        )
                    )
        except LbjError as error:
            faults.append(error)
    for number, found in parsed.items():
        signal = signals[number]
        try:
            if signal.kind == "events":
                data[signal.name] = blocks.join_events(signal, found)
            else:
                array = blocks.join_array(signal, found, max_bytes)
                data[signal.name] = blocks.Verbatim(signal, found, array) if keep and blocks.lossy(found) else array
            if isinstance(data[signal.name], Events):
                data[signal.name]._check()
            if signal.static != piece.static:
                faults.append(
                    DamagedError(
                        f"signal {signal.name!r} stands in the wrong kind of frame",
                        offset=found[0].record.offset,
                        clause="5.3.8",
                    )
                )
        except LbjError as error:
            faults.append(error)
    return data, attributes, faults
