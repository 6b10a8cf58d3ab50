"""The readers of rosettasciio: the only place where they are called."""

from __future__ import annotations

import importlib
import inspect
import logging
import tempfile
import traceback
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import LbjError, LibraryError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .source import Frame

Item = dict[str, Any]
"""One array as rosettasciio hands it out: ``data``, ``axes``, ``metadata``, ``original_metadata``, ``mapping``."""

_NEEDS_SUFFIX = {"tia": (".ser", ".emi"), "edax": (".spd", ".spc", ".lsd"), "jeol": (".eds", ".img", ".map", ".asw")}
"""Readers that look at a file's suffix, and the suffixes they know."""
_LAZY = ("digitalmicrograph", "edax", "tia", "mrc", "blockfile", "quantumdetector", "tvips", "empad", "zspy")
"""Readers that are asked for arrays that are read in parts; others are small, go wrong, or leave the file open."""
_OPTIONS = {"pantarhei": {"allow_restricted_pickle": True}}  # of its old files; only NumPy's own types are let through


def load(path: Path, reader: str, suffix: str = "") -> list[Item]:
    """Read a file with one of rosettasciio's readers.

    Parameters
    ----------
    path : path
    reader : str
        Module of rosettasciio: ``tia``, ``edax``, ``tiff``, …
    suffix : str
        The suffix that the content asks for, where the file may have another and the reader needs it.


    Returns
    -------
    list of dict
        One per array; of some readers lazy ones.

    Raises
    ------
    UsageError
        If rosettasciio, or a library that this reader needs, is not installed.
    LibraryError
        With the library's own words, where it fails: that need not be the file's fault.
    """
    read = function(path, reader)
    known = inspect.signature(read).parameters
    with _named_as_needed(path, reader, suffix) as name, quoting(path, reader), _quiet():
        options = {"lazy": reader in _LAZY and name == str(path), **_OPTIONS.get(reader, {})}
        return list(read(name, **{key: value for key, value in options.items() if key in known}))


def function(path: Path, reader: str) -> Any:
    """Return the function of one of rosettasciio's readers; UsageError where the library is not installed."""
    try:
        return importlib.import_module(f"rsciio.{reader}").file_reader
    except ImportError as error:
        raise UsageError(f"{path}: reading it needs rosettasciio ({error}): pip install 'mfsi[vendor]'") from error


@contextmanager
def quoting(path: Path, reader: str) -> Iterator[None]:
    """Turn whatever a reader raises, also later by its lazy arrays, into an error with its own words."""
    try:
        yield
    except LbjError:
        raise
    except ImportError as error:
        raise UsageError(f"{path}: rosettasciio's reader {reader!r} needs another library: {error}") from error
    except Exception as error:
        with _quiet():
            traceback.clear_frames(error.__traceback__)  # closes the files that the reader left open
        raise LibraryError(said(path, reader, error)) from error


def quoted(path: Path, reader: str, frames: Iterator[Frame]) -> Iterator[Frame]:
    """Yield the frames of a source whose arrays may be lazy, under `quoting`."""
    with quoting(path, reader):
        yield from frames


def said(path: Path, reader: str, error: BaseException) -> str:
    """Return the library's word on a file, and what may be tried."""
    word = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    return (
        f"{path}: rosettasciio's reader {reader!r} failed ({word}). The file may be damaged, or only unknown to this "
        f"version of the library; where HyperSpy opens it, hs.load({path.name!r}).save('x.hspy') makes a file for lbj"
    )


def known_suffixes() -> dict[str, list[str]]:
    """Return the readers of rosettasciio by suffix (lower case); none where it is not installed."""
    try:
        plugins = importlib.import_module("rsciio").IO_PLUGINS
    except ImportError:
        return {}
    out: dict[str, list[str]] = {}
    for plugin in plugins:
        package, _, module = str(plugin["api"]).partition(".")
        if package != "rsciio":
            continue  # the format that `mfsi_core.hyperspy` adds is ours
        for suffix in {"." + item.lower() for item in plugin["file_extensions"]}:
            out.setdefault(suffix, []).append(module)
    return out


@contextmanager
def _named_as_needed(path: Path, reader: str, suffix: str) -> Iterator[str]:
    """Give the path, or a link to it with the suffix that the reader looks at."""
    known = _NEEDS_SUFFIX.get(reader, ())
    if not known or path.suffix.lower() in known:
        yield str(path)
        return
    with tempfile.TemporaryDirectory(prefix="lbj-") as folder:
        link = Path(folder, path.stem + (suffix or known[0]))
        link.symlink_to(path.resolve())
        yield str(link)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the library's warnings: what they concern stands in the notes."""
    logger = logging.getLogger("rsciio")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
