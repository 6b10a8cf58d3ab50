"""Rigid registration of a series of images."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lbj import UsageError

from .registration import Registration

Floats = NDArray[np.float64]

LEAST_EVIDENCE = 8.0  # log-likelihood ratio of a frame's best pair; the best of noise reaches about 5


def register(images: Any, *, to_field: Any = None) -> Registration:
    """Register a series of images of one scene rigidly, from all pairs of frames.

    Candidate shifts of every pair (`pairs.candidate_shifts`) are brought to a consensus that no lattice hop of single
    pairs can disturb (`consensus.consensus`) and refined together to the maximum of the likelihood (`refine.refine`).

    Parameters
    ----------
    images : (N, Y, X) array or sequence of (Y, X) arrays
        Any real numbers.
    to_field : 2x3 array, optional
        `Signal.to_field` of the images.

    Returns
    -------
    Registration
        Displacement (uy, ux), px: frame pixel q sampled the scene at q + u; zero mean over the frames registered.
        Frames that are blank or hold values that are not finite are flagged in ``left_out``, with a warning, and keep
        zero displacement. Frames that no other frame resembles more than noise would are not left out, but keep zero
        displacement and an infinite `frame_error`, with a warning. One frame, or frames of one pixel, do not move.

    Raises
    ------
    UsageError
        If the frames differ in shape or are not real images.
    """
    stack = _stack(images)
    frames, *shape = stack.shape
    usable = np.asarray(np.isfinite(stack).all(axis=(1, 2)))
    if frames > 1 and stack[0].size > 1:
        usable[usable] = np.ptp(stack[usable], axis=(1, 2)) > 0
    if not usable.all():
        warnings.warn(
            f"{(~usable).sum()} of {frames} frames are blank or not finite and are left out: {_list(~usable)}",
            stacklevel=2,
        )
    shift, error = np.zeros((frames, 2)), np.full((frames, 2), np.nan)
    error[usable] = 0.0
    if usable.sum() > 1 and stack[0].size > 1:
        shift[usable], error[usable] = _align(stack[usable])
        lost = np.isinf(error).all(axis=1)
        if lost.any():
            warnings.warn(
                f"{lost.sum()} of {frames} frames show too little to be registered and are taken as they are: "
                f"{_list(lost)}",
                stacklevel=2,
            )
    return Registration.rigid(
        shift,
        (shape[0], shape[1]),
        predicted_error=_rms(error[usable]),
        frame_error=[_rms(one) for one in error],
        left_out=~usable,
        to_field=to_field,
    )


def _stack(images: Any) -> Floats:
    try:
        stack = np.asarray(images if hasattr(images, "shape") else [np.asarray(image) for image in images])
    except ValueError:
        shapes = sorted({np.shape(image) for image in images})
        raise UsageError(f"all frames must have one shape, got {shapes}") from None
    if stack.ndim != 3 or 0 in stack.shape or stack.dtype.kind not in "biuf":
        raise UsageError(f"images must be real numbers of shape (N, Y, X), got {stack.dtype} {stack.shape}")
    return stack.astype(np.float64)


def _align(stack: Floats) -> tuple[Floats, Floats]:
    from .consensus import consensus
    from .pairs import candidate_shifts
    from .refine import refine

    stack = stack / np.abs(stack).max()
    pairs = candidate_shifts(stack)
    best = np.zeros(len(stack))
    for frames in (pairs.first, pairs.second):
        np.maximum.at(best, frames, pairs.score.max(axis=1))
    known = best >= LEAST_EVIDENCE
    shift, error = np.zeros((len(stack), 2)), np.full((len(stack), 2), np.inf)
    if known.sum() > 1:
        shift[known], error[known] = refine(stack[known], consensus(pairs, len(stack))[known])
    return shift, error


def _rms(error: Floats) -> float:
    """Root mean square over the frames and directions that could be registered; infinite, or NaN, where none could."""
    finite = error[np.isfinite(error)]
    if finite.size:
        return float(np.sqrt(np.mean(finite**2)))
    return float("inf") if np.isinf(error).any() else float("nan")


def _list(frames: NDArray[np.bool_]) -> str:
    return ", ".join(str(i) for i in np.flatnonzero(frames)[:10]) + (", …" if frames.sum() > 10 else "")
