"""CRC-32 of payloads nested in one another, in linear time (note to clause 9.3)."""

from __future__ import annotations

import zlib
from collections.abc import Callable

POLYNOMIAL = 0xEDB88320
EVERY = 4096
PIECE = 2**20


def _times(matrix: list[int], vector: int) -> int:
    """Multiply over GF(2)."""
    out = 0
    for row in matrix:
        if not vector:
            break
        if vector & 1:
            out ^= row
        vector >>= 1
    return out


def _matrices() -> list[list[int]]:
    """Make the matrices that append 1, 2, 4, … zero bytes to what a CRC-32 is of."""
    bit = [POLYNOMIAL, *(1 << n for n in range(31))]
    square = bit
    for _ in range(3):
        square = [_times(square, row) for row in square]
    out = [square]
    for _ in range(62):
        out.append([_times(out[-1], row) for row in out[-1]])
    return out


MATRICES = _matrices()


def appended(crc: int, zeros: int) -> int:
    """Return the CRC-32 part that `zeros` bytes later is left of `crc`."""
    for matrix in MATRICES:
        if zeros & 1:
            crc = _times(matrix, crc)
        zeros >>= 1
    return crc


class Beginnings:
    """CRC-32 of the file's beginnings; `read` gives bytes by offset and number."""

    def __init__(self, read: Callable[[int, int], bytes]) -> None:
        self._read = read
        self._known = [0]

    def until(self, offset: int) -> int:
        """CRC-32 of the first `offset` bytes."""
        while len(self._known) * EVERY <= offset:
            start = (len(self._known) - 1) * EVERY
            data = self._read(start, min(PIECE, offset // EVERY * EVERY - start))
            for place in range(0, len(data), EVERY):
                self._known.append(zlib.crc32(data[place : place + EVERY], self._known[-1]))
        near = offset // EVERY
        return zlib.crc32(self._read(near * EVERY, offset - near * EVERY), self._known[near])

    def between(self, start: int, stop: int) -> int:
        """CRC-32 of the bytes from `start` to `stop`."""
        return self.until(stop) ^ appended(self.until(start), stop - start)
