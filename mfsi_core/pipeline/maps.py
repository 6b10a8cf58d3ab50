"""Maps of a run: its spectra are summed, and lines or edges mapped."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lbj.frame import Recording
from lbj.progress import track
from lbj.scanned import whole_frames

from ..eels.saturation import saturated
from ..report.results import Results
from ..series.axis import centres
from ..series.series import as_series
from ..tables.lines import check_symbols
from .edge_maps import add_edge_maps
from .line_maps import add_line_maps


def add_element_maps(
    journal: Recording,
    results: Results,
    elements: list[str] | None,
    *,
    maps: str = "filter",
    align_edges: bool = False,
    quiet: bool = False,
) -> None:
    """Sum the spectra and map the elements; `maps` and `align_edges` as for `run`."""
    check_symbols(elements or [])
    if results.signal is None:
        results.notes.append("The series holds no spectra.")
        return
    add_spectrum(journal, results, quiet=quiet)
    if results.eels:
        add_edge_maps(journal, results, elements, align=align_edges)
    else:
        add_line_maps(journal, results, elements, maps)


def add_spectrum(journal: Recording, results: Results, *, quiet: bool) -> None:
    """Sum the spectra of all frames and pixels; of losses, voxels that are not finite count as the others do.

    Saturated spectra are counted and told.
    """
    signal = results.signal
    assert signal is not None
    with results.timed("sum spectrum"):
        series = as_series(journal, signal)
        total: NDArray[Any] = np.zeros(signal.channels, np.uint64 if series.sparse else np.float64)
        seen, cut, spectra = np.zeros(signal.channels), np.zeros(signal.channels, bool), 0
        for frame in track(series, "spectra", len(series), quiet=quiet):
            if series.sparse:
                total = total + frame.spectrum()
            else:
                finite = np.isfinite(frame)
                total += np.where(finite, frame, 0).sum(axis=(0, 1), dtype=np.float64)
                seen += finite.sum(axis=(0, 1))
                full = saturated(frame) if results.eels else np.zeros((1, 1, 1), bool)
                cut, spectra = cut | full.any(axis=(0, 1)), spectra + int(full.any(axis=2).sum())
        if not series.sparse:
            total *= seen.max() / np.maximum(seen, 1)
    results.spectrum = total
    results.saturated = cut
    if spectra:
        low, high = centres(signal)[np.flatnonzero(cut)[[0, -1]]]
        unit = str(signal.axes[-1].get("units", "")) or "(channel)"
        results.notes.append(
            f"{spectra} of {signal.pixels * len(series)} spectra of {signal.name} are saturated, between {low:g} and "
            f"{high:g} {unit}: what is recorded there is less than what was to be seen."
        )
    if signal.kind == "events":
        results.numbers["counts"] = int(total.sum())
        voxels = signal.pixels * signal.channels * whole_frames(journal, signal)
        results.numbers["counts_per_voxel"] = int(total.sum()) / voxels if voxels else None
