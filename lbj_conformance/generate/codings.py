"""Encoders of leb128, split-rice, raw and zstd blocks in plain Python, written from clause 8 alone."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

NUMBER = {
    "raw": 0, "leb128": 1, "split-rice": 2, "shuffle-zstd": 3, "lossless-int": 4, "float-lattice": 5, "noise-q": 6,
    "chart": 7,
}  # fmt: skip


def counts(
    coding: str, voxel: list[int], count: list[int], shape: tuple[int, ...], dtype: str, **options: Any
) -> bytes:
    """Bytes of a block of counts."""
    if coding == "leb128":
        return leb128(voxel, count, **options)
    volume = int(np.prod(shape, dtype=object))
    if coding == "split-rice":
        return split_rice(voxel, count, volume, **options)
    dense = np.zeros(volume, np.dtype(dtype).newbyteorder("<"))
    dense[voxel] = count
    return np.moveaxis(dense.reshape(shape[-1], *shape[:-1]), 0, -1).tobytes()


def array(coding: str, part: np.ndarray, **options: Any) -> bytes:
    """Bytes of a block of spectra or an image; those of the codings of integer streams are given as they are."""
    if coding == "raw":
        return part.tobytes()
    if coding == "shuffle-zstd":
        return zstd(shuffled(part), **options)
    data: bytes = options["data"]
    return data


def shuffled(part: np.ndarray) -> bytes:
    """Lowest bytes of all elements, then the next ones (clause 8.4.1)."""
    planes = np.frombuffer(np.ascontiguousarray(part).tobytes(), np.uint8)
    return planes.reshape(-1, part.dtype.itemsize).T.tobytes()


def zstd(
    content: bytes, *, size: int | None = -1, dictionary: int = 0, checksum: bytes = b"", single: bool = True,
    window: int = 0, named: bool = False, repeat: bool = False,
) -> bytes:  # fmt: skip
    """One zstd frame (RFC 8878, 3.1.1) of stored blocks, or of one repeated byte; `size` None leaves it out."""
    declared = len(content) if size == -1 else size
    descriptor = (0xC0 if declared is not None else 0) | (0x20 if single else 0) | (4 if checksum else 0)
    descriptor |= 3 if dictionary or named else 0
    out = b"\x28\xb5\x2f\xfd" + bytes([descriptor]) + (b"" if single else bytes([window]))
    out += struct.pack("<I", dictionary) if dictionary or named else b""
    out += struct.pack("<Q", declared) if declared is not None else b""
    if repeat:
        out += (1 | 1 << 1 | len(content) << 3).to_bytes(3, "little") + content[:1]
    else:
        pieces = [content[at : at + 2**17] for at in range(0, len(content), 2**17)] or [b""]
        for number, piece in enumerate(pieces):
            last = number == len(pieces) - 1
            out += (last | len(piece) << 3).to_bytes(3, "little") + piece
    return out + checksum


def number(value: int, *, bytes_: int = 1) -> bytes:
    """LEB128, at least `bytes_` long."""
    out: list[int] = []
    while value > 0x7F or len(out) + 1 < bytes_:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def leb128(voxel: list[int], count: list[int], *, longest: bool = False) -> bytes:
    """Clause 8.2; `longest` pads every number to five bytes."""
    out, due = b"", 0
    for at, n in zip(voxel, count, strict=True):
        least = 5 if longest else 1
        out += number((at - due) * 2 + (n > 1), bytes_=least)
        if n > 1:
            out += number(n - 2, bytes_=least)
        due = at + 1
    return out


class Bits:
    """Bits that fill bytes from the lowest."""

    def __init__(self) -> None:
        self.bits: list[int] = []

    def put(self, value: int, n: int) -> None:
        """Append a field of n bits, lowest first."""
        self.bits += [value >> i & 1 for i in range(n)]

    def ones(self, n: int) -> None:
        """Append n one bits."""
        self.bits += [1] * n

    def bytes(self, *, spare: int = 0) -> bytes:
        """All bits; those left over in the last byte are `spare`."""
        bits = self.bits + [spare] * (-len(self.bits) % 8)
        return bytes(sum(bit << i for i, bit in enumerate(bits[at : at + 8])) for at in range(0, len(bits), 8))


def split_rice(
    voxel: list[int], count: list[int], volume: int, *, m: int = 4, escapes: bool = False, spare: int = 0
) -> bytes:
    """Clause 8.3; `escapes` takes the 32-bit form wherever a decoder reads it, `spare` fills the last byte."""
    out = Bits()
    a = sum(count) * 16 // max(1, volume >> m)
    b = 16 << (((a >> 4).bit_length() + 1) // 2)
    pairs = list(zip(voxel, count, strict=True))
    begin = 0
    for first in range(0, volume, 2**m):
        end = begin
        while end < len(pairs) and pairs[end][0] < first + 2**m:
            end += 1
        inside, begin = pairs[begin:end], end
        n, p = sum(c for _, c in inside), (a + 8) >> 4
        z = n if n > 2 * p else 2 * (n - p) if n >= p else 2 * (p - n) - 1
        _rice(out, z, min(24, max(0, (b >> 4).bit_length() - 1)), n, escapes=escapes)
        a, b = a + n - p, b + z - (b >> 4)
        _split(out, inside, first, m, escapes=escapes)
    return bytes([m]) + out.bytes(spare=spare)


def _rice(out: Bits, z: int, k: int, n: int, *, escapes: bool) -> None:
    q = z >> k
    if q < 24 and not escapes:
        out.ones(q)
        out.put(0, 1)
        out.put(z, k)
    else:
        out.ones(24)
        out.put(n, 32)


def _split(out: Bits, inside: list[tuple[int, int]], first: int, j: int, *, escapes: bool) -> None:
    n = sum(c for _, c in inside)
    if n == 0 or (j == 0 and n > 1):
        return
    if n == 1:
        out.put(inside[0][0] - first, j)
        return
    middle = first + 2 ** (j - 1)
    lower = [pair for pair in inside if pair[0] < middle]
    left, h = sum(c for _, c in lower), n // 2
    z = 2 * (h - left) if left <= h else 2 * (left - h) - 1
    k = 0
    while n // 4**k >= 6:
        k += 1
    q, t = z >> k, n >> k
    if t > 24 and (q >= 24 or escapes):
        out.ones(24)
        out.put(left, 32)
    else:
        out.ones(q)
        out.put(0, int(q != t))
        out.put(z, k)
    _split(out, lower, first, j - 1, escapes=escapes)
    _split(out, inside[len(lower) :], middle, j - 1, escapes=escapes)
