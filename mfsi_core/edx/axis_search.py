"""Axis search: offset and gain of the energy axis by the lines of the spectrum, within ±200 eV and ±2 %."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lbj.array_types import Floats

from ..series.axis import STROBE
from .detector import FWHM, Detector, efficiency, respond
from .families import Family

REACH = 200.0  # eV, largest offset tried
STRETCH = 0.02  # largest deviation of the gain from 1 tried
STEPS = ((25.0, 2e-3), (6.0, 1e-3), (1.5, 2.5e-4))  # steps of offset (eV) and gain: a grid, then finer ones
USUAL = (60.0, 6e-3)  # standard deviations of the prior of offset (eV) and gain
BIN = 20.0  # eV, to which channels are summed for the search
LEAST_WEIGHT = 0.02  # share of its family from which a line is used
ZERO_REACH = 250.0  # eV, within which the zero peak is looked for
ZERO_NEAR = 75.0  # eV, within which whatever stands there is the zero peak, for no line lies so low
ZERO_SHARE = 0.7  # of all counts; nothing but a zero peak holds so many
ZERO_ERROR, ZERO_LIMIT = 15.0, 30.0  # eV, of the zero peak as a mark of the offset, and the farthest it may be off
SHARE = 0.01  # of the chi-square explained that a line must hold to count as a witness of the axis
APART = 2.0  # full widths between witnesses
BETTER = 1.3  # times as much as a likelier axis (by the prior) another one must explain to be preferred
HARDLY = 1.1  # times less than a likelier axis one may explain that is preferred since it shows more elements
MAXIMA = 5  # of the grid, from which the finer search begins
HELD = 3  # lines that are held in their places while the gain is sought anew, and gains that are tried further
CLOSE = 0.97  # of what the best axis explains: another one that reaches it may be right as well,
HALF = 0.5  # and from which one may be that explains peaks by other lines
OTHER = 0.5  # standard deviations of a line by which two axes must differ at a witness to count as different


class ZeroPeak(NamedTuple):
    """What may be the zero peak (strobe) of a detector.

    Attributes
    ----------
    place : float
        On the axis, eV.
    certain : bool
        Whether it can be nothing else.
    """

    place: float
    certain: bool


@dataclass(frozen=True)
class Found:
    """The axis that explains most.

    Attributes
    ----------
    offset, gain : float
        A photon of energy E appears at ``offset + gain * E``, eV.
    witnesses : tuple of float
        Energies of the lines, two full widths apart, that hold the most of what is explained, eV.
    others : tuple of Found
        Other axes that explain at least half as much, each without others.
    edge : bool
        Whether it lies at the end of what was searched.
    explained : float
        Chi-square that the lines explain on it.
    unlikely : float
        Its squared deviation from what is expected beforehand, in standard deviations.
    close : bool
        Whether it explains nearly as much as the best one, by as many elements.
    """

    offset: float
    gain: float
    witnesses: tuple[float, ...]
    others: tuple[Found, ...]
    edge: bool
    explained: float
    unlikely: float = 0.0
    close: bool = True


def search(
    counts: Floats,
    edges: Floats,
    families: list[Family],
    detector: Detector,
    zero: ZeroPeak | None,
    named: Collection[str],
) -> Found:
    """Try all axes within 200 eV and 2 % of the one given.

    Parameters
    ----------
    counts : (C,) array
        Sum spectrum.
    edges : (C + 1,) array
        Bounds of the channels, eV.
    families : list of Family
        Of elements that are there.
    detector : Detector
        Resolution.
    zero : ZeroPeak, optional
        What may be the zero peak. Where it is certain the offset lies within 30 eV of it.

    named : collection of str
        Elements whose lines bear witness; the others may be there.

    Returns
    -------
    Found
        Of all offsets and gains the one by which non-negative amounts of the families explain most of what stands above
        the background, as chi-square over its own scatter, less what is known beforehand: an offset of 0 ± 60 eV, or
        that of the zero peak, and a gain of 1 ± 0.6 %. Of axes that explain nearly as much (1.3 times less if likelier
        beforehand, else 1.1 times), but not of those that a likelier one explains better, the one is preferred that
        shows lines of most of the elements, then that of most lines, less what makes it unlikely beforehand.
    """
    trial = _Trial(counts, edges, families, detector, zero, named)
    offsets = np.arange(-REACH, REACH + 1, STEPS[0][0])
    gains = np.arange(1 - STRETCH, 1 + STRETCH + 1e-9, STEPS[0][1])
    table = np.array([[trial.score(offset, gain) for gain in gains] for offset in offsets])
    starts = [(0.0, 1.0), *([(zero.place, 1.0)] if zero is not None else [])]
    starts += [(float(offsets[i]), float(gains[j])) for i, j in _maxima(table)[:MAXIMA]]
    tops = [trial.climb(*start) for start in starts if trial.allowed(*start)]
    tops += [trial.climb(*start) for start in trial.stretched(*max(tops)[1:])]
    explained = [trial.explained(offset, gain) for _, offset, gain in tops]
    best = max(range(len(tops)), key=lambda i: tops[i][0])
    held = [trial.witnesses(offset, gain) for _, offset, gain in tops]
    present = [len({element for _, element in found}) for found in held]
    unlikely = [round(trial.unlikely(*top[1:]), 1) for top in tops]
    slack = [BETTER if unlikely[i] <= unlikely[best] else HARDLY for i in range(len(tops))]
    good = [
        i
        for i in range(len(tops))
        if explained[i] * slack[i] >= explained[best]
        and not any(more > explained[i] and less < unlikely[i] for more, less in zip(explained, unlikely, strict=True))
    ]
    chosen = min(good, key=lambda i: (-present[i], unlikely[i] - len(held[i]), -tops[i][0]))
    witnesses = tuple(energy for energy, _ in held[chosen])

    def made(i: int, *others: Found) -> Found:
        _, offset, gain = tops[i]
        edge = abs(offset) > REACH - STEPS[2][0] or abs(gain - 1) > STRETCH - STEPS[2][1]
        close = explained[i] > CLOSE * explained[chosen] and present[i] >= present[chosen]
        seen = tuple(energy for energy, _ in held[i])
        return Found(offset, gain, seen, others, bool(edge and seen), explained[i], unlikely[i], close)

    others: list[Found] = []
    for i in sorted(range(len(tops)), key=lambda i: -explained[i]):
        seen = witnesses + tuple(energy for energy, _ in held[i])
        apart = all(trial.differ((one.offset, one.gain), tops[i][1:], seen) for one in [made(chosen), *others])
        if apart and explained[i] > HALF * explained[chosen]:
            others.append(made(i))
    return made(chosen, *others)


def zero_peak(counts: Floats, axis: Floats) -> ZeroPeak | None:
    """Find what may be the zero peak; None where nothing stands there whole, with both its sides."""
    step = float(axis[1] - axis[0]) if axis.size > 1 else 0.0
    near = np.flatnonzero(np.abs(axis) <= ZERO_REACH)
    if near.size < 8 or step <= 0:
        return None
    top = int(near[np.argmax(counts[near])])
    height = float(counts[top])
    reach = max(int(np.ceil(ZERO_NEAR / step)), 2)
    left, right = max(top - 2 * reach, 0), min(top + 2 * reach + 1, counts.size)
    floor = max(float(counts[left]), float(counts[right - 1]))
    above = counts[left:right] > floor + (height - floor) / 2
    first, last = left + int(above.argmax()), right - 1 - int(above[::-1].argmax())
    peak = counts[first : last + 1] - floor
    whole = left > 0 and first > left and last < right - 1 and (last - first) * step < 2 * ZERO_NEAR
    if not whole or peak.sum() < 8 * np.sqrt(max(counts[first : last + 1].sum(), 1.0)):
        return None
    place = float((axis[first : last + 1] * peak).sum() / peak.sum())
    if abs(place) > REACH + ZERO_ERROR:
        return None
    certain = abs(place) < ZERO_NEAR or counts[first : last + 1].sum() > ZERO_SHARE * counts.sum()
    return ZeroPeak(place, bool(certain))


class _Trial:
    def __init__(
        self,
        counts: Floats,
        edges: Floats,
        families: list[Family],
        detector: Detector,
        zero: ZeroPeak | None,
        named: Collection[str],
    ) -> None:
        self.detector, self.zero = detector, zero
        factor = max(int(BIN / (edges[1] - edges[0])), 1)
        size = counts.size // factor
        binned = counts[: size * factor].reshape(size, factor).sum(axis=1)
        self.edges = np.ascontiguousarray(edges[: size * factor + 1 : factor])
        step = float(self.edges[1] - self.edges[0])
        self.net = binned - _background(binned, max(round(260.0 / step), 2))
        smooth = np.convolve(np.pad(binned, 2, mode="edge"), np.full(5, 0.2), "valid")
        self.weight = 1 / (smooth + 1)
        if zero is not None and zero.certain:
            self.weight[np.abs(self.edges[:-1] + step / 2 - zero.place) < STROBE] = 0
        lines = [(f, line) for f, family in enumerate(families) for line in family.lines if line.weight >= LEAST_WEIGHT]
        self.energy = np.array([line.energy for _, line in lines])
        self.owner = np.array([f for f, _ in lines])
        strength = np.array([line.weight for _, line in lines]) * efficiency(self.energy)
        self.strength = strength / np.maximum(np.bincount(self.owner, strength)[self.owner], 1e-300)
        self.elements = [family.element for family in families]
        self.named = np.array([family.element in named for family in families])[self.owner]
        self.whole = float((self.weight * self.net**2).sum())
        self.scatter = max((self.whole - max(self._explained(0, 1)[0], 0.0)) / size, 1.0)

    def _templates(self, offset: float, gain: float) -> Floats:
        out = np.zeros((len(self.elements), self.net.size))
        detector = Detector(offset, gain, self.detector.resolution, self.detector.slope)
        place, sigma = detector.positions(self.energy), detector.sigmas(self.energy)
        respond(self.edges, place, sigma, 0.0, detector.tail_length, self.strength, self.owner, out)
        return out

    def _explained(self, offset: float, gain: float) -> tuple[float, Floats, Floats]:
        """Chi-square that the families explain, their amounts, and their templates."""
        from scipy.optimize import nnls

        templates = self._templates(offset, gain)
        weighted = templates * self.weight
        matrix, toward = weighted @ templates.T, weighted @ self.net
        scale = np.sqrt(np.maximum(np.diag(matrix), 1e-30))
        root = np.linalg.cholesky(matrix / np.outer(scale, scale) + 1e-6 * np.eye(scale.size))
        amount = nnls(root.T, np.linalg.solve(root, toward / scale))[0] / scale
        return float(2 * amount @ toward - amount @ matrix @ amount), amount, templates

    def unlikely(self, offset: float, gain: float) -> float:
        """Squared deviation of an axis from what is expected, in standard deviations."""
        usual = (offset / USUAL[0]) ** 2
        if self.zero is not None:
            marked = ((offset - self.zero.place) / ZERO_ERROR) ** 2
            usual = marked if self.zero.certain else min(usual, marked)
        return float(usual + ((gain - 1) / USUAL[1]) ** 2)

    def score(self, offset: float, gain: float) -> float:
        """How well an axis explains the spectrum."""
        if not self.allowed(offset, gain):
            return -np.inf
        return self._explained(offset, gain)[0] / self.scatter - self.unlikely(offset, gain)

    def explained(self, offset: float, gain: float) -> float:
        """Chi-square that the families explain."""
        return self._explained(offset, gain)[0]

    def allowed(self, offset: float, gain: float) -> bool:
        """Whether an axis is to be tried."""
        far = self.zero is not None and self.zero.certain and abs(offset - self.zero.place) > ZERO_LIMIT
        return not far and abs(offset) <= REACH and abs(gain - 1) <= STRETCH + 1e-9

    def climb(self, offset: float, gain: float) -> tuple[float, float, float]:
        """Score, offset and gain of the maximum next to an axis."""
        best = (self.score(offset, gain), float(offset), float(gain))
        for step, stretch in STEPS[1:]:
            while True:
                moves = [(i * step, j * stretch) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)]
                around = [(best[1] + move, best[2] + change) for move, change in moves]
                found = max((self.score(o, g), o, g) for o, g in around)
                if found[0] <= best[0]:
                    break
                best = found
        return best

    def stretched(self, offset: float, gain: float) -> list[tuple[float, float]]:
        """Other offsets and gains that leave one of the strongest lines where it is, and by which others fit best."""
        out = []
        gains = np.arange(1 - STRETCH, 1 + STRETCH + 1e-9, STEPS[1][1])
        for energy, _ in self.witnesses(offset, gain)[:HELD]:
            offsets = offset + (gain - gains) * energy
            table = np.array([[self.score(*axis) for axis in zip(offsets, gains, strict=True)]])
            out += [(float(offsets[i]), float(gains[i])) for _, i in _maxima(table)[:HELD] if np.isfinite(table[0, i])]
        return out

    def witnesses(self, offset: float, gain: float) -> list[tuple[float, str]]:
        """Lines that hold what is explained, energy and element, the strongest first, apart from one another."""
        explained, amount, templates = self._explained(offset, gain)
        centre = (self.edges[:-1] + self.edges[1:]) / 2
        detector = Detector(offset, gain, self.detector.resolution, self.detector.slope)
        width = FWHM * detector.sigmas(self.energy)
        fit = amount @ templates
        held = self.strength * amount[self.owner]
        out: list[tuple[float, str]] = []
        for i in np.argsort(-held):
            place = detector.positions(self.energy[i])
            inside = np.abs(centre - place) < width[i] / 2
            gained = float((self.weight * (self.net**2 - (self.net - fit) ** 2))[inside].sum())
            if (
                self.named[i]
                and held[i] > 0
                and gained > max(SHARE * explained, 9 * self.scatter)
                and all(abs(self.energy[i] - other) > APART * width[i] for other, _ in out)
            ):
                out.append((float(self.energy[i]), self.elements[self.owner[i]]))
        return out

    def differ(self, one: tuple[float, float], other: tuple[float, float], witnesses: tuple[float, ...]) -> bool:
        """Whether two axes put any witness to different places."""
        energy = np.array(witnesses or (1000.0,))
        apart = np.abs(other[0] - one[0] + (other[1] - one[1]) * energy)
        return bool((apart > OTHER * self.detector.sigmas(energy)).any())


def _background(counts: Floats, reach: int) -> Floats:
    """Background by clipping of peaks in the double logarithm of the root (M. Morhac et al., NIM A 401 (1997) 113)."""
    level = np.log(np.log(np.sqrt(np.maximum(counts, 0) + 1) + 1) + 1)
    for p in range(reach, 0, -1):
        level[p:-p] = np.minimum(level[p:-p], (level[2 * p :] + level[: -2 * p]) / 2)
    return np.asarray((np.exp(np.exp(level) - 1) - 1) ** 2 - 1)


def _maxima(table: Floats) -> list[tuple[int, int]]:
    """Local maxima of a table, the highest first."""
    around = np.full((table.shape[0] + 2, table.shape[1] + 2), -np.inf)
    around[1:-1, 1:-1] = table
    highest = np.max(
        [
            around[1 + i : around.shape[0] - 1 + i, 1 + j : around.shape[1] - 1 + j]
            for i in (-1, 0, 1)
            for j in (-1, 0, 1)
        ],
        axis=0,
    )
    rows, columns = np.nonzero(table >= highest)
    order = np.argsort(-table[rows, columns])
    return [(int(rows[k]), int(columns[k])) for k in order]
