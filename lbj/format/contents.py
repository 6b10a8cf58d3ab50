"""Contents: the header is parsed, and completed frames are found by the index or from record to record."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from ..errors import DamagedError, LbjError, TruncatedError, UnsupportedError, UsageError
from ..signal import Signal
from . import layout
from .records import Bytes, Record, fields, padded, parse_json

SIGNATURES = {
    b"\x89HDF": "HDF5 (Velox, hyperspy)",
    b"PK\x03\x04": "zip",
    b"II*\x00": "TIFF",
    b"\x28\xb5\x2f\xfd": "zstd",
}


@dataclass
class Header:
    """What the HEAD record says."""

    version: tuple[int, int]
    json: dict[str, Any]
    signals: list[Signal]
    end: int


@dataclass
class Group:
    """A completed frame, or the static signals' pseudo-frame: offsets of its FRAM and DONE records."""

    fram: int
    done: int


@dataclass
class Contents:
    """What a journal holds up to `end`."""

    end: int
    frames: list[Group] = field(default_factory=list)
    statics: list[Group] = field(default_factory=list)
    others: list[tuple[bytes, int]] = field(default_factory=list)
    totals: list[list[int]] = field(default_factory=list)
    closed: bool = False
    tail: TruncatedError | None = None


def read_header(source: Bytes) -> Header:
    """Read signature and HEAD.

    Raises
    ------
    DamagedError, TruncatedError
        If the file is no journal or its HEAD is not whole.
    UnsupportedError
        If its major version is larger than this reader's.
    """
    size = source.size()
    raw = source.read(0, min(size, 8))
    if raw != layout.SIGNATURE:
        if layout.SIGNATURE.startswith(raw):
            raise TruncatedError(f"the file ends after {size} bytes, inside the signature", offset=0, clause="4.1.2")
        hint = SIGNATURES.get(raw[:4])
        raise DamagedError(
            "not an .lbj journal"
            + (f" but, it seems, {hint}: 'lbj convert' imports vendor files" if hint else "")
            + f"; expected signature {layout.SIGNATURE.hex(' ')}, found {raw.hex(' ')}",
            offset=0,
            clause="4.1.2",
        )
    record = source.header(8, size)
    if record.type != layout.HEAD:
        raise DamagedError(f"the first record must be HEAD, found {record.type.decode()}", offset=8, clause="5.1.1")
    return parse_head(source, record)


def parse_head(source: Bytes, record: Record) -> Header:
    """Parse the payload of HEAD, or of a copy of it; see `read_header`."""
    at = record.offset
    if record.length > 8 + 16 * 2**20:
        raise DamagedError(f"HEAD of {record.length} bytes is larger than 16 MiB", offset=at, clause="4.5")
    head = fields(layout.head, source.payload(record), record)
    if head.major > layout.MAJOR:
        raise UnsupportedError(
            f"the journal has format version {head.major}.{head.minor}, this reader knows up to {layout.MAJOR}.x",
            offset=at,
            clause="5.1.2",
        )
    description = parse_json(head.json, record)
    items = description.get("signals")
    if not isinstance(items, list) or not 1 <= len(items) <= 65535:
        raise DamagedError("the header's 'signals' must be an array of 1 to 65,535", offset=at, clause="5.1.4")
    try:
        signals = [Signal.from_json(item) for item in items]
        check_names(signals)
    except UsageError as error:
        raise DamagedError(f"header: {error}", offset=at, clause="5.1.4") from error
    if not isinstance(description.get("metadata", {}), dict):
        del description["metadata"]  # clause 5.1.4: taken for absent
    return Header((head.major, head.minor), description, signals, record.end)


def check_names(signals: list[Signal]) -> None:
    """Names are unique; a group's name is no signal's, and its members are alike."""
    names = [signal.name for signal in signals]
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise UsageError(f"two signals are named {twice[0]!r}; names must be unique")
    first: dict[str, Signal] = {}
    declared = set(names)
    for signal in signals:
        if signal.group is None:
            continue
        if signal.group in declared:
            raise UsageError(f"group {signal.group!r} has the name of a signal; rename one")
        other = first.setdefault(signal.group, signal)
        if (other.kind, other.shape) != (signal.kind, signal.shape):
            raise UsageError(f"group {signal.group!r}: {other.name!r} and {signal.name!r} differ in kind or shape")


def scan(source: Bytes, header: Header, contents: Contents, size: int) -> Contents:
    """Walk the records from `contents.end` to `size`, adding what is completed to `contents`.

    `contents.end` is left after the last record that belongs to no unfinished frame; `contents.tail` says why the walk
    ended before `size`, if it did.

    Raises
    ------
    DamagedError
        If the chain of records is broken or a frame contradicts clause 5.
    UnsupportedError
        If a critical record is unknown.
    """
    if not contents.totals:
        contents.totals = [[0, 0] for _ in header.signals]
    contents.closed, contents.tail = False, None
    begun: _Begun | None = None
    try:
        for record in source.records(contents.end, size):
            contents.closed = False
            if record.type == layout.FRAM:
                begun = _Begun(record, _fram_number(source, record))
                continue
            if record.type == layout.BLOK:
                if begun is None:
                    raise DamagedError("a block stands outside its frame", offset=record.offset, clause="5.3.1")
                begun.add(source, record, len(header.signals))
                continue
            if record.type == layout.DONE:
                done = fields(layout.done, source.payload(record), record)
                if begun is None:
                    raise DamagedError(
                        f"DONE of frame {done.frame} ends no frame", offset=record.offset, clause="5.4.2"
                    )
                begun.check(source, done, record)
                _complete(contents, Group(begun.record.offset, record.offset), done.frame)
                for signal, (events, size_of) in begun.totals.items():
                    contents.totals[signal][0] += events
                    contents.totals[signal][1] += size_of
                begun = None
            elif record.type == layout.HEAD:
                raise DamagedError("a second HEAD", offset=record.offset, clause="5.1.1")
            elif record.critical:
                raise unknown(record.type, record.offset)
            elif record.type not in (layout.INDX, layout.FOOT) and begun is None:
                contents.others.append((record.type, record.offset))
            if begun is None:
                contents.end = record.end
                contents.closed = record.type == layout.FOOT and sound(source, record)
    except TruncatedError as error:
        contents.tail = error
    if begun is not None:
        contents.closed = False
        contents.tail = contents.tail or TruncatedError(
            f"frame {begun.number} was begun and not completed", offset=begun.record.offset, clause="5.4.1"
        )
    if contents.tail is not None:
        contents.closed = False
    return contents


@dataclass
class _Begun:
    """A frame that is begun and not completed yet.

    `declared`: frame numbers that its blocks state, for frames whose FRAM is damaged; `wrong`: the first damage found
    in a block, which is raised only if the frame is completed.
    """

    record: Record
    number: int | None
    blocks: int = 0
    totals: dict[int, tuple[int, int]] = field(default_factory=dict)
    declared: list[tuple[int, Record]] = field(default_factory=list)
    wrong: DamagedError | None = None

    def add(self, source: Bytes, record: Record, signals: int) -> None:
        """Take a block into account."""
        try:
            block = _add_block(source, record, self.number, self.totals, signals)
            self.declared += [] if self.number is not None or block is None else [(block, record)]
        except DamagedError as error:
            self.wrong = self.wrong or error
        self.blocks += 1

    def check(self, source: Bytes, done: Any, record: Record) -> None:
        """Refuse what does not belong into the frame that DONE completes."""
        odd = (one for block, one in self.declared if block != done.frame and sound(source, one))
        first, wrong = next(odd, None), self.wrong
        if first is not None and (wrong is None or wrong.offset is None or first.offset < wrong.offset):
            raise _other_frame(first, done.frame)
        if wrong is not None:
            raise wrong
        if self.number not in (None, done.frame) or done.blocks != self.blocks:
            raise DamagedError(
                f"DONE of frame {done.frame} with {done.blocks} blocks ends frame {self.number} with {self.blocks}",
                offset=record.offset,
                clause="5.4.2",
            )


def _fram_number(source: Bytes, record: Record) -> int | None:
    """Return the frame number that FRAM states; None where its digest is wrong, which is reported when it is read."""
    check_length(record)
    try:
        number: int = fields(layout.fram, source.payload(record), record).frame
    except DamagedError:
        return None
    return number


def check_length(record: Record) -> None:
    """Refuse a FRAM of another length than its layout's."""
    if record.length != layout.FRAM_SIZE:
        raise DamagedError(f"FRAM of {record.length} bytes; 16 are expected", offset=record.offset, clause="5.2.1")


def sound(source: Bytes, record: Record) -> bool:
    """Whether the payload agrees with its digest, if it has one."""
    try:
        source.payload(record)
    except DamagedError:
        return False
    return True


def _add_block(
    source: Bytes, record: Record, number: int | None, totals: dict[int, tuple[int, int]], signals: int
) -> int | None:
    """Add a block to its signal's counts and bytes; returns the frame number that it states, None where it is damaged.

    Only the fixed fields are read. Where they contradict the frame, the payload's digest tells a wrong field, which
    breaks the journal, from wrong bytes, which reading the frame will report.
    """
    if record.length < layout.BLOK_SIZE and not sound(source, record):
        return None
    block = fields(layout.blok, source.read(record.body, min(record.length, layout.BLOK_SIZE)), record)
    if number in (None, block.frame) and block.signal < signals:
        events, size = totals.get(block.signal, (0, 0))
        totals[block.signal] = (events + block.events, size + layout.RECORD_SIZE + padded(record.length))
        return int(block.frame)
    if not sound(source, record):
        return None
    if number not in (None, block.frame):
        raise _other_frame(record, number)
    raise DamagedError(
        f"a block names signal {block.signal}, the header declares {signals}", offset=record.offset, clause="5.3.2"
    )


def _other_frame(record: Record, number: int | None) -> DamagedError:
    return DamagedError(f"a block of another frame stands in frame {number}", offset=record.offset, clause="5.3.1")


def unknown(kind: bytes, offset: int) -> UnsupportedError:
    """Error for a critical record that this reader does not know."""
    return UnsupportedError(
        f"record {kind.decode('latin-1')!r} is critical and unknown to this reader", offset=offset, clause="4.3.2"
    )


def _complete(contents: Contents, group: Group, number: int) -> None:
    if number == layout.STATIC:
        contents.statics.append(group)
        return
    if number != len(contents.frames):
        raise DamagedError(
            f"frame {number} stands where frame {len(contents.frames)} is expected", offset=group.fram, clause="5.2.2"
        )
    contents.frames.append(group)


def read_index(source: Bytes, header: Header, size: int) -> Contents | None:
    """Contents by footer and index, or None where they are absent or prove wrong (clause 6.3)."""
    at = size - layout.RECORD_SIZE - layout.FOOT_SIZE
    if at < header.end:
        return None
    try:
        record = source.header(at, size)
        if record.type != layout.FOOT or record.length != layout.FOOT_SIZE or not record.flags:
            return None
        foot = fields(layout.foot, source.payload(record), record)
        if foot.size != size or not header.end <= foot.index < at:
            return None
        record = source.header(foot.index, size)
        if record.type != layout.INDX or not record.flags or record.end != at:
            return None
        index = fields(layout.indx, source.payload(record), record)
    except LbjError:
        return None
    entries = layout.INDX_SIZE + 16 * (index.signals + index.frames + index.statics + index.others)
    offsets = [offset for group in index.groups for offset in (group.fram, group.done)]
    elsewhere = [entry.offset for entry in index.other]
    if (
        record.length != entries
        or index.signals != len(header.signals)
        or index.frames != foot.frames
        or any(offset % 8 or not header.end <= offset < foot.index for offset in offsets + elsewhere)
        or not _rising(offsets[: 2 * index.frames])
        or not _rising(offsets[2 * index.frames :])
    ):
        return None
    groups = [Group(group.fram, group.done) for group in index.groups]
    others = [(bytes(entry.type), entry.offset) for entry in index.other]
    for kind, offset in others:
        if kind[:1].isupper() or not kind[2:3].isupper():
            raise unknown(kind, offset)
    return Contents(
        end=size,
        frames=groups[: index.frames],
        statics=groups[index.frames :],
        others=others,
        totals=[[total.events, total.bytes] for total in index.totals],
        closed=True,
    )


def _rising(offsets: list[int]) -> bool:
    return all(a < b for a, b in pairwise(offsets))


def build_index(contents: Contents, at: int) -> tuple[bytes, bytes]:
    """Payloads of the iNDX record to stand at `at` and of the fOOT record after it."""
    groups = contents.frames + contents.statics
    index = layout.indx.build(
        {
            "frames": len(contents.frames),
            "signals": len(contents.totals),
            "statics": len(contents.statics),
            "others": len(contents.others),
            "unused": 0,
            "totals": [{"events": events, "bytes": size} for events, size in contents.totals],
            "groups": [{"fram": group.fram, "done": group.done} for group in groups],
            "other": [{"type": kind, "unused": 0, "offset": offset} for kind, offset in contents.others],
        }
    )
    size = at + 2 * layout.RECORD_SIZE + padded(len(index)) + layout.FOOT_SIZE
    return index, layout.foot.build({"index": at, "frames": len(contents.frames), "size": size})
