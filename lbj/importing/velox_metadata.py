"""Velox metadata: beam, detectors and live times from the JSON beside each image and stream."""

from __future__ import annotations

import json
import math
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import numpy as np

from .arrays import stored
from .elements import symbols
from .units import number, positive

if TYPE_CHECKING:
    from pathlib import Path

Item = dict[str, Any]

BELOW = math.radians(5)  # by which a segment may reach below the plane of the specimen


def parse(raw: bytes) -> Item:
    """Return the JSON object in a NUL-padded field; empty where the bytes are no object."""
    try:
        out = json.loads(raw.split(b"\0", 1)[0].decode("utf-8"))
    except (UnicodeDecodeError, ValueError, RecursionError):
        return {}
    return out if isinstance(out, dict) else {}


def dig(item: Any, *path: str) -> Any:
    """Return the member at `path`, or None."""
    for key in path:
        item = item.get(key) if isinstance(item, dict) else None
    return item


def groups(file: Any, where: str) -> list[tuple[str, Any]]:
    """Return the groups in a group, with their names; none where there is no such group."""
    return [(key, item) for key, item in _items(file.get(where)) if hasattr(item, "items")]


def _items(group: Any) -> list[tuple[str, Any]]:
    return [(key, group.get(key)) for key in group] if hasattr(group, "items") else []


def dataset(group: Any, name: str) -> Any:
    """Return a data set that has a shape, or None."""
    item = group.get(name)
    return item if hasattr(item, "dtype") and item.shape is not None else None


def first(group: Any, name: str) -> Item:
    """Return the JSON object in the first element of a data set; empty where there is none."""
    data = dataset(group, name)
    if data is None:
        return {}
    try:
        return parse(bytes(data[0] if data.shape else data[()]))
    except (TypeError, ValueError, IndexError):
        return {}


def columns(path: Path, group: Any, name: str = "Metadata") -> list[Item]:
    """Return the JSON objects in the columns of a data set, one a frame or row; none where there are none."""
    data = dataset(group, name)
    if data is None or data.ndim != 2 or data.dtype != np.uint8:
        return []
    raw = stored(path, data)[:]
    return [parse(raw[:, i].tobytes()) for i in range(raw.shape[1])]


def x_ray_detectors(meta: Item, name: str) -> list[Item]:
    """Return the physical detectors of stream `name`: itself, or the segments of which it is the sum."""
    every = _analytical(meta)
    same = [d for d in every if d.get("DetectorName") == name]
    return same or [d for d in every if name and str(d.get("DetectorName", "")).startswith(name)]


def _analytical(meta: Item) -> list[Item]:
    items = dig(meta, "Detectors")
    every = items.values() if isinstance(items, dict) else ()
    return [d for d in every if dig(d, "DetectorType") == "AnalyticalDetector"]


def is_analytical(meta: Item, name: str) -> bool:
    """Whether an image of detector `name` was made from spectra."""
    return bool(x_ray_detectors(meta, name))


def detector_metadata(meta: Item, name: str) -> Item:
    """Return angles (rad) and solid angle (sr) of stream `name`; a sum states only what its segments share."""
    parts = x_ray_detectors(meta, name)
    out: Item = {"detector": name} if name else {}
    for key, vendor in (("elevation", "ElevationAngle"), ("azimuth", "AzimuthAngle")):
        values = {number(part.get(vendor)) for part in parts}
        if len(values) == 1 and None not in values:
            out[key] = values.pop()
    process = {positive(part.get("PulseProcessTime")) for part in parts} - {None}
    if len(process) == 1:
        out["process_time"] = process.pop()
    solid = [positive(part.get("CollectionAngle")) for part in parts]
    repeated, whole = repeated_solid_angle(meta)
    if not repeated and solid and None not in solid:
        out["solid_angle"] = sum(value for value in solid if value)
    elif whole is not None and len(parts) > 1:
        out["solid_angle"] = whole
    return out


def repeated_solid_angle(meta: Item) -> tuple[bool, float | None]:
    """Whether the segments state solid angles that they cannot all have, and what the whole detector then has (sr).

    They cannot if together they see more than 4 pi, or if all state the same and a cone of that size around a
    segment's axis reaches below the plane of the specimen by more than a few degrees: it is the whole detector's.
    """
    every = _analytical(meta)
    declared = [value for d in every if (value := positive(d.get("CollectionAngle"))) is not None]
    same = len(set(declared)) == 1 and declared[0] <= 4 * math.pi
    too_much = sum(declared) > 4 * math.pi
    if same and len(declared) > 1 and not too_much:
        heights = [abs(number(d.get("ElevationAngle")) or math.pi / 2) for d in every if d.get("CollectionAngle")]
        too_much = math.acos(1 - declared[0] / (2 * math.pi)) > min(heights) + BELOW
    return too_much, declared[0] if too_much and same else None


def eels_collection_angle(meta: Item) -> float | None:
    """Return the half-angle (rad) that the spectrometer's entrance aperture lets in."""
    return positive(dig(meta, "CustomProperties", "EnergyFilter.CollectionAngleRange.End", "value"))


def energy_calibration(meta: Item, name: str) -> tuple[float | None, float | None]:
    """Return offset and dispersion (eV) of stream `name`."""
    for part in x_ray_detectors(meta, name):
        offset, dispersion = number(part.get("OffsetEnergy")), positive(part.get("Dispersion"))
        if offset is not None and dispersion is not None:
            return offset, dispersion
    return None, None


def live_fraction(series: list[Item], frame: int, name: str, frame_time: float) -> float | None:
    """Return live time over real time in one frame, the mean over the stream's segments.

    The counters of Velox mostly run on from frame to frame and are read a little early; where they advance by at
    least half a frame the advance is used, else the reading itself.
    """
    if frame >= len(series):
        return None
    fractions = []
    for part in x_ray_detectors(series[frame], name):
        live, real = number(part.get("LiveTime")), number(part.get("RealTime"))
        if live is None or real is None:
            continue
        if frame > 0:
            before = [p for p in x_ray_detectors(series[frame - 1], name) if p["DetectorName"] == part["DetectorName"]]
            past_live = number(before[0].get("LiveTime")) if before else None
            past_real = number(before[0].get("RealTime")) if before else None
            if past_live is not None and past_real is not None and real - past_real > frame_time / 2:
                live, real = live - past_live, real - past_real
        if real > 0 and 0 <= live <= real:
            fractions.append(live / real)
    return sum(fractions) / len(fractions) if fractions else None


def detector_times(meta: Item, name: str) -> dict[str, float]:
    """Return live and real time (s) that the counters of stream `name` show, the mean over its segments."""
    out = {}
    for key, vendor in (("live_time", "LiveTime"), ("real_time", "RealTime")):
        found = [value for part in x_ray_detectors(meta, name) if (value := positive(part.get(vendor))) is not None]
        if found:
            out[key] = sum(found) / len(found)
    return out


def frame_attributes(meta: Item) -> Item:
    """Return what Velox states of one frame: screen current (A), rotation (rad) and time of a line (s)."""
    out: Item = {}
    current = positive(dig(meta, "Optics", "LastMeasuredScreenCurrent"))
    rotation = number(dig(meta, "Scan", "ScanRotation"))
    line = positive(dig(meta, "Scan", "LineTime"))
    if current is not None:
        out["screen_current"] = current
    if rotation is not None:
        out["rotation"] = rotation
    if line is not None:
        out["scan"] = {"line_time": line}
    return out


def start_time(meta: Item) -> str | None:
    """Return the start of the series, RFC 3339 in UTC."""
    seconds = positive(dig(meta, "Acquisition", "AcquisitionStartDatetime", "DateTime"))
    if seconds is None or seconds > 253402300799:
        return None
    return datetime.fromtimestamp(seconds, tz=timezone.utc).isoformat().replace("+00:00", "Z")


def series_metadata(meta: Item, elements: list[str]) -> Item:
    """Return the journal's metadata: what holds for the whole series."""
    tilt = [number(dig(meta, "Stage", key)) for key in ("AlphaTilt", "BetaTilt")]
    place = [number(dig(meta, "Stage", "Position", key)) for key in "xyz"]
    name = " ".join(str(dig(meta, "Instrument", key) or "") for key in ("InstrumentClass", "InstrumentModel"))
    out = {
        "beam_energy": positive(dig(meta, "Optics", "AccelerationVoltage")),
        "magnification": positive(dig(meta, "CustomProperties", "StemMagnification", "value")),
        "convergence_angle": positive(dig(meta, "Optics", "BeamConvergence")),
        "camera_length": positive(dig(meta, "Optics", "CameraLength")),
        "defocus": number(dig(meta, "Optics", "Defocus")),
        "stage_tilt": None if None in tilt else tilt,
        "stage_position": None if None in place else place,
        "microscope": name.strip() or None,
        "manufacturer": _text(dig(meta, "Instrument", "Manufacturer")),
        "electron_source": _text(dig(meta, "Acquisition", "SourceType")),
        "elements": elements or None,
    }
    return {key: value for key, value in out.items() if value is not None}


def _text(value: Any) -> str | None:
    return value.strip() or None if isinstance(value, str) else None


def chosen_elements(file: Any) -> list[str]:
    """Return the elements that any of the file's settings for quantification choose, each once."""
    out: list[str] = []
    for parent in ("Operations", "SharedProperties", "Data"):
        for kind, group in groups(file, parent):
            if "quantification" not in kind.lower():
                continue
            for key in group:
                selected = first(group, key).get("elementSelection")
                out += symbols(selected) if isinstance(selected, list) else []
    return list(dict.fromkeys(out))


def image_metadata(meta: Item, name: str) -> Item:
    """Return what is stated of an image's detector: collection angles (inner, outer; rad) and the scale of its values.

    The measured value is ``intensity_offset + intensity_scale * value`` in ``intensity_unit``.
    """
    out = _collection_angle(meta, name) or _collection_angle(meta, dig(meta, "BinaryResult", "Detector"))
    offset, scale = (number(dig(meta, "BinaryResult", f"Intensity{key}")) for key in ("Offset", "Scale"))
    if offset is not None and scale is not None:
        unit = dig(meta, "BinaryResult", "IntensityUnit")
        out.update(intensity_offset=offset, intensity_scale=scale, intensity_unit=str(unit or ""))
    return out


def camera_exposure(meta: Item) -> float | None:
    """Return the exposure (s) of the camera that took an image; scanned images have none."""
    name = dig(meta, "BinaryResult", "Detector")
    return next((value for part in _named(meta, name) if (value := positive(dig(part, "ExposureTime")))), None)


def _named(meta: Item, name: Any) -> list[Any]:
    items = dig(meta, "Detectors")
    return [part for part in (items.values() if isinstance(items, dict) else ()) if dig(part, "DetectorName") == name]


def _collection_angle(meta: Item, name: Any) -> Item:
    for part in _named(meta, name):
        inner = number(dig(part, "CollectionAngleRange", "begin"))
        outer = positive(dig(part, "CollectionAngleRange", "end"))
        if inner is not None and outer is not None:
            return {"collection_angle": [inner, outer]}
    return {}
