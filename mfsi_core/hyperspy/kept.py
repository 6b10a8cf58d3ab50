"""Kept metadata: what HyperSpy knows of a signal and a journal has no place for, stored for a round trip.

A signal's metadata have the member ``hyperspy``: ``layout`` (1), ``set`` and ``drop``, by which the metadata that the
journal gives become HyperSpy's (`trees.difference`), ``shape`` and ``dtype`` of its array, whether its first axis
counts ``frames``, its ``axes``, the ones ``declared`` when they were stored (once those are amended, HyperSpy's count
no more), and ``original_metadata``, what the vendor's file said.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from lbj import Signal

from .trees import changed, decode, difference, sayable

KEY = "hyperspy"
DISPLACED = (
    "displaced"  # of a journal's description in a signal: its frames have displacements, which do not come along
)
LAYOUT = 1


@dataclass
class Read:
    """How a signal was read: its declaration, whether data were added up, whether its first axis counts frames."""

    signal: Signal
    added: bool
    framed: bool


def restore(item: dict[str, Any]) -> None:
    """Give a signal that was read what HyperSpy knew of it."""
    read: Read = item["signal"]
    stored = read.signal.metadata.get(KEY)
    if not isinstance(stored, dict) or stored.get("layout") != LAYOUT:
        return
    try:
        metadata = changed(item["metadata"], dict(stored["set"]), list(stored["drop"]))
        original = dict(decode(stored.get("original_metadata", {})))
        _shape(item, read, stored)
    except (KeyError, TypeError, ValueError, AttributeError):
        return  # not as this version writes it
    item["metadata"], item["original_metadata"] = metadata, {**item["original_metadata"], **original}


def _shape(item: dict[str, Any], read: Read, stored: dict[str, Any]) -> None:
    shape, axes = [int(size) for size in stored["shape"]], [dict(decode(axis)) for axis in stored["axes"]]
    data, found = item["data"], item["axes"]
    if stored["frames"] and read.framed:
        same = shape[0] == data.shape[0]
        shape, axes = [data.shape[0], *shape[1:]], axes if same else [found[0], *axes[1:]]
    elif stored["frames"] and shape[0] != 1:
        shape, axes = shape[1:], axes[1:]
    if math.prod(shape) != math.prod(data.shape) or len(axes) != len(shape):
        return
    if read.signal.axes == stored["declared"]:
        item["axes"] = axes
        item["data"] = data = data.reshape(shape)
    if not read.added:
        item["data"] = data.astype(str(stored["dtype"]))


def description(item: dict[str, Any], found: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return what is to be kept of a signal that is saved, and the names of what cannot be.

    Parameters
    ----------
    item : dict
        The signal as `layout.usable` gives it.
    found : dict
        The signal as `reader.read` gives it from the journal that it was written to.
    """
    unsaid: list[str] = []
    change, gone = difference(sayable(item["metadata"], unsaid), sayable(found["metadata"], []))
    read: Read = found["signal"]
    kept = {
        "layout": LAYOUT,
        "set": change,
        "drop": gone,
        "shape": list(item["data"].shape),
        "dtype": item["data"].dtype.name,
        "frames": read.framed,
        "axes": [sayable(axis, unsaid) for axis in item["declared"]],
        "declared": read.signal.axes,
        "original_metadata": sayable(item["original_metadata"], unsaid, "original_metadata."),
    }
    return kept, unsaid
