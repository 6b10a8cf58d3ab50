"""Lazy array of all frames of one signal, (N, Y, X, C), or of their sum, (Y, X, C)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from ..errors import UsageError
from ..events import Events
from .parts import add_part
from .windows import Window, WindowArray

if TYPE_CHECKING:
    from ..frame import JournalLike
    from ..signal import Signal


class FrameArray(WindowArray):
    """Frames of a signal, or their sum.

    Parameters
    ----------
    journal : JournalLike
        Opened by its name.
    signal : Signal
        One that is declared, or a group.
    members : list of str
        Declared signals that are added up: the detectors of a group, or the signal itself.
    numbers : list of int
        The frames, each of which holds all members; of a static signal none.
    summed : bool
        The sum over the frames, (Y, X, C), instead of the frames, (N, Y, X, C).

    Raises
    ------
    UsageError
        If the journal was opened from a file object, which other threads and processes cannot open.
    """

    def __init__(
        self, journal: JournalLike, signal: Signal, members: list[str], numbers: list[int], *, summed: bool = False
    ) -> None:
        self.place = Place(journal)
        self.signal, self.members, self.numbers = signal, members, numbers
        lead = 0 if summed or signal.static else 1
        most = sum(journal.totals(member)[0] for member in members)
        dtype = wide(signal, most) if len(members) > 1 or (summed and len(numbers) > 1) else np.dtype(signal.dtype)
        shape = (len(numbers), *signal.shape) if lead else signal.shape
        whole = len(signal.shape) if signal.kind == "image" else 1
        super().__init__(shape, dtype, lead, whole, (*self.place.key, *members, tuple(numbers), summed))

    def read(self, window: Window) -> np.ndarray:
        """Read the window of every frame, and put them side by side or add them up."""
        inner = window[self.lead :]
        with self.place.opened() as journal:
            if self.signal.static:
                data = journal.static(self.signal.name)
                data = data.dense() if isinstance(data, Events) else data
                return np.asarray(data[tuple(slice(*bounds) for bounds in inner)], self.dtype)
            numbers = self.numbers[slice(*window[0])] if self.lead else self.numbers
            size = tuple(stop - start for start, stop in inner)
            out = np.zeros((len(numbers), *size) if self.lead else size, self.dtype)
            for index, number in enumerate(numbers):
                part = out[index] if self.lead else out
                for member in self.members:
                    first = member == self.members[0] and (bool(self.lead) or index == 0)
                    add_part(journal[number], member, inner, part, self.place.key, first=first)
        return out


class Place:
    """A journal by its name, to be opened again wherever a part of it is computed."""

    def __init__(self, journal: JournalLike) -> None:
        if journal.path is None:
            raise UsageError("arrays that are read later need the journal's name; open it by its path")
        self.path, self._open = journal.path, journal.opener()
        self.uuid, self.bytes = str(journal.header.get("uuid")), journal.bytes

    @property
    def key(self) -> tuple[str, str, int]:
        """What tells this journal from any other."""
        return (self.path, self.uuid, self.bytes)

    @contextmanager
    def opened(self) -> Iterator[JournalLike]:
        """Open the journal.

        Raises
        ------
        UsageError
            If another file stands there now.
        """
        with self._open() as journal:
            if str(journal.header.get("uuid")) != self.uuid or journal.bytes < self.bytes:
                raise UsageError(f"{self.path!r} is not the journal any more that this array was made of; open it anew")
            yield journal


def frame_array(journal: JournalLike, name: str) -> FrameArray:
    """All frames that hold a signal or group, or the data of a static signal, as an array.

    Raises
    ------
    UsageError
        If there is no such signal, no frame holds it, or the journal was opened from a file object.
    """
    signal, members = journal.signals[name], journal.signals.group(name)
    numbers = [] if signal.static else holding(journal, members, range(len(journal)))
    if not stored(journal, signal, numbers):
        raise UsageError(f"no frame of the journal holds {name!r}")
    return FrameArray(journal, signal, members, numbers)


def stored(journal: JournalLike, signal: Signal, numbers: list[int]) -> bool:
    """Whether there are data of a signal: `numbers` of frames that hold it, or a static signal's own."""
    return signal.name in journal.statics() if signal.static else bool(numbers)


def holding(journal: JournalLike, members: list[str], numbers: Iterable[int]) -> list[int]:
    """Those of the frames that hold all of some declared signals."""
    return [number for number in numbers if set(members) <= set(journal[number].names)]


def wide(signal: Signal, most: int) -> np.dtype:
    """Element type for sums of a signal's data, whose voxels hold at most `most` counts."""
    if signal.kind == "events":
        return np.dtype(np.uint32 if most < 2**32 else np.uint64)
    return np.dtype({"u": np.uint64, "i": np.int64, "f": np.float64}[np.dtype(signal.dtype).kind])
