"""Verify a journal (`lbj verify`): every digest and every cross-check of the specification.

In order: signature and HEAD; every record's header, digest and padding; every frame's blocks decoded and compared with
its DONE; frame numbers; index and footer against what was found; the content digest where one is stored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from ..errors import DamagedError, LbjError, UnsupportedError
from ..format import amendments, displacements, layout
from ..format.blocks import MAX_BYTES
from ..format.contents import Contents, Header, build_index, read_header, scan
from ..format.records import Bytes, Record, fields, parse_json
from ..frame import content_digest
from . import groups
from .digests import SalvagedBytes
from .salvage import Fault, Piece, pieces, walk

STRANGE = ("4.3.2", "5.1.1")
"""Clauses on critical records that hold in frames that are abandoned too (5.2.1)."""


class Finding(NamedTuple):
    """One deviation: the clause it breaks (a stable code), where, and what.

    A `note` breaks nothing: a journal without footer conforms, though most are closed with one.
    """

    code: str
    offset: int | None
    message: str
    note: bool = False


def verify(file: BinaryIO, max_bytes: int = MAX_BYTES) -> Iterator[Finding]:
    """Yield every finding of an opened journal; none means that it conforms.

    Dense arrays of more than `max_bytes` are not decoded, which is a finding too.
    """
    source = SalvagedBytes(file)
    size = source.size()
    try:
        header = read_header(source)
    except LbjError as error:
        yield _finding(error)
        return
    record = source.header(8, size)
    yield from _zeros(source, record)
    described = parse_json(fields(layout.head, source.payload(record), record).json, record)
    if not isinstance(described.get("metadata", {}), dict):
        yield Finding("5.1.4", record.offset, "the header's 'metadata' is no object; readers take it for absent")
    if header.version < (0, layout.MINOR):
        declared, own = (".".join(map(str, two)) for two in (header.version, (layout.MAJOR, layout.MINOR)))
        what = f"version {declared} is that of a draft; this validator goes by {own}"
        yield Finding("5.1.2", 8, what, note=True)
    patches: list[tuple[int, dict[str, Any]]] = []
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
            yield from _outside(source, item, header, (expected, digest.hexdigest()), patches)
        elif item.abandoned:
            yield from (_finding(fault) for fault in item.faults if getattr(fault, "clause", "") in STRANGE)
        else:
            closed = False
            decoded = groups.decode(source, item, header.signals, max_bytes)
            data = decoded.data
            yield from (_finding(fault) for fault in decoded.faults + decoded.deviations if fault not in broken)
            for record in item.records:
                yield from _zeros(source, record)
            if item.static or not _completed(item):
                continue
            if item.number not in (None, expected):
                yield Finding("5.2.2", item.records[0].offset, f"{item} stands where frame {expected} is due")
            expected = (expected if item.number is None else item.number) + 1
            frame = hashlib.sha256()
            for signal in header.signals:
                if signal.name in data:
                    frame.update(content_digest(signal, data[signal.name]))
            digest.update(frame.digest())
    yield from _amended(header, patches)
    if closed and not broken:
        yield from _index(source, header, size)
    if not closed:
        what = "no footer at the end: still being written, not closed, or by a writer that writes none"
        yield Finding("6.1", size, what, note=True)


def _completed(piece: Piece) -> bool:
    return piece.records[-1].type == layout.DONE


def _finding(error: LbjError) -> Finding:
    if isinstance(error, DamagedError):
        return Finding(error.clause or "4.2", error.offset, error.reason)
    if isinstance(error, UnsupportedError):
        return Finding(error.clause, error.offset, error.reason)
    return Finding("11.1", None, str(error))


def _amended(header: Header, patches: list[tuple[int, dict[str, Any]]]) -> Iterator[Finding]:
    """The number of amendments, and what they make of the header."""
    try:
        amendments.offsets((layout.AMND, offset) for offset, _ in patches)
        amendments.apply(header, patches)
    except LbjError as error:
        yield _finding(error)


def _outside(
    source: Bytes, record: Record, header: Header, content: tuple[int, str], patches: list[tuple[int, dict[str, Any]]]
) -> Iterator[Finding]:
    yield from _zeros(source, record)
    try:
        payload = source.payload(record)
        if record.type == layout.AMND:
            patches.append((record.offset, {}))
            patches[-1] = (record.offset, amendments.read(source, record))
        elif record.type == layout.PERS:
            parse_json(payload, record)
        elif record.type == layout.DISP:
            displacements.parse(payload, record, header.signals, content[0])
        elif record.type in (layout.INDX, layout.FOOT):
            if not record.flags:
                yield Finding("6.1", record.offset, f"{record.type.decode()} has no payload digest")
        elif record.type == layout.CONT:
            declared = fields(layout.cont, payload, record)
            if record.length != layout.CONT_SIZE:
                yield Finding("4.3.4", record.offset, f"cONT of {record.length} bytes; {layout.CONT_SIZE} are expected")
            if (declared.frames, declared.sha256.hex()) != content:
                yield Finding("7.3.2", record.offset, "the content digest differs from that of the decoded frames")
        elif record.type == layout.HEAD:
            yield Finding("5.1.1", record.offset, "a second HEAD")
        elif record.critical:
            yield Finding("4.3.2", record.offset, f"critical record {record.type.decode()!r} is unknown; upgrade lbj")
    except LbjError as error:
        yield _finding(error)


def _zeros(source: Bytes, record: Record) -> Iterator[Finding]:
    """Padding and unused fields are zero."""
    start = record.body + record.length
    if any(source.read(start, record.end - start)):
        yield Finding("4.2.6", start, "the padding after a payload is not zero")
    place = layout.UNUSED.get(record.type)
    if place is not None and record.length >= place.stop and any(source.read(record.body, place.stop)[place]):
        yield Finding("1.5", record.body + place.start, f"an unused field of {record.type.decode()} is not zero")


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
        if not header.end <= foot.index < at:
            raise DamagedError(f"the footer names the index at byte {foot.index}", offset=at, clause="6.2")
        index = source.header(foot.index, size)
        payload, footer = bytearray(source.payload(index)), source.payload(record)
    except (LbjError, ValueError) as error:
        yield Finding("6.2", at, f"footer or index cannot be read: {error}")
        return
    fixed = layout.UNUSED[layout.INDX]
    payload[fixed] = bytes(fixed.stop - fixed.start)
    if (bytes(payload), footer) != build_index(found, foot.index):
        yield Finding("6.3.2", foot.index, "index and footer differ from the records of the file")
