"""Vectors with one block that contradicts the standard: its signal is damaged in its frame, the rest is given."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from ..builder import File, draw, events, image, spectra
from ..catalogue import Made, vector
from ..codings import Bits, leb128, number, split_rice, zstd
from .accept_records import cube

M32 = 2**32 - 1
BESIDE = draw("beside", (1, 2), "uint8")


def bad(file: File, *blocks: dict[str, Any], fault: int | None = None) -> Made:
    """A frame of signal 0 in the blocks given, one of which is wrong, and a sound image beside; then a sound frame."""
    file.fram()
    at = [file.blok(**{"signal": 0, **block}) for block in blocks]
    found = {file.signals[0]["name"]: {"error": "damaged", "offset": at if fault is None else at[fault]}}
    return finished(file, found)


def finished(file: File, found: dict[str, Any]) -> Made:
    """End a frame of wrong blocks, what a reader finds in them given, with a sound image; then a sound frame."""
    found["beside"] = file.add_signal("beside", BESIDE, None)
    file.done()
    file.complete(found)
    file.contents.append(b"")
    file.frame({"beside": BESIDE})
    file.contents.pop()
    return Made(bytes(file.data), file.expect(), file.features)


def of(signal: dict[str, Any]) -> File:
    """A journal of the signal and a small image."""
    return File(signal, image("beside", (1, 2), "uint8"))


def coded(coding: int, data: bytes, voxels: int = 0, total: int = 0, **more: Any) -> dict[str, Any]:
    """Arguments of one BLOK."""
    return {"coding": coding, "coded": data, "voxels": voxels, "events": total, **more}


# What every block states (clause 5.3)

ONE = leb128([5], [1])
EDX = {
    "voxels-above-volume": (coded(1, leb128(list(range(24)), [1] * 24) + b"\x00", 25, 25), "5.3.6"),
    "voxels-above-events": (coded(1, leb128([1, 2], [1, 1]), 2, 1), "5.3.6"),
    "voxels-without-events": (coded(1, ONE, 1, 0), "5.3.6"),
    "events-without-voxels": (coded(1, b"", 0, 1), "5.3.6"),
    "events-other-leb128": (coded(1, leb128([5], [2]), 1, 3), "5.3.6"),
    "voxels-other-leb128": (coded(1, leb128([5, 6], [1, 1]), 1, 2), "8.2.2"),
    "coding-for-images": (coded(3, zstd(bytes(96)), 1, 1), "5.3.2"),
    "window-cut-off": (coded(1, b"", 0, 0, flags=1), "4.3.4"),
    "window-empty": (coded(1, ONE, 1, 1, window=[(0, 2), (1, 1), (0, 4)]), "5.3.4"),
    "window-reversed": (coded(1, ONE, 1, 1, window=[(0, 2), (2, 1), (0, 4)]), "5.3.4"),
    "window-outside": (coded(1, ONE, 1, 1, window=[(0, 2), (0, 3), (0, 5)]), "5.3.4"),
    "window-far-outside": (coded(1, ONE, 1, 1, window=[(0, 2), (0, M32), (0, 4)]), "5.3.4"),
    "window-missing": (coded(1, ONE, 1, 1, window=[(0, 2), (0, 3), (0, 3)]), "5.3.7"),
    # leb128 (clause 8.2)
    "leb128-voxel-outside": (coded(1, leb128([24], [1]), 1, 1), "8.2.2"),
    "leb128-sum-of-gaps-outside": (coded(1, leb128([20, 24], [1, 1]), 2, 2), "8.2.2"),
    "leb128-six-bytes": (coded(1, number(10, bytes_=6), 1, 1), "8.2.2"),
    "leb128-endless": (coded(1, b"\xff" * 40, 1, 1), "8.2.2"),
    "leb128-count-above-u32": (coded(1, number(11) + number(M32 - 1), 1, M32), "8.2.2"),
    "leb128-ends-in-a-number": (coded(1, b"\x8b", 1, 2), "8.2.2"),
    "leb128-ends-before-a-count": (coded(1, b"\x0b", 1, 2), "8.2.2"),
    "leb128-left-over": (coded(1, ONE + b"\x00", 1, 1), "8.2.2"),
    "leb128-empty-left-over": (coded(1, b"\x00", 0, 0), "8.2.2"),
    "leb128-more-voxels-than-bytes": (coded(1, leb128(list(range(5)), [1] * 5), 20, 20), "8.2.3"),
    # raw (clause 8.1)
    "raw-short": (coded(0, bytes(95), 0, 0), "8.1.1"),
    "raw-long": (coded(0, bytes(97), 0, 0), "8.1.1"),
    "raw-voxels-other": (coded(0, struct.pack("<24I", *[1, 1] + [0] * 22), 1, 2), "5.3.6"),
    "raw-events-other": (coded(0, struct.pack("<24I", *[1, 1] + [0] * 22), 2, 3), "5.3.6"),
    "raw-sum-wraps": (coded(0, struct.pack("<24I", *[M32, 3] + [0] * 22), 2, 2), "5.3.6"),
}  # fmt: skip


def bits(*fields: tuple[int, int], m: int = 4) -> bytes:
    """A split-rice block of hand-set fields (value, bits), lowest bit first."""
    out = Bits()
    for value, n in fields:
        out.put(value, n)
    return bytes([m]) + out.bytes()


# Two counts in voxels 1 and 2, m = 5: A = 32 // 1 = 32, B = 16 << 1 = 32, p = 2, k = 1.
TWO = split_rice([1, 2], [1, 1], 24, m=5)
RICE = {
    "nothing": (b"", 1, 1, "8.3.1"),
    "m-of-33": (b"\x21" + TWO[1:], 2, 2, "8.3.1"),
    "m-of-255": (b"\xff" + TWO[1:], 2, 2, "8.3.1"),
    "left-over": (TWO + b"\x00", 2, 2, "8.3.1"),
    "ends-early": (TWO[:2], 2, 2, "8.3.5"),
    "no-bits": (TWO[:1], 2, 2, "8.3.6"),
    "total-above-events": (split_rice([1, 2, 3], [1, 1, 1], 24, m=0), 2, 2, "8.3.4"),
    "total-below-events": (bits((0, 1), (1, 1), (1, 5), m=5), 1, 2, "8.3.4"),
    "escaped-total-above-events": (bits((2**24 - 1, 24), (M32, 32), m=5), 2, 2, "8.3.4"),
    "voxel-outside": (bits((0, 1), (0, 1), (0b0, 1), (0b1111, 4), (0b1111, 4), m=5), 2, 2, "8.3.5"),
    "voxel-number-V": (split_rice([1, 24], [1, 1], 24, m=5), 2, 2, "8.3.5"),
    "split-above-total": (bits((2**24 - 1, 24), (200, 32), (2**24 - 1, 24), (201, 32), m=5), 2, 200, "8.3.5"),
    "voxels-other": (TWO, 1, 2, "5.3.6"),
    "fewer-voxels": (bits((0, 1), (0, 1), *[(1, 2)] * 5, m=5), 2, 2, "5.3.6"),
    "more-voxels-than-bits": (TWO, 20, 20, "8.3.6"),
}  # fmt: skip

for what, (block, clause) in EDX.items():

    @vector(
        f"reject/block-{what}",
        clause,
        "9.1",
        "5.3.9",
        provokes="the numbers of a block are trusted, or the whole file is refused",
    )
    def bad_block(block: Any = block) -> Made:
        return bad(of(events()), block)


for what, (data, voxels, total, clause) in RICE.items():

    @vector(f"reject/split-rice-{what}", clause, "9.1", provokes="the stream is trusted: writes or reads out of bounds")
    def bad_rice(data: bytes = data, voxels: int = voxels, total: int = total) -> Made:
        return bad(of(events()), coded(2, data, voxels, total))


@vector("reject/split-rice-z-above-total", "8.3.5", provokes="a negative part wraps around")
def rice_z() -> Made:
    # N = 7 by escape; then k = 1, t = 3: q = 3 without terminator and a low bit of one: z = 7, L = 3 + 4 = 7; z > N
    # needs q = t and the low bits above N's: N = 6, t = 3, z = 7.
    data = bits((2**24 - 1, 24), (6, 32), (0b111, 3), (1, 1), m=5)
    return bad(of(events()), coded(2, data, 2, 6))


@vector("reject/split-rice-more-chunks-than-bits", "8.3.6", provokes="work in proportion to the declared shape")
def rice_chunks() -> Made:
    return bad(of(events(shape=(1, M32, 1))), coded(2, bytes(40), 0, 0))


for name, dtype in {"uint8": "uint8", "uint16": "uint16"}.items():
    for coding in (1, 2):

        @vector(
            f"reject/count-above-{name}-{'leb128' if coding == 1 else 'split-rice'}",
            "5.3.6",
            "5.1.5",
            provokes="counts wrap in the dense array",
        )
        def above(dtype: str = dtype, coding: int = coding) -> Made:
            count = [int(np.iinfo(dtype).max) + 1]
            data = leb128([5], count) if coding == 1 else split_rice([5], count, 24)
            return bad(of(events(dtype=dtype)), coded(coding, data, 1, count[0]))


LEFT, RIGHT = [(0, 2), (0, 1), (0, 4)], [(0, 2), (1, 3), (0, 4)]
SEVERAL = {
    "windows-overlap": ([LEFT, [(0, 2), (0, 3), (0, 4)]], "the volume of the second hides in the first"),
    "windows-overlap-and-gap": ([LEFT, [(0, 2), (0, 2), (0, 4)]], "volumes are summed and intersections not looked for"),
    "windows-twice": ([LEFT, RIGHT, RIGHT], "a block is added twice"),
    "windows-and-whole": ([None, LEFT], "a block without window beside one with"),
}  # fmt: skip

for what, (windows, mistake) in SEVERAL.items():

    @vector(f"reject/{what}", "5.3.7", "9.1", provokes=mistake)
    def bad_windows(windows: Any = windows) -> Made:
        return bad(of(events()), *(coded(1, ONE, 1, 1, window=window) for window in windows))

    @vector(f"reject/{what}-empty", "5.3.7", provokes="windows are checked only where something is in them")
    def bad_empty_windows(windows: Any = windows) -> Made:
        return bad(of(events()), *(coded(1, b"", window=window) for window in windows))


@vector("reject/4097-windows", "5.3.7", provokes="work in proportion to the square of the number of blocks")
def too_many_windows() -> Made:
    file = File(image("I", (1, 4097), "uint8"), image("beside", (1, 2), "uint8"), digest=False)
    return bad(file, *(coded(0, b"x", window=[(0, 1), (x, x + 1)]) for x in range(4097)))


@vector("reject/block-above-2-32-voxels", "5.3.5", provokes="the volume of a window in 32 bits")
def too_large() -> Made:
    return bad(of(events(shape=(1, 65536, 65536))), coded(1, b""))


@vector("reject/window-above-2-32-voxels", "5.3.5", provokes="the volume of a window in 32 bits")
def too_large_window() -> Made:
    return bad(of(events(shape=(65535, 65537, 2))), coded(1, b"", window=[(0, 65535), (0, 65537), (0, 2)]))


# Images and spectra

GOOD = bytes(range(24))
FRAMES = {
    "size-absent": zstd(GOOD, size=None, single=False, window=0x08),
    "size-too-large": zstd(GOOD, size=25),
    "size-too-small": zstd(GOOD, size=23),
    "size-huge": zstd(GOOD, size=2**62),
    "content-short": zstd(GOOD[:23], size=24),
    "content-long": zstd(GOOD + b"x", size=24),
    "dictionary": zstd(GOOD, dictionary=1),
    "checksum-wrong": zstd(GOOD, checksum=b"\x00\x01\x02\x03"),
    "skippable": b"\x50\x2a\x4d\x18\x18\x00\x00\x00" + GOOD,
    "skippable-first": b"\x50\x2a\x4d\x18\x00\x00\x00\x00" + zstd(GOOD),
    "two": zstd(GOOD) + zstd(b""),
    "left-over": zstd(GOOD) + b"\x00",
    "cut-off": zstd(GOOD)[:-1],
    "nothing": b"",
    "magic": b"\x29" + zstd(GOOD)[1:],
}

for what, frame in FRAMES.items():

    @vector(
        f"reject/zstd-{what}",
        "8.4.2" if "size" in what else "8.4.1",
        "9.1",
        provokes="what the zstd library accepts is accepted",
    )
    def bad_zstd(frame: bytes = frame) -> Made:
        return bad(of(spectra(shape=(2, 3, 2), dtype="uint16")), coded(3, frame))


@vector("reject/image-voxels-stated", "5.3.6", provokes="fields that mean nothing for images are not looked at")
def image_voxels() -> Made:
    return bad(of(image()), coded(0, bytes(12), 1, 1))


@vector("reject/image-in-leb128", "5.3.2", provokes="the kind is not compared with the coding")
def image_leb128() -> Made:
    return bad(of(image()), coded(1, b""))


@vector("reject/image-short", "5.1.7", "8.1.1", provokes="bytes that are missing are read as zero")
def image_short() -> Made:
    return bad(of(image()), coded(0, bytes(11)))


@vector("reject/static-last-damaged", "5.2.3", "9.1", provokes="an earlier one is given in place of the last")
def static_last() -> Made:
    file = File(events(), image("survey", (1, 2), "uint8", role="survey"))
    file.put_static("survey", BESIDE).frame({"EDX": cube("sl")})
    file.fram(2**64 - 1)
    at = file.blok(1, 0, b"x")
    file.done()
    file.static = {"survey": {"error": "damaged", "offset": at}}
    return Made(bytes(file.data), file.expect(), file.features)


@vector("reject/group-with-a-damaged-member", "5.1.5", "9.1", provokes="the sum of the others is given as the group")
def group_damaged() -> Made:
    file = File(events("A", group="G"), events("B", group="G"))
    file.fram()
    at = file.blok(0, 1, b"\x00", 1, 2)
    found = {"A": {"error": "damaged", "offset": at}, "B": file.add_signal("B", cube("gd"), None)}
    file.done()
    file.complete(found, groups={"G": {"error": "damaged", "offset": at}})
    return Made(bytes(file.data), file.expect(), file.features)
