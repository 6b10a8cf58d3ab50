"""Refinement: maximum-likelihood shift of every frame against the mean of the other frames."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import fft

from lbj.array_types import Floats, Singles

from ..threads import each
from .filled import Filled
from .noise import faint_filter, noise_floor
from .pairs import taper
from .surfaces import turned, turned_sum

EDGE = 4.0  # px over which a frame fades out at its border
ROUNDS = 15  # most rounds of the refinement
SETTLED = 0.2  # standard errors; rounds end once shifts change by less, rms over the frames
LONGEST_STEP = 1.0  # px by which a frame is moved in one round at most
LOST = 3.0  # px; a frame with a larger error, or moved farther, keeps its first estimate
SEEN = 0.5  # sum of the windows of the other frames at a pixel from which on their mean there is used
FAINT = 0.01  # share of what tells of shifts along an axis that may be lost at frequencies that are left out
LEAST_GRID = 64  # grid points along an axis from which on a grid may be made coarser, down to these
BANDS = 8  # bands of Fourier components, each of which a thread sums over the frames
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
        self.floor = noise_floor(self.power, frames)
        together = np.abs(self._sum(*self._ramps(shift))) ** 2
        self._coarsen(self._common(together / frames**2), faint_filter(together, frames * self.floor))
        self.variance = np.ones(self.size, np.float32)
        self.gains = np.ones(frames)

    def _coarsen(self, common: Floats, passed: Singles) -> None:
        """Leave out the high frequencies, along each axis, at which frames have too little in common to tell of shifts.

        `common`: power spectrum of what the frames have in common; `passed`: Wiener filter of their mean.
        """
        told = np.maximum(common, 0) * passed**2
        for axis, wave in enumerate(self.waves):
            size = self.size[axis]
            new = min(size, _coarser(wave, told.sum(axis=1 - axis) * wave**2, size, real=axis == 1))
            if new == size:
                continue
            half = (new - 1) // 2  # none at half a cycle a grid point, whose phase is not defined
            old = np.arange(-half, half + 1) % size if axis == 0 else np.arange(half + 1)
            there = np.arange(-half, half + 1) % new if axis == 0 else old
            length, share = new if axis == 0 else new // 2 + 1, np.float32(new / size)

            def kept(values: Any, at: int, old: Any = old, there: Any = there, length: int = length) -> Any:
                out = np.zeros((*values.shape[:at], length, *values.shape[at + 1 :]), values.dtype)
                out[(slice(None),) * at + (there,)] = values[(slice(None),) * at + (old,)]
                return out

            self.spectra = kept(self.spectra, 1 + axis)
            self.spectra *= share
            self.floor *= float(share) ** 2
            self.power = kept(self.power, axis) * float(share) ** 2
            windows, waves, sizes = list(self.windows), list(self.waves), list(self.size)
            windows[axis] = kept(windows[axis], windows[axis].ndim - 1) * share
            waves[axis], sizes[axis] = kept(wave, 0), new
            self.windows, self.waves, self.size = (windows[0], windows[1]), (waves[0], waves[1]), (sizes[0], sizes[1])

    def _ramps(self, shift: Floats) -> list[NDArray[np.complex128]]:
        """Phase ramps along y, (N, H), and x, (N, W//2+1), that place the frames on the grid."""
        lag = shift + self.corner
        return [np.exp(-1j * lag[:, a, None] * self.waves[a]) for a in range(2)]

    def _sum(self, ramp_y: NDArray[Any], ramp_x: NDArray[Any]) -> NDArray[np.complex64]:
        """Spectrum of the sum of the frames, placed by the phase ramps."""
        out = np.empty(self.power.shape, np.complex64)
        ramps = ramp_y.astype(np.complex64), ramp_x.astype(np.complex64)
        edges = np.linspace(0, len(out), min(BANDS, len(out)) + 1).astype(int)
        each(lambda k: turned_sum(self.spectra, *ramps, edges[k], edges[k + 1], out), range(len(edges) - 1))
        return out

    def step(self, shift: Floats) -> tuple[Floats, Floats]:
        """Correction of every frame's shift and its standard error, (N, 2), px; updates noise variance and gains."""
        frames = len(shift)
        ramp_y, ramp_x = self._ramps(shift)
        masks_y = np.clip(fft.ifft(self.windows[0] * ramp_y).real, 0, 1).astype(np.float32)
        masks_x = np.clip(fft.irfft(self.windows[1] * ramp_x, self.size[1]), 0, 1).astype(np.float32)
        together = self._sum(ramp_y, ramp_x)
        ramp_y, ramp_x = ramp_y.astype(np.complex64), ramp_x.astype(np.complex64)
        power = np.abs(together) ** 2
        passed = faint_filter(power, frames * self.floor)
        coherence = self._coherence(power / frames**2, passed)
        total = fft.irfft2(together, self.size)
        cover = masks_y.T @ masks_x
        spectrum = fft.rfft2(total / np.maximum(cover, SINGLE_SEEN))
        smooth = fft.irfft2(spectrum * passed, self.size)
        raw, clean = self._slopes(spectrum), self._slopes(spectrum * passed)
        sums, gains, moments = np.zeros((frames, 10)), np.ones(frames), np.zeros((frames, 5))

        def compare(n: int) -> None:
            placed = fft.irfft2(turned(self.spectra[n], ramp_y[n], ramp_x[n]), self.size)
            own = placed, masks_y[n], masks_x[n], total, cover, self.variance, smooth
            gains[n], offset = _lines(*own, self.gains[n])
            _compare(*own, raw, clean, np.float32(self.gains[n]), np.float32(offset), sums[n], moments[n])

        each(compare, range(frames))
        inverse = _inverse(self.gains[:, None, None] * sums[:, :4].reshape(-1, 2, 2), self.free)
        step = (inverse @ sums[:, 8:, None])[:, :, 0]
        noise = inverse @ sums[:, 4:8].reshape(-1, 2, 2) @ np.swapaxes(inverse, 1, 2)
        error = np.sqrt(np.diagonal(noise, axis1=1, axis2=2)) / coherence
        error[self.free & (np.diagonal(inverse, axis1=1, axis2=2) == 0)] = np.inf
        self.variance = _variance(smooth, moments.sum(axis=0))
        self.gains = np.clip(gains / gains.mean(), 0.1, 10.0) if gains.mean() > 0 else np.ones_like(gains)
        return step, error

    def _common(self, power: Floats) -> Floats:
        """Power spectrum of what the frames have in common, from that of their mean, without bias by noise."""
        frames = len(self.spectra)
        return np.asarray((power - self.power / frames) / (1 - 1 / frames))

    def _coherence(self, power: Floats, passed: Singles) -> Floats:
        """Share of the filtered mean's squared gradient (y, x) that frames have in common, and that is no noise."""
        common = self._common(power)
        out = np.ones(2)
        for axis, wave in enumerate((self.waves[0][:, None], self.waves[1][None])):
            weight = passed * wave**2
            whole = float((weight * power).sum())
            out[axis] = max(float((weight * common).sum()) / whole, 1e-6) if whole > 0 else 1.0
        return out

    def _slopes(self, spectrum: NDArray[np.complex64]) -> Singles:
        """Gradient (y, x) of the image with this spectrum: (2, Y, X)."""
        waves = self.waves[0][:, None], self.waves[1][None]
        return np.stack([fft.irfft2(spectrum * (1j * wave).astype(np.complex64), self.size) for wave in waves])


def _coarser(wave: Floats, told: Floats, size: int, *, real: bool) -> int:
    """Grid points for an axis of `size` so that only the share `FAINT` of what is `told` at each frequency is lost."""
    order = np.argsort(np.abs(wave))
    share = np.cumsum(told[order])
    if size <= LEAST_GRID or not share[-1] > 0:
        return size
    highest = float(np.abs(wave[order[np.searchsorted(share, (1 - FAINT) * share[-1])]])) / (2 * np.pi) * size
    return int(fft.next_fast_len(max(2 * round(highest) + 2, LEAST_GRID), real=real))


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
    placed: Any, down: Any, along: Any, total: Any, cover: Any, variance: Any, smooth: Any, raw: Any, clean: Any,
    gain: Any, offset: Any, sums: Any, moments: Any,
) -> None:  # fmt: skip
    """Normal equations of a frame's shift against the mean of the others, added to `sums` (10,).

    They are the information (2, 2), the covariance that noise gives the right-hand side (2, 2), and that side (2,).
    Added to `moments` (5,) are the squared residuals and what they are to be divided by, as sums and times the
    intensity, and the divisor times the intensity squared.
    """
    residuals, weights = np.empty(placed.shape[1], np.float32), np.empty(placed.shape[1], np.float32)
    for y in range(placed.shape[0]):
        m0 = m1 = m2 = m3 = n0 = n1 = n3 = s0 = s1 = ZERO
        v0 = v1 = v2 = v3 = v4 = ZERO
        edge, own, covered, noise, sum_, mean = down[y], placed[y], cover[y], variance[y], total[y], smooth[y]
        for x in range(placed.shape[1]):
            mask, value, level = edge * along[x], own[x], mean[x]
            rest = covered[x] - mask
            known = ONE if rest > SINGLE_SEEN else ZERO
            rest = max(rest, SINGLE_SEEN)
            residual = value - mask * (gain * (sum_[x] - value) / rest + offset)
            square = known * mask * residual * residual
            divisor = known * mask * mask * mask * (ONE + ONE / rest)
            v0 += square
            v1 += square * level
            v2 += divisor
            v3 += divisor * level
            v4 += divisor * level * level
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
            sums[k] += one
        for k, one in enumerate((v0, v1, v2, v3, v4)):
            moments[k] += one


def _variance(mean: Singles, moments: Floats) -> Singles:
    """Noise variance, a straight line in the intensity (shot and read-out noise) fitted to the squared residuals.

    `moments`: as of `_compare`, of all frames.
    """
    square, by_mean, count, first, second = moments
    level = float(square / count) if count > 0 else 0.0
    if level <= 0:
        return np.ones_like(mean)
    middle = first / count
    spread = second - count * middle**2
    slope = (by_mean - middle * square) / spread if spread > 0 else 0.0
    line = level + np.float32(slope) * (mean - np.float32(middle))
    return np.asarray(np.maximum(line, np.float32(LEAST_VARIANCE * level)), np.float32)
