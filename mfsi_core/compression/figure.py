"""Figure of a data-compression chart."""

from __future__ import annotations

import numpy as np

from lbj.array_types import Floats

from ..drawing import BLUE, GREY, INK, ORANGE, new_figure, png, without_frame
from .chart import Chart
from .check import reconstruct

ROOM = 0.016  # of the axis, that a label needs
SEED = 1


def coded(chart: Chart) -> tuple[Floats, Floats, Floats]:
    """Spectrum before and after the chart, and its noise: that sum over pixels in which the chart loses most.

    Returns
    -------
    before, after, sigma : (C,) float64
        Counts. After: quantised bins of the sum, with an error as the sum of the pixels' errors has.
    """
    before, variance = chart.example.spectra[0], chart.example.variance[0]
    sizes = np.diff(chart.starts, append=chart.axis.size)
    sigma = np.sqrt(np.add.reduceat(variance, chart.starts))
    error = np.random.default_rng(SEED).normal(0, chart.step / np.sqrt(12), sizes.size) * sigma
    spread = np.repeat(error / sizes, sizes)
    after = reconstruct((before + spread)[None], chart.mean, chart.starts)[0]
    return before, after, np.sqrt(variance)


def chart_figure(chart: Chart) -> bytes:
    """Draw the chart, a spectrum before and after, and the residual on a ten-times scale; a PNG.

    The spectrum is the sum over those pixels (a square, a row or a column) in which the
    chart loses most relative to the noise; of the mean spectrum it loses nothing.
    """
    figure = new_figure(8.6, 8.2)
    stored, spectrum, rest = figure.subplots(3, 1, sharex=True, height_ratios=[1, 1.25, 0.9])
    axis, channels = chart.axis, chart.axis.size
    width = float(axis[1] - axis[0])
    sizes = np.diff(chart.starts, append=channels)
    ends = np.append(axis[chart.starts], axis[-1] + width) - width / 2
    stored.step(ends, np.arange(chart.starts.size + 1), where="post", color=BLUE, linewidth=1.2)
    stored.set_ylabel("stored points", color=INK)
    stored.set_ylim(0, chart.starts.size * 1.04)
    factor = stored.twinx()
    factor.stairs(sizes, ends, color=ORANGE, linewidth=1.0, baseline=None)
    factor.set_yscale("log", base=2)
    factor.set_ylim(0.8, 2.0 * sizes.max())
    factor.yaxis.set_major_formatter("{x:g}")
    factor.set_ylabel("channels per point", color=ORANGE, fontsize=9)
    factor.tick_params(labelsize=8, colors=ORANGE)
    factor.spines[["top"]].set_visible(False)
    stored.set_title(
        f"{chart.starts.size} of {channels} points stored, step {chart.step:g} σ: "
        f"about {chart.ratio:.0f} times smaller",
        fontsize=9, color=INK, loc="left", pad=6,
    )  # fmt: skip

    before, after, sigma = coded(chart)
    spectrum.plot(axis, before, color=GREY, linewidth=0.9, label="recorded")
    spectrum.plot(axis, after, color=BLUE, linewidth=0.9, label="from the chart")
    for index, (first, last) in enumerate(chart.kept):
        label = None if index else "kept though no edge is named there"
        spectrum.axvspan(first, last, color=ORANGE, alpha=0.15, linewidth=0, label=label)
    low, high = float(min(before.min(), after.min(), 0.0)), float(max(before.max(), after.max()))
    room = 0.5 * (high - low)
    spectrum.set_ylim(low, high + room)
    spectrum.set_ylabel("counts")
    spectrum.set_title(f"Sum over {chart.example.names[0]}", fontsize=9, color=INK, loc="left", parse_math=False)
    spectrum.legend(frameon=False, fontsize=8, loc="upper right")
    _label_edges(spectrum, chart, np.maximum(before, after), low, high)

    rest.fill_between(axis, -2 * sigma, 2 * sigma, color=GREY, alpha=0.3, linewidth=0, label="± 2 σ of the noise")
    rest.plot(axis, after - before, color=INK, linewidth=0.6, label="from the chart less recorded")
    reach = max((high + room - low) / 20, 1.05 * float(np.abs(after - before).max()) if sigma.max() > 0 else 0.0)
    tenth = (high + room - low) / 20 * rest.get_position().height / spectrum.get_position().height
    scale = "scale × 10"
    if np.abs(after - before).max() > tenth:
        tenth, scale = reach, f"scale × {(high + room - low) / 2 / reach:.2g}"
    rest.set_ylim(-tenth, tenth)
    rest.set_ylabel(f"residual, counts\n({scale})")
    rest.set_xlabel("energy loss (eV)")
    rest.legend(frameon=False, fontsize=8, loc="upper right", ncols=2)
    rest.set_xlim(ends[0], ends[-1])
    for axes in (stored, spectrum, rest):
        without_frame(axes)
    number = rest.secondary_xaxis(-0.34, functions=(lambda e: (e - axis[0]) / width, lambda c: axis[0] + c * width))
    number.set_xlabel("channel", fontsize=9)
    number.tick_params(labelsize=8)
    return png(figure)


def _label_edges(axes: object, chart: Chart, top: Floats, low: float, high: float) -> None:
    """Write the names of edges above the spectrum; those nearer than a label's width share one."""
    span = float(chart.axis[-1] - chart.axis[0])
    groups: list[list] = []
    for edge in chart.edges:
        if groups and edge.energy - groups[-1][-1].energy < ROOM * span:
            groups[-1].append(edge)
        else:
            groups.append([edge])
    for group in groups:
        place = group[0].energy
        near = (chart.axis > place - 0.02 * span) & (chart.axis < place + 0.02 * span)
        height = float(top[near].max()) if near.any() else high
        text = ", ".join(edge.name.replace("_", " ") for edge in group)
        axes.annotate(  # type: ignore[attr-defined]
            text, (place, height + 0.01 * (high - low)), (place, height + 0.07 * (high - low)), rotation=90, fontsize=7,
            ha="center", va="bottom", color=INK, arrowprops={"arrowstyle": "-", "color": GREY, "linewidth": 0.5},
        )  # fmt: skip
