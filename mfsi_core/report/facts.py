"""Summary rows: the key figures at the head of a report, as text."""

from __future__ import annotations

import math
from typing import Any

from lbj.describe import length_label

from ..text import current_label, number, size, time_label
from .results import Results


def summary_rows(results: Results, summary: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the figures at the head of a report: (name, value)."""
    rows, columns = summary["pixels"]
    out = [("Frames", f"{results.frames}")]
    field = f"{columns} × {rows} px"
    wide, high = summary["pixel_m"], summary["pixel_y_m"]
    if wide:
        field += f", {length_label(columns * wide)} × {length_label(rows * high)}"
        one = length_label(wide)
        out.append(("Pixel", one if math.isclose(wide, high) else f"{one} × {length_label(high)} (width × height)"))
    out.insert(1, ("Field (width × height)", field))
    figures = results.numbers
    if results.signal is not None:
        out.append(("Spectra", f"{results.signal.name}, {results.signal.channels} channels"))
    if "counts" in figures:
        out.append(("Counts", f"{figures['counts']:,}"))
    if "counts_above_0.15_keV" in figures:
        share = figures["counts_above_0.15_keV"] / max(figures["counts"], 1)
        out.append(("Counts above 0.15 keV", f"{figures['counts_above_0.15_keV']:,} ({100 * share:.1f} %)"))
    if "counts_per_voxel" in figures:
        out.append(("Counts per voxel of a frame", number(figures["counts_per_voxel"])))
    if "dense_bytes" in figures:
        out.append(("Spectra if dense", size(figures["dense_bytes"])))
        out.append(
            ("Spectra in the journal", f"{size(figures['events_bytes'])} ({number(figures['size_ratio'])} times less)")
        )
        out.append(("Bytes per count", number(figures["bytes_per_event"])))
    out.append(("Journal", size(figures["journal_bytes"])))
    beam = results.metadata.get("beam_energy")
    if beam:
        out.append(("Beam energy", f"{beam / 1000:g} keV"))
    if figures.get("dwell_time_s"):
        out.append(("Dwell time", time_label(figures["dwell_time_s"])))
    if "current_A" in figures:
        out.append((figures["current_is"].capitalize(), current_label(figures["current_A"])))
        of = "" if figures["current_is"] == "probe current" else f" (by {figures['current_is']})"
        out.append((f"Dose per frame{of}", f"{number(figures['dose_per_frame'])} e/Å²"))
        out.append((f"Dose of the series{of}", f"{number(figures['total_dose'])} e/Å²"))
    registration = summary["registration"]
    if registration["guide"]:
        out.append(("Registered by", registration["guide"]))
        out.append(
            ("Motion (y, x), largest less smallest", ", ".join(f"{v:.2f}" for v in registration["range_px"]) + " px")
        )
        out.append(
            ("Registration error expected from noise", f"{number(registration['predicted_error_px'], 2)} px rms")
        )
    return out
