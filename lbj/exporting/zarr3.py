"""Export to Zarr ``.zarr``, version 3, written by its specification (zarr-specs.readthedocs.io, core 3.1).

Every signal is a group that xarray opens as a data set: the array, the values along its axes, and what is known of each
frame. Chunks that hold nothing are not stored.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import zstandard

from ..errors import UsageError
from ..importing.naming import members
from .numbers import OF_FRAMES, axis_values, frame_values
from .series import dense_rows
from .stack import chunk_of, dtype_of, values

if TYPE_CHECKING:
    from ..signal import Signal
    from .series import Series

LEVEL = 3  # of zstd
RESERVED = ("zarr.json", "c", "frame", *OF_FRAMES)  # names of members that a signal's array has not


def write(series: Series, path: Path) -> None:
    """Write a group for every signal that the frames hold, and for the static ones."""
    described = {"title": series.journal.metadata.get("title", ""), "metadata": series.journal.metadata}
    _group(path, described)
    names = members((signal.name for signal in series.stored), ("zarr.json", "c"))
    found = False
    for signal in series.stored:
        numbers = [] if signal.static else [frame.index for frame in series.frames(signal.name)]
        if numbers or (signal.static and signal.name in series.journal.statics()):
            _signal(series, signal, numbers, path / names[signal.name])
            found = True
    if not found:
        raise UsageError("the selected frames hold no signal")


def _signal(series: Series, signal: Signal, numbers: list[int], folder: Path) -> None:
    declared = {key: value for key, value in signal.to_json().items() if key not in ("coding", "axes")}
    attributes = [series.journal[number].attributes for number in numbers]
    _group(folder, {"signal": declared, "frames": attributes})
    name = members([folder.name], RESERVED)[folder.name]
    dims = _dimensions(signal, name)
    lead = () if signal.static else (len(numbers),)
    dtype = np.dtype(dtype_of(series, signal))
    names = [*(["frame"] if lead else []), *dims]
    array = Array(folder / name, (*lead, *signal.shape), dtype, names, {"kind": signal.kind})
    for frame, value in enumerate(values(series, signal)):
        place = (frame,) if lead else ()
        if signal.kind != "events":
            array.put(place, np.asarray(value))
            continue
        for row, block in dense_rows(value, dtype.name, array.chunk[len(lead)]):
            array.put((*place, row), block)
    if lead:
        vector(folder, "frame", np.asarray(numbers, np.int64), "frame", {})
        for key, unit, told in frame_values(series, signal, numbers):
            vector(folder, key, told, "frame", {"units": unit})
    for dim, axis in zip(dims, signal.axes, strict=True):
        if "scale" in axis or "values" in axis:
            vector(folder, dim, axis_values(axis), dim, {"units": axis.get("units", "")})


def _dimensions(signal: Signal, array: str) -> list[str]:
    """Return names of the axes that a folder can have, each once, none that of another member."""
    out: list[str] = []
    for number, axis in enumerate(signal.axes):
        plain = re.sub(r"[^\w +-]", "_", str(axis["name"]))[:40].strip()
        taken = {name.casefold() for name in (array, *RESERVED, *out)}
        out.append(plain if plain and plain.casefold() not in taken else f"{plain}_{number}")
    return out


class Array:
    """A zarr array of which chunks are written; those that are not hold zeros.

    Parameters
    ----------
    folder : Path
        Its folder, which must not exist.
    shape, dtype
        Of the array.
    dimensions : sequence of str
        Names of its dimensions.
    attributes : dict
        What JSON can hold.

    Attributes
    ----------
    chunk : tuple of int
        Shape of its chunks.
    """

    def __init__(
        self,
        folder: Path,
        shape: tuple[int, ...],
        dtype: np.dtype,
        dimensions: Sequence[str],
        attributes: dict[str, Any],
    ) -> None:
        self.folder, self.shape, self.dtype = folder, shape, dtype.newbyteorder("<")
        inner = shape[1:] if dimensions[0] == "frame" else shape
        lead = (1,) * (len(shape) - len(inner))
        self.chunk = shape if len(shape) == 1 else lead + chunk_of(inner, dtype.itemsize)
        self._compressor = zstandard.ZstdCompressor(level=LEVEL)
        _store(
            folder,
            {
                "node_type": "array",
                "shape": list(shape),
                "data_type": dtype.name,
                "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(self.chunk)}},
                "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
                "fill_value": 0,
                "codecs": [
                    {"name": "bytes", "configuration": {"endian": "little"}},
                    {"name": "zstd", "configuration": {"level": LEVEL, "checksum": False}},
                ],
                "dimension_names": list(dimensions),
                "attributes": attributes,
            },
        )

    def put(self, start: tuple[int, ...], data: np.ndarray) -> None:
        """Write data whose first element stands at `start` (zeros are added); they begin and end with whole chunks.

        Parameters
        ----------
        start : tuple of int
            Indices along the first axes.
        data : array
            Of the trailing axes; along the axis of the last index of `start` a part, where it has as many axes.
        """
        lead = len(self.shape) - data.ndim
        data = data.reshape((1,) * lead + data.shape)
        origin = (*start, *(0 for _ in range(len(self.shape) - len(start))))
        for places in np.ndindex(*(-(-size // step) for size, step in zip(data.shape, self.chunk, strict=True))):
            part = data[tuple(slice(i * n, (i + 1) * n) for i, n in zip(places, self.chunk, strict=True))]
            keys = [a // n + i for a, n, i in zip(origin, self.chunk, places, strict=True)]
            self._chunk(keys, part)

    def _chunk(self, keys: Sequence[int], part: np.ndarray) -> None:
        if part.shape != self.chunk:
            whole = np.zeros(self.chunk, self.dtype)
            whole[tuple(map(slice, part.shape))] = part
            part = whole
        data = np.ascontiguousarray(part, self.dtype).tobytes()
        if not data.strip(b"\0"):
            return
        path = self.folder.joinpath("c", *map(str, keys))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self._compressor.compress(data))


def vector(folder: Path, name: str, values: np.ndarray, dimension: str, attributes: dict[str, Any]) -> None:
    """Write a one-dimensional array, one chunk, as a member of a group."""
    Array(folder / name, values.shape, values.dtype, [dimension], attributes).put((), values)


def _group(folder: Path, attributes: dict[str, Any]) -> None:
    _store(folder, {"node_type": "group", "attributes": attributes})


def _store(folder: Path, node: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"zarr_format": 3, **node}, ensure_ascii=False, allow_nan=False)
    (folder / "zarr.json").write_text(text, encoding="utf-8")
