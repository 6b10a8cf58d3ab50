"""TIFF through tifffile: images, stacks of frames, and Digital Micrograph's spectrum images."""

from __future__ import annotations

import logging
import math
import re
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..errors import DamagedError, LibraryError, UsageError
from . import cubes, gatan, library
from . import hyperspy_names as hs
from .hyperspy_names import dig_tag
from .naming import detector_name
from .notes import aside, left_out
from .units import number

if TYPE_CHECKING:
    from pathlib import Path

    from .library import Item
    from .source import Source

_AXES = {"T": "t", "Z": "z", "C": "channel", "Y": "y", "X": "x"}
_CLOCK = re.compile(r"(\d{4}[:-]\d\d[:-]\d\d)[ T](\d\d:\d\d:\d\d)")  # of the tag DateTime
LONGEST = 60  # characters of a description that are quoted
_DM_UNITS, _DM_ORIGIN, _DM_SCALE = 65003, 65006, 65009  # tags for x, y, z each


class Pages:
    """A series of TIFF pages as an array, one page read at a time; the file is open only while it is read."""

    def __init__(self, path: Path, place: int, series: Any, channel: tuple[int, int] | None) -> None:
        self.path, self.place, self.channel = path, place, channel
        shape = list(series.shape)
        if channel is not None:
            del shape[channel[0]]
        self.shape, self.dtype = tuple(shape), series.dtype
        self.ndim = len(self.shape)

    def __getitem__(self, key: tuple[slice, ...]) -> np.ndarray:
        with _open(self.path) as file:
            series = file.series[self.place]
            lead = math.prod(series.shape[:-2])
            if self.channel is None and self.ndim == 3 and len(series.pages) == lead:
                chosen = range(lead)[key[0]]
                block = np.stack([series.pages[i].asarray() for i in chosen])
                return np.asarray(block[(slice(None), *key[1:])])
            whole = series.asarray().reshape(series.shape)
            if self.channel is not None:
                whole = np.take(whole, self.channel[1], axis=self.channel[0])
            return np.asarray(whole[key])


def read(path: Path) -> Source:
    """Open a TIFF file; see `lbj.importing.open_source`."""
    notes: list[str] = []
    _check_chain(path)
    with _open(path) as file:
        items = [
            item
            for place, series in enumerate(file.series)
            if _is_stack(path, series, notes)
            for item in _items(path, file, place, series, notes)
        ]
        if not items:
            raise UsageError(f"{path}: no series of grey images; {'; '.join(notes)}")
    return cubes.source(path, items, notes)


def _check_chain(path: Path) -> None:
    """Follow the chain of pages to its end; one that leads back would keep tifffile for ever."""
    with open(path, "rb") as file:
        head = file.read(16)
        order: Literal["little", "big"] = "little" if head[:2] == b"II" else "big"
        big = int.from_bytes(head[2:4], order) == 43
        wide, entry, count = (8, 20, 8) if big else (4, 12, 2)
        at = int.from_bytes(head[8:16] if big else head[4:8], order)
        seen: set[int] = set()
        while at:
            if at in seen:
                raise DamagedError(f"{path}: its page {len(seen)} is followed by an earlier one", offset=at)
            seen.add(at)
            file.seek(at)
            entries = int.from_bytes(file.read(count), order)
            file.seek(at + count + entries * entry)
            at = int.from_bytes(file.read(wide), order)


def _open(path: Path) -> Any:
    try:
        import tifffile
    except ImportError as error:
        raise UsageError(f"{path}: reading TIFF needs tifffile: pip install 'mfsi[vendor]'") from error
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what it warns of is told by what is read
    return tifffile.TiffFile(path)


def _is_stack(path: Path, series: Any, notes: list[str]) -> bool:
    size = path.stat().st_size
    if series.dtype is not None and math.prod(series.shape) * series.dtype.itemsize > 1100 * size + (1 << 20):
        raise DamagedError(f"{path}: claims {series.dtype} of shape {series.shape}, but has {size} bytes")
    good = series.dtype is not None and series.dtype.kind in "biuf" and len(series.shape) >= 2 and 0 not in series.shape
    if not good or "S" in series.axes:
        notes.append(left_out(f"series {series.name!r} left out: {series.dtype} {series.axes} of shape {series.shape}"))
        return False
    return True


def _items(path: Path, file: Any, place: int, series: Any, notes: list[str]) -> list[Item]:
    """Return a series as one item, or one per channel."""
    declared = (
        series.name if file.is_ome else dig_tag(file.fei_metadata, "Detectors.Name") if file.pages[0].is_fei else ""
    )
    name = str(declared or detector_name(series.name or "", path.stem))
    axes = [{"name": _AXES.get(letter, ""), "size": n} for letter, n in zip(series.axes, series.shape, strict=True)]
    metadata = _calibrate(path, file, place, axes, notes)
    by_gatan = _DM_SCALE in file.pages[0].tags
    at = -1 if by_gatan else series.axes.find("C")
    if at < 0:
        item: Item = {"data": Pages(path, place, series, None), "axes": axes, "metadata": metadata}
        item |= {"name": name, "original_metadata": {}}
        if by_gatan:
            gatan.interpret(item, {}, notes)
            if not _by_hyperspy(file.pages[0].tags):
                notes.append(aside("Digital Micrograph's own tags in the TIFF are not read, only its axes"))
            if item["spectral"] is not None:
                del item["name"]
        return [item]
    notes.append(f"{name}: its {series.shape[at]} channels are stored as images of their own")
    rest = [axis for i, axis in enumerate(axes) if i != at]
    return [
        {
            "data": Pages(path, place, series, (at, i)),
            "axes": rest,
            "metadata": metadata,
            "name": f"{name}-{i + 1}",
            "spectral": None,
        }
        for i in range(series.shape[at])
    ]


def _calibrate(path: Path, file: Any, place: int, axes: list[dict[str, Any]], notes: list[str]) -> dict[str, Any]:
    """Add scales to the axes: of OME, ImageJ or Digital Micrograph by their tags, of others by rosettasciio."""
    by_name = {axis["name"]: axis for axis in axes}
    page = file.pages[0]
    tags = page.tags
    if file.is_ome:
        import tifffile

        images = tifffile.xml2dict(file.ome_metadata).get("OME", {}).get("Image", {})
        pixels = (images if isinstance(images, list) else [images])[place].get("Pixels", {})
        for letter in "xyz":
            if letter in by_name and f"PhysicalSize{letter.upper()}" in pixels:
                units = pixels.get(f"PhysicalSize{letter.upper()}Unit", "µm")
                by_name[letter].update(offset=0.0, scale=pixels[f"PhysicalSize{letter.upper()}"], units=units)
        if "t" in by_name and "TimeIncrement" in pixels:
            units = pixels.get("TimeIncrementUnit", "s")
            by_name["t"].update(offset=0.0, scale=pixels["TimeIncrement"], units=units)
    elif _DM_SCALE in tags:
        hyperspy = _by_hyperspy(tags)
        for i, axis in enumerate(reversed(axes[-3:])):
            scale, origin = (tags[tag + i].value if tag + i in tags else 0.0 for tag in (_DM_SCALE, _DM_ORIGIN))
            units = tags[_DM_UNITS + i].value if _DM_UNITS + i in tags else ""
            step = 1.0 if hyperspy else -scale  # the origin is in pixels, but for HyperSpy
            axis.update(offset=origin * step, scale=scale, units=units)
    elif file.is_imagej:
        _imagej(file.imagej_metadata, tags, by_name)
    elif place == 0 and (page.is_fei or page.is_sem or page.is_tvips or page.is_sis or _make(tags) == "JEOL Ltd."):
        return _vendor(path, axes, notes)
    elif place == 0:
        _say_resolution(tags, notes)
        return _plain(file, notes)
    return {}


def _imagej(told: dict[str, Any], tags: Any, by_name: dict[str, dict[str, Any]]) -> None:
    """Add ImageJ's scales: pixels and the distance of slices in its unit, the time between frames in s."""
    if "t" in by_name and number(told.get("finterval")):
        by_name["t"].update(offset=0.0, scale=told["finterval"], units=told.get("tunit", "s"))
    if told.get("unit") in (None, "", "pixel", "inch"):
        return
    unit = str(told["unit"])
    for letter, tag in (("y", "YResolution"), ("x", "XResolution")):
        if tag in tags and letter in by_name:
            per, units = tags[tag].value
            by_name[letter].update(offset=0.0, scale=units / per if per else None, units=unit)
    if "z" in by_name and number(told.get("spacing")):
        by_name["z"].update(offset=0.0, scale=told["spacing"], units=unit)


def _plain(file: Any, notes: list[str]) -> dict[str, Any]:
    """Return what a TIFF of no known program states of itself: when it was written; its description is named."""
    tags = file.pages[0].tags
    text = str(getattr(tags.get("ImageDescription"), "value", "")).strip()
    if text and not (file.is_imagej or file.is_ome or file.is_shaped):
        notes.append(aside(f"its description is left out: {text[:LONGEST]!r}"))
    clock = _CLOCK.match(str(getattr(tags.get("DateTime"), "value", "")))
    return {"General": {"date": clock[1].replace(":", "-"), "time": clock[2]}} if clock else {}


def _by_hyperspy(tags: Any) -> bool:
    return "hyperspy" in str(getattr(tags.get("Software"), "value", "")).lower()


def _make(tags: Any) -> str:
    return str(tags["Make"].value) if "Make" in tags else ""


def _say_resolution(tags: Any, notes: list[str]) -> None:
    """Name a resolution that may be more than that of a printer."""
    unit = int(tags["ResolutionUnit"].value) if "ResolutionUnit" in tags else 1
    if unit in (2, 3) and "XResolution" in tags:
        per, units = tags["XResolution"].value
        if units and per / units > 600:
            length = "inch" if unit == 2 else "cm"
            notes.append(f"no pixel size is stored: {per / units:g} pixels per {length} may be that of the print")


def _vendor(path: Path, axes: list[dict[str, Any]], notes: list[str]) -> dict[str, Any]:
    """Take scales and settings from rosettasciio, which knows the private tags of many microscopes."""
    try:
        found = library.load(path, "tiff")
    except (UsageError, LibraryError) as error:
        notes.append(f"the scales in its vendor's tags are not read: {error}")
        return {}
    theirs = found[0]["axes"] if found else []
    if [axis["size"] for axis in theirs] == [axis["size"] for axis in axes]:
        for axis, other in zip(axes, theirs, strict=True):
            if other.get("units") not in (None, "", "<undefined>"):
                axis.update({key: other.get(key) for key in ("offset", "scale", "units")})
    if not any(axis.get("scale") for axis in axes):
        notes.append("no scale was found in its vendor's tags")
    metadata = hs.with_vendor_tags(found[0]) if found else {}
    for mode in ("SEM", "TEM"):
        metadata.get("Acquisition_instrument", {}).get(mode, {}).pop("Stage", None)  # in each vendor's own unit
    return metadata
