"""Vectors that every reader reads: integer streams, in blocks of lossless-int (clauses 8.5 and 8.6)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from ..builder import Block, File, draw, image, spectra
from ..catalogue import vector
from ..codings import number
from ..dense import PLAIN, lossless_int
from ..integer_stream import LEFT, MEAN, NEAR, Model, Tap, encode, signed
from .accept_shapes import BANDS, MIXED, TILES

MOST = 2**24
DTYPES = ["uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float32", "float64"]


def noisy(seed: str, shape: tuple[int, ...], dtype: str = "int32", *, wide: int = 40, level: int = 0) -> np.ndarray:
    """A sum of three pseudo-random numbers around the level."""
    total = draw(seed, (3, *shape), below=wide).astype(np.int64).sum(axis=0) - 3 * (wide - 1) // 2 + level
    return np.asarray(total.astype(dtype))


def put(file: File, name: str, value: np.ndarray, data: bytes, coding: str = "lossless-int") -> File:
    """A frame of one signal in one block of these bytes."""
    return file.frame({name: value}, blocks={name: [Block(None, coding, {"data": data})]})


def coded(value: np.ndarray, *models: Model, **more: Any) -> File:
    """A journal of spectra in lossless-int, a frame for each model."""
    file = File(spectra(shape=value.shape, dtype=value.dtype.name))
    for model in models:
        put(file, "EELS", value, lossless_int(value, model, **more))
    return file.close()


@vector(
    "accept/integers-one-voxel",
    "8.5.1",
    "8.5.9",
    "8.6.1",
    provokes="a row, a row before, or a mean is taken for granted",
)
def one_voxel() -> File:
    file = File(image("I", (1, 1), "int32"))
    for value in (0, 1, -1, MOST, -MOST):
        array = np.full((1, 1), value, np.int32)
        put(file, "I", array, lossless_int(array, NEAR))
    return file.close()


@vector(
    "accept/integers-no-sets", "8.5.6", "8.5.3", "8.5.11", provokes="prediction without tap sets: first voxels of rows"
)
def no_sets() -> File:
    return coded(noisy("ns", (3, 4, 5), level=500), Model(1), Model(900), Model(900, seed=1))


@vector(
    "accept/integers-taps", "8.5.3", "8.5.6", provokes="signs of places; taps beyond an edge wrap into the next row"
)
def taps() -> File:
    around = [Tap(0, -1, 0, 1500), Tap(-1, 0, 0, 1500), Tap(-1, -1, 1, -700), Tap(-1, 1, -1, 900), Tap(0, 0, -1, 896)]
    far = [Tap(-2, 2, 3, 2048), Tap(-3, -3, -3, 2048)]
    ahead = [Tap(-1, 3, 4, 4096)]
    value = noisy("tp", (5, 6, 9), wide=60, level=300)
    return coded(value, Model(900, 0, 0, [(0, around)]), Model(900, 0, 0, [(3, far), (-5, ahead), (7, around)]),
                 Model(900, 0, 0, [(0, ahead), (64, [Tap(0, -5, 8, -4096)]), (-64, [Tap(0, 0, -8, 32767)])]))  # fmt: skip


@vector(
    "accept/integers-mean",
    "8.5.5",
    "8.5.3",
    "8.5.6",
    provokes="the mean holds the voxel itself, or begins at the first",
)
def means() -> File:
    value = noisy("mn", (3, 4, 40), wide=200, level=-100)
    own = [(0, [Tap(0, 0, MEAN, 4096)])]
    rows = [
        (
            0,
            [
                Tap(0, 0, MEAN, 1000),
                Tap(-1, 0, MEAN, 1500),
                Tap(0, -1, MEAN, -400),
                Tap(-1, 1, MEAN, 900),
                Tap(-1, -1, 0, 1000),
            ],
        ),
        *own,
    ]
    return coded(value, Model(9000, 0, 0, own), Model(9000, 0, 0, rows), Model(9000, 0, 0, rows, seed=2**32 - 1))


@vector(
    "accept/integers-set-without-taps",
    "8.5.3",
    "8.5.6",
    provokes="a set without taps is skipped; its offset is rounded",
)
def empty_set() -> File:
    value = noisy("es", (2, 3, 6), level=77)
    empty: tuple[int, list[Tap]] = (77 * 64 + 31, [])
    return coded(value, Model(900, 0, 0, [empty]), Model(900, 0, 0, [(0, [Tap(0, -1, 0, 4096)]), empty, (0, [Tap(0, 0, -1, 4096)])]),
                 Model(900, 0, 0, [(-(2**31), [])]), Model(2**50, 2**24, 0, [(2**31, [])]))  # fmt: skip


@vector("accept/integers-dithered", "8.5.4", provokes="the dither's hash; its sign; samples or errors without it")
def dithered() -> File:
    value = noisy("di", (3, 5, 11), wide=9, level=4)
    seeds = (0, 1, 0x80000000, 0xFFFFFFFF, 0x9E3779B1)
    return coded(value, *(Model(60, 2000, 300, LEFT.sets, seed=seed) for seed in seeds))


@vector(
    "accept/integers-escapes", "8.5.9", provokes="the far ends of symbols 0 and 31; bits in pieces of 16, highest first"
)
def escapes() -> File:
    value = noisy("ec", (1, 40), wide=3)
    value[0, ::3] = [(-1) ** k * min(2 ** (2 * k), MOST) for k in range(14)]
    value[0, 1::3] = [16, 17, -16, -17, 18, -15, 15, 14, 31, 32, MOST, -MOST, 65536]
    file = File(image("I", (1, 40), "int32"))
    for model in (Model(1), Model(1, 0, 0, [(0, [])]), Model(300, 0, 0, [(0, [Tap(0, 0, -1, -32767)])])):
        put(file, "I", value, lossless_int(value, model))
    return file.close()


@vector(
    "accept/integers-every-class",
    "8.5.7",
    "8.5.8",
    "8.5.9",
    provokes="widths above 16 bits; the class of a power of two; S beyond its table",
)
def every_class() -> File:
    """Classes 0 to 99 by beta alone, the highest twice, one window each; the phase differs with the offset."""
    betas = [b for n in range(50) for b in ((2**n, 3 * 2 ** (n - 1)) if n else (1, 1))] + [2**50, 2**50 - 1]
    windows = [[(i, i + 1), (0, 8)] for i in range(len(betas))]
    value = np.zeros((len(betas), 8), np.int32)
    blocks = []
    for i, (beta, window) in enumerate(zip(betas, windows, strict=True)):
        wide = min(2 ** (beta.bit_length() // 2) // 4 + 2, MOST)
        value[i] = draw(f"cl{i}", (8,), below=2 * wide).astype(np.int64) - wide
        offset = 16 * wide + 5 * i
        data = lossless_int(value[i : i + 1], Model(beta, 0, 0, [(offset, [])]))
        blocks.append(Block(window, "lossless-int", {"data": data}))
    return File(image("I", value.shape, "int32"), digest=False).frame({"I": value}, blocks={"I": blocks})


@vector(
    "accept/integers-negative-variance",
    "8.5.7",
    "3.3",
    provokes="a variance below 1; a negative number rounded to zero",
)
def negative_beta() -> File:
    value = noisy("nb", (2, 4, 12), wide=30, level=20)
    return coded(
        value, Model(-1, 3, 1, NEAR.sets), Model(-(2**50), 2**24, 2**16, NEAR.sets), Model(-3000, 40000, 77, NEAR.sets)
    )


@vector(
    "accept/integers-noise-of-counts", "8.5.7", provokes="alpha times a negative prediction, or one without its dither"
)
def alpha() -> File:
    value = np.array([[[(c * c * (x + 1)) // 3 - 20 for c in range(24)] for x in range(4)] for _ in range(2)], np.int32)
    value += noisy("al", (2, 4, 24), wide=5)
    return coded(
        value, Model(10, 4096, 0, NEAR.sets), Model(10, 2**24, 0, NEAR.sets), Model(10, 9000, 0, NEAR.sets, seed=99)
    )


@vector("accept/integers-local-errors", "8.5.7", provokes="errors beyond an edge, of the wrong row, or above 65536")
def gamma() -> File:
    value = noisy("ga", (3, 3, 9), wide=12)
    value[1, 1, 3:5] = MOST, -MOST
    value[2, 0, 8] = 9000
    return coded(
        value,
        Model(0, 0, 1, NEAR.sets),
        Model(1, 0, 256, NEAR.sets),
        Model(1, 0, 2**16, NEAR.sets),
        Model(1, 5, 300, seed=3),
    )


@vector(
    "accept/integers-counts-are-halved",
    "8.5.8",
    provokes="the sum of counts above 2^18; starts made late or after the halving",
)
def halving() -> File:
    value = (draw("hv", (4, 25, 130), below=60) == 0).astype(np.uint8) * draw("hw", (4, 25, 130), "uint8", below=9)
    return coded(value, Model(1, 0, 0, [(20, [])]))


@vector(
    "accept/integers-of-65537-equal",
    "8.5.8",
    "8.5.10",
    "2.2",
    provokes="voxels, rows or counts in 16 bits; a stream of a few bits a row",
)
def many_equal() -> File:
    value = np.full((1, 65537, 1), 3, np.uint16)
    value[0, 65536, 0] = 65535
    return coded(value, Model(1, 0, 0, [(192, [])]))


@vector(
    "accept/integers-shapes",
    "8.5.1",
    provokes="rows of an image and of spectra; axes in front; the row before across lines",
)
def shapes() -> File:
    file = File(image("line", (7,), "int16"), image("row", (1, 9), "int16"), image("column", (9, 1), "int16"),
                image("stack", (3, 4, 5), "int16"), spectra("spectrum", (1, 9), "int16"), spectra("channel", (3, 4, 1), "int16"),
                spectra("tzyxc", (2, 2, 3, 2, 4), "int16"))  # fmt: skip
    up = [Tap(-1, 0, 0, 3000), Tap(0, -1, 0, 1000)]
    for model in (NEAR, LEFT, Model(100, 0, 200), Model(100, 0, 200, [(0, up), (0, up[:1])])):
        data, blocks = {}, {}
        for number_, signal in enumerate(file.signals):
            name, shape = signal["name"], tuple(signal["shape"])
            data[name] = noisy(f"sh{number_}", shape, "int16", wide=20, level=30)
            blocks[name] = [Block(None, "lossless-int", {"data": lossless_int(data[name], model)})]
        file.frame(data, blocks=blocks)
    return file.close()


@vector(
    "accept/integers-long-numbers",
    "8.5.2",
    "8.2.2",
    provokes="the shortest form is insisted on; a tenth byte is refused",
)
def long_numbers() -> File:
    value = noisy("ln", (2, 3, 4))
    file = File(spectra(shape=value.shape, dtype="int32"))
    for many in (2, 5, 9, 10):
        data = lossless_int(value, NEAR, bytes_=many)
        put(file, "EELS", value, data)
    return file.close()


@vector("accept/integers-most-taps", "8.5.2", "8.5.3", provokes="smaller bounds on sets and taps; a weight of -32767")
def most_taps() -> File:
    value = noisy("mt", (2, 2, 70), wide=30, level=100)
    many = [(i, [Tap(0, 0, -1 - k, 511 if k % 2 else -511) for k in range(64)]) for i in range(14)]
    sets = [*many, (900, [Tap(0, -1, 0, -32767)]), (0, [Tap(0, 0, -1, 16384), Tap(-1, 0, MEAN, -16383)])]
    return coded(value, Model(2000, 0, 50, sets))


@vector("accept/integers-farthest-taps", "8.5.3", provokes="fields of the place: 3, 5 and 8 bits")
def farthest_taps() -> File:
    file = File(spectra("y", (9, 1, 2), "int16"), spectra("x", (2, 34, 2), "int16"), spectra("c", (2, 1, 260), "int16"))
    sets = {"y": [(0, [Tap(-7, 0, 1, 4096)])], "x": [(0, [Tap(-1, 15, -1, 4096)]), (0, [Tap(0, -16, 1, 4096)])],
            "c": [(0, [Tap(-1, 0, 126, 4096)]), (0, [Tap(0, 0, -128, 4096)])]}  # fmt: skip
    data, blocks = {}, {}
    for signal in file.signals:
        name = signal["name"]
        data[name] = noisy("f" + name, tuple(signal["shape"]), "int16", wide=50)
        stream = lossless_int(data[name], Model(900, 0, 0, sets[name]))
        blocks[name] = [Block(None, "lossless-int", {"data": stream})]
    return file.frame(data, blocks=blocks).close()


@vector("accept/integers-twice-a-tap", "8.5.3", provokes="taps are kept by place, so that one of two is lost")
def twice() -> File:
    value = noisy("tw", (2, 3, 6), level=90)
    pair = [Tap(0, 0, -1, 3000), Tap(0, 0, -1, 1096), Tap(0, 0, MEAN, 0)]
    return coded(value, Model(900, 0, 0, [(0, pair), (0, pair)]))


# lossless-int (clause 8.6)


@vector(
    "accept/every-dtype-lossless-int",
    "8.6.1",
    "8.6.2",
    "8.6.4",
    "3.1",
    provokes="exceptions change bits of a NaN or the sign of zero; values above 2^31",
)
def every_dtype() -> File:
    file = File(*(image(dtype, (3, 5), dtype) for dtype in DTYPES))
    data, blocks = {}, {}
    for dtype in DTYPES:
        kind = np.dtype(dtype)
        value = draw("ld" + dtype, (3, 5), below=100).astype(dtype)
        bits = value.view(f"u{kind.itemsize}")
        index = [0, 4, 7, 14]
        if kind.kind == "f":
            sign = 1 << (8 * kind.itemsize - 1)
            nan = 0x7FA00001 if kind.itemsize == 4 else 0x7FF4 << 48 | 1
            bits.reshape(-1)[index] = [sign, nan, nan | sign, 1]
            value[1, :3:2] = MOST, -MOST
        else:
            bounds = np.iinfo(dtype)
            value.reshape(-1)[index] = [bounds.max, bounds.min, bounds.max, bounds.max - 1]
            value[1, 1], value[1, 3] = min(int(bounds.max), MOST), max(int(bounds.min), -MOST)
        data[dtype] = value
        blocks[dtype] = [Block(None, "lossless-int", {"data": lossless_int(value, PLAIN, index=index)})]
    return file.frame(data, blocks=blocks).close()


@vector(
    "accept/lossless-int-exceptions",
    "8.6.2",
    "8.6.4",
    provokes="first, last or all elements; what the stream holds there is checked",
)
def excepted() -> File:
    value = draw("le", (2, 3, 4), "uint8", below=256)
    file = File(spectra(shape=(2, 3, 4), dtype="uint8"))
    for index in ([0], [23], [0, 23], list(range(24)), [5, 6, 7]):
        for filler in (0, -1, MOST):
            put(file, "EELS", value, lossless_int(value, NEAR, index=index, filler=filler))
    return file.close()


@vector(
    "accept/lossless-int-long-numbers",
    "8.6.2",
    "8.6.3",
    "8.2.2",
    provokes="the shortest form of a gap or a length is insisted on",
)
def long_gaps() -> File:
    value = draw("lg", (2, 3), "uint16", below=3) * np.uint16(7)
    stream = encode([6, 6], (2,), PLAIN)
    data = b"\x03" + number(1, bytes_=10) + number(5, bytes_=10) + value.tobytes()[10:]
    data += number(3, bytes_=3) + number(0, bytes_=4) + number(len(stream), bytes_=10) + stream
    data += encode((value // 7).ravel().tolist(), (2, 3), NEAR)
    return put(File(image(shape=(2, 3), dtype="uint16")), "HAADF", value, data).close()


LISTS = {
    "one": [42],
    "two": [0, 1],
    "widest": [-MOST, 0, MOST],
    "widest-gap": [-MOST, -MOST + 1, 1],
    "gains": [round(1.37 * i) for i in range(-20, 40)],
}


@vector(
    "accept/lossless-int-lists", "8.6.3", provokes="a list of one value; gaps counted from 0; the last value left out"
)
def lists() -> File:
    file = File(spectra(shape=(3, 4, 5), dtype="int32"))
    for what, listed in LISTS.items():
        value = np.array(listed, np.int32)[draw(what, (3, 4, 5), below=len(listed)).astype(int)]
        put(file, "EELS", value, lossless_int(value, NEAR, listed=listed))
        put(file, "EELS", value, lossless_int(value, Model(64, 0, 64, NEAR.sets, seed=5), listed=listed, index=[3]))
    return file.close()


@vector(
    "accept/lossless-int-list-beyond-the-dtype",
    "8.6.4",
    "8.6.3",
    provokes="entries of a list that no element uses, or exceptions alone, must be values of the dtype",
)
def list_beyond() -> File:
    lists = {"uint8": [-5, 7, 256], "int8": [-129, 7, 128], "uint16": [-1, 7, 70000], "uint64": [-MOST + 9, 7]}
    file = File(*(image(dtype, (2, 3), dtype) for dtype in lists))
    for index, filler in (((), 0), ((4,), 0), ((0, 5), -1)):
        data = {dtype: np.full((2, 3), 7, dtype) for dtype in lists}
        blocks = {}
        for dtype, listed in lists.items():
            at = filler % len(listed)
            coded = lossless_int(data[dtype], NEAR, listed=listed, index=index, filler=at)
            blocks[dtype] = [Block(None, "lossless-int", {"data": coded})]
        file.frame(data, blocks=blocks)
    return file.close()


@vector(
    "accept/lossless-int-list-dithered",
    "8.6.3",
    "8.5.4",
    provokes="samples of a list's stream in place of its integers",
)
def list_dithered() -> File:
    listed = [-70, -7, 0, 3, 9, 5000]
    value = np.array(listed, np.int16)[draw("lt", (3, 4), below=6).astype(int)]
    index = [listed.index(one) for one in value.ravel().tolist()]
    table = number(len(listed)) + signed(listed[0])
    stream = encode([after - before - 1 for before, after in pairwise(listed)], (5,), PLAIN._replace(seed=77))
    data = b"\x01" + table + number(len(stream)) + stream + encode(index, (3, 4), NEAR)
    return put(File(image("I", (3, 4), "int16")), "I", value, data).close()


@vector("accept/lossless-int-list-of-floats", "8.6.3", "8.6.4", provokes="a list is taken to belong to integers")
def float_list() -> File:
    file = File(image("A", (4, 5), "float32"), image("B", (4, 5), "float64"))
    listed = [-MOST, -7, 0, 3, 9, MOST]
    data, blocks = {}, {}
    for name, dtype in (("A", "float32"), ("B", "float64")):
        value = np.array(listed)[draw("fl" + name, (4, 5), below=6).astype(int)].astype(dtype)
        value[0, 0] = -0.0
        data[name] = value
        blocks[name] = [Block(None, "lossless-int", {"data": lossless_int(value, NEAR, listed=listed, index=[0])})]
    return file.frame(data, blocks=blocks).close()


@vector(
    "accept/lossless-int-negative-zeros",
    "8.6.1",
    "8.6.5",
    provokes="-0.0 comes back as 0 or -1; what is below zero is off by one, or not where it comes from a list",
)
def negative_zeros() -> File:
    file = File(spectra("A", (2, 3, 5), "float32"), spectra("B", (2, 3, 5), "float64"))
    data, blocks = {}, {}
    for name, dtype in (("A", "float32"), ("B", "float64")):
        value = draw("nz" + name, (2, 3, 5), below=7).astype(dtype) - 3
        value[value == -2] = -0.0
        value[0, 0, :3] = -MOST + 1, MOST, np.nan
        listed = sorted({-MOST, MOST, *range(-4, 4)})
        data[name] = value
        coded = lossless_int(value, NEAR, index=[2], zeros=True, listed=listed if name == "B" else None)
        blocks[name] = [Block(None, "lossless-int", {"data": coded})]
    return file.frame(data, blocks=blocks).close()


WINDOWS = {"tiles": TILES, "bands": BANDS, "mixed": MIXED}


@vector(
    "accept/windows-lossless-int",
    "5.3.4",
    "5.3.7",
    "8.5.1",
    "8.6.2",
    provokes="indices or shapes of the array in place of the window's",
)
def tiled() -> File:
    file = File(*(spectra(label, (6, 7, 6), "int16") for label in WINDOWS))
    value = noisy("ti", (6, 7, 6), "int16", level=30)
    blocks: dict[str, list[Block]] = {}
    for label, windows in WINDOWS.items():
        parts = [np.ascontiguousarray(value[tuple(slice(*bounds) for bounds in window)]) for window in windows]
        blocks[label] = [
            Block(window, "lossless-int", {"data": lossless_int(part, NEAR, index=[1], filler=9)})
            for window, part in zip(windows, parts, strict=True)
        ]
    return file.frame(dict.fromkeys(WINDOWS, value), blocks=blocks).close()


@vector(
    "accept/lossless-int-beside-others", "5.3.2", "8.6.1", provokes="one coding is taken for all blocks of a signal"
)
def mixed() -> File:
    value = noisy("mx", (2, 3, 4), "int16")
    codings = ("raw", "shuffle-zstd", "lossless-int")
    blocks = [
        Block([(0, 2), (x, x + 1), (0, 4)], coding, {"data": lossless_int(value[:, x : x + 1])} if x == 2 else {})
        for x, coding in enumerate(codings)
    ]
    return File(spectra(shape=(2, 3, 4), dtype="int16")).frame({"EELS": value}, blocks={"EELS": blocks}).close()
