"""Rigid registration of a series of images, from many pairs of frames."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse.csgraph import connected_components

from .consensus import consensus
from .pairs import candidate_shifts, graph
from .refine import refine

Floats = NDArray[np.float64]

FADE = 2  # rows over which a frame fades out towards missing ones
SPIKE = 3.0  # times the range of all but the highest pixels, by which a spike exceeds its neighbours more than these
LEAST_EVIDENCE = 8.0  # log-likelihood ratio of a frame's best pair; the best of noise reaches about 5


def align(stack: Floats) -> tuple[Floats, Floats]:
    """Register frames as a whole.

    Candidate shifts of pairs (`pairs.candidate_shifts`) are brought to a consensus that no lattice hop of single
    pairs can disturb (`consensus.consensus`) and refined together to the maximum of the likelihood (`refine.refine`).

    Parameters
    ----------
    stack : (N, Y, X) float64
        None of them blank; NaN where a pixel is missing.

    Returns
    -------
    shift : (N, 2)
        Displacement (y, x) of each frame, px; zero for frames outside the largest group in which each resembles another
        one more than noise would.
    error : (N, 2)
        Standard errors, px; infinite for those.
    """
    shift, error = np.zeros((len(stack), 2)), np.zeros((len(stack), 2))
    if len(stack) == 1 or stack[0].size == 1:
        return shift, error
    stack, rows = _filled(stack / np.nanmax(np.abs(stack)))
    pairs = candidate_shifts(stack, rows > 0.5)
    alike = pairs.likeness >= LEAST_EVIDENCE
    link = graph(alike[alike], pairs.first[alike], pairs.second[alike], len(stack))
    group = connected_components(link, directed=False)[1]
    known = group == np.argmax(np.bincount(group))
    error[:] = np.inf
    if known.sum() > 1:
        shift[known], error[known] = refine(stack[known], consensus(pairs, len(stack))[known], rows[known])
    return shift, error


def _spikes(stack: Floats) -> NDArray[np.bool_]:
    """Single pixels far above their neighbours, compared with the other pixels of the series."""
    if min(stack.shape[1:]) < 3:
        return np.zeros(stack.shape, bool)
    ring = np.ones((3, 3), bool)
    ring[1, 1] = False
    above = np.stack([image - ndimage.maximum_filter(image, footprint=ring) for image in np.nan_to_num(stack)])
    level = np.quantile(above[:, ::4, ::4], (0.5, 0.99))
    return np.asarray(above > level[1] + SPIKE * (level[1] - level[0]))


def _filled(stack: Floats) -> tuple[Floats, Floats]:
    """Frames whose missing pixels are those around them, or the frame's mean, and the weight of each row, (N, Y).

    So are single pixels far above those around them: hot ones stand still, and would have the frames do so.
    """
    missing = np.isnan(stack) | _spikes(stack)
    weight = np.ones(stack.shape[:2])
    if not missing.any():
        return stack, weight
    out = np.where(missing, 0, stack)
    for image, gone, row in zip(out, missing, weight, strict=True):
        around = ndimage.uniform_filter(image, 3), ndimage.uniform_filter((~gone).astype(float), 3)
        mean = image[~gone].mean()
        image[gone] = np.where(around[1] > 0.1, around[0] / np.maximum(around[1], 0.1), mean)[gone]
        seen = ndimage.binary_erosion(gone.mean(axis=1) < 0.5, iterations=FADE, border_value=1)
        row[:] = ndimage.uniform_filter1d(seen.astype(float), 2 * FADE + 1, mode="nearest")
    return out, weight
