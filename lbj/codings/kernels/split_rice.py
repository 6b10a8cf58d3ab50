"""Compiled kernels of split-rice; the clauses are those of spec/lbj.md section 8.3."""

# mypy: ignore-errors
# Inside compiled kernels types are numba's.

from __future__ import annotations

import numpy as np
from numba import njit

from .bits import leading_zeros, trailing_zeros

U64 = np.uint64
ZERO, ONE, TWO = U64(0), U64(1), U64(2)
ESCAPE = 24
MAX_K = 24
SMALL = 32

OK, SHORT, OUTSIDE, VOXELS, EVENTS = 0, 1, 2, 3, 4


@njit(cache=True, nogil=True)
def _bit_length(value: int) -> int:
    n = 0
    while value > 0:
        value >>= 1
        n += 1
    return n


@njit(cache=True, nogil=True)
def _start(events: int, voxels: int, m: int) -> tuple[int, int]:
    """Initial prediction A and spread B of the chunk totals, both in 1/16."""
    a = events * 16 // max(1, voxels >> m)
    return a, 16 << ((_bit_length(a >> 4) + 1) // 2)


@njit(cache=True, nogil=True)
def _split(total: int, left: int) -> tuple[int, int, int, int]:
    """Truncated Rice code of a split: quotient, its largest value, k, and the k low bits."""
    half = total >> 1
    z = 2 * (half - left) if left <= half else 2 * (left - half) - 1
    k, rest = 0, total
    while rest >= 6:
        rest >>= 2
        k += 1
    return z >> k, total >> k, k, z & ((1 << k) - 1)


def _small_splits() -> np.ndarray:
    """Codes of the splits of fewer than SMALL events: bits * 256 + length."""
    table = np.zeros((SMALL, SMALL), np.uint32)
    for total in range(2, SMALL):
        for left in range(total + 1):
            q, top, k, rest = _split.py_func(total, left)
            unary = q + (q != top)
            table[total, left] = (((1 << q) - 1) | rest << unary) << 8 | unary + k
    return table


SPLITS = _small_splits()


@njit(cache=True, nogil=True, inline="always")
def _put(out: np.ndarray, acc: int, have: int, word: int, value: int, bits: int) -> tuple[int, int, int]:
    """Append up to 32 bits; whole words of 32 leave the accumulator."""
    acc |= value << have
    have += bits
    out[word] = np.uint32(acc)
    full = have >> U64(5)
    acc >>= full << U64(5)
    return acc, have & U64(31), word + full


def _byte_pairs() -> np.ndarray:
    """Every byte, highest bit first, each bit as a pair (1, bit): the splits of two events that stay together."""
    return np.array([sum(1 << 2 * i | (b >> 7 - i & 1) << 2 * i + 1 for i in range(8)) for b in range(256)], np.uint64)


PAIRS = _byte_pairs()


@njit(cache=True, nogil=True, inline="always")
def _few(padded: np.ndarray, i: int, low: int, total: int, j: int) -> tuple[int, int]:
    """Code of a range of 2^j indices, j at most 16, that holds 0, 1 or 2 voxels of one count: (bits, length).

    Two voxels that part at bit `apart` are written as their common leading bits in pairs, the split, and the bits of
    each below; computed without a branch, since which of the three it is cannot be predicted.
    """
    p, q = U64(padded[i]) - low, U64(padded[i + ONE]) - low
    apart = U64(63) - leading_zeros((p ^ q) & U64(0xFFFF) | ONE)
    shared = (j - ONE - apart) & U64(31)
    mask = (ONE << apart) - ONE
    tail = (p & mask) << ONE | (q & mask) << (apart + ONE)
    lead = p >> (apart + ONE) << (U64(16) - shared)
    chain = PAIRS[lead >> U64(8) & U64(255)] | PAIRS[lead & U64(255)] << U64(16)
    two = chain & ((ONE << (shared + shared)) - ONE) | tail << (shared + shared)
    pair, single = U64(0) - (total >> ONE), U64(0) - (total & ONE)
    return two & pair | p & single, total * j - (total >> ONE)


@njit(cache=True, nogil=True, inline="always")
def _unpair(bits: int) -> int:
    """Second bits of 16 pairs, the first pair's highest."""
    x = bits >> U64(1) & U64(0x55555555)
    x = (x | x >> U64(1)) & U64(0x33333333)
    x = (x | x >> U64(2)) & U64(0x0F0F0F0F)
    x = (x | x >> U64(4)) & U64(0x00FF00FF)
    x = (x | x >> U64(8)) & U64(0x0000FFFF)
    x = (x & U64(0x5555)) << U64(1) | (x >> U64(1) & U64(0x5555))
    x = (x & U64(0x3333)) << U64(2) | (x >> U64(2) & U64(0x3333))
    x = (x & U64(0x0F0F)) << U64(4) | (x >> U64(4) & U64(0x0F0F))
    return (x & U64(0x00FF)) << U64(8) | (x >> U64(8) & U64(0x00FF))


@njit(cache=True, nogil=True)
def encode(voxel: np.ndarray, count: np.ndarray, voxels: int, m: int) -> tuple[np.ndarray, int]:
    """Code sorted voxels and counts (uint32) of a block of `voxels` voxels; returns 32-bit words and bits used."""
    n = voxel.size
    # Voxels past the last one lie above every range, so that a look eight ahead needs no bound.
    padded = np.empty(n + 8, np.uint32)
    padded[n:] = 0xFFFFFFFF
    before = np.empty(n + 1, np.uint32)
    events = 0
    for i in range(n):
        padded[i] = voxel[i]
        before[i] = events
        events += count[i]
    before[n] = events
    chunks = (voxels + (1 << m) - 1) >> m
    out = np.empty(64 + chunks // 4 + n // 2, np.uint32)
    acc, have, word = U64(0), U64(0), U64(0)
    a, b = _start(before[n], voxels, m)
    stack = np.zeros((34, 4), np.uint64)
    first = 0
    for chunk in range(chunks):
        end = np.int64(chunk + 1) << m
        last = first
        while last < n and voxel[last] < end:
            last += 1
        # At most 56 bits for the total and for each of up to m splits a voxel.
        most = np.int64(word) + 4 + 2 * (last - first) * (m + 1)
        if most > out.size:
            grown = np.empty(2 * most, np.uint32)
            for w in range(np.int64(word)):
                grown[w] = out[w]
            out = grown
        total = np.int64(before[last]) - np.int64(before[first])
        predicted = (a + 8) >> 4
        if total > 2 * predicted:
            z = total
        elif total >= predicted:
            z = 2 * (total - predicted)
        else:
            z = 2 * (predicted - total) - 1
        k = min(max(_bit_length(b >> 4) - 1, 0), MAX_K)
        q = z >> k
        if q >= ESCAPE:
            acc, have, word = _put(out, acc, have, word, (ONE << U64(ESCAPE)) - ONE, U64(ESCAPE))
            acc, have, word = _put(out, acc, have, word, U64(total), U64(32))
        else:
            acc, have, word = _put(out, acc, have, word, (ONE << U64(q)) - ONE, U64(q + 1))
            acc, have, word = _put(out, acc, have, word, U64(z & ((1 << k) - 1)), U64(k))
        a += total - predicted
        b += z - (b >> 4)
        depth = U64(0)
        i, e, low, j, rest = U64(first), U64(last), U64(chunk) << U64(m), U64(m), U64(total)
        while rest > ZERO:
            if rest <= TWO and e - i == rest and j <= U64(16):
                value, bits = _few(padded, i, low, rest, j)
                acc, have, word = _put(out, acc, have, word, value, bits)
            elif rest == ONE:
                acc, have, word = _put(out, acc, have, word, U64(padded[i]) - low, j)
            elif j > ZERO:
                j -= ONE
                middle = low + (ONE << j)
                s, bound = i, np.uint32(middle)
                while padded[s + U64(3)] < bound:
                    s += U64(4)
                s += U64(padded[s] < bound) + U64(padded[s + ONE] < bound) + U64(padded[s + TWO] < bound)
                left = U64(before[s]) - U64(before[i])
                if rest < U64(SMALL):
                    code = U64(SPLITS[rest, left])
                    acc, have, word = _put(out, acc, have, word, code >> U64(8), code & U64(255))
                else:
                    q, top, k, bits = _split(np.int64(rest), np.int64(left))
                    if q >= ESCAPE and top > ESCAPE:
                        acc, have, word = _put(out, acc, have, word, (ONE << U64(ESCAPE)) - ONE, U64(ESCAPE))
                        acc, have, word = _put(out, acc, have, word, left, U64(32))
                    else:
                        acc, have, word = _put(out, acc, have, word, (ONE << U64(q)) - ONE, U64(q + (q != top)))
                        acc, have, word = _put(out, acc, have, word, U64(bits), U64(k))
                right = rest - left
                if left > TWO or s - i != left or j > U64(16):
                    if left == ZERO:
                        i, low = s, middle
                        continue
                    if right > ZERO:
                        stack[depth, 0], stack[depth, 1], stack[depth, 2], stack[depth, 3] = s, e, middle, j
                        depth += ONE
                    e, rest = s, left
                    continue
                value, bits = _few(padded, i, low, left, j)
                acc, have, word = _put(out, acc, have, word, value, bits)
                i, low, rest = s, middle, right
                if rest > TWO or e - i != rest:
                    continue
                value, bits = _few(padded, i, low, rest, j)
                acc, have, word = _put(out, acc, have, word, value, bits)
            if depth == ZERO:
                break
            depth -= ONE
            i, e, low, j = stack[depth, 0], stack[depth, 1], stack[depth, 2], stack[depth, 3]
            rest = U64(before[e]) - U64(before[i])
        first = last
    out[word] = np.uint32(acc)
    return out[: word + ONE], np.int64(word * U64(32) + have)


@njit(cache=True, nogil=True, inline="always")
def _peek(words: np.ndarray, at: int) -> int:
    """At least 33 bits from bit `at` on, the first in the lowest place."""
    w = at >> U64(5)
    return (U64(words[w]) | (U64(words[w + U64(1)]) << U64(32))) >> (at & U64(31))


@njit(cache=True, nogil=True)
def decode(
    words: np.ndarray, bits: int, voxels: int, m: int, events: int, voxel: np.ndarray, count: np.ndarray
) -> tuple[int, int]:
    """Decode into voxel and count (both uint32, sized by the block header); returns (status, bit position).

    `words` holds the coded bytes as uint32, padded by at least three words.
    """
    n, size = U64(0), U64(voxel.size)
    at, end = U64(0), U64(bits)
    chunks = (voxels + (1 << m) - 1) >> m
    a, b = _start(events, voxels, m)
    sum_left = events
    stack_low = np.zeros(34, np.int64)
    stack_total = np.zeros(34, np.int64)
    stack_level = np.zeros(34, np.int64)
    one = U64(1)
    for chunk in range(chunks):
        predicted = (a + 8) >> 4
        k = min(max(_bit_length(b >> 4) - 1, 0), MAX_K)
        if at >= end:
            return SHORT, at
        q = min(trailing_zeros(~_peek(words, at)), U64(ESCAPE))
        if q == U64(ESCAPE):
            at += U64(ESCAPE)
            if at + U64(32) > end:
                return SHORT, at
            total = np.int64(_peek(words, at) & U64(0xFFFFFFFF))
            at += U64(32)
            z = total - predicted
            if total > 2 * predicted:
                z = total
            elif z >= 0:
                z = 2 * z
            else:
                z = -2 * z - 1
        else:
            at += q + one
            if at + U64(k) > end:
                return SHORT, at
            z = np.int64((q << U64(k)) | (_peek(words, at) & ((one << U64(k)) - one)))
            at += U64(k)
            if z > 2 * predicted:
                total = z
            elif z & 1:
                total = predicted - ((z + 1) >> 1)
            else:
                total = predicted + (z >> 1)
        a += total - predicted
        b += z - (b >> 4)
        if total == 0:
            continue
        sum_left -= total
        if sum_left < 0:
            return EVENTS, at
        low, level = np.int64(chunk) << m, m
        depth = 0
        while True:
            if total == 1 or level == 0:
                position = low
                if total == 1:
                    position += np.int64(_peek(words, at) & ((one << U64(level)) - one))
                    at += U64(level)
                if at > end:
                    return SHORT, at
                if position >= voxels:
                    return OUTSIDE, at
                if n == size:
                    return VOXELS, at
                voxel[n] = position
                count[n] = total
                n += one
                if depth == 0:
                    break
                depth -= 1
                low, total, level = stack_low[depth], stack_total[depth], stack_level[depth]
                continue
            x = _peek(words, at)
            if total == 2 and level <= 16:
                twice = trailing_zeros(~(x | U64(0xAAAAAAAAAAAAAAAA)))
                if twice < U64(2 * level):
                    apart = U64(level) - one - (twice >> one)
                    mask = (one << apart) - one
                    shared = _unpair(x & ((one << twice) - one)) >> (U64(16) - (twice >> one))
                    base = low + np.int64(shared << (apart + one))
                    x >>= twice + one
                    at += U64(2 * level - 1)
                    second = base + np.int64((one << apart) | (x >> apart & mask))
                    if at > end:
                        return SHORT, at
                    if second >= voxels:
                        return OUTSIDE, at
                    if n + one >= size:
                        return VOXELS, at
                    voxel[n] = base + np.int64(x & mask)
                    voxel[n + one] = second
                    count[n] = 1
                    count[n + one] = 1
                    n += U64(2)
                    if depth == 0:
                        break
                    depth -= 1
                    low, total, level = stack_low[depth], stack_total[depth], stack_level[depth]
                    continue
            if total < 6:
                q = min(trailing_zeros(~x), U64(total))
                at += q + U64(q != U64(total))
                z = np.int64(q)
            else:
                k, t = 1, total >> 2
                while t >= 6:
                    t >>= 2
                    k += 1
                top = U64(total) >> U64(k)
                most = min(top, U64(ESCAPE))
                q = min(trailing_zeros(~x), most)
                if q == U64(ESCAPE) and top > U64(ESCAPE):
                    at += U64(ESCAPE)
                    if at + U64(32) > end:
                        return SHORT, at
                    left = np.int64(_peek(words, at) & U64(0xFFFFFFFF))
                    at += U64(32)
                    half = total >> 1
                    z = 2 * (half - left) if left <= half else 2 * (left - half) - 1
                else:
                    at += q + U64(q != top)
                    if at > end:
                        return SHORT, at
                    z = np.int64((q << U64(k)) | (_peek(words, at) & ((one << U64(k)) - one)))
                    at += U64(k)
            if at > end:
                return SHORT, at
            left = (total >> 1) + ((z + 1) >> 1 if z & 1 else -(z >> 1))
            if left < 0 or left > total:
                return OUTSIDE, at
            level -= 1
            if left == 0:
                low += np.int64(1) << level
            elif left < total:
                stack_low[depth] = low + (np.int64(1) << level)
                stack_total[depth] = total - left
                stack_level[depth] = level
                depth += 1
                total = left
    if n != size:
        return VOXELS, at
    if sum_left != 0:
        return EVENTS, at
    return OK, at
