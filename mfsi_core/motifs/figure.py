"""Figure of the repeats of a motif and of their average."""

from __future__ import annotations

from typing import Any

import numpy as np

from lbj.array_types import Floats

from ..drawing import BLUE, INK, ORANGE, limits_of, new_figure, picture, png
from ..series.axis import Pixel
from .finding import Motifs

EDGE = 4.6  # inches, longer side of the mean image beside an average,
SMALL = 2.6  # of the average,
WHOLE = 7.0  # and of the mean image on its own
LEFT, TOP = 0.55, 0.75  # inches beside and above the mean image
COLOURS = (ORANGE, BLUE, "#2f8f5b", "#8f3f97", "#b3273c", "#17878f", "#7a6a1f", "#555555")


def motif_figure(
    image: Floats,
    motifs: Motifs,
    average: Floats,
    pixel: Pixel | None,
    fine: Pixel | None,
    name: str,
    summed: int,
    drawn: tuple[float, float],
) -> bytes:
    """Draw the mean image with every repeat marked, and the average of the repeats; a PNG.

    Parameters
    ----------
    image : (Y, X) array
        Aligned mean image in which the motif was found.
    motifs : Motifs
    average : (h, w) array
        Mean of the repeats.
    pixel, fine : (float, float) or None
        Edges along y and x of a pixel of the image and of the average, m.
    name : str
        Of the image.
    summed : int
        How many repeats were averaged, over all regions and journals.
    drawn : (float, float)
        Centre of the motif as it was drawn, px.
    """
    high, wide = (EDGE * min(1.0, n / max(image.shape)) for n in image.shape)
    tall, broad = (SMALL * min(1.0, n / max(average.shape)) for n in average.shape)
    width, height = LEFT + wide + 1.2 + max(broad, 1.5) + 1.1, max(high, tall) + TOP + 0.45
    figure = new_figure(width, height, "none")
    top = height - TOP
    mean = figure.add_axes(((LEFT + wide + 1.3) / width, (top - tall) / height, broad / width, tall / height))
    label = f"{name} intensity"
    whole = _mean_image(figure, image, pixel, f"Mean of the frames: {_count(len(motifs))}", label, wide, high)
    limits = limits_of(average, 0, 100)
    picture(mean, average, fine, f"Mean of {_count(summed)}", label, "gray", limits, broad)
    _mark(whole, motifs, drawn, wide * 72 / image.shape[1])
    return png(figure)


def aligned_figure(image: Floats, pixel: Pixel | None, name: str) -> bytes:
    """Draw the aligned mean image (Y, X), of pixels of edges in m, with its pixels counted; a PNG."""
    high, wide = (WHOLE * min(1.0, n / max(image.shape)) for n in image.shape)
    width, height = LEFT + wide + 1.2, TOP + high + 0.45
    figure = new_figure(width, height, "none")
    _mean_image(figure, image, pixel, "Mean of the frames", f"{name} intensity", wide, high)
    return png(figure)


def _mean_image(
    figure: Any, image: Floats, pixel: Pixel | None, title: str, label: str, wide: float, high: float
) -> Any:
    """Draw the mean image at the upper left, of a size in inches, with its pixels counted; returns its axes."""
    from matplotlib.ticker import MaxNLocator

    width, height = figure.get_size_inches()
    axes = figure.add_axes((LEFT / width, (height - TOP - high) / height, wide / width, high / height))
    picture(axes, image, pixel, title, label, "gray", limits_of(image), wide)
    for axis, name in ((axes.xaxis, "x (px)"), (axes.yaxis, "y (px)")):
        axis.set_major_locator(MaxNLocator(8, integer=True))
        axis.set_label_text(name, fontsize=8, color=INK)
    axes.xaxis.set_label_position("top")
    axes.xaxis.set_ticks_position("top")
    axes.tick_params(labelsize=7)
    return axes


def _count(repeats: int) -> str:
    return f"{repeats} repeat{'' if repeats == 1 else 's'}"


def _mark(axes: Any, motifs: Motifs, drawn: tuple[float, float], points: float) -> None:
    """Mark the centre of every repeat and the outline of the motif as drawn; `points` are those of an image's pixel."""
    spacing = max(float(min(motifs.size)), 1.0) * points
    for colour, name in zip(COLOURS * 2, motifs.matrices, strict=False):
        mine = motifs.positions[motifs.transform == name]
        if len(mine):
            axes.plot(
                mine[:, 1], mine[:, 0], linestyle="none", marker="+", markersize=min(max(0.45 * spacing, 2), 7),
                color=colour, markeredgewidth=0.9, label=name.replace("m", "mirrored, ") + "°",
            )  # fmt: skip
    h, w = motifs.size
    corners = np.array([(-h, -w), (-h, w), (h, w), (h, -w), (-h, -w)]) / 2
    outline = np.round(np.array(drawn) - (np.array([h, w]) - 1) / 2) + (np.array([h, w]) - 1) / 2 + corners
    axes.plot(outline[:, 1], outline[:, 0], color=ORANGE, linewidth=1.2)
    if len(np.unique(motifs.transform)) > 1:
        axes.legend(
            frameon=False, fontsize=7, labelcolor=INK, ncols=4, loc="upper right", bbox_to_anchor=(1.0, 0.0),
            borderaxespad=0.2, handletextpad=0.2, columnspacing=0.8,
        )  # fmt: skip
