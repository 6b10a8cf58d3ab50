"""Codings of integer streams: round trips, agreement of library, strict reader and plain encoder, and wrong bytes."""

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import lbj
from lbj import DamagedError, LbjError, UnsupportedError, UsageError, codings
from lbj.codings import float_lattice, lossless_int
from lbj.codings.shared import integers as _integers
from lbj_conformance.generate import dense
from lbj_conformance.generate import integer_stream as plain
from lbj_conformance.generate.vectors import accept_dense, accept_integers
from lbj_conformance.strict import codings as strict
from lbj_conformance.strict import integer_stream as reader
from lbj_conformance.strict.cursor import Cursor
from lbj_conformance.strict.errors import Refused

MOST = 2**24
DTYPES = ["uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float32", "float64"]
SHAPES = st.lists(st.integers(1, 7), min_size=1, max_size=4).map(tuple)


def same(a, b):
    assert a.dtype == b.dtype
    assert a.shape == b.shape
    assert a.tobytes() == b.tobytes()


def by_strict(coding, data, shape, dtype):
    return strict.OF_INTEGER_STREAMS[coding](Cursor(bytes(data), 0), shape, np.dtype(dtype))


def both(coding, data, shape, dtype):
    """What library and strict reader make of a block, which must be the same."""
    try:
        found = codings.module(coding).decode_array(memoryview(data), shape, np.dtype(dtype))
    except LbjError as error:
        found = type(error)
    try:
        other = by_strict(coding, data, shape, dtype)
    except Refused as refused:
        other = {"damaged": DamagedError, "unsupported": UnsupportedError}[refused.kind]
    if isinstance(found, np.ndarray) and isinstance(other, np.ndarray):
        same(found, other)
    else:
        assert found is other
    return found


def integers(seed, shape, dtype, spread, odd=0):
    """Random integers that the dtype holds; `odd` of them are beyond 2^24 or no integers."""
    rng = np.random.default_rng(seed)
    kind = np.dtype(dtype)
    low, high = (-MOST, MOST) if kind.kind == "f" else (max(np.iinfo(kind).min, -MOST), min(np.iinfo(kind).max, MOST))
    level = int(rng.integers(low, high, endpoint=True))
    values = np.clip(level + np.rint(spread * rng.standard_t(2, shape)), low, high).astype(kind)
    place = rng.integers(0, values.size, odd)
    if kind.kind == "f":
        values.reshape(-1)[place] = rng.choice([-0.0, np.nan, -np.nan, np.inf, 0.5, 1e30], odd)
    elif kind.itemsize > 2:
        values.reshape(-1)[place] = np.iinfo(kind).max - 5
    return values


@given(SHAPES, st.sampled_from(DTYPES), st.integers(0, 2**32 - 1), st.sampled_from([0, 0.3, 3, 100, 1e4, 1e7]))
@settings(max_examples=150)
def test_lossless_int_comes_back(shape, dtype, seed, spread):
    array = integers(seed, shape, dtype, spread, odd=math.prod(shape) // 64)
    data = lossless_int.encode_array(array)
    same(both(4, data, shape, dtype), array)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_negative_zeros_cost_no_more_than_the_noise(dtype):
    array = np.rint(np.random.default_rng(4).normal(0, 2, (40, 50, 60))).astype(dtype)
    assert np.count_nonzero((array == 0) & np.signbit(array)) > array.size / 20
    data = lossless_int.encode_array(array)
    same(both(4, data, array.shape, dtype), array)
    zero = math.erf(0.25 / math.sqrt(2))  # how often the value is one of the zeros, which then cost a bit for the sign
    entropy = math.log2(2 * math.sqrt(2 * math.pi * math.e)) + zero
    assert 8 * len(data) / array.size < entropy + 0.1


EDGES = [(1,), (1, 1), (1, 1, 1), (65537, 1), (1, 65537), (1, 65537, 1), (3, 4, 1), (2, 1, 1, 1, 300)]


@pytest.mark.parametrize("shape", EDGES, ids=str)
def test_shapes_at_the_edge(shape):
    array = (np.random.default_rng(1).poisson(3, shape) * 2).astype(np.uint16)
    for value in (array, np.zeros(shape, np.int8), np.full(shape, MOST, np.float32), np.full(shape, -MOST, np.int64)):
        data = lossless_int.encode_array(value)
        same(lossless_int.decode_array(memoryview(data), shape, value.dtype), value)


def test_extremes_beside_each_other():
    for dtype in DTYPES:
        kind = np.dtype(dtype)
        low, high = (-MOST, MOST) if kind.kind == "f" else (np.iinfo(kind).min, np.iinfo(kind).max)
        low, high = max(low, -MOST), min(high, MOST)
        array = np.where(np.random.default_rng(2).random((4, 5, 60)) < 0.5, low, high).astype(kind)
        same(both(4, lossless_int.encode_array(array), array.shape, dtype), array)


def test_what_lossless_int_refuses():
    with pytest.raises(UsageError, match="lossless-int"):
        lossless_int.encode_array(np.full((4, 5), 0.5))
    with pytest.raises(UsageError):
        lossless_int.encode_array(np.full((4, 5), 2**40))


@given(
    shape=st.tuples(st.integers(2, 6), st.integers(2, 6), st.integers(8, 24)),
    dtype=st.sampled_from(["float32", "float64"]),
    seed=st.integers(0, 2**32 - 1),
    gain=st.sampled_from([1.0, 0.1, 1 / 3, 7.3e-5, 1e12]),
    dark=st.sampled_from([0.0, 100.25, -7.0]),
    odd=st.booleans(),
)
@settings(max_examples=60)
def test_float_lattice_comes_back(shape, dtype, seed, gain, dark, odd):
    rng = np.random.default_rng(seed)
    array = ((rng.poisson(40, shape) - dark) * gain).astype(dtype)
    if odd:
        array[0, 0, 0], array[-1, -1, -1] = -0.0, np.nan
    try:
        data = float_lattice.encode_array(array, float_lattice.plan(array, None, "spectra"))
    except UsageError:
        return
    same(both(5, data, shape, dtype), array)


def test_float_lattice_finds_an_easy_one():
    counts = np.random.default_rng(3).poisson(30, (8, 9, 40))
    for dtype in ("float32", "float64"):
        array = (counts * 0.25).astype(dtype)
        data = float_lattice.encode_array(array, float_lattice.plan(array, None, "spectra"))
        assert len(data) < array.size * 2
        same(both(5, data, array.shape, dtype), array)


@given(
    shape=st.lists(st.integers(1, 9), min_size=1, max_size=4).map(tuple),
    seed=st.integers(0, 2**32 - 1),
    spread=st.sampled_from([0, 1, 30, 1e4, 1e7]),
    dither=st.one_of(st.none(), st.sampled_from([0, 2**31, 2**32 - 1]), st.integers(0, 2**32 - 1)),
)
@settings(max_examples=150)
@example(shape=(3, 5, 60), seed=0, spread=2, dither=5)
@example(shape=(40, 50), seed=0, spread=200, dither=None)
def test_streams_of_the_library_in_the_strict_reader(shape, seed, spread, dither):
    rng = np.random.default_rng(seed)
    line = spread * np.cumsum(rng.standard_normal(shape), axis=-1)
    q = np.clip(np.rint(line), -MOST, MOST).astype(np.int32)
    data = _integers.encode(q, shape, dither)
    found, seed_found = _integers.decode(memoryview(data), shape)
    assert found.ravel().tolist() == q.ravel().tolist()
    assert seed_found == dither
    assert reader.decode(data, reader.shape_of_stream(shape), 0).values == q.ravel().tolist()


def tap_at(d, e, j, weight):
    ahead = d == 0 and (e > 0 or (e == 0 and j >= 0 and j != plain.MEAN))
    return plain.Tap(d, -e - 1 if ahead else e, j, weight)


TAPS = st.builds(
    tap_at,
    st.integers(-3, 0),
    st.integers(-3, 3),
    st.one_of(st.just(plain.MEAN), st.integers(-4, 4)),
    st.integers(-8000, 8000),
)
SETS = st.lists(st.tuples(st.integers(-5000, 5000), st.lists(TAPS, max_size=4)), max_size=3)
VARIANCE = st.integers(0, 50).flatmap(lambda n: st.integers(-(2**n), 2**n))


@given(
    shape=st.lists(st.integers(1, 6), min_size=1, max_size=4).map(tuple),
    seed=st.integers(0, 2**32 - 1),
    spread=st.sampled_from([1, 30, 1e4, 1e7]),
    model=st.builds(
        plain.Model,
        VARIANCE,
        st.integers(0, 2**24),
        st.integers(0, 2**16),
        SETS,
        st.one_of(st.none(), st.integers(0, 2**32 - 1)),
    ),
)
@example((2,), 0, 1, plain.Model(0, 0, 0, [(0, [tap_at(0, 0, 127, 199)]), (-1, [tap_at(0, 0, 3, 0)])], None))
@settings(max_examples=200)
def test_any_tap_sets_and_noise_model(shape, seed, spread, model):
    """Streams of the plain encoder, whose choices are not the library's, in both readers."""
    rng = np.random.default_rng(seed)
    q = np.clip(np.rint(spread * rng.standard_t(1, shape)), -MOST, MOST).astype(np.int32)
    data = plain.encode(q, shape, model)
    assert _integers.decode(memoryview(data), shape)[0].ravel().tolist() == q.ravel().tolist()
    assert reader.decode(data, reader.shape_of_stream(shape), 0).values == q.ravel().tolist()


MAPS = st.builds(
    dense.Map,
    st.integers(-(2**11), 2**11),
    st.integers(-(2**35), 2**35),
    st.integers(-(2**60), 2**60),
    st.integers(0, 62),
    st.integers(0, 24),
)


@given(MAPS, st.integers(0, 2**32 - 1), st.sampled_from([1, 100, 2**18]), st.sampled_from(DTYPES))
@settings(max_examples=200)
def test_any_map(map_, seed, spread, dtype):
    """noise-q: plain arithmetic, library and strict reader agree, or both readers refuse."""
    q = np.random.default_rng(seed).integers(-spread, spread, (2, 3, 4))
    model = plain.LEFT._replace(seed=seed)
    data, array = dense.noise_q(q, map_, dtype, None, model)
    fixed = [map_.fixed(t) for t in dense.samples(q.ravel().tolist(), model)]
    found = both(6, data, q.shape, dtype)
    if max(map(abs, fixed)) < 2**53:
        same(found, array)
    else:
        assert found is DamagedError


@st.composite
def charts(draw):
    count = draw(st.integers(1, 5))
    f = draw(st.integers(0, 24))
    parts = []
    for i in range(count):
        length = draw(st.integers(1, 9))
        factor = draw(st.integers(1 if i == 0 else 0, length))
        bounds = (7, 14, 20) if draw(st.booleans()) else (3, 10, 30)
        a, slope, b = (draw(st.integers(-(2**n), 2**n)) for n in bounds)
        parts.append(
            dense.Part(length, factor, dense.Map(a, slope, b, draw(st.integers(0, 12)), f) if factor else None)
        )
    return draw(st.permutations(parts))


@given(charts(), st.integers(0, 2**32 - 1), st.sampled_from(["float32", "float64", "int16", "uint64"]))
@settings(max_examples=200)
def test_any_chart(parts, seed, dtype):
    rng = np.random.default_rng(seed)
    found, kept = dense.pieces(parts)
    lossy = sum(part.length for part in parts if part.map)
    curve = rng.integers(1, rng.choice([2, 100, MOST]), lossy, endpoint=True).tolist()
    q = rng.integers(-40, 40, (2, 2, len(found)))
    exact = rng.integers(0, 100, (2, 2, len(kept))).astype(dtype) if kept else None
    data, array = dense.chart(parts, curve, q, dtype, exact, None, plain.LEFT._replace(seed=seed))
    result = both(7, data, array.shape, dtype)
    if isinstance(result, np.ndarray):
        same(result, array)


def blocks():
    """Sound blocks of the four codings: number, bytes, shape, dtype."""
    value = accept_integers.noisy("md", (2, 3, 6), "int16", level=30)
    listed = [-9, 0, 1, 5]
    few = np.array(listed)[value % 4].astype(np.float32)
    given_ = {0: 0x7FA00001, 35: 0x80000000}
    return [
        (4, dense.lossless_int(value, plain.LEFT._replace(seed=3)), value.shape, "int16"),
        (4, dense.lossless_int(few, plain.NEAR, index=[2, 9], listed=listed, filler=1), few.shape, "float32"),
        (
            5,
            dense.float_lattice(value, dense.Lattice([0.5], [0.1], True, True), "float32", given_)[0],
            value.shape,
            "float32",
        ),
        (
            5,
            dense.float_lattice(value, dense.Lattice(list(range(6)), [0.1], False, False), "float64")[0],
            value.shape,
            "float64",
        ),
        (
            6,
            dense.noise_q(value, accept_dense.ROOT, "float32", given_, accept_dense.DITHERED)[0],
            value.shape,
            "float32",
        ),
        (6, dense.noise_q(value, accept_dense.STRAIGHT, "uint8")[0], value.shape, "uint8"),
        (
            7,
            accept_dense.charted((2, 3, 9), accept_dense.LAYOUTS["exact-middle"], given=given_)[0],
            (2, 3, 9),
            "float32",
        ),
        (7, accept_dense.charted((2, 3, 9), accept_dense.LAYOUTS["not-dividing"])[0], (2, 3, 9), "float32"),
    ]


BLOCKS = blocks()


@st.composite
def spoiled(draw):
    """A block of which bytes were changed, left out, doubled or cut off."""
    coding, data, shape, dtype = draw(st.sampled_from(BLOCKS))
    data = bytearray(data)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        how = draw(st.sampled_from(["bit", "byte", "cut", "out", "in", "number"]))
        if how == "bit" and data:
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif how == "byte" and data:
            data[at] = draw(st.integers(0, 255))
        elif how == "cut":
            del data[at:]
        elif how == "out":
            del data[at : at + draw(st.integers(1, 4))]
        elif how == "in":
            data[at:at] = draw(st.binary(min_size=1, max_size=4))
        else:
            data[at : at + 1] = b"\xff" * draw(st.integers(1, 10)) + b"\x01"
    return coding, bytes(data), shape, dtype


@given(spoiled())
@settings(max_examples=1500)
def test_wrong_bytes_are_refused_alike(case):
    """The library raises nothing but its own errors, and decodes what the strict reader decodes."""
    both(*case)


@given(st.sampled_from([4, 5, 6, 7]), st.binary(max_size=200), st.sampled_from(["uint8", "float32", "float64"]))
@settings(max_examples=300)
def test_any_bytes(coding, data, dtype):
    both(coding, data, (2, 3, 4), dtype)


@given(spoiled())
@settings(max_examples=100)
def test_memory_is_not_that_of_the_shape(case):
    """A few hundred bytes in a window of 64 million elements are refused before it is allocated."""
    coding, data, _, dtype = case
    module = codings.module(coding)
    tracemalloc.start()
    try:
        for shape in ((8000, 8000), (1, 8000, 8000)):
            try:
                module.decode_array(memoryview(data), shape, np.dtype(dtype))
            except LbjError:
                continue
            raise AssertionError(len(data))
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("level", [100.0, -1.02, 3e-30, 0.0])
def test_floats_of_any_kind_come_back_by_default(tmp_path, dtype, level):
    array = (level + max(abs(level), 1) / 50 * np.random.default_rng(8).normal(size=(50, 60))).astype(np.float32)
    array[7, 7:12] = np.nan, np.inf, -0.0, 0, 1e30
    array = array.astype(dtype)
    with lbj.create(tmp_path / "a.lbj", [lbj.Signal("I", "image", array.shape, dtype=dtype)]) as writer:
        writer.append({"I": array})
    with lbj.open(tmp_path / "a.lbj") as journal:
        same(journal[0].array("I"), array)


def test_floats_of_a_narrow_range_are_small(tmp_path):
    array = np.random.default_rng(9).normal(100, 1, (80, 90)).astype(np.float32)
    with lbj.create(tmp_path / "a.lbj", [lbj.Signal("I", "image", array.shape, dtype="float32")]) as writer:
        writer.append({"I": array})
    entropy = math.log2(math.sqrt(2 * math.pi * math.e) * 2**17)  # the last bit is worth 2^-17 between 64 and 128
    assert 8 * (tmp_path / "a.lbj").stat().st_size / array.size < entropy + 1
