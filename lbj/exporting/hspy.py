"""Export to HyperSpy's ``.hspy``: dense datasets, written and compressed piece by piece."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..importing import hyperspy_names as hs
from .hdf5_file import new_hdf5
from .series import dense_rows

if TYPE_CHECKING:
    from pathlib import Path

    from ..signal import Axis, Signal
    from .series import Series

CHUNK = 1 << 20  # bytes of a compressed piece


def write(series: Series, path: Path) -> None:
    """Write a HyperSpy file."""
    with new_hdf5(path) as file:
        file.attrs["file_format"] = "HyperSpy"
        file.attrs["file_format_version"] = "3.3"
        experiments = file.create_group("Experiments")
        for signal in series.summed:
            if any(True for _ in series.frames(signal.name)):
                _experiment(series, signal, experiments.create_group(signal.name.replace("/", "_")))
        if not len(experiments):
            raise UsageError("the selected frames hold no signal")


def _experiment(series: Series, signal: Signal, group: Any) -> None:
    depth = sum(1 for _ in series.frames(signal.name))
    shape = signal.shape if depth == 1 else (depth, *signal.shape)
    dtype = series.count_dtype(signal) if signal.kind == "events" else signal.dtype
    chunk = _chunk(signal.shape, _itemsize(dtype))
    data = group.create_dataset(
        "data",
        shape,
        dtype,
        chunks=chunk if depth == 1 else (1, *chunk),
        compression="gzip",
        compression_opts=1,
        shuffle=True,
    )
    for frame, value in enumerate(series.data(signal)):
        lead = () if depth == 1 else (frame,)
        if signal.kind != "events":
            data[lead or ...] = value
            continue
        for row, block in dense_rows(value, dtype, chunk[0]):
            data[(*lead, slice(row, row + len(block)))] = block
    frames = [{"name": "frame", "size": depth}] if depth > 1 else []
    for i, axis in enumerate([*frames, *signal.axes]):
        _write_axis(
            group.create_group(f"axis-{i}"), axis, signal, energy=i == len(shape) - 1 and signal.kind != "image"
        )
    _write_tree(group.create_group("metadata"), _metadata(series, signal))
    for name in ("original_metadata", "learning_results"):
        group.create_group(name)
    group.create_group("attributes").attrs.update({"_lazy": False, "ragged": False})
    group.attrs.update({"package": "hyperspy", "package_version": "2.0"})


def _itemsize(dtype: str) -> int:
    import numpy as np

    return np.dtype(dtype).itemsize


def _chunk(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Return a piece of about 1 MB that keeps the last axis whole where it can."""
    out, room = [], CHUNK // itemsize
    for size in reversed(shape):
        out.append(max(1, min(size, room)))
        room //= out[-1]
    return tuple(reversed(out))


def _write_axis(group: Any, axis: Axis, signal: Signal, *, energy: bool) -> None:
    unit, factor = axis.get("units", ""), 1.0
    if unit == "m":
        unit, factor = "nm", 1e9
    elif unit == "eV" and _is_x_ray(signal):
        unit, factor = "keV", 1e-3
    attributes: dict[str, Any] = {
        "name": {"energy": "Energy" if _is_x_ray(signal) else "Energy loss"}.get(axis["name"], axis["name"]),
        "units": unit,
        "navigate": axis["name"] == "frame" or (signal.kind != "image" and not energy),
        "is_binned": energy,
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
    mode = "SEM" if energy and energy <= 30e3 else "TEM"
    kind = f"EDS_{mode}" if _is_x_ray(signal) else "EELS" if signal.name.startswith("EELS") else ""
    out: dict[str, Any] = {}
    hs.put(out, "General.title", signal.name)
    hs.put(out, "Signal.signal_type", "" if signal.kind == "image" else kind)
    if known.get("elements"):
        hs.put(out, "Sample.elements", list(known["elements"]))
    microscope: dict[str, Any] = {}
    if known.get("microscope"):
        microscope["microscope"] = known["microscope"]
    for path, name, factor in hs.SERIES:
        if isinstance(known.get(name), (int, float)) and (".EELS." not in path or kind == "EELS"):
            hs.put(microscope, path, known[name] / factor)
    for path, tilt in zip(hs.TILTS, known.get("stage_tilt") or (), strict=False):
        hs.put(microscope, path, tilt / hs.DEGREE)
    path, name, factor = hs.BEAM_CURRENT
    if (current := series.mean(name)) is not None:
        hs.put(microscope, path, current / factor)
    if kind.startswith("EDS"):
        detector = series.detector(signal.name)
        for path, name, factor in hs.DETECTOR:
            if name in detector:
                hs.put(microscope, path, detector[name] / factor)
    if signal.kind != "image":
        own = ".EDS." if kind.startswith("EDS") else ".EELS."
        for path, name, factor in hs.TIMES:
            if own in path and (time := _time(series, signal, name)) is not None:
                hs.put(microscope, path, time / factor)
    if microscope:
        hs.put(out, f"Acquisition_instrument.{mode}", microscope)
    return out


def _time(series: Series, signal: Signal, name: str) -> float | None:
    """Return a time (s): totals of live and real time, the mean of times per pixel."""
    total = series.total(signal.name, name)
    if total is None or name in ("live_time", "real_time"):
        return total
    return total / sum(1 for _ in series.frames(signal.name))


def _write_tree(group: Any, tree: dict[str, Any]) -> None:
    for key, value in tree.items():
        if isinstance(value, dict):
            _write_tree(group.create_group(key), value)
        elif isinstance(value, list):
            group.create_dataset(f"_list_{key}", data=[str(item).encode() for item in value])
        else:
            group.attrs[key] = value
