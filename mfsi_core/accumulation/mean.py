"""Mean: the aligned mean image of a stack of frames, and the plain one."""

from __future__ import annotations

from copy import copy

import numpy as np

from lbj.array_types import Floats

from ..geometry.registration import Registration
from .accumulate import accumulate, coverage


def mean_of_known(stack: Floats) -> Floats:
    """Mean (Y, X) of frames (N, Y, X) as they are, of what is finite; NaN where nothing is."""
    known = np.isfinite(stack)
    total = np.where(known, stack, 0.0).sum(axis=0)
    return np.asarray(total / np.where(known.any(axis=0), known.sum(axis=0), np.nan))


def aligned_mean(stack: Floats, registration: Registration) -> tuple[Floats, Floats]:
    """Mean (Y, X) in the scene of frames (N, Y, X), and how many saw each pixel.

    Pixels that are not finite were not recorded; the mean is NaN where no frame saw the scene.
    """
    known = np.isfinite(stack)
    placed = copy(registration)
    placed.recorded = None if known.all() else known
    seen = np.asarray(coverage(placed), float)
    total = accumulate(np.where(known, stack, 0.0), placed)
    return total / np.where(seen > 0, seen, np.nan), seen
