"""Symmetry: rotations and mirrors under which a motif is sought."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lbj import UsageError
from lbj.array_types import Floats

FLAT = 0.5  # inner share of the motif's height and width whose pixels have weight 1
GROUPS = ("1", "2", "3", "4", "6", "m", "2mm", "3m", "4mm", "6mm")


def transforms_of(symmetry: str | None) -> dict[str, Floats]:
    """Orthogonal matrices of a plane point group.

    Parameters
    ----------
    symmetry : str or None
        ``1``, ``2``, ``3``, ``4``, ``6``, ``m``, ``2mm``, ``3m``, ``4mm`` or ``6mm``; None is ``1``.

    Returns
    -------
    dict of (2, 2) arrays
        A motif's pixel at offset d (y, x) from its centre lies at R d from the centre of the repeat. Named by the angle
        in degrees from y towards x, ``m`` before it where x was mirrored first; the first is ``0``, the motif as drawn.
    """
    name = "1" if symmetry is None else str(symmetry)
    if name not in GROUPS:
        raise UsageError(f"symmetry must be one of {', '.join(GROUPS)}, got {symmetry!r}")
    folds = int((re.match(r"\d", name) or ["1"])[0])
    out: dict[str, Floats] = {}
    for mirror in ("", "m") if "m" in name else ("",):
        for k in range(folds):
            angle = 2 * math.pi * k / folds
            turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
            matrix = turn @ np.diag([1.0, -1.0 if mirror else 1.0])
            out[f"{mirror}{360 * k // folds}"] = np.where(np.abs(matrix) < 1e-12, 0.0, matrix)
    return out


def turned(motif: NDArray[Any], matrix: Floats) -> tuple[Floats, Floats]:
    """Return the motif under a transform, in the smallest rectangle around it, and the weight of its pixels.

    The weight is 1 within half of the motif's height and width and falls to 0 at its edges (a Tukey window), 0 outside:
    columns that the edges cut, and that vary from repeat to repeat, would shift the maximum of the score.
    """
    from scipy.ndimage import map_coordinates

    size = np.array(motif.shape, float)
    box = np.ceil(np.abs(matrix) @ size - 1e-9).astype(int)
    offset = np.indices(tuple(box)) - (box[:, None, None] - 1) / 2
    place = np.tensordot(matrix.T, offset, 1) + (size[:, None, None] - 1) / 2
    inside = ((place > -1e-6) & (place < size[:, None, None] - 1 + 1e-6)).all(axis=0)
    values = map_coordinates(np.asarray(motif, float), place, order=3, mode="nearest")
    edge = np.abs(place - (size[:, None, None] - 1) / 2) / (size[:, None, None] / 2)  # 0 in the middle, 1 at the edge
    weight = np.cos(np.pi / 2 * np.maximum(edge - FLAT, 0) / (1 - FLAT)) ** 2
    return np.where(inside, values, 0.0), inside * weight.prod(axis=0)
