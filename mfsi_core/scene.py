"""Scene: a crystal as a sum of Gaussians, known at every position."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lbj import UsageError

from .lines import symbols

Floats = NDArray[np.float64]

SITES = (((0.0, 0.0),), ((0.5, 0.5),), ((0.5, 0.0), (0.0, 0.5)))
WIDTH = 0.13  # standard deviation of a column, in cell edges
REACH = 6.0  # standard deviations after which a Gaussian is cut (1.5e-8 of its height)
ANGLE = math.radians(7)
HAADF_POWER = 1.7
FLOOR = 0.05  # detector background of the image, in mean intensities


def atomic_number(element: str) -> int:
    """Atomic number of a symbol of the line table (which starts with boron)."""
    return symbols().index(element) + 5


@dataclass(frozen=True)
class Scene:
    """A square lattice with slowly varying thickness, uneven occupation and a composition step.

    Attributes
    ----------
    vectors : (2, 2) array
        Cell edges as rows, (y, x), px.
    sites : list of (element, fraction, occupation)
        Position within the cell and the columns' strengths, one per cell of the covered square.
    first : int
        Lattice index of the first cell of the occupations.
    width : float
        Standard deviation of a column, px.
    """

    vectors: Floats
    sites: list[tuple[str, tuple[float, float], Floats]]
    first: int
    width: float

    @classmethod
    def crystal(
        cls, rng: np.random.Generator, shape: tuple[int, int], elements: tuple[str, ...], spacing: float, margin: float
    ) -> Scene:
        """Draw a crystal that fills the field and a margin (px) around it."""
        if not 1 <= len(elements) <= len(SITES):
            raise UsageError(f"a simulated crystal has one to three elements, got {elements}")
        vectors = spacing * np.array([[math.cos(ANGLE), math.sin(ANGLE)], [-math.sin(ANGLE), math.cos(ANGLE)]])
        reach = (
            math.ceil(math.hypot(*shape) / spacing + (math.sqrt(2) * margin + REACH * WIDTH * spacing) / spacing) + 2
        )
        cells = np.arange(-reach, reach + 1)
        corner = cells[:, None, None] * vectors[0] + cells[None, :, None] * vectors[1]
        phase = rng.uniform(0, 2 * math.pi, 2)
        y, x = corner[..., 0] / max(shape), corner[..., 1] / max(shape)
        thickness = 1 + 0.25 * np.sin(3.1 * y + phase[0]) + 0.25 * np.sin(2.3 * x + 1.7 * y + phase[1])
        step = 1 / (1 + np.exp(-(x - 0.5 + 0.2 * y) * max(shape) / spacing))
        sites = []
        for index, (element, fractions) in enumerate(zip(elements, SITES, strict=False)):
            for fraction in fractions:
                occupation = thickness * np.clip(rng.normal(1, 0.08, thickness.shape), 0.2, None)
                if index == 1:
                    occupation = occupation * (1 - 0.5 * step)
                sites.append((element, fraction, occupation))
        return cls(vectors, sites, -reach, WIDTH * spacing)

    def densities(self, y: Floats, x: Floats) -> dict[str, Floats]:
        """Column density of each element at positions (y, x) in px; arrays of any equal shape."""
        points = np.stack([y, x], axis=-1)
        base = np.floor(points @ np.linalg.inv(self.vectors)).astype(int)
        spacing = float(np.hypot(*self.vectors[0]))
        reach = math.ceil(REACH * self.width / spacing) + 1
        out: dict[str, Floats] = {}
        last = len(self.sites[0][2]) - 1
        for element, fraction, occupation in self.sites:
            total = out.setdefault(element, np.zeros(np.shape(y)))
            for i in range(-reach, reach + 1):
                for j in range(-reach, reach + 1):
                    cell = base + np.array([i, j])
                    delta = points - (cell + fraction) @ self.vectors
                    square = (delta * delta).sum(axis=-1)
                    index = np.clip(cell - self.first, 0, last)
                    strength = occupation[index[..., 0], index[..., 1]]
                    inside = square < (REACH * self.width) ** 2
                    total += np.where(inside, strength * np.exp(-square / (2 * self.width**2)), 0)
        return out

    def haadf(self, density: dict[str, Floats]) -> Floats:
        """Image intensity from the densities: columns weighted by Z^1.7 on a faint detector background."""
        weights = {element: (atomic_number(element) / 20) ** HAADF_POWER for element in density}
        total = np.sum([weights[element] * density[element] for element in density], axis=0)
        return np.asarray(total + FLOOR * sum(weights.values()) / len(weights))
