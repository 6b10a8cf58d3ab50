"""Search for records in a damaged journal: clause 9.3."""

from __future__ import annotations

from collections.abc import Iterator

from . import layouts
from .errors import Refused, damaged
from .header import HEAD_OFFSET, MOST_PAYLOAD, Head, read_head
from .records import CHUNK, LEAST, Record, Source, check_signature, header_at, next_record, read_payload


def valid_at(source: Source, offset: int) -> Record:
    """Return the record whose header stands at `offset`: marker, digest, and a length that fits the file."""
    record = header_at(source, offset)
    if record.end > source.size:
        raise damaged(offset, "9.3", "the length does not fit the file")
    return record


def _search(source: Source, offset: int) -> int:
    """Return the next place at or after `offset` where a valid header stands, or the size of the file."""
    overlap = len(layouts.MARKER) - 1
    size = LEAST
    while offset < source.size:
        start, data = offset, source.read(offset, size + overlap)
        offset, size = offset + size, min(2 * size, CHUNK)
        place = data.find(layouts.MARKER)
        while place >= 0:
            if (start + place) % 8 == 0:
                try:
                    return valid_at(source, start + place).offset
                except Refused:
                    pass
            place = data.find(layouts.MARKER, place + 1)
    return source.size


def scan(source: Source) -> Iterator[Record | Refused]:
    """Give every record that can be found; where none stands, what is wrong there."""
    place = HEAD_OFFSET
    while place < source.size:
        try:
            record = valid_at(source, place)
        except Refused as refused:
            yield refused
            place = _search(source, place + 8)
        else:
            yield record
            place = record.end
            if not read_payload(source, record, 0)[1] and not _stands(source, place):
                yield damaged(record.offset, "9.3", "a wrong payload, and no record where it ends")
                place = _search(source, record.start)


def _stands(source: Source, offset: int) -> bool:
    try:
        valid_at(source, offset)
    except Refused:
        return False
    return True


def find_head(source: Source) -> tuple[Head, Refused | None]:
    """Return HEAD; else what is first of its copies (clause 7.2) and HEADs elsewhere, and why it was needed."""
    wrong: Refused | None = None
    try:
        check_signature(source)
    except Refused as refused:
        wrong = refused
        if source.size < HEAD_OFFSET:
            raise
    try:
        record = next_record(source, HEAD_OFFSET)
        if record.type != layouts.HEAD:
            raise damaged(HEAD_OFFSET, "5.1.1", f"the first record is {record.name}")
        return _head(source, record), wrong
    except Refused as refused:
        if refused.clause == "5.1.2":
            raise
        wrong = wrong or refused
    for found in scan(source):
        if isinstance(found, Record) and found.type in {layouts.COPY, layouts.HEAD}:
            try:
                return _head(source, next_record(source, found.offset)), wrong
            except Refused:
                continue
    raise wrong


def _head(source: Source, record: Record) -> Head:
    payload, intact = read_payload(source, record, MOST_PAYLOAD + 1)
    if not intact:
        raise damaged(record.offset, "4.2.5", f"wrong payload digest of {record.name}")
    return read_head(payload, record.offset)
