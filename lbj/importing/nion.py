"""Nion Swift data items: ``.ndata`` and ``.ndata1`` (a zip of data.npy and metadata.json) and ``.h5``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DamagedError, UsageError
from . import cubes
from .arrays import Npz, open_hdf5, stored
from .hdf5_data import Dataset
from .hyperspy_names import put
from .notes import left_out
from .units import number, positive, unit

if TYPE_CHECKING:
    from pathlib import Path

    from .library import Item
    from .source import Source

MAX_JSON = 1 << 26


def read(path: Path) -> Source:
    """Open a data item that is a zip; see `lbj.importing.open_source`."""
    archive = Npz(path)
    try:
        info = archive.zip.getinfo("metadata.json")
        if info.file_size > MAX_JSON:
            raise DamagedError(f"{path}: metadata.json claims {info.file_size} bytes")
        properties = _parsed(path, archive.zip.read(info))
        column = archive.column("data")
        data = column.take(column.shape[0]) if column.shape else np.empty(0)
    except KeyError as error:
        raise UsageError(f"{path}: no data item of Nion Swift: {error}") from error
    finally:
        archive.close()
    return _source(path, data, properties)


def read_hdf5(path: Path) -> Source:
    """Open a data item that is an HDF5 file; see `lbj.importing.open_source`."""
    with open_hdf5(path) as file:
        array = file["data"]
        text = array.attrs.get("properties", "{}")
        properties = _parsed(path, text if isinstance(text, (str, bytes)) else str(text))
        data = Dataset(path, stored(path, array))
    return _source(path, data, properties)


def _parsed(path: Path, text: str | bytes) -> dict[str, Any]:
    try:
        out = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"{path}: its properties are no JSON: {error}") from error
    if not isinstance(out, dict):
        raise DamagedError(f"{path}: its properties are no JSON object")
    sources = out.get("data_sources")
    inner = sources[0] if isinstance(sources, list) and sources and isinstance(sources[0], dict) else {}
    return {**inner, **{key: value for key, value in out.items() if key != "metadata" or not inner.get("metadata")}}


def _source(path: Path, data: Any, properties: dict[str, Any]) -> Source:
    notes: list[str] = []
    ndim = len(data.shape)
    sequence = bool(properties.get("is_sequence"))
    datum = _count(properties.get("datum_dimension_count"), min(2, ndim))
    collection = _count(properties.get("collection_dimension_count"), max(0, ndim - datum - sequence))
    if sequence + collection + datum != ndim:
        notes.append(
            f"its properties tell of {int(sequence)} + {collection} + {datum} dimensions, the array has {ndim}: "
            "they are taken by their order"
        )
        sequence, collection, datum = ndim > 2, 0, min(2, ndim)
    axes = [
        {"size": size, "navigate": i < ndim - datum, **_calibration(properties, i)} for i, size in enumerate(data.shape)
    ]
    metadata, times = _metadata(properties)
    item: Item = {
        "data": data,
        "axes": axes,
        "metadata": metadata,
        "original_metadata": properties,
        "spectral": ndim - 1 if datum == 1 and ndim else None,
        "frames": 0 if sequence else None,
        "times": times,
    }
    if item["spectral"] is not None and unit(axes[-1].get("units"))[0] == "eV":
        put(metadata, "Signal.signal_type", "EELS")
    name = _detector(properties)
    if name and item["spectral"] is None:
        item["name"] = name
    intensity = properties.get("intensity_calibration")
    if isinstance(intensity, dict) and (
        number(intensity.get("scale")) not in (None, 1.0) or number(intensity.get("offset")) not in (None, 0.0)
    ):
        notes.append(left_out(f"values are as stored, not in the units of the intensity calibration {intensity}"))
    return cubes.source(path, [item], notes)


def _count(value: Any, default: int) -> int:
    return value if isinstance(value, int) and 0 <= value <= 4 else default


def _calibration(properties: dict[str, Any], index: int) -> dict[str, Any]:
    for key in ("dimensional_calibrations", "spatial_calibrations"):
        found = properties.get(key)
        if isinstance(found, list) and index < len(found) and isinstance(found[index], dict):
            units = found[index].get("units") or ""
            if not units and number(found[index].get("scale")) in (None, 1.0):
                return {}
            return {"offset": found[index].get("offset", 0.0), "scale": found[index].get("scale", 1.0), "units": units}
    return {}


def _hardware(properties: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the parts of the metadata that tell of detector, scan and microscope, in the order to ask them."""
    metadata = properties.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    parts = [metadata.get(key) for key in ("hardware_source", "scan", "instrument")]
    found = [part for part in parts if isinstance(part, dict)]
    inner = [part.get(key) for part in found for key in ("autostem", "scan", "properties", "ImageScanned")]
    return [*found, *(part for part in inner if isinstance(part, dict)), metadata]


def _ask(properties: dict[str, Any], *names: str) -> Any:
    return next((part[name] for part in _hardware(properties) for name in names if part.get(name) is not None), None)


def _metadata(properties: dict[str, Any]) -> tuple[dict[str, Any], dict[str, float]]:
    out: dict[str, Any] = {"General": {"title": str(properties.get("title") or "")}, "Signal": {"signal_type": ""}}
    volts = positive(_ask(properties, "high_tension", "high_voltage", "high_tension_v", "ImageScanned:EHT", "EHT"))
    if volts is not None:
        put(out, "Acquisition_instrument.TEM.beam_energy", volts / 1e3)
    angle = positive(_ask(properties, "convergence_angle_rad", "ConvergenceAngle"))
    if angle is not None:
        put(out, "Acquisition_instrument.TEM.convergence_angle", angle * 1e3)
    angle = positive(_ask(properties, "collection_angle_rad", "CollectionAngle"))
    if angle is not None:
        put(out, "Acquisition_instrument.TEM.Detector.EELS.collection_angle", angle * 1e3)
    created = str(properties.get("created") or "")
    if len(created) >= 19 and created[10] == "T":
        out["General"].update(date=created[:10], time=created[11:19])
    times: dict[str, float] = {}
    exposure = positive(_ask(properties, "exposure", "exposure_s"))
    if exposure is not None:
        times["exposure"] = exposure
    dwell = positive(_ask(properties, "pixel_time_us"))
    if dwell is not None:
        times["dwell_time"] = dwell * 1e-6
    return out, times


def _detector(properties: dict[str, Any]) -> str:
    name = _ask(properties, "channel_name")
    return name if isinstance(name, str) else ""
