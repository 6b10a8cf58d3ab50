"""Figures of compositions: at% maps, differences and the fitted sum spectrum, and their section of the report."""

from __future__ import annotations

from typing import Any

import numpy as np

from lbj.array_types import Floats

from ..drawing import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    image_panels,
    label_lines,
    limits_of,
    new_figure,
    picture,
    png,
    profile,
    without_frame,
)
from ..edx.unassigned import ELEMENT
from ..series.axis import Pixel
from ..text import greek
from .result import Quantification


def at_map(result: Quantification, element: str, pixel: Pixel | None = None) -> bytes:
    """Draw the at% map of an element as PNG.

    Parameters
    ----------
    result : Quantification
    element : str
    pixel : (float, float), optional
        Edges of a pixel of the field along y and x, m.
    """
    values, size = _grid(result, 100 * result.composition.at[:, result.elements.index(element)], pixel)
    factor = result.factors[result.elements.index(element)]
    title = f"{element} ({factor.family})"
    if 1 in values.shape and result.chips.grid is not None:
        error = result.grid(100 * result.composition.at_se[:, result.elements.index(element)])
        return profile(values, error, size, title, "at%")
    high = min(limits_of(values, 0, 99.8)[1], 100.0)  # of few counts, the linear filter gives any percentage
    figure, panels, width = image_panels(values.shape, 2.25, 1, size)
    picture(panels[0], values, size, title, "at%", "inferno", (0.0, max(high, 1.0)), width)
    return png(figure)


def difference_map(result: Quantification, table: Any, element: str, pixel: Pixel | None = None) -> bytes:
    """Draw the difference of two quantifications, at%, white where they agree.

    Parameters
    ----------
    result : Quantification
        Either of them, for its chips.
    table : DataFrame
        Of `compare.difference`.
    element : str
    pixel : (float, float), optional
        Edges of a pixel of the field along y and x, m.
    """
    values, size = _grid(result, table.loc[table["element"] == element, "difference"].to_numpy(float), pixel)
    reach = limits_of(np.abs(values), 0, 99.0)[1]
    figure, panels, width = image_panels(values.shape, 2.25, 1, size)
    limits = (-reach, reach) if reach > 0 else (-1.0, 1.0)
    picture(panels[0], values, size, f"{element}, second - first", "at%", "RdBu_r", limits, width)
    return png(figure)


def difference_maps(result: Quantification, table: Any, pixel: Pixel | None = None) -> dict[str, bytes]:
    """Draw `difference_map` of every element of the table; PNG by name."""
    return {f"difference_{e}": difference_map(result, table, e, pixel) for e in table["element"].unique()}


def fitted_spectrum(result: Quantification) -> bytes:
    """Draw the sum spectrum with the fit and its background, and the residuals in standard deviations."""
    calibration, spectrum = result.calibration, result.spectrum
    fit = calibration.counts @ calibration.templates + calibration.background
    energy = result.energy / 1000
    figure = new_figure(9.6, 4.6)
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    axes.step(energy, np.where(spectrum > 0, spectrum, np.nan), where="mid", color=GREY, linewidth=0.8, label="counts")
    axes.plot(energy, fit, color=ORANGE, linewidth=0.9, label="fit")
    axes.plot(energy, calibration.background, color=BLUE, linewidth=0.9, label="background")
    axes.set_yscale("log")
    highest = float(max(spectrum.max(initial=1), fit.max(initial=1)))
    lowest = max(float(calibration.background[calibration.background > 0].min(initial=highest)), 0.3, highest * 1e-7)
    axes.set_ylim(lowest, 6 * highest)
    share = np.cumsum(spectrum) / max(spectrum.sum(), 1)
    last = int(np.searchsorted(share, 0.998).clip(0, energy.size - 1))
    right = 1.05 * max(float(energy[last]), *(family.alpha_energy / 1000 for family in result.families))
    axes.set_xlim(max(energy[0] - 0.05, 0), min(right, energy[-1]))
    labels = [
        ((family.alpha_energy + shift) / 1000, family.name.replace("_", " "))
        for family, shift, counts in zip(calibration.families, calibration.shifts, calibration.counts, strict=True)
        if counts > 0 and family.element != ELEMENT
    ]
    labels += [(place / 1000, f"{greek(lines[0])}?" if lines else "?") for place, lines in result.guesses.items()]
    label_lines(axes, energy, fit, labels)
    axes.legend(frameon=False, fontsize=8, loc="upper right")
    axes.set_ylabel("counts per channel")
    below.axhline(0, color=GREY, linewidth=0.6)
    below.plot(energy, (spectrum - fit) / np.sqrt(np.maximum(fit, 1)), color=INK, linewidth=0.5)
    below.set_ylabel("residual (σ)")
    below.set_xlabel("energy (keV)")
    for part in (axes, below):
        without_frame(part)
    return png(figure)


def _grid(result: Quantification, values: Floats, pixel: Pixel | None) -> tuple[Floats, Pixel | None]:
    """Picture and the edges of its pixels, m."""
    side = 1
    if result.chips.grid is not None:
        side = int(result.chips.boxes[0, 2] - result.chips.boxes[0, 0])
    return result.grid(values), None if pixel is None else (pixel[0] * side, pixel[1] * side)
