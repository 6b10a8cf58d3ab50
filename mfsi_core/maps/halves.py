"""Half-series: maps of every second frame and of the others, from which a map's signal-to-noise is known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .map import Map, map_snr


def halves_of(frames: int) -> list[slice]:
    """Every second frame, and the others; all of them where there is one."""
    return [slice(0, None, 2), slice(1, None, 2)] if frames > 1 else [slice(None)]


def joined(halves: Sequence[Map], **changes: Any) -> tuple[Map, float]:
    """Sum of the maps of the halves, with some attributes changed, and its signal-to-noise ratio: NaN of one part."""
    values, variance = (np.sum([getattr(half, name) for half in halves], axis=0) for name in ("values", "variance"))
    total = replace(halves[0], **changes, values=values, variance=variance)
    return total, map_snr(*halves) if len(halves) > 1 else math.nan
