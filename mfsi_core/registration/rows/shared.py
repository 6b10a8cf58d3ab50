"""Shared: displacements of rows fixed to the scene, told from a distorted scene by the priors of both alone."""

from __future__ import annotations

import numpy as np
from scipy import fft, ndimage

from lbj.array_types import Floats

from .jitter import Jitter
from .scene import SceneFit
from .solving import Waves

NEAR = 4.0  # cycles a frame; power this near to a hum, which `hum.left_in_scene` tells from the scene, is left as it is
LONGEST_STEP = 0.3  # px
HELD = 1e6  # times as much as anything else is a frequency held where power was given up


def shared_step(scene: SceneFit, prior: Jitter, found: Waves, place: Floats) -> Floats:
    """Displacement of the rows, (N, Y, 2) px, that is fixed to the scene and that the priors ask for.

    A scene distorted by m(y), and frames whose rows are displaced by m where they lie in the scene, give the same
    images; scene and rows, each fitted while the other is held, hardly move along m. Both priors tell of it. The rows':
    frames that jitter for themselves have little in common. The scene's: distorted, it has power where it had little.
    The negative logarithm of both, the scene being free within its noise, falls along m by this step: down its
    gradient divided by a curvature that is diagonal in Fourier space, as far as the exact curvature on that way tells.

    Where the frames' mean is smaller than jitter of its own in each frame would leave it, the frames do not jitter for
    themselves and nothing is asked for.

    Parameters
    ----------
    scene : SceneFit
        As fitted last.
    prior : Jitter
        Power spectrum of the rows' displacements.
    found : (N, F, M)
        As `jitter.Told.found`.
    place : (N, Y, 2)
        Displacements of the rows, px.
    """
    frames, rows = place.shape[:2]
    height, top = scene.size[0], scene.corner[0]
    power = prior.power[:, :2].T
    cycles = np.arange(power.shape[1]) / prior.length
    used = power > 0
    used[:, 0] = False
    if prior.line:
        used &= np.abs(cycles - prior.line) > NEAR / rows
    turn = np.exp(2j * np.pi * cycles * place[:, :, 0].mean(axis=1)[:, None])
    mean = np.where(used, np.abs(found[:, :, :2].mean(axis=0).T) ** 2, 0).sum()
    by_chance = np.where(used, power * (1 - np.abs(turn.mean(axis=0)) ** 2), 0).sum() * prior.length / frames
    if mean <= by_chance:
        return np.zeros_like(place)
    stiff = np.where(used, 1 / np.where(used, power, 1), 0)
    pull = fft.irfft(np.einsum("nf,nfa->af", turn.conj(), found[:, :, :2]) * stiff, prior.length)[:, :rows]
    slopes, free, information = scene.slopes()

    def back(distortion: Waves) -> Floats:
        each = fft.ifft(distortion * information)
        return np.asarray((slopes.real * each.real + slopes.imag * each.imag).sum(axis=1), float)

    gradient = -back(free)
    gradient[:, top : top + rows] += pull
    steep = np.abs(fft.fft(slopes)) ** 2
    of_scene = fft.ifft((fft.fft(steep).conj() * fft.fft(information)).sum(axis=1).real).real / height**2
    stiff = np.where(used, stiff, HELD * stiff.max()) * frames
    of_rows = np.array([np.interp(fft.rfftfreq(height), cycles, one) for one in stiff])
    wave = fft.rfft(gradient) / (of_rows + of_scene[:, : height // 2 + 1])
    wave[:, 0] = 0
    way = fft.irfft(wave, height)
    distortion = fft.fft((slopes * way[:, None].astype(np.float32)).sum(axis=0))
    bent = fft.irfft(wave * of_rows, height) + back(distortion)
    step = -way * float((gradient * way).sum()) / max(float((bent * way).sum()), 1e-300)
    step = np.clip(step, -LONGEST_STEP, LONGEST_STEP)
    at = place[:, :, 0] + top + np.arange(rows)
    return np.stack([ndimage.map_coordinates(one, at[None], order=3, mode="grid-wrap") for one in step], axis=-1)
