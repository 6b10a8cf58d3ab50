"""Exclusive lock of the one writer of a file; released by the system when the process ends."""

from __future__ import annotations

import sys
from typing import BinaryIO

from .errors import UsageError


def lock(file: BinaryIO, path: str, *, wait: bool = False) -> None:
    """Lock an open file for writing; with `wait`, until another process lets it go.

    Raises
    ------
    UsageError
        If another process holds it.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(2**62)  # beyond every byte, so that readers are not kept out
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file.fileno(), fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        raise UsageError(f"{path!r} is being written by another process; close that writer first") from error
