"""The adapter protocol (conformance/protocol.md) on top of lbj_baseline: adapter.py describe, or encode JSON PATH."""

# SPDX-License-Identifier: BSD-3-Clause
# ruff: noqa: ANN001, ANN002, ANN201, INP001

import base64
import json
import os
import sys

import lbj_baseline
import numpy as np


def is_meant_for(header, frames, static):
    """Whether the writer has means for what is asked; what is merely wrong is left to it."""
    signals = header["signals"]
    if static or not frames or set(header) - {"signals", "metadata"}:
        return False
    if any(signal.get("role") in lbj_baseline.STATIC_ROLES for signal in signals):
        return False
    members = {"name", "kind", "shape", "dtype", *lbj_baseline.OPTIONAL}
    if any(not key.startswith("x-") for signal in signals for key in set(signal) - members):
        return False
    sizes = {signal["name"]: lbj_baseline.volume(signal["shape"]) for signal in signals}
    for frame in frames:
        attributes = frame.get("attributes", {})
        if any(key not in lbj_baseline.ATTRIBUTES and not key.startswith("x-") for key in attributes):
            return False
        for name, array in frame.get("signals", {}).items():
            counts = sum(count for _, count in array.get("list", []))
            if max(sizes.get(name, 0), counts) > lbj_baseline.MOST:
                return False
    return True


def encode(header, frames):
    """Yield the arguments `data`, `metadata`, `signals`, attributes of `write_frame` for each frame."""
    signals = {signal["name"]: {k: v for k, v in signal.items() if k != "coding"} for signal in header["signals"]}
    if len(signals) < len(header["signals"]):
        raise ValueError("two signals of one name")
    for signal in signals.values():
        del signal["name"]
    for frame in frames:
        data = {}
        for name, array in frame.get("signals", {}).items():
            signal = signals[name]
            if "list" in array:
                pairs = np.array(array["list"], object).reshape(-1, 2)
                if not all(type(number) is int for number in pairs.flat):
                    raise ValueError("voxels and counts that are no integers")
                voxel, count = pairs.T.astype(np.int64)
                data[name] = lbj_baseline.Counts(tuple(signal["shape"]), voxel, count)
            else:
                raw = base64.b64decode(array["base64"], validate=True)
                dtype = np.dtype(signal["dtype"]).newbyteorder("<")
                data[name] = np.frombuffer(raw, dtype).reshape(signal["shape"])
        attributes = dict(frame.get("attributes", {}))
        if "metadata" in attributes:
            attributes["frame_metadata"] = attributes.pop("metadata")
        yield data, header.get("metadata"), signals, attributes


def main(command, *arguments):
    """Answer one call."""
    if command == "describe":
        return {"name": "baseline-python", "version": "0.1", "commands": ["encode"], "codings": []}
    source, path = arguments
    with open(source, encoding="utf-8") as file:
        asked = json.load(file)
    if os.path.exists(path):  # write_frame would append
        return {"result": "refused"}
    try:
        header, frames = asked["header"], asked["frames"]
        if not is_meant_for(header, frames, asked.get("static")):
            return {"result": "unsupported"}
        for data, metadata, signals, attributes in list(encode(header, frames)):
            lbj_baseline.write_frame(path, data, metadata, signals, **attributes)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        if os.path.exists(path):
            os.remove(path)
        return {"result": "refused"}
    return {"result": "ok"}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
