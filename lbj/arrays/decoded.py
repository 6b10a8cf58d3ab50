"""Cache of decoded counts, sorted by pixel, so that reading a second part of a frame does not decode it again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..events import Events

ROOM = 1 << 27  # bytes that the cache holds
LARGEST = 1 << 24  # counts of the largest frame that is cached


@dataclass(frozen=True)
class ByPixel:
    """Counts of one frame in order of the pixels."""

    pixel: NDArray[np.uint32]
    channel: NDArray[np.uint32]
    count: NDArray[np.uint32]

    @classmethod
    def of(cls, events: Events) -> ByPixel:
        """Sort a frame's events."""
        order = np.argsort(events.pixel, kind="stable")
        return cls(events.pixel[order], events.channel[order], events.count[order])

    @property
    def bytes(self) -> int:
        """Memory that it takes."""
        return self.pixel.nbytes + self.channel.nbytes + self.count.nbytes


class Recent:
    """Cache of what was used last, up to a number of bytes; threads may share it."""

    def __init__(self, room: int) -> None:
        self._room, self._used, self._lock = room, 0, threading.Lock()
        self._kept: OrderedDict[Hashable, ByPixel] = OrderedDict()

    def get(self, key: Hashable) -> ByPixel | None:
        """Return what is kept under a key, if it still is."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found

    def put(self, key: Hashable, value: ByPixel) -> None:
        """Keep a value, and let the oldest ones go."""
        with self._lock:
            if key not in self._kept and value.bytes <= self._room:
                self._kept[key] = value
                self._used += value.bytes
            while self._used > self._room:
                _, gone = self._kept.popitem(last=False)
                self._used -= gone.bytes


RECENT = Recent(ROOM)
