"""Copying: a journal rewritten with the same content, checked before the copy gets its name (`pack`, `strip`)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from .. import codings
from ..errors import DamagedError
from ..format import layout
from ..format.cutting import Prepared
from ..frame import Frame
from ..frame import content_digest as digest_of
from ..outputs import new_journal
from ..reader import Journal
from ..reader import open as open_journal
from ..signal import DEFAULT_CODING, Signal
from ..writer import begin

OWN = (layout.INDX, layout.FOOT, layout.CONT, layout.COPY)  # records that are made anew for every journal


class Form(NamedTuple):
    """What a copy shall look like.

    Attributes
    ----------
    signals : list of Signal
        As many as the journal has, in order, of the same kinds and shapes.
    metadata, source, others : dict
        Members of the header.
    blocks : callable
        Gives the records of one signal (by name) of a frame.
    attributes : callable
        Gives the attributes of a frame from those that were stored.
    records : iterable of (type, payload)
        Ancillary records outside of frames.
    inside : callable
        Gives type and payload of those to stand in a frame.
    """

    signals: list[Signal]
    metadata: dict[str, Any]
    source: dict[str, Any]
    others: dict[str, Any]
    blocks: Callable[[Frame, str], Prepared]
    attributes: Callable[[dict[str, Any]], dict[str, Any]]
    records: Iterable[tuple[bytes, bytes]]
    inside: Callable[[Frame], list[tuple[bytes, bytes]]]


def refuse_broken(journal: Journal) -> None:
    """Refuse a journal that is cut short (clause 9.2); what else is damaged is found when it is read."""
    if journal.tail is not None:
        raise DamagedError(
            f"the journal is cut short: {journal.tail}; 'lbj recover' it first",
            offset=getattr(journal.tail, "offset", None),
        )


def write(journal: Journal, out: str | os.PathLike[str], form: Form) -> str:
    """Write the copy, read it back, compare it with the journal, and give it its name.

    Returns
    -------
    str
        The content digest of both.

    Raises
    ------
    DamagedError
        If the journal is damaged, or the copy differs; nothing of it is left.
    UsageError, StorageError
        As `lbj.outputs.new_journal`.
    """
    digest = journal.content_digest()
    with new_journal(out) as part:
        with begin(part, form.signals, form.metadata, source=form.source, others=form.others, sync=False) as writer:
            whole: list[Frame] = []
            for name, frame in journal.statics().items():
                inside = [] if frame in whole else form.inside(frame)
                writer.put_frame(layout.STATIC, {name: form.blocks(frame, name)}, {}, inside, static=True)
                whole.append(frame)
            for frame in journal:
                data = {name: form.blocks(frame, name) for name in frame.names}
                writer.put_frame(frame.index, data, form.attributes(frame.attributes), form.inside(frame), static=False)
            for kind, payload in form.records:
                writer.put_record(kind, payload)
            writer.put_content_digest(digest)
        with open_journal(part, journal.max_bytes) as copy:
            _compare(journal, copy, digest)
    return digest


def _compare(journal: Journal, copy: Journal, digest: str) -> None:
    same = copy.complete and len(copy) == len(journal) and copy.content_digest() == digest
    for name, frame in journal.statics().items():
        signal = journal.signals[name]
        same = same and digest_of(signal, copy.static(name)) == digest_of(signal, frame.member(name))
    if not same:
        raise DamagedError("the copy differs from the journal; nothing of it was kept. Please report this")


def ancillary(journal: Journal) -> list[tuple[bytes, bytes]]:
    """Return type and payload of the records outside of frames, those left out that every journal has of its own."""
    source = journal.source
    return [
        (kind, source.payload(source.header(offset, journal.bytes)))
        for kind, offset in journal.contents.others
        if kind not in OWN
    ]


def ancillary_inside(journal: Journal, frame: Frame) -> list[tuple[bytes, bytes]]:
    """Return type and payload of the records that stand in a frame, as `ancillary` those outside."""
    return [(one.type, journal.source.payload(one)) for one in frame.ancillary() if one.type not in OWN]


def header_members(journal: Journal) -> dict[str, Any]:
    """Return the members of the header that a copy takes over beside signals, metadata and source."""
    own = ("uuid", "writer", "signals", "metadata", "source")
    return {key: value for key, value in journal.header.items() if key not in own}


def writable(signal: Signal) -> Signal:
    """Return the signal with a coding that it can be declared with; each block states its own (5.1.5)."""
    if codings.writable(signal.coding, signal.kind):
        return signal
    return Signal.from_json({**signal.to_json(), "coding": DEFAULT_CODING[signal.kind]})
