"""Strip: a journal without personal data (spec/lbj.md 5.1.9, 7.4), its content as it is."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..errors import DamagedError
from ..format import cutting, layout
from ..format.records import Record, parse_json
from ..frame import Frame
from ..reader import Journal
from ..reader import open as open_journal
from ..signal import Signal
from . import copying
from .personal import Scrubber, names_in, personal_texts, without_names

FREE = ("title", "specimen")  # texts that people type
STEM = 6  # letters of a file name without its suffix from which on it is looked for; a shorter one may be any word
KEPT = (layout.DISP,)
_UNPLACED = Record(0, b"", 0, 0, 0)


class Stripped(NamedTuple):
    """What became of a journal.

    Attributes
    ----------
    removed : list of str
        What was removed, a line each.
    texts : list of str
        Free texts that stay, for a person to read.
    digest : str
        The content digest, which is the journal's.
    """

    removed: list[str]
    texts: list[str]
    digest: str


def strip(path: str | os.PathLike[str], out: str | os.PathLike[str]) -> Stripped:
    """Write a journal without personal data.

    Left out are ``pERs`` records, members of descriptions and attributes whose names say that they hold persons,
    accounts, addresses or computers, and ancillary records that this version does not know. In texts, addresses,
    folders and whatever stood under such names are replaced, and the names of the source's files everywhere; their
    SHA-256 stays. Amendments are applied, so that nothing that was replaced remains.

    Raises
    ------
    DamagedError, UnsupportedError
        If the journal cannot be read whole.
    UsageError, StorageError
        If `out` cannot be written.
    """
    with open_journal(path) as journal:
        copying.refuse_broken(journal)
        records = copying.ancillary(journal)
        inside = [one for frame in _all(journal) for one in copying.ancillary_inside(journal, frame)]
        files, names = _names(journal, records, inside)
        scrubber = Scrubber(names)
        kept = [(kind, payload) for kind, payload in records if kind in KEPT]
        _say_records(scrubber, records)
        _say_inside(scrubber, inside)
        signals = [_signal(scrubber, signal) for signal in journal.signals.values()]
        numbers = {signal.name: (number, signal) for number, signal in enumerate(signals)}

        def stored(frame: Frame, name: str) -> cutting.Prepared:
            number, signal = numbers[name]
            return cutting.copied(number, signal, frame.index, frame.stored_blocks(name))

        form = copying.Form(
            signals,
            scrubber.clean(journal.metadata, "metadata"),
            _source(scrubber, journal, files),
            scrubber.clean(copying.header_members(journal), ""),
            stored,
            lambda attributes: _attributes(scrubber, attributes),
            kept,
            lambda _: [],
        )
        digest = copying.write(journal, out, form)
        texts = [f"{name} {form.metadata[name]!r}" for name in FREE if form.metadata.get(name)]
        return Stripped(scrubber.removed, texts, digest)


def _all(journal: Journal) -> Iterator[Frame]:
    yield from {id(frame): frame for frame in journal.statics().values()}.values()
    yield from journal


def _names(
    journal: Journal, records: list[tuple[bytes, bytes]], inside: list[tuple[bytes, bytes]]
) -> tuple[list[dict[str, Any]], set[str]]:
    """Return the source's files under other names, and all texts that are to be found nowhere in the copy."""
    source = journal.header.get("source")
    source = source if isinstance(source, dict) else {}
    files, names = without_names(source.get("files"))
    if isinstance(source.get("name"), str):
        names.add(source["name"])
    names |= {stem for name in names if len(stem := os.path.splitext(name)[0]) >= STEM}
    persons: set[str] = set()
    for kind, payload in records:
        if kind in (layout.PERS, layout.AMND):
            said = parse_json(payload, _UNPLACED)
            persons |= personal_texts(said, inside=kind == layout.PERS)
    for kind, payload in inside:  # records inside frames, where readers ignore them: they may be damaged
        if kind in (layout.PERS, layout.AMND):
            with contextlib.suppress(DamagedError):
                persons |= personal_texts(parse_json(payload, _UNPLACED), inside=kind == layout.PERS)
    for part in (journal.head.json, journal.header, *(frame.attributes for frame in journal)):
        persons |= personal_texts(part)
    return files, names | names_in(persons)


def _say_records(scrubber: Scrubber, records: list[tuple[bytes, bytes]]) -> None:
    counts: dict[bytes, int] = {}
    for kind, _ in records:
        counts[kind] = counts.get(kind, 0) + 1
    for kind, number in counts.items():
        several = f"{number} record{'s' if number > 1 else ''}"
        if kind == layout.PERS:
            scrubber.say(f"{several} of personal data left out")
        elif kind == layout.AMND:
            scrubber.say(f"{several} of amendments applied, and what they replaced left out")
        elif kind not in KEPT:
            scrubber.say(f"{several} {kind.decode()} left out, which this version does not know")


def _say_inside(scrubber: Scrubber, inside: list[tuple[bytes, bytes]]) -> None:
    for kind in sorted({kind for kind, _ in inside}):
        number = sum(kind == one for one, _ in inside)
        scrubber.say(f"{number} record{'s' if number > 1 else ''} {kind.decode()} inside frames left out")


def _signal(scrubber: Scrubber, signal: Signal) -> Signal:
    item = copying.writable(signal).to_json()
    if "metadata" in item:
        item["metadata"] = scrubber.clean(item["metadata"], f"{signal.name}.metadata")
    return Signal.from_json(item)


def _source(scrubber: Scrubber, journal: Journal, files: list[dict[str, Any]]) -> dict[str, Any]:
    source = journal.header.get("source")
    kept = {key: value for key, value in source.items() if key != "files"} if isinstance(source, dict) else {}
    if kept.pop("name", None):
        kept["name"] = files[0]["name"] if len(files) == 1 else "several files"
    out: dict[str, Any] = scrubber.clean(kept, "source")
    if files:
        out["files"] = files
        scrubber.say(f"names of {len(files)} source file{'s' if len(files) > 1 else ''} left out, their SHA-256 kept")
    return {**out, "uuid": journal.header.get("uuid")}


def _attributes(scrubber: Scrubber, attributes: dict[str, Any]) -> dict[str, Any]:
    """Return a frame's attributes; those that are known hold numbers, apart from its metadata."""
    return {key: scrubber.clean(value, f"frames: {key}") for key, value in attributes.items()}
