"""Find: `find_motif`, all repeats of a motif in an image, to a fraction of a pixel, on one sublattice only."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lbj import UsageError
from lbj.array_types import Floats

from ..geometry.registration import Registration
from .choosing import between_levels, joined, on_lattice, within
from .correlate import Smooth, summits
from .lattice import Lattice, find_lattice
from .scores import Scores
from .symmetry import transforms_of

NOISE = 1.5  # standard deviation of the score of noise is this over the root of the motif's number of pixels
LEAST_SCORE = 2.0  # least score in standard deviations of noise, where the lattice predicts a repeat,
ALONE = 5.0  # and where there is no lattice
SHARE = 0.5  # of the repeats' median score, that a repeat must reach
APART = 0.75  # of the shortest cell edge, within which two repeats exclude each other


@dataclass(frozen=True, eq=False)
class Motifs:
    """Repeats of a motif.

    Attributes
    ----------
    positions : (R, 2) float64
        Centres (y, x) in the scene, px of the registered image.
    score : (R,) float64
        Normalised cross-correlation with the motif, -1..1; NaN where the motif does not fit into the image.
    transform : (R,) array of str
        Name of the transform that fits best.
    size : (int, int)
        Rows and columns of the motif.
    motif : (h, w) float64
        The motif itself: mean of the repeats where it was drawn on the image.
    matrices : dict of (2, 2) arrays
        By name: the motif's offset d lies at R d in the scene.
    reach : float
        How far from its place a repeat cannot be taken for another, px.
    lattice : (2, 2) float64 or None
        Edges of the primitive cell as rows, px; None where the image does not repeat by translation.
    by_frame, frame_score : (N, R, 2), (N, R) float64 or None
        The same frame by frame, NaN where a repeat was not found (`follow_motif`).
    """

    positions: Floats
    score: Floats
    transform: NDArray[Any]
    size: tuple[int, int]
    motif: Floats
    matrices: dict[str, Floats]
    reach: float
    lattice: Floats | None = None
    by_frame: Floats | None = None
    frame_score: Floats | None = None

    def __len__(self) -> int:
        return len(self.positions)

    def check(self, registration: Registration) -> None:
        """Raise UsageError where the repeats were found in another number of frames."""
        if self.by_frame is not None and len(self.by_frame) != len(registration):
            raise UsageError(f"the motif was followed through {len(self.by_frame)} frames, not {len(registration)}")


def find_motif(
    image: Any,
    motif: Any,
    positions: Any = None,
    threshold: float | None = None,
    symmetry: str | None = None,
    refine: bool = True,
) -> Motifs:
    """Find all repeats of a motif in an image.

    Parameters
    ----------
    image : (Y, X) array
        The aligned mean image; NaN where no frame saw the scene.
    motif : (slice, slice), ((y, x), (h, w)) or (h, w) array
        Rows and columns drawn on the image; or centre and size, px, rounded to whole pixels; or the motif's own image.
    positions : (R, 2) array, optional
        Where the repeats are (y, x), px, instead of a search.
    threshold : float, optional
        Least score of a repeat. Default: half the median score of the repeats and 3 / sqrt(pixels of the motif), which
        is 2 standard deviations of noise; 5 where no lattice tells that a repeat is to be expected.
    symmetry : str, optional
        Plane point group: the motif is also sought under its rotations and mirrors (`symmetry.transforms_of`).
    refine : bool
        Whether given positions are moved to the maximum of the score next to them, or kept.

    Returns
    -------
    Motifs
        Where the motif lies wholly on known pixels, to a quarter of a pixel; the best first, unless given.

    Raises
    ------
    UsageError
        If the motif is blank, not finite, larger than the image or beyond it; or an array that is found nowhere.

    Notes
    -----
    Scores alone cannot tell a true repeat from a place on another sublattice where columns are alike and their ratio
    changes over the field. So the primitive translations are determined from the whole image first
    (`lattice.find_lattice`), and only places to which they lead from the motif are repeats. Where the image has no
    translations, or in parts that they do not reach, scores that form two levels are parted between them. A drawn motif
    is replaced by the mean of its repeats, and the search repeated with that.
    """
    picture = np.asarray(image, float)
    if picture.ndim != 2 or not np.isfinite(picture).any():
        raise UsageError(f"the motif is sought in an image (Y, X) with finite pixels, got shape {picture.shape}")
    if threshold is not None and not -1 <= threshold <= 1:
        raise UsageError(f"threshold is a correlation in -1..1, got {threshold}")
    matrices = transforms_of(symmetry)
    pattern, drawn = _pattern(picture, motif)
    size = (pattern.shape[0], pattern.shape[1])
    lattice = find_lattice(picture, size)
    reach = 0.3 * lattice.nearest if lattice else max(1.0, min(size) / 4)
    found = Motifs(
        np.zeros((0, 2)), np.zeros(0), np.zeros(0, "U4"), size, pattern, matrices, reach,
        lattice.vectors if lattice else None,
    )  # fmt: skip
    if positions is not None:
        return _given(picture, found, positions, refine=refine, drawn=drawn is not None)
    found = _search(picture, found, lattice, drawn, threshold)
    if drawn is not None and len(found) > 2:
        found = _search(picture, replace(found, motif=_mean(picture, found)), lattice, drawn, threshold)
        found = _anchored(picture, found, drawn)
    return found


def _anchored(picture: Floats, found: Motifs, drawn: Floats) -> Motifs:
    """Shift all positions so that the drawn repeat lies where it was drawn.

    The search with the drawn motif carries whatever is peculiar to that one repeat into all positions; the mean of the
    repeats shows by how much.
    """
    away = found.positions - drawn
    shift = away[np.argmin(np.hypot(*away.T))]
    if np.hypot(*shift) > 1:
        return found
    found = replace(found, positions=found.positions - shift)
    return replace(found, motif=_mean(picture, found))


def _pattern(picture: Floats, motif: Any) -> tuple[Floats, Floats | None]:
    """Image of the motif, and its centre where it was drawn."""
    drawn = isinstance(motif, (tuple, list)) and len(motif) == 2
    if drawn and all(isinstance(part, slice) for part in motif):
        ends = [part.indices(n) for part, n in zip(motif, picture.shape, strict=True)]
        if any(step != 1 for _, _, step in ends):
            raise UsageError(f"the motif's slices must have no step, got {motif}")
        first = np.array([start for start, _, _ in ends])
        size = np.array([stop - start for start, stop, _ in ends])
    elif drawn and np.shape(motif) == (2, 2):
        centre, extent = np.asarray(motif, float)
        size = np.round(extent).astype(int)
        first = np.round(centre - (size - 1) / 2).astype(int)
    else:
        drawn = False
        pattern = np.asarray(motif, float)
        if pattern.ndim != 2:
            raise UsageError(f"motif must be two slices, a centre and a size, or an image; got shape {pattern.shape}")
        first, size = np.zeros(2, int), np.array(pattern.shape)
    if drawn:
        if (first < 0).any() or (first + size > picture.shape).any() or (size < 1).any():
            raise UsageError(
                f"the motif's {size[0]} x {size[1]} px from row {first[0]}, column {first[1]} on do not lie in the "
                f"image of {picture.shape[0]} x {picture.shape[1]} px; draw it inside"
            )
        pattern = picture[first[0] : first[0] + size[0], first[1] : first[1] + size[1]]
    if (size > picture.shape).any():
        raise UsageError(f"the motif of {tuple(size.tolist())} px is larger than the image of {picture.shape}")
    if not np.isfinite(pattern).all():
        raise UsageError("the motif holds pixels that are not finite; draw it where all frames saw the scene")
    if not np.ptp(pattern) > 0:
        raise UsageError("the motif is blank: it has the same value everywhere and nothing can be like it")
    return pattern.copy(), first + (size - 1) / 2 if drawn else None


def _search(
    picture: Floats, found: Motifs, lattice: Lattice | None, drawn: Floats | None, threshold: float | None
) -> Motifs:
    """Search the whole image."""
    noise = NOISE / np.sqrt(found.motif.size)
    least = LEAST_SCORE * noise if threshold is None else threshold
    places, score, transform = _candidates(picture, found, least)
    if not len(places):
        raise UsageError(_nowhere(picture, found, least))
    apart = APART * float(np.hypot(*lattice.vectors.T).min()) if lattice else min(found.size) / 2
    seed = int(np.argmin(np.hypot(*(places - drawn).T))) if drawn is not None else None
    if seed is not None and np.hypot(*(places[seed] - drawn)) > max(found.reach, 1.0):
        seed = None
    chosen = np.zeros(len(places), bool)
    if lattice:
        chosen, names = on_lattice(places, score, transform, lattice, seed)
        for name in np.unique(names[names != transform]):
            scores, other = Scores(picture, found.motif, found.matrices[name]), names != transform
            other &= names == name
            places[other] = scores.refined(places[other], found.reach)
            score[other] = np.nan_to_num(scores.at(places[other]), nan=-1.0)
        transform = names
        chosen &= score >= least
    if threshold is None and chosen.any():
        chosen &= score >= SHARE * np.median(score[chosen])
    alone = ALONE * noise if threshold is None else threshold
    if threshold is None:
        alone = max(alone, between_levels(np.delete(score, [] if seed is None else seed), alone))
    if threshold is None and chosen.sum() > 3:
        middle = float(np.median(score[chosen]))
        alone = max(alone, middle - 3 * 1.4826 * float(np.median(np.abs(score[chosen] - middle))))
    for k in np.argsort(-score, kind="stable"):
        first = k == seed and not chosen.any()
        if first or (score[k] >= alone and not within(places[k], places[chosen], apart)):
            chosen |= joined(places, score, int(k), chosen, lattice, least, apart)
    if not chosen.any():
        raise UsageError(_nowhere(picture, found, alone))
    order = np.flatnonzero(chosen)[np.argsort(-score[chosen], kind="stable")]
    return replace(found, positions=places[order], score=score[order], transform=transform[order])


def _nowhere(picture: Floats, found: Motifs, least: float) -> str:
    best = float(_candidates(picture, found, -1.0)[1].max(initial=-1.0))
    digits = next((n for n in range(2, 9) if f"{best:.{n}f}" != f"{least:.{n}f}"), 9)
    return (
        f"the motif is found nowhere in the image: the best score is {best:.{digits}f}, {least:.{digits}f} is needed; "
        "draw a larger motif, sum more frames or give a threshold"
    )


def _candidates(picture: Floats, found: Motifs, least: float) -> tuple[Floats, Floats, NDArray[Any]]:
    """Maxima of the score over all transforms, none nearer to a better one than `reach`."""
    lists = []
    for name, matrix in found.matrices.items():
        scores = Scores(picture, found.motif, matrix)
        places = scores.refined(summits(scores.values, found.reach, least) + scores.corner, found.reach)
        score = scores.at(places)
        known = score > least
        lists.append((places[known], score[known], np.full(int(known.sum()), name, "U4")))
    places, score, transform = (np.concatenate(part) for part in zip(*lists, strict=True))
    order = np.argsort(-score, kind="stable")
    places, score, transform = places[order], score[order], transform[order]
    kept = np.ones(len(places), bool)
    for k in range(len(places)):
        if kept[k]:
            near = np.hypot(*(places[k + 1 :] - places[k]).T) < found.reach
            kept[k + 1 :] &= ~near
    return places[kept], score[kept], transform[kept]


def _given(picture: Floats, found: Motifs, positions: Any, *, refine: bool, drawn: bool) -> Motifs:
    """Score given positions, and refine them."""
    given = np.asarray(positions, float)
    if given.ndim != 2 or given.shape[1] != 2 or not len(given) or not np.isfinite(given).all():
        raise UsageError(f"positions must be finite numbers of shape (R, 2), (y, x), got shape {given.shape}")
    names = np.array(list(found.matrices), "U4")
    for _ in range(2 if drawn and refine and len(given) > 2 else 1):
        places = np.empty((len(names), *given.shape))
        score = np.empty((len(names), len(given)))
        for k, matrix in enumerate(found.matrices.values()):
            scores = Scores(picture, found.motif, matrix)
            moved = scores.refined(given, found.reach) if refine else given
            places[k] = np.where(np.isfinite(scores.at(moved))[:, None], moved, given)
            score[k] = scores.at(places[k])
        best = np.argmax(np.where(np.isfinite(score), score, -2.0), axis=0)
        each = np.arange(len(given))
        found = replace(found, positions=places[best, each], score=score[best, each], transform=names[best])
        fit = np.isfinite(found.score)
        if drawn and fit.any():
            shown = replace(found, positions=found.positions[fit], transform=found.transform[fit])
            found = replace(found, motif=_mean(picture, shown))
    return found


def _mean(picture: Floats, found: Motifs) -> Floats:
    """Mean image of the repeats, in the motif's frame."""
    smooth = Smooth(np.where(np.isfinite(picture), picture, np.nanmean(picture)))
    grid = np.moveaxis(np.indices(found.size), 0, -1) - (np.array(found.size) - 1) / 2
    total = np.zeros(found.size)
    for place, name in zip(found.positions, found.transform, strict=True):
        total += smooth(place + grid @ found.matrices[name].T)
    return total / len(found)
