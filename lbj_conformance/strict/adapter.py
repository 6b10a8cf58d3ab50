"""The adapter protocol of the conformance suite: describe, decode, recover, encode."""

from __future__ import annotations

import hashlib
import math
import sys
from typing import Any

import numpy as np

from . import blocks, codings
from .blocks import Block, Events
from .encode import encode
from .errors import Refused
from .frames import Frame
from .header import Signal
from .reader import Reader
from .records import Source
from .recover import recover

MOST_BYTES = 256 * 2**20
MOST_DENSE_VOXELS = 2**24


def describe() -> dict[str, Any]:
    """Answer the call `describe`."""
    return {
        "name": "strict",
        "version": "0.9",
        "reader": "streaming",
        "commands": ["decode", "recover", "encode"],
        "codings": list(codings.NAMES),
    }


def _error(refused: Refused) -> dict[str, Any]:
    return {"error": refused.kind, "offset": refused.offset}


def _array(value: Events | np.ndarray, shape: tuple[int, ...], dtype: str) -> dict[str, Any]:
    answer: dict[str, Any] = {"shape": list(shape), "dtype": dtype}
    if isinstance(value, Events):
        if math.prod(shape) > MOST_DENSE_VOXELS:
            pairs = zip(value.indices.tolist(), value.counts.tolist(), strict=True)
            return answer | {"list": [list(pair) for pair in pairs]}
        value = value.dense(np.dtype(dtype).newbyteorder("<"))
    return answer | {"sha256": hashlib.sha256(value.tobytes()).hexdigest()}


class _Decoded:
    """Arrays of one frame, and the groups that they make."""

    def __init__(self, signals: list[Signal]) -> None:
        self._signals = signals
        self.arrays: dict[str, Any] = {}
        self._groups: dict[str, list[Events]] = {}
        self._refused: dict[str, Refused] = {}

    def add(self, number: int, found: list[Block] | Refused) -> None:
        """Decode one signal, or take its error."""
        signal = self._signals[number]
        grouped = signal.group if signal.kind == "events" else None
        try:
            if isinstance(found, Refused):
                raise found
            value = blocks.join(found, signal, MOST_BYTES)
            self.arrays[signal.name] = _array(value, signal.shape, signal.dtype)
            if grouped is not None and isinstance(value, Events):
                self._groups.setdefault(grouped, []).append(value)
        except Refused as refused:
            self.arrays[signal.name] = _error(refused)
            if grouped is not None:
                self._refused.setdefault(grouped, refused)

    def groups(self) -> dict[str, Any]:
        """Sum the groups of events over the members that are present."""
        answer = {name: _error(refused) for name, refused in self._refused.items()}
        for name, members in self._groups.items():
            if name not in answer:
                answer[name] = _array(blocks.add(members), members[0].shape, "uint64")
        return answer


def _frame(frame: Frame, signals: list[Signal]) -> dict[str, Any]:
    if frame.error is not None:
        return _error(frame.error)
    decoded = _Decoded(signals)
    for number in sorted(frame.blocks):
        decoded.add(number, frame.blocks[number])
    return {"attributes": frame.attributes, "signals": decoded.arrays, "groups": decoded.groups()}


def decode(path: str) -> dict[str, Any]:
    """Answer the call `decode`."""
    answer: dict[str, Any] = {"result": "ok", "offset": None}
    frames: list[dict[str, Any]] = []
    statics: dict[str, Any] = {}
    with open(path, "rb") as file:
        reader = Reader(Source(file))
        refused: Refused | None = None
        try:
            reader.read_header()
        except Refused as error:
            refused = error
        else:
            try:
                for frame in reader.frames():
                    frames.append(_frame(frame, reader.signals))  # noqa: PERF401 - those before an error stay
            except Refused as error:
                refused = error
            decoded = _Decoded(reader.signals)
            for number in sorted(reader.static):
                decoded.add(number, reader.static[number])
            statics = decoded.arrays
            try:
                header = reader.header()
                metadata = header.get("metadata", {})
                answer["header"] = {
                    "signals": header["signals"],
                    "metadata": metadata if isinstance(metadata, dict) else {},
                    "source": header.get("source"),
                }
            except Refused as error:
                refused = refused or error
        if reader.version is not None:
            answer["version"] = list(reader.version)
    if refused is not None:
        print(refused, file=sys.stderr)
        answer |= {"result": refused.kind, "offset": refused.offset}
    return answer | {"frames": frames, "static": statics}


__all__ = ["decode", "describe", "encode", "recover"]
