"""Copying: a new journal derived from an old one, whose name and digest are recorded as its source."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import lbj
from lbj import Signal
from lbj.archive.convert import base_name
from lbj.codings import LOSSY, split
from lbj.frame import Frame
from lbj.outputs import digest, new_journal
from lbj.reader import Journal
from lbj.signal import DEFAULT_CODING
from lbj.writer import begin


def origin(journal: Journal, path: str | os.PathLike, notes: list[str]) -> dict[str, Any]:
    """``source`` of a journal made from another: its name, SHA-256 and UUID, its own notes and new ones."""
    told = journal.header.get("source", {}).get("notes", [])
    name = base_name(os.path.abspath(path))
    return {
        "name": name,
        "uuid": journal.header.get("uuid"),
        "files": [{"name": name, "sha256": digest(path)}],
        "notes": [*told, *notes],
    }


@contextlib.contextmanager
def copied(
    journal: Journal, out: str | os.PathLike, signals: list[Signal], source: dict[str, Any]
) -> Iterator[lbj.Writer]:
    """Begin the journal `out` with the metadata and static signals of another; nothing is left of it if the work fails.

    What a lossy coding had stored is kept losslessly, so that it does not lose twice.
    """
    kept = [_lossless(signal) for signal in signals]
    with new_journal(out) as part, begin(part, kept, journal.metadata, source=source, sync=False) as writer:
        for signal in kept:
            if signal.static and signal.name in journal.signals:
                with contextlib.suppress(lbj.UsageError):  # declared but never stored
                    writer.put_static(signal.name, journal.static(signal.name))
        yield writer


def stored(journal: Journal, frame: Frame, names: list[str]) -> dict[str, Any]:
    """Data of a frame's signals, as `lbj.Writer.append` takes them."""
    events = {name for name in names if journal.signals[name].kind == "events"}
    return {name: frame.events(name) if name in events else frame.array(name) for name in names}


def _lossless(signal: Signal) -> Signal:
    if split(signal.coding)[0] not in LOSSY:
        return signal
    return Signal.from_json({**signal.to_json(), "coding": DEFAULT_CODING[signal.kind]})
