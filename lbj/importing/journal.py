"""A journal as a source: to store it again with other codings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..format.attributes import known
from ..reader import open as open_journal
from .notes import lost
from .source import Frame, Source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def read(path: Path) -> Source:
    """Open a journal; see `lbj.importing.open_source`."""
    with open_journal(path) as journal:
        signals = list(journal.signals.values())
        static = {signal.name: journal.static(signal.name) for signal in signals if signal.static}
        notes: list[str] = []
        if journal.tail is not None:
            notes.append(lost(f"{path.name}: cut short, its {len(journal)} completed frames are kept: {journal.tail}"))
        elif not journal.complete:
            notes.append(f"{path.name}: not closed, or still being written; it has {len(journal)} frames so far")
        return Source(signals, _frames(path), len(journal), static, journal.metadata, notes)


def _frames(path: Path) -> Iterator[Frame]:
    with open_journal(path) as journal:
        for frame in journal:
            yield {name: frame.stored(name) for name in frame.names}, known(frame.attributes, list(journal.signals))
