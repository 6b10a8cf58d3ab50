"""Export to Lispix ripple ``.rpl``: the sum over the frames, a text header and a raw file for each signal."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UsageError
from ..importing.naming import members
from ..scanned import left_out, scanned
from .series import dense_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ..signal import Signal
    from .series import Series


def write(series: Series, path: Path) -> None:
    """Write the sum of every signal; the first with spectra gets the name given."""
    signals = [signal for signal in series.summed if any(True for _ in series.frames(signal.name))]
    signals.sort(key=lambda signal: signal.kind == "image")
    if not signals:
        raise UsageError("the selected frames hold no signal")
    names = members(signal.name for signal in signals)
    for i, signal in enumerate(signals):
        header = path.with_stem(f"{path.stem}_{names[signal.name]}") if i else path
        _write_header(series, signal, header, _write_raw(series, signal, header.with_suffix(".raw")))


def write_filled(series: Series, signal: Signal, path: Path, fill: Callable[[np.ndarray], object]) -> None:
    """Write one signal, the data of which another fills in.

    Parameters
    ----------
    series : Series
        The frames that the data are made of, for their times.
    signal : Signal
        Declaration of the data.
    path : Path
        Of the header; the raw file stands beside it.
    fill : callable
        Gets an array of the signal's shape and dtype, zeros that are stored on the disk.
    """
    dtype = np.dtype(signal.dtype)
    data = _mapped(path.with_suffix(".raw"), dtype, signal.shape)
    fill(data)
    data.flush()
    _write_header(series, signal, path, dtype)


def _write_header(series: Series, signal: Signal, path: Path, dtype: np.dtype) -> None:
    lines = (f"{key}\t{value}\n" for key, value in _header(series, signal, dtype).items())
    path.write_text("".join(lines), encoding="latin-1", errors="replace")


def as_recorded(series: Series) -> list[str]:
    """Sentences on signals whose frames are shifted in energy, which the sum does not heed."""
    out = []
    for signal in series.summed:
        if signal.kind == "image":
            continue
        group = (signal.name, *series.members(signal.name))
        planes = [
            plane.name
            for plane in series.stored
            if plane.role == "energy_shift" and plane.shape == signal.shape[:-1] and plane.of in (None, *group)
        ]
        found: list[float] = []
        for frame in series.frames(signal.name):
            declared = frame.known.get("energy_shift", 0.0)
            found += [declared.get(name, 0.0) for name in group] if isinstance(declared, dict) else [declared]
            for plane in planes:
                values = frame.array(plane) if plane in frame.names else np.zeros(0)
                finite = values[np.isfinite(values)]
                found += [finite.min(), finite.max()] if finite.size else []
        if any(found):
            out.append(
                f"{signal.name} was summed as recorded: its energies are to be shifted by {min(found):g} to "
                f"{max(found):g} eV, frame by frame or pixel by pixel; `mfsi accumulate` sums on one axis"
            )
    return out


def not_scanned(series: Series) -> list[str]:
    """Sentences on signals that store something in pixels that were not scanned, which no sum takes up."""
    out = []
    for signal in series.summed:
        frames = list(series.frames(signal.name))
        left = sum(left_out(frame, signal) for frame in frames)
        aborted = sum(scanned(frame, signal) is not None for frame in frames)
        if left:
            out.append(
                f"{signal.name}: {aborted} of {len(frames)} frames were aborted; what they store in pixels that were "
                f"not scanned ({left:g} in all) was left out of the sum"
            )
    return out


def _write_raw(series: Series, signal: Signal, path: Path) -> np.dtype:
    if signal.kind == "events":
        total = series.sum_events(signal)
        dtype = np.min_scalar_type(int(total.count.max(initial=0)))
        with open(path, "wb") as file:
            file.writelines(
                block.astype(dtype.newbyteorder("<")).tobytes() for _, block in dense_rows(total, dtype.name)
            )
        return dtype
    dtype = _sum_dtype(signal, sum(1 for _ in series.frames(signal.name)))
    summed = _mapped(path, dtype, signal.shape)
    for value in series.scanned(signal):
        summed += value
    summed.flush()
    return dtype


def _mapped(path: Path, dtype: np.dtype, shape: tuple[int, ...]) -> np.memmap:
    """Make a file of zeros, which is an array."""
    with open(path, "wb") as file:
        size = dtype.itemsize * math.prod(shape)
        file.truncate(size)
        if hasattr(os, "posix_fallocate"):  # a disk that is full says so now, and does not end the process later
            os.posix_fallocate(file.fileno(), 0, size)
    return np.memmap(path, dtype.newbyteorder("<"), "r+", shape=shape)


def _sum_dtype(signal: Signal, depth: int) -> np.dtype:
    """Return an element type that holds the sum of `depth` frames exactly, or as nearly as a float can."""
    own = np.dtype(signal.dtype)
    if own.kind == "f":
        return own if depth == 1 else np.dtype("float64")
    limits = np.iinfo(own)
    for name in ("uint8", "int8", "uint16", "int16", "uint32", "int32"):
        room = np.iinfo(name)
        if room.min <= limits.min * depth and limits.max * depth <= room.max:
            return np.dtype(name)
    return np.dtype("float64")


def _header(series: Series, signal: Signal, dtype: np.dtype) -> dict[str, Any]:
    image = signal.kind == "image"
    nav = signal.shape if image else signal.shape[:-1]
    out: dict[str, Any] = {
        "key": "value",
        "width": nav[-1],
        "height": math.prod(nav[:-1]),
        "depth": signal.channels,
        "offset": 0,
        "data-length": dtype.itemsize,
        "data-type": {"u": "unsigned", "i": "signed", "f": "float"}[dtype.kind],
        "byte-order": "little-endian" if dtype.itemsize > 1 else "dont-care",
        "record-by": "dont-care" if image else "vector",
        "title": signal.name,
    }
    for key, axis in (("width", signal.axes[len(nav) - 1]), ("height", signal.axes[0])):
        if "scale" in axis and axis.get("units") == "m":
            out |= {f"{key}-origin": axis["offset"] * 1e9, f"{key}-scale": axis["scale"] * 1e9, f"{key}-units": "nm"}
    if not image:
        out.update(_spectrum(series, signal))
    return out


def _spectrum(series: Series, signal: Signal) -> Iterator[tuple[str, Any]]:
    axis = signal.axes[-1]
    if "scale" in axis and axis.get("units") == "eV":
        yield "depth-origin", axis["offset"]
        yield "depth-scale", axis["scale"]
        yield "depth-units", "eV"
        yield "depth-name", "Energy"
        yield "ev-per-chan", axis["scale"]
    x_ray = signal.kind == "events" or signal.name.startswith("EDX")
    energy = series.journal.metadata.get("beam_energy")
    if x_ray:
        yield "signal", "EDS_SEM" if energy and energy <= 30e3 else "EDS_TEM"
    elif signal.name.startswith("EELS"):
        yield "signal", "EELS"
    if energy:
        yield "beam-energy", energy / 1e3
    live = series.total(signal.name, "live_time")
    if live is not None:
        yield "live-time", live
    detector = series.detector(signal.name) if x_ray else {}
    for key, name in (("elevation-angle", "elevation"), ("azimuth-angle", "azimuth")):
        if name in detector:
            yield key, math.degrees(detector[name])
    if "energy_resolution" in detector:
        yield "detector-peak-width-ev", detector["energy_resolution"]
