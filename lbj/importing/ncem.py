"""Berkeley's EMD (NCEM): arrays in the order in which they are stored, with the axes ``dim1`` … beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from ..errors import UsageError
from . import cubes
from .arrays import open_hdf5, stored
from .hdf5_data import Dataset
from .hspy import tree
from .hyperspy_names import dig
from .notes import left_out
from .units import number

if TYPE_CHECKING:
    from pathlib import Path

    from .library import Item
    from .source import Source

_BESIDE = ("microscope", "sample", "user", "comments")
_ARRAYS = ("data", "datacube", "counted_datacube", "realslice", "diffractionslice")


class Reversed:
    """An array whose axes are stored from the fastest one on, as HyperSpy writes them, in the usual order."""

    def __init__(self, data: Dataset) -> None:
        self._data = data
        self.shape, self.dtype, self.ndim = data.shape[::-1], data.dtype, data.ndim

    def __getitem__(self, key: tuple[slice, ...]) -> np.ndarray:
        return self._data[key[::-1]].T


def read(path: Path) -> Source:
    """Open an EMD file of Berkeley's layout; see `lbj.importing.open_source`."""
    notes: list[str] = []
    items: list[Item] = []
    with open_hdf5(path) as file:
        groups: list[str] = []
        file.visititems(lambda name, item: groups.append(name) if _is_emd(item) else None)
        told = {name: tree(file.get(name)) for name in _BESIDE if name in file}
        for name in groups:
            items += [item for item in [_item(path, file[name], told, notes)] if item is not None]
    if not items:
        raise UsageError(f"{path}: an EMD file without arrays; {'; '.join(notes) or 'no group is marked as data'}")
    return cubes.source(path, items, notes)


def _is_emd(item: Any) -> bool:
    kind = item.attrs.get("emd_group_type", 0) if isinstance(item, h5py.Group) else 0
    return np.ndim(kind) == 0 and kind in (1, "array", b"array")  # a word since version 1.0


def _item(path: Path, group: h5py.Group, told: dict[str, Any], notes: list[str]) -> Item | None:
    name = group.name.rsplit("/", 1)[-1]
    data = next((group[key] for key in _ARRAYS if isinstance(group.get(key), h5py.Dataset)), None)
    if data is None and not any(isinstance(item, h5py.Dataset) for item in group.values()):
        return None  # a group of groups
    if data is None or data.dtype.hasobject:
        notes.append(left_out(f"{name}: left out: a group without a plain array"))
        return None
    first = 0 if "dim0" in group else 1
    dims = [group.get(f"dim{first + i}") for i in range(data.ndim)]
    axes = [vector_axis(dim, size) for dim, size in zip(dims, data.shape, strict=True)]
    for axis in axes:
        if axis.get("units") == "A":
            axis["units"] = "Å"  # py4DSTEM's; no axis counts amperes
    said = {key: value for key in ("signal_type", "quantity") if isinstance(value := group.attrs.get(key), str)}
    array = Dataset(path, stored(path, data))
    by_hyperspy = "signal_type" in said
    return {
        "data": Reversed(array) if by_hyperspy else array,
        "axes": axes[::-1] if by_hyperspy else axes,
        "metadata": {
            "General": {"title": "" if name == "__unnamed__" else name},
            "Signal": said,
            "Acquisition_instrument": {"TEM": _microscope(told)},
        },
        "original_metadata": told,
    }


def vector_axis(dim: Any, size: int) -> dict[str, Any]:
    """Describe an axis by its vector: a value per index, or the first two, or the bounds of every index."""
    axis: dict[str, Any] = {"size": size}
    if not isinstance(dim, h5py.Dataset):
        return axis
    for key in ("name", "units"):
        text = dim.attrs.get(key, "")
        axis[key] = text.decode(errors="replace") if isinstance(text, bytes) else str(text)
    if dim.ndim != 1 or dim.dtype.kind not in "iuf" or not 2 <= dim.size <= 1 << 24:
        return axis
    values = np.asarray(dim[:], float)
    if len(values) == size + 1 and size > 1:
        values = (values[1:] + values[:-1]) / 2
    step = values[1] - values[0]
    if len(values) == 2 or (len(values) == size and np.allclose(np.diff(values), step, rtol=1e-3)):
        if len(values) == size and size > 2:
            step = (values[-1] - values[0]) / (size - 1)
        axis |= {"offset": float(values[0]), "scale": float(step)}
    elif len(values) == size and np.isfinite(values).all():
        axis["axis"] = values
    return axis


def _microscope(told: dict[str, Any]) -> dict[str, Any]:
    """Return what the group ``microscope`` states under HyperSpy's names; voltages may be in V or kV."""
    volts = number(dig(told, "microscope.voltage") or dig(told, "microscope.accelerating_voltage"))
    name = dig(told, "microscope.name")
    out: dict[str, Any] = {"microscope": name} if isinstance(name, str) else {}
    if volts is not None and volts > 0:
        out["beam_energy"] = volts / 1e3 if volts > 5e3 else volts
    return out
