"""lbj: reference library of the listed-bin journal, a format for multi-frame spectrum images."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .errors import DamagedError, LbjError, StorageError, TruncatedError, UnsupportedError, UsageError
from .signal import Signal
from .version import __version__

if TYPE_CHECKING:
    from .events import Events
    from .format.displacements import Displacement
    from .frame import Frame
    from .reader import Journal, open
    from .writer import Writer, append, create

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
    "append": ".writer",
    "create": ".writer",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'lbj' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name], __name__), name)
