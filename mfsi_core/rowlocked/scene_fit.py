"""Scene fit: the scene that all frames sampled, freed of noise, as knots of a cubic B-spline."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from ..pairs import taper

Floats = NDArray[np.float64]

ROUNDS = 3
CAUTION = 1.5  # noise powers that never count as the scene's


class SceneFit:
    """Grid of knots wide enough for all frames, and the Wiener prior of the scene on it.

    Parameters
    ----------
    shape : (int, int)
        Of a frame.
    room : (int, int)
        Largest displacement to be held, px.
    """

    def __init__(self, shape: tuple[int, int], room: tuple[int, int]) -> None:
        self.shape = shape
        self.size = tuple(
            int(fft.next_fast_len(n + 2 * r + 8, real=a == 1)) for a, (n, r) in enumerate(zip(shape, room, strict=True))
        )
        top, left = ((s - n) // 2 for s, n in zip(self.size, shape, strict=True))
        self.corner = (float(top), float(left))
        self.knots = np.zeros(self.size)
        window = np.zeros(self.size)
        window[top : top + shape[0], left : left + shape[1]] = np.multiply.outer(*(taper(n, n / 2) for n in shape))
        self.window = window / math.sqrt((window**2).mean())
        fy, fx = fft.fftfreq(self.size[0])[:, None], fft.rfftfreq(self.size[1])[None]
        self.response = ((2 + np.cos(2 * np.pi * fy)) * (2 + np.cos(2 * np.pi * fx)) / 9) ** 2

    def solve(
        self, normal: Callable[[Floats], Floats], right: Floats, product: Floats, weight: float, caution: float
    ) -> None:
        """Improve the knots towards the maximum a posteriori.

        Parameters
        ----------
        normal : function
            Multiplies knots (H, W) with the normal matrix of all frames.
        right : (H, W)
            Right-hand side of the normal equations.
        product : (H, W)
            Normal matrix times the present knots.
        weight : float
            Sum over the frames of gain² / variance: what one scene position was seen with.
        caution : float
            Share of its maximum, or noise powers where those are more, by which the smoothed periodogram is lowered to
            make the prior.
        """
        area = self.window.size
        power = np.abs(fft.rfft2(right / weight * self.window)) ** 2 / area / self.response**2
        floor = 1 / (weight * self.response)
        smooth = ndimage.uniform_filter(power / floor, 3, mode="wrap")
        signal = np.maximum(smooth - max(caution * float(smooth.max()), CAUTION), 1e-6) * floor
        signal.flat[0] = max(signal.flat[0], power.flat[0])
        prior = 1 / signal
        inverse = 1 / (weight * self.response + prior)

        def held(c: Floats) -> Floats:
            return np.asarray(fft.irfft2(prior * fft.rfft2(c), self.size))

        knots = self.knots
        residual = right - product - held(knots)
        z = fft.irfft2(inverse * fft.rfft2(residual), self.size)
        direction, square = z, float((residual * z).sum())
        for _ in range(ROUNDS):
            if square <= 0:
                break
            step = normal(direction) + held(direction)
            alpha = square / float((direction * step).sum())
            knots = knots + alpha * direction
            residual = residual - alpha * step
            z = fft.irfft2(inverse * fft.rfft2(residual), self.size)
            before, square = square, float((residual * z).sum())
            direction = z + square / before * direction
        self.knots = knots
