"""Figure of what denoising has changed where."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..drawing import BLUE, GREY, INK, ORANGE, new_figure, png, scale_bar, without_frame
from ..series.axis import centres, pixel_size
from .denoise_changes import Changes


def changes_figure(changes: Changes) -> bytes:
    """Draw outliers and the change by the components, over the pixels and over the channels (PNG)."""
    figure = new_figure(9.6, 5.6)
    grid = figure.subplots(2, 2, width_ratios=[1, 1.9])
    signal = changes.signal
    axis, unit = centres(signal), str(signal.axes[-1].get("units", ""))
    replaced = changes.replaced
    rows: list[tuple[Any, Any, str, str, str]] = [
        (replaced.sum(axis=2), replaced.sum(axis=(0, 1)), "Outliers replaced", "voxels", ORANGE),
        (changes.by_pixel, changes.by_channel, "Change by the components", "rms change / noise", BLUE),
    ]
    for (picture, line), (image, spectrum, title, label, colour) in zip(grid, rows, strict=True):
        if min(image.shape) == 1:
            picture.plot(image.ravel(), color=colour, linewidth=0.9)
            picture.set_xlabel("pixel")
            picture.set_ylabel(label)
            without_frame(picture)
        else:
            shown = picture.imshow(image, cmap="viridis", interpolation="nearest", vmin=0)
            picture.set_xticks([])
            picture.set_yticks([])
            scale_bar(picture, image.shape[1], image.shape[0], pixel_size(signal))
            bar = figure.colorbar(shown, ax=picture, shrink=0.9)
            bar.set_label(label, fontsize=8, color=INK)
            bar.ax.tick_params(labelsize=8)
        picture.set_title(f"{title}, by pixel", fontsize=9, color=INK, loc="left")
        line.plot(axis, spectrum, color=colour, linewidth=0.9, drawstyle="steps-mid")
        if image is rows[1][0]:
            line.axhline(1, color=GREY, linewidth=0.8, linestyle="--")
        line.set_ylim(0, 1.1 * max(float(np.nanmax(spectrum, initial=1)), 1))
        line.set_xlabel(f"energy loss ({unit})" if unit else "channel")
        line.set_ylabel(label)
        line.set_title(f"{title}, by channel", fontsize=9, color=INK, loc="left")
        without_frame(line)
    return png(figure)
