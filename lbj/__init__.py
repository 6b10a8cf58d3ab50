"""lbj: reference library of the listed-bin journal, a format for multi-frame spectrum images.

archive/         journals made of other files and kept, and what is done to them
array_types.py   names for the arrays that stand in most signatures, by what they hold
arrays/          a journal's signals as arrays that are read when they are computed
cli.py           the `lbj` command
codings/         how the voxels of one block become bytes
command.py       what every command of the package does with errors and pipes
conform.py       the library as an implementation under test: the calls of the adapter protocol
creating.py      a new journal is begun, or an existing one continued, by its one writer
describe.py      metadata and axes of a header in words
errors.py        the errors of `lbj`, all under one base
events.py        the counts of one signal in one frame, as a sorted list
exporting/       a journal, or some of its frames, in the formats that other programs read
format/          the bytes of a journal, as spec/lbj.md describes them
frame.py         one completed frame of a journal, and its data
importing/       every readable file as a `Source`, a series of frames with their attributes
locking.py       exclusive lock of the one writer of a file; released by the system when the process ends
loss.py          which signals of a journal are stored with loss, and what their blocks state of it
outputs.py       how every command of the package puts files where the user asked for them
plugins/         what other installed packages add through entry points (docs/plugins.md)
progress.py      a bar on a terminal where rich is installed, nothing when piped
reader.py        an opened journal and its frames
recovery/        damaged journals: what is wrong with them, and what can be saved
signal.py        the declaration of one detector's data, as it stands in the header
signal_names.py  the signals of a journal by name, a group's name among them
version.py       version of the packages, of which this is the one source
writer.py        frames and later records are appended to a journal, each on the disk when the call returns
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
