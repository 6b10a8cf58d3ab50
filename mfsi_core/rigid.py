"""Rigid registration of a series of images, from all pairs of frames."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from .consensus import consensus
from .pairs import candidate_shifts, graph
from .refine import refine

Floats = NDArray[np.float64]

LEAST_EVIDENCE = 8.0  # log-likelihood ratio of a frame's best pair; the best of noise reaches about 5


def align(stack: Floats) -> tuple[Floats, Floats]:
    """Register frames as a whole.

    Candidate shifts of every pair (`pairs.candidate_shifts`) are brought to a consensus that no lattice hop of single
    pairs can disturb (`consensus.consensus`) and refined together to the maximum of the likelihood (`refine.refine`).

    Parameters
    ----------
    stack : (N, Y, X) float64
        Finite frames, none of them blank.

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
    stack = stack / np.abs(stack).max()
    pairs = candidate_shifts(stack)
    alike = pairs.likeness >= LEAST_EVIDENCE
    link = graph(alike[alike], pairs.first[alike], pairs.second[alike], len(stack))
    group = connected_components(link, directed=False)[1]
    known = group == np.argmax(np.bincount(group))
    error[:] = np.inf
    if known.sum() > 1:
        shift[known], error[known] = refine(stack[known], consensus(pairs, len(stack))[known])
    return shift, error
