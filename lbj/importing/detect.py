"""Which importer reads a file: its content decides, the suffix helps where the content says nothing."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import DamagedError, LibraryError, UsageError
from . import library, plugin
from .arrays import first_bytes, open_hdf5
from .outside import refuse_links, refuse_programs
from .source import Source

Reader = Callable[[Path], Source]

OWN = (
    ".bcf", ".dm3", ".dm4", ".emd", ".h5", ".h5oina", ".hdf5", ".hspy", ".img", ".lbj", ".ndata", ".ndata1", ".npz",
    ".nxs", ".pts", ".tif", ".tiff", ".zspy",
)  # fmt: skip
"""Suffixes of the files that the importers of `lbj` read; those of rosettasciio and of plugins come on top."""

COMPANIONS = {
    ".ipr": ".spd", ".spc": ".spd", ".raw": ".rpl", ".ser": ".emi", ".hdr": ".mib",
}  # fmt: skip
"""Files that are read with another: suffix, and the suffix of the file that brings them along."""

_REFUSED = {
    ".npy": "an array without a name or axes; save it by name: numpy.savez('series.npz', EDX=counts, HAADF=images)",
    ".pickle": "a pickle, which may run any program; save its arrays with numpy.savez",
    ".pkl": "a pickle, which may run any program; save its arrays with numpy.savez",
}


_SIGNED = {
    **dict.fromkeys((".emd", ".h5", ".h5oina", ".hdf5", ".hspy", ".nxs", ".de5", ".app5"), "HDF5"),
    **dict.fromkeys((".tif", ".tiff"), "TIFF"),
    **dict.fromkeys((".npz", ".ndata", ".ndata1", ".prz"), "zip"),
    ".lbj": "journal",
}
"""Suffixes of formats that begin with a signature; other content under them is nothing that can be guessed."""


def readable() -> list[str]:
    """Return every suffix that something reads, sorted."""
    return sorted({*OWN, *library.known_suffixes()} - set(_REFUSED) | plugin.suffixes())


def importer(path: Path) -> Reader:
    """Return the importer that a file's content asks for; where there are plugins for its suffix, they come first.

    Raises
    ------
    UsageError
        If the file cannot be opened, or nothing reads it.
    """
    plugins = plugin.importers(path) if path.is_file() else []
    return partial(plugin.read, plugins=plugins, otherwise=_own) if plugins else _own(path)


def _own(path: Path) -> Reader:
    if path.is_dir():
        if path.suffix.lower() == ".zspy":
            refuse_programs(path)
            return partial(_through, readers=[("zspy", "")])
        raise UsageError(f"{path}: a folder; pass it alone to convert the files in it")
    if not path.exists():
        raise UsageError(f"cannot open {str(path)!r}: No such file or directory")
    if not path.is_file():
        raise UsageError(f"{path}: no file, but a device or a pipe")
    try:
        begin = first_bytes(path)
    except OSError as error:
        raise UsageError(f"cannot open {str(path)!r}: {error.strerror}") from error
    found = _by_content(path, begin)
    if found is not None:
        return found
    suffix = path.suffix.lower()
    if suffix in _REFUSED:
        raise UsageError(f"{path}: {_REFUSED[suffix]}")
    if suffix in _SIGNED:
        raise DamagedError(f"{path}: no {_SIGNED[suffix]} file, which its name promises: it begins with {begin[:16]!r}")
    candidates = [(name, suffix) for name in library.known_suffixes().get(suffix, [])]
    if candidates and begin:
        return partial(_through, readers=candidates)
    partner = next((p for p in path.parent.glob("*") if _brings(p, path)), None)
    if partner is not None:
        raise UsageError(f"{path}: does not say what it holds; {partner.name} describes it: convert {partner}")
    raise UsageError(
        f"{path}: no importer for this file: it begins with {begin[:16]!r} and ends in {path.suffix or 'no suffix'}; "
        f"readable are {', '.join(readable())}"
    )


def _brings(other: Path, path: Path) -> bool:
    return other.suffix.lower() == COMPANIONS.get(path.suffix.lower()) and other.stem == path.stem


def _by_content(path: Path, begin: bytes) -> Reader | None:
    suffix = path.suffix.lower()
    if begin[:8] == b"\x89HDF\r\n\x1a\n":
        return _hdf5(path)
    if begin[:4] == b"PK\x03\x04":
        return _zip(path)
    if begin[:8] == b"\x89LBJ\r\n\x1a\n":
        from . import journal

        return journal.read
    if (begin[:4] == b"\x30\x01\0\0" and begin[4:8] == b"PTTD") or suffix == ".pts":
        from . import jeol

        return jeol.read
    if begin[:12] == b"4\0\0\0JED-2200":
        from . import jeol_image

        return jeol_image.read
    if begin[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        from . import images

        return images.read
    if begin[:8] == b"AAMVHFSS" or suffix == ".bcf":
        from . import bruker

        return bruker.read
    gatan_3 = begin[:4] == b"\0\0\0\3" and begin[8:12] in (b"\0\0\0\0", b"\0\0\0\1")
    gatan_4 = begin[:4] == b"\0\0\0\4" and begin[12:16] in (b"\0\0\0\0", b"\0\0\0\1")
    if gatan_3 or gatan_4 or suffix in (".dm3", ".dm4"):
        from . import gatan

        return gatan.read
    known = _library_reader(begin)
    return partial(_through, readers=[known]) if known else None


def _library_reader(begin: bytes) -> tuple[str, str] | None:
    """Return the reader of rosettasciio that a file's first bytes ask for, and the suffix it expects."""
    if begin[:4] == b"II\x97\x01":
        return "tia", ".ser"
    if begin[:15] == b"MAPSPECTRA_DATA":
        return "edax", ".spd"
    if begin[:6] == b"IMGBLO":
        return "blockfile", ".blo"
    if begin[208:212] == b"MAP ":
        return "mrc", ".mrc"
    if b"EMSA" in begin[:200].upper() and begin.lstrip()[:1] == b"#":
        return "msa", ".msa"
    if begin[:4] == b"WDF1":
        return "renishaw", ".wdf"
    return None


def _zip(path: Path) -> Reader | None:
    """Tell the zips apart: arrays by name, a data item of Nion Swift, one of Panta Rhei, or merely an archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        names = set()
    if {"data.npy", "metadata.json"} <= names:
        from . import nion

        return nion.read
    if {"data.npy", "meta_data.npy"} <= names or {"data.npy", "meta_data.json"} <= names:
        return partial(_through, readers=[("pantarhei", ".prz")])
    suffix = path.suffix.lower()
    if suffix == ".npz" or (names and all(name.endswith(".npy") for name in names)):
        from . import npz

        return npz.read
    if suffix in library.known_suffixes():
        return None
    from . import archive as importer

    return importer.read


def _hdf5(path: Path) -> Reader:
    """Tell the layouts of HDF5 apart."""
    with open_hdf5(path) as file:
        refuse_links(path, file)
        names = set(file)
        flavour = str(file.attrs.get("file_format", ""))
        data = file.get("Data")
        velox = data is not None and ("Version" in names or "SpectrumStream" in data)
        ncem = "version_major" in file.attrs or any(
            "emd_group_type" in getattr(file.get(name), "attrs", ()) for name in names
        )
        nion = names == {"data"} and "properties" in file["data"].attrs
        oxford = "Format Version" in names and ("Manufacturer" in names or "Index" in names)
        entries = any(_class(file.get(name)) == "NXentry" for name in names) or "NX_class" in file.attrs
        other = _other_hdf5(file, names)
    if velox:
        from . import velox as importer
    elif flavour.lower() == "hyperspy" or (not flavour and "Experiments" in names and not ncem):
        from . import hspy as importer  # type: ignore[no-redef]
    elif oxford:
        from . import oina as importer  # type: ignore[no-redef]
    elif nion:
        from .nion import read_hdf5

        return read_hdf5
    elif ncem:
        from . import ncem as importer  # type: ignore[no-redef]
    elif other:
        return partial(_through, readers=[other])
    elif entries:
        from . import nexus as importer  # type: ignore[no-redef]
    else:
        from . import npz as importer  # type: ignore[no-redef]
    return importer.read


def _class(item: Any) -> str:
    value = getattr(item, "attrs", {}).get("NX_class", "")
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _other_hdf5(file: Any, names: set[str]) -> tuple[str, str] | None:
    if "TofDAQ Version" in file.attrs or "FullSpectra" in names:
        return "tofwerk", ".h5"
    if "Acquisition0" in names:
        return "delmic", ".h5"
    if any(name.startswith("Measurement_") for name in names):
        return "usid", ".h5"
    return None


def _through(path: Path, readers: list[tuple[str, str]]) -> Source:
    """Open a file with the first of rosettasciio's readers that does not fail on it."""
    from . import generic

    failures: list[LibraryError] = []
    for reader, suffix in readers:
        try:
            return generic.read(path, reader, suffix)
        except LibraryError as error:
            failures.append(error)
    raise failures[0] if len(failures) == 1 else LibraryError("; ".join(error.reason for error in failures))
