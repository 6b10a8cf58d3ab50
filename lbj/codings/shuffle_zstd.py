"""shuffle-zstd: the bytes of the array, transposed so that bytes of equal weight stand together, as one zstd frame."""

from __future__ import annotations

import math

import numpy as np
import zstandard

from ..errors import DamagedError
from .raw import decode_array as from_raw
from .raw import encode_array as to_raw

NAME, NUMBER = "shuffle-zstd", 3
CLAUSE = "8.4"
LEVEL = 3


def encode_array(array: np.ndarray, plan: None = None) -> bytes:
    """Shuffle and compress; the zstd frame states its content size."""
    plane = np.frombuffer(to_raw(array), np.uint8).reshape(-1, array.dtype.itemsize)
    return zstandard.ZstdCompressor(level=LEVEL).compress(plane.T.tobytes())


def decode_array(data: memoryview, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Inverse of `encode_array`; refuses a frame whose content size is absent or is not the window's."""
    expected = math.prod(shape) * dtype.itemsize
    try:
        size = zstandard.frame_content_size(data)
        if size != expected:
            found = "no content size" if size < 0 else f"content size {size}"
            raise DamagedError(f"zstd frame states {found}, its window needs {expected}", clause=CLAUSE)
        plain = zstandard.ZstdDecompressor().decompress(data, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise DamagedError(f"zstd frame cannot be decoded: {error}", clause=CLAUSE) from error
    if len(plain) != expected:
        raise DamagedError(f"zstd frame holds {len(plain)} bytes, its window needs {expected}", clause=CLAUSE)
    plane = np.frombuffer(plain, np.uint8).reshape(dtype.itemsize, -1)
    return from_raw(memoryview(plane.T.tobytes()), shape, dtype)
