"""Hum: mains hum in the rows' displacements: its frequency, and its amplitude and phase in every frame."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from lbj.array_types import Floats

SHORT = 32  # rows; in shorter frames no hum is looked for
SLOWEST = 1.5  # cycles a frame; slower displacements are no hum
# Hums of fewer cycles a frame than SLOW must stand out CLEARER times as much, since other displacements may look alike.
SLOW, CLEARER = 2.0, 3.0
FINER = 8  # frequencies at which the spectrum is sampled, for each cycle a frame
STANDS_OUT = 8.0  # ratio of a hum's power to the median power around it, at least
EVEN = 12.0  # the same ratio where frames are added in phase, for a hum whose phase advances steadily between frames
FEWEST = 5  # frames needed to show that a hum has one amplitude and a steadily advancing phase
ONE_HUM = 0.1  # share of the hum's power that such a steady hum may leave unexplained
TURNS = 16  # advances of the phase from frame to frame that are tried, for each frame of the series
FINE, UNLIKELY = 400, 20.0  # advances tried among those whose log-likelihood is less than so much below the best
LARGEST = 1.0  # px, rms; amplitude of the hum, and of its part in the scene, that is expected beforehand
CERTAIN = 3.0  # standard errors that a hum in the scene must exceed to be believed
FEW = 4  # frames; with fewer, waves fixed to the scene are not told apart from waves fixed to the frame


def frequency(place: Floats, noise: float) -> float:
    """Frequency of a hum in displacements (N, Y, 2), cycles a row; 0 where no peak stands out of the spectrum.

    `noise`: variance of a row's displacement (y and x together) by itself, px².
    """
    rows = place.shape[1]
    if rows < SHORT:
        return 0.0
    window = np.hanning(rows)
    wave = fft.rfft((place - place.mean(axis=1, keepdims=True)) * window[:, None], FINER * rows, axis=1)
    wave, free = _apart(wave, place[:, :, 0].mean(axis=1))
    power = ((np.abs(wave) ** 2).sum(axis=0) / free).sum(axis=1)
    around = ndimage.median_filter(power, 6 * FINER + 1, mode="nearest")
    around = np.maximum(around, noise * (window**2).sum())
    even = (np.abs(fft.fft(wave, 2 * len(wave), axis=0)) ** 2).sum(axis=2).max(axis=0) / free[:, 0]
    first = int(SLOWEST * FINER)
    clear = np.maximum(power / STANDS_OUT, even / EVEN) / around
    peak = first + int(np.argmax(clear[first:-1]))
    if clear[peak] < (CLEARER if peak < SLOW * FINER else 1) or not clear[peak - 1] <= clear[peak] >= clear[peak + 1]:
        return 0.0
    below, at, above = np.log(np.maximum(clear[peak - 1 : peak + 2], 1e-300))
    return float((peak + 0.5 * (below - above) / min(below - 2 * at + above, -1e-9)) / (FINER * rows))


def waves(line: float, rows: int) -> tuple[Floats, Floats]:
    """Cosine and sine of a hum, (rows, 2), and their derivatives by its frequency.

    `line`: frequency, cycles a row; the phase is zero at the middle row. Where it is 0 (no hum) both are (rows, 0).
    """
    turn = 2 * np.pi * (np.arange(rows)[:, None] - (rows - 1) / 2)
    sine, cosine = np.sin(line * turn), np.cos(line * turn)
    both = np.concatenate([cosine, sine], axis=1), np.concatenate([-turn * sine, turn * cosine], axis=1)
    return both[0][:, : 2 if line else 0], both[1][:, : 2 if line else 0]


def steady(alone: Floats) -> tuple[Floats, Floats]:
    """Hum in each frame (N, 4) that one amplitude and a steadily advancing phase make, and the variances about it (2,).

    A least-squares fit through all frames. The variances (y, x), px², are those of the frames' departures, with the
    error of the fit. In few frames nothing is fitted: the hum is then zero, and the variances are those about that.

    Parameters
    ----------
    alone : (N, 4, 2)
        Coefficients of the waves found in each frame, cosine (y, x) and sine, and the variances of their errors.
    """
    frames, number = len(alone), np.arange(len(alone))[:, None]
    error = alone[:, :, 1].mean(axis=0).reshape(2, 2).mean(axis=0)
    if frames < FEWEST:
        power = (alone[:, :, 0] ** 2).mean(axis=0).reshape(2, 2).mean(axis=0)
        return np.zeros((frames, 4)), np.maximum(power, 1e-9)
    found = alone[:, :2, 0] - 1j * alone[:, 2:, 0]
    coarse = (np.abs(fft.fft(found, TURNS * frames, axis=0)) ** 2).sum(axis=1)
    turn, from_middle = float(np.argmax(coarse)) / (TURNS * frames), number - (frames - 1) / 2
    for _ in range(2):  # the frequency at the maximum, by the slope of the phase that is left
        still = found * np.exp(-2j * np.pi * turn * number)
        size, slope = still.mean(axis=0), (from_middle * still).sum(axis=0) / (from_middle**2).sum()
        turn += float((slope * size.conj()).imag.sum() / max((np.abs(size) ** 2).sum(), 1e-300)) / (2 * np.pi)
    size = (found * np.exp(-2j * np.pi * turn * number)).mean(axis=0)
    fit = size * np.exp(2j * np.pi * turn * number)
    rest = (np.abs(found - fit) ** 2).sum(axis=0) / (2 * frames - 2.5)
    return np.concatenate([fit.real, -fit.imag], axis=1), np.maximum(rest - error, 0) + 1.25 / frames * error + 1e-12


def left_in_scene(line: Floats, cycles: float, shift: Floats) -> tuple[Floats, float, bool]:
    """Hum by which the fitted scene is distorted, as coefficients (4,) of `waves`.

    Also returns the variance, px², by which a component of the displacements is uncertain because of it, and whether
    it could be determined.

    A scene distorted by a wave, and frames whose rows lack that wave, give the same images. So the fit may put into the
    scene that part of the hum which moves with the frames' shifts. A hum has one amplitude and its phase advances
    steadily, by t cycles a frame; the wave found in frame n is therefore c_n = a exp(2πi n t) - m exp(2πi cycles
    shift_n), where m is the wave in the scene. It is averaged over all t by their likelihood, since it is badly known
    where the shifts advance nearly as the phase does. It is taken for zero where this explains the frames badly, and
    where it is not clearly seen.

    Parameters
    ----------
    line : (N, 4)
        Coefficients of the waves found in each frame: cosine (y, x) and sine.
    cycles : float
        Frequency of the hum, cycles a row.
    shift : (N,)
        Shifts of the frames across the rows (y), px.
    """
    frames = len(line)
    found = line[:, :2] - 1j * line[:, 2:]
    number, scene = np.arange(frames), -np.exp(2j * np.pi * cycles * shift)
    alone = (np.abs(found) ** 2).mean(axis=0) / frames
    apart = (1 - float(np.abs(scene.mean())) ** 2) / 4  # what is the same in all frames is no error
    if frames < FEWEST:
        return np.zeros(4), float(alone.sum()) * apart, False

    size = float((np.abs(found) ** 2).sum())

    def fit(steady: NDArray[Any], noise: float) -> tuple[Floats, NDArray[Any], Floats, Floats]:
        """For each advance t, (T,): logarithm of its likelihood, m, (T, 2), variance of m, and squares left.

        `steady`, (T, 3): Fourier transform at t of the waves found and of the one that moves with the shifts.
        """
        pull = np.stack([steady[:, :2], np.tile(scene.conj() @ found, (len(steady), 1))], axis=1)
        both = np.empty((len(steady), 2, 2), complex)
        both[:, 0, 0] = both[:, 1, 1] = frames + noise / LARGEST**2
        both[:, 0, 1], both[:, 1, 0] = steady[:, 2], steady[:, 2].conj()
        inverse = np.linalg.inv(both)
        fitted = inverse @ pull
        rest = size - (pull.conj() * fitted).real.sum(axis=(1, 2))
        likely = -rest / noise - 2 * np.log(np.linalg.det(both).real)
        return likely, fitted[:, 1], noise * inverse[:, 1, 1].real, rest

    def at(turns: Floats) -> NDArray[Any]:
        return np.asarray(np.exp(-2j * np.pi * turns[:, None] * number) @ all_waves)

    all_waves, cell = np.column_stack([found, scene]), 1 / (TURNS * frames)
    coarse = fft.fft(all_waves, TURNS * frames, axis=0)
    noise = max(1e-6 * size, 1e-12)
    best = cell * int(np.argmax(fit(coarse, noise)[0]))
    rest = float(fit(at(best + cell * np.linspace(-1, 1, FINE)), noise)[3].min())
    if rest > ONE_HUM * size:
        return np.zeros(4), float(alone.sum()) * apart, False
    noise = max(rest / (2 * frames - 4.5), noise)
    likely = fit(coarse, noise)[0]
    near = (cell * np.flatnonzero(likely > likely.max() - UNLIKELY) - best + 0.5) % 1 - 0.5 + best
    likely, each, variances, _ = fit(at(np.linspace(near.min() - cell, near.max() + cell, FINE)), noise)
    likely = np.exp(likely - likely.max())[:, None] / np.exp(likely - likely.max()).sum()
    taken = (likely * each).sum(axis=0)
    variance = (likely * (variances[:, None] + np.abs(each - taken) ** 2)).sum(axis=0)
    certain = np.abs(taken) ** 2 > CERTAIN**2 * variance
    known = bool(((variance <= alone) | certain).any())
    variance += np.where(certain, 0, np.abs(taken) ** 2)
    taken = np.where(certain, taken, 0)
    return np.concatenate([taken.real, -taken.imag]), float(variance.sum()) * apart, known


def moving(wave: Floats, cycles: float, shift: Floats, rows: int) -> Floats:
    """Displacement (N, Y, 2) of the rows of frames at their shifts by a wave in the scene, coefficients (4,)."""
    turn = 2 * np.pi * cycles * (np.arange(rows) - (rows - 1) / 2 + shift[:, None])[..., None]
    return np.asarray(wave[:2] * np.cos(turn) + wave[2:] * np.sin(turn))


def apart(waves: NDArray[Any], shift: NDArray[Any]) -> Floats:
    """Variance over the frames of the rows' Fourier components (N, F, M), (F, M).

    Left out are the part that is the same in all frames, and the part that moves with the frames' shift (N,) across
    the rows, px: such a wave is fixed to the scene, an error of the fitted scene and no jitter.
    """
    waves, free = _apart(waves, shift)
    return np.asarray((np.abs(waves) ** 2).sum(axis=0, dtype=float) / free)


def _apart(waves: NDArray[Any], shift: NDArray[Any]) -> tuple[NDArray[Any], Floats]:
    """Fourier components without the two parts that `apart` leaves out, and their degrees of freedom, (F, 1)."""
    frames, number = waves.shape[:2]
    waves = waves - waves.mean(axis=0)
    if frames < FEW:
        return waves, np.full((number, 1), max(frames - 1.0, 1.0))
    turn = np.exp(1j * np.pi / (number - 1) * np.arange(number) * shift[:, None])
    turn -= turn.mean(axis=0)
    size = (np.abs(turn) ** 2).sum(axis=0)
    turn *= np.where(size > frames / FEW, 1 / np.sqrt(np.maximum(size, 1e-9)), 0)
    waves -= (turn[:, :, None] * np.einsum("nf,nfm->fm", turn.conj(), waves)).astype(waves.dtype)
    return waves, np.asarray(frames - 1 - (np.abs(turn) ** 2).sum(axis=0))[:, None]
