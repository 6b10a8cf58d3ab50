"""Lattice hops: the right lattice period is found even where displaced rows make another one look better."""

import dataclasses

import numpy as np
import pytest
from cells import more

from mfsi_core import register, simulate
from mfsi_core.registration.hops import nearest, shortened, steadied
from mfsi_core.registration.rigid.align import align
from mfsi_core.simulation.scan import Hum, Jitter, Serpentine, Step

RMS = (0.35, 0.5)

SCANS = {
    "hum": {"distortions": [Hum(RMS)]},
    "half hum": {"distortions": [Hum((0.25, 0.35)), Jitter((0.25, 0.35), memory=0.7)]},
    "slow jitter": {"distortions": [Jitter(RMS, memory=0.95)]},
    "drift of half a period a frame": {"drift": (4.5, 0.0), "jitter": RMS},
    "serpentine": {"distortions": [Serpentine(0.7)], "jitter": RMS},
    "short period": {"spacing": 6.0, "jitter": (0.2, 0.3)},
}


@pytest.mark.parametrize("scan", SCANS)
def test_no_frame_hops_a_lattice_period(scan):
    """Frames are not shifted by a lattice period to make their distortions agree."""
    series = simulate((96, 96), 8, 1, 400, image_counts=40.0, walk=0.3, **SCANS[scan])
    error = align(series.images.astype(float))[0] - series.displacement.mean(axis=(2, 3))
    assert np.hypot(*(error - np.median(error, axis=0)).T).max() < 1.5


@pytest.mark.parametrize(("frames", "finite"), [(3, False), (6, True)])
def test_steps_beyond_half_a_period_need_more_than_three_frames(frames, finite):
    """Three frames do not show that the drift is steady."""
    series = simulate((72, 72), frames, 1, 2, image_counts=60.0, jitter=RMS, drift=(6.0, 0.0), walk=0.0)
    with pytest.warns(UserWarning, match="more than half a lattice period"):
        found = register(series.images)
    assert np.isfinite(found.predicted_error) == finite


@pytest.mark.parametrize("seed", [1, more(3)])
def test_a_perfect_lattice_that_drifts_steadily_is_not_taken_to_hop(seed):
    """Only the steadiness of the drift tells by how many lattice periods frames are apart."""
    drift, scene = (2.0, 1.1), "perfect crystal"
    series = simulate((72, 72), 9, 1, seed, image_counts=40.0, jitter=RMS, drift=drift, walk=0.0, scene=scene)
    with pytest.warns(UserWarning, match="by a lattice vector fits as well"):
        found = register(series.images)
    off = found.shift - series.displacement.mean(axis=(2, 3))
    assert np.abs(off - off.mean(axis=0)).max() < 0.2


@pytest.mark.parametrize("seed", [3, more(4)])
def test_the_shortest_steps_are_taken_where_pixels_are_too_coarse(seed):
    scan = {"jitter": (0.2, 0.3), "drift": (0.6, -0.5), "walk": 0.2}
    series = simulate((56, 56), 8, 1, seed, image_counts=200.0, spacing=4.5, scene="perfect crystal", **scan)
    with pytest.warns(UserWarning, match="too short to tell"):
        found = register(series.images)
    off = found.shift - series.displacement.mean(axis=(2, 3))
    assert np.abs(off - np.median(off, axis=0)).max() < 0.2


def test_steps_are_made_even_by_lattice_vectors_alone():
    steps, vectors = np.tile([2.0, 1.0], (7, 1)), np.array([[9.0, 0.0], [1.0, 9.0]])
    even = np.concatenate([np.zeros((1, 2)), steps.cumsum(axis=0)])
    hopped, other = even.copy(), even.copy()
    hopped[3:] -= vectors[0]
    other[3:] += (4.0, -4.0)
    np.testing.assert_allclose(steadied(hopped, vectors), even - even.mean(axis=0), atol=1e-12)
    np.testing.assert_array_equal(steadied(other, vectors), other)


def test_the_usual_step_is_made_shorter_by_a_lattice_vector():
    number, vectors = np.arange(7)[:, None] - 3.0, np.array([[9.0, 0.0], [1.0, 9.0]])
    drift = number * (3.0, 1.0)
    np.testing.assert_allclose(shortened(drift - number * vectors[0], vectors)[0], drift, atol=1e-12)
    assert not shortened(drift, vectors)


def test_lattice_vectors_make_every_step_the_shortest():
    rng = np.random.default_rng(3)
    steps = rng.uniform(-2, 2, (6, 2))
    vectors = np.array([(7.0, 1.0), (-1.0, 8.0), (6.0, 9.0), (8.0, -7.0), (14.0, 2.0)])
    hops = vectors[rng.integers(0, len(vectors), 6)] * rng.choice([-1, 0, 1], 6)[:, None]
    assert hops.any()
    found = nearest(np.concatenate([[[0.0, 0.0]], np.cumsum(steps + hops, axis=0)]), vectors)
    np.testing.assert_allclose(np.diff(found, axis=0), steps, atol=1e-12)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-12)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_frames_laid_to_and_fro_take_the_shortest_steps():
    """The mains turns by 1.5 periods a row, and frames that lie lattice periods off resemble each other more."""
    still = simulate((64, 96), 6, 1, 3, image_counts=200.0, walk=0.3, jitter=(0.15, 0.15))
    pixel = np.arange(6 * 64 * 96).reshape(6, 1, 64, 96)
    hum = np.repeat(0.4 * np.sin(2 * np.pi * pixel * 1.5195 / 96), 2, axis=1)
    series = dataclasses.replace(still, displacement=still.displacement + hum)
    with pytest.warns(UserWarning, match="shortest steps were taken"):
        found = register(series.images)
    error = found.displacement - series.displacement
    rigid = series.displacement.mean(axis=(2, 3), keepdims=True) - series.displacement
    true, whole = (np.sqrt(np.mean((one - one.mean(axis=0)) ** 2)) for one in (error, rigid))
    assert true < whole
    assert np.isinf(found.predicted_error)


JUMPS = {
    "hum": (1, 12.0, {"distortions": [Hum((0.35, 0.35)), Step(3, 0, (12.3, 3.0))]}),
    "jitter": (2, 20.0, {"jitter": RMS, "distortions": [Step(5, 0, (12.3, -0.2))]}),
}


@pytest.mark.parametrize("kind", JUMPS)
def test_a_jump_that_may_be_a_period_longer_has_an_infinite_error(kind):
    """Rows misplaced alike in all frames make the right jump look bad until the rows are fitted again."""
    seed, counts, scan = JUMPS[kind]
    series = simulate((64, 64), 6, 1, seed, image_counts=counts, spacing=8.0, walk=0.2, scene="perfect crystal", **scan)
    with pytest.warns(UserWarning, match="which is right cannot be told"):
        found = register(series.images)
    assert np.isinf(found.predicted_error)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_jump_over_a_lattice_that_pixels_are_too_coarse_for_has_an_infinite_error():
    scan = {"jitter": (0.2, 0.3), "walk": 0.2, "distortions": [Step(4, 0, (2.0, 1.5))]}
    series = simulate((56, 56), 8, 1, 3, image_counts=200.0, spacing=4.5, scene="perfect crystal", **scan)
    with pytest.warns(UserWarning, match="too short to tell"):
        found = register(series.images)
    assert np.isinf(found.predicted_error)
