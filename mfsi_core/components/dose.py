"""Dose of every frame of a series."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..results import pixel_size
from ..sources import Series, is_journal

Floats = NDArray[np.float64]


def doses(source: Any, given: Series) -> tuple[Floats, str]:
    """Dose of every frame and its unit: e/Å² by probe (or screen) current, dwell time and pixel; else counts."""
    if is_journal(source):
        known = [_dose(source[index].attributes, _pixel(source, given)) for index in range(len(given))]
        if None not in known:
            return np.array(known, float), "e/Å²"
    return np.array([float(frame.total if given.sparse else np.sum(frame, dtype=float)) for frame in given]), "counts"


def _pixel(journal: Any, given: Series) -> float | None:
    sizes = [pixel_size(signal) for signal in (given.signal, *journal.signals.values()) if not signal.static]
    return next((size for size in sizes if size), None)


def _dose(attributes: dict[str, Any], pixel: float | None) -> float | None:
    from ..pipeline import ELECTRON, _first

    current = attributes.get("beam_current", attributes.get("screen_current"))
    dwell = _first(attributes.get("dwell_time"))
    return current * dwell / ELECTRON / (pixel * 1e10) ** 2 if current and dwell and pixel else None
