"""Compiled kernel of chart (spec/lbj.md 8.9.3)."""

# mypy: ignore-errors
# Inside compiled kernels types are numba's.

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def spread(sums, out, curve, channels, starts, middles, runs, most):
    """Spread (rows, bins) sums over the bins' channels, after the mean spectrum and the neighbouring bins' ratios.

    Returns False where a sum or a ratio is out of range.
    """
    bins = middles.size
    weights = np.zeros(bins, np.int64)
    before = np.empty(channels.size, np.int64)
    for i in range(bins):
        for c in range(starts[i], starts[i + 1]):
            weights[i] += curve[c]
            j = i
            while 2 * channels[c] < middles[j] and j > 0 and runs[j - 1] == runs[i]:
                j -= 1
            before[c] = j
    ratio = np.empty(bins, np.int64)
    for row in range(sums.shape[0]):
        for i in range(bins):
            if abs(sums[row, i]) >= most:
                return False
            ratio[i] = (sums[row, i] << 20) // weights[i]
            if abs(ratio[i]) >= 1 << 38:
                return False
        for i in range(bins):
            rest = sums[row, i]
            for c in range(starts[i], starts[i + 1]):
                j = before[c]
                part = ratio[j]
                past = 2 * channels[c] - middles[j]
                if past > 0 and j + 1 < bins and runs[j + 1] == runs[i]:
                    part += ((ratio[j + 1] - ratio[j]) * past) // (middles[j + 1] - middles[j])
                share = (part * curve[c]) >> 20
                out[row, c] = share
                rest -= share
            n = starts[i + 1] - starts[i]
            each = rest // n
            more = rest - n * each
            for c in range(starts[i], starts[i + 1]):
                out[row, c] += each + (1 if c - starts[i] < more else 0)
    return True
