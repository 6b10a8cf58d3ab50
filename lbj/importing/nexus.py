"""NeXus, read with h5py: every group of class NXdata, with the axes that it names, and arrays that lie elsewhere.

An axis stands beside its data: of the group's attributes ``signal`` and ``axes`` name them, ``NAME_indices`` says along
which dimension (NeXus manual, "Associating plottable data using attributes applied to the NXdata group"); older files
mark the data with an attribute ``signal`` of 1 and list the axes in its attribute ``axes``. HyperSpy's files keep its
metadata in a group ``hyperspy_metadata`` of the entry.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from ..errors import UsageError
from . import cubes
from .arrays import open_hdf5, stored
from .hdf5_data import Dataset
from .hspy import tree
from .hyperspy_names import dig, put
from .ncem import vector_axis
from .notes import aside

if TYPE_CHECKING:
    from pathlib import Path

    from .library import Item
    from .source import Source

_SIGNAL_AXES = {"spectrum": 1, "image": 2}
_CLOCK = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)")


def read(path: Path) -> Source:
    """Open a NeXus file; see `lbj.importing.open_source`."""
    notes: list[str] = []
    items: list[Item] = []
    with open_hdf5(path) as file:
        groups: list[h5py.Group] = []
        arrays: list[h5py.Dataset] = []

        def collect(_: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset):
                arrays.append(item)
            elif _text(item, "NX_class") == "NXdata":
                groups.append(item)

        file.visititems(collect)
        seen: set[Any] = set()
        for group in groups:
            items += _plotted(path, group, seen, notes)
        described = {_place(item) for item in arrays if "hyperspy_metadata" in item.name.split("/")}
        lines = []
        for item in arrays:
            if _place(item) in seen | described or item.dtype.kind not in "biuf" or not item.ndim:
                continue
            if item.ndim > 1 or not groups:
                items.append(_item(path, item, [{"size": size} for size in item.shape], item.parent))
            elif item.size is not None and item.size > 1:
                lines.append(item.name.strip("/"))
        if lines:
            rest = f" and {len(lines) - 4} more" if len(lines) > 4 else ""
            notes.append(aside(f"left out, for nothing says what they belong to: {', '.join(lines[:4])}{rest}"))
    if not items:
        raise UsageError(f"{path}: a NeXus file without arrays; {'; '.join(notes) or 'it has no NXdata'}")
    return cubes.source(path, items, notes)


def _plotted(path: Path, group: h5py.Group, seen: set[Any], notes: list[str]) -> list[Item]:
    """Return the signals of one NXdata; what is an axis or an error of theirs is told as seen."""
    members = {name: item for name in group if isinstance(item := group.get(name), h5py.Dataset)}
    marked = [name for name, item in members.items() if str(item.attrs.get("signal", "")) == "1"]
    wanted = [*_texts(group, "signal"), *marked, *_texts(group, "auxiliary_signals")]
    signals = [members[name] for name in dict.fromkeys(wanted) if name in members]
    if not signals:
        big = max(members.values(), key=lambda item: item.ndim, default=None)
        signals = [] if big is None or not big.ndim else [big]
    out = []
    for data in signals:
        axes, used = _axes(group, members, data)
        seen.update(_place(item) for item in used)
        for name, item in members.items():
            if name in ("errors", "uncertainties") or name.endswith("_errors"):
                seen.add(_place(item))
                notes.append(f"{group.name.strip('/')}/{name} left out: errors, not data")
        if _place(data) not in seen:
            seen.add(_place(data))
            out.append(_item(path, data, axes, group))
    return out


def _axes(
    group: h5py.Group, members: dict[str, h5py.Dataset], data: h5py.Dataset
) -> tuple[list[dict[str, Any]], list[h5py.Dataset]]:
    """Describe the axes of a signal; return them, and the datasets that hold their values."""
    names = _texts(group, "axes") or [part for text in _texts(data, "axes") for part in re.split(r"[:,\s]+", text)]
    axes: list[dict[str, Any]] = [{"size": size} for size in data.shape]
    used = []
    inner = _SIGNAL_AXES.get(_text(group, "interpretation") or _text(data, "interpretation"), 0)
    for i, name in enumerate(names):
        item = members.get(name)
        at = np.atleast_1d(group.attrs.get(f"{name}_indices", i))
        place = int(at[0]) if at.size and at.dtype.kind in "iu" else i
        if item is None or not 0 <= place < data.ndim:
            continue
        used.append(item)
        axes[place] = {**vector_axis(item, data.shape[place]), "name": name}
    for i, axis in enumerate(axes) if inner else ():
        axis["navigate"] = i < data.ndim - inner
    return axes, used


def _item(path: Path, data: h5py.Dataset, axes: list[dict[str, Any]], group: h5py.Group) -> Item:
    entry = group
    while entry.parent != entry and _text(entry, "NX_class") != "NXentry" and entry.name != "/":
        entry = entry.parent
    told = tree(entry.get("auxiliary/hyperspy_metadata"))
    metadata = {key: value for key, value in told.items() if key != "NX_class"}
    own = _text(group, "title") or _value(group, "title")
    for title in (own, _value(entry, "title"), group.name.rsplit("/", 1)[-1]):
        if not dig(metadata, "General.title") and not title.startswith("unnamed__"):  # HyperSpy's word for none
            put(metadata, "General.title", title)
    clock = _CLOCK.match(_value(entry, "start_time"))
    if clock and not told:
        put(metadata, "General.date", clock[1])
        put(metadata, "General.time", clock[2])
    rest = {} if told else {key: tree(entry.get(key)) for key in entry if key != group.name.rsplit("/", 1)[-1]}
    return {"data": Dataset(path, stored(path, data)), "axes": axes, "metadata": metadata, "original_metadata": rest}


def _place(item: h5py.Dataset) -> Any:
    """Return where an object lies, the same by whatever link it was reached."""
    info = h5py.h5o.get_info(item.id)
    return info.fileno, info.addr


def _value(group: h5py.Group, name: str) -> str:
    """Return a dataset of one text."""
    item = group.get(name)
    if not isinstance(item, h5py.Dataset) or item.size != 1:
        return ""
    value = np.ravel(item[()])[0]
    return value.decode(errors="replace") if isinstance(value, bytes) else value if isinstance(value, str) else ""


def _text(item: Any, name: str) -> str:
    found = _texts(item, name)
    return found[0] if found else ""


def _texts(item: Any, name: str) -> list[str]:
    """Return an attribute of texts."""
    values = np.ravel(item.attrs.get(name, [])).tolist()
    texts = [value.decode(errors="replace") if isinstance(value, bytes) else value for value in values]
    return [text for text in texts if isinstance(text, str)]
