"""Moments: covariance of a spectrum image weighted for Poisson noise, accumulated band by band."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from lbj import UsageError
from lbj.array_types import Floats

DENSE = 6  # a dense product is quicker where more than one voxel in so many is filled


class Moments:
    """Variances of a spectrum image weighted for Poisson noise; it takes rows as an array would.

    Given to `accumulate` as its ``out``, it sees every row of the sum once, and the sum need not be held.

    Parameters
    ----------
    shape : (Y, X, C)
        Of the spectrum image.

    Notes
    -----
    Weights of M. R. Keenan and P. G. Kotula, Surf. Interface Anal. 36, 203 (2004): the count of pixel i and channel c
    is divided by the roots of the sums over pixel i and over channel c. Only the products of channels (or of pixels,
    where these are fewer) are kept, which have the squared singular values as eigenvalues.
    """

    dtype = np.dtype(np.float64)

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self.pixels, self.channels = math.prod(shape[:2]), shape[2]
        self.by_channel = self.channels <= self.pixels
        size = (self.channels, self.channels) if self.by_channel else (self.pixels, self.channels)
        self._kept = np.zeros(size)  # products of channels, upper half, or the pixels themselves
        self._spectrum = np.zeros(self.channels)

    def __setitem__(self, rows: slice, band: Any) -> None:
        band = np.ascontiguousarray(band, np.float64).reshape(-1, self.channels)
        if not (np.isfinite(band).all() and (band >= 0).all()):
            raise UsageError("the spectra must be counts, and some are negative or not finite: give them uncorrected")
        self._spectrum += band.sum(axis=0)
        if not self.by_channel:
            first = (rows.start or 0) * self.shape[1]
            self._kept[first : first + len(band)] = band
        elif np.count_nonzero(band) * DENSE < band.size:
            _add_products(band, self._kept)
        else:
            total = band.sum(axis=1)
            band = band[total > 0] / np.sqrt(total[total > 0])[:, None]
            self._kept += band.T @ band

    def variances(self) -> Floats:
        """Squared singular values of the weighted spectrum image, largest first: (min(Y*X, C),)."""
        seen = self._spectrum > 0
        weight = np.sqrt(self._spectrum[seen])
        found = np.zeros(min(self.pixels, self.channels))
        if self.by_channel:
            products = self._kept[np.ix_(seen, seen)] / weight / weight[:, None]
        else:
            kept = self._kept[:, seen]
            total = kept.sum(axis=1)
            weighted = kept[total > 0] / np.sqrt(total[total > 0])[:, None] / weight
            products = weighted @ weighted.T
        if products.size:
            values = np.linalg.eigvalsh(products, UPLO="U")[::-1]
            found[: values.size] = np.maximum(values, 0)
        return found


@njit(cache=True, nogil=True)
def _add_products(band: Any, products: Any) -> None:
    """Add the products of every pixel's filled channels over its sum, upper half."""
    pixels, channels = band.shape
    place = np.empty(channels, np.int64)
    value = np.empty(channels)
    for i in range(pixels):
        filled, total = 0, 0.0
        for c in range(channels):
            if band[i, c] != 0:
                place[filled], value[filled] = c, band[i, c]
                total += band[i, c]
                filled += 1
        for a in range(filled):
            share = value[a] / total
            row = products[place[a]]
            for b in range(a, filled):
                row[place[b]] += share * value[b]
