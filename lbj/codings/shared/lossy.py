"""What the lossy codings (noise-q, chart) share: saturated values and spikes, and the error that a block states."""

from __future__ import annotations

import zlib
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import UnsupportedError
from ..kernels import quantiser as quantiser_kernels
from . import exceptions, integers
from . import noise as noises
from .declared import STATED, Noise
from .integer_fit import Model
from .integers import Cursor

EXCEPTIONS = 1
GROSS = 100.0  # standard deviations from which a spike is marked before the noise is known
CLIPPED = 4  # a float frame counts as saturated where so many voxels share its largest value


class Frame(NamedTuple):
    """What a lossy coding measures on a whole frame before its blocks are coded."""

    step: float
    noise: Noise
    fraction: int
    ceiling: float
    image: bool
    model: Model | None  # of the integers, where blocks share one


def saturation(array: NDArray) -> float:
    """Value from which on the frame is saturated; infinite if it is not.

    The largest value of an integer dtype; of a float frame the largest value, where it is reached several times.
    """
    if array.dtype.kind in "iu":
        return float(np.iinfo(array.dtype).max)
    with np.errstate(invalid="ignore"):
        largest = float(array.max())
    if not np.isfinite(largest):
        finite = array[np.isfinite(array)]
        if not finite.size:
            return np.inf
        largest = float(finite.max())
    return largest if np.count_nonzero(array == largest) >= CLIPPED else np.inf


def strange(array: NDArray, ceiling: float) -> NDArray[np.bool_]:
    """Mark what is not finite, or saturated."""
    with np.errstate(invalid="ignore"):
        return np.asarray(~np.isfinite(array) | (array >= ceiling))


def calmed(array: NDArray, frame: Frame) -> tuple[NDArray[np.bool_], NDArray[Any]]:
    """Mark exceptions (not finite, saturated, spikes above 8 standard deviations), and replace their values.

    Returns the marks, and the values as floats (f32 where they came so, else f64) in which neighbours stand instead.
    """
    noise, shape = frame.noise, integers.volume(array.shape)
    odd = strange(array, frame.ceiling)
    values = exceptions.filled(np.asarray(array, "f4" if array.dtype == np.float32 else "f8"), odd)
    found = np.zeros(shape, bool)
    model = (noise.read, noise.gain, noise.multiplicative, noise.zero)
    quantiser_kernels.spikes(values.reshape(shape), shape, frame.image, model, found)
    odd |= found.reshape(array.shape)
    return odd, exceptions.filled(values, odd)


def look(array: NDArray, step: float, kind: str) -> Frame:
    """Measure the noise of a frame; saturated values and gross spikes do not enter the fit."""
    from .quantiser import fraction

    ceiling = saturation(array)
    values = noises.sample(array, kind).astype(float)
    odd = strange(values, ceiling)
    calm = np.where(odd | _gross(exceptions.filled(values, odd), image=kind == "image"), np.nan, values)
    noise = noises.measure(calm, kind)
    return Frame(step, noise, fraction(noise, step, calm), ceiling, kind == "image", None)


def _gross(values: NDArray, *, image: bool) -> NDArray[np.bool_]:
    """Mark gross spikes, which would spoil the noise model: 100 standard deviations above all their neighbours."""
    found = np.zeros(values.shape, bool)
    rim = [(0, 0)] * (values.ndim - 2) + [(1, 1), (1, 1) if image else (2, 2)]
    if values.ndim < 2 or values.shape[-2] < 2 or values.shape[-1] < 3:
        return found
    with np.errstate(over="ignore", invalid="ignore"):
        typical = noises.trimmed(np.diff(values, 2).ravel() ** 2 / 6)
    if 0 < typical < np.inf:
        wide = np.pad(values, rim, mode="reflect")  # so that values at the edge have neighbours on all sides
        shape, model = integers.volume(wide.shape), (GROSS / 8 * float(np.sqrt(typical)), 0.0, 1.0, 0.0)
        marked = np.zeros(wide.shape, bool)
        quantiser_kernels.spikes(wide.reshape(shape), shape, image, model, marked.reshape(shape))
        found = marked[tuple(slice(low, -high or None) for low, high in rim)]
    return found


def seed(array: NDArray) -> int:
    """Seed of a block's dither: a digest of its data, so that it is the same each time and another in each frame."""
    return zlib.crc32(np.ascontiguousarray(array).data)


def head(flags: int, frame: Frame, chi2: float, worst: float) -> bytes:
    """Beginning of a lossy block."""
    noise = frame.noise
    return bytes([flags]) + STATED.pack(
        frame.step, noise.read, noise.gain, noise.multiplicative, noise.zero, noise.fit, chi2, worst
    )


def begin(cursor: Cursor, known: int, clause: str) -> int:
    """Read the beginning of a lossy block and return its flags; the error stated there is not needed to decode."""
    flags = cursor.take(1)[0]
    if flags & ~known:
        raise UnsupportedError(f"a block has the reserved flags {flags:#x} set", clause=clause)
    cursor.take(STATED.size)
    return flags
