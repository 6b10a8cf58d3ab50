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
SINGLE_SEGMENT = 0x20
WINDOW = 5  # place of the window descriptor, where the frame is of several segments (RFC 8878, 3.1.1.1)
LARGE = 20 << 3  # a window of 2^30 bytes


def encode_array(array: np.ndarray, plan: None = None) -> bytes:
    """Shuffle and compress; the zstd frame states its content size."""
    plane = np.frombuffer(to_raw(array), np.uint8).reshape(-1, array.dtype.itemsize)
    return zstandard.ZstdCompressor(level=LEVEL).compress(plane.T.tobytes())


def decode_array(data: memoryview, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Inverse of `encode_array`; refuses a frame whose content size is absent or is not the window's."""
    expected = math.prod(shape) * dtype.itemsize
    if len(data) > WINDOW and not data[WINDOW - 1] & SINGLE_SEGMENT and data[WINDOW] > LARGE:
        # The content is the window: one that the library would refuse is as good as one that it takes.
        data = memoryview(bytes(data[:WINDOW]) + bytes([LARGE]) + bytes(data[WINDOW + 1 :]))
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
