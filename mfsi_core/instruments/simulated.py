"""Simulated microscope: a crystal that drifts and is damaged, with hum, jitter and a detector's dead time."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from lbj import Signal, UsageError
from lbj.array_types import Floats, Singles
from lbj.events import Events

from ..series.dose import ELECTRON
from ..simulation.edx import AXIS_END, BACKGROUND, BEAM_ENERGY, bremsstrahlung, element_spectrum
from ..simulation.eels import EDGES, edge_shape
from .protocol import Abilities, Exposure, Frame, Picture, Request
from .specimen import FIELD, GRID, Specimen, scan_displacement

MAINS = 50.0  # Hz
SURVEY_COUNTS = 30.0  # of a pixel
XRAYS, IMAGE, LOSSES = 1e-5, 5e-4, 5e-2  # counts an electron: X-rays, image, losses in a channel at the axis's start
EELS_CHANNELS, EELS_START, EELS_STEP = 512, 300.0, 1.0  # eV
PATTERN = 0.02  # rms, of the sensitivity of the spectrometer's channels
USUAL = ("EDX", "HAADF")


class Simulated:
    """A microscope for demonstrations and tests.

    Parameters
    ----------
    seed : int
        Same seed, same specimen and noise.
    elements : sequence of str
        One to three species of the crystal.
    channels : int
        Of the X-ray spectra, which span 20.48 keV.
    drift : (float, float)
        m/s along y and x.
    hum : float
        m rms, of the mains' frequency, along x.
    jitter : float
        m rms, of every row for itself, along both directions.
    critical_dose : float
        e/Å² after which 1/e of the first element is left.
    critical_charge : float
        Electrons into a pixel at once by which a dose does twice the harm.
    dead_time : float
        s for which a count blocks the X-ray detector.
    speed : float
        Seconds of the microscope a second; 0: as fast as it can be computed.
    """

    def __init__(
        self,
        *,
        seed: int = 1,
        elements: Sequence[str] = ("Ca", "Ti", "O"),
        channels: int = 1024,
        drift: tuple[float, float] = (2e-12, -3e-12),
        hum: float = 5e-12,
        jitter: float = 5e-12,
        critical_dose: float = 1e9,
        critical_charge: float = 1e6,
        dead_time: float = 1e-6,
        speed: float = 0.0,
    ) -> None:
        given = {"critical_dose": critical_dose, "critical_charge": critical_charge, "channels": channels}
        low = [name for name, value in given.items() if not value > 0]
        low += [name for name, value in {"dead_time": dead_time, "speed": speed}.items() if not value >= 0]
        if low:
            raise UsageError(f"{low[0]} of a simulated microscope is too low")
        self._rng = np.random.default_rng(seed)
        self._specimen = Specimen(self._rng, tuple(elements), critical_dose, critical_charge)
        self._scan = (tuple(drift), hum, jitter)
        self._dead_time, self._speed = dead_time, speed
        self._time, self._serial = 0.0, 0
        self._exposure: Exposure | None = None
        self.blanked = False
        axis = (np.arange(channels) + 0.5) * AXIS_END / channels
        spectra = [element_spectrum(element, axis) for element in elements]
        self._spectra = [np.cumsum(one) / one.sum() for one in (*spectra, bremsstrahlung(axis))]
        self._energies = {
            "EDX": {"name": "energy", "offset": float(axis[0]), "scale": AXIS_END / channels, "units": "eV"},
            "EELS": {"name": "energy", "offset": EELS_START, "scale": EELS_STEP, "units": "eV"},
        }
        self.pattern = np.exp(PATTERN * self._rng.standard_normal(EELS_CHANNELS))

    def abilities(self) -> Abilities:
        """As `Instrument.abilities`."""
        holds = {"EDX": ("events", len(self._spectra[0])), "HAADF": ("image", 1), "EELS": ("spectra", EELS_CHANNELS)}
        return Abilities("Simulated microscope", [*holds], [*USUAL], holds, survey=True, energy=True, blank=True)

    def survey(self) -> Picture:
        """As `Instrument.survey`; what dose it takes is neglected."""
        at = (np.arange(round(FIELD / GRID)) + 0.5) * GRID
        rate = self._specimen.haadf(self._specimen.densities(*self._drifted(*np.meshgrid(at, at, indexing="ij"))))
        return Picture(self._rng.poisson(SURVEY_COUNTS * rate).astype(np.uint16), GRID)

    def prepare(self, exposure: Exposure | None, _stop: threading.Event) -> tuple[list[Signal], dict[str, Any]]:
        """As `Instrument.prepare`."""
        assert exposure is not None
        end = np.asarray(exposure.corner) + np.asarray(exposure.pixels) * exposure.pixel
        if min(exposure.corner) < 0 or max(end) > FIELD + exposure.pixel:
            raise UsageError(
                f"the region from {_nm(exposure.corner)} to {_nm(end)} nm (y, x) leaves what the microscope reaches, "
                f"{FIELD * 1e9:g} nm"
            )
        self._exposure, self.blanked = exposure, False
        plane = [{"name": name, "offset": 0.0, "scale": exposure.pixel, "units": "m"} for name in "yx"]
        known = {
            "EDX": ("events", len(self._spectra[0]), "uint16"),
            "EELS": ("spectra", EELS_CHANNELS, "float32"),
        }
        signals = [
            Signal(name, known[name][0], (*exposure.pixels, known[name][1]), dtype=known[name][2],
                   axes=[*plane, self._energies[name]])
            for name in exposure.signals or USUAL if name in known
        ]  # fmt: skip
        if "HAADF" in (exposure.signals or USUAL):
            signals.append(Signal("HAADF", "image", exposure.pixels, dtype="uint16", axes=plane))
        elements = list(self._specimen.elements)
        return signals, {"beam_energy": BEAM_ENERGY, "elements": elements, "title": "Simulated crystal"}

    def acquire(self, request: Request) -> Frame | None:
        """As `Instrument.acquire`."""
        exposure, begun = self._exposure, time.monotonic()
        assert exposure is not None
        (rows, columns), wanted = exposure.pixels, exposure.signals or USUAL
        row_time = columns * exposure.dwell + exposure.flyback
        moved = scan_displacement(
            self._rng, self._time + row_time * (np.arange(rows) + 0.5), *self._scan, MAINS  # type: ignore[arg-type]
        )  # fmt: skip
        y = exposure.corner[0] + (np.arange(rows) + 0.5)[:, None] * exposure.pixel + moved[0][:, None]
        x = exposure.corner[1] + (np.arange(columns) + 0.5) * exposure.pixel + moved[1][:, None]
        y = np.broadcast_to(y, (rows, columns))
        density = self._specimen.densities(y, x)
        electrons = exposure.current * exposure.dwell / ELECTRON
        data: dict[str, Any] = {}
        attributes: dict[str, Any] = {"dwell_time": exposure.dwell, "beam_current": exposure.current}
        if "EDX" in wanted:
            live = 1 / (1 + XRAYS * electrons / exposure.dwell * self._dead_time)
            data["EDX"] = self._xrays(density, XRAYS * electrons * live)
            attributes["live_time"] = {"EDX": live * exposure.dwell * rows * columns}
        if "EELS" in wanted:
            data["EELS"] = self._losses(density, LOSSES * electrons, request.energy_shift)
            attributes["energy_shift"] = {"EELS": request.energy_shift}
        if "HAADF" in wanted:
            image = self._rng.poisson(IMAGE * electrons * self._specimen.haadf(density))
            data["HAADF"] = np.minimum(image, 65535).astype(np.uint16)
        self._specimen.expose(y, x, electrons)
        self._time += row_time * rows
        self._serial += 1
        if self._speed:
            request.stop.wait(max(row_time * rows / self._speed - (time.monotonic() - begun), 0))
        return Frame(data, attributes, self._serial)

    def blank(self) -> None:
        """As `Instrument.blank`."""
        self.blanked = True

    def close(self) -> None:
        """As `Instrument.close`."""

    def _drifted(self, y: Floats, x: Floats) -> tuple[Floats, Floats]:
        drift = self._scan[0]
        return y + drift[0] * self._time, x + drift[1] * self._time

    def _xrays(self, density: dict[str, Floats], counts: float) -> Events:
        """X-rays of a frame, so many a pixel where the density is 1."""
        parts = [*(counts * (1 - BACKGROUND) * one for one in density.values())]
        parts.append(counts * BACKGROUND * np.sum(list(density.values()), axis=0))
        pixels, channels = [], []
        for rate, spectrum in zip(parts, self._spectra, strict=True):
            pixels.append(np.repeat(np.arange(rate.size), self._rng.poisson(rate.ravel())))
            channels.append(np.searchsorted(spectrum, self._rng.random(pixels[-1].size), side="right"))
        shape = (*parts[0].shape, len(self._spectra[0]))
        return Events.from_list(np.concatenate(pixels), np.minimum(np.concatenate(channels), shape[2] - 1), shape)

    def _losses(self, density: dict[str, Floats], electrons: float, shift: float) -> Singles:
        """Spectra (Y, X, C) of losses; channel c holds those of energy offset + c * scale + shift."""
        axis: Floats = EELS_START + EELS_STEP * np.arange(EELS_CHANNELS, dtype=float) + shift
        background = (axis / EELS_START) ** -3.0
        basis = [background, *(edge_shape(axis, EDGES[e][0]) * EDGES[e][1] for e in density if e in EDGES)]
        heights = [np.ones(next(iter(density.values())).shape), *(density[e] for e in density if e in EDGES)]
        mean = np.einsum("kyx,kc->yxc", np.stack(heights), np.stack(basis))
        return np.asarray(self._rng.poisson(electrons * mean * self.pattern), np.float32)


def _nm(place: Any) -> str:
    return "(" + ", ".join(f"{value * 1e9:.4g}" for value in place) + ")"
