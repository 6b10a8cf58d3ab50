"""Vectors for the order of checks: the first record, numbers that disagree, a block's fields, limits, the index."""

from __future__ import annotations

import struct
from typing import Any

from ..builder import SIGNATURE, UUID, File, compact, draw, events, image, record, resealed, spectra
from ..catalogue import Made, by_index, no_head, right, vector, wrong
from .accept_records import cube, small, two

# The first record (4.2.7, 5.1.1)


@vector("reject/first-record-cut-off", "4.2.7", "5.1.1", provokes="a type is looked at before the record is whole")
def first_cut() -> Made:
    return no_head("truncated", 8, SIGNATURE + record(b"ABCD", bytes(64))[:-8])


@vector(
    "unsupported/first-record-third-letter", "4.2.7", "5.1.1", provokes="the first record is compared with HEAD at once"
)
def first_third_letter() -> Made:
    return no_head("unsupported", 8, SIGNATURE + record(b"HEaD", bytes(8)) + bytes(small().data[8:]))


@vector(
    "unsupported/first-record-reserved-flag",
    "4.2.7",
    "5.1.1",
    provokes="the first record is compared with HEAD at once",
)
def first_flag() -> Made:
    return no_head("unsupported", 8, SIGNATURE + record(b"ABCD", bytes(8), flags=3) + bytes(small().data[8:]))


# Numbers that disagree (5.2.2, 5.3.1, 5.4.2)


@vector("reject/number-of-FRAM-alone", "5.4.2", "5.3.1", "5.2.2", provokes="the number due is asked before the blocks'")
def fram_alone() -> Made:
    file = two(small())
    file.fram(5)
    at = file.blok(0, 1, b"\x00", 1, 1, frame=2)
    file.done(number=2)
    return wrong(file, "damaged", at, frames=2)


@vector("reject/number-of-FRAM-without-blocks", "5.4.2", "5.2.2", provokes="the number due is asked before DONE's")
def fram_and_done() -> Made:
    file = two(small())
    file.fram(5)
    return wrong(file, "damaged", file.done(number=2), frames=2)


@vector("reject/count-of-blocks-before-number-due", "5.4.2", "5.2.2", provokes="the number due is asked first")
def count_first() -> Made:
    file = two(small())
    file.fram(5)
    file.blok(0, 1, b"\x00", 1, 1)
    return wrong(file, "damaged", file.done(blocks=2), frames=2)


@vector("reject/block-before-count-of-blocks", "5.4.2", "5.3.2", provokes="DONE is looked at before the blocks")
def block_first() -> Made:
    file = two(small())
    file.fram()
    at = file.blok(7, 1, b"\x00", 1, 1)
    file.done(blocks=5, number=9)
    return wrong(file, "damaged", at, frames=2)


@vector(
    "reject/block-of-another-frame-than-DONE", "5.4.2", "9.1", provokes="blocks are compared with a FRAM that is wrong"
)
def fram_digest_block() -> Made:
    file = two(small())
    fram = file.fram()
    at = file.blok(0, 1, b"\x00", 1, 1, frame=7)
    file.done()
    file.data[fram + 24] ^= 4
    return wrong(file, "damaged", at, frames=2)


@vector("reject/number-due-of-DONE", "5.2.2", "9.1", provokes="a frame whose FRAM is wrong is any frame")
def fram_digest_number() -> Made:
    file = two(small())
    fram = file.fram(7)
    file.blok(0, 1, b"\x00", 1, 1)
    file.done()
    file.data[fram + 24] ^= 4
    return wrong(file, "damaged", fram, frames=2)


@vector("reject/head-in-an-abandoned-frame", "5.2.1", "5.1.1", provokes="nothing is looked at before DONE")
def head_inside() -> Made:
    file = two(small())
    file.fram()
    at = file.put(b"HEAD", file.head())
    file.frame({"EDX": cube("hi")})
    return wrong(file, "damaged", at, frames=2)


@vector("reject/long-FRAM-cut-off", "4.2.7", "4.3.4", provokes="the length of FRAM is asked before it is whole")
def long_fram() -> Made:
    file = two(small())
    at = file.put(b"FRAM", bytes(64))
    return wrong(file, "truncated", at, frames=2, data=bytes(file.data[:-8]))


# Fields of a block, and limits (5.3.2 to 5.3.7, 11.1)


@vector(
    "reject/unknown-coding-and-other-faults",
    "5.3.2",
    "5.3.3",
    "5.3.4",
    "5.3.6",
    "5.3.7",
    provokes="an unknown coding hides damage, or a reserved flag is read past",
)
def unknown_and_wrong() -> Made:
    names = ["window", "voxels", "cover", "flag", "nothing"]
    file = File(*(events(name) for name in names), image())
    file.fram()
    outside, half = [(0, 2), (0, 3), (2, 5)], [(0, 2), (0, 3), (2, 4)]
    at = [
        file.blok(0, 99, b"?", 1, 1, window=outside),
        file.blok(1, 99, b"?", 2, 1),
        file.blok(2, 99, b"?", 1, 1, window=half),
        file.blok(3, 99, b"?", 2, 1, window=outside, flags=5),
        file.blok(4, 99, b"?", 1, 1),
        file.blok(5, 99, b"?", 1, 1),
    ]
    kinds = ["damaged"] * 3 + ["unsupported"] * 2 + ["damaged"]
    found = [{"error": kind, "offset": offset} for kind, offset in zip(kinds, at, strict=True)]
    file.done()
    file.complete(dict(zip([*names, "HAADF"], found, strict=True)))
    return Made(bytes(file.data), file.expect(), file.features)


@vector(
    "unsupported/limit-and-other-faults",
    "11.1",
    "5.3.7",
    "8.7.1",
    provokes="the caller's limit hides damage that needs no decoding, or is asked after the coding",
)
def limit_and_wrong() -> Made:
    names = ["cover", "coding", "content"]
    images = [image(name, (65535, 65537), "uint8") for name in names]
    file = File(events(), *images, spectra("dtype", (65535, 1, 65537), "uint8"))
    file.fram()
    at = [
        file.blok(1, 3, b"?", window=[(0, 65535), (0, 65536)]),
        file.blok(2, 99, b"?"),
        file.blok(3, 3, b"?"),
        file.blok(4, 5, b"?"),
    ]
    found = [{"error": kind, "offset": offset} for kind, offset in zip(["damaged", *["limit"] * 3], at, strict=True)]
    found[0]["offset"] = at[0]
    file.done()
    file.complete(dict(zip([*names, "dtype"], found, strict=True)))
    return Made(bytes(file.data), file.expect(), file.features)


for index in (False, True):
    suffix = "-indexed" if index else ""

    @vector(
        f"accept/static-data-in-a-frame-unread{suffix}",
        "5.3.8",
        provokes="a block that is ignored is looked at: its flags, window, coding and numbers",
    )
    def unread_static(index: bool = index) -> Made:
        file = small(image("survey", (1, 2), "uint8", role="survey"))
        fram = file.fram()
        found = {"EDX": file.add_signal("EDX", cube("us"), None)}
        file.blok(1, 99, b"", 5, 1, window=[(3, 2), (9, 9)], flags=2**31 + 1)
        file.blok(1, 3, b"")
        file.groups.append((fram, file.done()))
        file.complete(found)
        file.contents.append(file.digest_of({"EDX": cube("us")}))
        return right(file.close() if index else file, ["5.3.8"])


@vector("accept/frame-data-in-a-pseudo-frame-unread", "5.3.8", provokes="a block that is ignored is looked at")
def unread_frame_data() -> Made:
    file = small(image("survey", (1, 2), "uint8", role="survey"))
    file.fram(2**64 - 1)
    file.blok(0, 99, b"", 5, 1, flags=2)
    file.blok(1, 0, b"ab")
    file.done()
    file.static["survey"] = {"shape": [1, 2], "dtype": "uint8", "values": [97, 98]}
    return right(two(file), ["5.3.8", "6.1"])


# Where an index leads (6.3.3, 9.1)


def between(file: File, at: int, result: str = "damaged") -> Made:
    """The last frame is damaged at `at` and is followed by another: for whoever uses the index, and who walks."""
    streaming = file.expect(1, result=result, offset=at)
    streaming.pop("static", None)
    file.frames[1] = {"error": "damaged", "offset": at, "whole": True}
    file.frame({"EDX": cube("after"), "HAADF": draw("after", (2, 3), "uint16")}).close()
    return by_index(file, file.frames, streaming)


def _pair() -> File:
    file = small(image())
    for seed in ("p0", "p1"):
        file.frame({"EDX": cube(seed), "HAADF": draw(seed, (2, 3), "uint16")})
    return file


@vector(
    "reject/block-of-another-frame-indexed", "6.3.3", "9.1", "5.3.9", provokes="one signal is damaged, the others given"
)
def other_block_indexed() -> Made:
    file = small(image()).frame({"EDX": cube("p0"), "HAADF": draw("p0", (2, 3), "uint16")})
    fram = file.fram()
    at = file.blok(0, 1, b"\x00", 1, 1, frame=7)
    file.add_signal("HAADF", draw("p1", (2, 3), "uint16"), None)
    file.groups.append((fram, file.done()))
    file.complete({})
    return between(file, at)


@vector("reject/number-of-FRAM-indexed", "6.3.3", "9.1", provokes="FRAM is not compared with the index")
def fram_indexed() -> Made:
    file = small(image()).frame({"EDX": cube("p0"), "HAADF": draw("p0", (2, 3), "uint16")})
    fram = file.fram(5)
    block = file.blok(0, 1, b"\x00", 1, 1, frame=1)
    file.groups.append((fram, file.done(number=1)))
    file.complete({})
    made = between(file, fram)
    return made._replace(expect={**made.expect, "offset": block})


@vector("reject/length-beyond-the-file-indexed", "6.3.3", "4.4.1", provokes="a frame in the midst is called truncated")
def beyond_indexed() -> Made:
    file = _pair()
    at = file.at["BLOK"]
    file.data[at + 8 : at + 16] = struct.pack("<Q", 2**40)
    resealed(file.data, at)
    return between(file, at, "truncated")


@vector("reject/zeros-inside-an-indexed-frame", "6.3.3", "4.4.2", provokes="zeros in the midst are called truncated")
def zeros_indexed() -> Made:
    file = _pair()
    at = file.at["BLOK"]
    file.data[at:] = bytes(len(file.data) - at)
    return between(file, at)


for what, head in {"third-letter": record(b"fOoT", bytes(24)), "flag": record(b"fOOT", bytes(24), flags=3)}.items():

    @vector(
        f"accept/no-footer-but-a-{what}",
        "6.3.1",
        "6.2.1",
        provokes="the last 48 bytes are refused for what they would be, instead of taken for no footer",
    )
    def no_footer(head: bytes = head) -> Made:
        file = two(small())
        file.put(b"abCd", head)
        return right(file, ["6.1"])


# Descriptions (5.1.5, 7.1)


@vector("reject/damage-after-an-amendment", "7.1.1", "9.1", provokes="no description is given where reading ends early")
def header_given() -> Made:
    file = small(metadata={"title": "old"})
    file.put(b"aMNd", compact({"metadata": {"title": "new"}}))
    two(file)
    at = file.done()
    file.put(b"aMNd", compact({"metadata": {"title": "never"}}))
    file.metadata = {"title": "new"}
    return wrong(file, "damaged", at, frames=2)


@vector(
    "reject/4097-amendments-then-frames", "7.1.3", "9.1", provokes="frames are lost with the descriptions of the series"
)
def many_amendments() -> Made:
    file = small(digest=False)
    for _ in range(4097):
        at = file.put(b"aMNd", b"{}")
    two(file)
    expect = file.expect(2, result="damaged", offset=at)
    del expect["header"]
    return Made(bytes(file.data), expect, file.features, {"result": "damaged", "offset": at})


@vector("accept/amendment-mended-by-the-next", "7.1.2", provokes="each amendment is judged alone")
def mended() -> File:
    file = two(small())
    for axes in ([{"name": "y", "size": 2}], None):
        file.put(b"aMNd", compact({"signals": {"EDX": {"axes": axes}}}))
    return file.close()


@vector("accept/group-with-a-static-member", "5.1.5", "5.2.3", provokes="a static signal is added to every frame")
def static_member() -> File:
    file = File(events("A", group="G"), events("dark", group="G", role="dark"), events("B", group="G"))
    file.put_static("dark", cube("gs"))
    return file.frame({"A": cube("ga"), "B": cube("gb")}).frame({"B": cube("gc")}).close()


NULLS: dict[str, Any] = {
    name: {**events(), name: None} for name in ("coding", "role", "of", "group", "axes", "metadata")
}
NULLS["to-field"] = image(to_field=None)
AXES: dict[str, dict[str, Any]] = {
    "axis-units": {"units": None},
    "axis-values": {"values": None},
    "axis-offset": {"offset": None, "scale": 1},
    "axis-offset-and-scale": {"offset": None, "scale": None},
}
for name, axis in AXES.items():
    NULLS[name] = image(axes=[{"name": "y", "size": 2, **axis}, {"name": "x", "size": 3}])
OTHERS: dict[str, Any] = {
    "axis-offset-without-scale": image(axes=[{"name": "y", "size": 2, "offset": 0}, {"name": "x", "size": 3}]),
    "of-empty": image(role="live_time", of=""),
    "group-empty": image(group=""),
}

for name, signal in {**{f"{name}-null": signal for name, signal in NULLS.items()}, **OTHERS}.items():

    @vector(
        f"reject/signals-{name}",
        "5.1.6" if "axis" in name else "5.1.5",
        provokes="null is taken for a member that is absent, or half a scale for one",
    )
    def declared(signal: Any = signal) -> Made:
        head = struct.pack("<HHI", *small().version, 0) + compact({"uuid": UUID, "signals": [signal]})
        return no_head("damaged", 8, SIGNATURE + record(b"HEAD", head))


@vector("accept/of-names-nothing", "5.1.5", "5.1.10", provokes="what `of` names is looked for")
def of_nobody() -> File:
    file = small(image("t", (2, 3), "float32", role="live_time", of="nobody"))
    return file.frame({"EDX": cube("on")}).close()
