"""The files of a folder: which are read, which are left out, and why, as a table."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import LbjError, UsageError
from .detect import COMPANIONS, importer
from .notes import file, table

if TYPE_CHECKING:
    from collections.abc import Callable

    from .source import Source

_ANY_NAME = (".ipr", ".img")  # named inside the other file; the rest begin with its name
READ_WITH = "goes with"
NOT_NUMBERED = "not one of the folder's numbered data files"
OPENED = 20  # unnumbered files that are opened, to tell what they hold
ASIDE = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".csv", ".txt", ".xml", ".json", ".md", ".pdf")
"""Suffixes of pictures and texts, which are read only where they are named."""


@dataclass
class Entry:
    """A file of a folder: its path, and why it is left out (empty if it is not)."""

    path: Path
    why: str = ""


def look(folder: Path) -> list[Entry]:
    """Tell which files of a folder can be read, in natural order."""
    from .folder import natural

    visible = [path for path in sorted(folder.iterdir(), key=natural) if not path.name.startswith(".")]
    return [Entry(path, _why_not(path, visible)) for path in visible]


def _why_not(path: Path, others: list[Path]) -> str:
    suffix = path.suffix.lower()
    if path.is_dir() and suffix != ".zspy":
        return "a folder in the folder"
    if (other := goes_with(path, others)) is not None:
        return f"{READ_WITH} {other.name}"
    if suffix in ASIDE:
        return "a picture or a text; name it to convert it alone"
    try:
        importer(path)
    except LbjError as error:
        return str(error).removeprefix(f"{path}: ").split(";")[0]
    return ""


def goes_with(path: Path, others: list[Path]) -> Path | None:
    """Return the one of the other files that a file is read with; None where there is none."""
    suffix = path.suffix.lower()
    for other in others if suffix in COMPANIONS else ():
        named = suffix in _ANY_NAME or path.stem.startswith(other.stem)
        if named and other.suffix.lower() == COMPANIONS[suffix]:
            return other
    return None


def numbered(entries: list[Entry]) -> list[Entry]:
    """Leave out what is not numbered where other files are; return the entries."""
    good = [entry for entry in entries if not entry.why]
    if any(_has_number(entry) for entry in good):
        for entry in good:
            if not _has_number(entry):
                entry.why = NOT_NUMBERED
    return entries


def _has_number(entry: Entry) -> bool:
    return any(c.isdigit() for c in entry.path.stem)


def notes(entries: list[Entry], open_file: Callable[[Path], Source]) -> list[str]:
    """Return the table of the files: those of one name pattern that are read in one line, any other in its own.

    Of files that could be read alone, the first `OPENED` are opened to tell what they hold.
    """
    found: list[str] = []
    patterns: dict[str, list[str]] = {}
    for entry in entries:
        if not entry.why:
            patterns.setdefault(re.sub(r"\d+", "#", entry.path.name), []).append(entry.path.name)
    for names in patterns.values():
        several = f"{names[0]} … {names[-1]}" if len(names) > 1 else names[0]
        found.append(file(several, f"read, {len(names)} files" if len(names) > 1 else "read"))
    asked = [entry for entry in entries if entry.why == NOT_NUMBERED][:OPENED]
    for entry in entries:
        if entry.why:
            held = f"; {_held(entry, open_file)}" if entry in asked else ""
            found.append(file(entry.path.name, _left(entry) + held))
    return found


def held(entries: list[Entry], open_file: Callable[[Path], Source]) -> str:
    """Return a line per file: its name, and what it holds (asked of `open_file`) or why it is left out."""
    return "\n".join(
        f"  {line}"
        for line in table(
            file(entry.path.name, _held(entry, open_file) if entry.why in ("", NOT_NUMBERED) else _left(entry))
            for entry in entries
        )
    )


def _left(entry: Entry) -> str:
    return entry.why if entry.why.startswith(READ_WITH) else f"left out: {entry.why}"


def _held(entry: Entry, open_file: Callable[[Path], Source]) -> str:
    try:
        source = open_file(entry.path)
    except LbjError as error:
        return f"cannot be read: {str(error).removeprefix(f'{entry.path}: ')}"
    source.frames = iter(())
    held = ", ".join(f"{s.name} {s.kind} {' x '.join(map(str, s.shape))}" for s in source.signals)
    return f"{source.n_frames} frame{'s' if source.n_frames != 1 else ''} of {held}"


def no_series(folder: Path, entries: list[Entry], error: LbjError, open_file: Callable[[Path], Source]) -> UsageError:
    """Return the error of a folder whose files make no series: the reason, and the table of its files."""
    return UsageError(
        f"{folder}: its files are no series of frames: {error}\n{held(entries, open_file)}\n"
        "Pass the files that belong together, or each file alone."
    )
