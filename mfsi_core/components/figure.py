"""Figure of the scree: variance ratio against component, a curve for every sum."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..drawing import INK, ORANGE, new_figure, png, without_frame
from ..text import number
from .result import Scree

SHOWN = 20  # components


def scree_figure(result: Scree) -> bytes:
    """Draw a scree as figure 5 of Jones et al. (2018), as a PNG file; significant components are filled."""
    from matplotlib import colormaps
    from matplotlib.lines import Line2D

    figure = new_figure(7.6, max(4.2, 0.19 * len(result) + 1.6))
    axes = figure.subplots()
    cumulative = [i for i, label in enumerate(result.labels) if label == "cumulative"]
    shades = dict(zip(cumulative, np.linspace(0.88, 0.0, len(cumulative)), strict=True))
    lines: list[Any] = []
    for i, label in enumerate(result.labels):
        colour = colormaps["viridis"](shades[i]) if i in shades else ORANGE
        name = (f"{result.frames[i]} frames" if result.frames[i] > 1 else "1 frame") if i in shades else label
        dose = number(float(f"{result.dose[i]:.3g}"))
        ratio = result.variance_ratio[i, :SHOWN]
        ratio = ratio[ratio > 1e-12]
        component = np.arange(1, ratio.size + 1)
        tested = result.significant[i] >= 0
        (line,) = axes.plot(
            component, ratio, color=colour, linewidth=1.0, linestyle="-" if i in shades else "--",
            marker="o" if tested else "x", markersize=4, markerfacecolor="white",
            label=f"{name}, {dose} {result.dose_unit}",
        )  # fmt: skip
        filled = component <= result.significant[i]
        axes.plot(component[filled], ratio[filled], color=colour, linestyle="none", marker="o", markersize=4)
        lines.append(line)
    signs = {
        "significant": ("o", INK, (result.significant > 0).any()),
        "not significant": ("o", "white", (result.significant >= 0).any()),
        "not tested": ("x", INK, (result.significant < 0).any()),
    }
    for name, (marker, face, used) in signs.items():
        if used:
            lines.append(
                Line2D(
                    [], [], color=INK, linestyle="none", marker=marker, markersize=4, markerfacecolor=face, label=name
                )
            )
    axes.set_yscale("log")
    axes.set_xlim(0.4, min(SHOWN, result.variance_ratio.shape[1]) + 0.6)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel("component")
    axes.set_ylabel("variance ratio")
    figure.legend(handles=lines, frameon=False, fontsize=8, loc="outside right upper")
    without_frame(axes)
    axes.tick_params(which="minor", labelsize=8)
    return png(figure)
