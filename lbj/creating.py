"""Creating: a new journal is begun (`create`), or an existing one continued (`append`), by its only writer."""

from __future__ import annotations

import os
from typing import Any, BinaryIO

from . import codings
from .errors import StorageError, UsageError
from .format import layout
from .format.metadata import check_metadata
from .reader import Journal
from .signal import Signal
from .writer import Writer, begin, open_locked


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
    file, owns = (open_locked(path, "r+b"), True) if isinstance(path, (str, bytes, os.PathLike)) else (path, False)
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
