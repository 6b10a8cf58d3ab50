"""TIFF: one image or a stack of frames per series, through tifffile."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DamagedError, UsageError
from ..signal import Signal
from .arrays import storable
from .naming import detector_name, unique_names
from .source import Frame, Source
from .units import Axis, linear_axis

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def read(path: Path) -> Source:
    """Open a TIFF file; see `lbj.importing.open_source`."""
    with _open(path) as file:
        notes: list[str] = []
        found = [(i, series) for i, series in enumerate(file.series) if _is_stack(path, series, notes)]
        if not found:
            raise UsageError(f"{path}: no series of grey images; {'; '.join(notes)}")
        names = [s.name if file.is_ome and s.name else detector_name(s.name or "", path.stem) for _, s in found]
        names = unique_names(names, [None] * len(found))
        depths = [series.shape[0] if len(series.shape) == 3 else 1 for _, series in found]
        if len(set(depths)) > 1:
            raise UsageError(f"{path}: its image series have {depths} frames")
        signals = [
            Signal(
                name,
                "image",
                s.shape[-2:],
                dtype=storable(np.empty(0, s.dtype)).dtype.name,
                axes=_axes(file, i, s.shape),
            )
            for name, (i, s) in zip(names, found, strict=True)
        ]
    places = dict(zip(names, (i for i, _ in found), strict=True))
    return Source(signals, _frames(path, places, depths[0]), depths[0], notes=notes)


def _open(path: Path) -> Any:
    try:
        import tifffile
    except ImportError as error:
        raise UsageError(f"{path}: reading TIFF needs tifffile: pip install mfsi[vendor]") from error
    return tifffile.TiffFile(path)


def _is_stack(path: Path, series: Any, notes: list[str]) -> bool:
    size = path.stat().st_size
    if series.dtype is not None and math.prod(series.shape) * series.dtype.itemsize > 1100 * size + (1 << 20):
        raise DamagedError(f"{path}: claims {series.dtype} of shape {series.shape}, but has {size} bytes")
    good = (
        series.dtype is not None
        and series.dtype.kind in "biuf"
        and len(series.shape) in (2, 3)
        and 0 not in series.shape
    )
    if not good or series.axes.endswith("S"):
        notes.append(f"series {series.name!r} left out: {series.dtype} {series.axes} of shape {series.shape}")
        return False
    return True


def _axes(file: Any, index: int, shape: tuple[int, ...]) -> list[Axis]:
    scales: dict[str, Any] = {}
    unit: Any = None
    if file.is_ome:
        import tifffile

        images = tifffile.xml2dict(file.ome_metadata).get("OME", {}).get("Image", {})
        pixels = (images if isinstance(images, list) else [images])[index].get("Pixels", {})
        scales = {"y": pixels.get("PhysicalSizeY"), "x": pixels.get("PhysicalSizeX")}
        unit = pixels.get("PhysicalSizeXUnit", "µm")
    elif file.is_imagej and file.imagej_metadata.get("unit") not in (None, "", "pixel", "inch"):
        unit = str(file.imagej_metadata["unit"]).replace("\\u00B5", "µ").replace("micron", "µm")
        for axis, tag in (("y", "YResolution"), ("x", "XResolution")):
            if tag in file.pages[0].tags:
                per, units = file.pages[0].tags[tag].value
                scales[axis] = units / per if per else None
    return [linear_axis(name, n, 0.0, scales.get(name), unit) for name, n in zip("yx", shape[-2:], strict=True)]


def _frames(path: Path, places: dict[str, int], n_frames: int) -> Iterator[Frame]:
    with _open(path) as file:
        for i in range(n_frames):
            yield {name: storable(_plane(file.series[place], i, n_frames)) for name, place in places.items()}, {}


def _plane(series: Any, frame: int, n_frames: int) -> np.ndarray:
    """Return one frame; a stack may be stored as a page per frame or as a single page."""
    if len(series.pages) == n_frames:
        return np.asarray(series.pages[frame].asarray())
    return np.asarray(series.asarray().reshape(-1, *series.shape[-2:])[frame])
