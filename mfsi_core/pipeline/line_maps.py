"""Line maps of a run: the energy axis checked, peaks labelled, and X-ray lines mapped, with their notes."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lbj import Signal, UsageError
from lbj.array_types import Floats
from lbj.frame import Recording

from ..edx.axis_check import check_axis, resolution_of
from ..edx.beneath import near_strong
from ..edx.detector import Detector
from ..edx.families import families_of
from ..edx.guesses import settled, unlisted
from ..edx.hidden import hidden
from ..edx.peaks import Peak, find_peaks
from ..edx.unassigned import peak_family
from ..maps.halves import halves_of, joined
from ..maps.line_filter import line_filter
from ..maps.lines import windowed_maps
from ..maps.map import Map
from ..maps.overlaps import line_overlaps
from ..maps.windows import line_window, window_maps
from ..report.results import Results
from ..series.axis import STROBE, centres, units_found, width
from ..series.series import Series, as_series
from ..tables.lines import beam_decides, best_line, line_energy, lines_of, symbols
from ..text import artefact, greek

FOUND_PEAKS = 6
MANY = 12


def add_line_maps(journal: Recording, results: Results, elements: list[str] | None, method: str = "filter") -> None:
    """Map the elements named, those the series names, or the peaks of the sum spectrum."""
    _check_energies(results, elements)
    signal, spectrum = results.signal, results.spectrum
    assert signal is not None
    assert spectrum is not None
    if signal.axes[-1].get("units") != "eV":
        results.notes.append(f"The energy axis {units_found(signal)}: no maps were made.")
        return
    axis = centres(signal)
    beam = results.metadata.get("beam_energy")
    resolution = resolution_of(signal)
    declared = [str(e) for e in results.metadata.get("elements") or []]
    strange = [e for e in declared if e not in symbols()]
    if strange:
        results.notes.append(f"No X-ray lines are known for {', '.join(strange)}, which the series names.")
    named = elements or [e for e in declared if e not in strange]
    peaks = find_peaks(spectrum, axis, resolution, STROBE, beam, named)
    if method == "filter":
        peaks = settled(peaks, *_fitted(spectrum, axis), named, beam, resolution)
    made = [p for p in peaks if p.artefact]
    foreign = [p for p in peaks if not p.artefact and not (p.lines and p.lines[0].split("_")[0] in named)]
    alphas = [p for p in foreign if not p.lines or p.lines[0].endswith("a")]
    shown = [p for p in alphas if p.hidden] if elements else alphas[: max(FOUND_PEAKS - len(named), 0)]
    escapes = [p for p in made if "+" not in p.artefact]  # sums are fitted as pile-up
    order = [*shown, *(p for p in alphas if p not in shown and _apart(p, named, signal, beam)), *escapes]
    _entitle(results, shown)
    series = as_series(journal, signal)
    parts = halves_of(results.frames)
    with results.timed("maps"):
        halves = None
        if method == "filter":
            try:
                tool = line_filter(spectrum, signal, named, beam, order, len(shown))
            except UsageError as error:
                results.notes.append(f"The maps were made by windows: {error}.")
            else:
                results.fit = (axis[tool.start :], tool.fit)
                foreign = [*(p for p in foreign if not _one_peak(p, tool.found)), *tool.found]
                foreign += unlisted(tool.calibration, [*peaks, *tool.found], beam)
                foreign.sort(key=lambda peak: -peak.significance)
                _entitle(results, tool.found)
                results.notes += [
                    *tool.calibration.notes,
                    *hidden(tool.calibration, named, [p.energy for p in foreign]),
                ]
                halves = [tool.maps(series, results.registration, part) for part in parts]
        if halves is None:
            halves = _by_windows(series, results, named, peaks, shown, parts)
    _tell_peaks(results, named, peaks, foreign)
    _tell_lines(results, [one.line for one in halves[0].values()], float(axis[-1]))
    without = [e for e in named if not any(name.startswith(f"{e}_") for name in halves[0])]
    if without:
        results.notes.append(f"No line of {', '.join(without)} lies on the energy axis.")
    for name, first in halves[0].items():
        total, snr = joined([half[name] for half in halves], line=first.line if "_" in name else "")
        results.maps[f"map-{name}"], results.snr[f"map-{name}"] = total, snr
    results.tell_flags()
    _flag_axis(results)
    results.labels = [*_labels(named, float(axis[-1]), beam), *_peak_labels([*foreign, *made])]


def _check_energies(results: Results, elements: list[str] | None) -> None:
    """Check the energy axis of X-ray counts by their lines; what is off is corrected in the results' signal."""
    signal, spectrum = results.signal, results.spectrum
    assert signal is not None
    assert spectrum is not None
    if signal.axes[-1].get("units") != "eV" or results.eels:
        return
    named = elements or [str(e) for e in results.metadata.get("elements") or []]
    known = [element for element in dict.fromkeys(named) if element in symbols()]
    beam = results.metadata.get("beam_energy")
    high = float(centres(signal)[-1])
    open_lines = [element for element in known if beam_decides(element, high)]
    if beam is None and open_lines:
        results.notes.append(
            f"The beam energy is not known, which decides by what lines {', '.join(open_lines)} can show: give it, as "
            "--beam-energy 200keV, or keep it in the journal (`lbj amend`)."
        )
    with results.timed("check the energy axis"):
        checked = check_axis(np.asarray(spectrum, float), centres(signal), known, beam, resolution_of(signal))
    results.signal = signal = checked.signal(signal)
    results.notes += checked.notes
    errors = np.sqrt(np.diag(checked.covariance))
    results.numbers["energy_axis"] = {
        "offset_eV": checked.offset, "gain": checked.gain, "corrected": checked.moved, "decided": checked.decided,
        "offset_se_eV": float(errors[0]) if np.isfinite(errors[0]) else None,
        "gain_se": float(errors[1]) if np.isfinite(errors[1]) else None,
    }  # fmt: skip
    if signal.kind == "events":
        results.numbers["counts_above_0.15_keV"] = int(spectrum[centres(signal) >= STROBE].sum())


def _fitted(spectrum: NDArray[Any], axis: Floats) -> tuple[Floats, Floats]:
    """Counts above the zero peak, and the bounds of their channels."""
    first = int(np.searchsorted(axis, STROBE))
    half = abs(width(axis)) / 2
    return np.asarray(spectrum[first:], float), np.append(axis[first:] - half, axis[-1] + half)


def _tell_peaks(results: Results, named: list[str], peaks: list[Peak], foreign: list[Peak]) -> None:
    """Note which peaks no line of the elements explains, and which the detector makes."""
    if not named:
        results.notes.append(
            "No elements were named, neither with --elements nor in the series: "
            + (
                "the strongest peaks of the sum spectrum were mapped. Names with a question mark are candidates by "
                "energy alone."
                if peaks
                else "and no peak stands out of the sum spectrum; no maps were made."
            )
        )
    elif foreign:
        places = ", ".join(f"{p.energy / 1000:.2f}" + _guess(p) for p in foreign[:MANY])
        more = f", and {len(foreign) - MANY} more (see the spectrum)" if len(foreign) > MANY else ""
        results.notes.append(f"Peaks that no line of the elements named explains, keV: {places}{more}.")
    made = [f"{p.energy / 1000:.2f} ({artefact(p.artefact)})" for p in peaks if p.artefact]
    if made:
        results.notes.append(f"Peaks that the detector makes of others, keV: {', '.join(made)}.")
    for peak in foreign if named else []:
        if peak.hidden and peak.lines:
            results.notes.append(
                f"The peak at {peak.energy / 1000:.2f} keV is stronger than the line of an element named that lies "
                f"there can be: {' or '.join(greek(line) for line in peak.lines[:2])}?"
            )


def _apart(peak: Peak, named: list[str], signal: Signal, beam: float | None) -> bool:
    """Whether a peak stands so far from strong lines of the elements named that its place tells what it is."""
    axis = centres(signal)
    own = [f for element in named for f in families_of(element, float(axis[0]), float(axis[-1]), beam)]
    return not near_strong(peak_family(peak.energy), own, Detector(resolution=resolution_of(signal)))


def _one_peak(peak: Peak, others: list[Peak]) -> bool:
    return any(abs(peak.energy - other.energy) < other.fwhm for other in others)


def _entitle(results: Results, peaks: list[Peak]) -> None:
    """Titles of the maps of peaks that nobody named."""
    for peak in peaks:
        results.titles[f"map-{peak.energy / 1000:.2f}keV"] = f"{peak.energy / 1000:.2f} keV{_guess(peak)}"


def _by_windows(
    series: Series, results: Results, named: list[str], peaks: list[Peak], shown: list[Peak], parts: list[slice]
) -> list[dict[str, Map]]:
    """Maps of windows, of each part of the series, flagged where other lines reach into them."""
    signal, beam = series.signal, results.metadata.get("beam_energy")
    assert results.spectrum is not None
    resolution = resolution_of(signal)
    blocked = [(-math.inf, STROBE), *(line_window(p.energy, resolution) for p in peaks)]
    windows = {f"{peak.energy / 1000:.2f}keV": line_window(peak.energy, resolution) for peak in shown}
    halves = []
    for part in parts:
        half = windowed_maps(series, named, results.registration, beam, part)
        lines = {one.line: one for one in half.values()}
        halves.append({**lines, **window_maps(series, windows, blocked, results.registration, part)})
    for name, one in halves[0].items():
        said = line_overlaps(signal, results.spectrum, one.window, one.background, named, beam)
        halves[0][name] = replace(one, flags=tuple(said))
    return halves


def _tell_lines(results: Results, lines: list[str], high: float) -> None:
    """Note which lines were mapped where only the spectrum itself could tell."""
    chosen = [line for line in lines if "_" in line and beam_decides(line.split("_")[0], high)]
    if chosen and results.metadata.get("beam_energy") is None:
        results.notes.append(
            f"Without a beam energy the lines were mapped that stand out of the spectrum itself: "
            f"{', '.join(greek(line) for line in chosen)}; --beam-energy makes sure of it."
        )


def _flag_axis(results: Results) -> None:
    """Flag all maps where the energy axis, of which the notes tell, is not as it was recorded or not certain."""
    about = results.numbers["energy_axis"]
    said = [
        *(["the energy axis was corrected (see the notes)"] if about["corrected"] else []),
        *(["it could not be decided whether the energy axis is right (see the notes)"] if not about["decided"] else []),
    ]
    for name, one in results.maps.items() if said else ():
        results.maps[name] = replace(one, flags=(*one.flags, *said))


def _guess(peak: Peak) -> str:
    return f" ({greek(peak.lines[0])}?)" if peak.lines else ""


def _peak_labels(peaks: list[Peak]) -> list[tuple[float, str]]:
    """Peaks to write into the spectrum: what the detector makes, or the energy and what may lie there."""
    return [(p.energy, artefact(p.artefact) if p.artefact else f"{p.energy / 1000:.2f}" + _guess(p)) for p in peaks]


def _labels(elements: list[str], high: float, beam: float | None) -> list[tuple[float, str]]:
    """Lines to write into the spectrum: K alpha and beta, L and M alpha; of many elements only the line mapped.

    Of elements too light for an L alpha, as Ca, it is L l.
    """
    if len(elements) > MANY // 2:
        names = [best_line(element, STROBE, high, beam) for element in elements]
        return [(line_energy(name), greek(name)) for name in names if name is not None]
    out = []
    for element in elements:
        lines = [line for line in lines_of(element, STROBE, high) if beam is None or line.edge < beam]
        shown = ("Ka1", "Kb1", "La1" if any(line.name == "La1" for line in lines_of(element)) else "Ll", "Ma1")
        out += [(line.energy, greek(f"{element}_{line.name[:2]}")) for line in lines if line.name in shown]
    return out
