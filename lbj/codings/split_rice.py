"""split-rice: sparse counts, coded as Rice-coded chunk totals that are split in halves down to the voxels (8.3)."""

from __future__ import annotations

import math

import numpy as np

from ..errors import DamagedError

NAME, NUMBER = "split-rice", 2
CLAUSE = "8.3"
VOXELS_PER_CHUNK = 16
TRIED = 5  # chunk sizes that `encode_smallest` tries, from that one on
FAULTS = {
    1: "the bits end too early",
    2: "a voxel lies outside the window or a split outside its range",
    3: "the bits hold another number of voxels than the header says",
    4: "the bits hold another number of counts than the header says",
}


def encode_counts(voxel: np.ndarray, count: np.ndarray, shape: tuple[int, ...], dtype: np.dtype, events: int) -> bytes:
    """One byte for the chunk size m, then the bits; chunks hold about sixteen voxels."""
    return _encode(voxel, count, math.prod(shape), _chunk(voxel.size, math.prod(shape)))


def encode_smallest(
    voxel: np.ndarray, count: np.ndarray, shape: tuple[int, ...], dtype: np.dtype, events: int
) -> bytes:
    """As `encode_counts`, with the chunk size that makes it smallest: larger ones where counts lie in clusters."""
    voxels = math.prod(shape)
    least = _chunk(voxel.size, voxels)
    most = min(least + TRIED - 1, (voxels - 1).bit_length())
    return min((_encode(voxel, count, voxels, m) for m in range(least, most + 1)), key=len)


def _chunk(occupied: int, voxels: int) -> int:
    return min(max(1, VOXELS_PER_CHUNK * voxels // max(1, occupied)).bit_length() - 1, (voxels - 1).bit_length())


def _encode(voxel: np.ndarray, count: np.ndarray, voxels: int, m: int) -> bytes:
    from .kernels.split_rice import encode

    words, bits = encode(voxel, count, voxels, m)
    return bytes([m]) + words.astype("<u4", copy=False).tobytes()[: (bits + 7) // 8]


def decode_counts(
    data: memoryview,
    shape: tuple[int, ...],
    dtype: np.dtype,
    voxels: int,
    events: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Inverse of `encode_counts`; at least one bit a voxel and one bit a chunk."""
    from .kernels.split_rice import decode

    size = math.prod(shape)
    m = data[0] if len(data) else 255
    if m > 32:
        raise DamagedError(f"split-rice chunk size must be 2^0 to 2^32, found 2^{m}", clause=CLAUSE)
    bits = 8 * (len(data) - 1)
    chunks = (size + (1 << m) - 1) >> m
    if voxels > bits or chunks > bits:
        raise DamagedError(
            f"split-rice block of {bits} bits cannot hold {voxels} voxels in {chunks} chunks", clause=CLAUSE
        )
    words = np.zeros(bits // 32 + 4, "<u4")
    words.view(np.uint8)[: len(data) - 1] = np.frombuffer(data, np.uint8, offset=1)
    words = words.astype(np.uint32, copy=False)
    voxel, count = np.empty(voxels, np.uint32), np.empty(voxels, np.uint32)
    status, at = decode(words, bits, size, m, events, voxel, count)
    if status:
        raise DamagedError(f"split-rice block: {FAULTS[status]} (bit {at} of {bits})", clause=CLAUSE)
    if bits - at >= 8:
        raise DamagedError(f"split-rice block: {bits - at} bits are left over", clause=CLAUSE)
    return voxel, count
