"""Series: one signal frame by frame, on one energy axis, from a journal, a list of frames or an array."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from lbj import Signal, UsageError
from lbj.array_types import Floats, Mask
from lbj.events import Events
from lbj.frame import Frame, Recording
from lbj.scanned import blanked, scanned, scanned_of

from .energy_shifts import Shifts, moved
from .selection import View


@dataclass(frozen=True)
class Series:
    """One signal, frame by frame, on one energy axis.

    Attributes
    ----------
    data : sequence
        Events or arrays, moved onto the signal's axis where energies are shifted (`energy_shifts.moved`), without what
        stands in pixels that were not scanned; a journal reads its frames when they are asked for.
    signal : Signal
        Declaration; made up from the data's shape where the source has none.
    recorded : (N, Y, X) array of bool, or None
        Pixels that were scanned in each frame of a journal; None where all were.
    """

    data: Any
    signal: Signal
    recorded: Mask | None = None

    def __len__(self) -> int:
        return len(self.data)

    def __iter__(self) -> Iterator[Any]:
        return (self.data[index] for index in range(len(self.data)))

    def subset(self, frames: NDArray[np.int64]) -> Series:
        """Return the series with some of its frames."""
        recorded = None if self.recorded is None else self.recorded[frames]
        return Series(_Chosen(self.data, frames), self.signal, recorded)

    def nearest(self, index: int) -> Any:
        """Return a frame moved by whole channels, as near as that puts it: its counts stay counts."""
        return _nearest(self.data, index)

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

    def nearest(self, index: int) -> Any:
        return _nearest(self.data, int(self.frames[index]))


def _nearest(data: Any, index: int) -> Any:
    return data.nearest(index) if hasattr(data, "nearest") else data[index]


class _Stored:
    """Frames of a journal, shifted as it says."""

    stored = True

    def __init__(self, journal: Recording, name: str) -> None:
        self.journal, self._shifts, self._signal = journal, Shifts(journal.signals, name), journal.signals[name]

    def __len__(self) -> int:
        return len(self.journal)

    def __getitem__(self, index: int) -> Any:
        return self._moved(index, nearest=False)

    def nearest(self, index: int) -> Any:
        return self._moved(index, nearest=True)

    def _moved(self, index: int, *, nearest: bool) -> Any:
        frame = self.journal[index]
        return blanked(self._shifts.moved(frame, nearest=nearest), scanned(frame, self._signal))


class _Frames:
    """Frames of a journal as they were recorded."""

    stored = False

    def __init__(self, journal: Recording, signal: Signal) -> None:
        self.journal, self.signal = journal, signal

    def __len__(self) -> int:
        return len(self.journal)

    def __getitem__(self, index: int) -> Any:
        frame, name = self.journal[index], self.signal.name
        data = frame.events(name) if self.signal.kind == "events" else frame.array(name)
        return blanked(data, scanned(frame, self.signal))


class _Shifted:
    """Frames shifted as told."""

    def __init__(self, data: Any, shifts: Floats, signal: Signal) -> None:
        self.data, self.shifts, self.signal = data, shifts, signal

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> Any:
        return moved(self.data[index], self._of(index), self.signal)

    def nearest(self, index: int) -> Any:
        return moved(self.data[index], self._of(index), self.signal, nearest=True)

    def _of(self, index: int) -> Floats:
        shift: Floats = self.shifts[index]
        known = np.isfinite(shift)
        if not known.any():
            raise UsageError(f"energy_shift of frame {index} is not finite")
        return shift if known.all() else np.where(known, shift, np.median(shift[known]))


def is_journal(source: Any) -> bool:
    """Whether the source declares signals."""
    return hasattr(source, "signals") and hasattr(source, "__getitem__")


def as_series(source: Any, signal: str | Signal | None = "EDX", energy_shift: Any = None) -> Series:
    """Return one signal of a source, its spectra on one energy axis.

    Parameters
    ----------
    source : journal, its frames, Events, sequence of Events, dense frames, or Series
        Dense: (N, Y, X) or (N, Y, X, C) array, or a sequence of (Y, X) or (Y, X, C) arrays.
    signal : str or Signal
        Name of the signal of a journal; a Signal declares the axes: of other sources, or, where those of a journal's
        signal of that name are to be corrected, in their place.
    energy_shift : float, (N,) or (N, Y, X) array, optional
        eV, to be added to the signal's energy axis in each frame, or in each of its pixels (where not finite, the
        frame's median). By default what the frames of a journal have stored; 0 for none.

    Raises
    ------
    UsageError
        If the journal lacks the signal, it has more than two navigation axes, frames differ in shape, or the shifts do
        not fit; later, if spectra are to be shifted whose axis is not even and in eV.
    """
    series = source if isinstance(source, Series) else _of_journal(source, signal, stored=energy_shift is None)
    series = _of_arrays(source, signal) if series is None else series
    return series if energy_shift is None else _shifted(series, energy_shift)


def _of_journal(source: Any, signal: str | Signal | None, *, stored: bool) -> Series | None:
    """Signal of a journal or of some of its frames; None where the source is something else."""
    frames = [source] if isinstance(source, Frame) else source
    if isinstance(frames, list) and frames and isinstance(frames[0], Frame):
        source = View(cast("Recording", frames[0].journal), [frame.index for frame in frames])
    if not is_journal(source):
        return None
    name = signal.name if isinstance(signal, Signal) else str(signal)
    declared = source.signals[name]
    _check_axes(declared.shape if declared.kind == "image" else declared.shape[:-1], name)
    used = signal if isinstance(signal, Signal) and signal.shape == declared.shape else declared
    return Series(_Stored(source, name) if stored else _Frames(source, declared), used, scanned_of(source, declared))


def _of_arrays(source: Any, signal: str | Signal | None) -> Series:
    """Frames in memory."""
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


def _shifted(series: Series, energy_shift: Any) -> Series:
    """Series shifted as told, where anything is."""
    shift = np.asarray(energy_shift, float)
    if shift.ndim == 0:
        shift = np.full(len(series), shift)
    if shift.shape not in ((len(series),), (len(series), *series.shape)):
        raise UsageError(
            f"energy_shift of shape {shift.shape} does not fit {len(series)} frames of {series.shape} pixels"
        )
    if not shift.any():
        return series
    if series.signal.kind == "image":
        raise UsageError(f"{series.signal.name!r} is an image, which has no energies to shift")
    return replace(series, data=_Shifted(series.data, shift.reshape(len(series), -1), series.signal))


def _check_axes(navigation: tuple[int, ...], name: str) -> None:
    if len(navigation) != 2 or math.prod(navigation) == 0:
        raise UsageError(f"{name!r} must have two navigation axes (rows, columns), got shape {navigation}")
