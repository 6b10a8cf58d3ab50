"""Simulated EDX: `simulate`, a drifting, jittering crystal recorded as a series of EDX events and HAADF images."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lbj import Signal, UsageError
from lbj.array_types import Floats
from lbj.events import Events

from ..tables.lines import fwhm, lines_of
from .image import Disturbance, Draw
from .scan import Distortion
from .scene import Scene

BEAM_ENERGY = 200e3  # eV
AXIS_END = 20480.0  # eV
CELL = 3.9e-10  # m, edge of the projected cell
BACKGROUND = 0.15  # bremsstrahlung's share of all counts
CURRENT = 17e-12  # A
DWELL = 1e-4  # s


def element_spectrum(element: str, energy: Floats, beam_energy: float = BEAM_ENERGY) -> Floats:
    """Probability per channel of the element's photons.

    Parameters
    ----------
    element : str
        Symbol.
    energy : (C,) array
        Centres of the channels, eV.
    beam_energy : float
        eV.

    Returns
    -------
    (C,) array
        Lines of all families as Gaussians of the detector's width (`lines.fwhm`), integrated over each channel; sums
        to 1 less what leaves the axis.
    """
    from scipy.special import ndtr

    half = (energy[1] - energy[0]) / 2 if energy.size > 1 else AXIS_END / 2
    edges = np.append(energy - half, energy[-1] + half)
    total = np.zeros(energy.size)
    share = 0.0
    for line in lines_of(element):
        if line.edge * 1.5 < beam_energy:
            total += line.weight * np.diff(ndtr((edges - line.energy) / (fwhm(line.energy) / 2.3548)))
            share += line.weight
    return total / share


def bremsstrahlung(energy: Floats, beam_energy: float = BEAM_ENERGY) -> Floats:
    """Probability per channel of the background: Kramers' law behind a detector window; (C,), sums to 1."""
    safe = np.maximum(energy, 50.0)
    rate = np.maximum(beam_energy - safe, 0) / safe * np.exp(-((600.0 / safe) ** 2)) + 1e-12
    return np.asarray(rate / rate.sum())


@dataclass(frozen=True, eq=False)
class Simulation:
    """A series with its truth; frames are drawn when asked for and the same each time.

    Attributes
    ----------
    shape : (int, int)
        Y, X.
    displacement : (N, 2, Y, X) float64
        True displacement (uy, ux), px: frame pixel q sampled the scene at q + u. Zero mean over the series, of which
        the jitter's share is zero in every row.
    scene : Scene
        Column densities at any position.
    maps : dict of (Y, X) float64
        Expected counts per frame and pixel of each element on the undistorted grid.
    background : (Y, X) float64
        Expected counts per frame and pixel of the bremsstrahlung.
    spectra : dict of (C,) float64
        Probability per channel of each element and of ``"background"``.
    signals, metadata
        For `lbj.create`.
    """

    shape: tuple[int, int]
    displacement: Floats
    scene: Scene
    maps: dict[str, Floats]
    background: Floats
    spectra: dict[str, Floats]
    signals: list[Signal]
    metadata: dict[str, Any]
    seed: int
    scale: float
    image_counts: float
    disturbances: Sequence[Disturbance] = ()

    def __len__(self) -> int:
        return len(self.displacement)

    def positions(self, index: int) -> tuple[Floats, Floats]:
        """Scene positions (y, x) that the frame's pixels sampled, px: two (Y, X) arrays."""
        y, x = np.indices(self.shape, float)
        return y + self.displacement[index, 0], x + self.displacement[index, 1]

    def frame(self, index: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """Data and attributes of one frame, as `lbj.Writer.append` takes them."""
        rng = np.random.default_rng([self.seed, index])
        density = self.scene.densities(*self.positions(index))
        image = rng.poisson(self.image_counts * self.scene.haadf(density)).astype(float)
        for place, disturbance in enumerate(self.disturbances):
            own, common = (np.random.default_rng([self.seed, place, *of]) for of in ((1, index), (2,)))
            image = disturbance.apply(image, Draw(index, own, common))
        rates = {element: self.scale * (1 - BACKGROUND) * density[element] for element in density}
        rates["background"] = self.scale * BACKGROUND * np.sum(list(density.values()), axis=0)
        pixels, channels = [], []
        for name, rate in rates.items():
            spectrum = self.spectra[name]
            pixel = np.repeat(np.arange(rate.size), rng.poisson(rate.ravel() * spectrum.sum()))
            channel = np.searchsorted(np.cumsum(spectrum) / spectrum.sum(), rng.random(pixel.size), side="right")
            pixels.append(pixel)
            channels.append(np.minimum(channel, spectrum.size - 1))
        events = Events.from_list(np.concatenate(pixels), np.concatenate(channels), self.signals[0].shape)
        time = DWELL * math.prod(self.shape)
        attributes = {"live_time": {"EDX": time}, "dwell_time": DWELL, "beam_current": CURRENT}
        return {"EDX": events, "HAADF": np.clip(np.rint(image), 0, 65535).astype(np.uint16)}, attributes

    def __iter__(self) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        return (self.frame(index) for index in range(len(self)))

    @cached_property
    def events(self) -> list[Events]:
        """EDX events of every frame."""
        return [data["EDX"] for data, _ in self]

    @cached_property
    def images(self) -> NDArray[np.uint16]:
        """HAADF images: (N, Y, X)."""
        return np.stack([data["HAADF"] for data, _ in self])

    def save(self, path: Any) -> None:
        """Write the series as a journal."""
        import lbj

        with lbj.create(path, self.signals, metadata=self.metadata) as writer:
            for data, attributes in self:
                writer.append(data, **attributes)


def simulate(
    shape: tuple[int, int] = (64, 64),
    frames: int = 10,
    channels: int = 2048,
    seed: int = 0,
    *,
    elements: tuple[str, ...] = ("Ca", "Ti", "O"),
    counts: float | None = None,
    image_counts: float = 50.0,
    spacing: float = 9.0,
    drift: tuple[float, float] = (0.15, -0.1),
    walk: float = 0.3,
    jitter: tuple[float, float] = (0.0, 0.0),
    scene: str = "crystal",
    distortions: Sequence[Distortion] = (),
    disturbances: Sequence[Disturbance] = (),
) -> Simulation:
    """Simulate a series of a perovskite-like crystal, or of another scene.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns.
    frames, channels : int
        Length of the series; number of energy channels, which together span 20.48 keV.
    seed : int
        Same seed, same series.
    elements : tuple of str
        One to three species: cell corner, cell centre, cell edges.
    counts : float, optional
        Mean X-ray counts per frame. Default: 0.04 % of the voxels.
    image_counts : float
        Mean electrons per HAADF pixel.
    spacing : float
        Edge of the cell, px.
    drift : (float, float)
        Steady drift (y, x), px per frame, which goes on within each frame.
    walk : float
        Random walk, px rms per frame and direction, between frames.
    jitter : (float, float)
        Independent displacement of every row of every frame (y, x), px rms.
    scene : str
        One of `scene.SCENES`.
    distortions : sequence
        Further displacements of the rows, as `scan` makes them.
    disturbances : sequence
        Of the image, in turn, as `image` makes them.

    Returns
    -------
    Simulation

    Notes
    -----
    The scene is a sum of Gaussians evaluated at the displaced positions themselves; nothing is interpolated. Counts
    are drawn per pixel and element, then placed on the energy axis, so that no cube is ever built.
    """
    if frames < 1 or channels < 1 or min(shape) < 1:
        raise UsageError(f"simulate needs at least one frame, channel and pixel, got {frames}, {channels}, {shape}")
    rng = np.random.default_rng(seed)
    displacement = _displacement(rng, shape, frames, drift, walk, jitter)
    for distortion in distortions:
        displacement += distortion.rows(rng, frames, shape[0])[..., None]
    displacement -= displacement.mean(axis=(0, 2, 3), keepdims=True)
    margin = float(np.abs(displacement).max()) if displacement.size else 0.0
    shown = Scene.named(scene, rng, shape, elements, spacing, margin)
    density = shown.densities(*np.indices(shape, float))
    mean = sum(float(density[element].mean()) for element in elements)
    if counts is None:
        counts = 4e-4 * math.prod(shape) * channels
    scale = counts / math.prod(shape) / mean
    energy = (np.arange(channels) + 0.5) * AXIS_END / channels
    spectra = {element: element_spectrum(element, energy) for element in elements}
    spectra["background"] = bremsstrahlung(energy)
    pixel = CELL / spacing
    plane = [
        {"name": name, "size": size, "offset": 0.0, "scale": pixel, "units": "m"}
        for name, size in zip("yx", shape, strict=True)
    ]
    axis = {"name": "energy", "size": channels, "offset": energy[0], "scale": AXIS_END / channels, "units": "eV"}
    return Simulation(
        shape=(shape[0], shape[1]),
        displacement=displacement,
        scene=shown,
        maps={e: scale * (1 - BACKGROUND) * density[e] * spectra[e].sum() for e in elements},
        background=scale * BACKGROUND * np.sum(list(density.values()), axis=0),
        spectra=spectra,
        signals=[
            Signal("EDX", "events", (*shape, channels), dtype="uint16", axes=[*plane, axis]),
            Signal("HAADF", "image", shape, dtype="uint16", axes=plane),
        ],
        metadata={"title": "Simulated crystal", "beam_energy": BEAM_ENERGY, "elements": list(elements)},
        seed=seed,
        scale=scale,
        image_counts=image_counts / float(shown.haadf(density).mean()),
        disturbances=disturbances,
    )


def _displacement(
    rng: np.random.Generator,
    shape: tuple[int, int],
    frames: int,
    drift: tuple[float, float],
    walk: float,
    jitter: tuple[float, float],
) -> Floats:
    steps = rng.normal(0, walk, (frames, 2)) + np.asarray(drift)
    path = np.cumsum(steps, axis=0)
    rows = rng.normal(0, 1, (frames, 2, shape[0])) * np.asarray(jitter)[:, None]
    within = np.asarray(drift)[:, None] * ((np.arange(shape[0]) + 0.5) / shape[0] - 0.5)
    field = (path - path.mean(axis=0))[:, :, None] + within + rows - rows.mean(axis=0)
    return np.repeat(field[..., None], shape[1], axis=3)
