"""Decoder of the integer stream: integers, predicted and entropy-coded voxel by voxel: clause 8.5."""

from __future__ import annotations

import math
from typing import NamedTuple

from .cursor import Cursor
from .symbols import Frequencies, Words
from .taps import Model, Tap, read_model

LARGEST = 2**24
LARGEST_ERROR = 65536
HIGHEST_CLASS = 99

Shape = tuple[int, int, int]


class Integers(NamedTuple):
    """What a stream holds: the integers q and their samples t (8.5.4), in C order."""

    values: list[int]
    samples: list[int]


def shape_of_stream(shape: tuple[int, ...]) -> Shape:
    """Return (H, W, C) of a window (clause 8.5.1)."""
    *others, w, c = (1, 1, *shape)
    return math.prod(others), w, c


def _dither(seed: int | None, index: int) -> int:
    if seed is None:
        return 0
    h = (index ^ seed) * 0x9E3779B1 & 0xFFFFFFFF
    h = (h ^ h >> 15) * 0x85EBCA77 & 0xFFFFFFFF
    h = (h ^ h >> 13) * 0xC2B2AE3D & 0xFFFFFFFF
    return (h >> 26) - 32


class _Decoder:
    """Decodes the voxels one after the other; what is known of them stands in lists, in C order."""

    def __init__(self, model: Model, shape: Shape, words: Words, cursor: Cursor) -> None:
        self.model, self.shape, self.words, self.cursor = model, shape, words, cursor
        self.values: list[int] = []
        self.samples: list[int] = []
        self.means: list[int | None] = []
        self.errors: list[int] = []
        self.frequencies: dict[tuple[int, int], Frequencies] = {}

    def _at(self, tap: Tap, y: int, x: int, c: int) -> int | None:
        """Return sample or mean at the place of a tap, None where there is none."""
        height, width, channels = self.shape
        y, x, c = y + tap.y, x + tap.x, c + tap.c
        if not (0 <= y < height and 0 <= x < width and 0 <= c < channels):
            return None
        return (self.means if tap.mean else self.samples)[(y * width + x) * channels + c]

    def _prediction(self, y: int, x: int, c: int, u: int) -> int:
        """Clause 8.5.6."""
        for offset, taps in self.model.sets:
            found = [self._at(tap, y, x, c) for tap in taps]
            if None not in found:
                total = sum(tap.weight * (s or 0) for tap, s in zip(taps, found, strict=True))
                return (2048 + 4096 * offset + total >> 12) + u
        if c:
            return self.samples[-1] + u
        return (self.samples[-self.shape[2]] if self.samples else 0) + u

    def _add_mean(self, c: int) -> None:
        """Clause 8.5.5, before the voxel itself is known."""
        if c == 0:
            self.means.append(None)
            return
        mean, sample = self.means[-1], self.samples[-1]
        self.means.append(sample if mean is None else mean + (sample - mean + 8 >> 4))

    def _near(self, row: int, c: int) -> int:
        """Return an error, 0 where there is no voxel."""
        channels = self.shape[2]
        return self.errors[row * channels + c] if row >= 0 and 0 <= c < channels else 0

    def _class(self, row: int, c: int, p: int) -> int:
        """Clause 8.5.7."""
        a, n1 = self._near(row, c - 1), self._near(row, c - 2)
        b, n2, n3, n4 = (self._near(row - 1, c + k) for k in (0, -1, 1, 2))
        m = 2 * a + 2 * b + n1 + n2 + n3 + n4 >> 3
        model = self.model
        v = max(1, model.beta + (model.alpha * max(p >> 6, 0) + model.gamma * m * m >> 8))
        n = v.bit_length() - 1
        return min(HIGHEST_CLASS, 2 * n + (v >> n - 1 & 1 if n else 0))

    def voxel(self, row: int, c: int) -> None:
        """Decode the next voxel."""
        u = _dither(self.model.seed, len(self.values))
        self._add_mean(c)
        p = self._prediction(*divmod(row, self.shape[1]), c, u)
        class_ = self._class(row, c, p)
        k = max(0, class_ - 13 >> 2)
        phase, base = p >> 4 + k & 3, p >> 6 + k
        if (class_, phase) not in self.frequencies:
            self.frequencies[class_, phase] = Frequencies(class_, phase)
        frequencies = self.frequencies[class_, phase]
        symbol = self.words.symbol(frequencies.starts)
        frequencies.add(symbol)
        x = 0
        if symbol in (0, 31):
            g = self.words.bits(5)
            x = (1 << g) + self.words.bits(g) - 1
        bucket = base + symbol - 16 + (-x if symbol == 0 else x)
        q = (bucket << k) + self.words.bits(k)
        if abs(q) > LARGEST:
            raise self.cursor.damaged("8.5.10", f"an integer of {q}")
        self.values.append(q)
        self.samples.append(64 * q - u)
        self.errors.append(min(abs(64 * q - p) >> 4, LARGEST_ERROR))


def decode(data: bytes, shape: Shape, offset: int) -> Integers:
    """Decode an integer stream of a shape."""
    cursor = Cursor(data, offset)
    model = read_model(cursor)
    words = Words(cursor, math.prod(shape))
    decoder = _Decoder(model, shape, words, cursor)
    height, width, channels = shape
    for row in range(height * width):
        for c in range(channels):
            decoder.voxel(row, c)
    words.finish()
    return Integers(decoder.values, decoder.samples)
