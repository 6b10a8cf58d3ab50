"""HyperSpy's files, read with h5py: every dataset under ``Experiments``, whatever else stands beside it.

Axes are groups ``axis-0`` … of attributes, metadata a tree of groups; names may carry HyperSpy's prefixes for types
(``_list_``, ``_bs_`` …). Files of versions 1.x name the tree ``mapped_parameters`` and have fewer branches.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from ..errors import DamagedError, UsageError
from . import cubes
from .arrays import open_hdf5, stored
from .hdf5_data import Dataset
from .hyperspy_names import dig, put
from .notes import left_out
from .source import Source

if TYPE_CHECKING:
    from pathlib import Path

    from .library import Item

MAX_GROUPS = 10_000
MAX_VALUES = 1 << 16  # entries of a dataset that is taken for metadata

_MARKS = ("_list_empty_", "_tuple_empty_", "_bs_", "_datetime_", "_list_", "_tuple_", "_hspy_AxesManager_", "_sig_")
# Where versions before 3.0 kept what later ones keep elsewhere, below Acquisition_instrument.TEM (or .SEM)
_MOVED = (
    ("tilt_stage", "Stage.tilt_alpha"),
    ("EDS", "Detector.EDS"),
    ("EELS", "Detector.EELS"),
    ("dwell_time", "Detector.EELS.dwell_time"),
    ("exposure", "Detector.EELS.exposure"),
)
_OLD_GENERAL = ("title", "date", "time", "original_filename")
_OLD_SIGNAL = ("record_by", "signal_origin", "signal_type")


def read(path: Path) -> Source:
    """Open a HyperSpy file; see `lbj.importing.open_source`."""
    from . import hspy_journal

    notes: list[str] = []
    with open_hdf5(path) as file:
        experiments = file.get("Experiments")
        if not isinstance(experiments, h5py.Group):
            raise UsageError(f"{path}: a HyperSpy file without experiments; it holds {', '.join(file) or 'nothing'}")
        items = [item for name in experiments if (item := _item(path, experiments, name, notes)) is not None]
        told = [hspy_journal.restored(experiments[item["experiment"]]) for item in items]
        if "Analysis" in file and len(file["Analysis"]):
            notes.append("the models under Analysis are left out")
    return hspy_journal.source(items, told, notes) or cubes.source(path, items, notes)


def _item(path: Path, experiments: h5py.Group, name: str, notes: list[str]) -> Item | None:
    group = experiments.get(name)
    data = group.get("data") if isinstance(group, h5py.Group) else None
    if not isinstance(data, h5py.Dataset):
        notes.append(left_out(f"experiment {name!r} left out: the file has no array of it"))
        return None
    if data.dtype.hasobject or h5py.check_vlen_dtype(data.dtype) is not None:
        notes.append(left_out(f"experiment {name!r} left out: a ragged array of shape {data.shape}"))
        return None
    metadata = tree(group.get("metadata", group.get("mapped_parameters")))
    axes = _axes(group, data)
    if axes is None:
        raise DamagedError(f"{path}: {data.name} has {data.ndim} axes, of which not all are described")
    _modernise(metadata, axes)
    if any(tree(group.get(key)) for key in ("learning_results", "mva_results")):
        notes.append(f"the decomposition stored with experiment {name!r} is left out")
    original = tree(group.get("original_metadata", group.get("original_parameters")))
    if dig(metadata, "General.title") in (None, "", "__unnamed__"):
        put(metadata, "General.title", "" if name == "__unnamed__" else name)
    return {
        "data": Dataset(path, stored(path, data)),
        "axes": axes,
        "metadata": metadata,
        "original_metadata": original,
        "experiment": name,
    }


def _axes(group: h5py.Group, data: h5py.Dataset) -> list[dict[str, Any]] | None:
    found = [group.get(f"axis-{i}") for i in range(data.ndim)]
    if None in found:
        listed = group.get(f"_list_{data.ndim}_axes")
        found = [listed.get(key) for key in sorted(listed)] if isinstance(listed, h5py.Group) else []
    if len(found) != data.ndim or not all(isinstance(item, h5py.Group) for item in found):
        return None
    axes = []
    for size, item in zip(data.shape, found, strict=True):
        axis = {"navigate": None, **tree(item), "size": size}
        if isinstance(axis.get("axis"), list) and len(axis["axis"]) != size:
            del axis["axis"]
        axes.append(axis)
    return axes


def _modernise(metadata: dict[str, Any], axes: list[dict[str, Any]]) -> None:
    """Move what old versions kept elsewhere; give axes that do not say so their side by ``record_by``."""
    for mode in ("TEM", "SEM"):
        if isinstance(metadata.get(mode), dict):
            put(metadata, f"Acquisition_instrument.{mode}", metadata.pop(mode))
        microscope = dig(metadata, f"Acquisition_instrument.{mode}")
        for old, new in _MOVED if isinstance(microscope, dict) else ():
            if old in microscope and dig(microscope, new) is None:
                put(microscope, new, microscope.pop(old))
    for branch, keys in (("General", _OLD_GENERAL), ("Signal", _OLD_SIGNAL)):
        for key in keys:
            if key in metadata and not isinstance(metadata[key], dict):
                put(metadata, f"{branch}.{key}", metadata.pop(key))
    if isinstance(metadata.get("signal"), str):
        put(metadata, "Signal.signal_type", metadata.pop("signal"))
    if isinstance(metadata.get("name"), str):
        put(metadata, "General.title", metadata.pop("name"))
    inner = {"spectrum": 1, "image": 2}.get(str(dig(metadata, "Signal.record_by")), 0)
    for i, axis in enumerate(axes):
        if axis["navigate"] is None and inner:
            axis["navigate"] = i < len(axes) - inner


def tree(group: Any, seen: set[Any] | None = None) -> dict[str, Any]:
    """Return a group's attributes, small arrays and groups as a dict.

    What cannot be read is absent, and so is what only a link leads to: a group stands once, so that the tree ends.
    """
    out: dict[str, Any] = {}
    seen = set() if seen is None else seen
    if not isinstance(group, h5py.Group) or group.id in seen or len(seen) > MAX_GROUPS:
        return out
    seen.add(group.id)
    for key in group.attrs:
        try:
            out[_plain(key)] = _value(key, group.attrs[key])
        except (OSError, TypeError, ValueError):
            continue
    for key in group:
        try:
            item = group[key] if isinstance(group.get(key, getlink=True), h5py.HardLink) else None
            if isinstance(item, h5py.Group):
                out[_plain(key)] = tree(item, seen)
            elif isinstance(item, h5py.Dataset) and item.size is not None and item.size <= MAX_VALUES:
                out[_plain(key)] = _value(key, item[()])
        except (OSError, TypeError, ValueError, KeyError, RecursionError):
            continue
    return out


def _plain(key: str) -> str:
    mark = next((mark for mark in _MARKS if key.startswith(mark)), "")
    return key.removeprefix(mark) or key


def _value(key: str, value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return [_value(key, item) for item in value.ravel().tolist()]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bytes):
        value = value.decode("utf-8", errors="replace")
    if key.startswith("_datetime_") and isinstance(value, str):  # "datetime.date(2014, 5, 30)"
        numbers = [int(part) for part in re.findall(r"\d+", value)]
        return "-".join(f"{n:02d}" for n in numbers) if "date(" in value else ":".join(f"{n:02d}" for n in numbers[:3])
    return value
