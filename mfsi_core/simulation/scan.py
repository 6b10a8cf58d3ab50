"""Distortions of a simulated scan: hum, coloured jitter, steps, glitches, serpentine lag."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from lbj.array_types import Floats

Pair = tuple[float, float]


class Distortion(Protocol):
    """Displaces whole rows."""

    def rows(self, rng: np.random.Generator, frames: int, rows: int, /) -> Floats:
        """Displacement (y, x) of every row, (N, 2, Y) px."""
        ...

    def covariance(self, rows: int) -> Floats:
        """Its covariance between the rows of one frame, less its mean, (2, Y, Y) px²; zero where it is no noise."""
        ...


@dataclass(frozen=True)
class Hum:
    """Sinusoidal displacement, as of the mains, whose phase runs on through the frames.

    Attributes
    ----------
    rms : (float, float)
        (y, x), px.
    period : float
        Rows.
    flyback : float
        Rows' time between the last row of a frame and the first of the next.
    wander : float
        Random walk of the phase, cycles rms from frame to frame, as of mains whose frequency is not quite constant.
    """

    rms: Pair
    period: float = 9.7
    flyback: float = 0.0
    wander: float = 0.0

    def rows(self, rng: np.random.Generator, frames: int, rows: int, /) -> Floats:
        """As `Distortion.rows`."""
        time = np.arange(frames)[:, None] * (rows + self.flyback) + np.arange(rows)
        phase = rng.uniform(0, 2 * math.pi, 2)[:, None]
        turn = 2 * math.pi * time / self.period
        if self.wander:
            steps = rng.normal(0, 2 * math.pi * self.wander / math.sqrt(rows), frames * rows)
            turn = turn + np.cumsum(steps).reshape(frames, rows)
        wave = np.sin(turn[:, None] + phase)
        return np.asarray(math.sqrt(2) * np.asarray(self.rms)[:, None] * wave)

    def covariance(self, rows: int) -> Floats:
        """As `Distortion.covariance`, for a frame by itself: its phase unknown."""
        lag = np.subtract.outer(np.arange(rows), np.arange(rows))
        alike = np.exp(-((2 * math.pi * self.wander) ** 2) * np.abs(lag) / rows / 2)
        return np.asarray(np.multiply.outer(np.square(self.rms), alike * np.cos(2 * math.pi * lag / self.period)))


@dataclass(frozen=True)
class Jitter:
    """Random displacement whose power falls with frequency f as 1/f**slope, or that remembers the row before (AR(1)).

    Attributes
    ----------
    rms : (float, float)
        (y, x), px, within a frame.
    memory : float
        Correlation of neighbouring rows; 0 is white.
    slope : float
        Of the power spectrum, from one cycle a frame on.
    """

    rms: Pair
    memory: float = 0.0
    slope: float = 0.0

    def _power(self, rows: int) -> Floats:
        """Power of each frequency of a row of twice the length, so that the ends of a frame are no neighbours."""
        frequency = np.fft.rfftfreq(2 * rows)
        power = 1 / (1 + self.memory**2 - 2 * self.memory * np.cos(2 * np.pi * frequency))
        power[1:] *= np.maximum(frequency[1:], 1 / rows) ** -self.slope
        power[0] = power[1]
        return np.asarray(power / np.fft.irfft(power)[0])

    def rows(self, rng: np.random.Generator, frames: int, rows: int, /) -> Floats:
        """As `Distortion.rows`."""
        white = np.fft.rfft(rng.standard_normal((frames, 2, 2 * rows)))
        return np.asarray(self.rms)[:, None] * np.fft.irfft(white * np.sqrt(self._power(rows)))[..., :rows]

    def covariance(self, rows: int) -> Floats:
        """As `Distortion.covariance`."""
        lag = np.abs(np.subtract.outer(np.arange(rows), np.arange(rows)))
        return np.multiply.outer(np.square(self.rms), np.fft.irfft(self._power(rows))[lag])


@dataclass(frozen=True)
class Step:
    """Sudden displacement (y, x), px, of everything scanned from a row of a frame on: row 0 is between frames."""

    frame: int
    row: int
    shift: Pair

    def rows(self, _rng: np.random.Generator, frames: int, rows: int, /) -> Floats:
        """As `Distortion.rows`."""
        after = np.arange(frames)[:, None] * rows + np.arange(rows) >= self.frame * rows + self.row
        return np.asarray(after[:, None] * np.asarray(self.shift)[:, None], float)

    def covariance(self, rows: int) -> Floats:
        """As `Distortion.covariance`."""
        return np.zeros((2, rows, rows))


@dataclass(frozen=True)
class Glitch:
    """Displacement (y, x), px, of some rows of one frame."""

    frame: int
    first: int
    last: int
    shift: Pair

    def rows(self, _rng: np.random.Generator, frames: int, rows: int, /) -> Floats:
        """As `Distortion.rows`."""
        out = np.zeros((frames, 2, rows))
        out[self.frame, :, self.first : self.last + 1] = np.asarray(self.shift)[:, None]
        return out

    def covariance(self, rows: int) -> Floats:
        """As `Distortion.covariance`."""
        return np.zeros((2, rows, rows))


@dataclass(frozen=True)
class Serpentine:
    """Rows scanned to and fro: every second one lags by some px along x."""

    lag: float

    def rows(self, _rng: np.random.Generator, frames: int, rows: int, /) -> Floats:
        """As `Distortion.rows`."""
        out = np.zeros((frames, 2, rows))
        out[:, 1, 1::2] = self.lag
        return out

    def covariance(self, rows: int) -> Floats:
        """As `Distortion.covariance`."""
        return np.zeros((2, rows, rows))
