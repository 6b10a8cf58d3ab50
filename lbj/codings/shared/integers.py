"""The integer coder: an array of integers as a stream of bytes (spec/lbj.md 8.5)."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ...errors import DamagedError, UnsupportedError
from ..kernels import integers as kernels
from .integer_fit import Model, choose
from .remembered import Remembered

CLAUSE = "8.5"
LIMIT = kernels.LIMIT
MAX_SETS, MAX_TAPS = 16, 64
MAX_OFFSET = 2**31
DITHER = 1
VOXELS_PER_BYTE = 8192
SHARED = 2**19  # elements of a frame from which on its blocks share predictors and noise model
PIECES, LINES, PIECE = 5, 4, 2**17  # these are fitted to so many pieces of the frame, of so many lines and elements
ROUGH = 32  # edge of the corner to which a quick first model is fitted
STRETCH = 2**18  # elements worked on at a time, so that they stay in the cache
FAULTS = {
    kernels.SHORT: "integer stream ends early",
    kernels.RANGE: f"integer stream holds a value outside -{LIMIT} to {LIMIT}",
    kernels.LEFT: "integer stream does not begin and end in states that an encoder leaves",
}


class Cursor:
    """Bytes read in order; refuses to pass the end."""

    def __init__(self, data: memoryview | bytes, clause: str) -> None:
        self.data, self.at, self.clause = memoryview(data), 0, clause

    def take(self, size: int) -> memoryview:
        """Return the next bytes."""
        if size > len(self.data) - self.at:
            raise DamagedError(
                f"the block ends early: {size} bytes expected, {len(self.data) - self.at} left", clause=self.clause
            )
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self) -> int:
        """Return the next LEB128 number, below 2^64."""
        value = 0
        for shift in range(0, 70, 7):
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            if byte < 128:
                if value >> 64:
                    break
                return value
        raise DamagedError("a LEB128 number of more than 64 bits", clause=self.clause)

    def signed(self) -> int:
        """Return the next folded number: 0, -1, 1, -2, 2 ..."""
        value = self.number()
        return value >> 1 if value & 1 == 0 else -(value >> 1) - 1

    def rest(self) -> memoryview:
        """Return all that is left."""
        return self.take(len(self.data) - self.at)


def number(value: int) -> bytes:
    """LEB128 of a number."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def signed(value: int) -> bytes:
    """LEB128 of a folded number."""
    return number(2 * value if value >= 0 else -2 * value - 1)


def volume(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Shape as (planes, lines, columns): the last two axes, all others in one (clause 8.5.1)."""
    padded = (1, 1, *shape)
    return math.prod(padded[:-2]), padded[-2], padded[-1]


def shared(array: NDArray, integers: Callable[[NDArray], NDArray[np.int32]], dither: int | None = None) -> Model | None:
    """Choose tap sets and noise model for all blocks of a frame; None where it is too small to be cut.

    `integers` turns a piece of the array into integers, with the seed `dither` if there is one.
    """
    height, width, channels = volume(array.shape)
    if array.size < SHARED or height < LINES * PIECES:
        return None
    wide = min(width, max(2, -(-PIECE // (LINES * channels))))
    whole = array.reshape(height, width, channels)
    pieces = []
    for i in range(PIECES):
        y, x = ((size - part) * i // (PIECES - 1) for size, part in ((height, LINES), (width, wide)))
        pieces.append(integers(whole[y : y + LINES, x : x + wide]).reshape(-1, channels))
    return choose(np.concatenate(pieces), (LINES, wide, channels), (dither is not None, dither or 0), PIECES)


def stretches(size: int, each: int = 1) -> list[slice]:
    """Cut `size` rows of `each` elements into pieces that stay in the cache."""
    step = max(1, STRETCH // each)
    return [slice(at, min(at + step, size)) for at in range(0, size, step)]


def encode(
    values: NDArray[np.int32],
    shape: tuple[int, ...],
    dither: int | None = None,
    model: Model | Remembered | None = None,
) -> bytes:
    """Code integers of -2^24 to 2^24.

    `dither` is the seed of the dither they were quantised with; a `model` that was chosen before is taken as it is, one
    that is remembered from earlier arrays as long as it serves.
    """
    box = volume(shape)
    q = np.ascontiguousarray(values, np.int32).reshape(-1, box[2])
    seed = (dither is not None, dither or 0)
    if isinstance(model, Remembered):
        return model.best(
            q.size, lambda: choose(q, box, seed), lambda found: _coded(q, box, dither, found),
            lambda: _rough(q, box, dither),
        )  # fmt: skip
    return _coded(q, box, dither, choose(q, box, seed) if model is None else model)


def _rough(q: NDArray[np.int32], box: tuple[int, int, int], dither: int | None) -> Model:
    """Model fitted to a corner of the array alone."""
    planes, lines, channels = box
    wide = channels if planes > 1 else min(channels, ROUGH)
    lines = min(lines, max(ROUGH**2 // wide, 2))
    planes = min(planes, max(ROUGH**2 // (wide * lines), 2))
    corner = q.reshape(box)[:planes, :lines, :wide].reshape(-1, wide)
    return choose(np.ascontiguousarray(corner), (planes, lines, wide), (dither is not None, dither or 0))


def _coded(q: NDArray[np.int32], box: tuple[int, int, int], dither: int | None, model: Model) -> bytes:
    size = 3 * q.size + 64
    while True:
        ops = np.empty(size, np.uint32)
        made, _ = kernels.run(
            False,
            q,
            box,
            model.sets,
            model.offsets,
            model.taps,
            model.variance,
            (dither is not None, dither or 0),
            np.empty(0, np.uint16),
            ops,
            False,
        )
        if made >= 0:
            break
        size *= 3
    words = np.empty(made + 2, np.uint16)
    used = kernels.flush(ops, made, words)
    return _header(model, dither) + words[words.size - used :].astype("<u2").tobytes()


def _header(model: Model, dither: int | None) -> bytes:
    beta, alpha, gamma = model.variance
    out = [bytes([0 if dither is None else DITHER])]
    if dither is not None:
        out.append(dither.to_bytes(4, "little"))
    out += [signed(beta), number(alpha), number(gamma), number(len(model.sets) - 1)]
    for offset, first, last in zip(model.offsets, model.sets, model.sets[1:], strict=False):
        out += [signed(int(offset)), number(int(last - first))]
        for plane, dy, dx, dc, weight in model.taps[first:last].tolist():
            place = (255 if plane else dc + 128) | (dx + 16) << 8 | -dy << 13
            out.append(place.to_bytes(2, "little") + weight.to_bytes(2, "little", signed=True))
    return b"".join(out)


def decode(data: memoryview, shape: tuple[int, ...]) -> tuple[NDArray[np.int32], int | None]:
    """Inverse of `encode`: the integers, (rows, columns), and the seed of their dither or None."""
    cursor = Cursor(data, CLAUSE)
    box = volume(shape)
    voxels = math.prod(box)
    flags = cursor.take(1)[0]
    if flags & ~DITHER:
        raise UnsupportedError(f"an integer stream has the reserved flags {flags:#x} set", clause="8.5.2")
    seed = int.from_bytes(cursor.take(4), "little") if flags & DITHER else 0
    variance = (cursor.signed(), cursor.number(), cursor.number())
    if abs(variance[0]) > 2**50 or variance[1] > 2**24 or variance[2] > 2**16:
        raise DamagedError(f"the noise model {variance} is out of range", clause="8.5.2")
    count = cursor.number()
    if count > MAX_SETS:
        raise DamagedError(f"{count} tap sets; at most {MAX_SETS}", clause="8.5.3")
    sets, offsets, taps = [0], [], []
    for _ in range(count):
        offsets.append(cursor.signed())
        size = cursor.number()
        if size > MAX_TAPS or abs(offsets[-1]) > MAX_OFFSET:
            raise DamagedError(f"a tap set of {size} taps with offset {offsets[-1]}", clause="8.5.3")
        table = np.frombuffer(cursor.take(4 * size), "<u2,<i2")
        place, weight = table["f0"].astype(np.int64), table["f1"].astype(np.int64)
        mean = (place & 255) == 255
        dc, dx, dy = np.where(mean, 0, (place & 255) - 128), (place >> 8 & 31) - 16, -(place >> 13)
        later = (dy == 0) & ((dx > 0) | (dx == 0) & (dc >= 0) & ~mean)
        if later.any() or int(np.abs(weight).sum()) > 32767:
            raise DamagedError("a tap lies ahead, or the weights of a set pass 32767", clause="8.5.3")
        taps += np.stack([mean, dy, dx, dc, weight], axis=1).tolist()
        sets.append(len(taps))
    rest = cursor.rest()
    if len(rest) % 2 or voxels > VOXELS_PER_BYTE * len(rest):
        raise DamagedError(f"{len(rest)} bytes cannot hold {voxels} integers", clause="8.5.10")
    words = np.frombuffer(rest, "<u2")
    q = np.empty((box[0] * box[1], box[2]), np.int32)
    sides = np.array(sets, np.int64), np.array(offsets, np.int64), np.array(taps, np.int64).reshape(-1, 5)
    seeding = (bool(flags & DITHER), seed)
    fault, _ = kernels.run(True, q, box, *sides, variance, seeding, words, np.empty(0, np.uint32), False)
    if fault != kernels.OK:
        raise DamagedError(FAULTS[fault], clause="8.5.10")
    return q, seed if flags & DITHER else None
