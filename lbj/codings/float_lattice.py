"""float-lattice: floats that are evenly spaced, (q - d) * g with integers q, stored exactly (spec/lbj.md 8.7).

Such are a detector's counts after dark and gain correction.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..array_types import Floats
from ..errors import DamagedError, UnsupportedError, UsageError
from .shared import exceptions, integers
from .shared.integer_fit import Model
from .shared.integers import LIMIT, Cursor

NAME, NUMBER = "float-lattice", 5
CLAUSE = "8.7"
EXCEPTIONS, SINGLE, SHORT, DARKS, GAINS = 1, 2, 4, 8, 16
LOOKED_AT = 4096  # values of a column to which its lattice is fitted
RARE = 128  # at most one element in so many may be an exception
FAR = 15  # median deviations from the median, beyond which a value is left out of the fit
DIVISORS = (1, 2, 3, 4, 5, 6)


class Plan(NamedTuple):
    """Dark d and gain g of every column, or of all; whether operations are in f32."""

    dark: Floats
    gain: Floats
    single: bool
    fault: int  # first column whose values lie on no lattice, or -1
    model: Model | None = None  # predictors and noise model, where the blocks of a frame share them


def plan(array: NDArray, parameters: str | None, kind: str) -> Plan:
    """Recover the lattice of a frame: one for an image, one for each channel of spectra.

    Raises
    ------
    UsageError
        If the dtype is no float, or the values do not lie on lattices, naming the first column at fault.
    """
    if array.dtype.kind != "f":
        raise UsageError(f"float-lattice codes float32 and float64, got {array.dtype}; use lossless-int")
    if not np.isfinite(array).any():
        raise UsageError("float-lattice: none of the values is finite; use shuffle-zstd")
    columns = array.reshape(1, -1) if kind == "image" else array.reshape(-1, array.shape[-1]).T
    stride = max(1, columns.shape[1] // LOOKED_AT)
    best: tuple[int, Plan] | None = None
    sampled = columns[:, ::stride]
    for single in (False, True) if array.dtype == np.float32 else (False,):
        with np.errstate(over="ignore", invalid="ignore"):
            found = _lattices(sampled, single=single)
        if best is None or found[0] < best[0]:
            best = found
        if best[0] == 0:
            break
    assert best is not None
    fault = best[1].fault
    if fault >= 0:
        shown = ", ".join(f"{v:.9g}" for v in sampled[fault][:3])
        raise UsageError(
            f"float-lattice: the values of column {fault} are not (q - d) * g with integers q; the first are {shown}. "
            "Use shuffle-zstd"
        )
    if best[0] * RARE > sampled.size:
        raise UsageError(
            f"float-lattice: {best[0]} of {sampled.size} values do not come back from (q - d) * g with integers q; "
            "use shuffle-zstd"
        )
    dark, gain = best[1].dark, best[1].gain
    if np.all(gain == gain[0]):
        gain = gain[:1]
    if np.all(dark == dark[0]):
        dark = dark[:1]
    out = best[1]._replace(dark=dark, gain=gain)
    return out._replace(model=integers.shared(array, lambda piece: exceptions.filled(*_integers_of(piece, out))))


def binary(array: NDArray) -> Plan | None:
    """Lattice of a power of two that holds all finite floats of a narrow range exactly; None where there is none."""
    values = array[np.isfinite(array) & (array != 0)]
    if not values.size:
        return None
    mantissa, exponent = np.frexp(values)
    whole = np.ldexp(mantissa, np.finfo(array.dtype).nmant + 1).astype(np.int64)
    lowest = (
        int((exponent + np.log2((whole & -whole).astype(float)).astype(int)).min()) - np.finfo(array.dtype).nmant - 1
    )
    low, high = float(values.min()), float(values.max())
    if (
        lowest < -1000
        or not max(high, 0.0) - min(low, 0.0) < 2.0 ** min(lowest + 52, 1023)
        or not high - low < 2.0 ** min(lowest + 24, 1023)
    ):
        return None
    gain = 2.0**lowest
    return Plan(np.array([-np.rint((low + high) / 2 / gain)]), np.array([gain]), False, -1)


def _lattices(columns: NDArray, *, single: bool) -> tuple[int, Plan]:
    dark, gain = np.zeros(len(columns)), np.ones(len(columns))
    missed = 0
    known = [1.0]
    for i, column in enumerate(columns):
        values = column[np.isfinite(column)]
        away = np.abs(values - np.median(values)) if values.size else values
        values = values[away <= FAR * np.median(away)] if away.any() else values  # spikes are exceptions
        if values.size == 0:
            dark[i] = dark[i - 1] if i else 0.0
            gain[i] = known[0]
            continue
        found = _first(values, known, single=single) or _first(values, _gains(values), single=single)
        if found is None:
            return columns.size, Plan(dark, gain, single, i)
        dark[i], gain[i], wrong = found
        missed += wrong
        known = [float(gain[i])]
    return missed, Plan(dark, gain, single, -1)


def _first(values: NDArray, gains: list[float], *, single: bool) -> tuple[float, float, int] | None:
    """Dark and gain of the lattice that misses the fewest values, of spacings near `gains`, and how many it misses.

    None where it misses more than a quarter.
    """
    best: tuple[float, float, int] | None = None
    v = values.astype(float)
    half = np.spacing(np.abs(values)).astype(float) / 2
    sharp = int(np.argmin(np.abs(values)))
    for start in gains:
        q = np.rint((v - v[sharp]) / start)
        q += np.rint(v[sharp] / start)
        for gain in (start, _feasible(v, half, q)):
            low, high = _room(v, half, q, gain)
            middle = -(low + high) / 2 / gain
            for dark in dict.fromkeys([float(np.float32(middle)), middle]):
                back = _values(q, dark, gain, values.dtype, single)
                wrong = int(np.count_nonzero(back != values))
                if best is None or wrong < best[2]:
                    best = (dark, gain, wrong)
                if wrong == 0:
                    return best
    return best if best is not None and 4 * best[2] <= values.size else None


def _room(v: Floats, half: Floats, q: Floats, gain: float) -> tuple[float, float]:
    """Bounds of b for which all v = gain * q + b hold within rounding (`half`); lower above upper if there is none."""
    rest = v - gain * q
    return float(np.max(rest - half)), float(np.min(rest + half))


def _feasible(v: Floats, half: Floats, q: Floats) -> float:
    """Gain that leaves b the widest room, found by golden-section search, since the room is concave in the gain."""
    centred = q - np.rint(q.mean())
    span = float(np.ptp(centred))
    if span == 0:
        return 1.0
    slope = float(centred @ (v - v.mean()) / (centred @ centred))
    reach = 8 * float(half.max()) / span

    def width(gain: float) -> float:
        low, high = _room(v, half, centred, gain)
        return high - low

    ratio = (math.sqrt(5) - 1) / 2
    a, b = slope - reach, slope + reach
    c, d = b - ratio * (b - a), a + ratio * (b - a)
    left, right = width(c), width(d)
    for _ in range(60):
        if left > right:
            b, d, right = d, c, left
            c = b - ratio * (b - a)
            left = width(c)
        else:
            a, c, left = c, d, right
            d = a + ratio * (b - a)
            right = width(d)
    return (a + b) / 2


def _gains(values: NDArray) -> list[float]:
    """Candidate spacings: they divide the small differences of values, and are refined on ever larger ones."""
    distinct = np.unique(values).astype(float)
    steps = np.diff(distinct)
    noise = float(np.spacing(np.abs(values).max()))
    steps = steps[steps > 4 * noise]
    if steps.size == 0:
        return []
    out: list[float] = []
    away = np.abs(distinct - distinct[distinct.size // 2])
    signed = distinct - distinct[distinct.size // 2]
    for divisor in DIVISORS:
        gain = float(steps.min()) / divisor
        reach = 4 * gain
        while True:
            near = away <= reach
            n = np.rint(signed[near] / gain)
            if n.any():
                gain = float((n @ signed[near]) / (n @ n))
            if near.all():
                break
            reach *= 4
        if np.abs(signed - gain * np.rint(signed / gain)).max() <= 2 * noise:
            near32 = np.float32(gain)
            neighbours = [near32, np.nextafter(near32, np.float32(0)), np.nextafter(near32, np.float32(np.inf))]
            rounded = [float(f"{gain:.{digits}g}") for digits in (3, 4, 5, 6, 7)]
            out += [g for g in rounded if abs(g - gain) * len(distinct) < noise]
            out += [*(float(g) for g in neighbours), gain]
            break
    return list(dict.fromkeys(out))


def _values(q: NDArray, dark: Any, gain: Any, dtype: np.dtype, single: bool) -> NDArray:
    """(q - d) * g, one operation after the other (clause 8.7.2)."""
    with np.errstate(over="ignore"):
        if single:
            return np.asarray((q.astype(np.float32) - np.float32(dark)) * np.float32(gain)).astype(dtype)
        return np.asarray((q.astype(np.float64) - dark) * gain).astype(dtype)


def encode_array(array: NDArray, plan: Plan) -> bytes:
    """Code a part of a frame; every value is decoded again and compared.

    Raises
    ------
    UsageError
        If more than one value in 128 does not come back bit for bit.
    """
    q, odd = _integers_of(array, plan)
    wrong = int(np.count_nonzero(odd & np.isfinite(array)))
    if wrong * RARE > array.size or odd.all():
        raise UsageError(
            f"float-lattice: {wrong} of {array.size} values do not come back from the lattice found; use shuffle-zstd"
        )
    short = all(np.array_equal(p.astype(np.float32).astype(np.float64), p) for p in (plan.dark, plan.gain))
    flags = (
        (EXCEPTIONS if odd.any() else 0)
        | (SINGLE if plan.single else 0)
        | (SHORT if short else 0)
        | (DARKS if plan.dark.size > 1 else 0)
        | (GAINS if plan.gain.size > 1 else 0)
    )
    kind = "<f4" if short else "<f8"
    return b"".join(
        [
            bytes([flags]),
            plan.dark.astype(kind).tobytes(),
            plan.gain.astype(kind).tobytes(),
            exceptions.encode(array, odd) if odd.any() else b"",
            integers.encode(exceptions.filled(q, odd), array.shape, model=plan.model),
        ]
    )


def _integers_of(array: NDArray, plan: Plan) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Integers of values, and which of the values do not come back from them bit for bit."""
    rows = np.ascontiguousarray(array).reshape(-1, array.shape[-1])
    q, odd = np.empty(rows.shape, np.int32), np.empty(rows.shape, bool)
    bits = f"u{array.dtype.itemsize}"
    for part in integers.stretches(*rows.shape):
        with np.errstate(invalid="ignore", over="ignore"):
            found = np.rint(rows[part] / plan.gain + plan.dark)
            q[part] = np.where(np.abs(found) <= LIMIT, found, 0)
            back = _values(q[part], plan.dark, plan.gain, array.dtype, plan.single)
        odd[part] = back.view(bits) != rows[part].view(bits)
    return q.reshape(array.shape), odd.reshape(array.shape)


def decode_array(data: memoryview, shape: tuple[int, ...], dtype: np.dtype) -> NDArray:
    """Inverse of `encode_array`."""
    if dtype.kind != "f":
        raise DamagedError(f"float-lattice cannot hold {dtype.name}", clause="8.7.1")
    cursor = Cursor(data, CLAUSE)
    flags = cursor.take(1)[0]
    if flags & ~(EXCEPTIONS | SINGLE | SHORT | DARKS | GAINS):
        raise UnsupportedError(f"a float-lattice block has the reserved flags {flags:#x} set", clause="8.7.1")
    kind = np.dtype("<f4" if flags & SHORT else "<f8")
    with np.errstate(over="ignore", invalid="ignore"):  # signalling NaNs among damaged bytes
        dark, gain = (
            np.frombuffer(cursor.take(kind.itemsize * (shape[-1] if flags & many else 1)), kind).astype(np.float64)
            for many in (DARKS, GAINS)
        )
        used = [p.astype(np.float32) if flags & SINGLE else p for p in (dark, gain)]
    if not all(np.isfinite(p).all() for p in used):
        raise DamagedError("a dark or gain value is not finite", clause="8.7.1")
    listed = exceptions.decode(cursor, math.prod(shape), dtype) if flags & EXCEPTIONS else None
    q, _ = integers.decode(cursor.rest(), shape)
    out = np.empty(q.shape, dtype)
    for part in integers.stretches(*q.shape):
        out[part] = _values(q[part], dark, gain, dtype, bool(flags & SINGLE))
    return exceptions.restored(out.reshape(shape), listed)
