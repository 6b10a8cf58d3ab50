"""The readers of rosettasciio: the only place where they are called."""

from __future__ import annotations

import importlib
import logging
import tempfile
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import LbjError, LibraryError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

Item = dict[str, Any]
"""One array as rosettasciio hands it out: ``data``, ``axes``, ``metadata``, ``original_metadata``, ``mapping``."""

_NEEDS_SUFFIX = {"tia": (".ser", ".emi"), "edax": (".spd", ".spc", ".lsd"), "jeol": (".eds", ".img", ".map", ".asw")}
"""Readers that look at a file's suffix, and the suffixes they know."""


def load(path: Path, reader: str, suffix: str = "", *, lazy: bool = True) -> list[Item]:
    """Read a file with one of rosettasciio's readers.

    Parameters
    ----------
    path : path
    reader : str
        Module of rosettasciio: ``tia``, ``edax``, ``tiff``, …
    suffix : str
        The suffix that the content asks for, where the file may have another and the reader needs it.

    lazy : bool
        Whether arrays shall be read when they are needed, where the reader can.

    Returns
    -------
    list of dict
        One per array.

    Raises
    ------
    UsageError
        If rosettasciio, or a library that this reader needs, is not installed.
    LibraryError
        With the library's own words, where it fails: that need not be the file's fault.
    """
    read = function(path, reader)
    with _named_as_needed(path, reader, suffix) as name, _quiet():
        try:
            return _read(read, name, lazy)
        except LbjError:
            raise
        except ImportError as error:
            raise UsageError(f"{path}: rosettasciio's reader {reader!r} needs another library: {error}") from error
        except Exception as error:
            raise LibraryError(said(path, reader, error)) from error


def function(path: Path, reader: str) -> Any:
    """Return the function of one of rosettasciio's readers; UsageError where the library is not installed."""
    try:
        return importlib.import_module(f"rsciio.{reader}").file_reader
    except ImportError as error:
        raise UsageError(f"{path}: reading it needs rosettasciio ({error}): pip install mfsi[vendor]") from error


def _read(read: Any, name: str, lazy: bool) -> list[Item]:
    try:
        return list(read(name, lazy=lazy))
    except NotImplementedError:
        return list(read(name))


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
        module = str(plugin["api"]).split(".")[1]
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
