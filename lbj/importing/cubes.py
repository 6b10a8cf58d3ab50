"""Formats that hold whole cubes, read through rosettasciio: Bruker, HyperSpy, Digital Micrograph, NCEM EMD."""

from __future__ import annotations

import importlib
import logging
import math
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UsageError
from ..events import Events
from ..signal import Axis, Signal
from . import bruker
from . import hyperspy_names as hs
from .arrays import first_bytes, open_hdf5, storable, stored
from .naming import detector_name, share_field, unique_names
from .source import Frame, Source
from .units import is_energy, linear_axis, positive, table_axis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

READERS = {
    ".bcf": ("rsciio.bruker", False),
    ".dm3": ("rsciio.digitalmicrograph", True),
    ".dm4": ("rsciio.digitalmicrograph", True),
    ".hspy": ("rsciio.hspy", True),
    ".hdf5": ("rsciio.hspy", True),
    ".zspy": ("rsciio.zspy", True),
    ".emd": ("rsciio.emd", True),
}
"""Suffix -> module of rosettasciio, and whether it can read lazily."""

BLOCK = 1 << 26  # bytes of a cube looked at together


@dataclass(eq=False)
class Cube:
    """One array of a file, its axes in the journal's order."""

    name: str
    kind: str
    data: Any  # (frames, Y, X, C) or (frames, Y, X)
    axes: list[Axis]  # of one frame
    metadata: dict[str, Any]  # HyperSpy's
    attributes: dict[str, float] = field(default_factory=dict)

    def blocks(self, frame: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (first row, rows of one frame) a bounded number of bytes at a time."""
        _, ny, *rest = self.data.shape
        step = max(1, BLOCK // max(1, math.prod(rest) * self.data.dtype.itemsize))
        for row in range(0, ny, step):
            yield row, np.asarray(self.data[frame, row : row + step])


def read(path: Path) -> Source:
    """Open a file that rosettasciio reads as cubes; see `lbj.importing.open_source`."""
    notes: list[str] = []
    cubes = [cube for item in _load(path) if (cube := _cube(path, item, notes)) is not None]
    if not cubes:
        raise UsageError(
            f"{path}: holds neither spectra nor images that a frame could have; {'; '.join(notes) or 'nothing'}"
        )
    energies = [cube.axes[-1] if cube.kind != "image" else None for cube in cubes]
    for cube, name in zip(cubes, unique_names([cube.name for cube in cubes], energies), strict=True):
        cube.name = name
    spectral = [cube for cube in cubes if cube.kind != "image"]
    n_frames = max(cube.data.shape[0] for cube in spectral or cubes)
    static = [cube for cube in cubes if cube.kind == "image" and cube.data.shape[0] == 1 < n_frames]
    series = [cube for cube in cubes if cube not in static]
    for cube in series:
        if cube.data.shape[0] != n_frames:
            raise UsageError(f"{path}: {cube.name} has {cube.data.shape[0]} frames, {series[0].name} has {n_frames}")
    metadata = hs.series_metadata((spectral or cubes)[0].metadata)
    attributes = _attributes(series, n_frames, metadata, notes)
    group = "EDX" if sum(cube.kind == "events" for cube in cubes) > 1 else None
    signals = [_signal(cube, group, "survey" if cube in static else None) for cube in cubes]
    share_field(signals)
    return Source(
        signals,
        _frames(series, n_frames, attributes),
        n_frames,
        {cube.name: np.asarray(cube.data[0]) for cube in static},
        metadata,
        notes,
    )


def _load(path: Path) -> list[dict[str, Any]]:
    name, lazy = READERS.get(path.suffix.lower(), READERS[".hspy"])
    try:
        reader: Callable[..., list[dict[str, Any]]] = importlib.import_module(name).file_reader
    except ImportError as error:
        raise UsageError(
            f"{path}: reading {path.suffix} needs rosettasciio ({error}): pip install mfsi[vendor]"
        ) from error
    if path.suffix.lower() == ".bcf":
        return bruker.load(path)
    if path.is_file() and first_bytes(path)[:4] == b"\x89HDF":
        _check_hdf5(path)
    quiet = logging.getLogger("rsciio")
    level = quiet.level
    quiet.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return reader(str(path), lazy=lazy)
    finally:
        quiet.setLevel(level)


def _check_hdf5(path: Path) -> None:
    """Check that an array declares no more than is stored, as far as its compression sets a limit."""
    with open_hdf5(path) as file:
        for group in (file.get("Experiments") or {}).values():
            data = group.get("data")
            if getattr(data, "compression", "none") in (None, "gzip", "lzf"):
                stored(path, data)


def _cube(path: Path, item: dict[str, Any], notes: list[str]) -> Cube | None:
    data, axes, metadata = item["data"], item["axes"], hs.with_vendor_tags(item)
    title = str(hs.dig(metadata, "General.title") or "")
    if data.dtype.kind not in "biuf" or not 1 <= data.ndim <= 4 or 0 in data.shape:
        notes.append(f"{title or 'an array'} left out: {data.dtype} of shape {data.shape}")
        return None
    energy = _energy_index(axes)
    order = [i for i in range(data.ndim) if i != energy] + ([] if energy is None else [energy])
    data, axes = data.transpose(order), [axes[i] for i in order]
    spatial = len(axes) - (energy is not None)
    if spatial > 3 or (energy is None and spatial < 2):
        notes.append(f"{title or 'an array'} left out: {spatial} axes beside energy")
        return None
    while spatial < 2:
        data, axes, spatial = data[None], [{"size": 1}, *axes], spatial + 1
    if spatial == 2:
        data, axes = data[None], [{}, *axes]
    named = [_axis(name, axis) for name, axis in zip(("y", "x", "energy"), axes[1:], strict=False)]
    kind = str(hs.dig(metadata, "Signal.signal_type") or "")
    attributes = hs.times(metadata)
    if energy is None:
        name = title if path.suffix.lower() == ".bcf" and title else detector_name(title, path.stem)
        return Cube(name, "image", storable(data), named, metadata, attributes)
    name = "EDX" if kind.startswith("EDS") else "EELS" if kind == "EELS" else detector_name(title, path.stem)
    name = "spectra" if name == "image" else name
    cube = Cube(name, "spectra", storable(data), named, metadata, {**_dm_times(item), **attributes})
    if kind.startswith("EDS"):
        bad = _not_counts(cube)
        if bad is None:
            cube.kind = "events"
        else:
            notes.append(f"EDX holds {bad} and is stored as spectra, not as events")
    return cube


def _energy_index(axes: list[dict[str, Any]]) -> int | None:
    """Return which axis is energy; Digital Micrograph has it first, and rosettasciio flags it as navigation."""
    for i, axis in enumerate(axes):
        if is_energy(axis.get("units")) or str(axis.get("name", "")).lower().startswith("energy"):
            return i
    signal = [i for i, axis in enumerate(axes) if axis.get("navigate") is False]
    return signal[0] if len(signal) == 1 else None


def _axis(name: str, axis: dict[str, Any]) -> Axis:
    if "axis" in axis:
        return table_axis(name, axis["axis"], axis.get("units"))
    return linear_axis(name, axis["size"], axis.get("offset"), axis.get("scale"), axis.get("units"))


def _dm_times(item: dict[str, Any]) -> dict[str, float]:
    tags = "ImageList.TagGroup0.ImageTags."
    found = {
        "dwell_time": positive(hs.dig(item.get("original_metadata"), tags + "SI.Acquisition.Pixel time (s)")),
        "exposure": positive(hs.dig(item.get("original_metadata"), tags + "EELS.Acquisition.Exposure (s)")),
    }
    return {name: value for name, value in found.items() if value is not None}


def _not_counts(cube: Cube) -> str | None:
    """Return what in a cube cannot be counts: a negative, fractional or too large value; None if all can."""
    if cube.data.dtype.kind == "u" and cube.data.dtype.itemsize <= 4:
        return None
    for frame in range(cube.data.shape[0]):
        for _, block in cube.blocks(frame):
            bad = ~((block >= 0) & (block <= 2**32 - 1))
            if block.dtype.kind == "f":
                bad |= block != np.floor(block)
            if bad.any():
                return str(block[bad][0])
    return None


def _signal(cube: Cube, group: str | None, role: str | None) -> Signal:
    return Signal(
        cube.name,
        cube.kind,
        cube.data.shape[1:],
        dtype=None if cube.kind == "events" else cube.data.dtype.name,
        axes=cube.axes,
        group=group if cube.kind == "events" else None,
        role=role,
        metadata=hs.detector_metadata(cube.metadata) if cube.name.startswith("EDX") else None,
    )


def _attributes(series: list[Cube], n_frames: int, metadata: dict[str, Any], notes: list[str]) -> dict[str, Any]:
    """Return the attributes of every frame; times of a whole series of frames go to the journal's metadata."""
    out: dict[str, Any] = {}
    for cube in series:
        for name, value in cube.attributes.items():
            if n_frames > 1 and name in ("live_time", "real_time"):
                metadata.setdefault(name, {})[cube.name] = value
                notes.append(
                    f"{cube.name}: {name} is known for the whole series only and stands in the journal's metadata"
                )
            else:
                out.setdefault(name, {})[cube.name] = value
    path, name, factor = hs.BEAM_CURRENT
    current = next((v for c in series if (v := positive(hs.dig(hs.instrument(c.metadata), path)))), None)
    if current is not None:
        out[name] = current * factor
    return out


def _frames(series: list[Cube], n_frames: int, attributes: dict[str, Any]) -> Iterator[Frame]:
    for i in range(n_frames):
        yield (
            {
                cube.name: _events(cube, i) if cube.kind == "events" else np.ascontiguousarray(cube.data[i])
                for cube in series
            },
            dict(attributes),
        )


def _events(cube: Cube, frame: int) -> Events:
    """Return one frame's events, block by block of rows so that the dense frame need not exist."""
    _, ny, nx, channels = cube.data.shape
    pixel, channel, count = [], [], []
    for row, block in cube.blocks(frame):
        flat = block.reshape(-1, channels)
        at, c = np.nonzero(flat)
        pixel.append((at + row * nx).astype(np.uint32))
        channel.append(c.astype(np.uint32))
        count.append(flat[at, c].astype(np.uint32))
    return Events.from_list(np.concatenate(pixel), np.concatenate(channel), (ny, nx, channels), np.concatenate(count))
