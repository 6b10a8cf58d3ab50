"""Creating: a new journal is begun (`create`), or an existing one continued (`append`), by its only writer."""

from __future__ import annotations

import builtins
import datetime
import os
import uuid
from typing import Any, BinaryIO

from . import codings
from .errors import StorageError, UsageError
from .format import layout
from .format.contents import Contents, check_names
from .format.metadata import check_metadata
from .format.records import dump_json
from .locking import lock
from .reader import Journal
from .signal import Signal
from .version import __version__
from .writer import Writer


def create(
    path: str | os.PathLike | BinaryIO,
    signals: list[Signal],
    metadata: dict[str, Any] | None = None,
    *,
    source: dict[str, Any] | None = None,
    sync: bool = True,
    steady: bool = False,
) -> Writer:
    """Begin a new journal.

    Parameters
    ----------
    path : path or seekable binary file
        A file that exists already and is not empty is refused: a journal is never overwritten.
    signals : list of Signal
    metadata : dict, optional
        Description of the series: ``beam_energy`` (eV), ``elements``, ``title``, …
    source : dict, optional
        For imports: the source's ``name``, ``sha256`` and ``notes`` on what was dropped or changed.
    sync : bool
        Whether `append` returns only when the frame is on the disk (fsync). Without, a completed frame survives the
        death of the process but not a loss of power.
    steady : bool
        Whether `append` is to take the same time for every frame: what a coding learns from the frames, it learns in a
        thread beside, and the first frames are stored some per cent larger.

    Raises
    ------
    UsageError
        If the signals contradict each other, a known name of the metadata is of the wrong type, the file exists, or
        another process writes it.
    StorageError
        If the file cannot be written.
    """
    check_metadata(metadata or {})
    return begin(path, signals, metadata, source=source, sync=sync, steady=steady)


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
    file, owns = (_open(path, "x+b"), True) if isinstance(path, (str, bytes, os.PathLike)) else (path, False)
    contents = Contents(0, totals=[[0, 0] for _ in signals])
    return Writer(file, signals, contents, fixed, sync=sync, owns=owns, steady=steady)


def append(path: str | os.PathLike | BinaryIO, *, sync: bool = True, steady: bool = False) -> Writer:
    """Continue an existing journal; only bytes after its last completed frame are cut off.

    `sync` and `steady` as for `create`.

    Raises
    ------
    DamagedError, UnsupportedError
        If the journal cannot be read to its end; it is left as it was.
    UsageError
        If there is no such file, or another process writes it.
    """
    file, owns = (_open(path, "r+b"), True) if isinstance(path, (str, bytes, os.PathLike)) else (path, False)
    try:
        journal = Journal(file, 2**32, owns=False)
        if journal.version[1] > layout.MINOR:
            raise UsageError(
                f"the journal has minor version {journal.version[1]}, newer than this writer's {layout.MINOR}; "
                "upgrade lbj to continue it"
            )
        for signal in journal.declared:
            codings.check(signal.coding, signal.kind, signal.name)
    except BaseException:
        if owns:
            file.close()
        raise
    head = journal.source.payload(journal.source.header(8, journal.bytes))
    try:
        file.truncate(journal.contents.end)
    except OSError as error:
        raise StorageError(f"cannot cut the unfinished end off: {error}") from error
    return Writer(file, journal.declared, journal.contents, head, sync=sync, owns=owns, steady=steady)


def _open(path: str | os.PathLike, mode: str) -> BinaryIO:
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
