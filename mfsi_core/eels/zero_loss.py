"""Zero-loss alignment: how far every spectrum of a low loss lies from where its zero-loss peak should be."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lbj import Signal, UsageError
from lbj.array_types import Floats
from lbj.progress import track

from ..series.axis import even_axis, width
from ..series.series import as_series, is_journal
from .log_linear import fit_loglinear

SMOOTHING = 3  # channels, of the search for the peak
LEVEL = 0.25  # of the height; the peak is fitted where it is higher
LEAST_HEIGHT = 6.0  # standard deviations of the spectrum above its median
SATURATED = 3  # channels in a row that share a spectrum's largest value are saturated
ROUNDS = 3  # the window follows the peak
BLOCK = 4096
FARTHEST = 5.0  # eV, from the axis to 0 eV; peaks on axes that begin later are no zero loss
WIDEST = 4.0  # eV, of a zero-loss peak at half its height; plasmons are wider
WIDEST_CHANNELS = 4  # of coarse axes
RELATIVE = 2.5  # times the width of the narrower quarter of the peaks; a wider peak is no zero loss
ASTRAY = 5.0  # eV from 0 eV on the axis, beyond which a zero-loss peak is doubted
FLANK = 2  # channels of a saturated peak that must be left to fit on either side
CUT = 0.05  # share of the peak's height by which the start of the axis may exceed what lies between


def zero_loss_shift(low_loss: Any, axis: Any = "EELS-LL", *, quiet: bool = True) -> Floats:
    """Energy shifts that put every zero-loss peak at 0 eV.

    Parameters
    ----------
    low_loss : journal, (Y, X, C) cube, or (N, Y, X, C) frames
        A journal is read frame by frame.
    axis : str, Signal, or (C,) array
        Name of the signal of a journal; else a Signal, or the energies of the channels in eV, evenly spaced.
    quiet : bool
        No progress bar.

    Returns
    -------
    (Y, X) or, of a journal or several frames, (N, Y, X) float64
        eV, to be added to the axis (as the attribute ``energy_shift``): true energy = axis value + shift. NaN where
        there is no zero-loss peak, it is cut by the end of the axis, or saturated on its flanks as well.

    Raises
    ------
    UsageError
        If the axis is not in eV, not even, or does not fit the data.

    Warns
    -----
    UserWarning
        With the number of spectra without a zero-loss peak, and where the peaks lie more than 5 eV off.

    Notes
    -----
    The zero-loss peak is taken to be the highest of a spectrum, unless that is a plasmon or an edge: an axis that
    comes no nearer to 0 eV than 5 eV has none, a peak wider than 4 eV (4 channels of a coarse axis), or than 2.5 times
    what the narrower quarter of the others are, is none, nor is one below which the counts rise again. A parabola is
    fitted to the logarithm of its mean counts (Poisson quasi-likelihood) where the peak exceeds a quarter of its
    height, in a window as wide as the mean peak that follows the fitted maximum. The tail, the height (flicker) and
    channels that are saturated do not matter; of an asymmetric peak it is the maximum of that parabola, the same in all
    spectra.
    """
    if is_journal(low_loss):
        declared = low_loss.signals[axis.name if isinstance(axis, Signal) else str(axis)]
        series = as_series(low_loss, declared.name, 0)
        if declared.kind == "image":
            raise UsageError(f"the zero loss is looked for in spectra; {declared.name!r} is an image")
        axis, several = declared, True
        frames: Any = series
    else:
        cube = np.asarray(low_loss)
        if cube.ndim not in (3, 4):
            raise UsageError(f"the low loss must be (Y, X, C) or (N, Y, X, C), got shape {cube.shape}")
        several = cube.ndim == 4
        frames = cube if several else cube[None]
    energy = even_axis(axis)
    step = width(energy)
    nearby = energy[0] - FARTHEST <= 0 <= energy[-1] + FARTHEST
    widest = max(WIDEST / step, WIDEST_CHANNELS) if nearby else -1.0
    out = []
    for item in track(frames, "zero loss", len(frames), quiet=quiet):
        frame = item.dense() if hasattr(item, "dense") else np.asarray(item)
        if frame.shape[-1] != energy.size:
            raise UsageError(f"the axis has {energy.size} channels, the spectra {frame.shape[-1]}")
        place = peak_channel(frame.reshape(-1, energy.size), widest).reshape(frame.shape[:-1])
        out.append(-(energy[0] + place * step))
    for text in _doubts(np.stack(out), energy, nearby=nearby):
        warnings.warn(text, stacklevel=2)
    return np.stack(out) if several else out[0]


def _doubts(shift: Floats, energy: Floats, *, nearby: bool) -> list[str]:
    """Sentences on spectra without a zero-loss peak, and on peaks far from 0 eV."""
    known, found = np.isfinite(shift), []
    if not known.all():
        why = "" if nearby else f" (the axis runs from {energy[0]:g} to {energy[-1]:g} eV)"
        found.append(
            f"{(~known).sum()} of {shift.size} spectra have no zero-loss peak{why}: none, cut by the end of the axis, "
            "saturated, or as wide as a plasmon; their shift is NaN"
        )
    if known.any() and abs(middle := float(np.median(shift[known]))) > ASTRAY:
        found.append(
            f"the zero-loss peak lies at {-middle:.1f} eV of the axis; if that is a plasmon, and the zero loss was not "
            "recorded, do not apply these shifts"
        )
    return found


def peak_channel(spectra: Floats, widest: float) -> Floats:
    """Channel (with fraction) of the zero-loss peak of every spectrum (P, C); NaN where there is none.

    A peak is at most `widest` channels wide at half its height.
    """
    places = np.full(len(spectra), np.nan)
    usable = np.flatnonzero(np.isfinite(spectra).all(axis=1))
    channels = spectra.shape[1]
    if channels < 2 * SMOOTHING or not usable.size:
        return places
    start = np.concatenate([_highest(spectra[part]) for part in _blocks(usable)])
    sharp = np.concatenate(
        [_sharp(spectra[part], at) for part, at in zip(_blocks(usable), _blocks(start), strict=True)]
    )
    typical = RELATIVE * max(float(np.quantile(sharp[sharp <= widest], 0.25)), 2.0) if (sharp <= widest).any() else 0.0
    usable, start = (values[sharp <= min(widest, typical)] for values in (usable, start))
    if not usable.size:
        return places
    left, right = _reach(spectra, usable, start)
    for part, first in zip(_blocks(usable), _blocks(start), strict=True):
        places[part] = _fitted(np.asarray(spectra[part], float), first, left, right)
    return places


def _blocks(items: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    return [items[i : i + BLOCK] for i in range(0, len(items), BLOCK)]


def _highest(spectra: NDArray[Any]) -> NDArray[np.int64]:
    """Channel where the running mean is highest; the middle of a plateau."""
    from scipy.ndimage import uniform_filter1d

    smooth = uniform_filter1d(np.asarray(spectra, float), SMOOTHING, axis=1, mode="nearest")
    first = smooth.argmax(axis=1)
    lower = smooth < smooth.max(axis=1, keepdims=True) * (1 - 1e-12)
    lower &= np.arange(smooth.shape[1]) >= first[:, None]
    past = np.where(lower.any(axis=1), lower.argmax(axis=1), smooth.shape[1])
    return np.asarray(first + np.maximum(past - 1 - first, 0) // 2)


def _sharp(spectra: NDArray[Any], start: NDArray[np.int64]) -> Floats:
    """Channels of every peak above half its height; infinite where the counts rise again towards the axis's start."""
    from scipy.ndimage import uniform_filter1d

    smooth = uniform_filter1d(np.asarray(spectra, float), SMOOTHING, axis=1, mode="nearest")
    channel = np.arange(smooth.shape[1])
    top = np.take_along_axis(smooth, start[:, None], axis=1)
    low = smooth < (top + np.median(smooth, axis=1, keepdims=True)) / 2
    after = np.where(low & (channel > start[:, None]), channel, channel.size).min(axis=1)
    before = np.where(low & (channel < start[:, None]), channel, -1).max(axis=1)
    lowest = np.where(channel <= start[:, None], smooth, np.inf).min(axis=1)
    rise = smooth[:, 0] - lowest
    above = rise > np.maximum(CUT * (top[:, 0] - lowest), LEAST_HEIGHT * np.sqrt(np.maximum(lowest, 1.0)))
    return np.where(above & (before >= 0), np.inf, after - before - 1.0)


def _reach(spectra: NDArray[Any], usable: NDArray[np.int64], start: NDArray[np.int64]) -> tuple[int, int]:
    """Channels to the left and right of the maximum in which the mean peak exceeds a quarter of its height."""
    channels = spectra.shape[1]
    total = np.zeros(2 * channels)
    for pixel, place in zip(usable, start, strict=True):
        total[channels - place : 2 * channels - place] += spectra[pixel]
    inside = total > LEVEL * total[channels]
    left = int(np.argmin(inside[channels::-1])) - 1
    right = int(np.argmin(inside[channels:])) - 1
    return max(left, SMOOTHING // 2, 1), max(right, SMOOTHING // 2, 1)


def _fitted(spectra: Floats, start: NDArray[np.int64], left: int, right: int) -> Floats:
    channels = spectra.shape[1]
    offsets = np.arange(-left, right + 1)
    scale = (left + right) / 2
    basis = np.stack([np.ones(offsets.size), offsets / scale, (offsets / scale) ** 2], axis=1)
    top = spectra.max(axis=1, keepdims=True)
    flat = spectra == top
    run = flat[:, 1:-1] & flat[:, :-2] & flat[:, 2:]
    saturated = np.zeros_like(flat)
    for shift in range(SATURATED):
        saturated[:, shift : shift + run.shape[1]] |= run
    rows = np.arange(len(spectra))[:, None]
    unit = np.ones((len(spectra), 1))
    place, centre = start.astype(float), start.copy()
    inside, flanks = np.ones(len(spectra), bool), np.ones(len(spectra), bool)
    for _ in range(ROUNDS):
        inside = (centre >= left) & (centre + right < channels)
        index = np.clip(centre[:, None] + offsets, 0, channels - 1)
        height = np.maximum(top, np.finfo(float).tiny)
        level = np.concatenate([np.log(height), 0 * height, np.full_like(height, np.log(LEVEL))], axis=1)
        counts = np.where(top > 0, spectra[rows, index], 1.0)
        used = ~saturated[rows, index]
        middle = np.where(used, 0.0, offsets).sum(axis=1) / np.maximum((~used).sum(axis=1), 1)
        sides = [(used & side).sum(axis=1) for side in (offsets < middle[:, None], offsets > middle[:, None])]
        flanks = used.all(axis=1) | (np.minimum(*sides) >= FLANK)
        fit = fit_loglinear(counts, basis, unit, 0 * unit, level, used.astype(float))
        _, slope, bend = fit.theta.T
        bent = bend < 0
        move = np.where(bent, -slope / np.where(bent, 2 * bend, 1.0), 0.0) * scale
        known = bent & fit.converged & (np.abs(move) <= left + right)
        place = np.where(known, centre + move, np.nan)
        centre = np.where(known, np.rint(np.where(known, place, 0.0)), centre).astype(np.int64)
    return np.where(inside & known & flanks & _stands_out(spectra, centre, offsets), place, np.nan)


def _stands_out(spectra: Floats, centre: NDArray[np.int64], offsets: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether the mean of the peak lies above the spectrum's median by more than chance and than the rest varies."""
    index = np.clip(centre[:, None] + offsets, 0, spectra.shape[1] - 1)
    middle = np.median(spectra, axis=1, keepdims=True)
    noise = 1.4826 * np.median(np.abs(spectra - middle), axis=1)
    excess = (np.take_along_axis(spectra, index, axis=1) - middle).mean(axis=1)
    scale = np.abs(spectra).max(axis=1)
    return np.asarray(excess > np.maximum(LEAST_HEIGHT * noise / np.sqrt(offsets.size), 1e-9 * scale))
