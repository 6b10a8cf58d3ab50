"""Sources: one signal of a series, whatever it was given as."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lbj import Signal, UsageError
from lbj.events import Events


@dataclass(frozen=True)
class Series:
    """One signal, frame by frame.

    Attributes
    ----------
    data : sequence
        Events or arrays; a journal reads its frames when they are asked for.
    signal : Signal
        Declaration; made up from the data's shape where the source has none.
    """

    data: Any
    signal: Signal

    def __len__(self) -> int:
        return len(self.data)

    def __iter__(self) -> Iterator[Any]:
        return (self.data[index] for index in range(len(self.data)))

    def subset(self, frames: NDArray[np.int64]) -> Series:
        """Return the series with some of its frames."""
        return Series(_Chosen(self.data, frames), self.signal)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of a frame."""
        return (self.signal.shape[0], self.signal.shape[1])

    @property
    def sparse(self) -> bool:
        """Whether frames come as Events."""
        return self.signal.kind == "events"


class _Chosen:
    def __init__(self, data: Any, frames: NDArray[np.int64]) -> None:
        self.data, self.frames = data, frames

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> Any:
        return self.data[int(self.frames[index])]


class _Frames:
    def __init__(self, journal: Any, signal: Signal) -> None:
        self.journal, self.signal = journal, signal

    def __len__(self) -> int:
        return len(self.journal)

    def __getitem__(self, index: int) -> Any:
        frame = self.journal[index]
        return frame.events(self.signal.name) if self.signal.kind == "events" else frame.array(self.signal.name)


def is_journal(source: Any) -> bool:
    """Whether the source declares signals."""
    return hasattr(source, "signals") and hasattr(source, "__getitem__")


def series(source: Any, signal: str | Signal | None = "EDX") -> Series:
    """Return one signal of a source.

    Parameters
    ----------
    source : journal, frame's Events, sequence of Events, or dense frames
        Dense: (N, Y, X) or (N, Y, X, C) array, or a sequence of (Y, X) or (Y, X, C) arrays.
    signal : str or Signal
        Name of the signal of a journal; for other sources a Signal declares their axes.

    Raises
    ------
    UsageError
        If the journal lacks the signal, it has more than two navigation axes, or frames differ in shape.
    """
    if is_journal(source):
        name = signal.name if isinstance(signal, Signal) else str(signal)
        declared = source.signals[name]
        _check_axes(declared.shape if declared.kind == "image" else declared.shape[:-1], name)
        return Series(_Frames(source, declared), declared)
    data = [source] if isinstance(source, Events) else source
    if not hasattr(data, "__len__"):
        data = list(data)
    if len(data) == 0:
        raise UsageError("a series needs at least one frame")
    first = data[0]
    shape = tuple(first.shape) if hasattr(first, "shape") else np.shape(first)
    for index, item in enumerate(data if not isinstance(data, np.ndarray) else []):
        if tuple(np.shape(item) if not hasattr(item, "shape") else item.shape) != shape:
            raise UsageError(f"all frames must have one shape; frame 0 is {shape}, frame {index} {item.shape}")
        if isinstance(item, Events) != isinstance(first, Events):
            raise UsageError("a series is either all Events or all arrays")
    kind = "events" if isinstance(first, Events) else "image" if len(shape) == 2 else "spectra"
    if isinstance(signal, Signal):
        if signal.shape != shape:
            raise UsageError(f"signal {signal.name!r} declares frames of {signal.shape}, the data are {shape}")
        return Series(data, signal)
    _check_axes(shape if kind == "image" else shape[:-1], "data")
    return Series(data, Signal("data", kind, shape))


def _check_axes(navigation: tuple[int, ...], name: str) -> None:
    if len(navigation) != 2 or math.prod(navigation) == 0:
        raise UsageError(f"{name!r} must have two navigation axes (rows, columns), got shape {navigation}")
