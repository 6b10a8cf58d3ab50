"""Dose: e/Å² that each frame received, by current, dwell time and pixel; else X-ray counts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from lbj.array_types import Floats
from lbj.frame import Recording

from .axis import Pixel, above_strobe, pixel_size
from .series import Series, is_journal

ELECTRON = 1.602176634e-19  # C


def doses(source: Any, series: Series) -> tuple[Floats, str]:
    """Dose of every frame, mean over its field, and its unit.

    e/Å² by probe (or screen) current, dwell time and pixel, times the share that was scanned; else X-ray counts.
    """
    if is_journal(source):
        pixel = _pixel(source, series)
        known = [dose_per_frame(source[index].known, pixel) for index in range(len(series))]
        if None not in known:
            share = 1.0 if series.recorded is None else series.recorded.mean(axis=(1, 2))
            return np.array(known, float) * share, "e/Å²"
    first = above_strobe(series.signal)
    spectra = (frame.spectrum() if series.sparse else np.sum(frame, axis=(0, 1), dtype=float) for frame in series)
    return np.array([float(spectrum[first:].sum()) for spectrum in spectra]), "counts"


def dose_per_frame(attributes: Mapping[str, Any], pixel: Pixel | None) -> float | None:
    """Dose, e/Å², where a frame of these attributes was scanned; None where something is unknown."""
    return dose(beam_current(attributes)[0], dwell_time(attributes), pixel)


def dose(current: float | None, dwell: float | None, pixel: Pixel | None) -> float | None:
    """Dose, e/Å², by current (A), dwell time (s) and edges of a pixel (m); None where one is unknown, or endless."""
    if not (current and dwell and pixel):
        return None
    with np.errstate(all="ignore"):
        found = float(np.float64(current) * dwell / ELECTRON / square_angstroms(pixel))
    return found if math.isfinite(found) else None


def square_angstroms(pixel: Pixel) -> float:
    """Area of a pixel, edges in m, by multiplication alone, which gives every program the same digits."""
    return (pixel[0] * 1e10) * (pixel[1] * 1e10)


def beam_current(attributes: Mapping[str, Any]) -> tuple[float | None, str]:
    """Current of a frame, A, and what was measured: the probe, else the screen, which may catch more or less."""
    if attributes.get("beam_current") is not None:
        return attributes["beam_current"], "probe current"
    return attributes.get("screen_current"), "screen current"


def dwell_time(attributes: Mapping[str, Any]) -> float | None:
    """Dwell time of a frame, s; of its first signal, where they differ."""
    value = attributes.get("dwell_time")
    if isinstance(value, dict):
        value = next(iter(value.values()), None)
    return float(value) if isinstance(value, (int, float)) else None


def _pixel(journal: Recording, series: Series) -> Pixel | None:
    sizes = [pixel_size(signal) for signal in (series.signal, *journal.signals.values()) if not signal.static]
    return next((size for size in sizes if size), None)
