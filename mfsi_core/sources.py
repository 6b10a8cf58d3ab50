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


def energy_shifts(journal: Any, name: str) -> NDArray[np.float64] | None:
    """Return the energy shifts stored with a journal's frames for a signal or group, eV.

    Returns
    -------
    (N,) or (N, Y, X) float64, or None
        The frames' attributes ``energy_shift``; pixel by pixel where an image signal of that role holds them, with the
        frame's attribute where it is not finite. None where nothing is shifted.

    Raises
    ------
    UsageError
        If the detectors of a group are shifted differently, so that their sum cannot be shifted.
    """
    declared, members = journal.signals[name], journal.signals.group(name)
    planes = [
        signal.name
        for signal in journal.signals.values()
        if signal.role == "energy_shift" and not signal.static and signal.shape == declared.shape[:-1]
        and signal.of in (None, name, *members)
    ]  # fmt: skip
    found = []
    for frame in (journal[index] for index in range(len(journal))):
        one = _attribute(frame, name, members)
        stored = [plane for plane in planes if plane in frame.names]
        if len(stored) > 1:
            raise UsageError(f"frame {frame.index} has several energy shifts for {name!r}: {', '.join(stored)}")
        if stored:
            pixels = frame.array(stored[0]).astype(float)
            found.append(np.where(np.isfinite(pixels), pixels, one))
        else:
            found.append(np.asarray(one))
    shape = max((shift.shape for shift in found), default=())
    shifts = np.stack([np.broadcast_to(shift, shape) for shift in found]) if found else np.zeros(0)
    return shifts if shifts.any() else None


def _attribute(frame: Any, name: str, members: list[str]) -> float:
    """Attribute ``energy_shift`` of a frame: a number holds for all signals, an object for those that it names."""
    value = frame.energy_shift
    if isinstance(value, dict):
        shifts = {_number(value.get(key, value.get(name))) for key in members}
        if len(shifts) > 1:
            raise UsageError(
                f"frame {frame.index} shifts the detectors of {name!r} differently; sum each ({', '.join(members)}) "
                "and add the sums, or give energy_shift"
            )
        return shifts.pop()
    return _number(value)


def _number(value: Any) -> float:
    """A stored value of another type is to be ignored (spec/lbj.md 5.4.4)."""
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else 0.0


def _check_axes(navigation: tuple[int, ...], name: str) -> None:
    if len(navigation) != 2 or math.prod(navigation) == 0:
        raise UsageError(f"{name!r} must have two navigation axes (rows, columns), got shape {navigation}")
