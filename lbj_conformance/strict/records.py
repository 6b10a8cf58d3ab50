"""Records and their checks, in the order of clause 4.2.7, and the end of the file (clause 4.4)."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from . import layouts
from .digest import Beginnings
from .errors import damaged, truncated, unsupported

CHUNK = 2**20
LEAST = 2**8
LONGEST = 2**62


class Source:
    """The bytes of a file whose size is known."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.size = file.seek(0, io.SEEK_END)
        self.wrong = 0  # end of the payloads whose digest was found wrong
        self.beginnings = Beginnings(self.read)

    def read(self, offset: int, count: int) -> bytes:
        """Return `count` bytes from `offset`, fewer only where the file ends."""
        self.file.seek(offset)
        wanted = max(0, min(count, self.size - offset))
        data = self.file.read(wanted)
        if len(data) < wanted:
            raise truncated(offset, "4.4.1", "the file became shorter while it was read")
        return data

    def chunks(self, start: int, stop: int) -> Iterator[bytes]:
        """Give the bytes from `start` to `stop`, a little at a time, the first least."""
        size = LEAST
        while start < stop:
            yield self.read(start, min(size, stop - start))
            start += size
            size = min(2 * size, CHUNK)


@dataclass(frozen=True)
class Record:
    """Header of a record: the table of clause 4.2 and its place."""

    offset: int
    flags: int
    type: bytes
    length: int
    payload_crc: int

    @property
    def start(self) -> int:
        """Offset of the payload."""
        return self.offset + layouts.RECORD_SIZE

    @property
    def end(self) -> int:
        """Offset after the padding (clause 4.2.6)."""
        return self.start + -(-self.length // 8) * 8

    @property
    def critical(self) -> bool:
        """Whether the first letter is of upper case (clause 4.3.1)."""
        return self.type[:1].isupper()

    @property
    def name(self) -> str:
        """Type, for people."""
        return self.type.decode("ascii", "backslashreplace")


def check_signature(source: Source) -> None:
    """Clause 4.1.2."""
    data = source.read(0, len(layouts.SIGNATURE))
    if data == layouts.SIGNATURE:
        return
    if layouts.SIGNATURE.startswith(data):
        raise truncated(0, "4.1.2", "the file ends inside the signature")
    raise damaged(0, "4.1.2", "no signature")


def _zeros_to_the_end(source: Source, raw: bytes, offset: int) -> bool:
    """Clause 4.4.2: from some byte of this header on, everything is zero."""
    rest = source.chunks(offset + layouts.RECORD_SIZE, source.size)
    return raw[-1] == 0 and all(chunk.count(0) == len(chunk) for chunk in rest)


def header_at(source: Source, offset: int) -> Record:
    """First three checks: the header is whole, begins with the marker and has the right digest."""
    raw = source.read(offset, layouts.RECORD_SIZE)
    marker = raw[: len(layouts.MARKER)]
    if len(raw) < layouts.RECORD_SIZE:
        if layouts.MARKER.startswith(marker) or raw[-1] == 0:
            raise truncated(offset, "4.4.1", "the file ends inside the header of a record")
        raise damaged(offset, "4.4.1", "the file ends with bytes that begin no record")
    right = marker == layouts.MARKER
    if right:
        fields = layouts.record.parse(raw)
        if fields.header_crc == zlib.crc32(raw[:20]):
            return Record(offset, fields.flags, fields.type, fields.length, fields.payload_crc)
    if _zeros_to_the_end(source, raw, offset):
        raise truncated(offset, "4.4.2", "zeros to the end of the file")
    if right:
        raise damaged(offset, "4.2.2", "wrong header digest")
    raise damaged(offset, "4.2.1", "no marker")


def check_fields(record: Record) -> None:
    """The checks between the header's digest and the end of the record."""
    offset = record.offset
    if not record.type.isalpha():  # of bytes: ASCII letters only
        raise damaged(offset, "4.3.1", f"type {record.type!r}")
    if record.type[2:3].islower():
        raise unsupported(offset, "4.3.1", f"third letter of type {record.name}")
    if record.flags & ~layouts.HAS_DIGEST:
        raise unsupported(offset, "4.2.4", f"reserved flags {record.flags:#x} of {record.name}")
    if not record.flags and record.payload_crc:
        raise damaged(offset, "4.2.5", "payload_crc without a digest")
    if record.length > LONGEST:
        raise damaged(offset, "4.2.3", f"length {record.length}")


def next_record(source: Source, offset: int) -> Record:
    """Return the record at `offset`, all checks before that of its payload digest made."""
    record = header_at(source, offset)
    check_fields(record)
    if record.end > source.size:
        raise truncated(offset, "4.4.1", f"the file ends inside the record {record.name}")
    return record


def read_payload(source: Source, record: Record, most: int | None = None) -> tuple[bytes, bool]:
    """Return the payload, or its first `most` bytes, and whether the digest of all of it is right (clause 4.2.5)."""
    kept = bytearray()
    crc = 0
    stop = record.start + record.length
    if record.flags & layouts.HAS_DIGEST and record.start < source.wrong:  # inside of one that was wrong
        crc = source.beginnings.between(record.start, stop)
        if crc != record.payload_crc:
            return source.read(record.start, min(record.length, LEAST if most is None else most)), False
        crc = 0
    for chunk in source.chunks(record.start, stop):
        crc = zlib.crc32(chunk, crc)
        kept += chunk if most is None else chunk[: max(0, most - len(kept))]
    intact = not record.flags & layouts.HAS_DIGEST or crc == record.payload_crc
    if not intact:
        source.wrong = max(source.wrong, stop)
    return bytes(kept), intact
