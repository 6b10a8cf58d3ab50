"""Export to HyperSpy's ``.hspy``: dense datasets, written and compressed piece by piece.

Beside what HyperSpy knows, ``original_metadata/lbj`` of every experiment holds the journal's own description, so that
`lbj convert` of the file gives the same journal again (`lbj.importing.hspy_journal`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UsageError
from ..importing.hspy_journal import KEY
from ..importing.naming import members
from . import hyperspy_signal
from .hdf5_file import new_hdf5
from .stack import write_stack

if TYPE_CHECKING:
    from pathlib import Path

    from ..signal import Axis, Signal
    from .series import Series


def write(series: Series, path: Path) -> None:
    """Write a HyperSpy file: an experiment for every signal that the frames hold, and for the static ones."""
    with new_hdf5(path) as file:
        experiments = begin(file)
        names = members(signal.name for signal in series.stored)
        for signal in series.stored:
            if signal.static or any(True for _ in series.frames(signal.name)):
                _experiment(series, signal, experiments.create_group(names[signal.name]))
        if not len(experiments):
            raise UsageError("the selected frames hold no signal")


def begin(file: Any) -> Any:
    """Make an HDF5 file one of HyperSpy's; returns the group of its experiments."""
    file.attrs["file_format"] = "HyperSpy"
    file.attrs["file_format_version"] = "3.3"
    return file.create_group("Experiments")


def describe(
    group: Any,
    series: Series,
    signal: Signal,
    frame_axes: list[Axis],
    described: dict[str, Any],
    *,
    summed: bool = False,
) -> None:
    """Write what an experiment holds beside its data.

    Parameters
    ----------
    group : h5py.Group
        Of the experiment.
    series : Series
        Frames that the data come from.
    signal : Signal
        Declaration of the data of one frame.
    frame_axes : list of dict
        Axis of the frames, if there is one.
    described : dict
        See `lbj.importing.hspy_journal`.
    summed : bool
        Whether the data are the sum over the frames.
    """
    for i, axis in enumerate(hyperspy_signal.axes(signal, frame_axes)):
        _write_axis(group.create_group(f"axis-{i}"), axis)
    _write_tree(group.create_group("metadata"), hyperspy_signal.metadata(series, signal, summed=summed))
    original = group.create_group("original_metadata")
    text = np.frombuffer(json.dumps(described, ensure_ascii=False).encode(), np.uint8)
    original.create_dataset(KEY, data=text, chunks=True, compression="gzip")
    group.create_group("learning_results")
    group.create_group("attributes").attrs.update({"_lazy": False, "ragged": False})
    group.attrs.update({"package": "hyperspy", "package_version": "2.0"})


def _experiment(series: Series, signal: Signal, group: Any) -> None:
    depth = write_stack(series, signal, group, "data")
    frames = [hyperspy_signal.frame_axis(series, depth)] if depth > 1 else []
    describe(group, series, signal, frames, hyperspy_signal.described(series, signal))


def _write_axis(group: Any, axis: dict[str, Any]) -> None:
    if "axis" in axis:
        group.create_dataset("axis", data=axis["axis"])
    group.attrs.update({key: value for key, value in axis.items() if key != "axis"})


def _write_tree(group: Any, tree: dict[str, Any]) -> None:
    for key, value in tree.items():
        if isinstance(value, dict):
            _write_tree(group.create_group(key), value)
        elif isinstance(value, list):
            group.create_dataset(f"_list_{key}", data=[str(item).encode() for item in value])
        else:
            group.attrs[key] = value
