"""Convert: any importable source, frame by frame, into a journal."""

from __future__ import annotations

import hashlib
import os

from .errors import UsageError
from .importing import open_source
from .importing.source import Source
from .progress import track
from .signal import Signal
from .writer import create


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
        A half-written `out` is removed again.
    """
    return store(open_source(list(paths)), paths, out, codings, quiet=quiet)


def store(
    source: Source,
    paths: list[str],
    out: str | os.PathLike,
    codings: dict[str, str] | None = None,
    *,
    quiet: bool = False,
) -> tuple[int, list[str]]:
    """Write an opened source, read from `paths`, into the new journal `out`; as `convert`."""
    signals = _recoded(source.signals, codings or {})
    origin = {"name": os.path.basename(os.path.abspath(paths[0])), "files": _files(paths)}
    writer = create(out, signals, source.metadata, source=origin, sync=False)
    try:
        with writer:
            for name, value in source.static.items():
                writer.put_static(name, value)
            for data, attributes in track(source.frames, "convert", source.n_frames, quiet=quiet):
                writer.append(dict(data), **attributes)
            if source.notes:
                writer.amend({"source": {"notes": source.notes}})
            frames = len(writer)
    except BaseException:
        os.unlink(out)
        raise
    return frames, list(source.notes)


def _files(paths: list[str]) -> list[dict[str, str]]:
    files: list[str] = []
    for path in paths:
        inside = sorted(os.listdir(path)) if os.path.isdir(path) else None
        files += [path] if inside is None else [os.path.join(path, name) for name in inside]
    return [{"name": os.path.basename(path), "sha256": _sha256(path)} for path in files if os.path.isfile(path)]


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(2**20):
            digest.update(chunk)
    return digest.hexdigest()


def _recoded(signals: list[Signal], codings: dict[str, str]) -> list[Signal]:
    names = {signal.name for signal in signals} | {signal.group for signal in signals if signal.group}
    unknown = sorted(set(codings) - names)
    if unknown:
        raise UsageError(f"--coding names {unknown[0]!r}; the source has {', '.join(sorted(names))}")
    out = []
    for signal in signals:
        coding = codings.get(signal.name) or codings.get(signal.group or "")
        out.append(Signal.from_json({**signal.to_json(), "coding": coding}) if coding else signal)
    return out
