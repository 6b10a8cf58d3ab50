"""Run: `mfsi_core.run`, from files to a report; converts, registers, sums, maps, quantifies."""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import lbj
from lbj import LbjError, UsageError
from lbj.frame import Recording
from lbj.outputs import MANIFEST, new_folder
from lbj.plugins.found import named
from lbj.reader import Journal
from lbj.scanned import whole_frames

from ..cluster.client import ClusterError, connected
from ..drawing import need_drawing
from ..registration import plugins as registrations
from ..report.results import Results
from ..series.dose import beam_current, dose_per_frame, dwell_time
from ..tables.lines import check_symbols
from .align import register_journal, with_spectra
from .cube import write_cube
from .maps import add_element_maps
from .plugins import GROUP
from .sections import add_analysis, add_counts_section, add_quantification, add_scree, comparison_section

CONVERTED = "series.lbj"  # what is no journal becomes this one
MADE = ("report.html", "summary.json", "registration.csv", "accumulated.h5")  # by every run with spectra
LARGEST_CUBE = 2**32  # bytes of the aligned spectrum image that a run writes


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
    scheduler: str | None = None,
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
        How X-ray maps are made; see `lines.element_maps`.
    method : str, optional
        A registration that another installed package provides.
    analyses : list of str
        Analyses that other installed packages provide (docs/plugins.md): each becomes a section of the report.
    scheduler : str, optional
        Address of a scheduler of dask.distributed, whose workers register the areas and sum the frames.
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
    ClusterError
        If no scheduler answers, or it or its workers fail; nothing is written then.
    """
    from ..report.page import write

    need_drawing("jinja2", *(["pandas"] if factors else []))
    check_symbols(elements or [])
    _check_factors(factors, compared=stated is not None or compare is not None)
    _check_plugins(method, analyses)
    seconds: dict[str, float] = {}
    spared = [*inputs, *(name for name in (factors,) if name)]
    known = MADE if _is_journal(inputs) else (*MADE, CONVERTED)
    with (
        connected(scheduler) as client,
        new_folder(output, "mfsi run", known, spared) as folder,
        lbj.open(path := _journal(inputs, folder, seconds, quiet=quiet)) as journal,
    ):
        view, results = register_journal(
            journal, inputs, image=image, signal=signal, region=region, beam_energy=beam_energy, method=method,
            client=client, quiet=quiet,
        )  # fmt: skip
        results.seconds = {**seconds, **results.seconds}
        _sizes(journal, view, results, path)
        results.numbers["converted"] = None if _is_journal(inputs) else CONVERTED
        with with_spectra(view, results) as holding:
            add_element_maps(holding, results, elements, maps=maps, align_edges=align_edges, quiet=quiet)
            with _section(results, "counts per area"):
                add_counts_section(holding, results)
            if factors is not None:
                with _section(results, "the composition"):
                    found = add_quantification(holding, results, folder, elements, factors, chips, client)
                    if stated is not None or compare is not None:
                        results.sections.append(comparison_section(found, stated, compare, results.pixel))
            if scree:
                with _section(results, "the components against dose"):
                    add_scree(holding, results, folder, client, quiet=quiet)
            for name in analyses:
                with _section(results, f"the analysis {name}"):
                    add_analysis(holding, results, folder, name)
            _add_cube(holding, results, folder, client)
        results.files.append(MANIFEST)
        return write(results, folder)


def _check_factors(factors: str | None, *, compared: bool) -> None:
    """Refuse factors that cannot be read, and a comparison without any, before anything is computed."""
    if factors is not None:
        from ..quantification.factors import read_factors

        read_factors(factors)
    elif compared:
        raise UsageError("a composition can be compared only where it is quantified: give factors too")


def _check_plugins(method: str | None, analyses: Sequence[str]) -> None:
    """Refuse names that no installed package provides."""
    for group, name in [(registrations.GROUP, method), *((GROUP, one) for one in analyses)]:
        if name is not None:
            named(group, name)


def _add_cube(view: Recording, results: Results, folder: Path, client: Any) -> None:
    """Write the aligned spectrum image, unless it is too large."""
    if results.signal is None:
        return
    size = math.prod(results.signal.shape) * 4
    if size <= LARGEST_CUBE:
        write_cube(view, results, folder / "accumulated.h5", client=client)
        return
    results.notes.append(
        f"The aligned spectrum image would take {size / 1e9:.1f} GB and was not written; "
        "`mfsi accumulate` writes it, or a part of it."
    )


@contextlib.contextmanager
def _section(results: Results, name: str) -> Iterator[None]:
    """Go on without a section of the report that cannot be made, and say so."""
    try:
        yield
    except ClusterError:
        raise
    except (LbjError, np.linalg.LinAlgError) as error:
        results.numbers.setdefault("not_made", []).append(name)
        results.notes.append(f"The report is without {name}: {error}.")


def _is_journal(inputs: list[str]) -> bool:
    return len(inputs) == 1 and str(inputs[0]).endswith(".lbj")


def _journal(inputs: list[str], folder: Path, seconds: dict[str, float], *, quiet: bool) -> Path:
    if _is_journal(inputs):
        return Path(inputs[0])
    from lbj.archive.convert import convert

    start = time.perf_counter()
    path = folder / CONVERTED
    convert([str(name) for name in inputs], path, quiet=quiet)
    seconds["convert"] = time.perf_counter() - start
    return path


def _sizes(journal: Journal, view: Recording, results: Results, path: Path) -> None:
    """Sizes, times and dose."""
    figures = results.numbers
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
    figures["dwell_time_s"] = dwell_time(attributes)
    current, source = beam_current(attributes)
    pixel = results.pixel or results.pixel_image
    if current and figures["dwell_time_s"] and pixel:
        found = dose_per_frame(attributes, pixel)
        signal = results.signal or next(iter(journal.signals.values()))
        total = None if found is None else found * whole_frames(view, signal)
        figures.update(current_A=current, current_is=source, dose_per_frame=found, total_dose=total)
