"""Rigid registration of a series: shifts between pairs of frames, their consensus, its refinement."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse.csgraph import connected_components

from lbj.array_types import Floats, Singles

from .consensus import STRONG, consensus
from .filled import Filled
from .pairs import candidate_shifts, graph
from .refine import refine

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
    images = Filled(stack)
    pairs = candidate_shifts(images, images.rows > 0.5)
    alike = pairs.likeness >= LEAST_EVIDENCE
    link = graph(alike[alike], pairs.first[alike], pairs.second[alike], len(stack))
    group = connected_components(link, directed=False)[1]
    known = group == np.argmax(np.bincount(group))
    error[:] = np.inf
    if known.sum() > 1:
        images = images.some(known)
        shift[known], error[known] = refine(images, consensus(pairs, len(stack))[known], images.rows)
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
    images = Filled(stack)
    pairs = candidate_shifts(images, images.rows > 0.5)
    if pairs.likeness[0] < LEAST_EVIDENCE:
        return np.zeros((2, 2)), np.full((2, 2), np.inf)
    step, score = -pairs.shift[0], pairs.score[0]
    strong = (score > 0) & (score >= STRONG * score.max())
    if not strong.any():
        return np.zeros((2, 2)), np.full((2, 2), np.inf)
    chosen = step[np.argmin(np.where(strong, np.hypot(*(step - expected).T), np.inf))]
    return refine(images, np.stack([-chosen / 2, chosen / 2]), images.rows)
