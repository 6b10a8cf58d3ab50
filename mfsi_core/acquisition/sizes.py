"""Sizes: how large the journal of a series will be, by its frames or by what its signals hold."""

from __future__ import annotations

import functools
import math

from ..instruments.protocol import Abilities
from ..planning.size import DENSITY, FILE_BYTES, FRAME_BYTES, IMAGE_BITS, expected_spectrum, journal_bytes
from ..series.dose import ELECTRON
from .region import Region
from .settings import Settings

PAPER_CHARGE = 17e-12 * 1e-3 / ELECTRON  # electrons into a pixel, by which `expected_spectrum` has its counts
LOSSES = 1.0  # bytes a channel, compressed: real spectra took 1.0 to 1.2
LOSSES_RAW, IMAGE_RAW = 4.0, 2.0  # bytes, as they come: float32, uint16
COUNTS_RAW = 2.0  # times as large as compressed


def series_bytes(settings: Settings, abilities: Abilities, region: Region | None) -> int | None:
    """Estimate the bytes of a series; None where nothing is known of a signal before the first frame.

    Where the region holds frames of the same signals, by those, pixel for pixel. Before, by what `Abilities.holds`
    tells: X-ray counts as many an electron as those of Jones et al. (2018); a byte a channel of other spectra, a byte a
    pixel of an image.
    """
    wanted = set(settings.signals or abilities.usual)
    frames, pixels = settings.frames, math.prod(settings.plan.pixels)
    if region is not None and region.frames and (not wanted or wanted == {one.name for one in region.signals}):
        return round(frames * pixels * region.bytes_per_pixel + FILE_BYTES)
    if not wanted or not wanted <= set(abilities.holds):
        return None
    found = (_per_pixel(*abilities.holds[name], settings, name) for name in wanted)
    return round(frames * (pixels * math.fsum(found) + FRAME_BYTES) + FILE_BYTES)


def _per_pixel(kind: str, channels: int, settings: Settings, name: str) -> float:
    raw = settings.compression.get(name) is False
    if kind == "events":
        return _counts(settings.plan.pixel_charge, channels) * (COUNTS_RAW if raw else 1.0)
    if kind == "spectra":
        return channels * (LOSSES_RAW if raw else LOSSES)
    return IMAGE_RAW if raw else IMAGE_BITS / 8


@functools.lru_cache(16)  # it is asked for with every state
def _counts(charge: float, channels: int) -> float:
    """Bytes of the X-ray counts of a pixel."""
    density = DENSITY * charge / PAPER_CHARGE
    pixels = (1000, 1000)
    spectrum = expected_spectrum(channels=channels, density=density)
    return (journal_bytes(pixels, 1, spectrum, 0.0) - FRAME_BYTES - FILE_BYTES) / math.prod(pixels)
