"""HDF5 files written safely: a full disk becomes an error, not a crash of the HDF5 library."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import StorageError


class _Disk(io.FileIO):
    """A file that keeps the first error of the disk and pretends that all went well.

    The HDF5 library cannot close a file that it cannot write, and ends the process when it tries again at its exit.
    """

    failed: OSError | None = None

    def write(self, data: Any) -> int:
        """Write all of the data, or nothing any more."""
        view = memoryview(data).cast("B")
        size = len(view)
        try:
            while view and self.failed is None:
                view = view[super().write(view) or 0 :]
        except OSError as error:
            self.failed = error
        return size

    def truncate(self, size: int | None = None) -> int:
        """Set the size."""
        try:
            return super().truncate(size)
        except OSError as error:
            self.failed = self.failed or error
            return size or 0

    def readinto(self, buffer: Any) -> int:
        """Read; what could not be written reads as zeros."""
        read = super().readinto(buffer) or 0
        memoryview(buffer).cast("B")[read:] = bytes(len(buffer) - read)
        return len(buffer)


@contextlib.contextmanager
def new_hdf5(path: Path) -> Iterator[Any]:
    """Give a new HDF5 file (h5py) to be filled.

    Raises
    ------
    StorageError
        If the disk refused any of it.
    """
    import h5py

    with _Disk(path, "w+b") as disk:
        try:
            with h5py.File(disk, "w") as file:
                yield file
        except (OSError, RuntimeError, ValueError, KeyError):
            if disk.failed is None:
                raise
        if disk.failed is not None:
            raise StorageError(f"cannot write {str(path)!r}: {disk.failed.strerror}") from disk.failed
