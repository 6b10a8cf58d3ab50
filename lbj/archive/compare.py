"""Compare: a journal with the files that it was made of, which are read once more."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np

from ..errors import DamagedError
from ..events import Events
from ..format import blocks, cutting
from ..format.attributes import checked
from ..format.plausible import without_implausible
from ..format.records import dump_json
from ..frame import content_digest
from ..importing.apart import open_apart
from ..reader import open as open_journal
from ..signal import Signal


def frame_digest(signals: Sequence[Signal], data: Mapping[str, Any]) -> bytes:
    """SHA-256 of the canonical content of a frame (clause 7.3) as a source hands it out."""
    digest = hashlib.sha256()
    for signal in signals:
        if signal.name in data:
            digest.update(content_digest(signal, _canonical(signal, data[signal.name])))
    return digest.digest()


def compare(paths: Sequence[str], path: str | os.PathLike[str]) -> None:
    """Read the source and the journal, and compare signals, metadata, static data and every frame.

    Raises
    ------
    DamagedError
        Naming what differs.
    LbjError
        If the source cannot be read again.
    """
    source = open_apart(list(paths))
    with open_journal(path) as journal:
        head = journal.head.json
        _same("signals", [_declared(s) for s in journal.head.signals], [_declared(s) for s in source.signals])
        _same("metadata", head.get("metadata", {}), _plain(without_implausible(source.metadata)[0]))
        _same("names of static data", sorted(journal.statics()), sorted(source.static))
        for name, value in source.static.items():
            signal = journal.signals[name]
            wanted = content_digest(signal, _canonical(signal, value))
            _same(f"static data of {name}", content_digest(signal, journal.static(name)), wanted)
        found = hashlib.sha256()
        names = [signal.name for signal in source.signals]
        for number, (ours, theirs) in enumerate(zip_longest(journal, source.frames)):
            if ours is None or theirs is None:
                raise DamagedError(f"the journal differs from its source in the number of frames, from {number} on")
            data, attributes = theirs
            digest = frame_digest(source.signals, data)
            _same(f"data of frame {number}", ours.content_digest(), digest)
            kept = checked(without_implausible(attributes)[0], names)
            _same(f"attributes of frame {number}", ours.attributes, _plain(kept))
            found.update(digest)
        _same("content digest", journal.content_digest(), found.hexdigest())


def _canonical(signal: Signal, value: Any) -> Any:
    """Return data as a journal gives them back."""
    if isinstance(value, blocks.Verbatim):
        return value.array
    if signal.kind == "events":
        return value if isinstance(value, Events) else Events.from_dense(value)
    return cutting.as_dtype(signal, np.asarray(value))


def _declared(signal: Signal) -> dict[str, Any]:
    return {key: value for key, value in _plain(signal.to_json()).items() if key != "coding"}


def _plain(value: dict[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = json.loads(dump_json(value))
    return out


def _same(what: str, ours: Any, theirs: Any) -> None:
    if ours != theirs:
        raise DamagedError(f"the journal differs from its source in the {what}; please report this")
