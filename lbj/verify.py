"""Verify a journal: every digest and every cross-check of the specification.

In order: signature and HEAD; every record's header, digest and padding; every frame's blocks decoded and compared with
its DONE; frame numbers; index and footer against what was found; the content digest where one is stored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from . import check, layout
from .errors import DamagedError, LbjError
from .framing import Bytes, Record, fields, parse_json
from .reader import content_digest
from .salvage import Fault, Piece, pieces, walk
from .scan import Contents, Header, build_index, read_header, scan


class Finding(NamedTuple):
    """One deviation: the clause it breaks (a stable code), where, and what."""

    code: str
    offset: int | None
    message: str


def verify(file: BinaryIO) -> Iterator[Finding]:
    """Yield every finding of an opened journal; none means that it conforms."""
    source = Bytes(file)
    size = source.size()
    try:
        header = read_header(source)
    except LbjError as error:
        yield _finding(error)
        return
    yield from _padding(source, source.header(8, size))
    expected = 0
    digest = hashlib.sha256()
    closed = False
    broken: set[LbjError] = set()
    for item in pieces(source, walk(source, header.end, size)):
        if isinstance(item, Fault):
            broken.add(item.error)
            yield _finding(item.error)
        elif isinstance(item, Record):
            closed = item.type == layout.FOOT and item.end == size
            yield from _outside(source, item, (expected, digest.hexdigest()))
        else:
            closed = False
            data, _, faults = check.decode(source, item, header.signals)
            yield from (_finding(fault) for fault in faults if fault not in broken)
            for record in item.records:
                yield from _padding(source, record)
            if item.number == layout.STATIC or not _completed(item):
                continue
            if item.number != expected:
                yield Finding("5.2.2", item.records[0].offset, f"frame {item.number} stands where {expected} is due")
            expected = item.number + 1
            frame = hashlib.sha256()
            for signal in header.signals:
                if signal.name in data:
                    frame.update(content_digest(signal, data[signal.name]))
            digest.update(frame.digest())
    if closed and not broken:
        yield from _index(source, header, size)
    if not closed:
        yield Finding(
            "6.1", size, "the journal does not end with a footer: it is still being written or was not closed"
        )


def _completed(piece: Piece) -> bool:
    return piece.records[-1].type == layout.DONE


def _finding(error: LbjError) -> Finding:
    if isinstance(error, DamagedError):
        return Finding(error.clause or "4.2", error.offset, error.reason)
    return Finding("8", None, str(error))


def _outside(source: Bytes, record: Record, content: tuple[int, str]) -> Iterator[Finding]:
    yield from _padding(source, record)
    try:
        payload = source.payload(record)
        if record.type == layout.AMND:
            parse_json(payload, record)
        elif record.type == layout.CONT:
            stated = fields(layout.cont, payload, record)
            if record.length != layout.CONT_SIZE:
                yield Finding("4.3.4", record.offset, f"cONT of {record.length} bytes; {layout.CONT_SIZE} are expected")
            if (stated.frames, stated.sha256.hex()) != content:
                yield Finding("7.3.2", record.offset, "the content digest differs from that of the decoded frames")
        elif record.critical:
            yield Finding("4.3.2", record.offset, f"critical record {record.type.decode()!r} is unknown; upgrade lbj")
    except LbjError as error:
        yield _finding(error)


def _padding(source: Bytes, record: Record) -> Iterator[Finding]:
    start = record.body + record.length
    if any(source.read(start, record.end - start)):
        yield Finding("4.2.6", start, "the padding after a payload is not zero")


def _index(source: Bytes, header: Header, size: int) -> Iterator[Finding]:
    """Compare index and footer with what a walk finds."""
    try:
        found = scan(source, header, Contents(header.end), size)
    except LbjError:
        return
    at = size - layout.RECORD_SIZE - layout.FOOT_SIZE
    try:
        record = source.header(at, size)
        foot = fields(layout.foot, source.payload(record), record)
        index = source.header(foot.index, size)
        stored = source.payload(index), source.payload(record)
    except (LbjError, ValueError) as error:
        yield Finding("6.2", at, f"footer or index cannot be read: {error}")
        return
    if stored != build_index(found, foot.index):
        yield Finding("6.3.2", foot.index, "index and footer differ from the records of the file")
