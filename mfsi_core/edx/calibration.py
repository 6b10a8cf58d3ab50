"""Calibration: axis, resolution, tail, pile-up and background of a detector, learnt once on the sum spectrum."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from lbj.array_types import Floats

from ..tables.lines import MN_KA
from .detector import FWHM, Detector, efficiency, respond, respond_slopes
from .families import Family
from .unassigned import BESIDE, ELEMENT, MOST, SIGNIFICANT, STRONG, find_unassigned_peak

# Standard deviations of what is known beforehand; the spectrum decides wherever it says more.
AXIS = (20.0, 2e-3)
PRIOR = {"offset": AXIS[0], "gain": AXIS[1], "resolution": 20.0, "slope": 0.2, "tail": 0.03, "tail_length": 60.0}
LARGEST_TAIL = 0.3
SHIFT = 2.0  # eV, of one family against the table
UNASSIGNED_SHIFT = 15.0  # eV, of a peak that was found
LARGEST_SHIFTS = 5  # standard deviations of the prior that any shift, offset or gain may reach
UNASSIGNED_REACH = 2  # the same, of a peak that was found
ALONE = 1.5  # full widths from the alpha line of a family to lines of others, beyond which it may be looked for beside
GROUP_STRENGTH = 0.2  # natural logarithm of the strength of one group of lines to the alpha lines
KNOTS_PER_OCTAVE = 1.0
BEND = 3.0  # of the logarithm of the background from one knot to the next but one
PILED = 2e-3  # share of the counts at which the fit of pile-up begins
SMOOTHED = 400.0  # eV, standard deviation of the smoothing that leaves no sum peaks
UNCERTAIN, OPEN = 0.04, 1.5  # error of a family's counts, of them and of their noise, from which it is told
ROUNDS = 40
ENOUGH = 1e-4  # change of the penalised log-likelihood at which the fit ends
ROUGHLY = 1.0  # the same, while unassigned peaks are sought


@dataclass
class Calibration:
    """What the sum spectrum taught.

    Attributes
    ----------
    detector : Detector
    centres : (C,) float64
        Centres of the channels, eV.
    families : list of Family
        Those given, then peaks that nobody named (element ``?``).
    templates : (F, C) float64
        Share of a family's photons in every channel.
    background : (C,) float64
        Background of the sum spectrum, counts per channel, with `pile_up`.
    pile_up : (C,) float64
        Pairs of photons that the detector took for one, counts per channel; 0 where there are none to be seen.
    counts : (F,) float64
        Photons of each family in the sum spectrum.
    shifts : (F,) float64
        Shift of each family against the table, eV.
    strengths : list of array
        Weights of every family's lines.
    deviance_dof : float
        Deviance of the sum spectrum per degree of freedom.
    axis_covariance : (2, 2) float64
        Of the detector's offset (eV) and gain, by the counts and what was known beforehand.
    pile_up_error : float
        Standard error of the sum of `pile_up`, counts.
    counts_error : (F,) float64
        Standard errors of `counts`: of noise, and of all that the fit leaves open besides (places, widths and relative
        strengths of lines, background), by the root of the deviance where that is above 1.
    """

    detector: Detector
    centres: Floats
    families: list[Family]
    templates: Floats
    background: Floats
    pile_up: Floats
    counts: Floats
    shifts: Floats
    strengths: list[Floats] = field(default_factory=list)
    deviance_dof: float = float("nan")
    axis_covariance: Floats = field(default_factory=lambda: np.full((2, 2), np.nan))
    pile_up_error: float = 0.0
    counts_error: Floats = field(default_factory=lambda: np.zeros(0))

    def uncertain(self, index: int, noise: float) -> float:
        """Relative error of a family's counts, where it is much more than their noise and not small; else 0."""
        total, error = float(self.counts[index]), float(self.counts_error[index])
        return error / total if total > 0 and error > max(UNCERTAIN * total, OPEN * noise) else 0.0

    @property
    def notes(self) -> list[str]:
        """Sentence on pile-up, where there is any."""
        if not self.pile_up.any():
            return []
        share = self.pile_up.sum() / (self.counts @ self.templates + self.background).sum()
        text = f"Pile-up: {share:.1%} of the counts are pairs of photons that the detector took for one"
        return [f"{text}, fitted as the spectrum folded with itself."]


def calibrate(
    spectrum: Floats, edges: Floats, families: list[Family], detector: Detector, axis: tuple[float, float] = AXIS
) -> Calibration:
    """Fit the sum spectrum.

    Parameters
    ----------
    spectrum : (C,) array
        Counts.
    edges : (C + 1,) array
        Bounds of the channels, eV.
    families : list of Family
        Of the elements named; further peaks are found and fitted beside them.
    detector : Detector
        Where to begin, and what is expected.
    axis : (float, float)
        Standard deviations of its offset, eV, and gain.

    Returns
    -------
    Calibration
        The penalised Poisson maximum likelihood, by Fisher scoring: intensities, smooth background (the exponential of
        a cubic B-spline in the logarithm of energy, times the efficiency), offset, gain, resolution and its slope,
        tail, and small corrections of each family's energy and of the strength of its groups of lines, held near their
        table's values by a Gaussian prior. Where it shows, pile-up within the resolving time of the detector is allowed
        for: the spectrum folded with itself (P. J. Statham, Microchim. Acta 155 (2006) 289), its amount fitted.
    """
    counts = np.asarray(spectrum, float)
    known = _fit(counts, edges, families, detector, axis, _folded(counts, edges))
    scatter = max(known.deviance_dof, 1.0) ** 0.5
    if known.pile_up.any() and known.pile_up.sum() < SIGNIFICANT * scatter * known.pile_up_error:
        known = _fit(counts, edges, families, detector, axis, None)
    return known


def _fit(
    counts: Floats,
    edges: Floats,
    families: list[Family],
    detector: Detector,
    axis: tuple[float, float],
    folded: Floats | None,
) -> Calibration:
    """Fit with pile-up where it explains something, and find unassigned peaks."""
    problem = _Problem(counts, edges, families, detector, axis)
    theta = problem.descend(problem.start(), response=False)
    places = problem.places(theta)
    if places.any():
        problem = _Problem(counts, edges, families, detector, axis, places)
        theta = problem.descend(problem.start(), response=False)
    piled, folded = folded, None
    if piled is not None:
        from scipy.ndimage import gaussian_filter1d

        smooth, mean = (
            gaussian_filter1d(piled, SMOOTHED / float(edges[1] - edges[0]), mode="nearest"),
            problem.mean(theta),
        )
        peaks = (piled - smooth) / mean  # what has no sum peaks may as well be background
        if peaks @ (counts - mean) > SIGNIFICANT / 2 * np.sqrt(peaks**2 @ mean):
            plain, other = (_Problem(counts, edges, families, detector, axis, places, one) for one in (smooth, piled))
            rival, trial = (one.descend(np.append(theta, one.start()[-1]), response=False) for one in (plain, other))
            least = min(problem.objective(theta), plain.objective(rival))
            if least - other.objective(trial) > SIGNIFICANT**2 / 2:
                folded = _folded(counts, edges, other.pile_up(trial))
                problem, theta = _Problem(counts, edges, families, detector, axis, places, folded), trial
    for calibrated in (False, True):
        held = len(problem.families)
        while len(problem.families) < len(families) + MOST:
            known = problem.result(theta)
            found = find_unassigned_peak(
                counts, problem.mean(theta), edges, problem.families, known.counts, known.detector
            )
            if found is None:
                break
            response = theta[:6]
            problem = _Problem(counts, edges, [*problem.families, found], detector, axis, places, folded)
            theta = problem.start()
            theta[:6] = response
            theta = problem.descend(theta, response=False)
        if calibrated and len(problem.families) == held:
            break
        theta = problem.descend(theta)
    covariance = np.linalg.inv(problem.derivatives(theta)[1])
    known, amounts = problem.result(theta), problem.amounts
    errors = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    return replace(
        known,
        axis_covariance=np.asarray(covariance[:2, :2]),
        counts_error=errors[amounts] * max(known.deviance_dof, 1.0) ** 0.5,
        pile_up_error=float(errors[-1]) if folded is not None else 0.0,
    )


def _folded(counts: Floats, edges: Floats, piled: Floats | float = 0.0) -> Floats | None:
    """Spectrum folded with itself, of sum 1, on the same channels; None where these are not even.

    With S single photons and r the number of others within the resolving time, S + r S*S + r² S*S*S + … is recorded:
    that, folded with what of it is not `piled` up, gives pairs and threes as they are to one another.
    """
    steps = np.diff(edges)
    if np.ptp(steps) > 1e-3 * steps.mean() or not counts.sum() > 0:
        return None
    from scipy.signal import fftconvolve

    sums = np.maximum(fftconvolve(counts, counts - piled), 0.0)
    centre = (edges[:-1] + edges[1:]) / 2
    places = 2 * centre[0] + steps.mean() * np.arange(sums.size)
    out = np.interp(centre, places, sums, left=0.0)
    return out / out.sum() if out.sum() > 0 else None


class _Problem:
    """Parameters: detector (6), shifts of families, strengths of groups, intensities, spline, pile-up (0 or 1)."""

    def __init__(
        self,
        counts: Floats,
        edges: Floats,
        families: list[Family],
        detector: Detector,
        axis: tuple[float, float] = AXIS,
        places: Floats | None = None,
        folded: Floats | None = None,
    ) -> None:
        self.axis = axis
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
        self.group = np.full(self.energy.size, -1)  # index of the strength that a line has
        self.groups = 0
        at = 0
        for family in families:
            held = family.groups()
            for number in sorted(set(held) - {min(held)}):
                for i, group in enumerate(held):
                    if group == number:
                        self.group[at + i] = self.groups
                self.groups += 1
            at += len(held)
        centre = np.maximum((edges[:-1] + edges[1:]) / 2, 50.0)
        self.seen = np.maximum(efficiency(centre), 1e-6)
        self.basis = _spline(np.log(centre))
        sizes = [6, len(families), self.groups, len(families), self.basis.shape[0], len(self.folded)]
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
        precision[self._of(2)] = 1 / GROUP_STRENGTH**2
        return mean, precision

    def places(self, theta: Floats) -> Floats:
        """Shifts by which families that stand alone meet a peak beside their place, eV; 0 where there is none.

        Within 60 eV of a strong line of an element that is named a peak is its own, wherever the line should be.
        """
        out = np.zeros(len(self.families))
        centre = (self.edges[:-1] + self.edges[1:]) / 2
        mean, templates, amount = self.mean(theta), self._templates(theta), theta[self._of(3)]
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
        """Families of elements that are named whose strong lines no strong line of another family is near."""
        alpha = np.array([family.alpha_energy for family in self.families])
        width = FWHM * self.detector.sigmas(alpha)
        near = np.abs(alpha[:, None] - self.energy) < ALONE * width[:, None]
        near &= self.owner != np.arange(alpha.size)[:, None]
        named = np.array([family.element != ELEMENT for family in self.families])
        return np.asarray(named & ~(near & (self.weight > STRONG)).any(axis=1))

    @property
    def amounts(self) -> slice:
        """Which parameters are the intensities."""
        return self._of(3)

    def _of(self, part: int) -> slice:
        return slice(self.parts[part], self.parts[part + 1])

    def start(self) -> Floats:
        """Begin with the counts near each alpha line, and a background through the low parts of the spectrum."""
        theta = self.prior.copy()
        centre = (self.edges[:-1] + self.edges[1:]) / 2
        total = max(self.counts.sum(), 1.0)
        smooth = np.log(np.maximum(0.2 * total / self.counts.size, 1e-3) / self.seen.mean())
        theta[self._of(4)] = smooth
        theta[self._of(5)] = PILED * total
        for f, family in enumerate(self.families):
            near = np.abs(centre - family.alpha_energy) < 80.0
            theta[self.parts[3] + f] = max(0.5 * self.counts[near].sum(), 1.0)
        return theta

    def descend(self, theta: Floats, *, response: bool = True) -> Floats:
        """Minimise; without `response`, intensities and background alone."""
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
                except np.linalg.LinAlgError:  # two parameters do the same
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
        mean = theta[self._of(3)] @ self._templates(theta) + self._background(theta) + self.pile_up(theta)
        return np.asarray(np.maximum(mean, 1e-300))

    def clamp(self, theta: Floats) -> Floats:
        """Keep parameters where they mean something."""
        out = theta.copy()
        for part, reach in ((slice(0, 2), LARGEST_SHIFTS / np.sqrt(self.precision[:2])), (self._of(1), self.reach)):
            out[part] = np.clip(out[part], self.prior[part] - reach, self.prior[part] + reach)
        out[2] = max(out[2], 60.0)
        out[4] = min(max(out[4], 0.0), LARGEST_TAIL)
        out[5] = min(max(out[5], 30.0), 1000.0)
        for part in (self._of(3), self._of(5)):
            out[part] = np.maximum(out[part], 0.0)
        return out

    def _strengths(self, theta: Floats) -> Floats:
        """Weights of the lines; 1 a family."""
        log = np.append(theta[self._of(2)], 0.0)[self.group]
        raw = self.weight * np.exp(log)
        return np.asarray(raw / np.bincount(self.owner, raw)[self.owner])

    def _lines(self, theta: Floats) -> tuple[Detector, Floats, Floats, Floats]:
        """Detector; energies, places and widths of the lines."""
        detector = replace(self.detector, **{name: float(theta[i]) for i, name in enumerate(PRIOR)})
        energy = self.energy + theta[self._of(1)][self.owner]
        return detector, energy, detector.positions(energy), detector.sigmas(energy)

    def _templates(self, theta: Floats) -> Floats:
        detector, _, position, sigma = self._lines(theta)
        out = np.zeros((len(self.families), self.counts.size))
        strengths = self._strengths(theta)
        respond(self.edges, position, sigma, detector.tail, detector.tail_length, strengths, self.owner, out)
        return out

    def _background(self, theta: Floats) -> Floats:
        return np.asarray(self.seen * np.exp(np.minimum(theta[self._of(4)] @ self.basis, 60.0)))

    def pile_up(self, theta: Floats) -> Floats:
        """Expected pairs of photons taken for one, counts."""
        return np.asarray(theta[self._of(5)] @ self.folded)

    def objective(self, theta: Floats) -> float:
        """Penalised deviance, halved."""
        mean = self.mean(theta)
        likelihood = float((mean - self.counts).sum() - (self.counts * np.log(mean / np.maximum(self.counts, 1))).sum())
        bend = np.diff(theta[self._of(4)], 2) / BEND
        return likelihood + 0.5 * float((self.precision * (theta - self.prior) ** 2).sum() + (bend**2).sum())

    def derivatives(self, theta: Floats) -> tuple[Floats, Floats]:
        """Gradient and expected second derivatives of the objective."""
        detector, energy, position, sigma = self._lines(theta)
        amount, strengths = theta[self._of(3)], self._strengths(theta)
        share = strengths * amount[self.owner]
        growth = 1 / (2 * FWHM**2 * sigma)  # of sigma by its square in full widths
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
        background = self._background(theta)
        jacobian[self._of(4)] = background * self.basis
        jacobian[self._of(5)] = self.folded
        mean = np.maximum(amount @ templates + background + self.pile_up(theta), 1e-12)
        gradient = jacobian @ (1 - self.counts / mean) + self.precision * (theta - self.prior)
        hessian = (jacobian / mean) @ jacobian.T + np.diag(self.precision)
        second = np.diff(np.eye(self.basis.shape[0]), 2, axis=0) / BEND
        spline = self._of(4)
        gradient[spline] += second.T @ (second @ theta[spline])
        hessian[spline, spline] += second.T @ second + 1e-6 * np.eye(self.basis.shape[0])
        stuck = (theta == self.clamp(theta - 1e-9)) & (gradient > 0)
        stuck[[0, 1, 3]] = False
        idle = np.flatnonzero(stuck & (theta <= 0))
        hessian[idle] = 0
        hessian[:, idle] = 0
        hessian[idle, idle] = 1
        gradient[idle] = 0
        diagonal = np.diag(hessian) <= 0
        hessian[diagonal, diagonal] = 1
        return gradient, hessian

    def result(self, theta: Floats) -> Calibration:
        """Name the parameters."""
        templates = self._templates(theta)
        background, pile_up = self._background(theta), self.pile_up(theta)
        amount = theta[self._of(3)]
        strengths = self._strengths(theta)
        mean = np.maximum(amount @ templates + background + pile_up, 1e-300)
        deviance = 2 * float((mean - self.counts + self.counts * np.log(np.maximum(self.counts, 1e-300) / mean)).sum())
        return Calibration(
            self._lines(theta)[0],
            (self.edges[:-1] + self.edges[1:]) / 2,
            self.families,
            templates,
            background + pile_up,
            pile_up,
            amount,
            theta[self._of(1)],
            [strengths[self.owner == f] for f in range(len(self.families))],
            deviance / max(self.counts.size - theta.size, 1),
        )


def _spline(x: Floats) -> Floats:
    """Cubic B-splines over x (natural logarithm of energy): (K, C)."""
    from scipy.interpolate import BSpline

    pieces = max(round((x[-1] - x[0]) / np.log(2) * KNOTS_PER_OCTAVE), 2)
    inner = np.linspace(x[0], x[-1], pieces + 1)
    step = inner[1] - inner[0]
    knots = np.concatenate([inner[0] - step * np.arange(3, 0, -1), inner, inner[-1] + step * np.arange(1, 4)])
    return np.asarray(BSpline.design_matrix(np.clip(x, inner[0], inner[-1]), knots, 3).toarray().T)
