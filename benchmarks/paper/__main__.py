"""The studies of Jones et al. (2018) on simulated data, each with its picture.

    python benchmarks/paper -o FOLDER [--full]

1. The charge of one slow frame, or of five fast ones of the same path: map SNR and pixel charge.
2. Eight frames summed on a grid four times finer.
3. 230 frames in 23 regions, each from virgin crystal, with template matching of 112 repeats. Regions are of 64 x 64
   pixels, and with --full of the paper's 200 x 200; dose, dwell time, pixel and density of counts are the paper's.
4. Scree of growing sums of these frames, and of the template-matched sum, against (effective) dose.
5. Size of the data: (a) a 200 x 200 x 2048 EDX frame against the density of its counts, whole journals beside zip and
   the dense cube; (b) an EDX cube and an EELS cube: dense, zipped, and as journals; (c) eight EELS frames of a drifting
   specimen: stored with a chart, decoded, aligned by their images and mapped, beside the same frames uncompressed.

In studies 1-4 rows jitter by 0.35 and 0.5 pixels (y, x) of 55.5 pm, and the specimen drifts while a frame is recorded.
The SNR of a map is the mean true signal over the rms error, which holds noise, distortion and blur.
"""

from __future__ import annotations

import argparse
import io
import sys
import zlib
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from helpers import edx, tables
from paper.edx import slow_or_fast, super_resolution
from paper.regions import against_dose, template

import lbj
import mfsi_core
from mfsi_core.compression.chart import pick_chart
from mfsi_core.simulation.eels import EDGES, simulate_eels

DENSITIES = (4e-6, 4e-5, 4e-4, 4e-3, 4e-2, 0.2, 0.6)
FRAMES = 8
WINDOWS = {"Ca": ((346, 376), (305, 340)), "Ti": ((456, 486), (412, 450)),
           "O": ((532, 562), (500, 526)), "Mn": ((640, 670), (590, 634))}  # fmt: skip


def size(signal: lbj.Signal, frames: list) -> tuple[int, io.BytesIO]:
    """Bytes of a journal of these frames, container included, and the journal."""
    file = io.BytesIO()
    with lbj.create(file, [signal], sync=False) as writer:
        for frame in frames:
            writer.append({signal.name: frame})
    return len(file.getvalue()), file


def densities(folder: Path) -> None:
    rows = []
    for density in DENSITIES:
        events = edx.draw(*edx.rates(density), 1)
        dense = 4 * int(np.prod(events.shape))
        zipped = len(zlib.compress(events.dense().tobytes(), 6))
        journal, _ = size(lbj.Signal("EDX", "events", events.shape), [events])
        rows.append((len(events) / np.prod(events.shape), dense, zipped, journal, events.total))
    print("\n**5a.** EDX, 200 x 200 x 2048 voxels of uint32")
    tables.head("filled voxels", "dense, MB", "zip, MB", ".lbj, MB", "dense / .lbj", "bytes a count")
    for filled, dense, zipped, journal, total in rows:
        cells = (f"{dense / 1e6:.1f}", f"{zipped / 1e6:.3f}", f"{journal / 1e6:.4f}")
        tables.row(f"{filled:.5%}", *cells, f"{dense / journal:,.0f}", f"{journal / total:.3f}")
    figure, axes = plt.subplots(figsize=(6, 4.2), layout="constrained")
    filled = [100 * row[0] for row in rows]
    for column, label, style in ((1, "dense, uint32", "k--"), (2, "zip of it", "C1s-"), (3, "journal", "C0o-")):
        axes.loglog(filled, [row[column] / 1e6 for row in rows], style, label=label)
    axes.axvline(0.04, color="0.7", lw=0.8)
    axes.annotate("the paper's 0.04 %", (0.04, 2.0), rotation=90, va="bottom", ha="right", fontsize=8)
    axes.set(xlabel="voxels that are not zero, %", ylabel="size of one frame, MB")
    axes.set_title("Size of an EDX frame of 200 x 200 x 2048 voxels")
    axes.legend()
    figure.savefig(folder / "size-density.png", dpi=150)


def cubes() -> None:
    events = edx.draw(*edx.rates(4e-4), 1)
    eels = simulate_eels(seed=1, electrons=3500.0)
    cube = eels.frame(0)[0]["EELS"]
    chart = pick_chart(cube, list(EDGES), signal=eels.signals[0]).coding
    rows = [
        (
            "EDX 200x200x2048, 0.04 % filled",
            "zip",
            4 * np.prod(events.shape),
            len(zlib.compress(events.dense().tobytes(), 6)),
        ),
        ("", "split-rice", 4 * np.prod(events.shape), size(lbj.Signal("EDX", "events", events.shape), [events])[0]),
        ("EELS 60x94x2048", "zip", cube.nbytes, len(zlib.compress(cube.tobytes(), 6))),
    ]
    for coding in ("lossless-int", "noise-q(1)", chart):
        signal = lbj.Signal("EELS", "spectra", cube.shape, coding=coding)
        rows.append(("", coding.split("(0:")[0], cube.nbytes, size(signal, [cube])[0]))
    print("\n**5b.** Cubes, beside zip")
    tables.head("cube", "coding", "dense, MB", "stored, MB", "times smaller")
    for name, coding, dense, stored in rows:
        tables.row(name, coding, f"{dense / 1e6:.1f}", f"{stored / 1e6:.3f}", f"{dense / stored:,.1f}")


def eight_frames(folder: Path) -> None:
    simulation = simulate_eels((60, 94), FRAMES, 2048, seed=8, electrons=400.0, walk=0.6)
    frames = [simulation.frame(i)[0] for i in range(FRAMES)]
    total = sum(frame["EELS"] for frame in frames)
    coding = pick_chart(total, list(EDGES), signal=simulation.signals[0]).coding
    signal = lbj.Signal("EELS", "spectra", (60, 94, 2048), axes=simulation.signals[0].axes, coding=coding)
    stored, file = size(signal, [frame["EELS"] for frame in frames])
    registration = mfsi_core.register(np.stack([frame["HAADF"] for frame in frames]))
    drift = registration.displacement.mean(axis=(2, 3)) - simulation.displacement
    with lbj.open(file) as journal:
        routes = {
            "uncompressed": [frame["EELS"] for frame in frames],
            "chart at 0.5 sigma": [frame.array("EELS") for frame in journal],
        }
    raw = FRAMES * frames[0]["EELS"].nbytes
    print(
        "\n**5c.** Eight EELS frames, aligned by their images "
        f"(error {np.sqrt(np.mean(drift**2)):.2f} px rms) and mapped; {raw / 1e6:.0f} MB are stored in "
        f"{stored / 1e6:.2f} MB, {raw / stored:.1f} times smaller"
    )
    tables.head("signal-to-noise of the map of", *EDGES)
    pictures = {}
    inner = (slice(4, -4), slice(4, -4))
    for title, series in {"one frame": routes["uncompressed"][:1], **routes}.items():
        one = mfsi_core.Registration(registration.displacement[: len(series)])
        cube = mfsi_core.accumulate(np.stack(series), one)
        cells = []
        for name, (window, fit) in WINDOWS.items():
            found = mfsi_core.edge_map(cube, window, fit, simulation.signals[0]).values
            inside = (simulation.axis >= window[0]) & (simulation.axis < window[1])
            right = len(series) * simulation.maps[name] * simulation.shapes[name][inside].sum()
            if len(series) == 1:
                y, x = np.indices(simulation.shape, float)
                seen = simulation.fields(y, x)
                right = seen.maps[name] * simulation.shapes[name][inside].sum()
            cells.append(f"{mfsi_core.map_snr(found[inner], truth=right[inner]):.2f}")
            pictures[title, name] = found / len(series)
        tables.row(title, *cells)
    figure, axes = plt.subplots(3, 4, figsize=(11, 6.2), layout="constrained")
    for column, name in enumerate(EDGES):
        low, high = np.percentile(pictures["uncompressed", name], [1, 99.5])
        for row, title in enumerate(("one frame", "uncompressed", "chart at 0.5 sigma")):
            axis = axes[row, column]
            shown = axis.imshow(pictures[title, name], vmin=low, vmax=high, cmap="viridis")
            axis.set_xticks([])
            axis.set_yticks([])
            if row == 0:
                axis.set_title(f"{name}, {WINDOWS[name][0][0]}–{WINDOWS[name][0][1]} eV")
            if column == 0:
                axis.set_ylabel(title if row == 0 else f"8 frames,\n{title}")
            if row == 2 and column == 3:
                width = 1e-9 / simulation.signals[0].axes[0]["scale"]
                axis.plot([4, 4 + width], [54, 54], "w-", lw=3)
                axis.text(4 + width / 2, 51, "1 nm", color="w", ha="center", fontsize=8)
        figure.colorbar(shown, ax=axes[:, column], location="bottom", label="electrons per frame", shrink=0.9)
    figure.suptitle(f"Edge maps of eight aligned frames: {raw / 1e6:.0f} MB, and {stored / 1e6:.1f} MB with a chart")
    figure.savefig(folder / "eight-frames.png", dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--full", action="store_true", help="regions of 200 x 200 pixels; takes long")
    args = parser.parse_args()
    folder = args.output
    folder.mkdir(parents=True, exist_ok=True)
    slow_or_fast(folder)
    super_resolution(folder)
    areas, motifs = template(folder, (200, 200) if args.full else (64, 64))
    against_dose(folder, areas, motifs)
    densities(folder)
    cubes()
    eight_frames(folder)
    names = ("slow-fast", "super-resolution", "regions", "scree", "size-density", "eight-frames")
    print("\nPictures: " + ", ".join(f"`{name}.png`" for name in names))


if __name__ == "__main__":
    main()
