"""Oxford Instruments' ``.h5oina`` (AZtec): X-ray spectra and electron images, after its specification, version 7.0."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from ..errors import DamagedError, UsageError
from . import cubes
from .arrays import open_hdf5, stored
from .hdf5_data import Dataset
from .hspy import tree
from .hyperspy_names import DEGREE, put
from .notes import left_out
from .units import number, positive

if TYPE_CHECKING:
    from pathlib import Path

    from .library import Item
    from .source import Source


class Shaped:
    """A dataset of one row per pixel, seen as the map that it is."""

    def __init__(self, data: Dataset, shape: tuple[int, ...]) -> None:
        self.data, self.shape, self.dtype = data, shape, data.dtype

    def __getitem__(self, key: tuple[slice, ...]) -> np.ndarray:
        rows = range(self.shape[0])[key[0]]
        width = self.shape[1]
        block = self.data[rows.start * width : rows.stop * width]
        return np.asarray(block.reshape(len(rows), *self.shape[1:])[(slice(None), *key[1:])])


def read(path: Path) -> Source:
    """Open a file of AZtec; see `lbj.importing.open_source`."""
    notes: list[str] = []
    items: list[Item] = []
    with open_hdf5(path) as file:
        slices = [name for name in file if isinstance(file.get(name), h5py.Group)]
        if not slices:
            raise UsageError(f"{path}: an .h5oina file without an acquisition")
        if len(slices) > 1:
            notes.append(left_out(f"{len(slices) - 1} more acquisitions left out: the first of {len(slices)} is read"))
        for name, group in file[slices[0]].items():
            header = tree(group.get("Header")) if isinstance(group, h5py.Group) else {}
            if name.startswith("EDS"):
                items += _spectra(path, name, group, header, notes)
            elif name == "Electron Image":
                items += _images(path, group, header, notes)
            else:
                notes.append(left_out(f"{name}: left out"))
        _place(items)
    return cubes.source(path, items, notes)


def _value(header: dict[str, Any], name: str) -> Any:
    value = header.get(name)
    return value[0] if isinstance(value, list) and value else value


def _cells(path: Path, header: dict[str, Any]) -> tuple[int, int]:
    sizes = [number(_value(header, name)) for name in ("Y Cells", "X Cells")]
    if any(size is None or not 1 <= size <= 1 << 20 for size in sizes):
        raise DamagedError(f"{path}: X Cells and Y Cells of the header are no sizes of a map: {sizes}")
    return int(sizes[0] or 0), int(sizes[1] or 0)


def _spectra(path: Path, name: str, group: Any, header: dict[str, Any], notes: list[str]) -> list[Item]:
    data = group.get("Data")
    spectrum = data.get("Spectrum") if isinstance(data, h5py.Group) else None
    maps = [key for key in data or () if isinstance(data.get(key), h5py.Group)]
    if maps:
        notes.append(left_out(f"{name}: maps made of the spectra left out: {', '.join(maps)}"))
    if not isinstance(spectrum, h5py.Dataset):
        notes.append(
            left_out(f"{name}: holds no spectra; AZtec exports them since its version 6.2, where that is asked")
        )
        return []
    ny, nx = _cells(path, header)
    if spectrum.ndim != 2 or spectrum.shape[0] != ny * nx or spectrum.dtype.kind not in "iu":
        raise DamagedError(
            f"{path}: {spectrum.name} is {spectrum.dtype} {spectrum.shape}, the map has {ny} x {nx} pixels"
        )
    channels = int(spectrum.shape[1])
    energy = {"name": "Energy", "size": channels, "units": "eV", "navigate": False}
    energy |= {"offset": _value(header, "Start Channel"), "scale": _value(header, "Channel Width")}
    spectra: Item = {
        "data": Shaped(Dataset(path, stored(path, spectrum)), (ny, nx, channels)),
        "axes": [*_axes(header, (ny, nx)), energy],
        "metadata": _metadata(header, "EDS_SEM"),
        "original_metadata": header,
        "detector": {},
        "times": {},
        "header": header,
    }
    for key, target in (("Detector Elevation", "elevation"), ("Detector Azimuth", "azimuth")):
        angle = number(_value(header, key))
        if angle is not None:
            spectra["detector"][target] = angle
    for key, target in (("Live Time", "live_time"), ("Real Time", "real_time")):
        times = data.get(key)
        if isinstance(times, h5py.Dataset) and times.size == ny * nx and times.dtype.kind == "f":
            values = np.asarray(times[...], np.float64)
            spectra["times"][target] = float(np.nansum(values))
            if not np.all(values == values.flat[0]):
                notes.append(f"{name}: its {target.replace('_', ' ')} is kept as a sum, not pixel by pixel")
    return [spectra]


def _images(path: Path, group: Any, header: dict[str, Any], notes: list[str]) -> list[Item]:
    shape = _cells(path, header)
    items: list[Item] = []
    for kind, images in (group.get("Data") or {}).items():
        for name, data in images.items() if isinstance(images, h5py.Group) else ():
            if not isinstance(data, h5py.Dataset) or data.size != math.prod(shape) or data.dtype.kind not in "iuf":
                notes.append(left_out(f"electron image {name!r} left out: {getattr(data, 'shape', 'no array')}"))
                continue
            dwell = positive(_value(header, "Dwell Time"))
            item: Item = {
                "data": Shaped(Dataset(path, stored(path, data)), shape),
                "axes": _axes(header, shape),
                "metadata": _metadata(header, ""),
                "original_metadata": {},
                "name": kind,
                "times": {} if dwell is None else {"dwell_time": dwell * 1e-6},
                "spectral": None,
            }
            items.append(item)
    return items


def _axes(header: dict[str, Any], shape: tuple[int, int]) -> list[dict[str, Any]]:
    return [
        {"name": name.lower(), "size": n, "offset": 0.0, "scale": _value(header, f"{name} Step"), "units": "um"}
        for name, n in zip("YX", shape, strict=True)
    ]


def _metadata(header: dict[str, Any], kind: str) -> dict[str, Any]:
    out: dict[str, Any] = {"Signal": {"signal_type": kind}}
    for key, target, factor in (
        ("Beam Voltage", "beam_energy", 1.0),
        ("Magnification", "magnification", 1.0),
        ("Tilt Angle", "Stage.tilt_alpha", 1 / DEGREE),
    ):
        value = number(_value(header, key))
        if value is not None:
            put(out, f"Acquisition_instrument.SEM.{target}", value * factor)
    label, date = _value(header, "Analysis Label"), _value(header, "Acquisition Date")
    out["General"] = {"title": label} if isinstance(label, str) else {}
    if isinstance(date, str) and len(date) >= 19 and date[10] == "T":
        out["General"].update(date=date[:10], time=date[11:19])
    return out


def _place(items: list[Item]) -> None:
    """Map the electron images to the pixels of the spectrum image, by the part of them that it was scanned in."""
    header = next((item["header"] for item in items if "header" in item), None)
    if header is None:
        return
    area = [header.get("Relative Offset"), header.get("Relative Size")]
    if not all(isinstance(part, list) and len(part) == 2 for part in area):
        return
    corner, part = ([number(value) for value in pair] for pair in area)
    cells = [number(_value(header, name)) or 0.0 for name in ("Y Cells", "X Cells")]
    for item in items:
        rows = []
        for axis, n in enumerate(cells):
            start, share, size = corner[1 - axis], part[1 - axis], item["data"].shape[axis]
            if start is None or not share or "header" in item:
                break
            row = [0.0, 0.0, (0.5 / size - start) / share * n - 0.5]
            row[axis] = n / (size * share)
            rows.append(row)
        if len(rows) == 2:
            item["to_field"] = rows
            if (corner, part) != ([0.0, 0.0], [1.0, 1.0]):
                item["role"] = "survey"
