"""Data in HDF5: one array of a file, read part by part when it is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..errors import DamagedError, LibraryError
from .arrays import open_hdf5


class Dataset:
    """An array of an HDF5 file, which is open only while it is read."""

    def __init__(self, path: Path, item: Any) -> None:
        self.path, self.name = path, item.name
        self.shape: tuple[int, ...] = item.shape
        self.dtype: np.dtype = item.dtype
        self.ndim = len(self.shape)
        self.pieces: tuple[int, ...] | None = item.chunks

    def __getitem__(self, key: Any) -> np.ndarray:
        with open_hdf5(self.path) as file:
            try:
                return np.asarray(file[self.name][key])
            except OSError as error:
                raise reading_failed(self.path, file[self.name], error) from error


def reading_failed(path: Path, item: Any, error: OSError) -> Exception:
    """Return the error for an array that HDF5 cannot read: a filter that is not installed, or damage."""
    filters = item.id.get_create_plist()
    unknown = [filters.get_filter(i) for i in range(filters.get_nfilters())]
    missing = [entry for entry in unknown if not h5py.h5z.filter_avail(entry[0])]
    if missing:
        name = missing[0][3].decode(errors="replace") or missing[0][0]
        return LibraryError(
            f"{path}: {item.name} is compressed with {name}, a filter of HDF5 that is not installed: "
            "pip install hdf5plugin"
        )
    return DamagedError(f"{path}: {item.name} cannot be read: {error}")
