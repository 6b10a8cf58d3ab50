"""Simulated EDX frames for the benchmarks: counts with known rates, so that their Shannon bound is known too."""

from __future__ import annotations

import numpy as np
from scipy.stats import poisson

import lbj

SHAPE = (200, 200, 2048)


def rates(density: float, shape: tuple[int, int, int] = SHAPE) -> tuple[np.ndarray, np.ndarray]:
    """Maps (n, Y*X) and spectra (n, C) whose products, summed over n, are the counts expected per voxel.

    Two sublattices of a crystal on a support, 10 eV channels, lines on a bremsstrahlung background; `density` is the
    mean count per voxel.
    """
    rows, columns, channels = shape
    y, x = np.mgrid[:rows, :columns]
    energy = np.arange(channels) * 0.01

    def lattice(dy, dx, period=14):
        angle = 2 * np.pi / period
        return np.exp(0.3 * (np.cos(angle * (y - dy)) + np.cos(angle * (x - dx)) - 2))

    def lines(*pairs):
        return sum(h * np.exp(-(((energy - e) / (0.04 + 0.004 * e)) ** 2) / 2) for e, h in pairs)

    brems = 0.7 * np.exp(-energy / 3) * (1 - np.exp(-energy / 0.6)) + 0.006
    species = [
        (lattice(0, 0), lines((0.45, 1.5), (4.51, 6), (4.93, 0.9))),
        (lattice(7, 7), lines((1.81, 4), (14.17, 5), (15.84, 0.8))),
        (lattice(7, 0), lines((0.525, 5))),
        (np.full((rows, columns), 0.05), lines((0.93, 1), (8.05, 5), (8.9, 0.7), (0.277, 1))),
        (0.3 + 0.7 * lattice(3.5, 3.5, 7), brems),
    ]
    maps = np.array([image.ravel() for image, _ in species])
    spectra = np.array([spectrum for _, spectrum in species])
    total = (maps.sum(1) * spectra.sum(1)).sum()
    return maps, spectra * (density * rows * columns * channels / total)


def draw(maps: np.ndarray, spectra: np.ndarray, seed: int, shape: tuple[int, int, int] = SHAPE) -> lbj.Events:
    """Draw one frame of Poisson counts, never dense."""
    rng = np.random.default_rng(seed)
    pixel, channel = [], []
    for image, spectrum in zip(maps, spectra, strict=True):
        n = rng.poisson(image.sum() * spectrum.sum())
        pixel.append(rng.choice(image.size, n, p=image / image.sum()))
        channel.append(rng.choice(spectrum.size, n, p=spectrum / spectrum.sum()))
    return lbj.Events.from_list(np.concatenate(pixel), np.concatenate(channel), shape)


def shannon_bytes(maps: np.ndarray, spectra: np.ndarray) -> float:
    """Entropy of a frame in bytes when the rate of every voxel is known: nothing can be smaller on average."""
    grid = np.geomspace(1e-9, max(float((maps.max(1) @ spectra).max()), 1e-6), 4000)
    count = np.arange(int(grid[-1] + 10 * np.sqrt(grid[-1]) + 12))
    chance = poisson.pmf(count[:, None], grid[None])
    entropy = -np.sum(chance * np.log2(np.maximum(chance, 1e-300)), axis=0)
    # The entropy over the rate is smooth in the logarithm of the rate.
    bits = 0.0
    for start in range(0, spectra.shape[1], 64):
        rate = np.maximum(maps.T @ spectra[:, start : start + 64], 1e-9)
        bits += float((rate * np.interp(np.log(rate), np.log(grid), entropy / grid)).sum())
    return bits / 8
