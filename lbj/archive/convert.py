"""Convert: any importable source, frame by frame, into a journal."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..codings import LOSSY, split
from ..errors import UsageError
from ..format import layout
from ..format.plausible import without_implausible
from ..importing.apart import open_apart
from ..importing.arrays import first_bytes
from ..importing.notes import Note, grouped
from ..importing.source import Source
from ..outputs import digest, new_journal
from ..progress import track
from ..reader import open as open_journal
from ..signal import Signal
from ..signal_names import Signals
from ..writer import begin
from .amend import Settings, patch_of, stamped
from .compare import compare, frame_digest


def convert(
    paths: list[str], out: str | os.PathLike, codings: dict[str, str] | None = None, *, quiet: bool = False
) -> tuple[int, list[str]]:
    """Write the series that `paths` hold into the new journal `out`.

    Parameters
    ----------
    paths : list of path
        Vendor files, npz, a journal, or one folder; several are successive frames of one series.
    out : path
        The journal; it must not exist.
    codings : dict, optional
        Signal (or group) name -> coding, instead of the defaults.
    quiet : bool
        No progress bar.

    Returns
    -------
    frames : int
    notes : list of str
        What was dropped or changed on the way.

    Raises
    ------
    UsageError, DamagedError, UnsupportedError, StorageError
        Nothing is left of a half-written `out`.
    """
    return store(open_apart(list(paths)), paths, out, codings, quiet=quiet)


def store(
    source: Source,
    paths: list[str],
    out: str | os.PathLike,
    codings: dict[str, str] | None = None,
    settings: Settings | None = None,
    *,
    quiet: bool = False,
    proved: bool = False,
) -> tuple[int, list[str]]:
    """Write an opened source, read from `paths`, into the new journal `out`, and amend it; as `convert`.

    With `proved`, the journal has its content digest, and is read back and compared with the source, read once more,
    before it gets its name.
    """
    lost: list[str] = []
    source.signals = _recoded(source.signals, codings or {}, lost)
    amendment = patch_of(Signals({signal.name: signal for signal in source.signals}), settings) if settings else {}
    source.notes = [*source.notes, *lost]
    origin = {"name": base_name(os.path.abspath(paths[0])), "files": _files(paths)}
    with new_journal(out) as part:
        done = write_source(source, part, origin, _displacements(paths), amendment, quiet=quiet, proved=proved)
        if proved:
            compare(paths, part)
    return done


def write_source(
    source: Source,
    part: Path,
    origin: dict[str, Any],
    displacements: Iterable[bytes] = (),
    amendment: dict[str, Any] | None = None,
    *,
    quiet: bool = True,
    proved: bool = False,
) -> tuple[int, list[str]]:
    """Write a source frame by frame under the name that `new_journal` gave; returns as `convert`."""
    metadata, odd = without_implausible(source.metadata)
    lost = [f"left out: {text}" for text in odd]
    found = hashlib.sha256()
    with begin(part, source.signals, metadata, source=origin, sync=False) as writer:
        for name, value in source.static.items():
            writer.put_static(name, value)
        for data, attributes in track(source.frames, "convert", source.n_frames, quiet=quiet):
            kept, odd = without_implausible(attributes)
            lost += [text for text in (f"left out: {one}" for one in odd) if text not in lost]
            writer.append(dict(data), **kept)
            if proved:
                found.update(frame_digest(source.signals, data))
        for payload in displacements:
            writer.put_record(layout.DISP, payload)
        notes: list[str] = [Note(_plain(note), note.rank) for note in grouped([*source.notes, *lost])]
        if notes:
            writer.amend({"source": {"notes": notes}})
        if amendment:
            writer.amend(stamped(amendment))
        if proved:
            writer.put_content_digest(found.hexdigest())
        return len(writer), notes


def _plain(text: str) -> str:
    return str(text).encode("utf-8", "backslashreplace").decode()


def _displacements(paths: list[str]) -> list[bytes]:
    """Payloads of the displacements of one journal, which is stored again with the same frames and signals."""
    if len(paths) != 1 or not os.path.isfile(paths[0]) or first_bytes(Path(paths[0]))[:8] != layout.SIGNATURE:
        return []
    with open_journal(paths[0]) as journal:
        return [payload for payload, _ in journal.displacement_records()][::-1]


def _files(paths: list[str]) -> list[dict[str, str]]:
    files: list[str] = []
    for path in paths:
        inside = sorted(os.listdir(path)) if os.path.isdir(path) else None
        files += [path] if inside is None else [os.path.join(path, name) for name in inside]
    return [{"name": base_name(path), "sha256": digest(path)} for path in files if os.path.isfile(path)]


def base_name(path: str | os.PathLike[str]) -> str:
    """Return a file's name as text; bytes that are not UTF-8 are spelled out."""
    return os.fsencode(os.path.basename(path)).decode("utf-8", "backslashreplace")


def _recoded(signals: list[Signal], codings: dict[str, str], notes: list[str]) -> list[Signal]:
    """Signals with the codings asked for; notes on losses that these do not show are added."""
    names = {signal.name for signal in signals} | {signal.group for signal in signals if signal.group}
    unknown = sorted(set(codings) - names)
    if unknown:
        raise UsageError(f"--coding names {unknown[0]!r}; the source has {', '.join(sorted(names))}")
    out = []
    for signal in signals:
        coding = codings.get(signal.name) or codings.get(signal.group or "")
        if coding and signal.coding and coding != signal.coding and split(signal.coding)[0] in LOSSY:
            if split(coding)[0] in LOSSY:
                raise UsageError(
                    f"--coding: signal {signal.name!r} is stored with {signal.coding} already, and would lose twice; "
                    "leave --coding out, and its blocks are copied as they are"
                )
            notes.append(f"{signal.name} was stored with {signal.coding} before, with loss")
        out.append(Signal.from_json({**signal.to_json(), "coding": coding}) if coding else signal)
    return out
