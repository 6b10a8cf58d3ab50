"""Layout: which axes of a signal's array are frames, rows, columns and channels, and whether a journal can hold it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from lbj import UsageError
from lbj.importing import hyperspy_names as hs
from lbj.importing.cubes import Cube, count, signal_name
from lbj.importing.meaning import counts_frames, described, space_names, spectral_name
from lbj.signal import MAX_AXES

Item = dict[str, Any]


class Pieces:
    """A dask array that is computed where it is indexed."""

    def __init__(self, data: Any) -> None:
        self._data = data
        self.shape, self.dtype, self.ndim = tuple(map(int, data.shape)), data.dtype, data.ndim
        self.pieces: tuple[int, ...] = data.chunksize

    def __getitem__(self, index: Any) -> np.ndarray:
        return np.asarray(self._data[index])


def usable(item: Item, path: Path) -> Item:
    """Return a signal whose array can be read in parts and whose axes all have numbers; ``stated`` are HyperSpy's.

    Raises
    ------
    UsageError
        If a journal cannot hold it.
    """
    data = item["data"]
    if isinstance(data, np.ma.MaskedArray) and data.mask.any():
        raise _refused(path, "masked values; fill them first, s.data = s.data.filled(…)")
    if item.get("attributes", {}).get("ragged") or data.dtype.kind == "O":
        raise _refused(path, "ragged data; save them as .hspy or .zspy")
    if data.dtype.kind == "c":
        raise _refused(path, "complex values; save s.real and s.imag, or s.amplitude and s.phase")
    if data.dtype.names is not None:
        raise _refused(path, f"colours ({data.dtype}); s.change_dtype('uint8') makes numbers of them")
    if data.dtype.kind not in "biuf" or data.dtype.itemsize > 8:
        raise _refused(path, f"values of type {data.dtype}; s.change_dtype('float64') makes others of them")
    if 0 in data.shape or not data.shape:
        raise _refused(path, f"no values: its shape is {data.shape}")
    if len(data.shape) > MAX_AXES:
        raise _refused(path, f"{len(data.shape)} axes; there are {MAX_AXES} at most")
    declared = [{key: value for key, value in axis.items() if not _undefined(value)} for axis in item["axes"]]
    axes = [_numbered(axis, size) for axis, size in zip(declared, data.shape, strict=True)]
    lazy = hasattr(data, "chunksize")
    return {**item, "data": Pieces(data) if lazy else np.asarray(data), "axes": axes, "declared": declared}


def _refused(path: Path, what: str) -> UsageError:
    return UsageError(f"{str(path)!r}: a journal cannot hold {what}")


def _numbered(axis: Item, size: int) -> Item:
    """Axis with its size, and with its values where they are not even."""
    if axis.get("_type", "UniformDataAxis") == "UniformDataAxis":
        return {**axis, "size": size}
    if "axis" not in axis:  # a function of another axis
        from hyperspy.axes import create_axis

        axis = {**axis, "axis": np.asarray(create_axis(**axis).axis)}
    return {**axis, "axis": np.asarray(axis["axis"]), "size": size}


def _undefined(value: Any) -> bool:
    return value is None or type(value).__name__ == "_Undefined"


def laid_out(item: Item, path: Path, notes: list[str]) -> Cube:
    """Lay a `usable` signal out as frames of a journal.

    Frames are the first of three or more navigation axes, a first axis that says so, or the first navigation axis of
    images.
    """
    axes, metadata = item["axes"], item["metadata"]
    navigation = [i for i, axis in enumerate(axes) if axis.get("navigate")]
    inner = [i for i in range(len(axes)) if i not in navigation]
    spectral = inner[0] if len(inner) == 1 else None
    images = len(inner) > 1
    frames = None
    if navigation and (images or len(navigation) > 2 or (len(axes) > 1 and counts_frames(axes[navigation[0]]))):
        frames = navigation[0]
    space = [i for i in range(len(axes)) if i not in (frames, spectral)]
    missing = max(0, (2 if spectral is not None else 1) - len(space))
    named = space_names([axes[i] for i in space])
    declared = [{"name": name, "size": 1} for name in ("y", "x")[:missing]]
    declared += [described(axes[i], name) for i, name in zip(space, named, strict=True)]
    places: list[int | None] = [frames, *[None] * missing, *space]
    kind = str(hs.dig(metadata, "Signal.signal_type") or "")
    title = str(hs.dig(metadata, "General.title") or "")
    name = signal_name(kind, title, path, spectral is not None)[:64]
    cube = Cube(name, "image" if spectral is None else "spectra", item["data"], places, declared, metadata)
    if spectral is not None:
        places.append(spectral)
        declared.append(described(axes[spectral], spectral_name(axes[spectral])))
    if frames is not None:
        cube.frame_axis = described(axes[frames], str(axes[frames].get("name") or "frame"))
    cube.detector, cube.attributes = hs.detector_metadata(metadata), hs.times(metadata)
    if spectral is not None and kind.startswith("EDS"):
        count(cube, notes)
    return cube
