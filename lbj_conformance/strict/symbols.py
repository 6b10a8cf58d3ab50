"""Entropy decoder of the integer stream: symbols and bits from its words: clauses 8.5.8 to 8.5.10."""

from __future__ import annotations

import struct
from bisect import bisect_right
from itertools import accumulate, pairwise

from .cursor import Cursor

SYMBOLS = 32
LEAST_STATE = LAST_STATE = 2**16
VOXELS_A_BYTE = 8192
_SCALES = (916, 774, 648, 547, 458, 387, 324, 274, 229, 194, 162, 137, 114, 97, 81, 68, 57)
_TAIL = (
    16384, 14836, 13310, 11830, 10414, 9081, 7843, 6711, 5690, 4783, 3987, 3300, 2713, 2218, 1807, 1467, 1191, 967,
    787, 644, 529, 438, 365, 306, 259, 220, 188, 161, 138, 119, 102, 88, 75, 65, 55, 47, 40, 34, 29, 24, 20, 17, 14, 12,
    10, 8, 7, 5, 4, 4, 3, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0,
)  # fmt: skip


def _tail(z: int) -> int:
    x = z >> 8
    return _TAIL[x] + ((_TAIL[x + 1] - _TAIL[x]) * (z & 255) >> 8) if x < 64 else 0


def _first_counts(class_: int, phase: int) -> list[int]:
    """Counts of a pair of class and phase that is met for the first time."""
    kind = class_ if class_ <= 16 else 13 + (class_ - 13 & 3)
    edges = [0]
    for i in range(1, SYMBOLS):
        d = 8 * i - 128 - 2 * phase - 1
        tail = _tail(abs(d) * _SCALES[kind])
        edges.append(tail if d < 0 else 32768 - tail)
    edges.append(32768)
    return [1 + ((after - edge) * 1024 >> 15) for edge, after in pairwise(edges)]


class Frequencies:
    """The counts of one pair of class and phase, and the starts made from them."""

    def __init__(self, class_: int, phase: int) -> None:
        self._counts = _first_counts(class_, phase)
        self._make()

    def _make(self) -> None:
        if sum(self._counts) >= 2**18:
            self._counts = [count + 1 >> 1 for count in self._counts]
        self._sum = self._made_at = sum(self._counts)
        before = accumulate(self._counts[:-1], initial=0)
        self.starts = [count * 32736 // self._sum + i for i, count in enumerate(before)] + [32768]

    def add(self, symbol: int) -> None:
        """Take note of a symbol."""
        self._counts[symbol] += 32
        self._sum += 32
        if self._sum >= self._made_at + (self._made_at >> 3):
            self._make()


class Words:
    """The state X and the words that it takes in."""

    def __init__(self, cursor: Cursor, voxels: int) -> None:
        data = cursor.rest()
        self._cursor, self._next = cursor, 2
        if voxels > VOXELS_A_BYTE * len(data):
            raise cursor.damaged("8.5.10", f"{voxels} voxels in {len(data)} bytes")
        if len(data) % 2:
            raise cursor.damaged("8.5.10", "half a word")
        self._words = struct.unpack(f"<{len(data) // 2}H", data)
        if len(self._words) < 2:
            raise cursor.damaged("8.5.10", "words end early")
        self._state = self._words[0] + (self._words[1] << 16)
        if self._state < LEAST_STATE:
            raise cursor.damaged("8.5.9", f"first state {self._state}")

    def _refill(self) -> None:
        if self._state < LEAST_STATE:
            if self._next == len(self._words):
                raise self._cursor.damaged("8.5.10", "words end early")
            self._state = (self._state << 16) + self._words[self._next]
            self._next += 1

    def symbol(self, starts: list[int]) -> int:
        """Decode a symbol."""
        low = self._state & 32767
        symbol = bisect_right(starts, low) - 1
        self._state = (starts[symbol + 1] - starts[symbol]) * (self._state >> 15) + low - starts[symbol]
        self._refill()
        return symbol

    def bits(self, n: int) -> int:
        """Decode n bits, the highest 16 first."""
        value = 0
        while n:
            piece = min(n, 16)
            value = value << piece | self._state & ((1 << piece) - 1)
            self._state >>= piece
            self._refill()
            n -= piece
        return value

    def finish(self) -> None:
        """Check the end."""
        if self._next != len(self._words):
            raise self._cursor.damaged("8.5.10", f"{len(self._words) - self._next} words left over")
        if self._state != LAST_STATE:
            raise self._cursor.damaged("8.5.10", f"final state {self._state}")
