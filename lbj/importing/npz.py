"""NumPy archives: dense arrays by name, and what `lbj export` wrote.

The name of an array says what it is:

========================  ==============================  =======================
name begins with          array                           signal
========================  ==============================  =======================
``EDX`` or ``EDS``        integers (Y, X, C), (N, Y, X, C)  events
``EELS``                  (Y, X, C), (N, Y, X, C)           spectra
anything else             (Y, X), (N, Y, X)                 image
========================  ==============================  =======================

N counts frames. The array's name is the signal's, ``EDS`` read as ``EDX``; several make the group ``EDX``. Arrays of
floats and negative numbers are stored as spectra. An array without a name of its own (``arr_0``), and one of four axes
whose name says neither, are refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UsageError
from ..events import Events
from ..signal import Signal
from . import listed
from .arrays import Hdf5, Npz, storable, store
from .naming import share_field
from .source import Frame, Source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_HOW = (
    "name an array EDX… for X-ray counts (Y, X, C) or (N, Y, X, C), EELS… for spectra, anything else for images (Y, X) "
    "or (N, Y, X): numpy.savez('series.npz', EDX=counts, HAADF=images)"
)


def read(path: Path) -> Source:
    """Open an archive; see `lbj.importing.open_source`."""
    with store(path) as arrays:
        if listed.KEY in arrays.names:
            return listed.read(path)
        if isinstance(arrays, Hdf5):
            raise UsageError(
                f"{path}: an HDF5 file of no known layout; it holds {', '.join(arrays.names[:8]) or 'nothing'}"
            )
        notes: list[str] = []
        fields = [field for name in arrays.names if (field := _field(arrays, name, notes)) is not None]
    if not fields:
        raise UsageError(f"{path}: no array can be a signal; {_HOW}")
    n_frames = max(field.depth for field in fields)
    for field in fields:
        if field.depth != n_frames:
            raise UsageError(f"{path}: array {field.array!r} has {field.depth} frames, others have {n_frames}")
    counts = [field.signal for field in fields if field.signal.kind == "events"]
    for signal in counts if len(counts) > 1 else []:
        signal.group = None if signal.name == "EDX" else "EDX"
    signals = [field.signal for field in fields]
    share_field(signals)
    return Source(signals, _frames(path, fields, n_frames), n_frames, notes=notes)


@dataclass
class Field:
    """A signal, the array that holds it, and the number of frames in the array."""

    signal: Signal
    array: str
    depth: int


def _field(arrays: Npz, name: str, notes: list[str]) -> Field | None:
    column = arrays.column(name)
    shape = column.shape
    if re.fullmatch(r"arr_\d+", name) and len(shape) >= 2:
        raise UsageError(f"{arrays.path}: array {name!r} of shape {shape} has no name that says what it is; {_HOW}")
    x_ray = name.upper().startswith(("EDX", "EDS"))
    axes = 3 if x_ray or name.upper().startswith("EELS") else 2
    if column.dtype.kind not in "biuf" or 0 in shape or len(shape) < axes:
        notes.append(f"array {name!r} left out: {column.dtype} of shape {shape}")
        return None
    if len(shape) > axes + 1:
        raise UsageError(f"{arrays.path}: array {name!r} of shape {shape} is neither spectra nor images; {_HOW}")
    kind = "image" if axes == 2 else "spectra"
    if x_ray:
        bad = _not_counts(arrays, name)
        if bad:
            notes.append(f"{name} holds {bad} and is stored as spectra, not as events")
        else:
            kind = "events"
    dtype = None if kind == "events" else storable(np.empty(0, column.dtype)).dtype.name
    title = "EDX" + name[3:] if x_ray else name
    return Field(Signal(title, kind, shape[-axes:], dtype=dtype), name, shape[0] if len(shape) > axes else 1)


def _not_counts(arrays: Npz, name: str) -> str:
    """Return why an array cannot be counts; nothing if it can."""
    column = arrays.column(name)
    if column.dtype.kind == "f":
        return "floats"
    if column.dtype.kind in "bu" and column.dtype.itemsize <= 4:
        return ""
    for _ in range(column.shape[0]):
        block = column.take(1)
        bad = (block < 0) | (block > 2**32 - 1)
        if bad.any():
            return str(block[bad][0])
    return ""


def _frames(path: Path, fields: list[Field], n_frames: int) -> Iterator[Frame]:
    with store(path) as arrays:
        columns = [arrays.column(field.array) for field in fields]
        for _ in range(n_frames):
            data: dict[str, Any] = {}
            for field, column in zip(fields, columns, strict=True):
                signal = field.signal
                block = storable(column.take(column.shape[0] // n_frames).reshape(signal.shape))
                data[signal.name] = Events.from_dense(block) if signal.kind == "events" else block
            yield data, {}
