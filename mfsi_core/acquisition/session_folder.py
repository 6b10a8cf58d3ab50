"""Session folder: numbered sub-folders, one a region, and beside them what a program that comes later needs.

::

    session/
      state.json      the recorder's state, see docs/acquisition.md
      events.jsonl    what happened
      survey.npy      the last survey image
      region-001/     series.lbj, and in live/ what the analysis found so far
      region-002/
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from pathlib import Path
from typing import Any, BinaryIO

import lbj
from lbj import StorageError, UsageError
from lbj.locking import lock

STATE, EVENTS, SURVEY, LOCK = "state.json", "events.jsonl", "survey.npy", ".recorder"
SERIES, LIVE = "series.lbj", "live"


def region_folder(folder: Path, number: int) -> Path:
    """Return the folder of a region."""
    return folder / f"region-{number:03d}"


def journal_of(folder: Path, number: int) -> Path:
    """Return the path of a region's journal."""
    return region_folder(folder, number) / SERIES


def regions(folder: Path) -> list[int]:
    """Return the numbers of the regions that have a journal."""
    found = (re.fullmatch(r"region-(\d+)", path.parent.name) for path in folder.glob(f"region-*/{SERIES}"))
    return sorted(int(match[1]) for match in found if match)


def files_taken(folder: Path) -> set[str]:
    """Return the names of the files that a watched folder gave to the session's journals."""
    names: set[str] = set()
    for number in regions(folder):
        with lbj.open(journal_of(folder, number)) as journal:
            for frame in journal:
                files = (frame.known.get("metadata") or {}).get("files")
                names.update(str(name) for name in (files if isinstance(files, list) else []))
    return names


def take(folder: Path) -> BinaryIO:
    """Make a session's folder where it is none yet, and keep other recorders out of it until the file is closed.

    Raises
    ------
    UsageError
        If another recorder has it.
    StorageError
        If it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / LOCK).open("ab")
    except OSError as error:
        raise StorageError(f"cannot make the session's folder {str(folder)!r}: {error.strerror}") from error
    try:
        lock(file, str(folder))
    except UsageError as error:
        file.close()
        raise UsageError(f"another recorder works in {str(folder)!r}; end it, or choose another folder") from error
    return file


def recorded_now(folder: Path) -> bool:
    """Whether a recorder works in the folder."""
    try:
        take(folder).close()
    except UsageError:
        return True
    return False


def write_json(path: Path, value: Any) -> None:
    """Replace a file by JSON at once; a disk that is full leaves the old one."""
    write_bytes(path, json.dumps(value, allow_nan=False).encode())


def write_bytes(path: Path, data: bytes) -> None:
    """Replace a file at once; a disk that is full leaves the old one."""
    part = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        part.write_bytes(data)
        part.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink()


def read_json(path: Path) -> Any:
    """Return what a file holds; None where it is not there, or is no JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
