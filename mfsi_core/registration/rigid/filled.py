"""Filled: images without gaps or spikes, each made when it is asked for, so that the series is not copied."""

from __future__ import annotations

import math
from collections.abc import Iterator
from copy import copy
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import ndimage

from lbj.array_types import Singles

FADE = 2  # rows over which the weight of a frame falls to zero next to missing rows
# Pixels that exceed their neighbours by an unusual amount are spikes: by more than the 0.99 quantile of this excess and
# SPIKE times the difference between that and the median.
SPIKE = 3.0


class Filled:
    """Frames (N, Y, X) float32 in which missing pixels and spikes are replaced.

    Missing pixels (NaN) are replaced by the mean of the pixels around them, or of the frame. So are single pixels far
    above those around them: hot pixels of a detector stand still in the frame and would pull all shifts to zero.

    Attributes
    ----------
    shape : (int, int, int)
    rows : (N, Y)
        Weight of each row, low at missing rows.
    numbers : (N,)
        Number of each frame in the series.
    """

    def __init__(self, stack: Singles) -> None:
        self._stack, self.shape = stack, stack.shape
        self.rows = np.ones(stack.shape[:2])
        self.numbers = np.arange(len(stack))
        self._other: dict[int, tuple[NDArray[np.int64], Singles]] = {}
        highest = _highest(stack)
        for n, image in enumerate(stack):
            gone = np.isnan(image) | (_above(image, 1) > highest)
            if not gone.any():
                continue
            filled = np.where(gone, 0, image)
            around = ndimage.uniform_filter(filled, 3), ndimage.uniform_filter((~gone).astype(np.float32), 3)
            mean = image[~gone].mean()
            values = np.where(around[1] > 0.1, around[0] / np.maximum(around[1], 0.1), mean)[gone]
            self._other[n] = np.flatnonzero(gone), values.astype(np.float32)
            seen = ndimage.binary_erosion(gone.mean(axis=1) < 0.5, iterations=FADE, border_value=1)
            self.rows[n] = ndimage.uniform_filter1d(seen.astype(float), 2 * FADE + 1, mode="nearest")

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, n: int) -> Singles:
        number = int(self.numbers[n])
        image: Singles = self._stack[number]
        if number in self._other:
            image = image.copy()
            places, values = self._other[number]
            image.reshape(-1)[places] = values
        return image

    def __iter__(self) -> Iterator[Singles]:
        return (self[n] for n in range(len(self)))

    def some(self, chosen: NDArray[np.bool_]) -> Filled:
        """The frames that are `chosen`, (N,)."""
        out = copy(self)
        out.numbers, out.rows = self.numbers[chosen], self.rows[chosen]
        out.shape = (len(out.numbers), *self.shape[1:])
        return out


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
