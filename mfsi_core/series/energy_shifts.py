"""Energy shifts stored in a journal, by frame or by pixel, and their application to a frame's spectra."""

from __future__ import annotations

from typing import Any

import numpy as np

from lbj import Signal, UsageError
from lbj.array_types import Floats
from lbj.frame import Frame, Recording

from .axis import even_axis, width
from .moving import move

WHOLE = 1e-7  # channels; a shift this near to a whole number is taken for it


class Shifts:
    """Energy shifts stored with the frames of a journal for one signal or group.

    Parameters
    ----------
    signals : lbj.Signals
        Of the journal.
    name : str
        Signal or group.
    """

    def __init__(self, signals: Any, name: str) -> None:
        self._name, self._members, self._signal = name, signals.group(name), signals[name]
        self._planes = [
            signal.name
            for signal in signals.values()
            if signal.role == "energy_shift" and not signal.static
            and signal.shape == self._signal.shape[:-1] and signal.of in (None, name, *self._members)
        ]  # fmt: skip

    def of(self, frame: Frame) -> Floats:
        """Shift of a frame, eV: () or, where an image of that role holds those of its pixels, (Y, X).

        Where a pixel's shift is not finite, the frame's attribute ``energy_shift`` holds.

        Raises
        ------
        UsageError
            If the detectors of a group are shifted differently, so that their sum cannot be shifted, or several images
            hold shifts.
        """
        one = self._attribute(frame)
        stored = [plane for plane in self._planes if plane in frame.names]
        if len(stored) > 1:
            raise UsageError(f"frame {frame.index} has several energy shifts for {self._name!r}: {', '.join(stored)}")
        if not stored:
            return np.asarray(one)
        pixels = frame.array(stored[0]).astype(float)
        return np.where(np.isfinite(pixels), pixels, one)

    def has_shifts(self, frame: Frame) -> bool:
        """Whether a frame states energy shifts for any of the detectors."""
        value = frame.energy_shift
        names = (self._name, *self._members)
        said = [value.get(name) for name in names] if isinstance(value, dict) else [value]
        return any(map(_number, said)) or any(plane in frame.names for plane in self._planes)

    def moved(self, frame: Frame, *, nearest: bool = False) -> Any:
        """Data of the signal in a frame, on the signal's axis; see `moving.move`.

        `nearest` moves by the nearest whole number of channels, which keeps counts whole and their noise independent.
        """
        name = self._signal.name
        data = frame.events(name) if self._signal.kind == "events" else frame.array(name)
        return data if self._signal.kind == "image" else moved(data, self.of(frame), self._signal, nearest=nearest)

    def _attribute(self, frame: Frame) -> float:
        """Attribute ``energy_shift``: a number holds for all signals, an object for those that it names."""
        value = frame.energy_shift
        if isinstance(value, dict):
            shifts = {_number(value.get(key, value.get(self._name))) for key in self._members}
            if len(shifts) > 1:
                raise UsageError(
                    f"frame {frame.index} shifts the detectors of {self._name!r} differently; sum each "
                    f"({', '.join(self._members)}) and add the sums, or give energy_shift"
                )
            return shifts.pop()
        return _number(value)


def energy_shifts(journal: Recording, name: str) -> Floats | None:
    """Return the energy shifts stored with a journal's frames for a signal or group, eV.

    Returns
    -------
    (N,) or (N, Y, X) float64, or None
        See `Shifts.of`. None where nothing is shifted.
    """
    stored = Shifts(journal.signals, name)
    found = [stored.of(journal[index]) for index in range(len(journal))]
    shape = max((shift.shape for shift in found), default=())
    shifts = np.stack([np.broadcast_to(shift, shape) for shift in found]) if found else np.zeros(0)
    return shifts if shifts.any() else None


def moved(data: Any, shift: Any, signal: Signal, *, nearest: bool = False) -> Any:
    """Spectra of one frame moved onto a signal's axis.

    Parameters
    ----------
    data : Events or (Y, X, C) array
    shift : float or (Y, X) array
        eV, to be added to the signal's energy axis; finite.
    signal : Signal
    nearest : bool
        Move by whole channels only.

    Raises
    ------
    UsageError
        If the axis is not even and in eV.
    """
    shift = np.atleast_1d(np.asarray(shift, float)).ravel()
    if not shift.any():
        return data
    try:
        axis = even_axis(signal)
    except UsageError as error:
        raise UsageError(f"{error}, to be shifted; energy_shift=0 takes the frames as they are") from None
    step = width(axis) if axis.size > 1 else float(signal.axes[-1].get("scale", 1.0))
    channels = np.clip(shift / step, -axis.size, axis.size)
    near = np.rint(channels)
    return move(data, np.where(nearest | (np.abs(channels - near) < WHOLE), near, channels))


def _number(value: Any) -> float:
    """A stored value of another type is to be ignored (spec/lbj.md 5.4.4)."""
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else 0.0
