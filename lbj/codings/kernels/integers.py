"""Compiled kernels of the integer coder; the clauses are those of spec/lbj.md section 8.5."""

# mypy: ignore-errors
# Inside compiled kernels types are numba's.

from __future__ import annotations

import numpy as np
from numba import njit

from .bits import leading_zeros

SYMBOLS, PHASES, CLASSES = 32, 4, 100  # a context of the entropy coder is a class of spread and a phase (8.5.7)
LIMIT = 1 << 24  # largest magnitude of a value
WHOLE = 1 << 15  # the frequencies of a context's symbols sum to this
LOW = 1 << 16  # the coder's state is at least this between symbols (rANS)
GAIN, FULL = 32, 1 << 18  # what a symbol adds to its count; sum of counts at which all are halved
PRIOR = 1024  # sum of the counts that a context begins with
RAW = 1 << 30  # marks an operation that writes plain bits
SLACK = 16  # zero words after the last, more than a voxel reads, so that reading needs no bound
ONE, ROW, WIDE = np.uint64(1), np.uint64(SYMBOLS + 1), np.uint64(SYMBOLS)  # unsigned, so that numba tests no sign

OK, SHORT, RANGE, LEFT = 0, 1, 2, 3

# 8.5.8: TAILS[j] is the upper tail of the starting distribution at j/8 standard deviations; SCALES[j] turns eighths of
# a bucket into eighths of a standard deviation, times 256, for class j.
TAILS = np.zeros(66, np.int64)
SCALES = np.zeros(17, np.int64)


def _tables() -> None:
    from math import erfc, sqrt

    for j in range(65):
        z = j / 8
        TAILS[j] = round(16384 * (0.9 * erfc(z / sqrt(2)) + 0.1 * erfc(z / 2 / sqrt(2))))
    for j in range(17):
        middle = (1.75 if j & 1 else 1.25) * 2 ** (j >> 1)
        SCALES[j] = round(256 / (sqrt(middle) / 4))


_tables()


@njit(cache=True, nogil=True)
def _rebuild(counts, starts, context):
    at, to = context * SYMBOLS, context * (SYMBOLS + 1)
    total = 0
    for i in range(SYMBOLS):
        total += counts[at + i]
    if total >= FULL:
        total = 0
        for i in range(SYMBOLS):
            counts[at + i] = (counts[at + i] + 1) >> 1
            total += counts[at + i]
    below = 0
    for i in range(SYMBOLS):
        starts[to + i] = below * (WHOLE - SYMBOLS) // total + i
        below += counts[at + i]
    starts[to + SYMBOLS] = WHOLE
    return total


@njit(cache=True, nogil=True)
def _begin(counts, starts, context):
    """Initial counts of a context: a normal distribution with heavier tails, at the middle of the phase."""
    kind, phase = context // PHASES, context % PHASES
    if kind > 16:
        kind = 13 + ((kind - 13) & 3)
    at = context * SYMBOLS
    last = 0
    for i in range(1, SYMBOLS + 1):
        edge = WHOLE
        if i < SYMBOLS:
            d = 8 * i - 128 - 2 * phase - 1
            z = abs(d) * SCALES[kind]
            j = z >> 8
            tail = 0
            if j < 64:
                tail = TAILS[j] + (((TAILS[j + 1] - TAILS[j]) * (z & 255)) >> 8)
            edge = tail if d < 0 else WHOLE - tail
        counts[at + i - 1] = 1 + ((edge - last) * PRIOR >> 15)
        last = edge
    return _rebuild(counts, starts, context)


@njit(cache=True, nogil=True)
def _class(v):
    n = 63 - np.int64(leading_zeros(np.uint64(v)))
    half = (v >> (n - 1)) & 1 if n > 0 else 0
    return min(2 * n + half, CLASSES - 1)


@njit(cache=True, nogil=True)
def dither(seed, index):
    """Return the dither of a voxel, -32 to 31, from its index in the array."""
    h = np.uint32(index) ^ np.uint32(seed)
    h = np.uint32(h * np.uint32(0x9E3779B1))
    h = np.uint32(h ^ (h >> np.uint32(15)))
    h = np.uint32(h * np.uint32(0x85EBCA77))
    h = np.uint32(h ^ (h >> np.uint32(13)))
    h = np.uint32(h * np.uint32(0xC2B2AE3D))
    return np.int64(h >> np.uint32(26)) - 32


@njit(cache=True, nogil=True)
def dithered(size, seed):
    """Return the dither of every voxel, 1/64."""
    out = np.empty(size, np.int8)
    for i in range(size):
        out[i] = dither(seed, i)
    return out


@njit(cache=True, nogil=True)
def running_means(t):
    """Exponentially weighted mean of the voxels before each one in its row, weights (15/16)^distance (8.5.5)."""
    out = np.zeros(t.shape, np.int32)
    for row in range(t.shape[0]):
        mean = np.int64(t[row, 0])
        for c in range(1, t.shape[1]):
            out[row, c] = mean
            mean += (t[row, c] - mean + 8) >> 4
    return out


@njit(cache=True, nogil=True)
def _segments(sets, taps, y, x, shape, known, which):
    """Number of the tap set that predicts each voxel of a row: the first whose taps lie inside; -1 for none.

    `known` holds, by set, the first and past-the-last voxel of the row before whose taps lie inside the array; where
    this row has the same, `which` is left as it is.
    """
    width, channels = shape[1], shape[2]
    changed = False
    for s in range(sets.size - 1):
        first, last = 0, channels
        for k in range(sets[s], sets[s + 1]):
            plane, dy, dx, dc = taps[k, 0], taps[k, 1], taps[k, 2], taps[k, 3]
            if y + dy < 0 or x + dx < 0 or x + dx >= width:
                last = 0
            first = max(first, -dc, plane)
            last = min(last, channels - max(dc, 0))
        last = max(first, last)
        changed |= known[s, 0] != first or known[s, 1] != last
        known[s, 0], known[s, 1] = first, last
    if changed:
        which[:] = -1
        for s in range(sets.size - 2, -1, -1):
            which[known[s, 0] : known[s, 1]] = s


@njit(cache=True, nogil=True)
def _partial(t, means, taps, first, last, offset, row, width, c0, c1, part, known):
    """Sum of weight times sample over the taps in earlier rows, for the voxels c0 to c1 of a row at once.

    Floats are exact here, since all sums stay below 2^53. Where the row is `known`, as it is when encoding, taps in the
    row itself are summed too.
    """
    sums = part[c0:c1]
    sums[:] = 2048.0 + 4096.0 * offset
    k = first
    while k < last:
        # Four taps at a time: the sums are read and written once for them.
        w0, l0, k = _tap(t, means, taps, k, last, row, width, c0, c1, known)
        w1, l1, k = _tap(t, means, taps, k, last, row, width, c0, c1, known)
        w2, l2, k = _tap(t, means, taps, k, last, row, width, c0, c1, known)
        w3, l3, k = _tap(t, means, taps, k, last, row, width, c0, c1, known)
        for c in range(sums.size):
            sums[c] += w0 * l0[c] + w1 * l1[c] + w2 * l2[c] + w3 * l3[c]


@njit(cache=True, nogil=True)
def _tap(t, means, taps, k, last, row, width, c0, c1, known):
    """Weight and samples of the next tap from number `k` on that is to be summed, and the number after it.

    Weight 0 where there is none.
    """
    while k < last:
        back = taps[k, 1] * width + taps[k, 2]
        if back != 0 or known:
            at = (row + back) % len(t)
            line = means[at, c0:c1] if taps[k, 0] == 1 else t[at, c0 + taps[k, 3] : c1 + taps[k, 3]]
            return float(taps[k, 4]), line, k + 1
        k += 1
    return 0.0, t[row % len(t), c0:c1], k


@njit(cache=True, nogil=True)
def _own(taps, first, last, out):
    """Fill in (distance, weight) of the taps in the voxel's own row; returns their number and the mean's weight."""
    n = 0
    mean = 0
    for k in range(first, last):
        if taps[k, 1] == 0 and taps[k, 2] == 0:
            if taps[k, 0] == 1:
                mean += taps[k, 4]
            else:
                out[n, 0], out[n, 1] = taps[k, 3], taps[k, 4]
                n += 1
    return n, mean


@njit(cache=True, nogil=True)
def _search(starts, at, slot):
    """Place of the symbol whose range holds the slot; comparisons that do not depend on one another are quicker."""
    i = at
    i += np.uint64(8) * (
        np.uint64(starts[i + np.uint64(8)] <= slot)
        + np.uint64(starts[i + np.uint64(16)] <= slot)
        + np.uint64(starts[i + np.uint64(24)] <= slot)
    )
    i += (
        np.uint64(starts[i + np.uint64(1)] <= slot)
        + np.uint64(starts[i + np.uint64(2)] <= slot)
        + np.uint64(starts[i + np.uint64(3)] <= slot)
        + np.uint64(starts[i + np.uint64(4)] <= slot)
        + np.uint64(starts[i + np.uint64(5)] <= slot)
        + np.uint64(starts[i + np.uint64(6)] <= slot)
        + np.uint64(starts[i + np.uint64(7)] <= slot)
    )
    return i


@njit(cache=True, nogil=True)
def _refilled(state, words, place):
    """Read a word where the state has fallen below 2^16; returns the state and the place after the words read."""
    if state < LOW:
        return state << np.uint64(16) | np.uint64(words[place]), place + 1
    return state, place


@njit(cache=True, nogil=True)
def _get(value, n, state, words, place):
    """Read n bits, 16 at a time, and append them to a value."""
    while n > 0:
        some = min(n, 16)
        value = value << some | np.int64(state & np.uint64((1 << some) - 1))
        state, place = _refilled(state >> np.uint64(some), words, place)
        n -= some
    return value, state, place


@njit(cache=True, nogil=True)
def _read(starts, at, base, k, state, words, place):
    """Symbol and value of a voxel (clause 8.5.9)."""
    slot = np.int64(state & np.uint64(WHOLE - 1))
    found = _search(starts, at, np.uint16(slot))
    s = np.int64(found - at)
    begin = np.int64(starts[found])
    frequency = np.int64(starts[found + ONE]) - begin
    state = np.uint64(frequency) * (state >> np.uint64(15)) + np.uint64(slot - begin)
    state, place = _refilled(state, words, place)
    bucket = base + s - 16
    if s == 0 or s == SYMBOLS - 1:
        size, state, place = _get(np.int64(0), 5, state, words, place)
        excess, state, place = _get(np.int64(1), size, state, words, place)
        bucket += 1 - excess if s == 0 else excess - 1
    value, state, place = _get(bucket, k, state, words, place)
    return s, value, state, place


@njit(cache=True, nogil=True)
def _symbol(value, base, k):
    """Symbol of a voxel; and, where that is the first or last one, 1 plus how far the bucket lies beyond, else 0."""
    bucket = value >> k
    s = min(max(bucket - base + 16, 0), SYMBOLS - 1)
    if s == 0:
        return s, base - 15 - bucket
    if s == SYMBOLS - 1:
        return s, bucket - base - 14
    return s, np.int64(0)


@njit(cache=True, nogil=True)
def _length(excess):
    return 63 - np.int64(leading_zeros(np.uint64(excess)))


@njit(cache=True, nogil=True)
def _put(value, n, ops, made):
    """Append operations that write the low n bits of a value, 16 at a time; returns their number so far."""
    while n > 0:
        some = min(n, 16)
        n -= some
        ops[made] = RAW | some << 16 | ((value >> n) & ((1 << some) - 1))
        made += 1
    return made


@njit(cache=True, nogil=True)
def _write(starts, at, base, k, value, ops, made):
    """Append the operations that code a voxel; returns its symbol and their number so far."""
    s, excess = _symbol(value, base, k)
    found = at + np.uint64(s)
    begin = np.int64(starts[found])
    ops[made] = begin << 15 | (np.int64(starts[found + ONE]) - begin)
    made += 1
    if excess:
        size = _length(excess)
        made = _put(size, 5, ops, made)
        made = _put(excess, size, ops, made)
    return s, _put(value, k, ops, made)


@njit(cache=True, nogil=True)
def _price(starts, at, base, k, value):
    """Symbol of a voxel, and the bits that coding it would take."""
    s, excess = _symbol(value, base, k)
    found = at + np.uint64(s)
    bits = 15 - np.log2(np.int64(starts[found + ONE]) - np.int64(starts[found])) + k
    return s, bits + 5 + _length(excess) if excess else bits


@njit(cache=True, nogil=True)
def _prepare(line, mean_line, q, row, dithered, seed):
    """Fill in samples (64 q less dither) and running means of a row whose integers are known."""
    for c in range(line.size):
        u = dither(seed, row * line.size + c) if dithered else np.int64(0)
        line[c] = 64 * np.int64(q[row, c]) - u
    if mean_line.size:
        mean = np.int64(line[0])
        for c in range(1, line.size):
            mean_line[c] = mean
            mean += (line[c] - mean + 8) >> 4


@njit(cache=True, nogil=True)
def run(decoding, q, shape, sets, offsets, taps, variance, seeding, words, ops, estimating):
    """Code an array of integers: shape (rows, C), each row a pixel's channels or a line of an image.

    Encoding fills `ops` with operations in the order of the voxels, which `flush` writes in reverse, and returns their
    number, or -1 where there is no room; estimating returns the bits in its second value; decoding fills `q` and
    returns a status.
    """
    height, width, channels = shape
    beta, alpha, gamma = variance
    dithered, seed = seeding
    rows = height * width
    smooth, kept = False, 2
    for k in range(len(taps)):
        kept = max(kept, 1 - taps[k, 1] * width - taps[k, 2])
        if taps[k, 0] == 1:
            smooth = True
    kept = min(kept, rows)  # only as many rows are held as taps reach back; each takes the place of the oldest
    t = np.zeros((kept, channels), np.int32)
    means = np.zeros((kept, channels + 1 if smooth else 0), np.int32)
    counts = np.zeros(CLASSES * PHASES * SYMBOLS, np.uint32)
    starts = np.zeros(CLASSES * PHASES * (SYMBOLS + 1), np.uint16)
    totals = np.zeros(CLASSES * PHASES, np.int64)
    due = np.zeros(CLASSES * PHASES, np.int64)
    above = np.zeros(channels + 4, np.int64)
    here = np.zeros(channels + 4, np.int64)
    known, which = np.zeros((len(sets), 2), np.int64), np.full(channels, -1)
    part = np.zeros(channels, np.float64)
    own = np.zeros((64, 2), np.int64)
    bits = 0.0
    made = 0
    state = np.uint64(LOW)
    place = 0
    if decoding:
        if words.size < 2:
            return SHORT, bits
        state = np.uint64(words[0]) | np.uint64(words[1]) << np.uint64(16)
        place = 2
        if state < LOW:
            return LEFT, bits
    size = words.size
    words = np.append(words, np.zeros(SLACK, np.uint16))
    for row in range(rows):
        y, x = row // width, row % width
        _segments(sets, taps, y, x, shape, known, which)
        line, mean_line = t[row % kept], means[row % kept]
        mean = np.int64(0)
        above, here = here, above
        if not decoding:
            _prepare(line, mean_line, q, row, dithered, seed)
        c1 = 0
        while c1 < channels:
            c0, chosen = c1, which[c1]
            while c1 < channels and which[c1] == chosen:
                c1 += 1
            n, weight = 0, np.int64(0)
            if chosen >= 0:
                first, last = sets[chosen], sets[chosen + 1]
                _partial(t, means, taps, first, last, offsets[chosen], row, width, c0, c1, part, not decoding)
                if decoding:
                    n, weight = _own(taps, first, last, own)
            for c in range(c0, c1):
                if chosen >= 0:
                    total = np.int64(part[c]) + weight * mean
                    for k in range(n):
                        total += own[k, 1] * np.int64(line[c + own[k, 0]])
                    p = total >> 12
                elif c > 0:
                    p = np.int64(line[c - 1])
                else:
                    p = np.int64(t[(row - 1) % kept, 0]) if row > 0 else np.int64(0)
                u = dither(seed, row * channels + c) if dithered else np.int64(0)
                p += u
                v = alpha * max(p >> 6, 0)
                if gamma:
                    m = 2 * (here[c + 1] + above[c + 2]) + here[c] + above[c + 1] + above[c + 3] + above[c + 4]
                    m >>= 3
                    v += gamma * m * m
                kind = _class(max(beta + (v >> 8), 1))
                k = max(0, (kind - 13) >> 2)
                base = p >> (6 + k)
                context = np.uint64(kind * PHASES + ((p >> (4 + k)) & 3))
                at = context * ROW
                if totals[context] == 0:
                    totals[context] = _begin(counts, starts, np.int64(context))
                    due[context] = totals[context] + (totals[context] >> 3)
                if decoding:
                    s, value, state, place = _read(starts, at, base, k, state, words, place)
                    if place > size:
                        return SHORT, bits
                    if value > LIMIT or value < -LIMIT:
                        return RANGE, bits
                    q[row, c] = value
                elif estimating:
                    value = np.int64(q[row, c])
                    s, price = _price(starts, at, base, k, value)
                    bits += price
                else:
                    if made + 8 > ops.size:
                        return -1, bits
                    value = np.int64(q[row, c])
                    s, made = _write(starts, at, base, k, value, ops, made)
                counts[context * WIDE + np.uint64(s)] += GAIN
                totals[context] += GAIN
                if totals[context] >= due[context]:
                    totals[context] = _rebuild(counts, starts, np.int64(context))
                    due[context] = totals[context] + (totals[context] >> 3)
                sample = 64 * value - u
                if decoding:
                    line[c] = sample
                    if smooth:
                        mean = sample if c == 0 else mean + ((sample - mean + 8) >> 4)
                        mean_line[c + 1] = mean
                if gamma:
                    here[c + 2] = min(abs(sample + u - p) >> 4, 1 << 16)
    if decoding:
        if state != LOW or place != size:
            return LEFT, bits
        return OK, bits
    return made, bits


@njit(cache=True, nogil=True)
def flush(ops, made, words):
    """Encode the operations, last first; returns the number of words written from the end of `words`."""
    state = np.uint64(LOW)
    at = words.size
    for i in range(made - 1, -1, -1):
        op = np.int64(ops[i])
        if op & RAW:
            size = (op >> 16) & 31
            if state >= np.uint64(1) << np.uint64(32 - size):
                at -= 1
                words[at] = state & np.uint64(65535)
                state >>= np.uint64(16)
            state = state << np.uint64(size) | np.uint64(op & 65535)
        else:
            begin, frequency = np.uint64(op >> 15), np.uint64(op & 32767)
            if state >= frequency << np.uint64(17):
                at -= 1
                words[at] = state & np.uint64(65535)
                state >>= np.uint64(16)
            # A division of floats is exact for integers below 2^53, and quicker than one of integers.
            quotient = np.uint64(float(state) / float(frequency))
            state = (quotient << np.uint64(15)) + state - quotient * frequency + begin
    words[at - 1] = state >> np.uint64(16)
    words[at - 2] = state & np.uint64(65535)
    return words.size - at + 2
