"""Denoising: spectra rebuilt from a few principal components (PCA), recorded in the journal's source."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import lbj
from lbj import Signal, UsageError
from lbj.array_types import Floats
from lbj.format.attributes import known
from lbj.loss import losses
from lbj.progress import track

from ..series.copying import copied, origin, stored
from ..series.series import as_series
from .denoise_changes import Changes
from .outliers import remove_outliers
from .saturation import Saturation

LEAST_MEAN = 0.01  # of the mean of all; darker pixels and channels are weighted as if they held this
SIGMAS = 8.0
LARGEST = 8192  # channels; the covariance of more would pass 0.5 GB


class Components:
    """Principal components of spectra, weighted by their counting noise.

    Frames are given one after the other to `add`; then `solve`, and `rebuild` any. Only the covariance, (C, C), is
    kept.

    Notes
    -----
    M. R. Keenan and P. G. Kotula, Surf. Interface Anal. 36 (2004) 203: every voxel is divided by the square root of
    its pixel's mean times its channel's mean, which makes the noise of Poisson counts even, so that components are
    ordered by what they hold beyond noise. The mean is not subtracted: a spectrum that is the same everywhere is one
    component. Pixels with a voxel that is not finite do not enter.
    """

    def __init__(self, channels: int) -> None:
        if channels > LARGEST:
            raise UsageError(f"components of {channels} channels need too much memory; {LARGEST} is the most")
        self._mean = np.zeros(channels)
        self._pixels = 0
        self._covariance = np.zeros((channels, channels))
        self._basis = np.zeros((channels, 0))
        self._root = np.ones(channels)

    def add(self, cube: Any) -> None:
        """Take a frame (Y, X, C) into account."""
        spectra, whole = _finite_spectra(cube)
        spectra = spectra[whole]
        if not spectra.size:
            return
        self._mean += spectra.sum(axis=0)
        self._pixels += len(spectra)
        weighted = spectra / _root(spectra.mean(axis=1, keepdims=True), float(spectra.mean()))
        self._covariance += weighted.T @ weighted

    def solve(self, components: int) -> None:
        """Find the strongest components."""
        from scipy.linalg import eigh
        from scipy.sparse.linalg import eigsh

        channels = self._mean.size
        if not self._pixels:
            raise UsageError("there are no finite spectra: every one holds a voxel that is not finite")
        most = min(channels, self._pixels)
        if not 1 <= components <= most:
            raise UsageError(f"components must be 1 to {most} (channels, or finite spectra), got {components}")
        mean = self._mean / self._pixels
        self._root = _root(mean, float(mean.mean()))
        self._covariance /= self._root * self._root[:, None]
        if 4 * components < channels and self._covariance.any():  # Lanczos, several times quicker
            start = np.random.default_rng(0).normal(size=channels)
            self._basis = eigsh(self._covariance, components, v0=start)[1]
        else:
            self._basis = eigh(self._covariance)[1][:, channels - components :]

    def rebuild(self, cube: Any) -> Floats:
        """Rebuild a frame (Y, X, C) from the components; voxels that are not finite stay as they are."""
        data = np.asarray(cube, float)
        finite = np.isfinite(data).reshape(-1, data.shape[-1])
        spectra, whole = _finite_spectra(cube)
        root = self._root
        score = (spectra / root) @ self._basis
        for pixel in np.flatnonzero(~whole & finite.any(axis=1)):  # least squares over what there is
            there = finite[pixel]
            seen = spectra[pixel][there] / root[there]
            score[pixel] = np.linalg.lstsq(self._basis[there], seen, rcond=None)[0]
        return np.where(finite, (score @ self._basis.T) * root, data.reshape(finite.shape)).reshape(data.shape)


def denoise(cube: Any, components: int, *, median: bool = False) -> Floats:
    """Rebuild spectra from their strongest principal components.

    Parameters
    ----------
    cube : (Y, X, C) or (N, Y, X, C) array
        Dense counts; frames of a series share their components.
    components : int
        How many to keep, the mean spectrum being one of them. `mfsi_core.scree` and the look of the components tell.
    median : bool
        First replace dead and hot channels and spikes (8 standard deviations), `outliers.remove_outliers`.

    Returns
    -------
    array like `cube`, float64
        Voxels that are not finite stay so, unless `median` replaces them.

    Raises
    ------
    UsageError
        If there are fewer finite spectra or channels than components.

    Notes
    -----
    Weighted as Keenan and Kotula's, see `Components`. The noise of what comes out is correlated over pixels and
    channels, and what is weaker than the noise in all pixels together is lost: net counts of rare features are biased
    low. Variances of maps (`edge_map`) do not hold for it.
    """
    data = np.asarray(cube, float)
    if data.ndim not in (3, 4):
        raise UsageError(f"denoising needs (Y, X, C) or (N, Y, X, C) spectra, got shape {data.shape}")
    frames = data if data.ndim == 4 else data[None]
    if median:
        frames = np.stack([_cleaned(frames, range(len(frames)), i)[0] for i in range(len(frames))])
    found = _components(frames, data.shape[-1], components)
    out = np.stack([found.rebuild(frame) for frame in frames])
    return out if data.ndim == 4 else out[0]


def _cleaned(frames: Any, order: Sequence[int], index: int) -> tuple[Floats, NDArray[np.bool_]]:
    """Frame with outliers replaced, judged by the frames before and after it in `order`; and where they were."""
    at = order.index(index)
    beside = [order[i] for i in (at - 1, at + 1) if 0 <= i < len(order)]
    return remove_outliers(frames[index], SIGMAS, lambda: (frames[i] for i in beside))


def _components(frames: Iterable[Floats], channels: int, components: int) -> Components:
    found = Components(channels)
    for frame in frames:
        found.add(frame)
    found.solve(components)
    return found


def denoise_journal(
    path: str | os.PathLike,
    out: str | os.PathLike,
    components: int,
    signal: str = "EELS",
    *,
    median: bool = False,
    plot: str | os.PathLike | None = None,
    quiet: bool = False,
) -> list[str]:
    """Write a journal whose spectra are rebuilt from principal components of the whole series.

    Parameters
    ----------
    path, out : path
        Journal, and the new one, which must not exist.
    components, median
        As for `denoise`.
    signal : str
        Spectra to denoise; they become float32. All other signals are copied.
    plot : path, optional
        Draws what was changed where (PNG).
    quiet : bool
        No progress bar.

    Returns
    -------
    list of str
        What was done and how much it changed, pixels that the components do not hold included, as it stands in the new
        journal's ``source`` (beside the old one's name, SHA-256 and notes).

    Raises
    ------
    UsageError
        If the signal holds events (X-ray counts are too few for a dense denoising: map them, or quantify chips) or
        images, or has fewer spectra or channels than components.
    """
    with lbj.open(path) as journal:
        declared: Signal = journal.signals[signal]
        if declared.kind != "spectra" or declared.name not in [s.name for s in journal.signals.values()]:
            what = "X-ray counts as events" if declared.kind == "events" else f"of kind {declared.kind}, or a group"
            raise UsageError(f"{signal!r} is {what}; denoising is for dense spectra: name one with --signal")
        if len(declared.shape) != 3:
            raise UsageError(f"{signal!r} must have two navigation axes (rows, columns), got shape {declared.shape}")
        holding = [i for i in range(len(journal)) if signal in journal[i].names]
        if not holding:
            raise UsageError(f"no frame holds {signal!r}")
        frames, changes, full = as_series(journal, signal, 0).data, Changes(declared), Saturation(declared)

        def clean(index: int) -> tuple[Floats, NDArray[np.bool_] | None]:
            return _cleaned(frames, holding, index) if median else (np.asarray(frames[index], float), None)

        def seen(index: int) -> Floats:
            full.add(frames[index])
            return clean(index)[0]

        looked = (seen(index) for index in track(holding, "components", quiet=quiet))
        found = _components(looked, declared.channels, components)
        for index in track(holding, "changes", quiet=quiet):
            cube, replaced = clean(index)
            changes.add(cube, found.rebuild(cube), replaced)
        done = f"{components} principal components (Poisson weights) of {len(holding)} frames"
        notes = [f"{signal}: denoised by mfsi denoise, {done}."]
        if median:
            notes.insert(0, f"{signal}: {changes.outliers(SIGMAS)}")
        notes += [f"{signal}: {text}" for text in changes.told()]
        notes += [f"{text}, and the components hold it as signal." for text in full.told()]
        notes += [f"Source: {loss.line(name)}." for name, loss in losses(journal).items()]
        signals = [_dense(item) if item.name == signal else item for item in journal.signals.values()]
        with copied(journal, out, signals, origin(journal, path, notes)) as writer:
            for frame in track(journal, "denoise", len(journal), quiet=quiet):
                data = stored(journal, frame, [name for name in frame.names if name != signal])
                if signal in frame.names:
                    data[signal] = found.rebuild(clean(frame.index)[0]).astype(np.float32)
                writer.append(data, **known(frame.attributes, list(journal.signals)))
    if plot is not None:
        from .denoise_figure import changes_figure

        Path(plot).write_bytes(changes_figure(changes))
    return notes


def _dense(signal: Signal) -> Signal:
    item = {**signal.to_json(), "dtype": "float32"}
    item.pop("coding")
    return Signal.from_json(item)


def _finite_spectra(cube: Any) -> tuple[Floats, NDArray[np.bool_]]:
    """Spectra (P, C), what is not finite 0; and which pixels are finite throughout."""
    spectra = np.asarray(cube, float).reshape(-1, np.shape(cube)[-1])
    finite = np.isfinite(spectra)
    return np.where(finite, spectra, 0.0), finite.all(axis=1)


def _root(mean: Floats, overall: float) -> Floats:
    return np.sqrt(np.maximum(mean, LEAST_MEAN * overall if overall > 0 else 1.0))
