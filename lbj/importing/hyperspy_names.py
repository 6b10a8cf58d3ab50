"""HyperSpy's metadata names beside the journal's; used to read and to write them."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from .elements import symbols
from .units import number, positive, unit

DEGREE = math.pi / 180

# HyperSpy's path below Acquisition_instrument.TEM (or .SEM), the journal's name, what to multiply HyperSpy's value by
SERIES = (
    ("beam_energy", "beam_energy", 1e3),
    ("magnification", "magnification", 1.0),
    ("convergence_angle", "convergence_angle", 1e-3),
    ("camera_length", "camera_length", 1e-3),
    ("Detector.EELS.collection_angle", "collection_angle", 1e-3),
)
DETECTOR = (
    ("Detector.EDS.elevation_angle", "elevation", DEGREE),
    ("Detector.EDS.azimuth_angle", "azimuth", DEGREE),
    ("Detector.EDS.energy_resolution_MnKa", "energy_resolution", 1.0),
    ("Detector.EDS.solid_angle", "solid_angle", 1.0),
)
TIMES = (
    ("Detector.EDS.live_time", "live_time", 1.0),
    ("Detector.EDS.real_time", "real_time", 1.0),
    ("Detector.EELS.dwell_time", "dwell_time", 1.0),
    ("Detector.EELS.exposure", "exposure", 1.0),
    ("dwell_time", "dwell_time", 1.0),
    ("Camera.exposure", "exposure", 1.0),
    ("Detector.Camera.exposure", "exposure", 1.0),
)
OPTICAL_TIMES = (("integration_time", "exposure"), ("exposure", "exposure"))  # Acquisition_instrument.Detector, s
BEAM_CURRENT = ("beam_current", "beam_current", 1e-9)
TILTS = ("Stage.tilt_alpha", "Stage.tilt_beta")
STAGE = ("Stage.x", "Stage.y", "Stage.z")  # mm; the journal's stage_position is in m
SPECTROMETER = (("Detector.EELS.aperture_size", "aperture", 1e-3), ("Detector.EELS.frame_number", "reads", 1.0))


def dig(item: Any, path: str) -> Any:
    """Return the member at the dotted `path`, or None."""
    for key in path.split("."):
        item = item.get(key) if isinstance(item, dict) else None
    return item


def dig_tag(item: Any, path: str) -> Any:
    """Return the member at the dotted `path`, or None; names are compared as HyperSpy does, blanks as underscores."""
    for key in path.split("."):
        if not isinstance(item, dict):
            return None
        item = item[key] if key in item else next((item[k] for k in item if slug(str(k)) == slug(key)), None)
    return item


def listed(elements: Any) -> list[Any]:
    """Return a list of elements, which may be one text."""
    if isinstance(elements, str):
        return re.split(r"[\s,;]+", elements.strip())
    return [] if elements is None else np.ravel(elements).tolist()


def slug(key: str) -> str:
    """Return a name as HyperSpy spells it in its trees."""
    return re.sub(r"[^0-9A-Za-z_ ]", "", key).strip().replace(" ", "_")


def put(item: dict[str, Any], path: str, value: Any) -> None:
    """Set the member at the dotted `path`."""
    *parents, last = path.split(".")
    for key in parents:
        if not isinstance(item.get(key), dict):
            item[key] = {}
        item = item[key]
    item[last] = value


def instrument(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return the part of HyperSpy's `metadata` that tells of the microscope."""
    found = dig(metadata, "Acquisition_instrument.TEM") or dig(metadata, "Acquisition_instrument.SEM")
    return found if isinstance(found, dict) else {}


def with_vendor_tags(item: dict[str, Any]) -> dict[str, Any]:
    """Return HyperSpy's metadata with what rosettasciio maps from the vendor's tags, no personal data among it."""
    out = dict(item.get("metadata") or {})
    wanted = ("Acquisition_instrument.", "General.date", "General.time")
    for path, (target, convert) in (item.get("mapping") or {}).items():
        value = dig_tag(item.get("original_metadata"), path)
        if value is None or not target.startswith(wanted):
            continue
        try:
            value = convert(value) if convert else value
        except (ValueError, TypeError, KeyError, AttributeError, IndexError, ArithmeticError):
            continue
        if value is not None:
            put(out, target, value)
    return out


def declared(microscope: dict[str, Any], path: str, factor: float) -> float | None:
    """Return a number in the journal's unit: by the unit beside it (``dwell_time_units``), else by `factor`."""
    value = number(dig(microscope, path))
    text, own = unit(dig(microscope, f"{path}_units"))
    return None if value is None else value * (own if text in ("eV", "m", "s", "rad") else factor)


def series_metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return the journal's metadata that HyperSpy's `metadata` states."""
    microscope = instrument(metadata)
    out: dict[str, Any] = {}
    for path, name, factor in SERIES:
        value = positive(declared(microscope, path, factor))
        if value is not None:
            out[name] = value
    tilt = [number(dig(microscope, path)) for path in TILTS]
    if tilt[0] is not None:
        out["stage_tilt"] = [value * DEGREE for value in tilt if value is not None]
    place = [number(dig(microscope, path)) for path in STAGE]
    if place[0] is not None and place[1] is not None:
        out["stage_position"] = [value * 1e-3 for value in place if value is not None]
    elements = dig(metadata, "Sample.elements")
    if symbols(listed(elements)):
        out["elements"] = symbols(listed(elements))
    texts = {
        "microscope": microscope.get("microscope"),
        "acquisition_mode": microscope.get("acquisition_mode"),
        "specimen": dig(metadata, "Sample.description"),
        "title": dig(metadata, "General.title"),
    }
    out.update((name, text) for name, text in texts.items() if isinstance(text, str) and text)
    day, time = dig(metadata, "General.date"), dig(metadata, "General.time")
    if isinstance(day, str) and day:
        out["local_start_time"] = f"{day}T{time}" if isinstance(time, str) and time else day
    return out


def detector_metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return what HyperSpy's `metadata` states of the detector: angles (rad), resolution (eV), what is counted."""
    microscope = instrument(metadata)
    found = {name: number(dig(microscope, path)) for path, name, _ in DETECTOR}
    out: dict[str, Any] = {name: v * factor for _, name, factor in DETECTOR if (v := found[name]) is not None}
    for path, name, factor in SPECTROMETER:
        value = positive(declared(microscope, path, factor))
        if value is not None:
            out[name] = value
    spectrometer = dig(microscope, "Detector.EELS.spectrometer")
    if isinstance(spectrometer, str) and spectrometer:
        out["spectrometer"] = spectrometer
    quantity = dig(metadata, "Signal.quantity")
    if isinstance(quantity, str) and quantity:
        out["quantity"] = quantity
    return out


def times(metadata: dict[str, Any]) -> dict[str, float]:
    """Return live, real, dwell and exposure time (s) that HyperSpy's `metadata` states."""
    microscope = instrument(metadata)
    out: dict[str, float] = {}
    known = [(declared(microscope, path, factor), name) for path, name, factor in TIMES]
    known += [(dig(metadata, f"Acquisition_instrument.Detector.{key}"), name) for key, name in OPTICAL_TIMES]
    for time, name in known:
        value = positive(time)
        if value is not None:
            out.setdefault(name, value)
    return out
