"""Field: `register_rows`: the displacement of every row of every frame, estimated together with the scene."""

from __future__ import annotations

import math
from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from lbj.array_types import Floats, Singles

from .hum import left_in_scene, moving
from .jitter import Jitter, gather
from .scene import SceneFit
from .stage import Stage
from .taken import taken_on
from .unknowns import FIRST_SPREAD, MODES, SHIFTS

ROUNDS = 15  # of the fit at most
SETTLED = 0.2  # share of the predicted error; rounds end when displacements change by less
LEAST_CHANGE = 5e-4  # px; or by less than this
STEADY = 0.9  # and the predicted error is at least this share of that of the round before
# Share of the scene's strongest wave below which waves count as none of it, in the first round and from round to round.
# Rows misplaced in the scene and in all frames alike roughen the scene; kept smooth at first it lets them find their
# places.
ROUGH, FALL = 0.02, 0.1
FEWEST = 4  # rounds at least, after which that share is as low as the noise
LONGEST_STEP = 1.0  # px, of a row in one round
LEFT = 0.01  # share of the jitter that remains where there is no noise, measured on simulations
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
        Error of one component expected from the noise and from the jitter not seen, px rms.
    prior : Jitter
        Learned.
    residual : float
        Mean square of what is left of the images.
    trust : (N, Y)
        In each row, 0 to 1; less than 1 where it misfits the scene of all frames by more than noise would.
    known_hum : bool
        Whether there is a hum of which is known how much all frames share.
    """

    modes: Floats
    error: Floats
    prior: Jitter
    residual: float
    trust: Singles
    known_hum: bool = False


def register_rows(images: Singles, shift: Floats, before: Field | None = None) -> Field:
    """Estimate the displacement of every row.

    The scene is a cubic B-spline with a Wiener prior learned from the frames' common power spectrum. Each row of each
    frame is displaced by a cubic along the row, and brightened by a quadratic and a gain, whose coefficients are
    Gaussian processes from row to row with power spectra learned from the data, given up where the data do not tell of
    them. Gain and offset of each frame and the noise variance (a straight line in the intensity) are fitted. Pixels
    far from what is expected count less, missing ones nothing. Scene and rows take turns until the maximum a
    posteriori. What all frames share is kept where it is seen (`_unseen`).

    Parameters
    ----------
    images : (N, Y, X) float32
        Two or more, of the level 0 and the deviation 1; NaN where a pixel is missing.
    shift : (N, 2)
        Rigid displacements, px, right to about a pixel.
    before : Field, optional
        What was found for the first frames, to be refined with those that came since.

    Returns
    -------
    Field
    """
    frames, rows, _ = images.shape
    modes = np.zeros((frames, rows, MODES, 2))
    modes[:, :, 0] = (shift - shift.mean(axis=0))[:, None]
    room = tuple(math.ceil(float(np.abs(shift[:, a]).max())) + 4 for a in range(2))
    stage = Stage(images, SceneFit((rows, images.shape[2]), (room[0], room[1])))
    prior = Jitter(rows, FIRST_SPREAD)
    if before is not None:
        modes[: len(before.modes)] += before.modes - modes[: len(before.modes)].mean(axis=1, keepdims=True)
        modes -= modes.mean(axis=0)
        prior = copy(before.prior)
    error, doubted = np.zeros(frames), False
    rough = ROUGH if before is None else 0.0
    for _ in range(2):
        stage.fit_scene(modes.astype(np.float32), rough)
        stage.look(modes.astype(np.float32))
    begun, of_hum, known = 0, 0.0, False  # the round in which the scene begins to be kept smooth; variance of the hum
    for turn in range(ROUNDS):
        stage.fit_scene(modes.astype(np.float32), rough * FALL ** (turn - begun))
        unknown = np.concatenate([modes.reshape(frames, rows, SHIFTS), stage.bright], axis=2)
        told = gather(stage.look(modes.astype(np.float32), partial(prior.posterior, unknown)))
        before_error = float(error.mean())
        error = np.sqrt(_variance(told.unsure[:, :SHIFTS], stage.basis) * (1 - 1 / frames))
        step = told.unknown[:, :, :SHIFTS].reshape(modes.shape) - modes
        new = modes + np.clip(step, -LONGEST_STEP, LONGEST_STEP)
        new -= _unseen(new, error, stage.basis)
        if prior.line and turn > 1:
            shift = new[:, :, 0, 0].mean(axis=1)
            wave, of_hum, known = left_in_scene(told.line[:, :, 0], prior.line, shift)
            if wave.any():
                new[:, :, 0] += moving(wave, prior.line, shift, rows)
                begun = begun or turn + 1
        change = float(np.sqrt(np.mean((new - modes) ** 2)))
        modes, stage.bright = new, told.unknown[:, :, SHIFTS:].astype(np.float32)
        prior.learn(told)
        if 0 < turn < FEWEST:
            prior.tune(modes[:, :, 0])
        settled = change < max(SETTLED * float(error.mean()), LEAST_CHANGE) and error.mean() > STEADY * before_error
        if turn - begun + 1 >= (FEWEST if before is None else 2) and settled:
            if doubted or not stage.doubt():
                break
            doubted = True
    jitter = modes[:, :, 0] - modes[:, :, 0].mean(axis=1, keepdims=True)
    left = LEFT**2 * float((jitter**2).mean()) + prior.given_up(stage.basis)
    left += of_hum + taken_on(stage.scene.signal, prior.power[:, :2], prior.length, modes[:, :, 0, 0].mean(axis=1))
    return Field(modes, np.hypot(error, np.sqrt(left)), prior, stage.level, stage.trust, known)


def _variance(unsure: Floats, basis: Any) -> Floats:
    """Mean variance of one component of each frame's displacement, px²: (N,), from its unknowns', (N, 2K)."""
    square = unsure.reshape(len(unsure), -1, 2).mean(axis=2)
    return np.asarray((square * (basis[: square.shape[1]] ** 2).mean(axis=1)).sum(axis=-1))


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
