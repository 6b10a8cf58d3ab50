"""Dose of every frame of a series."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..report.results import Pixel, pixel_size
from .axis import above_strobe
from .series import Series, is_journal

Floats = NDArray[np.float64]

ELECTRON = 1.602176634e-19  # C


def doses(source: Any, given: Series) -> tuple[Floats, str]:
    """Dose of every frame, mean over its field, and its unit.

    e/Å² by probe (or screen) current, dwell time and pixel, times the share that was scanned; else X-ray counts.
    """
    if is_journal(source):
        known = [_dose(source[index].known, _pixel(source, given)) for index in range(len(given))]
        if None not in known:
            share = 1.0 if given.recorded is None else given.recorded.mean(axis=(1, 2))
            return np.array(known, float) * share, "e/Å²"
    first = above_strobe(given.signal)
    spectra = (frame.spectrum() if given.sparse else np.sum(frame, axis=(0, 1), dtype=float) for frame in given)
    return np.array([float(spectrum[first:].sum()) for spectrum in spectra]), "counts"


def dose(current: float | None, dwell: float | None, pixel: Pixel | None) -> float | None:
    """Dose, e/Å², by current (A), dwell time (s) and edges of a pixel (m); None where one is unknown, or endless."""
    if not (current and dwell and pixel):
        return None
    with np.errstate(all="ignore"):
        found = float(np.float64(current) * dwell / ELECTRON / np.prod(np.array(pixel) * 1e10))
    return found if math.isfinite(found) else None


def _pixel(journal: Any, given: Series) -> Pixel | None:
    sizes = [pixel_size(signal) for signal in (given.signal, *journal.signals.values()) if not signal.static]
    return next((size for size in sizes if size), None)


def _dose(attributes: dict[str, Any], pixel: Pixel | None) -> float | None:
    from ..pipeline.run import _first

    current = attributes.get("beam_current", attributes.get("screen_current"))
    dwell = _first(attributes.get("dwell_time"))
    return dose(current, dwell, pixel)
