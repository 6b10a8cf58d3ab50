"""Aligned arrays for HyperSpy: lazy frames moved by the stored displacements, (N, Y, X, C), and their sum."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lbj import Journal, Signal, UsageError
from lbj.arrays.frames import Place
from lbj.arrays.windows import Window, WindowArray
from lbj.exporting.series import Series

from ..accumulation.accumulate import accumulate
from ..geometry.registration import Registration
from ..series.energy_shifts import Shifts
from ..series.selection import View


class AlignedArray(WindowArray):
    """Frames of a signal moved by the journal's displacements and energy shifts, or their sum; see `accumulate`.

    Parameters
    ----------
    journal : Journal
        Opened by its name.
    signal : Signal
        One that is declared, or a group; of two navigation axes.
    members : list of str
        Declared signals that are added up.
    numbers : list of int
        The frames, as `usable` returns them.
    summed : bool
        The sum over the frames instead of the frames.
    """

    def __init__(
        self, journal: Journal, signal: Signal, members: list[str], numbers: list[int], *, summed: bool
    ) -> None:
        self.place = Place(journal)
        self.signal, self.members, self.numbers = signal, members, numbers
        lead = 0 if summed else 1
        shape = signal.shape if summed else (len(numbers), *signal.shape)
        exact = signal.kind != "events" and np.dtype(signal.dtype).itemsize > 2 and signal.dtype != "float32"
        identity = (*self.place.key, *members, tuple(numbers), summed)
        super().__init__(shape, "f8" if exact else "f4", lead, len(signal.shape) - 2, identity)

    def read(self, window: Window) -> NDArray[Any]:
        """Move and add up the window of every frame."""
        rows, columns, *rest = (slice(*bounds) for bounds in window[self.lead :])
        band = rest[0] if rest else None
        size = tuple(stop - start for start, stop in window[self.lead :])
        with self.place.opened() as journal:
            registration = _registration(self.place.path, self.place.uuid, self.place.bytes)
            groups = [[n] for n in self.numbers[slice(*window[0])]] if self.lead else [self.numbers]
            out = np.zeros((len(groups), *size), self.dtype)
            for index, numbers in enumerate(groups):
                view = View(journal, numbers)
                still = _still(self.signal, len(journal)) if registration is None else registration
                moved = still.subset(np.array(numbers))
                for member in self.members:
                    part = np.zeros(size, self.dtype)
                    accumulate(view, moved, member, region=(rows, columns), channels=band, out=part)
                    out[index] += part
        return out if self.lead else out[0]


def usable(series: Series[Journal], *, summed: bool) -> list[int]:
    """Those of the frames selected that can be aligned, and `summed`.

    Raises
    ------
    UsageError
        If the journal holds neither displacements nor energy shifts, or none of the frames could be registered, or the
        frames show areas that were registered each for itself.
    """
    journal, numbers = series.journal, series.numbers
    found = journal.displacement()
    if found is not None:
        kept = [n for n in numbers if n < len(found.left_out) and not found.left_out[n]]
        if not kept:
            raise UsageError(f"aligned=True: none of the {len(numbers)} frames selected could be registered")
        areas = {series.frame(n).region for n in kept}
        if summed and len(areas) > 1 and not found.modulo_lattice:
            raise UsageError(
                f"aligned=True: the frames show {len(areas)} areas, which were registered each for itself; choose "
                "those of one with frames=slice(…), or give sum_frames=False"
            )
        return kept
    if any(shifted(series, name) for name, signal in journal.signals.items() if signal.kind != "image"):
        return numbers
    raise UsageError(
        f"aligned=True: {journal.path!r} holds neither displacements nor energy shifts; append them with "
        "'mfsi register FILE -o registration.csv --append'"
    )


def fits(journal: Journal, signal: Signal) -> bool:
    """Whether the displacements are known in the pixels of a signal."""
    shape = signal.shape if signal.kind == "image" else signal.shape[:-1]
    found = journal.displacement()
    if len(shape) != 2 or found is None:
        return len(shape) == 2
    return shape == found.shape or signal.to_field is not None or journal.signals[found.signal].to_field is not None


def shifted(series: Series, name: str) -> bool:
    """Whether energy shifts are stored with any of the frames selected for a signal or group."""
    stored = Shifts(series.journal.signals, name)
    return any(stored.has_shifts(series.frame(number)) for number in series.numbers)


@lru_cache(maxsize=1)
def _registration(path: str, uuid: str, size: int) -> Registration | None:  # noqa: ARG001  which file it is
    import lbj

    with lbj.open(path) as journal:
        return None if journal.displacement() is None else Registration.load(journal)


def _still(signal: Signal, frames: int) -> Registration:
    return Registration.rigid(np.zeros((frames, 2)), (signal.shape[0], signal.shape[1]))
