"""Series: the frames that were selected for an export, with their data, dtypes and total times."""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from ..errors import UsageError
from ..events import Events
from ..scanned import blanked, scanned

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..frame import Frame, Recording
    from ..signal import Signal

BLOCK = 1 << 26  # bytes of a dense array made at once
PENDING = 1 << 22  # entries collected before they are added up


J = TypeVar("J", bound="Recording")  # what the frames are of: a journal, or some of its frames


class Series(Generic[J]):
    """Some frames of a journal.

    Attributes
    ----------
    journal : Recording
        A journal, or some of its frames.
    numbers : list of int
        The frames, in order.
    """

    def __init__(self, journal: J, frames: slice | None) -> None:
        self.journal = journal
        self.numbers = list(range(len(journal))[frames or slice(None)])
        if not self.numbers:
            raise UsageError(f"no frame selected: the journal has {len(journal)} frames")
        self._frames: dict[int, Frame] = {}

    def frame(self, number: int) -> Frame:
        """Frame of the journal, whose description is read once."""
        return self._frames.setdefault(number, self.journal[number])

    @cached_property
    def stored(self) -> list[Signal]:
        """The signals as they are declared."""
        groups = {signal.group for signal in self.journal.signals.values() if signal.group}
        return [signal for name, signal in self.journal.signals.items() if name not in groups]

    @cached_property
    def summed(self) -> list[Signal]:
        """The ordinary signals, each group of detectors as one signal."""
        out: dict[str, Signal] = {}
        for signal in self.stored:
            if not signal.static:
                name = signal.group or signal.name
                out.setdefault(name, self.journal.signals[name])
        return list(out.values())

    def members(self, name: str) -> list[str]:
        """Names of the declared signals that `name` stands for."""
        found: list[str] = self.journal.signals.group(name)
        return found

    def detector(self, name: str) -> dict[str, Any]:
        """What is known of a detector, or what all detectors of a group share."""
        known = [self.journal.signals[member].metadata for member in self.members(name)]
        return {key: value for key, value in known[0].items() if all(other.get(key) == value for other in known)}

    def frames(self, name: str) -> Iterator[Frame]:
        """Yield the selected frames that hold the signal."""
        needed = set(self.members(name))
        for number in self.numbers:
            frame = self.frame(number)
            if needed <= set(frame.names):
                yield frame

    def data(self, signal: Signal) -> Iterator[Any]:
        """Yield the signal's data, Events or array, of each frame that holds it."""
        for frame in self.frames(signal.name):
            yield frame.events(signal.name) if signal.kind == "events" else frame.array(signal.name)

    def scanned(self, signal: Signal) -> Iterator[Any]:
        """Yield the same without what is stored in pixels that were not scanned: what sums are made of."""
        for frame in self.frames(signal.name):
            data = frame.events(signal.name) if signal.kind == "events" else frame.array(signal.name)
            yield blanked(data, scanned(frame, signal))

    def count_dtype(self, signal: Signal) -> str:
        """Smallest element type that holds every count of an events signal in one frame."""
        top = max((int(events.count.max(initial=0)) for events in self.data(signal)), default=0)
        return np.min_scalar_type(top).name

    def total(self, name: str, attribute: str) -> float | None:
        """Sum of a time over the frames, the mean over a group's detectors; None if a frame lacks it."""
        values = [share(frame.known.get(attribute), self.members(name)) for frame in self.frames(name)]
        return sum(v for v in values if v is not None) if values and None not in values else None

    def mean(self, attribute: str) -> float | None:
        """Mean of a frame's own attribute over the frames that have it."""
        known = (self.frame(number).known.get(attribute) for number in self.numbers)
        values = [value for value in known if value is not None]
        return sum(values) / len(values) if values else None

    def sum_events(self, signal: Signal) -> Events:
        """Add up the events of all frames, in the pixels that were scanned, a few frames at a time."""
        total = Events([], [], [], signal.shape)
        parts: list[Events] = []
        for events in self.scanned(signal):
            parts.append(events)
            if sum(map(len, parts)) > max(PENDING, len(total)):
                total, parts = Events.sum([total, *parts]), []
        return Events.sum([total, *parts])


def share(value: Any, members: list[str]) -> float | None:
    """Value of a frame's attribute for a signal, or the mean over a group's detectors; None if one lacks it."""
    if not isinstance(value, dict):
        return None if value is None else float(value)
    found = [value[name] for name in members if name in value]
    return sum(found) / len(found) if len(found) == len(members) else None


def dense_rows(events: Events, dtype: str, step: int = 1) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (first row, dense rows) of a frame's events.

    Parameters
    ----------
    events : Events
        Of shape (…, Y, X, C); the rows are those of the first axis.
    dtype : str
        Element type of the rows.
    step : int
        The number of rows is a multiple of this, but for the last.
    """
    rows = events.shape[0]
    width = math.prod(events.shape[1:-1])
    size = width * events.channels * np.dtype(dtype).itemsize
    height = max(step, BLOCK // size // step * step)
    order = np.argsort(events.pixel, kind="stable")
    pixel, channel, count = events.pixel[order], events.channel[order], events.count[order]
    for row in range(0, rows, height):
        begin, end = np.searchsorted(pixel, [row * width, (row + height) * width])
        block = np.zeros((min(height, rows - row) * width, events.channels), dtype)
        block[pixel[begin:end] - row * width, channel[begin:end]] = count[begin:end]
        yield row, block.reshape(-1, *events.shape[1:])
