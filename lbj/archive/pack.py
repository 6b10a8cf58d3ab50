"""Pack: a journal as small as its codings make it, with the same content digest."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from .. import codings
from ..errors import UsageError
from ..format import blocks, cutting
from ..frame import Frame
from ..reader import Journal
from ..reader import open as open_journal
from ..signal import Signal
from . import copying

TRIED = 3  # frames of each signal on which the codings are compared
CANDIDATES = {
    "events": ("split-rice", "leb128"),
    "spectra": ("lossless-int", "float-lattice", "shuffle-zstd"),
    "image": ("lossless-int", "float-lattice", "shuffle-zstd"),
}


class Packed(NamedTuple):
    """What became of a journal.

    Attributes
    ----------
    before, after : int
        Bytes of the files.
    digest : str
        The content digest, which both have.
    codings : dict
        Signal name -> coding, where it is another than before.
    """

    before: int
    after: int
    digest: str
    codings: dict[str, str]


def pack(path: str | os.PathLike[str], out: str | os.PathLike[str]) -> Packed:
    """Write a journal with the smallest lossless coding of each signal, every frame addressable as before.

    Signals that are stored with loss are copied block by block. Amendments, displacements, personal data and records
    that this version does not know come along as they are, those inside frames too; static data that were replaced do
    not.

    Raises
    ------
    DamagedError, UnsupportedError
        If the journal cannot be read whole.
    UsageError, StorageError
        If `out` cannot be written.
    """
    with open_journal(path) as journal:
        copying.refuse_broken(journal)
        signals = [_coded(journal, signal) for signal in journal.head.signals]
        by_name = {signal.name: (number, signal) for number, signal in enumerate(signals)}
        head = journal.head.json
        form = copying.Form(
            signals,
            head.get("metadata", {}),
            {**(head["source"] if isinstance(head.get("source"), dict) else {}), "uuid": head.get("uuid")},
            copying.header_members(journal),
            lambda frame, name: smallest(frame, *by_name[name]),
            dict,
            copying.ancillary(journal),
            partial(copying.ancillary_inside, journal),
        )
        digest = copying.write(journal, out, form)
        changed = {
            new.name: new.coding for old, new in zip(journal.head.signals, signals, strict=True)
            if old.coding != new.coding
        }  # fmt: skip
        return Packed(journal.bytes, os.path.getsize(out), digest, changed)


def _coded(journal: Journal, signal: Signal) -> Signal:
    """Return the signal with the coding that makes its first, middle and last frame smallest."""
    if codings.split(signal.coding)[0] in codings.LOSSY:
        return copying.writable(signal)
    held = list(_held(journal, signal.name))
    best, least = copying.writable(signal), 0
    for name in CANDIDATES[signal.kind]:
        tried = Signal.from_json({**signal.to_json(), "coding": name})
        try:
            size = sum(_encoded(frame, journal.numbers[signal.name], tried).size for frame in held)
        except UsageError:  # a coding that these values do not fit
            continue
        if held and (not least or size < least):
            best, least = tried, size
    return best


def _held(journal: Journal, name: str) -> Iterator[Frame]:
    """Yield some frames that hold a signal, or the static data."""
    if journal.signals[name].static:
        yield from (frame for own, frame in journal.statics().items() if own == name)
        return
    for number in sorted({len(journal) * i // TRIED for i in range(TRIED)} & set(range(len(journal)))):
        if name in journal[number].names:
            yield journal[number]


def _encoded(frame: Frame, number: int, signal: Signal) -> cutting.Prepared:
    return cutting.Prepared(
        list(cutting.write(number, signal, frame.index, frame.member(signal.name), cutting.no_memory(), smallest=True))
    )


def smallest(frame: Frame, number: int, signal: Signal) -> cutting.Prepared:
    """Return the records of a signal in a frame: as they are stored, or coded anew where that is smaller."""
    stored = frame.stored_blocks(signal.name)
    as_stored = cutting.copied(number, signal, frame.index, stored)
    if blocks.lossy(stored) or codings.split(signal.coding)[0] in codings.LOSSY:
        return as_stored
    try:
        return min(as_stored, _encoded(frame, number, signal), key=lambda one: one.size)
    except UsageError:  # a frame whose values its coding does not fit
        return as_stored
