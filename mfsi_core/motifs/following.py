"""Follow: where every repeat of a motif lies in each single frame."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from lbj import UsageError
from lbj.array_types import Floats

from ..accumulation.accumulate import accumulate, coverage
from ..geometry.registration import Registration
from ..series.series import as_series
from .finding import Motifs
from .scores import Scores

FARTHEST = 2.0  # px from the place in the mean image, that a repeat is sought


def follow_motif(source: Any, registration: Registration, motifs: Motifs, signal: Any = "HAADF") -> Motifs:
    """Find the repeats in each frame by itself, next to where the mean image has them.

    Parameters
    ----------
    source : journal or (N, Y, X) images
        As `accumulate` takes them.
    registration : Registration
    motifs : Motifs
        As `find_motif` found them in the mean image.
    signal : str or Signal
        Name of the journal's image.

    Returns
    -------
    Motifs
        With ``by_frame`` and ``frame_score``: positions in the scene, px, which show what displacement the registration
        left at each repeat. NaN where the frame did not see the whole motif, was left out, or the score has no maximum
        within `reach` and 2 px.
    """
    series = as_series(source, signal)
    motifs = replace(motifs, by_frame=None, frame_score=None)
    if len(registration) != len(series) or registration.shape != series.shape:
        raise UsageError(
            f"the motif is followed in the images that were registered: expected {len(registration)} of "
            f"{registration.shape}, got {len(series)} of {series.shape}"
        )
    reach = min(motifs.reach, FARTHEST)
    places = np.full((len(series), *motifs.positions.shape), np.nan)
    score = np.full(places.shape[:2], np.nan)
    for n in np.flatnonzero(~registration.left_out):
        recorded = None if series.recorded is None else series.recorded[n : n + 1]
        alone = Registration(registration.displacement[n : n + 1], recorded=recorded)
        picture = np.asarray(accumulate([np.asarray(series.data[int(n)], float)], alone), float)
        picture[coverage(alone) == 0] = np.nan
        if not np.isfinite(picture).any():
            continue
        for name in np.unique(motifs.transform):
            mine = np.flatnonzero(motifs.transform == name)
            scores = Scores(picture, motifs.motif, motifs.matrices[name])
            places[n, mine], score[n, mine] = _nearest(scores, motifs.positions[mine], reach)
    return replace(motifs, by_frame=places, frame_score=score)


def _nearest(scores: Scores, start: Floats, reach: float) -> tuple[Floats, Floats]:
    """Highest maximum of the score within `reach` of each place, and the score; NaN where there is none."""
    steps = np.arange(-np.ceil(reach), np.ceil(reach) + 1)
    around = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2)
    around = around[np.hypot(*around.T) <= reach]
    tried = start[:, None] + around
    best = tried[np.arange(len(start)), scores.smooth(tried - scores.corner).argmax(axis=1)]
    places = scores.refined(best, 1.0)
    found = scores.at(places)
    lost = ~((np.hypot(*(places - start).T) <= reach) & np.isfinite(found)) | (places == best).all(axis=1)
    return np.where(lost[:, None], np.nan, places), np.where(lost, np.nan, found)
