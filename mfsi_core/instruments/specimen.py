"""Specimen of the simulated microscope: a crystal that drifts and is damaged where it was exposed."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from lbj.array_types import Floats

from ..simulation.edx import CELL
from ..simulation.scene import Scene

FIELD = 20e-9  # m
GRID = 1.25e-10  # m, in which doses are counted
ROOM = 2e-9  # m around the field, into which it drifts


class Specimen:
    """Densities at places (y, x), m; the first element is lost as exp(-dose / critical dose).

    Parameters
    ----------
    rng : numpy Generator
    elements : tuple of str
    critical_dose : float
        e/Å².
    critical_charge : float
        Electrons into a pixel at once by which a dose does twice the harm.
    """

    def __init__(
        self, rng: np.random.Generator, elements: tuple[str, ...], critical_dose: float, critical_charge: float
    ) -> None:
        self.elements, self.critical_dose, self.critical_charge = elements, critical_dose, critical_charge
        self._room = round(ROOM / GRID)
        self._size = round(FIELD / GRID) + 2 * self._room
        self._scene = Scene.crystal(rng, (self._size, self._size), elements, CELL / GRID, 0.0)
        self.dose = np.zeros((self._size, self._size))  # e/Å², each counted as the harm it did
        every = self._scene.densities(*np.indices((self._size, self._size), float)[:, ::3, ::3])
        self.mean = float(np.sum(list(every.values()), axis=0).mean())
        self._bright = float(self._scene.haadf(every).mean())

    def densities(self, y: Floats, x: Floats) -> dict[str, Floats]:
        """Column densities of the elements at places, m, of any equal shape; the mean of their sum is about 1."""
        grid = [place / GRID - 0.5 + self._room for place in (y, x)]
        density = {name: one / self.mean for name, one in self._scene.densities(grid[0], grid[1]).items()}
        first = self.elements[0]
        density[first] = density[first] * np.exp(-self.dose.ravel()[self._cell(y, x)] / self.critical_dose)
        return density

    def haadf(self, density: dict[str, Floats]) -> Floats:
        """Image intensity, whose mean is about 1."""
        return self._scene.haadf({name: one * self.mean for name, one in density.items()}) / self._bright

    def expose(self, y: Floats, x: Floats, electrons: float) -> None:
        """Put so many electrons at once into the place of every pixel."""
        harm = electrons * (1 + electrons / self.critical_charge) / (GRID * 1e10) ** 2
        fell = np.bincount(self._cell(y, x).ravel(), minlength=self._size**2)
        self.dose += harm * fell.reshape(self.dose.shape)

    def _cell(self, y: Floats, x: Floats) -> NDArray[np.int64]:
        rows, columns = (
            np.clip(np.rint(place / GRID - 0.5 + self._room), 0, self._size - 1).astype(np.int64) for place in (y, x)
        )
        return rows * self._size + columns


def scan_displacement(
    rng: np.random.Generator, times: Floats, drift: tuple[float, float], hum: float, jitter: float, mains: float
) -> Floats:
    """Displacement of rows scanned at some times, s: (2, Y) m along y and x.

    Drift in m/s; hum along x, m rms, of a frequency, Hz; jitter of every row for itself, m rms along both.
    """
    moved = np.multiply.outer(np.asarray(drift), times)
    moved[1] += math.sqrt(2) * hum * np.sin(2 * math.pi * mains * times)
    return np.asarray(moved + jitter * rng.standard_normal(moved.shape))
