"""Points: where every frame sampled given scene positions, such as the repeats of a motif."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lbj.array_types import Floats, Singles

from .bilinear import EDGE, cell_of, place_in
from .warp import Corners, among, is_rigid, whole_and_fraction


class Frames:
    """Displacements of frames, to be asked for any scene position.

    Parameters
    ----------
    displacement : (N, 2, Y, X) float32
    recorded : (N, Y, X) array of bool, optional
        As for `warp.Warp`.

    Notes
    -----
    The rule is `accumulate`'s: q + u(q) = p with u bilinear in each cell of four pixels, the cells taken in the order
    of the scan, the first solution kept.
    """

    def __init__(self, displacement: Singles, recorded: NDArray[np.bool_] | None = None) -> None:
        self.displacement, self.recorded = displacement, recorded
        self.rigid = is_rigid(displacement)
        if not self.rigid:
            self._low = displacement.min(axis=3).astype(np.float64)
            self._high = displacement.max(axis=3).astype(np.float64)

    def positions(self, frame: int, scene: Floats) -> Floats:
        """Frame positions q (K, 2) that sampled the scene positions (K, 2); NaN where the frame did not see them."""
        field = self.displacement[frame]
        if not self.rigid:
            out = np.full(scene.shape, np.nan)
            _locate_points(field, self._low[frame], self._high[frame], np.ascontiguousarray(scene), out)
            return out
        out = scene - field[:, 0, 0].astype(np.float64)
        inside = ((out >= 0) & (out <= np.array(field.shape[1:]) - 1)).all(axis=-1)
        return np.where(inside[:, None], out, np.nan)

    def corners(self, frame: int, scene: Floats) -> Corners:
        """Corners of the frame's pixels around scene positions (K, 2), (K,) each."""
        place = self.positions(frame, scene)
        iy, fy = whole_and_fraction(place[:, 0], self.displacement.shape[2])
        ix, fx = whole_and_fraction(place[:, 1], self.displacement.shape[3])
        if self.recorded is None:
            return Corners(iy, ix, fy, fx)
        found = among(self.recorded[frame : frame + 1], Corners(iy[None], ix[None], fy[None], fx[None]))
        return Corners(found.iy[0], ix, fy, fx)


@njit(cache=True, nogil=True)
def _locate_points(field: Any, low: Any, high: Any, scene: Any, out: Any) -> None:
    """Fill in where one frame (2, Y, X) sampled scene points (K, 2); low, high (2, Y) bound u in every row."""
    rows, columns = field.shape[1:]
    deep = (1.0 if rows > 1 else 0.0) + EDGE
    wide = (1.0 if columns > 1 else 0.0) + EDGE
    lowest, highest = low[0].min(), high[0].max()
    for k in range(len(scene)):
        y, x = scene[k, 0], scene[k, 1]
        if not (math.isfinite(y) and math.isfinite(x)):
            continue
        found = False
        first, last = math.floor(y - highest) - 2, math.ceil(y - lowest) + 1
        for iy in range(max(first, 0), min(last, max(rows - 2, 0)) + 1):
            jy = min(iy + 1, rows - 1)
            least, most = min(iy + low[0, iy], iy + 1 + low[0, jy]), max(iy + high[0, iy], iy + 1 + high[0, jy])
            if y < least - EDGE or y > most + EDGE:
                continue
            left = math.floor(x - max(high[1, iy], high[1, jy])) - 2
            right = math.ceil(x - min(low[1, iy], low[1, jy])) + 1
            for ix in range(max(left, 0), min(right, max(columns - 2, 0)) + 1):
                cell = cell_of(field, iy, ix)
                _, x00, _, x01, _, x10, _, x11 = cell
                if x < min(x00, x01, x10, x11) - EDGE or x > max(x00, x01, x10, x11) + EDGE:
                    continue
                a, b = place_in(cell, y, x, deep, wide)
                if a >= 0:
                    out[k, 0] = min(iy + a, float(rows - 1))
                    out[k, 1] = min(ix + b, float(columns - 1))
                    found = True
                    break
            if found:
                break
