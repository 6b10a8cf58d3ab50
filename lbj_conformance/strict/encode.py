"""Writing of a journal from its description: the call `encode` of the adapter protocol."""

from __future__ import annotations

import base64
import binascii
import math
import sys
import uuid
from collections.abc import Iterator
from typing import Any

import numpy as np

from . import codings, describe, json_text, layouts
from .blocks import MOST_ELEMENTS, MOST_WINDOWS, Window, shape_of, volume_of
from .errors import Refused, damaged, unsupported
from .header import HEAD_OFFSET, Signal, check_signals, is_integer
from .write import Writer

DEEPEST = json_text.DEEPEST + 8
LARGEST = 2**32 - 1


def _wrong(message: str) -> Refused:
    return damaged(0, "encode", message)


def _halves(window: Window) -> tuple[Window, Window]:
    """Cut the longest axis in the middle."""
    axis = max(range(len(window)), key=lambda k: window[k][1] - window[k][0])
    start, stop = window[axis]
    middle = (start + stop) // 2
    return (
        (*window[:axis], (start, middle), *window[axis + 1 :]),
        (*window[:axis], (middle, stop), *window[axis + 1 :]),
    )


def _inside(places: np.ndarray, window: Window) -> np.ndarray:
    """Which of the places (one row an axis) lie in a window."""
    bounds = np.array(window, np.int64)
    result: np.ndarray = np.all((places >= bounds[:, :1]) & (places < bounds[:, 1:]), axis=0)
    return result


def _leb128(numbers: list[int]) -> bytes:
    """Clause 8.2.2, the shortest form."""
    result = bytearray()
    for number in numbers:
        rest = number
        while rest >= 0x80:
            result.append(rest & 0x7F | 0x80)
            rest >>= 7
        result.append(rest)
    return bytes(result)


def _payload(signal: Signal, coding: int, window: Window, numbers: tuple[int, int], data: bytes) -> bytes:
    """Return a BLOK payload; the writer fills in the frame."""
    windowed = any(bounds != (0, size) for bounds, size in zip(window, signal.shape, strict=True))
    bounds = (
        b"".join(layouts.packed(layouts.bounds, start=start, stop=stop) for start, stop in window) if windowed else b""
    )
    flags, (voxels, events) = layouts.HAS_WINDOW * windowed, numbers
    fixed = layouts.packed(layouts.blok, signal=signal.number, coding=coding, flags=flags, voxels=voxels, events=events)
    return fixed + bounds + data


def _event_block(signal: Signal, window: Window, places: np.ndarray, counts: np.ndarray) -> bytes:
    """Clause 8.2.1."""
    shape = shape_of(window)
    local = places - np.array(window, np.int64)[:, :1]
    pixels = np.zeros(len(counts), np.int64)
    for size, axis in zip(shape[:-1], local[:-1], strict=True):
        pixels = pixels * size + axis
    indices = local[-1] * math.prod(shape[:-1]) + pixels
    order = np.argsort(indices)
    numbers = []
    expected = 0
    for index, count in zip(indices[order].tolist(), counts[order].tolist(), strict=True):
        numbers.append((index - expected) * 2 + (count > 1))
        if count > 1:
            numbers.append(count - 2)
        expected = index + 1
    return _payload(signal, codings.LEB128, window, (len(counts), int(counts.sum())), _leb128(numbers))


def _events(signal: Signal, given: Any) -> Iterator[bytes]:
    """Give the blocks of an events signal from its list of voxels and counts."""
    if not isinstance(given, dict) or not isinstance(given.get("list"), list):
        raise _wrong(f"{signal.name}: events without a list")
    last = -1
    for pair in given["list"]:
        if not (isinstance(pair, list) and len(pair) == 2 and all(map(is_integer, pair))):
            raise _wrong(f"{signal.name}: {pair} is no voxel and count")
        if not last < pair[0] < signal.elements or not 1 <= pair[1] <= np.iinfo(signal.dtype).max:
            raise _wrong(f"{signal.name}: voxel or count {pair}")
        last = pair[0]
    pairs = np.array(given["list"], np.int64).reshape(-1, 2)
    pixels = math.prod(signal.shape[:-1])
    places = np.array([*np.unravel_index(pairs[:, 0] % pixels, signal.shape[:-1]), pairs[:, 0] // pixels])
    todo: list[tuple[Window, np.ndarray, np.ndarray]] = [
        (tuple((0, size) for size in signal.shape), places, pairs[:, 1])
    ]
    windows = 0
    while todo:
        window, places, counts = todo.pop()
        if volume_of(window) > MOST_ELEMENTS or int(counts.sum()) > LARGEST:  # clause 5.3.5
            if len(todo) > MOST_WINDOWS:
                break
            for half in reversed(_halves(window)):
                chosen = _inside(places, half)
                todo.append((half, places[:, chosen], counts[chosen]))
            continue
        windows += 1
        if windows > MOST_WINDOWS:
            break
        yield _event_block(signal, window, places, counts)
    if todo or windows > MOST_WINDOWS:
        raise unsupported(0, "5.3.7", f"{signal.name}: this writer cuts it into too many windows")


def _dense(signal: Signal, given: Any) -> Iterator[bytes]:
    """Give the block of a dense array."""
    text = given.get("base64") if isinstance(given, dict) else None
    if not isinstance(text, str):
        raise _wrong(f"{signal.name}: no base64")
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _wrong(f"{signal.name}: {error}") from None
    if len(data) != signal.elements * signal.little.itemsize:
        raise _wrong(f"{signal.name}: {len(data)} bytes")
    if signal.elements > MOST_ELEMENTS:
        raise unsupported(0, "5.3.5", f"{signal.name}: this writer does not cut dense arrays")
    yield _payload(signal, codings.RAW, tuple((0, size) for size in signal.shape), (0, 0), data)


def _blocks(given: Any, signals: dict[str, Signal], static: bool) -> list[bytes]:
    if not isinstance(given, dict):
        raise _wrong("signals are no object")
    payloads: list[bytes] = []
    for name, data in given.items():
        signal = signals.get(name)
        if signal is None or signal.static != static:
            raise _wrong(f"no such signal here: {name!r}")
        payloads += _events(signal, data) if signal.kind == "events" else _dense(signal, data)
    return payloads


def _write(description: dict[str, Any], writer: Writer) -> None:
    header = description.get("header")
    frames, static = description.get("frames", []), description.get("static", {})
    if not isinstance(header, dict) or not isinstance(frames, list):
        raise _wrong("header or frames")
    header = {"uuid": str(uuid.uuid4())} | header
    text = json_text.dump(header, HEAD_OFFSET)
    signals = {signal.name: signal for signal in check_signals(header, HEAD_OFFSET)}
    describe.check(header, HEAD_OFFSET)
    writer.head(text)
    payloads = _blocks(static, signals, static=True)
    if payloads:
        writer.static(payloads)
    for frame in frames:
        if not isinstance(frame, dict):
            raise _wrong("a frame is no object")
        attributes = frame.get("attributes", {})
        if not isinstance(attributes, dict):
            raise _wrong("attributes are no object")
        json = json_text.dump(attributes, 0) if attributes else b""
        writer.frame(_blocks(frame.get("signals", {}), signals, static=False), json)


def encode(description: str, path: str) -> dict[str, Any]:
    """Answer the call `encode`: write the new journal `path` from the description in a file."""
    with open(description, "rb") as file:
        data = file.read()
    try:
        loaded = json_text.load(data, 0, len(data), DEEPEST)
        with Writer(path) as writer:
            _write(loaded, writer)
    except Refused as refused:
        print(refused, file=sys.stderr)
        return {"result": "unsupported" if refused.kind == "unsupported" else "refused"}
    except FileExistsError as error:  # clause 10.4
        print(error, file=sys.stderr)
        return {"result": "refused"}
    return {"result": "ok"}
