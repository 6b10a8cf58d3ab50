"""Messages to and from the importing process: JSON, then the bytes of arrays; no pickles."""

from __future__ import annotations

import datetime
import json
from typing import Any, BinaryIO

import numpy as np

from ..events import Events
from ..format import blocks
from ..format.records import Record
from ..signal import Signal

KINDS = "biuf"  # of arrays


def send(file: BinaryIO, message: dict[str, Any]) -> None:
    """Write a message of plain values, Events, arrays and stored blocks."""
    parts: list[np.ndarray] = []
    text = json.dumps(_packed(message, parts), default=_plain).encode()
    file.write(len(text).to_bytes(8, "little") + text)
    file.writelines(_bytes(part) for part in parts if part.size)
    file.flush()


def receive(file: BinaryIO) -> dict[str, Any]:
    """Read a message.

    Raises
    ------
    EOFError
        If the other process has ended.
    """
    text = _read(file, int.from_bytes(_read(file, 8), "little"))
    message = json.loads(text)
    parts = []
    for kind, shape in message.pop("arrays"):
        part = np.empty(shape, np.dtype(kind))
        if part.dtype.kind not in KINDS:
            raise EOFError(f"an array of {kind}")
        if part.size:
            _fill(file, _bytes(part))
        parts.append(part)
    out: dict[str, Any] = _unpacked(message["value"], parts)
    return out


def _read(file: BinaryIO, size: int) -> bytearray:
    out = bytearray(size)
    _fill(file, memoryview(out))
    return out


def _fill(file: BinaryIO, view: memoryview) -> None:
    while view:
        done = file.readinto(view)  # type: ignore[attr-defined]
        if not done:
            raise EOFError("the process ended")
        view = view[done:]


def _bytes(array: np.ndarray) -> memoryview:
    flat: memoryview = array.reshape(-1).view(np.uint8).data
    return flat


def _packed(message: dict[str, Any], parts: list[np.ndarray]) -> dict[str, Any]:
    value = _pack(message, parts)
    return {"value": value, "arrays": [(part.dtype.str, part.shape) for part in parts]}


def _pack(value: Any, parts: list[np.ndarray]) -> Any:
    if isinstance(value, dict):
        return {"dict": {key: _pack(item, parts) for key, item in value.items()}}
    if isinstance(value, (list, tuple)):
        return {"list": [_pack(item, parts) for item in value]}
    if isinstance(value, np.ndarray) and value.dtype.kind in KINDS:
        parts.append(np.ascontiguousarray(value))
        return {"array": len(parts) - 1}
    if isinstance(value, Events):
        return {"events": [_pack(part, parts) for part in (value.pixel, value.channel, value.count)], "of": value.shape}
    if isinstance(value, blocks.Verbatim):
        stored = [[None, *block[1:-1], _pack(np.frombuffer(block.data, np.uint8), parts)] for block in value.blocks]
        return {"blocks": stored, "of": value.signal.to_json(), "read": _pack(value.array, parts)}
    return {"is": value}


def _unpacked(value: dict[str, Any], parts: list[np.ndarray]) -> Any:
    if "dict" in value:
        return {key: _unpacked(item, parts) for key, item in value["dict"].items()}
    if "list" in value:
        return [_unpacked(item, parts) for item in value["list"]]
    if "array" in value:
        return parts[value["array"]]
    if "events" in value:
        pixel, channel, count = (_unpacked(part, parts) for part in value["events"])
        return Events(pixel, channel, count, value["of"])
    if "blocks" in value:
        stored = [_block(one[1:6], _unpacked(one[6], parts)) for one in value["blocks"]]
        return blocks.Verbatim(Signal.from_json(value["of"]), stored, _unpacked(value["read"], parts))
    return value["is"]


def _block(fields: list[Any], data: np.ndarray) -> blocks.Block:
    signal, coding, voxels, events, window = fields
    bounds = tuple((start, stop) for start, stop in window)
    return blocks.Block(Record(0, b"BLOK", 0, 0, 0), signal, coding, voxels, events, bounds, _bytes(data))


def _plain(value: Any) -> Any:
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return value.tolist() if hasattr(value, "tolist") else str(value)
