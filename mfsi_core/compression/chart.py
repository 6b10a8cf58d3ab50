"""The data-compression chart: which channels of an EELS spectrum image are kept, and which are binned how far."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lbj import Signal, UsageError
from lbj.array_types import Floats
from lbj.codings.chart import WIDE

from ..eels.noise import Noise
from ..tables.edges import Edge, edges_of, strongest_between
from .check import Patterns, boxes, components, graded, halve, refine
from .drift import Drift
from .source import Spectra, spectrum_image, summed

Starts = NDArray[np.int64]

COARSEST, COARSEST_EV = 64, 32.0  # channels, eV
BEFORE, MARGIN, WHITE_LINES, TAIL = 30.0, 5.0, 15.0, 50.0  # eV, from an edge's energy
BEFORE_WIDTH, FINE_WIDTH, TAIL_WIDTH = 8.0, 0.5, 4.0  # eV, widest bins there
OVERHEAD = 0.5  # bits per bin that coding takes beyond the entropy of the noise, for the estimated ratio


@dataclass(frozen=True, eq=False)
class Chart:
    """A data-compression chart.

    Attributes
    ----------
    coding : str
        For `lbj`: ``chart(0:64,…;0.5)``, channel:factor pairs and the step in units of the noise.
    blocks : list of (int, int)
        First channel and binning factor of each block, ascending.
    starts : (B,) int64
        First channel of every bin.
    step : float
    ratio : float
        Estimated size of the raw float32 over that of the coded spectra.
    edges : list of Edge
        Those named, on the axis.
    kept : list of (float, float)
        Stretches, eV, where the data hold structure that no named edge explains; bins are small there.
    drift : Drift or None
        Measured energy drift; None where shifts were given.
    shifts : array or None
        Energy shifts to apply before coding, eV; true energy = axis value + shift.
    notes : list of str
    axis, mean : (C,) float64
        Energies, eV; mean spectrum of a pixel, summed over frames, counts.
    noise : Noise
        Of the sum over frames.
    example : Patterns
        The sums over pixels in which the chart loses most, relative to what noise allows: one spectrum.
    """

    coding: str
    blocks: list[tuple[int, int]]
    starts: Starts
    step: float
    ratio: float
    edges: list[Edge]
    kept: list[tuple[float, float]]
    drift: Drift | None
    shifts: Floats | None
    axis: Floats
    mean: Floats
    noise: Noise
    example: Patterns
    notes: list[str] = field(default_factory=list)


def pick_chart(
    source: Any,
    elements: Sequence[str] | None = None,
    edges: Sequence[float] | None = None,
    signal: str | Signal = "EELS",
    step: float = 0.5,
    shifts: Any = None,
) -> Chart:
    """Pick a data-compression chart from named edges and the data.

    Bins of half an eV are laid from 5 eV before each edge to 15 eV behind it (chemical shifts and white lines), bins
    of 4 eV up to 50 eV behind, of 8 eV from 30 eV before, and of up to 64 channels elsewhere; neighbours differ by
    no more than a factor of two. What such a chart would lose is then looked for in sums over squares of all sizes,
    rows, columns and along the principal components of the spectrum image, and bins are halved where it stands out
    of the noise (`check.refine`): edges that nobody named, chemical shifts, and maps of a few pixels.

    Parameters
    ----------
    source : journal or (Y, X, C) cube, or sequence of such frames
        A series is summed over its frames.
    elements : sequence of str, optional
        Symbols; all their edges on the axis are named.
    edges : sequence of float, optional
        Energies of edges, eV, beside those of the elements.
    signal : str or Signal
        Name of the signal of a journal; a Signal gives the axis of a cube.
    step : float
        Quantisation step of the bins' sums in units of their noise.
    shifts : array or str, optional
        Energy shifts, eV, (N,), (Y, X) or (N, Y, X), to be added to the axis; or the name of the low-loss signal on
        which to measure them. The chart is then picked on the shifted spectra, and coding must follow shifting.

    Returns
    -------
    Chart

    Raises
    ------
    UsageError
        If nothing is named, an element has no edge on the axis, the source is no spectrum image with noise, or the
        energy drifts by a quarter of a channel or more and no shifts are given.
    """
    if not (isinstance(step, (int, float)) and math.isfinite(step) and 0 < step <= 16):
        raise UsageError(f"the step must be a number of standard deviations above 0, up to 16, got {step!r}")
    if not elements and not (edges is not None and len(edges)):
        raise UsageError("name elements or edge energies: elements=['Ti', 'O'] or edges=[456, 532]")
    if isinstance(elements, str):
        raise UsageError(f"elements must be a list of symbols, got {elements!r}")
    frames, axis = spectrum_image(source, signal)
    named = _named(elements or [], edges, axis)
    given = summed(frames, axis, [edge.energy for edge in named], shifts, source)
    patterns = boxes(given.cube, given.noise)
    leading = components(given.cube, given.mean, given.noise)
    patterns += [] if leading is None else [leading]
    first = graded(_laid(given.axis, named), given.axis.size)
    starts, _, example = refine(first, patterns, given.mean, given.noise)
    blocks = blocks_of(starts, given.axis.size)
    kept = _unnamed(given.axis, first, starts, named)
    finer = np.maximum(np.diff(starts, append=given.axis.size) / WIDE, 1.0) ** 0.25
    bits = float(np.log2(math.sqrt(2 * math.pi * math.e) / step * finer).sum()) + OVERHEAD * starts.size
    pixels = given.cube.shape[0] * given.cube.shape[1]
    raw = 32.0 * given.axis.size
    coding = f"chart({','.join(f'{start}:{factor}' for start, factor in blocks)};{step:g})"
    return Chart(
        coding, blocks, starts, float(step), raw / (max(bits, 0.06 * starts.size) + raw / pixels), named, kept,
        given.drift, given.shifts, given.axis, given.mean, given.noise, example, _notes(given, kept),
    )  # fmt: skip


def _named(elements: Sequence[str], energies: Sequence[float] | None, axis: Floats) -> list[Edge]:
    """Edges on the axis, by energy."""
    low, high = float(axis[0]), float(axis[-1])
    found: list[Edge] = []
    for element in dict.fromkeys(elements):
        on_axis = edges_of(element, low, high)
        if not on_axis:
            every = ", ".join(f"{edge.name} {edge.energy:g}" for edge in edges_of(element))
            raise UsageError(f"{element} has no edge on the axis, {low:g} to {high:g} eV; its edges: {every} eV")
        found += on_axis
    for value in energies if energies is not None else []:
        energy = float(value)
        if not low <= energy <= high:
            raise UsageError(f"the edge at {energy:g} eV is not on the axis, {low:g} to {high:g} eV")
        found.append(Edge("", f"{energy:g} eV", energy))
    return sorted(found, key=lambda edge: edge.energy)


def _laid(axis: Floats, named: list[Edge]) -> Starts:
    """Bins by the named edges alone: powers of two of channels, aligned to them."""
    width = float(axis[1] - axis[0])
    widest = np.full(axis.size, min(_power(COARSEST_EV / width), COARSEST), np.int64)
    for edge in named:
        for low, high, bins in (
            (-BEFORE, -MARGIN, BEFORE_WIDTH),
            (-MARGIN, WHITE_LINES, FINE_WIDTH),
            (WHITE_LINES, TAIL, TAIL_WIDTH),
        ):
            part = (axis >= edge.energy + low) & (axis < edge.energy + high)
            widest[part] = np.minimum(widest[part], _power(bins / width))
    starts = np.arange(0, axis.size, int(widest.max()))
    while True:
        wide = np.minimum.reduceat(widest, starts) < np.diff(starts, append=axis.size)
        after = halve(starts, wide, axis.size)
        if after.size == starts.size:
            return starts
        starts = after


def _power(channels: float) -> int:
    """Largest power of two that is no more."""
    return int(2 ** max(math.floor(math.log2(max(channels, 1.0))), 0))


def blocks_of(starts: Starts, channels: int) -> list[tuple[int, int]]:
    """Runs of equal bins: (first channel, factor). The last bin may be shorter than its block's factor."""
    sizes = np.diff(starts, append=channels).tolist()
    out: list[tuple[int, int]] = []
    for start, size in zip(starts.tolist(), sizes, strict=True):
        last = start + size == channels
        if not out or (size != out[-1][1] and not (last and size < out[-1][1])):
            out.append((start, size))
    return out


def _unnamed(axis: Floats, first: Starts, starts: Starts, named: list[Edge]) -> list[tuple[float, float]]:
    """Stretches that the data asked to be kept finer than the named edges did, by a factor of four or more."""
    was = np.repeat(np.diff(first, append=axis.size), np.diff(first, append=axis.size))
    now = np.repeat(np.diff(starts, append=axis.size), np.diff(starts, append=axis.size))
    finer = now * 4 <= was
    for edge in named:
        finer[(axis >= edge.energy - BEFORE) & (axis < edge.energy + TAIL)] = False
    ends = np.flatnonzero(np.diff(np.pad(finer, 1).astype(int)))
    out: list[tuple[float, float]] = []
    for low, high in zip(ends[::2], ends[1::2], strict=True):
        if high <= first[1] or low >= first[-1]:  # the ends, where no bin beside guides the interpolation
            continue
        stretch = float(axis[low]), float(axis[high - 1])
        if out and stretch[0] - out[-1][1] < MARGIN:
            out[-1] = out[-1][0], stretch[1]
        else:
            out.append(stretch)
    return out


def _notes(given: Spectra, kept: list[tuple[float, float]]) -> list[str]:
    notes = list(given.notes)
    for low, high in kept:
        near = strongest_between(low, high)
        guess = f" (edges there: {', '.join(near)})" if near else ""
        notes.append(f"structure that no named edge explains is kept at {low:.0f} to {high:.0f} eV{guess}")
    return notes
