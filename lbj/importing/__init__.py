"""Vendor import: every readable file as a `Source`, a series of frames with their attributes.

`lbj.importing.detect` chooses the importer of a file, by content first and suffix second.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import DamagedError, LbjError, UsageError
from ..format.urls import is_url
from .source import Frame, Source

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence

__all__ = ["Source", "open_source"]


def open_source(paths: Sequence[str | os.PathLike[str]]) -> Source:
    """Open one series.

    Parameters
    ----------
    paths : list of path
        One file; one folder, which stands for its numbered files in natural order; or several files that are
        successive frames, or images and spectra paired by number and name pattern (see `lbj.importing.folder`).

    Returns
    -------
    Source
        Its signals, and an iterator over its frames that reads one after the other.

    Raises
    ------
    UsageError
        If there is no such file, nothing can read it, or files have no partner.
    DamagedError
        If a file breaks the rules of its format.
    LibraryError
        If a library that reads such files fails on one.
    PluginError
        If an importer of another package fails on one, and nothing else reads it.
    """
    if any(not str(path) for path in paths):
        raise UsageError("the name of a file to open is empty")
    for path in paths:
        if is_url(path):
            raise UsageError(
                f"{path}: only files of this system are imported; lbj.open, info, verify and export read URLs"
            )
    files = [Path(path) for path in paths]
    if not files:
        raise UsageError("no file to open")
    if len(files) == 1 and files[0].is_dir() and files[0].suffix.lower() != ".zspy":
        source = _open_folder(files[0])
    elif len(files) == 1:
        source = _open_file(files[0])
    else:
        from .folder import combine

        source = combine(files, _open_file)
    if source.n_frames == 0:
        raise UsageError(f"{files[0]}: holds no frame")
    return source


def _open_folder(folder: Path) -> Source:
    from . import contents
    from .folder import combine

    entries = contents.numbered(contents.look(folder))
    files = [entry.path for entry in entries if not entry.why]
    if not files:
        held = f"; it holds:\n{contents.held(entries, _open_file)}" if entries else ""
        raise UsageError(f"{folder}: no readable file in this folder{held}")
    if len(files) == 1:
        source = _open_file(files[0])
    else:
        try:
            source = combine(files, _open_file)
        except LbjError as error:
            raise contents.no_series(folder, entries, error, _open_file) from error
    source.notes += contents.notes(entries, _open_file)
    return source


def _open_file(path: Path) -> Source:
    """Open one file; whatever its bytes lead a library to raise is named as damage."""
    from .detect import importer

    with _naming_damage(path):
        source = importer(path)(path)
    source.frames = _named(path, source.frames)
    return source


@contextmanager
def _naming_damage(path: Path) -> Iterator[None]:
    try:
        yield
    except (LbjError, MemoryError):
        raise
    except Exception as error:
        word = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise DamagedError(f"{path}: its content cannot be read: {word}") from error


def _named(path: Path, frames: Iterator[Frame]) -> Iterator[Frame]:
    with _naming_damage(path):
        yield from frames
