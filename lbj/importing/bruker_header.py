"""Bruker header: what the XML of a `.bcf` says of pixel sizes, dwell time, tilt, passes and images."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from ..errors import DamagedError
from .units import number, positive

if TYPE_CHECKING:
    from .bruker_container import Container

FILE = "EDSDatabase/HeaderData"
Item = dict[str, Any]


@dataclass(frozen=True)
class Image:
    """Images of one size: their names, (rows, columns), and size of a pixel (y, x) in m, where it is stated.

    An overview shows more than the map, which is its rectangle `part`: (top, left, bottom, right) in its pixels.
    """

    names: list[str]
    shape: tuple[int, int]
    pixel: tuple[float, float] | None
    overview: bool = False
    part: tuple[float, float, float, float] | None = None

    def to_field(self, pixels: tuple[int, int]) -> list[list[float]] | None:
        """Return the affine map from an overview's pixels (y, x) to those of the map, where its place is known."""
        if self.part is None:
            return None
        top, left, bottom, right = self.part
        sy, sx = pixels[0] / (bottom - top), pixels[1] / (right - left)
        return [[sy, 0.0, (0.5 - top) * sy - 0.5], [0.0, sx, (0.5 - left) * sx - 0.5]]


@dataclass(frozen=True)
class Header:
    """What the header says.

    Attributes
    ----------
    pixel : (y, x) of the map, m
    tilt : of the specimen, degrees
    passes : how often each line was scanned
    dwell : s per pixel of one pass
    images : list of Image
    pixel_times : whether a time of its own is stored for each pixel
    """

    pixel: tuple[float, float] | None
    tilt: float | None
    passes: list[int]
    dwell: float | None
    images: list[Image]
    pixel_times: bool


def read(container: Container) -> Header:
    """Read the header of an open container.

    Raises
    ------
    DamagedError
        If it is no XML, or has no spectrum database.
    """
    text = container.read("HeaderData")
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 -- expat limits what entities may expand to
    except ElementTree.ParseError as error:
        raise DamagedError(f"{container.path}: its header is no XML: {error}") from error
    base = root.find("./ClassInstance[@Type='TRTSpectrumDatabase']")
    if base is None:
        raise DamagedError(f"{container.path}: its header has no spectrum database")
    microscope = base.find("./ClassInstance[@Type='TRTSEMData']")
    passes = [int(n) for n in re.findall(r"\d{1,9}", base.findtext("./LineCounter") or "")]
    scan = base.find("./ClassInstance[@Type='TRTDSPConfiguration']")
    factors = [positive(_text(scan, key)) for key in ("PixelAverage", "LineAverage", "PixelTime")]
    dwell = 1e-6
    for factor in factors:
        dwell *= factor or 0.0
    tilt = next((value for node in base.iter("TiltAngle") if (value := positive(node.text)) is not None), None)
    found = [_image(node, overview=False) for node in base.findall("./ClassInstance[@Type='TRTImageData']")]
    overviews = base.findall(".//ClassInstance[@Name='OverviewImages']//ClassInstance[@Type='TRTImageData']")
    found += [_image(node, overview=True) for node in overviews]
    timed = base.findtext("./ClassInstance[@Name='PixelTimes']/Plane0/Data") or ""
    images = [image for image in found if image.names]
    return Header(_pixel(microscope, "DY", "DX"), tilt, passes, dwell or None, images, bool(timed.strip("A=\r\n\t ")))


def _image(node: ElementTree.Element, *, overview: bool) -> Image:
    shape = [int(number(_text(node, key)) or 0) for key in ("Height", "Width")]
    names = [plane.findtext("./Description") or "" for plane in node if re.fullmatch(r"Plane\d+", plane.tag)]
    if node.get("Name") and not overview:  # counters and times
        names = []
    pixel = _pixel(node, "YCalibration", "XCalibration")
    return Image(names, (shape[0], shape[1]), pixel, overview, _part(node) if overview else None)


def _part(node: ElementTree.Element) -> tuple[float, float, float, float] | None:
    rectangle = node.find(".//ClassInstance[@Name='Map']//TRTOverlayElement/Rect")
    sides = [number(_text(rectangle, key)) for key in ("Top", "Left", "Bottom", "Right")]
    if None in sides:
        return None
    top, left, bottom, right = (side or 0.0 for side in sides)
    return (top, left, bottom, right) if bottom > top and right > left else None


def _pixel(node: ElementTree.Element | None, y: str, x: str) -> tuple[float, float] | None:
    sizes = [positive(_text(node, key)) for key in (y, x)]
    return None if sizes[0] is None or sizes[1] is None else (sizes[0] * 1e-6, sizes[1] * 1e-6)


def _text(node: ElementTree.Element | None, key: str) -> str | None:
    return None if node is None else node.findtext(f"./{key}")


def apply(header: Header, items: list[Item], notes: list[str]) -> None:
    """Put into the arrays that rosettasciio read what the header says and rosettasciio gets wrong or leaves out."""
    maps = [item for item in items if item["data"].ndim == 3]
    shape = maps[0]["data"].shape[:2] if maps else None
    for item in maps:
        _calibrate(item["axes"][:2], header.pixel)
        _complete(header, item, notes)
    left = [image for image in header.images for _ in image.names]
    for item in items:
        if item["data"].ndim != 2:
            continue
        title = item["metadata"].get("General", {}).get("title", "")
        fitting = [image for image in left if image.shape == item["data"].shape and title in image.names]
        image = next(iter(fitting), None)
        if image is not None:
            left.remove(image)
            if image.overview:
                item["overview"] = image
        pixel = image.pixel if image is not None else None
        same = item["data"].shape == shape and not (image is not None and image.overview)
        if pixel is None and not same:
            notes.append(f"{title or 'image'}: its pixel size is not stated")
        _calibrate(item["axes"], pixel or (header.pixel if same else None))
    shown = [item["metadata"].get("General", {}).get("title", "") for item in items if item["data"].ndim == 2]
    empty = [name for image in header.images for name in image.names if name not in shown]
    if empty:
        notes.append(f"{', '.join(empty)} left out: images of zeros, which were not recorded")
    if header.pixel_times:
        notes.append("times of single pixels left out")


def _calibrate(axes: list[Item], pixel: tuple[float, float] | None) -> None:
    for i, axis in enumerate(axes):
        axis.update(scale=pixel[i] if pixel else None, offset=0.0, units="m" if pixel else None)


def _complete(header: Header, item: Item, notes: list[str]) -> None:
    instrument = item["metadata"].setdefault("Acquisition_instrument", {})
    node = instrument.setdefault(next(iter(instrument), "SEM"), {})
    if header.tilt is not None:
        node.setdefault("Stage", {})["tilt_alpha"] = header.tilt
    passes = header.passes[: item["data"].shape[0]]
    if not passes or header.dwell is None:
        return
    if min(passes) == max(passes):
        node.setdefault("dwell_time", header.dwell * passes[0])
    else:
        notes.append(f"EDX: lines were scanned {min(passes)} to {max(passes)} times, so that their dwell times differ")
