"""raw: the little-endian array itself, in the array's own order (C order over the window)."""

from __future__ import annotations

import math

import numpy as np

from ..errors import DamagedError, UsageError

NAME, NUMBER = "raw", 0
CLAUSE = "8.1"


def encode_array(array: np.ndarray, plan: None = None) -> bytes:
    """Bytes of the array, little-endian, C order."""
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()


def decode_array(data: memoryview, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Inverse of `encode_array`."""
    expected = math.prod(shape) * dtype.itemsize
    if len(data) != expected:
        raise DamagedError(f"raw block holds {len(data)} bytes, its window needs {expected}", clause=CLAUSE)
    return np.frombuffer(data, dtype.newbyteorder("<")).astype(dtype, copy=False).reshape(shape)


def encode_counts(voxel: np.ndarray, count: np.ndarray, shape: tuple[int, ...], dtype: np.dtype, events: int) -> bytes:
    """Dense cube of counts of the signal's own integer type."""
    if count.size and int(count.max()) > np.iinfo(dtype).max:
        raise UsageError(f"a voxel holds {count.max()} counts, more than {dtype} can; declare a wider dtype")
    pixels, channels = math.prod(shape[:-1]), shape[-1]
    dense = np.zeros(pixels * channels, dtype)
    dense[voxel] = count
    return encode_array(dense.reshape(channels, pixels).T)


def decode_counts(
    data: memoryview, shape: tuple[int, ...], dtype: np.dtype, voxels: int, events: int
) -> tuple[np.ndarray, np.ndarray]:
    """Inverse of `encode_counts`."""
    cube = decode_array(data, (math.prod(shape[:-1]), shape[-1]), dtype).T
    channel, pixel = np.nonzero(cube)
    count = cube[channel, pixel].astype(np.uint32)
    if count.size != voxels or int(count.sum(dtype=np.uint64)) != events:
        raise DamagedError(
            f"raw block holds {count.size} voxels with {count.sum(dtype=np.uint64)} counts, "
            f"its header says {voxels} with {events}",
            clause=CLAUSE,
        )
    return (channel * cube.shape[1] + pixel).astype(np.uint32), count
