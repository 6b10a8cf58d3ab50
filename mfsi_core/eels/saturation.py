"""Saturation: channels of spectra that stand at the largest value that the detector or the file can hold."""

from __future__ import annotations

from typing import Any

import numpy as np

from lbj import Signal
from lbj.array_types import Mask

from ..series.axis import centres

ROW = 3  # channels in a row that share the largest value of a frame
ROUNDING = 1e-9  # by which spectra that were shifted differ from it


class Saturation:
    """Saturated spectra of a series, counted frame by frame.

    Attributes
    ----------
    channels : (C,) array of bool
        Those in which a spectrum is saturated.
    """

    def __init__(self, signal: Signal) -> None:
        self._signal, self._cut, self._spectra = signal, 0, 0
        self.channels: Mask = np.zeros(signal.channels, bool)

    def add(self, cube: Any) -> None:
        """Count those of a frame (Y, X, C) as recorded."""
        full = saturated(cube)
        self.channels |= full.any(axis=(0, 1))
        self._cut += int(full.any(axis=2).sum())
        self._spectra += full.shape[0] * full.shape[1]

    def told(self) -> list[str]:
        """Say how many spectra are saturated, and where on the axis; nothing where none is."""
        if not self._cut:
            return []
        low, high = centres(self._signal)[np.flatnonzero(self.channels)[[0, -1]]]
        unit = str(self._signal.axes[-1].get("units", "")) or "(channel)"
        share = f"{self._cut} of {self._spectra} spectra of {self._signal.name} are saturated"
        return [
            f"{share}, between {low:g} and {high:g} {unit}: what is recorded there is less than what was to be seen"
        ]


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
