"""Pictures of docs/crowded-spectra.md: `python benchmarks/crowded_spectra.py`.

An apatite grain in zircon: Ca, P, O in Zr, Si, O. P Ka (2014 eV) lies 28 eV beside Zr La (2042 eV), a third of the
detector's resolution; Si K and the M and L lines of the grid's copper stand by. Line energies and shares are those of
the table that comes with the package; the counts are drawn pixel by pixel.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from helpers import tables

import lbj
from lbj.array_types import Floats
from mfsi_core import element_maps
from mfsi_core.cli import main
from mfsi_core.drawing import new_figure, png, scale_bar
from mfsi_core.tables.lines import fwhm, lines_of

HERE = Path(__file__).resolve().parents[1] / "docs"
SHAPE, FRAMES, CHANNELS, STEP = (72, 96), 4, 1024, 10.0
PIXEL = 5e-9  # m
ZIRCON = {("Zr", "L"): 60.0, ("Si", "K"): 45.0, ("O", "K"): 60.0, ("Cu", "K"): 25.0}  # photons a pixel, all frames
APATITE = {("Ca", "K"): 80.0, ("P", "K"): 45.0, ("O", "K"): 60.0, ("Cu", "K"): 25.0}
ELEMENTS = ["Zr", "P", "Si", "Ca", "O"]


def spectrum(photons: dict[tuple[str, str], float], shift: float = 0.0) -> Floats:
    """Expected counts in every channel; the lines stand `shift` eV too high."""
    energy = STEP * np.arange(CHANNELS)
    out = 0.05 * np.exp(-energy / 4000) * (1 - np.exp(-((energy / 400) ** 2)))
    for (element, family), number in photons.items():
        for line in lines_of(element):
            if line.family == family:
                sigma = fwhm(line.energy) / 2.3548
                peak = np.exp(-0.5 * ((energy - line.energy - shift) / sigma) ** 2)
                out += number * line.weight * peak * STEP / (sigma * np.sqrt(2 * np.pi))
    return out


def grain() -> Floats:
    """Share of apatite in every pixel: a rounded grain with a soft border."""
    y, x = np.indices(SHAPE)
    away = np.hypot((y - 34) / 22, (x - 50) / 30) + 0.08 * np.cos(3 * np.arctan2(y - 34, x - 50))
    return 1 / (1 + np.exp((away - 1) * 25))


def series(path: Path, shift: float = 0.0) -> Floats:
    """Write the journal; returns the photons of P Ka that every pixel should hold."""
    share = grain()[..., None]
    mean = ((1 - share) * spectrum(ZIRCON, shift) + share * spectrum(APATITE, shift)) / FRAMES
    rng = np.random.default_rng(1)
    axes: list[dict[str, Any]] = [{"name": n, "scale": PIXEL, "units": "m"} for n in "yx"]
    axes.append({"name": "energy", "offset": 0.0, "scale": STEP, "units": "eV"})
    signal = lbj.Signal("EDX", "events", (*SHAPE, CHANNELS), axes=axes)
    about = {"title": "Apatite in zircon", "beam_energy": 2e5, "elements": ELEMENTS}
    with lbj.create(path, [signal], about) as writer:
        for _ in range(FRAMES):
            writer.append({"EDX": rng.poisson(mean).astype(np.uint16)}, dwell_time=1e-3)
    alpha = sum(line.weight for line in lines_of("P") if line.name.startswith("Ka"))
    return np.asarray(share[..., 0] * APATITE["P", "K"] * alpha)


def maps_figure(truth: Floats, windows: Floats, told: Floats) -> bytes:
    """Draw the truth, the map of windows, and that of the filter, on one scale."""
    figure = new_figure(8.4, 2.6)
    titles = ("P Kα, true", "P Kα by windows", "P Kα, all lines told apart")
    for axes, image, title in zip(figure.subplots(1, 3), (truth, windows, told), titles, strict=True):
        shown = axes.imshow(image, cmap="inferno", vmin=0, vmax=60, interpolation="nearest")
        axes.set_title(title, fontsize=9, loc="left")
        axes.set_xticks([])
        axes.set_yticks([])
        scale_bar(axes, SHAPE[1], SHAPE[0], (PIXEL, PIXEL))
    bar = figure.colorbar(shown, ax=figure.axes, shrink=0.8)
    bar.set_label("net counts per pixel", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    return png(figure)


def means(values: Floats, inside: Floats, outside: Floats) -> list[str]:
    """Cells of a row."""
    return [f"{values[where].mean():.1f}" for where in (inside, outside)]


def all_pictures(folder: Path) -> None:
    """Run all and write the pictures."""
    os.chdir(folder)
    truth = series(folder / "right.lbj")
    with lbj.open(folder / "right.lbj") as journal, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [element_maps(journal, ELEMENTS, beam_energy=2e5, method=way)["P"] for way in ("windows", "filter")]
    (HERE / "crowded-maps.png").write_bytes(maps_figure(truth, found[0].values, found[1].values))
    inside, outside = grain() > 0.99, grain() < 0.01
    tables.head("P Kα, net counts per pixel", "in the grain", "outside")
    for name, values in (("true", truth), ("windows", found[0].values), ("filter", found[1].values)):
        tables.row(name, *means(values, inside, outside))
    lines = {"P_Ka": "P Kα", "O_Ka": "O Kα", "Ca_Ka": "Ca Kα"}
    for name, shift in (("right", 0.0), ("off", 25.0)):
        if name != "right":
            series(folder / f"{name}.lbj", shift)
        for way in ("filter", "windows"):
            print(f"\n```\n$ mfsi run {name}.lbj -o {name} --maps {way}", flush=True)
            with contextlib.redirect_stderr(sys.stdout):
                main(["run", f"{name}.lbj", "-o", f"{name}-{way}", "--maps", way])
            print("```")
            where = "in place" if name == "right" else "recorded 25 eV off"
            tables.head(f"axis {where}, maps by {way}, net counts per pixel", "in the grain", "outside")
            for line, title in lines.items():
                values = np.load(folder / f"{name}-{way}" / f"map-{line}.npy")
                tables.row(title, *means(values, inside, outside))
    for name in ("right", "off"):
        (HERE / f"crowded-spectrum-{name}.png").write_bytes((folder / f"{name}-filter" / "spectrum.png").read_bytes())


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        all_pictures(Path(place))
        os.chdir(HERE)
    sys.exit(0)
