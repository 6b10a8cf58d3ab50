"""Descriptions of journals for writers: what they are to write, or to refuse."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from ..builder import Counts, compact, cut, draw, events, expected_array, image, sparse, spectra
from ..catalogue import Made, vector
from .accept_records import AXES, cube

M32 = 2**32 - 1
Json = dict[str, Any]


def task(
    signals: list[Json], frames: list[Json], static: Json | None = None, metadata: Json | None = None
) -> tuple[Json, Json]:
    """The description, and what a reader of the journal finds; frames: signal name -> array, and "attributes"."""
    header = {"signals": signals, "metadata": metadata or {}}
    by_name = {signal["name"]: signal for signal in signals}

    def given(values: Json) -> Json:
        out: Json = {}
        for name, value in values.items():
            signal = by_name[name]
            if signal["kind"] == "events":
                voxel, count = cut(signal["shape"], value, [(0, size) for size in signal["shape"]])
                out[name] = {"list": [list(pair) for pair in zip(voxel, count, strict=True)]}
            else:
                raw = value.astype(np.dtype(signal["dtype"]).newbyteorder("<")).tobytes()
                out[name] = {"base64": base64.b64encode(raw).decode()}
        return out

    def found(values: Json) -> Json:
        return {name: expected_array(by_name[name]["shape"], by_name[name]["dtype"], values[name]) for name in values}

    parts = [
        ({name: value for name, value in frame.items() if name != "attributes"}, frame.get("attributes", {}))
        for frame in frames
    ]
    asked = {
        "header": header,
        "frames": [{"attributes": attributes, "signals": given(values)} for values, attributes in parts],
        "static": given(static or {}),
    }
    got = {
        "version": [0, 9],
        "header": header,
        "frames": [{"attributes": attributes, "signals": found(values)} for values, attributes in parts],
        "static": found(static or {}),
    }
    return asked, got


def written(*args: Any, **options: Any) -> Made:
    """A description that a writer carries out."""
    asked, got = task(*args, **options)
    return Made(compact(asked), {"result": "ok", "journal": got}, set())


def refused(asked: Json) -> Made:
    """A description that a writer refuses."""
    return Made(compact(asked), {"result": "refused"}, set())


@vector("encode/counts", "10.5", "8.0", "10.2", provokes="frames are numbered or completed wrongly")
def counts() -> Made:
    return written([events()], [{"EDX": cube(f"e{i}")} for i in range(3)])


@vector("encode/no-frames", "10.5", provokes="HEAD is written with the first frame only")
def no_frames() -> Made:
    return written([events()], [])


@vector("encode/no-counts", "5.3.6", provokes="an empty block is left out or malformed")
def no_counts() -> Made:
    return written([events()], [{"EDX": np.zeros((2, 3, 4), np.uint32)}])


@vector(
    "encode/largest-counts", "5.3.6", "8.2.2", provokes="counts in 31 bits; a block whose sum passes 2^32-1 is not cut"
)
def largest() -> Made:
    value = np.zeros((2, 3, 4), np.uint32)
    value[0, 1, 2] = M32
    other = np.full((2, 3, 4), M32, np.uint32)
    return written([events()], [{"EDX": value}, {"EDX": other}])


@vector("encode/narrow-counts", "5.1.5", provokes="every journal is written as uint32")
def narrow() -> Made:
    signals = [events("A", dtype="uint8"), events("B", dtype="uint16")]
    data = {"A": np.full((2, 3, 4), 255, np.uint8), "B": np.full((2, 3, 4), 65535, np.uint16)}
    return written(signals, [data])


for pixels in (65535, 65537):

    @vector(f"encode/{pixels}-pixels", "2.3", provokes="pixel numbers in 16 bits")
    def many(pixels: int = pixels) -> Made:
        value = np.zeros((1, pixels, 2), np.uint8)
        value[0, draw("en", (100,), below=pixels), draw("ec", (100,), below=2)] = 3
        value[0, pixels - 1, 1] = 1
        return written([events(shape=(1, pixels, 2), dtype="uint8")], [{"EDX": value}])


@vector("encode/4096-channels", "2.3", provokes="channel numbers in 11 bits")
def channels() -> Made:
    value = np.zeros((3, 2, 4096), np.uint16)
    value[:, :, [0, 2048, 4095]] = draw("ch", (3, 2, 3), "uint16", below=70)
    return written([events(shape=(3, 2, 4096), dtype="uint16")], [{"EDX": value}])


@vector("encode/more-than-2-32-voxels", "5.3.5", provokes="a window of more voxels than a block may hold")
def huge() -> Made:
    pixels = 2048 * 2048
    value = Counts([[0, 1], [pixels * 4096 - 1, 2]])
    return written([events(shape=(2048, 2048, 4096))], [{"EDX": value}])


@vector("encode/five-axes", "2.2", "2.3", provokes="two navigation axes are assumed")
def five_axes() -> Made:
    shape = (2, 1, 3, 2, 5)
    return written([events(shape=shape)], [{"EDX": sparse("fa", shape, one_in=2)}])


@vector("encode/arrays", "8.1.1", "3.1", provokes="byte order and dtypes of images and spectra")
def arrays() -> Made:
    dtypes = ["uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float32", "float64"]
    signals = [image(dtype, (3, 5), dtype) for dtype in dtypes] + [spectra("S", (2, 2, 3), "float32")]
    data: Json = {}
    for dtype in dtypes:
        kind = np.dtype(dtype)
        raw = draw("a" + dtype, (3, 5, kind.itemsize), "uint8").tobytes()
        data[dtype] = np.frombuffer(raw, kind.newbyteorder("<")).reshape(3, 5)
    data["S"] = np.array([0, -0.0, np.nan, np.inf] * 3, np.float32).reshape(2, 2, 3)
    return written(signals, [data])


@vector(
    "encode/lossless-int",
    "8.6.1",
    "8.6.2",
    "8.5.11",
    provokes="values that are no integers of 25 bits are lost, or the sign of zero",
)
def lossless_int() -> Made:
    named = {"coding": "lossless-int"}
    signals = [
        image("I", (9, 11), "int16", **named),
        image("one", (1, 1), "uint8", **named),
        spectra("U", (2, 3, 30), "uint64", **named),
        spectra("F", (4, 5, 20), "float32", **named),
        spectra("D", (1, 7, 40), "float64", **named),
        spectra("T", (2, 2, 3, 2, 9), "uint8", **named),
    ]
    data: Json = {
        signal["name"]: draw("li" + signal["name"], tuple(signal["shape"]), below=200).astype(signal["dtype"])
        for signal in signals
    }
    data["I"][3, 4], data["I"][5, 6] = -32768, 32767
    data["U"][1, 2, 3], data["U"][0, 0, 0] = 2**64 - 1, 2**24
    data["F"].reshape(-1)[[0, 7, 399]] = [-0.0, np.nan, 0.5]
    data["D"].reshape(-1)[[5, 279]] = [np.inf, 2**24 + 1]
    constant = {**data, "U": np.full((2, 3, 30), 7, np.uint64), "F": np.full((4, 5, 20), -(2**24), np.float32)}
    return written(signals, [data, constant])


@vector("encode/signals-absent", "5.3.7", provokes="a signal that is absent is written empty, or zero")
def absent() -> Made:
    both = {"EDX": cube("ab"), "HAADF": draw("ab", (2, 3), "uint16")}
    return written([events(), image()], [both, {"EDX": both["EDX"]}, {"HAADF": both["HAADF"]}, {}])


@vector(
    "encode/descriptions", "5.1.5", "5.1.6", "5.1.9", "4.5.1", provokes="axes, names or metadata are lost or changed"
)
def descriptions() -> Made:
    signals = [
        events("EDX-1 Å \U0001f52c", axes=AXES, group="EDX", metadata={"azimuth": 0.785}),
        image(to_field=[[0.5, 0, 0], [0, 0.5, 0]]),
    ]
    return written(signals, [{}], metadata={"title": 'a "b" \\ \n', "beam_energy": 300000, "elements": ["Fe"]})


@vector("encode/attributes", "5.4.4", provokes="attributes are lost, or given to another frame")
def attributes() -> Made:
    frames = [
        {"EDX": cube(f"at{i}"), "attributes": {"live_time": {"EDX": 0.5 + i}, "region": i, "dwell_time": 1e-6}}
        for i in range(2)
    ]
    return written([events()], [*frames, {"EDX": cube("at2")}])


@vector("encode/static", "5.2.3", provokes="a static signal is written as a frame")
def static() -> Made:
    signals = [events(), image("survey", (3, 3), "uint8", role="survey")]
    return written(signals, [{"EDX": cube("st")}], static={"survey": draw("st", (3, 3), "uint8")})


GOOD, _ = task(
    [events(dtype="uint8"), image(dtype="uint8")], [{"EDX": cube("re"), "HAADF": draw("re", (2, 3), "uint8")}]
)


def changed(signals: Any = None, **data: Any) -> Json:
    """The good description with other signals, or other data in its frame."""
    out: Json = {**GOOD, "frames": [{"attributes": {}, "signals": {**GOOD["frames"][0]["signals"], **data}}]}
    if signals is not None:
        out = {**out, "header": {"signals": signals, "metadata": {}}, "frames": [{"attributes": {}, "signals": {}}]}
    return out


REFUSED = {
    "count-above-dtype": (changed(EDX={"list": [[0, 256]]}), "5.3.6"),
    "count-above-u32": (changed([events()]) | {"frames": [{"attributes": {}, "signals": {"EDX": {"list": [[0, 2**32]]}}}]}, "8.0"),
    "voxel-outside": (changed(EDX={"list": [[24, 1]]}), "8.0"),
    "image-too-short": (changed(HAADF={"base64": base64.b64encode(bytes(5)).decode()}), "8.1.1"),
    "image-too-long": (changed(HAADF={"base64": base64.b64encode(bytes(7)).decode()}), "8.1.1"),
    "signal-not-declared": (changed(Other={"list": []}), "5.3.2"),
    "no-signals": (changed([]), "5.1.4"),
    "names-equal": (changed([events(), events()]), "5.1.5"),
    "name-with-newline": (changed([events("a\nb")]), "5.1.5"),
    "dtype-of-counts": (changed([events(dtype="float32")]), "5.1.5"),
    "size-zero": (changed([events(shape=(2, 0, 4))]), "5.1.5"),
    "axes-too-few": (changed([events(axes=AXES[:2])]), "5.1.6"),
    "group-is-a-signal": (changed([events("A", group="B"), events("B")]), "5.1.5"),
}  # fmt: skip

for what, (asked, clause) in REFUSED.items():

    @vector(f"encode/refuse-{what}", clause, "10.5", provokes="a writer writes what no reader may read")
    def bad(asked: Json = asked) -> Made:
        return refused(asked)


@vector("encode/refuse-a-path-that-exists", "10.4", provokes="a journal is overwritten")
def exists() -> Made:
    made = refused(changed())
    return made._replace(expect={**made.expect, "before": "vectors/accept/minimal.lbj"})
