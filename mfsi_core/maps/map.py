"""Map: the result type of all maps (values, variance, flags), and `map_snr`, their signal-to-noise ratio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lbj import UsageError
from lbj.array_types import Floats

from ..series.axis import Window


@dataclass(frozen=True, eq=False)
class Map:
    """A map of net counts.

    Attributes
    ----------
    values, variance : (Y, X) float64
        Net counts and their variance, counts².
    window : (float, float)
        Line window, in the axis's unit.
    background : tuple of (float, float)
        Background windows below and above the line; before an edge, one; none where all lines were fitted at once.
    line : str
        Name of the line or edge, where it was chosen by name.
    noise : (float, float) or None
        Of an edge map: gain and read noise of the detector, counts per electron and counts.
    flags : tuple of str
        Why the map is to be distrusted, in sentences.
    common_error : float
        Relative standard error that all pixels share: what the fit of all lines leaves open (places, widths and
        relative strengths of lines, background). The variance of a pixel is its noise alone.
    """

    values: Floats
    variance: Floats
    window: Window
    background: tuple[Window, ...]
    line: str = ""
    noise: tuple[float, float] | None = None
    flags: tuple[str, ...] = ()
    common_error: float = 0.0

    @property
    def net(self) -> tuple[float, float]:
        """Counts of all pixels, and their standard error, of noise and of what all pixels share."""
        total = float(np.nansum(self.values))
        return total, float(np.sqrt(np.nansum(self.variance) + (self.common_error * total) ** 2))


def map_snr(a: Any, b: Any = None, truth: Any = None) -> float:
    """Signal-to-noise ratio of a map.

    Parameters
    ----------
    a, b : Map or (Y, X) array
        A map; or the maps of two halves of a series.
    truth : (Y, X) array, optional
        What the map should be.

    Returns
    -------
    float
        With truth: mean true signal over the rms error of `a`. With two halves: sqrt(2r / (1 - r)) of their sum, r
        being their correlation; 0 where they do not correlate. Pixels that are not finite do not enter.
    """
    first = np.asarray(a.values if isinstance(a, Map) else a, float)
    if truth is not None:
        right = np.asarray(truth, float)
        if right.shape != first.shape:
            raise UsageError(f"map and truth differ in shape: {first.shape} and {right.shape}")
        known = np.isfinite(first) & np.isfinite(right)
        if not known.any():
            return 0.0
        error = float(np.sqrt(np.mean((first[known] - right[known]) ** 2)))
        return float(right[known].mean() / error) if error > 0 else float("inf")
    if b is None:
        raise UsageError("map_snr needs a second map or the truth")
    second = np.asarray(b.values if isinstance(b, Map) else b, float)
    if second.shape != first.shape:
        raise UsageError(f"the maps differ in shape: {first.shape} and {second.shape}")
    known = np.isfinite(first) & np.isfinite(second)
    if not known.any():
        return 0.0
    one, two = (values[known] - values[known].mean() for values in (first, second))
    norm = float(np.sqrt((one * one).sum() * (two * two).sum()))
    r = float((one * two).sum()) / norm if norm > 0 else 0.0
    if r <= 0:
        return 0.0
    return float(np.sqrt(2 * r / (1 - r))) if r < 1 else float("inf")
