"""Entrance for HyperSpy: `file_reader` and `file_writer` with their options, as rosettasciio calls them."""

from __future__ import annotations

import os
from typing import Any

from lbj.format.blocks import MAX_BYTES


def file_reader(
    filename: str | os.PathLike[str],
    lazy: bool = False,
    *,
    sum_frames: bool | None = None,
    detectors: str | list[str] = "sum",
    frames: slice | None = None,
    aligned: bool = False,
    max_bytes: int = MAX_BYTES,
) -> list[dict[str, Any]]:
    """Read a journal: the keyword arguments that ``hs.load("x.lbj", …)`` takes.

    Parameters
    ----------
    filename : path
    lazy : bool
        Dask arrays of dense blocks, one frame and some rows each with all channels, that are decoded when computed.
    sum_frames : bool, optional
        Whether signals are the sums over the frames, times and counts; else they have a navigation axis ``frame``.
        By default what `signal.save` wrote comes back as it was, series of images alone come as stacks, and all else
        as sums.
    detectors : "sum", "each" or list of str
        Detectors of a group (EDX): their sum, each as a signal, or the sum of those named.
    frames : slice, optional
        Which frames; all by default.
    aligned : bool
        Frames moved by the displacements, and spectra by the energy shifts, that are stored in the journal; frames that
        could not be registered are left out. Interpolated counts are no whole numbers: float32.
    max_bytes : int
        Largest array, in bytes, that is read at once.

    Returns
    -------
    list of dict
        ``data``, ``axes``, ``metadata`` and ``original_metadata`` of every signal, the static ones (a survey image)
        among them. Lengths are in nm, energies of X-rays in keV, those of electrons in eV. Live and real times are
        totals over the frames, the current is their mean.

    Raises
    ------
    lbj.LbjError
        ``UsageError``: an option names what is not there, there are no displacements, or an array is larger than
        `max_bytes`. ``DamagedError``, ``TruncatedError``, ``UnsupportedError``: the file is no journal, or broken.
    """
    from .reader import read

    return read(
        filename,
        lazy=lazy,
        sum_frames=sum_frames,
        detectors=detectors,
        frames=frames,
        aligned=aligned,
        max_bytes=max_bytes,
    )


def file_writer(filename: str | os.PathLike[str], signal: dict[str, Any]) -> None:
    """Write a signal as a journal of its own; HyperSpy has asked before whether a file may be replaced.

    Parameters
    ----------
    filename : path
    signal : dict
        As HyperSpy hands it to plugins. Whole counts of X-rays are stored as events, all else bit for bit. The first
        of three or more navigation axes, an axis named ``frame`` or ``time``, and the navigation axis of images are
        frames.

    Raises
    ------
    lbj.UsageError
        If the format cannot hold the signal (complex or ragged data, text), or another process writes the file.
    lbj.StorageError
        If it cannot be written. What stood there before stands there still.
    """
    from .writer import write

    write(filename, signal)
