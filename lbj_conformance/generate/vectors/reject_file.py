"""Vectors that are refused: wrong ends of the file, and wrong records."""

from __future__ import annotations

import struct
from typing import Any

from ..builder import SIGNATURE, File, resealed
from ..catalogue import Made, no_head, vector, wrong
from .accept_records import cube, small, two

# File and end of file


@vector("reject/empty-file", "4.1.2", "9.1", provokes="eight bytes are read without asking whether they are there")
def empty_file() -> Made:
    return no_head("truncated", 0, b"")


@vector("reject/half-a-signature", "4.1.2", "9.1", provokes="a short file is called no journal")
def half_signature() -> Made:
    return no_head("truncated", 0, SIGNATURE[:5])


@vector("reject/signature-alone", "4.4.1", "9.1", provokes="an empty journal is taken for a whole one")
def signature_alone() -> Made:
    return no_head("truncated", 8, SIGNATURE)


for what, damaged in {
    "without-high-bit": b"\x09" + SIGNATURE[1:],
    "in-text-mode": SIGNATURE.replace(b"\r\n", b"\n"),
    "short-and-other": b"\x89LBX",
}.items():

    @vector(f"reject/signature-{what}", "4.1.2", "9.1", provokes="part of the signature is compared")
    def signature(damaged: bytes = damaged, what: str = what) -> Made:
        rest = b"" if what == "short-and-other" else bytes(two(small()).data[8:])
        return no_head("damaged", 0, damaged + rest)


@vector("reject/ends-inside-head", "4.4.1", "9.1", "4.2.3", provokes="the description is parsed as far as it is there")
def ends_in_head() -> Made:
    return no_head("truncated", 8, bytes(small().data[:-30]))


ENDS = {
    "header": lambda file: file.at["DONE"] + 11,
    "payload": lambda file: file.at["DONE"] + 24 + 9,
    "block": lambda file: file.at["BLOK"] + 24 + 25,
    "marker": lambda file: file.at["DONE"] + 2,
}

for what, place in ENDS.items():

    @vector(
        f"reject/ends-inside-{what}", "4.4.1", "4.4.3", "9.1", "10.2", provokes="frames completed before are not given"
    )
    def ends_inside(place: Any = place) -> Made:
        file = two(small()).frame({"EDX": cube("last")})
        end = place(file)
        at = max(offset for offset in file.at.values() if offset <= end)
        return wrong(file, "truncated", at, frames=2, data=bytes(file.data[:end]))


@vector("reject/ends-between-block-and-done", "4.4.1", "5.4.1", "9.1", provokes="a frame without DONE is given")
def ends_before_done() -> Made:
    file = two(small()).frame({"EDX": cube("last")})
    return wrong(file, "truncated", file.at["FRAM"], frames=2, data=bytes(file.data[: file.at["DONE"]]))


@vector("reject/ends-inside-padding-of-done", "4.4.1", "4.2.6", provokes="a DONE counts before its padding is whole")
def ends_in_padding() -> Made:
    file = two(small()).frame({"EDX": cube("last")}, {"region": 1})
    assert struct.unpack_from("<Q", file.data, file.at["DONE"] + 8)[0] % 8
    return wrong(file, "truncated", file.at["DONE"], frames=2, data=bytes(file.data[:-1]))


@vector("reject/zeros-at-the-end", "4.4.2", "9.1", provokes="a tail of zeros is called damage; frames are lost")
def zeros() -> Made:
    file = two(small())
    return wrong(file, "truncated", len(file.data), frames=2, data=bytes(file.data) + bytes(4096))


@vector("reject/half-a-header-then-zeros", "4.4.2", provokes="only whole pages of zeros are recognised")
def half_header() -> Made:
    file = two(small())
    end = len(file.data)
    file.fram()
    return wrong(file, "truncated", end, frames=2, data=bytes(file.data[: end + 10]) + bytes(1000))


@vector(
    "reject/half-a-marker-then-zeros",
    "4.4.1",
    "4.4.2",
    provokes="a rest shorter than a header must be all marker or all zero",
)
def half_marker() -> Made:
    file = two(small())
    return wrong(file, "truncated", len(file.data), frames=2, data=bytes(file.data) + b"\xf5\x00\x00")


@vector("reject/zeros-in-the-midst", "4.4.2", "4.2.1", provokes="zeros that something follows are called truncation")
def zeros_inside() -> Made:
    file = two(small())
    end = len(file.data)
    file.data += bytes(64)
    two(file)
    return wrong(file, "damaged", end, frames=2)


@vector("reject/short-rest", "4.4.1", provokes="a rest shorter than a record header is called truncated whatever it is")
def short_rest() -> Made:
    file = two(small())
    return wrong(file, "damaged", len(file.data), frames=2, data=bytes(file.data) + b"\xf5LX")


# Records


def _mend(file: File, at: int, where: int, bits: int, *, seal: bool) -> None:
    file.data[at + where] ^= bits
    if seal:
        resealed(file.data, at)


HEADERS = {
    "marker": (0, 1, False, "4.2.1"),
    "header-digest": (20, 1, False, "4.2.2"),
    "length-without-digest": (8, 8, False, "4.2.2"),
    "type-no-letter": (4, 0x80, True, "4.3.1"),
    "type-digit": (5, 0x60, True, "4.3.1"),
    "length-above-2-62": (15, 0x40, True, "4.2.3"),
    "length-above-2-63": (15, 0x80, True, "4.2.3"),
    "payload-digest": (16, 1, True, "4.2.5"),
}

for what, (where, bits, seal, clause) in HEADERS.items():

    @vector(f"reject/record-{what}", clause, "4.2.7", "9.1", provokes="a field is used before the header is checked")
    def header(where: int = where, bits: int = bits, seal: bool = seal) -> Made:
        file = two(small())
        at = file.frame({"EDX": cube("x")}).at["DONE"]
        _mend(file, at, where, bits, seal=seal)
        if where == 15 and bits == 0x40:
            _mend(file, at, 8, 1, seal=True)
        two(file)
        return wrong(file, "damaged", at, frames=2)


@vector(
    "reject/record-length-beyond-the-file",
    "4.2.3",
    "4.4.1",
    "11.1",
    provokes="memory is allocated by a length from the file",
)
def long_length() -> Made:
    file = two(small())
    at = file.put(b"abCd", bytes(16))
    file.data[at + 8 : at + 16] = struct.pack("<Q", 2**62)
    resealed(file.data, at)
    return wrong(file, "truncated", at, frames=2)


@vector("reject/digest-without-flag", "4.2.5", provokes="payload_crc is ignored, or used, where the flag is clear")
def stray_digest() -> Made:
    file = two(small(digest=False))
    at = file.fram()
    file.data[at + 16] = 7
    resealed(file.data, at)
    return wrong(file, "damaged", at, frames=2)


@vector("reject/flag-without-digest", "4.2.5", provokes="a stored digest of zero is taken for none")
def no_digest() -> Made:
    file = two(small())
    at = file.frame({"EDX": cube("x")}).at["DONE"]
    file.data[at + 16 : at + 20] = bytes(4)
    resealed(file.data, at)
    return wrong(file, "damaged", at, frames=2)


SHORT = {b"FRAM": 8, b"BLOK": 16, b"DONE": 8}

for kind, length in SHORT.items():

    @vector(f"reject/short-{kind.decode()}", "4.3.4", provokes="fields are read past the end of the payload")
    def short(kind: bytes = kind, length: int = length) -> Made:
        file = two(small())
        if kind != b"FRAM":
            file.fram()
        at = file.put(kind, struct.pack("<QQ", 2, 0)[:length])
        if kind == b"BLOK":
            file.number, file.blocks, file.sum = 2, 1, 0
            file.done()
            return wrong(file, "damaged", at, frames=2)
        return wrong(file, "damaged", at, frames=2)


@vector("reject/long-FRAM", "4.3.4", "5.2.1", provokes="a payload longer than its layout is accepted")
def long_fram() -> Made:
    file = two(small())
    at = file.put(b"FRAM", struct.pack("<QQQ", 2, 0, 0))
    file.number, file.blocks, file.sum = 2, 0, 0
    file.done()
    return wrong(file, "damaged", at, frames=2)
