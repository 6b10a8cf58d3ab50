"""Messages: JSON lines checked field by field, and the arrays that they carry (``messages.schema.json``)."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lbj import Signal, UsageError
from lbj.events import U32_MAX, Events
from lbj.format.attributes import NAMES
from lbj.format.records import open_file
from lbj.signal import DTYPES

from ..accumulation.fillers import EXACT
from ..maps.map import Map

Fields = dict[str, Any]  # type, or types, of each

NUMBER = (int, float)
AXIS: tuple[Fields, Fields] = (
    {"name": str},
    {"size": int, "offset": NUMBER, "scale": NUMBER, "units": str, "values": list},
)
SIGNAL: tuple[Fields, Fields] = (
    {"name": str, "kind": str, "shape": list},
    {
        "dtype": str, "axes": list, "coding": str, "group": str, "role": str, "of": str, "to_field": list,
        "metadata": dict,
    },
)  # fmt: skip
REQUESTS: dict[str, tuple[Fields, Fields]] = {  # required and optional fields
    "open": (
        {"path": str},
        {
            "signals": list, "metadata": dict, "elements": list, "windows": dict, "image": str, "signal": str,
            "sync": bool,
        },
    ),
    "push": ({"data": dict}, {"attributes": dict}),
    "status": ({}, {}),
    "map": ({"name": str}, {"file": str}),
    "close": ({}, {}),
    "recorder": ({"folder": str, "instrument": str}, {"options": dict, "settings": dict, "analysis": bool}),
}  # fmt: skip
TYPES = {
    str: "text",
    dict: "an object",
    list: "a list",
    bool: "true or false",
    int: "a whole number",
    NUMBER: "a number",
}


def parse(line: bytes, requests: dict[str, tuple[Fields, Fields]]) -> tuple[str, dict[str, Any]]:
    """Return what a line asks to be done, one of the requests, and its other fields.

    Raises
    ------
    UsageError
        Naming the field that is missing, unknown or of the wrong type, or why the line is no JSON object.
    """
    try:
        message = json.loads(line.decode(), object_pairs_hook=_unique, parse_float=_finite, parse_constant=_finite)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"a request is one JSON object (UTF-8) on a line: {error}") from error
    if not isinstance(message, dict):
        raise UsageError(f"a request is one JSON object on a line, got {_shown(message)}")
    what = message.pop("do", None)
    if not isinstance(what, str) or what not in requests:
        raise UsageError(f"'do' must be one of {', '.join(requests)}, got {_shown(what)}")
    check(message, f"request {what!r}", *requests[what])
    return what, message


def check(item: Any, where: str, required: Fields, optional: Fields) -> None:
    """Check the names and types of an object's fields."""
    if not isinstance(item, dict):
        raise UsageError(f"{where} must be an object, got {_shown(item)}")
    known = {**required, **optional}
    missing = [name for name in required if name not in item]
    unknown = [name for name in item if name not in known]
    if missing or unknown:
        fault = f"lacks {missing[0]!r}" if missing else f"has no field {unknown[0]!r}"
        raise UsageError(f"{where} {fault}; its fields are {', '.join(known) or 'none'}")
    for name, value in item.items():
        if not isinstance(value, known[name]):
            raise UsageError(f"{where}: {name!r} must be {TYPES[known[name]]}, got {_shown(value)}")


def signal(item: Any) -> Signal:
    """Return the Signal that an object declares."""
    check(item, "a signal", *SIGNAL)
    for axis in item.get("axes", []):
        check(axis, f"an axis of signal {item['name']!r}", *AXIS)
    return Signal(**item)


def attributes(item: dict[str, Any]) -> dict[str, Any]:
    """Return a frame's attributes; their values are checked where the frame is stored."""
    for name, value in item.items():
        if name not in NAMES or value is None:
            fault = "is null; leave out what is not known" if name in NAMES else "is unknown"
            raise UsageError(f"attribute {name!r} {fault}; expected some of {', '.join(NAMES)}")
    return item


def data(item: Any, declared: Signal) -> Events | NDArray[Any]:
    """Return the data of one signal: events, an array, or what a file of numpy holds."""
    where = f"data of {declared.name!r}"
    if isinstance(item, dict) and "file" in item:
        check(item, where, {"file": str}, {})
        return _file(item["file"], where, declared)
    if isinstance(item, dict) and "base64" in item:
        check(item, where, {"dtype": str, "shape": list, "base64": str}, {})
        return _packed(item, where, declared)
    if isinstance(item, dict) and "pixel" in item:
        check(item, where, {"pixel": list, "channel": list}, {"count": list})
        return _events(item, where, declared)
    raise UsageError(f"{where} are {{pixel, channel, count}}, {{dtype, shape, base64}} or {{file}}, got {_shown(item)}")


def packed(made: Map) -> dict[str, Any]:
    """Return a map as dtype, shape and base64; float64 where a pixel passes 2^24, else float32."""
    return packed_array(precise(made))


def packed_array(values: NDArray[Any]) -> dict[str, Any]:
    """Return an array as dtype, shape and base64."""
    text = base64.b64encode(values.astype(values.dtype.newbyteorder("<")).tobytes()).decode()
    return {"dtype": values.dtype.name, "shape": list(values.shape), "base64": text}


def precise(made: Map) -> NDArray[Any]:
    """Return the values of a map as float32, or as float64 where float32 does not hold them."""
    largest = np.abs(made.values[np.isfinite(made.values)]).max(initial=0.0)
    return made.values if largest > EXACT else made.values.astype(np.float32)


def _file(name: str, where: str, declared: Signal) -> NDArray[Any]:
    try:
        with open_file(name) as file:
            major, _ = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if major == 1 else np.lib.format.read_array_header_2_0
            shape = read(file)[0]
            _check_shape(shape, where, declared)
            file.seek(0)
            return np.asarray(np.lib.format.read_array(file, allow_pickle=False))
    except UsageError:
        raise
    except (OSError, ValueError) as error:
        raise UsageError(f"{where}: {name!r} is no .npy file that can be read: {error}") from error


def _packed(item: dict[str, Any], where: str, declared: Signal) -> NDArray[Any]:
    if item["dtype"] not in DTYPES:
        raise UsageError(f"{where}: dtype must be one of {', '.join(DTYPES)}, got {_shown(item['dtype'])}")
    _check_shape(item["shape"], where, declared)
    dtype = np.dtype(item["dtype"]).newbyteorder("<")
    size = math.prod(declared.shape) * dtype.itemsize
    length = -(-size // 3) * 4
    text = item["base64"]
    if len(text) != length:
        raise UsageError(
            f"{where}: {item['dtype']} of {list(declared.shape)} are {length} characters of base64, got {len(text)}"
        )
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise UsageError(f"{where}: not base64 (RFC 4648, section 4): {error}") from error
    if len(raw) != size:
        raise UsageError(f"{where}: {item['dtype']} of {list(declared.shape)} are {size} bytes, got {len(raw)}")
    return np.frombuffer(raw, dtype).reshape(declared.shape)


def _events(item: dict[str, Any], where: str, declared: Signal) -> Events:
    if declared.kind != "events":
        raise UsageError(f"{where}: events were given, but the signal is of kind {declared.kind!r}")
    lists = {name: _whole(item[name], f"{where}: {name!r}", int(name == "count")) for name in item}
    sizes = {name: len(values) for name, values in lists.items()}
    if len(set(sizes.values())) > 1:
        raise UsageError(f"{where}: the lists must be equally long, got {sizes}")
    try:
        return Events.from_list(lists["pixel"], lists["channel"], declared.shape, lists.get("count"))
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from error


def _whole(values: list[Any], where: str, least: int) -> NDArray[np.uint32]:
    wrong = [value for value in values if type(value) is not int or not least <= value <= U32_MAX]
    if wrong:
        raise UsageError(f"{where} must hold whole numbers from {least} to {U32_MAX}, got {_shown(wrong[0])}")
    return np.array(values, np.uint32)


def _check_shape(shape: Any, where: str, declared: Signal) -> None:
    if list(shape) != list(declared.shape) or any(type(size) is not int for size in shape):
        raise UsageError(f"{where}: the signal is of shape {list(declared.shape)}, got {_shown(list(shape))}")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) != len(pairs):
        raise UsageError("a name stands twice in one object")
    return out


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise UsageError(f"{text} is no finite number")
    return value


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
