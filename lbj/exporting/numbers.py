"""Coordinates for exports: values of calibrated axes, and the times and currents of every frame."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..format.attributes import PER_FRAME, PER_SIGNAL

if TYPE_CHECKING:
    from ..signal import Axis, Signal
    from .series import Series

OF_FRAMES = {name: said.split(",")[0] for name, said in {**PER_SIGNAL, **PER_FRAME}.items()}
"""Attributes of frames that are numbers, and their units."""


def axis_values(axis: Axis) -> np.ndarray:
    """Values of the indices of a calibrated axis, in its unit."""
    if "values" in axis:
        return np.asarray(axis["values"], np.float64)
    return np.asarray(axis["offset"] + axis["scale"] * np.arange(axis["size"]), np.float64)


def frame_values(series: Series, signal: Signal, numbers: Sequence[int]) -> Iterator[tuple[str, str, np.ndarray]]:
    """Yield name, unit and values of the attributes that any of the frames has, NaN where one has not."""
    for name, unit in OF_FRAMES.items():
        declared = [series.journal[number].known.get(name) for number in numbers]
        values = [value.get(signal.name) if isinstance(value, dict) else value for value in declared]
        if any(value is not None for value in values):
            yield name, unit, np.array([math.nan if value is None else float(value) for value in values])
