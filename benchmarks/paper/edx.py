"""Studies 1 and 2 of the paper, one slow or five fast frames and super-resolution; and what 3 and 4 share with them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from helpers import tables
from scipy.ndimage import map_coordinates

import lbj
import mfsi_core
from mfsi_core.accumulation.output import result_axes
from mfsi_core.drawing import limits_of, new_figure, picture, png
from mfsi_core.simulation.edx import BACKGROUND, CELL, Simulation

PIXEL = 0.0555e-9  # m
LABELS = {"HAADF": "HAADF", "Sr": "Sr L", "Ti": "Ti Kα"}
WINDOWS = {  # eV: line, and background below and above
    "Sr": ((1700, 1910), ((1590, 1690), (2010, 2110))),
    "Ti": ((4370, 4650), ((4230, 4370), (4650, 4790))),
}
LOW = slice(0, 512)  # channels, of 2048, that hold these lines
CHARGE = mfsi_core.plan(PIXEL, PIXEL, 17e-12, 1e-3, 1).pixel_charge  # electrons a pixel, which give
COUNTS, IMAGE_COUNTS = 4e-4 * 2048, 50.0  # so many X-rays and electrons of the image
DRIFT, WALK, JITTER = (0.8, -0.5), 0.3, (0.35, 0.5)  # PIXEL a fast frame, twice; rms a row


def crystal(shape, frames, seed, charge=CHARGE, pixel=PIXEL) -> Simulation:
    """Simulated series, `charge` electrons a pixel and frame."""
    dose = charge / CHARGE
    return mfsi_core.simulate(
        shape, frames, 2048, seed, elements=("Sr", "Ti", "O"), spacing=CELL / pixel, drift=DRIFT,
        counts=dose * COUNTS * np.prod(shape), image_counts=dose * IMAGE_COUNTS,
    )  # fmt: skip


def path(rng, rows, frames):
    """Drift and walk during so many frames: (frames * rows + 1, 2), px (y, x) at the start of each row."""
    steps = np.array(DRIFT) / rows + rng.normal(0, WALK / np.sqrt(rows), (frames * rows, 2))
    return np.vstack([np.zeros(2), np.cumsum(steps, axis=0)])


def scan(rng, course, shape, dwell=1):
    """Displacement (N, 2, Y, X) of frames that follow `path` from pixel to pixel, each row jittering; mean zero.

    A row takes `dwell` steps of the path.
    """
    rows, columns = shape
    frames = (len(course) - 1) // (rows * dwell)
    time = dwell * (np.arange(frames * rows)[:, None] + np.arange(columns) / columns)
    drift = np.stack([np.interp(time, np.arange(len(course)), one) for one in course.T], axis=1)
    field = drift.reshape(frames, rows, 2, columns).swapaxes(1, 2)
    field = field + (rng.normal(0, 1, (frames, 2, rows)) * np.array(JITTER)[:, None])[..., None]
    return field - field.mean(axis=(0, 2, 3), keepdims=True)


def expected(series: Simulation, y, x) -> dict[str, np.ndarray]:
    """Electrons of the image and counts in the windows that one frame should hold, at (y, x) of the scene."""
    axis, density = series.signals[0].axes[-1], series.scene.densities(y, x)
    energy = axis["offset"] + axis["scale"] * np.arange(axis["size"])
    out = {"HAADF": series.image_counts * series.scene.haadf(density)}
    for name, ((low, high), _) in WINDOWS.items():
        inside = series.spectra[name][(energy >= low) & (energy < high)].sum()
        out[name] = series.scale * (1 - BACKGROUND) * inside * density[name]
    return out


def line(source, name, signal, registration=None):
    return mfsi_core.line_map(source, *WINDOWS[name], signal, registration, elements=list(WINDOWS)).values


def cropped(signal: lbj.Signal, upsampling: int, region=None) -> lbj.Signal:
    """What `accumulate` returns for the channels `LOW`."""
    axes = result_axes(signal, upsampling, region, LOW)
    return lbj.Signal(signal.name, "spectra", tuple(axis["size"] for axis in axes), dtype="float32", axes=axes)


def mean_image(images, registration, upsampling=1):
    seen = mfsi_core.coverage(registration, upsampling).astype(float)
    total = mfsi_core.accumulate(images, registration, upsampling=upsampling)
    return total / np.where(seen > 0, seen, np.nan)


def power(value: float) -> str:
    """Write 4.62e6 as a power of ten, for figures."""
    figures, exponent = f"{value:.2e}".split("e")
    return rf"{figures} × $\mathregular{{10^{{{int(exponent)}}}}}$"


def rms(values) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def look(name: str, low: float, high: float):
    """Unit, colours and limits by which to show an image or a map."""
    return ("electrons", "gray", (low, high)) if name == "HAADF" else ("net counts", "inferno", (0.0, high))


def sheet(title: str, rows, edge=2.3):
    """Figure, and axes, of rows of pictures (image, pixel in m, title, label, colours, limits), `edge` inches high."""
    sizes = [[edge * min(1, one[0].shape[1] / one[0].shape[0]) for one in row] for row in rows]
    step = max(max(size) for size in sizes) + 0.95
    width, height = step * max(map(len, rows)) + 0.1, (edge + 0.6) * len(rows) + 0.45
    figure, panels = new_figure(width, height, "none"), []
    figure.suptitle(title, fontsize=10, x=0.1 / width, y=1 - 0.08 / height, ha="left", va="top")
    for i, row in enumerate(rows):
        for j, (image, pixel, name, label, colours, limits) in enumerate(row):
            bottom = height - 0.65 - edge - i * (edge + 0.6)
            place = ((0.1 + j * step) / width, bottom / height, sizes[i][j] / width, edge / height)
            panels.append(figure.add_axes(place))
            picture(panels[-1], image, (pixel, pixel), name, label, colours, limits, sizes[i][j])
    return figure, panels


def slow_or_fast(folder: Path) -> None:
    """Study 1: the charge of one frame of 10 ms dwell time, or of five of 2 ms."""
    shape, current = (96, 96), 74e-12
    charge = {ms: mfsi_core.plan(PIXEL, PIXEL, current, ms * 1e-3, 1).pixel_charge for ms in (10, 2)}
    rng = np.random.default_rng(1)
    course = path(rng, shape[0], 5)
    fast = replace(crystal(shape, 5, 1, charge[2]), displacement=scan(rng, course, shape))
    slow = replace(
        fast, displacement=scan(rng, course, shape, 5), seed=2, scale=5 * fast.scale, image_counts=5 * fast.image_counts
    )
    still = replace(slow, displacement=np.zeros((1, 2, *shape)), seed=3)
    found = mfsi_core.register(fast.images)
    as_they_are = mfsi_core.Registration(np.zeros_like(fast.displacement))
    inner = mfsi_core.common_region(found)
    routes = {
        "one slow frame": (slow, None, rms(slow.displacement), 10),
        "five fast frames, as they are": (fast, as_they_are, rms(fast.displacement), 2),
        "five fast frames, registered": (fast, found, rms(found.displacement - fast.displacement), 2),
        "a slow frame without distortion": (still, None, 0.0, 10),
    }
    grid = np.indices(shape, float)
    truth = expected(slow, *grid)
    print("\n**1.** One frame of 10 ms, or five of 2 ms, at 74 pA; 96 x 96 px of 55.5 pm")
    tables.head("", "e/px and frame", "e/px", "error, px", "SNR of Sr L", "SNR of Ti Kα")
    maps = {}
    for title, (series, registration, error, ms) in routes.items():
        for name in WINDOWS:
            maps[title, name] = line(series.events, name, series.signals[0], registration)
        snr = [mfsi_core.map_snr(maps[title, name][inner], truth=truth[name][inner]) for name in WINDOWS]
        cells = (f"{charge[ms]:.3g}", f"{charge[ms] * len(series):.3g}", f"{error:.2f}")
        tables.row(title, *cells, *(f"{value:.2f}" for value in snr))
    maps["one slow frame", "HAADF"] = slow.images[0].astype(float)
    maps["five fast frames, registered", "HAADF"] = 5 * mean_image(fast.images, found)
    rows = []
    for name in truth:
        unit, colours, limits = look(name, *limits_of(truth[name][inner]))
        rows.append([(maps["one slow frame", name], f"{LABELS[name]}, one slow frame")])
        rows[-1] += [
            (maps["five fast frames, registered", name], "five fast frames, registered"),
            (truth[name], "truth"),
        ]
        rows[-1] = [(image[inner], PIXEL, title, unit, colours, limits) for image, title in rows[-1]]
    figure, _ = sheet(
        f"{power(charge[10])} electrons a pixel (74 pA): one frame of 10 ms, or five of 2 ms, {power(charge[2])} each",
        rows,
    )
    (folder / "slow-fast.png").write_bytes(png(figure))


def beyond(image, truth, pixel: float) -> float:
    """Correlation with the truth at frequencies that a frame does not sample, 0.5 to 0.75 a frame's pixel."""
    window = np.outer(*(np.hanning(n) for n in truth.shape))
    spectra = [np.fft.fft2((one - one.mean()) * window) for one in (image, truth)]
    fy, fx = (np.fft.fftfreq(n, pixel) for n in truth.shape)
    frequency = np.hypot(fy[:, None], fx)
    one, two = (spectrum[(frequency > 0.5) & (frequency < 0.75)] for spectrum in spectra)
    return float((one * two.conj()).real.sum() / np.sqrt((abs(one) ** 2).sum() * (abs(two) ** 2).sum()))


def super_resolution(folder: Path) -> None:
    """Study 2: eight frames on a grid four times finer."""
    shape, fine, pixel = (56, 56), 4, CELL / 4.5
    charge = mfsi_core.plan(pixel, pixel, 74e-12, 2e-3, 1).pixel_charge
    rng = np.random.default_rng(2)
    series = crystal(shape, 8, 4, charge, pixel)
    series = replace(series, displacement=scan(rng, path(rng, shape[0], 8), shape) * PIXEL / pixel)
    found = mfsi_core.register(series.images)
    inner = mfsi_core.common_region(found)
    large = tuple(slice(fine * part.start, fine * part.stop) for part in inner)
    position = np.meshgrid(*((np.arange(fine * n) + 0.5) / fine - 0.5 for n in shape), indexing="ij")

    def enlarged(image):
        return map_coordinates(np.nan_to_num(image), position, order=3, mode="nearest")

    cube = mfsi_core.accumulate(series.events, found, upsampling=fine, channels=LOW)
    signal = series.signals[0]
    truth = expected(series, *position)
    one = {name: line(series.events[:1], name, signal) for name in WINDOWS} | {"HAADF": series.images[0].astype(float)}
    coarse = {name: line(series.events, name, signal, found) / 8 for name in WINDOWS}
    coarse["HAADF"] = mean_image(series.images, found)
    seen = np.maximum(mfsi_core.coverage(found, fine), 1)
    finer = {name: line(cube, name, cropped(signal, fine)) / seen for name in WINDOWS}
    finer["HAADF"] = mean_image(series.images, found, fine)
    routes = {
        "one frame, enlarged": {name: enlarged(image) for name, image in one.items()},
        "eight frames x1, enlarged": {name: enlarged(image) for name, image in coarse.items()},
        "eight frames x4": finer,
    }
    error = rms(found.displacement - series.displacement)
    print(
        f"\n**2.** Eight frames of 56 x 56 px of {pixel * 1e12:.0f} pm, summed on a grid four times finer; "
        f"{charge:.3g} electrons a pixel and frame; error of the registration {error:.2f} px. Correlation: with the "
        "truth, at 0.5 to 0.75 per pixel of a frame, which no frame samples."
    )
    tables.head("SNR of", "Sr L", "Ti Kα", "HAADF", "correlation of HAADF", "of Sr L")
    for title, images in routes.items():
        snr = [mfsi_core.map_snr(images[name][large], truth=truth[name][large]) for name in ("Sr", "Ti", "HAADF")]
        high = [beyond(images[name][large], truth[name][large], 1 / fine) for name in ("HAADF", "Sr")]
        tables.row(title, *(f"{value:.2f}" for value in (*snr, *high)))
    rows = []
    for name in truth:
        low, high = limits_of(truth[name][large], 0, 100)
        row = [
            (one[name][inner], pixel, f"{LABELS[name]}, one frame"),
            (coarse[name][inner], pixel, "eight frames, ×1"),
        ]
        row += [(finer[name][large], pixel / fine, "eight frames, ×4"), (truth[name][large], pixel / fine, "truth, ×4")]
        unit, colours, limits = look(name, low, high)
        rows.append([(*shown, f"{unit} a frame", colours, limits) for shown in row])
    figure, _ = sheet("Eight registered frames, summed on their own grid (×1) and on one four times finer (×4)", rows)
    (folder / "super-resolution.png").write_bytes(png(figure))
