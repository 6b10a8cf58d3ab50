"""Vectors that pin single readings of the text, each found by inverting one check of a reader."""

from __future__ import annotations

import struct
from typing import Any

from ..builder import SIGNATURE, UUID, File, compact, draw, events, image, record, spectra
from ..catalogue import Made, no_head, right, vector, wrong
from .accept_records import cube, small, two
from .order import between
from .reject_head import GOOD

# Order of the checks of a record (4.2.7)

HEADERS = {
    "letters-before-flags": ("reject", "damaged", record(b"a1Cd", bytes(8), flags=3)),
    "third-letter-before-digest": ("unsupported", "unsupported", record(b"abcd", bytes(8), flags=0)),
    "flags-before-digest": ("unsupported", "unsupported", record(b"abCd", bytes(8), flags=2)),
}

for what, (folder, result, bad) in HEADERS.items():

    @vector(f"{folder}/{what}", "4.2.7", "4.3.1", "4.2.4", provokes="the checks of a header are made in another order")
    def header(result: str = result, bad: bytes = bad) -> Made:
        file = two(small())
        at = len(file.data)
        file.data += bad
        return wrong(file, result, at, frames=2)


# JSON (4.5.1)


@vector("accept/json-brackets-in-a-string", "4.5.1", provokes="brackets inside strings are counted as nesting")
def brackets() -> File:
    return two(small(metadata={"title": "[{" * 40, 'x-"[': '"[[[' * 20}))


TEXTS = {
    "lone-surrogate-in-a-name": b',"\\ud800":1}',
    "lone-surrogate-in-an-array": b',"a":[["\\ud800"]]}',
}

for what, end in TEXTS.items():

    @vector(f"reject/json-{what}", "4.5.1", provokes="strings are looked at where they are values of members alone")
    def json_text(end: bytes = end) -> Made:
        return no_head("damaged", 8, SIGNATURE + record(b"HEAD", struct.pack("<HHI", 0, 9, 0) + GOOD[:-1] + end))


# Signals (5.1.5, 5.1.6)

Y, X = {"name": "y", "size": 2}, {"name": "x", "size": 3}
SIGNALS: dict[str, tuple[Any, str]] = {
    "name-with-del": ([events("a\x7fb")], "5.1.5"),
    "dtype-of-counts-uint64": ([events(dtype="uint64")], "5.1.5"),
    "axis-scale-true": ([image(axes=[{**Y, "offset": 0, "scale": True}, X])], "5.1.6"),
    "axis-values-text": ([image(axes=[{**Y, "values": ["0", "1"]}, X])], "5.1.6"),
}

for what, (signals, clause) in SIGNALS.items():

    @vector(f"reject/signals-{what}", clause, "5.1.4", provokes="the declarations are trusted")
    def bad_signals(signals: Any = signals) -> Made:
        head = struct.pack("<HHI", 0, 9, 0) + compact({"uuid": UUID, "signals": signals})
        return no_head("damaged", 8, SIGNATURE + record(b"HEAD", head))


@vector(
    "accept/metadata-no-object", "5.1.4", provokes="the header's metadata is trusted, or the journal refused for it"
)
def metadata_no_object() -> Made:
    file = two(File(events(), metadata=[1]))
    file.metadata = {}
    return right(file.close(), findings=["5.1.4"])


@vector("accept/elements-below-2-43", "5.1.5", provokes="arrays are taken to be smaller than they may be")
def many_elements() -> File:
    return File(spectra(shape=(65536, 32768, 4095)))


# Where an index leads (6.3.3)


@vector("reject/frame-of-another-number-indexed", "6.3.3", "5.4.2", provokes="FRAM is compared with the index last")
def other_frame_indexed() -> Made:
    file = small(image()).frame({"EDX": cube("p0"), "HAADF": draw("p0", (2, 3), "uint16")})
    fram = file.fram(5)
    file.blok(0, 1, b"\x00", 1, 1)
    file.groups.append((fram, file.done()))
    file.complete({})
    return between(file, fram)
