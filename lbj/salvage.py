"""Salvage: walk a damaged file from record to record, past what is broken (spec/lbj.md section 9)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from . import layout
from .errors import DamagedError, LbjError, TruncatedError
from .framing import Bytes, Record, fields, parse_header

STEP = 2**20


@dataclass
class Fault:
    """Bytes from `offset` to `end` that are no record, and why."""

    error: LbjError
    offset: int
    end: int


@dataclass
class Piece:
    """One frame group as found: its records, and what is wrong with it."""

    number: int
    records: list[Record]
    faults: list[LbjError] = field(default_factory=list)


def walk(source: Bytes, offset: int, size: int) -> Iterator[Record | Fault]:
    """Yield every record with a valid header from `offset` on; a Fault for every stretch between."""
    while offset < size:
        try:
            record = source.header(offset, size)
        except LbjError as error:
            ends = isinstance(error, TruncatedError) and error.clause == "4.4.2"
            found = size if ends else resynchronise(source, offset + 8, size)
            yield Fault(error, offset, found)
            offset = found
        else:
            yield record
            offset = record.end


def resynchronise(source: Bytes, offset: int, size: int) -> int:
    """Offset of the next whole record at a multiple of 8 from `offset` on, or `size`."""
    start = (offset + 7) // 8 * 8
    while start + layout.RECORD_SIZE <= size:
        data = source.read(start, min(STEP + layout.RECORD_SIZE, size - start))
        at = data.find(layout.MARKER)
        while at >= 0:
            if at % 8 == 0 and at + layout.RECORD_SIZE <= len(data):
                try:
                    record = parse_header(data[at : at + layout.RECORD_SIZE], start + at)
                except LbjError:
                    pass
                else:
                    if record.end <= size:
                        return start + at
            at = data.find(layout.MARKER, at + 1)
        start += STEP
    return size


def pieces(source: Bytes, items: Iterator[Record | Fault]) -> Iterator[Piece | Fault | Record]:
    """Group records into frames; records and faults outside of frames pass through."""
    piece: Piece | None = None
    for item in items:
        if isinstance(item, Fault):
            if piece is not None:
                piece.faults.append(item.error)
            yield item
            continue
        if item.type == layout.FRAM:
            if piece is not None:
                yield _unfinished(piece)
            piece = Piece(_number(source, item), [item])
            _check(source, item, piece)
        elif item.type in (layout.BLOK, layout.DONE):
            number = _number(source, item)
            if piece is None or piece.number != number:
                if piece is not None:
                    yield _unfinished(piece)
                piece = Piece(number, [])
                piece.faults.append(
                    DamagedError(f"the beginning of frame {number} is missing", offset=item.offset, clause="5.2.1")
                )
            piece.records.append(item)
            _check(source, item, piece)
            if item.type == layout.DONE:
                yield _finished(source, piece)
                piece = None
        elif piece is None or item.critical:
            yield item
    if piece is not None:
        yield _unfinished(piece)


def _number(source: Bytes, record: Record) -> int:
    if record.length < 8:
        return layout.STATIC - 1
    return int.from_bytes(source.read(record.body, 8), "little")


def _check(source: Bytes, record: Record, piece: Piece) -> None:
    try:
        source.payload(record)
    except DamagedError as error:
        piece.faults.append(error)


def _finished(source: Bytes, piece: Piece) -> Piece:
    record = piece.records[-1]
    try:
        done = fields(layout.done, source.payload(record), record)
    except DamagedError:
        return piece
    blocks = sum(item.type == layout.BLOK for item in piece.records)
    if done.blocks != blocks:
        piece.faults.append(
            DamagedError(f"DONE counts {done.blocks} blocks, {blocks} are here", offset=record.offset, clause="5.4.2")
        )
    return piece


def _unfinished(piece: Piece) -> Piece:
    piece.faults.append(
        TruncatedError(
            f"frame {piece.number} was begun and not completed", offset=piece.records[0].offset, clause="5.4.1"
        )
    )
    return piece
