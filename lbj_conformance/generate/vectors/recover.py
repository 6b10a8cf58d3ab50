"""Vectors for recoverers: which frames survive and which are lost."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np

from ..builder import STATIC, UUID, File, compact, draw, events, image, record, resealed
from ..catalogue import Made, vector
from .accept_records import cube


def series(count: int = 4, **options: Any) -> File:
    """A journal of counts and an image."""
    file = File(events(), image(), image("survey", (1, 2), "uint8", role="survey"), **options)
    for i in range(count):
        add(file, i)
    return file


def add(file: File, seed: int) -> int:
    """Add a frame; returns where it begins."""
    begin = len(file.data)
    file.frame({"EDX": cube(f"r{seed}"), "HAADF": draw(f"r{seed}", (2, 3), "uint16")}, {"region": seed % 2})
    return begin


def saved(file: File, kept: list[int], lost: list[int], **more: Any) -> Made:
    """What the new journal holds: frames of `file` by their place."""
    data = more.pop("data", file.data)
    frames = []
    for new, place in enumerate(kept):
        frame = dict(file.frames[place])
        number = more.get("numbers", {}).get(place, place)
        if number != new:
            attributes = dict(frame["attributes"])
            attributes["metadata"] = {**attributes.get("metadata", {}), "original_frame": number}
            frame["attributes"] = attributes
        frames.append(frame)
    numbers = [more.get("numbers", {}).get(place, place) for place in kept]
    out = {
        "version": [0, 9],
        "header": {"signals": file.described, "metadata": more.get("metadata", file.metadata)},
        "frames": frames,
        "static": more.get("static", file.static),
    }
    expect = {"result": "ok", "kept": numbers, "lost": lost, "old_uuid": UUID, "journal": out}
    expect["personal"] = more.get("personal", 0)
    return Made(bytes(data), expect, file.features)


@vector("recover/whole", "9.3", provokes="a sound journal is changed")
def whole() -> Made:
    return saved(series().close(), [0, 1, 2, 3], [])


@vector("recover/no-frames", "9.3", provokes="nothing to keep is an error")
def no_frames() -> Made:
    return saved(series(0), [], [])


@vector("recover/last-frame-torn", "9.1", "9.3", "4.4.3", provokes="completed frames are lost with the last one")
def torn() -> Made:
    file = series()
    return saved(file, [0, 1, 2], [3], data=file.data[: file.at["DONE"] + 30])


@vector("recover/zeros-at-the-end", "9.1", "4.4.2", provokes="zeros are searched for ever, or counted as a frame")
def zeros() -> Made:
    file = series(2)
    return saved(file, [0, 1], [], data=file.data + bytes(8192))


def _break(what: str, where: int, bits: int = 1) -> Made:
    file = series(1)
    begin = add(file, 1)
    at = file.at[what] if what != "FRAM" else begin
    add(file, 2)
    add(file, 3)
    file.close()
    file.data[at + where] ^= bits
    return saved(file, [0, 2, 3], [1])


for what in ("FRAM", "BLOK", "DONE"):
    for field, where in {"marker": 0, "header": 9, "payload": 24 + 3, "header-digest": 22}.items():

        @vector(
            f"recover/{what}-{field}",
            "9.1",
            "9.3",
            provokes="a length that is wrong is followed; more than one frame is lost",
        )
        def broken(what: str = what, where: int = where) -> Made:
            return _break(what, where)


@vector(
    "recover/length-that-lies",
    "9.3",
    "4.2.3",
    provokes="a length with a right header digest leads past the other frames",
)
def lying_length() -> Made:
    file = series(1)
    begin = add(file, 1)
    add(file, 2)
    data = file.data
    data[begin + 8 : begin + 16] = struct.pack("<Q", 2**40)
    resealed(data, begin)
    return saved(file, [0, 2], [1])


@vector(
    "recover/frames-overwritten",
    "9.3",
    provokes="the search stops at the first record that it finds, or steps over the next",
)
def overwritten() -> Made:
    file = series(1)
    first = add(file, 1)
    add(file, 2)
    end = add(file, 3)
    size = end - 16 - (first + 40)
    file.data[first + 40 : end - 16] = draw("noise", (size,), "uint8").tobytes()
    return saved(file, [0, 3], [1, 2])


@vector("recover/frame-cut-out", "5.2.2", "9.3", provokes="a gap in the numbers ends the recovery, or goes unsaid")
def cut_out() -> Made:
    file = series(1)
    first = add(file, 1)
    second = add(file, 2)
    add(file, 3)
    del file.data[first:second]
    return saved(file, [0, 2, 3], [1])


for what, where in {"payload": 24 + 30, "header": 8}.items():

    @vector(
        f"recover/bytes-cut-out-of-a-{what}",
        "9.3",
        provokes="the length of a record that lost bytes leads past the next frame",
    )
    def cut_inside(where: int = where) -> Made:
        file = File(image("I", (1, 600), "uint8"))
        for i in range(4):
            file.frame({"I": draw(f"cut{i}", (1, 600), "uint8")})
            if i == 1:
                at = file.at["BLOK"]
        del file.data[at + where : at + where + 400]
        return saved(file, [0, 2, 3], [1])


@vector(
    "recover/bytes-inserted",
    "4.1.1",
    "9.3",
    provokes="records are searched for at every byte, or only at the old places",
)
def inserted() -> Made:
    file = series(1)
    at = add(file, 1)
    add(file, 2)
    file.data[at:at] = b"\xf5LB\x01FRAM" + bytes(16)
    return saved(file, [0, 1, 2], [])


@vector("recover/record-inside-a-payload", "9.3", provokes="a sound record is searched for others")
def inside() -> Made:
    file = File(image("I", (1, 120), "uint8"))
    trap = record(b"FRAM", struct.pack("<QQ", 1, 0)) + record(b"DONE", struct.pack("<QIIQ", 1, 0, 0, 0))
    value = np.frombuffer(trap.ljust(120, b"\0"), np.uint8).reshape(1, 120)
    file.frame({"I": draw("in", (1, 120), "uint8")}).frame({"I": value}).frame({"I": draw("in2", (1, 120), "uint8")})
    return saved(file, [0, 1, 2], [])


@vector(
    "recover/block-not-decodable", "9.1", "9.3", "8.2.2", provokes="digests are right, so the frame is kept undecoded"
)
def undecodable() -> Made:
    file = series(1)
    file.fram()
    file.blok(0, 1, b"\xff\xff", 1, 1)
    file.done()
    file.complete({})
    add(file, 2)
    return saved(file, [0, 2], [1])


@vector("recover/coding-unknown", "9.1", provokes="a block that cannot be decoded is copied")
def unknown_coding() -> Made:
    file = series(1)
    file.fram()
    file.blok(0, 40000, b"x", 1, 1)
    file.done()
    file.complete({})
    add(file, 2)
    return saved(file, [0, 2], [1])


@vector("recover/critical-record-between", "9.1", "9.3", provokes="an unknown critical record ends the recovery")
def critical() -> Made:
    file = series(2)
    file.put(b"ABCD", b"what is this")
    add(file, 2)
    return saved(file, [0, 1, 2], [])


@vector("recover/abandoned-frame", "5.2.1", "9.3", provokes="an abandoned frame is mixed with its successor")
def abandoned() -> Made:
    file = series(1)
    file.fram(1)
    file.blok(0, 1, b"\x00", 1, 1)
    add(file, 1)
    return saved(file, [0, 1], [])


@vector("recover/number-in-the-wrong-order", "9.3", "5.2.2", provokes="frames are sorted by number, or dropped")
def disordered() -> Made:
    file = series(1)
    a = add(file, 1)
    b = add(file, 2)
    end = len(file.data)
    file.data[a:end] = file.data[b:end] + file.data[a:b]
    file.frames[1], file.frames[2] = file.frames[2], file.frames[1]
    return saved(file, [0, 1, 2], [], numbers={1: 2, 2: 1})


@vector("recover/head-lost-copy-used", "7.2.1", "9.1", provokes="copies of HEAD are not looked for")
def head_copy() -> Made:
    file = series(2, metadata={"title": "t"})
    file.put(b"hEAD", file.head())
    add(file, 2)
    file.close()
    file.data[8 + 24 + 20] ^= 1
    return saved(file, [0, 1, 2], [])


@vector("recover/signature-lost", "9.1", provokes="a file that does not begin right is given up")
def signature() -> Made:
    file = series(2)
    file.data[0:4] = bytes(4)
    return saved(file, [0, 1], [])


@vector("recover/head-lost", "9.1", provokes="frames are copied undecoded")
def head_lost() -> Made:
    file = series(2).close()
    file.data[8 + 24 + 20] ^= 1
    return Made(bytes(file.data), {"result": "damaged", "offset": 8}, file.features)


@vector("recover/head-torn", "9.1", provokes="truncation and damage are mixed up")
def head_torn() -> Made:
    file = series(0)
    return Made(bytes(file.data[:60]), {"result": "truncated", "offset": 8}, file.features)


@vector(
    "recover/amendment-lost",
    "9.1",
    "9.3",
    "7.1.1",
    provokes="frames are lost with an amendment; others are not applied",
)
def amendment() -> Made:
    file = series(1, metadata={"title": "t"})
    file.put(b"aMNd", compact({"metadata": {"a": 1}}))
    at = file.put(b"aMNd", compact({"metadata": {"b": 2}}))
    file.put(b"aMNd", compact({"metadata": {"c": 3}}))
    add(file, 1)
    file.data[at + 24 + 4] ^= 1
    return saved(file, [0, 1], [], metadata={"title": "t", "a": 1, "c": 3})


@vector("recover/static-kept", "5.2.3", "9.3", provokes="static data are dropped")
def static_kept() -> Made:
    file = series(1).put_static("survey", draw("sk", (1, 2), "uint8"))
    begin = add(file, 1)
    file.data[begin + 40] ^= 1
    add(file, 2)
    file.data[begin + 40] ^= 1
    file.data[begin] ^= 1
    return saved(file, [0, 2], [1])


@vector("recover/static-lost", "5.2.3", "9.3", provokes="frames are lost with static data")
def static_lost() -> Made:
    file = series(1)
    file.fram(STATIC)
    at = file.blok(2, 0, b"ab")
    file.done()
    add(file, 1)
    file.data[at + 30] ^= 1
    return saved(file, [0, 1], [], static={})


@vector(
    "recover/personal-data-and-foreign-records",
    "7.4.1",
    "9.6",
    "9.7",
    "4.3.3",
    "9.2",
    provokes="records that depend on offsets are copied; personal data are lost",
)
def personal() -> Made:
    file = series(1)
    file.put(b"pERs", compact({"operator": "Marie Curie"}))
    file.put(b"cONT", struct.pack("<Q", 1) + file.content())
    file.put(b"abCD", b"unsafe to copy")
    file.put(b"abCd", b"safe to copy")
    begin = add(file, 1)
    add(file, 2)
    file.close()
    file.data[begin] ^= 1
    return saved(file, [0, 2], [1], personal=1)


@vector(
    "recover/records-inside-a-frame",
    "9.3",
    "5.2.1",
    provokes="ancillary records part a frame, or an amendment in one is applied",
)
def records_inside() -> Made:
    file = series(1)
    file.fram()
    file.put(b"abCd", b"foreign", listed=False)
    found = {"EDX": file.add_signal("EDX", cube("ri"), None)}
    at = file.put(b"abCd", b"foreign and damaged", listed=False)
    file.data[at + 24] ^= 1
    file.put(b"aMNd", compact({"metadata": {"title": "not this"}}), listed=False)
    file.put(b"pERs", compact({"operator": "nobody"}), listed=False)
    file.done()
    file.complete(found)
    return saved(file, [0, 1], [])


@vector(
    "recover/critical-record-inside-a-frame",
    "9.1",
    "9.3",
    provokes="a frame is kept without what it cannot be read without",
)
def critical_inside() -> Made:
    file = series(1)
    file.fram()
    file.put(b"ABCD", b"needed", listed=False)
    file.add_signal("EDX", cube("ci"), None)
    file.done()
    file.complete({})
    add(file, 2)
    return saved(file, [0, 2], [1])


@vector("recover/attributes-not-json", "9.1", "4.5.1", provokes="a frame is kept with attributes that nobody can read")
def bad_attributes() -> Made:
    file = series(1)
    file.fram()
    file.add_signal("EDX", cube("ba"), None)
    file.done(b"{")
    file.complete({})
    add(file, 2)
    return saved(file, [0, 2], [1])


@vector("recover/number-beyond-the-file", "9.3", "5.2.2", provokes="all numbers up to a wrong one are listed as lost")
def far_number() -> Made:
    file = series(1)
    file.fram(2**40)
    found = {"EDX": file.add_signal("EDX", cube("fn"), None)}
    file.done()
    file.complete(found)
    return saved(file, [0, 1], [], numbers={1: 2**40})


@vector("recover/second-head", "5.1.1", "9.3", provokes="the frames after another HEAD are dropped")
def second_head() -> Made:
    file = series(2)
    file.put(b"HEAD", file.head())
    add(file, 2)
    return saved(file, [0, 1, 2], [])


def _nested(tail: bytes) -> Made:
    """A whole frame inside of 40 wrong records, each inside of the one before."""
    file = series(1)
    start = len(file.data)
    add(file, 1)
    frame = bytes(file.data[start:])
    size = 24 * 40 + len(frame)
    around = b"".join(wrong_header(b"BLOK", size - 24 * (i + 1)) for i in range(40))
    return saved(file, [0, 1], [], data=file.data[:start] + around + frame + tail)


def wrong_header(kind: bytes, length: int) -> bytes:
    """Header of a record whose payload has another digest."""
    start = b"\xf5LB\x01" + kind + struct.pack("<QI", length, 0x12345678)
    return start + struct.pack("<I", zlib.crc32(start))


@vector(
    "recover/wrong-records-nested",
    "9.3",
    provokes="the search inside of wrong records is given up after some depth, or takes time with its square",
)
def nested() -> Made:
    return _nested(b"no record" + bytes([7] * 15))


@vector("recover/wrong-to-the-end", "9.3", provokes="the end of the file is taken for a record that stands there")
def to_the_end() -> Made:
    return _nested(b"")
