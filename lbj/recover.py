"""Recover: copy every completed frame of a damaged journal into a new one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from . import check, layout
from .errors import DamagedError, LbjError
from .framing import Bytes, Record, fields, parse_json
from .salvage import Fault, Piece, pieces, walk
from .scan import Header, check_names, read_header
from .signal import Signal
from .writer import create


def recover(file: BinaryIO, out: str | os.PathLike | BinaryIO, report: Callable[[str], None]) -> tuple[int, int]:
    """Write every completed frame of `file`, in order, into the new journal `out`.

    Frames are numbered anew without gaps; each keeps its old number as ``metadata["original_frame"]`` where numbers
    shift. `report` is called with a line for everything that is lost.

    Returns
    -------
    kept, lost : int
        Number of frames written, and number of losses reported.

    Raises
    ------
    DamagedError
        If neither HEAD nor a copy of it can be read: without the declarations nothing can be decoded.
    """
    source = Bytes(file)
    size = source.size()
    losses: list[str] = []

    def lose(line: str) -> None:
        losses.append(line)
        report(line)

    header = _header(source, size, lose)
    origin = {"name": "recovered journal", "uuid": header.json.get("uuid"), "notes": losses}
    metadata = header.json.get("metadata", {})
    with create(out, header.signals, metadata, source=origin) as writer:
        due = 0
        for item in pieces(source, _skipping(walk(source, 8, size))):
            if isinstance(item, Fault):
                lose(f"bytes {item.offset} to {item.end}: {item.error}")
            elif isinstance(item, Record):
                _amend(source, item, writer.amend, lose)
            elif item.number == layout.STATIC:
                data, _, faults = check.decode(source, item, header.signals)
                _faults("static data", faults, lose)
                for name, value in data.items() if not faults else ():
                    writer.put_static(name, value)
            else:
                due = _frame(source, header, item, writer, due, lose)
        return len(writer), len(losses)


def _frame(source: Bytes, header: Header, piece: Piece, writer: Any, due: int, lose: Callable[[str], None]) -> int:
    data, attributes, faults = check.decode(source, piece, header.signals)
    finished = piece.records[-1].type == layout.DONE
    if finished and piece.number > due:
        many = piece.number - due
        lose(f"frame {due}: missing" if many == 1 else f"frames {due} to {piece.number - 1}: missing")
    _faults(f"frame {piece.number}", faults, lose)
    if not faults:
        if piece.number != len(writer):
            extra = {**attributes.get("metadata", {}), "original_frame": piece.number}
            attributes = {**attributes, "metadata": extra}
        writer.append(data, **attributes)
    return max(due, piece.number + 1) if finished or not faults else due


def _faults(what: str, faults: list[LbjError], lose: Callable[[str], None]) -> None:
    if faults:
        lose(f"{what}: {faults[0]}")


def _skipping(items: Iterator[Record | Fault]) -> Iterator[Record | Fault]:
    return (item for item in items if isinstance(item, Fault) or item.type not in (layout.HEAD, layout.COPY))


def _amend(source: Bytes, record: Record, amend: Callable[[dict[str, Any]], None], lose: Callable[[str], None]) -> None:
    if record.type != layout.AMND:
        if record.type not in (layout.INDX, layout.FOOT, layout.CONT):
            lose(f"record {record.type.decode()} at byte {record.offset}: not understood, left out")
        return
    try:
        amend(parse_json(source.payload(record), record))
    except LbjError as error:
        lose(f"amendment: {error}")


def _header(source: Bytes, size: int, lose: Callable[[str], None]) -> Header:
    try:
        return read_header(source)
    except DamagedError as error:
        broken = error
    for item in walk(source, 8, size):
        if not isinstance(item, Record) or item.type not in (layout.COPY, layout.HEAD):
            continue
        try:
            head = fields(layout.head, source.payload(item), item)
            description = parse_json(head.json, item)
            signals = [Signal.from_json(entry) for entry in description["signals"]]
            check_names(signals)
        except (LbjError, KeyError, TypeError):
            continue
        lose(f"signature or HEAD: {broken.reason}; the copy at byte {item.offset} was used")
        return Header((head.major, head.minor), description, signals, 8)
    raise broken
