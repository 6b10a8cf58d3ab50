"""Encoder of integer streams, the fit: predictors (tap sets) by least squares, and the model of what they miss.

Nothing here binds a decoder: any choice decodes (spec/lbj.md 8.5.11).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...array_types import Floats
from ..kernels import fit as fit_kernels
from ..kernels import integers as kernels

Integers = NDArray[np.int64]
Tap = tuple[int, int, int, int]  # a voxel that predicts: plane (0 its value, 1 the running mean there), dy, dx, dc

SAMPLES = 1 << 16  # voxels to which the final weights are fitted
FEW = 12288  # voxels to which the families of tap sets of an image are fitted while they are compared
LEAST = 2048  # voxels at least, where a quarter of a small image has fewer than FEW
STRETCH = 64  # neighbouring voxels that are sampled together
TRIAL = 1 << 15  # voxels that are coded on trial to compare models
PATIENCE = 3  # families that are no better before the search ends
PATIENCE = 3  # families in a row that are no better end the search
TRIAL_LINES = 3  # lines that are coded on trial at least
BINS = 24  # of prediction, in which the residual variance is measured
NEAR = [(0, -1), (-1, 0), (-1, -1), (-1, 1)]  # pixels (dy, dx) already coded
TAP_BITS = 32  # that storing a tap takes
MOST_LINES, MOST_COLUMNS = 16, 32  # how far away a tap of an image may be
REPEATING = 40  # most taps chosen at a distance, for images that repeat, such as lattices
WORTH_KEEPING = 1e-5  # share of the variance that each of those must explain
MAX_WEIGHT, MAX_OFFSET = 7.9, 2**31
MOST = (2**50, 2**24, 2**16)  # largest terms (beta, alpha, gamma) of the noise model
WORTH = 12  # voxels that a set must predict for each of its taps


class Model(NamedTuple):
    """Predictors and noise model, which stand before the words of a stream (clauses 8.5.2 and 8.5.3)."""

    sets: Integers
    offsets: Integers
    taps: Integers
    variance: tuple[int, int, int]


def choose(q: NDArray[np.int32], shape: tuple[int, int, int], dither: tuple[bool, int], pieces: int = 1) -> Model:
    """Choose tap sets and noise model for `pieces` arrays of this shape, stacked as (rows, C) integers."""
    t = q * np.int32(64)
    if dither[0]:
        t.reshape(pieces, -1)[:] -= kernels.dithered(q.size // pieces, dither[1])
    middle = q[pieces // 2 * shape[0] * shape[1] :][: shape[0] * shape[1]]
    part, rows = _trial(middle, shape, whole_lines=dither[0])

    def cost(model: Model) -> float:
        return _cost(rows, part, model, dither)

    if shape[0] == 1:
        models = _picture(t, shape, cost, rows.size / q.size)
    else:
        models = _fit(t, shape, _spectra(), SAMPLES, rounds=2)
        models = [*models[:3], models[-1]] if dither[0] else models
    model = min(models, key=cost)
    return _refined(q, shape, model, dither) if q.size <= TRIAL else model


def _picture(
    t: NDArray[np.int32], shape: tuple[int, int, int], cost: Callable[[Model], float], part: float
) -> list[Model]:
    """Models of an image with the best of several families of tap sets; `cost` codes a `part` (share) of it."""
    few = min(FEW, max(LEAST, t.size // 4))
    best: list[list[Tap]] = []
    least, worse = math.inf, 0
    for family in _pictures(t):
        models = _fit(t, shape, family, few, rounds=3)
        bits = min(map(cost, models[:3])) + TAP_BITS * len(models[0].taps) * part
        if bits < least:
            best, least, worse = family, bits, 0
        else:
            worse += 1
        if worse == PATIENCE:
            break
    return _fit(t, shape, best, SAMPLES, rounds=3)


def _refined(q: NDArray[np.int32], shape: tuple[int, int, int], model: Model, dither: tuple[bool, int]) -> Model:
    """Improve the noise model by doubling and halving its terms; for arrays so small that coding them is quick."""
    bits = _cost(q, shape, model, dither)
    step = 2.0
    for _ in range(3):
        for term in range(3):
            for factor in (step, 1 / step):
                moved = list(model.variance)
                moved[term] = min(round(moved[term] * factor), MOST[term])
                trial = model._replace(variance=(moved[0], moved[1], moved[2]))
                cost = _cost(q, shape, trial, dither)
                if cost < bits:
                    bits, model = cost, trial
        step = step**0.6
    return model


def _trial(
    q: NDArray[np.int32], shape: tuple[int, int, int], *, whole_lines: bool
) -> tuple[tuple[int, int, int], NDArray[np.int32]]:
    """Shape and rows of the corner that is coded on trial; `whole_lines` where dither depends on the voxel's index."""
    height, width, channels = shape
    height = min(height, max(TRIAL_LINES, TRIAL // (width * channels)))
    if not whole_lines or height == 1:
        width = min(width, max(2, TRIAL // (height * channels)))
    rows = q.reshape(shape)[:height, :width].reshape(-1, channels)
    return (height, width, channels), np.ascontiguousarray(rows)


def _cost(q: NDArray[np.int32], shape: tuple[int, int, int], model: Model, dither: tuple[bool, int]) -> float:
    none16, none32 = np.empty(0, np.uint16), np.empty(0, np.uint32)
    _, bits = kernels.run(
        False, q, shape, model.sets, model.offsets, model.taps, model.variance, dither, none16, none32, True
    )
    return float(bits)


def _spectra() -> list[list[Tap]]:
    """Tap sets for spectra: neighbouring pixels at neighbouring channels and in the mean, the pixel's own past."""

    def around(pixels: list[tuple[int, int]]) -> list[Tap]:
        reach = {(y, x): 2 if x and y else 4 for y, x in pixels}
        values = [(0, y, x, c) for (y, x), far in reach.items() for c in range(-far, far + 1)]
        return [*values, *((0, 0, 0, -c) for c in (1, 2, 3)), *((1, y, x, 0) for y, x in pixels), (1, 0, 0, 0)]

    sides = [around(NEAR), around(NEAR[:3]), around([NEAR[1], NEAR[3]]), around(NEAR[:1]), around(NEAR[1:2])]
    plain = [[(0, y, x, 0) for y, x in NEAR], [(0, -1, 0, 0)], [(0, 0, -1, 0)]]
    return [*sides, around([]), *plain]


def _pictures(t: NDArray[np.int32]) -> list[list[list[Tap]]]:
    """Families of tap sets for images: squares of several sizes, with taps farther off, and small sets for borders."""
    pair: list[Tap] = [(0, 0, 0, -1), (0, 0, -1, 0)]
    middle = [[*pair, (0, 0, -1, -1), (0, 0, -1, 1)]]
    out = [[pair], [_square(1)]]
    for reach in (2, 3, 5):
        square = _square(reach)
        if len(square) * 64 < t.size:
            out.append([square, *middle])
            if reach > 2:
                out.append([_repeating(t), square, *middle])
    return [*out, _spectra(), [[]]]


def _square(reach: int) -> list[Tap]:
    """All taps up to so many lines and columns away."""
    return [(0, 0, y, x) for y in range(-reach, 1) for x in range(-reach, reach + 1) if y < 0 or x < 0]


def _repeating(t: NDArray[np.int32]) -> list[Tap]:
    """Choose the taps that predict best together, one after the other: orthogonal least squares on the autocorrelation.

    S. Chen, S. A. Billings and W. Luo, Int. J. Control 50 (1989) 1873.
    """
    down, across = min(MOST_LINES, t.shape[0] // 16), min(MOST_COLUMNS, t.shape[1] // 16)
    lags = np.array([(y, x) for y in range(-down, 1) for x in range(-across, across + 1) if y < 0 or x < 0])
    lags = lags.reshape(-1, 2)
    padded = [t.shape[0] + 2 * down, t.shape[1] + 2 * across]
    power = np.abs(np.fft.rfft2(t - t.mean(), padded)) ** 2
    product = np.fft.irfft2(power, padded) / max(power.mean(), 1)

    def against(lag: NDArray[np.int64]) -> Floats:
        return np.asarray(product[tuple((lags - lag).T)])

    basis = np.empty((0, len(lags)))
    left, right = np.full(len(lags), product[0, 0]), against(np.zeros(2, np.int64))
    chosen: list[int] = []
    while len(chosen) < min(REPEATING, len(lags)):
        gain = np.where(left > 1e-6 * product[0, 0], right**2 / np.maximum(left, 1e-300), -1)
        best = int(np.argmax(gain))
        if gain[best] < WORTH_KEEPING * product[0, 0]:
            break
        column = (against(lags[best]) - basis[:, best] @ basis) / math.sqrt(left[best])
        right = right - column * (right[best] / math.sqrt(left[best]))
        left = left - column**2
        left[best] = 0
        basis = np.vstack([basis, column])
        chosen.append(best)
    return [(0, 0, int(y), int(x)) for y, x in lags[chosen]]


def _inside(tap_set: list[Tap], shape: tuple[int, int, int]) -> tuple[slice, slice, slice] | None:
    """Part of the array whose voxels have all taps of a set inside the array; None where there is none."""
    low = [max([0, *(-tap[axis] for tap in tap_set)]) for axis in (1, 2, 3)]
    high = [size - max([0, *(tap[axis] for tap in tap_set)]) for size, axis in zip(shape, (1, 2, 3), strict=True)]
    low[2] = max([low[2], *(tap[0] for tap in tap_set)])
    if any(a >= b for a, b in zip(low, high, strict=True)):
        return None
    return slice(low[0], high[0]), slice(low[1], high[1]), slice(low[2], high[2])


def _fit(
    t: NDArray[np.int32], shape: tuple[int, int, int], family: list[list[Tap]], samples: int, *, rounds: int
) -> list[Model]:
    """Fit the sets that predict enough voxels which no earlier set predicts; returns a model for each noise model."""
    smooth = any(tap[0] for tap_set in family for tap in tap_set)
    planes = [t.reshape(-1), kernels.running_means(t).reshape(-1) if smooth else t.reshape(-1)]
    steps = np.array([shape[1] * shape[2], shape[2], 1])
    sets, offsets, taps = [0], [], []
    models = [(16, 0, 256)]
    free = np.ones(shape, bool)
    rng = np.random.default_rng(0)
    for tap_set in family:
        inside = _inside(tap_set, shape)
        if inside is None:
            continue
        fresh = np.count_nonzero(free[inside])
        if (fresh < WORTH * len(tap_set) and len(tap_set) > 1) or fresh == 0:
            continue
        first = len(sets) == 1
        place = _sampled(rng, inside, shape, t.size, samples if first else samples // 6)
        table = np.empty((len(tap_set) + 2, place.size))
        for line, (plane, *lag) in zip(table, [*tap_set, (0, 0, 0, 0)], strict=False):
            line[:] = planes[plane][place + steps @ lag]
        offset, weights, predicted, residual = _solve(table, rounds if first else 1)
        taps += [(*tap, weight) for tap, weight in zip(tap_set, weights, strict=True)]
        sets.append(len(taps))
        offsets.append(offset)
        if first:
            models = _models(predicted[:FEW] / 64, residual[:FEW] / 64)
        free[inside] = False
        if not free.any():
            break
    sides = np.array(sets, np.int64), np.array(offsets, np.int64), np.array(taps, np.int64).reshape(-1, 5)
    return [Model(*sides, found) for found in models]


def _sampled(
    rng: np.random.Generator, inside: tuple[slice, ...], shape: tuple[int, int, int], size: int, samples: int
) -> Integers:
    """Indices of the voxels inside, of every piece; where they are too many, of stretches drawn at random."""
    span = [part.stop - part.start for part in inside]
    pieces = size // math.prod(shape)
    stretch, n = span[2], pieces * span[0] * span[1]
    if n * stretch > samples:
        stretch = min(STRETCH, stretch)
        n = -(-samples // stretch)
        p, y, x = (rng.integers(0, many, n) for many in (pieces, *span[:2]))
        c = rng.integers(0, span[2] - stretch + 1, n)
    else:
        p, y, x = np.unravel_index(rng.permutation(n), (pieces, *span[:2]))
        c = np.zeros(n, np.int64)
    y, x, c = (at + part.start for at, part in zip((y, x, c), inside, strict=True))
    begin = ((p * shape[0] + y) * shape[1] + x) * shape[2] + c
    return np.asarray((begin[:, None] + np.arange(stretch)).reshape(-1))


def _solve(table: Floats, rounds: int) -> tuple[int, list[int], Floats, Floats]:
    """Offset in 1/64 and weights in 1/4096, by least squares weighted with the fitted variance.

    Rows of the table: the taps' samples, then the samples to be predicted, and one that is filled with ones. Returns
    predictions and residuals too.
    """
    level = float(table[-2].mean())
    table[:-1] -= level
    table[-1] = 1
    columns, target = table[:-2], table[-2]
    weight = table[-1].copy()
    offset, solution = 0.0, np.zeros(len(columns))
    for left in reversed(range(rounds)):
        gram = fit_kernels.gram(table, weight, min(FEW, target.size) if left else target.size)
        total = gram[-1, -1]
        centre, mean = gram[-1, :-2] / total, gram[-1, -2] / total
        inner = gram[:-2, :-2] - total * np.outer(centre, centre)
        ridge = (1e-6 * np.trace(inner) + 1e-6 * total) / max(len(inner), 1)
        solution = np.linalg.solve(inner + ridge * np.eye(len(inner)), gram[:-2, -2] - total * centre * mean)
        magnitude = float(np.abs(solution).sum())
        if magnitude > MAX_WEIGHT:
            solution *= MAX_WEIGHT / magnitude
        if left == 0:
            solution = np.rint(solution * 4096) / 4096
        offset = float(mean - centre @ solution)
        predicted = fit_kernels.weighted(columns, solution, offset)
        residual = target - predicted
        if left:
            beta, alpha = _line(predicted[:FEW] + level, residual[:FEW] ** 2)
            weight = 1 / np.maximum(np.maximum(beta + alpha * (predicted + level), 300.0), residual * residual)
    offset += level * float(1 - solution.sum())
    offset = float(np.clip(offset, -MAX_OFFSET, MAX_OFFSET))
    return round(offset), np.rint(solution * 4096).astype(int).tolist(), predicted + level, residual


def _line(prediction: Floats, square: Floats) -> tuple[float, float]:
    """Fit variance = beta + alpha * prediction, by relative least squares on robust means of equally filled bins."""
    order = np.argsort(prediction)
    parts = np.array_split(order, max(1, min(BINS, order.size // 32)))
    middle = np.array([prediction[part].mean() for part in parts])
    found = np.array([np.sort(square[part])[: max(1, int(0.99 * part.size))].mean() for part in parts]) + 20.0
    if middle[-1] - middle[0] <= 0 or len(parts) < 3:
        return float(found.mean()), 0.0
    a = np.stack([1 / found, middle / found], axis=1)
    (beta, alpha), *_ = np.linalg.lstsq(a, np.ones(len(parts)), rcond=None)
    choices = [(float(found.mean()), 0.0), (float(beta), float(alpha))]
    if middle[0] > 0:
        through = middle / found
        choices.append((0.0, float(through.sum() / (through * through).sum())))

    def loss(choice: tuple[float, float]) -> float:
        model = choice[0] + choice[1] * middle
        if choice[1] < 0 or (model <= 0).any():
            return np.inf
        return float(np.sum(np.log(model) + found / model))  # minus twice the log-likelihood of normal residuals

    return min(choices, key=loss)


def _models(prediction: Floats, residual: Floats) -> list[tuple[int, int, int]]:
    """Noise models (beta, alpha, gamma) to try: the fitted line, local scatter (gamma) alone, mixtures, a constant."""
    square = residual * residual
    beta, alpha = _line(prediction * 64, square * 4096)
    beta, alpha = beta / 4096, alpha / 64
    constant = max(float(np.mean(np.minimum(square, 25 * np.median(square) + 1))), 0.06)

    def integers(b: float, a: float, g: float) -> tuple[int, int, int]:
        return (
            int(np.clip(round(16 * b), -(2**50), 2**50)),
            int(np.clip(round(4096 * a), 0, 2**24)),
            round(256 * g),
        )

    mixed = [integers(beta * s, alpha * s, g) for s, g in ((1.0, 0.0), (0.2, 1.4), (0.5, 0.7), (0.1, 1.0))]
    return [*mixed, integers(0.05 * constant, 0, 1.0), integers(0.05 * constant, 0, 1.4), integers(constant, 0, 0)]
