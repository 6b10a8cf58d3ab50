"""Codings: round trips on odd shapes, agreement with the text of the standard, hostile bytes."""

import math
import random

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lbj import DamagedError, UnsupportedError, UsageError, codings
from lbj.codings import leb128, raw, shuffle_zstd, split_rice
from lbj.codings.kernels import split_rice as _split_rice_kernels
from lbj_conformance.generate import codings as plain
from lbj_conformance.strict import rice

U32 = np.dtype("uint32")
COUNT_CODINGS = [raw, leb128, split_rice]


@st.composite
def blocks(draw):
    shape = tuple(draw(st.lists(st.integers(1, 12), min_size=2, max_size=4)))
    size = math.prod(shape)
    where = draw(st.sets(st.integers(0, size - 1), max_size=min(size, 60)))
    counts = st.one_of(st.just(1), st.integers(1, 5), st.integers(1, 2**32 - 1))
    items = {voxel: draw(counts) for voxel in sorted(where)}
    return shape, np.array(list(items), np.uint32), np.array(list(items.values()), np.uint32)


def total(count):
    return int(count.sum(dtype=np.uint64))


@pytest.mark.parametrize("coding", COUNT_CODINGS, ids=lambda coding: coding.NAME)
@given(block=blocks())
def test_counts_come_back(coding, block):
    shape, voxel, count = block
    if total(count) > 2**32 - 1:
        count = np.minimum(count, (2**32 - 1) // len(count)).astype(np.uint32)
    data = coding.encode_counts(voxel, count, shape, U32, total(count))
    got = coding.decode_counts(memoryview(data), shape, U32, len(voxel), total(count))
    np.testing.assert_array_equal(got[0], voxel)
    np.testing.assert_array_equal(got[1], count)


@given(
    shape=st.lists(st.integers(1, 9), min_size=1, max_size=4).map(tuple),
    dtype=st.sampled_from(["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f4", "f8"]),
    seed=st.integers(0, 2**32 - 1),
)
@pytest.mark.parametrize("coding", [raw, shuffle_zstd], ids=lambda coding: coding.NAME)
def test_arrays_come_back_bit_for_bit(coding, shape, dtype, seed):
    dtype = np.dtype(dtype)
    array = np.frombuffer(np.random.default_rng(seed).bytes(math.prod(shape) * dtype.itemsize), dtype).reshape(shape)
    got = coding.decode_array(memoryview(coding.encode_array(array)), shape, dtype)
    assert got.dtype == dtype
    assert got.tobytes() == array.tobytes()


@given(block=blocks(), m=st.integers(0, 12))
@settings(max_examples=300)
@example(block=((2, 3, 4), np.array([1, 15], np.uint32), np.array([1, 2], np.uint32)), m=4)
def test_split_rice_writes_the_bits_of_clause_8_3(block, m):
    shape, voxel, count = block
    size = math.prod(shape)
    if total(count) > 2**32 - 1:
        return
    words, bits = _split_rice_kernels.encode(voxel, count, size, m)
    data = bytes([m]) + words.astype("<u4").tobytes()[: (bits + 7) // 8]
    assert data == plain.split_rice(voxel.tolist(), count.tolist(), size, m=m)
    inside, counts = rice.decode(data, size, len(voxel), total(count), 0)
    assert (list(inside), list(counts)) == (voxel.tolist(), count.tolist())
    got = split_rice.decode_counts(memoryview(data), shape, U32, len(voxel), total(count))
    np.testing.assert_array_equal(got, (voxel, count))


@pytest.mark.parametrize("density", [0.0005, 0.02, 0.3, 3.0, 500.0])
@pytest.mark.parametrize("m", [3, 10, 15, 16, 17, 18])
def test_split_rice_agrees_with_the_text_at_every_dose(density, m):
    random.seed(hash((density, m)))
    size = 2**15 + 253  # more than one chunk of up to 2^15 voxels
    rng = np.random.default_rng(random.getrandbits(32))
    cube = rng.poisson(density * rng.gamma(1.0, 1.0, size))
    voxel = np.flatnonzero(cube).astype(np.uint32)
    count = cube[voxel].astype(np.uint32)
    words, bits = _split_rice_kernels.encode(voxel, count, size, m)
    data = bytes([m]) + words.astype("<u4").tobytes()[: (bits + 7) // 8]
    assert data == plain.split_rice(voxel.tolist(), count.tolist(), size, m=m)
    got = split_rice.decode_counts(memoryview(data), (size, 1), U32, len(voxel), total(count))
    np.testing.assert_array_equal(got, (voxel, count))


@pytest.mark.parametrize("coding", COUNT_CODINGS, ids=lambda coding: coding.NAME)
@pytest.mark.parametrize(
    ("voxel", "count", "shape"),
    [
        ([], [], (1, 1, 1)),
        ([0], [1], (1, 1, 1)),
        ([0], [2**32 - 1], (1, 1, 1)),
        ([65536], [7], (65537, 1)),
        (list(range(4096)), [1] * 4096, (1, 1, 4096)),
    ],
)
def test_edges(coding, voxel, count, shape):
    voxel, count = np.array(voxel, np.uint32), np.array(count, np.uint32)
    data = coding.encode_counts(voxel, count, shape, U32, total(count))
    got = coding.decode_counts(memoryview(data), shape, U32, len(voxel), total(count))
    np.testing.assert_array_equal(got, (voxel, count))


@pytest.mark.parametrize("coding", [leb128, split_rice], ids=lambda coding: coding.NAME)
def test_the_last_voxel_of_the_largest_block(coding):
    shape = (2**16 - 1, 2**16 + 1)
    voxel, count = np.array([0, 2**31, 2**32 - 2], np.uint32), np.array([1, 3, 1], np.uint32)
    data = coding.encode_counts(voxel, count, shape, U32, 5)
    got = coding.decode_counts(memoryview(data), shape, U32, 3, 5)
    np.testing.assert_array_equal(got, (voxel, count))


@given(
    data=st.binary(max_size=40),
    voxels=st.one_of(st.integers(0, 40), st.just(2**32 - 1)),
    events=st.one_of(st.integers(0, 60), st.just(2**32 - 1)),
    shape=st.sampled_from([(1, 1), (3, 5, 7), (200, 200, 2048), (65535, 65537)]),
)
@settings(max_examples=500)
@pytest.mark.parametrize("coding", COUNT_CODINGS, ids=lambda coding: coding.NAME)
def test_hostile_counts_are_refused_or_sound(coding, data, voxels, events, shape):
    try:
        voxel, count = coding.decode_counts(memoryview(data), shape, U32, voxels, events)
    except DamagedError as error:
        assert error.clause.startswith("8.")
        return
    assert len(voxel) == voxels
    assert total(count) == events
    assert (np.diff(voxel.astype(np.int64)) > 0).all()
    assert not len(voxel) or voxel[-1] < math.prod(shape)
    assert (count > 0).all()


@pytest.mark.parametrize("coding", [leb128, split_rice], ids=lambda coding: coding.NAME)
def test_every_prefix_of_a_block_is_refused(coding):
    rng = np.random.default_rng(5)
    voxel = np.sort(rng.choice(5000, 80, replace=False)).astype(np.uint32)
    count = rng.integers(1, 9, 80).astype(np.uint32)
    data = coding.encode_counts(voxel, count, (50, 100), U32, total(count))
    for cut in range(len(data)):
        with pytest.raises(DamagedError):
            coding.decode_counts(memoryview(data[:cut]), (50, 100), U32, 80, total(count))
    with pytest.raises(DamagedError):
        coding.decode_counts(memoryview(data + b"\0"), (50, 100), U32, 80, total(count))


def test_zstd_bomb_is_refused_before_it_is_unpacked():
    bomb = shuffle_zstd.encode_array(np.zeros(2**26, np.uint8))
    assert len(bomb) < 10_000
    with pytest.raises(DamagedError, match="content size 67108864"):
        shuffle_zstd.decode_array(memoryview(bomb), (10, 10), np.dtype("uint8"))


def test_zstd_without_content_size_or_with_a_tail_is_refused():
    import zstandard

    plain = bytes(100)
    unsized = zstandard.ZstdCompressor(write_content_size=False).compress(plain)
    with pytest.raises(DamagedError, match="no content size"):
        shuffle_zstd.decode_array(memoryview(unsized), (10, 10), np.dtype("uint8"))
    whole = shuffle_zstd.encode_array(np.zeros((10, 10), np.uint8))
    with pytest.raises(DamagedError):
        shuffle_zstd.decode_array(memoryview(whole + b"x"), (10, 10), np.dtype("uint8"))


def test_names_and_numbers():
    for number in codings.MODULES:
        module = codings.module(number)
        assert module.NUMBER == number
        assert codings.NAMES[module.NAME] == number
    with pytest.raises(UnsupportedError, match="unknown coding number 77"):
        codings.module(77)
    with pytest.raises(UnsupportedError, match="private coding number 40000"):
        codings.module(40000)


@pytest.mark.parametrize("text", ["zip", "split-rice(3)", "", "shuffle-zstd", "raw ()"])
def test_a_coding_that_does_not_fit_is_refused_by_name(text):
    with pytest.raises(UsageError, match="EDX"):
        codings.check(text, "events", "EDX")
