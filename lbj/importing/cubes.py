"""From arrays with axes and HyperSpy-like metadata, as most importers deliver them, to a `Source`."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UsageError
from ..events import Events
from ..signal import Axis, Signal
from . import hyperspy_names as hs
from . import leftovers
from .arrays import storable
from .meaning import Arrangement, arrange, described, space_names, spectral_name
from .naming import detector_name, share_field, unique_names
from .notes import left_out
from .source import Frame, Source
from .units import positive

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .library import Item

BLOCK = 1 << 26  # bytes of a cube that are read at a time
LARGEST = 1 << 29  # the same for compressed files, where smaller blocks would decompress the same chunk repeatedly


@dataclass(eq=False)
class Cube:
    """One array of a file, its axes in the journal's order."""

    name: str
    kind: str
    data: Any  # as stored: anything with shape and dtype that can be sliced
    places: list[int | None]  # the stored axis of frames, Y, X, …, C; None for an axis of length one that is not stored
    axes: list[Axis]  # of one frame
    metadata: dict[str, Any]  # HyperSpy's
    attributes: dict[str, float] = field(default_factory=dict)
    falling: bool = False  # the channels are stored from the highest to the lowest
    frame_axis: Axis | None = None
    detector: dict[str, Any] = field(default_factory=dict)
    role: str | None = None
    to_field: list[list[float]] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of frames, of Y, X and so on, and of the channels."""
        return tuple(1 if place is None else int(self.data.shape[place]) for place in self.places)

    @property
    def dtype(self) -> np.dtype:
        """Element type in the journal."""
        out: np.dtype = storable(np.empty(0, self.data.dtype)).dtype
        return out

    def read(self, frame: int, rows: slice = slice(None)) -> np.ndarray:
        """Return some rows of a frame."""
        index: list[slice] = [slice(None)] * len(self.data.shape)
        for place, part in zip(self.places[:2], (slice(frame, frame + 1), rows), strict=True):
            if place is not None:
                index[place] = part
        block = np.asarray(self.data[tuple(index)])
        block = block.transpose([place for place in self.places if place is not None])
        block = block.reshape(-1, *self.shape[2:])
        return np.asarray(storable(block[..., ::-1] if self.falling else block))

    def blocks(self, frame: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (first row, rows of one frame) a bounded number of bytes at a time."""
        _, ny, *rest = self.shape
        row = max(1, math.prod(rest) * self.data.dtype.itemsize)
        step = max(1, BLOCK // row)
        pieces, place = getattr(self.data, "pieces", None), self.places[1]
        together = min(ny, pieces[place]) if pieces and place is not None else 1
        if together * row <= LARGEST:
            step = max(together, step // together * together)
        for start in range(0, ny, step):
            yield start, self.read(frame, slice(start, start + step))


def source(path: Path, items: list[Item], notes: list[str]) -> Source:
    """Make a source of the arrays of one file.

    Parameters
    ----------
    path : path
        For messages, and where a signal's name can be found nowhere else.
    items : list of dict
        As rosettasciio hands them out; an importer may add ``name`` (the signal's), ``spectral`` and ``frames`` (see
        `lbj.importing.meaning.arrange`), ``times`` (attributes of the frames, s), ``detector`` (the signal's metadata),
        ``role`` and ``to_field``.
    notes : list of str
        What the importer left out so far; more is added.

    Raises
    ------
    UsageError
        If no array is anything that a frame could hold.
    """
    cubes = [cube for item in items if (cube := _cube(path, item, notes)) is not None]
    if not cubes:
        raise UsageError(
            f"{path}: holds neither spectra nor images that a frame could have; {'; '.join(notes) or 'nothing'}"
        )
    energies = [cube.axes[-1] if cube.kind != "image" else None for cube in cubes]
    for cube, name in zip(cubes, unique_names([cube.name for cube in cubes], energies), strict=True):
        cube.name = name
    notes += leftovers.told(items)
    return assembled(cubes, notes)


def assembled(cubes: list[Cube], notes: list[str]) -> Source:
    """Make a source of arrays that are laid out and named; those that do not have its frames are left out."""
    spectral = [cube for cube in cubes if cube.kind != "image"]
    n_frames = max(cube.shape[0] for cube in spectral or cubes)
    for cube in [c for c in cubes if c.shape[0] not in (1, n_frames) or (c.kind != "image" and c.shape[0] != n_frames)]:
        notes.append(left_out(f"{cube.name}: left out: it has {cube.shape[0]} frames, others have {n_frames}"))
        cubes.remove(cube)
    static = [cube for cube in cubes if cube.shape[0] < n_frames or (cube.role and cube.shape[0] == 1)]
    series = [cube for cube in cubes if cube not in static]
    metadata = _metadata(series)
    attributes = _attributes(series, n_frames, metadata, notes)
    group = "EDX" if sum(cube.kind == "events" for cube in cubes) > 1 else None
    signals = [_signal(cube, group, "survey" if cube in static else None) for cube in cubes]
    share_field(signals)
    return Source(
        signals,
        _frames(series, n_frames, attributes),
        n_frames,
        {cube.name: cube.read(0).reshape(cube.shape[1:]) for cube in static},
        metadata,
        notes,
    )


def _cube(path: Path, item: Item, notes: list[str]) -> Cube | None:
    data, axes, metadata = item["data"], item["axes"], hs.with_vendor_tags(item)
    title = str(hs.dig(metadata, "General.title") or "")
    called = str(item.get("name") or title or "array").replace(" ", "_")
    if data.dtype.kind in "OSUV" and data.dtype.names is None:
        notes.append(f"{called}: left out: text, not numbers")
        return None
    if data.dtype.kind not in "biuf" or len(axes) != len(data.shape) or 0 in data.shape:
        notes.append(left_out(f"{called}: left out: {data.dtype} of shape {data.shape}"))
        return None
    if not data.shape:
        notes.append(f"{called}: left out: a single number")
        return None
    found = arrange(item, notes, called)
    if found is None:
        return None
    cube = _laid_out(item, found)
    cube.metadata, cube.detector = metadata, {**hs.detector_metadata(metadata), **item.get("detector", {})}
    cube.attributes = {**hs.times(metadata), **item.get("times", {})}
    cube.role, cube.to_field = item.get("role"), item.get("to_field")
    kind = str(hs.dig(metadata, "Signal.signal_type") or "")
    cube.name = str(item.get("name") or signal_name(kind, title, path, found.spectral is not None))[:64]
    if cube.falling:
        notes.append(f"{cube.name}: stored from high to low {cube.axes[-1]['name']}, turned round")
    if found.spectral is not None and kind.startswith("EDS"):
        count(cube, notes)
    return cube


def count(cube: Cube, notes: list[str]) -> None:
    """Make X-ray spectra events, where they hold whole counts."""
    bad = _not_counts(cube)
    if bad is None:
        cube.kind = "events"
    else:
        notes.append(left_out(f"{cube.name} holds {bad} and is stored as spectra, not as events"))


def _laid_out(item: Item, found: Arrangement) -> Cube:
    axes = item["axes"]
    missing = max(0, 2 - len(found.space))
    places = [found.frames, *[None] * missing, *found.space]
    described_space = [{"name": name, "size": 1} for name in ("y", "x")[:missing]] + [
        described(axes[i], name)
        for i, name in zip(found.space, space_names([axes[i] for i in found.space]), strict=True)
    ]
    cube = Cube("", "image", item["data"], places, described_space, {})
    if found.spectral is not None:
        channels = described(axes[found.spectral], spectral_name(axes[found.spectral]))
        cube.falling = channels.get("scale", 1.0) < 0
        if cube.falling:
            last = channels["offset"] + channels["scale"] * (channels["size"] - 1)
            channels.update(offset=last, scale=-channels["scale"])
        cube.kind = "spectra"
        cube.places.append(found.spectral)
        cube.axes.append(channels)
    if found.frames is not None:
        axis = axes[found.frames]
        cube.frame_axis = described(axis, str(axis.get("name") or "frame"))
    return cube


def signal_name(kind: str, title: str, path: Path, spectral: bool) -> str:
    """Name of a signal by HyperSpy's type of it, its title and its file."""
    if not spectral:
        return detector_name(title, path.stem)
    if kind.startswith("EDS"):
        return "EDX"
    if kind in ("EELS", "CL"):
        return kind
    name = detector_name(title, path.stem)
    return "spectra" if name == "image" else name


def _not_counts(cube: Cube) -> str | None:
    """Describe the first value of a cube that cannot be a count (negative, fractional, too large); None if all can."""
    if cube.data.dtype.kind in "bu" and cube.data.dtype.itemsize <= 4:
        return None
    for frame in range(cube.shape[0]):
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
        cube.shape[1:],
        dtype=None if cube.kind == "events" else cube.dtype.name,
        axes=cube.axes,
        group=group if cube.kind == "events" else None,
        role=role,
        to_field=cube.to_field,
        metadata={key: value for key, value in cube.detector.items() if cube.kind != "image" or key == "quantity"},
    )


def _metadata(series: list[Cube]) -> dict[str, Any]:
    """Return what the arrays state of the series, those with spectra first."""
    out: dict[str, Any] = {}
    for cube in sorted(series, key=lambda cube: cube.kind == "image"):
        out = {**hs.series_metadata(cube.metadata), **out}
        axis = cube.frame_axis or {}
        if "units" in axis or "values" in axis or (axis.get("scale", 1.0), axis.get("offset", 0.0)) != (1.0, 0.0):
            out.setdefault("frame_axis", axis)
    return out


def _attributes(series: list[Cube], n_frames: int, metadata: dict[str, Any], notes: list[str]) -> list[dict[str, Any]]:
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
    axis = metadata.get("frame_axis", {})
    if axis.get("units") != "s" or axis.get("scale", 1.0) <= 0:
        return [dict(out) for _ in range(n_frames)]
    values = axis.get("values") or [axis["offset"] + axis["scale"] * i for i in range(n_frames)]
    return [{**out, "time_offset": value - values[0]} for value in values]


def _frames(series: list[Cube], n_frames: int, attributes: list[dict[str, Any]]) -> Iterator[Frame]:
    for i in range(n_frames):
        data = {
            cube.name: events(cube, i, cube.shape[1:])
            if cube.kind == "events"
            else np.ascontiguousarray(cube.read(i).reshape(cube.shape[1:]))
            for cube in series
        }
        yield data, attributes[i]


def events(cube: Cube, frame: int, shape: tuple[int, ...]) -> Events:
    """Return one frame's events, block by block of rows so that the dense frame need not exist."""
    width = math.prod(shape[1:-1])
    pixel, channel, count = [], [], []
    for row, block in cube.blocks(frame):
        flat = block.reshape(-1, shape[-1])
        at, c = np.nonzero(flat)
        pixel.append((at + row * width).astype(np.uint32))
        channel.append(c.astype(np.uint32))
        count.append(flat[at, c].astype(np.uint32))
    return Events.from_list(np.concatenate(pixel), np.concatenate(channel), shape, np.concatenate(count))
