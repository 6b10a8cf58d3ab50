"""Pipeline: a series from its files to a report, with everything that applies."""

from __future__ import annotations

import contextlib
import math
import os
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import lbj
from lbj import LbjError, Signal, UsageError
from lbj.format.metadata import faults
from lbj.importing.convert import base_name
from lbj.loss import losses
from lbj.outputs import MANIFEST, new_folder
from lbj.plugins.found import named
from lbj.progress import track

from ..accumulation.accumulate import accumulate, coverage
from ..geometry.registration import Registration
from ..plugins import registrations
from ..plugins.analyses import GROUP
from ..registration.register import register
from ..report.results import Results, pixel_size
from ..series.dose import dose
from ..series.scanned import scanned_of
from ..series.selection import View, image_signal, picture, spectra_signal
from ..tables.lines import symbols
from .cube import write_cube
from .maps import add_edge_maps, add_maps, add_spectrum, check_energies
from .sections import analysed, counted, quantified, weighed

Floats = NDArray[np.float64]

CONVERTED = "series.lbj"  # what is no journal becomes this one
MADE = ("report.html", "summary.json", "registration.csv", "accumulated.h5")  # by every run with spectra
LARGEST_CUBE = 2**32  # bytes of the aligned spectrum image that a run writes
WORST_ERROR = 0.5  # px; counts that register worse are no guide
LARGEST_ERROR = 3.0  # px; nor are images
LEAST_ENERGY = 1000.0  # eV, of a beam
MANY = 12  # frames that a note names


def run(
    inputs: list[str],
    output: str | os.PathLike[str],
    *,
    elements: list[str] | None = None,
    image: str | None = None,
    signal: str | None = None,
    region: int | None = None,
    beam_energy: float | None = None,
    align_edges: bool = False,
    factors: str | None = None,
    chips: Any = 15,
    stated: dict[str, float] | None = None,
    compare: Any = None,
    scree: bool = False,
    maps: str = "filter",
    method: str | None = None,
    analyses: Sequence[str] = (),
    quiet: bool = False,
) -> dict[str, Any]:
    """Register, accumulate and map a series, and write a report.

    Parameters
    ----------
    inputs : list of path
        One journal, or vendor files, or one folder; what is no journal is converted to ``series.lbj`` first.
    output : path
        Folder for ``report.html``, ``summary.json``, ``registration.csv``, ``accumulated.h5`` and the maps.
    elements : list of str, optional
        Symbols; default: those the series names, else the peaks found in the sum spectrum are mapped.
    image, signal : str, optional
        Image to register and signal to accumulate; default HAADF or the first image, EDX or the first of its kind.
    region : int, optional
        Use only the frames of this area.
    beam_energy : float, optional
        eV, in place of what the series states.
    align_edges : bool
        Move the axis of EELS spectra by what the onsets of sharp edges agree on, before edges are mapped.
    factors : path, optional
        k-factors (`quantification.factors`), to quantify the elements in chips: ``quantification.csv``, at% maps.
    chips : int, labels or polygons
        Pixels per side of a chip, or see `quantification.chips.make_chips`.
    stated : dict of element to atoms, optional
        Composition that the chips should have: the report tells how far the mean is from it.
    compare : DataFrame, optional
        An earlier quantification of the same chips: the report tells and draws what changed.
    scree : bool
        Also weigh the components against dose: ``scree.csv``.
    maps : {"filter", "windows"}
        How X-ray maps are made; see `maps.element_maps`.
    method : str, optional
        A registration that another installed package provides.
    analyses : list of str
        Analyses that other installed packages provide (docs/plugins.md): each becomes a section of the report.
    quiet : bool
        No progress.

    Returns
    -------
    dict
        The content of ``summary.json``.

    Raises
    ------
    UsageError
        If a name or element is unknown; LbjError if the input cannot be read.
    """
    from ..report.page import write

    _check_elements(elements)
    if factors is None and (stated is not None or compare is not None):
        raise UsageError("a composition can be compared only where it is quantified: give factors too")
    if factors is not None:
        from ..quantification.factors import read_factors

        read_factors(factors)
    for group, name in [(registrations.GROUP, method), *((GROUP, one) for one in analyses)]:
        if name is not None:
            named(group, name)
    seconds: dict[str, float] = {}
    spared = [*inputs, *(name for name in (factors,) if name)]
    known = MADE if _is_journal(inputs) else (*MADE, CONVERTED)
    with (
        new_folder(output, "mfsi run", known, spared) as folder,
        lbj.open(path := _journal(inputs, folder, seconds, quiet=quiet)) as journal,
    ):
        view, results = registered(
            journal, inputs, image=image, signal=signal, region=region, beam_energy=beam_energy, method=method,
            quiet=quiet,
        )  # fmt: skip
        results.seconds = {**seconds, **results.seconds}
        _sizes(journal, results, path)
        results.figures["converted"] = None if _is_journal(inputs) else CONVERTED
        mapped(view, results, elements, maps=maps, align_edges=align_edges, quiet=quiet)
        with _section(results, "counts per area"):
            counted(results)
        if factors is not None:
            with _section(results, "the composition"):
                quantified(view, results, folder, elements, factors, chips, stated, compare)
        if scree:
            with _section(results, "the components against dose"):
                weighed(view, results, folder, quiet=quiet)
        for name in analyses:
            with _section(results, f"the analysis {name}"):
                analysed(view, results, folder, name)
        if results.signal is not None:
            size = math.prod(results.signal.shape) * 4
            if size > LARGEST_CUBE:
                results.notes.append(
                    f"The aligned spectrum image would take {size / 1e9:.1f} GB and was not written; "
                    "`mfsi accumulate` writes it, or a part of it."
                )
            else:
                write_cube(view, results, folder / "accumulated.h5")
        results.files.append(MANIFEST)
        return write(results, folder)


@contextlib.contextmanager
def _section(results: Results, name: str) -> Iterator[None]:
    """Go on without a section of the report that cannot be made, and say so."""
    try:
        yield
    except (LbjError, np.linalg.LinAlgError) as error:
        results.figures.setdefault("not_made", []).append(name)
        results.notes.append(f"The report is without {name}: {error}.")


def registered(
    journal: Any,
    inputs: list[str],
    *,
    image: str | None = None,
    signal: str | None = None,
    region: int | None = None,
    beam_energy: float | None = None,
    anew: bool = False,
    method: str | None = None,
    quiet: bool = False,
) -> tuple[Any, Results]:
    """Choose frames and signals and register; returns the chosen frames of the journal and the results so far.

    Displacements that were appended to the journal are used, unless all is to be done `anew` or by a plugin, `method`.
    """
    frames = [frame.index for frame in journal if region is None or frame.region == region]
    if not frames:
        raise UsageError(f"the series holds no frame of region {region}" if len(journal) else "it holds no frame")
    known = {} if beam_energy is None else {"beam_energy": beam_energy}
    view = journal if len(frames) == len(journal) and not known else View(journal, frames, known)
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
    results.notes += aborted(view, results.signal or image_signal(view, image))
    _align(view, results, image, anew=anew, method=method, quiet=quiet)
    return view, results


def _strange_units(journal: Any) -> list[str]:
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


def mapped(
    journal: Any,
    results: Results,
    elements: list[str] | None,
    *,
    maps: str = "filter",
    align_edges: bool = False,
    quiet: bool = False,
) -> None:
    """Sum the spectra and map the elements; `maps` and `align_edges` as for `run`."""
    _check_elements(elements)
    if results.signal is None:
        results.notes.append("The series holds no spectra.")
        return
    add_spectrum(journal, results, quiet=quiet)
    check_energies(results, elements)
    if results.eels:
        add_edge_maps(journal, results, elements, align=align_edges)
    else:
        add_maps(journal, results, elements, maps)


def _check_elements(elements: list[str] | None) -> None:
    unknown = sorted(set(elements or []) - set(symbols()))
    if unknown:
        raise UsageError(f"no X-ray lines are known for {', '.join(unknown)}; expected symbols from B to U")


def _is_journal(inputs: list[str]) -> bool:
    return len(inputs) == 1 and str(inputs[0]).endswith(".lbj")


def _journal(inputs: list[str], folder: Path, seconds: dict[str, float], *, quiet: bool) -> Path:
    if _is_journal(inputs):
        return Path(inputs[0])
    from lbj.importing.convert import convert

    start = time.perf_counter()
    path = folder / CONVERTED
    convert([str(name) for name in inputs], path, quiet=quiet)
    seconds["convert"] = time.perf_counter() - start
    return path


def _align(journal: Any, results: Results, name: str | None, *, anew: bool, method: str | None, quiet: bool) -> None:
    """Register by the image, or by the X-ray counts where there is none."""
    guide, signal = image_signal(journal, name), results.signal
    source = guide or signal
    if source is None:
        raise UsageError("the series holds neither images nor spectra")
    shape = (source.shape[0], source.shape[1])
    with results.timed("read images"):
        stack = np.empty((len(journal), *shape))
        for i in track(range(len(journal)), "images", quiet=quiet):
            stack[i] = picture(journal[i], guide, signal)
    results.image_name = guide.name if guide is not None else "summed EELS" if results.eels else "X-ray counts"
    results.pixel_image = pixel_size(source)
    recorded = scanned_of(journal, source)
    registration = Registration.rigid(np.zeros((len(stack), 2)), shape, recorded=recorded)
    if len(stack) == 1:
        results.notes.append("One frame: there is nothing to register.")
    else:
        with results.timed("register"), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = None if anew or method else _stored(journal, guide)
            if found is None:
                regions = [journal[i].region for i in range(len(journal))]
                to_field = None if guide is None else guide.to_field
                found = register(stack, regions=regions, across=True, to_field=to_field, method=method)
                found.recorded = recorded
            else:
                results.notes.append("The displacements stored in the journal were used.")
        if found.left_out.all():
            results.notes.append(
                f"{results.image_name}: every frame is blank, missing or not finite; the frames were "
                "summed as they are."
            )
        elif not (method and math.isnan(found.seen_error)) and not found.seen_error <= (
            WORST_ERROR if guide is None else LARGEST_ERROR
        ):
            results.notes.append(
                f"{results.image_name}: too noisy to register by (predicted error {found.seen_error:.2g} px rms); "
                "the frames were summed as they are."
            )
        else:
            results.notes += [str(item.message) + "." for item in caught if item.category is UserWarning]
            registration, results.guide = found, results.image_name
            if method:
                results.notes.append(f"Registered by {named(registrations.GROUP, method)}.")
    usable = np.flatnonzero(np.isfinite(stack).any(axis=(1, 2)))
    if usable.size:
        results.before, results.after = _means(stack[usable], registration.subset(usable))
    results.registration = registration
    if signal is not None:
        results.pixel = pixel_size(signal)
        try:
            results.registration.on(signal)
        except UsageError as error:
            results.notes.append(f"The spectra were summed as they are: {error}.")
            results.registration = Registration.rigid(np.zeros((len(stack), 2)), (signal.shape[0], signal.shape[1]))


def _means(stack: Floats, registration: Registration) -> tuple[Floats, Floats]:
    """Mean of the frames (N, Y, X) as they are and registered, of what is finite; NaN where nothing is."""
    known = np.isfinite(stack)
    image = np.where(known, stack, 0.0)
    registration.recorded = None if known.all() else known
    seen = coverage(registration)
    before = image.sum(axis=0) / np.where(known.any(axis=0), known.sum(axis=0), np.nan)
    return before, accumulate(image, registration) / np.where(seen > 0, seen, np.nan)


def aborted(journal: Any, signal: Signal | None) -> list[str]:
    """Sentence on frames whose scan was aborted."""
    mask = None if signal is None else scanned_of(journal, signal)
    if mask is None:
        return []
    share = mask.reshape(len(mask), -1).mean(axis=1)
    cut = [f"{index} ({share[index]:.0%})" for index in np.flatnonzero(share < 1)[:MANY]]
    return [f"The scan of some frames was aborted; what was not scanned holds nothing: frame {', '.join(cut)}."]


def _stored(journal: Any, guide: Signal | None) -> Registration | None:
    """Displacements of all frames that were appended to the journal for this image, if any."""
    journal = journal.whole if isinstance(journal, View) else journal
    if guide is None or journal is None:
        return None
    found = journal.displacement(guide.name)
    if found is None or len(found.error) != len(journal) or found.shape != guide.shape:
        return None
    return Registration.load(journal, guide.name)


def _sizes(journal: Any, results: Results, path: Path) -> None:
    """Sizes, times and dose."""
    figures = results.figures
    figures["journal_bytes"] = path.stat().st_size
    dense = stored = counts = 0
    for signal in journal.signals.values():
        if signal.kind == "events" and not signal.static:
            number, size = journal.totals(signal.name)
            dense += signal.pixels * signal.channels * np.dtype(signal.dtype).itemsize * len(journal)
            stored, counts = stored + size, counts + number
    if dense:
        figures.update(dense_bytes=dense, events_bytes=stored, size_ratio=dense / stored if stored else None)
        figures["bytes_per_event"] = stored / counts if counts else None
    attributes = journal[0].known
    dwell = _first(attributes.get("dwell_time"))
    figures["dwell_time_s"] = dwell
    current, source = attributes.get("beam_current"), "probe current"
    if current is None:
        current, source = attributes.get("screen_current"), "screen current"
    size = results.pixel or results.pixel_image
    if current and dwell and size:
        found = dose(current, dwell, size)
        mask = scanned_of(journal, results.signal or next(iter(journal.signals.values())))
        whole = results.frames if mask is None else results.frames * float(mask.mean())
        total = None if found is None else found * whole
        figures.update(current_A=current, current_is=source, dose_per_frame=found, total_dose=total)


def _first(value: Any) -> float | None:
    if isinstance(value, dict):
        value = next(iter(value.values()), None)
    return float(value) if isinstance(value, (int, float)) else None
