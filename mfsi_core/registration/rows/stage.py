"""Stage: state of the joint fit of scene and rows; runs the kernels over the frames in threads."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lbj.array_types import Floats, Singles

from ..threads import each
from .kernels import CHANNELS, DEGREES, STATISTICS, legendre, look, spread
from .scene import SceneFit
from .unknowns import SHADES, information

BANDS = 8  # bands of rows, each of which a thread fits the scene to; fixed, so that sums are the same on any computer
FEW = 4  # frames that a thread works on at a time
MISFIT = 6.0  # standard deviations by which a row's sum of squared residuals may exceed its expectation
CONTRAST = 0.02  # share of the scene's variance by which a row's mean squared residual may exceed the noise besides
MOST = 10.0  # noise variances that this allowance is at most, however strong the scene
BEST = 0.25  # share of each frame's rows that are assumed to fit
LEAST_VARIANCE = 0.1  # least noise variance of a pixel, as a share of the mean one


def _likely(pixels: Singles) -> Singles:
    """Sum of squared residuals / variance over this many pixels that noise alone hardly exceeds."""
    return np.asarray(pixels + MISFIT * np.sqrt(2 * pixels) + 1, np.float32)


class Stage:
    """Frames (N, Y, X) of mean 0 and standard deviation 1, NaN where a pixel is missing, and a scene."""

    def __init__(self, images: Singles, scene: SceneFit) -> None:
        self.images, self.scene = images, scene
        frames, rows, columns = images.shape
        self.basis = legendre(DEGREES, columns).astype(np.float32)
        self.bright = np.zeros((frames, rows, SHADES + 1), np.float32)
        mean, square = np.zeros(frames), np.zeros(frames)
        for n, image in enumerate(images):
            values = np.clip(image[np.isfinite(image)], -10, 10)
            if values.size:
                mean[n], square[n] = values.mean(dtype=np.float64), np.square(values).mean(dtype=np.float64)
        self.lines = np.stack([np.ones(frames), mean], axis=1)
        self.noise = np.array([float(square.mean()) or 1.0, 0.0, 0.0])
        self.contrast, self.level = 0.0, 0.0
        self.trust = np.ones((frames, rows), np.float32)
        self.misfit = np.zeros((frames, rows), np.float32)
        self.few = np.array_split(np.arange(frames), -(-frames // FEW))

    def fit_scene(self, modes: Singles, caution: float) -> None:
        """Fit the scene to the frames at their displacements."""
        lines, noise = self.lines.astype(np.float32), self.noise.astype(np.float32)
        weight = self.lines[:, 0] ** 2 / np.maximum(self.noise[0] + self.noise[1] * self.lines[:, 1], self.noise[2])
        weights = weight.astype(np.float32)
        none = np.empty((0, *self.images.shape[1:]), np.float32)
        bands = self._bands(modes)

        def total(knots: Singles, *, residual: bool) -> Singles:
            def work(band: tuple[slice, slice]) -> Singles:
                rows, place = band
                out = np.zeros((place.stop - place.start, self.scene.size[1]), np.float32)
                corner = self.scene.corner[0] - place.start, self.scene.corner[1]
                spread(knots[place], corner, (rows.start, rows.stop), modes, self.bright, self.basis,
                       self.images if residual else none, lines, noise, weights, self.trust, out)  # fmt: skip
                return out

            out = np.zeros(self.scene.size, np.float32)
            for (_, place), part in zip(bands, each(work, bands), strict=True):
                out[place] += part
            return out

        rest = total(self.scene.knots, residual=True)
        self.scene.solve(lambda knots: total(knots, residual=False), rest, float(weight.sum()), caution)

    def _bands(self, modes: Singles) -> list[tuple[slice, slice]]:
        """Rows of the frames in a few bands, and the rows of knots that each needs in all frames."""
        curved = np.abs(modes[:, :, 1:, 0]).sum(axis=2)
        place = np.arange(modes.shape[1]) + self.scene.corner[0]
        low = np.floor((modes[:, :, 0, 0] - curved).min(axis=0) + place).astype(int) - 2
        high = np.ceil((modes[:, :, 0, 0] + curved).max(axis=0) + place).astype(int) + 4
        edges = np.linspace(0, len(place), min(BANDS, len(place)) + 1).astype(int)
        return [
            (slice(a, b), slice(max(int(low[a:b].min()), 0), min(int(high[a:b].max()), self.scene.size[0])))
            for a, b in pairwise(edges)
        ]

    def look(
        self, modes: Singles, work: Callable[[NDArray[np.int64], Singles, Singles], Any] | None = None
    ) -> list[Any]:
        """Compare the frames with the scene; fit gains, offsets and noise; return what `work` makes of each group.

        `work` is given the numbers of the frames (n,) and the normal equations of their rows: the matrix (information),
        (n, M, M, Y), and the right-hand side (pull), (n, M, Y).
        """
        rows = self.images.shape[1]
        lines, noise = self.lines.astype(np.float32), self.noise.astype(np.float32)
        statistics = np.empty((len(self.images), STATISTICS))

        def one(group: NDArray[np.int64]) -> Any:
            sums = np.zeros((group.size, CHANNELS, DEGREES, 0 if work is None else rows), np.float32)
            for k, n in enumerate(group):
                look(self.scene.knots, self.scene.corner, modes[n], self.bright[n], self.basis, self.images[n],
                     lines[n], noise, self.trust[n], sums[k], statistics[n])  # fmt: skip
            if work is None:
                return None
            self.misfit[group] = sums[:, 16, 0] / _likely(sums[:, 15, 0])
            return work(group, *self._attenuated(sums))

        found = each(one, self.few)
        self._fit_noise(statistics.sum(axis=0), len(statistics))
        self._fit_lines(statistics)
        return found

    def _attenuated(self, sums: Singles) -> tuple[Singles, Singles]:
        """Normal equations of the rows, corrected for the noise in the gradient of the fitted scene.

        That noise makes the gradient look steeper than it is. Let F be the information computed from it and N the part
        due to noise: a displacement d then gives a pull of (F - N) d on average, with the variance F, which is worth
        the information (F - N)² / F.
        """
        feigned = sums[:, 15, 0] * float(self.scene.noise_slope.sum()) / len(self.images)
        seen = np.maximum(sums[:, 0, 0] + sums[:, 2, 0], 1e-30)
        return information(sums, np.clip(1 - feigned / seen, 0, 1))

    def doubt(self) -> bool:
        """Lower the weight of rows that fit badly; returns whether there are any.

        A row's misfit is compared with what noise and contrast allow or, if that is more, with that of the best rows of
        its frame. Up to there the weight is 1, and it falls to 0 at twice as much.
        """
        least = 1 + min(CONTRAST * self.contrast, MOST)
        best = np.quantile(self.misfit, BEST, axis=1, keepdims=True)
        self.trust = np.clip(2 - self.misfit / np.maximum(best, least), 0, 1).astype(np.float32)
        return bool((self.trust < 1).any())

    def _fit_noise(self, s: Floats, frames: int) -> None:
        """Fit the noise variance as a straight line in the intensity, from sums over squared residuals."""
        count = max(float(s[5]), 1e-300)
        mean = s[6] / count
        self.level = level = float(s[8] / count)
        spread_ = s[7] / count - mean**2
        slope = (s[9] / count - mean * level) / spread_ if spread_ > 0 else 0.0
        self.contrast = max(spread_, 0.0) / max(level, 1e-300)
        lowest = mean - 2 * math.sqrt(max(spread_, 0.0))
        slope = float(np.clip(slope, 0.0, (1 - LEAST_VARIANCE) * level / max(mean - lowest, 1e-300)))
        free = frames / (frames - min(self.scene.taken, 1.0))
        self.noise = np.array([level - slope * mean, slope, LEAST_VARIANCE * level]) * free

    def _fit_lines(self, s: Floats) -> None:
        """Weighted fit of image = gain * scene + offset, frame by frame."""
        determinant = s[:, 0] * s[:, 2] - s[:, 1] ** 2
        good = determinant > 1e-6 * s[:, 0] * s[:, 2]
        safe = np.where(good, determinant, 1.0)
        gain = np.where(good, (s[:, 0] * s[:, 4] - s[:, 1] * s[:, 3]) / safe, 1.0)
        gain = np.clip(gain / gain.mean(), 0.1, 10.0)
        self.lines = np.stack([gain, (s[:, 3] - gain * s[:, 1]) / np.maximum(s[:, 0], 1e-300)], axis=1)
