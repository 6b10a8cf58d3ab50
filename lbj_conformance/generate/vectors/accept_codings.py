"""Vectors that every reader reads: the streams of the codings."""

from __future__ import annotations

import struct

import numpy as np

from ..builder import Block, Counts, File, draw, events, expected_array, image, sparse, spectra
from ..catalogue import vector

M32 = 2**32 - 1
EVENT_CODINGS = ("raw", "leb128", "split-rice")
ARRAY_CODINGS = ("raw", "shuffle-zstd")


@vector("accept/leb128-long-forms", "8.2.2", provokes="a reader insists on the shortest form")
def leb128_long() -> File:
    blocks = {"EDX": [Block(coding="leb128", options={"longest": True})]}
    return File(events()).frame({"EDX": sparse("ll", (2, 3, 4), one_in=2)}, blocks=blocks).close()


@vector("accept/leb128-widest-gap", "8.2.2", "5.3.5", provokes="tokens in 32 bits: gap * 2 needs 33")
def leb128_gap() -> File:
    file = File(events(shape=(1, M32, 1)))
    return file.frame({"EDX": Counts([[M32 - 1, M32]])}).frame({"EDX": Counts([[0, 1], [M32 - 1, 1]])}).close()


@vector("accept/split-rice-widest", "8.3.1", "8.3.3", "8.3.5", "5.3.5",
        provokes="positions or m in 31 bits; a shift by 32, undefined in C")  # fmt: skip
def split_rice_widest() -> File:
    file = File(events(shape=(1, M32, 1)))
    for m in (32, 31, 24):
        found = Counts([[0, 1], [2**31 - 1, 3], [2**31, 1], [M32 - 1, M32 - 5]])
        file.frame({"EDX": found}, blocks={"EDX": [Block(coding="split-rice", options={"m": m})]})
    found = Counts([[M32 - 1, 1]])
    return file.frame({"EDX": found}, blocks={"EDX": [Block(coding="split-rice", options={"m": 32})]}).close()


@vector("accept/split-rice-every-m", "8.3.2", "8.3.7", provokes="chunk size taken from a rule of the encoder")
def split_rice_m() -> File:
    file = File(events(shape=(3, 5, 7)))
    for m in range(33):
        file.frame({"EDX": sparse(f"m{m}", (3, 5, 7))}, blocks={"EDX": [Block(coding="split-rice", options={"m": m})]})
    return file.close()


@vector("accept/split-rice-escapes", "8.3.4", "8.3.5", provokes="an escape is refused where the short form would do")
def split_rice_escapes() -> File:
    file = File(events(shape=(3, 5, 7)))
    for seed in "abc":
        cube = draw(seed, (3, 5, 7), below=1000)
        file.frame({"EDX": cube}, blocks={"EDX": [Block(coding="split-rice", options={"m": 5, "escapes": True})]})
    return file.close()


@vector("accept/split-rice-lopsided", "8.3.4", "8.3.5", provokes="escapes that are needed: long runs of one bits")
def split_rice_lopsided() -> File:
    file = File(events(shape=(8, 8, 16)))
    for count in (24, 25, 99, 4096, 10**6, 2**31):
        cube = np.zeros((8, 8, 16), np.uint32)
        cube[0, 0, 0] = count
        cube[7, 7, 15] = 1
        cube[3, 4, 5:9] = count // 7
        file.frame({"EDX": cube}, blocks={"EDX": [Block(coding="split-rice", options={"m": 4})]})
    return file.close()


@vector(
    "accept/split-rice-24-of-24",
    "8.3.5",
    provokes="24 one bits are taken for an escape where q cannot be larger than 24",
)
def split_rice_24() -> File:
    """A voxel alone in an upper half: q = t = 24, the first and last such totals, and the totals beside."""
    file = File(events(shape=(1, 1, 2)))
    for total in (191, 192, 199, 200, 383, 384, 399, 400):
        cube = np.array([[[0, total]]], np.uint32)
        file.frame({"EDX": cube}, blocks={"EDX": [Block(coding="split-rice", options={"m": 1})]})
    return file.close()


@vector("accept/split-rice-adapts", "3.3", "8.3.3", "8.3.4", provokes="A and B are updated in the wrong order")
def split_rice_adapts() -> File:
    cube = np.zeros((4, 4, 64), np.uint32)
    cube[:, :, :8] = draw("ad", (4, 4, 8), below=2000)
    cube[:, :, 40:48] = draw("ad2", (4, 4, 8), below=3)
    cube[:, :, 63] = 50000
    file = File(events(shape=(4, 4, 64)))
    for m in (0, 2, 4, 7):
        file.frame({"EDX": cube}, blocks={"EDX": [Block(coding="split-rice", options={"m": m})]})
    return file.close()


@vector("accept/split-rice-spare-bits", "8.3.1", "1.5", provokes="bits left over in the last byte are looked at")
def split_rice_spare() -> File:
    cube = np.zeros((2, 3, 4), np.uint32)
    cube[0, 1, 0], cube[1, 0, 2] = 1, 2
    return File(events()).frame({"EDX": cube}, blocks={"EDX": [Block(coding="split-rice", options={"spare": 1})]})


for coding in ARRAY_CODINGS:

    @vector(f"accept/every-dtype-{coding}", "3.1", "5.1.5", "8.1.1" if coding == "raw" else "8.4.1",
            provokes="byte order, signs; NaN payloads and -0.0 that a float copy may change")  # fmt: skip
    def every_dtype(coding: str = coding) -> File:
        dtypes = ["uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float32", "float64"]
        file = File(*(image(dtype, (3, 5), dtype) for dtype in dtypes))
        data = {}
        for dtype in dtypes:
            kind = np.dtype(dtype)
            raw = draw(dtype, (3, 5, kind.itemsize), "uint8").tobytes()
            data[dtype] = np.frombuffer(raw, kind.newbyteorder("<")).reshape(3, 5).copy()
            if kind.kind == "f":
                bits = data[dtype].view(f"<u{kind.itemsize}")
                bits[0, :3] = [
                    0,
                    1 << (8 * kind.itemsize - 1),
                    (0x7FA00001 if kind.itemsize == 4 else 0x7FF4 << 48 | 1),
                ]
        return file.frame(data, blocks={dtype: [Block(coding=coding)] for dtype in dtypes}).close()

    @vector(f"accept/spectra-{coding}", "2.2", "5.1.5", "8.1.1" if coding == "raw" else "8.4.1",
            provokes="spectra are taken channel-major like events")  # fmt: skip
    def some_spectra(coding: str = coding) -> File:
        value = draw("sp", (3, 4, 5), "float32", below=1000) / np.float32(8)
        return File(spectra(shape=(3, 4, 5))).frame({"EELS": value}, blocks={"EELS": [Block(coding=coding)]}).close()


@vector("accept/zstd-of-every-make", "8.4.1", provokes="a reader of one encoder's zstd frames alone")
def zstd_makes() -> File:
    file = File(image(shape=(4, 6), dtype="uint16"))
    value = draw("zm", (4, 6), "uint16")
    checked = {"checksum": struct.pack("<I", XXH64_LOW)}
    wide = {"single": False, "window": 17 << 3}  # 2^27 bytes
    for options in ({}, {"single": False, "window": 0}, wide, {"named": True}, checked):
        shown = np.full((4, 6), 0x0707, np.uint16) if options is checked else value
        file.frame({"HAADF": shown}, blocks={"HAADF": [Block(coding="shuffle-zstd", options=options)]})
    flat = np.full((4, 6), 0x0707, np.uint16)
    file.frame({"HAADF": flat}, blocks={"HAADF": [Block(coding="shuffle-zstd", options={"repeat": True})]})
    return file.close()


XXH64_LOW = 0x8DA6F856  # low four bytes of the XXH64 of 48 bytes 07


@vector(
    "accept/zstd-compressed",
    "8.4.1",
    provokes="only stored zstd blocks are understood: sequences and Huffman codes are not",
)
def zstd_compressed() -> File:
    file = File(image(shape=(16, 16), dtype="uint16"))
    y, x = np.mgrid[:16, :16]
    value = (100 + 40 * ((y // 4 + x // 4) % 2) + (x * y) % 3).astype(np.uint16)
    file.fram()
    file.blok(0, 3, bytes.fromhex(ZSTD_256))
    file.groups.append((file.at["FRAM"], file.done()))
    file.complete({"HAADF": expected_array([16, 16], "uint16", value)})
    return file.close()


ZSTD_256 = (
    "28b52ffd6000012d020062c40809e0e9ad0ed900b4d90110b978327ab18ab1232ac75e1c997861e4b115b5632affaa01"
    "0c007c1c250007c06162388c0187a91abe6af0d481af801d64e052dbad285c"
)
