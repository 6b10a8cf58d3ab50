"""Decoder of split-rice: clause 8.3."""

from __future__ import annotations

from array import array

from .errors import damaged

LONGEST_RUN = 24


class _Bits:
    """Bits after the first byte of a payload, the lowest of each byte first."""

    def __init__(self, data: bytes, offset: int) -> None:
        self.data, self.offset = data, offset
        self.count = 8 * (len(data) - 1)
        self.place = 0

    def _peek(self, width: int) -> int:
        """Return the next bits, zeros after the last."""
        first = 1 + self.place // 8
        taken = self.data[first : first + width // 8 + 2]
        return int.from_bytes(taken, "little") >> self.place % 8 & ((1 << width) - 1)

    def _skip(self, width: int) -> None:
        self.place += width
        if self.place > self.count:
            raise damaged(self.offset, "8.3.5", "bits end early")

    def take(self, width: int) -> int:
        """Read a field, its lowest bit first (clause 8.3.1)."""
        value = self._peek(width)
        self._skip(width)
        return value

    def ones(self, most: int) -> int:
        """Count one bits up to `most`; the zero bit after them is left."""
        zeros = ~self._peek(most) & ((1 << most) - 1)
        run = (zeros & -zeros).bit_length() - 1 if zeros else most
        self._skip(run)
        return run

    def zero(self) -> None:
        """Read the zero bit that ends a run."""
        self._skip(1)


class _Decoder:
    def __init__(self, bits: _Bits, volume: int) -> None:
        self.bits, self.volume = bits, volume
        self.indices, self.counts = array("Q"), array("Q")

    def _put(self, index: int, count: int) -> None:
        if index >= self.volume:
            raise damaged(self.bits.offset, "8.3.5", f"index {index} of {self.volume} voxels")
        self.indices.append(index)
        self.counts.append(count)

    def _lower(self, total: int) -> int:
        """Read L, the counts in the lower half of a range."""
        bits, half = self.bits, total // 2
        k = 0
        while total // 4**k >= 6:
            k += 1
        most = total >> k
        q = bits.ones(min(most, LONGEST_RUN))
        if most > LONGEST_RUN and q == LONGEST_RUN:
            lower = bits.take(32)
            if lower > total:
                raise damaged(bits.offset, "8.3.5", f"{lower} of {total} counts in the lower half")
            return lower
        if q != most:
            bits.zero()
        z = q << k | bits.take(k)
        if z > total:
            raise damaged(bits.offset, "8.3.5", f"z is {z}, N {total}")
        return half + (z + 1) // 2 if z % 2 else half - z // 2

    def split(self, first: int, j: int, total: int) -> None:
        """Read a range of 2^j indices (clause 8.3.5)."""
        if total == 0:
            return
        if total == 1:
            self._put(first + self.bits.take(j), 1)
        elif j == 0:
            self._put(first, total)
        else:
            lower = self._lower(total)
            self.split(first, j - 1, lower)
            self.split(first + (1 << j - 1), j - 1, total - lower)

    def total(self, a: int, b: int) -> tuple[int, int, int]:
        """Read a total; return it with the new A and B (clause 8.3.4)."""
        bits = self.bits
        p = (a + 8) >> 4
        k = min(24, max(0, (b >> 4).bit_length() - 1))
        q = bits.ones(LONGEST_RUN)
        if q == LONGEST_RUN:
            n = bits.take(32)
            z = n if n > 2 * p else 2 * (n - p) if n >= p else 2 * (p - n) - 1
        else:
            bits.zero()
            z = q << k | bits.take(k)
            n = z if z > 2 * p else p - (z + 1) // 2 if z % 2 else p + z // 2
        return n, a + n - p, b + z - (b >> 4)


def decode(data: bytes, volume: int, voxels: int, events: int, offset: int) -> tuple[array[int], array[int]]:
    """Return indices and counts of a window of `volume` voxels."""
    if not data or data[0] > 32:
        raise damaged(offset, "8.3.1", "m is above 32 or absent")
    m = data[0]
    bits = _Bits(data, offset)
    chunks = -(-volume >> m)
    if voxels > bits.count or chunks > bits.count:
        raise damaged(offset, "8.3.6", f"{voxels} voxels and {chunks} chunks in {bits.count} bits")
    decoder = _Decoder(bits, volume)
    a = events * 16 // max(1, volume >> m)
    b = 16 << ((a >> 4).bit_length() + 1) // 2
    left = events
    for chunk in range(chunks):
        total, a, b = decoder.total(a, b)
        if total > left:
            raise damaged(offset, "8.3.4", "totals pass the number of events")
        left -= total
        decoder.split(chunk << m, m, total)
    if left:
        raise damaged(offset, "8.3.4", "totals do not reach the number of events")
    if -(-bits.place // 8) != len(data) - 1:
        raise damaged(offset, "8.3.1", "bytes are left over")
    return decoder.indices, decoder.counts
