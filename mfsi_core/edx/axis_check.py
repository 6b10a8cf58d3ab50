"""Axis check: whether lines stand where the energy axis puts them, and the correction of its offset and gain."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from lbj import Signal
from lbj.array_types import Floats

from ..series.axis import STROBE
from ..tables.lines import best_line, fwhm, line_energy
from .axis_rivals import Start, likeliest, start_of
from .axis_search import HARDLY, REACH, STRETCH, ZERO_ERROR, Found, ZeroPeak, search, zero_peak
from .calibration import Calibration, calibrate
from .detector import FWHM, Detector
from .families import Family, families_of
from .likelihood import AXIS
from .peaks import find_peaks
from .unassigned import ELEMENT

LEAST_COUNTS = 300  # above the zero strobe, that are needed to check an axis
LEAST_CHANNELS = 16
LEAST_ERRORS = (4.0, 5e-4)  # least errors of offset (eV) and gain that a check leaves to the fits after it
OFF, OFF_BESIDE = 0.08, 0.2  # full widths at a line from which an axis is corrected; the second beside unnamed peaks
CERTAIN = 3.0  # standard errors from which a deviation is believed
ZERO_OFF = 30.0  # eV of the zero peak from which it alone corrects the axis, where no element is known
GUESSED = 3  # elements guessed from peaks that are needed to judge an axis where none is named
ENOUGH = 2  # lines of different elements that are needed to tell that an axis is right against a correction
CONSISTENT = 4.0  # eV within which their lines must agree, and within which a line stands where it should
WORSE = 1.5  # times as large a deviance tells of an axis that it is not right instead
MOST = 0.5  # share of the lines' counts in peaks of no element, with
MISSED = 10.0  # the deviance per degree of freedom, from which a fit has gone astray
UNNAMED = "No element is named, and the peaks do not tell whether the energy axis is right: name the elements."
COMPANY = ("C", "O", "Al", "Si", "Cu")  # of films, oxides, holders and grids: allowed for whether named or not


@dataclass(frozen=True, eq=False)
class AxisCheck:
    """What the lines say about an energy axis.

    Attributes
    ----------
    offset, gain : float
        A photon of energy E appears at ``offset + gain * E`` of the axis, eV.
    covariance : (2, 2) float64
        Of both; infinite where nothing is known.
    moved : bool
        Whether the axis is off by more than its error and than 8 % of a line's width (20 % where peaks stand that no
        element explains), so that it is to be corrected.
    decided : bool
        Whether the lines tell; if not, `notes` say why.
    notes : list of str
        Sentences.
    """

    offset: float = 0.0
    gain: float = 1.0
    covariance: Floats = field(default_factory=lambda: np.full((2, 2), np.inf))
    moved: bool = False
    decided: bool = True
    notes: list[str] = field(default_factory=list)

    def axis(self, energy: Floats) -> Floats:
        """True energies of the axis's, eV."""
        return np.asarray((energy - self.offset) / self.gain) if self.moved else energy

    def expected(self, resolution: float) -> tuple[Detector, tuple[float, float]]:
        """Where a fit on `axis` is to begin, and how far its offset (eV) and gain may be from there."""
        start = Detector(resolution=resolution)
        if not (self.decided and np.isfinite(self.covariance).all()):
            return start, AXIS
        errors = np.maximum(2 * np.sqrt(np.diag(self.covariance)), LEAST_ERRORS)
        kept = start if self.moved else replace(start, offset=self.offset, gain=self.gain)
        return kept, (float(errors[0]), float(errors[1]))

    def recorded(self, detector: Detector) -> Detector:
        """Detector that was found on the corrected axis, on the axis as it was recorded."""
        if not self.moved:
            return detector
        return replace(detector, offset=self.offset + self.gain * detector.offset, gain=self.gain * detector.gain)

    def signal(self, signal: Signal) -> Signal:
        """Signal with its energy axis corrected."""
        if not self.moved:
            return signal
        last = dict(signal.axes[-1])
        if "values" in last:
            last["values"] = self.axis(np.asarray(last["values"], float)).tolist()
        else:
            last["offset"] = (last.get("offset", 0.0) - self.offset) / self.gain
            last["scale"] = last.get("scale", 1.0) / self.gain
        return Signal.from_json({**signal.to_json(), "axes": [*signal.to_json()["axes"][:-1], last]})


def check_axis(
    spectrum: Floats, axis: Floats, elements: list[str], beam_energy: float | None = None, resolution: float = 130.0
) -> AxisCheck:
    """Find how far the energy axis of X-ray spectra is off.

    Parameters
    ----------
    spectrum : (C,) array
        Sum spectrum, all channels.
    axis : (C,) array
        Centres of the channels, eV; even and rising.
    elements : list of str
        Those that are named; C, O, Al, Si and Cu may be there besides. If none is, those that the strongest peaks name,
        near the axis given only.
    beam_energy : float, optional
        eV.
    resolution : float
        Full width at half maximum at Mn Ka, eV.

    Returns
    -------
    AxisCheck
        Offset and gain over ±200 eV and ±2 %: from the zero peak and from the lines (`axis_search`), then by the fit of
        the whole spectrum (`calibration`), whose errors are scaled by its misfit.
    """
    spectrum = np.asarray(spectrum, float)
    steps = np.diff(axis)
    if steps.size < LEAST_CHANNELS or not steps.min() > 0 or np.ptp(steps) > 1e-3 * steps.mean():
        return AxisCheck()
    zero = zero_peak(spectrum, axis)
    if not elements:
        return _of_peaks(spectrum, axis, zero, beam_energy, resolution)
    named = list(dict.fromkeys(elements))
    elements = [*named, *(element for element in COMPANY if element not in named)]
    families = _families(elements, axis, beam_energy)
    first = int(np.searchsorted(axis, STROBE))
    if not families or axis.size - first < LEAST_CHANNELS:
        return AxisCheck()
    if spectrum[first:].sum() < LEAST_COUNTS:
        text = f"The energy axis could not be checked: {spectrum[first:].sum():.0f} counts are too few."
        return AxisCheck(decided=False, notes=[text])
    detector = Detector(resolution=resolution)
    trial = partial(search, spectrum[first:], _edges(axis[first:]), families, detector, named=named)
    found = trial(zero)
    if zero is not None and zero.certain and abs(zero.place) > ZERO_ERROR:
        free = trial(None)
        if free.explained > HARDLY * found.explained:  # the lines say that it is none
            zero, found = None, free
    judged = _judged(spectrum, axis, elements, beam_energy, detector, found, zero, named)
    marked = zero is not None and zero.certain and abs(zero.place) > ZERO_ERROR
    return judged if not judged.moved or marked else _supported(judged, spectrum, axis, named, beam_energy, resolution)


def _supported(
    judged: AxisCheck, spectrum: Floats, axis: Floats, named: list[str], beam_energy: float | None, resolution: float
) -> AxisCheck:
    """Take back a correction by which none of the elements' strongest lines gains: a weaker one may be another's.

    The axis is right as given where lines of two elements stand where it says, though the correction would move them,
    or where that moves no line by much. Else it is not certain. Lines whose places are less certain than the largest
    displacement tell nothing.
    """
    best = {element: best_line(element, STROBE, float(axis[-1]), beam_energy) for element in named}
    energies = {name: line_energy(name) for name in best.values() if name is not None}
    reach = np.array([family.alpha_energy for family in _families(named, axis, beam_energy)])
    by = np.abs(judged.offset + (judged.gain - 1) * reach)
    places = {name: _displaced(spectrum, axis, energy, resolution) for name, energy in energies.items()}
    seen = {name: (away, CONSISTENT + CERTAIN * error) for name, (away, error) in places.items() if error < np.inf}
    told = {name: place for name, place in seen.items() if place[1] < by.max()}
    due = {name: judged.offset + (judged.gain - 1) * energies[name] for name in told}
    moved = [name for name, (away, error) in told.items() if abs(away) > error]
    if not told or any(abs(told[name][0] - due[name]) < abs(told[name][0]) for name in moved):
        return judged
    unseen = [energy for name, energy in energies.items() if name not in seen]
    if any(_displaced(spectrum, judged.axis(axis), energy, resolution)[1] < np.inf for energy in unseen):
        return judged
    stand = [name for name in told if name not in moved]
    against = [name for name in stand if abs(told[name][0] - due[name]) > told[name][1]]
    widths = np.array([fwhm(energy, resolution) for energy in reach])
    if len(against) >= ENOUGH or (by < OFF_BESIDE * widths).all():
        return AxisCheck()
    verb = "stands" if len(stand) == 1 else "stand"
    where = f"{', '.join(stand).replace('_', ' ')} {verb} where the axis says, but other peaks" if stand else "peaks"
    text = (
        f"The energy axis is not certain: {where} are explained by the elements named only if it is off by "
        f"{judged.offset:+.0f} eV and a gain of {judged.gain:.4f}. It was not corrected: another element may stand "
        "there; name all that show, or calibrate the axis."
    )
    return AxisCheck(decided=False, notes=[text])


def _displaced(spectrum: Floats, axis: Floats, energy: float, resolution: float) -> tuple[float, float]:
    """How far a line stands from its energy, and the error, eV; infinite where none stands within a full width."""
    full = fwhm(energy, resolution)
    near = np.abs(axis - energy) <= 2 * full
    if near.sum() < LEAST_CHANNELS / 2 or axis[-1] < energy + 2 * full:
        return 0.0, np.inf
    counts, away = spectrum[near], axis[near] - energy
    ends = np.abs(away) > 1.5 * full
    net = counts - np.polyval(np.polyfit(away[ends], counts[ends], 1), away)
    trials = np.linspace(-full, full, 201)
    peaks = np.exp(-0.5 * ((away - trials[:, None]) * FWHM / full) ** 2)
    scores = peaks @ net
    top = int(scores.argmax())
    held, noise = float(scores[top]), float(np.sqrt(np.maximum(peaks[top] ** 2 @ counts, 1.0)))
    if held < 2 * CERTAIN * noise:
        return 0.0, np.inf
    return float(trials[top]), full / FWHM * noise / held


def _judged(
    spectrum: Floats,
    axis: Floats,
    elements: list[str],
    beam_energy: float | None,
    detector: Detector,
    found: Found,
    zero: ZeroPeak | None,
    named: list[str],
) -> AxisCheck:
    """Fit the spectrum from where the search ended, and judge whether the axis is off and whether that is certain."""

    def posed(start: Start) -> Calibration:
        return _fitted(spectrum, (axis - start[0]) / start[1], elements, beam_energy, detector)

    found, fit, others = likeliest(found, posed, [e for e in elements if e not in named])
    start = start_of(found)
    offset = start[0] + start[1] * fit.detector.offset
    gain = start[1] * fit.detector.gain
    covariance = fit.axis_covariance * max(fit.deviance_dof, 1.0)
    energy = np.array(sorted(found.witnesses))
    marked = zero is not None and zero.certain
    if not energy.size:
        what = "no line of the elements named stands out of the spectrum"
        if marked and abs(zero.place) > ZERO_OFF:  # type: ignore[union-attr]
            what += f", and the zero peak lies at {zero.place:+.0f} eV"  # type: ignore[union-attr]
        return AxisCheck(decided=False, notes=[f"The energy axis could not be checked: {what}."])
    away = offset + (gain - 1) * energy
    ones = np.stack([np.ones(energy.size), energy])
    errors = np.sqrt(np.einsum("ik,ij,jk->k", ones, covariance, ones))
    widths = np.array([fwhm(e, detector.resolution) for e in energy])
    least = OFF_BESIDE if any(family.element == ELEMENT for family in fit.families) else OFF
    off = bool((np.abs(away) > np.maximum(least * widths, CERTAIN * errors)).any())
    lines = ", ".join(f"{e / 1000:.2f}" for e in energy)
    notes = []
    if off:
        by = f"{'the zero peak and ' if marked else ''}the lines at {lines} keV of the elements named"
        notes.append(f"{_told(offset, gain, covariance)}, by {by}; it was corrected for the analysis.")
    rivals = _elsewhere(others, fit, energy, away, widths)
    doubt = _doubt(
        rivals,
        _lost(fit) or (fit.strange if off else ""),
        lines if off and energy.size < 2 and not marked else "",
        found,
    )
    return AxisCheck(offset, gain, covariance, off, not doubt, [*notes, *([doubt] if doubt else [])])


def _lost(fit: Calibration) -> str:
    """What says that a fit explains nothing: it misses the spectrum, most of which are peaks of no element."""
    nobodys = np.array([family.element == ELEMENT for family in fit.families])
    share = float(fit.counts[nobodys].sum() / max(fit.counts.sum(), 1e-300))
    if share < MOST or fit.deviance_dof < MISSED:
        return ""
    return (
        f"{share:.0%} of the counts of lines stand in peaks that no element named explains, and the fit misses the "
        f"spectrum all the same (deviance {fit.deviance_dof:.0f} per degree of freedom)"
    )


def _doubt(rivals: list[Start], strange: str, alone: str, found: Found) -> str:
    """Sentence on why an axis is not certain: others, a strange detector, the end of the search, a line `alone`."""
    if rivals:
        told = " or ".join(f"{offset:+.0f} eV and {gain:.4f}" for offset, gain in rivals[:2])
        return (
            f"The energy axis is not certain: offset and gain of {told} explain the spectrum nearly as well. "
            "Name all elements that show, or calibrate the axis."
        )
    if strange:
        return f"The energy axis is not certain: {strange}."
    if found.edge:
        return (
            f"The energy axis may be off by more than ±{REACH:.0f} eV and ±{STRETCH:.0%}, which is all that was "
            "searched; calibrate it (`lbj amend`), or check the elements named."
        )
    if alone:
        return (
            f"Only the line at {alone} keV tells of the energy axis: whether its offset or its gain is off, or another "
            "element stands there, cannot be decided."
        )
    return ""


def _elsewhere(
    others: list[tuple[Found, Calibration]], fit: Calibration, energy: Floats, away: Floats, widths: Floats
) -> list[Start]:
    """Axes that put lines of some energies and widths to other places than `away` from them, and fit as well."""
    out = []
    for other, trial in others:
        start = start_of(other)
        moved = start[0] + start[1] * (trial.detector.offset + trial.detector.gain * energy) - energy
        held = not other.close or trial.deviance_dof < WORSE * max(fit.deviance_dof, 1.0)
        if held and (np.abs(moved - away) > (OFF if other.close else OFF_BESIDE) * widths).any():
            out.append((other.offset, other.gain))
    return out


def _of_peaks(
    spectrum: Floats, axis: Floats, zero: ZeroPeak | None, beam_energy: float | None, resolution: float
) -> AxisCheck:
    """Judge by the zero peak, and by elements that the peaks suggest, where nobody named any."""
    shift = zero.place if zero is not None and zero.certain and abs(zero.place) > ZERO_OFF else 0.0
    notes = []
    if shift:
        notes.append(
            f"The energy axis is off: the zero peak lies at {shift:+.0f} eV; it was corrected for the analysis."
        )
    energy = axis - shift
    peaks = find_peaks(spectrum, energy, resolution, STROBE, beam_energy)
    strong = [peak for peak in peaks if peak.lines and peak.lines[0].endswith("a")]
    guessed = list(dict.fromkeys(peak.lines[0].split("_")[0] for peak in strong))[:6]
    unmoved = AxisCheck(shift, 1.0, np.diag([225.0, np.inf]), bool(shift), not shift, notes)
    first = int(np.searchsorted(energy, STROBE))
    open_axis = replace(unmoved, decided=False, notes=[*notes, UNNAMED])
    if len(guessed) < GUESSED or spectrum[first:].sum() < LEAST_COUNTS:
        return open_axis
    detector = Detector(resolution=resolution)
    fit = _fitted(spectrum, energy, guessed, beam_energy, detector)
    known = [i for i, f in enumerate(fit.families) if f.element in guessed and fit.counts[i] > 0.02 * fit.counts.max()]
    places = np.array([fit.families[i].alpha_energy for i in known])
    if len(known) < GUESSED or not (np.abs(fit.shifts[known]) < CONSISTENT).all():
        return open_axis
    away = fit.detector.offset + (fit.detector.gain - 1) * places
    widths = np.array([fwhm(place, resolution) for place in places])
    covariance = fit.axis_covariance * max(fit.deviance_dof, 1.0)
    if not (np.abs(away) > OFF * widths).any():
        return unmoved
    offset, gain = shift + fit.detector.offset, fit.detector.gain
    told = _told(offset, gain, covariance)
    text = (
        f"{told}, if the strongest peaks are of {', '.join(guessed)}; it was corrected. Name the elements to be sure."
    )
    return AxisCheck(offset, gain, covariance, moved=True, decided=False, notes=[text])


def _told(offset: float, gain: float, covariance: Floats) -> str:
    """Describe offset and gain with their errors in a sentence."""
    errors = np.sqrt(np.diag(covariance))
    return (
        f"The energy axis is off: a line of energy E stands at offset + gain × E, offset {offset:+.1f} ± "
        f"{errors[0]:.1f} eV, gain {gain:.4f} ± {errors[1]:.4f}"
    )


def _fitted(
    spectrum: Floats, energy: Floats, elements: list[str], beam_energy: float | None, detector: Detector
) -> Calibration:
    first = int(np.searchsorted(energy, STROBE))
    families = _families(elements, energy[first:], beam_energy)
    return calibrate(spectrum[first:], _edges(energy[first:]), families, detector, beam=beam_energy)


def _families(elements: list[str], energy: Floats, beam_energy: float | None) -> list[Family]:
    low, high = float(energy[0]), float(energy[-1])
    return [family for element in elements for family in families_of(element, low, high, beam_energy)]


def _edges(energy: Floats) -> Floats:
    half = float(energy[1] - energy[0]) / 2
    return np.append(energy - half, energy[-1] + half)


def resolution_of(signal: Signal) -> float:
    """Full width at half maximum at Mn Ka that a detector states, else 130 eV."""
    declared: Any = signal.metadata.get("energy_resolution")
    return float(declared or 130.0)
