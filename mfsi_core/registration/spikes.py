"""Spikes: single pixels far above those around them, as cosmics and hot pixels of a detector make."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from lbj.array_types import Singles

# Pixels that exceed their neighbours by an unusual amount are spikes: by more than the 0.99 quantile of this excess and
# SPIKE times the difference between that and the median.
SPIKE = 3.0


def remove_spikes(stack: Singles) -> None:
    """Make spikes of the images (N, Y, X) missing (NaN), in place.

    Hot pixels stand still in the frame and would pull all shifts to zero; a few cosmics hide a faint scene.
    """
    highest = _highest(stack)
    for image in stack:
        image[_above(image, 1) > highest] = np.nan


def _highest(stack: Singles) -> float:
    """Excess over its neighbours beyond which a pixel is a spike, from the pixels of the series."""
    if min(stack.shape[1:]) < 3:
        return np.inf
    level = np.quantile([_above(image, 4) for image in stack], (0.5, 0.99))
    return float(level[1] + SPIKE * (level[1] - level[0]))


@njit(cache=True, nogil=True, fastmath={"nsz", "reassoc"})
def _above(image: Any, every: int) -> Any:
    """One of `every` pixels along y and x, less its highest neighbour; missing pixels count as zero, the mean."""
    rows, columns = image.shape
    out = np.empty(((rows - 1) // every + 1, (columns - 1) // every + 1), np.float32)
    lowest, zero = np.float32(-np.inf), np.float32(0)
    here, beside = np.empty(columns, np.float32), np.full(columns, lowest)
    around, padded = np.empty(columns, np.float32), np.full(columns + 2, lowest)
    for y in range(0, rows, every):
        up, down, middle = image[max(y - 1, 0)], image[min(y + 1, rows - 1)], padded[1:-1]
        for x in range(columns):
            above = up[x] if not math.isnan(up[x]) else zero
            below = down[x] if not math.isnan(down[x]) else zero
            here[x] = image[y, x] if not math.isnan(image[y, x]) else zero
            beside[x] = max(above if y > 0 else lowest, below if y < rows - 1 else lowest)
            middle[x] = max(beside[x], here[x])
        left, right = padded[:-2], padded[2:]
        for x in range(columns):
            around[x] = here[x] - max(left[x], right[x], beside[x])
        out[y // every] = around[::every]
    return out
