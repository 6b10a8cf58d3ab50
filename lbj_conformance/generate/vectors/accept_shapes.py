"""Vectors that every reader reads: kinds, shapes, block layouts, edges of size and count."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np

from ..builder import Block, Counts, File, cut, draw, events, expected_array, image, sparse, spectra
from ..catalogue import Made, right, vector
from ..codings import leb128

M32 = 2**32 - 1
EVENT_CODINGS = ("raw", "leb128", "split-rice")
ARRAY_CODINGS = ("raw", "shuffle-zstd")


@vector("accept/minimal", "3.1", "4.1.1", "5.1.1", "5.4.1", "6.1", "6.2.1", "8.0", "8.2.1",
        provokes="anything: this is the file that the standard shows byte by byte")  # fmt: skip
def minimal() -> File:
    file = File(events())
    cube = np.zeros((2, 3, 4), np.uint32)
    cube[0, 1, 0], cube[1, 0, 2] = 1, 2
    return file.frame({"EDX": cube}).close()


@vector("accept/no-frames", "5.1.4", "5.2.2", "6.1", provokes="a first frame is taken for granted")
def no_frames() -> File:
    return File(events(), image()).close()


@vector("accept/not-closed", "4.4.1", "6.1", provokes="a file without footer is taken for truncated")
def not_closed() -> File:
    return File(events()).frame({"EDX": sparse("nc", (2, 3, 4))}).frame({"EDX": sparse("nc2", (2, 3, 4))})


@vector("accept/header-only", "4.4.1", "6.1", provokes="a file that ends after HEAD is taken for truncated")
def header_only() -> File:
    return File(events())


@vector("accept/empty-frame", "5.3.7", "5.4.1", "5.4.2", provokes="a frame without blocks is dropped or refused")
def empty_frame() -> File:
    file = File(events(), image())
    return file.frame({"EDX": sparse("ef", (2, 3, 4))}).frame({}).frame({"HAADF": draw("ef", (2, 3), "uint16")}).close()


for name in EVENT_CODINGS:

    @vector(f"accept/empty-cube-{name}", "5.3.6", "8.0", provokes="a block without counts is read past its end")
    def empty_cube(name: str = name) -> File:
        block = {"EDX": [Block(coding=name)]}
        return File(events()).frame({"EDX": np.zeros((2, 3, 4), np.uint32)}, blocks=block).close()

    @vector(f"accept/one-voxel-{name}", "5.1.5", "2.3", provokes="sizes of one: no pixel, no channel to loop over")
    def one_voxel(name: str = name) -> File:
        file = File(events(shape=(1, 1, 1)))
        options = {"m": 0} if name == "split-rice" else {}
        for count in (0, 1, 2, 3):
            file.frame(
                {"EDX": np.full((1, 1, 1), count, np.uint32)},
                blocks={"EDX": [Block(coding=name, options=options)]},
            )
        return file.close()

    @vector(f"accept/largest-count-{name}", "5.3.6", "8.0", provokes="counts or sums in 31 bits, or count + 1 in 32")
    def largest_count(name: str = name) -> File:
        file = File(events())
        for place in ((0, 0, 0), (1, 2, 3), (0, 1, 2)):
            cube = np.zeros((2, 3, 4), np.uint32)
            cube[place] = M32
            file.frame({"EDX": cube}, blocks={"EDX": [Block(coding=name)]})
        return file.close()

    @vector(f"accept/dense-counts-{name}", "8.0", "2.3", provokes="pixel and channel order are mixed up")
    def dense_counts(name: str = name) -> File:
        cube = draw("dc", (3, 5, 7), below=300)
        return File(events(shape=(3, 5, 7))).frame({"EDX": cube}, blocks={"EDX": [Block(coding=name)]}).close()

    for pixels in (65535, 65537):

        @vector(f"accept/{pixels}-pixels-{name}", "2.3", "5.1.5", provokes="pixel numbers in 16 bits")
        def many_pixels(name: str = name, pixels: int = pixels) -> File:
            cube = np.zeros((1, pixels, 1), np.uint8)
            cube[0, draw("mp", (200,), below=pixels), 0] = 1
            cube[0, [0, pixels - 1], 0] = 2
            options = {"m": 8} if name == "split-rice" else {}
            blocks = {"EDX": [Block(coding=name, options=options)]}
            return File(events(shape=(1, pixels, 1), dtype="uint8")).frame({"EDX": cube}, blocks=blocks).close()

    @vector(f"accept/4096-channels-{name}", "2.3", "5.1.5", provokes="channel numbers in 11 bits; a long gap")
    def many_channels(name: str = name) -> File:
        cube = np.zeros((2, 2, 4096), np.uint8)
        cube[:, :, [0, 1, 2047, 2048, 4095]] = draw("mc", (2, 2, 5), "uint8", below=4)
        cube[1, 1, 4095] = 255
        options = {"m": 9} if name == "split-rice" else {}
        blocks = {"EDX": [Block(coding=name, options=options)]}
        return File(events(shape=(2, 2, 4096), dtype="uint8")).frame({"EDX": cube}, blocks=blocks).close()

    for dtype in ("uint8", "uint16"):

        @vector(f"accept/{dtype}-counts-{name}", "5.1.5", "5.3.6", "8.1.1", provokes="every cube is taken for uint32")
        def narrow_counts(name: str = name, dtype: str = dtype) -> File:
            cube = sparse("nw", (4, 3, 5), dtype)
            cube[0, 0, 0] = np.iinfo(dtype).max
            blocks = {"EDX": [Block(coding=name)]}
            return File(events(shape=(4, 3, 5), dtype=dtype)).frame({"EDX": cube}, blocks=blocks).close()


@vector(
    "accept/baseline", "10.5", "4.2.5", provokes="a payload digest is demanded where the flag says that there is none"
)
def baseline() -> File:
    file = File(events(), image(), digest=False)
    for i in range(3):
        file.frame({"EDX": sparse(f"b{i}", (2, 3, 4)), "HAADF": draw(f"b{i}", (2, 3), "uint16")})
    return file


@vector("accept/baseline-closed", "6.1", "4.2.5", "10.5", provokes="the flag of one record is applied to all")
def baseline_closed() -> File:
    file = File(events(), image(), digest=False)
    return file.frame({"EDX": sparse("b", (2, 3, 4)), "HAADF": draw("b", (2, 3), "uint16")}).close()


@vector("accept/digest-of-zero", "4.2.5", "3.2", provokes="a digest of zero is read as no digest")
def digest_of_zero() -> File:
    file = File(image(shape=(2, 2), dtype="uint8"))
    head = struct.pack("<QHHIII", 0, 0, 0, 0, 0, 0)
    tail = forged(head)
    assert zlib.crc32(head + tail) == 0
    return file.frame({"HAADF": np.frombuffer(tail, np.uint8).reshape(2, 2)}).close()


def forged(head: bytes) -> bytes:
    """Four bytes that make the CRC-32 zero: the register's own, since they cancel it."""
    register = zlib.crc32(head) ^ 0xFFFFFFFF
    wanted = 0xFFFFFFFF  # register that the final exclusive-or turns into zero
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (0xEDB88320 if value & 1 else 0)
        table.append(value)
    back = {value >> 24: (i, value) for i, value in enumerate(table)}
    indices = []
    for _ in range(4):
        i, value = back[wanted >> 24]
        indices.append(i)
        wanted = (wanted ^ value) << 8 & 0xFFFFFFFF
    out = b""
    for i in reversed(indices):
        out += bytes([(register ^ i) & 0xFF])
        register = register >> 8 ^ table[(register ^ out[-1]) & 0xFF]
    return out


@vector("accept/every-padding", "4.1.1", "4.2.6", provokes="the padding is taken for part of the payload")
def every_padding() -> File:
    file = File(*(image(f"I{n}", (1, n), "uint8") for n in range(1, 10)))
    for i in range(2):
        file.frame({f"I{n}": draw(f"p{n}{i}", (1, n), "uint8") for n in range(1, 10)}, {"region": i} if i else None)
    return file.close()


@vector("accept/padding-not-zero", "4.2.6", "9.1", "1.5", provokes="padding is checked or digested")
def padding_not_zero() -> Made:
    file = File(image(shape=(1, 3), dtype="uint8"))
    file.frame({"HAADF": draw("pz", (1, 3), "uint8")})
    data = file.data
    at = file.at["BLOK"] + 24 + 24 + 3
    data[at : at + 5] = b"\xf5LB\x01H"
    return right(file, ["4.2.6", "6.1"])


@vector("accept/unused-fields-set", "1.5", "5.2.1", "5.4.1", "6.3", provokes="unused is mistaken for reserved")
def unused_fields() -> Made:
    file = File(events(), unused=0xFFFFFFFF)
    file.put(b"abCd", b"x")
    return right(file.frame({"EDX": sparse("uf", (2, 3, 4))}).close(), ["1.5"])


for label, shape in {
    "tzyxc": (2, 2, 3, 2, 4), "line": (1, 17, 5), "column": (17, 1, 5), "one-channel": (5, 3, 1), "spectrum": (1, 9),
    "eight-axes": (1, 2, 1, 2, 1, 2, 1, 3),
}.items():  # fmt: skip

    @vector(
        f"accept/shape-{label}", "2.2", "2.3", "5.1.5", provokes="two navigation axes and one channel axis are assumed"
    )
    def shapes(shape: tuple[int, ...] = shape) -> File:
        file = File(events(shape=shape), spectra(shape=shape, dtype="int16"), image(shape=shape, dtype="int32"))
        for i, coding in enumerate(EVENT_CODINGS):
            data = {
                "EDX": sparse(f"sh{i}", shape),
                "EELS": draw(f"a{i}", shape, "int16"),
                "HAADF": draw(f"b{i}", shape, "int32"),
            }
            file.frame(data, blocks={"EDX": [Block(coding=coding)]})
        return file.close()


@vector("accept/image-of-one-axis", "5.1.5", "2.2", provokes="an image is taken to have two axes")
def image_1d() -> File:
    return File(image(shape=(7,), dtype="uint8")).frame({"HAADF": draw("i1", (7,), "uint8")}).close()


TILES = [[(y, y + 2), (x, min(x + 3, 7)), (0, 6)] for y in (0, 2, 4) for x in (0, 3, 6)]
BANDS = [[(0, 6), (0, 7), (2, 6)], [(0, 6), (0, 7), (0, 1)], [(0, 6), (0, 7), (1, 2)]]
MIXED = [[(0, 3), (0, 7), (0, 6)], [(3, 6), (0, 7), (0, 2)], [(3, 6), (5, 7), (2, 6)], [(3, 6), (0, 5), (2, 6)]]

for label, windows in {"tiles": TILES, "bands": BANDS, "mixed": MIXED}.items():
    for coding in EVENT_CODINGS:

        @vector(f"accept/windows-{label}-{coding}", "5.3.4", "5.3.7", "5.3.9", "2.3",
                provokes="indices are counted over the array instead of the window; rows of blocks are assumed")  # fmt: skip
        def tiled_events(windows: Any = windows, coding: str = coding) -> File:
            file = File(events(shape=(6, 7, 6)))
            blocks = [Block(window, coding, {"m": 2} if coding == "split-rice" else {}) for window in windows]
            return file.frame({"EDX": sparse("te", (6, 7, 6), one_in=3)}, blocks={"EDX": blocks}).close()

    for coding in ARRAY_CODINGS:

        @vector(f"accept/windows-{label}-{coding}-spectra", "5.3.4", "5.3.7", "8.1.1" if coding == "raw" else "8.4.1",
                provokes="a window's array is copied as if it were contiguous")  # fmt: skip
        def tiled_spectra(windows: Any = windows, coding: str = coding) -> File:
            file = File(spectra(shape=(6, 7, 6), dtype="int16"))
            blocks = [Block(window, coding) for window in windows]
            return file.frame({"EELS": draw("ts", (6, 7, 6), "int16")}, blocks={"EELS": blocks}).close()


@vector("accept/window-of-the-whole", "5.3.4", provokes="a window that states the whole array is refused")
def window_whole() -> File:
    block = Block([(0, 2), (0, 3), (0, 4)], "leb128")
    return File(events()).frame({"EDX": sparse("ww", (2, 3, 4))}, blocks={"EDX": [block]}).close()


@vector("accept/4096-windows", "5.3.7", provokes="a smaller bound on the number of blocks")
def most_windows() -> File:
    blocks = [Block([(0, 1), (x, x + 1)], "raw") for x in reversed(range(4096))]
    return File(image(shape=(1, 4096), dtype="uint8"), digest=False).frame(
        {"HAADF": draw("mw", (1, 4096), "uint8")}, blocks={"HAADF": blocks}
    )


@vector(
    "accept/blocks-interleaved", "5.3.1", "5.3.2", "5.3.9", provokes="blocks are expected signal by signal, in order"
)
def interleaved() -> File:
    file = File(events("A", (2, 2, 3)), image("B", (2, 2), "uint8"), digest=False)
    a, b = sparse("ia", (2, 2, 3), one_in=2), draw("ib", (2, 2), "uint8")
    file.fram()
    for row in (1, 0):
        file.blok(1, 0, b[row : row + 1].tobytes(), window=[(row, row + 1), (0, 2)])
        window = [(row, row + 1), (0, 2), (0, 3)]
        voxel, count = cut([2, 2, 3], a, window)
        file.blok(0, 1, leb128(voxel, count), len(voxel), sum(count), window=window)
    file.done()
    found = {"A": expected_array([2, 2, 3], "uint32", a), "B": expected_array([2, 2], "uint8", b)}
    file.complete(found)
    return file


@vector("accept/more-than-2-32-voxels", "5.3.5", "5.1.5", "11.1", provokes="voxel numbers of the array in 32 bits")
def huge() -> File:
    side, channels = 2048, 4096
    pixels = side * side
    found = Counts([[0, 1], [5 * pixels + 7, 2], [2048 * pixels + pixels - 1, 1], [4095 * pixels + pixels - 1, 70000]])
    windows = [[(0, side), (0, side), (c, min(c + 1000, channels))] for c in range(0, channels, 1000)]
    file = File(events(shape=(side, side, channels)))
    for coding in ("leb128", "split-rice"):
        options = {"m": 24} if coding == "split-rice" else {}
        file.frame({"EDX": found}, blocks={"EDX": [Block(window, coding, options) for window in windows]})
    return file.close()


@vector("accept/huge-and-empty", "11.1", "8.3.6", "8.2.3", provokes="memory in proportion to the declared shape")
def huge_and_empty() -> File:
    file = File(events("A", (1, M32, 1)), events("B", (1, 65535, 65537)))
    for coding in ("leb128", "split-rice"):
        options = {"m": 32} if coding == "split-rice" else {}
        block = [Block(None, coding, options)]
        file.frame({"A": Counts([]), "B": Counts([])}, blocks={"A": block, "B": block})
    return file.close()


@vector("accept/random-frames", "2.3", "5.2.2", "8.0", "8.3.2", provokes="anything that single cases do not")
def random_frames() -> File:
    shape = (11, 13, 64)
    file = File(events(shape=shape, dtype="uint16"), image(shape=(11, 13)), metadata={"title": "random"})
    for i in range(8):
        one_in = (3, 7, 40, 400)[i % 4]
        coding = EVENT_CODINGS[1 + i // 4]
        data = {"EDX": sparse(f"r{i}", shape, "uint16", one_in=one_in), "HAADF": draw(f"r{i}", (11, 13), "uint16")}
        options = {"m": 5} if coding == "split-rice" else {}
        file.frame(data, {"time_offset": 0.5 * i}, {"EDX": [Block(coding=coding, options=options)]})
    return file.close()
