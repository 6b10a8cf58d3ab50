"""Rigid registration of a series: shifts between pairs of frames, their consensus, its refinement."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from scipy import ndimage
from scipy.sparse.csgraph import connected_components

from lbj.array_types import Floats, Singles

from .consensus import STRONG, consensus
from .pairs import candidate_shifts, graph
from .refine import refine

FADE = 2  # rows over which the weight of a frame falls to zero next to missing rows
# Pixels that exceed their neighbours by an unusual amount are spikes: by more than the 0.99 quantile of this excess and
# SPIKE times the difference between that and the median.
SPIKE = 3.0
LEAST_EVIDENCE = 8.0  # log-likelihood ratio that a pair of similar frames reaches; pure noise gives up to about 5


def align(stack: Singles) -> tuple[Floats, Floats]:
    """Register frames as a whole.

    Candidate shifts between pairs (`pairs.candidate_shifts`) are brought to a consensus, so that single pairs which are
    a lattice period off do no harm (`consensus.consensus`). All shifts are then refined together to the maximum of the
    likelihood (`refine.refine`).

    Parameters
    ----------
    stack : (N, Y, X) float32
        As `register.prepared`, none of them blank; NaN where a pixel is missing.

    Returns
    -------
    shift : (N, 2)
        Displacement (y, x) of each frame, px. Frames are linked where they resemble each other more than noise would;
        the displacement is zero for frames outside the largest linked group.
    error : (N, 2)
        Standard errors, px; infinite for frames outside that group.
    """
    shift, error = np.zeros((len(stack), 2)), np.zeros((len(stack), 2))
    if len(stack) == 1 or stack[0].size == 1:
        return shift, error
    stack, rows = _filled(stack)
    pairs = candidate_shifts(stack, rows > 0.5)
    alike = pairs.likeness >= LEAST_EVIDENCE
    link = graph(alike[alike], pairs.first[alike], pairs.second[alike], len(stack))
    group = connected_components(link, directed=False)[1]
    known = group == np.argmax(np.bincount(group))
    error[:] = np.inf
    if known.sum() > 1:
        chosen = stack if known.all() else stack[known]
        shift[known], error[known] = refine(chosen, consensus(pairs, len(stack))[known], rows[known])
    return shift, error


def align_near(stack: Singles, expected: Any) -> tuple[Floats, Floats]:
    """Register a frame against another one, near where it is expected.

    The correlation peaks of a single pair do not tell by how many lattice periods the frames are apart. Of the
    candidates with at least half the evidence of the best, the one nearest to the expected shift is taken.

    Parameters
    ----------
    stack : (2, Y, X) float32
        As for `align`.
    expected : (2,) array
        Displacement (y, x) of the second frame less that of the first, px.

    Returns
    -------
    shift, error : (2, 2)
        As of `align`.
    """
    stack, rows = _filled(stack)
    pairs = candidate_shifts(stack, rows > 0.5)
    if pairs.likeness[0] < LEAST_EVIDENCE:
        return np.zeros((2, 2)), np.full((2, 2), np.inf)
    step, score = -pairs.shift[0], pairs.score[0]
    strong = (score > 0) & (score >= STRONG * score.max())
    if not strong.any():
        return np.zeros((2, 2)), np.full((2, 2), np.inf)
    chosen = step[np.argmin(np.where(strong, np.hypot(*(step - expected).T), np.inf))]
    return refine(stack, np.stack([-chosen / 2, chosen / 2]), rows)


def _filled(stack: Singles) -> tuple[Singles, Floats]:
    """Frames without gaps or spikes, and the weight of each row, (N, Y), which is low at missing rows.

    Missing pixels are replaced by the mean of the pixels around them, or of the frame. So are single pixels far above
    those around them: hot pixels of a detector stand still in the frame and would pull all shifts to zero.
    """
    weight, highest = np.ones(stack.shape[:2]), _highest(stack)
    out = stack
    for n, image in enumerate(stack):
        gone = np.isnan(image) | (_above(image, 1) > highest)
        if not gone.any():
            continue
        if out is stack:
            out = stack.copy()
        filled = np.where(gone, 0, image)
        around = ndimage.uniform_filter(filled, 3), ndimage.uniform_filter((~gone).astype(np.float32), 3)
        mean = image[~gone].mean()
        out[n, gone] = np.where(around[1] > 0.1, around[0] / np.maximum(around[1], 0.1), mean)[gone]
        seen = ndimage.binary_erosion(gone.mean(axis=1) < 0.5, iterations=FADE, border_value=1)
        weight[n] = ndimage.uniform_filter1d(seen.astype(float), 2 * FADE + 1, mode="nearest")
    return out, weight


def _highest(stack: Singles) -> float:
    """Excess over its neighbours beyond which a pixel is a spike, from the pixels of the series."""
    if min(stack.shape[1:]) < 3:
        return np.inf
    level = np.quantile([_above(image, 4) for image in stack], (0.5, 0.99))
    return float(level[1] + SPIKE * (level[1] - level[0]))


@njit(cache=True, nogil=True)
def _above(image: Any, every: int) -> Any:
    """One of `every` pixels along y and x, less its highest neighbour; missing pixels count as zero, the mean."""
    rows, columns = image.shape
    out = np.empty(((rows - 1) // every + 1, (columns - 1) // every + 1), np.float32)
    for y in range(0, rows, every):
        for x in range(0, columns, every):
            around = np.float32(-np.inf)
            for v in range(max(y - 1, 0), min(y + 2, rows)):
                for h in range(max(x - 1, 0), min(x + 2, columns)):
                    if v != y or h != x:
                        other = image[v, h]
                        around = max(around, np.float32(0) if math.isnan(other) else other)
            value = image[y, x]
            out[y // every, x // every] = (np.float32(0) if math.isnan(value) else value) - around
    return out
