"""Vendor import: every readable file as a `Source`, a series of frames with their attributes.

One importer per file; this module chooses among them by content first and suffix second.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import DamagedError, LbjError, UsageError
from .arrays import first_bytes
from .source import Frame, Source

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["Source", "open_source"]

READABLE = (".bcf", ".dm3", ".dm4", ".emd", ".h5", ".hdf5", ".hspy", ".lbj", ".npz", ".pts", ".tif", ".tiff", ".zspy")


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
    """
    files = [Path(path) for path in paths]
    if not files:
        raise UsageError("no file to open")
    left_out: list[str] = []
    if len(files) == 1 and files[0].is_dir() and files[0].suffix.lower() != ".zspy":
        files = _contents(files[0], left_out)
    if len(files) == 1:
        source = _open_file(files[0])
    else:
        from .folder import combine

        source = combine(files, _open_file)
    if source.n_frames == 0:
        raise UsageError(f"{files[0]}: holds no frame")
    source.notes += left_out
    return source


def _contents(folder: Path, left_out: list[str]) -> list[Path]:
    from .folder import natural

    visible = [path for path in folder.iterdir() if not path.name.startswith(".")]
    known = sorted((path for path in visible if path.suffix.lower() in READABLE), key=natural)
    numbered = [path for path in known if any(c.isdigit() for c in path.stem)] or known
    if not numbered:
        raise UsageError(f"{folder}: no readable file in this folder; readable are {', '.join(READABLE)}")
    left_out += [
        f"{path.name} left out: not one of the folder's numbered data files" for path in visible if path not in numbered
    ]
    return numbered


def _open_file(path: Path) -> Source:
    """Open one file; whatever its bytes lead a library to raise is named as damage."""
    with _naming_damage(path):
        source = _importer(path)(path)
    source.frames = _named(path, source.frames)
    return source


@contextmanager
def _naming_damage(path: Path) -> Iterator[None]:
    try:
        yield
    except LbjError:
        raise
    except Exception as error:
        raise DamagedError(f"{path}: its content cannot be read: {type(error).__name__}: {error}") from error


def _named(path: Path, frames: Iterator[Frame]) -> Iterator[Frame]:
    with _naming_damage(path):
        yield from frames


def _importer(path: Path) -> Callable[[Path], Source]:
    """Return the importer that a file's content asks for."""
    try:
        begin = b"" if path.is_dir() else first_bytes(path)
    except OSError as error:
        raise UsageError(f"cannot open {str(path)!r}: {error.strerror}") from error
    suffix = path.suffix.lower()
    if begin[:8] == b"\x89HDF\r\n\x1a\n":
        return _hdf5_importer(path)
    if begin[:8] == b"\x89LBJ\r\n\x1a\n":
        from . import journal

        return journal.read
    if begin[:4] == b"\x30\x01\0\0" or suffix == ".pts":
        from . import jeol

        return jeol.read
    if begin[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        from . import images

        return images.read
    if begin[:4] == b"PK\x03\x04" and suffix != ".zspy":
        from . import npz

        return npz.read
    if suffix in (".bcf", ".dm3", ".dm4", ".zspy"):
        from . import cubes

        return cubes.read
    raise UsageError(
        f"{path}: no importer for this file: it begins with {begin!r} and ends in {path.suffix or 'no suffix'}; "
        f"readable are {', '.join(READABLE)}"
    )


def _hdf5_importer(path: Path) -> Callable[[Path], Source]:
    from .arrays import open_hdf5

    with open_hdf5(path) as file:
        flavour = str(file.attrs.get("file_format", ""))
        velox = "Data" in file and ("Version" in file or "SpectrumStream" in file["Data"])
        ncem = "version_major" in file.attrs or any("emd_group_type" in item.attrs for item in file.values())
    if velox:
        from . import velox as importer
    elif flavour.lower() == "hyperspy" or ncem:
        from . import cubes as importer  # type: ignore[no-redef]
    else:
        from . import npz as importer  # type: ignore[no-redef]
    return importer.read
