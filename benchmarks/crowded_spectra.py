"""Pictures of docs/crowded-spectra.md: `python benchmarks/crowded_spectra.py`.

An apatite grain in zircon: Ca, P, O in Zr, Si, O. P Ka (2014 eV) lies 28 eV beside Zr La (2042 eV), a third of the
detector's resolution; Si K and the M and L lines of the grid's copper stand by. A grain of titanium in TiO2, of which
nobody names the oxygen: O K (525 eV) lies under the L lines of Ti. A film of Al2O3 at a rate at which one of 33
photons is added to the one before. Line energies and shares are those of the table that comes with the package; the
counts are drawn pixel by pixel, photons that pile up one after another.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from helpers import tables
from PIL import Image

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
TITANIUM = {("Ti", "K"): 90.0, ("Ti", "L"): 16.0, ("Si", "K"): 20.0}  # silicon holds the energy axis
OXIDE = {**TITANIUM, ("O", "K"): 34.0}
ALUMINA = {("Al", "K"): 140.0, ("O", "K"): 60.0, ("Cu", "K"): 15.0}
WITHIN = 0.03  # photons within the resolving time of the detector, on average


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


def mixed(matrix: dict[tuple[str, str], float], inside: dict[tuple[str, str], float], shift: float = 0.0) -> Floats:
    """Expected counts of every pixel and channel, of all frames together."""
    share = grain()[..., None]
    return np.asarray((1 - share) * spectrum(matrix, shift) + share * spectrum(inside, shift))


def write(path: Path, title: str, elements: list[str], cubes: Iterable[Floats]) -> None:
    """Write the journal, a frame a cube."""
    axes: list[dict[str, Any]] = [{"name": n, "scale": PIXEL, "units": "m"} for n in "yx"]
    axes.append({"name": "energy", "offset": 0.0, "scale": STEP, "units": "eV"})
    signal = lbj.Signal("EDX", "events", (*SHAPE, CHANNELS), axes=axes)
    with lbj.create(path, [signal], {"title": title, "beam_energy": 2e5, "elements": elements}) as writer:
        for cube in cubes:
            writer.append({"EDX": cube.astype(np.uint16)}, dwell_time=1e-3)


def piled_up(mean: Floats, rng: np.random.Generator) -> Floats:
    """Counts of a field whose photons come at random times; one soon after another is added to it."""
    counts = rng.poisson(mean).reshape(-1, CHANNELS)
    pixel, channel = np.repeat(np.indices(counts.shape).reshape(2, -1), counts.ravel(), axis=1)
    order = np.lexsort((rng.random(pixel.size), pixel))  # those of a pixel in any order
    first = np.diff(np.cumsum(rng.exponential(size=pixel.size)), prepend=-1.0) > WITHIN
    pulse = np.cumsum(first) - 1
    sums = np.bincount(pulse, channel[order]).astype(int)
    kept = sums < CHANNELS
    out = np.zeros(counts.shape)
    np.add.at(out, (pixel[order][first][kept], sums[kept]), 1)
    return out.reshape(mean.shape)


def series(path: Path, shift: float = 0.0) -> Floats:
    """Write the journal of apatite in zircon; returns the photons of P Ka that every pixel should hold."""
    mean, rng = mixed(ZIRCON, APATITE, shift) / FRAMES, np.random.default_rng(1)
    write(path, "Apatite in zircon", ELEMENTS, (rng.poisson(mean) for _ in range(FRAMES)))
    share = grain()[..., None]
    alpha = sum(line.weight for line in lines_of("P") if line.name.startswith("Ka"))
    return np.asarray(share[..., 0] * APATITE["P", "K"] * alpha)


def maps_figure(images: dict[str, Floats], highest: float) -> bytes:
    """Draw maps under their titles, on one scale."""
    figure = new_figure(8.4, 2.6)
    for axes, (title, image) in zip(figure.subplots(1, len(images)), images.items(), strict=True):
        shown = axes.imshow(image, cmap="inferno", vmin=0, vmax=highest, interpolation="nearest")
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
    titles = ("P Kα, true", "P Kα by windows", "P Kα, all lines told apart")
    images = dict(zip(titles, (truth, found[0].values, found[1].values), strict=True))
    keep("crowded-maps", maps_figure(images, 60))
    inside, outside = grain() > 0.99, grain() < 0.01
    tables.head("P Kα, net counts per pixel", "in the grain", "outside")
    for name, values in (("true", truth), ("windows", found[0].values), ("filter", found[1].values)):
        tables.row(name, *means(values, inside, outside))
    lines = {"P_Ka": "P Kα", "O_Ka": "O Kα", "Ca_Ka": "Ca Kα"}
    for name, shift in (("right", 0.0), ("off", 25.0)):
        if name != "right":
            series(folder / f"{name}.lbj", shift)
        for way in ("filter", "windows"):
            run(name, f"{name}-{way}", "--maps", way)
            where = "in place" if name == "right" else "recorded 25 eV off"
            tables.head(f"axis {where}, maps by {way}, net counts per pixel", "in the grain", "outside")
            for line, title in lines.items():
                values = np.load(folder / f"{name}-{way}" / f"map-{line}.npy")
                tables.row(title, *means(values, inside, outside))
    for name in ("right", "off"):
        keep(f"crowded-spectrum-{name}", (folder / f"{name}-filter" / "spectrum.png").read_bytes())
    hidden_oxygen(folder)
    pile_up(folder)


def keep(name: str, png: bytes) -> None:
    """Save a picture for the documentation, with a palette."""
    Image.open(io.BytesIO(png)).convert("RGB").quantize(64).save(HERE / f"{name}.png", optimize=True)


def run(name: str, out: str, *options: str) -> None:
    """Run the command and print it with what it says."""
    print(f"\n```\n$ mfsi run {name}.lbj -o {' '.join([out, *options])}", flush=True)
    with contextlib.redirect_stderr(sys.stdout):
        main(["run", f"{name}.lbj", "-o", out, *options])
    print("```")


def hidden_oxygen(folder: Path) -> None:
    """Titanium in its oxide, oxygen not named, and named."""
    mean, rng = mixed(OXIDE, TITANIUM), np.random.default_rng(2)
    write(folder / "oxide.lbj", "Titanium in its oxide", ["Ti", "Si"], [rng.poisson(mean)])
    run("oxide", "oxide-unnamed", "--elements", "Ti,Si")
    run("oxide", "oxide-named", "--elements", "Ti,Si,O")
    truth = (1 - grain()) * OXIDE["O", "K"] * sum(line.weight for line in lines_of("O") if line.name.startswith("Ka"))
    (unnamed,) = (folder / "oxide-unnamed").glob("map-0.*keV.npy")
    images = {
        "O Kα, true": truth,
        f"{unnamed.stem.removeprefix('map-').removesuffix('keV')} keV, O not named": np.load(unnamed),
        "O Kα, named": np.load(folder / "oxide-named" / "map-O_Ka.npy"),
    }
    keep("crowded-hidden", maps_figure(images, 50))
    tables.head("net counts per pixel", "in the grain", "outside")
    for title, values in images.items():
        tables.row(title, *means(values, grain() > 0.99, grain() < 0.01))


def pile_up(folder: Path) -> None:
    """A film at a high rate."""
    mean, rng = np.broadcast_to(spectrum(ALUMINA), (*SHAPE, CHANNELS)), np.random.default_rng(3)
    write(folder / "fast.lbj", "Alumina at a high rate", ["Al", "O"], [piled_up(mean, rng)])
    run("fast", "fast", "--elements", "Al,O")
    keep("crowded-pile-up", (folder / "fast" / "spectrum.png").read_bytes())


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        all_pictures(Path(place))
        os.chdir(HERE)
    sys.exit(0)
