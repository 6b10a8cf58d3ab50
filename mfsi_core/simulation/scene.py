"""Scene: the specimen of a simulation (crystal, amorphous film, fringes, edge), known at every position."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from lbj import UsageError
from lbj.array_types import Floats

from ..tables.lines import symbols

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
    scatter : (n, n, 2) array
        Displacement of the columns of each cell, in cell edges.
    seen_along : (2, 2) array
        Maps a position to the one that is shown: singular where the scene is the same along a direction.
    share : function
        Of a position (y, x), the share of the density that is there; there is vacuum where it is zero.
    """

    vectors: Floats
    sites: list[tuple[str, tuple[float, float], Floats]]
    first: int
    width: float
    scatter: Floats
    seen_along: Floats = field(default_factory=lambda: np.eye(2))
    share: Callable[[Floats, Floats], Floats] | None = None

    @classmethod
    def named(
        cls,
        name: str,
        rng: np.random.Generator,
        shape: tuple[int, int],
        elements: tuple[str, ...],
        spacing: float,
        margin: float,
    ) -> Scene:
        """Draw one of the `SCENES`."""
        if name not in SCENES:
            raise UsageError(f"a simulated scene is one of {', '.join(SCENES)}, got {name!r}")
        crystal = cls.crystal(rng, shape, elements, spacing, margin)
        return SCENES[name](crystal, rng, shape)

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
        return cls(vectors, sites, -reach, WIDTH * spacing, np.zeros((*thickness.shape, 2)))

    def densities(self, y: Floats, x: Floats) -> dict[str, Floats]:
        """Column density of each element at positions (y, x) in px; arrays of any equal shape."""
        points = np.stack([y, x], axis=-1) @ self.seen_along.T
        base = np.floor(points @ np.linalg.inv(self.vectors)).astype(int)
        spacing = float(np.hypot(*self.vectors[0]))
        reach = math.ceil(REACH * self.width / spacing + float(np.abs(self.scatter).max())) + 1
        out: dict[str, Floats] = {}
        last = len(self.sites[0][2]) - 1
        for element, fraction, occupation in self.sites:
            total = out.setdefault(element, np.zeros(np.shape(y)))
            for i in range(-reach, reach + 1):
                for j in range(-reach, reach + 1):
                    cell = base + np.array([i, j])
                    index = np.clip(cell - self.first, 0, last)
                    place = index[..., 0], index[..., 1]
                    delta = points - (cell + fraction + self.scatter[place]) @ self.vectors
                    square = (delta * delta).sum(axis=-1)
                    inside = square < (REACH * self.width) ** 2
                    total += np.where(inside, occupation[place] * np.exp(-square / (2 * self.width**2)), 0)
        if self.share is not None:
            there = self.share(y, x)
            out = {element: density * there for element, density in out.items()}
        return out

    def haadf(self, density: dict[str, Floats]) -> Floats:
        """Image intensity from the densities: columns weighted by Z^1.7 on a faint detector background."""
        weights = {element: (atomic_number(element) / 20) ** HAADF_POWER for element in density}
        total = np.sum([weights[element] * density[element] for element in density], axis=0)
        return np.asarray(total + FLOOR * sum(weights.values()) / len(weights))


def _perfect(crystal: Scene, _rng: np.random.Generator, _shape: tuple[int, int]) -> Scene:
    sites = [(element, place, np.full_like(strength, strength.mean())) for element, place, strength in crystal.sites]
    return replace(crystal, sites=sites)


def _amorphous(crystal: Scene, rng: np.random.Generator, _shape: tuple[int, int]) -> Scene:
    """Columns anywhere in their cells: of the lattice no wave is left."""
    return replace(crystal, scatter=rng.uniform(-0.5, 0.5, crystal.scatter.shape))


def _half(crystal: Scene, _rng: np.random.Generator, shape: tuple[int, int]) -> Scene:
    return replace(crystal, share=lambda y, _: _beyond(y - shape[0] / 2))


def _particle(crystal: Scene, _rng: np.random.Generator, shape: tuple[int, int]) -> Scene:
    middle, radius = np.asarray(shape) / 2, 0.3 * min(shape)
    return replace(crystal, share=lambda y, x: _beyond(radius - np.hypot(y - middle[0], x - middle[1])))


def _fringes(crystal: Scene, _rng: np.random.Generator, _shape: tuple[int, int]) -> Scene:
    """The lattice's densities along one line, drawn out across it."""
    across = crystal.vectors[0] / np.hypot(*crystal.vectors[0])
    return replace(crystal, seen_along=np.multiply.outer(across, across))


def _edge(crystal: Scene, rng: np.random.Generator, shape: tuple[int, int]) -> Scene:
    """A straight edge of a specimen without texture."""
    flat = replace(_perfect(crystal, rng, shape), seen_along=np.zeros((2, 2)))
    return replace(flat, share=lambda y, x: _beyond(0.9 * (x - shape[1] / 2) + 0.4 * (y - shape[0] / 2)))


def _beyond(distance: Floats) -> Floats:
    """From 0 to 1 over an edge of some px."""
    return np.asarray(1 / (1 + np.exp(np.clip(-distance, -50, 50))))


SCENES: dict[str, Callable[[Scene, np.random.Generator, tuple[int, int]], Scene]] = {
    "crystal": lambda crystal, *_: crystal,
    "perfect crystal": _perfect,
    "amorphous": _amorphous,
    "half vacuum": _half,
    "particle": _particle,
    "fringes": _fringes,
    "edge": _edge,
}
