"""Quantiser of noise-q and chart: a square-root scale on which the noise is the same everywhere (spec/lbj.md 8.8.2)."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import DamagedError, UsageError
from ..kernels import quantiser as kernels
from .declared import Noise
from .integers import Cursor, number, signed
from .noise import variance

CLAUSE = "8.8.2"
MOST_A, MOST_L, MOST_B = 2**11, 2**35, 2**60
MOST_S, MOST_F = 62, 24
LIMIT = 2**19 - 1  # of the integers, so that |t| stays below 2^25
FINE = 6  # bits of a fixed-point value below a step


class Map(NamedTuple):
    """Integer map from samples t to fixed-point values: (a w + slope t + b) >> s, in 2^-F; w = t² - 341 above 0."""

    a: int
    slope: int
    b: int
    s: int
    f: int

    def pack(self) -> bytes:
        """Bytes of the map."""
        return signed(self.a) + signed(self.slope) + signed(self.b) + number(self.s) + number(self.f)


def unpack(cursor: Cursor) -> Map:
    """Read a map and check its bounds."""
    found = Map(cursor.signed(), cursor.signed(), cursor.signed(), cursor.number(), cursor.number())
    a, slope, b, s, f = found
    if abs(a) > MOST_A or abs(slope) > MOST_L or abs(b) > MOST_B or s > MOST_S or f > MOST_F:
        raise DamagedError(f"the map {found} is out of range", clause=CLAUSE)
    return found


def make(noise: Noise, step: float, fraction: int, channels: int = 1) -> Map:
    """Map for sums of `channels` values with this noise, whose step is `step` standard deviations.

    With f = t/64 steps, v = zero + read f + gain f²/4 has the slope sqrt(read² + gain (v - zero)).
    """
    curve = noise.gain * step * step / 4 / 4096 * 2.0**fraction
    slope = noise.read * math.sqrt(channels) * step / 64 * 2.0**fraction
    level = noise.zero * channels * 2.0**fraction
    room = [
        math.floor(math.log2(most / value)) if value > 0 else MOST_S
        for most, value in ((MOST_A, curve), (MOST_L / 2, slope), (MOST_B / 4, abs(level)))
    ]
    s = min(*room, MOST_S)
    out = Map(0, 0, 0, 0, fraction)
    if s >= 0:
        scale = 2.0**s
        out = Map(round(curve * scale), round(slope * scale), round(level * scale) + (1 << s >> 1), s, fraction)
    if out.slope == 0:
        raise UsageError(
            f"the noise (read {noise.read:.3g}, gain {noise.gain:.3g}) at a step of {step} standard deviations is out "
            "of the quantiser's range; scale the data or use lossless-int"
        )
    return out


def fraction(noise: Noise, step: float, values: NDArray) -> int:
    """Binary digits after the point, so that rounding is far below a step where the noise is least."""
    finite = values[np.isfinite(values)]
    low = np.percentile(finite, 1) if finite.size else 0.0
    least = step * math.sqrt(float(variance(noise, low)))
    return min(max(FINE - math.frexp(least)[1], 0), MOST_F - 8)


class Quantised(NamedTuple):
    """Integers, and the error they make in standard deviations of the noise."""

    q: NDArray[np.int32]
    chi2: float
    worst: float


def quantise(
    values: NDArray[Any],
    odd: NDArray[np.bool_] | None,
    maps: list[Map],
    which: NDArray[np.int64],
    noises: list[Noise],
    seed: int,
    *,
    whole: bool = False,
    chained: NDArray[np.bool_] | None = None,
) -> Quantised:
    """Quantise (rows, C) values, column c with map and noise number `which[c]`.

    Elements marked in `odd` are coded, but not counted in the error; `whole` says that values are decoded to integers.
    Columns that are `chained` take over what rounding left of those before them, up to half a step, so that sums over
    neighbours lose next to nothing (error diffusion; Floyd and Steinberg, 1976).

    Raises
    ------
    UsageError
        If a value is too far off for the step.
    """
    q = np.empty(values.shape, np.int32)
    marked = np.zeros((0, 0), bool) if odd is None else odd
    table = np.array([(n.read**2, n.gain, n.multiplicative**2, n.zero) for n in noises])
    numbers, aims = np.array(maps, np.int64), values
    if chained is not None:
        aims = np.empty(values.shape)
        kernels.carried(values, numbers, which, chained, seed, aims)
    fits, total, n, worst = kernels.quantise(values, aims, marked, q, numbers, which, table, seed, LIMIT, whole)
    if not fits:
        raise UsageError(
            f"values of {values.min():.4g} to {values.max():.4g} reach too far for this step in standard deviations; "
            "take a larger one, or lossless-int"
        )
    return Quantised(q, total / max(n, 1), float(worst))


def restore(
    q: NDArray[np.int32], seed: int | None, maps: list[Map], which: NDArray[np.int64], first: int = 0
) -> NDArray[np.int64]:
    """Fixed-point values of (rows, C) integers from row number `first` on, in units of 2^-F."""
    out = np.empty(q.shape, np.int64)
    if not kernels.restore(q, out, np.array(maps, np.int64), which, seed is not None, seed or 0, first):
        raise DamagedError("a sample lies beyond 2^25, or its value beyond 2^53", clause=CLAUSE)
    return out


def valued(fixed: NDArray[np.int64], f: int, dtype: np.dtype) -> NDArray:
    """Values of fixed-point integers in a dtype."""
    if dtype.kind == "f":
        return np.asarray(np.ldexp(fixed.astype(dtype), -f))  # one rounding, none by way of f64
    bounds = np.iinfo(dtype)
    rounded = (fixed + (1 << f >> 1)) >> f
    return np.asarray(np.clip(rounded, max(bounds.min, -(2**62)), min(bounds.max, 2**62)).astype(dtype))
