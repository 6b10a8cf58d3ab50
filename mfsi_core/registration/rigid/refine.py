"""Refinement: joint maximum-likelihood shifts of a series against its own mean."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from .pairs import noise_filter, taper

Floats = NDArray[np.float64]

EDGE = 4.0  # px over which a frame fades out at its border
ROUNDS = 15
SETTLED = 0.2  # standard errors, rms over the frames
LONGEST_STEP = 1.0  # px
LOST = 3.0  # px; a frame refined worse or farther than this keeps its first estimate
SEEN = 0.5  # sum of the other frames' windows from which on their mean is taken for known
LEAST_VARIANCE = 0.1  # of the mean variance


def refine(images: Floats, shift: Floats, rows: Floats) -> tuple[Floats, Floats]:
    """Refine rigid shifts of all frames together.

    Every frame, faded out at its border, is laid at its shift on one grid by a phase ramp, which leaves white noise
    white at any sub-pixel shift: no phase is preferred. What remains of it less the mean of the *other* frames (with
    gain and offset fitted, brightness may drift) is projected on the gradient of the mean, freed of noise and weighted
    by the inverse variance, which is learned from the residuals as a straight line in the intensity. At the fixed
    point the likelihood of all frames given one unknown scene is stationary; the bound it meets at good dose is
    ``(1 - 1/N) / sum(|gradient|² / variance)`` for each frame and direction.

    Parameters
    ----------
    images : (N, Y, X) float64
        At least two frames.
    shift : (N, 2) float64
        First estimate, px, right to about a pixel.
    rows : (N, Y) float64
        Weight of each row of each frame, 0 where it is missing, changing gradually.

    Returns
    -------
    shift : (N, 2) float64
        Zero mean.
    error : (N, 2) float64
        Standard errors that the residuals let expect, px.
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
    """Grid on which the frames are laid, wide enough for all shifts, and what does not change between rounds."""

    def __init__(self, images: Floats, shift: Floats, seen: Floats) -> None:
        frames, rows, columns = images.shape
        room = [
            n + (0 if n == 1 else 2 * math.ceil(np.abs(shift[:, a]).max()) + 4) for a, n in enumerate((rows, columns))
        ]
        self.size = tuple(int(fft.next_fast_len(n, real=a == 1)) for a, n in enumerate(room))
        self.corner = np.array([(self.size[0] - rows) // 2, (self.size[1] - columns) // 2])
        self.free = np.array([rows > 1, columns > 1])
        edge_y, edge_x = (taper(n, min(EDGE, n / 4)) for n in (rows, columns))
        edges = edge_y * seen
        window = edges[:, :, None] * edge_x
        mean = (images * window).sum(axis=(1, 2)) / window.sum(axis=(1, 2))
        self.spectra = fft.rfft2((images - mean[:, None, None]) * window, self.size)
        self.windows = fft.fft(edges, self.size[0]), fft.rfft(edge_x, self.size[1])
        self.waves = 2 * np.pi * fft.fftfreq(self.size[0]), 2 * np.pi * fft.rfftfreq(self.size[1])
        self.power = (np.abs(self.spectra) ** 2).mean(axis=0)
        self.passed = noise_filter(self.power, frames)
        self.variance = np.ones(self.size)
        self.gains = np.ones(frames)

    def step(self, shift: Floats) -> tuple[Floats, Floats]:
        """Correction and standard error of every frame's shift, all (N, 2), px; learns the variance."""
        lag = shift + self.corner
        ramp_y, ramp_x = (np.exp(-1j * lag[:, a, None] * self.waves[a]) for a in range(2))
        masks_y = np.clip(fft.ifft(self.windows[0] * ramp_y).real, 0, 1)
        masks_x = np.clip(fft.irfft(self.windows[1] * ramp_x, self.size[1]), 0, 1)
        together = np.einsum("nyx,ny,nx->yx", self.spectra, ramp_y, ramp_x, optimize=True)
        coherence = self._coherence(np.abs(together / len(shift)) ** 2, len(shift))
        total = fft.irfft2(together, self.size)
        cover = masks_y.T @ masks_x
        spectrum = fft.rfft2(total / np.maximum(cover, SEEN))
        smooth = fft.irfft2(spectrum * self.passed, self.size)
        raw = self._slopes(spectrum)
        clean = self._slopes(spectrum * self.passed)
        step, error, gains = np.zeros_like(shift), np.zeros_like(shift), np.ones(len(shift))
        power, count = np.zeros(self.size), np.zeros(self.size)
        for n in range(len(shift)):
            mask = np.multiply.outer(masks_y[n], masks_x[n])
            placed = fft.irfft2(self.spectra[n] * ramp_y[n][:, None] * ramp_x[n], self.size)
            rest = cover - mask
            known = rest > SEEN
            weight = np.where(known, 1 / self.variance, 0)
            gains[n], _ = _line(smooth, placed, mask, weight)
            model = self.gains[n] * (total - placed) / np.maximum(rest, SEEN)
            offset = (weight * (placed - mask * model)).sum() / max(float((weight * mask).sum()), 1e-300)
            residual = placed - mask * (model + offset)
            power += residual**2 * mask * known
            count += mask**3 * (1 + 1 / np.maximum(rest, SEEN)) * known
            weighted = clean * weight
            matrix = self.gains[n] * np.einsum("ayx,byx,yx->ab", weighted, raw, mask)
            noise = np.einsum("ayx,byx,yx->ab", weighted, clean, mask**2)
            inverse = _inverse(matrix, self.free)
            step[n] = inverse @ (weighted * residual).sum(axis=(1, 2))
            error[n] = np.sqrt(np.diag(inverse @ noise @ inverse.T)) / coherence
            error[n, self.free & (np.diag(inverse) == 0)] = np.inf
        self.variance = _variance(smooth, power, count)
        self.gains = np.clip(gains / gains.mean(), 0.1, 10.0) if gains.mean() > 0 else np.ones_like(gains)
        return step, error

    def _coherence(self, power: Floats, frames: int) -> Floats:
        """Share of the mean's squared gradient (y, x) that is the scene's and not noise: what frames have in common."""
        common = (power - self.power / frames) / (1 - 1 / frames)
        out = np.ones(2)
        for axis, wave in enumerate((self.waves[0][:, None], self.waves[1][None])):
            weight = self.passed * wave**2
            whole = float((weight * power).sum())
            out[axis] = max(float((weight * common).sum()) / whole, 1e-6) if whole > 0 else 1.0
        return out

    def _slopes(self, spectrum: NDArray[np.complex128]) -> Floats:
        """Gradient (y, x) of the image with this spectrum: (2, Y, X)."""
        waves = self.waves[0][:, None], self.waves[1][None]
        return np.stack([fft.irfft2(spectrum * (1j * wave), self.size) for wave in waves])


def _inverse(matrix: Floats, free: NDArray[np.bool_]) -> Floats:
    """Inverse over the directions in which frames can move and the mean has a gradient; zeros for the others."""
    used = free & (np.diag(matrix) > 0)
    out = np.zeros((2, 2))
    if used.any():
        out[np.ix_(used, used)] = np.linalg.pinv(matrix[np.ix_(used, used)])
    return out


def _line(x: Floats, y: Floats, mask: Floats, weight: Floats) -> tuple[float, float]:
    """Weighted fit of y = mask (gain x + offset)."""
    inner = weight * mask
    a, b, c = (inner * x * x).sum(), (inner * x).sum(), inner.sum()
    p, q = (weight * x * y).sum(), (weight * y).sum()
    determinant = a * c - b * b
    if determinant <= 1e-12 * a * c:
        return 1.0, 0.0
    return float((p * c - q * b) / determinant), float((a * q - b * p) / determinant)


def _variance(mean: Floats, power: Floats, count: Floats) -> Floats:
    """Noise variance as a straight line in the intensity (shot on read-out noise), fitted to the squared residuals."""
    seen = count > SEEN
    x, y, w = mean[seen], power[seen] / count[seen], count[seen]
    level = float((w * y).sum() / w.sum()) if w.size else 0.0
    if level <= 0:
        return np.ones_like(mean)
    middle = (w * x).sum() / w.sum()
    spread = (w * (x - middle) ** 2).sum()
    slope = (w * (x - middle) * y).sum() / spread if spread > 0 else 0.0
    return np.asarray(np.maximum(level + slope * (mean - middle), LEAST_VARIANCE * level))
