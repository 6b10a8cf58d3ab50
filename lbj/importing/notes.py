"""Notes: what an import left out or changed, the important first, each thing once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

SHOWN = 3  # subjects named before the rest are counted

LOST, DATA, BESIDE, REST, FILE = -1, 0, 1, 2, 3


class Note(str):
    """One sentence; ``SUBJECT: text`` where it concerns one signal or file, so that equal texts can be told together.

    Attributes
    ----------
    rank : int
        `LOST` (frames that the source should hold are not there), `DATA` (data are left out or mean something else),
        `BESIDE` (a calibration, a time, a count), `REST` (descriptions), `FILE` (a line of the table of a folder's
        files: ``NAME: verdict``, never grouped). A plain string has the rank `BESIDE`.
    """

    __slots__ = ("rank",)
    rank: int

    def __new__(cls, text: str, rank: int = BESIDE) -> Note:
        """Make a note of `text`."""
        out = super().__new__(cls, text)
        out.rank = rank
        return out


def lost(text: str) -> Note:
    """Say that frames which the source should hold are not there; `lbj convert` then ends with exit code 3."""
    return Note(text, LOST)


def left_out(text: str) -> Note:
    """Say that data did not come along, or came as something else."""
    return Note(text, DATA)


def aside(text: str) -> Note:
    """Say that a description did not come along."""
    return Note(text, REST)


def file(name: str, verdict: str) -> Note:
    """Say what became of a file of a folder."""
    return Note(f"{name}: {verdict}", FILE)


def table(notes: Iterable[str]) -> list[str]:
    """Return the lines of the table that the notes on a folder's files make, in two columns."""
    rows = [note.partition(": ") for note in notes if getattr(note, "rank", None) == FILE]
    width = min(max((len(name) for name, _, _ in rows), default=0), 60)
    return [f"{name:<{width}}  {verdict}" for name, _, verdict in rows]


def about(subject: str, notes: Iterable[str]) -> list[str]:
    """Return the notes on one file of several, with their ranks."""
    return [Note(f"{subject}: {note}", getattr(note, "rank", BESIDE)) for note in notes]


def grouped(notes: Iterable[str]) -> list[Note]:
    """Return the notes in order of rank; those that say the same of several signals or files become one."""
    found: dict[tuple[int, str], dict[str, None]] = {}
    for note in notes:
        subject, colon, text = note.partition(": ")
        told = (
            bool(colon) and getattr(note, "rank", BESIDE) != FILE and re.fullmatch(r"[^\s:]{1,80}", subject) is not None
        )
        key = (getattr(note, "rank", BESIDE), text if told else str(note))
        found.setdefault(key, {})[subject if told else ""] = None
    out: list[Note] = []
    for (rank, text), subjects in sorted(found.items(), key=lambda item: item[0][0]):
        named = [subject for subject in subjects if subject]
        listed = ", ".join(named[:SHOWN]) + (f" and {len(named) - SHOWN} more" if len(named) > SHOWN else "")
        out.append(Note(f"{listed}: {text}" if named else text, rank))
    return out
