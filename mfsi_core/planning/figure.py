"""Figure of resolvability: counts per area against the spacing of columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from lbj.array_types import Floats

from ..drawing import BLUE, GREY, INK, new_figure, png, without_frame
from .resolvability import CLEAR, MARGINAL, PAPER, PAPER_FRAMES, PAPER_MOTIFS, Column, column_snr, column_table

MARKERS = {"1 frame": "o", "series": "s", "matched": "D"}
REGIONS = {"not resolved": "#f3f4f6", "marginal": "#fbe7cf", "clear": "#d3e6d5"}
TICKS = [step * power for power in (0.01, 0.1, 1.0, 10.0) for step in (1, 2, 3, 4, 5, 6, 8)]  # nm
CLOSE = 7.0  # points, nearest that a label's middle comes to a line


def resolvability_figure(columns: list[Column]) -> bytes:
    """Draw where columns are resolved, the paper's four elements, and the columns given; a PNG.

    After figure A1 of Jones et al. (2018), with the regions of our own model (`resolvability`): counts per nm²
    against the spacing of columns, each element's points for one frame, the series and the matched motifs joined.
    """
    paper = column_table(PAPER, PAPER_FRAMES, PAPER_MOTIFS)
    given = [column for column in columns if column.counts_per_nm2 > 0]
    counts = np.array([column.counts_per_nm2 for column in [*paper, *given]])
    spacings = np.array([column.spacing_nm for column in [*paper, *given]])
    x = np.logspace(np.log10(counts.min()) - 0.5, np.log10(counts.max()) + 0.5, 300)
    y = np.geomspace(min(0.15, 0.7 * spacings.min()), max(0.9, 1.4 * spacings.max()), 300)
    figure = new_figure(7.6, 4.6)
    axes = figure.subplots()
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(x[0], x[-1])
    axes.set_ylim(y[0], y[-1])
    axes.set_yticks([tick for tick in TICKS if y[0] <= tick <= y[-1]])
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("")
    limits = [0.0, MARGINAL, CLEAR, np.inf]
    axes.contourf(x, y, column_snr(x, y[:, None]), limits, colors=list(REGIONS.values()), extend="min")
    axes.contour(x, y, column_snr(x, y[:, None]), limits[1:3], colors=GREY, linewidths=0.8)
    levels = np.unique(spacings)
    gap = int(np.argmax(np.diff(np.log(levels))))
    height = float(np.sqrt(levels[gap : gap + 2].prod()))  # of the regions' names: the widest gap
    at_names = column_snr(x, height)
    for name, low, high in zip(REGIONS, limits[:-1], limits[1:], strict=True):
        inside = x[(at_names >= low) & (at_names < high)]
        if inside.size:
            axes.text(np.sqrt(inside[0] * inside[-1]), height, name, ha="center", va="center", fontsize=9, color=INK)

    _points(axes, paper, GREY, "white", 7.5)
    _points(axes, given, BLUE, BLUE, 4.5)
    figure.draw_without_rendering()  # labels are placed where the axes come to lie
    _labels(axes, paper, GREY, -1, levels)
    _labels(axes, given, BLUE, 1, levels)
    _legend(axes, bool(given))
    axes.set_xlabel("net counts per area (nm$^{-2}$)")
    axes.set_ylabel("spacing of columns (nm)")
    without_frame(axes)
    return png(figure)


def _points(axes: Any, columns: list[Column], colour: str, face: str, size: float) -> None:
    for name, spacing in dict.fromkeys((column.element, column.spacing_nm) for column in columns):
        own = [column for column in columns if (column.element, column.spacing_nm) == (name, spacing)]
        axes.plot([c.counts_per_nm2 for c in own], [spacing] * len(own), color=colour, linewidth=0.8, zorder=3)
        for c in own:
            axes.plot(
                c.counts_per_nm2, spacing, MARKERS[c.stage], color=colour, markerfacecolor=face, markersize=size,
                zorder=4,
            )  # fmt: skip


def _labels(axes: Any, columns: list[Column], colour: str, side: int, levels: Floats) -> None:
    """Write elements above (1) or below (-1) their points, farther off where a label or a line is already."""
    from matplotlib.patheffects import withStroke

    scale = axes.figure.dpi / 72
    lines = [axes.transData.transform((1.0, level))[1] / scale for level in levels]
    placed: list[tuple[float, float]] = []
    for column in sorted(columns, key=lambda c: (c.spacing_nm, c.counts_per_nm2)):
        across, up = axes.transData.transform((column.counts_per_nm2, column.spacing_nm)) / scale
        offset = 10.0
        while any(abs(across - a) < 13 and abs(up + side * offset - b) < 9 for a, b in placed) or any(
            abs(up + side * offset - line) < CLOSE for line in lines
        ):
            offset += 1.0
        placed.append((across, up + side * offset))
        point, at = (column.counts_per_nm2, column.spacing_nm), (0, side * offset)
        if offset > 12:
            leader = {"arrowstyle": "-", "color": colour, "linewidth": 0.5, "shrinkA": 0, "shrinkB": 2}
            axes.annotate("", point, at, textcoords="offset points", arrowprops=leader, zorder=2)
        axes.annotate(
            column.element, point, at, textcoords="offset points", ha="center", va="center", fontsize=8, zorder=5,
            color=INK if colour == GREY else colour, path_effects=[withStroke(linewidth=2, foreground="white")],
        )  # fmt: skip


def _legend(axes: Any, given: bool) -> None:
    from matplotlib.lines import Line2D

    names = {"1 frame": "one frame", "series": "all frames", "matched": "and all motifs matched"}
    handles = [
        Line2D(
            [], [], color=INK, marker=marker, linestyle="", markersize=5, markerfacecolor="white", label=names[stage]
        )
        for stage, marker in MARKERS.items()
    ]
    handles.append(Line2D([], [], color=GREY, label=f"paper: {PAPER_FRAMES} frames, {PAPER_MOTIFS} motifs"))
    if given:
        handles.append(Line2D([], [], color=BLUE, label="this plan"))
    axes.legend(handles=handles, frameon=False, fontsize=8, ncols=5, loc="lower center", bbox_to_anchor=(0.5, 1.0))
