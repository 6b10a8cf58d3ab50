"""Scene fit: the scene that all frames sampled, filtered of noise, as coefficients of a cubic B-spline."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from lbj.array_types import Singles

from ..rigid.noise import scene_power
from ..rigid.pairs import taper

ROUNDS = 2  # steps of conjugate gradients in each call of `solve`
STEEP = 1e-3  # share of the steepest waves' power below which waves do not matter in `slopes`
INDEPENDENT = 0.5  # independent numbers in each Fourier component of an image that is faded out over half of its width


class SceneFit:
    """B-spline coefficients (knots) on a grid that holds all frames, and the Wiener prior of the scene on it.

    Parameters
    ----------
    shape : (int, int)
        Of a frame.
    room : (int, int)
        Largest displacement to be held, px.

    Attributes
    ----------
    noise_slope : (2,)
        Mean square slope (y, x) of the noise left in the scene, in noise variances of the frames' mean, px⁻².
    taken : float
        Noise that the fitted scene has absorbed and the residuals of all frames lack, in noise variances of a frame.
    signal : (H, W//2+1)
        Power spectrum of the scene, in units of the power of that noise.
    free : (H, W//2+1)
        Fourier transform of the knots as they would be without the prior.
    weight : float
        Information about one position of the scene, as of `solve`.
    """

    def __init__(self, shape: tuple[int, int], room: tuple[int, int]) -> None:
        self.shape = shape
        self.size = tuple(
            int(fft.next_fast_len(n + 2 * r + 8, real=a == 1)) for a, (n, r) in enumerate(zip(shape, room, strict=True))
        )
        top, left = ((s - n) // 2 for s, n in zip(self.size, shape, strict=True))
        self.corner = (top, left)
        self.knots = np.zeros(self.size, np.float32)
        window = np.zeros(self.size)
        window[top : top + shape[0], left : left + shape[1]] = np.multiply.outer(*(taper(n, n / 2) for n in shape))
        self.window = (window / math.sqrt((window**2).mean())).astype(np.float32)
        fy, fx = fft.fftfreq(self.size[0])[:, None], fft.rfftfreq(self.size[1])[None]
        response = ((2 + np.cos(2 * np.pi * fy)) * (2 + np.cos(2 * np.pi * fx)) / 9) ** 2
        self.response = response.astype(np.float32)
        self.square = tuple((2 * np.pi * f).astype(np.float32) ** 2 for f in (fy, fx))
        self.noise_slope, self.taken, self.signal = np.zeros(2), 1.0, response
        self.free, self.weight = np.zeros(response.shape, np.complex64), 0.0
        twice = np.full(self.size[1] // 2 + 1, 2.0, np.float32)
        twice[0] = 1
        if self.size[1] % 2 == 0:
            twice[-1] = 1
        self.twice = twice / np.float32(self.window.size)

    def solve(self, normal: Callable[[Singles], Singles], residual: Singles, weight: float, caution: float) -> None:
        """Improve the knots towards the maximum a posteriori, by conjugate gradients among Fourier coefficients.

        Parameters
        ----------
        normal : function
            Multiplies knots (H, W) with the normal matrix of all frames.
        residual : (H, W)
            Right-hand side of the normal equations less the normal matrix times the present knots.
        weight : float
            Sum over the frames of gain² / noise variance: the information about one position of the scene.
        caution : float
            Share of its maximum that is subtracted from the scene's power spectrum to make the prior.
        """
        area = self.window.size
        waves, rest = fft.rfft2(self.knots), fft.rfft2(residual)
        seen = fft.irfft2(rest / weight + self.response * waves, self.size) * self.window
        power = np.abs(fft.rfft2(seen)) ** 2 * (weight / area) / self.response  # in units of the noise power
        signal = scene_power(power, INDEPENDENT, narrowest=3)
        signal = np.maximum(signal - caution * float(signal.max()), 1e-6)
        signal.flat[0] = max(signal.flat[0], power.flat[0])
        self.signal, self.weight = signal, weight
        self.free = waves + rest / (weight * self.response)
        prior = weight * self.response / signal
        inverse = 1 / (weight * self.response + prior)
        passed = weight * self.response * inverse
        self.taken = float(((2 - passed) * passed * self.twice).sum(dtype=np.float64))
        passed = passed**2 * self.twice
        self.noise_slope = np.array([float((passed * square).sum(dtype=np.float64)) for square in self.square])

        def inner(a: NDArray[np.complex64], b: NDArray[np.complex64]) -> float:
            return float(((a.real * b.real + a.imag * b.imag).sum(axis=0, dtype=np.float64) * self.twice).sum())

        rest = rest - prior * waves
        direction = inverse * rest
        square = inner(rest, direction)
        for _ in range(ROUNDS):
            if square <= 0:
                break
            along = fft.irfft2(direction, self.size)
            step = fft.rfft2(normal(along)) + prior * direction
            alpha = square / inner(direction, step)
            self.knots = self.knots + np.float32(alpha) * along
            rest = rest - np.float32(alpha) * step
            z = inverse * rest
            before, square = square, inner(rest, z)
            direction = z + np.float32(square / before) * direction

    def slopes(self) -> tuple[NDArray[np.complex64], NDArray[np.complex64], Singles]:
        """What a displacement of the scene's rows does to it, for the K waves along the rows (x) that matter in this.

        Returns the Fourier transforms along x of its slopes (y, x), (2, K, H) px⁻¹; those along x and y of the scene as
        it were without its prior, (K, H); and the information in the prior about each component of it, (K, H), if the
        scene is free within its noise.
        """
        turn = [2j * np.pi * f for f in (fft.fftfreq(self.size[0])[:, None], fft.rfftfreq(self.size[1]))]
        waves = np.sqrt(self.response) * fft.rfft2(self.knots)
        steep = np.add(*((np.abs(waves * t) ** 2).sum(axis=0) for t in turn))
        kept = steep >= STEEP * steep.max()
        turn[1] = turn[1][kept]
        along = np.stack([(waves[:, kept] * t).T for t in turn]).astype(np.complex64)
        free = (np.sqrt(self.response[:, kept]) * self.free[:, kept]).T
        told = self.weight * self.size[0] * self.twice[kept, None] / (1 + self.signal[:, kept].T)
        return fft.ifft(along), free, told.astype(np.float32)
