"""Aligned sums: frames resampled onto the scene by their displacements; sums of all or half of them to compare."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import fft

from lbj.array_types import Floats, Mask, Singles

from .rigid.noise import noise_filter
from .rigid.surfaces import turned
from .rows.kernels import lay, legendre
from .threads import summed

SEEN = 0.3  # least weight, in pixels of a frame, that must have fallen on a pixel of the scene for it to count as seen
PAD = 2  # px by which the grid reaches beyond the displaced frames
FINE = 0.05  # share of the scene's power in details too fine for pixels of twice the size, from which none are binned


class Laid:
    """Frames resampled onto the grid of the scene, and their sums.

    Parameters
    ----------
    images : (N, Y, X) float32
        NaN where a pixel is missing.
    modes : (N, Y, K, 2)
        Displacements of the rows, px, as `rows.field.Field.modes`.

    Attributes
    ----------
    shift : (N, 2)
        Displacement of each frame, px.
    halves : (2, 2, H, W) float64
        Sums, as of `frame`, over every second frame and over the others.
    all : (2, H, W) float64
        Sum over all frames.
    corner : (int, int)
        Position in the scene of the first pixel of the grid, with the sign reversed.
    passed : (H, W//2+1) float32
        Wiener filter: share of each Fourier component that is no noise.
    fine : float
        Share of the scene's power at more than 1/4 cycle a pixel.
    """

    def __init__(self, images: Singles, modes: Floats) -> None:
        self.images, self.modes = images, modes
        self.shift = modes[:, :, 0].mean(axis=1)
        curved = np.abs(modes[:, :, 1:]).sum(axis=2)
        low = np.floor((modes[:, :, 0] - curved).min(axis=(0, 1))).astype(int) - PAD
        high = np.ceil((modes[:, :, 0] + curved).max(axis=(0, 1))).astype(int) + PAD
        self.corner = (-int(low[0]), -int(low[1]))
        self.size = tuple(int(fft.next_fast_len(int(n), real=True)) for n in np.array(images.shape[1:]) + high - low)
        self._basis = legendre(modes.shape[2], images.shape[2]).astype(np.float32)
        self._moments = np.array([_moments(image) for image in images], np.float32)

        def add(group: NDArray[np.int64]) -> Singles:
            out = np.zeros((2, 2, *self.size), np.float32)
            for n in group:
                self._add(n, out[n % 2])
            return out

        self.halves: Floats = summed(add, len(images)).astype(float)
        self.all = self.halves.sum(axis=0)
        scene = mean_of(self.all)
        power = np.abs(fft.rfft2(np.where(np.isfinite(scene), scene, 0))) ** 2
        self.passed = noise_filter(power, 1).astype(np.float32)
        power = power * self.passed**2
        power[0, 0] = 0
        coarse = np.abs(fft.fftfreq(self.size[0])) <= 0.25, fft.rfftfreq(self.size[1]) <= 0.25
        self.fine = 1 - float(power[np.ix_(*coarse)].sum()) / max(float(power.sum()), 1e-300)

    def frame(self, n: int) -> Singles:
        """A frame on the grid, and the weights, (2, H, W).

        The intensity, less its mean and divided by its standard deviation, is spread bilinearly over the grid.
        """
        out = np.zeros((2, *self.size), np.float32)
        self._add(n, out)
        return out

    def _add(self, n: int, out: Singles) -> None:
        """Add a frame, and the weights, to `out`, (2, H, W)."""
        (level, scale), modes = self._moments[n], self.modes[n].astype(np.float32)
        lay(modes, self._basis, self.images[n], level, scale, self.corner, out[0], out[1])

    def smooth(self, image: Singles) -> Singles:
        """The image filtered of noise; NaN where a pixel was not seen."""
        return moved(self.waves(image), (0.0, 0.0))

    def waves(self, image: Singles) -> tuple[NDArray[np.complex64], Mask]:
        """Fourier transform of the image filtered of noise, and a mask of the pixels that were not seen."""
        return filtered(image, self.passed)


class Binned:
    """Frames and their sum as of `Laid`, with `factor` x `factor` pixels averaged: 1, or 2 where no detail is lost.

    Frames of fewer than `least` rows are taken as they are.
    """

    def __init__(self, laid: Laid, least: int = 0) -> None:
        self._laid, self.factor = laid, 2 if laid.fine < FINE and laid.images.shape[1] >= least else 1
        self._size = [int(fft.next_fast_len(-(-size // self.factor), real=True)) for size in laid.size]
        self.all = self.of(laid.all)
        rows, columns = (size / self.factor for size in laid.size)
        down, along = fft.fftfreq(self._size[0]) * rows, fft.rfftfreq(self._size[1]) * columns
        self.passed = laid.passed[np.rint(down).astype(int)[:, None], np.rint(along).astype(int)]

    def frame(self, n: int) -> Singles:
        """As `Laid.frame`."""
        return np.asarray(self.of(self._laid.frame(n)))

    def waves(self, laid: NDArray[Any]) -> tuple[NDArray[np.complex64], Mask]:
        """As `filtered`, of the mean image of a sum of frames and its weights, (2, H, W)."""
        return filtered(mean_of(laid), self.passed)

    def of(self, image: NDArray[Any]) -> NDArray[Any]:
        """A sum of frames and its weights on the grid of `Laid`, (2, H, W), binned."""
        if self.factor == 1:
            return image
        rows, columns = (2 * size for size in self._size)
        whole = np.zeros((2, rows, columns), image.dtype)
        whole[:, : image.shape[1], : image.shape[2]] = image
        a = whole[:, ::2] + whole[:, 1::2]
        return np.asarray((a[:, :, ::2] + a[:, :, 1::2]) / a.dtype.type(4))


def filtered(image: Singles, passed: Singles) -> tuple[NDArray[np.complex64], Mask]:
    """Fourier transform of an image, times a filter, and a mask of the pixels that were not seen (NaN)."""
    missing = ~np.isfinite(image)
    return fft.rfft2(np.where(missing, np.float32(0), image)) * passed, missing


def moved(image: tuple[NDArray[np.complex64], Mask], shift: Any) -> Singles:
    """The image that `filtered` transformed, moved: its pixel p + shift comes to p; NaN where it was not seen."""
    spectrum, missing = image
    if np.any(shift):
        turns = fft.fftfreq(len(missing)) * shift[0], fft.rfftfreq(missing.shape[1]) * shift[1]
        spectrum = turned(spectrum, *(np.exp(2j * np.pi * one).astype(np.complex64) for one in turns))
    out = fft.irfft2(spectrum, missing.shape)
    away = np.rint(np.asarray(shift)).astype(int)
    if away.any():
        missing = np.roll(missing, -away, axis=(0, 1))
    for axis, step in enumerate(away):
        gone = [slice(None), slice(None)]
        gone[axis] = slice(-step, None) if step > 0 else slice(0, -step)
        if step:
            missing[tuple(gone)] = True
    out[missing] = np.nan
    return np.asarray(out)


def mean_of(laid: NDArray[Any]) -> Singles:
    """Mean image of a sum and its weights, (2, H, W); NaN where the weight is too small."""
    return np.asarray(_mean(*laid))


@njit(cache=True, nogil=True, error_model="numpy")
def _mean(total: Any, weight: Any) -> Any:
    out = np.empty(total.shape, np.float32)
    for y in range(total.shape[0]):
        one, own, times = out[y], total[y], weight[y]
        for x in range(one.size):
            mean = own[x] / max(times[x], SEEN)
            one[x] = mean if times[x] > SEEN else np.nan
    return out


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "nsz", "arcp", "contract"})
def misfit(first: Any, second: Any) -> Any:
    """Squared difference of two images, (H, W), with a gain and an offset for each row fitted; NaN where one is NaN."""
    rows, columns = first.shape
    out = np.empty((rows, columns), np.float32)
    means = np.zeros((rows, 2), np.float32)
    zero = np.float32(0)
    both = power = 0.0
    for y in range(rows):
        one, other = first[y], second[y]
        count = a = b = ab = bb = zero
        for x in range(columns):
            seen = math.isfinite(one[x]) and math.isfinite(other[x])
            u, v = one[x] if seen else zero, other[x] if seen else zero
            count += np.float32(1) if seen else zero
            a += u
            b += v
            ab += u * v
            bb += v * v
        if count > 0:
            means[y, 0], means[y, 1] = a / count, b / count
            both += ab - a * means[y, 1]
            power += bb - b * means[y, 1]
    gain = np.float32(both / max(power, 1e-300))
    for y in range(rows):
        one, other, square = first[y], second[y], out[y]
        offset = means[y, 0] - gain * means[y, 1]
        for x in range(columns):
            rest = one[x] - gain * other[x] - offset
            square[x] = rest * rest
    return out


@njit(cache=True, nogil=True, fastmath={"reassoc", "nsz", "contract"})
def _moments(image: Any) -> tuple[float, float]:
    """Mean of the pixels that are not missing, and the inverse of their standard deviation."""
    count = total = square = 0.0
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            value = float(image[y, x])
            seen = not math.isnan(value)
            count += 1.0 if seen else 0.0
            total += value if seen else 0.0
            square += value * value if seen else 0.0
    mean = total / max(count, 1.0)
    return mean, 1 / max(math.sqrt(max(square / max(count, 1.0) - mean * mean, 0.0)), 1e-30)
