"""Sum spectrum: a signal's spectra of all frames and pixels that were scanned added up, as recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..events import Events

if TYPE_CHECKING:
    from ..signal import Signal
    from .series import Series


def sum_spectrum(series: Series, signal: Signal) -> np.ndarray:
    """Return the sum over frames and pixels that were scanned, (C): of counts and integers in int64, else float64."""
    dtype = np.int64 if signal.kind == "events" or np.dtype(signal.dtype).kind in "iu" else np.float64
    total = np.zeros(signal.channels, dtype)
    for value in series.scanned(signal):
        if isinstance(value, Events):
            total += value.spectrum().astype(dtype)
        else:
            total += value.reshape(-1, signal.channels).sum(axis=0, dtype=dtype)
    return total
