"""Calibration: axis, resolution, tail, pile-up and background of a detector, fitted once to the sum spectrum."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from lbj.array_types import Floats

from .beneath import WITHIN, Beneath, beneath
from .detector import FWHM, Detector
from .families import Family, families_of, swayed_by_beam
from .fit_errors import by_strengths, kept, peak_errors
from .likelihood import AXIS, Before, Likelihood
from .unassigned import ELEMENT, MOST, SIGNIFICANT, find_unassigned_peak

SMOOTHED = 400.0  # eV, standard deviation of the smoothing that removes sum peaks from the pile-up
MUCH = 0.25  # share of the counts from which pile-up makes peaks that are taken for elements
MISFIT = 0.1  # share of a line's counts by which the fit may miss the spectrum beside it,
BADLY = 2.0  # where its deviance per channel is above this
NOISE = 3.0  # standard deviations of a misfit that are put down to noise
MINOR = 0.03  # share of a family's photons in lines at a peak that nobody named, from which that may be its own
UNCERTAIN = 0.1  # relative error of a family's counts by what the fit leaves open, from which it is reported
BEYOND = 1e-3  # share of the photons that may have more energy than the least beam to be reckoned with
SWAYED = 0.05  # change of a family's share of alpha lines by a beam that is not known, from which it is reported
CLOSE, UNFIT = 1 / 3, 0.5  # full widths between alpha lines below which one peak is all that shows of both; the second
# where the fit gives all of it to one, though other lines of the other element show
SHOWS = 5.0  # standard errors from which they do
STRANGE = (35.0, 1.0)  # eV of resolution, and slope, by which a detector that was fitted may differ from a real one


@dataclass
class Calibration:
    """What the fit of the sum spectrum found.

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
    peak_error : (F,) float64
        The same of the counts in the peaks of the alpha lines.
    expected : Detector or None
        What was expected beforehand.
    beneath : dict
        What may stand under families whose peaks hold more than their own lines, by their numbers.
    kept : list of dict
        By every family's groups of lines, how much of an error of their expected strength stays in the fit, 0 to 1.
    strain : float
        How far the parameters are from what was expected, in squares of their standard deviations.
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
    peak_error: Floats = field(default_factory=lambda: np.zeros(0))
    expected: Detector | None = None
    beneath: dict[int, Beneath] = field(default_factory=dict)
    kept: list[dict[int, float]] = field(default_factory=list)
    strain: float = 0.0

    def peak(self, index: int) -> float:
        """Share of a family's photons in the peak of its alpha lines."""
        return (1 - self.detector.tail) * self.families[index].share(self.strengths[index])

    def left_open(self, index: int, noise: float, *, peak: bool = False) -> float:
        """Relative error of a family's counts, or those in its peak, beyond their noise (photons of the family)."""
        share = self.peak(index) if peak else 1.0
        total, error = share * float(self.counts[index]), float((self.peak_error if peak else self.counts_error)[index])
        return float(np.sqrt(max(error**2 - (share * noise) ** 2, 0.0))) / total if total > 0 else 0.0

    def uncertain(self, index: int, noise: float, *, peak: bool = False) -> bool:
        """Whether what is left open is more than a tenth of the counts, and more than their noise."""
        return self.left_open(index, noise, peak=peak) * float(self.counts[index]) > max(
            UNCERTAIN * float(self.counts[index]), noise
        )

    def misses(self, index: int, spectrum: Floats) -> float:
        """Share of a line's counts by which the fit misses the spectrum within its width; 0 where it does not."""
        place = self.detector.positions(np.array(self.families[index].alpha_energy + self.shifts[index]))
        step = float(np.diff(self.centres).mean())
        near = np.abs(self.centres - place) <= max(FWHM / 2 * float(self.detector.sigmas(place)), 1.01 * step)
        counts, fit = spectrum[near], (self.counts @ self.templates + self.background)[near]
        own = float(self.counts[index] * self.templates[index, near].sum())
        missed = beyond_noise(counts[None], fit[None])[0]
        deviance = float(((counts - fit) ** 2 / np.maximum(fit, 1.0)).mean()) if near.any() else 0.0
        if own > 0 and deviance > BADLY and missed > (MISFIT * own) ** 2 / near.sum():
            return float(np.sqrt(missed * near.sum())) / own
        return 0.0

    def close(self, index: int) -> str:
        """Which line stands so near a family's that one peak is all that shows of both; empty where none does."""
        mine = self.families[index]
        width = FWHM * float(self.detector.sigmas(np.array(mine.alpha_energy)))
        clear = self.counts > SHOWS * self.counts_error
        shown = {family.element for family, seen in zip(self.families, clear, strict=True) if seen}
        for number, family in enumerate(self.families):
            away = family.alpha_energy - mine.alpha_energy
            named = ELEMENT not in (mine.element, family.element) and family.element != mine.element
            unfit = family.element in shown and self.counts[number] <= self.counts_error[number]
            if named and abs(away) < (UNFIT if unfit else CLOSE) * width:
                other, part = family.name.replace("_", " "), abs(away) / width
                return (
                    f"{other} stands {abs(away):.0f} eV beside it, {part:.2f} of the detector's resolution: both make "
                    "one peak, told apart by its shape and by side lines"
                )
        return ""

    def of_beam(self, index: int) -> str:
        """What a beam of unknown energy leaves open of a family; empty where that is little, or for one line."""
        if self.families[index].element == ELEMENT:
            return ""
        single = np.cumsum(self.counts @ self.templates + self.background - self.pile_up)
        least = float(self.centres[min(np.searchsorted(single, (1 - BEYOND) * single[-1]), single.size - 1)])
        change = swayed_by_beam(self.families[index], least, self.kept[index] if self.kept else {})
        if abs(change) < SWAYED:
            return ""
        return (
            f"the beam energy is not known, and the relative strengths of its lines are those of 200 keV: a beam of "
            f"{least / 1000:.2g} keV, which the spectrum allows, changes the share of its alpha lines by {change:+.0%} "
            "more than the lines themselves show"
        )

    @property
    def strange(self) -> str:
        """Sentence on a detector that cannot be: lines were taken for what they are not."""
        if self.expected is None:
            return ""
        found, due = self.detector, self.expected
        if abs(found.resolution - due.resolution) < STRANGE[0] and abs(found.slope - due.slope) < STRANGE[1]:
            return ""
        width = FWHM * float(found.sigmas(np.array(1500.0)))
        return (
            f"the fit takes lines for {width:.0f} eV wide at 1.5 keV and {found.resolution:.0f} eV at 5.9 keV, as no "
            "such detector shows them: something is not what it was taken for"
        )

    @property
    def notes(self) -> list[str]:
        """Sentence on pile-up, where there is any."""
        if not self.pile_up.any():
            return []
        share = self.pile_up.sum() / (self.counts @ self.templates + self.background).sum()
        text = f"Pile-up: {share:.1%} of the counts are pairs of photons that the detector took for one"
        more = " At such a rate sums of lines may be told with names of elements." if share > MUCH else ""
        return [f"{text}, fitted as the spectrum folded with itself.{more}"]


def beyond_noise(counts: Floats, fit: Floats) -> Floats:
    """Squares by which fits miss spectra, less those of noise and three times their standard deviation: (N,)."""
    squares = (counts - fit) ** 2 - fit
    spread = np.sqrt((2 * fit**2 + fit).sum(axis=1))
    return np.asarray(squares.sum(axis=1) - NOISE * spread)


def calibrate(
    spectrum: Floats,
    edges: Floats,
    families: list[Family],
    detector: Detector,
    axis: tuple[float, float] = AXIS,
    beam: float | None = None,
) -> Calibration:
    """Fit the sum spectrum.

    Parameters
    ----------
    spectrum : (C,) array
        Counts.
    edges : (C + 1,) array
        Bounds of the channels, eV.
    families : list of Family
        Of the elements named; those whose lines lie beyond the end of the axis, with a flank on it, and further peaks
        that are found are fitted beside them.
    detector : Detector
        Where to begin, and what is expected.
    axis : (float, float)
        Standard deviations of its offset, eV, and gain.
    beam : float, optional
        Energy of the electrons, eV, at which bremsstrahlung ends (W. Duane and F. L. Hunt, 1915).

    Returns
    -------
    Calibration
        The penalised Poisson maximum likelihood, by Fisher scoring: intensities, smooth background (the exponential of
        a cubic B-spline in the logarithm of energy, times the efficiency, with the edges of carbon and of the elements
        named in it), offset, gain, resolution and its slope, tail, and small corrections of each family's energy and of
        the strength of its groups of lines, held near their table's values by a Gaussian prior. Where it shows, pile-up
        within the resolving time of the detector is allowed for: the spectrum folded with itself (P. J. Statham,
        Microchim. Acta 155 (2006) 289), its amount fitted.
    """
    counts = np.asarray(spectrum, float)
    before = Before(detector, axis, beam)
    families = [*families, *_beyond(families, edges, before)]
    known = _fit(counts, edges, families, before, _folded(counts, edges))
    scatter = max(known.deviance_dof, 1.0) ** 0.5
    if known.pile_up.any() and known.pile_up.sum() < SIGNIFICANT * scatter * known.pile_up_error:
        known = _fit(counts, edges, families, before, None)
    return known


def _beyond(families: list[Family], edges: Floats, before: Before) -> list[Family]:
    """Families of the same elements whose alpha lines lie beyond the end of the axis, but whose flank does not."""
    end, names = float(edges[-1]), {family.name for family in families}
    reach = end + WITHIN * FWHM * float(before.detector.sigmas(np.array(end)))
    elements = dict.fromkeys(family.element for family in families if family.element != ELEMENT)
    held = [family for element in elements for family in families_of(element, float(edges[0]), reach, before.beam)]
    return [family for family in held if family.name not in names]


def _fit(counts: Floats, edges: Floats, families: list[Family], before: Before, folded: Floats | None) -> Calibration:
    """Fit, with pile-up of the shape `folded` where that explains something, and with unassigned peaks."""
    posed = partial(Likelihood, counts, edges, before=before)
    problem = posed(families)
    theta = problem.descend(problem.start(), response=False)
    places = problem.places(theta)
    if places.any():
        problem = posed(families, places=places)
        theta = problem.descend(problem.start(), response=False)
    piled, folded = folded, None
    if piled is not None:
        from scipy.ndimage import gaussian_filter1d

        smooth = gaussian_filter1d(piled, SMOOTHED / float(edges[1] - edges[0]), mode="nearest")
        mean = problem.mean(theta)
        peaks = (piled - smooth) / mean  # the sum peaks alone: a smooth pile-up cannot be told from background
        if peaks @ (counts - mean) > SIGNIFICANT / 2 * np.sqrt(peaks**2 @ mean):
            plain, other = (posed(families, places=places, folded=one) for one in (smooth, piled))
            rival, trial = (one.descend(np.append(theta, one.start()[-1]), response=False) for one in (plain, other))
            least = min(problem.objective(theta), plain.objective(rival))
            if least - other.objective(trial) > SIGNIFICANT**2 / 2:
                folded = _folded(counts, edges, other.pile_up(trial))
                problem, theta = posed(families, places=places, folded=folded), trial
    for calibrated in (False, True):
        held = len(problem.families)
        while len(problem.families) < len(families) + MOST:
            known = _result(problem, theta)
            found = find_unassigned_peak(
                counts, problem.mean(theta), edges, problem.families, known.counts, known.detector, valleys=calibrated
            )
            if found is None:
                break
            response = theta[:6]
            problem = posed([*problem.families, found], places=places, folded=folded)
            theta = problem.start()
            theta[:6] = response
            theta = problem.descend(theta, response=False)
        if calibrated and len(problem.families) == held:
            break
        theta = problem.descend(theta)
    problem, theta, rival, doubt = _likelier(problem, theta)
    covariance = problem.covariance(theta, problem.amounts)
    known, amounts = _result(problem, theta), problem.amounts
    errors = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    scatter = max(known.deviance_dof, 1.0) ** 0.5
    spread = np.hypot(doubt * np.abs(known.counts - rival[amounts]), by_strengths(problem, theta, covariance))
    spread = np.hypot(spread, _stray(known, len(families)))
    shares = [family.share(weights) for family, weights in zip(known.families, known.strengths, strict=True)]
    return replace(
        known,
        axis_covariance=np.asarray(covariance[:2, :2]),
        counts_error=np.hypot(errors[amounts] * scatter, spread),
        peak_error=np.hypot(peak_errors(problem, theta, covariance) * scatter, spread * shares),
        expected=before.detector,
        beneath=beneath(problem, theta, scatter),
        pile_up_error=float(errors[-1]) if folded is not None else 0.0,
        kept=kept(problem, covariance),
    )


def _stray(known: Calibration, given: int) -> Floats:
    """Photons of peaks found, behind the families `given`, that may be each family's own: they stand at its lines."""
    out = np.zeros(len(known.families))
    for family, shift, photons in list(zip(known.families, known.shifts, known.counts, strict=True))[given:]:
        place = family.alpha_energy + float(shift)
        half = FWHM / 2 * float(known.detector.sigmas(np.array(place)))
        for number, own in enumerate(known.families[:given]):
            if sum(line.weight for line in own.lines if abs(line.energy - place) < half) > MINOR:
                out[number] = np.hypot(out[number], photons)
    return out


def _likelier(problem: Likelihood, theta: Floats) -> tuple[Likelihood, Floats, Floats, float]:
    """Choose between lines as strong as in free atoms and as in solids.

    Returns the likelier one and its parameters, those of the other one, and by how much of the difference results are
    uncertain: the standard deviation of a choice of such odds.
    """
    if not problem.solid.any():
        return problem, theta, theta, 0.0
    other = problem.of_solid()
    start = theta.copy()
    start[problem.strength] += problem.solid
    trial = other.descend(start)
    scatter = max(_result(problem, theta).deviance_dof, 1.0)
    gain = (problem.objective(theta) - other.objective(trial)) / scatter
    doubt = 0.5 / float(np.cosh(min(abs(gain), 100.0) / 2))
    return (other, trial, theta, doubt) if gain > 0 else (problem, theta, trial, doubt)


def _folded(counts: Floats, edges: Floats, piled: Floats | float = 0.0) -> Floats | None:
    """Spectrum folded with itself, of sum 1, on the same channels; None where these are not even.

    With S the spectrum of single photons and r the number of further photons within the resolving time, the detector
    records S + r S*S + r² S*S*S + …; this, folded with its part that is not `piled` up, has pairs and triples in their
    right proportion.
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


def _result(fit: Likelihood, theta: Floats) -> Calibration:
    """Put what the parameters mean into a `Calibration`."""
    templates = fit.templates(theta)
    background, pile_up = fit.background(theta), fit.pile_up(theta)
    amount = theta[fit.amounts]
    strengths = fit.strengths(theta)
    mean = np.maximum(amount @ templates + background + pile_up, 1e-300)
    deviance = 2 * float((mean - fit.counts + fit.counts * np.log(np.maximum(fit.counts, 1e-300) / mean)).sum())
    return Calibration(
        fit.lines(theta)[0],
        (fit.edges[:-1] + fit.edges[1:]) / 2,
        fit.families,
        templates,
        background + pile_up,
        pile_up,
        amount,
        theta[fit.shifts],
        [strengths[fit.owner == f] for f in range(len(fit.families))],
        deviance / max(fit.counts.size - theta.size, 1),
        strain=float(fit.precision @ (theta - fit.prior) ** 2),
    )
