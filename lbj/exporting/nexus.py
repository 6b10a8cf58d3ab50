"""Export to NeXus ``.nxs``, application definition NXem (2026.01): image and spectrum stacks, EDS and EELS sums.

What the definition asks for and the journal does not state (when the specimen was prepared and whether it was
simulated, which no journal does; often the emitter and the maker) is left out, not invented.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UsageError
from .hdf5_file import new_hdf5
from .numbers import axis_values, frame_values
from .spectrum import sum_spectrum
from .stack import write_stack

if TYPE_CHECKING:
    from ..signal import Axis, Signal
    from .series import Series

LETTERS = "ijk"  # of the navigation axes, the last first
MOST = {"image": 4, "spectra": 3, "events": 3}  # navigation axes
DEFINITIONS = "v2026.01"


def write(series: Series, path: Path) -> None:
    """Write an entry with the measurement, and the sum of each signal with spectra."""
    signals = [s for s in series.stored if s.static or any(True for _ in series.frames(s.name))]
    signals = [s for s in signals if not s.static or s.name in series.journal.statics()]
    if not signals:
        raise UsageError("the selected frames hold no signal")
    for signal in signals:
        nav = len(signal.shape) - (signal.kind != "image")
        if nav > MOST[signal.kind]:
            raise UsageError(f"signal {signal.name!r} has {nav} axes of space, and NeXus NXem has {MOST[signal.kind]}")
    with new_hdf5(path) as file:
        entry = _group(file, "entry", "NXentry", default="measurement")
        file.attrs.update({"NX_class": "NXroot", "default": "entry"})
        entry["definition"] = "NXem"
        entry["definition"].attrs["version"] = DEFINITIONS
        metadata = series.journal.metadata
        started = series.journal[series.numbers[0]].start_time
        if started is not None:
            entry["start_time"] = started
        if metadata.get("title"):
            entry["title"] = _plain(metadata["title"])
        _program(entry)
        _sample(entry, metadata)
        measurement = _group(entry, "measurement", "NXem_measurement", default="event1")
        _instrument(measurement, series, signals)
        event = _group(measurement, "event1", "NXem_event_data")
        if started is not None:
            event["start_time"] = started
        _data(event, series, signals)
        _sums(entry, series)


def _group(parent: Any, name: str, kind: str, **attributes: Any) -> Any:
    group = parent.create_group(name)
    group.attrs.update({"NX_class": kind, **attributes})
    return group


def _plain(text: Any) -> str:
    """Return a text that HDF5 takes: no zeros, of a length that attributes have."""
    return str(text).replace("\0", "")[:1000]


def _program(entry: Any) -> None:
    from ..version import __version__

    program = _group(_group(entry, "profiling", "NXcs_profiling"), "program1", "NXprogram")
    program["program"] = "lbj"
    program["program"].attrs["version"] = __version__


def _sample(entry: Any, metadata: dict[str, Any]) -> None:
    sample = _group(entry, "sample1", "NXsample")
    if isinstance(metadata.get("specimen"), str):
        sample["name"] = _plain(metadata["specimen"])
    if isinstance(metadata.get("elements"), list):
        sample["atom_types"] = _plain(", ".join(map(str, metadata["elements"])))


def _instrument(measurement: Any, series: Series, signals: list[Signal]) -> None:
    metadata = series.journal.metadata
    instrument = _group(measurement, "instrument", "NXem_instrument")
    if isinstance(metadata.get("microscope"), str):
        instrument["name"] = _plain(metadata["microscope"])
        if isinstance(metadata.get("manufacturer"), str):
            maker = _group(instrument, "fabrication", "NXfabrication")
            maker["vendor"], maker["model"] = _plain(metadata["manufacturer"]), _plain(metadata["microscope"])
    if isinstance(metadata.get("beam_energy"), (int, float)):
        source = _group(_group(instrument, "ebeam_column", "NXebeam_column"), "electron_source", "NXsource")
        _number(source, "voltage", metadata["beam_energy"], "V")
        source["probe"] = "electron"
        if isinstance(metadata.get("electron_source"), str):
            source["emitter_type"] = _plain(metadata["electron_source"])
    for number, signal in enumerate(signals, 1):
        detector = _group(instrument, f"detector{number}", "NXdetector")
        detector["name"] = signal.name
        for name, unit in (
            ("elevation", "rad"),
            ("azimuth", "rad"),
            ("solid_angle", "sr"),
            ("energy_resolution", "eV"),
        ):
            if isinstance(signal.metadata.get(name), (int, float)):
                known = detector.get("description") or _group(detector, "description", "NXcollection")
                _number(known, name, signal.metadata[name], unit)


def _number(group: Any, name: str, value: float, unit: str) -> None:
    group[name] = float(value)
    group[name].attrs["units"] = unit


def _data(event: Any, series: Series, signals: list[Signal]) -> None:
    counts = {"image": 0, "spectrum": 0}
    for number, signal in enumerate(signals, 1):
        what = "image" if signal.kind == "image" else "spectrum"
        counts[what] += 1
        group = _group(event, f"{what}{counts[what]}", "NXimage" if what == "image" else "NXspectrum")
        process = _group(group, "process", "NXprocess")
        process["detector_identifier"] = f"detector{number}"
        numbers = [] if signal.static else [frame.index for frame in series.frames(signal.name)]
        name = _stack(group, series, signal, numbers, what)
        for key, unit, values in frame_values(series, signal, numbers):
            frames = group.get("frames") or _group(group, "frames", "NXcollection")
            frames[key] = values
            frames[key].attrs["units"] = unit
        if number == 1 or (what == "spectrum" and counts[what] == 1):
            event.attrs["default"] = f"{what}{counts[what]}"
        group.attrs["default"] = name


def _stack(group: Any, series: Series, signal: Signal, numbers: list[int], what: str) -> str:
    """Write the data of a signal as a NXdata, whose name is returned."""
    nav = signal.axes if what == "image" else signal.axes[:-1]
    several = len(numbers) > 1
    name = f"{'stack' if several else what}_{len(nav)}d"
    data = _group(group, name, "NXdata", signal="real" if what == "image" else "intensity")
    data["title"] = signal.name
    value = str(data.attrs["signal"])
    write_stack(series, signal, data, value)
    data[value].attrs["long_name"] = f"{signal.name}, {'counts' if signal.kind == 'events' else 'intensity'}"
    axes = [f"axis_{LETTERS[len(nav) - 1 - i] if len(nav) - 1 - i < len(LETTERS) else 'm'}" for i in range(len(nav))]
    for axis_name, axis in zip(axes, nav, strict=True):
        _axis(data, axis_name, axis)
    if what == "spectrum":
        axes.append("axis_energy")
        _axis(data, "axis_energy", signal.axes[-1])
    if several:
        index = f"indices_{what}"
        data[index] = np.asarray(numbers, np.int64)
        data[index].attrs["long_name"] = "number of the frame"
        axes.insert(0, index)
    _plotted(data, axes)
    return name


def _plotted(data: Any, axes: list[str]) -> None:
    data.attrs["axes"] = axes
    for place, name in enumerate(axes):
        data.attrs[f"{name}_indices"] = np.uint32(place)


def _axis(data: Any, name: str, axis: Axis) -> None:
    known = "scale" in axis or "values" in axis
    data[name] = axis_values(axis) if known else np.arange(axis["size"], dtype=np.float64)
    unit = axis.get("units", "") if known else ""
    data[name].attrs["long_name"] = _plain(f"{axis['name']}{f' ({unit})' if unit else ', number'}")
    if unit:
        data[name].attrs["units"] = _plain(unit)


def _sums(entry: Any, series: Series) -> None:
    """Write the sum spectra: of X-rays as NXem_eds, of electrons as NXem_eels."""
    metadata = series.journal.metadata
    number = 0
    for signal in series.summed:
        x_ray = signal.kind == "events" or signal.name.startswith("EDX")
        if (
            signal.kind == "image"
            or not (x_ray or signal.name.startswith("EELS"))
            or not list(series.frames(signal.name))
        ):
            continue
        number += 1
        roi = _group(entry, f"roi{number}", "NXroi_process")
        method = _group(roi, "eds" if x_ray else "eels", "NXem_eds" if x_ray else "NXem_eels")
        indexing = _group(method, "indexing", "NXprocess")
        if x_ray:
            if isinstance(metadata.get("elements"), list):
                indexing["atom_types"] = _plain(", ".join(map(str, metadata["elements"])))
            data = _group(indexing, "summary", "NXdata", signal="intensity")
        else:
            data = _group(_group(indexing, "spectrum1", "NXspectrum"), "spectrum_0d", "NXdata", signal="intensity")
        data["title"] = f"sum of {signal.name}"
        data["intensity"] = sum_spectrum(series, signal)
        data["intensity"].attrs["long_name"] = f"sum of {signal.name} over the field and the frames, as recorded"
        _axis(data, "axis_energy", signal.axes[-1])
        _plotted(data, ["axis_energy"])
