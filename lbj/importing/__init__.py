"""Vendor import: every readable file as a `Source`, a series of frames with their attributes.

`lbj.importing.detect` chooses the importer of a file, by content first and suffix second.

apart.py             a crash, hang or memory leak of a vendor library stops there
archive.py           a zip of vendor files, unpacked in a temporary folder and read as a folder
arrays.py            arrays in a file, read from the first index on, a few entries at a time: NumPy archives and HDF5
bruker.py            Bruker `.bcf`: spectra through rosettasciio
bruker_container.py  the file system inside a `.bcf`
bruker_header.py     what the XML of a `.bcf` says of pixel sizes, dwell time, tilt, passes and images
child.py             the separate process in which files are imported, with its limits of time and memory
contents.py          the files of a folder: which are read, which are left out, and why
cubes.py             from arrays with axes and HyperSpy-like metadata, as most importers deliver them, to a `Source`
detect.py            which importer reads a file: by content, then by suffix
elements.py          symbols of the elements
folder.py            several files as one series: successive frames, or images and spectra paired by number
gatan.py             Digital Micrograph: what the tags of a `.dm3`, `.dm4` or TIFF say of its arrays
generic.py           any file that only rosettasciio reads: its arrays, axes and metadata as they come
hdf5_data.py         one array of a file, read part by part when it is asked for
hspy.py              HyperSpy's files, read with h5py: every dataset under `Experiments`
hspy_journal.py      a `.hspy` that `lbj export` wrote: the journal's own description brings back what HyperSpy has
hyperspy_names.py    HyperSpy's metadata names beside the journal's; used to read and to write them
images.py            TIFF: images, stacks of frames, and Digital Micrograph's spectrum images
jeol.py              JEOL Analysis Station `.pts`: X-ray events and images of every sweep
jeol_header.py       the tree of tagged values in front of the event words of a `.pts` file
jeol_image.py        JEOL Analysis Station `.img`: one image of the field, taken before or beside a map
jeol_stream.py       the event words behind the header of a `.pts` file, sweep by sweep
journal.py           a journal as a source, to store it again with other codings
leftovers.py         what a vendor's file says that the journal has no name for, one line each
library.py           the readers of rosettasciio: the only place where they are called
listed.py            the lossless layout of `lbj export` to `.npz` and `.h5`
meaning.py           meaning of an array's axes: which one is the energy, which are the map, and which counts frames
naming.py            a unique name for each signal of a series, and the common field that finer images are mapped to
ncem.py              Berkeley's EMD (NCEM): arrays in the order in which they are stored
nexus.py             NeXus, read with h5py: every group of class NXdata, with the axes that it names
nion.py              `.ndata` and `.ndata1` (a zip of data.npy and metadata.json) and `.h5`
notes.py             what an import left out or changed, the important first, each thing once
npz.py               dense arrays by name, and what `lbj export` wrote
numbering.py         which number in a name counts the frames, and which numbers are missing
oina.py              Oxford Instruments' `.h5oina` (AZtec): X-ray spectra and electron images
outside.py           HDF5 links to other files and zarr filters that run programs are refused
panta_rhei.py        Panta Rhei's `.prz` (CEOS): calibrations that rosettasciio leaves out, and orientation of EELS
plugin.py            importers of other packages: asked first where the suffix of a file is the name of their entry
source.py            what every importer returns: signals, frames, metadata and notes
units.py             everything a source states, in eV, s, A, m and rad
velox.py             the X-ray streams, EELS spectrum images and images of every frame, read with h5py
velox_eels.py        Velox EELS spectrum images: one data set per energy range
velox_images.py      every stack, what it shows, and whether it belongs to the frames
velox_metadata.py    beam, detectors and live times from the JSON beside each image and stream
velox_scan.py        which part of the field a stream or an image shows, and whether two were scanned together
velox_series.py      what a file holds, and what of it are the frames
velox_stream.py      every count of a detector in the order in which it was detected
velox_sums.py        Velox spectra without pixels: what is left of a file whose raw streams were pruned, or a point's
wire.py              messages to and from the importing process: JSON, then the bytes of arrays; no pickles
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
