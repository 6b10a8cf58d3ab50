"""Vectors that need a newer reader: unknown versions, codings, kinds and critical records."""

from __future__ import annotations

import struct

from ..builder import image, resealed
from ..catalogue import Made, by_index, no_head, vector, wrong
from .accept_records import cube, small, two


@vector("unsupported/major-1", "5.1.2", provokes="the major version is not looked at")
def major_one() -> Made:
    file = two(small(version=(1, 0)))
    return no_head("unsupported", 8, bytes(file.data))


@vector("unsupported/major-largest", "5.1.2", "1.4", provokes="the version is read as one number or signed")
def major_largest() -> Made:
    file = two(small(version=(65535, 65535))).close()
    return no_head("unsupported", 8, bytes(file.data))


for kind in (b"ABCD", b"AbCd", b"HeAD"):

    @vector(f"unsupported/critical-{kind.decode()}", "4.3.1", "4.3.2", "9.1",
            provokes="an unknown critical record is skipped; the case of the wrong letter is looked at")  # fmt: skip
    def critical(kind: bytes = kind) -> Made:
        file = two(small())
        at = file.put(kind, b"needed")
        two(file)
        return wrong(file, "unsupported", at, frames=2)


@vector(
    "unsupported/critical-digest-wrong", "4.2.7", "4.3.2", provokes="a record that is not understood is called damaged"
)
def critical_digest() -> Made:
    file = two(small())
    at = file.put(b"ABCD", b"needed")
    file.data[at + 24] ^= 1
    return wrong(file, "unsupported", at, frames=2)


@vector("unsupported/critical-indexed", "6.3", "6.3.3", provokes="an index hides a critical record from the reader")
def critical_indexed() -> Made:
    file = two(small())
    at = file.put(b"ABCD", b"needed")
    two(file).close()
    return wrong(file, "unsupported", at, frames=2)


@vector(
    "unsupported/critical-inside-a-frame", "5.2.1", "6.3", "4.3.2", provokes="records inside a frame are not looked at"
)
def critical_inside() -> Made:
    file = two(small())
    file.fram()
    at = file.put(b"ABCD", b"needed")
    file.add_signal("EDX", cube("ci"), None)
    file.done()
    return wrong(file, "unsupported", at, frames=2)


@vector("unsupported/third-letter", "4.3.1", "1.5", provokes="the reserved case of the third letter is ignored")
def third_letter() -> Made:
    file = two(small())
    at = file.put(b"abcd", b"ancillary, but of a later version")
    return wrong(file, "unsupported", at, frames=2)


for bit in (1, 7):

    @vector(f"unsupported/record-flag-{bit}", "4.2.4", "1.5", "9.1", provokes="reserved flags are masked out")
    def record_flag(bit: int = bit) -> Made:
        file = two(small())
        at = file.fram()
        file.data[at + 3] |= 1 << bit
        resealed(file.data, at)
        file.add_signal("EDX", cube("rf"), None)
        file.done()
        return wrong(file, "unsupported", at, frames=2)


@vector(
    "unsupported/record-flag-of-ancillary", "4.2.4", "4.2.7", provokes="flags of records that are ignored are ignored"
)
def ancillary_flag() -> Made:
    file = two(small())
    at = file.put(b"abCd", b"x", flags=3)
    return wrong(file, "unsupported", at, frames=2)


for bit in (1, 31):

    @vector(f"unsupported/block-flag-{bit}", "5.3.3", "1.5", provokes="reserved flags of a block are masked out")
    def block_flag(bit: int = bit) -> Made:
        file = small(image())
        file.fram()
        at = file.blok(0, 1, b"\x00", 1, 1, flags=1 << bit)
        found = {"EDX": {"error": "unsupported", "offset": at}}
        file.add_signal("HAADF", cube("bf")[:, :, 0], None)
        file.done()
        found["HAADF"] = {"shape": [2, 3], "dtype": "uint16", "values": cube("bf")[:, :, 0].ravel().tolist()}
        file.complete(found)
        return Made(bytes(file.data), file.expect(), file.features)


for coding in (8, 32768, 65535):

    @vector(
        f"unsupported/coding-{coding}", "5.3.2", "9.1", provokes="one unknown coding makes the whole file unreadable"
    )
    def unknown_coding(coding: int = coding) -> Made:
        file = small(image())
        file.fram()
        at = file.blok(0, coding, b"\x00", 1, 1)
        found = {"EDX": {"error": "unsupported", "offset": at}}
        file.add_signal("HAADF", cube("uc")[:, :, 0], None)
        file.groups.append((file.at["FRAM"], file.done()))
        found["HAADF"] = {"shape": [2, 3], "dtype": "uint16", "values": cube("uc")[:, :, 0].ravel().tolist()}
        file.complete(found)
        file.contents.append(b"")
        file.frame({"EDX": cube("uc")}).close()
        file.contents.clear()
        return Made(bytes(file.data), file.expect(), file.features)


@vector(
    "unsupported/array-beyond-the-limit", "11.1", "1.4", "8.4.2", provokes="memory is allocated by the declared shape"
)
def limit() -> Made:
    file = two(small(image("I", (65535, 65537), "uint8")))
    file.fram()
    zeros = (
        b"\x28\xb5\x2f\xfd\xe0"
        + struct.pack("<Q", 65535 * 65537)
        + (1 | 1 << 1 | 100 << 3).to_bytes(3, "little")
        + b"\x00"
    )
    at = file.blok(1, 3, zeros)
    file.done()
    found = {"I": {"error": "limit", "offset": at}}
    file.complete(found)
    file.contents.clear()
    return Made(bytes(file.data), file.expect(), file.features)


@vector("unsupported/index-names-a-third-letter", "6.3.3", "4.3.1", provokes="types in an index are not looked at")
def third_letter_indexed() -> Made:
    file = two(small())
    at = file.put(b"abCd", b"x")
    file.close(other=[(b"abcd", at)])
    return Made(bytes(file.data), file.expect(), file.features, {"result": "unsupported", "offset": at})


@vector(
    "unsupported/critical-inside-an-indexed-frame", "6.3.3", "4.3.2", provokes="what an index leads past is skipped"
)
def critical_in_indexed_frame() -> Made:
    file = small().frame({"EDX": cube("y0")})
    fram = file.fram()
    at = file.put(b"ABCD", b"needed", listed=False)
    file.add_signal("EDX", cube("y1"), None)
    file.groups.append((fram, file.done()))
    streaming = file.expect(1, result="unsupported", offset=at)
    file.damage("unsupported", at)
    file.close()
    return by_index(file, file.frames, streaming)
