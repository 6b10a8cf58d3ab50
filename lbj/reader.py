"""Reader: `lbj.open`, and the opened `Journal` with its frames, signals and metadata."""

from __future__ import annotations

import builtins
import copy
import hashlib
import os
import threading
from bisect import bisect, bisect_left
from collections.abc import Callable, Iterator
from functools import partial
from types import TracebackType
from typing import Any, BinaryIO, overload

from .errors import DamagedError, LbjError, UnsupportedError, UsageError
from .format import amendments, displacements, layout
from .format.blocks import MAX_BYTES
from .format.contents import Contents, Group, read_header, read_index, scan
from .format.displacements import Displacement
from .format.records import Bytes, open_file
from .frame import Frame
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


def reopen(path: str, max_bytes: int) -> Journal:
    """Open a journal as `open` does; where a file was opened so before and is the same still, without its index."""
    file = open_file(path)
    try:
        key = (path, max_bytes, *_state(file))
        known = _REOPENED.get(key)
        if known is not None:
            again = copy.copy(known)
            again.read_through(file)
            return again
        journal = Journal(file, max_bytes, owns=True)
    except BaseException:
        file.close()
        raise
    if len(key) > 2:
        with _REOPENING:
            _REOPENED[key] = journal
            while len(_REOPENED) > REOPENED:
                del _REOPENED[next(iter(_REOPENED))]
    return journal


def _state(file: BinaryIO) -> tuple[int, ...]:
    """What changes when a file of the system does; nothing where it is none."""
    try:
        found = os.fstat(file.fileno())
    except (AttributeError, OSError):
        return ()
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


REOPENED = 4  # journals whose contents are cached for `reopen`; their files are closed
_REOPENED: dict[tuple[Any, ...], Journal] = {}
_REOPENING = threading.Lock()


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
        self._last: dict[str, Frame] = {}  # by static signal, the pseudo-frame that is valid: the last one
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

    def opener(self) -> Callable[[], Journal]:
        """Return a function that opens this journal anew, here or in another process."""
        if self.path is None:
            raise UsageError("a journal that was opened from a file object cannot be opened anew")
        return partial(reopen, self.path, self.max_bytes)

    def read_through(self, file: BinaryIO) -> None:
        """Read from another open file of the same content, which is closed with the journal."""
        self._file, self._owns, self.source = file, True, Bytes(file)
        self._statics, self._last = [], {}

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
