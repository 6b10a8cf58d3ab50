"""Likelihood: the model of an EDX sum spectrum, its fit by Fisher scoring, and the priors of detector and lines."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lbj.array_types import Floats

from ..tables.constants import mass_attenuation
from ..tables.lines import MN_KA
from .background import absorbers, spline
from .detector import FWHM, Detector, efficiency, respond, respond_slopes
from .families import Family
from .unassigned import BESIDE, ELEMENT, SIGNIFICANT, STRONG

# Standard deviations of the priors; where the spectrum says more, it decides.
AXIS = (20.0, 2e-3)  # offset (eV) and gain
PRIOR = {"offset": AXIS[0], "gain": AXIS[1], "resolution": 20.0, "slope": 0.2, "tail": 0.03, "tail_length": 60.0}
LARGEST_TAIL = 0.3
SHIFT = 2.0  # eV, of a family's lines against the table
UNASSIGNED_SHIFT = 15.0  # eV, of a peak that was found and belongs to no named element
LARGEST_SHIFTS = 5  # a shift, offset or gain may go so many standard deviations of its prior away
UNASSIGNED_REACH = 2  # the same for a peak that belongs to no named element
ALONE = 1.5  # full widths; a family may be looked for beside its place if no strong line of another one is nearer
GROUP_STRENGTH = 0.2  # of the logarithm of the strength of one group of lines relative to the alpha lines,
WINDOW = 3e-5  # g/cm² of carbon, of a polymer window; and by how much that, which a detector may have, changes it
BEND = 3.0  # of the second differences of the spline's coefficients, which keeps the background smooth
LAST = 1e-3  # part of the background that is left at the beam's energy, where it ends
ABSORBERS = 5.0  # standard deviation of its amount, in that unit
PILED = 2e-3  # share of the counts at which the fit of pile-up begins
ROUNDS = 40  # of scoring, at most
ROUND_OFF = 1e-12
ENOUGH = 1e-4  # change of the objective at which the fit ends
ROUGHLY = 1.0  # the same while unassigned peaks are sought


class Before(NamedTuple):
    """What is known of a spectrum before it is fitted.

    Attributes
    ----------
    detector : Detector
        What is expected.
    axis : (float, float)
        Standard deviations of its offset, eV, and gain.
    beam : float or None
        Energy of the electrons, eV, at which bremsstrahlung ends (W. Duane and F. L. Hunt, 1915).
    """

    detector: Detector
    axis: tuple[float, float] = AXIS
    beam: float | None = None


class Likelihood:
    """Penalised likelihood of a sum spectrum, as a function of all parameters of the model (`theta`).

    Parameters in their order: those of the detector (6: `PRIOR`), energy shift of every family, strength of every group
    of lines (natural logarithm), photons of every family, spline coefficients of the background, amounts of two
    absorbers whose edges it shows (carbon, and the elements named), counts of pile-up (one parameter or none).

    Parameters
    ----------
    counts, edges, families
        As for `calibration.calibrate`.
    before : Before
    places : (F,) array, optional
        Shifts of families, eV, around which the prior allows for small ones; default 0.
    folded : (C,) array, optional
        Shape of the pile-up; without it there is none.
    """

    def __init__(
        self,
        counts: Floats,
        edges: Floats,
        families: list[Family],
        before: Before,
        places: Floats | None = None,
        folded: Floats | None = None,
    ) -> None:
        detector = before.detector
        self.axis, self.beam = before.axis, before.beam
        self.folded = np.zeros((0, counts.size)) if folded is None else folded[None]
        self.placed = np.zeros(len(families))
        if places is not None:
            self.placed[: places.size] = places
        self.counts, self.edges, self.families, self.detector = counts, edges, families, detector
        lines = [line for family in families for line in family.lines]
        self.energy = np.array([line.energy for line in lines])
        self.owner = np.repeat(np.arange(len(families)), [len(family.lines) for family in families])
        weight = np.array([line.weight for line in lines]) * efficiency(self.energy)
        self.weight = weight / np.bincount(self.owner, weight)[self.owner]
        self.group = np.full(self.energy.size, -1)  # number of the strength parameter of each line; -1 for alpha lines
        self.groups = 0
        solid: list[float] = []
        at = 0
        for family in families:
            held = family.groups()
            for number in sorted(set(held) - {min(held)}):
                solid.append(np.log(family.in_solid(number)))
                for i, group in enumerate(held):
                    if group == number:
                        self.group[at + i] = self.groups
                self.groups += 1
            at += len(held)
        self.solid = np.array(solid)
        self.strength_errors = np.hypot(GROUP_STRENGTH, self._by_window())
        centre = np.maximum((edges[:-1] + edges[1:]) / 2, 50.0)
        self.seen = np.maximum(efficiency(centre), 1e-6)
        if before.beam is not None:
            self.seen = self.seen * np.clip(1 - centre / before.beam, LAST, 1.0)
        self.basis = spline(np.log(centre))
        self.absorbers = absorbers(centre, families, detector)
        sizes = [6, len(families), self.groups, len(families), *map(len, (self.basis, self.absorbers, self.folded))]
        self.parts = np.cumsum([0, *sizes])
        self.prior, self.precision = self._prior()
        unassigned = np.array([family.element == ELEMENT for family in families])
        self.reach = np.where(unassigned, UNASSIGNED_REACH, LARGEST_SHIFTS) / np.sqrt(self.precision[self._of(1)])

    def _prior(self) -> tuple[Floats, Floats]:
        mean, precision = np.zeros(self.parts[-1]), np.zeros(self.parts[-1])
        mean[:6] = [getattr(self.detector, name) for name in PRIOR]
        precision[:6] = [1 / deviation**2 for deviation in (*self.axis, *list(PRIOR.values())[2:])]
        precision[self._of(1)] = [(UNASSIGNED_SHIFT if f.element == ELEMENT else SHIFT) ** -2 for f in self.families]
        mean[self._of(1)] = self.placed
        precision[self._of(2)] = 1 / self.strength_errors**2
        precision[self._of(5)] = 1 / ABSORBERS**2
        return mean, precision

    def _by_window(self) -> Floats:
        """How much more a polymer window weakens every group of lines than the alpha lines, logarithm."""
        depth = WINDOW * mass_attenuation("C", self.energy)
        first = (self.group < 0) * self.weight
        mean = np.bincount(self.owner, depth * first) / np.maximum(np.bincount(self.owner, first), 1e-300)
        out = np.zeros(self.groups)
        for g in range(self.groups):
            mine = self.group == g
            weight = self.weight[mine]
            if weight.sum() > 0:
                out[g] = weight @ depth[mine] / weight.sum() - mean[self.owner[mine][0]]
        return out

    def of_solid(self) -> Likelihood:
        """The same, where groups of lines are expected as strong as in solids."""
        other = copy(self)
        other.prior = self.prior.copy()
        other.prior[self.strength] = self.solid
        return other

    def places(self, theta: Floats) -> Floats:
        """Shifts, eV, that put families onto a peak beside their place; 0 where there is none, or other lines are near.

        A peak within 60 eV of a strong line of an element that is named is taken for that element's own.
        """
        out = np.zeros(len(self.families))
        centre = (self.edges[:-1] + self.edges[1:]) / 2
        mean, templates, amount = self.mean(theta), self.templates(theta), theta[self._of(3)]
        moves = np.arange(-BESIDE, BESIDE + 1, BESIDE / 12)
        for f in np.flatnonzero(self._alone()):
            own = amount[f] * templates[f]
            left = self.counts - mean + own
            weight = 1 / np.maximum(mean, 1.0)
            moved = np.array([np.interp(centre - move, centre, templates[f]) for move in moves])
            toward = np.maximum(moved @ (weight * left), 0.0)
            gained = toward**2 / np.maximum((moved**2) @ weight, 1e-300)
            best = int(gained.argmax())
            better = gained[best] > gained[moves.size // 2] + SIGNIFICANT**2
            if better and 0 < best < moves.size - 1 and abs(moves[best]) > SHIFT * LARGEST_SHIFTS:
                out[f] = moves[best]
        return out

    def _alone(self) -> NDArray[np.bool_]:
        """Families of named elements near whose alpha lines there is no strong line of another family."""
        alpha = np.array([family.alpha_energy for family in self.families])
        width = FWHM * self.detector.sigmas(alpha)
        near = np.abs(alpha[:, None] - self.energy) < ALONE * width[:, None]
        near &= self.owner != np.arange(alpha.size)[:, None]
        named = np.array([family.element != ELEMENT for family in self.families])
        return np.asarray(named & ~(near & (self.weight > STRONG)).any(axis=1))

    @property
    def shifts(self) -> slice:
        """Which parameters are the shifts of the families."""
        return self._of(1)

    @property
    def strength(self) -> slice:
        """Which parameters are the logarithms of the groups' strengths."""
        return self._of(2)

    @property
    def amounts(self) -> slice:
        """Which parameters are the photons of the families."""
        return self._of(3)

    def _of(self, part: int) -> slice:
        return slice(self.parts[part], self.parts[part + 1])

    def start(self) -> Floats:
        """Parameters to begin with: half the counts near each alpha line, and a flat background with a fifth of all."""
        theta = self.prior.copy()
        centre = (self.edges[:-1] + self.edges[1:]) / 2
        total = max(self.counts.sum(), 1.0)
        smooth = np.log(np.maximum(0.2 * total / self.counts.size, 1e-3) / self.seen.mean())
        theta[self._of(4)] = smooth
        theta[self._of(6)] = PILED * total
        for f, family in enumerate(self.families):
            near = np.abs(centre - family.alpha_energy) < 80.0
            theta[self.parts[3] + f] = max(0.5 * self.counts[near].sum(), 1.0)
        return theta

    def descend(self, theta: Floats, *, response: bool = True) -> Floats:
        """Minimise (Levenberg-Marquardt); without `response`, over photons, background and pile-up alone."""
        value, damping = self.objective(theta), 1e-3
        for _ in range(ROUNDS):
            gradient, hessian = self.derivatives(theta)
            if not response:
                gradient, hessian = gradient[self.parts[3] :], hessian[self.parts[3] :, self.parts[3] :]
            scale = np.sqrt(np.diag(hessian))
            while damping < 1e9:
                system = hessian / np.outer(scale, scale) + damping * np.eye(scale.size)
                trial = theta.copy()
                try:
                    trial[theta.size - scale.size :] -= np.linalg.solve(system, gradient / scale) / scale
                except np.linalg.LinAlgError:  # two parameters have the same effect
                    damping *= 8
                    continue
                trial = self.clamp(trial)
                new = self.objective(trial)
                if new <= value:
                    break
                damping *= 8
            else:
                break
            done = value - new < (ENOUGH if response else ROUGHLY)
            theta, value, damping = trial, new, damping / 8
            if done:
                break
        return theta

    def mean(self, theta: Floats) -> Floats:
        """Expected counts."""
        mean = theta[self._of(3)] @ self.templates(theta) + self.background(theta) + self.pile_up(theta)
        return np.asarray(np.maximum(mean, 1e-300))

    def clamp(self, theta: Floats) -> Floats:
        """Bring parameters into the ranges in which they have a meaning."""
        out = theta.copy()
        for part, reach in ((slice(0, 2), LARGEST_SHIFTS / np.sqrt(self.precision[:2])), (self._of(1), self.reach)):
            out[part] = np.clip(out[part], self.prior[part] - reach, self.prior[part] + reach)
        out[2] = max(out[2], 60.0)
        out[4] = min(max(out[4], 0.0), LARGEST_TAIL)
        out[5] = min(max(out[5], 30.0), 1000.0)
        for part in (self._of(3), self._of(5), self._of(6)):
            out[part] = np.maximum(out[part], 0.0)
        return out

    def strengths(self, theta: Floats) -> Floats:
        """Weights of the lines, which sum to 1 in every family."""
        log = np.append(theta[self._of(2)], 0.0)[self.group]
        raw = self.weight * np.exp(log)
        return np.asarray(raw / np.bincount(self.owner, raw)[self.owner])

    def lines(self, theta: Floats) -> tuple[Detector, Floats, Floats, Floats]:
        """The detector; energies, places on the axis and standard deviations of the lines, eV."""
        detector = replace(self.detector, **{name: float(theta[i]) for i, name in enumerate(PRIOR)})
        energy = self.energy + theta[self._of(1)][self.owner]
        return detector, energy, detector.positions(energy), detector.sigmas(energy)

    def templates(self, theta: Floats) -> Floats:
        """Share of each family's photons in every channel: (F, C)."""
        detector, _, position, sigma = self.lines(theta)
        out = np.zeros((len(self.families), self.counts.size))
        strengths = self.strengths(theta)
        respond(self.edges, position, sigma, detector.tail, detector.tail_length, strengths, self.owner, out)
        return out

    def background(self, theta: Floats) -> Floats:
        """Expected counts of the background: (C,)."""
        absorbed = theta[self._of(5)] @ self.absorbers
        return np.asarray(self.seen * np.exp(np.minimum(theta[self._of(4)] @ self.basis - absorbed, 60.0)))

    def pile_up(self, theta: Floats) -> Floats:
        """Expected counts of pile-up, pairs of photons that the detector took for one: (C,)."""
        return np.asarray(theta[self._of(6)] @ self.folded)

    def objective(self, theta: Floats) -> float:
        """Half the deviance, with the penalties of prior and smoothness."""
        mean = self.mean(theta)
        likelihood = float((mean - self.counts).sum() - (self.counts * np.log(mean / np.maximum(self.counts, 1))).sum())
        bend = np.diff(theta[self._of(4)], 2) / BEND
        return likelihood + 0.5 * float((self.precision * (theta - self.prior) ** 2).sum() + (bend**2).sum())

    def covariance(self, theta: Floats, free: slice) -> Floats:
        """Covariance of the parameters; those that are `free` as if no bound held them at zero."""
        hessian = self.derivatives(theta, free)[1]
        return np.asarray(np.linalg.inv(hessian + ROUND_OFF * np.diag(np.diag(hessian))))

    def slopes(self, theta: Floats) -> Floats:
        """Derivative of the expected counts by every parameter: (P, C)."""
        detector, energy, position, sigma = self.lines(theta)
        amount, strengths = theta[self._of(3)], self.strengths(theta)
        share = strengths * amount[self.owner]
        growth = 1 / (2 * FWHM**2 * sigma)  # d sigma / d (full width)²
        groups = np.where(self.group >= 0, self.parts[2] + self.group, -1)
        ones = np.ones(energy.size, np.int64)
        rows = [self.parts[3] + self.owner, groups, 0 * ones, ones, self.parts[1] + self.owner]
        rows += [2 * ones, 3 * ones, 4 * ones, 5 * ones]
        factors = [strengths, share, share, share * energy, share * detector.gain]
        factors += [share * 2 * detector.resolution * growth, share * (energy - MN_KA) * growth, share, share]
        jacobian = np.zeros((self.parts[-1], self.counts.size))
        respond_slopes(
            self.edges, position, sigma, detector.tail, detector.tail_length, np.stack(factors, 1), np.stack(rows, 1),
            jacobian,
        )  # fmt: skip
        templates = jacobian[self._of(3)]
        for g in range(self.groups):
            owner = self.owner[self.group == g][0]
            jacobian[self.parts[2] + g] -= strengths[self.group == g].sum() * amount[owner] * templates[owner]
        background = self.background(theta)
        jacobian[self._of(4)] = background * self.basis
        jacobian[self._of(5)] = -background * self.absorbers
        jacobian[self._of(6)] = self.folded
        return jacobian

    def derivatives(self, theta: Floats, free: slice = slice(0)) -> tuple[Floats, Floats]:
        """Gradient and expected second derivatives of the objective.

        Parameters that a bound holds at zero take no part, but for those that are `free` nevertheless.
        """
        jacobian = self.slopes(theta)
        mean = theta[self.amounts] @ jacobian[self.amounts] + self.background(theta) + self.pile_up(theta)
        mean = np.maximum(mean, 1e-12)
        gradient = jacobian @ (1 - self.counts / mean) + self.precision * (theta - self.prior)
        scaled = jacobian / np.sqrt(mean)
        hessian = scaled @ scaled.T + np.diag(self.precision)  # of one matrix: half the products
        second = np.diff(np.eye(self.basis.shape[0]), 2, axis=0) / BEND
        spline = self._of(4)
        gradient[spline] += second.T @ (second @ theta[spline])
        hessian[spline, spline] += second.T @ second + 1e-6 * np.eye(self.basis.shape[0])
        stuck = (theta == self.clamp(theta - 1e-9)) & (gradient > 0)
        stuck[[0, 1, 3]] = stuck[free] = False
        idle = np.flatnonzero(stuck & (theta <= 0))
        hessian[idle] = 0
        hessian[:, idle] = 0
        hessian[idle, idle] = 1
        gradient[idle] = 0
        diagonal = np.diag(hessian) <= 0
        hessian[diagonal, diagonal] = 1
        return gradient, hessian
