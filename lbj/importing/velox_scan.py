"""Velox scans: field, pixels and dwell time of a stream or an image, and whether two were scanned together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from .units import number, positive
from .velox_metadata import Item, dig

AREA_SLACK = 0.5  # pixels by which the areas of one scan may differ
ANGLE_SLACK = 1e-3  # rad
MOVED = 0.1  # of the field: a stage that moved further shows another place


@dataclass(frozen=True)
class Scan:
    """What the settings of one stream or image say of its scan; None where they say nothing.

    Attributes
    ----------
    size : (rows, columns) of the whole scan field
    area : (top, left, bottom, right), parts of that field that were scanned
    field : (height, width) of the whole scan field, m
    rotation : rad
    dwell : s per pixel
    stage : (x, y), m
    """

    size: tuple[float, float] | None
    area: tuple[float, float, float, float] | None
    field: tuple[float, float] | None
    rotation: float | None
    dwell: float | None
    stage: tuple[float, float] | None

    @property
    def shape(self) -> tuple[int, int] | None:
        """Rows and columns that were scanned: the field's size times the area; a line has one row."""
        if self.size is None or self.area is None:
            return None
        top, left, bottom, right = self.area
        shape = round(self.size[0] * (bottom - top)), round(self.size[1] * (right - left))
        return (max(shape[0], 1), max(shape[1], 1)) if max(shape) >= 1 and min(shape) >= 0 else None

    @property
    def none(self) -> bool:
        """Whether the settings say that the beam stood still: a field of 0 x 0."""
        return self.size == (0, 0)


def scan_of(meta: Item) -> Scan:
    """Return the scan that the metadata of a stream or an image state."""
    scan, result = dig(meta, "Scan"), dig(meta, "BinaryResult")
    size = _numbers(dig(scan, "ScanSize"), "height", "width")
    area = _numbers(dig(scan, "ScanArea"), "top", "left", "bottom", "right")
    if area is None and size is not None and min(size) > 0:
        area = (0.0, 0.0, 1.0, 1.0)
    pixel = [positive(dig(result, "PixelSize", side)) for side in ("height", "width")]
    in_metres = all(dig(result, f"PixelUnit{axis}") == "m" for axis in "XY")
    field = None
    if size is not None and min(size) > 0 and pixel[0] and pixel[1] and in_metres:
        field = (size[0] * pixel[0], size[1] * pixel[1])
    return Scan(
        size,  # type: ignore[arg-type]
        area,  # type: ignore[arg-type]
        field,
        number(dig(scan, "ScanRotation")),
        dwell_time(meta),
        _numbers(dig(meta, "Stage", "Position"), "x", "y"),  # type: ignore[arg-type]
    )


def dwell_time(meta: Item) -> float | None:
    """Return the time per pixel (s); None where lines are scanned more than once, of which nothing is known."""
    if number(dig(meta, "Scan", "LineIntegrationCount")) not in (None, 1.0):
        return None
    return positive(dig(meta, "Scan", "DwellTime"))


def _numbers(item: Any, *keys: str) -> tuple[float, ...] | None:
    found = [number(dig(item, key)) for key in keys]
    return None if None in found else tuple(value for value in found if value is not None)


def together(image: Scan, shape: tuple[int, int], scan: Scan, pixels: tuple[int, int]) -> bool:
    """Whether an image of `shape` was taken in the scan of so many `pixels`: same area, field, rotation, dwell time.

    What either does not state is not compared; without areas the shapes must be equal.
    """
    if image.area is None or scan.area is None:
        if shape != pixels:
            return False
    else:
        slack = [AREA_SLACK / n for n in (*pixels, *pixels)]
        spans = (scan.area[2] - scan.area[0], scan.area[3] - scan.area[1]) * 2
        for a, b, part, span in zip(image.area, scan.area, slack, spans, strict=True):
            if abs(a - b) > part * max(abs(span), 1e-9):
                return False
    for a, b in zip(image.field or (), scan.field or (), strict=False):
        if not math.isclose(a, b, rel_tol=0.01):
            return False
    if image.rotation is not None and scan.rotation is not None and abs(image.rotation - scan.rotation) > ANGLE_SLACK:
        return False
    return image.dwell is None or scan.dwell is None or math.isclose(image.dwell, scan.dwell, rel_tol=1e-3)


def place(image: Scan, shape: tuple[int, int], scan: Scan, pixels: tuple[int, int]) -> list[list[float]] | None:
    """Return the affine map from an image's pixels (y, x) to those of the scan.

    Fields of different magnification share their centre. None where the settings do not tell, the scans are rotated
    against each other or the stage was moved in between.
    """
    if image.area is None or scan.area is None or image.field is None or scan.field is None:
        return None
    if abs((image.rotation or 0.0) - (scan.rotation or 0.0)) > ANGLE_SLACK:
        return None
    if image.stage and scan.stage and math.dist(image.stage, scan.stage) > MOVED * min(scan.field):
        return None
    rows = []
    for i in range(2):
        begin, end = image.area[i], image.area[i + 2]
        first, last = scan.area[i], scan.area[i + 2]
        if not (end > begin and last > first):
            return None
        zoom = image.field[i] / scan.field[i]
        step = (end - begin) / shape[i] * zoom  # of the scan's field, one pixel of the image
        start = (begin - 0.5) * zoom + 0.5 + step / 2
        factor = pixels[i] / (last - first)
        rows.append((step * factor, (start - first) * factor - 0.5))
    return [[rows[0][0], 0.0, rows[0][1]], [0.0, rows[1][0], rows[1][1]]]
