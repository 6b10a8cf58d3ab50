"""Writer: begins a journal, appends frames and later records; each is on the disk when the call returns."""

from __future__ import annotations

import builtins
import contextlib
import datetime
import os
import threading
import uuid
from collections.abc import Iterable
from types import TracebackType
from typing import Any, BinaryIO

from . import codings
from .errors import LbjError, StorageError, UsageError
from .format import amendments, attributes, cutting, displacements, layout
from .format.contents import Contents, Group, build_index, check_names
from .format.metadata import check_metadata
from .format.records import build, dump_json
from .locking import lock
from .signal import Signal
from .signal_names import Signals
from .version import __version__


class Writer:
    """The one writer of a journal; use it as a context manager.

    Leaving the context writes index and footer, which make opening quick; a journal without them is valid too. Threads
    may share it: one stores after the other.
    """

    def __init__(
        self, file: BinaryIO, signals: list[Signal], contents: Contents, head: bytes, *, sync: bool, owns: bool,
        steady: bool = False,
    ) -> None:  # fmt: skip
        self._file, self._owns, self._sync, self._head = file, owns, sync, head
        self._signals = signals
        self._memory = cutting.no_memory(steady=steady)
        self._numbers = {signal.name: i for i, signal in enumerate(signals)}
        self.contents = contents
        self.amendments = sum(kind == layout.AMND for kind, _ in contents.others)
        self._lock = threading.RLock()
        self._process = os.getpid()
        self._open = True
        self._torn = False
        if not contents.end:
            self._store(layout.SIGNATURE + build(layout.HEAD, head))

    def __len__(self) -> int:
        """Return the number of completed frames."""
        return len(self.contents.frames)

    def append(self, data: dict[str, Any], **given: Any) -> int:
        """Store one frame; on return it is completed and durable.

        Parameters
        ----------
        data : dict
            Signal name -> Events, dense counts (Y, X, C), spectra (Y, X, C) or image (Y, X).
        **given
            Attributes of the frame: per signal, a number for all or a dict by signal name, ``live_time``,
            ``real_time``, ``dwell_time`` (per pixel), ``exposure`` (all in s), ``energy_shift`` (eV),
            ``scanned_pixels``; per frame ``beam_current``, ``screen_current`` (A), ``start_time`` (RFC 3339, UTC),
            ``time_offset`` (s), ``rotation`` (rad), ``region``, ``scan`` and ``metadata`` (dict).

        Returns
        -------
        int
            The frame's number.

        Raises
        ------
        UsageError
            If a signal is unknown or its data do not fit the declaration; nothing was stored.
        StorageError
            If the disk refused; the journal holds all frames completed before and takes further ones.
        """
        stored = attributes.checked(given, list(self._numbers))
        with self._lock:
            number = len(self.contents.frames)
            self.put_frame(number, data, stored, static=False)
        return number

    def put_static(self, name: str, value: Any) -> None:
        """Store a static signal (survey image, dark or gain reference); the last one stored is read."""
        with self._lock:
            self.put_frame(layout.STATIC, {name: value}, {}, static=True)

    def amend(self, patch: dict[str, Any]) -> None:
        """Amend descriptions without rewriting: JSON merge patches (RFC 7396) of metadata, source and signals by name.

        ``{"metadata": {"title": "…"}, "signals": {"EDX": {"axes": […]}}}``; name, kind, shape, dtype, coding, group and
        role of a signal cannot change.
        """
        unknown = sorted(set(patch) - {"metadata", "source", "signals", amendments.WHEN})
        unknown += sorted(set(patch.get("signals", {})) - set(self._numbers))
        if unknown:
            raise UsageError(
                f"an amendment names 'metadata', 'source' or 'signals' with signals of the journal, got {unknown[0]!r}"
            )
        check_metadata(patch.get("metadata") or {})
        for name, change in patch.get("signals", {}).items():
            amended = self._signals[self._numbers[name]].amended(change)
            if change.get("axes"):
                signals = {**patch["signals"], name: {**change, "axes": amended.axes}}
                patch = {**patch, "signals": signals}
        with self._lock:
            if self.amendments >= amendments.MOST:
                raise UsageError(
                    f"a journal takes {amendments.MOST} amendments; copy it with 'lbj convert' to merge them"
                )
            self._put(layout.AMND, patch)
            self.amendments += 1

    def put_personal(self, data: dict[str, Any]) -> None:
        """Store names of operators and other personal data, which a program that strips them drops (clause 7.4)."""
        self._put(layout.PERS, data)

    def put_content_digest(self, sha256: str) -> None:
        """Store the content digest (clause 7.3) of all frames so far, as `Journal.content_digest` gives it."""
        with self._lock:
            payload = layout.cont.build({"frames": len(self), "sha256": bytes.fromhex(sha256)})
            self.put_record(layout.CONT, payload)

    def put_displacement(
        self,
        signal: str,
        field: Any = None,
        *,
        coefficients: Any = None,
        error: Any = None,
        left_out: Any = None,
        modulo_lattice: bool = False,
    ) -> None:
        """Store where the pixels of the first N frames sampled the scene; of a signal the last stored is read.

        Parameters
        ----------
        signal : str
            The signal in whose pixels they are; of a group, its first member is named.
        field : (N, 2, Y, X) array
            (uy, ux), px: frame pixel q sampled the scene at q + u(q). Either this or `coefficients`.
        coefficients : (N, Y or 1, K, 2) array
            Of Legendre polynomials along each row, or along all rows: u(y, x) = sum over k < K, K at most 16, of
            coefficients[:, y, k] P_k((2x + 1) / X - 1).
        error : (N,) array, optional
            Error of one component, px rms: NaN, the default, where unknown, infinite where it could not be registered.
        left_out : (N,) array of bool, optional
            Frames that are not to be used.
        modulo_lattice : bool
            Whether frames of different areas were laid on one another by whole lattice periods.

        Raises
        ------
        UsageError
            If the arrays do not fit the signal, or hold more frames than the journal; nothing was stored.
        """
        name = Signals({one.name: one for one in self._signals}).group(signal)[:1]
        if not name:
            raise UsageError(f"the journal has no signal {signal!r}; it has {', '.join(self._numbers)}")
        values = {
            "field": field,
            "coefficients": coefficients,
            "error": error,
            "left_out": left_out,
            "modulo_lattice": modulo_lattice,
        }
        number = self._numbers[name[0]]
        with self._lock:
            self.put_record(layout.DISP, displacements.build(self._signals, number, len(self), values))

    def _put(self, kind: bytes, value: dict[str, Any]) -> None:
        try:
            text = dump_json(value)
        except (TypeError, ValueError) as error:
            raise UsageError(f"plain JSON values are expected: {error}") from error
        self.put_record(kind, text)

    def put_record(self, kind: bytes, payload: bytes) -> None:
        """Append an ancillary record."""
        with self._lock:
            offset = self.contents.end
            self._store(build(kind, payload))
            self.contents.others.append((kind, offset))

    def put_frame(
        self, number: int, data: dict[str, Any], stored: dict[str, Any],
        records: Iterable[tuple[bytes, bytes]] = (), *, static: bool,
    ) -> None:  # fmt: skip
        """Append a frame group whose attributes are as they are to be stored; `append` and `put_static` check them.

        `records` are types and payloads of ancillary records that stand in it, after its blocks.
        """
        parts = [build(layout.FRAM, layout.pack_fram(number, 0))]
        totals: dict[int, list[int]] = {}
        for name, value in data.items():
            if name not in self._numbers:
                raise UsageError(f"the journal has no signal {name!r}; it has {', '.join(self._numbers)}")
            at = self._numbers[name]
            signal = self._signals[at]
            if signal.static != static:
                call = "put_static" if signal.static else "append"
                raise UsageError(f"signal {name!r} is stored with {call}()")
            total = totals.setdefault(at, [0, 0])
            for record, events in cutting.write(at, signal, number, value, self._memory):
                parts.append(record)
                total[0] += events
                total[1] += len(record)
        done = layout.pack_done(number, len(parts) - 1, 0, sum(events for events, _ in totals.values()))
        try:
            text = dump_json(stored) if stored else b""
        except (TypeError, ValueError) as error:
            raise UsageError(f"attributes must be plain JSON values: {error}") from error
        parts += [build(kind, payload) for kind, payload in records]
        start = self.contents.end
        done_at = start + sum(map(len, parts))
        parts.append(build(layout.DONE, done + text))
        self._store(b"".join(parts))
        group = Group(start, done_at)
        (self.contents.statics if static else self.contents.frames).append(group)
        for at, (events, size) in totals.items():
            self.contents.totals[at][0] += events
            self.contents.totals[at][1] += size

    _group = put_frame  # an older name, by which scripts still call it

    def _store(self, data: bytes) -> None:
        if not self._open:
            raise UsageError("the writer is closed; continue the journal with lbj.append()")
        if os.getpid() != self._process:
            raise UsageError(
                f"process {os.getpid()} was forked from the one that writes this journal ({self._process}), and a "
                "journal has one writer; hand the frames to that one"
            )
        try:
            if self._torn:
                self._file.truncate(self.contents.end)
            self._torn = True
            self._file.seek(self.contents.end)
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) or 0 :]
            self._file.flush()
            if self._sync:
                with contextlib.suppress(AttributeError, OSError) if not self._owns else contextlib.nullcontext():
                    os.fsync(self._file.fileno())
            self._torn = False
        except OSError as error:
            with contextlib.suppress(OSError):
                self._file.truncate(self.contents.end)
                self._torn = False
            raise StorageError(
                f"the disk refused {len(data)} bytes at byte {self.contents.end}: {error.strerror or error}; the "
                f"{len(self)} frames completed before are safe. Free space and append the frame again"
            ) from error
        self.contents.end += len(data)

    def close(self) -> None:
        """Write index and footer and release the file."""
        with self._lock:
            if self._open:
                self._end()

    def _end(self) -> None:
        try:
            if layout.RECORD_SIZE + len(self._head) <= self.contents.end // 1000:
                self.contents.others.append((layout.COPY, self.contents.end))
                self._store(build(layout.COPY, self._head))
            index, foot = build_index(self.contents, self.contents.end)
            self._store(build(layout.INDX, index) + build(layout.FOOT, foot))
        finally:
            self._open = False
            if self._owns:
                self._file.close()

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except LbjError:
            if error is None:
                raise


def begin(
    path: str | os.PathLike | BinaryIO,
    signals: list[Signal],
    metadata: dict[str, Any] | None = None,
    *,
    source: dict[str, Any] | None = None,
    others: dict[str, Any] | None = None,
    sync: bool = True,
    steady: bool = False,
) -> Writer:
    """Begin a new journal with metadata, and `others` of the header's members, as another journal has them."""
    signals = list(signals)
    if not 1 <= len(signals) <= 65535:
        raise UsageError(f"a journal has 1 to 65,535 signals, got {len(signals)}")
    check_names(signals)
    for signal in signals:
        codings.check(signal.coding, signal.kind, signal.name)
    header: dict[str, Any] = {
        "uuid": str(uuid.uuid4()),
        "writer": {"name": "lbj", "version": __version__},
        "created": datetime.datetime.now(datetime.timezone.utc).isoformat().replace("+00:00", "Z"),
        "signals": [signal.to_json() for signal in signals],
        "metadata": metadata or {},
    }
    if source:
        header["source"] = source
    header.update(others or {})
    try:
        text = dump_json(header)
    except (TypeError, ValueError) as error:
        raise UsageError(f"metadata must be plain JSON values (no NaN, no arrays, no dates): {error}") from error
    fixed = layout.head.build({"major": layout.MAJOR, "minor": layout.MINOR, "unused": 0, "json": text})
    file, owns = (open_locked(path, "x+b"), True) if isinstance(path, (str, bytes, os.PathLike)) else (path, False)
    contents = Contents(0, totals=[[0, 0] for _ in signals])
    return Writer(file, signals, contents, fixed, sync=sync, owns=owns, steady=steady)


def open_locked(path: str | os.PathLike, mode: str) -> BinaryIO:
    """Open a journal's file as its only writer."""
    name = os.fspath(path)
    try:
        if mode == "x+b" and os.path.exists(name) and os.path.getsize(name) == 0:
            mode = "r+b"
        file = builtins.open(path, mode, buffering=0)
    except FileExistsError as error:
        raise UsageError(
            f"{name!r} exists and a journal is never overwritten; choose another name (a script continues a journal "
            "with lbj.append())"
        ) from error
    except OSError as error:
        raise StorageError(f"cannot write {name!r}: {error.strerror}") from error
    try:
        lock(file, str(name))  # type: ignore[arg-type]
    except BaseException:
        file.close()
        raise
    return file  # type: ignore[return-value]
