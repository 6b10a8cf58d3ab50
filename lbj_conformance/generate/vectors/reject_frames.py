"""Vectors that are refused: wrong frames and amendments."""

from __future__ import annotations

import struct
from typing import Any

from ..builder import File, compact
from ..catalogue import Made, by_index, vector, wrong
from .accept_records import cube, small, two

# Frames


@vector("reject/first-frame-1", "5.2.2", "9.1", provokes="frame numbers are not looked at")
def frame_one() -> Made:
    file = small()
    at = file.fram(1)
    file.done()
    return wrong(file, "damaged", at, frames=0)


@vector("reject/frame-number-again", "5.2.2", provokes="a frame replaces an earlier one")
def frame_again() -> Made:
    file = two(small())
    at = file.fram(1)
    file.add_signal("EDX", cube("again"), None)
    file.done()
    return wrong(file, "damaged", at, frames=2)


@vector("reject/frame-left-out", "5.2.2", provokes="a gap in the numbers is passed over")
def frame_gap() -> Made:
    file = two(small())
    at = file.fram(3)
    file.done()
    return wrong(file, "damaged", at, frames=2)


@vector("reject/block-outside-a-frame", "5.3.1", provokes="a block joins the frame before")
def stray_block() -> Made:
    file = two(small())
    at = file.blok(0, 1, b"\x00", 1, 1)
    return wrong(file, "damaged", at, frames=2)


@vector("reject/block-of-another-frame", "5.3.1", provokes="the frame number of a block is not looked at")
def other_block() -> Made:
    file = two(small())
    file.fram()
    at = file.blok(0, 1, b"\x00", 1, 1, frame=1)
    file.done()
    return wrong(file, "damaged", at, frames=2)


@vector("reject/signal-not-declared", "5.3.2", provokes="a signal number is used as an index")
def undeclared() -> Made:
    file = two(small())
    file.fram()
    at = file.blok(1, 1, b"\x00", 1, 1)
    file.done()
    return wrong(file, "damaged", at, frames=2)


@vector("reject/done-outside-a-frame", "5.4.2", provokes="DONE completes whatever came before")
def stray_done() -> Made:
    file = two(small())
    file.number, file.blocks, file.sum = 2, 0, 0
    return wrong(file, "damaged", file.done(), frames=2)


@vector("reject/done-of-another-frame", "5.4.2", provokes="the number in DONE is not looked at")
def other_done() -> Made:
    file = two(small())
    file.fram()
    return wrong(file, "damaged", file.done(number=3), frames=2)


for blocks in (0, 2):

    @vector(f"reject/done-of-{blocks}-blocks", "5.4.2", provokes="a block that is missing is not missed")
    def done_blocks(blocks: int = blocks) -> Made:
        file = two(small())
        file.fram()
        file.add_signal("EDX", cube("db"), None)
        return wrong(file, "damaged", file.done(blocks=blocks), frames=2)


def _hit(file: File, at: int, result: str = "damaged", *, index: bool) -> Made:
    """A frame that counts and is damaged, between two that are not."""
    file.damage(result, at)
    file.contents.append(b"")
    file.groups.append((file.at["FRAM"], file.at["DONE"]))
    file.frame({"EDX": cube("after")})
    file.contents.pop()
    if index:
        file.close()
    return Made(bytes(file.data), file.expect(), file.features)


for index in (False, True):
    suffix = "-indexed" if index else ""

    @vector(
        f"reject/payload-digest-of-FRAM{suffix}",
        "9.1",
        "4.2.5",
        "6.3.3",
        provokes="one wrong bit costs all later frames",
    )
    def fram_digest(index: bool = index) -> Made:
        file = two(small())
        at = file.fram()
        file.add_signal("EDX", cube("fd"), None)
        file.done()
        file.data[at + 24] ^= 4
        return _hit(file, at, index=index)

    @vector(
        f"reject/payload-digest-of-BLOK{suffix}",
        "9.1",
        "4.2.5",
        "5.3.9",
        provokes="one wrong bit costs all later frames",
    )
    def blok_digest(index: bool = index) -> Made:
        file = two(small())
        file.fram()
        file.add_signal("EDX", cube("bd"), None)
        file.done()
        at = file.at["BLOK"]
        file.data[at + 24 + 8] ^= 1
        return _hit(file, at, index=index)

    @vector(
        f"reject/payload-digest-of-short-BLOK{suffix}",
        "5.3.9",
        "9.1",
        "4.3.4",
        provokes="the length of a block whose digest is wrong costs all later frames",
    )
    def short_blok_digest(index: bool = index) -> Made:
        file = two(small())
        file.fram()
        at = file.put(b"BLOK", b"short")
        file.blocks += 1
        file.done()
        file.data[at + 24] ^= 1
        return _hit(file, at, index=index)

    @vector(f"reject/json-of-DONE{suffix}", "9.1", "4.5.1", provokes="attributes are passed on unread")
    def done_json(index: bool = index) -> Made:
        file = two(small())
        file.fram()
        file.add_signal("EDX", cube("dj"), None)
        at = file.done(b'{"region":1,"region":2}')
        return _hit(file, at, index=index)


@vector(
    "reject/payload-digest-of-DONE-indexed",
    "9.1",
    "6.3.3",
    provokes="the index completes a frame that its DONE does not",
)
def done_digest() -> Made:
    file = two(small())
    file.frame({"EDX": cube("dd")})
    at = file.at["DONE"]
    file.frame({"EDX": cube("after")}).close()
    file.data[at + 24 + 20] ^= 1
    expect = file.expect(2, result="damaged", offset=at)
    return by_index(file, [*file.frames[:2], {"error": "damaged", "offset": at}, file.frames[3]], expect)


@vector("reject/marker-inside-a-frame-indexed", "9.1", "6.3.3", provokes="an index is trusted for what lies between")
def marker_indexed() -> Made:
    file = two(small())
    file.frame({"EDX": cube("mi")})
    at = file.at["BLOK"]
    file.frame({"EDX": cube("after")}).close()
    file.data[at] ^= 1
    expect = file.expect(2, result="damaged", offset=at)
    return by_index(file, [*file.frames[:2], {"error": "damaged", "offset": at}, file.frames[3]], expect)


@vector("reject/index-to-another-record", "6.3.3", "6.1", "6.3.2", provokes="what the index points at is not looked at")
def index_elsewhere() -> Made:
    file = small()
    file.put(b"abCd", b"x")
    at = file.at["abCd"]

    def change(fields: Any) -> None:
        fields["groups"][0] = (at, fields["groups"][0][1])

    two(file).close(change=change)
    return by_index(file, [{"error": "damaged", "offset": at}, file.frames[1]], file.expect(), ["6.3.2"])


# Amendments

PATCHES = {
    "json": b'{"metadata":{}',
    "array": b"[]",
    "metadata-number": compact({"metadata": 5}),
    "signals-array": compact({"signals": []}),
    "signal-not-declared": compact({"signals": {"nobody": 5}}),
    "signal-null": compact({"signals": {"EDX": None}}),
    "spoils-axes": compact({"signals": {"EDX": {"axes": [{"name": "y", "size": 2}]}}}),
    "spoils-to-field": compact({"signals": {"EDX": {"to_field": [[1, 2, 3]]}}}),
}

for what, patch in PATCHES.items():

    @vector(
        f"reject/amendment-{what}",
        "7.1.2" if "spoils" in what else "7.1.1",
        "9.1",
        provokes="an amendment is applied unchecked",
    )
    def amendment(patch: bytes = patch) -> Made:
        file = two(small())
        at = file.put(b"aMNd", patch)
        expect = {"result": "damaged", "offset": at}
        return Made(bytes(file.data), expect, file.features)


@vector("reject/amendment-digest", "9.1", "7.1.1", provokes="an amendment is ancillary, so its damage is ignored")
def amendment_digest() -> Made:
    file = two(small())
    at = file.put(b"aMNd", compact({"metadata": {"a": 1}}))
    file.data[at + 24 + 5] ^= 1
    return Made(bytes(file.data), {"result": "damaged", "offset": at}, file.features)


@vector("reject/4097-amendments", "7.1.3", provokes="work without bound")
def too_many_amendments() -> Made:
    file = small(digest=False)
    for _ in range(4097):
        at = file.put(b"aMNd", b"{}")
    return Made(bytes(file.data), {"result": "damaged", "offset": at}, file.features)


@vector("reject/long-FRAM-digest-wrong", "4.3.4", "4.2.5", provokes="the digest of FRAM is checked before its length")
def long_fram_digest() -> Made:
    file = two(small())
    at = file.put(b"FRAM", struct.pack("<QQQ", 2, 0, 0))
    file.data[at + 24] ^= 8
    file.number, file.blocks, file.sum = 2, 0, 0
    file.done()
    return wrong(file, "damaged", at, frames=2)


@vector("reject/json-of-DONE-blank", "4.5.1", "5.4.4", provokes="blanks are taken for no attributes")
def blank_attributes() -> Made:
    file = two(small())
    file.fram()
    file.add_signal("EDX", cube("bl"), None)
    at = file.done(b"  ")
    return _hit(file, at, index=False)


@vector("reject/done-of-2-blocks-indexed", "5.4.2", "6.3.3", provokes="the index is trusted for the number of blocks")
def done_blocks_indexed() -> Made:
    file = small().frame({"EDX": cube("x0")})
    fram = file.fram()
    file.add_signal("EDX", cube("x1"), None)
    at = file.done(blocks=2)
    file.groups.append((fram, at))
    streaming = file.expect(1, result="damaged", offset=at)
    file.damage("damaged", at)
    file.frame({"EDX": cube("x2")}).close()
    return by_index(file, file.frames, streaming)


@vector("reject/index-past-the-frame", "6.3.3", "6.1", provokes="the frame is taken to end where the index says")
def past_the_frame() -> Made:
    file = two(small())
    fram, done = file.groups[1]
    at = file.put(b"abCd", b"x")

    def change(fields: Any) -> None:
        fields["groups"][1] = (fram, at)

    streaming = file.expect()
    file.close(change=change)
    return by_index(file, [file.frames[0], {"error": "damaged", "offset": [fram, done, at]}], streaming)


@vector(
    "reject/amendment-marker-indexed",
    "9.1",
    "6.3.3",
    provokes="a lost amendment goes unnoticed where an index leads past it",
)
def amendment_marker() -> Made:
    file = two(small())
    at = file.put(b"aMNd", compact({"metadata": {"a": 1}}))
    file.frame({"EDX": cube("am")}).close()
    file.data[at] ^= 1
    return wrong(file, "damaged", at, frames=2)


@vector(
    "reject/amendment-not-there-indexed",
    "6.3.3",
    "6.1",
    provokes="whatever stands where the index says is taken for an amendment",
)
def amendment_absent() -> Made:
    file = two(small())
    at = file.put(b"abCd", compact({"metadata": {"a": 1}}))
    file.close(other=[(b"aMNd", at)])
    expect = file.expect()
    return Made(bytes(file.data), expect, file.features, {"result": "damaged", "offset": at})
