"""The codings of clause 8, one after the other; split-rice and those of integer streams have files of their own."""

from __future__ import annotations

import math
from array import array
from typing import Any

import numpy as np
import zstandard

from . import rice
from .chart import chart
from .cursor import Cursor
from .dense import float_lattice, lossless_int
from .errors import damaged, unsupported
from .header import Signal
from .noise import noise_q

RAW, LEB128, SPLIT_RICE, SHUFFLE_ZSTD, LOSSLESS_INT, FLOAT_LATTICE, NOISE_Q, CHART = range(8)
NAMES = ("raw", "leb128", "split-rice", "shuffle-zstd", "lossless-int", "float-lattice", "noise-q", "chart")
ARRAYS = ("spectra", "image")
KINDS = (("events", *ARRAYS), ("events",), ("events",), ARRAYS, ARRAYS, ARRAYS, ARRAYS, ("spectra",))
OF_INTEGER_STREAMS = {LOSSLESS_INT: lossless_int, FLOAT_LATTICE: float_lattice, NOISE_Q: noise_q, CHART: chart}
LARGEST_COUNT = 2**32 - 1
_ZSTD_SINGLE_SEGMENT = 0x20
_ZSTD_WINDOW = 5
"""Place of the window descriptor (RFC 8878, 3.1.1.1.2)."""
_LARGE_WINDOW = 20 << 3
"""A window of 2^30 bytes."""

Voxels = tuple[Any, Any]
"""Channel-major indices inside the window in rising order, and their counts."""


def _raw(data: bytes, dtype: np.dtype[Any], elements: int, offset: int) -> np.ndarray:
    if len(data) != elements * dtype.itemsize:
        raise damaged(offset, "8.1.1", f"{len(data)} bytes for {elements} elements of {dtype.itemsize}")
    return np.frombuffer(data, dtype)


def _leb128_number(data: bytes, place: int, offset: int) -> tuple[int, int]:
    """Return the number at `place` and the place after it (clause 8.2.2)."""
    value = 0
    for k in range(5):
        if place + k >= len(data):
            raise damaged(offset, "8.2.2", "bytes end early")
        byte = data[place + k]
        value |= (byte & 0x7F) << 7 * k
        if byte < 0x80:
            return value, place + k + 1
    raise damaged(offset, "8.2.2", "a number of more than five bytes")


def _leb128(data: bytes, volume: int, voxels: int, offset: int) -> Voxels:
    if voxels > len(data):
        raise damaged(offset, "8.2.3", f"{voxels} voxels in {len(data)} bytes")
    indices, counts = array("Q"), array("Q")
    place = index = 0
    for _ in range(voxels):
        token, place = _leb128_number(data, place, offset)
        index += token >> 1
        count = 1
        if token & 1:
            count, place = _leb128_number(data, place, offset)
            count += 2
        if index >= volume or count > LARGEST_COUNT:
            raise damaged(offset, "8.2.2", f"index {index} of {volume} voxels, or count {count}")
        indices.append(index)
        counts.append(count)
        index += 1
    if place != len(data):
        raise damaged(offset, "8.2.2", "bytes are left over")
    return indices, counts


def _unzstd(data: bytes, size: int, offset: int) -> bytes:
    """Return the content of one zstd frame of `size` bytes (clauses 8.4.1 and 8.4.2)."""
    if len(data) > _ZSTD_WINDOW and not data[4] & _ZSTD_SINGLE_SEGMENT and data[_ZSTD_WINDOW] > _LARGE_WINDOW:
        # The content is the window: one that the library would refuse is as good as one that it takes.
        data = data[:_ZSTD_WINDOW] + bytes([_LARGE_WINDOW]) + data[_ZSTD_WINDOW + 1 :]
    try:
        frame = zstandard.get_frame_parameters(data)
        if frame.content_size != size:
            raise damaged(offset, "8.4.2", f"content of {frame.content_size} bytes stated, {size} expected")
        if frame.dict_id:
            raise damaged(offset, "8.4.1", "the zstd frame names a dictionary")
        # In one piece, so the library decodes into the result and makes no window of its own.
        content = zstandard.ZstdDecompressor().decompress(data, max_output_size=size, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise damaged(offset, "8.4.1", f"zstd: {error}") from None
    if len(content) != size:
        raise damaged(offset, "8.4.2", f"content of {len(content)} bytes, {size} expected")
    return content


def check_kind(coding: int, kind: str, offset: int) -> None:
    """Refuse a known coding that is not defined for the kind (clause 5.3.2)."""
    if coding < len(KINDS) and kind not in KINDS[coding]:
        raise damaged(offset, "5.3.2", f"coding {NAMES[coding]} for {kind}")


def decode_events(
    coding: int, data: bytes, signal: Signal, shape: tuple[int, ...], voxels: int, events: int, offset: int
) -> Voxels:
    """Decode a window of events, and check that it holds what the block states (clause 5.3.6)."""
    volume = math.prod(shape)
    if coding == RAW:
        dense = _raw(data, signal.little, volume, offset).reshape(-1, shape[-1]).T.reshape(-1)
        indices = np.flatnonzero(dense)
        decoded: Voxels = indices, dense[indices]
    elif coding == LEB128:
        decoded = _leb128(data, volume, voxels, offset)
    elif coding == SPLIT_RICE:
        decoded = rice.decode(data, volume, voxels, events, offset)
    else:
        raise unsupported(offset, "5.3.2", f"coding {coding}")
    where, counts = (np.asarray(values, np.uint64) for values in decoded)
    if len(where) != voxels or int(counts.sum(dtype=np.uint64)) != events:
        raise damaged(offset, "5.3.6", f"{len(where)} voxels decoded, {voxels} stated; or their counts differ")
    if voxels and int(counts.max()) > np.iinfo(signal.dtype).max:
        raise damaged(offset, "5.3.6", f"a count of {int(counts.max())} in {signal.dtype}")
    return where, counts


def decode_dense(coding: int, data: bytes, signal: Signal, shape: tuple[int, ...], offset: int) -> np.ndarray:
    """Decode a window of spectra or of an image."""
    elements, dtype = math.prod(shape), signal.little
    if coding == RAW:
        return _raw(data, dtype, elements, offset).reshape(shape)
    if coding == SHUFFLE_ZSTD:
        content = np.frombuffer(_unzstd(data, elements * dtype.itemsize, offset), np.uint8)
        return np.ascontiguousarray(content.reshape(dtype.itemsize, elements).T).view(dtype).reshape(shape)
    if coding in OF_INTEGER_STREAMS:
        return OF_INTEGER_STREAMS[coding](Cursor(data, offset), shape, dtype)
    raise unsupported(offset, "5.3.2", f"coding {coding}")
