"""Export to HyperSpy's ``.hspy``: dense datasets, written and compressed piece by piece.

Beside what HyperSpy knows, ``original_metadata/lbj`` of every experiment holds the journal's own description, so that
`lbj convert` of the file gives the same journal again (`lbj.importing.hspy_journal`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from ..attributes import PER_SIGNAL
from ..errors import UsageError
from ..importing import hyperspy_names as hs
from ..importing.hspy_journal import KEY, LAYOUT
from ..importing.naming import members
from .hdf5_file import new_hdf5
from .series import dense_rows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ..signal import Axis, Signal
    from .series import Series

CHUNK = 1 << 20  # bytes of a compressed piece


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


def describe(group: Any, series: Series, signal: Signal, frame_axes: list[Axis], described: dict[str, Any]) -> None:
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
    """
    for i, axis in enumerate([*frame_axes, *signal.axes]):
        last = i == len(frame_axes) + len(signal.axes) - 1 and signal.kind != "image"
        place = "frame" if i < len(frame_axes) else "channel" if last else "space"
        _write_axis(group.create_group(f"axis-{i}"), axis, signal, place)
    _write_tree(group.create_group("metadata"), _metadata(series, signal))
    original = group.create_group("original_metadata")
    text = np.frombuffer(json.dumps(described, ensure_ascii=False).encode(), np.uint8)
    original.create_dataset(KEY, data=text, chunks=True, compression="gzip")
    group.create_group("learning_results")
    group.create_group("attributes").attrs.update({"_lazy": False, "ragged": False})
    group.attrs.update({"package": "hyperspy", "package_version": "2.0"})


def _experiment(series: Series, signal: Signal, group: Any) -> None:
    depth = 1 if signal.static else sum(1 for _ in series.frames(signal.name))
    shape = signal.shape if depth == 1 else (depth, *signal.shape)
    counted = signal.kind == "events" and not signal.static
    dtype = series.count_dtype(signal) if counted else signal.dtype
    chunk = _chunk(signal.shape, np.dtype(dtype).itemsize)
    data = group.create_dataset(
        "data",
        shape,
        dtype,
        chunks=chunk if depth == 1 else (1, *chunk),
        compression="gzip",
        compression_opts=1,
        shuffle=True,
    )
    for frame, value in enumerate(_values(series, signal)):
        lead = () if depth == 1 else (frame,)
        if signal.kind != "events":
            data[lead or ...] = value
            continue
        for row, block in dense_rows(value, dtype, chunk[0]):
            data[(*lead, slice(row, row + len(block)))] = block
    frames = [_frame_axis(series, depth)] if depth > 1 else []
    describe(group, series, signal, frames, _described(series, signal))


def _values(series: Series, signal: Signal) -> Iterator[Any]:
    return iter([series.journal.static(signal.name)]) if signal.static else series.data(signal)


def _described(series: Series, signal: Signal) -> dict[str, Any]:
    """Return the signal's declaration, the series' metadata, and the attributes of the frames that hold the signal."""
    frames = []
    for index, number in enumerate(series.numbers):
        frame = series.journal[number]
        if signal.static or signal.name not in frame.names:
            continue
        own = {}
        for key, value in frame.attributes.items():
            if key not in PER_SIGNAL or not isinstance(value, dict):
                own[key] = value
            elif signal.name in value:
                own[key] = {signal.name: value[signal.name]}
        frames.append({"frame": index, "attributes": own})
    declared = {key: value for key, value in signal.to_json().items() if key != "coding"}
    order = [other.name for other in series.stored].index(signal.name)
    return {
        "layout": LAYOUT,
        "order": order,
        "signal": declared,
        "metadata": series.journal.metadata,
        "frames": frames,
        "length": len(series.numbers),
    }


def _chunk(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Return a piece of about 1 MB that keeps the last axis whole where it can."""
    out, room = [], CHUNK // itemsize
    for size in reversed(shape):
        out.append(max(1, min(size, room)))
        room //= out[-1]
    return tuple(reversed(out))


def _frame_axis(series: Series, depth: int) -> Axis:
    axis = series.journal.metadata.get("frame_axis")
    fits = isinstance(axis, dict) and axis.get("size") == depth and isinstance(axis.get("name"), str)
    return dict(axis) if fits else {"name": "frame", "size": depth}


def _write_axis(group: Any, axis: Axis, signal: Signal, place: str) -> None:
    unit, factor = axis.get("units", ""), 1.0
    if unit == "m":
        unit, factor = "nm", 1e9
    elif unit == "eV" and _is_x_ray(signal):
        unit, factor = "keV", 1e-3
    energy = place == "channel" and axis["name"] == "energy"
    attributes: dict[str, Any] = {
        "name": ("Energy loss" if signal.name.startswith("EELS") else "Energy") if energy else axis["name"],
        "units": unit,
        "navigate": place == "frame" or (place == "space" and signal.kind != "image"),
        "is_binned": place == "channel",
    }
    if "values" in axis:
        attributes["_type"] = "DataAxis"
        group.create_dataset("axis", data=[value * factor for value in axis["values"]])
    else:
        attributes |= {"_type": "UniformDataAxis", "size": axis["size"]}
        attributes |= {"offset": axis.get("offset", 0.0) * factor, "scale": axis.get("scale", 1.0) * factor}
    group.attrs.update(attributes)


def _is_x_ray(signal: Signal) -> bool:
    return signal.kind == "events" or signal.name.startswith("EDX")


def _metadata(series: Series, signal: Signal) -> dict[str, Any]:
    known = series.journal.metadata
    energy = known.get("beam_energy")
    mode = "SEM" if isinstance(energy, (int, float)) and 0 < energy <= 30e3 else "TEM"
    kind = next((name for name in ("EELS", "CL") if signal.name.startswith(name)), "")
    kind = f"EDS_{mode}" if _is_x_ray(signal) else kind
    out: dict[str, Any] = {}
    hs.put(out, "General.title", (len(series.stored) == 1 and known.get("title")) or signal.name)
    _date(series, out)
    hs.put(out, "Signal.signal_type", "" if signal.kind == "image" else kind)
    if isinstance(signal.metadata.get("quantity"), str):
        hs.put(out, "Signal.quantity", signal.metadata["quantity"])
    if known.get("elements"):
        hs.put(out, "Sample.elements", list(known["elements"]))
    microscope: dict[str, Any] = {}
    if known.get("microscope"):
        microscope["microscope"] = known["microscope"]
    for path, name, factor in hs.SERIES:
        if isinstance(known.get(name), (int, float)) and (".EELS." not in path or kind == "EELS"):
            hs.put(microscope, path, known[name] / factor)
    tilt = known.get("stage_tilt")
    for path, angle in zip(hs.TILTS, tilt if isinstance(tilt, list) else [tilt], strict=False):
        if isinstance(angle, (int, float)):
            hs.put(microscope, path, angle / hs.DEGREE)
    place = known.get("stage_position")
    for path, value in zip(hs.STAGE, place if isinstance(place, list) else (), strict=False):
        if isinstance(value, (int, float)):
            hs.put(microscope, path, value * 1e3)
    if isinstance(known.get("acquisition_mode"), str):
        microscope["acquisition_mode"] = known["acquisition_mode"]
    if isinstance(known.get("specimen"), str):
        hs.put(out, "Sample.description", known["specimen"])
    if kind == "EELS":
        for path, name, factor in hs.SPECTROMETER:
            if isinstance(signal.metadata.get(name), (int, float)):
                hs.put(microscope, path, signal.metadata[name] / factor)
        if isinstance(signal.metadata.get("spectrometer"), str):
            hs.put(microscope, "Detector.EELS.spectrometer", signal.metadata["spectrometer"])
    path, name, factor = hs.BEAM_CURRENT
    if (current := series.mean(name)) is not None:
        hs.put(microscope, path, current / factor)
    if kind.startswith("EDS"):
        detector = series.detector(signal.name)
        for path, name, factor in hs.DETECTOR:
            if isinstance(detector.get(name), (int, float)):
                hs.put(microscope, path, detector[name] / factor)
    own = "Detector.EDS." if kind.startswith("EDS") else "Detector.EELS." if kind == "EELS" else ""
    for path, name, factor in hs.TIMES:
        here = path.startswith(own) if own else not path.startswith("Detector.")
        if (here or path == name) and not signal.static and (time := _time(series, signal, name)) is not None:
            hs.put(microscope, path, time / factor)
    if microscope:
        hs.put(out, f"Acquisition_instrument.{mode}", microscope)
    return out


def _date(series: Series, out: dict[str, Any]) -> None:
    """Write when the series began: the first frame's instant in UTC, or the source's local time."""
    started = series.journal[series.numbers[0]].start_time
    text = str(started or series.journal.metadata.get("local_start_time") or "")
    day, _, clock = text.partition("T")
    if day:
        hs.put(out, "General.date", day)
    if day and clock:
        hs.put(out, "General.time", clock.removesuffix("Z"))
        if started:
            hs.put(out, "General.time_zone", "UTC")


def _time(series: Series, signal: Signal, name: str) -> float | None:
    """Return a time (s): totals of live and real time, the mean of times per pixel."""
    total = series.total(signal.name, name)
    if total is None or name in ("live_time", "real_time"):
        whole = series.journal.metadata.get(name)
        stated = whole.get(signal.name) if total is None and isinstance(whole, dict) else None
        return float(stated) if isinstance(stated, (int, float)) else total
    return total / sum(1 for _ in series.frames(signal.name))


def _write_tree(group: Any, tree: dict[str, Any]) -> None:
    for key, value in tree.items():
        if isinstance(value, dict):
            _write_tree(group.create_group(key), value)
        elif isinstance(value, list):
            group.create_dataset(f"_list_{key}", data=[str(item).encode() for item in value])
        else:
            group.attrs[key] = value
