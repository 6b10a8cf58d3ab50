"""Energy shifts applied to spectra (alignment), or stored in a journal."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

import lbj
from lbj import Signal, UsageError
from lbj.array_types import Floats
from lbj.format.attributes import known
from lbj.progress import track

from ..series.axis import even_axis, width
from ..series.copying import copied, origin, stored

SUFFIX = " energy shift"
BLOCK = 4096  # spectra at a time


def shift_spectra(cube: Any, shift: Any, axis: Any, fill: float = np.nan) -> Floats:
    """Put spectra whose energies are shifted onto the nominal axis.

    Parameters
    ----------
    cube : (..., C) array
        Spectra: (Y, X, C), (N, Y, X, C), …
    shift : float or array
        eV, broadcast to the spectra; true energy of a channel = axis value + shift. Those measured on the low loss
        (`zero_loss_shift`) hold for the core loss of the same pixels (dual EELS), whatever its dispersion.
    axis : Signal or (C,) array
        Evenly spaced energies, eV.
    fill : float
        Value of the channels that a shifted spectrum does not wholly cover. NaN by default: nothing was measured
        there. Windows of maps are to keep clear of the ends of the axis by the largest shift.

    Returns
    -------
    (..., C) float64
        Counts on the nominal axis. A spectrum whose shift is not finite is `fill` throughout.

    Raises
    ------
    UsageError
        If the axis does not fit, or the shapes differ.

    Notes
    -----
    A channel's counts are shared out by how far it overlaps two nominal channels, which keeps their sum and is the
    same as linear interpolation. Sums over windows keep their noise; of single channels the variance falls by up to
    a half (at a shift of half a channel) and neighbours become correlated, so that noise judged by the scatter of
    channels comes out too small: give `edge_map` its ``noise``.
    """
    data = np.asarray(cube)
    energy = even_axis(axis)
    if data.ndim < 1 or data.shape[-1] != energy.size:
        raise UsageError(f"the axis has {energy.size} channels, the spectra have shape {data.shape}")
    try:
        moved = np.broadcast_to(np.asarray(shift, float), data.shape[:-1]).reshape(-1) / width(energy)
    except ValueError:
        raise UsageError(f"shifts of shape {np.shape(shift)} do not fit spectra of shape {data.shape}") from None
    spectra, channels = data.reshape(-1, energy.size), np.arange(energy.size)
    out = np.full(spectra.shape, fill, np.float64)
    for first in range(0, len(out), BLOCK):
        block, rows = moved[first : first + BLOCK, None], spectra[first : first + BLOCK].astype(float)
        known = np.isfinite(block)
        whole = np.clip(np.floor(np.where(known, block, 0)), -energy.size, energy.size)
        part = np.where(known, block - whole, 0.0)
        upper = channels - whole.astype(np.int64)  # the two channels that share in a nominal one
        inside = known & (upper < energy.size) & (upper >= (part > 0))
        with np.errstate(invalid="ignore"):  # an infinite voxel beside
            mixed = (1 - part) * np.take_along_axis(rows, np.clip(upper, 0, energy.size - 1), axis=1)
            beside = part * np.take_along_axis(rows, np.clip(upper - 1, 0, energy.size - 1), axis=1)
            mixed += np.where(part > 0, beside, 0.0)
        np.copyto(out[first : first + BLOCK], mixed, where=inside)
    return out.reshape(data.shape)


def write_shifts(
    path: str | os.PathLike, out: str | os.PathLike, shift: Any, signals: list[str] | None = None, *, quiet: bool = True
) -> None:
    """Copy a journal and keep energy shifts with its frames; the spectra stay as they were recorded.

    Parameters
    ----------
    path, out : path
        Journal, and the new one.
    shift : (N,) or (N, Y, X) array
        eV, to be added to the axis: of each frame, or of each frame's pixels (NaN where unknown).
    signals : list of str, optional
        Signals that the shifts hold for; default: all of kind spectra.

    Notes
    -----
    A frame's shift becomes its attribute ``energy_shift``. Shifts of pixels become an image signal with the role
    ``energy_shift`` for each of the signals (float32), and the median of a frame's pixels the attribute.

    Raises
    ------
    UsageError
        If shapes or names do not fit the journal.
    """
    values = np.asarray(shift, float)
    with lbj.open(path) as journal:
        dense = [s.name for s in journal.signals.values() if s.kind == "spectra" and not s.static]
        names = dense if signals is None else list(signals)
        if not names:
            raise UsageError("the journal holds no spectra to shift")
        if values.ndim not in (1, 3) or len(values) != len(journal):
            raise UsageError(f"shifts of shape {values.shape} do not fit {len(journal)} frames")
        extra = []
        for name in names if values.ndim == 3 else []:
            declared = journal.signals[name]
            shape = tuple(declared.shape if declared.kind == "image" else declared.shape[:-1])
            if values.shape[1:] != shape:
                raise UsageError(f"shifts of {values.shape[1:]} pixels do not fit signal {name!r} of {shape}")
            title, axes = name[: 64 - len(SUFFIX)] + SUFFIX, declared.axes[: len(shape)]
            extra.append(Signal(title, "image", shape, dtype="float32", axes=axes, role="energy_shift", of=name))
        source = origin(journal, path, [f"Energy shifts of {', '.join(names)} were measured and added."])
        with copied(journal, out, [*journal.signals.values(), *extra], source) as writer:
            for frame in track(journal, "shifts", len(journal), quiet=quiet):
                one = values[frame.index]
                finite = one[np.isfinite(one)]
                attributes = known(frame.attributes, list(journal.signals))
                if finite.size:
                    attributes["energy_shift"] = _merged(
                        attributes.get("energy_shift"), names, float(np.median(finite)), list(journal.signals)
                    )
                data = stored(journal, frame, frame.names)
                data |= {signal.name: one.astype(np.float32) for signal in extra}
                writer.append(data, **attributes)


def _merged(before: Any, names: list[str], value: float, every: list[str]) -> dict[str, float]:
    kept = before if isinstance(before, dict) else {} if before is None else dict.fromkeys(every, before)
    return {**kept, **dict.fromkeys(names, value)}
