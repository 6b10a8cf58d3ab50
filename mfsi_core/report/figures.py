"""Figures of the report: images before and after, shifts, sum spectrum; drawn with matplotlib."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lbj.array_types import Floats

from ..drawing import BLUE, GREY, ORANGE, image_panels, label_lines, limits_of, new_figure, picture, png, without_frame
from ..series.axis import Pixel

STROBE = 0.15  # keV; below it a detector's zero-strobe peak lies


def before_after(before: Floats, after: Floats, pixel: Pixel | None, name: str) -> bytes:
    """Draw the mean image as recorded and as registered, on one grey scale."""
    figure, panels, width = image_panels(before.shape, 4.0, 2, pixel)
    limits = limits_of(np.stack([before, after]))
    for axes, image, title in zip(panels, (before, after), ("Mean as recorded", "Mean registered"), strict=True):
        picture(axes, image, pixel, title, f"{name} intensity", "gray", limits, width)
    return png(figure)


def single_image(image: Floats, pixel: Pixel | None, name: str) -> bytes:
    """Draw one image."""
    figure, panels, width = image_panels(image.shape, 4.0, 1, pixel)
    picture(panels[0], image, pixel, name, "intensity", "gray", limits_of(image), width)
    return png(figure)


def shifts(shift: Floats, error: Floats, pixel: Pixel | None) -> bytes:
    """Draw the shift of every frame, and the path in the plane; in nm where pixels are not square."""
    figure = new_figure(8.6, 3.2)
    figure.get_layout_engine().set(wspace=0.08)
    series, path = figure.subplots(1, 2, width_ratios=[1.7, 1])
    frame, bars = np.arange(len(shift)), np.where(np.isfinite(error), error, 0)[:, None] * np.ones(2)
    square, unit = pixel is None or math.isclose(*pixel), "px"
    if pixel is not None and not square:
        metric = 1e9 * np.array(pixel)
        shift, bars, unit = shift * metric, bars * metric, "nm"
    for axis, (name, colour) in enumerate((("y", BLUE), ("x", ORANGE))):
        series.errorbar(
            frame, shift[:, axis], yerr=bars[:, axis], color=colour, marker="o", markersize=3, linewidth=1,
            label=f"$u_{name}$",
        )  # fmt: skip
    series.set_xlabel("frame")
    series.xaxis.get_major_locator().set_params(integer=True)
    series.set_ylabel(f"shift ({unit})")
    series.legend(frameon=False, fontsize=8)
    series.axhline(0, color=GREY, linewidth=0.6)
    if pixel is not None and square:
        edge = 1e9 * pixel[1]
        other = series.secondary_yaxis("right", functions=(lambda v: v * edge, lambda v: v / edge))
        other.set_ylabel("shift (nm)", fontsize=9)
        other.tick_params(labelsize=8)
    path.plot(shift[:, 1], shift[:, 0], color=GREY, linewidth=0.8)
    points = path.scatter(shift[:, 1], shift[:, 0], c=frame, cmap="viridis", s=14, zorder=3)
    path.set_xlabel(f"$u_x$ ({unit})")
    path.set_ylabel(f"$u_y$ ({unit})")
    path.set_aspect("equal", adjustable="datalim")
    path.invert_yaxis()
    path.locator_params(nbins=5)
    if len(shift) > 1:
        bar = figure.colorbar(points, ax=path, shrink=0.9)
        bar.locator.set_params(integer=True)
        bar.update_ticks()
        bar.set_label("frame", fontsize=9)
        bar.ax.tick_params(labelsize=8)
    for axes in (series, path):
        without_frame(axes)
    return png(figure)


def sum_spectrum(
    energy: Floats,
    counts: Floats,
    labels: list[tuple[float, str]],
    unit: str,
    windows: list[tuple[float, float]],
    label: str,
    *,
    x_ray: bool = True,
    fit: tuple[Floats, Floats] | None = None,
) -> bytes:
    """Draw the sum spectrum, logarithmic counts, lines or edges labelled; X-rays in keV where the axis is in eV.

    Parameters
    ----------
    energy, counts : (C,) arrays
    labels : list of (energy, text)
        Lines to mark.
    unit : str
        Unit of the axis.
    windows : list of (low, high)
        Windows of the maps, shaded.
    label : str
        Of the vertical axis.
    x_ray : bool
        Whether the spectrum is of X-rays, and not of energy losses.
    fit : (energies, counts), optional
        What was fitted to it.
    """
    electronvolts = unit == "eV" and x_ray
    factor = 1e-3 if electronvolts else 1.0
    x = energy * factor
    figure = new_figure(9.6, 3.9)
    axes = figure.subplots()
    values = np.where(counts > 0, counts, np.nan)
    axes.step(x, values, where="mid", color=BLUE, linewidth=0.8)
    if fit is not None:
        axes.plot(fit[0] * factor, np.maximum(fit[1], 1e-3), color=ORANGE, linewidth=0.8, label="fit of all lines")
    axes.set_yscale("log")
    inside = (x >= STROBE) | (not electronvolts)
    right = _last_energy(x[inside], counts[inside], [place * factor for place, _ in labels])
    left = max(float(x[0]), -0.25) if electronvolts else float(x[0])
    axes.set_xlim(left, right if right > left else left + 1)
    named = [float(counts[int(np.argmin(np.abs(energy - place)))]) for place, _ in labels]
    highest = float(counts.max(initial=1))
    if x_ray:
        axes.set_ylim(0.7, max(3 * highest, 400 * max(named, default=0.0)))
    else:
        positive = counts[counts > 0]
        lowest = max(float(positive.min(initial=highest)), 1e-6 * highest)
        axes.set_ylim(0.7 * lowest, highest * max(highest / lowest, 2.0) ** 0.4)
    if electronvolts and counts[~inside].sum() > 0.01 * counts.sum():
        axes.axvspan(
            min(x[0], 0), STROBE, color=GREY, alpha=0.25, linewidth=0, label="below 0.15 keV: zero-strobe peak"
        )
    shaded = "windows of the maps" if fit is None else "lines that were mapped"
    for low, high in windows:
        axes.axvspan(low * factor, high * factor, color=ORANGE, alpha=0.15, linewidth=0, label=shaded)
    handles = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    if handles:
        axes.legend(handles.values(), handles.keys(), frameon=False, fontsize=8, loc="upper right")
    label_lines(axes, x, counts, [(place * factor, text) for place, text in labels])
    axes.set_xlabel("energy (keV)" if electronvolts else f"energy ({unit})" if unit else "channel", parse_math=False)
    axes.set_ylabel(label)
    without_frame(axes)
    return png(figure)


def _last_energy(x: Floats, counts: NDArray[Any], labels: list[float]) -> float:
    """Where the plot ends: it holds 99.8 % of the counts and all labels."""
    if not x.size or not counts.sum() > 0:
        return float(x[-1]) if x.size else 1.0
    share = np.cumsum(counts) / counts.sum()
    end = max([float(x[int(np.searchsorted(share, 0.998))]), *labels]) * 1.06
    return min(end, float(x[-1]))
