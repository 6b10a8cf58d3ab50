"""Vectors that are refused: a wrong HEAD, its JSON and its signals."""

from __future__ import annotations

import struct
from typing import Any

from ..builder import SIGNATURE, UUID, compact, events, image, record, spectra
from ..catalogue import Made, no_head, vector, wrong
from .accept_records import small, two

# HEAD


@vector("reject/first-record-FRAM", "5.1.1", provokes="HEAD is searched for")
def first_fram() -> Made:
    data = SIGNATURE + record(b"FRAM", bytes(16)) + bytes(small().data[8:])
    return no_head("damaged", 8, data)


@vector("reject/first-record-ancillary", "5.1.1", provokes="ancillary records are skipped before HEAD")
def first_ancillary() -> Made:
    return no_head("damaged", 8, SIGNATURE + record(b"abCd", b"") + bytes(small().data[8:]))


@vector("reject/first-record-unknown-critical", "5.1.1", provokes="the result depends on which check comes first")
def first_unknown() -> Made:
    return no_head("damaged", 8, SIGNATURE + record(b"ABCD", b"") + bytes(small().data[8:]))


@vector("reject/second-head", "5.1.1", "9.1", provokes="a later HEAD replaces the first")
def second_head() -> Made:
    file = two(small())
    at = file.put(b"HEAD", file.head())
    return wrong(file, "damaged", at, frames=2)


@vector("reject/head-payload-digest", "4.2.5", "9.1", provokes="HEAD is parsed before its digest is checked")
def head_digest() -> Made:
    file = two(small())
    file.data[8 + 24 + 9] ^= 1
    return no_head("damaged", 8, bytes(file.data))


@vector("reject/head-short", "4.3.4", provokes="fields are read past the end of the payload")
def head_short() -> Made:
    return no_head("damaged", 8, SIGNATURE + record(b"HEAD", b"\x00\x00\x09\x00"))


GOOD = compact({"uuid": UUID, "signals": [events()]})
TEXTS = {
    "bom": b"\xef\xbb\xbf" + GOOD,
    "duplicate-name": GOOD[:-1] + b',"a":1,"a":1}',
    "duplicate-name-escaped": GOOD[:-1] + b',"a":1,"\\u0061":1}',
    "lone-surrogate": GOOD[:-1] + b',"a":"\\ud800"}',
    "surrogates-reversed": GOOD[:-1] + b',"a":"\\udc00\\ud800"}',
    "surrogate-in-utf8": GOOD[:-1] + b',"a":"\xed\xa0\x80"}',
    "overlong-utf8": GOOD[:-1] + b',"a":"\xc0\xaf"}',
    "utf8-above-10ffff": GOOD[:-1] + b',"a":"\xf4\x90\x80\x80"}',
    "latin-1": GOOD[:-1] + b',"a":"\xe9"}',
    "utf16": GOOD.decode().encode("utf-16-le"),
    "nan": GOOD[:-1] + b',"a":NaN}',
    "infinity": GOOD[:-1] + b',"a":-Infinity}',
    "number-above-f64": GOOD[:-1] + b',"a":1e309}',
    "integer-above-f64": GOOD[:-1] + b',"a":1' + b"0" * 309 + b"}",
    "leading-zero": GOOD[:-1] + b',"a":01}',
    "plus-sign": GOOD[:-1] + b',"a":+1}',
    "no-digit-after-point": GOOD[:-1] + b',"a":1.}',
    "depth-33": GOOD[:-1] + b',"a":' + b"[" * 32 + b"]" * 32 + b"}",
    "depth-20000": GOOD[:-1] + b',"a":' + b"[" * 20000 + b"]" * 20000 + b"}",
    "array": b"[" + GOOD + b"]",
    "two-objects": GOOD + b"{}",
    "nul-at-the-end": GOOD + b"\x00",
    "trailing-comma": GOOD[:-1] + b',"a":[1,]}',
    "comment": GOOD[:-1] + b"/* */}",
    "single-quotes": GOOD[:-1] + b",'a':1}",
    "control-character": GOOD[:-1] + b',"a":"\x01"}',
    "bad-escape": GOOD[:-1] + b',"a":"\\x41"}',
    "unfinished": GOOD[:-1],
    "empty": b"",
}

for what, text in TEXTS.items():

    @vector(f"reject/json-{what}", "4.5.1", provokes="a JSON library that is laxer than the standard")
    def json_text(text: bytes = text) -> Made:
        head = struct.pack("<HHI", 0, 9, 0) + text
        return no_head("damaged", 8, SIGNATURE + record(b"HEAD", head))


SIGNALS: dict[str, tuple[Any, str]] = {
    "absent": (None, "5.1.4"),
    "empty": ([], "5.1.4"),
    "object": ({"0": events()}, "5.1.4"),
    "not-objects": (["EDX"], "5.1.5"),
    "name-absent": ([{key: value for key, value in events().items() if key != "name"}], "5.1.5"),
    "name-empty": ([events("")], "5.1.5"),
    "name-of-65": ([events("a" * 65)], "5.1.5"),
    "name-with-newline": ([events("a\nb")], "5.1.5"),
    "name-with-c1": ([events("a\x85")], "5.1.5"),
    "name-number": ([{**events(), "name": 5}], "5.1.5"),
    "names-equal": ([events(), events()], "5.1.5"),
    "kind-unknown": ([{**events(), "kind": "cube"}], "5.1.5"),
    "dtype-unknown": ([image(dtype="float16")], "5.1.5"),
    "dtype-of-counts-signed": ([events(dtype="int32")], "5.1.5"),
    "dtype-of-counts-float": ([events(dtype="float32")], "5.1.5"),
    "dtype-absent": ([{key: value for key, value in events().items() if key != "dtype"}], "5.1.5"),
    "shape-empty": ([image(shape=())], "5.1.5"),
    "shape-of-one-axis": ([events(shape=(5,))], "5.1.5"),
    "shape-of-nine-axes": ([image(shape=(1,) * 9)], "5.1.5"),
    "size-zero": ([events(shape=(2, 0, 4))], "5.1.5"),
    "size-negative": ([events(shape=(2, -3, 4))], "5.1.5"),
    "size-fraction": ([image(shape=(2, 3.5))], "5.1.5"),  # type: ignore[arg-type]
    "size-2.0": ([image(shape=(2.0, 3))], "4.5.1"),  # type: ignore[arg-type]
    "group-with-newline": ([events(group="a\nb")], "5.1.5"),
    "size-true": ([image(shape=(2, True))], "5.1.5"),
    "size-text": ([image(shape=(2, "3"))], "5.1.5"),  # type: ignore[arg-type]
    "size-2-32": ([events(shape=(1, 1, 2**32))], "5.1.5"),
    "size-1e30": ([image(shape=(1, 10**30))], "5.1.5"),
    "pixels-2-32": ([events(shape=(65536, 65536, 1))], "5.1.5"),
    "elements-2-43": ([spectra(shape=(65536, 32768, 4096))], "5.1.5"),
    "axes-too-few": ([events(axes=[{"name": "y", "size": 2}, {"name": "x", "size": 3}])], "5.1.5"),
    "axes-object": ([image(axes={"y": 2, "x": 3})], "5.1.5"),
    "axis-size-other": ([image(axes=[{"name": "y", "size": 3}, {"name": "x", "size": 3}])], "5.1.6"),
    "axis-without-name": ([image(axes=[{"size": 2}, {"name": "x", "size": 3}])], "5.1.6"),
    "axis-without-size": ([image(axes=[{"name": "y"}, {"name": "x", "size": 3}])], "5.1.6"),
    "axis-values-too-few": ([image(axes=[{"name": "y", "size": 2, "values": [1]}, {"name": "x", "size": 3}])], "5.1.6"),
    "axis-scale-text": (
        [image(axes=[{"name": "y", "size": 2, "offset": 0, "scale": "1"}, {"name": "x", "size": 3}])], "5.1.6"),
    "axis-values-and-scale": (
        [image(axes=[{"name": "y", "size": 2, "values": [0, 1], "offset": 0, "scale": 1}, {"name": "x", "size": 3}])],
        "5.1.6",
    ),
    "axis-scale-without-offset": (
        [image(axes=[{"name": "y", "size": 2, "scale": 1}, {"name": "x", "size": 3}])], "5.1.6"),
    "group-is-a-signal": ([events("A", group="B"), events("B")], "5.1.5"),
    "group-of-two-shapes": ([events("A", group="G"), events("B", (2, 3, 5), group="G")], "5.1.5"),
    "group-of-two-kinds": ([events("A", group="G"), spectra("B", group="G")], "5.1.5"),
    "to-field-of-two-by-two": ([image(to_field=[[1, 0], [0, 1]])], "5.1.5"),
    "to-field-of-a-row": ([image(shape=(5,), to_field=[[1, 0, 0], [0, 1, 0]])], "5.1.5"),
    "to-field-of-a-row-of-spectra": ([spectra(shape=(5, 4), to_field=[[1, 0, 0], [0, 1, 0]])], "5.1.5"),
    "metadata-array": ([image(metadata=[1])], "5.1.5"),
    "role-number": ([image(role=5)], "5.1.5"),
}  # fmt: skip

for what, (signals, clause) in SIGNALS.items():

    @vector(f"reject/signals-{what}", clause, "5.1.4", provokes="the declarations are trusted")
    def bad_signals(signals: Any = signals) -> Made:
        text = {"uuid": UUID} if signals is None else {"uuid": UUID, "signals": signals}
        head = struct.pack("<HHI", 0, 9, 0) + compact(text)
        return no_head("damaged", 8, SIGNATURE + record(b"HEAD", head))
