"""Choosing: which places that resemble a motif are repeats of it: by sublattice and by score."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lbj.array_types import Floats

from .lattice import Lattice, grown

LEVELS = 4.0  # standard deviations between two levels of scores that count as different
EQUAL = 0.01  # difference of scores within which two transforms count as equally good


def on_lattice(
    places: Floats, score: Floats, transform: NDArray[Any], lattice: Lattice, seed: int | None
) -> tuple[NDArray[np.bool_], NDArray[Any]]:
    """Choose the places on the motif's sublattice, and those on others where another transform fits as well.

    What translations lead to has one transform, the seed's or that of most places; returned as well.
    """
    left = np.ones(len(places), bool)
    orbits = []
    for k in [*([] if seed is None else [seed]), *np.argsort(-score, kind="stable")]:
        if left[k]:
            orbit = grown(places, int(k), lattice) & left
            left &= ~orbit
            orbits.append(orbit)
    largest = max(int(orbit.sum()) for orbit in orbits)
    means = [float(score[orbit].mean()) for orbit in orbits]
    first = 0
    if seed is None:
        first = max((k for k, o in enumerate(orbits) if 2 * o.sum() >= largest), key=lambda k: means[k])
    chosen = orbits[first].copy()
    names = [_majority(transform[orbit]) for orbit in orbits]
    if seed is not None:
        names[0] = str(transform[seed])
    out = np.where(chosen, names[first], transform)
    spread = float(score[chosen].std()) / np.sqrt(chosen.sum())
    for orbit, mean, name in zip(orbits, means, names, strict=True):
        as_good = mean >= means[first] * (1 - EQUAL) - 3 * spread
        if name != names[first] and as_good and 2 * orbit.sum() >= orbits[first].sum() > 1:
            chosen |= orbit
            out[orbit] = name
    return chosen, out


def _majority(names: NDArray[Any]) -> str:
    values, counts = np.unique(names, return_counts=True)
    return str(values[np.argmax(counts)])


def between_levels(score: Floats, least: float) -> float:
    """Score half-way between two levels of those above `least` (Otsu's split); -1 where they form one level."""
    ordered = np.sort(score[score >= least])
    best, split = 0.0, -1.0
    for k in range(2, len(ordered) - 1):
        low, high = ordered[:k], ordered[k:]
        within = np.sqrt((low.var() * low.size + high.var() * high.size) / ordered.size)
        gap = float(high.mean() - low.mean()) / max(float(within), 1e-9)
        if gap > best:
            best, split = gap, float(low.max() + high.min()) / 2
    return split if best > LEVELS else -1.0


def joined(
    places: Floats, score: Floats, seed: int, chosen: NDArray[np.bool_], lattice: Lattice | None, least: float,
    apart: float,
) -> NDArray[np.bool_]:  # fmt: skip
    """Places that the lattice reaches from a further seed, far from all repeats so far, such as in another grain."""
    out = grown(places, seed, lattice) if lattice else np.zeros(len(places), bool)
    out[seed] = True
    out &= (score >= least) & ~chosen
    if chosen.any():
        out &= np.array([not within(place, places[chosen], apart) for place in places])
    return out


def within(place: Floats, others: Floats, distance: float) -> bool:
    """Whether a place lies within a distance of any of the others."""
    return bool(len(others)) and bool(np.hypot(*(others - place).T).min() < distance)
