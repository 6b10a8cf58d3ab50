"""The errors of `lbj`, all under one base class.

LbjError
├── UnsupportedError    the file needs a newer reader: upgrade
│   └── LibraryError    a library that reads such files failed on this one: its word, and what may be tried
├── DamagedError        the bytes are wrong: refetch, or `lbj recover`
│   └── TruncatedError  the bytes end early: wait for the writer, or `lbj recover`
├── PluginError         a plugin of another installed package failed: its message names both
├── UsageError          the call is wrong: fix the call
└── StorageError        the file cannot be opened or the disk refused: completed frames are safe
"""

from __future__ import annotations


class LbjError(Exception):
    """Base of every error that `lbj` raises on purpose."""


class _FileError(LbjError):
    """Something in a file, at a place and by a clause of the specification.

    Attributes
    ----------
    reason : str
        What is wrong, without place and clause.
    offset : int or None
        Byte offset in the file of the record at fault.
    clause : str
        Number of the clause of the specification.
    """

    _advice = ""

    def __init__(self, message: str, *, offset: int | None = None, clause: str = "") -> None:
        where = "" if offset is None else f" at byte {offset}"
        law = f" [clause {clause}]" if clause else ""
        super().__init__(f"{message}{where}{self._advice}{law}")
        self.reason = message
        self.offset = offset
        self.clause = clause


class UnsupportedError(_FileError):
    """The file is sound but needs something this version does not know; upgrading helps."""

    _advice = "; upgrade lbj"


class LibraryError(UnsupportedError):
    """A library that reads files of this kind failed on one; that need not be the file's fault."""

    _advice = ""


class DamagedError(_FileError):
    """The bytes contradict the specification."""


class TruncatedError(DamagedError):
    """The bytes end before the thing they announce; more may still be written."""


class PluginError(LbjError):
    """A plugin of another installed package failed, or is not what is expected; update or uninstall that package."""


class UsageError(LbjError, ValueError):
    """The call cannot be carried out as given; the message says what to change."""


class StorageError(LbjError, OSError):
    """The operating system refused to open the file or to store the bytes; what was completed before is intact."""
