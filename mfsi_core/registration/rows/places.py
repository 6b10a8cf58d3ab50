"""Places: how well rows fit the scene at places where they are put, and the best place near each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lbj.array_types import Floats, Singles

from .kernels import CHANNELS, DEGREES, STATISTICS, look
from .stage import Stage
from .unknowns import MODES, SHIFTS, information

ROUNDS = 6  # of the fit of rows at a place
STEP = 0.5  # px, by which a row may move in one of them
SEEN = 0.5  # share of a row that must lie on the scene


def settled(
    stage: Stage, n: int, rows: NDArray[np.int64], expected: Floats, around: Floats, start: Floats, known: Floats
) -> tuple[Floats, Singles]:
    """Unknowns of rows of frame `n` less the expected ones, (R, M), fitted near a start; their sums as of `compared`.

    Parameters
    ----------
    stage : Stage
    n : int
    rows : (R,)
        A row may come more than once.
    expected : (R, M)
    around : (M,) or (R, M)
        Where the unknowns less the expected ones are taken to lie.
    start : (R, 2)
        Displacements less the expected ones with which the fit begins, px.
    known : (M,)
        Information that they lie there.
    """
    unknown = np.broadcast_to(around, expected.shape).copy()
    unknown[:, :2] = start
    for _ in range(ROUNDS):
        matrix, pull = information(compared(stage, n, rows, expected + unknown)[None], np.ones((1, rows.size)))
        pulled = pull[0].T - (unknown - around) * known
        step = np.linalg.solve(matrix[0].transpose(2, 0, 1) + np.diag(known), pulled[..., None])[..., 0]
        unknown += np.clip(step, -STEP, STEP)
    return unknown, compared(stage, n, rows, expected + unknown)


def compared(stage: Stage, n: int, rows: NDArray[np.int64], unknown: Floats) -> Singles:
    """Sums of `kernels.look` for rows, (R,), of a frame with the unknowns (R, M): (CHANNELS, DEGREES, R).

    Pixels that lie beside the frames' mean place are left out, since the scene may not be known there.
    """
    modes = unknown[:, :SHIFTS].reshape(-1, MODES, 2).astype(np.float32)
    columns = stage.images.shape[2]
    place = np.arange(columns) + modes[:, :1, 1]
    images = np.where((place < 0) | (place > columns - 1), np.float32(np.nan), stage.images[n, rows])
    modes[:, 0, 0] += rows - np.arange(rows.size)
    sums = np.zeros((CHANNELS, DEGREES, rows.size), np.float32)
    look(stage.scene.knots, stage.scene.corner, modes, unknown[:, SHIFTS:].astype(np.float32), stage.basis,
         images, stage.lines[n].astype(np.float32), stage.noise.astype(np.float32),
         np.ones(rows.size, np.float32), sums, np.empty(STATISTICS))  # fmt: skip
    return sums


def misfits(sums: Singles) -> Floats:
    """Mean squared residual of each row, in noise variances; infinite for rows that mostly lie off the scene."""
    pixels = sums[15, 0]
    return np.where(pixels > SEEN * max(pixels.max(), 1), sums[16, 0] / np.maximum(pixels, 1), np.inf)


def likelihoods(sums: Singles, columns: int) -> Floats:
    """Log-likelihood ratio of each row against one of no contrast, as if all its pixels were seen.

    The strength of the noise is not known. Rows are not seen whole at all places; what is left of a row may be empty,
    and then fits everywhere, so that residuals alone would not tell places apart.
    """
    square, (weight, pulled, power, plain, wrong) = sums[16, 0], sums[[5, 8, 9, 10, 13], 0]
    flat = square + 2 * wrong + power - (pulled + plain) ** 2 / np.maximum(weight, 1e-30)
    share = np.where(np.isfinite(misfits(sums)), square / np.maximum(flat, 1e-30), np.inf)
    return np.asarray(-columns / 2 * np.log(np.maximum(share, 1e-6)))
