"""Encoder of integer streams in plain Python, written from clause 8.5 alone; the encoder's choices are all given."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

from .codings import number

Shape = tuple[int, int, int]
Operation = tuple[int, int, bool]
"""Start and frequency of a symbol; or value and number of bits, at most 16, and True."""

SCALE = [916, 774, 648, 547, 458, 387, 324, 274, 229, 194, 162, 137, 114, 97, 81, 68, 57]
TAIL = [
    16384, 14836, 13310, 11830, 10414, 9081, 7843, 6711, 5690, 4783, 3987, 3300, 2713, 2218, 1807, 1467, 1191, 967,
    787, 644, 529, 438, 365, 306, 259, 220, 188, 161, 138, 119, 102, 88, 75, 65, 55, 47, 40, 34, 29, 24, 20, 17, 14, 12,
    10, 8, 7, 5, 4, 4, 3, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0,
]  # fmt: skip
MEAN = 127  # as j of a tap: 255 in its place


class Tap(NamedTuple):
    """Place of a tap (rows up are negative) and its weight."""

    d: int
    e: int
    j: int
    weight: int

    def pack(self) -> bytes:
        """Clause 8.5.3."""
        return struct.pack("<Hh", -self.d << 13 | self.e + 16 << 8 | self.j + 128, self.weight)


class Model(NamedTuple):
    """The encoder's choices; each set is an offset and taps."""

    beta: int = 256
    alpha: int = 0
    gamma: int = 0
    sets: Sequence[tuple[int, Sequence[Tap]]] = ()
    seed: int | None = None


NEAR = Model(64, 4096, 64, [(0, [Tap(0, 0, -1, 2048), Tap(-1, 0, 0, 2048)]), (0, [Tap(0, 0, -1, 4096)])])
LEFT = Model(64, 4096, 64, [(0, [Tap(0, 0, -1, 2048), Tap(0, -1, 0, 2048)]), (0, [Tap(0, 0, -1, 4096)])])


def signed(value: int, **more: Any) -> bytes:
    """A signed number."""
    return number(2 * value if value >= 0 else -2 * value - 1, **more)


def head(model: Model, *, bytes_: int = 1) -> bytes:
    """All before the words; numbers are at least `bytes_` long."""
    more = {"bytes_": bytes_}
    out = b"\x00" if model.seed is None else b"\x01" + struct.pack("<I", model.seed)
    out += signed(model.beta, **more) + number(model.alpha, **more) + number(model.gamma, **more)
    out += number(len(model.sets), **more)
    for offset, taps in model.sets:
        out += signed(offset, **more) + number(len(taps), **more) + b"".join(tap.pack() for tap in taps)
    return out


def dither(seed: int, i: int) -> int:
    """Dither of the voxel i."""
    h = i ^ seed
    for factor, shift in ((0x9E3779B1, 15), (0x85EBCA77, 13), (0xC2B2AE3D, 32)):
        h = h * factor % 2**32
        h ^= h >> shift
    return h // 2**26 - 32


def first_counts(kind: int, phase: int) -> list[int]:
    """Counts at the start."""
    kind = kind if kind <= 16 else 13 + (kind - 13) % 4
    edge = []
    for i in range(1, 32):
        d = 8 * i - 129 - 2 * phase
        x, rest = divmod(abs(d) * SCALE[kind], 256)
        tail = 0 if x >= 64 else TAIL[x] + (TAIL[x + 1] - TAIL[x]) * rest // 256
        edge.append(tail if d < 0 else 2**15 - tail)
    return [1 + (high - low) * 1024 // 2**15 for low, high in zip([0, *edge], [*edge, 2**15], strict=True)]


class Context:
    """Counts and starts of a class and phase."""

    def __init__(self, kind: int, phase: int) -> None:
        self.counts = first_counts(kind, phase)
        self.make()

    def make(self) -> None:
        """Make the starts."""
        if sum(self.counts) >= 2**18:
            self.counts = [(count + 1) // 2 for count in self.counts]
        self.sum = self.made_at = sum(self.counts)
        self.starts = [sum(self.counts[:i]) * 32736 // self.made_at + i for i in range(32)] + [2**15]

    def code(self, symbol: int) -> Operation:
        """Code a symbol and learn from it."""
        start = self.starts[symbol]
        found = (start, self.starts[symbol + 1] - start, False)
        self.counts[symbol] += 32
        self.sum += 32
        if self.sum >= self.made_at + self.made_at // 8:
            self.make()
        return found


def bits(value: int, n: int) -> list[Operation]:
    """Bits, the highest 16 first."""
    out: list[Operation] = []
    while n:
        n, piece = max(n - 16, 0), min(n, 16)
        out.append((value >> n & (1 << piece) - 1, piece, True))
    return out


def operations(q: Sequence[int], shape: Shape, model: Model) -> list[Operation]:
    """What a decoder undoes, first voxel first."""
    height, width, size = shape
    out: list[Operation] = []
    sample: dict[tuple[int, int, int], int] = {}
    mean: dict[tuple[int, int, int], int] = {}
    error: dict[tuple[int, int], int] = {}
    contexts: dict[tuple[int, int], Context] = {}
    places = ((y, x, c) for y in range(height) for x in range(width) for c in range(size))
    for i, ((y, x, c), value) in enumerate(zip(places, q, strict=True)):
        row = y * width + x
        u = 0 if model.seed is None else dither(model.seed, i)
        if c == 1:
            mean[y, x, 1] = sample[y, x, 0]
        elif c > 1:
            mean[y, x, c] = mean[y, x, c - 1] + (sample[y, x, c - 1] - mean[y, x, c - 1] + 8) // 16
        for offset, taps in model.sets:
            at = [(mean if j == MEAN else sample, (y + d, x + e, c + (0 if j == MEAN else j))) for d, e, j, _ in taps]
            if all(place in known for known, place in at):
                total = sum(tap.weight * known[place] for tap, (known, place) in zip(taps, at, strict=True))
                p = (2048 + 4096 * offset + total) // 4096 + u
                break
        else:
            before = (y, x, c - 1) if c else ((row - 1) // width, (row - 1) % width, 0)
            p = sample.get(before, 0) + u
        near = [(2, 0, -1), (2, -1, 0), (1, 0, -2), (1, -1, -1), (1, -1, 1), (1, -1, 2)]
        m = sum(weight * error.get((row + r, c + k), 0) for weight, r, k in near) // 8
        v = max(1, model.beta + (model.alpha * max(p // 64, 0) + model.gamma * m * m) // 256)
        n = len(f"{v:b}") - 1
        kind = min(99, 2 * n + (n > 0 and f"{v:b}"[1] == "1"))
        k = max(0, (kind - 13) // 4)
        phase, base = p // 2 ** (4 + k) % 4, p // 2 ** (6 + k)
        if (kind, phase) not in contexts:
            contexts[kind, phase] = Context(kind, phase)
        bucket = value // 2**k
        symbol = min(max(bucket - base + 16, 0), 31)
        out.append(contexts[kind, phase].code(symbol))
        if symbol in (0, 31):
            far = 1 + (base - 16 - bucket if symbol == 0 else bucket - base - 15)
            g = far.bit_length() - 1
            out += bits(g, 5) + bits(far - 2**g, g)
        out += bits(value % 2**k, k)
        sample[y, x, c] = 64 * value - u
        error[row, c] = min(abs(64 * value - p) // 16, 65536)
    return out


def words(made: list[Operation], state: int = 2**16) -> bytes:
    """The words, from the last operation to the first; `state` is the one that a decoder ends in."""
    out: list[int] = []
    for value, size, plain in reversed(made):
        most = 2**32 >> size if plain else size << 17
        if state >= most:
            out.append(state % 2**16)
            state >>= 16
        state = (state << size) + value if plain else (state // size << 15) + state % size + value
    out += [state >> 16, state % 2**16]
    return struct.pack(f"<{len(out)}H", *reversed(out))


def encode(q: Any, shape: tuple[int, ...], model: Model = NEAR, **more: Any) -> bytes:
    """An integer stream of an array (H, W, C) of integers."""
    padded = (1, 1, *shape)
    height = 1
    for size in padded[:-2]:
        height *= size
    flat = [int(value) for value in (q.ravel().tolist() if hasattr(q, "ravel") else q)]
    return head(model, **more) + words(operations(flat, (height, padded[-2], padded[-1]), model))
