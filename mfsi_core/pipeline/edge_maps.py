"""Edge maps of a run: where edges begin is checked, and those of the elements are mapped, with their notes."""

from __future__ import annotations

import numpy as np

from lbj import Signal
from lbj.array_types import Floats
from lbj.frame import Recording

from ..eels.onsets import Onset, doubts, find_onsets, tell
from ..maps.edge_windows import edge_windows
from ..maps.edges import net_edges
from ..maps.halves import halves_of, joined
from ..report.results import Results
from ..series.axis import centres, units_found, width
from ..series.energy_shifts import energy_shifts
from ..series.series import as_series
from ..tables.edges import edges_of
from ..tables.lines import symbols
from ..text import greek


def add_edge_maps(journal: Recording, results: Results, elements: list[str] | None, *, align: bool = False) -> None:
    """Map the edges of the elements named, or of those the series names.

    Onsets that lie elsewhere than the table says are noted; with `align` the axis is moved by what they agree on.
    """
    signal = results.signal
    assert signal is not None
    if signal.axes[-1].get("units") != "eV":
        results.notes.append(f"The energy axis of {signal.name} {units_found(signal)}: no maps were made.")
        return
    if (np.diff(centres(signal)) <= 0).any():
        results.notes.append(f"The energy axis of {signal.name} does not rise throughout: no maps were made.")
        return
    declared = [str(e) for e in results.metadata.get("elements") or []]
    named = elements or [e for e in declared if e in symbols()]
    if not named:
        results.notes.append("No elements were named, neither with --elements nor in the series: no edge was mapped.")
        return
    onsets = _onsets(results, named, _seen_by_all(journal, signal, centres(signal)))
    results.signal = signal = _at_onsets(results, onsets, align=align)
    aligned, axis = align and results.numbers.get("edges_shift_eV") is not None, centres(signal)
    chosen = edge_windows(named, _seen_by_all(journal, signal, axis))
    without = [e for e in dict.fromkeys(named) if e not in chosen]
    if without:
        results.notes.append(
            f"No edge of {', '.join(without)} lies on the energy axis of {signal.name} with room for a window behind "
            f"and a background before it{_elsewhere(journal, signal)}."
        )
    if not chosen:
        return
    series = as_series(journal, signal)
    wanted = [(one.window, one.fit_window) for one in chosen.values()]
    with results.timed("maps"):
        halves = [net_edges(series, axis, wanted, results.registration, part) for part in halves_of(results.frames)]
    for number, one in enumerate(chosen.values()):
        name = f"map-{one.edge.name}"
        said = tuple(doubts(onsets, one.edge, abs(width(axis)), aligned=aligned))
        cut, windows = results.saturated, (one.window, one.fit_window)
        if cut is not None and any(cut[(axis >= low) & (axis < high)].any() for low, high in windows):
            said = (*said, "spectra are saturated in its windows, where they hold less than what was to be seen")
        total, snr = joined([half[number] for half in halves], line=one.edge.name, flags=said)
        if np.isfinite(total.values).any():
            results.maps[name], results.snr[name] = total, snr
        else:
            results.notes.append(
                f"Every spectrum of {one.edge.name} holds a voxel that is not finite: no map was made."
            )
    results.tell_flags()
    results.labels = [(one.edge.energy, greek(one.edge.name)) for one in chosen.values()]


def _elsewhere(journal: Recording, signal: Signal) -> str:
    """Hint at the other spectra of losses that a journal holds, as a second range of energies is one."""
    spectra = [one.name for one in journal.signals.values() if one.kind == "spectra" and not one.static]
    others = [name for name in spectra if name != signal.name and not name.startswith("EDX")]
    return f"; --signal {' or '.join(others)} maps the other spectra" if others else ""


def _seen_by_all(journal: Recording, signal: Signal, axis: Floats) -> Floats:
    """Energies that every frame holds: stored shifts move the ends of its spectra into the axis."""
    shifts = energy_shifts(journal, signal.name)
    if shifts is None:
        return axis
    inside = axis[(axis >= axis[0] + shifts.max(initial=0.0)) & (axis <= axis[-1] + shifts.min(initial=0.0))]
    return inside if inside.size > 1 else axis[:2]  # where no edge has room either


def _onsets(results: Results, named: list[str], seen: Floats) -> list[Onset]:
    """Where the edges of the elements begin, on that part of the axis that every frame holds."""
    signal, spectrum = results.signal, results.spectrum
    assert signal is not None
    assert spectrum is not None
    axis = centres(signal)
    edges = [edge for element in dict.fromkeys(named) for edge in edges_of(element, float(axis[0]), float(axis[-1]))]
    held = (axis >= seen[0]) & (axis <= seen[-1])
    return find_onsets(np.asarray(spectrum, float)[held], axis[held], edges)


def _at_onsets(results: Results, onsets: list[Onset], *, align: bool) -> Signal:
    """Signal on whose axis edges begin where they should, if that is wanted and can be; what is off is noted."""
    signal = results.signal
    assert signal is not None
    notes, shift = tell(onsets, abs(width(centres(signal))))
    if shift is None:
        results.notes += notes
        return signal
    done = "the axis was moved by that" if align else "their maps lose counts: --align-edges moves the axis by that"
    results.notes += [f"{note}; {done}." for note in notes]
    results.numbers["edges_shift_eV"] = shift
    if not align:
        return signal
    last = dict(signal.axes[-1])
    last["offset"] = last.get("offset", 0.0) - shift
    return Signal.from_json({**signal.to_json(), "axes": [*signal.to_json()["axes"][:-1], last]})
