"""Saturation: channels of spectra that stand at the largest value that the detector or the file can hold."""

from __future__ import annotations

from typing import Any

import numpy as np

from lbj.array_types import Mask

ROW = 3  # channels in a row that share the largest value of a frame
ROUNDING = 1e-9  # by which spectra that were shifted differ from it


def saturated(cube: Any) -> Mask:
    """Voxels of a frame (Y, X, C) that are saturated.

    Three channels or more of a spectrum in a row hold the largest value of the frame, which occurs more often than the
    next one below it: the rare largest of ordinary counts does not.
    """
    data = np.where(np.isfinite(cube), cube, 0)
    most = data.max(initial=0)
    top = data >= most * (1 - ROUNDING)
    inside = top[..., 2:] & top[..., 1:-1] & top[..., :-2]
    out = np.zeros(data.shape, bool)
    if most > 0 and inside.any():
        below = data[~top]
        if not below.size or top.sum() > (below == below.max()).sum():
            for first in range(ROW):
                out[..., first : first + inside.shape[-1]] |= inside
    return out
