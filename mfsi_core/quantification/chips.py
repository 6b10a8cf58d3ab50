"""Chips: the parts of a field (squares, labels, polygons) whose spectra are summed and quantified."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lbj import UsageError

Labels = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Chips:
    """Chips of a field.

    Attributes
    ----------
    labels : (Y, X) int32
        Index of every pixel's chip, 0 … N-1; -1 where it has none.
    ids : (N,) int64
        Label that the caller gave; the index by default.
    boxes : (N, 4) int32
        y0, x0, y1, x1: first row and column, and one past the last.
    pixels : (N,) int32
        Pixels of each chip.
    grid : (int, int) or None
        Rows and columns of chips, where they form a grid.
    """

    labels: Labels
    ids: NDArray[np.int64]
    boxes: NDArray[np.int32]
    pixels: NDArray[np.int32]
    grid: tuple[int, int] | None = None


def make_chips(chips: Any, shape: tuple[int, int], region: tuple[slice, slice] | None = None) -> Chips:
    """Cut a field into chips.

    Parameters
    ----------
    chips : int, (Y, X) integer array, "pixels", or list of (n, 2) arrays
        Pixels per side of square chips, the remainder at the lower and right ends cropped; labels, negative where a
        pixel is left out; every pixel by itself; or polygons, see `polygon_labels`.
    shape : (int, int)
        Rows and columns of the field.
    region : (slice, slice), optional
        Part of the field that is used; a grid begins at its first row and column.

    Raises
    ------
    UsageError
        If the size does not fit, labels differ in shape or are no integers, or no pixel is left.
    """
    rows, columns = _bounds(region, shape)
    if isinstance(chips, str):
        if chips != "pixels":
            raise UsageError(f"chips must be pixels per side, labels, polygons or 'pixels', got {chips!r}")
        return _grid(1, shape, rows, columns)
    if isinstance(chips, (bool, float)):
        raise UsageError(f"chips must be a whole number of pixels per side, got {chips!r}")
    if isinstance(chips, (int, np.integer)):
        return _grid(int(chips), shape, rows, columns)
    if isinstance(chips, (list, tuple)) and len(chips) and np.ndim(chips[0]) == 2 and np.shape(chips[0])[1] == 2:
        chips = polygon_labels(shape, chips)
    labels = np.asarray(chips)
    if labels.shape != tuple(shape):
        raise UsageError(f"the mask of chips has the shape {labels.shape}, the field {tuple(shape)}; they must agree")
    if labels.dtype == bool:
        labels = np.where(labels, 0, -1)
    if labels.dtype.kind not in "iu":
        raise UsageError(f"labels of chips must be integers (-1 = left out), got {labels.dtype}")
    inside = np.zeros(shape, bool)
    inside[slice(*rows), slice(*columns)] = True
    kept = inside & (labels >= 0)
    if not kept.any():
        raise UsageError("no pixel belongs to a chip: every label is negative or outside the region")
    ids, index = np.unique(labels[kept], return_inverse=True)
    out = np.full(shape, -1, np.int32)
    out[kept] = index
    y, x = np.nonzero(kept)
    boxes = np.empty((ids.size, 4), np.int32)
    boxes[:, :2] = max(shape)
    boxes[:, 2:] = 0
    for column, values in ((0, y), (1, x)):
        np.minimum.at(boxes[:, column], index, values)
        np.maximum.at(boxes[:, column + 2], index, values + 1)
    return Chips(out, ids.astype(np.int64), boxes, np.bincount(index, minlength=ids.size).astype(np.int32))


def polygon_labels(shape: tuple[int, int], polygons: Any) -> Labels:
    """Labels of the pixels whose centres lie in polygons.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns.
    polygons : list of (n, 2) arrays
        Corners (y, x) in pixels, pixel (i, j) having its centre at (i, j); closed by themselves, inside by the even-odd
        rule. Where polygons overlap, the first has the pixel.

    Returns
    -------
    (Y, X) int32
        Number of the polygon, -1 outside.
    """
    labels = np.full(shape, -1, np.int32)
    y, x = np.indices(shape, float)
    for number, polygon in enumerate(polygons):
        corners = np.asarray(polygon, float)
        if corners.ndim != 2 or corners.shape[1] != 2 or len(corners) < 3:
            raise UsageError(f"polygon {number} needs at least three corners (y, x), got shape {corners.shape}")
        inside = np.zeros(shape, bool)
        for (y0, x0), (y1, x1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            if y0 == y1:
                continue
            crosses = (y0 > y) != (y1 > y)
            inside ^= crosses & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
        labels[inside & (labels < 0)] = number
    return labels


def _bounds(region: tuple[slice, slice] | None, shape: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    parts = region or (slice(None), slice(None))
    found = []
    for part, size, name in zip(parts, shape, ("rows", "columns"), strict=True):
        start, stop, step = part.indices(size)
        if step != 1 or stop <= start:
            raise UsageError(f"the region's {name} {part} select nothing of {size}, or skip some")
        found.append((start, stop))
    return found[0], found[1]


def _grid(size: int, shape: tuple[int, int], rows: tuple[int, int], columns: tuple[int, int]) -> Chips:
    high, wide = rows[1] - rows[0], columns[1] - columns[0]
    line = min(high, wide) == 1  # a line scan, or a point
    if size < 1 or (not line and size > min(high, wide)):
        raise UsageError(f"chips of {size} x {size} pixels do not fit a field of {high} x {wide}")
    tall, broad = (min(size, high), min(size, wide)) if line else (size, size)
    down, across = high // tall, wide // broad
    index = np.arange(down * across, dtype=np.int32).reshape(down, across)
    labels = np.full(shape, -1, np.int32)
    blown = np.repeat(np.repeat(index, tall, axis=0), broad, axis=1)
    labels[rows[0] : rows[0] + down * tall, columns[0] : columns[0] + across * broad] = blown
    top, left = np.divmod(np.arange(down * across, dtype=np.int32), np.int32(across))
    top, left = rows[0] + top * tall, columns[0] + left * broad
    boxes = np.stack([top, left, top + tall, left + broad], axis=1).astype(np.int32)
    pixels = np.full(down * across, tall * broad, np.int32)
    return Chips(labels, np.arange(down * across), boxes, pixels, (down, across))
