"""Lattices of short periods or large jitter, or beside vacuum: where frames and rows lie, and how well it is known."""

import warnings

import numpy as np
import pytest

from mfsi_core import register


def atoms(rng, period):
    """Scene f(y, x) of columns on a lattice turned by 20 degrees, brighter and darker over some ten pixels."""
    waves = [(rng.uniform(0.5, 1) * 0.15, *rng.normal(size=2) * 0.35, rng.uniform(0, 2 * np.pi)) for _ in range(8)]
    cos, sin = np.cos(np.deg2rad(20)), np.sin(np.deg2rad(20))

    def scene(y, x):
        along, across = ((2 * np.pi / period) * part for part in (y * cos + x * sin, x * cos - y * sin))
        level = 1 + sum(a * np.sin(fy * y + fx * x + phase) for a, fy, fx, phase in waves)
        return np.exp(1.2 * (np.cos(along) + np.cos(across))) * level.clip(0.2)

    return scene


def recorded(rng, period, counts, shifts, jitter, shape=(72, 72)):
    """Frames (N, Y, X), in counts, and the displacements of their rows (N, 2, Y)."""
    place = shifts[:, :, None] + rng.normal(size=(len(shifts), 2, shape[0])) * np.array(jitter)[:, None]
    y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
    scene = atoms(rng, period)
    images = np.array([scene(y + uy[:, None], x + ux[:, None]) for uy, ux in place])
    return rng.poisson(counts * images / images.mean()), place


def errors(images, place):
    """What registration found less the truth, but for what all frames share, (N, 2, Y), and the predicted error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = register(images)
    error = found.displacement.mean(axis=3) - place
    return error - error.mean(axis=0), found.predicted_error


@pytest.mark.parametrize(("period", "step", "at", "seed"), [(4.2, 2.0, None, 5), (4.4, 14.0, 4, 6)])
def test_steps_longer_than_half_a_short_period_are_kept(period, step, at, seed):
    """Frames that are right already were moved by lattice vectors, to make their steps the shortest."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(size=(8, 2)) * 0.2
    steps[1:] += np.multiply.outer(np.ones(7) if at is None else np.arange(1, 8) == at, (0.8 * step, 0.6 * step))
    error, _ = errors(*recorded(rng, period, 60.0, np.cumsum(steps, axis=0), (0.2, 0.3)))
    assert np.abs(error.mean(axis=2)).max() < 0.3


@pytest.mark.parametrize(("period", "jitter", "seed"), [(7.0, (0.8, 1.1), 107), (11.0, (1.2, 1.7), 11)])
def test_rows_that_jitter_brings_nearer_to_another_column_are_found(period, jitter, seed):
    rng = np.random.default_rng(seed)
    shifts = np.cumsum(rng.normal(size=(10, 2)) * 0.4, axis=0)
    error, predicted = errors(*recorded(rng, period, 60.0, shifts, jitter, (96, 96)))
    inner = error[:, :, 4:-4]  # the scene is little known beyond
    assert np.sqrt((inner**2).mean()) < 2 * predicted


@pytest.mark.parametrize(("counts", "frames", "seen"), [(60.0, 10, 0.3), (300.0, 6, 0.2), (20.0, 10, 0.5)])
def test_rows_that_show_nothing_keep_still_and_their_jitter_is_predicted(counts, frames, seen):
    """Half a field of vacuum beside a lattice: jitter of the rows upon the lattice tells nothing of the others'."""
    rng = np.random.default_rng(frames)
    jitter = np.array([0.35, 0.5])
    shifts = np.cumsum(rng.normal(size=(frames, 2)) * 0.3, axis=0)
    place = shifts[:, :, None] + rng.normal(size=(frames, 2, 96)) * jitter[:, None]
    y, x = np.mgrid[:96, :96].astype(float)
    columns, edge = atoms(rng, 8.0), 96 * (1 - seen)

    def scene(y, x):
        return 0.1 + columns(y, x) / (1 + np.exp((edge - y) / 1.5))

    images = np.array([scene(y + uy[:, None], x + ux[:, None]) for uy, ux in place])
    error, predicted = errors(rng.poisson(counts * images / images.mean()), place)
    true, of_jitter = np.sqrt((error**2).mean()), np.sqrt((jitter**2).mean() * (1 - 1 / frames))
    assert np.sqrt((error[:, :, : int(edge) - 4] ** 2).mean()) < 1.05 * of_jitter
    assert 0.75 < predicted / true < 1.4
