"""Reader: the signals that ``hs.load("x.lbj")`` returns, frame by frame or summed, with warnings."""

from __future__ import annotations

import json
import logging
import os
from typing import Any

import numpy as np

import lbj
from lbj import Journal, Signal, UsageError
from lbj.arrays.dask_arrays import to_dask
from lbj.arrays.frames import FrameArray, stored
from lbj.arrays.windows import WindowArray
from lbj.exporting import hyperspy_signal
from lbj.exporting.series import Series
from lbj.importing.hspy_journal import KEY

from . import kept
from .aligned import AlignedArray, fits, shifted, usable

WARN = logging.getLogger("mfsi_core.hyperspy").warning


def read(
    path: str | os.PathLike[str],
    *,
    lazy: bool,
    sum_frames: bool | None = None,
    detectors: str | list[str] = "sum",
    frames: slice | None = None,
    aligned: bool = False,
    max_bytes: int,
    bare: bool = False,
) -> list[dict[str, Any]]:
    """Read a journal; see `mfsi_core.hyperspy.api.file_reader`.

    `bare` leaves out what only HyperSpy knew, and gives a ``signal`` beside, a `kept.Read`.
    """
    if frames is not None and not isinstance(frames, slice):
        raise UsageError(f"frames must be a slice, as frames=slice(0, 10), got {frames!r}")
    with lbj.open(path, max_bytes) as journal:
        chosen = _Chosen(journal, frames, detectors)
        summed = _summed(journal) if sum_frames is None else bool(sum_frames)
        if aligned:
            chosen.numbers = usable(chosen, summed=summed)
        elif summed and len(areas := {chosen.frame(number).region for number in chosen.numbers}) > 1:
            WARN("frames of %d areas are added up; frames=slice(…) chooses those of one", len(areas))
        found = [_signal(chosen, signal, summed=summed, aligned=aligned, lazy=lazy) for signal in chosen.signals()]
        signals = [one for one in found if one is not None]
        if not signals:
            raise UsageError(f"{journal.path!r}: the {len(chosen.numbers)} frames selected hold no signal")
        for one in signals:
            one["metadata"].setdefault("General", {})["original_filename"] = os.path.basename(os.fspath(path))
            if not bare:
                kept.restore(one)
                del one["signal"]
        return signals


class _Chosen(Series[Journal]):
    """The selected frames, and the detectors that are added up for each signal."""

    def __init__(self, journal: Journal, frames: slice | None, detectors: str | list[str]) -> None:
        super().__init__(journal, frames)
        self._detectors = detectors
        grouped = [signal.name for signal in self.stored if signal.group]
        listed = isinstance(detectors, (list, tuple)) and all(isinstance(name, str) for name in detectors)
        if not listed and detectors not in ("sum", "each"):
            raise UsageError(f"detectors must be 'sum', 'each' or a list of names, got {detectors!r}")
        unknown = [name for name in detectors if name not in grouped] if listed else []
        if unknown:
            raise UsageError(
                f"detectors names {unknown[0]!r}; the journal has {', '.join(grouped) or 'no group of detectors'}"
            )

    def members(self, name: str) -> list[str]:
        """Names of the declared signals that are added up for `name`."""
        members = super().members(name)
        only = self._detectors if not isinstance(self._detectors, str) and members != [name] else members
        return [member for member in members if member in only]

    def signals(self) -> list[Signal]:
        """The signals in the order in which they are declared, each group as one unless each detector is wanted."""
        each = self._detectors == "each"
        names = [signal.name if each else signal.group or signal.name for signal in self.stored]
        return [self.journal.signals[name] for name in dict.fromkeys(names) if self.members(name)]


def _summed(journal: Journal) -> bool:
    """Whether frames are added up where nobody said: not those that HyperSpy wrote, nor images alone."""
    running = [signal for signal in journal.signals.values() if not signal.static]
    if any(kept.KEY in signal.metadata for signal in running):
        return False
    return any(signal.kind != "image" for signal in running)


def _signal(chosen: _Chosen, signal: Signal, *, summed: bool, aligned: bool, lazy: bool) -> dict[str, Any] | None:
    journal, members = chosen.journal, chosen.members(signal.name)
    numbers = [] if signal.static else [frame.index for frame in chosen.frames(signal.name)]
    if not stored(journal, signal, numbers):
        return None
    single = signal.static or len(numbers) == 1
    if signal.role == "energy_shift" and (aligned or (summed and not single)):
        return None  # they are applied, or those of a sum would mean nothing
    aligned = aligned and not signal.static
    if aligned and not fits(journal, signal):
        WARN("%s left out: the displacements are not known in its pixels", signal.name)
        return None
    if summed and not aligned and signal.kind != "image" and shifted(chosen, signal.name):
        WARN("%s: energies of frames are stored with shifts, which only aligned=True applies", signal.name)
    kind = AlignedArray if aligned else FrameArray
    array = kind(journal, signal, members, numbers, summed=summed or single)
    frame_axes = [] if summed or single else [hyperspy_signal.frame_axis(chosen, len(numbers))]
    declared = _declared(signal, array)
    added = summed and not single
    described = (hyperspy_signal.described_sum if added else hyperspy_signal.described)(chosen, declared)
    if frame_axes and not aligned and journal.displacement() is not None:
        described[kept.DISPLACED] = True
    axes = hyperspy_signal.axes(signal, frame_axes)
    for i, axis in enumerate(axes):
        axis["index_in_array"] = i
    return {
        "data": to_dask(array) if lazy else _whole(array, journal.max_bytes),
        "axes": axes,
        "metadata": hyperspy_signal.metadata(chosen, signal, summed=added),
        "original_metadata": {KEY: np.frombuffer(json.dumps(described, ensure_ascii=False).encode(), np.uint8)},
        "signal": kept.Read(signal, added=added or aligned or len(members) > 1, framed=bool(frame_axes)),
    }


def _declared(signal: Signal, array: WindowArray) -> Signal:
    """Declaration of a signal whose data are as they were read."""
    item = {key: value for key, value in signal.to_json().items() if key not in ("coding", "group")}
    if signal.kind == "events" and array.dtype.kind == "f":
        item["kind"] = "spectra"
    if item["kind"] != "events" or array.dtype.itemsize <= 4:
        item["dtype"] = array.dtype.name
    return Signal.from_json(item)


def _whole(array: WindowArray, max_bytes: int) -> np.ndarray:
    need = array.dtype.itemsize * int(np.prod(array.shape, dtype=float))
    if need > max_bytes:
        raise UsageError(
            f"an array of {array.shape} {array.dtype} needs {need} bytes, more than max_bytes={max_bytes}: load it "
            "with lazy=True, some frames=slice(…), or a larger max_bytes"
        )
    return array[...]
