"""split-rice in plain Python, written from clause 8.3 alone: slow, and the tests' truth."""


def _bit_length(a):
    return len(bin(a)) - 2 if a else 0


def _fold_total(n, p):
    if n > 2 * p:
        return n
    return 2 * (n - p) if n >= p else 2 * (p - n) - 1


def _k_of_split(n):
    k = 0
    while n >= 6:
        n //= 4
        k += 1
    return k


def _low(value, n):
    return [value >> i & 1 for i in range(n)]


def encode(voxels, counts, size, m):
    """Bytes of the coded block."""
    bits = []
    events = sum(counts)
    a = events * 16 // max(1, size >> m)
    b = 16 << ((_bit_length(a >> 4) + 1) // 2)
    pairs = list(zip(voxels, counts, strict=True))

    def split(first, j, inside):
        n = sum(count for _, count in inside)
        if n == 0:
            return
        if n == 1:
            bits.extend(_low(inside[0][0] - first, j))
            return
        if j == 0:
            return
        middle = first + 2 ** (j - 1)
        lower = [pair for pair in inside if pair[0] < middle]
        upper = [pair for pair in inside if pair[0] >= middle]
        left, h = sum(count for _, count in lower), n // 2
        z = 2 * (h - left) if left <= h else 2 * (left - h) - 1
        k = _k_of_split(n)
        q, t = z >> k, n >> k
        if t > 24 and q >= 24:
            bits.extend([1] * 24 + _low(left, 32))
        else:
            bits.extend([1] * q + ([0] if q != t else []) + _low(z, k))
        split(first, j - 1, lower)
        split(middle, j - 1, upper)

    chunks = {}
    for pair in pairs:
        chunks.setdefault(pair[0] // 2**m, []).append(pair)
    for first in range(0, size, 2**m):
        inside = chunks.get(first // 2**m, [])
        n = sum(count for _, count in inside)
        p = (a + 8) >> 4
        z = _fold_total(n, p)
        k = min(24, max(0, _bit_length(b >> 4) - 1))
        q = z >> k
        if q < 24:
            bits.extend([1] * q + [0] + _low(z, k))
        else:
            bits.extend([1] * 24 + _low(n, 32))
        a += n - p
        b += z - (b >> 4)
        split(first, m, inside)
    bits += [0] * (-len(bits) % 8)
    return bytes([m]) + bytes(sum(bit << i for i, bit in enumerate(bits[at : at + 8])) for at in range(0, len(bits), 8))


def decode(data, size, events):
    """Lists (voxels, counts) of the coded block."""
    m = data[0]
    bits = [byte >> i & 1 for byte in data[1:] for i in range(8)]
    at = 0
    voxels, counts = [], []

    def take(n):
        nonlocal at
        value = sum(bit << i for i, bit in enumerate(bits[at : at + n]))
        at += n
        return value

    def ones(most):
        n = 0
        while n < most and take(1):
            n += 1
        return n

    def split(first, j, n):
        if n == 0:
            return
        if n == 1 or j == 0:
            voxels.append(first + (take(j) if n == 1 else 0))
            counts.append(n)
            return
        k, h = _k_of_split(n), n // 2
        t = n >> k
        q = ones(min(t, 24))
        if q == 24 and t > 24:
            left = take(32)
        else:
            z = q << k | take(k)
            left = h + (z + 1) // 2 if z % 2 else h - z // 2
        split(first, j - 1, left)
        split(first + 2 ** (j - 1), j - 1, n - left)

    a = events * 16 // max(1, size >> m)
    b = 16 << ((_bit_length(a >> 4) + 1) // 2)
    for first in range(0, size, 2**m):
        p = (a + 8) >> 4
        k = min(24, max(0, _bit_length(b >> 4) - 1))
        q = ones(24)
        if q == 24:
            n = take(32)
        else:
            z = q << k | take(k)
            n = z if z > 2 * p else p - (z + 1) // 2 if z % 2 else p + z // 2
        z = _fold_total(n, p)
        a += n - p
        b += z - (b >> 4)
        split(first, m, n)
    return voxels, counts
