"""Field: displacement of every row of every frame, estimated together with the scene."""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .jitter import Jitter, information, variance
from .kernels import STATISTICS, legendre, look, spread
from .scene_fit import SceneFit

Floats = NDArray[np.float64]

MODES = 4  # of a row: Legendre polynomials up to the third degree
ROUNDS = 15
SETTLED = 0.1  # of the predicted error, the change at which rounds end
FIRST_SPREAD = 0.3  # px rms
# Share of the scene's strongest wave below which waves count as none of it, in the first round and from round to round.
# Rows misplaced in the scene and in all frames alike roughen the scene; kept smooth at first it lets them find their
# places.
ROUGH, FALL = 0.02, 0.2
FEWEST = 6  # rounds, after which that share is as low as noise
LONGEST_STEP = 1.0  # px
LEFT = 0.02  # of the jitter, what rounds leave of it where there is no noise; on simulations
LEAST_VARIANCE = 0.1  # of the mean variance
CHANCE = 1.3  # times the noise of a mean, the displacement that all frames share and that is believed
MISFIT = 0.3  # the same, times the jitter of a mean: rounds leave some of it


@dataclass
class Field:
    """Displacements of rows.

    Attributes
    ----------
    modes : (N, Y, K, 2)
        Coefficients of Legendre polynomials along the row, px (y, x); zero mean over frames and rows.
    error : (N,)
        Error of one component expected from the noise, px rms.
    power : array
        `Jitter.power` learned.
    """

    modes: Floats
    error: Floats
    power: Floats

    def displacement(self, columns: int) -> NDArray[np.float32]:
        """(N, 2, Y, X) px."""
        basis = legendre(self.modes.shape[2], columns)
        return np.asarray(np.einsum("nyka,kx->nayx", self.modes, basis, optimize=True), np.float32)


def row_locked(images: Floats, shift: Floats, before: Field | None = None) -> Field:
    """Estimate the displacement of every row.

    The scene is a cubic B-spline with a Wiener prior learned from the frames' common power spectrum. Each row of each
    frame is displaced by a cubic along the row, whose coefficients are Gaussian processes from row to row with
    power spectra learned by expectation maximisation. Gain, offset and noise variance (a straight line in the
    intensity) are fitted. Scene and displacements take turns until the maximum a posteriori. What all frames share is
    kept where it is seen (`_unseen`).

    Parameters
    ----------
    images : (N, Y, X) float64
        Finite, two or more.
    shift : (N, 2)
        Rigid displacements, px, right to about a pixel.
    before : Field, optional
        What was found for the first frames, to be refined with those that came since.

    Returns
    -------
    Field
    """
    frames, rows, columns = images.shape
    scale = float(images.std())
    images = images / scale
    modes = np.zeros((frames, rows, MODES, 2))
    modes[:, :, 0] = (shift - shift.mean(axis=0))[:, None]
    room = tuple(math.ceil(float(np.abs(shift[:, a]).max())) + 4 for a in range(2))
    stage = _Stage(images, SceneFit((rows, columns), (room[0], room[1])))
    prior = Jitter(rows, FIRST_SPREAD * np.array([1.0, 1.0] + [0.25] * (2 * MODES - 2)))
    if before is not None:
        modes[: len(before.modes)] += before.modes - modes[: len(before.modes)].mean(axis=1, keepdims=True)
        modes -= modes.mean(axis=0)
        prior.power = before.power
    error = np.zeros(frames)
    rough = ROUGH if before is None else 0.0
    for _ in range(2):
        stage.fit_scene(modes, rough)
        stage.look(modes)
    for turn in range(ROUNDS):
        stage.fit_scene(modes, rough * FALL**turn)
        matrix, pull = stage.look(modes)
        flat = modes.reshape(frames, rows, -1)
        pull += np.einsum("nyab,nyb->nya", matrix, flat)
        whole = np.zeros((frames, 2 * MODES))
        whole[:, :2] = flat[:, :, :2].mean(axis=1)
        found, draw = prior.posterior(matrix, pull, whole)
        error = np.sqrt(variance(draw, rows, stage.basis) * (1 - 1 / frames))
        step = np.clip(found[:, :rows] - flat, -LONGEST_STEP, LONGEST_STEP)
        new = flat + step
        new -= _unseen(new.reshape(modes.shape), error, stage.basis).reshape(rows, -1)
        change = float(np.sqrt(np.mean((new - flat) ** 2)))
        modes = new.reshape(modes.shape)
        prior.learn(found, draw, matrix, pull)
        if turn + 1 >= (FEWEST if before is None else 2) and change < SETTLED * float(error.mean()):
            break
    jitter = modes[:, :, 0] - modes[:, :, 0].mean(axis=1, keepdims=True)
    return Field(modes, np.hypot(error, LEFT * float(np.sqrt((jitter**2).mean()))), prior.power)


def _unseen(modes: Floats, error: Floats, basis: Any) -> Floats:
    """Part of the frames' mean displacement that is not known, (Y, K, 2).

    Rows that all frames displace alike are seen only as far as frames are shifted against one another, for a scene does
    not move with the frame. Their displacement is believed where it exceeds what noise leaves of a mean, and is zero
    otherwise; that of the whole series is never known.
    """
    mean = modes.mean(axis=0)
    whole = mean.mean(axis=0)
    own = modes - mean
    own -= own.mean(axis=1, keepdims=True)
    weight = (basis[: mean.shape[1]] ** 2).mean(axis=1)[:, None]
    power, jitter = ((weight * (part**2).mean(axis=(0, 1))).sum(axis=0) for part in ((mean - whole)[None], own))
    least = np.maximum(CHANCE**2 * float((error**2).mean()), MISFIT**2 * jitter) / max(len(modes) - 1, 1)
    return np.asarray(np.where(power > least, whole, mean))


class _Stage:
    """Frames, scene, and what is fitted beside them."""

    def __init__(self, images: Floats, scene: SceneFit) -> None:
        self.images, self.scene = images, scene
        self.basis = legendre(2 * MODES - 1, images.shape[2])
        self.level = float(images.mean())
        self.lines = np.array([[1.0, float(image.mean()) - self.level] for image in images])
        self.noise = np.array([float(images.var()), 0.0, 0.0])

    def _frames(self, work: Any) -> list[Any]:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return list(pool.map(work, range(len(self.images))))

    def fit_scene(self, modes: Floats, caution: float) -> None:
        """Fit the scene to the frames at their displacements."""
        none = np.zeros((0, 0))

        def share(n: int, knots: Floats, right: Floats) -> Floats:
            out = np.zeros(self.scene.size)
            spread(
                knots, self.scene.corner, modes[n], self.basis, self.images[n], self.lines[n], self.noise, self.level,
                right, out,
            )  # fmt: skip
            return out

        def normal(knots: Floats) -> Floats:
            return np.asarray(np.sum(self._frames(lambda n: share(n, knots, none)), axis=0))

        def first(n: int) -> tuple[Floats, Floats]:
            right = np.zeros(self.scene.size)
            return right, share(n, self.scene.knots, right)

        right, product = np.sum(self._frames(first), axis=0)
        expected = self.noise[0] + self.noise[1] * (self.lines @ [self.level, 1.0])
        weight = self.lines[:, 0] ** 2 / np.maximum(expected, self.noise[2])
        self.scene.solve(normal, right, product, float(weight.sum()), caution)

    def look(self, modes: Floats) -> tuple[Floats, Floats]:
        """Information and pull of every row, (N, Y, M, M) and (N, Y, M); fits gains, offsets and noise."""
        knots = self.scene.knots + self.level

        def one(n: int) -> tuple[Floats, Floats, Floats]:
            rows, columns = self.images.shape[1:]
            seen, statistics = np.empty((rows, 5, columns)), np.empty(STATISTICS)
            look(
                knots,
                self.scene.corner,
                modes[n],
                self.basis,
                self.images[n],
                self.lines[n],
                self.noise,
                seen,
                statistics,
            )
            sums = np.moveaxis(seen @ self.basis.T, 1, 2)
            return information(sums[:, :, :3], MODES), sums[:, :MODES, 3:].reshape(rows, -1), statistics

        found = self._frames(one)
        statistics = np.array([s for _, _, s in found])
        self._fit_noise(statistics.sum(axis=0), len(found))
        self._fit_lines(statistics)
        return np.array([m for m, _, _ in found]), np.array([p for _, p, _ in found])

    def _fit_noise(self, s: Floats, frames: int) -> None:
        """Straight line of the squared residuals against the intensity."""
        count, mean = s[5], s[6] / s[5]
        level, spread = s[8] / count, s[7] / count - mean**2
        slope = (s[9] / count - mean * level) / spread if spread > 0 else 0.0
        lowest = mean - 2 * math.sqrt(max(spread, 0.0))
        slope = float(np.clip(slope, 0.0, (1 - LEAST_VARIANCE) * level / max(mean - lowest, 1e-300)))
        free = frames / max(frames - 1, 1)
        self.noise = np.array([level - slope * mean, slope, LEAST_VARIANCE * level]) * free

    def _fit_lines(self, s: Floats) -> None:
        """Weighted fit of image = gain * scene + offset, frame by frame."""
        determinant = s[:, 0] * s[:, 2] - s[:, 1] ** 2
        good = determinant > 1e-9 * s[:, 0] * s[:, 2]
        safe = np.where(good, determinant, 1.0)
        gain = np.where(good, (s[:, 0] * s[:, 4] - s[:, 1] * s[:, 3]) / safe, 1.0)
        gain = np.clip(gain / gain.mean(), 0.1, 10.0)
        self.lines = np.stack([gain, (s[:, 3] - gain * s[:, 1]) / np.maximum(s[:, 0], 1e-300)], axis=1)
