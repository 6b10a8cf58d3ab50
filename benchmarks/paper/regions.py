"""Studies 3 and 4 of the paper: 230 frames in 23 regions with template matching, and scree against effective dose."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from helpers import tables
from paper.edx import (
    JITTER,
    LABELS,
    LOW,
    PIXEL,
    WINDOWS,
    cropped,
    crystal,
    expected,
    line,
    look,
    mean_image,
    path,
    rms,
    scan,
    sheet,
)

import lbj
import mfsi_core
from mfsi_core.components.figure import scree_figure
from mfsi_core.components.scree import scree, with_sum
from mfsi_core.drawing import ORANGE, limits_of, png
from mfsi_core.motifs.averages import average_motif
from mfsi_core.motifs.finding import Motifs, find_motif
from mfsi_core.simulation.edx import Simulation

REGIONS, FRAMES, MOTIFS = 23, 10, 112
CURRENT, DWELL = 17e-12, 1e-3  # A, s
SIZE = 15  # px, edge of the motif: about two cells
FINE = 4
SUMS = [1, 4, 9, 25, 49, 100, 169, 230]  # frames


@dataclass
class Areas:
    """The series: truth and journal, frames by region, registration, and all repeats of the motif in each region."""

    truth: list[Simulation]
    journal: lbj.Journal
    events: list[list[lbj.Events]]
    images: list[np.ndarray]
    registration: mfsi_core.Registration
    found: list[Motifs]

    def part(self, region: int) -> mfsi_core.Registration:
        return self.registration.subset(self.registration.region == region)


def record(shape: tuple[int, int]) -> tuple[list[Simulation], io.BytesIO]:
    """Every region simulated, each from another place in the cell on, and all of them in one journal."""
    rng, truth, file = np.random.default_rng(3), [], io.BytesIO()
    for region in range(REGIONS):
        one = crystal(shape, FRAMES, 100 + region)
        away = rng.uniform(0, 1, 2) @ one.scene.vectors
        course = path(rng, shape[0], FRAMES)
        truth.append(replace(one, displacement=scan(rng, course, shape) + away[:, None, None]))
    now = {"dwell_time": DWELL, "beam_current": CURRENT, "live_time": {"EDX": DWELL * np.prod(shape)}}
    with lbj.create(file, truth[0].signals, metadata=truth[0].metadata, sync=False) as writer:
        for region, one in enumerate(truth):
            for data, _ in one:
                writer.append(data, **now, region=region)
    return truth, file


def best(found: list[Motifs], number: int) -> list[Motifs]:
    """The best so many of all repeats that do not overlap."""
    ranked = sorted(((score, r, k) for r, one in enumerate(found) for k, score in enumerate(one.score)), reverse=True)
    kept: list[list[int]] = [[] for _ in found]
    for _, region, k in ranked:
        places = found[region].positions
        apart = (np.abs(places[kept[region]] - places[k]).max(axis=1) >= SIZE).all()
        if apart and sum(map(len, kept)) < number:
            kept[region].append(k)
    return [
        replace(one, positions=one.positions[k], score=one.score[k], transform=one.transform[k])
        for one, k in zip(found, kept, strict=True)
    ]


def analyse(shape: tuple[int, int]) -> tuple[Areas, int]:
    """Record, register, and find the motif drawn around the brightest column amid the first region; also the bytes."""
    truth, file = record(shape)
    journal = lbj.open(file)
    frames = [[journal[r * FRAMES + i] for i in range(FRAMES)] for r in range(REGIONS)]
    events = [[frame.events("EDX") for frame in area] for area in frames]
    images = [np.stack([frame.array("HAADF") for frame in area]) for area in frames]
    areas = Areas(truth, journal, events, images, mfsi_core.register(journal, across=True), [])
    means = [mean_image(images[r], areas.part(r)) for r in range(REGIONS)]
    start = [n // 2 - 5 for n in shape]
    middle = means[0][start[0] : start[0] + 10, start[1] : start[1] + 10]
    first = find_motif(means[0], (np.add(start, np.unravel_index(np.nanargmax(middle), (10, 10))), (SIZE, SIZE)))
    areas.found = [first] + [find_motif(mean, first.motif) for mean in means[1:]]
    return areas, len(file.getvalue())


def average(areas: Areas, motifs: list[Motifs], name: str, upsampling: int = FINE, channels=LOW):
    """Sum over repeats and frames: of the image, or of the spectra."""
    signal, data = areas.journal.signals[name], areas.events if name == "EDX" else areas.images
    parts = [areas.part(r) for r in range(REGIONS)]
    return average_motif(data, parts, motifs, signal, upsampling, channels if name == "EDX" else None).values


def right(areas: Areas, motifs: list[Motifs]) -> dict[str, np.ndarray]:
    """What the sums of the image and in the elements' windows should be: `FRAMES` times the scenes at the repeats."""
    offset = (np.arange(SIZE * FINE) + 0.5) / FINE - SIZE / 2
    around = np.stack(np.meshgrid(offset, offset, indexing="ij"))
    total = dict.fromkeys(("HAADF", *WINDOWS), 0.0)
    for region, one in enumerate(areas.truth):
        away = (one.displacement - areas.part(region).displacement).mean(axis=(0, 2, 3))
        for place in motifs[region].positions + away:
            for name, counts in expected(one, *(around + place[:, None, None])).items():
                total[name] = total[name] + FRAMES * counts
    return total


def template(folder: Path, shape: tuple[int, int]) -> tuple[Areas, list[Motifs]]:
    """Study 3: ten frames of each of 23 regions, and what template matching makes of them."""
    areas, size = analyse(shape)
    dense = 4 * np.prod(shape) * 2048 * REGIONS * FRAMES
    filled = np.mean([len(one) for area in areas.events for one in area]) / np.prod(shape) / 2048
    single = mfsi_core.plan(PIXEL, PIXEL, CURRENT, DWELL, FRAMES)
    charge, dose = single.pixel_charge, single.total_dose
    away = [one.displacement - areas.part(r).displacement for r, one in enumerate(areas.truth)]
    error = rms([one - one.mean(axis=(0, 2, 3))[:, None, None] for one in away])
    print(
        f"\n**3.** {REGIONS} regions of {FRAMES} frames of {shape[0]} x {shape[1]} x 2048, {filled:.3%} not zero: "
        f"dense {dense / 1e9:.2f} GB, journal {size / 1e6:.2f} MB with its images, {dense / size:,.0f} times smaller. "
        f"{charge:.3g} electrons a pixel and frame; every region received {dose:.3g} e/Å² in all. Error of the "
        f"registration {error:.2f} px; a row's mean jitter is {rms(JITTER) / np.sqrt(FRAMES):.2f} px. Repeats of the "
        f"motif, {SIZE} x {SIZE} px: {sum(map(len, areas.found))}; summed, the best that do not overlap:"
    )
    tables.head("repeats", "frames each", "effective e/Å²", "SNR of Sr L", "SNR of Ti Kα", "SNR of HAADF")
    fine = cropped(areas.journal.signals["EDX"], FINE, (slice(0, SIZE * FINE),) * 2)
    for number in (1, 11, MOTIFS):
        motifs = best(areas.found, number)
        cube = average(areas, motifs, "EDX")
        sums = {name: line(cube, name, fine) for name in WINDOWS} | {"HAADF": average(areas, motifs, "HAADF")}
        truth = right(areas, motifs)
        dose = mfsi_core.plan(PIXEL, PIXEL, CURRENT, DWELL, FRAMES, motifs=sum(map(len, motifs))).effective_dose
        snr = [mfsi_core.map_snr(sums[name], truth=truth[name]) for name in sums]
        tables.row(sum(map(len, motifs)), FRAMES, f"{dose:.3g}", *(f"{value:.2f}" for value in snr))
    figure = picture_of(areas, motifs, sums, truth, f"{100 * filled:.2f} % of the voxels not zero")
    (folder / "regions.png").write_bytes(png(figure))
    return areas, motifs


def picture_of(areas: Areas, motifs: list[Motifs], sums, truth, text: str):
    """One frame and ten frames of the first region, the sum over all repeats, and what it should be."""
    signal, part, repeats = areas.journal.signals["EDX"], areas.part(0), sum(map(len, motifs))
    seen = mfsi_core.coverage(part)
    seen = np.where(2 * seen >= FRAMES, seen, np.nan)
    rows = []
    for name in ("HAADF", *WINDOWS):
        if name == "HAADF":
            one, ten = areas.images[0][0].astype(float), mfsi_core.accumulate(areas.images[0], part)
        else:
            one, ten = line(areas.events[0][:1], name, signal), line(areas.events[0], name, signal, part)
        shown = [
            (one, PIXEL, f"{LABELS[name]}, one frame", " a frame", limits_of(one)),
            (ten / seen, PIXEL, f"{FRAMES} frames of a region", " a frame", limits_of(ten / seen)),
        ]
        for image, title in ((sums[name], f"{repeats} repeats, ×{FINE}"), (truth[name], f"truth, ×{FINE}")):
            shown.append((image, PIXEL / FINE, title, ", all frames", limits_of(truth[name], 0, 100)))
        rows.append([])
        for *drawn, per, ends in shown:
            unit, colours, limits = look(name, *ends)
            rows[-1].append((*drawn, unit + per, colours, limits))
    figure, panels = sheet(f"Template matching in {REGIONS} regions of {FRAMES} frames, {text}; + repeats summed", rows)
    centres = motifs[0].positions
    panels[1].plot(centres[:, 1], centres[:, 0], "+", color=ORANGE, markersize=8, markeredgewidth=1.5)
    return figure


def against_dose(folder: Path, areas: Areas, motifs: list[Motifs]) -> None:
    """Study 4: scree of growing sums of frames, regions laid on one another, and of the sum over the repeats."""
    result = scree(areas.journal, frames=SUMS, registration=areas.registration)
    repeats = sum(map(len, motifs))
    cube = average(areas, motifs, "EDX", 1, None)
    effective = mfsi_core.plan(PIXEL, PIXEL, CURRENT, DWELL, FRAMES, motifs=repeats).effective_dose
    result = with_sum(
        result, cube, f"{repeats} template matches", effective, repeats * FRAMES, areas.journal.signals["EDX"]
    )
    print("\n**4.** Scree against dose; the simulated crystal has three independent spectra")
    tables.head("sum of", "frames", "e/Å²", "significant", "variance ratios of the first five")
    for i, label in enumerate(result.labels):
        number = str(result.significant[i]) if result.significant[i] >= 0 else "not tested"
        ratios = " ".join(f"{ratio:.2e}" for ratio in result.variance_ratio[i, :5])
        tables.row(label, result.frames[i], f"{result.dose[i]:.3g}", number, ratios)
    (folder / "scree.png").write_bytes(scree_figure(result))
