"""Simulated EELS: `simulate_eels`, core loss and low loss of a crystal, with detector noise, drift, fixed pattern."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from lbj import Signal
from lbj.array_types import Floats, Singles

from .scene import Scene

EDGES = {"Ca": (346.0, 0.10), "Ti": (456.0, 0.12), "O": (532.0, 0.08), "Mn": (640.0, 0.08)}
CELL = 3.9e-10  # m
OFFSET, DISPERSION = 300.0, 0.25  # eV
LOW_OFFSET, LOW_DISPERSION = -25.0, 0.1  # eV
POWER = 3.0  # of the background, E^-r
STEP = 0.02  # eV, sampling of the model spectra before they are shifted
ZERO_LOSS = 0.5  # eV, standard deviation of the zero-loss peak
PLASMON, PLASMON_WIDTH = 23.0, 6.0  # eV
DWELL = 5e-3  # s


def edge_shape(energy: Floats, onset: float) -> Floats:
    """Ionisation edge: a step of 1 eV width that falls as E^-2.5, with two white lines; 1 just above the onset."""
    from scipy.special import ndtr

    rise = ndtr((energy - onset) / 1.0)
    tail = (np.maximum(energy, onset) / onset) ** -2.5
    lines = 1.2 * np.exp(-(((energy - onset - 2) / 1.5) ** 2)) + 0.7 * np.exp(-(((energy - onset - 8) / 1.8) ** 2))
    return np.asarray(rise * tail + lines)


def low_loss_shape(energy: Floats, plasmon: float | Floats) -> Floats:
    """Zero-loss peak of area 1 at 0 eV, and a plasmon of area `plasmon`, per eV."""
    peak = np.exp(-0.5 * (energy / ZERO_LOSS) ** 2) / (ZERO_LOSS * math.sqrt(2 * math.pi))
    loss = np.where(energy > 0, PLASMON_WIDTH / math.pi / ((energy - PLASMON) ** 2 + PLASMON_WIDTH**2), 0)
    return np.asarray(peak + plasmon * loss)


class Fields(NamedTuple):
    """What the beam meets at some positions, (Y, X) each; see `EelsSimulation`."""

    maps: dict[str, Floats]
    background: Floats
    exponent: Floats
    thickness: Floats
    haadf: Floats


@dataclass(frozen=True, eq=False)
class EelsSimulation:
    """A series with its truth; frames are drawn when asked for and the same each time.

    Attributes
    ----------
    shape : (int, int)
        Y, X.
    axis, low_axis : (C,) float64
        Nominal energy of every channel, eV.
    maps : dict of (Y, X) float64
        Expected electrons per channel just above each edge, per frame, without background.
    shapes : dict of (C,) float64
        Spectrum of each edge on the nominal axis.
    background : (Y, X) float64
        Expected electrons per channel and frame at the first channel.
    exponent : (Y, X) float64
        r of the background A E^-r.
    displacement : (N, 2) float64
        Drift (uy, ux) of each frame, px: pixel q sampled the scene at q + u. Zero mean. The fields above are those of
        the undisplaced grid.
    shift : (N, Y, X) float64
        True energy of a channel less its nominal energy, eV.
    pattern : (C,) float64
        Relative sensitivity of the channels of the core-loss detector.
    signals : list of Signal
        For `lbj.create`.
    """

    shape: tuple[int, int]
    axis: Floats
    low_axis: Floats
    maps: dict[str, Floats]
    shapes: dict[str, Floats]
    onsets: dict[str, float]
    background: Floats
    exponent: Floats
    thickness: Floats
    haadf: Floats
    displacement: Floats
    fields: Callable[[Floats, Floats], Fields]
    shift: Floats
    pattern: Floats
    signals: list[Signal]
    gain: float
    read_noise: float
    flicker: float
    seed: int

    def __len__(self) -> int:
        return len(self.shift)

    def _seen(self, index: int) -> Fields:
        y, x = np.indices(self.shape, float)
        return self.fields(y + self.displacement[index, 0], x + self.displacement[index, 1])

    def mean(self, index: int = 0) -> Floats:
        """Expected core-loss spectra of a frame, in detector counts: (Y, X, C)."""
        shift = self.shift[index]
        seen = self._seen(index)
        out = np.empty((*self.shape, self.axis.size))
        margin = float(np.abs(shift).max()) + STEP
        fine = np.arange(self.axis[0] - margin, self.axis[-1] + margin + STEP, STEP)
        shapes = {name: edge_shape(fine, onset) for name, onset in self.onsets.items()}
        logs = np.log(np.maximum(fine, 1.0) / self.axis[0])
        for y, x in np.ndindex(self.shape):
            table = seen.background[y, x] * np.exp(-seen.exponent[y, x] * logs)
            for name, map_ in seen.maps.items():
                table += map_[y, x] * shapes[name]
            out[y, x] = np.interp(self.axis + shift[y, x], fine, table)
        return self.gain * self.pattern * out

    def low_loss_mean(self, index: int = 0) -> Floats:
        """Expected low-loss spectra of a frame, in detector counts, before the flicker of the source."""
        energy = self.low_axis + self.shift[index][..., None]
        plasmon = np.broadcast_to(self._seen(index).thickness[..., None], energy.shape)
        electrons = 2000 * self.background.mean() * LOW_DISPERSION
        return np.asarray(self.gain * electrons * low_loss_shape(energy, plasmon))

    def frame(self, index: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """Data and attributes of one frame, as `lbj.Writer.append` takes them."""
        rng = np.random.default_rng([self.seed, index, 7])
        data: dict[str, Any] = {"EELS": self._detect(rng, self.mean(index))}
        for signal in self.signals:
            if signal.name == "EELS-LL":
                current = np.exp(rng.normal(0, self.flicker, (*self.shape, 1)))
                data["EELS-LL"] = self._detect(rng, current * self.low_loss_mean(index))
        data["HAADF"] = np.minimum(rng.poisson(self._seen(index).haadf), 65535).astype(np.uint16)
        return data, {"dwell_time": DWELL}

    def _detect(self, rng: np.random.Generator, mean: Floats) -> Singles:
        counts = self.gain * rng.poisson(mean / self.gain) + rng.normal(0, self.read_noise, mean.shape)
        return np.rint(counts).astype(np.float32)

    def __iter__(self) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        return (self.frame(index) for index in range(len(self)))


def simulate_eels(
    shape: tuple[int, int] = (60, 94),
    frames: int = 1,
    channels: int = 2048,
    seed: int = 0,
    *,
    electrons: float = 2000.0,
    gain: float = 1.0,
    read_noise: float = 3.0,
    edges: dict[str, tuple[float, float]] | None = None,
    walk: float = 0.0,
    drift: float = 0.0,
    jitter: float = 0.0,
    descan: tuple[float, float] = (0.0, 0.0),
    fixed_pattern: float = 0.0,
    low_loss: bool = False,
    flicker: float = 0.0,
    low_channels: int = 1024,
) -> EelsSimulation:
    """Simulate EELS spectrum images of a crystal.

    Parameters
    ----------
    shape : (int, int)
        Y, X.
    frames, channels, low_channels : int
    seed : int
        Same seed, same series.
    electrons : float
        Mean electrons per channel and frame at the first channel.
    gain : float
        Detector counts per electron.
    read_noise : float
        Standard deviation, detector counts.
    edges : dict of (onset, strength), optional
        Element to onset in eV and step height relative to the background just below it; by default `EDGES`.
    walk : float
        Step of the specimen's drift from frame to frame, px rms.
    drift : float
        Energy drift from frame to frame, eV.
    jitter : float
        Energy jitter from pixel to pixel, eV rms.
    descan : (float, float)
        Energy shift per pixel along y and x, eV.
    fixed_pattern : float
        Relative rms of the channels' sensitivity.
    low_loss : bool
        Whether a dual-EELS low loss, ``EELS-LL``, is recorded with the same shifts.
    flicker : float
        Relative rms of the beam's current from pixel to pixel in the low loss.

    Returns
    -------
    EelsSimulation
        Counts are integers in float32, as spectrometers store them: gain · Poisson(electrons) + Gaussian read noise,
        rounded.
    """
    rng = np.random.default_rng(seed)
    edges = EDGES if edges is None else edges
    axis = np.asarray(OFFSET + DISPERSION * np.arange(channels), np.float64)
    low_axis = np.asarray(LOW_OFFSET + LOW_DISPERSION * np.arange(low_channels), np.float64)
    y, x = np.indices(shape, float)
    phase = rng.uniform(0, 2 * math.pi, 3)
    span = max(*shape, 2)
    scene = Scene.crystal(rng, shape, ("Ca", "Ti", "O"), 12.0, 12.0 if walk else 0.0)
    usual = {name: max(density.mean(), 1e-9) for name, density in scene.densities(y, x).items()}
    bright = float(scene.haadf(scene.densities(y, x)).mean())

    def fields(y: Floats, x: Floats) -> Fields:
        density = scene.densities(y, x)
        columns = {name: 0.4 + 0.6 * d / usual[name] for name, d in density.items()}
        side = 1 / (1 + np.exp((x - span * (0.5 + 0.05 * np.sin(6 * y / span))) / 2))
        thickness = 0.5 * (1 + 0.2 * np.sin(3 * y / span + phase[0]) + 0.15 * np.sin(4 * x / span + phase[1]))
        background = electrons * thickness / 0.5 * (0.8 + 0.2 * columns["Ca"])
        exponent = POWER * (1 + 0.02 * np.sin(2 * x / span + phase[2]))
        maps = {}
        for i, (name, (onset, strength)) in enumerate(edges.items()):
            local = columns[list(columns)[i % 3]] * (side if i % 4 == 1 else (1 - side) if i % 4 == 3 else 1)
            maps[name] = background * (onset / axis[0]) ** -POWER * strength * local
        return Fields(maps, background, exponent, thickness, 40.0 * scene.haadf(density) / bright)

    still = fields(y, x)
    plane = descan[0] * (y - y.mean()) + descan[1] * (x - x.mean())
    shift = np.stack([plane + drift * i + rng.normal(0, jitter, shape) for i in range(frames)])
    pattern = np.exp(rng.normal(0, fixed_pattern, channels))
    displacement = np.cumsum(rng.normal(0, walk, (frames, 2)), axis=0)
    displacement -= displacement.mean(axis=0)
    signals = _signals(shape, channels, low_channels if low_loss else None)
    return EelsSimulation(
        shape=shape, axis=axis, low_axis=low_axis, maps=still.maps, background=still.background,
        shapes={name: edge_shape(axis, onset) for name, (onset, _) in edges.items()},
        onsets={name: onset for name, (onset, _) in edges.items()},
        exponent=still.exponent, thickness=still.thickness, haadf=still.haadf, displacement=displacement,
        fields=fields, shift=shift, pattern=pattern, signals=signals, gain=gain, read_noise=read_noise,
        flicker=flicker, seed=seed,
    )  # fmt: skip


def _signals(shape: tuple[int, int], channels: int, low_channels: int | None) -> list[Signal]:
    """Declarations of what is recorded."""
    space = [{"name": n, "scale": CELL / 12.0, "offset": 0.0, "units": "m"} for n in ("y", "x")]
    energy = {"name": "energy", "offset": OFFSET, "scale": DISPERSION, "units": "eV"}
    signals = [Signal("EELS", "spectra", (*shape, channels), dtype="float32", axes=[*space, energy])]
    if low_channels is not None:
        low = {"name": "energy", "offset": LOW_OFFSET, "scale": LOW_DISPERSION, "units": "eV"}
        signals.append(Signal("EELS-LL", "spectra", (*shape, low_channels), dtype="float32", axes=[*space, low]))
    return [*signals, Signal("HAADF", "image", shape, dtype="uint16", axes=space)]
