"""Frames that show something else than the others, and brightness of rows that is no part of the scene, are told."""

import warnings

import numpy as np
import pytest
from cells import more
from scipy import ndimage

from mfsi_core import register


def film(rng, shape):
    """Amorphous film: noise without structure finer than some pixels, mean 1, deviation 0.12."""
    noise = ndimage.gaussian_filter(rng.normal(size=shape), 1.3)
    return 1 + 0.12 * noise / noise.std()


def grains(rng, shape, period=9.0):
    """Four lattices, turned against each other; mean 1."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
    out = np.empty(shape)
    for k, part in enumerate(np.array_split(np.arange(shape[1]), 4)):
        angle = rng.uniform(0, np.pi / 2) + k
        waves = [(np.cos(angle + turn), np.sin(angle + turn)) for turn in (0, np.pi / 3, 2 * np.pi / 3)]
        lattice = sum(np.cos(2 * np.pi * (a * y + b * x) / period) for a, b in waves)
        out[:, part] = np.exp(0.8 * lattice)[:, part]
    return out / out.mean()


def crystal_beside_vacuum(rng, shape):
    """A lattice that ends at an edge across the image, nothing beyond."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
    atoms = np.exp(1.2 * (np.cos(2 * np.pi * (y + 0.2 * x) / 14) + np.cos(2 * np.pi * (x - 0.1 * y) / 14)))
    atoms *= 1 + 0.15 * ndimage.gaussian_filter(rng.normal(size=shape), 4) * 8
    inside = 1 / (1 + np.exp(((0.83 * y + 0.56 * x) - 0.6 * shape[0]) / 1.5))
    return atoms.clip(0) * inside / (atoms * inside).mean()


def recorded(scene, shape, shifts, jitter, rng, counts, change=lambda n, image: image):
    """Frames (N, Y, X), in counts, of a scene 20 px larger on each side, and their displacements (N, 2, Y)."""
    place = shifts[:, :, None] + jitter
    y, x = np.mgrid[: shape[0], : shape[1]].astype(float) + 20
    images = [ndimage.map_coordinates(scene, [y + uy[:, None], x + ux[:, None]], order=3) for uy, ux in place]
    return np.array([rng.poisson(counts * change(n, image).clip(0)) for n, image in enumerate(images)]), place


def error_of(found, place, kept):
    error = (found.displacement.mean(axis=3) - place)[kept]
    return float(np.sqrt(np.mean((error - error.mean(axis=0)) ** 2)))


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    ("of", "frames", "inverted", "counts"),
    [(grains, 3, [2], 400.0), (grains, 6, [3, 4, 5], 20.0), (film, 10, [0, 1, 2, 3], 12.0)],
)
def test_frames_of_inverted_contrast_are_told(of, frames, inverted, counts):
    rng = np.random.default_rng(frames)
    shape = (80, 96)
    shifts = np.cumsum(rng.normal(size=(frames, 2)) * 0.8, axis=0)
    images, place = recorded(
        of(rng, (120, 136)), shape, shifts, rng.normal(size=(frames, 2, 80)) * 0.3, rng, counts,
        lambda n, image: 2 * image.mean() - image if n in inverted else image,
    )  # fmt: skip
    found = register(images)
    kept = ~found.left_out
    assert np.isinf(found.predicted_error) or error_of(found, place, kept) < 3 * found.predicted_error


@pytest.mark.filterwarnings("ignore:parts of")
@pytest.mark.parametrize(("period", "seed", "jitter"), [more(5.0, 1, 0.0), (11.0, 2, 0.0), (8.0, 5, 0.2)])
def test_stripes_that_stand_still_do_not_hold_a_film_back(period, seed, jitter):
    rng = np.random.default_rng(seed)
    shape = (96, 80)
    shifts = np.arange(8)[:, None] * np.array([0.8, 0.2]) + np.cumsum(rng.normal(size=(8, 2)) * 0.2, axis=0)
    stripes = 0.1 * np.sin(2 * np.pi * np.arange(96) / period)[:, None]
    images, place = recorded(
        film(rng, (136, 120)),
        shape,
        shifts,
        jitter * rng.normal(size=(8, 2, 96)),
        rng,
        60.0,
        lambda _, image: image + stripes,
    )
    with pytest.warns(UserWarning, match="as by stripes"):
        found = register(images)
    assert error_of(found, place, ~found.left_out) < 2 * max(found.predicted_error, 0.05)
    assert np.isfinite(found.predicted_error)


@pytest.mark.filterwarnings("ignore:parts of")
@pytest.mark.parametrize("seed", [3, more(8), more(12)])
def test_rows_at_the_edge_of_a_crystal_are_not_thrown_aside(seed):
    rng = np.random.default_rng(seed)
    shape = (112, 112)
    images, place = recorded(
        crystal_beside_vacuum(rng, (152, 152)), shape, rng.normal(size=(8, 2)) * 0.5,
        rng.normal(size=(8, 2, 112)) * np.array([0.2, 0.3])[:, None], rng, 40.0,
    )  # fmt: skip
    found = register(images)
    assert error_of(found, place, ~found.left_out) < 2 * found.predicted_error


@pytest.mark.parametrize("of", [film, grains])
@pytest.mark.parametrize("counts", [10.0, 300.0])
def test_frames_that_show_the_same_are_not_told_to_differ(of, counts):
    rng = np.random.default_rng(4)
    shifts = np.cumsum(rng.normal(size=(9, 2)) * 0.7, axis=0)
    gains = 1 + 0.3 * rng.normal(size=9)
    images, _ = recorded(
        of(rng, (120, 136)), (80, 96), shifts, rng.normal(size=(9, 2, 80)) * 0.3, rng, counts,
        lambda n, image: gains[n] * image + 0.01 * n * np.linspace(0, 1, 96),
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = register(images)
    assert np.isfinite(found.frame_error).all()
