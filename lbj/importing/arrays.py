"""Arrays in a file, read from the first index on, a few entries at a time: NumPy archives and HDF5."""

from __future__ import annotations

import math
import zipfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DamagedError, TruncatedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def storable(data: Any) -> Any:
    """Return an array in an element type that a journal has: native, no booleans, floats of 4 or 8 bytes."""
    if data.dtype.kind == "b":
        return data.astype(np.uint8)
    if data.dtype.kind == "f" and data.dtype.itemsize not in (4, 8):
        return data.astype(np.float32 if data.dtype.itemsize < 4 else np.float64)
    return data.astype(data.dtype.newbyteorder("="))


class Column:
    """One array, taken in pieces along its first axis."""

    def __init__(self, path: Path, name: str, shape: tuple[int, ...], dtype: np.dtype, source: Any) -> None:
        self.path, self.name, self.shape, self.dtype = path, name, shape, dtype
        self._source, self._at = source, 0

    def take(self, n: int) -> np.ndarray:
        """Return the next `n` entries: (n, …)."""
        if self._at + n > (self.shape[0] if self.shape else 0):
            raise DamagedError(f"{self.path}: {self.name} has {self.shape[0]} entries, {self._at + n} are needed")
        self._at += n
        if hasattr(self._source, "id"):  # HDF5
            return np.asarray(self._source[self._at - n : self._at])
        size = n * math.prod(self.shape[1:]) * self.dtype.itemsize
        data = self._source.read(size)
        if len(data) != size:
            raise TruncatedError(f"{self.path}: {self.name} ends after {len(data)} of {size} bytes")
        return np.frombuffer(data, self.dtype).reshape(n, *self.shape[1:])


class Npz:
    """The arrays of a NumPy archive."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.zip = zipfile.ZipFile(path)
        self.names = [name.removesuffix(".npy") for name in self.zip.namelist() if name.endswith(".npy")]

    def column(self, name: str) -> Column:
        """Open one array.

        Raises
        ------
        DamagedError
            If it claims more than the archive holds.
        UsageError
            If it holds Python objects or runs in Fortran order.
        """
        info = self.zip.getinfo(name + ".npy")
        file = self.zip.open(info)
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(file)
        if dtype.hasobject:
            raise UsageError(f"{self.path}: {name} holds Python objects; save it as numbers")
        if fortran and len(shape) > 1:
            raise UsageError(f"{self.path}: {name} runs in Fortran order; save numpy.ascontiguousarray({name})")
        if math.prod(shape) * dtype.itemsize > info.file_size:
            raise DamagedError(f"{self.path}: {name} claims {dtype} of shape {shape}, but has {info.file_size} bytes")
        return Column(self.path, name, shape, dtype, file)

    def close(self) -> None:
        """Close the archive."""
        self.zip.close()


class Hdf5:
    """The arrays of an HDF5 file."""

    def __init__(self, path: Path) -> None:
        import h5py

        self.path = path
        self._file = open_hdf5(path)
        self.names: list[str] = []
        self._file.visititems(lambda name, item: self.names.append(name) if isinstance(item, h5py.Dataset) else None)

    def column(self, name: str) -> Column:
        """Open one array."""
        data = stored(self.path, self._file[name])
        return Column(self.path, name, data.shape, data.dtype, data)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


@contextmanager
def store(path: Path) -> Iterator[Npz | Hdf5]:
    """Open a NumPy archive or an HDF5 file for the length of a block."""
    opened: Npz | Hdf5 = Npz(path) if first_bytes(path)[:2] == b"PK" else Hdf5(path)
    try:
        yield opened
    finally:
        opened.close()


def first_bytes(path: Path) -> bytes:
    """Return the first 256 bytes of a file."""
    with path.open("rb") as file:
        return file.read(256)


def open_hdf5(path: Path) -> Any:
    """Open an HDF5 file; a broken one is named as such."""
    import h5py

    try:
        return h5py.File(path, "r")
    except OSError as error:
        kind = TruncatedError if "truncated" in str(error) else DamagedError
        raise kind(f"{path}: the HDF5 file cannot be opened: {error}") from error


def stored(path: Path, dataset: Any) -> Any:
    """Return an HDF5 dataset after a look at its size: what it declares must be there, at most 1100 times smaller."""
    declared = math.prod(dataset.shape) * dataset.dtype.itemsize
    found = dataset.id.get_storage_size()
    if declared > 1100 * found + (1 << 20):
        raise DamagedError(f"{path}: {dataset.name} declares {declared} bytes, but only {found} are stored")
    return dataset


MAX_PIECE = 1 << 29  # bytes of one chunk of an HDF5 dataset that is read


def pieces(path: Path, dataset: Any, axis: int, least: int = 1) -> Iterator[np.ndarray]:
    """Yield an HDF5 dataset piece by piece along one axis, so that no chunk is decompressed twice.

    Parameters
    ----------
    path
        Of the file, for errors.
    dataset : h5py.Dataset
    axis : int
    least : int
        Entries along the axis of one piece, where its chunks are not longer.

    Raises
    ------
    DamagedError
        If one chunk is larger than half a gibibyte.
    """
    step = least
    if dataset.chunks:
        size = math.prod(dataset.chunks) * dataset.dtype.itemsize
        if size > MAX_PIECE:
            raise DamagedError(
                f"{path}: {dataset.name} is stored in chunks of {size} bytes; at most {MAX_PIECE} are read at once"
            )
        step = -(-least // dataset.chunks[axis]) * dataset.chunks[axis]
    for start in range(0, dataset.shape[axis], step):
        at = (slice(None),) * axis + (slice(start, start + step),)
        yield np.asarray(dataset[at])
