"""Dose of every frame of a series."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..energy import above_strobe
from ..results import pixel_size
from ..sources import Series, is_journal

Floats = NDArray[np.float64]


def doses(source: Any, given: Series) -> tuple[Floats, str]:
    """Dose of every frame and its unit: e/Å² by probe (or screen) current, dwell time and pixel; else X-ray counts."""
    if is_journal(source):
        known = [_dose(source[index].attributes, _pixel(source, given)) for index in range(len(given))]
        if None not in known:
            return np.array(known, float), "e/Å²"
    first = above_strobe(given.signal)
    spectra = (frame.spectrum() if given.sparse else np.sum(frame, axis=(0, 1), dtype=float) for frame in given)
    return np.array([float(spectrum[first:].sum()) for spectrum in spectra]), "counts"


def _pixel(journal: Any, given: Series) -> float | None:
    sizes = [pixel_size(signal) for signal in (given.signal, *journal.signals.values()) if not signal.static]
    return next((size for size in sizes if size), None)


def _dose(attributes: dict[str, Any], pixel: float | None) -> float | None:
    from ..pipeline import ELECTRON, _first

    current = attributes.get("beam_current", attributes.get("screen_current"))
    dwell = _first(attributes.get("dwell_time"))
    return current * dwell / ELECTRON / (pixel * 1e10) ** 2 if current and dwell and pixel else None
