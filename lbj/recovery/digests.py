"""CRC-32 of records nested in one another, in time linear in the file."""

from __future__ import annotations

import zlib
from array import array
from functools import cache
from typing import BinaryIO

from ..errors import DamagedError
from ..format import layout
from ..format.records import Bytes, Record

STEP = 2**12  # bytes between two offsets up to which the file's CRC-32 is kept
CHUNK = 2**20
POLYNOMIAL = 0xEDB88320

Tables = tuple[list[int], list[int], list[int], list[int]]  # by byte of a 32-bit word, lowest first


class SalvagedBytes(Bytes):
    """A file in which wrong records may lie inside of one another, as many times as it has room for.

    The digest of a payload inside one that was wrong is computed from the CRC-32 of the file up to its start and up to
    its end, so that no byte is read once for every record around it.
    """

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self._wrong = 0  # end of the payloads that were read and wrong
        self._marks = array("I", [0])

    def payload(self, record: Record) -> bytes:
        """Return the payload, its digest checked where it has one."""
        end = record.body + record.length
        if record.flags & layout.HAS_DIGEST and record.body < self._wrong:
            found = self._before(end) ^ shifted(self._before(record.body), record.length)
            if found != record.payload_crc:
                raise DamagedError(
                    f"payload of {record.type.decode()} has CRC-32 {found:08x}, stored {record.payload_crc:08x}",
                    offset=record.offset,
                    clause="4.2.5",
                )
        try:
            return super().payload(record)
        except DamagedError:
            self._wrong = max(self._wrong, end)
            raise

    def _before(self, offset: int) -> int:
        """CRC-32 of the first `offset` bytes."""
        while len(self._marks) <= offset // STEP:
            start = (len(self._marks) - 1) * STEP
            data = self.read(start, min(CHUNK, offset // STEP * STEP - start))
            for at in range(0, len(data), STEP):
                self._marks.append(zlib.crc32(data[at : at + STEP], self._marks[-1]))
        mark = offset // STEP
        return zlib.crc32(self.read(mark * STEP, offset - mark * STEP), self._marks[mark])


def shifted(crc: int, length: int) -> int:
    """Add `length` zero bytes to what a CRC-32 is of: crc(a + b) = shifted(crc(a), len(b)) ^ crc(b)."""
    power = 0
    while length:
        if length & 1:
            a, b, c, d = _zeros(power)
            crc = a[crc & 255] ^ b[crc >> 8 & 255] ^ c[crc >> 16 & 255] ^ d[crc >> 24]
        length >>= 1
        power += 1
    return crc


@cache
def _zeros(power: int) -> Tables:
    """Tables of the linear map that adds 2^power zero bytes."""
    if power == 0:
        images = [_byte(1 << bit) for bit in range(32)]
    else:
        images = [shifted(1 << bit, 2 ** (power - 1)) for bit in range(32)]
        images = [shifted(image, 2 ** (power - 1)) for image in images]
    tables = []
    for part in range(4):
        table = [0]
        for image in images[8 * part : 8 * part + 8]:
            table += [image ^ other for other in table]
        tables.append(table)
    return tables[0], tables[1], tables[2], tables[3]


def _byte(crc: int) -> int:
    for _ in range(8):
        crc = crc >> 1 ^ (POLYNOMIAL if crc & 1 else 0)
    return crc
