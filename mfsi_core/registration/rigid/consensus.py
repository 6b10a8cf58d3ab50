"""Consensus: one position per frame from the candidate shifts of all pairs (robust least squares)."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numba import njit
from scipy.sparse import csc_matrix, csgraph
from scipy.sparse.linalg import splu

from lbj.array_types import Floats

from .pairs import NEAR, Pairs, graph

TOLERANCE = 0.5  # distance from a candidate at which its support falls to half, in widths of the correlation peaks
SPAN = 15.0  # log-likelihood (natural) by which a candidate must be worse for its weight to fall to 1/e
STEP_WEIGHT = 0.03  # weight of the prior on a step, relative to the support that all near pairs of a frame can give
FEWEST = 5  # least number of near frames on either side that is assumed for this weight
SHORTEST_STEP = 0.2  # least scale of the prior on steps, in widths of the correlation peaks
STRONG = 0.5  # share of a pair's best score above which a candidate is considered possible
SWEEPS = 20  # most passes over the series in which frames are moved to other candidates
HELD = 1e-10  # share of the strongest pair's weight that holds each frame in place, so that equations are regular
ROUNDS = 20  # most rounds of the reweighted least squares


def consensus(pairs: Pairs, frames: int) -> Floats:
    """Find the positions on which most pairs agree.

    First the pairs of frames near in time decide which of several candidates is the right one. The positions maximise
    the sum over pairs of ``weight / (1 + |misfit|²/tolerance²)`` of the best-supported candidate; in this redescending
    M-estimate a pair that is a lattice period off has no pull. A heavy-tailed prior on the steps from frame to frame is
    subtracted, without which a perfect lattice would leave them undetermined. Single frames, and all frames from one
    on, are moved to other candidates as long as that raises the sum. Then all pairs, near and far, place the frames by
    iteratively reweighted least squares.

    Parameters
    ----------
    pairs : Pairs
        Candidates for u_first - u_second.
    frames : int
        Number of frames.

    Returns
    -------
    (N, 2) float64
        Positions u, px, zero mean.
    """
    if pairs.first.size == 0:
        return np.zeros((frames, 2))
    shift, score = pairs.shift, _weights(pairs, frames)
    chain = _chain(pairs, frames)
    tolerance = TOLERANCE * pairs.width
    steps = np.hypot(*np.diff(chain, axis=0).T)
    step = max(float(np.median(steps)), SHORTEST_STEP * pairs.width)
    weight = STEP_WEIGHT * 2 * max(min(NEAR, frames - 1), FEWEST)
    near = pairs.second - pairs.first <= NEAR
    begin = np.searchsorted(pairs.first, np.arange(frames))
    close = Pairs(pairs.first[near], pairs.second[near], shift[near], score[near], pairs.width, pairs.likeness[near])
    best, found = -np.inf, chain
    for position in (chain, _tree(pairs, frames), np.zeros((frames, 2))):
        for width in (8 * tolerance, tolerance):
            _solve(close, position, width)
        for _ in range(SWEEPS):
            moved = _hop(shift, score, begin, position, step, weight, tolerance)
            moved += _slide(shift, score, begin, position, step, weight, tolerance)
            if not moved:
                break
            _solve(close, position, tolerance)
        value = _support(close, position, tolerance) - weight * _roughness(position, step)
        if value > best:
            best, found = value, position
    _solve(replace(pairs, score=score), found, tolerance)
    return np.asarray(found - found.mean(axis=0))


def _weights(pairs: Pairs, frames: int) -> Floats:
    """Weight of every candidate, 0 to 1: how little its score is below what its frames reach at best.

    For each of the two frames the best score with any other frame is taken, and of these two the lower one.
    """
    best = pairs.score.max(axis=1)
    reached = np.zeros(frames)
    np.maximum.at(reached, pairs.first, best)
    np.maximum.at(reached, pairs.second, best)
    reference = np.minimum(reached[pairs.first], reached[pairs.second])
    return np.asarray(np.where(pairs.score > 0, np.exp((pairs.score - reference[:, None]) / SPAN), 0))


def _chain(pairs: Pairs, frames: int) -> Floats:
    """Positions by the shortest of the strong candidates between successive frames."""
    position = np.zeros((frames, 2))
    for pair in np.flatnonzero(pairs.second - pairs.first == 1):
        strong = (pairs.score[pair] > STRONG * pairs.score[pair].max()) & (pairs.score[pair] > 0)
        length = np.where(strong, np.hypot(*pairs.shift[pair].T), np.inf)
        step = pairs.shift[pair, np.argmin(length)] if strong.any() else np.zeros(2)
        position[pairs.second[pair]] = position[pairs.first[pair]] - step
    return position


def _tree(pairs: Pairs, frames: int) -> Floats:
    """Positions by the strongest candidates along the spanning tree of the pairs with the highest scores."""
    cost = 1 / (1e-9 + pairs.score.max(axis=1))
    tree = csgraph.minimum_spanning_tree(graph(cost, pairs.first, pairs.second, frames))
    order, parent = csgraph.breadth_first_order(tree, 0, directed=False)
    position = np.zeros((frames, 2))
    number = pairs.first * frames + pairs.second
    for frame in order[1:]:
        before = int(parent[frame])
        pair = np.searchsorted(number, min(before, frame) * frames + max(before, frame))
        step = pairs.shift[pair, np.argmax(pairs.score[pair])]
        position[frame] = position[before] + (step if frame < before else -step)
    return position


def _solve(pairs: Pairs, position: Floats, tolerance: float) -> None:
    """Iteratively reweighted least squares; updates the positions in place."""
    frames = len(position)
    first, second = pairs.first, pairs.second
    pair, every = np.arange(first.size), np.arange(frames)
    for _ in range(ROUNDS):
        misfit = pairs.shift - (position[first] - position[second])[:, None]
        support = pairs.score / (1 + (misfit**2).sum(axis=2) / tolerance**2)
        best = np.argmax(support, axis=1)
        weight = support[pair, best] ** 2 / np.maximum(pairs.score[pair, best], 1e-12)
        wanted = weight[:, None] * misfit[pair, best]
        pull = np.stack([np.bincount(first, w, frames) - np.bincount(second, w, frames) for w in wanted.T], axis=1)
        held = HELD * max(float(weight.max()), HELD)
        diagonal = np.bincount(first, weight, frames) + np.bincount(second, weight, frames) + held
        values = np.concatenate([-weight, -weight, diagonal])
        places = (np.concatenate([first, second, every]), np.concatenate([second, first, every]))
        step = splu(csc_matrix((values, places), (frames, frames))).solve(pull)
        position += step
        if np.abs(step).max() < 1e-3:
            return


def _support(pairs: Pairs, position: Floats, tolerance: float) -> float:
    misfit = pairs.shift - (position[pairs.first] - position[pairs.second])[:, None]
    return float((pairs.score / (1 + (misfit**2).sum(axis=2) / tolerance**2)).max(axis=1).sum())


def _roughness(position: Floats, step: float) -> float:
    return float(np.log1p(np.square(np.diff(position, axis=0)).sum(axis=1) / step**2).sum())


@njit(cache=True, nogil=True)
def _highest(score: Any) -> Any:
    """Highest score of each pair."""
    out = np.zeros(len(score))
    for pair in range(len(score)):
        out[pair] = score[pair].max()
    return out


@njit(cache=True, nogil=True)
def _best(shift: Any, score: Any, y: float, x: float, tolerance: float) -> float:
    """Support of a pair for the shift (y, x)."""
    best = 0.0
    for k in range(len(score)):
        misfit = (shift[k, 0] - y) ** 2 + (shift[k, 1] - x) ** 2
        best = max(best, score[k] / (1 + misfit / tolerance**2))
    return best


@njit(cache=True, nogil=True)
def _between(
    shift: Any, score: Any, begin: Any, position: Any, i: int, j: int, y: float, x: float, tolerance: float
) -> float:
    """Support of the pair of near frames i < j if j were moved on by (y, x)."""
    pair = begin[i] + j - i - 1
    dy, dx = position[i, 0] - position[j, 0] - y, position[i, 1] - position[j, 1] - x
    return _best(shift[pair], score[pair], dy, dx, tolerance)


@njit(cache=True, nogil=True)
def _prior(position: Any, i: int, y: float, x: float, step: float) -> float:
    """Log-prior of the step from frame i to the next if that were moved on by (y, x)."""
    dy, dx = position[i + 1, 0] + y - position[i, 0], position[i + 1, 1] + x - position[i, 1]
    return -math.log1p((dy * dy + dx * dx) / step**2)


@njit(cache=True, nogil=True)
def _frame_value(
    shift: Any, score: Any, begin: Any, position: Any, frame: int, y: float, x: float, step: float, weight: float,
    tolerance: float, most: Any, least: float,
) -> float:  # fmt: skip
    """Support and prior of one frame if it were moved by (y, x).

    The sum is broken off where it can no longer reach `least`; the result is then some number below that. `most`:
    highest score of each pair.
    """
    frames = len(position)
    low, high = max(0, frame - NEAR), min(frames, frame + NEAR + 1)
    total = rest = 0.0
    if frame > 0:
        total += weight * _prior(position, frame - 1, y, x, step)
    if frame < frames - 1:
        total += weight * _prior(position, frame, -y, -x, step)
    for other in range(low, high):
        if other != frame:
            rest += most[begin[min(frame, other)] + abs(other - frame) - 1]
    for other in range(low, high):
        if other == frame:
            continue
        if total + rest < least:
            return total + rest
        rest -= most[begin[min(frame, other)] + abs(other - frame) - 1]
        if other < frame:
            total += _between(shift, score, begin, position, other, frame, y, x, tolerance)
        else:
            total += _between(shift, score, begin, position, frame, other, -y, -x, tolerance)
    return total


@njit(cache=True, nogil=True)
def _hop(shift: Any, score: Any, begin: Any, position: Any, step: float, weight: float, tolerance: float) -> int:
    """Move every frame to where most of its pairs want it; return how many moved."""
    frames = len(position)
    most = _highest(score)
    moved = 0
    for frame in range(frames):
        start = _frame_value(shift, score, begin, position, frame, 0.0, 0.0, step, weight, tolerance, most, -np.inf)
        best, best_y, best_x = start + 1e-3 * weight, 0.0, 0.0
        for other in range(max(0, frame - NEAR), min(frames, frame + NEAR + 1)):
            if other == frame:
                continue
            pair = begin[min(frame, other)] + abs(other - frame) - 1
            sign = 1.0 if frame < other else -1.0
            for k in range(score.shape[1]):
                y = position[other, 0] + sign * shift[pair, k, 0] - position[frame, 0]
                x = position[other, 1] + sign * shift[pair, k, 1] - position[frame, 1]
                if score[pair, k] < 0.1 or y * y + x * x < tolerance**2:
                    continue
                value = _frame_value(shift, score, begin, position, frame, y, x, step, weight, tolerance, most, best)
                if value > best:
                    best, best_y, best_x = value, y, x
        if best_y != 0 or best_x != 0:
            moved += 1
            position[frame, 0] += best_y
            position[frame, 1] += best_x
    return moved


@njit(cache=True, nogil=True)
def _slide(shift: Any, score: Any, begin: Any, position: Any, step: float, weight: float, tolerance: float) -> int:
    """Move each frame and all after it by the same amount where that raises the sum; return how often."""
    frames = len(position)
    most = _highest(score)
    moved = 0
    for frame in range(1, frames):
        neighbours = begin[frame - 1]
        start, best, best_y, best_x = -np.inf, -np.inf, 0.0, 0.0
        rest = 0.0
        for i in range(max(0, frame - NEAR), frame):
            rest += most[begin[i] + frame - i - 1 : begin[i] + min(frames, i + NEAR + 1) - i - 1].sum()
        for k in range(-1, score.shape[1]):
            y, x = 0.0, 0.0
            if k >= 0:
                y = position[frame - 1, 0] - shift[neighbours, k, 0] - position[frame, 0]
                x = position[frame - 1, 1] - shift[neighbours, k, 1] - position[frame, 1]
                if score[neighbours, k] < 0.1 or y * y + x * x < tolerance**2:
                    continue
            value, possible = weight * _prior(position, frame - 1, y, x, step), rest
            for i in range(max(0, frame - NEAR), frame):
                if value + possible < max(start, best):
                    break
                possible -= most[begin[i] + frame - i - 1 : begin[i] + min(frames, i + NEAR + 1) - i - 1].sum()
                for j in range(frame, min(frames, i + NEAR + 1)):
                    value += _between(shift, score, begin, position, i, j, y, x, tolerance)
            if k < 0:
                start = value
            elif value > best:
                best, best_y, best_x = value, y, x
        if best > start + 1e-3 * weight:
            moved += 1
            position[frame:, 0] += best_y
            position[frame:, 1] += best_x
    return moved
