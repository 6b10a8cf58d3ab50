"""Guesses: which elements peaks are of that nobody named, by how well the lines of each explain the spectrum."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from lbj.array_types import Floats

from ..tables.lines import candidates
from .beneath import LEAST, Beneath, all_families, near_strong
from .calibration import Calibration, calibrate
from .detector import FWHM, Detector
from .families import Family, families_of
from .likelihood import Before, Likelihood
from .model import tilts
from .peaks import MINOR, PILE_UP, Peak
from .unassigned import ELEMENT, peak_family

SIGNIFICANT = 30.0  # standard deviations, from which a peak taken for the wrong element does harm
STRONGEST = 3  # lines whose sum peaks are looked for
PEAKS, OPTIONS = 3, 2  # how many peaks are judged, and by how many K, L and M lines each
CLEAR = 8.0  # standard errors, with what the fit leaves open, of an element that is told from the one it lies under,
ALIKE = 25.0  # and by how much less deviance another element explains the spectrum as well
NEAR = 25.0  # eV between a peak and the alpha line that may explain it


def settled(
    peaks: Sequence[Peak], counts: Floats, edges: Floats, elements: Sequence[str], beam: float | None, resolution: float
) -> list[Peak]:
    """Put first, among the lines that may explain a peak, that of the element that explains the spectrum best.

    Parameters
    ----------
    peaks : sequence of Peak
        The strongest first.
    counts : (C,) array
        Sum spectrum.
    edges : (C + 1,) array
        Bounds of the channels, eV.
    elements : sequence of str
        Those that are named.
    beam : float or None
        eV.
    resolution : float
        Full width at half maximum at Mn Ka, eV.

    Returns
    -------
    list of Peak
        The spectrum is fitted once, with the peaks in question as single lines; by its detector and background the
        lines of each candidate are then tried in place of each.
    """
    low, high = float(edges[0]), float(edges[-1])
    known = [family for element in elements for family in families_of(element, low, high, beam)]
    options: dict[int, dict[str, list[Family]]] = {}
    for number, peak in enumerate(peaks):
        held = {option: families_of(option, low, high, beam) for option in _options(peak.lines, elements)}
        held = {option: found for option, found in held.items() if found}
        if held and not peak.artefact and peak.significance >= SIGNIFICANT:
            options[number] = held
    judged = {n: peak_family(peaks[n].energy) for n in [n for n, held in options.items() if len(held) > 1][:PEAKS]}
    out = list(peaks)
    if not judged:
        return out
    for held in options.values():
        if len(held) == 1:
            known += [family for family in next(iter(held.values())) if family not in known]
    base = calibrate(counts, edges, [*known, *judged.values()], Detector(resolution=resolution), beam=beam)
    families, places = list(base.families), dict(zip(base.families, base.shifts, strict=True))
    for number, single in judged.items():
        rest = [family for family in families if family != single]
        held = {option: found for option, found in options[number].items() if found[0] not in rest}
        if not held:
            continue
        misfit = {o: _misfit(counts, edges, base, [*rest, *found], places) for o, found in held.items()}
        best = min(misfit, key=misfit.__getitem__)
        lines = out[number].lines
        out[number] = replace(out[number], lines=sorted(lines, key=lambda line: not line.startswith(f"{best}_")))
        families = [*rest, *held[best]]
    return out


def recognised(
    known: Calibration, counts: Floats, edges: Floats, elements: Sequence[str], beam: float | None
) -> list[Family]:
    """Families of elements that nobody named to which unassigned peaks belong.

    Parameters
    ----------
    known : Calibration
        Fit of the sum spectrum.
    counts, edges, elements, beam
        As for `settled`.

    Returns
    -------
    list of Family
        Of each peak those of the element whose lines, beside all others, explain the spectrum better than one line at
        the place of the peak does.
    """
    low, high = float(edges[0]), float(edges[-1])
    places = dict(zip(known.families, known.shifts, strict=True))
    families, found = list(known.families), []
    for index in np.argsort(-known.counts):
        single = known.families[index]
        if single.element != ELEMENT or single not in families:
            continue
        place = single.alpha_energy + float(known.shifts[index])
        gained: dict[str, float] = {}
        tried: dict[str, tuple[list[Family], list[Family]]] = {}
        for option in _options(candidates(place, NEAR, beam), elements):
            held = families_of(option, low, high, beam)
            rest = [f for f in families if f != single and not _explains(held, f, places, known.detector)]
            moved = {f: place - f.alpha_energy for f in held if abs(place - f.alpha_energy) < NEAR}
            plain, other = (
                _misfit(counts, edges, known, [*rest, *more], {**places, **moved}) for more in ([single], held)
            )
            gained[option], tried[option] = plain - other, (rest, held)
        best = max(gained, key=gained.__getitem__, default=None)
        if best is not None and gained[best] > 0:
            rest, held = tried[best]
            families = [*rest, *held]
            found += held
    return found


def _sum_peaks(known: Calibration, counts: Floats) -> list[Family]:
    """Sum peaks of the strongest lines that the fit misses, though they stand on the flank of another line."""
    strong = [int(i) for i in np.argsort(-known.counts)[:STRONGEST] if known.counts[i] > 0]
    fit = known.counts @ known.templates + known.background
    found = []
    for number, one in enumerate(strong):
        for other in strong[: number + 1]:
            place = known.families[one].alpha_energy + known.families[other].alpha_energy
            at = float(known.detector.positions(np.array(place)))
            near = np.abs(known.centres - at) <= FWHM / 2 * float(known.detector.sigmas(np.array(place)))
            missed, expected = float((counts - fit)[near].sum()), float(fit[near].sum())
            most = PILE_UP * known.counts[one] * known.counts[other] / counts.sum()
            if near.any() and CLEAR * max(expected, 1.0) ** 0.5 < missed < most:
                found.append(peak_family(place))
    return found


def unlisted(known: Calibration, peaks: Sequence[Peak], beam: float | None) -> list[Peak]:
    """Peaks that a fit found and that are none of a list's, nor sums of strong lines, with the lines they may be."""
    strong = np.array([known.families[i].alpha_energy for i in np.argsort(-known.counts)[:STRONGEST]])
    sums = (strong[:, None] + strong).ravel()
    found = []
    for family, counts, error, shift in zip(
        known.families, known.counts, known.counts_error, known.shifts, strict=True
    ):
        energy = family.alpha_energy + float(shift)
        full = FWHM * float(known.detector.sigmas(np.array(energy)))
        listed = any(abs(peak.energy - energy) < peak.fwhm for peak in peaks)
        if (
            family.element == ELEMENT
            and counts > CLEAR * error
            and not listed
            and np.abs(sums - energy).min() > full / 2
        ):
            found.append(Peak(energy, full, float(counts / error), candidates(energy, NEAR, beam)))
    return found


def completed(
    known: Calibration, counts: Floats, edges: Floats, families: list[Family], elements: Sequence[str],
    beam: float | None, fit: Callable[[list[Family]], Calibration],
) -> tuple[Calibration, list[Peak]]:  # fmt: skip
    """Fit sum peaks that were missed, and what stands beneath lines of elements named where the spectrum shows it.

    Parameters
    ----------
    known : Calibration
        Fit of `families`.
    counts, edges, elements, beam
        As for `settled`.
    families : list of Family
    fit : function
        From families to their fit.

    Returns
    -------
    Calibration
        With the families that were found last of those given.
    list of Peak
        What was found beneath lines, with the lines that may explain it: elements without which the fit is worse by 8
        standard errors, and whose counts are as clear with all that it leaves open, and a tenth of those of the
        element named. Of those tried, the likeliest is taken.
    """
    sums = _sum_peaks(known, counts)
    if sums:
        families = [*families, *sums]
        known = fit(families)
    found: list[Peak] = []
    expected = known.expected or known.detector
    while len(found) < PEAKS:
        named = [family for family in families if family.element in elements]
        taken = [
            number
            for number, family in enumerate(known.families)
            if family.element == ELEMENT and family not in families and near_strong(family, named, expected)
        ]
        held_by = float(((known.counts / np.maximum(known.counts_error, 1e-300))[taken] ** 2).sum())
        before = _deviance(known, counts) + known.strain
        trials: dict[float, tuple[Calibration, tuple[Family, ...], Family]] = {}
        for held in _rivals(known, counts, edges, named, taken, beam):
            trial = fit([*families, *held])
            gain = before - _deviance(trial, counts) - trial.strain
            for number, family in enumerate(trial.families):
                over = [n for n, f in enumerate(families) if f in named and near_strong(family, [f], expected)]
                least = max(CLEAR * trial.counts_error[number], LEAST * trial.counts[over].max(initial=0.0))
                if family not in held or not family.line.endswith("a") or not over or trial.counts[number] < least:
                    continue
                trials[gain / max(trial.deviance_dof, 1.0) + held_by] = trial, held, family
        best = max(trials, default=0.0)
        if best < CLEAR**2:
            break
        trial, held, family = trials[best]
        lines = [one.line for gain, (*_, one) in trials.items() if gain > best - ALIKE and one != family]
        full = FWHM * float(trial.detector.sigmas(np.array(family.alpha_energy)))
        found.append(Peak(family.alpha_energy, full, best**0.5, [family.line, *lines], hidden=True))
        told = Beneath((family.line, *lines), family.alpha_energy, best**0.5, held)
        there = {n: told for n, f in enumerate(families) if f in named and near_strong(family, [f], expected)}
        known, families = replace(trial, beneath=known.beneath | trial.beneath | there), [*families, *held]
    return known, found


def _deviance(known: Calibration, counts: Floats) -> float:
    mean = np.maximum(known.counts @ known.templates + known.background, 1e-12)
    return 2 * float((mean - counts + counts * np.log(np.maximum(counts, 1e-300) / mean)).sum())


def _rivals(
    known: Calibration, counts: Floats, edges: Floats, named: list[Family], taken: list[int], beam: float | None
) -> list[tuple[Family, ...]]:
    """Families of elements that may stand beneath strong lines of those named, where the fit is bad or strained.

    Peaks of the fit that may be theirs are `taken`. The likeliest few are returned, by fits of the detector expected.
    """
    expected = known.expected or known.detector
    excess = _deviance(known, counts) * (1 - 1 / max(known.deviance_dof, 1.0))
    due = [one.families for one in known.beneath.values()]
    if not named or not (due or taken or known.strain + excess > CLEAR**2):
        return []
    there = {family.element for family in known.families}
    every = all_families(float(edges[0]), float(edges[-1]), beam)
    main = [f for f in every if f.element not in there and f.line.endswith("a")]
    near = {f.element for f in main if near_strong(f, named, expected)}
    kept = [family for number, family in enumerate(known.families) if number not in taken]
    options = {element: tuple(f for f in every if f.element == element) for element in sorted(near)}
    plain = replace(known, detector=expected)
    misfit = {element: _misfit(counts, edges, plain, [*kept, *held], {}) for element, held in options.items()}
    bare = _misfit(counts, edges, plain, kept, {})
    most = bare - CLEAR**2 * max(bare / counts.size, 1.0)
    best = [element for element in sorted(misfit, key=misfit.__getitem__) if misfit[element] < most][:OPTIONS]
    return list(dict.fromkeys([*(held for held in due if held[0].element not in there), *(options[e] for e in best)]))


def _options(lines: Sequence[str], elements: Sequence[str]) -> list[str]:
    """Elements that nobody named and whose alpha lines may make a peak."""
    if not lines or not lines[0].endswith("a"):
        return []
    alphas = [line.split("_") for line in lines if line.endswith("a")]
    out: list[str] = []
    for family in "KLM":
        out += [element for element, line in alphas if line[0] == family][:OPTIONS]
    return [element for element in dict.fromkeys(out) if element not in elements]


def _explains(held: Sequence[Family], single: Family, places: dict[Family, float], detector: Detector) -> bool:
    """Whether an unassigned peak stands at a line of some families."""
    if single.element != ELEMENT:
        return False
    place = single.alpha_energy + places.get(single, 0.0)
    reach = FWHM / 2 * float(detector.sigmas(np.array(place)))
    lines = [line for family in held for line in family.lines if line.weight >= MINOR]
    return any(abs(line.energy - place) < reach for line in lines)


def _misfit(
    counts: Floats, edges: Floats, base: Calibration, families: list[Family], places: dict[Family, float]
) -> float:
    """Chi-square of a spectrum fitted by families, by the detector, places and background of another fit."""
    from scipy.optimize import nnls

    shifts = np.array([places.get(family, 0.0) for family in families])
    likely = Likelihood(counts, edges, families, Before(base.detector), places=shifts)
    root = np.sqrt(np.maximum(base.counts @ base.templates + base.background, 1.0))
    smooth = (base.background - base.pile_up) * tilts(base.centres)
    columns = np.vstack([likely.templates(likely.prior), smooth, base.pile_up[None]]) / root
    columns /= np.maximum(np.sqrt((columns**2).sum(axis=1, keepdims=True)), 1e-300)
    return float(nnls(columns.T, counts / root)[1] ** 2)
