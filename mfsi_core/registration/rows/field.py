"""Field: `register_rows`: the displacement of every row of every frame, estimated together with the scene."""

from __future__ import annotations

import math
from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from lbj.array_types import Floats, Singles

from .hum import FEWEST as FRAMES
from .hum import left_in_scene, moving
from .jitter import Jitter, Told, gather
from .periods import other_periods
from .scene import SceneFit
from .shared import shared_step
from .stage import Stage
from .strays import strays
from .taken import taken_on
from .unknowns import FIRST_SPREAD, MODES, SHIFTS

ROUNDS = 15  # most rounds of the fit
SEARCHED = 7  # round in which rows far aside are searched for if the fit has not settled before
SETTLED = 0.2  # share of the predicted error; rounds end once displacements change by less, rms
LEAST_CHANGE = 5e-4  # px, rms; a smaller change ends the rounds too
STEADY = 0.9  # rounds go on while the predicted error falls below this share of that of the round before
# Fourier components of the scene with less than ROUGH of the strongest one's power are taken for noise in the first
# round; from round to round that share falls by the factor FALL. Rows that are misplaced by the same amount in all
# frames roughen the scene, which then holds them there; a scene kept smooth at first lets them find their places.
ROUGH, FALL = 0.02, 0.2
EARLY = 2  # first rounds, in which the frames' mean displacement is kept where it may yet turn out that there is a hum
FEWEST = 5  # least rounds; ROUGH has then fallen below the noise
LONGEST_STEP = 1.0  # px, by which a row's displacement may change in one round
LEFT = 0.01  # share of the rms jitter that the fit misses even without noise; measured on simulations
OF_HUM = 0.5  # share of the hum's variance that counts in this, as hum is fitted better; measured on simulations
# The mean displacement of the frames is believed if its rms exceeds CHANCE times what noise leaves in such a mean, and
# MISFIT times what jitter leaves in it, since the fit does not remove all jitter.
CHANCE = 1.3
MISFIT = 0.3
LEAST_SEEN = 0.02  # least share of the variance of the error that is of rows that are seen


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
        Power spectra of the rows' displacements and brightness, learned from the data.
    residual : float
        Mean square of the images less the fitted model.
    trust : (N, Y)
        Weight of each row, 0 to 1; below 1 where it differs from the scene of all frames by more than noise explains.
    beside : (N, Y, 2)
        How far, px, rows lie beside where their neighbours let expect them, as where the scan glitched; mostly 0.
    known_hum : bool
        Whether a hum was found, and how much of it all frames share could be determined.
    """

    modes: Floats
    error: Floats
    prior: Jitter
    residual: float
    trust: Singles
    beside: Floats
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
    stage, prior, modes = _begun(images, shift, before)
    error, doubted, hum = np.zeros(frames), False, np.zeros(2)
    beside = np.zeros((frames, rows, 2))
    rough = ROUGH if before is None else 0.0
    for _ in range(2):
        stage.fit_scene(modes.astype(np.float32), rough)
        stage.look(modes.astype(np.float32))
    begun, known = 0, False  # round since which the scene is kept smooth; whether a hum is known
    of_hum = unclear = 0.0  # variances, px², of the hum and of rows that may lie a period off
    for turn in range(ROUNDS):
        stage.fit_scene(modes.astype(np.float32), rough * FALL ** (turn - begun))
        own = modes.copy()
        own[:, :, 0] -= beside  # which is no jitter
        unknown = np.concatenate([own.reshape(frames, rows, SHIFTS), stage.bright], axis=2)
        told = gather(stage.look(modes.astype(np.float32), partial(prior.posterior, unknown)))
        before_error = float(error.mean())
        error = np.sqrt(_variance(told.unsure[:, :SHIFTS], stage.basis) * (1 - 1 / frames))
        of_seen = _variance(_of_seen(told, prior)[:, :SHIFTS], stage.basis)
        step = told.unknown[:, :, :SHIFTS].reshape(modes.shape) - own
        new = own + np.clip(step, -LONGEST_STEP, LONGEST_STEP)
        hum = prior.line_power if prior.line else np.zeros(2)
        early = turn < EARLY and frames >= FRAMES
        new -= new.mean(axis=(0, 1)) if early else _unseen(new, of_seen, stage.basis, hum)
        if prior.line and turn > 1:
            shift = new[:, :, 0, 0].mean(axis=1)
            wave, of_hum, known = left_in_scene(told.alone[:, :, 0], prior.line, shift)
            if wave.any():
                new[:, :, 0] += moving(wave, prior.line, shift, rows)
                begun = begun or turn + 1
        change = float(np.sqrt(np.mean((new - own) ** 2)))
        if turn >= EARLY and frames >= FRAMES:
            new[:, :, 0] += shared_step(stage.scene, prior, told.found, modes[:, :, 0])
        modes, stage.bright = new, told.unknown[:, :, SHIFTS:].astype(np.float32)
        modes[:, :, 0] += beside
        prior.learn(told)
        if 0 < turn < FEWEST:
            prior.tune(modes[:, :, 0] - beside)
        settled = change < max(SETTLED * float(error.mean()), LEAST_CHANGE) and error.mean() > STEADY * before_error
        enough = turn - begun + 1 >= (FEWEST if before is None else 2)
        if (enough and settled) or (turn == SEARCHED and not doubted):
            if doubted:
                break
            doubted = True
            beside, unclear, changed = _searched(stage, modes, prior, settled=settled)
            if settled and not changed:
                break
    jitter = own[:, :, 0] - own[:, :, 0].mean(axis=1, keepdims=True)
    swayed = max(float((jitter**2).mean() - hum.mean()), 0.0) + OF_HUM * float(hum.mean())
    left = LEFT**2 * swayed + prior.given_up(stage.basis)
    left += unclear + of_hum
    left += taken_on(stage.scene.signal, prior.power[:, :2], prior.length, modes[:, :, 0, 0].mean(axis=1))
    return Field(modes, np.hypot(error, np.sqrt(left)), prior, stage.level, stage.trust, beside, known)


def _begun(images: Singles, shift: Floats, before: Field | None) -> tuple[Stage, Jitter, Floats]:
    """Stage, prior and displacements (N, Y, K, 2) with which the fit begins; arguments as of `register_rows`."""
    frames, rows, columns = images.shape
    modes = np.zeros((frames, rows, MODES, 2))
    modes[:, :, 0] = (shift - shift.mean(axis=0))[:, None]
    room = tuple(math.ceil(float(np.abs(shift[:, a]).max())) + 4 for a in range(2))
    stage = Stage(images, SceneFit((rows, columns), (room[0], room[1])))
    prior = Jitter(rows, FIRST_SPREAD)
    if before is not None:
        modes[: len(before.modes)] += before.modes - modes[: len(before.modes)].mean(axis=1, keepdims=True)
        modes -= modes.mean(axis=0)
        prior = copy(before.prior)
        prior.line_mean, prior.line_spread = np.zeros((0, 4)), prior.line_power
    return stage, prior, modes


def _searched(stage: Stage, modes: Floats, prior: Jitter, *, settled: bool) -> tuple[Floats, float, bool]:
    """How far rows lie beside their neighbours, (N, Y, 2) px, and the variance of those that may lie a period off, px².

    Also whether anything changed: displacement, brightness and weight of rows that were found elsewhere, or that fit
    badly or nowhere.
    """
    bad = settled and stage.doubt()
    moved, unclear = other_periods(stage, modes, prior)
    stage.trust[moved] = 1
    beside, lost = strays(stage, modes, np.sqrt(prior.power[1:].mean(axis=0)), stage.trust < 1)
    astray = beside.any(axis=2)
    stage.bright[lost | astray] = 0
    stage.trust = np.where(lost, 0, np.where(astray, 1, stage.trust)).astype(np.float32)
    return beside, unclear, bad or bool((moved | astray | lost).any())


def _variance(unsure: Floats, basis: Any) -> Floats:
    """Variance of one component of the displacement, px², averaged over each frame: (N,).

    `unsure`: variances of the coefficients of the basis, (N, 2K), y and x of each in turn.
    """
    square = unsure.reshape(len(unsure), -1, 2).mean(axis=2)
    return np.asarray((square * (basis[: square.shape[1]] ** 2).mean(axis=1)).sum(axis=-1))


def _of_seen(told: Told, prior: Jitter) -> Floats:
    """Variance of the unknowns' error, (N, M), as far as it is of rows that are seen; the others have the prior's."""
    others = (1 - told.seen.mean(axis=0)) * prior.power[1:].mean(axis=0)
    return np.asarray(np.maximum(told.unsure - others, LEAST_SEEN * told.unsure))


def _unseen(modes: Floats, variance: Floats, basis: Any, hum: Floats) -> Floats:
    """Part of the frames' mean displacement that cannot be known and is to be subtracted, (Y, K, 2).

    A displacement of a row that is the same in all frames looks like a distorted scene. Only where frames are shifted
    against one another can the two be told apart, since the scene does not move with the frame. It is believed where
    it exceeds what noise leaves in a mean over the frames; otherwise all of it is subtracted. A shift of the whole
    series can never be known.

    `variance`, (N,): of the error that noise leaves in a frame, px²; `hum`, (2,): of the hum, px², which leaves none.
    """
    mean = modes.mean(axis=0)
    whole = mean.mean(axis=0)
    own = modes - mean
    own -= own.mean(axis=1, keepdims=True)
    weight = (basis[: mean.shape[1]] ** 2).mean(axis=1)[:, None]
    power, jitter = ((weight * (part**2).mean(axis=(0, 1))).sum(axis=0) for part in ((mean - whole)[None], own))
    jitter = np.maximum(jitter - hum, 0)
    least = np.maximum(CHANCE**2 * float(variance.mean()), MISFIT**2 * jitter) / max(len(modes) - 1, 1)
    return np.asarray(np.where(power > least, whole, mean))
