"""A ``.hspy`` that `lbj export` wrote: the journal's own description brings back what HyperSpy has no place for.

``original_metadata/lbj`` of every experiment is JSON (UTF-8 bytes as uint8): ``layout`` (1), ``order`` of the signal
in the journal, ``signal`` as in the header, ``metadata``, ``length`` (number of frames), and ``frames``: the frames
that hold the signal, each with ``frame`` (its number) and ``attributes``. What HyperSpy's own axes and metadata say
goes first: a file that was changed there is told by them.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from ..errors import LbjError
from ..signal import Signal
from . import hyperspy_names as hs
from .cubes import Cube, events
from .hdf5_data import Dataset
from .meaning import described
from .notes import left_out
from .source import Frame, Source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .library import Item

KEY = "lbj"
LAYOUT = 1
MAX_TEXT = 1 << 26
MAX_FRAMES = 1 << 24


class Part:
    """One experiment: the signal, its array, and the attributes of each of its frames."""

    def __init__(self, item: Item, told: dict[str, Any]) -> None:
        self.signal = Signal.from_json({key: value for key, value in told["signal"].items() if key != "coding"})
        self.told, self.item = told, item
        numbers = [int(entry["frame"]) for entry in told["frames"]]
        self.rows = {number: i for i, number in enumerate(numbers)}
        self.attributes = {number: dict(entry["attributes"]) for number, entry in zip(numbers, told["frames"])}  # noqa: B905
        data: Dataset = item["data"]
        depth = 1 if self.signal.static else len(numbers)
        lead = (depth,) if depth > 1 else ()
        if data.shape != (*lead, *self.signal.shape) or len(self.rows) != len(numbers) or not depth:
            raise ValueError("another shape")
        counts = data.dtype.kind == "u" and data.dtype.itemsize <= 4
        if not counts if self.signal.kind == "events" else data.dtype.name != self.signal.dtype:
            raise ValueError("another element type")
        if min(numbers, default=0) < 0 or max(numbers, default=0) >= min(int(told["length"]), MAX_FRAMES):
            raise ValueError("another number of frames")
        for axis, declared in zip(self.signal.axes, item["axes"][len(lead) :], strict=True):
            as_read = {**axis, "axis": axis.get("values"), "scale": axis.get("scale", 1.0)}
            as_read["offset"] = axis.get("offset", 0.0)
            if not _agree(described(as_read, axis["name"]), described(declared, axis["name"])):
                raise ValueError("another axis")
        places: list[int | None] = [0 if lead else None, *range(len(lead), len(data.shape))]
        if len(self.signal.shape) == 1 or (self.signal.kind != "image" and len(self.signal.shape) == 2):
            places.insert(1, None)
        self.cube = Cube(self.signal.name, self.signal.kind, data, places, self.signal.axes, {})

    def read(self, number: int) -> Any:
        """Return the data of a frame of the journal, or of the static signal (0)."""
        row = self.rows.get(number, 0)
        if self.signal.kind == "events":
            return events(self.cube, row, self.signal.shape)
        return np.ascontiguousarray(self.cube.read(row).reshape(self.signal.shape))


def restored(group: h5py.Group) -> dict[str, Any] | None:
    """Return the description in an experiment, or None where there is none that can be read."""
    data = group.get(f"original_metadata/{KEY}")
    if not isinstance(data, h5py.Dataset) or data.dtype != np.uint8 or data.ndim != 1 or data.size > MAX_TEXT:
        return None
    try:
        told = json.loads(data[:].tobytes())
    except (OSError, ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) and told.get("layout") == LAYOUT else None


def source(items: list[Item], told: list[dict[str, Any] | None], notes: list[str]) -> Source | None:
    """Return the journal again, or None where not every experiment fits its description any more."""
    if not items or None in told:
        return None
    try:
        parts = [Part(item, one) for item, one in zip(items, told, strict=True) if one is not None]
        parts.sort(key=lambda part: int(part.told["order"]))
        length = max(int(part.told["length"]) for part in parts)
        metadata = dict(parts[0].told["metadata"])
    except (LbjError, ValueError, KeyError, TypeError, IndexError, AttributeError):
        notes.append(left_out("changed since lbj exported it: read by what HyperSpy knows, without the journal's rest"))
        return None
    for part in parts:
        _changed(part, metadata)
    running = [part for part in parts if not part.signal.static]
    static = {part.signal.name: part.read(0) for part in parts if part.signal.static}
    return Source([part.signal for part in parts], _frames(running, length), length, static, metadata, notes)


def _frames(parts: list[Part], length: int) -> Iterator[Frame]:
    for number in range(length):
        holding = [part for part in parts if number in part.rows]
        attributes: dict[str, Any] = {}
        for part in holding:
            for key, value in part.attributes[number].items():
                if isinstance(value, dict) and isinstance(attributes.get(key), dict):
                    attributes[key] = {**attributes[key], **value}
                else:
                    attributes[key] = value
        yield {part.signal.name: part.read(number) for part in holding}, attributes


def _agree(a: dict[str, Any], b: dict[str, Any]) -> bool:
    if a.get("units", "") != b.get("units", "") or ("values" in a) != ("values" in b):
        return False
    if "values" in a:
        return len(a["values"]) == len(b["values"]) and np.allclose(a["values"], b["values"], rtol=1e-9, atol=0)
    span = abs(a.get("scale", 1.0)) * 1e-6
    return math.isclose(a.get("scale", 1.0), b.get("scale", 1.0), rel_tol=1e-9) and math.isclose(
        a.get("offset", 0.0), b.get("offset", 0.0), rel_tol=1e-9, abs_tol=span
    )


def _changed(part: Part, metadata: dict[str, Any]) -> None:
    """Take over what was changed in HyperSpy's metadata since."""
    declared = hs.series_metadata(part.item["metadata"])
    for key in ("beam_energy", "magnification", "convergence_angle", "collection_angle", "camera_length"):
        if key in declared and not math.isclose(declared[key], _number(metadata.get(key)), rel_tol=1e-6):
            metadata[key] = declared[key]
    if "elements" in declared and sorted(declared["elements"]) != sorted(metadata.get("elements") or []):
        metadata["elements"] = declared["elements"]  # HyperSpy sorts them, which changes nothing
    if "microscope" in declared:
        metadata["microscope"] = declared["microscope"]


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) else math.nan
