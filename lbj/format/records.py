"""Records: the framed, checksummed units of a journal (spec/lbj.md section 4)."""

from __future__ import annotations

import io
import json
import math
import os
import struct
import threading
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from construct import ConstructError

from ..errors import DamagedError, StorageError, TruncatedError, UnsupportedError, UsageError
from . import layout
from .remote import RangeFile
from .urls import is_url, open_url

MAX_JSON = 16 * 2**20
MAX_DEPTH = 32
MAX_LENGTH = 2**62


class Record(NamedTuple):
    """A record's header and where it stands."""

    offset: int
    type: bytes
    flags: int
    length: int
    payload_crc: int

    @property
    def body(self) -> int:
        """Offset of the payload."""
        return self.offset + layout.RECORD_SIZE

    @property
    def end(self) -> int:
        """Offset of the next record."""
        return self.body + padded(self.length)

    @property
    def critical(self) -> bool:
        """Whether a reader that does not know the type must refuse the file."""
        return self.type[:1].isupper()


def padded(length: int) -> int:
    """Round a payload's length up to whole 8 bytes."""
    return (length + 7) // 8 * 8


def build(kind: bytes, payload: bytes) -> bytes:
    """Bytes of one record with payload digest and padding."""
    crc = zlib.crc32(payload)
    start = layout.pack_record(layout.MARKER, layout.HAS_DIGEST, kind, len(payload), crc, 0)[:-4]
    return b"".join(
        (start, zlib.crc32(start).to_bytes(4, "little"), payload, bytes(padded(len(payload)) - len(payload)))
    )


def unpack_header(raw: bytes, offset: int) -> tuple[Record, int]:
    """What a record's 24 header bytes that stand at `offset` say, unchecked, and the digest of them that they store."""
    _, flags, kind, length, payload_crc, header_crc = layout.unpack_record(raw)
    return Record(offset, kind, flags, length, payload_crc), header_crc


def parse_header(raw: bytes, offset: int) -> Record:
    """Read a record's 24 header bytes that stand at `offset`.

    Raises
    ------
    DamagedError
        If marker, digest, type or length contradict clause 4.2.
    UnsupportedError
        If reserved flags are set.
    """
    if raw[:3] != layout.MARKER:
        raise DamagedError(
            f"no record starts here: expected marker {layout.MARKER.hex(' ')}, found {raw[:3].hex(' ')}",
            offset=offset,
            clause="4.2.1",
        )
    crc = zlib.crc32(raw[:20])
    record, stored = unpack_header(raw, offset)
    if crc != stored:
        raise DamagedError(
            f"record header's CRC-32 is {crc:08x}, stored {stored:08x}",
            offset=offset,
            clause="4.2.2",
        )
    check_fields(record)
    return record


def check_fields(record: Record) -> None:
    """Refuse a header whose digest is right and whose fields are not; see `parse_header`."""
    offset = record.offset
    if not (record.type.isalpha() and record.type.isascii()):
        raise DamagedError(f"record type {record.type!r} is not four letters", offset=offset, clause="4.3.1")
    if not record.type[2:3].isupper():
        raise UnsupportedError(
            f"record type {record.type.decode()!r} has its third letter in lower case, which is reserved",
            offset=offset,
            clause="4.3.1",
        )
    if record.flags & ~layout.HAS_DIGEST:
        raise UnsupportedError(
            f"a record has the reserved flags {record.flags:#04x} set", offset=offset, clause="4.2.4"
        )
    if not record.flags and record.payload_crc:
        raise DamagedError("a record without payload digest stores one", offset=offset, clause="4.2.5")
    if record.length > MAX_LENGTH:
        raise DamagedError(f"record length {record.length} is above 2^62", offset=offset, clause="4.2.3")


def open_file(path: str | bytes | os.PathLike) -> BinaryIO:
    """Open a file, or what a URL names, for reading.

    Raises
    ------
    StorageError
        If it cannot be opened, or is a pipe or a device, which might wait or go on for ever.
    UsageError
        If a package that reads such URLs is missing.
    """
    if is_url(path):
        return open_url(str(path))
    name = os.fsdecode(path)
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            raise StorageError(f"cannot open {name!r}: it is no file, but a folder, a pipe or a device")
        return open(path, "rb")
    except StorageError:
        raise
    except (OSError, ValueError) as error:
        raise StorageError(f"cannot open {name!r}: {getattr(error, 'strerror', None) or error}") from error


class Bytes:
    """Random access to a seekable file; safe to share between threads, and files of the system between processes."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self._lock = threading.Lock()
        raw = file.raw if isinstance(file, io.BufferedReader) else file
        self._plain = isinstance(raw, io.FileIO) and hasattr(os, "pread")
        self._ranges = file if isinstance(file, RangeFile) else None

    def size(self) -> int:
        """Size of the file now; of a remote one when it was opened or renewed."""
        with self._lock:
            try:
                end = self.file.seek(0, 2)
                return self.file.tell() if end is None else end
            except (AttributeError, OSError, ValueError) as error:
                raise UsageError(
                    f"a seekable binary file is needed, {self.file!r} cannot seek to its end: {error}"
                ) from error

    def renew(self) -> int:
        """Size of the file now, asked for again of a remote one."""
        if self._ranges is not None:
            self._ranges.renew()
        return self.size()

    def prefetch(self, start: int, stop: int) -> None:
        """Have the bytes of a remote file that will be read soon come by one request."""
        if self._ranges is not None:
            self._ranges.prefetch(start, stop)

    def read(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes from `offset`; the caller has checked them against `size`."""
        out = self._some(offset, length)
        while len(out) < length:
            more = self._some(offset + len(out), length - len(out))
            if not more:
                raise TruncatedError(
                    f"the file ends {length - len(out)} bytes early", offset=offset + len(out), clause="4.4.1"
                )
            out += more
        return out

    def _some(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes; forked processes share the position of a file, which pread leaves alone."""
        if self._plain:
            return os.pread(self.file.fileno(), length, offset)
        if self._ranges is not None:
            return self._ranges.pread(offset, length)
        with self._lock:
            try:
                self.file.seek(offset)
                found = self.file.read(length)
            except OSError as error:
                raise StorageError(f"{length} bytes at byte {offset} could not be read: {error}") from error
            except ValueError as error:  # closed, or a file of text
                raise UsageError(f"an open binary file is needed; {self.file!r} cannot be read: {error}") from error
        if not isinstance(found, bytes):
            raise UsageError(f"a binary file is needed; {self.file!r} gives {type(found).__name__}")
        return found

    def header(self, offset: int, size: int) -> Record:
        """Header of the record at `offset` of a file of `size` bytes, proved to be whole.

        Raises
        ------
        TruncatedError
            If the file ends inside the record, or holds only zeros from here on.
        DamagedError
            If what stands here is no record header.
        """
        raw = self.read(offset, min(layout.RECORD_SIZE, size - offset))
        if len(raw) < layout.RECORD_SIZE:
            if raw[-1:] != b"\0" and not raw.startswith(layout.MARKER[: len(raw)]):
                raise DamagedError(f"{len(raw)} bytes that begin no record", offset=offset, clause="4.4.1")
            raise TruncatedError("the file ends inside a record header", offset=offset, clause="4.4.1")
        try:
            record = parse_header(raw, offset)
        except DamagedError as error:
            if error.clause in ("4.2.1", "4.2.2") and raw[-1] == 0 and self._zeros(offset + len(raw), size):
                raise TruncatedError("the file holds only zeros from here on", offset=offset, clause="4.4.2") from error
            raise
        if record.end > size:
            raise TruncatedError(
                f"the file ends inside a {record.type.decode()} record of {record.length} bytes",
                offset=offset,
                clause="4.4.1",
            )
        return record

    def _zeros(self, offset: int, size: int) -> bool:
        return not any(data.strip(b"\0") for _, data in self.pieces(offset, size))

    def pieces(self, offset: int, size: int, overlap: int = 0) -> Iterator[tuple[int, bytes]]:
        """Yield the bytes from `offset` on with their places: few at first, for a search that may end soon."""
        step = 2**8
        while offset < size:
            yield offset, self.read(offset, min(step + overlap, size - offset))
            offset += step
            step = min(2 * step, 2**20)

    def payload(self, record: Record) -> bytes:
        """Return the payload, its digest checked where it has one."""
        data = self.read(record.body, record.length)
        if record.flags & layout.HAS_DIGEST and zlib.crc32(data) != record.payload_crc:
            raise DamagedError(
                f"payload of {record.type.decode()} has CRC-32 {zlib.crc32(data):08x}, stored {record.payload_crc:08x}",
                offset=record.offset,
                clause="4.2.5",
            )
        return data

    def records(self, offset: int, size: int) -> Iterator[Record]:
        """Walk from record to record; raises at the first that is not whole."""
        while offset < size:
            record = self.header(offset, size)
            yield record
            offset = record.end


def fields(declared: Any, data: bytes, record: Record) -> Any:
    """Parse a payload by its layout; a short one is damage, not an exception of the parser."""
    try:
        return declared.parse(data)
    except (ConstructError, struct.error) as error:
        raise DamagedError(
            f"payload of {record.type.decode()} ({record.length} bytes) is shorter than its layout",
            offset=record.offset,
            clause="4.3.4",
        ) from error


def parse_json(data: bytes, record: Record) -> dict[str, Any]:
    """Parse a JSON object (I-JSON, bounded); raises DamagedError naming the fault."""

    def fault(what: str) -> DamagedError:
        whose = f"JSON of {record.type.decode()}" if record.type else "JSON"
        return DamagedError(f"{whose}: {what}", offset=record.offset, clause="4.5")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        out = dict(pairs)
        if len(out) != len(pairs):
            raise fault("a name stands twice in one object")
        return out

    def whole(text: str) -> int:
        finite(text)
        return int(text)

    def finite(text: str) -> float:
        value = float(text)
        if not math.isfinite(value):
            raise fault(f"{text} is not a finite number")
        return value

    if len(data) > MAX_JSON:
        raise fault(f"{len(data)} bytes are more than {MAX_JSON}")
    try:
        out = json.loads(
            data.decode(), object_pairs_hook=unique, parse_float=finite, parse_int=whole, parse_constant=finite
        )
        json.dumps(out, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise fault(f"cannot be read: {error}") from error
    if not isinstance(out, dict):
        raise fault(f"an object is expected, found {type(out).__name__}")
    if _depth(out) > MAX_DEPTH:
        raise fault(f"nested more than {MAX_DEPTH} deep")
    return out


def _depth(value: Any) -> int:
    level, depth = [value], 0
    while level:
        depth += 1
        below = [child for item in level for child in (item.values() if isinstance(item, dict) else item)]
        level = [child for child in below if isinstance(child, (dict, list))]
    return depth


def dump_json(value: dict[str, Any]) -> bytes:
    """Bytes of a JSON object, compact.

    Raises
    ------
    TypeError, ValueError
        If the value is not plain JSON, or not such that a reader may read it (clause 4.5.1).
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain).encode()
    try:
        parse_json(text, Record(0, b"", 0, len(text), 0))
    except DamagedError as error:
        raise ValueError(error.reason) from error
    return text


def _plain(value: Any) -> Any:
    """Return a numpy scalar or array as plain numbers."""
    if not hasattr(value, "tolist"):
        raise TypeError(f"{value!r} of {type(value).__name__} is no JSON value")
    return value.tolist()
