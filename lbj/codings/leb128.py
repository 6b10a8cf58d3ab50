"""leb128: gaps between voxels and counts as LEB128 integers; a few lines in any language."""

from __future__ import annotations

import math

import numpy as np

from ..errors import DamagedError

NAME, NUMBER = "leb128", 1
CLAUSE = "8.2"
FAULTS = {
    1: "the bytes end inside a number",
    2: "a voxel lies outside the window",
    3: "a number is longer than five bytes or above its limit",
    4: "the bytes hold another number of voxels than the header says",
}


def encode_counts(voxel: np.ndarray, count: np.ndarray, shape: tuple[int, ...], dtype: np.dtype, events: int) -> bytes:
    """Token ``gap * 2 + (count > 1)`` a voxel, then ``count - 2`` where flagged."""
    from .kernels.leb128 import encode

    return encode(voxel, count).tobytes()


def decode_counts(
    data: memoryview,
    shape: tuple[int, ...],
    dtype: np.dtype,
    voxels: int,
    events: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Inverse of `encode_counts`; at least one byte a voxel."""
    from .kernels.leb128 import decode

    if voxels > len(data):
        raise DamagedError(f"leb128 block of {len(data)} bytes cannot hold {voxels} voxels", clause=CLAUSE)
    voxel, count = np.empty(voxels, np.uint32), np.empty(voxels, np.uint32)
    status, total = decode(np.frombuffer(data, np.uint8), math.prod(shape), voxel, count)
    if status:
        raise DamagedError(f"leb128 block: {FAULTS[status]}", clause=CLAUSE)
    if total != events:
        raise DamagedError(f"leb128 block holds {total} counts, its header says {events}", clause=CLAUSE)
    return voxel, count
