"""Results: everything that a run found, in memory, before it is written."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from lbj import Signal
from lbj.array_types import Floats, Mask

from ..geometry.registration import Registration
from ..maps.map import Map
from ..series.axis import Pixel
from ..text import greek


@dataclass(frozen=True)
class Section:
    """A section of the report.

    Attributes
    ----------
    title : str
    text : list of str
        Sentences.
    rows : list of dict
        Lines of a table, of equal keys.
    pictures : dict of bytes
        PNG by name.
    """

    title: str
    text: list[str]
    rows: list[dict[str, Any]]
    pictures: dict[str, bytes]


@dataclass
class Results:
    """Everything a report shows.

    Attributes
    ----------
    title, inputs, frames, metadata
        Of the series.
    image_name, before, after : str, (Y, X) arrays
        Registering image; its mean as recorded and registered.
    registration : Registration
    reference : str
        What was registered: an image's name, the X-ray counts or summed spectra, or nothing.
    signal : Signal
        The spectra, if any.
    spectrum : (C,) array
        Sum over all frames and pixels.
    saturated : (C,) array of bool, or None
        Channels in which spectra of losses are saturated.
    fit : ((C',), (C',)) arrays
        Energies and expected counts of the channels in which all lines were fitted at once.
    labels : list of (energy, text)
        Lines to write into the spectrum.
    maps : dict of Map
        By file name.
    titles : dict of str
        Titles of the maps of unnamed peaks, by file name.
    snr : dict of float
        Signal-to-noise ratio of each map, from two halves of the series.
    numbers : dict
        Numbers for the summary.
    sections : list of Section
        What else was asked for.
    pixel : (float, float) or None
        Edges of a pixel along y and x, m.
    pixel_image : (float, float) or None
        Of the registering image.
    """

    title: str
    inputs: list[str]
    frames: int
    metadata: dict[str, Any]
    image_name: str = ""
    before: Floats | None = None
    after: Floats | None = None
    registration: Registration | None = None
    reference: str = ""
    signal: Signal | None = None
    spectrum: NDArray[Any] | None = None
    saturated: Mask | None = None
    fit: tuple[Floats, Floats] | None = None
    labels: list[tuple[float, str]] = field(default_factory=list)
    maps: dict[str, Map] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    snr: dict[str, float] = field(default_factory=dict)
    numbers: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    pixel: Pixel | None = None
    pixel_image: Pixel | None = None

    @property
    def eels(self) -> bool:
        """Whether the spectra are of electrons: dense, and not named as X-ray detectors are."""
        return self.signal is not None and self.signal.kind == "spectra" and not self.signal.name.startswith("EDX")

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Measure a step, s."""
        start = time.perf_counter()
        yield
        self.seconds[step] = self.seconds.get(step, 0.0) + time.perf_counter() - start

    def tell_flags(self) -> None:
        """Note what makes maps to be distrusted."""
        for name, one in self.maps.items():
            for flag in one.flags:
                title = greek(one.line) if one.line else self.titles.get(name, name)
                self.notes.append(f"Map of {title}: {flag}.")
