"""Predictors of the integer stream, which stand before its words: clauses 8.5.2 and 8.5.3."""

from __future__ import annotations

from typing import NamedTuple

from .cursor import Cursor
from .errors import unsupported

DITHERED = 1
ON_THE_MEAN = 255
MOST_SETS, MOST_TAPS, MOST_WEIGHT = 16, 64, 32767


class Tap(NamedTuple):
    """A voxel that the prediction looks at, from the one that is predicted, or the mean there."""

    y: int
    x: int
    c: int
    mean: bool
    weight: int


class TapSet(NamedTuple):
    """A prediction."""

    offset: int
    taps: list[Tap]


class Model(NamedTuple):
    """Everything that the encoder chose; `seed` is None without dither."""

    seed: int | None
    beta: int
    alpha: int
    gamma: int
    sets: list[TapSet]


def _tap(cursor: Cursor) -> Tap:
    place, weight = cursor.unsigned(2, "8.5.3"), cursor.unsigned(2, "8.5.3")
    weight -= (weight >= 2**15) << 16
    mean = place & 255 == ON_THE_MEAN
    y, x, c = -(place >> 13), (place >> 8 & 31) - 16, 0 if mean else (place & 255) - 128
    if not (y < 0 or x < 0 or (x == 0 and (c < 0 or mean))):
        raise cursor.damaged("8.5.3", f"a tap ahead: at {y}, {x}, {c}")
    return Tap(y, x, c, mean, weight)


def _tap_set(cursor: Cursor) -> TapSet:
    offset = cursor.signed(-(2**31), 2**31, "8.5.3")
    taps = [_tap(cursor) for _ in range(cursor.number(0, MOST_TAPS, "8.5.3"))]
    if sum(abs(tap.weight) for tap in taps) > MOST_WEIGHT:
        raise cursor.damaged("8.5.3", "weights of a tap set")
    return TapSet(offset, taps)


def read_model(cursor: Cursor) -> Model:
    """Read up to the first word."""
    flags = cursor.unsigned(1, "8.5.2")
    if flags & ~DITHERED:
        raise unsupported(cursor.offset, "8.5.2", f"reserved flags {flags:#x} of an integer stream")
    seed = cursor.unsigned(4, "8.5.2") if flags & DITHERED else None
    beta = cursor.signed(-(2**50), 2**50, "8.5.2")
    alpha = cursor.number(0, 2**24, "8.5.2")
    gamma = cursor.number(0, 2**16, "8.5.2")
    sets = [_tap_set(cursor) for _ in range(cursor.number(0, MOST_SETS, "8.5.2"))]
    return Model(seed, beta, alpha, gamma, sets)
