"""Velox metadata: the JSON beside each image and stream, in the journal's names and units."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

from .elements import symbols
from .units import number, positive

Item = dict[str, Any]


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


def x_ray_detectors(meta: Item, name: str) -> list[Item]:
    """Return the physical detectors of stream `name`: itself, or the segments of which it is the sum."""
    items = dig(meta, "Detectors")
    every = [d for d in items.values() if isinstance(d, dict)] if isinstance(items, dict) else []
    every = [d for d in every if d.get("DetectorType") == "AnalyticalDetector"]
    same = [d for d in every if d.get("DetectorName") == name]
    return same or [d for d in every if name and str(d.get("DetectorName", "")).startswith(name)]


def is_x_ray(meta: Item, name: str) -> bool:
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
    solid = [positive(part.get("CollectionAngle")) for part in parts]
    if solid and None not in solid:
        out["solid_angle"] = sum(value for value in solid if value)
    return out


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


def dwell_time(meta: Item) -> float | None:
    """Return the time per pixel (s); None where lines are scanned more than once, of which nothing is known."""
    if number(dig(meta, "Scan", "LineIntegrationCount")) not in (None, 1.0):
        return None
    return positive(dig(meta, "Scan", "DwellTime"))


def frame_attributes(meta: Item) -> Item:
    """Return what Velox states of one frame: screen current (A) and rotation (rad)."""
    out: Item = {}
    current = positive(dig(meta, "Optics", "LastMeasuredScreenCurrent"))
    rotation = number(dig(meta, "Scan", "ScanRotation"))
    if current is not None:
        out["screen_current"] = current
    if rotation is not None:
        out["rotation"] = rotation
    return out


def start_time(meta: Item) -> str | None:
    """Return the start of the series, RFC 3339 in UTC."""
    seconds = positive(dig(meta, "Acquisition", "AcquisitionStartDatetime", "DateTime"))
    if seconds is None or seconds > 253402300799:
        return None
    return datetime.fromtimestamp(seconds, tz=timezone.utc).isoformat().replace("+00:00", "Z")


def series_metadata(meta: Item, element_selection: Any) -> Item:
    """Return the journal's metadata: what holds for the whole series."""
    tilt = [number(dig(meta, "Stage", key)) for key in ("AlphaTilt", "BetaTilt")]
    name = " ".join(str(dig(meta, "Instrument", key) or "") for key in ("InstrumentClass", "InstrumentModel"))
    selected = element_selection if isinstance(element_selection, list) else []
    out = {
        "beam_energy": positive(dig(meta, "Optics", "AccelerationVoltage")),
        "magnification": positive(dig(meta, "CustomProperties", "StemMagnification", "value")),
        "convergence_angle": positive(dig(meta, "Optics", "BeamConvergence")),
        "camera_length": positive(dig(meta, "Optics", "CameraLength")),
        "stage_tilt": None if None in tilt else tilt,
        "microscope": name.strip() or None,
        "elements": symbols(selected) or None,
    }
    return {key: value for key, value in out.items() if value is not None}


def collection_angle(meta: Item, name: str) -> Item:
    """Return inner and outer collection angle (rad) of the image detector `name`, where they are set."""
    items = dig(meta, "Detectors")
    for part in items.values() if isinstance(items, dict) else ():
        if dig(part, "DetectorName") == name:
            inner = number(dig(part, "CollectionAngleRange", "begin"))
            outer = positive(dig(part, "CollectionAngleRange", "end"))
            if inner is not None and outer is not None:
                return {"collection_angle": [inner, outer]}
    return {}
