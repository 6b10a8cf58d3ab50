"""Compiled kernels of leb128 (spec/lbj.md section 8.2)."""

# mypy: ignore-errors
# Inside compiled kernels types are numba's.

from __future__ import annotations

import numpy as np
from numba import njit

U64 = np.uint64


@njit(cache=True, nogil=True)
def _put(out: np.ndarray, at: int, value: int) -> int:
    while value >= 128:
        out[at] = (value & 127) | 128
        value >>= 7
        at += 1
    out[at] = value
    return at + 1


@njit(cache=True, nogil=True)
def encode(voxel: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Code sorted voxels and counts (uint32); returns the bytes."""
    out = np.empty(10 * voxel.size, np.uint8)
    at = 0
    after = 0
    for i in range(voxel.size):
        at = _put(out, at, (np.int64(voxel[i]) - after) * 2 + (count[i] > 1))
        if count[i] > 1:
            at = _put(out, at, np.int64(count[i]) - 2)
        after = np.int64(voxel[i]) + 1
    return out[:at].copy()


@njit(cache=True, nogil=True)
def _get(data: np.ndarray, at: int) -> tuple[int, int]:
    """Value and next position; a position of -1 means short, -2 too long."""
    value = np.int64(0)
    for i in range(5):
        if at >= data.size:
            return value, -1
        byte = np.int64(data[at])
        at += 1
        value |= (byte & 127) << (7 * i)
        if byte < 128:
            return value, at
    return value, -2


@njit(cache=True, nogil=True)
def decode(data: np.ndarray, voxels: int, voxel: np.ndarray, count: np.ndarray) -> tuple[int, int]:
    """Decode into voxel and count; returns (status, total), status 0 for success."""
    at, after, total = 0, 0, 0
    for i in range(voxel.size):
        token, at = _get(data, at)
        if at < 0:
            return (1 if at == -1 else 3), total
        position = after + (token >> 1)
        if position >= voxels:
            return 2, total
        value = np.int64(1)
        if token & 1:
            value, at = _get(data, at)
            if at < 0:
                return (1 if at == -1 else 3), total
            value += 2
            if value > 0xFFFFFFFF:
                return 3, total
        voxel[i] = position
        count[i] = value
        total += value
        after = position + 1
    return (0 if at == data.size else 4), total
