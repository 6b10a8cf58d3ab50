"""Decoder of chart: spectra whose channels are binned: clause 8.9."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from .cursor import Cursor
from .dense import EXCEPTIONS, Dtype, Shape, lossless_int, read_exceptions, read_flags, replaced
from .integer_stream import decode, shape_of_stream
from .noise import FOR_PEOPLE, Map, read_map, value_of
from .symbols import VOXELS_A_BYTE

EXACT = 2
MOST_FACTOR = 2**20


class Bin(NamedTuple):
    """Channels that were summed; `map` is that of the chart block."""

    channels: range
    map: Map

    @property
    def middle(self) -> int:
        """Twice the centre."""
        return self.channels[0] + self.channels[-1]


class Chart(NamedTuple):
    """The chart blocks, as what follows needs them: runs of bins, and the channels that are exact."""

    runs: list[list[Bin]]
    exact: list[int]

    @property
    def bins(self) -> list[Bin]:
        """All bins."""
        return [one for run in self.runs for one in run]


def _read_chart(cursor: Cursor, channels: int) -> Chart:
    """Clause 8.9.1, the chart blocks and their maps; the bins of 8.9.2."""
    if channels > VOXELS_A_BYTE * len(cursor.data):  # every channel is a voxel of a stream that follows
        raise cursor.damaged("8.5.10", f"{channels} channels in {len(cursor.data)} bytes")
    blocks = []
    for _ in range(cursor.number(1, channels, "8.9.1")):
        length = cursor.number(1, channels, "8.9.1")
        blocks.append((length, cursor.number(0, min(length, MOST_FACTOR), "8.9.1")))
    if sum(length for length, _ in blocks) != channels:
        raise cursor.damaged("8.9.1", f"lengths of chart blocks for {channels} channels")
    maps = [read_map(cursor) if factor else None for _, factor in blocks]
    if len({map_.fraction for map_ in maps if map_}) != 1:
        raise cursor.damaged("8.9.1", "no chart block that is not exact, or their fractions differ")
    runs: list[list[Bin]] = [[]]
    exact: list[int] = []
    first = 0
    for (length, factor), map_ in zip(blocks, maps, strict=True):
        after = first + length
        if map_ is None:
            exact += range(first, after)
            runs.append([])
        else:
            runs[-1] += [Bin(range(k, min(k + factor, after)), map_) for k in range(first, after, factor)]
        first = after
    return Chart([run for run in runs if run], exact)


def _ratio_at(run: list[Bin], ratios: list[int], c: int) -> int:
    """Ratio of a channel, between the middles of the bins around it (clause 8.9.3)."""
    before = [j for j, one in enumerate(run) if one.middle <= 2 * c]
    if not before:
        return ratios[0]
    j = before[-1]
    if j + 1 == len(run):
        return ratios[-1]
    m = run[j].middle
    return ratios[j] + (ratios[j + 1] - ratios[j]) * (2 * c - m) // (run[j + 1].middle - m)


def _spread(run: list[Bin], sums: list[int], profile: dict[int, int], cursor: Cursor) -> Iterator[tuple[int, int]]:
    """Give the channels of a run in one pixel, and their fixed-point values (clause 8.9.3)."""
    ratios = [(s << 20) // sum(profile[c] for c in one.channels) for s, one in zip(sums, run, strict=True)]
    if max(map(abs, ratios)) >= 2**38:
        raise cursor.damaged("8.9.3", "a ratio")
    for s, one in zip(sums, run, strict=True):
        shares = [_ratio_at(run, ratios, c) * profile[c] >> 20 for c in one.channels]
        each, more = divmod(s - sum(shares), len(shares))
        for k, (c, share) in enumerate(zip(one.channels, shares, strict=True)):
            yield c, share + each + (k < more)


def _read_stream(cursor: Cursor, shape: tuple[int, int, int], *, samples: bool) -> list[int]:
    data = cursor.take(cursor.number(0, 2**64 - 1, "8.9.1"), "8.9.1")
    integers = decode(data, shape, cursor.offset)
    return integers.samples if samples else integers.values


def chart(cursor: Cursor, shape: Shape, dtype: Dtype) -> np.ndarray:
    """Clause 8.9."""
    flags = read_flags(cursor, EXCEPTIONS | EXACT, "8.9.1")
    cursor.take(FOR_PEOPLE, "8.9.1")
    found = _read_chart(cursor, shape[-1])
    if bool(flags & EXACT) != bool(found.exact):
        raise cursor.damaged("8.9.1", "the flag of exact channels")
    bins = found.bins
    binned = [c for one in bins for c in one.channels]
    weights = dict(zip(binned, _read_stream(cursor, (1, 1, len(binned)), samples=False), strict=True))
    if min(weights.values()) < 1:
        raise cursor.damaged("8.9.1", "a profile below 1")
    exceptions = read_exceptions(cursor, shape, dtype) if flags & EXCEPTIONS else {}
    samples = _read_stream(cursor, (*shape_of_stream(shape)[:2], len(bins)), samples=True)
    fraction = bins[0].map.fraction
    result = np.zeros((math.prod(shape[:-1]), shape[-1]), dtype)
    for pixel, row in enumerate(result):
        of_pixel = samples[pixel * len(bins) : (pixel + 1) * len(bins)]
        sums = [one.map.fixed(t, cursor) for one, t in zip(bins, of_pixel, strict=True)]
        if max(map(abs, sums)) >= 2**42:
            raise cursor.damaged("8.9.2", "a sum")
        for run in found.runs:
            for c, fixed in _spread(run, sums[: len(run)], weights, cursor):
                row[c] = value_of(fixed, fraction, dtype)
            sums = sums[len(run) :]
    if found.exact:
        rest = Cursor(cursor.rest(), cursor.offset)
        result[:, found.exact] = lossless_int(rest, (*shape[:-1], len(found.exact)), dtype).reshape(len(result), -1)
    elif cursor.rest():
        raise cursor.damaged("8.9.1", "bytes are left over")
    return replaced(result.ravel(), exceptions, shape)
