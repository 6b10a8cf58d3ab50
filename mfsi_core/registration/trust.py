"""Trust: whether images are too noisy for the frames to be aligned by them."""

from __future__ import annotations

import math

import numpy as np

from lbj.array_types import Floats

from ..geometry.registration import Registration

LARGEST_ERROR = 3.0  # px, rms; largest predicted error with which images are used to align frames
WORST_ERROR = 0.5  # px, rms; the same where the images are sums of the spectra,
GAINED = 3.0  # standard errors by which these must resemble each other more where they were moved than where they were,
APART = (1, 2, 5, 11, 23, 47, 97, 197, 397, 797)  # frames, of the pairs that are compared


def distrusted(
    registration: Registration, name: str, *, image: bool, plugin: bool = False, frames: Floats | None = None
) -> str:
    """Reason why the frames are summed unaligned, as a sentence; empty where the registration can be trusted.

    Parameters
    ----------
    registration : Registration
    name : str
        Name of the signal that was registered.
    image : bool
        Whether it is an image of its own. Otherwise it is the sum of each spectrum, of which a smaller error is asked.
    plugin : bool
        Whether another package registered it; that may leave its error unknown.
    frames : (N, Y, X) array, optional
        What was registered. Of sums of the spectra, whose noise may look like a fine lattice, it is asked that they
        resemble each other more where they were moved than where they were.
    """
    why = ""
    if registration.left_out.all():
        why = "no frame can be registered, all are blank, missing or not finite"
    elif plugin and math.isnan(registration.seen_error):
        return ""
    elif not registration.seen_error <= (LARGEST_ERROR if image else WORST_ERROR):
        why = f"too noisy to register by (predicted error {registration.seen_error:.2g} px rms)"
    elif not image and frames is not None and gained(registration, frames) < GAINED:
        why = "the frames resemble each other no more where they were moved than where they were"
    return f"{name}: {why}; the frames were summed as they are." if why else ""


def gained(registration: Registration, frames: Floats) -> float:
    """By how many standard errors of noise frames resemble each other more where they were moved than where they were.

    Parameters
    ----------
    registration : Registration
    frames : (N, Y, X) array

    Returns
    -------
    float
        Of correlations of pairs of frames of one area, moved by whole pixels; infinite where none was moved by one.
    """
    kept, region = ~registration.left_out & np.isfinite(frames).any(axis=(1, 2)), registration.region
    flat = np.zeros(frames.shape)
    level, spread = (of(frames[kept], axis=(1, 2), keepdims=True) for of in (np.nanmean, np.nanstd))
    flat[kept] = np.nan_to_num((frames[kept] - level) / np.where(spread > 0, spread, 1.0))
    moved = np.rint(registration.shift).astype(int)
    found = [
        _correlation(flat[i], flat[j], *(moved[j] - moved[i])) - _correlation(flat[i], flat[j], 0, 0)
        for i, j in ((i, i + apart) for apart in APART for i in range(len(frames) - apart))
        if kept[i] and kept[j] and region[i] == region[j] and (moved[i] != moved[j]).any()
    ]
    return float(np.sum(found) / np.sqrt(2 * len(found))) if found else math.inf


def _correlation(one: Floats, other: Floats, dy: int, dx: int) -> float:
    """Sum of products over the pixels that both frames hold, the second one moved, in standard deviations of noise."""
    height, width = one.shape
    a = one[max(dy, 0) : height + min(dy, 0), max(dx, 0) : width + min(dx, 0)]
    b = other[max(-dy, 0) : height + min(-dy, 0), max(-dx, 0) : width + min(-dx, 0)]
    return float((a * b).sum() / math.sqrt(a.size)) if a.size else 0.0
