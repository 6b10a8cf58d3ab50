"""The data-compression recipe of Jones et al. (2018) for EELS, as a peer: median, PCA, smoothing, ln, four figures.

Outliers are replaced by a median filter, the cube is reduced to its leading components and smoothed along energy, the
natural logarithm of its values at the chart's points is kept to four figures, and the result is zipped. Decoding
interpolates the logarithm linearly between the points.
"""

from __future__ import annotations

import zlib

import numpy as np
from scipy.ndimage import median_filter
from scipy.signal import savgol_filter

COMPONENTS = 8
OUTLIER = 6.0  # standard deviations of the difference from the median


def points(blocks: list[tuple[int, int]], channels: int) -> np.ndarray:
    """Channels kept: every `factor`-th of each block, from (first channel, factor) pairs, and the last."""
    ends = [*(start for start, _ in blocks[1:]), channels]
    kept = [np.arange(start, end, max(factor, 1)) for (start, factor), end in zip(blocks, ends, strict=True)]
    return np.unique(np.concatenate([*kept, [channels - 1]]))


def encode(cube: np.ndarray, blocks: list[tuple[int, int]], components: int = COMPONENTS) -> bytes:
    """Zipped integers: 1000 ln(value), differences along energy."""
    data = cube.astype(np.float64)
    middle = median_filter(data, (1, 1, 3))
    off = data - middle
    data = np.where(np.abs(off) > OUTLIER * off.std(axis=(0, 1)), middle, data)
    rows = data.reshape(-1, data.shape[-1])
    weight = np.sqrt(np.maximum(rows.mean(axis=0), 1e-9))
    u, s, v = np.linalg.svd(rows / weight, full_matrices=False)
    rows = (u[:, :components] * s[:components]) @ v[:components] * weight
    rows = savgol_filter(rows, 5, 2, axis=1)
    kept = points(blocks, data.shape[-1])
    figures = np.rint(1000 * np.log(np.maximum(rows[:, kept], 1e-3))).astype("<i2")
    return zlib.compress(np.diff(figures, axis=1, prepend=np.int16(0)).T.tobytes(), 9)


def decode(data: bytes, shape: tuple[int, int, int], blocks: list[tuple[int, int]]) -> np.ndarray:
    """Inverse of `encode`."""
    kept = points(blocks, shape[-1])
    steps = np.frombuffer(zlib.decompress(data), "<i2").reshape(kept.size, -1).T
    logs = np.cumsum(steps, axis=1, dtype=np.int16) / 1000.0
    out = np.array([np.interp(np.arange(shape[-1]), kept, row) for row in logs])
    return np.exp(out).reshape(shape).astype(np.float32)
