"""Measured: what a recorded journal tells for the next plan: counts per area, mean spectrum, bits of its image."""

from __future__ import annotations

import math

import numpy as np

from lbj import Signal, UsageError
from lbj.array_types import Floats
from lbj.frame import Recording
from lbj.reader import Journal
from lbj.scanned import whole_frames


def counts_per_nm2(journal: Recording, elements: list[str], signal: str = "EDX") -> dict[str, float]:
    """Net X-ray counts of elements per nm² and frame, the mean over what was scanned of the journal's frames.

    Parameters
    ----------
    journal : lbj journal
        Its navigation axes are in m, its energy axis in eV.
    elements : list of str
        Symbols.
    signal : str
        Name of the X-ray signal.

    Returns
    -------
    dict of str to float
        Net, of each element's best line (`element_maps`); name all elements that show. Times frames: counts per nm² of
        the series; times motifs: of the matched motif. Noise can make it negative where an element is absent.

    Raises
    ------
    UsageError
        If the journal has no frames, no pixel of them was scanned or their size is not stated, or an element has no
        line on the axis.
    """
    from ..maps.lines import element_maps
    from ..series.series import as_series

    series = as_series(journal, signal)
    if not len(series):
        raise UsageError("the journal has no frames to measure counts in")
    pixel = pixel_area(series.signal)
    if pixel is None:
        raise UsageError(f"signal {signal!r} does not state the size of its pixels in m; counts per nm² need it")
    frames, area = _frames(journal, series.signal), pixel * 1e18 * math.prod(series.shape)
    found = element_maps(journal, elements, signal, beam_energy=journal.metadata.get("beam_energy"))
    absent = [element for element in elements if element not in found]
    if absent:
        raise UsageError(f"no line of {', '.join(absent)} lies on the energy axis of {signal!r}")
    return {element: float(found[element].values.sum()) / frames / area for element in elements}


def _frames(journal: Recording, signal: Signal) -> float:
    """How many whole frames were scanned."""
    frames = whole_frames(journal, signal)
    if not frames:
        raise UsageError(f"no pixel of any frame of {signal.name!r} was scanned: there is nothing to measure in")
    return frames


def pixel_area(signal: Signal) -> float | None:
    """Area of a pixel of a spectrum image, m², where both axes tell."""
    edges = [float(axis.get("scale") or 0) if axis.get("units") == "m" else 0.0 for axis in signal.axes[:2]]
    return abs(math.prod(edges)) or None


def measured_size(journal: Journal, signal: str = "EDX", image: str | None = None) -> tuple[Floats, float]:
    """Mean spectrum and bits of the image, for `journal_bytes`.

    Parameters
    ----------
    journal : lbj journal
    signal, image : str
        Names; default of the image: HAADF or the first, if there is one.

    Returns
    -------
    spectrum : (C,) float64
        Mean counts per pixel and frame.
    image_bits : float
        Stored bits per pixel of the *spectrum image*: an image that is sampled finer counts accordingly. 0: no image.

    Raises
    ------
    UsageError
        If the journal has no frames, no pixel of them was scanned, or the signal holds no counts.
    """
    from ..series.selection import image_signal
    from ..series.series import as_series

    series = as_series(journal, signal)
    if not len(series):
        raise UsageError("the journal has no frames to measure its size in")
    if not series.sparse:
        raise UsageError(f"signal {signal!r} holds no counts; the size is estimated for X-ray counts")
    places = math.prod(series.shape) * _frames(journal, series.signal)
    spectrum = np.zeros(series.signal.channels)
    for events in series:
        spectrum += events.spectrum()
    reference_signal = image_signal(journal, image)
    bits = 0.0 if reference_signal is None else 8 * journal.totals(reference_signal.name)[1] / places
    return spectrum / places, bits
