"""Noise of a detector (read-out, counting, flicker), measured on the data and refused where no model fits (8.8.1).

Read-out noise, counting noise of `gain` detector counts an electron, and a beam current that flickers from pixel to
pixel.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...array_types import Floats
from ...errors import UsageError
from .declared import Noise

PIXELS, CHANNELS = 256, 1024  # of spectra, that are sampled
COMPONENTS = 10  # principal components that are taken for signal; what is left is noise
ITERATIONS = 8  # of the subspace iteration that finds them
BINS = 32
TRIM = 0.005  # share of the squares in a bin, the largest ones, that are left out since they may be spikes
LEAST, MOST = 0.8, 1.3  # bounds of the residual variance over the model's; outside, the model is refused
EMPTY = 1e-2  # of the mean variance; channels below hold nothing and do not judge the model
FAINTEST = 0.2  # read noise in electrons, at least
QUIET = 1e-5  # noise over the largest mean, below which the data count as free of noise
FLATTEST = 16  # pixels and channels that are needed to fit components; fewer are judged by differences

NO_NOISE = (
    "noise-q and chart need data with noise: the values are constant, not finite, or too few to measure it. "
    "Use lossless-int or shuffle-zstd"
)


def variance(noise: Noise, values: Any) -> Floats:
    """Variance of values."""
    above = np.asarray(values, float) - noise.zero
    return np.asarray(
        noise.read**2 + np.maximum(noise.gain * above, 0) + (noise.multiplicative * np.maximum(above, 0)) ** 2
    )


def sample(array: NDArray, kind: str) -> NDArray:
    """Return the sample on which noise is measured: an image as it is, of spectra some hundred pixels, (pixels, C)."""
    if kind == "image":
        return array
    rows = array.reshape(-1, array.shape[-1])
    return np.asarray(rows[np.linspace(0, len(rows) - 1, min(PIXELS, len(rows))).astype(int)])


def measure(array: NDArray, kind: str) -> Noise:
    """Fit a noise model to a sample of one frame.

    Spectra: what the leading components (weighted as by Keenan and Kotula, 2004) leave over.
    Images, and spectra of a few pixels: second differences (Immerkaer, 1996), whose noise is 6 times a pixel's.

    Raises
    ------
    UsageError
        If the data hold no noise, or their residual variance is not the model's within 0.8 to 1.3.
    """
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            mean, residual = _differences(array) if kind == "image" else _components(array)
            return _judged(mean, residual)
    except np.linalg.LinAlgError as error:
        raise UsageError(f"{NO_NOISE} ({error})") from error


def _judged(mean: Floats, residual: Floats) -> Noise:
    """Fit the model to means and residuals, and refuse it where it does not describe them."""
    good = np.isfinite(mean) & np.isfinite(residual)
    mean, square = mean[good], residual[good] ** 2
    if square.size < 2 or not float(np.sqrt(square.mean())) > QUIET * float(np.abs(mean).max()):
        raise UsageError(NO_NOISE)
    order = np.argsort(mean)
    parts = np.array_split(order, max(1, min(BINS, square.size // 64)))
    middle = np.array([mean[part].mean() for part in parts])
    found = np.array([trimmed(square[part]) for part in parts])
    if not (np.isfinite(found).all() and np.isfinite(middle**2).all()):
        raise UsageError(NO_NOISE)
    noise = _simplest(middle, found)
    model = variance(noise, mean)
    order = order[model[order] > EMPTY * float(model.mean())]  # without channels that hold nothing
    ratio = np.minimum(square[order] / model[order], 64)
    fit = float(ratio.mean())
    quarters = [float(part.mean()) for part in np.array_split(ratio, 4) if part.size]
    if not LEAST <= fit <= MOST or not 0.5 <= min(quarters) <= max(quarters) <= 2.0:
        raise UsageError(
            f"the noise is not that of a detector: its variance is {fit:.2f} times that of the best model "
            f"(read {noise.read:.3g}, gain {noise.gain:.3g}, flicker {noise.multiplicative:.3g}), by quarters of the "
            f"intensity {', '.join(f'{q:.2f}' for q in quarters)}; expected {LEAST} to {MOST}. Data that were "
            "smoothed, scaled channel by channel or already quantised are coded with lossless-int, float-lattice or "
            "shuffle-zstd"
        )
    return noise._replace(fit=fit)


def trimmed(square: Floats) -> float:
    """Mean of squares without the largest, scaled so that it is unbiased for normal residuals."""
    keep = max(1, int((1 - TRIM) * square.size))
    return float(np.sort(square)[:keep].mean() * (1.035 if keep < square.size else 1.0))


def _components(rows: Floats) -> tuple[Floats, Floats]:
    finite = np.isfinite(rows)
    rows = np.where(finite, rows, 0)
    if rows.shape[1] > CHANNELS:
        rows = rows[:, np.linspace(0, rows.shape[1] - 1, CHANNELS).astype(int)]
    pixels, channels = rows.shape
    if min(pixels, channels) < FLATTEST:
        return _differences(rows)
    strength = np.maximum(rows.mean(axis=1), 0), np.maximum(rows.mean(axis=0), 0)
    scale = [np.sqrt(s + 0.02 * s.mean() + 1e-12) for s in strength]
    weighted = rows / scale[0][:, None] / scale[1]
    count = min(COMPONENTS, pixels // 8, channels // 8)
    gram = weighted @ weighted.T
    base = np.random.default_rng(0).normal(size=(pixels, count + 4))
    for _ in range(ITERATIONS):
        base, _ = np.linalg.qr(gram @ base)
    base = base[:, :count]
    model = base @ (base.T @ weighted)
    freedom = np.sqrt((1 - count / pixels) * (1 - count / channels))
    back = scale[0][:, None] * scale[1]
    return (model * back).ravel(), ((weighted - model) * back / freedom).ravel()


def _differences(array: NDArray) -> tuple[Floats, Floats]:
    """Mean and second difference in both of the last axes, scaled to the noise of one value."""
    plane = np.atleast_2d(np.asarray(array, float))
    plane = plane.reshape(-1, *plane.shape[-2:])[0]
    if min(plane.shape) < 3:
        line = plane.ravel() if plane.shape[0] < 3 and plane.shape[1] > 2 else plane.T.ravel()
        if line.size < 3:
            return np.empty(0), np.empty(0)
        middle = (line[:-2] + line[1:-1] + line[2:]) / 3
        return middle, (line[:-2] - 2 * line[1:-1] + line[2:]) / np.sqrt(6)
    rows = plane[:-2] - 2 * plane[1:-1] + plane[2:]
    difference = rows[:, :-2] - 2 * rows[:, 1:-1] + rows[:, 2:]
    sums = plane[:-2] + plane[1:-1] + plane[2:]
    return ((sums[:, :-2] + sums[:, 1:-1] + sums[:, 2:]) / 9).ravel(), (difference / 6).ravel()


def _simplest(middle: Floats, found: Floats) -> Noise:
    """Choose the noise model with the fewest terms among those whose likelihood is near the best."""
    found = np.maximum(found, 1e-6 * float(found.mean()))
    tiny = 0.1 * float(found.min())
    choices: list[tuple[float, int, Noise]] = []
    for terms in ((0,), (1,), (0, 1), (1, 2), (0, 1, 2)):
        if len(terms) > len(found):
            continue
        a = np.stack([middle**term for term in terms], axis=1) / found[:, None]
        solution, *_ = np.linalg.lstsq(a, np.ones(len(found)), rcond=None)
        value = dict(zip(terms, solution.tolist(), strict=True))
        beta, alpha, square = value.get(0, 0.0), value.get(1, 0.0), value.get(2, 0.0)
        if alpha < 0 or square < 0 or (beta <= 0 and alpha == 0):
            continue
        zero = 0.0
        if beta < 0:
            zero, beta = -beta / alpha, 0.0
        read = max(float(np.sqrt(max(beta, tiny))), FAINTEST * alpha)
        noise = Noise(read, alpha, float(np.sqrt(square)), zero, 0.0)
        model = variance(noise, middle)
        loss = float(np.sum(np.log(model) + found / model))
        choices.append((loss, len(terms), noise))
    if not choices:
        return Noise(float(np.sqrt(found.mean())), 0.0, 0.0, 0.0, 0.0)
    best = min(loss for loss, _, _ in choices)
    return min((c for c in choices if c[0] <= best + 0.01 * len(found)), key=lambda c: c[1])[2]
