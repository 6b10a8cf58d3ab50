"""Filled: images without gaps, each made when it is asked for, so that the series is not copied."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lbj.array_types import Singles

FADE = 2  # rows over which the weight of a frame falls to zero next to missing rows


class Filled:
    """Frames (N, Y, X) float32 in which missing pixels (NaN) are replaced by the mean of those around, or of the frame.

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
        for n, image in enumerate(stack):
            gone = np.isnan(image)
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
