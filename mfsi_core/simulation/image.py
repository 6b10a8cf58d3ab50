"""Disturbances of a simulated image: pedestal, stripes, charging, cosmic rays, missing rows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from lbj.array_types import Floats


@dataclass(frozen=True)
class Draw:
    """Number of a frame, random numbers of its own, and those that are alike in every frame."""

    frame: int
    own: np.random.Generator
    common: np.random.Generator


class Disturbance(Protocol):
    """Changes a recorded frame."""

    def apply(self, image: Floats, draw: Draw, /) -> Floats:
        """Return the frame (Y, X), counts, changed."""
        ...


@dataclass(frozen=True)
class Pedestal:
    """Constant below the picture, counts."""

    counts: float

    def apply(self, image: Floats, _draw: Draw, /) -> Floats:
        """As `Disturbance.apply`."""
        return image + self.counts


@dataclass(frozen=True)
class Stripes:
    """Rows of uneven offset and gain.

    Attributes
    ----------
    offset, gain : float
        Of a row, in mean intensities, rms.
    period : float
        Rows of a sine whose phase runs through the frames, as of the mains; 0: every row for itself.
    static : bool
        Alike in all frames.
    """

    offset: float = 0.0
    gain: float = 0.0
    period: float = 0.0
    static: bool = False

    def apply(self, image: Floats, draw: Draw, /) -> Floats:
        """As `Disturbance.apply`."""
        rows = len(image)
        if self.period:
            start = 0 if self.static else draw.frame * rows
            phase = 2 * math.pi * ((start + np.arange(rows)) / self.period + draw.common.random())
            wave = np.broadcast_to(math.sqrt(2) * np.sin(phase), (2, rows))
        else:
            wave = (draw.common if self.static else draw.own).standard_normal((2, rows))
        gain, offset = 1 + self.gain * wave[0], self.offset * image.mean() * wave[1]
        return np.asarray(image * gain[:, None] + offset[:, None])


@dataclass(frozen=True)
class Charging:
    """Smooth background that wanders over the field, in mean intensities at its highest."""

    height: float

    def apply(self, image: Floats, draw: Draw, /) -> Floats:
        """As `Disturbance.apply`."""
        rows, columns = image.shape
        start, pace = draw.common.random(2), 0.1 * draw.common.standard_normal(2)
        y, x = (np.arange(n) / n - (s + p * draw.frame) for n, s, p in zip((rows, columns), start, pace, strict=True))
        spot = np.multiply.outer(np.exp(-8 * (y - np.round(y)) ** 2), np.exp(-8 * (x - np.round(x)) ** 2))
        return np.asarray(image + self.height * image.mean() * spot)


@dataclass(frozen=True)
class Cosmics:
    """Single pixels of `height` mean intensities: a `share` of each frame's, or the same in all frames where `hot`."""

    share: float
    height: float = 20.0
    hot: bool = False

    def apply(self, image: Floats, draw: Draw, /) -> Floats:
        """As `Disturbance.apply`."""
        places = (draw.common if self.hot else draw.own).random(image.shape)
        return np.where(places < self.share, self.height * image.mean(), image)


@dataclass(frozen=True)
class Inverted:
    """Contrast inverts from a frame on, as by a change of focus."""

    frame: int

    def apply(self, image: Floats, draw: Draw, /) -> Floats:
        """As `Disturbance.apply`."""
        return image if draw.frame < self.frame else image.min() + image.max() - image


@dataclass(frozen=True)
class Missing:
    """Rows of a frame that were not recorded, for it was aborted or a block was lost: zeros."""

    frame: int
    first: int
    last: int

    def apply(self, image: Floats, draw: Draw, /) -> Floats:
        """As `Disturbance.apply`."""
        out = image.copy()
        if draw.frame == self.frame:
            out[self.first : self.last + 1] = 0
        return out


@dataclass(frozen=True)
class Wrapped:
    """Frame whose rows begin some rows late and go on with the first."""

    frame: int
    rows: int

    def apply(self, image: Floats, draw: Draw, /) -> Floats:
        """As `Disturbance.apply`."""
        return np.roll(image, self.rows, axis=0) if draw.frame == self.frame else image
