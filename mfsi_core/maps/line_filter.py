"""Line filter: maps of X-ray lines by one linear filter for all families, with flags on maps that are doubtful."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from lbj import Signal, UsageError
from lbj.array_types import Floats

from ..accumulation.weighted_sums import weighted_sums
from ..edx.calibration import Calibration, calibrate
from ..edx.detector import FWHM, Detector
from ..edx.families import Family, families_of
from ..edx.guesses import completed
from ..edx.linear_filter import linear_filter
from ..edx.model import Model, build
from ..edx.peaks import Peak
from ..edx.unassigned import ELEMENT, peak_family
from ..geometry.registration import Registration
from ..series.axis import STROBE, centres, width
from ..series.series import Series
from ..tables.lines import beam_decides, best_line
from .map import Map
from .windows import line_window

LEAST_CHANNELS = 16
SHADOW = 0.1  # share of the counts of another line within a line's width below which it is flagged as overshadowed
BLEND = 3.0  # factor by which overlapping families raise a line's variance, above which it is flagged as a blend
ABSENT = 3.0  # standard errors, with what the fit leaves open, below which a line's total counts are flagged as noise
FAINT = 0.1  # a family this much less significant than another of its element is not mapped if no beam energy is known
MISPLACED = 10.0  # eV from its place in the table, beyond which a line is flagged as maybe another element's
UNSURE = 2.0  # eV by which an energy axis is easily off; flagged where that changes a line's counts
SWAYED = 0.1  # by more than this share, and than their stated error


@dataclass(frozen=True, eq=False)
class LineFilter:
    """Weights that make maps of lines.

    Attributes
    ----------
    lines : list of str
        ``Ti_Ka``; of peaks that nobody named ``4.51keV``.
    windows : list of (float, float)
        Where each line shows, eV.
    weights : (C, K) float64
        Of every channel of the signal: their sum over a spectrum's counts is the net counts of each line.
    flags : list of tuple of str
        Why each map is to be distrusted.
    common_errors : list of float
        Relative standard error of each map that all pixels share.
    calibration : Calibration
        Fit of the sum spectrum.
    start : int
        First channel that was fitted.
    found : list of Peak
        Those of the peaks mapped, the last, that were found beneath lines of elements named.
    """

    lines: list[str]
    windows: list[tuple[float, float]]
    weights: Floats
    flags: list[tuple[str, ...]]
    common_errors: list[float]
    calibration: Calibration
    start: int
    found: list[Peak]

    def maps(
        self, series: Series, registration: Registration | None = None, frames: slice | None = None
    ) -> dict[str, Map]:
        """Map every line; see `lines.element_maps`."""
        values, variance = weighted_sums(series, self.weights, registration, frames or slice(None))
        return {
            name: Map(
                values[..., k],
                variance[..., k],
                self.windows[k],
                (),
                name,
                flags=self.flags[k],
                common_error=self.common_errors[k],
            )
            for k, name in enumerate(self.lines)
        }

    @property
    def fit(self) -> Floats:
        """Sum spectrum as fitted, in the channels from `start` on."""
        known = self.calibration
        return np.asarray(known.counts @ known.templates + known.background)


def line_filter(
    spectrum: Floats,
    signal: Signal,
    elements: Sequence[str],
    beam_energy: float | None = None,
    peaks: Sequence[Peak] = (),
    mapped: int | None = None,
) -> LineFilter:
    """Make the filter that maps elements by their best lines, and peaks that none of them explains.

    Parameters
    ----------
    spectrum : (C,) array
        Sum spectrum of all pixels and frames.
    signal : Signal
        With its energy axis, eV.
    elements : sequence of str
        Symbols. Those without a family of lines on the axis are left out.
    beam_energy : float, optional
        eV; decides which shells are ionised. Where it is not known and would decide by which line an element is mapped,
        the spectrum does: another family of its is taken where that stands out ten times as clearly.
    peaks : sequence of Peak
        Further peaks: families of the elements that may be theirs, else lines of their own.
    mapped : int, optional
        How many of the peaks are mapped; all by default. The others are allowed for.

    Returns
    -------
    LineFilter
        The unbiased linear filter of least variance (`edx.linear_filter`) for the sum spectrum's noise, made
        of all lines of all families and a smooth background as fitted to the sum spectrum (`calibrate`). Net counts are
        those in the peaks of the alpha lines, of a peak those of its one line, without the tail of photons that lost
        part of their charge. Sum peaks of the strongest lines are allowed for where the fit misses them. An element
        that nobody named but that shows beneath a line of one that is named is mapped as a peak.

    Raises
    ------
    UsageError
        If the spectrum does not allow a fit: an axis that does not rise, fewer than 16 channels above 0.15 keV, no
        counts, or values below zero.
    """
    axis = centres(signal)
    start = int(np.searchsorted(axis, STROBE)) if axis.size > 1 and (np.diff(axis) > 0).all() else axis.size
    counts, energy = np.asarray(spectrum, float)[start:], axis[start:]
    if energy.size < LEAST_CHANNELS:
        raise UsageError("lines are fitted in 16 channels of rising energy above 0.15 keV at least")
    if not np.isfinite(counts).all() or counts.min() < 0 or not counts.sum() > 0:
        raise UsageError("lines are fitted to counts, none below zero, and some above")
    families, lines, owners = _wanted(elements, peaks, energy, beam_energy, mapped)
    if not families:
        raise UsageError("none of the elements has lines on the energy axis, and no peak stands out")
    half = np.diff(energy, append=2 * energy[-1] - energy[-2]) / 2
    edges = np.append(energy[0] - half[0], energy + half)
    resolution = float(signal.metadata.get("energy_resolution") or 130.0)
    fit = partial(calibrate, counts, edges, detector=Detector(resolution=resolution), beam=beam_energy)
    known, found = completed(fit(families), counts, edges, families, elements, beam_energy, fit)
    lines += [f"{peak.energy / 1000:.2f}keV" for peak in found]
    owners += [[family.line for family in known.families].index(peak.lines[0]) for peak in found]
    model = build(known, energy, axis.size, start)
    if beam_energy is None:
        owners = _shown(known, model, owners, [not name[0].isdigit() for name in lines], energy)
        lines = [known.families[i].line if "_" in name else name for name, i in zip(lines, owners, strict=True)]
    tool = linear_filter(model.columns, known.counts, model.mean, owners, [-1] * len(known.families))
    scope = np.array([known.peak(owner) for owner in owners])
    weights = np.zeros((axis.size, len(owners)))
    weights[start:] = tool.scaled(scope).weights.T[model.bin_of[start:]]
    noise = [float(np.sqrt(model.mean @ weight**2)) for weight in tool.weights]
    opened = [known.left_open(owner, error, peak=True) for owner, error in zip(owners, noise, strict=True)]
    judged = [_flags(owner, known, model, counts, energy, share) for owner, share in zip(owners, opened, strict=True)]
    if beam_energy is None:
        beam = [known.of_beam(owner) for owner in owners]
        judged = [(*found, said) if said else found for found, said in zip(judged, beam, strict=True)]
    windows = [line_window(_place(known, owner), known.detector.resolution) for owner in owners]
    ends = float(axis[0]), float(axis[-1])
    clipped = [(max(low, ends[0]), min(high, ends[1])) for low, high in windows]
    return LineFilter(lines, clipped, weights, judged, opened, known, start, found)


def shown_lines(spectrum: Floats, signal: Signal, elements: Sequence[str]) -> dict[str, str]:
    """Lines by which to map elements where no beam energy is known: what `line_filter` takes, else the best ones."""
    axis = centres(signal)
    best = {element: best_line(element, max(float(axis[0]), 0.0), float(axis[-1])) for element in elements}
    found = {element: line for element, line in best.items() if line is not None}
    if any(beam_decides(element, float(axis[-1])) for element in found):
        with contextlib.suppress(UsageError):
            found |= {line.split("_")[0]: line for line in line_filter(spectrum, signal, elements).lines}
    return found


def _wanted(
    elements: Sequence[str], peaks: Sequence[Peak], energy: Floats, beam: float | None, mapped: int | None
) -> tuple[list[Family], list[str], list[int]]:
    """Families to be fitted; names of the lines to be mapped, and the family of each."""
    low, high = float(energy[0]), float(energy[-1])
    families: list[Family] = []
    lines, owners = [], []

    def add(element: str, name: str | None, wanted: str | None, *, shown: bool) -> bool:
        """Take up the families of an element; the one of line `wanted`, else the first, is mapped under `name`."""
        held = families_of(element, low, high, beam)
        if not held:
            return False
        mine = [f for f in held if wanted is not None and f.family == wanted.partition("_")[2][0]] or held
        if mine[0] not in families:
            families.extend(held)
        if shown and (name or mine[0].line.endswith("a")):
            lines.append(name or mine[0].line)
            owners.append(families.index(mine[0]))
        return True

    for element in dict.fromkeys(elements):
        add(element, None, best_line(element, max(low, 0.0), high, beam), shown=True)
    for number, peak in enumerate(peaks):
        shown = mapped is None or number < mapped
        name, guess = f"{peak.energy / 1000:.2f}keV", peak.lines[0] if peak.lines else None
        if guess is not None and add(guess.split("_")[0], name, guess, shown=shown):
            continue
        families.append(peak_family(peak.energy))
        if shown:
            lines.append(name)
            owners.append(len(families) - 1)
    return families, lines, owners


def _shown(known: Calibration, model: Model, owners: list[int], named: list[bool], energy: Floats) -> list[int]:
    """Families to be mapped of the elements named, where only the spectrum tells whether the beam excites them."""
    every = list(range(len(known.families)))
    weights = linear_filter(model.columns, known.counts, model.mean, every, [-1] * len(every)).weights
    clear = known.counts / np.sqrt(np.maximum((model.mean * weights**2).sum(axis=1), 1e-300))
    out = []
    for owner, asked in zip(owners, named, strict=True):
        element = known.families[owner].element
        best = max((i for i in every if known.families[i].element == element), key=lambda i: clear[i])
        open_line = asked and beam_decides(element, float(energy[-1]))
        least = max(FAINT * clear[best], ABSENT)
        out.append(best if open_line and clear[best] > ABSENT and clear[owner] < least else owner)
    return out


def _place(known: Calibration, index: int) -> float:
    """Where the alpha line stands on the axis, eV."""
    return float(known.detector.positions(known.families[index].alpha_energy + known.shifts[index]))


def _title(family: Family) -> str:
    return (
        f"the peak at {family.alpha_energy / 1000:.2f} keV"
        if family.element == ELEMENT
        else family.name.replace("_", " ")
    )


def _flags(
    owner: int, known: Calibration, model: Model, counts: Floats, energy: Floats, open_by: float
) -> tuple[str, ...]:
    """Why the map of a line is to be distrusted: what else stands there, and how well the fit does."""
    place, shift, step = _place(known, owner), float(known.shifts[owner]), abs(width(energy))
    full = FWHM * float(known.detector.sigmas(np.array(place)))
    near = np.abs(energy - place) <= max(full / 2, 1.01 * step)
    shares = known.counts * known.templates[:, near].sum(axis=1)
    own, others = float(shares[owner]), np.where(np.arange(shares.size) == owner, 0.0, shares)
    rival = int(np.argmax(others))
    lines = known.counts @ known.templates
    weight = linear_filter(model.columns, known.counts, model.mean, [owner], [-1] * len(known.families)).weights[0]
    error = float(np.sqrt((model.mean * weight**2).sum()))
    total, found = float(known.counts[owner]), []
    neighbours = [
        _title(f)
        for f in known.families
        if f.element not in (known.families[owner].element, ELEMENT) and abs(f.alpha_energy - place) < full
    ]
    there = f"; {' and '.join(neighbours)} lies there too" if neighbours else ""
    if abs(shift) > MISPLACED and known.families[owner].element != ELEMENT:
        found.append(f"the peak taken for it stands {shift:+.0f} eV from where it should{there}")
    whole = float(np.hypot(error, open_by * total))
    if total < ABSENT * whole:
        return (f"nothing of it is seen beyond noise ({total:.0f} ± {whole:.0f} photons in all){there}", *found)
    if others[rival] > 0 and own < SHADOW * others[rival]:
        found.append(
            f"it stands in the shadow of {_title(known.families[rival])}, with {own:.0f} counts beside "
            f"{others[rival]:.0f}; an error of 1 % there is {others[rival] / max(own, 1e-9):.0f} % here"
        )
    blend, by = _blend(owner, model, float(weight @ (model.mean * weight)))
    moved = np.interp(energy - UNSURE, energy, lines) - lines
    sway = abs(float(weight[model.bin_of[-energy.size :]] @ moved)) / total
    if blend > BLEND or sway > max(SWAYED, whole / total):
        found.append(
            f"it is told from {_title(known.families[by])} by its shape and side lines alone: its noise is "
            f"{np.sqrt(blend):.1f} times what it would be by itself; {UNSURE:g} eV of the axis change it by {sway:.0%}"
        )
    else:
        found += [said for said in [known.close(owner)] if said]
    found += [str(said) for said in (known.beneath.get(owner), known.strange) if said]
    if known.uncertain(owner, error, peak=True):
        found.append(
            f"what the fit leaves open (places, widths and relative strengths of lines) changes its counts by "
            f"{open_by:.0%}"
        )
    missed = known.misses(owner, counts)
    if missed:
        found.append(
            f"the fit misses the spectrum there by {missed:.0%} of its counts: something that nobody named, or an axis "
            "that is off"
        )
    return tuple(found)


def _blend(owner: int, model: Model, variance: float) -> tuple[float, int]:
    """By how much the other families raise the variance of one, and which of them does most."""
    families, worst, by = model.families, 1.0, owner
    precision = (model.columns / model.mean) @ model.columns.T
    backgrounds = list(range(families, len(precision)))

    def alone(others: list[int]) -> float:
        kept = [owner, *others, *backgrounds]
        return float(np.linalg.pinv(precision[np.ix_(kept, kept)], hermitian=True)[0, 0])

    free = alone([])
    for other in range(families):
        if other != owner and precision[owner, other] > 0:
            raised = alone([other]) / free
            if raised > worst:
                worst, by = raised, other
    return variance / free if by != owner else 1.0, by
