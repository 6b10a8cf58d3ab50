"""Export: a journal, or some of its frames, in the formats that other programs read.

hdf5_file.py        a full disk becomes an error, not a crash of the HDF5 library
hspy.py             export to HyperSpy's `.hspy`: dense datasets, written and compressed piece by piece
hyperspy_signal.py  what HyperSpy is told of a signal: its axes and metadata
listed.py           export to NumPy `.npz` and HDF5 `.h5`: lossless, events as lists (layout: `lbj.importing.listed`)
msa.py              export to EMSA/MAS `.msa` (ISO 22029): the sum spectrum over field and frames, a file a signal
nexus.py            export to NeXus `.nxs` (NXem 2026.01): image and spectrum stacks, EDS and EELS sums
numbers.py          values of calibrated axes, and the times and currents of every frame
plugin.py           exporters of other packages: each writes the files whose suffix is the name of its entry point
rpl.py              export to Lispix ripple `.rpl`: the sum over the frames, a text header and a raw file a signal
series.py           the frames that were selected for an export, with their data, dtypes and total times
spectrum.py         a signal's spectra of all pixels and frames added up, as recorded
stack.py            one signal of all frames as one dense HDF5 dataset, written chunk by chunk
tables.py           sum spectra as `.csv`, lists of counts as `.parquet`
tif.py              export to OME-TIFF `.tif`: every image signal as a stack of frames
zarr3.py            export to Zarr `.zarr`, version 3, written by its specification
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..outputs import new_files, new_tree
from .series import Series

if TYPE_CHECKING:
    from ..frame import Recording

__all__ = ["export"]

WRITABLE = (".csv", ".h5", ".hspy", ".msa", ".npz", ".nxs", ".parquet", ".rpl", ".tif", ".tiff", ".zarr")


def export(
    journal: Recording, path: str | os.PathLike[str], frames: slice | None = None, *inputs: str | os.PathLike[str]
) -> None:
    """Write a journal's frames to a file whose suffix names the format.

    Parameters
    ----------
    journal : Journal
    path : path
        ======== =====================================================================================================
        .npz     every signal of every frame, lossless and sparse (layout: `lbj.importing.listed`); `lbj convert` and
                 `numpy.load` read it back
        .h5      the same arrays in HDF5
        .parquet the counts as a table, a row a voxel that is not empty
        .hspy    HyperSpy: one dataset per signal, each detector and the static ones among them, dense, compressed and
                 filled bit by bit; (Y, X, C) for one frame, (frame, Y, X, C) for several. Live and real times are
                 totals over the exported frames. What HyperSpy has no place for stands beside, and `lbj convert` gives
                 the same journal again
        .zarr    Zarr, version 3: a folder with a group per signal, as xarray opens data sets; chunks of one frame
        .nxs     NeXus, application definition NXem: stacks of images and spectra, sums as NXem_eds and NXem_eels
        .rpl     Lispix: the sum over the frames, a ``.rpl`` and a ``.raw`` file per signal; the first spectrum signal
                 under the name given, the others with ``_NAME`` added; detectors of a group as their sum. Spectra are
                 summed as recorded: stored energy shifts are not applied; pixels that were not scanned are left out
        .msa     EMSA/MAS: the sum spectrum of every signal, files named as for .rpl
        .csv     the same spectra as one table, a row a channel
        .tif     OME-TIFF: every image signal as a stack of frames
        others   as plugins of installed packages write them (docs/plugins.md)
        ======== =====================================================================================================
    frames : slice, optional
        Which frames; all when absent.
    *inputs : path
        Files that are not replaced: where the journal came from.

    Raises
    ------
    UsageError
        If the suffix is none of these, the slice selects nothing, the journal has nothing for the format, or a file
        stands there that this program has not made.
    StorageError
        If the file cannot be written; nothing is left behind.
    PluginError
        If an exporter of another package fails; nothing is left behind.
    """
    out = Path(path)
    series = Series(journal, frames)
    writer = _writer(out)
    with new_tree(out) if out.suffix.lower() == ".zarr" else new_files(out, *inputs) as part:
        writer(series, part)


Writer = Callable[[Series, Path], None]


def _writer(path: Path) -> Writer:
    suffix = path.suffix.lower()
    if suffix not in WRITABLE:
        from . import plugin

        return plugin.writer(path, WRITABLE)
    from . import hspy, listed, msa, nexus, rpl, tables, tif, zarr3

    writers: dict[str, Writer] = {
        ".csv": tables.write_csv,
        ".h5": listed.h5,
        ".hspy": hspy.write,
        ".msa": msa.write,
        ".npz": listed.npz,
        ".nxs": nexus.write,
        ".parquet": tables.write_parquet,
        ".rpl": rpl.write,
        ".tif": tif.write,
        ".tiff": tif.write,
        ".zarr": zarr3.write,
    }
    return writers[suffix]
