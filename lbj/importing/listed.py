"""Listed arrays: the lossless layout of `lbj export` to ``.npz`` and ``.h5``.

=====================  ==========================================================================================
name                   content
=====================  ==========================================================================================
``lbj``                JSON (UTF-8 bytes as uint8): ``layout`` (1), ``signals`` as in a journal's header, ``metadata``
                       and ``frames``, a list of ``{"signals": [names], "attributes": {…}}``
``NAME/pixel``         events signals: the entries of all frames, frame after frame, uint32 each
``NAME/channel``
``NAME/count``
``NAME/offset``        uint64 (N+1): the entries of frame i are ``offset[i]:offset[i+1]``
``NAME``               other signals: (N, Y, X) or (N, Y, X, C); zeros where a frame lacks the signal
``static/NAME``        data of a static signal, (Y, X) or (Y, X, C)
=====================  ==========================================================================================

A ``/`` in a signal's name is written ``_``; names that would then be alike are numbered (`naming.members`).
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DamagedError, LbjError
from ..events import Events
from ..signal import Signal
from .arrays import Column, Hdf5, Npz, store
from .naming import members
from .source import Frame, Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

KEY = "lbj"
LAYOUT = 1
PARTS = ("pixel", "channel", "count")


def array_names(signals: Iterable[Signal]) -> dict[str, str]:
    """Return the names under which the arrays of signals stand, by name of the signal."""
    signals = list(signals)
    out = members([signal.name for signal in signals if not signal.static], (KEY, "static"))
    static = members(signal.name for signal in signals if signal.static)
    return out | {name: f"static/{found}" for name, found in static.items()}


def read(path: Path) -> Source:
    """Open a file that `lbj export` wrote; see `lbj.importing.open_source`."""
    with store(path) as arrays:
        described = arrays.column(KEY)
        try:
            described_json = json.loads(described.take(described.shape[0]).tobytes())
            signals = [
                Signal.from_json({key: value for key, value in item.items() if key != "coding"})
                for item in described_json["signals"]
            ]
            frames = [(list(item["signals"]), dict(item["attributes"])) for item in described_json["frames"]]
            metadata = dict(described_json["metadata"])
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise DamagedError(f"{path}: array {KEY!r} is no description of a series: {error!r}") from error
        names = array_names(signals)
        static = {s.name: _shaped(path, arrays, s, names).take(s.shape[0]) for s in signals if s.static}
    return Source(signals, _frames(path, signals, frames), len(frames), static, metadata)


def _shaped(path: Path, arrays: Npz | Hdf5, signal: Signal, names: dict[str, str], *lead: int) -> Column:
    name = names[signal.name]
    if name not in arrays.names:
        raise DamagedError(f"{path}: array {name!r} is missing")
    column = arrays.column(name)
    shape = (*lead, *signal.shape)
    if column.shape != shape or column.dtype.name != signal.dtype:
        raise DamagedError(f"{path}: array {name!r} should be {signal.dtype} {shape}, is {column.dtype} {column.shape}")
    return column


def _frames(path: Path, signals: list[Signal], frames: list[tuple[list[str], dict[str, Any]]]) -> Iterator[Frame]:
    stand = array_names(signals)
    with store(path) as arrays:
        readers = {
            signal.name: _events(path, arrays, signal, stand[signal.name], len(frames))
            if signal.kind == "events"
            else _dense(_shaped(path, arrays, signal, stand, len(frames)))
            for signal in signals
            if not signal.static
        }
        for names, attributes in frames:
            data = {name: next(reader) for name, reader in readers.items()}
            yield {name: value for name, value in data.items() if name in names}, attributes


def _dense(column: Column) -> Iterator[np.ndarray]:
    for _ in range(column.shape[0]):
        yield column.take(1)[0]


def _events(path: Path, arrays: Npz | Hdf5, signal: Signal, name: str, n_frames: int) -> Iterator[Events]:
    missing = [part for part in (*PARTS, "offset") if f"{name}/{part}" not in arrays.names]
    if missing:
        raise DamagedError(f"{path}: array {name}/{missing[0]} is missing")
    offset = arrays.column(f"{name}/offset").take(n_frames + 1).astype(np.int64)
    steps = np.diff(offset)
    if offset[0] != 0 or (steps < 0).any() or int(steps.max(initial=0)) > math.prod(signal.shape):
        raise DamagedError(f"{path}: {name}/offset does not rise from 0 by at most a frame's voxels")
    columns = [arrays.column(f"{name}/{part}") for part in PARTS]
    for step in steps.tolist():
        try:
            pixel, channel, count = (column.take(step) for column in columns)
            yield Events(pixel, channel, count, signal.shape)
        except LbjError as error:
            raise DamagedError(f"{path}: {name}: {error}") from error
