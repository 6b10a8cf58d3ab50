"""Drawing: figures by matplotlib without a screen, and what all of ours share: scale bars, maps, colours."""

from __future__ import annotations

import importlib.util
import io
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lbj import UsageError
from lbj.array_types import Floats
from lbj.describe import length_label

from .series.axis import Pixel

INK = "#1f2933"
BLUE, ORANGE, GREY = "#1f5fa8", "#c8641b", "#8a949e"
DPI = 150
THINNEST = 0.45  # inches, least width of a picture: a line scan is drawn wider than it is
BAR = 0.03  # inches, of the scale bar


def need_drawing(*others: str) -> None:
    """Raise UsageError, before the work, where matplotlib or another package of the extra ``report`` is missing."""
    for name in ("matplotlib", *others):
        if importlib.util.find_spec(name) is None:
            raise UsageError(f"pictures and reports need {name}: pip install 'mfsi[report]'")


def new_figure(width: float, height: float, layout: Any = "constrained") -> Any:
    """Return an empty figure, sizes in inches."""
    need_drawing()
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=DPI, layout=layout)


def png(figure: Any) -> bytes:
    """Return the figure as a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor="white")
    return buffer.getvalue()


def bar_length(field: float) -> float:
    """Longest of 1, 2, 5, 10, … that fills at most a quarter of the field."""
    target = field / 4
    power = 10.0 ** math.floor(math.log10(target))
    return max(step * power for step in (1, 2, 5) if step * power <= target * 1.0001)


def scale_bar(axes: Any, columns: int, rows: int, pixel: Pixel | None) -> None:
    """Draw a scale bar below the picture, at its left end: in m where the pixel is known, else in pixels."""
    if pixel is not None:
        length = bar_length(columns * pixel[1])
        label, across = length_label(length), length / pixel[1]
    else:
        across = max(bar_length(columns), 1.0) if columns > 3 else 1.0
        label = f"{across:g} px"
    from matplotlib.offsetbox import AnchoredOffsetbox, AuxTransformBox, TextArea, VPacker
    from matplotlib.patches import Rectangle

    box = AuxTransformBox(axes.transData)
    thick = BAR * rows / (axes.get_window_extent().height / axes.figure.dpi)
    box.add_artist(Rectangle((0, 0), across, thick, color=INK, linewidth=0))
    text = TextArea(label, textprops={"color": INK, "fontsize": 8})
    packed = VPacker(children=[box, text], align="center", pad=0, sep=2)
    anchored = AnchoredOffsetbox(
        "upper left", child=packed, frameon=False, pad=0, borderpad=0.2, bbox_to_anchor=(0, 0),
        bbox_transform=axes.transAxes,
    )  # fmt: skip
    axes.add_artist(anchored)


def picture(
    axes: Any,
    image: Floats,
    pixel: Pixel | None,
    title: str,
    label: str,
    colours: str,
    limits: tuple[float, float],
    width: float,
) -> None:
    """Draw a picture, `width` inches wide, with title, scale bar and colour bar."""
    shown = axes.imshow(image, cmap=colours, vmin=limits[0], vmax=limits[1], interpolation="nearest", aspect="auto")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(title, fontsize=9, color=INK, loc="left", parse_math=False)
    low, high = np.nanmin(image) < limits[0], np.nanmax(image) > limits[1]
    extend = "both" if low and high else "min" if low else "max" if high else "neither"
    beside = axes.inset_axes([1.0 + 0.1 / width, 0.0, 0.13 / width, 1.0])
    bar = axes.figure.colorbar(shown, cax=beside, extend=extend, extendfrac=0.03)
    bar.set_label(label, fontsize=8, color=INK, parse_math=False)
    bar.ax.tick_params(labelsize=7)
    bar.ax.yaxis.get_offset_text().set_fontsize(7)
    if width * image.shape[0] / image.shape[1] < THINNEST:
        bar.ax.locator_params(nbins=2)
    scale_bar(axes, image.shape[1], image.shape[0], pixel)


def limits_of(image: Floats, low: float = 0.5, high: float = 99.5) -> tuple[float, float]:
    """Limits of the colour scale: percentiles, apart by something."""
    finite = image[np.isfinite(image)]
    if not finite.size:
        return 0.0, 1.0
    start, stop = (float(value) for value in np.percentile(finite, [low, high]))
    return (start, stop) if stop > start else (start - 0.5, start + 0.5)


def image_panels(
    shape: tuple[int, ...], edge: float, count: int, pixel: Pixel | None = None
) -> tuple[Any, list[Any], float]:
    """Figure with panels whose longer side is `edge` inches; returns figure, panels and a picture's width."""
    high = shape[0] / shape[1] * (1.0 if pixel is None else pixel[0] / pixel[1])
    width = max(edge * min(1.0, 1 / high), THINNEST)
    height = max(edge * min(1.0, high), THINNEST)
    figure = new_figure(count * max(width + 1.1, 1.9), height + 0.75, "none")
    total_width, total_height = figure.get_size_inches()
    step = total_width / count
    panels = [
        figure.add_axes(
            ((i * step + 0.1) / total_width, 0.4 / total_height, width / total_width, height / total_height)
        )
        for i in range(count)
    ]
    return figure, panels, width


def label_lines(axes: Any, x: Floats, counts: NDArray[Any], labels: list[tuple[float, str]]) -> None:
    """Write each line's name above its peak, moved aside where the name before it stands."""
    left, right = axes.get_xlim()
    low, high = (math.log10(v) for v in axes.get_ylim())
    last = -math.inf
    for place, text in sorted(labels):
        if not left <= place <= right:
            continue
        at = int(np.argmin(np.abs(x - place)))
        peak = max(float(counts[max(at - 3, 0) : at + 4].max(initial=1)), 1.0)
        last = max(place, last + 0.017 * (right - left))
        near = counts[(x > place - 0.01 * (right - left)) & (x < last + 0.01 * (right - left))]
        height = math.log10(max(float(near.max(initial=1)), peak)) + 0.05 * (high - low)
        axes.annotate(
            text, (place, peak * 1.15), (last, 10**height), rotation=90, fontsize=7, ha="center", va="bottom",
            color=INK, arrowprops={"arrowstyle": "-", "color": GREY, "linewidth": 0.5, "shrinkA": 0, "shrinkB": 0},
        )  # fmt: skip


def profile(
    values: Floats, error: Floats | None, pixel: Pixel | None, title: str, label: str, low: float | None = None
) -> bytes:
    """Draw a quantity along a line scan, or at a point, with its standard error.

    Parameters
    ----------
    values, error : (Y, X) arrays, of which Y or X is 1
    pixel : (float, float) or None
        Edges of a pixel along y and x, m.
    title, label : str
        Label of the values.
    low : float, optional
        Where the scale begins; default 0, or where values are negative, below them.
    """
    figure = new_figure(4.6, 2.4)
    axes = figure.subplots()
    flat = np.asarray(values, float).ravel()
    place = np.arange(flat.size) * (1.0 if pixel is None else pixel[0] if len(values) > 1 else pixel[1])
    unit = "px"
    if pixel is not None:
        unit, factor = ("nm", 1e9) if place[-1] < 2e-6 else ("µm", 1e6)
        place = place * factor
    if error is not None:
        spread = np.asarray(error, float).ravel()
        axes.fill_between(place, flat - spread, flat + spread, color=BLUE, alpha=0.25, linewidth=0, step="mid")
    axes.errorbar(
        place, flat, yerr=None if error is None or flat.size > 1 else spread, color=BLUE, linewidth=1.0,
        marker="o" if flat.size < 50 else None, markersize=3, drawstyle="steps-mid",
    )  # fmt: skip
    if low is None:
        low = min(0.0, 1.1 * float(np.nanmin(flat, initial=0.0)))
    axes.set_ylim(low, None)
    if flat.size == 1:
        axes.set_xticks([])
        axes.set_xlabel("one spectrum")
    else:
        axes.set_xlabel(f"position ({unit})")
    axes.set_ylabel(label)
    axes.set_title(title, fontsize=9, color=INK, loc="left")
    without_frame(axes)
    return png(figure)


def map_picture(values: Floats, pixel: Pixel | None, title: str, error: Floats | None = None) -> bytes:
    """Draw a map of net counts; the scale begins at zero, negative counts being noise. A line is drawn as a profile."""
    if 1 in values.shape:
        return profile(values, error, pixel, title, "net counts")
    figure, panels, width = image_panels(values.shape, 2.25, 1, pixel)
    high = limits_of(values, 0, 99.8)[1]
    limits = (0.0, high if high > 0 else 1.0)
    picture(panels[0], values, pixel, title, "net counts", "inferno", limits, width)
    return png(figure)


def without_frame(axes: Any) -> None:
    """Take away the lines above and right of the axes."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8, which="both")
    axes.xaxis.label.set_fontsize(9)
    axes.yaxis.label.set_fontsize(9)
