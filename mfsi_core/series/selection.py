"""Selection: the frames, image and spectra that a run works on, by region and name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from lbj import Frame, Signal, UsageError
from lbj.array_types import Floats
from lbj.frame import Recording
from lbj.progress import track
from lbj.scanned import scanned

from .axis import above_strobe
from .energy_shifts import Shifts


class View:
    """Some frames of a journal; `known` stands in place of its metadata."""

    def __init__(self, journal: Recording, frames: list[int], known: dict[str, Any] | None = None) -> None:
        self.journal, self.frames, self.path, self.bytes = journal, frames, journal.path, journal.bytes
        self.signals, self.metadata = journal.signals, {**journal.metadata, **(known or {})}

    @property
    def whole(self) -> Recording | None:
        """The journal itself, where all its frames are there."""
        return self.journal if len(self.frames) == len(self.journal) else None

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int, /) -> Frame:
        return self.journal[self.frames[index]]

    def __iter__(self) -> Iterator[Frame]:
        return (self[index] for index in range(len(self)))

    def static(self, name: str) -> Any:
        """Data of a static signal of the journal."""
        return self.journal.static(name)

    def statics(self) -> dict[str, Frame]:
        """By static signal of the journal, the pseudo-frame that holds its data."""
        return self.journal.statics()


def chosen(recording: Recording, frames: list[int]) -> View:
    """Some frames of a journal, or of a view of it."""
    if isinstance(recording, View):
        return View(recording.journal, [recording.frames[index] for index in frames], recording.metadata)
    return View(recording, frames)


def holds(frame: Frame, name: str) -> bool:
    """Whether a frame holds a signal, or any detector of a group."""
    return any(member in frame.names for member in frame.journal.signals.group(name))


def spectra_signal(journal: Recording, name: str | None) -> Signal | None:
    """Return the signal to accumulate: the one named, EDX, or the first of counts or spectra."""
    if name is not None:
        chosen: Signal = journal.signals[name]
        if chosen.kind == "image":
            raise UsageError(f"signal {name!r} is an image; --signal names X-ray counts or spectra")
        return chosen
    if "EDX" in journal.signals:
        return journal.signals["EDX"]
    for kind in ("events", "spectra"):
        for item in journal.signals.values():
            if item.kind == kind and not item.static:
                return item
    return None


def image_signal(journal: Recording, name: str | None) -> Signal | None:
    """Return the image to register: the one named, HAADF, or the first; none that has a role, as times or shifts do."""
    if name is not None:
        chosen: Signal = journal.signals[name]
        if chosen.kind != "image":
            raise UsageError(f"signal {name!r} is no image; --image names one")
        if chosen.role is not None:
            raise UsageError(f"image {name!r} holds {chosen.role}, not what was seen; --image names another")
        return chosen
    images = [item for item in journal.signals.values() if item.kind == "image" and item.role is None]
    images = [item for item in images if len(item.shape) == 2]
    return next((item for item in images if item.name == "HAADF"), images[0] if images else None)


def reference_images(
    journal: Recording, reference_signal: Signal | None, signal: Signal | None, *, quiet: bool = True
) -> Floats:
    """Images (N, Y, X) to register by: those of `reference_signal`, else the sums of the spectra of `signal`."""
    source = reference_signal or signal
    assert source is not None
    stack = np.empty((len(journal), source.shape[0], source.shape[1]))
    for i in track(range(len(journal)), "images", quiet=quiet):
        stack[i] = reference_image(journal[i], reference_signal, signal)
    return stack


def reference_image(frame: Frame, reference_signal: Signal | None, signal: Signal | None) -> Floats:
    """Image of one frame; NaN where it has none, or was not scanned."""
    source = reference_signal if reference_signal is not None else signal
    assert source is not None
    seen, image = scanned(frame, source), _image(frame, reference_signal, signal)
    return image if seen is None or seen.shape != image.shape else np.where(seen, image, np.nan)


def _image(frame: Frame, reference_signal: Signal | None, signal: Signal | None) -> Floats:
    if reference_signal is not None:
        if reference_signal.name not in frame.names:
            return np.full(reference_signal.shape, np.nan)
        return np.asarray(frame.array(reference_signal.name), float)
    assert signal is not None
    if not holds(frame, signal.name):
        return np.full(signal.shape[:2], np.nan)
    data = Shifts(frame.journal.signals, signal.name).moved(frame, nearest=True)
    if signal.kind == "spectra":
        data = data[..., above_strobe(signal) :]
        dead = ~np.isfinite(data).any(axis=tuple(range(data.ndim - 1)))  # which makes no pixel unknown
        if dead.any() and not dead.all():
            data = data[..., ~dead]
        return np.asarray(data.sum(axis=-1, dtype=np.float64))
    events = data
    first = int(np.searchsorted(events.channel, above_strobe(signal)))
    counts = np.bincount(events.pixel[first:], events.count[first:], events.pixels)
    return np.asarray(counts, float).reshape(signal.shape[:2])
