"""Lattice: the primitive cell of an image, by autocorrelation, and the places that its translations reach."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lbj.array_types import Floats

from .correlate import Smooth, summits

LEAST_OVERLAP = 0.3  # share of the image that must overlap for a translation to be considered
LEAST_LIKENESS = 0.1  # autocorrelation from which a translation is considered
NOISE = 5.0  # standard deviations of chance that its autocorrelation must exceed
BESIDE = 0.4  # share of the autocorrelation at one pixel that it must reach
LOBE = 3  # px around zero translation that are left out, since neighbouring pixels correlate
STRONG = 0.75  # share of the greatest autocorrelation from which translations make the first cell
SHORTEST = 2.5  # px, shortest edge of a cell
SIGNIFICANT = 5.0  # standard errors between a lattice and its sublattice
LEAST_STEP = 0.003  # the difference in likeness that also is needed
KEPT = 0.5  # share of the greatest autocorrelation that a lattice's shortest translations must have
ON = 0.6  # share of the strong translations that must belong to the lattice
CELLS = 3.7  # longest translation tested, in cell edges
SUPERCELLS = tuple(
    np.array(rows)
    for rows in (
        [[1, 0], [0, 2]], [[2, 0], [0, 1]], [[1, 1], [0, 2]], [[1, 0], [0, 3]], [[3, 0], [0, 1]],
        [[1, 1], [0, 3]], [[1, 2], [0, 3]], [[2, 0], [0, 2]],
    )
)  # fmt: skip


@dataclass(frozen=True)
class Lattice:
    """Translations under which an image repeats.

    Attributes
    ----------
    vectors : (2, 2) float64
        Edges of the primitive cell as rows, (y, x), px.
    nearest : float
        Shortest translation that makes the image look alike, be it a true one or to a false sublattice, px.
    """

    vectors: Floats
    nearest: float


def likeness(image: NDArray[Any], window: tuple[int, int]) -> tuple[Floats, Floats]:
    """Correlation of an image, less its local mean, with itself under every translation.

    Parameters
    ----------
    image : (Y, X) array
        NaN where not known.
    window : (int, int)
        Rows and columns of the local mean.

    Returns
    -------
    (2 Y - 1, 2 X - 1) float64, twice
        Correlation over what overlaps, translation zero in the middle; and the share of the image that overlaps.
    """
    from scipy.ndimage import uniform_filter
    from scipy.signal import fftconvolve

    known = np.isfinite(image).astype(float)
    level = float(image[known > 0].mean())
    filled = np.where(known > 0, image - level, 0.0)
    weight = uniform_filter(known, window, mode="constant")
    local = uniform_filter(filled, window, mode="constant") / np.maximum(weight, 1e-9)
    rest = np.where(known > 0, filled - local, 0.0)
    rest /= rest.std() or 1.0

    def correlated(a: Floats, b: Floats) -> Floats:
        return np.asarray(fftconvolve(a, b[::-1, ::-1]))

    share = correlated(known, known) / known.sum()
    power = correlated(rest * rest, known)
    both = np.maximum(power, 0) * np.maximum(power[::-1, ::-1], 0)
    inside = share > LEAST_OVERLAP
    return np.where(inside, correlated(rest, rest) / np.sqrt(np.where(inside & (both > 0), both, 1.0)), 0.0), share


def find_lattice(image: NDArray[Any], size: tuple[int, int]) -> Lattice | None:
    """Find the primitive cell of an image, by the likeness of the image to itself; None where there is none.

    Translations between similar columns of different kind are as short as half a cell and nearly as like: the lattice
    of all strong translations is compared with its sublattices of index two to four, and a sublattice is taken where
    its points are significantly more like than the others.
    """
    window = (min(2 * size[0], image.shape[0]), min(2 * size[1], image.shape[1]))
    alike, share = likeness(image, window)
    smooth = Smooth(alike)
    middle = np.array(image.shape) - 1.0
    y, x = (slice(max(int(m) - LOBE, 0), int(m) + LOBE + 1) for m in middle)
    chance = NOISE * np.sqrt((alike[y, x] ** 2).sum() / np.isfinite(image).sum())
    beside = float(smooth(middle + np.array([(0, 1), (1, 0), (1, 1), (1, -1)])).max())
    peaks = summits(alike, 1.5, max(LEAST_LIKENESS, BESIDE * beside))
    place = tuple(peaks.T)
    strong = alike[place] * np.sqrt(share[place]) > chance
    moves = peaks[strong] - middle
    half = (moves[:, 0] > 0) | ((moves[:, 0] == 0) & (moves[:, 1] > 0))
    moves = moves[half & (np.hypot(*moves.T) >= SHORTEST)]
    if not len(moves):
        return None
    places, values = smooth.climb(moves + middle)
    moves = places - middle
    moves = moves[values >= STRONG * values.max()]
    length = np.hypot(*moves.T)
    moves = moves[np.argsort(length, kind="stable")]
    first = moves[0]
    sine = np.abs(first[0] * moves[:, 1] - first[1] * moves[:, 0]) / np.hypot(*first) / np.sort(length)
    if not (sine > 0.3).any():
        return None
    vectors = _fitted(np.stack([first, moves[np.argmax(sine > 0.3)]]), moves)
    nearest = float(np.hypot(*vectors.T).min())
    steps = np.array([(0, 1), (1, 0), (1, 1), (1, -1)]) @ vectors
    index = moves @ np.linalg.inv(vectors)
    on = np.hypot(*((index - np.round(index)) @ vectors).T) < 0.1 * nearest
    if np.median(smooth(steps + middle)) < KEPT * values.max() or on.mean() < ON:
        return None
    for _ in range(4):
        finer = _sublattice(vectors, smooth, share, middle)
        if finer is None:
            break
        vectors = _fitted(finer, moves)
    return Lattice(vectors, nearest)


def _fitted(vectors: Floats, peaks: Floats) -> Floats:
    """Reduce the cell to its shortest edges and fit it to peaks near and far."""
    vectors = _reduced(vectors)
    edge = float(np.hypot(*vectors.T).min())
    for reach in (2.5, 5.0, 10.0):
        index = peaks @ np.linalg.inv(vectors)
        whole = np.round(index)
        near = np.hypot(*(peaks - whole @ vectors).T) < 0.2 * edge
        near &= whole.any(axis=1) & (np.hypot(*peaks.T) < reach * edge)
        if np.linalg.matrix_rank(whole[near]) == 2:
            vectors = np.linalg.lstsq(whole[near], peaks[near], rcond=None)[0]
    return vectors


def _reduced(vectors: Floats) -> Floats:
    """Shortest edges of the cell (Gauss)."""
    a, b = vectors
    while True:
        if a @ a > b @ b:
            a, b = b, a
        turns = np.round((a @ b) / (a @ a))
        if turns == 0:
            return np.stack([a, b])
        b = b - turns * a


def _sublattice(vectors: Floats, smooth: Smooth, share: Floats, middle: Floats) -> Floats | None:
    """Sublattice whose points are the most significantly more like than the others; None where none is.

    Short translations weigh more: where the composition changes over the field, the difference falls with length.
    """
    edge = float(np.hypot(*vectors.T).max())
    cells = np.array([(i, j) for i in range(-12, 13) for j in range(-12, 13) if (i, j) > (0, 0)])
    places = cells @ vectors
    length = np.hypot(*places.T)
    place = np.round(places + middle).astype(int)
    inside = (length <= CELLS * edge) & (place >= 0).all(axis=1) & (place < share.shape).all(axis=1)
    cells, places, length, place = cells[inside], places[inside], length[inside], place[inside]
    seen = share[tuple(place.T)] > LEAST_OVERLAP
    cells, places, length = cells[seen], places[seen], length[seen] / edge
    alike = smooth(places + middle)
    weight = share[tuple(place[seen].T)] / length
    best, chosen = SIGNIFICANT, None
    for rows in SUPERCELLS:
        index = cells @ np.linalg.inv(rows)
        member = (np.abs(index - np.round(index)) < 1e-6).all(axis=1)
        model = np.stack([np.ones(len(cells)), length, member.astype(float)], axis=1) * weight[:, None]
        spare = len(cells) - 3
        if spare < 2 or np.linalg.matrix_rank(model) < 3:
            continue
        answer = np.linalg.lstsq(model, alike * weight, rcond=None)[0]
        rest = float(((alike * weight - model @ answer) ** 2).sum()) / spare
        error = float(np.sqrt(rest * np.linalg.inv(model.T @ model)[2, 2]))
        if answer[2] > LEAST_STEP and answer[2] > best * error:
            best, chosen = float(answer[2]) / max(error, 1e-12), rows @ vectors
    return chosen


def grown(places: Floats, seed: int, lattice: Lattice) -> NDArray[np.bool_]:
    """Choose those places (K, 2) to which lattice translations lead from a seed, from neighbour to neighbour.

    The lattice may bend: each step starts at the place found. Across gaps the lattice fitted to the places found leads.
    """
    from scipy.spatial import cKDTree

    tree = cKDTree(places)
    reach = 0.3 * lattice.nearest
    steps = [np.array(step) for step in itertools.product((-1, 0, 1), repeat=2) if any(step)]
    index = {seed: np.zeros(2, int)}
    waiting = [seed]
    while waiting:
        at = waiting.pop(0)
        for step in steps:
            away, other = tree.query(places[at] + step @ lattice.vectors)
            if away <= reach and other not in index:
                index[int(other)] = index[at] + step
                waiting.append(int(other))
    found = np.array(list(index))
    whole = np.array(list(index.values()))
    model = np.column_stack([whole, np.ones(len(whole))])
    out = np.zeros(len(places), bool)
    out[found] = True
    if len(found) < 6 or np.linalg.matrix_rank(model) < 3:
        return out
    answer = np.linalg.lstsq(model, places[found], rcond=None)[0]
    number = np.round((places - answer[2]) @ np.linalg.inv(answer[:2]))
    near = np.hypot(*(places - number @ answer[:2] - answer[2]).T) <= reach
    taken = {tuple(n) for n in whole}
    for k in np.flatnonzero(near & ~out):
        if tuple(number[k].astype(int)) not in taken:
            taken.add(tuple(number[k].astype(int)))
            out[k] = True
    return out
