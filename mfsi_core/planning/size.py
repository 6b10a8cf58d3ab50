"""Size: bytes of a journal, estimated before it is recorded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from lbj import UsageError
from lbj.array_types import Floats

ELEMENTS = ("Ag", "Se", "Sn", "Zn")
CHANNELS = 2048
DENSITY = 4e-4  # counts per voxel of a frame
AXIS_END = 20480.0  # eV
BACKGROUND = 0.15  # bremsstrahlung's share of the counts
IMAGE_BITS = 8.0
CODING = 1.03  # bits of split-rice over the entropy
FRAME_BYTES = 250  # of a frame: its records and index, the block's header
FILE_BYTES = 1000  # header, footer
MANY = 60.0  # mean count above which a Poisson distribution's entropy is that of a Gaussian to 1e-5 bits


def poisson_entropy(rate: Any) -> Floats:
    """Entropy of a Poisson distributed count, bits; `rate` is its mean, an array of any shape."""
    from scipy.special import gammaln

    mean = np.asarray(rate, float)
    out = np.zeros(mean.shape)
    few = (mean > 0) & (mean <= MANY)
    k = np.arange(2, int(MANY + 12 * math.sqrt(MANY)))
    some = mean[few][:, None]
    logs = gammaln(k + 1)
    tail = (np.exp(k * np.log(some) - some - logs) * logs).sum(axis=1)
    out[few] = (some[:, 0] * (1 - np.log(some[:, 0])) + tail) / math.log(2)
    many = mean[mean > MANY]
    out[mean > MANY] = 0.5 * np.log2(2 * math.pi * math.e * many) - 1 / (12 * many * math.log(2))
    return out


def expected_spectrum(elements: Sequence[str] = ELEMENTS, channels: int = CHANNELS, density: float = DENSITY) -> Floats:
    """Guess of the mean X-ray counts per pixel, frame and channel: (C,).

    Parameters
    ----------
    elements : sequence of str
        Each gives as many counts; default those of the paper's specimen. Another composition changes the size of the
        counts by a tenth or so: a journal's own spectrum is better (`measured_size`).
    channels : int
        Together they span 20.48 keV.
    density : float
        Mean counts per voxel; default the paper's 0.04 %. A seventh of the counts is bremsstrahlung.
    """
    from ..simulation.edx import bremsstrahlung, element_spectrum

    if channels < 1:
        raise UsageError(f"channels must be at least 1, got {channels}")
    if not math.isfinite(density) or density < 0:
        raise UsageError(f"density, counts per voxel, must be finite and not negative, got {density}")
    energy = (np.arange(channels) + 0.5) * AXIS_END / channels
    lines = np.mean([element_spectrum(element, energy) for element in elements], axis=0)
    shape = (1 - BACKGROUND) * lines + BACKGROUND * bremsstrahlung(energy)
    return np.asarray(density * channels * shape / shape.sum())


def journal_bytes(pixels: tuple[int, int], frames: int, spectrum: Any, image_bits: float = IMAGE_BITS) -> int:
    """Estimate the bytes of a journal of X-ray counts and one image a frame.

    Parameters
    ----------
    pixels : (int, int)
        Rows and columns.
    frames : int
    spectrum : (C,) array
        Mean counts per pixel, frame and channel.
    image_bits : float
        Bits per pixel of the image as stored (``lossless-int``): about 4 to 7 for a lattice of 8 to 200 electrons a
        pixel, 10 to 11 for images of 16 bits whose noise fills several of them. 0: no image.

    Returns
    -------
    int
        frames * (pixels * (1.03 * sum over channels of H(spectrum) + image_bits) / 8 + 250) + 1000, H being the
        entropy of a Poisson distributed count, bits.

    Notes
    -----
    A model of ours. It assumes that every pixel has the same spectrum (counts that gather in columns or particles cost
    less, by up to a tenth where counts are dense), one block a frame, coding ``split-rice``, and what that coding and
    the journal's records were measured to cost on top of the entropy: 3 % and 250 bytes a frame.
    """
    rates = np.asarray(spectrum, float)
    if rates.ndim != 1 or not np.isfinite(rates).all() or (rates < 0).any():
        raise UsageError(f"spectrum must be (C,) finite mean counts, none negative, got shape {rates.shape}")
    if not math.isfinite(image_bits) or image_bits < 0:
        raise UsageError(f"image-bits, bits per pixel, must be finite and not negative, got {image_bits}")
    bits = CODING * float(poisson_entropy(rates).sum()) + image_bits
    return round(frames * (math.prod(pixels) * bits / 8 + FRAME_BYTES) + FILE_BYTES)
