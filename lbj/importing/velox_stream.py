"""Velox event streams: every count of a detector in the order in which it was detected.

A stream is a list of uint16 words: 65535 ends a pixel, any other word is the channel of one count. Pixels follow one
another in raster order, frame after frame. Counts behind the last marker belong to a pixel that was never finished;
they are kept where the last frame still has room for that pixel and dropped behind its end. The stream of a point,
where the beam stood still, has no markers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DamagedError
from ..events import Events
from .arrays import pieces

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MARKER = 65535
CHUNK = 1 << 20  # words read at once


@dataclass(eq=False)
class Stream:
    """One spectrum stream: where it is and what it holds."""

    path: str
    channels: int
    metas: list[dict[str, Any]]
    name: str  # the detector's
    markers: int = 0
    tail: int = 0  # counts behind the last marker

    @property
    def meta(self) -> dict[str, Any]:
        """Metadata of the first frame."""
        return self.metas[0] if self.metas else {}


def _words(path: Path, dataset: Any) -> Iterator[np.ndarray]:
    for piece in pieces(path, dataset, 0, CHUNK):
        for start in range(0, len(piece), CHUNK):
            yield piece[start : start + CHUNK, 0]


def count(path: Path, dataset: Any, stream: Stream) -> None:
    """Count the stream's markers and the counts behind the last; a channel out of range is damage."""
    for words in _words(path, dataset):
        ends = np.flatnonzero(words == MARKER)
        stream.markers += ends.size
        stream.tail = words.size - 1 - int(ends[-1]) if ends.size else stream.tail + words.size
        counts = words[words != MARKER]
        if counts.size and int(counts.max()) >= stream.channels:
            raise DamagedError(
                f"{path}: {stream.path} holds channel {counts.max()}, but its settings say {stream.channels} channels"
            )


def frames(path: Path, dataset: Any, stream: Stream, shape: tuple[int, int], n_frames: int) -> Iterator[Events]:
    """Yield the events of each frame; memory is one chunk and one frame's events."""
    pixels = math.prod(shape)
    full = (*shape, stream.channels)
    held: list[tuple[np.ndarray, np.ndarray]] = []
    frame, finished = 0, 0
    for words in _words(path, dataset):
        ends = words == MARKER
        pixel = finished + np.cumsum(ends) - ends
        finished += int(ends.sum())
        keep = ~ends & (pixel < n_frames * pixels)
        pixel, channel = pixel[keep], words[keep]
        while frame < n_frames and finished >= (frame + 1) * pixels:
            cut = int(np.searchsorted(pixel, (frame + 1) * pixels))
            held.append(((pixel[:cut] - frame * pixels).astype(np.uint32), channel[:cut]))
            yield _events(held, full)
            held, pixel, channel, frame = [], pixel[cut:], channel[cut:], frame + 1
        if channel.size:
            held.append(((pixel - frame * pixels).astype(np.uint32), channel))
    for _ in range(frame, n_frames):
        yield _events(held, full)
        held = []


def _events(parts: list[tuple[np.ndarray, np.ndarray]], shape: tuple[int, ...]) -> Events:
    if not parts:
        return Events([], [], [], shape)
    return Events.from_list(np.concatenate([p for p, _ in parts]), np.concatenate([c for _, c in parts]), shape)
