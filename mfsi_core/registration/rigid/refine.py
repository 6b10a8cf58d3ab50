"""Refinement: maximum-likelihood shift of every frame against the mean of the other frames."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import fft

from lbj.array_types import Floats, Singles

from ..threads import summed
from .filled import Filled
from .pairs import noise_filter, taper
from .surfaces import turned

EDGE = 4.0  # px over which a frame fades out at its border
ROUNDS = 15  # most rounds of the refinement
SETTLED = 0.2  # standard errors; rounds end once shifts change by less, rms over the frames
LONGEST_STEP = 1.0  # px by which a frame is moved in one round at most
LOST = 3.0  # px; a frame with a larger error, or moved farther, keeps its first estimate
SEEN = 0.5  # sum of the windows of the other frames at a pixel from which on their mean there is used
LEAST_VARIANCE = 0.1  # least noise variance of a pixel, as a share of the mean one
ZERO, ONE, SINGLE_SEEN = np.float32(0), np.float32(1), np.float32(SEEN)


def refine(images: Singles | Filled, shift: Floats, rows: Floats) -> tuple[Floats, Floats]:
    """Refine rigid shifts of all frames together.

    Every frame, faded out at its border, is placed at its shift on a common grid by a phase ramp in Fourier space. This
    leaves white noise white at any sub-pixel shift, so that no shift is preferred to another. From it the mean of the
    *other* frames is subtracted, with gain and offset fitted since the brightness may drift. The residual is projected
    on the gradient of the mean, which is filtered of noise and weighted by the inverse noise variance; that variance is
    learned from the residuals as a straight line in the intensity. At the fixed point the likelihood of all frames
    given one unknown scene is stationary. At good dose it reaches the bound
    ``(1 - 1/N) / sum(|gradient|² / variance)`` for each frame and direction.

    Parameters
    ----------
    images : (N, Y, X) float32
        At least two frames.
    shift : (N, 2) float64
        First estimate, px, correct to about a pixel.
    rows : (N, Y) float64
        Weight of each row of each frame, 0 where it is missing; it must change gradually from row to row.

    Returns
    -------
    shift : (N, 2) float64
        Zero mean.
    error : (N, 2) float64
        Standard errors expected from the residuals, px.
    """
    frames = len(images)
    start = shift = shift - shift.mean(axis=0)
    stage = _Stage(images, shift, rows)
    error = np.zeros((frames, 2))
    for turn in range(ROUNDS):
        step, error = stage.step(shift)
        step = np.clip(step * (1 - 1 / frames), -LONGEST_STEP, LONGEST_STEP)
        step -= step.mean(axis=0)
        shift = shift + step
        known = np.isfinite(error)
        if turn >= 2 and (step[known] ** 2).sum() < SETTLED**2 * (error[known] ** 2).sum():
            break
    lost = ~(np.maximum(error, np.abs(shift - start)) < LOST).all(axis=1)
    shift = np.where(lost[:, None], start, shift)
    return shift - shift.mean(axis=0), error * math.sqrt(1 - 1 / frames)


class _Stage:
    """Common grid, large enough for all shifts, with the frames' spectra and what else is kept between rounds."""

    def __init__(self, images: Singles | Filled, shift: Floats, seen: Floats) -> None:
        frames, rows, columns = images.shape
        room = [
            n + (0 if n == 1 else 2 * math.ceil(np.abs(shift[:, a]).max()) + 4) for a, n in enumerate((rows, columns))
        ]
        self.size = tuple(int(fft.next_fast_len(n, real=a == 1)) for a, n in enumerate(room))
        self.corner = np.array([(self.size[0] - rows) // 2, (self.size[1] - columns) // 2])
        self.free = np.array([rows > 1, columns > 1])
        edge_y, edge_x = (taper(n, min(EDGE, n / 4)) for n in (rows, columns))
        edges = edge_y * seen
        self.spectra = np.empty((frames, self.size[0], self.size[1] // 2 + 1), np.complex64)
        self.power = np.zeros(self.spectra.shape[1:])
        for image, edge, spectrum in zip(images, edges, self.spectra, strict=True):
            window = np.multiply.outer(edge, edge_x).astype(np.float32)
            mean = float((image * window).sum(dtype=float)) / float(window.sum(dtype=float))
            spectrum[:] = fft.rfft2((image - np.float32(mean)) * window, self.size)
            self.power += np.abs(spectrum) ** 2
        self.power /= frames
        self.windows = fft.fft(edges, self.size[0]), fft.rfft(edge_x, self.size[1])
        self.waves = 2 * np.pi * fft.fftfreq(self.size[0]), 2 * np.pi * fft.rfftfreq(self.size[1])
        self.passed = noise_filter(self.power, frames)
        self.variance = np.ones(self.size, np.float32)
        self.gains = np.ones(frames)

    def step(self, shift: Floats) -> tuple[Floats, Floats]:
        """Correction of every frame's shift and its standard error, (N, 2), px; updates noise variance and gains."""
        lag = shift + self.corner
        ramp_y, ramp_x = (np.exp(-1j * lag[:, a, None] * self.waves[a]) for a in range(2))
        masks_y = np.clip(fft.ifft(self.windows[0] * ramp_y).real, 0, 1).astype(np.float32)
        masks_x = np.clip(fft.irfft(self.windows[1] * ramp_x, self.size[1]), 0, 1).astype(np.float32)
        ramp_y, ramp_x = ramp_y.astype(np.complex64), ramp_x.astype(np.complex64)

        def add(group: NDArray[np.int64]) -> Any:
            out = np.zeros(self.power.shape, np.complex64)
            for n in group:
                out += turned(self.spectra[n], ramp_y[n], ramp_x[n])
            return out

        together = summed(add, len(shift))
        coherence = self._coherence(np.abs(together / len(shift)) ** 2, len(shift))
        total = fft.irfft2(together, self.size)
        cover = masks_y.T @ masks_x
        spectrum = fft.rfft2(total / np.maximum(cover, SEEN))
        smooth = fft.irfft2(spectrum * self.passed, self.size).astype(np.float32)
        raw, clean = self._slopes(spectrum), self._slopes(spectrum * self.passed)
        sums, gains = np.zeros((len(shift), 10)), np.ones(len(shift))
        total = total.astype(np.float32)

        def compare(group: NDArray[np.int64]) -> Singles:
            squares = np.zeros((2, *self.size), np.float32)
            for n in group:
                placed = fft.irfft2(turned(self.spectra[n], ramp_y[n], ramp_x[n]), self.size)
                own = placed, masks_y[n], masks_x[n], total, cover, self.variance
                gains[n], offset = _lines(*own, smooth, self.gains[n])
                sums[n] = _compare(*own, raw, clean, np.float32(self.gains[n]), np.float32(offset), *squares)
            return squares

        power, count = summed(compare, len(shift))
        inverse = _inverse(self.gains[:, None, None] * sums[:, :4].reshape(-1, 2, 2), self.free)
        step = (inverse @ sums[:, 8:, None])[:, :, 0]
        noise = inverse @ sums[:, 4:8].reshape(-1, 2, 2) @ np.swapaxes(inverse, 1, 2)
        error = np.sqrt(np.diagonal(noise, axis1=1, axis2=2)) / coherence
        error[self.free & (np.diagonal(inverse, axis1=1, axis2=2) == 0)] = np.inf
        self.variance = _variance(smooth, power, count)
        self.gains = np.clip(gains / gains.mean(), 0.1, 10.0) if gains.mean() > 0 else np.ones_like(gains)
        return step, error

    def _coherence(self, power: Floats, frames: int) -> Floats:
        """Share of the mean's squared gradient (y, x) that all frames have in common, and that hence is no noise."""
        common = (power - self.power / frames) / (1 - 1 / frames)
        out = np.ones(2)
        for axis, wave in enumerate((self.waves[0][:, None], self.waves[1][None])):
            weight = self.passed * wave**2
            whole = float((weight * power).sum())
            out[axis] = max(float((weight * common).sum()) / whole, 1e-6) if whole > 0 else 1.0
        return out

    def _slopes(self, spectrum: NDArray[np.complex128]) -> Singles:
        """Gradient (y, x) of the image with this spectrum: (2, Y, X)."""
        waves = self.waves[0][:, None], self.waves[1][None]
        return np.stack([fft.irfft2(spectrum * (1j * wave), self.size) for wave in waves]).astype(np.float32)


def _inverse(matrix: Floats, free: NDArray[np.bool_]) -> Floats:
    """Inverse (N, 2, 2) over axes of more than a pixel along which the mean has a gradient; zero for the others."""
    used = free & (np.diagonal(matrix, axis1=1, axis2=2) > 0)
    return np.asarray(np.linalg.pinv(np.where(used[:, :, None] & used[:, None], matrix, 0)))


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _lines(
    placed: Any, down: Any, along: Any, total: Any, cover: Any, variance: Any, smooth: Any, gain: float
) -> tuple[float, float]:
    """Gain of a frame by the weighted fit placed = mask (gain smooth + offset), and its offset from the others' mean.

    The offset is that for the given `gain`, times which the mean of the other frames is taken. The mask is `down` times
    `along`; only pixels that the other frames cover count.
    """
    a = b = c = p = q = r = np.float64(0)
    for y in range(placed.shape[0]):
        a1 = b1 = c1 = p1 = q1 = r1 = ZERO
        edge, own, covered, noise, mean, sum_ = down[y], placed[y], cover[y], variance[y], smooth[y], total[y]
        for x in range(placed.shape[1]):
            mask, value = edge * along[x], own[x]
            rest = covered[x] - mask
            weight = (ONE if rest > SINGLE_SEEN else ZERO) / noise[x]
            inner, model = weight * mask, mean[x]
            a1 += inner * model * model
            b1 += inner * model
            c1 += inner
            p1 += weight * model * value
            q1 += weight * value
            r1 += inner * (sum_[x] - value) / max(rest, SINGLE_SEEN)
        a, b, c, p, q, r = a + a1, b + b1, c + c1, p + p1, q + q1, r + r1
    determinant = a * c - b * b
    found = (p * c - q * b) / determinant if determinant > 1e-6 * a * c else 1.0
    return found, (q - gain * r) / max(c, 1e-30)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
def _compare(
    placed: Any, down: Any, along: Any, total: Any, cover: Any, variance: Any, raw: Any, clean: Any, gain: Any,
    offset: Any, power: Any, count: Any,
) -> Any:  # fmt: skip
    """Normal equations of a frame's shift against the mean of the others, as sums (10,).

    They are the information (2, 2), the covariance that noise gives the right-hand side (2, 2), and that side (2,).
    Squared residuals are added to `power`, and what they are to be divided by to `count`.
    """
    out = np.zeros(10)
    residuals, weights = np.empty(placed.shape[1], np.float32), np.empty(placed.shape[1], np.float32)
    for y in range(placed.shape[0]):
        m0 = m1 = m2 = m3 = n0 = n1 = n3 = s0 = s1 = ZERO
        edge, own, covered, noise, sum_ = down[y], placed[y], cover[y], variance[y], total[y]
        square, divisor = power[y], count[y]
        for x in range(placed.shape[1]):
            mask, value = edge * along[x], own[x]
            rest = covered[x] - mask
            known = ONE if rest > SINGLE_SEEN else ZERO
            rest = max(rest, SINGLE_SEEN)
            residual = value - mask * (gain * (sum_[x] - value) / rest + offset)
            square[x] += known * mask * residual * residual
            divisor[x] += known * mask * mask * mask * (ONE + ONE / rest)
            residuals[x], weights[x] = residual, known / noise[x]
        clean_y, clean_x, raw_y, raw_x = clean[0, y], clean[1, y], raw[0, y], raw[1, y]
        for x in range(placed.shape[1]):
            mask = edge * along[x]
            wy, wx = weights[x] * clean_y[x], weights[x] * clean_x[x]
            m0 += wy * raw_y[x] * mask
            m1 += wy * raw_x[x] * mask
            m2 += wx * raw_y[x] * mask
            m3 += wx * raw_x[x] * mask
            n0 += wy * clean_y[x] * mask * mask
            n1 += wy * clean_x[x] * mask * mask
            n3 += wx * clean_x[x] * mask * mask
            s0 += wy * residuals[x]
            s1 += wx * residuals[x]
        for k, one in enumerate((m0, m1, m2, m3, n0, n1, n1, n3, s0, s1)):
            out[k] += one
    return out


def _variance(mean: Singles, power: Singles, count: Singles) -> Singles:
    """Noise variance, a straight line in the intensity (shot and read-out noise) fitted to the squared residuals."""
    seen = count > SEEN
    x, y, w = mean[seen], power[seen] / count[seen], count[seen]
    level = float((w * y).sum() / w.sum()) if w.size else 0.0
    if level <= 0:
        return np.ones_like(mean)
    x, y, w = x.astype(float), y.astype(float), w.astype(float)
    middle = (w * x).sum() / w.sum()
    spread = (w * (x - middle) ** 2).sum()
    slope = (w * (x - middle) * y).sum() / spread if spread > 0 else 0.0
    return np.asarray(np.maximum(level + slope * (mean - middle), LEAST_VARIANCE * level), np.float32)
