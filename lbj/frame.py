"""Frame: one completed frame of a journal, and its data."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Protocol, overload

import numpy as np

from .errors import DamagedError, TruncatedError, UsageError
from .events import Events
from .format import blocks, layout
from .format.attributes import NAMES, known
from .format.contents import Group, unknown
from .format.records import Bytes, Record, fields, parse_json
from .signal import Signal
from .signal_names import Signals


class Holder(Protocol):
    """Protocol of a journal, as far as its frames use it."""

    signals: Signals
    declared: list[Signal]
    numbers: dict[str, int]
    source: Bytes
    max_bytes: int
    metadata: dict[str, Any]

    @property
    def bytes(self) -> int:
        """Size of the file."""

    def end_of(self, group: Group) -> int:
        """Offset of what comes after a frame."""


class Frame:
    """One completed frame.

    The frame's attributes (``live_time``, ``real_time``, ``dwell_time``, ``exposure``, ``energy_shift``,
    ``scanned_pixels``: a number or a dict by signal; ``beam_current``, ``start_time``, ``region``, …) read as they
    were given to the writer, None where absent or of another type; `attributes` has all that is stored.
    """

    def __init__(self, journal: Holder, number: int, group: Group) -> None:
        self.journal, self.index, self._group = journal, number, group
        self._loaded: tuple[dict[str, Any], dict[int, list[Record]]] | None = None
        self._beside: list[Record] = []
        self._known: dict[str, Any] | None = None
        self.broken: DamagedError | None = None  # why the frame cannot be read at all

    def _load(self) -> tuple[dict[str, Any], dict[int, list[Record]]]:
        if self.broken is not None:
            raise self.broken
        if self._loaded is not None:
            return self._loaded
        source, group = self.journal.source, self._group
        source.prefetch(group.fram, self.journal.end_of(group))
        begin = record = next(self._between(group.fram))
        if begin.type != layout.FRAM or fields(layout.fram, source.payload(begin), begin).frame != self.index:
            raise DamagedError(f"no frame {self.index} begins here", offset=group.fram, clause="6.3.3")
        found: dict[int, list[Record]] = {}
        beside: list[Record] = []
        count = 0
        for record in self._between(begin.end):
            if record.type == layout.BLOK:
                signal = self._signal_of(record)
                if self.journal.declared[signal].static == (self.index == layout.STATIC):  # clause 5.3.8
                    found.setdefault(signal, []).append(record)
                count += 1
            elif record.type in layout.CRITICAL:
                break
            elif record.critical:
                raise unknown(record.type, record.offset)
            else:
                beside.append(record)
        done = fields(layout.done, source.payload(record), record) if record.type == layout.DONE else None
        if done is None or record.offset != group.done or done.frame != self.index or done.blocks != count:
            raise DamagedError(f"frame {self.index} is not completed here", offset=record.offset, clause="5.4.2")
        attributes = parse_json(done.json, record) if done.json and self.index != layout.STATIC else {}
        self._loaded, self._beside = (attributes, found), beside
        return self._loaded

    def _between(self, place: int) -> Iterator[Record]:
        """Records from a place inside the frame on; one that leaves the file is damage here, in its midst."""
        try:
            yield from self.journal.source.records(place, self.journal.bytes)
        except TruncatedError as error:
            raise DamagedError(error.reason, offset=error.offset, clause=error.clause) from error

    def _signal_of(self, record: Record) -> int:
        """Signal that a block states, its place checked (clauses 5.3.1 and 5.3.2)."""
        source = self.journal.source
        block = fields(layout.blok, source.read(record.body, min(record.length, layout.BLOK_SIZE)), record)
        if block.signal >= len(self.journal.declared) or block.frame != self.index:
            source.payload(record)
            raise DamagedError(
                f"a block of signal {block.signal} of frame {block.frame} stands in frame {self.index} of "
                f"{len(self.journal.declared)} signals",
                offset=record.offset,
                clause="5.3.1" if block.frame != self.index else "5.3.2",
            )
        return int(block.signal)

    def checked_names(self) -> list[str]:
        """Names of the signals, with the digests of all blocks checked."""
        names = self.names
        for record in self._between(self._group.fram):
            if record.offset >= self._group.done:
                break
            if record.type == layout.BLOK:
                self.journal.source.payload(record)
        return names

    @property
    def attributes(self) -> dict[str, Any]:
        """All attributes that were stored with the frame."""
        return self._load()[0]

    @property
    def known(self) -> dict[str, Any]:
        """Attributes that mean something, of the right types (clause 5.4.4); values by signal or group."""
        if self._known is None:
            self._known = known(self.attributes, self.journal.signals)
        return self._known

    @property
    def region(self) -> int:
        """Number of the area that the frame belongs to; 0 unless said."""
        return int(self.known.get("region", 0))

    @property
    def names(self) -> list[str]:
        """Names of the signals that the frame holds."""
        return [self.journal.declared[number].name for number in sorted(self._load()[1])]

    def __getattr__(self, name: str) -> Any:
        if name in NAMES:
            return self.known.get(name)
        raise AttributeError(f"a frame has no attribute {name!r}")

    def events(self, name: str) -> Events:
        """Events of a signal, or the sum over the detectors of a group.

        Raises
        ------
        UsageError
            If there is no such signal, or it holds no counts.
        DamagedError
            If a block fails its digest or contradicts its header.
        """
        if self.journal.signals[name].kind != "events":
            raise UsageError(f"signal {name!r} is of kind {self.journal.signals[name].kind!r}; read it with array()")
        events: Events = self.read(name)
        return events

    def array(self, name: str) -> np.ndarray:
        """Dense array of a signal in the signal's dtype; counts of an events signal as uint32.

        Raises
        ------
        UsageError
            If there is no such signal, or it is larger than the journal's `max_bytes`.
        DamagedError
            If a block fails its digest or contradicts its header.
        """
        signal = self.journal.signals[name]
        itemsize = 4 if signal.kind == "events" else np.dtype(signal.dtype).itemsize
        blocks.bound(signal, itemsize, self.journal.max_bytes)
        data = self.read(name)
        return data.dense() if isinstance(data, Events) else data

    def read(self, name: str) -> Any:
        """Events or array of a signal, or the sum over a group."""
        signal = self.journal.signals[name]
        members = self.journal.signals.group(name)
        held = self._load()[1]
        present = [member for member in members if self.journal.numbers[member] in held]
        parts = [self.member(member) for member in present or members]
        if len(parts) == 1:
            return parts[0]
        return Events.sum(parts) if isinstance(parts[0], Events) else sum(part.astype(signal.dtype) for part in parts)

    def member(self, name: str) -> Any:
        """Events or array of a declared signal."""
        journal, signal, parsed = self.journal, self.journal.signals[name], self.stored_blocks(name)
        if signal.kind == "events":
            return blocks.join_events(signal, parsed)
        return blocks.join_array(signal, parsed, journal.max_bytes)

    def stored(self, name: str) -> Any:
        """Data of a signal to be written again: Events or array, or lossy blocks as they are stored."""
        data, parsed = self.member(name), self.stored_blocks(name)
        return blocks.Verbatim(self.journal.signals[name], parsed, data) if blocks.lossy(parsed) else data

    def stored_blocks(self, name: str) -> list[blocks.Block]:
        """Blocks of a declared signal, parsed and not decoded."""
        journal = self.journal
        return [
            blocks.parse(record, journal.source.payload(record), journal.declared, self.index)
            for record in self.block_records(name)
        ]

    def block_records(self, name: str) -> list[Record]:
        """Headers of the records that hold a declared signal in this frame; UsageError where there are none."""
        records = self.records(name)
        if not records:
            for record in (record for found in self._load()[1].values() for record in found):
                self.journal.source.payload(record)  # a damaged block may be the one that is missed
            raise UsageError(f"frame {self.index} holds no {name!r}; it holds {', '.join(self.names) or 'nothing'}")
        return records

    def records(self, name: str) -> list[Record]:
        """Records of a declared signal's blocks; none where the frame does not hold it."""
        return self._load()[1].get(self.journal.numbers[name], [])

    def ancillary(self) -> list[Record]:
        """Ancillary records that stand inside the frame, which readers ignore there (clause 5.2.1)."""
        self._load()
        return self._beside

    def offset(self, name: str) -> int:
        """Offset of the signal's first block."""
        return self.records(name)[0].offset

    def content_digest(self) -> bytes:
        """SHA-256 of this frame's canonical content (clause 7.3)."""
        digest = hashlib.sha256()
        for name in self.names:
            digest.update(content_digest(self.journal.signals[name], self.member(name)))
        return digest.digest()

    def __repr__(self) -> str:
        return f"<Frame {self.index}>"


class Recording(Protocol):
    """Protocol of a journal, or of a selection of its frames: frames, signals and metadata."""

    @property
    def signals(self) -> Signals:
        """The declared signals by name; a group's name also answers."""

    @property
    def metadata(self) -> dict[str, Any]:
        """Description of the series."""

    @property
    def path(self) -> str | None:
        """Name of the file."""

    @property
    def bytes(self) -> int:
        """Size of the file."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Frame: ...

    def __iter__(self) -> Iterator[Frame]: ...

    def static(self, name: str) -> Any:
        """Data of a static signal."""

    def statics(self) -> dict[str, Frame]:
        """By static signal, the pseudo-frame that holds its data."""


class JournalLike(Holder, Recording, Protocol):
    """Protocol of a journal for lazy arrays, which open it again, also in other processes."""

    path: str | None
    header: dict[str, Any]

    def __len__(self) -> int: ...

    @overload
    def __getitem__(self, index: int) -> Frame: ...

    @overload
    def __getitem__(self, index: slice) -> list[Frame]: ...

    def totals(self, name: str) -> tuple[int, int]:
        """Counts and stored bytes of a declared signal."""

    def opener(self) -> Callable[[], AbstractContextManager[JournalLike]]:
        """Return a function that opens this journal anew."""


def content_digest(signal: Signal, data: Any) -> bytes:
    """SHA-256 of one signal's canonical content (clause 7.3)."""
    title = f"{signal.name}\n{signal.kind}\n{signal.dtype}\n{','.join(map(str, signal.shape))}\n"
    digest = hashlib.sha256(title.encode())
    if isinstance(data, Events):
        for values in (data.channel, data.pixel, data.count):
            digest.update(values.astype("<u4").tobytes())
    else:
        digest.update(np.ascontiguousarray(data, data.dtype.newbyteorder("<")).tobytes())
    return digest.digest()
