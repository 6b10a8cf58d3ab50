"""Velox EMD: the X-ray streams and the images of every frame, read with h5py."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DamagedError, UsageError
from ..signal import Signal
from . import velox_metadata as vm
from . import velox_stream as vs
from .arrays import open_hdf5, stored
from .naming import share_field, unique_names
from .source import Frame, Source
from .units import linear_axis, number

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(eq=False)
class Picture:
    """One stack of images: where it is and what it shows."""

    path: str
    name: str
    shape: tuple[int, int, int]  # (Y, X, frames)
    dtype: np.dtype
    metas: list[vm.Item] = field(default_factory=list)


def read(path: Path) -> Source:
    """Open a Velox file; see `lbj.importing.open_source`."""
    with open_hdf5(path) as file:
        notes: list[str] = []
        streams = _streams(path, file)
        pictures = _pictures(path, file, notes)
        selection = _element_selection(file)
    shape, n_frames, pictures, survey = _geometry(path, streams, pictures, notes)
    names = unique_names(["EDX"] * len(streams), [None] * len(streams))
    shown = [*pictures, *survey]
    picture_names = unique_names([p.name for p in shown], [None] * len(shown))
    pixels = math.prod(shape)
    for name, stream in zip(names, streams, strict=True):
        if stream.tail and stream.markers < n_frames * pixels:
            notes.append(f"{name}: the last {stream.tail} counts belong to a pixel that was not finished")
        elif stream.tail:
            notes.append(f"{name}: {stream.tail} counts behind the last pixel marker dropped")
    series = max(
        [*(p.metas for p in pictures), streams[0].metas], key=lambda metas: (len(metas) >= n_frames, bool(metas))
    )
    signals = [_events_signal(n, s, shape, len(streams) > 1) for n, s in zip(names, streams, strict=True)]
    static = {}
    for name, picture in zip(picture_names, shown, strict=True):
        signals.append(_image_signal(name, picture, "survey" if picture in survey else None))
        if picture in survey:
            static[name] = _static(path, picture)
    by_name = dict(zip(names, streams, strict=True))
    timed = [signal.name for signal in signals if not signal.static]
    attributes = [_attributes(i, series, by_name, timed, pixels) for i in range(n_frames)]
    if any("live_time" in item for item in attributes):
        notes.append("live_time is the detectors' live fraction during the frame times pixels times dwell time")
    if started := vm.start_time(series[0] if series else {}):
        attributes[0]["start_time"] = started
    share_field(signals)
    return Source(
        signals,
        _frames(path, by_name, dict(zip(picture_names, pictures, strict=False)), shape, attributes),
        n_frames,
        static,
        vm.series_metadata(series[0] if series else {}, selection),
        list(dict.fromkeys(notes)),
    )


def _streams(path: Path, file: Any) -> list[vs.Stream]:
    group = file.get("Data/SpectrumStream")
    if group is None or len(group) == 0:
        held = ", ".join(sorted(file["Data"])) if "Data" in file else "nothing"
        raise UsageError(
            f"{path}: this Velox file has no spectrum stream (Data holds {held}), so the frames of its spectrum image "
            "cannot be told apart; save it again with the raw stream, which pruning removes"
        )
    out = []
    for key in group:
        where = f"/Data/SpectrumStream/{key}"
        for member in ("Data", "AcquisitionSettings"):
            if member not in group[key]:
                raise DamagedError(f"{path}: {where} has no member {member!r}")
        settings = vm.parse(bytes(group[key]["AcquisitionSettings"][0]))
        channels = str(settings.get("bincount", ""))
        encoding = settings.get("StreamEncoding", settings.get("encoding", "uint16"))
        words = group[key]["Data"]
        if encoding != "uint16" or words.dtype != np.uint16 or words.ndim != 2:
            raise DamagedError(
                f"{path}: {where}/Data must be a column of uint16 words, found {words.dtype} of shape {words.shape} "
                f"with stream encoding {encoding!r}"
            )
        if not channels.isdigit() or not 1 <= int(channels) <= vs.MARKER:
            raise DamagedError(
                f"{path}: {where}/AcquisitionSettings: bincount must be 1 to {vs.MARKER}, found {channels!r}"
            )
        metas = _metas(path, group[key])
        name = str(vm.dig(metas[0], "BinaryResult", "Detector") or "") if metas else ""
        stream = vs.Stream(f"{where}/Data", int(channels), metas, name)
        vs.count(path, stored(path, words), stream)
        out.append(stream)
    return sorted(out, key=lambda stream: stream.name)


def _metas(path: Path, group: Any) -> list[vm.Item]:
    if "Metadata" not in group or group["Metadata"].ndim != 2 or group["Metadata"].dtype != np.uint8:
        return []
    raw = stored(path, group["Metadata"])
    return [vm.parse(raw[:, i].tobytes()) for i in range(raw.shape[1])]


def _pictures(path: Path, file: Any, notes: list[str]) -> list[Picture]:
    known = _operation_names(file)
    out = []
    for key, group in (file.get("Data/Image") or {}).items():
        where = f"/Data/Image/{key}/Data"
        metas = _metas(path, group)
        name = known.get(f"/Data/Image/{key}") or str(
            vm.dig(metas[0] if metas else {}, "BinaryResult", "Detector") or "image"
        )
        data = group.get("Data")
        if metas and vm.is_x_ray(metas[0], name):
            notes.append(f"images of {name} left out: they were made from the spectra")
        elif data is None or data.ndim != 3 or 0 in data.shape or data.dtype.name not in _IMAGE_TYPES:
            notes.append(
                f"image of {name} left out: {'no data' if data is None else f'{data.dtype} of shape {data.shape}'}"
            )
        else:
            stored(path, data)
            out.append(Picture(where, name[:60], data.shape, data.dtype, metas))
    return out


_IMAGE_TYPES = ("uint8", "uint16", "uint32", "int8", "int16", "int32", "float32", "float64")


def _operation_names(file: Any) -> dict[str, str]:
    """Return the name of every image that an operation made or read, by its path."""
    out: dict[str, str] = {}
    for operation, group in (file.get("Operations") or {}).items():
        for item in group.values() if hasattr(group, "values") else ():
            settings = vm.parse(bytes(item[0]))
            target = settings.get("dataPath")
            if isinstance(target, str) and target.startswith("/Data/Image/"):
                plain = settings.get("detector") or settings.get("cameraName")
                out[target] = str(plain or operation.removesuffix("Operation"))
    return out


def _element_selection(file: Any) -> Any:
    for where in ("Operations/ImageQuantificationOperation", "SharedProperties/EDSSpectrumQuantificationSettings"):
        for item in (file.get(where) or {}).values():
            return vm.parse(bytes(item[0])).get("elementSelection")
    return None


def _geometry(
    path: Path, streams: list[vs.Stream], pictures: list[Picture], notes: list[str]
) -> tuple[tuple[int, int], int, list[Picture], list[Picture]]:
    """Return pixels (Y, X), number of frames, the images that every frame has, and the single survey images."""
    depth = max((p.shape[2] for p in pictures), default=0)
    shape = next((p.shape[:2] for p in pictures if p.shape[2] == depth), None) or _scan_shape(streams[0].metas)
    if shape is None:
        raise DamagedError(f"{path}: neither an image nor the scan's settings tell the size of the spectrum image")
    pixels = math.prod(shape)
    n_stream = -(-max(stream.markers for stream in streams) // pixels)
    n_frames = min(n_stream, depth) if depth > 1 else n_stream
    if depth > 1 and n_stream != depth:
        notes.append(f"the streams hold {n_stream} frames, the images {depth}: the first {n_frames} are kept")
    pairs = [p for p in pictures if p.shape[2] >= n_frames]
    survey = [p for p in pictures if p.shape[2] == 1 and p not in pairs]
    notes += [
        f"image {p.name} left out: {p.shape[2]} of {n_frames} frames"
        for p in pictures
        if p not in pairs and p not in survey
    ]
    return shape, n_frames, pairs, survey


def _scan_shape(metas: list[vm.Item]) -> tuple[int, int] | None:
    scan = vm.dig(metas[0] if metas else {}, "Scan")
    edges = [number(vm.dig(scan, "ScanArea", key)) for key in ("top", "bottom", "left", "right")]
    sizes = [number(vm.dig(scan, "ScanSize", key)) for key in ("height", "width")]
    if None in edges or None in sizes:
        return None
    top, bottom, left, right = (e or 0.0 for e in edges)
    height, width = (s or 0.0 for s in sizes)
    shape = round(height * (bottom - top)), round(width * (right - left))
    return shape if min(shape) >= 1 else None


def _space_axes(metas: list[vm.Item], shape: tuple[int, ...]) -> list[dict[str, Any]]:
    result = vm.dig(metas[0] if metas else {}, "BinaryResult") or {}
    return [
        linear_axis(
            axis,
            n,
            vm.dig(result, "Offset", axis) or 0,
            vm.dig(result, "PixelSize", side),
            vm.dig(result, f"PixelUnit{axis.upper()}"),
        )
        for axis, side, n in (("y", "height", shape[0]), ("x", "width", shape[1]))
    ]


def _events_signal(name: str, stream: vs.Stream, shape: tuple[int, int], several: bool) -> Signal:
    meta = stream.metas[0] if stream.metas else {}
    offset, dispersion = vm.energy_calibration(meta, stream.name)
    return Signal(
        name,
        "events",
        (*shape, stream.channels),
        axes=[*_space_axes(stream.metas, shape), linear_axis("energy", stream.channels, offset, dispersion, "eV")],
        group="EDX" if several else None,
        metadata=vm.detector_metadata(meta, stream.name),
    )


def _image_signal(name: str, picture: Picture, role: str | None) -> Signal:
    meta = picture.metas[0] if picture.metas else {}
    return Signal(
        name,
        "image",
        picture.shape[:2],
        dtype=picture.dtype.name,
        axes=_space_axes(picture.metas, picture.shape),
        role=role,
        metadata=vm.collection_angle(meta, picture.name),
    )


def _attributes(
    frame: int, series: list[vm.Item], streams: dict[str, vs.Stream], timed: list[str], pixels: int
) -> dict[str, Any]:
    out = vm.frame_attributes(series[frame]) if frame < len(series) else {}
    scanned = {name: max(0, min(stream.markers - frame * pixels, pixels)) for name, stream in streams.items()}
    if min(scanned.values()) < pixels:
        out["scanned_pixels"] = scanned
    dwell = vm.dwell_time(series[min(frame, len(series) - 1)]) if series else None
    if dwell is None:
        return out
    out["dwell_time"] = dict.fromkeys(timed, dwell)
    out["real_time"] = {name: n * dwell for name, n in scanned.items()}
    live = {}
    for name, stream in streams.items():
        fraction = vm.live_fraction(series, frame, stream.name, pixels * dwell)
        if fraction is None:
            fraction = vm.live_fraction(stream.metas, frame, stream.name, pixels * dwell)
        if fraction is not None:
            live[name] = fraction * scanned[name] * dwell
    if live:
        out["live_time"] = live
    return out


def _static(path: Path, picture: Picture) -> np.ndarray:
    with open_hdf5(path) as file:
        return np.asarray(file[picture.path][:, :, 0])


def _frames(
    path: Path,
    streams: dict[str, vs.Stream],
    pictures: dict[str, Picture],
    shape: tuple[int, int],
    attributes: list[dict[str, Any]],
) -> Iterator[Frame]:
    with open_hdf5(path) as file:
        readers = {name: vs.frames(file[s.path], s, shape, len(attributes)) for name, s in streams.items()}
        for i, item in enumerate(attributes):
            data: dict[str, Any] = {name: next(reader) for name, reader in readers.items()}
            data.update((name, np.asarray(file[p.path][:, :, i])) for name, p in pictures.items())
            yield data, item
