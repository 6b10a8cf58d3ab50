"""`lbj conform`: the library as an adapter that the conformance suite tests (conformance/protocol.md).

The reader is an indexed one (clause 1.3): a broken chain without a valid index is refused as a whole.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
import os
from typing import Any

import numpy as np

from . import codings
from .errors import DamagedError, LbjError, TruncatedError, UnsupportedError, UsageError
from .events import Events
from .frame import Frame
from .reader import Journal
from .reader import open as open_journal
from .recovery.recover import recover as recover_journal
from .signal import Signal
from .version import __version__
from .writer import begin

LIMIT = 2**28  # bytes of a dense array
DENSE = 2**24  # voxels up to which counts are digested dense

Json = dict[str, Any]


def describe() -> Json:
    """What this implementation is."""
    names = [codings.name(number) for number in codings.MODULES]
    commands = ["decode", "recover", "encode"]
    return {"name": "lbj", "version": __version__, "reader": "indexed", "commands": commands, "codings": names}


def decode(path: str) -> Json:
    """Read a journal and say what is in it."""
    try:
        with open_journal(path, max_bytes=LIMIT) as journal:
            return _journal(journal)
    except (DamagedError, UnsupportedError) as error:
        return _ended(error)


def _ended(error: DamagedError | UnsupportedError) -> Json:
    return {"result": _kind(error), "offset": error.offset}


def _kind(error: LbjError) -> str:
    if isinstance(error, UsageError):
        return "limit"
    if isinstance(error, UnsupportedError):
        return "unsupported"
    return "truncated" if isinstance(error, TruncatedError) else "damaged"


def _journal(journal: Journal) -> Json:
    frames = [_frame(journal, frame) for frame in journal]
    out: Json = {"result": "ok", "offset": None}
    if isinstance(journal.tail, TruncatedError):
        out = _ended(journal.tail)
    out["version"] = list(journal.version)
    out["header"] = {"signals": journal.header["signals"], "metadata": journal.metadata}
    out["frames"] = frames
    out["static"] = _static(journal)
    if not any("error" in json.dumps(frame) for frame in frames):
        out["digest"] = journal.content_digest()
    return out


def _frame(journal: Journal, frame: Frame) -> Json:
    try:
        names = frame.names
        groups = [journal.signals[name].group for name in names if journal.signals[name].kind == "events"]
        return {
            "attributes": frame.attributes,
            "signals": {name: _array(frame, name, journal.signals[name].dtype) for name in names},
            "groups": {group: _array(frame, group, "uint64") for group in groups if group},
        }
    except (DamagedError, UnsupportedError) as error:
        return {"error": _kind(error), "offset": error.offset}


def _array(frame: Frame, name: str, dtype: str) -> Json:
    signal = frame.journal.signals[name]
    try:
        data = frame.read(name)
    except UsageError:
        return {"error": "limit", "offset": frame.offset(name)}
    except (DamagedError, UnsupportedError) as error:
        return {"error": "unsupported" if isinstance(error, UnsupportedError) else "damaged", "offset": error.offset}
    return _found(signal, data, dtype)


def _found(signal: Signal, data: Any, dtype: str) -> Json:
    out: Json = {"shape": list(signal.shape), "dtype": dtype}
    if isinstance(data, Events):
        if math.prod(signal.shape) > DENSE:
            voxel = data.channel.astype(np.uint64) * np.uint64(data.pixels) + data.pixel
            return {**out, "list": np.stack([voxel, data.count.astype(np.uint64)], axis=1).tolist()}
        data = data.dense()
    raw = np.ascontiguousarray(data, np.dtype(dtype).newbyteorder("<")).tobytes()
    return {**out, "sha256": hashlib.sha256(raw).hexdigest()}


def _static(journal: Journal) -> Json:
    out = {}
    for name, signal in journal.signals.items():
        if not signal.static:
            continue
        try:
            out[name] = _found(signal, journal.static(name), signal.dtype)
        except UsageError:
            continue
        except (DamagedError, UnsupportedError) as error:
            out[name] = {"error": _kind(error), "offset": error.offset}
    return out


def recover(path: str, out: str) -> Json:
    """Save what is whole."""
    with open(path, "rb") as file:
        try:
            found = recover_journal(file, out, lambda _: None, LIMIT)
        except (DamagedError, UnsupportedError) as error:
            return _ended(error)
    return {"result": "ok", "kept": found.kept, "lost": found.lost}


def encode(description: str, path: str) -> Json:
    """Write the journal that is described."""
    with open(description, encoding="utf-8") as file:
        asked = json.load(file)
    begun = False
    try:
        signals = [Signal.from_json(item) for item in asked["header"]["signals"]]
        with begin(path, signals, asked["header"]["metadata"]) as writer:
            begun = True
            by_name = {signal.name: signal for signal in signals}
            for name, value in asked["static"].items():
                writer.put_static(name, _given(by_name, name, value))
            for frame in asked["frames"]:
                data = {name: _given(by_name, name, value) for name, value in frame["signals"].items()}
                writer.append(data, **frame["attributes"])
    except (UsageError, binascii.Error):
        if begun:
            os.unlink(path)
        return {"result": "refused"}
    return {"result": "ok"}


def _given(signals: dict[str, Signal], name: str, value: Json) -> Any:
    if name not in signals:
        return None
    shape = signals[name].shape
    if "list" in value:
        pairs = np.array(value["list"], np.uint64).reshape(-1, 2)
        pixels = math.prod(shape[:-1])
        return Events.from_list(pairs[:, 0] % pixels, pairs[:, 0] // pixels, shape, pairs[:, 1])
    flat = np.frombuffer(base64.b64decode(value["base64"]), np.uint8)
    dtype = np.dtype(signals[name].dtype).newbyteorder("<")
    if flat.size != math.prod(shape) * dtype.itemsize:
        raise UsageError(f"{name!r}: {math.prod(shape) * dtype.itemsize} bytes are expected, got {flat.size}")
    return flat.view(dtype).reshape(shape)
