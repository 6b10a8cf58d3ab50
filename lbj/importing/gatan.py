"""Digital Micrograph: what the tags of a ``.dm3``, ``.dm4`` or TIFF say of its arrays; the arrays through rosettasciio.

The tags are those below ``ImageTags``. `Meta Data`/`Format` says whether an array holds spectra, whatever its units.
"""

from __future__ import annotations

import re
import struct
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ..errors import DamagedError, TruncatedError
from . import cubes, library
from . import hyperspy_names as hs
from .hyperspy_names import DEGREE, dig_tag
from .notes import left_out
from .units import number, positive, unit

if TYPE_CHECKING:
    from pathlib import Path

    from .library import Item
    from .source import Source

IMAGE = "ImageList.TagGroup0"

# tag, path below HyperSpy's Acquisition_instrument.TEM, what to multiply the tag's value by
_MICROSCOPE = (
    ("Microscope Info.Voltage", "beam_energy", 1e-3),
    ("Microscope Info.Stage Position.Stage Alpha", "Stage.tilt_alpha", 1.0),
    ("Microscope Info.Stage Position.Stage Beta", "Stage.tilt_beta", 1.0),
    ("Microscope Info.Stage Position.Stage X", "Stage.x", 1e-3),
    ("Microscope Info.Stage Position.Stage Y", "Stage.y", 1e-3),
    ("Microscope Info.Stage Position.Stage Z", "Stage.z", 1e-3),
    ("Microscope Info.Probe Current (nA)", "beam_current", 1.0),
    ("EELS.Acquisition.Number of frames", "Detector.EELS.frame_number", 1.0),
    ("EELS.Experimental Conditions.Convergence semi-angle (mrad)", "convergence_angle", 1.0),
    ("EELS.Experimental Conditions.Collection semi-angle (mrad)", "Detector.EELS.collection_angle", 1.0),
    ("EELS.Convergence semi-angle (mrad)", "convergence_angle", 1.0),
    ("EELS.Collection semi-angle (mrad)", "Detector.EELS.collection_angle", 1.0),
)
_NAMES = ("Session Info.Microscope", "Microscope Info.Name", "Microscope Info.Microscope")
# tag below EDS, the journal's name in the detector's metadata, factor
_X_RAY = (
    ("Detector Info.Elevation angle", "elevation", DEGREE),
    ("Detector Info.Azimuthal angle", "azimuth", DEGREE),
    ("Detector Info.Solid angle", "solid_angle", 1.0),
    ("Solid angle", "solid_angle", 1.0),
)
_STARTED = (
    ("{}.Acquisition.Date", "{}.Acquisition.Start time"),
    ("SI.Acquisition.Date", "SI.Acquisition.Start time"),
    ("DataBar.Acquisition Date", "DataBar.Acquisition Time"),
)
_SIGNALS = {"X-ray": "EDS_TEM", "EELS": "EELS", "CL": "CL"}


def read(path: Path) -> Source:
    """Open a Digital Micrograph file; see `lbj.importing.open_source`."""
    _check_size(path)
    notes: list[str] = []
    items = library.load(path, "digitalmicrograph")
    for item in items:
        tags = dig_tag(item["original_metadata"], f"{IMAGE}.ImageTags")
        tags = tags if isinstance(tags, dict) else {}
        built = dig_tag(tags, "source.Tags at creation")  # of a stack made of images
        interpret(item, {**tags, **built} if isinstance(built, dict) else tags, notes)
        item["original_metadata"] = tags  # the rest is how it was shown
    with library.quoting(path, "digitalmicrograph"):
        source = cubes.source(path, items, notes)
    source.frames = library.quoted(path, "digitalmicrograph", source.frames)
    return source


def _check_size(path: Path) -> None:
    """Check the length that the header states: bytes behind it, in big-endian order."""
    with open(path, "rb") as file:
        head = file.read(16)
    version = int.from_bytes(head[:4], "big")
    form = {3: ">I", 4: ">Q"}.get(version)
    if form is None or len(head) < 16:
        raise DamagedError(f"{path}: no Digital Micrograph file: it begins with {head[:8]!r}")
    begin = 4 + struct.calcsize(form) + 4
    declared = struct.unpack_from(form, head, 4)[0]
    size = path.stat().st_size
    if size < begin + declared - 8:  # versions count the last bytes differently
        raise TruncatedError(f"{path}: {declared} bytes of tags are announced, {size - begin} are there")


def interpret(item: Item, tags: dict[str, Any], notes: list[str]) -> None:
    """Tell an item's spectrum axis, signal type, times and settings from its tags."""
    axes, metadata = item["axes"], item["metadata"]
    form = str(dig_tag(tags, "Meta Data.Format") or "")
    kind = _kind(tags, axes, str(metadata.get("Signal", {}).get("signal_type") or ""))
    item["spectral"] = _spectral(axes, form, kind, "spim" in tags)
    metadata["Signal"] = {"signal_type": kind if item["spectral"] is not None else ""}
    units = dig_tag(item["original_metadata"], f"{IMAGE}.ImageData.Calibrations.Brightness.Units")
    if isinstance(units, str) and units:
        metadata["Signal"]["quantity"] = units
    if item["spectral"] is not None:
        channel = axes[item["spectral"]]
        if unit(channel.get("units"))[0] != "eV":
            if not unit(channel.get("units"))[0]:
                notes.append(f"{_title(item)}: its spectra are not calibrated in energy")
            elif kind == "CL" and unit(channel.get("units"))[0] == "m":
                channel["name"] = "Wavelength"
    item["mapping"] = {}
    microscope: dict[str, Any] = {}
    for tag, target, factor in (*_MICROSCOPE, *_optics(tags)):
        value = number(dig_tag(tags, tag))
        if value is not None:
            hs.put(microscope, target, value * factor)
    name = next(
        (text for tag in _NAMES if isinstance(text := dig_tag(tags, tag), str) and text not in ("", "Unknown")), None
    )
    if name:
        microscope["microscope"] = name
    for target, text in _texts(tags):
        if text:
            hs.put(microscope, target, text)
    specimen = dig_tag(tags, "Session Info.Specimen")
    if isinstance(specimen, str) and specimen not in ("", "[]"):
        hs.put(metadata, "Sample.description", specimen)
    metadata["Acquisition_instrument"] = {"TEM": microscope}
    _date(metadata, tags, {"EDS_TEM": "EDS"}.get(kind, kind or "EELS"))
    item["detector"] = {}
    if kind.startswith("EDS"):
        for tag, target, factor in _X_RAY:
            value = number(dig_tag(tags, f"EDS.{tag}"))
            if value is not None:
                item["detector"][target] = value * factor
    item["times"] = _times(tags, kind)
    _intensity(item, notes)


def _optics(tags: dict[str, Any]) -> list[tuple[str, str, float]]:
    """Return what the indicated magnification is: in TEM diffraction it is the camera length (mm)."""
    indicated = "Microscope Info.Indicated Magnification"
    parallel = dig_tag(tags, "Microscope Info.Illumination Mode") == "TEM"
    if parallel and dig_tag(tags, "Microscope Info.Imaging Mode") == "DIFFRACTION":
        return [(indicated, "camera_length", 1.0)]
    scanning = [] if parallel else [("Microscope Info.STEM Camera Length", "camera_length", 1.0)]
    return [(indicated, "magnification", 1.0), *scanning]


def _texts(tags: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return mode, spectrometer and the width of its aperture (mm), which the tags have as words."""
    mode, name = dig_tag(tags, "Microscope Info.Illumination Mode"), dig_tag(tags, "EELS Spectrometer.Instrument name")
    found = re.search(r"[\d.]+", str(dig_tag(tags, "EELS Spectrometer.Aperture label") or ""))
    scanning = "STEM" if "STEM" in str(mode) else "SEM" if "SEM" in str(mode) else "TEM"
    return [
        ("acquisition_mode", scanning if isinstance(mode, str) and mode else ""),
        ("Detector.EELS.spectrometer", name if isinstance(name, str) else ""),
        ("Detector.EELS.aperture_size", number(found[0]) if found else None),
    ]


def _title(item: Item) -> str:
    return str(item["metadata"].get("General", {}).get("title") or "array").replace(" ", "_")


def _kind(tags: dict[str, Any], axes: list[dict[str, Any]], found: str) -> str:
    """Return HyperSpy's signal type; where no tag says so, energies in eV are EELS and those in keV X-rays."""
    declared = _SIGNALS.get(str(dig_tag(tags, "Meta Data.Signal") or ""), found)
    spectra = [axis["units"] for axis in axes if unit(axis.get("units"))[0] == "eV"]
    return declared or ("" if not spectra else "EELS" if unit(spectra[0])[1] == 1.0 else "EDS_TEM")


def _spectral(axes: list[dict[str, Any]], form: str, kind: str, orsay: bool) -> int | None:
    """Return the axis of the spectrum: by its unit, else where Digital Micrograph puts it in an array of spectra."""
    for i, axis in enumerate(axes):
        energy = unit(axis.get("units"))[0] == "eV"
        if energy or (kind == "CL" and axis.get("name") == "Wavelength"):
            return i
    if not (form.startswith("Spectrum") or orsay or (kind and len(axes) == 1 and not form)):
        return None
    return 0 if len(axes) == 3 else len(axes) - 3 if len(axes) > 3 else len(axes) - 1


def _times(tags: dict[str, Any], kind: str) -> dict[str, float]:
    out = {
        "dwell_time": positive(dig_tag(tags, "SI.Acquisition.Pixel time (s)")),
        "live_time": positive(dig_tag(tags, "EDS.Live time")) if kind.startswith("EDS") else None,
        "real_time": positive(dig_tag(tags, "EDS.Real time")) if kind.startswith("EDS") else None,
        "exposure": _exposure(tags, kind),
    }
    sample = positive(dig_tag(tags, "DigiScan.Sample Time"))
    if out["dwell_time"] is None and sample is not None:
        out["dwell_time"] = sample * 1e-6
    return {name: value for name, value in out.items() if value is not None}


def _exposure(tags: dict[str, Any], kind: str) -> float | None:
    """Return the time of a whole stored spectrum or image: reads times the exposure of one."""
    if kind.startswith("EDS"):
        return None
    if not kind:
        camera = ("Detector.exposure (s)", "Detector.Exposure (s)", "High Level.Exposure (s)")
        found = (positive(dig_tag(tags, f"Acquisition.Parameters.{tag}")) for tag in camera)
        return next((value for value in found if value is not None), None)
    for tag in ("Integration time (s)", "Dwell time (s)"):
        whole = positive(dig_tag(tags, f"{kind}.Acquisition.{tag}"))
        if whole is not None:
            return whole
    one = positive(dig_tag(tags, f"{kind}.Acquisition.Exposure (s)"))
    reads = positive(dig_tag(tags, f"{kind}.Acquisition.Number of frames"))
    return one if one is None or reads is None else one * reads


def _date(metadata: dict[str, Any], tags: dict[str, Any], branch: str) -> None:
    for day, clock in _STARTED:
        date, time = dig_tag(tags, day.format(branch)), dig_tag(tags, clock.format(branch))
        if isinstance(date, str) and isinstance(time, str) and (stamp := _stamp(date, time)):
            metadata.setdefault("General", {}).update(date=stamp.date().isoformat(), time=stamp.time().isoformat())
            return


def _stamp(date: str, time: str) -> datetime | None:
    """Return a date and time of day as Windows writes them; none where day and month cannot be told apart."""
    parts = [int(part) for part in re.findall(r"\d+", date)]
    clock = re.match(r"\s*(\d{1,2})[:.](\d{2})(?:[:.](\d{2}))?\s*([AaPp])?", time)
    if len(parts) != 3 or clock is None:
        return None
    if parts[0] > 31:
        year, month, day = parts
    elif "." in date or parts[0] > 12:
        day, month, year = parts
    else:
        month, day, year = parts
    hour = int(clock[1]) % 12 + (12 if clock[4].lower() == "p" else 0) if clock[4] else int(clock[1])
    try:
        return datetime(year + (2000 if year < 100 else 0), month, day, hour, int(clock[2]), int(clock[3] or 0))  # noqa: DTZ001 -- local time of the microscope
    except ValueError:
        return None


def _intensity(item: Item, notes: list[str]) -> None:
    """Keep the unit of the values; a scale that turns them into it is noted, since values are stored as they are."""
    brightness = dig_tag(item["original_metadata"], f"{IMAGE}.ImageData.Calibrations.Brightness")
    scale, origin = number(dig_tag(brightness, "Scale")), number(dig_tag(brightness, "Origin"))
    units = dig_tag(brightness, "Units")
    if scale not in (None, 1.0) or origin not in (None, 0.0):
        text = f" {units}" if isinstance(units, str) and units else ""
        notes.append(left_out(f"{_title(item)}: values are as stored, not times {scale:g}{text} (origin {origin:g})"))
