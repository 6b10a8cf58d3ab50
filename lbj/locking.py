"""Exclusive lock of the one writer of a journal; released by the system when the process ends."""

from __future__ import annotations

import sys
from typing import BinaryIO

from .errors import UsageError


def lock(file: BinaryIO, path: str) -> None:
    """Lock an open file for writing.

    Raises
    ------
    UsageError
        If another writer holds the journal.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(2**62)  # beyond every byte, so that readers are not kept out
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise UsageError(f"{path!r} is being written by another process; close that writer first") from error
