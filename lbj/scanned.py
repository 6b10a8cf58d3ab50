"""Scanned: which pixels of a frame the beam reached before the scan was aborted."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .array_types import Mask
from .events import Events
from .frame import Frame, Recording
from .signal import Signal


def scanned(frame: Frame, signal: Signal) -> Mask | None:
    """Pixels of a signal that were scanned in a frame.

    Parameters
    ----------
    frame : lbj frame
        Its attribute ``scanned_pixels`` says how many were, ``scan`` in which order (spec/lbj.md 5.4.4).
    signal : Signal
        A signal or group of the frame's journal; of a group, pixels that all its detectors scanned.

    Returns
    -------
    (Y, X) array of bool, or None
        None where every pixel was scanned; what the attributes do not say for this signal counts as scanned.
    """
    shape = signal.shape if signal.kind == "image" else signal.shape[:-1]
    pixels = math.prod(shape)
    number = _number(frame, signal.name)
    if number is None or number >= pixels:
        return None
    mask = np.zeros(pixels, bool)
    mask[_order(frame.scan, shape)[:number]] = True
    return mask.reshape(shape)


def scanned_of(journal: Recording, signal: Signal) -> Mask | None:
    """Pixels scanned in every frame of a journal, (N, Y, X); None where all were in all."""
    masks = [scanned(journal[index], signal) for index in range(len(journal))]
    if all(mask is None for mask in masks):
        return None
    shape = signal.shape if signal.kind == "image" else signal.shape[:-1]
    return np.stack([np.ones(shape, bool) if mask is None else mask for mask in masks])


def whole_frames(journal: Recording, signal: Signal) -> float:
    """How many whole frames of a signal were scanned: an aborted one counts by its share of pixels."""
    masks = scanned_of(journal, signal)
    return float(len(journal)) if masks is None else float(masks.mean(axis=(1, 2)).sum())


def blanked(data: Any, mask: Mask | None) -> Any:
    """Events or array of a frame with nothing in the pixels that were not scanned, whatever is stored there."""
    if mask is None:
        return data
    if isinstance(data, Events):
        kept = mask.ravel()[data.pixel]
        return type(data).unchecked(data.pixel[kept], data.channel[kept], data.count[kept], data.shape)
    return np.where(mask if data.ndim == mask.ndim else mask[..., None], data, data.dtype.type(0))


def left_out(frame: Frame, signal: Signal) -> float:
    """Sum of what a frame stores in pixels that were not scanned: counts, or the magnitudes of other values."""
    mask = scanned(frame, signal)
    if mask is None:
        return 0.0
    if signal.kind == "events":
        events = frame.events(signal.name)
        return float(events.count[~mask.ravel()[events.pixel]].sum())
    return float(np.nansum(np.abs(frame.array(signal.name)[~mask])))


def _number(frame: Frame, name: str) -> int | None:
    """How many pixels were scanned; None where nothing (or nothing of the right type) is said."""
    value = frame.scanned_pixels
    if isinstance(value, dict):
        members = frame.journal.signals.group(name)
        said = [value.get(member, value.get(name)) for member in members]
        numbers = [max(int(one), 0) for one in said if one is not None and _whole(one)]
        return min(numbers, default=None)
    return max(int(value), 0) if _whole(value) else None


def _whole(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and float(value).is_integer()


def _order(scan: Any, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """C-order indices of the pixels in the order in which they were scanned."""
    pixels = math.prod(shape)
    order = scan.get("order") if isinstance(scan, dict) else None
    index = np.arange(pixels)
    if order == "serpentine":
        rows = index.reshape(-1, shape[-1])
        rows[1::2] = rows[1::2, ::-1]
        return rows.ravel()
    if isinstance(order, list):
        listed = np.array([int(one) for one in order if _whole(one) and 0 <= one < pixels], np.int64)
        rest = np.ones(pixels, bool)
        rest[listed] = False
        return np.concatenate([listed, np.flatnonzero(rest)])
    return index
