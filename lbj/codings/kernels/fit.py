"""Normal equations of the least-squares fit of predictors (taps), summed over the sampled voxels.

Not by BLAS: its threads wait for each other on busy machines, and its sums depend on the number of threads.
"""

# mypy: ignore-errors
# Inside compiled kernels types are numba's.

import numpy as np
from numba import njit

CACHED = 512  # voxels summed at a time, so that their values stay in the cache


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def gram(table, weight, size):
    """Matrix of the weighted products of the table's rows with one another, summed over its first `size` columns."""
    n = len(table)
    out = np.zeros((n, n))
    some = np.empty(CACHED)
    for at in range(0, size, CACHED):
        many = min(CACHED, size - at)
        for i in range(n):
            for c in range(many):
                some[c] = table[i, at + c] * weight[at + c]
            for j in range(i + 1):
                total = 0.0
                for c in range(many):
                    total += some[c] * table[j, at + c]
                out[i, j] += total
    for i in range(n):
        for j in range(i):
            out[j, i] = out[i, j]
    return out


@njit(cache=True, nogil=True)
def weighted(columns, weights, offset):
    """Sum over k of weights[k] * columns[k], plus an offset: the predictions."""
    out = np.full(columns.shape[1], offset)
    for at in range(0, out.size, CACHED):
        part = out[at : at + CACHED]
        for k in range(len(columns)):
            for c in range(part.size):
                part[c] += weights[k] * columns[k, at + c]
    return out
