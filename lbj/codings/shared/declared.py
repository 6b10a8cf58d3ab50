"""The error that a lossy block states in its first bytes, read without NumPy for `lbj info` (spec/lbj.md 8.8.1)."""

from __future__ import annotations

import struct
from typing import NamedTuple

from ...errors import DamagedError

STATED = struct.Struct("<f4d3f")


class Noise(NamedTuple):
    """Noise model, in units of the values: variance = read² + gain (v - zero) + multiplicative² (v - zero)².

    `fit` is the variance of the data's residuals over the model's.
    """

    read: float
    gain: float
    multiplicative: float
    zero: float
    fit: float


class Quality(NamedTuple):
    """Step in standard deviations of the noise, noise model, achieved chi-square and largest error."""

    step: float
    noise: Noise
    chi2: float
    worst: float


def quality(data: bytes | memoryview) -> Quality:
    """Read what a block of noise-q or chart states, from its first bytes."""
    if len(data) < 1 + STATED.size:
        raise DamagedError("the block ends within its fixed part", clause="8.8.1")
    step, read, gain, multiplicative, zero, fit, chi2, worst = STATED.unpack_from(data, 1)
    return Quality(step, Noise(read, gain, multiplicative, zero, fit), chi2, worst)
