"""Export to NumPy ``.npz`` and HDF5 ``.h5``: lossless, events as lists, in the layout of `lbj.importing.listed`."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..importing.listed import KEY, LAYOUT, PARTS, array_names
from .hdf5_file import new_hdf5

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from ..signal import Signal
    from .series import Series


class Sink(Protocol):
    """Takes arrays piece by piece."""

    def write(self, name: str, shape: tuple[int, ...], dtype: str, blocks: Iterable[np.ndarray]) -> None:
        """Store the array of which `blocks` are successive parts along its first axis."""


def npz(series: Series, path: Path) -> None:
    """Write a NumPy archive."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as archive:
        _write(series, _Npz(archive))


def h5(series: Series, path: Path) -> None:
    """Write an HDF5 file."""
    with new_hdf5(path) as file:
        _write(series, _Hdf5(file))


class _Npz:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive

    def write(self, name: str, shape: tuple[int, ...], dtype: str, blocks: Iterable[np.ndarray]) -> None:
        kind = np.dtype(dtype).newbyteorder("<")
        header = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": shape}
        with self.archive.open(f"{name}.npy", "w", force_zip64=True) as file:
            np.lib.format.write_array_header_1_0(file, header)
            for block in blocks:
                file.write(np.ascontiguousarray(block, kind).tobytes())


class _Hdf5:
    def __init__(self, file: Any) -> None:
        self.file = file

    def write(self, name: str, shape: tuple[int, ...], dtype: str, blocks: Iterable[np.ndarray]) -> None:
        packed = {"chunks": True, "compression": "gzip", "shuffle": True} if 0 not in shape else {}
        dataset = self.file.create_dataset(name, shape, dtype, **packed)
        at = 0
        for block in blocks:
            if len(block):
                dataset[at : at + len(block)] = block
            at += len(block)


def _write(series: Series, sink: Sink) -> None:
    frames = [series.journal[number] for number in series.numbers]
    described = {
        "layout": LAYOUT,
        "signals": [signal.to_json() for signal in series.stored],
        "metadata": series.journal.metadata,
        "frames": [{"signals": list(frame.names), "attributes": frame.attributes} for frame in frames],
    }
    text = np.frombuffer(json.dumps(described, ensure_ascii=False, allow_nan=False).encode(), np.uint8)
    sink.write(KEY, text.shape, "uint8", [text])
    names = array_names(series.stored)
    for signal in series.stored:
        name = names[signal.name]
        if signal.static:
            value = series.journal.static(signal.name)
            sink.write(name, signal.shape, signal.dtype, [value.dense() if signal.kind == "events" else value])
        elif signal.kind == "events":
            _write_events(series, sink, signal, name)
        else:
            sink.write(name, (len(frames), *signal.shape), signal.dtype, _dense(series, signal))


def _write_events(series: Series, sink: Sink, signal: Signal, name: str) -> None:
    sizes = [len(events) if events is not None else 0 for events in _each(series, signal)]
    offset = np.concatenate([[0], np.cumsum(sizes, dtype=np.uint64)]).astype(np.uint64)
    sink.write(f"{name}/offset", offset.shape, "uint64", [offset])
    for part in PARTS:
        blocks = (getattr(events, part) for events in _each(series, signal) if events is not None)
        sink.write(f"{name}/{part}", (int(offset[-1]),), "uint32", blocks)


def _dense(series: Series, signal: Signal) -> Iterator[np.ndarray]:
    for value in _each(series, signal):
        yield (np.zeros(signal.shape, signal.dtype) if value is None else value)[None]


def _each(series: Series, signal: Signal) -> Iterator[Any]:
    """Yield the signal's data frame by frame, None where a frame lacks it."""
    for number in series.numbers:
        frame = series.journal[number]
        if signal.name not in frame.names:
            yield None
        else:
            yield frame.events(signal.name) if signal.kind == "events" else frame.array(signal.name)
