"""Reading: an opened journal and its frames."""

from __future__ import annotations

import builtins
import hashlib
import os
from bisect import bisect, bisect_left
from collections.abc import Iterator
from types import TracebackType
from typing import Any, BinaryIO, overload

import numpy as np

from .errors import DamagedError, LbjError, TruncatedError, UnsupportedError, UsageError
from .events import Events
from .format import amendments, blocks, displacements, layout
from .format.attributes import NAMES, known
from .format.blocks import MAX_BYTES
from .format.contents import Contents, Group, read_header, read_index, scan, unknown
from .format.displacements import Displacement
from .format.records import Bytes, Record, fields, open_file, parse_json
from .signal import Signal
from .signal_names import Signals


def open(path: str | os.PathLike | BinaryIO, max_bytes: int = MAX_BYTES) -> Journal:  # noqa: A001
    """Open a journal for reading; it may still be growing.

    Parameters
    ----------
    path : path, URL or seekable binary file
        URLs are ``http://`` and ``https://``, and what fsspec knows (``s3://`` …; docs/remote.md). A file object stays
        open.
    max_bytes : int
        Largest dense array, in bytes, that the journal may make this process allocate.

    Returns
    -------
    Journal
        Use it as a context manager.

    Raises
    ------
    DamagedError
        If the file is no journal, or its chain of records is broken and no valid index bridges the damage.
    UnsupportedError
        If it needs a newer reader.
    StorageError
        If the file cannot be opened, or a server does not answer, stalls, breaks off or serves no parts of files.
    UsageError
        If the file object cannot seek, or a package that reads such URLs is missing.
    """
    if not isinstance(path, (str, bytes, os.PathLike)):
        return Journal(path, max_bytes, owns=False)
    file = open_file(path)
    try:
        return Journal(file, max_bytes, owns=True)
    except BaseException:
        file.close()
        raise


class Journal:
    """An opened journal: a sequence of completed frames.

    Attributes
    ----------
    signals : Signals
        Mapping of name to Signal; a group's name is a key too.
    metadata : dict
        Description of the series, amendments applied: ``beam_energy`` (eV), ``elements``, …
    path : str or None
        Absolute name of the file; None where it is no file of the system.
    version : tuple of int
        Format version, (major, minor).
    header : dict
        The header's whole JSON object, amendments applied.
    complete : bool
        Whether the journal was closed properly: it ends with a valid footer.
    tail : TruncatedError or None
        Why the last bytes are no completed frame, where they are not.
    declared, numbers : list of Signal, dict of int
        The signals as they are declared, groups not among them, and their places in that list by name.
    source, head, contents : Bytes, Header, Contents
        For programs that work on records: the file, its HEAD as recorded, and where everything stands.
    max_bytes : int
    """

    def __init__(self, file: BinaryIO, max_bytes: int, *, owns: bool) -> None:
        self._file, self._owns, self.max_bytes = file, owns, max_bytes
        self.source = Bytes(file)
        name = getattr(file, "name", None)
        self.path = os.path.abspath(os.fsdecode(name)) if isinstance(name, (str, bytes, os.PathLike)) else None
        self.path = getattr(file, "url", self.path)
        self.head = read_header(self.source)
        self.version = self.head.version
        size = self.source.size()
        self.contents = read_index(self.source, self.head, size) or scan(
            self.source, self.head, Contents(self.head.end), size
        )
        self._size = size
        self._starts: tuple[int, list[int]] | None = None
        self._statics: list[Frame] = []
        self._last: dict[str, Frame] = {}  # by static signal, the pseudo-frame that counts
        self._describe()

    def _describe(self) -> None:
        patches = amendments.patches(self.source, self.contents.others, self._size)
        self.header, self.declared = amendments.apply(self.head, patches)
        self.signals = Signals({signal.name: signal for signal in self.declared})
        self.numbers = {signal.name: number for number, signal in enumerate(self.declared)}
        self.metadata: dict[str, Any] = self.header.get("metadata", {})

    @property
    def complete(self) -> bool:  # noqa: D102
        return self.contents.closed

    @property
    def tail(self) -> LbjError | None:  # noqa: D102
        return self.contents.tail

    @property
    def bytes(self) -> int:
        """Size of the file when it was last looked at."""
        return self._size

    def totals(self, name: str) -> tuple[int, int]:
        """Counts and stored bytes of a declared signal over all completed frames."""
        events, size = self.contents.totals[self.numbers[name]]
        return events, size

    def refresh(self) -> int:
        """Look for frames completed since; returns how many are new. For a journal that is still being written."""
        before, size = len(self), self.source.renew()
        if size != self._size:
            scan(self.source, self.head, self.contents, size)
            self._size = size
            self._describe()
        return len(self) - before

    def end_of(self, group: Group) -> int:
        """Offset of what comes after a frame, or the end of the file."""
        found = self.contents
        if self._starts is None or self._starts[0] != found.end:
            starts = [one.fram for one in (*found.frames, *found.statics)] + [offset for _, offset in found.others]
            self._starts = found.end, sorted(starts)
        place = bisect(self._starts[1], group.done)
        return self._starts[1][place] if place < len(self._starts[1]) else self._size

    def __len__(self) -> int:
        return len(self.contents.frames)

    @overload
    def __getitem__(self, index: int) -> Frame: ...

    @overload
    def __getitem__(self, index: slice) -> list[Frame]: ...

    def __getitem__(self, index: int | slice) -> Frame | list[Frame]:
        if isinstance(index, slice):
            return [self[number] for number in range(len(self))[index]]
        number = index + len(self) if index < 0 else index
        if not 0 <= number < len(self):
            raise IndexError(f"frame {index} of {len(self)}")
        return Frame(self, number, self.contents.frames[number])

    def __iter__(self) -> Iterator[Frame]:
        for number in range(len(self)):
            yield self[number]

    def static(self, name: str) -> Any:
        """Data of a static signal, the last stored: Events or array."""
        held = self.statics()
        if name not in held:
            raise UsageError(f"the journal holds no static data of {name!r}")
        return held[name].read(name)

    def statics(self) -> dict[str, Frame]:
        """By static signal, the pseudo-frame that holds its data, or may hold them and is damaged (clause 5.2.3)."""
        for group in self.contents.statics[len(self._statics) :]:
            frame = Frame(self, layout.STATIC, group)
            try:
                names = frame.checked_names()
            except DamagedError as error:  # it may hold any of them
                names = [signal.name for signal in self.declared if signal.static]
                frame.broken = error
            self._statics.append(frame)
            self._last.update(dict.fromkeys(names, frame))
        return self._last

    def displacement(self, signal: str | None = None) -> Displacement | None:
        """Displacements of the frames, the last stored in pixels of a signal or group, or of any; None without."""
        names = list(self.signals) if signal is None else self.signals.group(signal)
        if not names:
            raise UsageError(f"the journal has no signal {signal!r}; it has {', '.join(self.signals)}")
        return next((found for _, found in self.displacement_records() if found.signal in names), None)

    def displacement_records(self) -> Iterator[tuple[builtins.bytes, Displacement]]:
        """Payload and content of every record of displacements that is right, the newest first."""
        for kind, offset in reversed(self.contents.others):
            if kind != layout.DISP:
                continue
            try:
                record = self.source.header(offset, self.bytes)
                if record.type != layout.DISP:
                    continue
                payload = self.source.payload(record)
                completed = bisect_left(self.contents.frames, offset, key=lambda group: group.done)
                found = displacements.parse(payload, record, self.declared, completed, self.max_bytes)
            except (DamagedError, UnsupportedError):
                continue
            yield payload, found

    def to_dask(self, name: str) -> Any:
        """Dense data of a signal or group as a dask array, (N, Y, X, C): read when computed; see `lbj.arrays`."""
        from .arrays.dask_arrays import to_dask
        from .arrays.frames import frame_array

        return to_dask(frame_array(self, name))

    def to_xarray(self) -> Any:
        """All signals as an xarray Dataset of dask arrays, with coordinates and units; see `lbj.arrays.datasets`."""
        from .arrays.datasets import to_xarray

        return to_xarray(self)

    def content_digest(self) -> str:
        """SHA-256 of the canonical decoded content (clause 7.3): the same whatever the codings and block layout."""
        digest = hashlib.sha256()
        for frame in self:
            digest.update(frame.content_digest())
        return digest.hexdigest()

    def close(self) -> None:
        """Close the file, if it was opened here."""
        if self._owns:
            self._file.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Journal {len(self)} frames of {', '.join(self.signals)}>"


class Frame:
    """One completed frame.

    The frame's attributes (``live_time``, ``real_time``, ``dwell_time``, ``exposure``, ``energy_shift``,
    ``scanned_pixels``: a number or a dict by signal; ``beam_current``, ``start_time``, ``region``, …) read as they
    were given to the writer, None where absent or of another type; `attributes` has all that is stored.
    """

    def __init__(self, journal: Journal, number: int, group: Group) -> None:
        self.journal, self.index, self._group = journal, number, group
        self._loaded: tuple[dict[str, Any], dict[int, list[Record]]] | None = None
        self.broken: DamagedError | None = None  # why the whole of it is damaged

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
        done = fields(layout.done, source.payload(record), record) if record.type == layout.DONE else None
        if done is None or record.offset != group.done or done.frame != self.index or done.blocks != count:
            raise DamagedError(f"frame {self.index} is not completed here", offset=record.offset, clause="5.4.2")
        attributes = parse_json(done.json, record) if done.json and self.index != layout.STATIC else {}
        self._loaded = attributes, found
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
        return known(self.attributes, self.journal.signals)

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
