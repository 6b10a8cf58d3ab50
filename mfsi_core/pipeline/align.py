"""Align: a run opens its journal, chooses frames and signals, and registers them."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lbj import Signal, UsageError
from lbj.archive.convert import base_name
from lbj.format.metadata import faults
from lbj.frame import Recording
from lbj.loss import losses
from lbj.plugins.found import named
from lbj.reader import Journal
from lbj.scanned import left_out, scanned_of

from ..accumulation.mean import aligned_mean, mean_of_known
from ..geometry.registration import Registration
from ..registration import plugins as registrations
from ..registration.register import register
from ..registration.trust import distrusted
from ..report.results import Results
from ..series.axis import pixel_size
from ..series.selection import View, chosen, holds, image_signal, reference_images, spectra_signal

LEAST_ENERGY = 1000.0  # eV, of a beam
MANY = 12  # most frames that a note lists


def register_journal(
    journal: Journal,
    inputs: list[str],
    *,
    image: str | None = None,
    signal: str | None = None,
    region: int | None = None,
    beam_energy: float | None = None,
    anew: bool = False,
    method: str | None = None,
    client: Any = None,
    quiet: bool = False,
) -> tuple[Recording, Results]:
    """Choose frames and signals and register; returns the chosen frames of the journal and the results so far.

    Its many options are those of the commands, by the same names.

    Displacements that were appended to the journal are used, unless all is to be done `anew` or by a plugin, `method`;
    areas are registered by the workers of a `client`, if there is one.
    """
    frames = [frame.index for frame in journal if region is None or frame.region == region]
    if not frames:
        raise UsageError(f"the series holds no frame{f' of region {region}' if len(journal) else ''}")
    known = {} if beam_energy is None else {"beam_energy": beam_energy}
    view: Recording = journal if len(frames) == len(journal) and not known else View(journal, frames, known)
    wrong = faults(journal.metadata)
    if wrong:
        raise UsageError(f"the journal's metadata: {'; '.join(wrong)} (lbj.append(path).amend mends it)")
    names = [base_name(os.path.abspath(name)) for name in inputs]
    title = str(journal.metadata.get("title") or Path(names[0]).stem)
    results = Results(title, names, len(frames), dict(view.metadata))
    if journal.tail is not None:
        results.notes.append(f"The journal is cut short, its completed frames were used: {journal.tail}.")
    elif not journal.complete:
        results.notes.append(
            f"The journal was not closed (being written, or its writer died): its {len(journal)} frames were used."
        )
    results.notes += [f"{loss.line(name)}." for name, loss in losses(journal).items()]
    results.notes += [f"Import: {note}" for note in journal.header.get("source", {}).get("notes", [])]
    results.notes += _strange_units(journal)
    regions = {view[i].region for i in range(len(view))}
    if len(regions) > 1:
        results.notes.append(
            f"The frames come from {len(regions)} areas, which were laid on one another modulo the lattice; choose "
            "one area with --region where they show different things."
        )
    results.signal = spectra_signal(view, signal)
    if results.signal is not None and not any(holds(view[index], results.signal.name) for index in range(len(view))):
        results.notes.append(f"{results.signal.name} is declared, but no frame holds it.")
        results.signal = None
    results.notes += aborted_frames(view, results.signal or image_signal(view, image))
    _align(view, results, image, anew=anew, method=method, client=client, quiet=quiet)
    return view, results


@contextlib.contextmanager
def with_spectra(view: Recording, results: Results) -> Iterator[Recording]:
    """Frames that hold the spectra, and the results of them alone meanwhile; those that hold none are noted."""
    name = None if results.signal is None else results.signal.name
    holding = [index for index in range(len(view)) if name is None or holds(view[index], name)]
    if len(holding) == len(view):
        yield view
        return
    lacking = sorted(set(range(len(view))).difference(holding))
    listed = ", ".join(map(str, lacking[:MANY])) + (", …" if len(lacking) > MANY else "")
    results.notes.append(f"{len(lacking)} of {len(view)} frames hold no {name} and enter no sum of spectra: {listed}.")
    frames, registration = results.frames, results.registration
    results.frames = len(holding)
    results.registration = None if registration is None else registration.subset(holding)
    try:
        yield chosen(view, holding)
    finally:
        results.frames, results.registration = frames, registration


def _strange_units(journal: Recording) -> list[str]:
    """Sentences on units and energies that are probably meant otherwise."""
    out = [
        f"{signal.name}: its {axis.get('name') or 'axis'} is in {axis['units']!r}; lengths are expected in m, so that "
        "nothing is known of its pixels."
        for signal in journal.signals.values()
        for axis in (signal.axes if signal.kind == "image" else signal.axes[:2])
        if axis.get("units") not in (None, "", "m", "px")
    ]
    energy = journal.metadata.get("beam_energy")
    if energy and energy < LEAST_ENERGY:
        out.append(f"The beam energy is {energy:g} eV; if keV were meant, write beam_energy={1000 * energy:g}.")
    return list(dict.fromkeys(out))


def _align(
    journal: Recording, results: Results, name: str | None, *, anew: bool, method: str | None, client: Any, quiet: bool
) -> None:
    """Register by the image, or by the X-ray counts where there is none."""
    reference_signal, signal = image_signal(journal, name), results.signal
    source = reference_signal or signal
    if source is None:
        raise UsageError("the series holds neither images nor spectra")
    shape = (source.shape[0], source.shape[1])
    with results.timed("read images"):
        stack = reference_images(journal, reference_signal, signal, quiet=quiet)
    results.image_name = (
        reference_signal.name if reference_signal is not None else "summed EELS" if results.eels else "X-ray counts"
    )
    results.pixel_image = pixel_size(source)
    recorded = scanned_of(journal, source)
    registration = Registration.rigid(np.zeros((len(stack), 2)), shape, recorded=recorded)
    if len(stack) == 1:
        results.notes.append("One frame: there is nothing to register.")
    else:
        with results.timed("register"), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = None if anew or method else _stored(journal, reference_signal)
            if found is None:
                regions = [journal[i].region for i in range(len(journal))]
                to_field = None if reference_signal is None else reference_signal.to_field
                found = register(stack, regions=regions, across=True, to_field=to_field, method=method, client=client)
                found.recorded = recorded
            else:
                results.notes.append("The displacements stored in the journal were used.")
        doubts = distrusted(
            found, results.image_name, image=reference_signal is not None, plugin=method is not None, frames=stack
        )
        if doubts:
            results.notes.append(doubts)
        else:
            results.notes += [str(item.message) + "." for item in caught if item.category is UserWarning]
            registration, results.reference = found, results.image_name
            if method:
                results.notes.append(f"Registered by {named(registrations.GROUP, method)}.")
    if source is signal:
        results.numbers["frames_without_counts"] = [int(n) for n in np.flatnonzero(~np.any(stack, axis=(1, 2)))]
    usable = np.flatnonzero(np.isfinite(stack).any(axis=(1, 2)))
    if usable.size:
        results.before = mean_of_known(stack[usable])
        results.after, _ = aligned_mean(stack[usable], registration.subset(usable))
    results.registration = registration
    if signal is not None:
        results.pixel = pixel_size(signal)
        try:
            results.registration.on(signal)
        except UsageError as error:
            results.notes.append(f"The spectra were summed as they are: {error}.")
            results.registration = Registration.rigid(np.zeros((len(stack), 2)), (signal.shape[0], signal.shape[1]))


def aborted_frames(journal: Recording, signal: Signal | None) -> list[str]:
    """Sentence on frames whose scan was aborted."""
    mask = None if signal is None else scanned_of(journal, signal)
    if mask is None:
        return []
    assert signal is not None
    share = mask.reshape(len(mask), -1).mean(axis=1)
    aborted = np.flatnonzero(share < 1)
    cut = [f"{index} ({min(share[index], 0.99):.0%})" for index in aborted[:MANY]]
    text = f"The scan of some frames was aborted; what was not scanned holds nothing: frame {', '.join(cut)}."
    stray = sum(left_out(journal[int(index)], signal) for index in aborted)
    if stray:
        what = "counts" if signal.kind == "events" else "in values"
        text += f" {stray:.0f} {what} of {signal.name} that are stored there nevertheless were left out."
    return [text]


def _stored(journal: Recording, reference_signal: Signal | None) -> Registration | None:
    """Displacements of all frames that were appended to the journal for this image, if any."""
    whole = journal.whole if isinstance(journal, View) else journal
    if reference_signal is None or not isinstance(whole, Journal):
        return None
    found = whole.displacement(reference_signal.name)
    if found is None or len(found.error) != len(whole) or found.shape != reference_signal.shape:
        return None
    return Registration.load(whole, reference_signal.name)
