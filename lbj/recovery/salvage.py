"""Salvage: all valid records of a damaged file are found, past what is broken (spec/lbj.md section 9)."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from ..errors import DamagedError, LbjError, TruncatedError
from ..format import layout
from ..format.contents import check_length, sound, unknown
from ..format.records import Bytes, Record, check_fields, fields, unpack_header


@dataclass
class Fault:
    """Bytes from `offset` to `end` that are no record, and why.

    `passed`: the bytes are a record with a valid header that this reader does not know; it is skipped by its length.
    """

    error: LbjError
    offset: int
    end: int
    passed: bool = False


@dataclass
class Piece:
    """One frame group as found: its number if a sound record states it, its records, and what is wrong with it.

    `wrong`: of its blocks, the digests that are wrong; `declared`: the numbers that its sound records state,
    `completed`: that of DONE; `broken`: bytes that are no record stand in it; `abandoned`: another FRAM ended it,
    so that it does not exist; `others`: the ancillary records in it.
    """

    number: int | None
    records: list[Record] = field(default_factory=list)
    faults: list[LbjError] = field(default_factory=list)
    wrong: list[LbjError] = field(default_factory=list)
    others: list[Record] = field(default_factory=list)
    declared: list[int] = field(default_factory=list)
    completed: int = 0
    broken: bool = False
    abandoned: bool = False

    @property
    def static(self) -> bool:
        """Whether it holds static data."""
        return self.number == layout.STATIC

    def __str__(self) -> str:
        """Name it, for people."""
        if self.static:
            return "static data"
        return "a frame" if self.number is None else f"frame {self.number}"


def walk(source: Bytes, offset: int, size: int) -> Iterator[Record | Fault]:
    """Yield every record with a valid header from `offset` on; a Fault for every stretch between.

    Read with `digests.SalvagedBytes` this takes time linear in the file.
    """
    record = _valid(source, offset, size)
    while offset < size:
        try:
            if record is None:
                source.header(offset, size)  # says what is wrong
            else:
                check_fields(record)
        except LbjError as error:
            if record is None:
                zeros = isinstance(error, TruncatedError) and error.clause == "4.4.2"
                record = None if zeros else resynchronise(source, offset + 8, size)
                found = size if record is None else record.offset
                yield Fault(error, offset, found)
                offset = found
                continue
            yield Fault(error, offset, record.end, passed=True)
        else:
            assert record is not None  # what is no valid record, `source.header` refuses
            yield record
        following = _valid(source, record.end, size)
        offset = record.end
        if following is None and not sound(source, record):
            what = f"{record.type.decode('latin-1')} is wrong and no record stands where it ends"
            following = resynchronise(source, record.body, size)
            offset = size if following is None else following.offset
            yield Fault(DamagedError(what, offset=record.offset, clause="9.3"), record.body, offset)
        record = following


def _valid(source: Bytes, offset: int, size: int) -> Record | None:
    """Return the record whose valid header stands here, None where none does."""
    if offset + layout.RECORD_SIZE > size:
        return None
    return _fitting(source.read(offset, layout.RECORD_SIZE), offset, size)


def _fitting(raw: bytes, offset: int, size: int) -> Record | None:
    """Return the record that these bytes are the header of: marker, digest and a length that fits (clause 9.3)."""
    if raw[:3] != layout.MARKER or zlib.crc32(raw[:20]) != int.from_bytes(raw[20:], "little"):
        return None
    record, _ = unpack_header(raw, offset)
    return record if record.end <= size else None


def resynchronise(source: Bytes, offset: int, size: int) -> Record | None:
    """Return the next whole record at a multiple of 8 from `offset` on, None where none follows."""
    for start, data in source.pieces((offset + 7) // 8 * 8, size, layout.RECORD_SIZE):
        at = data.find(layout.MARKER)
        while at >= 0:
            if at % 8 == 0 and at + layout.RECORD_SIZE <= len(data):
                record = _fitting(data[at : at + layout.RECORD_SIZE], start + at, size)
                if record is not None:
                    return record
            at = data.find(layout.MARKER, at + 1)
    return None


def pieces(source: Bytes, items: Iterator[Record | Fault]) -> Iterator[Piece | Fault | Record]:
    """Group records into frames; records and faults outside of frames pass through.

    After bytes that were lost, the next FRAM, BLOK or DONE tells whether an ancillary record stands outside of frames
    (clause 9.6).
    """
    piece: Piece | None = None
    lost = False
    waiting: list[Record] = []
    for item in items:
        if isinstance(item, Fault):
            if piece is not None:
                piece.faults.append(item.error)
                piece.broken = True
            lost = lost or not item.passed
            yield item
            continue
        if item.type not in (layout.FRAM, layout.BLOK, layout.DONE):
            if item.critical and piece is not None:
                piece.faults.append(_misplaced(item))
            elif lost:
                waiting.append(item)
            elif piece is None:
                yield item
            else:
                piece.others.append(item)
            continue
        if item.type == layout.FRAM:
            yield from waiting
        within = [] if item.type == layout.FRAM else waiting
        lost, waiting = False, []
        declared, fault = _looked_at(source, item)
        if item.type == layout.FRAM or piece is None or (piece.broken and declared != piece.number):
            if piece is not None:
                yield _unfinished(piece, abandoned=item.type == layout.FRAM and not piece.broken)
            piece = Piece(declared)
            if item.type != layout.FRAM:
                piece.faults.append(
                    DamagedError("the beginning of a frame is missing", offset=item.offset, clause="5.2.1")
                )
        elif piece.number is None:
            piece.number = declared
        elif declared not in (None, piece.number):
            clause = "5.3.1" if item.type == layout.BLOK else "5.4.2"
            what = f"{item.type.decode()} of frame {declared} stands in frame {piece.number}"
            piece.faults.append(DamagedError(what, offset=item.offset, clause=clause))
        piece.others += within
        piece.records.append(item)
        piece.declared += [] if declared is None else [declared]
        (piece.wrong if item.type == layout.BLOK else piece.faults).extend([] if fault is None else [fault])
        if item.type == layout.DONE:
            piece.completed = declared or 0
            yield _finished(source, piece)
            piece = None
    if piece is not None:
        yield _unfinished(piece, abandoned=False)
    yield from waiting


def _misplaced(record: Record) -> LbjError:
    """Error for a critical record that stands inside a frame and does not belong there."""
    if record.type == layout.HEAD:
        return DamagedError("a second HEAD", offset=record.offset, clause="5.1.1")
    return unknown(record.type, record.offset)


def _looked_at(source: Bytes, record: Record) -> tuple[int | None, DamagedError | None]:
    """Return the frame number that a record of a frame states, where it is sound, and what is wrong with it."""
    declared: int | None = None
    try:
        payload = source.payload(record)
        if record.length >= 8:
            declared = int.from_bytes(payload[:8], "little")
        if record.type == layout.FRAM:
            check_length(record)
    except DamagedError as error:
        return declared, error
    return declared, None


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


def _unfinished(piece: Piece, *, abandoned: bool) -> Piece:
    piece.abandoned = abandoned
    if not abandoned:
        piece.faults.append(
            TruncatedError(f"{piece} was begun and not completed", offset=piece.records[0].offset, clause="5.4.1")
        )
    return piece
