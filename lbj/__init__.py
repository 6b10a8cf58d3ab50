"""lbj: reference library of the listed-bin journal, a format for multi-frame spectrum images.

archive/         journals made of other files and kept, and what is done to them
array_types.py   type aliases for NumPy arrays (Floats, …), which stand in most signatures, by what the arrays hold
arrays/          a journal's signals as lazy arrays, for dask, xarray and HyperSpy; data are read when they are computed
cli.py           the `lbj` command: info, convert, verify, recover, export and the rest, with their exit codes
codings/         how the voxels of one block become bytes
command.py       exit codes, error messages, broken pipes and Ctrl-C, the same for every command
conform.py       `lbj conform`: the library as an adapter that the conformance suite tests (conformance/protocol.md)
creating.py      a new journal is begun (`create`), or an existing one continued (`append`), by its only writer
describe.py      metadata and axes of a journal as lines of text, for `lbj info`
errors.py        the errors of `lbj`, all under one base class
events.py        the counts of one signal in one frame, as a sorted list
exporting/       a journal, or some of its frames, in the formats that other programs read
format/          the bytes of a journal, as spec/lbj.md describes them
frame.py         one completed frame of a journal, and its data
importing/       every readable file as a `Source`, a series of frames with their attributes
locking.py       exclusive lock of the one writer of a file; released by the system when the process ends
loss.py          which signals of a journal are stored with loss, and what their blocks state of it
outputs.py       files are written under hidden names and moved into place; nothing of the user's is overwritten
plugins/         what other installed packages add through entry points (docs/plugins.md)
progress.py      a bar on a terminal where rich is installed, nothing when piped
reader.py        `lbj.open`, and the opened `Journal` with its frames, signals and metadata
recovery/        damaged journals: finding what is wrong (`lbj verify`) and saving the rest (`lbj recover`)
scanned.py       which pixels of a frame the beam reached before the scan was aborted
signal.py        name, kind, shape, dtype, axes and coding of one detector's data, as declared in the header
signal_names.py  signals by name: a mapping in which the name of a group of detectors answers too
version.py       the version number of the packages, set here only; that of the format is in `format/layout.py`
writer.py        begins a journal, appends frames and later records; each is on the disk when the call returns
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .errors import DamagedError, LbjError, StorageError, TruncatedError, UnsupportedError, UsageError
from .signal import Signal
from .version import __version__

if TYPE_CHECKING:
    from .creating import append, create
    from .events import Events
    from .format.displacements import Displacement
    from .frame import Frame
    from .reader import Journal, open
    from .writer import Writer

__all__ = [
    "DamagedError",
    "Displacement",
    "Events",
    "Frame",
    "Journal",
    "LbjError",
    "Signal",
    "StorageError",
    "TruncatedError",
    "UnsupportedError",
    "UsageError",
    "Writer",
    "__version__",
    "append",
    "create",
    "open",
]

# What needs numpy is imported when first named, so that `lbj info` starts quickly.
_HOMES = {
    "Displacement": ".format.displacements",
    "Events": ".events",
    "Frame": ".frame",
    "Journal": ".reader",
    "open": ".reader",
    "Writer": ".writer",
    "append": ".creating",
    "create": ".creating",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'lbj' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name], __name__), name)


def __dir__() -> list[str]:
    return [*globals(), *_HOMES]
