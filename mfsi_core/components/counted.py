"""Counted: the number of significant components while a series is recorded, in memory that does not grow."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lbj import Signal

from ..accumulation.output import registration_on
from ..geometry.registration import Registration
from ..series.axis import above_strobe
from ..series.series import as_series
from .count_splitting import BINS, binned_z_scores, bins, counted_events, deal
from .result import number_significant

MOST_PIXELS = 2**17  # of a field, above which pixels are taken together by squares


def count_components(source: Any, signal: str | Signal, registration: Registration) -> int:
    """Count the significant components of the sum of all frames, as `scree` does; -1 where some are no counts.

    The frames are read twice: first for the spectrum, by which channels are shared out to bins, then for the counts in
    these. In fields of more than 2^17 pixels the counts of small squares are taken together.

    Parameters
    ----------
    source : journal, sequence of Events or dense frames
        Counts: see `series.as_series`.
    signal : str or Signal
        Name of a journal's signal; a Signal declares the data of another source.
    registration : Registration
        Aligns the frames; those left out are skipped.
    """
    series = as_series(source, signal)
    registration = registration_on(series, registration)
    first = above_strobe(series.signal)
    edge = max(1, math.ceil(math.sqrt(math.prod(series.shape) / MOST_PIXELS)))
    shape = -(-series.shape[0] // edge), -(-series.shape[1] // edge)
    kept = np.flatnonzero(~registration.left_out).tolist()
    spectrum = np.zeros(series.signal.channels - first)
    for n in kept:
        events = counted_events(series.nearest(n), first)
        if events is None:
            return -1
        _, _, channel, (half, _) = deal(events, registration.displacement[n], n)
        spectrum += np.bincount(channel, half, spectrum.size)
    group = bins(spectrum)
    halves = np.zeros((2, math.prod(shape), min(BINS, spectrum.size)), np.uint32)
    for n in kept:
        events = counted_events(series.nearest(n), first)
        assert events is not None
        y, x, channel, dealt = deal(events, registration.displacement[n], n)
        place = (y // edge) * shape[1] + x // edge
        for total, part in zip(halves, dealt, strict=True):
            np.add.at(total, (place, group[channel]), part.astype(np.uint32))
    return number_significant(binned_z_scores(halves[0], halves[1], shape))
