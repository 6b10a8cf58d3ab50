"""Maps of a run: its spectra are summed, and lines or edges mapped."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lbj.frame import Recording
from lbj.progress import track
from lbj.scanned import whole_frames

from ..eels.saturation import Saturation
from ..report.results import Results
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
        seen, full = np.zeros(signal.channels), Saturation(signal)
        for frame in track(series, "spectra", len(series), quiet=quiet):
            if series.sparse:
                total = total + frame.spectrum()
            else:
                finite = np.isfinite(frame)
                total += np.where(finite, frame, 0).sum(axis=(0, 1), dtype=np.float64)
                seen += finite.sum(axis=(0, 1))
                if results.eels:
                    full.add(frame)
        if not series.sparse:
            total *= seen.max() / np.maximum(seen, 1)
    results.spectrum = total
    results.saturated = full.channels
    results.notes += [f"{text}." for text in full.told()]
    if signal.kind == "events":
        results.numbers["counts"] = int(total.sum())
        voxels = signal.pixels * signal.channels * whole_frames(journal, signal)
        results.numbers["counts_per_voxel"] = int(total.sum()) / voxels if voxels else None
