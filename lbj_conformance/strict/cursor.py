"""Cursor: the bytes of a block read from front to back, with the fields and numbers of clause 8.5.2."""

from __future__ import annotations

from .errors import Refused, damaged

MOST_BYTES_OF_A_NUMBER = 10
LARGEST_NUMBER = 2**64 - 1


class Cursor:
    """Reads a block, and refuses it as damaged where its bytes end early."""

    def __init__(self, data: bytes, offset: int, place: int = 0) -> None:
        self.data, self.offset, self.place = data, offset, place

    def damaged(self, clause: str, message: str) -> Refused:
        """Error for this block."""
        return damaged(self.offset, clause, message)

    def take(self, size: int, clause: str) -> bytes:
        """Read so many bytes."""
        if size > len(self.data) - self.place:
            raise self.damaged(clause, f"bytes end early: {size} wanted, {len(self.data) - self.place} left")
        self.place += size
        return self.data[self.place - size : self.place]

    def rest(self) -> bytes:
        """Read what is left."""
        return self.take(len(self.data) - self.place, "8.5.2")

    def unsigned(self, size: int, clause: str) -> int:
        """Read a field of fixed size."""
        return int.from_bytes(self.take(size, clause), "little")

    def number(self, low: int, high: int, clause: str) -> int:
        """Read a number, and check its range (the end of clause 8.5.2)."""
        value = 0
        for k in range(MOST_BYTES_OF_A_NUMBER):
            byte = self.unsigned(1, clause)
            value |= (byte & 0x7F) << 7 * k
            if byte < 0x80:
                break
        else:
            raise self.damaged("8.5.2", "a number of more than ten bytes")
        return self._checked(value, low, high, clause)

    def signed(self, low: int, high: int, clause: str) -> int:
        """Read a signed number, and check its range."""
        z = self.number(0, LARGEST_NUMBER, clause)
        return self._checked(-(z + 1) // 2 if z & 1 else z // 2, low, high, clause)

    def _checked(self, value: int, low: int, high: int, clause: str) -> int:
        if not low <= value <= high:
            raise self.damaged(clause, f"{value} is not in {low} to {high}")
        return value
