"""chart: the data-compression chart, spectra binned where they have no features, bins quantised (spec/lbj.md 8.9).

The data-compression chart of Jones et al. (2018), with bin sums of counts in place of logarithms and components.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DamagedError, UsageError
from . import lossless_int
from .kernels import chart as kernels
from .shared import exceptions, integers, lossy, quantiser
from .shared.declared import Noise
from .shared.integers import Cursor, number
from .shared.lossy import EXCEPTIONS, Frame
from .shared.parameters import chart as parse
from .shared.quantiser import Map

NAME, NUMBER = "chart", 7
CLAUSE = "8.9"
EXACT = 2
MOST_SUM = 2**42  # of a bin, in fixed-point units
MOST_RATIO = 2**18  # of a bin's sum, in fixed-point units, to the sum of the stored mean spectrum over the bin
LARGEST = 2**20  # binning factor
WIDE = 8  # binning factor above which the step is made smaller, since windows of maps then hold few bins
SHAPE_BITS = 16  # the mean spectrum is stored as integers, the largest of so many bits

Blocks = list[tuple[int, int]]  # length in channels, factor; 0 for exact


class Layout(NamedTuple):
    """Where the chart's channels and bins lie."""

    lossy: NDArray[np.int64]  # channels that are not exact
    exact: NDArray[np.int64]
    starts: NDArray[np.int64]  # of the bins, counted in lossy channels; one more at the end
    middles: NDArray[np.int64]  # twice the centre of each bin, in channels of the spectrum
    runs: NDArray[np.int64]  # number of the run of each bin
    block: NDArray[np.int64]  # number of the lossy chart block of each bin
    chained: NDArray[np.bool_]  # bins that, like the one before in their run, are of a factor above 1


class Plan(NamedTuple):
    """What is the same in all blocks of a frame."""

    frame: Frame
    where: Layout
    shape: NDArray[np.int64]  # the stored mean spectrum of the channels that are not exact
    maps: list[Map]
    noises: list[Noise]  # of the bins' sums
    head: bytes  # chart blocks, maps and shape as they are stored


def layout(blocks: Blocks) -> Layout:
    """Lay out channels and bins (clause 8.9.2)."""
    length, factor = np.array(blocks, np.int64).T
    begin = np.cumsum(length) - length
    binned = factor > 0
    of = np.repeat(np.arange(length.size), length)
    inexact = np.flatnonzero(binned[of])
    many = np.where(binned, -(-length // np.maximum(factor, 1)), 0)
    which = np.repeat(np.arange(length.size), many)
    past = (np.arange(which.size) - (np.cumsum(many) - many)[which]) * factor[which]
    first = begin[which] + past
    last = np.minimum(first + factor[which], (begin + length)[which]) - 1
    inside = np.where(binned, length, 0)
    runs, several = np.cumsum(~binned)[which], factor[which] > 1
    return Layout(
        lossy=inexact,
        exact=np.flatnonzero(~binned[of]),
        starts=np.append((np.cumsum(inside) - inside)[which] + past, inexact.size),
        middles=first + last,
        runs=runs,
        block=(np.cumsum(binned) - 1)[which],
        chained=several & np.append(False, several[:-1] & (runs[1:] == runs[:-1])),
    )


def plan(array: NDArray, parameters: str | None, kind: str) -> Plan:
    """Measure noise and mean spectrum of a frame.

    Raises
    ------
    UsageError
        If a block begins beyond the last channel, a factor is larger than its block, or the noise is no detector's.
    """
    pairs, step = parse(parameters)
    channels = array.shape[-1]
    if pairs[-1][0] >= channels:
        raise UsageError(f"chart: a block begins at channel {pairs[-1][0]}; the spectra have {channels} channels")
    ends = [*(start for start, _ in pairs[1:]), channels]
    blocks = [(end - start, factor) for (start, factor), end in zip(pairs, ends, strict=True)]
    for (start, factor), (length, _) in zip(pairs, blocks, strict=True):
        if factor > min(length, LARGEST):
            raise UsageError(
                f"chart: the factor {factor} at channel {start} is larger than its block of {length} channels"
            )
    frame = lossy.look(array, step, kind)
    where = layout(blocks)
    shape = _mean_spectrum(array.reshape(-1, channels), where.lossy, frame)
    factors = [factor for _, factor in blocks if factor]
    maps = [
        quantiser.make(frame.noise, frame.step * min(1, WIDE / factor) ** 0.25, frame.fraction, factor)
        for factor in factors
    ]
    curve = integers.encode(shape.astype(np.int32), shape.shape)
    head = [
        number(len(blocks)),
        *(number(length) + number(factor) for length, factor in blocks),
        *(given.pack() for given in maps),
        number(len(curve)) + curve,
    ]
    return Plan(frame, where, shape, maps, [_sum_noise(frame.noise, factor) for factor in factors], b"".join(head))


def _mean_spectrum(flat: NDArray, channels: NDArray[np.int64], frame: Frame) -> NDArray[np.int64]:
    """Mean of the pixels above the noise model's zero, in the lossy channels; scaled to the bits it is stored with."""
    total, counted = np.zeros(flat.shape[1]), np.zeros(flat.shape[1])
    for part in integers.stretches(*flat.shape):
        odd = lossy.strange(flat[part], frame.ceiling)
        total += (
            np.where(odd, 0, flat[part]).sum(axis=0, dtype=np.float64)
            if odd.any()
            else flat[part].sum(axis=0, dtype=np.float64)
        )
        counted += len(odd) - odd.sum(axis=0)
    mean = (total / np.maximum(counted, 1))[channels] - frame.noise.zero
    top = max(float(mean.max()), 1e-300)
    return np.asarray(np.maximum(np.rint(mean / top * 2**SHAPE_BITS), 1).astype(np.int64))


def encode_array(array: NDArray, plan: Plan) -> bytes:
    """Bin, quantise and code a part of a frame."""
    frame, where = plan.frame, plan.where
    odd, values = lossy.calmed(array, frame)
    odd[..., where.exact] = False
    some, exact = bool(odd.any()), where.exact.size > 0
    values = values.reshape(-1, array.shape[-1])
    sums = np.empty((len(values), where.block.size))
    for part in integers.stretches(*values.shape):
        binned = values[part, where.lossy] if exact else values[part]
        np.add.reduceat(binned, where.starts[:-1], axis=1, dtype=np.float64, out=sums[part])
    seed = lossy.seed(array)
    found = quantiser.quantise(sums, None, plan.maps, where.block, plan.noises, seed, chained=where.chained)
    fixed = np.abs(sums) * 2.0**frame.fraction * 1.01 + 2**16
    if (fixed >= MOST_SUM).any() or (fixed >= MOST_RATIO * np.add.reduceat(plan.shape, where.starts[:-1])).any():
        raise UsageError(
            f"chart: values of {values.min():.4g} to {values.max():.4g} vary too much about their mean spectrum; "
            "use noise-q"
        )
    flags = (EXCEPTIONS if some else 0) | (EXACT if exact else 0)
    bins = integers.encode(found.q, (*array.shape[:-1], sums.shape[1]), seed)
    return b"".join(
        [
            lossy.head(flags, frame, found.chi2, found.worst),
            plan.head,
            exceptions.encode(array, odd) if some else b"",
            number(len(bins)) + bins,
            lossless_int.encode_array(np.ascontiguousarray(array[..., where.exact])) if exact else b"",
        ]
    )


def _sum_noise(noise: Noise, channels: int) -> Noise:
    """Noise of a sum of channels."""
    return noise._replace(read=noise.read * math.sqrt(channels), zero=noise.zero * channels)


def decode_array(data: memoryview, shape: tuple[int, ...], dtype: np.dtype) -> NDArray:
    """Inverse of `encode_array`, within the step and what the chart leaves out."""
    cursor = Cursor(data, CLAUSE)
    flags = lossy.begin(cursor, EXCEPTIONS | EXACT, "8.9.1")
    if shape[-1] > integers.VOXELS_PER_BYTE * len(data):
        raise DamagedError(f"{len(data)} bytes cannot hold {shape[-1]} channels", clause="8.5.10")
    blocks = _read_blocks(cursor, shape[-1], exact=bool(flags & EXACT))
    where = layout(blocks)
    maps = [quantiser.unpack(cursor) for _, factor in blocks if factor]
    if len({given.f for given in maps}) > 1:
        raise DamagedError("the chart's blocks differ in F", clause="8.9.2")
    curve, _ = integers.decode(cursor.take(cursor.number()), (where.lossy.size,))
    if int(curve.min()) < 1:
        raise DamagedError("the shape of the spectrum holds a value below 1", clause="8.9.1")
    listed = exceptions.decode(cursor, math.prod(shape), dtype) if flags & EXCEPTIONS else None
    q, seed = integers.decode(cursor.take(cursor.number()), (*shape[:-1], where.block.size))
    out = np.empty((len(q), shape[-1]), dtype)
    shaped = curve.reshape(-1).astype(np.int64)
    for part in integers.stretches(len(q), shape[-1]):
        sums = quantiser.restore(q[part], seed, maps, where.block, part.start)
        fixed = np.empty((len(sums), where.lossy.size), np.int64)
        if not kernels.spread(sums, fixed, shaped, where.lossy, where.starts, where.middles, where.runs, MOST_SUM):
            raise DamagedError("a bin's sum or ratio is out of range", clause="8.9.3")
        out[part, where.lossy] = quantiser.valued(fixed, maps[0].f, dtype)
    if where.exact.size:
        kept = lossless_int.decode_array(cursor.rest(), (*shape[:-1], where.exact.size), dtype)
        out[:, where.exact] = kept.reshape(len(out), -1)
    elif len(cursor.rest()):
        raise DamagedError("bytes are left over after the bins", clause="8.9.1")
    return exceptions.restored(out, listed).reshape(shape)


def _read_blocks(cursor: Cursor, channels: int, *, exact: bool) -> Blocks:
    count = cursor.number()
    if not 1 <= count <= channels:
        raise DamagedError(f"{count} chart blocks for {channels} channels", clause="8.9.1")
    blocks = []
    left = channels
    for _ in range(count):
        length, factor = cursor.number(), cursor.number()
        if not 1 <= length <= left or factor > min(length, LARGEST):
            raise DamagedError(f"a chart block of {length} channels with factor {factor}, {left} left", clause="8.9.1")
        blocks.append((length, factor))
        left -= length
    kinds = {factor > 0 for _, factor in blocks}
    if left or True not in kinds or (False in kinds) != exact:
        raise DamagedError(
            "the chart blocks do not fill the channels, or their kinds are not those of the flags", clause="8.9.1"
        )
    return blocks
