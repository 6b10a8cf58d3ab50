"""De-scan: the plane of energy shifts that a moving beam leaves in a spectrum image."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from lbj import UsageError
from lbj.array_types import Floats

ROUNDS = 30
REACH = 4.685  # standard deviations; 95 % efficient for normal errors (Tukey's biweight)


class Plane(NamedTuple):
    """A plane of shifts.

    Attributes
    ----------
    offset : float
        In the middle of the field, eV.
    slope_y, slope_x : float
        eV per pixel.
    values : (Y, X) float64
        The plane, eV.
    """

    offset: float
    slope_y: float
    slope_x: float
    values: Floats


def descan_plane(shift: Any, weights: Any = None) -> Plane:
    """Fit a plane to the energy shifts of the pixels.

    Parameters
    ----------
    shift : (Y, X) array
        eV; values that are not finite are left out.
    weights : (Y, X) array, optional
        Relative inverse variances, from 0 on; equal by default.

    Returns
    -------
    Plane
        Usable in place of the shifts, where single pixels are too noisy or have none. Its slope along an axis of one
        pixel is 0.

    Raises
    ------
    UsageError
        If there is no finite shift, or the shapes differ.

    Notes
    -----
    Least absolute deviations, then Tukey's biweight with the median deviation as scale (Huber and Ronchetti, Robust
    Statistics, 2nd ed. 2009): outliers in up to a third of the pixels do not move it.
    """
    data = np.asarray(shift, float)
    if data.ndim != 2:
        raise UsageError(f"the shifts must be one frame's, (Y, X), got shape {data.shape}")
    given = np.ones(data.shape) if weights is None else np.asarray(weights, float)
    if given.shape != data.shape or not (np.isfinite(given).all() and given.min(initial=0.0) >= 0):
        raise UsageError(f"the weights must be {data.shape} numbers from 0 on")
    known = np.isfinite(data) & (given > 0)
    if not known.any():
        raise UsageError("no pixel has a finite shift with a weight above 0; there is no plane to fit")
    y, x = (axis - (size - 1) / 2 for axis, size in zip(np.indices(data.shape, float), data.shape, strict=True))
    design = np.stack([np.ones(data.shape), y, x], axis=-1)
    basis, values, weight = design[known], data[known], given[known] / given[known].max()
    factor = np.ones(values.size)
    found = np.zeros(3)
    for step in range(2 * ROUNDS):
        root = np.sqrt(weight * factor)
        found = np.linalg.lstsq(basis * root[:, None], values * root, rcond=1e-9)[0]
        off = np.abs(values - basis @ found)
        scale = 1.4826 * float(np.median(off[weight > 0]))
        least = max(1e-9 * float(np.abs(values).max()), 1e-200)
        if step < ROUNDS:
            smallest = max(1e-3 * scale, least)
            factor = smallest / np.maximum(off, smallest)
        else:
            factor = np.clip(1 - (off / max(REACH * scale, least)) ** 2, 0, 1) ** 2
    offset, slope_y, slope_x = (float(v) for v in found)
    return Plane(offset, slope_y, slope_x, design @ found)
