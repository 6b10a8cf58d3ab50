"""Vectors that every reader reads: float-lattice, noise-q and chart (clauses 8.7 to 8.9)."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from ..builder import Block, File, draw, image, spectra
from ..catalogue import vector
from ..dense import Lattice, Map, Part, chart, float_lattice, noise_q
from ..integer_stream import LEFT, NEAR, Model
from .accept_integers import DTYPES, noisy, put
from .accept_shapes import BANDS, MIXED, TILES

MOST = 2**24
NAN = {"float32": 0x7FA00001, "float64": 0x7FF4 << 48 | 1}
SIGN = {"float32": 1 << 31, "float64": 1 << 63}
DITHERED = Model(64, 4096, 64, LEFT.sets, seed=20240717)

# float-lattice (clause 8.7)

D = [0.1, -3.0, 1e-3, 12345.678, 0.0]
G = [0.3, 1.1, -7.7e-5, 1e-30, 3e7]


@vector(
    "accept/float-lattice",
    "8.7.1",
    "8.7.2",
    provokes="flags mixed up: one or many d and g, single precision, f32 parameters",
)
def lattices() -> File:
    """All settings of bits 1 to 4, for both dtypes."""
    file = File(spectra("A", (2, 3, 5), "float32"), spectra("B", (2, 3, 5), "float64"))
    for single, short, many_d, many_g in itertools.product((False, True), repeat=4):
        lattice = Lattice(D if many_d else D[:1], G if many_g else G[:1], single, short)
        data, blocks = {}, {}
        for name, dtype in (("A", "float32"), ("B", "float64")):
            q = noisy(f"la{name}{single}{short}", (2, 3, 5), wide=3000)
            coded, data[name] = float_lattice(q, lattice, dtype)
            blocks[name] = [Block(None, "float-lattice", {"data": coded})]
        file.frame(data, blocks=blocks)
    return file.close()


@vector(
    "accept/float-lattice-rounding",
    "8.7.2",
    provokes="double rounding: f64 where f32 is asked for or the other way; fused multiply-add",
)
def rounding() -> File:
    """Values whose last bit differs between the ways to compute them."""
    file = File(image("A", (8, 16), "float32"), image("B", (8, 16), "float64"))
    q = draw("ro", (8, 16), below=2 * MOST).astype(np.int64) - MOST
    differ = 0
    for d, g, short in (
        (0.1, 0.1, False),
        (0.1, 0.1, True),
        (1 / 3, 1e10 / 3, False),
        (-(2.0**-30), 1 + 2.0**-23, False),
    ):
        both = []
        for single in (False, True):
            data, blocks = {}, {}
            for name, dtype in (("A", "float32"), ("B", "float64")):
                coded, data[name] = float_lattice(q, Lattice([d], [g], single, short), dtype, None, Model(2**40))
                blocks[name] = [Block(None, "float-lattice", {"data": coded})]
            file.frame(data, blocks=blocks)
            both.append(data)
        differ += sum(int(np.count_nonzero(both[0][name] != both[1][name])) for name in both[0])
    assert differ > 100
    return file.close()


@vector("accept/float-lattice-extremes", "8.7.2", "3.1", provokes="infinite and subnormal results; the sign of zero")
def extremes() -> File:
    file = File(image("A", (2, 4), "float32"), image("B", (2, 4), "float64"))
    q = np.array([[0, 1, -1, 2], [MOST, -MOST, 3, -3]])
    for d, g in (
        (0.0, 1e308),
        (0.0, -1.0),
        (1.0, 1e38),
        (0.0, 5e-324),
        (0.5, 1e-45),
        (1e308, 1.0),
        (1.0, 0.0),
        (2.0, -0.0),
    ):
        data, blocks = {}, {}
        for name, dtype in (("A", "float32"), ("B", "float64")):
            coded, data[name] = float_lattice(q, Lattice([d], [g]), dtype)
            blocks[name] = [Block(None, "float-lattice", {"data": coded})]
        file.frame(data, blocks=blocks)
    return file.close()


@vector(
    "accept/float-lattice-exceptions",
    "8.7.1",
    "8.6.2",
    provokes="bits of a NaN or the sign of zero are changed; the order of parameters and exceptions",
)
def lattice_exceptions() -> File:
    file = File(image("A", (3, 4), "float32"), image("B", (3, 4), "float64"))
    for index in ([0], [11], [0, 5, 11], list(range(12))):
        data, blocks = {}, {}
        for name, dtype in (("A", "float32"), ("B", "float64")):
            odd = [NAN[dtype], SIGN[dtype], NAN[dtype] | SIGN[dtype], 1, SIGN[dtype] | 1]
            given = {i: odd[k % 5] for k, i in enumerate(index)}
            q = noisy("le" + name, (3, 4), wide=99)
            coded, data[name] = float_lattice(q, Lattice([0.25], D[:4]), dtype, given)
            blocks[name] = [Block(None, "float-lattice", {"data": coded})]
        file.frame(data, blocks=blocks)
    return file.close()


@vector(
    "accept/float-lattice-shapes",
    "8.7.1",
    "8.5.1",
    "2.2",
    provokes="columns of an image are taken for rows, of spectra for pixels",
)
def lattice_shapes() -> File:
    shapes: dict[str, tuple[int, ...]] = {"line": (5,), "one": (4, 1), "image": (3, 4), "stack": (2, 3, 4)}
    file = File(
        *(image(name, shape, "float32") for name, shape in shapes.items()), spectra("S", (2, 1, 2, 3, 4), "float64")
    )
    data, blocks = {}, {}
    for signal in file.signals:
        name, shape, dtype = signal["name"], tuple(signal["shape"]), signal["dtype"]
        columns = shape[-1]
        q = noisy("ls" + name, shape, wide=20)
        coded, data[name] = float_lattice(q, Lattice(D[:columns], G[:columns]), dtype, None, DITHERED)
        blocks[name] = [Block(None, "float-lattice", {"data": coded})]
    return file.frame(data, blocks=blocks).close()


# noise-q (clause 8.8)

ROOT = Map(3, 40, 1 << 12, 13, 3)
STRAIGHT = Map(0, 1 << 20, 0, 20, 6)


@vector(
    "accept/noise-q", "8.8.1", "8.8.2", provokes="the map with or without the dither, below and above zero; rounding"
)
def quantised() -> File:
    file = File(
        spectra("A", (2, 3, 9), "float32"), spectra("B", (2, 3, 9), "float64"), spectra("C", (2, 3, 9), "uint16")
    )
    maps = (
        ROOT,
        STRAIGHT,
        Map(2**11, 0, 0, 5, 0),
        Map(-7, -900, -12345, 3, 24),
        Map(0, 0, 5, 1, 1),
        Map(1, 1, 0, 0, 0),
    )
    for map_, model in itertools.product(maps, (NEAR, DITHERED)):
        data, blocks = {}, {}
        for signal in file.signals:
            name = signal["name"]
            q = noisy("nq" + name, (2, 3, 9), wide=30, level=9)
            coded, data[name] = noise_q(q, map_, signal["dtype"], None, model)
            blocks[name] = [Block(None, "noise-q", {"data": coded})]
        file.frame(data, blocks=blocks)
    return file.close()


@vector(
    "accept/noise-q-near-zero",
    "8.8.2",
    provokes="the term of 341 below zero, or left out above; a shift that rounds to zero",
)
def near_zero() -> File:
    file = File(image("A", (1, 41), "float64"), image("B", (1, 41), "int16"))
    q = np.arange(-20, 21).reshape(1, 41)
    for map_ in (Map(1, 0, 0, 0, 0), Map(2047, 3, -1, 11, 4), Map(0, 1, 0, 1, 1), Map(0, 1, 0, 6, 0)):
        for model in (NEAR, DITHERED, Model(30, 0, 0, seed=7)):
            data, blocks = {}, {}
            for name, dtype in (("A", "float64"), ("B", "int16")):
                coded, data[name] = noise_q(q, map_, dtype, None, model)
                blocks[name] = [Block(None, "noise-q", {"data": coded})]
            file.frame(data, blocks=blocks)
    return file.close()


@vector(
    "accept/noise-q-every-dtype",
    "8.8.2",
    "8.6.2",
    provokes="integers are not limited to their range, or wrap; halves are rounded to even",
)
def clipped() -> File:
    file = File(*(image(dtype, (3, 5), dtype) for dtype in DTYPES))
    q = np.array([[0, 1, -1, 2, -2], [3, 7, 127, 128, -128], [255, 256, 32768, 65536, -32769]])
    for map_ in (Map(0, 1, 0, 6, 0), Map(0, 1, 32, 6, 1), Map(0, 2**35, 0, 6, 1), Map(2**11, 2**35, -(2**60), 10, 0)):
        data, blocks = {}, {}
        for dtype in DTYPES:
            given = {2: 0x55, 14: 0xAA}
            coded, data[dtype] = noise_q(q, map_, dtype, given)
            blocks[dtype] = [Block(None, "noise-q", {"data": coded})]
        file.frame(data, blocks=blocks)
    return file.close()


@vector(
    "accept/noise-q-limits", "8.8.2", provokes="32 bits for the fixed-point value, or doubles for what is shifted to it"
)
def limits() -> File:
    """Fixed-point values just below 2^53, and what makes them just below 2^63."""
    file = File(image("A", (2, 6), "float32"), image("B", (2, 6), "float64"), image("C", (2, 6), "int64"))
    far = np.array([[0, 1, -1, 2**19, -(2**19), 2**18 + 1], [100003, -77777, 3, 12345, 2**18, -5]])
    near = np.array([[0, 1, -1, 3, 2, 0], [0, -2, -3, 4, 5, 6]])
    maps = ((far, Map(2**11, 2**35, 2**60, 10, 0)), (far, Map(-(2**11), -(2**35), -(2**60), 10, 24)),
            (far, Map(2**11, 2**35, 2**60, 62, 24)), (far, Map(2**11, 2**35, -(2**60), 12, 7)),
            (near, Map(0, 1, 2**53 - 400, 0, 24)), (near, Map(0, 2**20 + 1, -(2**53) + 2**29 + 1, 0, 24)),
            (near, Map(0, 2**22 + 1, 2**51 + 2**27 + 1, 0, 24)))  # fmt: skip
    for q, map_ in maps:
        data, blocks = {}, {}
        for signal in file.signals:
            coded, data[signal["name"]] = noise_q(q, map_, signal["dtype"])
            blocks[signal["name"]] = [Block(None, "noise-q", {"data": coded})]
        file.frame(data, blocks=blocks)
    return file.close()


@vector(
    "accept/noise-q-halves", "8.8.2", provokes="the middle of two neighbouring f32 is rounded up, or away from zero"
)
def halves() -> File:
    """Fixed-point values at the middle of two neighbouring f32, and just beside."""
    file = File(image("A", (1, 5), "float32"))
    for b in (2**52 + 2**28, 2**52 + 3 * 2**28, -(2**52) - 2**28, -(2**52) - 3 * 2**28, 2**40 + 2**16):
        coded, value = noise_q(np.array([[0, 1, -1, 2, -2]]), Map(0, 1, b, 0, 24), "float32", None, Model(seed=3))
        put(file, "A", value, coded, "noise-q")
        coded, value = noise_q(np.zeros((1, 5), int), Map(0, 1, b, 0, 9), "float32")
        put(file, "A", value, coded, "noise-q")
    return file.close()


WINDOWS = {"tiles": TILES, "bands": BANDS, "mixed": MIXED}


@vector(
    "accept/windows-noise-q",
    "5.3.4",
    "5.3.7",
    "8.5.4",
    "8.8.1",
    provokes="the dither is counted over the array, not the window",
)
def tiled() -> File:
    file = File(*(spectra(label, (6, 7, 6)) for label in WINDOWS))
    data: dict[str, np.ndarray] = {}
    blocks: dict[str, list[Block]] = {}
    for label, windows in WINDOWS.items():
        data[label] = np.zeros((6, 7, 6), np.float32)
        blocks[label] = []
        for k, window in enumerate(windows):
            place = tuple(slice(*bounds) for bounds in window)
            q = noisy(f"tn{k}", data[label][place].shape, wide=20, level=20)
            coded, data[label][place] = noise_q(q, ROOT, "float32", {0: 0x7F800000}, DITHERED)
            blocks[label].append(Block(window, "noise-q", {"data": coded}))
    return file.frame(data, blocks=blocks).close()


# chart (clause 8.9)

SUM = Map(5, 900, 1 << 9, 10, 8)
OTHER = Map(0, 5000, -70000, 4, 8)


def charted(
    shape: tuple[int, ...], parts: list[Part], dtype: str = "float32", *, seed: str = "ch", **more: Any
) -> tuple[bytes, np.ndarray]:
    """A chart of pseudo-random bins of a spectrum that falls."""
    bins = sum(-(-part.length // part.factor) for part in parts if part.factor)
    lossy = sum(part.length for part in parts if part.factor)
    kept = sum(part.length for part in parts if not part.factor)
    curve = [1 + 60000 // (i + 1) for i in range(lossy)]
    q = noisy(seed, (*shape[:-1], bins), wide=40, level=more.pop("level", 30))
    exact = None
    if kept:
        exact = noisy(seed + "e", (*shape[:-1], kept), wide=30, level=99).astype(dtype)
    return chart(parts, more.pop("curve", curve), q, dtype, exact, **more)


LAYOUTS = {
    "factor-1": [Part(9, 1, SUM)],
    "one-bin": [Part(9, 9, SUM)],
    "not-dividing": [Part(9, 4, SUM)],
    "exact-first": [Part(3, 0), Part(6, 4, SUM)],
    "exact-middle": [Part(3, 2, SUM), Part(2, 0), Part(4, 3, OTHER)],
    "exact-last": [Part(7, 3, OTHER), Part(2, 0)],
    "exact-around": [Part(1, 0), Part(1, 0), Part(5, 2, SUM), Part(2, 0)],
    "factors": [Part(2, 1, SUM), Part(3, 3, OTHER), Part(4, 2, SUM)],
    "single-channels": [Part(1, 1, SUM)] * 9,
    "runs": [Part(2, 1, OTHER), Part(1, 0), Part(1, 1, SUM), Part(1, 0), Part(4, 4, SUM)],
}


@vector(
    "accept/chart-layouts",
    "8.9.1",
    "8.9.2",
    "8.9.3",
    provokes="middles, runs, the last bin of a block, or ratios across an exact block",
)
def layouts() -> File:
    file = File(*(spectra(label, (2, 3, 9)) for label in LAYOUTS))
    for k, (model, level) in enumerate(((NEAR, 30), (DITHERED, 30), (DITHERED, -5))):
        data, blocks = {}, {}
        for label, parts in LAYOUTS.items():
            coded, data[label] = charted((2, 3, 9), parts, seed=f"ch{k}", model=model, level=level)
            blocks[label] = [Block(None, "chart", {"data": coded})]
        file.frame(data, blocks=blocks)
    return file.close()


@vector(
    "accept/chart-wide",
    "8.9.2",
    "8.9.3",
    provokes="interpolation between bins of different widths; remainders that are negative",
)
def wide() -> File:
    parts = [Part(17, 1, SUM), Part(30, 7, SUM), Part(40, 16, OTHER), Part(5, 0), Part(64, 64, OTHER), Part(44, 9, SUM)]
    file = File(spectra(shape=(2, 2, 200)), spectra("C", (2, 2, 200), "int16"))
    for k, level in enumerate((50, 0)):
        data, blocks = {}, {}
        for name, dtype in (("EELS", "float32"), ("C", "int16")):
            coded, data[name] = charted((2, 2, 200), parts, dtype, seed=f"cw{k}", level=level, model=DITHERED)
            blocks[name] = [Block(None, "chart", {"data": coded})]
        file.frame(data, blocks=blocks)
    return file.close()


@vector(
    "accept/chart-every-dtype",
    "8.9.1",
    "8.9.3",
    "8.8.2",
    provokes="values of a dtype that is not f32; limits of integers",
)
def chart_dtypes() -> File:
    file = File(*(spectra(dtype, (1, 2, 8), dtype) for dtype in DTYPES))
    data, blocks = {}, {}
    for dtype in DTYPES:
        parts = [Part(3, 2, Map(9, 900, 1 << 9, 4, 2)), Part(2, 0), Part(3, 3, Map(0, -5000, 0, 0, 2))]
        coded, data[dtype] = charted((1, 2, 8), parts, dtype, given={3: 0x11, 15: 0x22}, model=NEAR)
        blocks[dtype] = [Block(None, "chart", {"data": coded})]
    return file.frame(data, blocks=blocks).close()


@vector(
    "accept/chart-exceptions",
    "8.9.1",
    "8.6.2",
    provokes="exceptions are counted over the bins, or lost at exact channels",
)
def chart_exceptions() -> File:
    file = File(spectra(shape=(2, 3, 9)))
    for index in ([0], [53], [3, 4, 5, 30], list(range(54))):
        given = {i: NAN["float32"] ^ k for k, i in enumerate(index)}
        coded, value = charted((2, 3, 9), LAYOUTS["exact-middle"], given=given)
        put(file, "EELS", value, coded, "chart")
    return file.close()


@vector("accept/chart-shapes", "8.9.1", "8.5.1", "2.2", provokes="bins of other shapes than (Y, X, C)")
def chart_shapes() -> File:
    shapes = {
        "spectrum": (1, 9),
        "line": (1, 4, 9),
        "column": (4, 1, 9),
        "tzyxc": (2, 2, 1, 3, 9),
        "channel": (2, 3, 1),
    }
    file = File(*(spectra(name, shape) for name, shape in shapes.items()))
    data, blocks = {}, {}
    for name, shape in shapes.items():
        parts = LAYOUTS["exact-first"] if shape[-1] == 9 else [Part(1, 1, SUM)]
        coded, data[name] = charted(shape, parts, seed="cs" + name, model=DITHERED)
        blocks[name] = [Block(None, "chart", {"data": coded})]
    return file.frame(data, blocks=blocks).close()


@vector("accept/chart-limits", "8.9.2", "8.9.3", provokes="sums, ratios and shares in 32 bits, or in doubles")
def chart_limits() -> File:
    """Sums just below 2^42, ratios just below 2^38, shapes of 2^24."""
    file = File(spectra(shape=(1, 2, 6), dtype="float64"))
    largest = 2**42 - 1
    for curve, top in (
        ([MOST] * 6, largest),
        ([1] * 6, 2**19 - 1),
        ([MOST, 1, MOST, 1, MOST, 1], largest),
        ([2**23, 1, 1, 2**23, 2**23, 1], 2**40),
    ):
        parts = [Part(2, 2, Map(0, 0, top, 0, 24)), Part(4, 2, Map(0, 0, -top, 0, 24))]
        coded, value = chart(parts, curve, np.zeros((1, 2, 3), int), "float64")
        put(file, "EELS", value, coded, "chart")
    return file.close()


@vector(
    "accept/chart-shape-dithered",
    "8.9.1",
    "8.5.4",
    provokes="samples of the shape in place of its integers, or integers of the bins in place of samples",
)
def shape_dithered() -> File:
    model = DITHERED._replace(seed=4)
    coded, value = charted((2, 3, 9), LAYOUTS["factors"], seed="sd", model=model, profile_model=model)
    return put(File(spectra(shape=(2, 3, 9))), "EELS", value, coded, "chart").close()


@vector(
    "accept/windows-chart",
    "5.3.4",
    "5.3.7",
    "8.9.1",
    provokes="channels of a chart are counted over the array, not the window",
)
def tiled_chart() -> File:
    file = File(*(spectra(label, (6, 7, 6)) for label in ("tiles", "bands")))
    data: dict[str, np.ndarray] = {}
    blocks: dict[str, list[Block]] = {}
    for label in ("tiles", "bands"):
        data[label] = np.zeros((6, 7, 6), np.float32)
        blocks[label] = []
        for k, window in enumerate(WINDOWS[label]):
            place = tuple(slice(*bounds) for bounds in window)
            shape = data[label][place].shape
            parts = [Part(1, 1, SUM), Part(2, 2, SUM), Part(3, 0)] if shape[-1] == 6 else [Part(shape[-1], 1, OTHER)]
            coded, data[label][place] = charted(shape, parts, seed=f"tc{k}", model=DITHERED)
            blocks[label].append(Block(window, "chart", {"data": coded}))
    return file.frame(data, blocks=blocks).close()
