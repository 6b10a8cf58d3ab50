"""lossless-int: arrays of integers, also where they stand in floats, bit for bit (spec/lbj.md 8.6)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..errors import DamagedError, UnsupportedError, UsageError
from .shared import exceptions, integers
from .shared.integer_fit import Model
from .shared.integers import LIMIT, Cursor, number, signed
from .shared.remembered import Remembered

NAME, NUMBER = "lossless-int", 4
CLAUSE = "8.6"
LIST, EXCEPTIONS, ZEROS = 1, 2, 4
RARE = 64  # at most one element in so many may be an exception
TRIED = 1 << 20  # range of values up to which coding by a list of distinct values is tried
SAMPLED = 1 << 16  # elements that are looked at first: most arrays are seen to need no list


def plan(array: NDArray, parameters: str | None, kind: str) -> Model | None:
    """Model that the blocks of a frame share."""
    return integers.shared(array, lambda piece: exceptions.filled(*_split(piece)[:2]))


def encode_array(array: NDArray, plan: Model | Remembered | None = None) -> bytes:
    """Code an array of integers of any dtype.

    `plan` is the model that the blocks of a frame share, or what is remembered of the frames before.

    Raises
    ------
    UsageError
        If more than one element in 64 is no integer of at most 2^24.
    """
    values, odd, signed_zeros = _split(array)
    strange = int(np.count_nonzero(odd))
    if strange * RARE > array.size:
        raise UsageError(
            f"lossless-int codes integers of -{LIMIT} to {LIMIT}; {strange} of {array.size} elements are others. "
            "Use shuffle-zstd, or float-lattice where values are scaled integers"
        )
    values = exceptions.filled(values, odd)
    head = exceptions.encode(array, odd) if strange else b""
    flags = (EXCEPTIONS if strange else 0) | (ZEROS if signed_zeros else 0)
    plain = bytes([flags]) + head + integers.encode(values, array.shape, model=plan)
    before = plan if isinstance(plan, Remembered) else None
    listed = _list(values, before)
    if listed is None:
        return plain
    table, index = listed
    coded = integers.encode(index, array.shape, model=before.part("index") if before else None)
    short = bytes([flags | LIST]) + head + table + coded
    return min(plain, short, key=len)


def _split(array: NDArray) -> tuple[NDArray[np.int32], NDArray[np.bool_], bool]:
    """Split an array into integers and the marks of elements that are none.

    The third value tells whether negative zeros are coded (clause 8.6.5): -1 then stands for -0.0, and every integer
    below 0 is stored less 1.
    """
    flat = np.ascontiguousarray(array).reshape(-1)
    values, odd = np.empty(flat.size, np.int32), np.zeros(flat.size, bool)
    parts = integers.stretches(flat.size)
    negative = False
    if flat.dtype.kind == "f":
        zeros = sum(np.count_nonzero(_negative_zeros(flat[part])) for part in parts)
        # Where -0.0 is coded, -LIMIT no longer fits and becomes an exception: whichever is rarer gives way.
        negative = bool(zeros > 0 and zeros > np.count_nonzero(flat == -LIMIT))
    for part in parts:
        given = flat[part]
        below = _negative_zeros(given) if flat.dtype.kind == "f" else np.zeros(0, bool)
        if flat.dtype.kind == "f" or flat.dtype.itemsize > 2:
            with np.errstate(invalid="ignore"):
                odd[part] = ~((given <= LIMIT) & (given >= -LIMIT) & (np.rint(given) == given))
            if below.any() or negative:
                odd[part] |= given == -LIMIT if negative else below
            given = np.where(odd[part], 0, given)
        values[part] = given
        if negative:
            values[part] -= (values[part] < 0) | below
    return values.reshape(array.shape), odd.reshape(array.shape), negative


def _negative_zeros(part: NDArray) -> NDArray[np.bool_]:
    return np.asarray((part == 0) & np.signbit(part))


def _list(values: NDArray[np.int32], before: Remembered | None) -> tuple[bytes, NDArray[np.int32]] | None:
    """Return the list of distinct values, coded, and the indices into it; None where it would not be shorter."""
    low, high = int(values.min()), int(values.max())
    if high - low >= TRIED:
        return None
    flat = values.reshape(-1)
    if flat.size > 4 * SAMPLED and _dense(np.bincount(flat[:: flat.size // SAMPLED] - low, minlength=high - low + 1)):
        return None
    counts = np.zeros(high - low + 1, np.int64)
    for part in integers.stretches(flat.size, 1 + counts.size // integers.STRETCH):
        counts += np.bincount(flat[part] - low, minlength=counts.size)
    present = counts > 0
    distinct = int(np.count_nonzero(present))
    if _dense(counts) or 4 * distinct > 3 * values.size:
        return None
    found = np.flatnonzero(present)
    table = number(distinct) + signed(low)
    if distinct > 1:
        gaps = (np.diff(found) - 1).astype(np.int32)
        stream = integers.encode(gaps, (distinct - 1,), model=before.part("gaps") if before else None)
        table += number(len(stream)) + stream
    return table, (np.cumsum(present) - 1).astype(np.int32)[values - low]


def _dense(counts: NDArray[np.int64]) -> bool:
    """Whether nearly all values between the 5th and the 95th percentile occur, so that a list saves nothing."""
    below = np.cumsum(counts)
    usual = counts[np.searchsorted(below, 0.05 * below[-1]) : np.searchsorted(below, 0.95 * below[-1]) + 1] > 0
    return bool(4 * np.count_nonzero(usual) > 3 * usual.size)


def decode_array(data: memoryview, shape: tuple[int, ...], dtype: np.dtype) -> NDArray:
    """Inverse of `encode_array`."""
    cursor = Cursor(data, CLAUSE)
    flags = cursor.take(1)[0]
    if flags & ~(LIST | EXCEPTIONS | ZEROS):
        raise UnsupportedError(f"a lossless-int block has the reserved flags {flags:#x} set", clause="8.6.1")
    if flags & ZEROS and dtype.kind != "f":
        raise DamagedError(f"{dtype.name} has no negative zero", clause="8.6.5")
    listed = exceptions.decode(cursor, math.prod(shape), dtype) if flags & EXCEPTIONS else None
    table = _read_list(cursor, math.prod(shape)) if flags & LIST else None
    values, _ = integers.decode(cursor.rest(), shape)
    if table is not None:
        if int(values.min()) < 0 or int(values.max()) >= table.size:
            raise DamagedError(f"an index outside of the list of {table.size} values", clause="8.6.3")
        values = table[values]
    if dtype.kind in "iu":
        bounds = np.iinfo(dtype)
        wrong = (values < max(bounds.min, -LIMIT)) | (values > min(bounds.max, LIMIT))
        if listed is not None:
            wrong.reshape(-1)[listed[0]] = False
        if wrong.any():
            raise DamagedError(f"a value that {dtype.name} cannot hold", clause="8.6.4")
    out = values.astype(dtype)
    if flags & ZEROS:
        out += values < 0
        out[values == -1] = -0.0
    return exceptions.restored(out.reshape(shape), listed)


def _read_list(cursor: Cursor, most: int) -> NDArray[np.int32]:
    size, first = cursor.number(), cursor.signed()
    if not 1 <= size <= most or abs(first) > LIMIT:
        raise DamagedError(f"a list of {size} values from {first}", clause="8.6.3")
    gaps = np.zeros(0, np.int64)
    if size > 1:
        found, _ = integers.decode(cursor.take(cursor.number()), (size - 1,))
        gaps = found.reshape(-1).astype(np.int64) + 1
    table = first + np.concatenate([[0], np.cumsum(gaps)])
    if (gaps.size and int(gaps.min()) < 1) or int(table[-1]) > LIMIT:
        raise DamagedError("the list of values does not rise, or leaves its range", clause="8.6.3")
    return table.astype(np.int32)
