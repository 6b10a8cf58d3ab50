"""Warnings of displacements that cannot be seen, and of frames with missing or foreign parts, whose rest is used."""

import dataclasses
import warnings

import numpy as np
import pytest
from cells import more

from mfsi_core import register, simulate
from mfsi_core.registration.trust import distrusted
from mfsi_core.simulation.image import Missing, Wrapped
from mfsi_core.simulation.scan import Glitch, Step

SHAPE, FRAMES = (64, 64), 8


def series(**options):
    return simulate(SHAPE, FRAMES, 1, 12, image_counts=60.0, walk=0.3, **options)


def worst(found, truth, rows=slice(None)):
    """Largest error of a frame's displacement, averaged over some rows, px."""
    error = (found.displacement - truth)[:, :, rows].mean(axis=(2, 3))
    return np.abs(error - np.median(error, axis=0)).max()


def test_fringes_are_seen_across_alone():
    fringes = simulate(SHAPE, FRAMES, 1, 5, image_counts=200.0, walk=0.3, scene="fringes")
    with pytest.warns(UserWarning, match="looks the same when moved along"):
        found = register(fringes.images)
    across, along = found.frame_covariance[:, 0, 0], found.frame_covariance[:, 1, 1]
    assert np.isinf(along).all()
    assert np.isfinite(across).all()
    assert np.isinf(found.predicted_error)
    error = (found.displacement - fringes.displacement).mean(axis=(2, 3))[:, 0]
    # The fringes are tilted by 7 degrees to the rows; of an unseen drift along them sin(7°) goes into the error.
    assert np.abs(error - error.mean()).max() < 0.1 + 0.15 * np.ptp(fringes.displacement[:, 1].mean(axis=(1, 2)))


def test_rows_that_were_not_recorded_are_told_and_the_rest_is_used():
    cut = series(disturbances=[Missing(7, 30, 63)])
    with pytest.warns(UserWarning, match="frame 7: rows 30-63 not recorded"):
        found = register(cut.images)
    assert not found.left_out.any()
    assert worst(found, cut.displacement, slice(0, 26)) < 0.1
    assert found.flags[7]
    assert not any(found.flags[:7])


def test_a_wrapped_frame_is_told_by_its_number():
    wrapped = series(disturbances=[Wrapped(3, 20)])
    with pytest.warns(UserWarning, match="frame 3|: 3"):
        found = register(wrapped.images)
    assert found.flags[3]
    rest = [0, 1, 2, 4, 5, 6, 7]
    error = (found.shift - wrapped.displacement.mean(axis=(2, 3)))[rest]
    assert np.abs(error - np.median(error, axis=0)).max() < 0.1


def test_missing_pixels_in_every_frame_leave_none_out():
    whole = series()
    images = whole.images.astype(float)
    images[:, 20, 30] = np.nan
    with pytest.warns(UserWarning, match="parts of 8 frames"):
        found = register(images)
    assert not found.left_out.any()
    assert worst(found, whole.displacement) < 0.05


def test_values_however_large():
    whole = series()
    plain, huge = register(whole.images), register(whole.images * 1e200)
    np.testing.assert_allclose(huge.displacement, plain.displacement, atol=1e-5)
    spoilt = whole.images.astype(float)
    spoilt[2, 5, 6] = 1e200
    with pytest.warns(UserWarning, match="frame 2: 1 pixels? of absurd value"):
        found = register(spoilt)
    assert worst(found, whole.displacement) < 0.05


def test_faint_frames_are_not_thought_better_known_than_they_are():
    """At 0.3 counts a pixel the jitter of rows cannot be seen; the predicted error must include it nevertheless."""
    faint = simulate(SHAPE, 12, 1, 4, image_counts=0.3, walk=0.3, jitter=(0.35, 0.5))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = register(faint.images)
    error = found.displacement - faint.displacement
    true = np.sqrt(np.mean((error - error.mean(axis=(0, 2, 3), keepdims=True)) ** 2))
    assert found.predicted_error > true / 4


@pytest.mark.parametrize(
    ("scene", "glitch", "dose"),
    [
        ("crystal", Glitch(4, 50, 54, (0.0, 12.0)), 40.0),
        ("crystal", Glitch(2, 20, 22, (2.0, -7.0)), 100.0),
        ("amorphous", Glitch(6, 70, 77, (-1.0, 20.0)), 60.0),
    ],
)
def test_glitched_rows_are_found_again(scene, glitch, dose):
    torn = simulate(
        (96, 112), 8, 1, 9101, image_counts=dose, walk=0.3, scene=scene, jitter=(0.35, 0.5), distortions=[glitch]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = register(torn.images)
    error = (found.displacement - torn.displacement).mean(axis=3)[glitch.frame]
    error -= np.median(error, axis=1, keepdims=True)
    assert np.abs(error[:, glitch.first : glitch.last + 1]).max() < 1
    assert any(f"rows {glitch.first}-{glitch.last} lie up to" in flag for flag in found.flags[glitch.frame])
    assert found.predicted_error < 0.1


@pytest.mark.filterwarnings("ignore:parts of")
@pytest.mark.parametrize(("dose", "seed"), [(8.0, 4), more(200.0, 4)])
def test_rows_far_aside_by_jitter_are_not_taken_for_glitches(dose, seed):
    """Jitter with long tails, as of Student's t with three degrees of freedom: one row in fifty beyond two pixels."""
    still = simulate((80, 64), 6, 1, seed, image_counts=dose, walk=0.3)
    jitter = 0.35 * np.random.default_rng(seed).standard_t(3, (6, 2, 80, 1))
    series = dataclasses.replace(still, displacement=still.displacement + jitter)
    found = register(series.images)
    error = found.displacement - series.displacement
    assert np.sqrt(np.mean((error - error.mean(axis=0)) ** 2)) < 2 * found.predicted_error


def test_glitched_rows_that_might_lie_anywhere_are_told():
    torn = simulate(
        SHAPE, 8, 1, 4, image_counts=4.0, walk=0.3, jitter=(0.35, 0.5), distortions=[Glitch(4, 30, 34, (0.0, 12.0))]
    )
    with pytest.warns(UserWarning, match=r"frame 4: rows (2\d|3\d)"):
        register(torn.images)


@pytest.mark.filterwarnings("ignore:rows differ in brightness")
@pytest.mark.parametrize(("particles", "period", "advance"), [(7, 11.3, 0.25), more(5, 25.0, 0.3)])
def test_stripes_that_move_through_the_frames_do_not_pull_at_them(particles, period, advance):
    """Mains stripes that advance by some px a frame; on particles, whose few edges weigh less than the stripes."""
    rng = np.random.default_rng(6)
    y, x = np.mgrid[:80, :112].astype(float)
    grains = [(rng.uniform(8, 72), rng.uniform(8, 104), rng.uniform(3, 9)) for _ in range(particles)]
    shifts = np.cumsum(rng.normal(size=(8, 2)) * 0.2, axis=0)
    images = []
    for n, (uy, ux) in enumerate(shifts):
        scene = 0.4 + sum(0.5 / (1 + np.exp((np.hypot(y + uy - a, x + ux - b) - r) / 0.7)) for a, b, r in grains)
        scene += 0.15 * np.sin(2 * np.pi * (y + advance * n) / period)
        images.append(rng.poisson(100 * scene))
    found = register(np.array(images))
    error = found.shift - shifts
    assert np.sqrt(np.mean((error - error.mean(axis=0)) ** 2)) < 2 * max(found.predicted_error, 0.02)


def zigzag(grains, seed=3):
    """Frames of grains side by side, given by reciprocal lattice vectors (y, x), 1/px; shifted to and fro by 9 px."""
    y, x = np.mgrid[:80, :80].astype(float)
    rng = np.random.default_rng(seed)
    images = []
    for n in range(8):
        p = np.stack([y + 9 * (n % 2) + 0.3 * n, x + 0.2 * n])
        parts = [sum(np.cos(2 * np.pi * np.tensordot(wave, p, 1)) for wave in waves) for waves in grains]
        images.append(rng.poisson(40 * (1 + 0.3 * np.where(p[1] < 45, parts[0], parts[-1])).clip(0.05)))
    return np.array(images)


@pytest.mark.filterwarnings("ignore:the frames are .* px apart")
def test_frames_to_and_fro_where_the_scene_repeats_are_told():
    images = zigzag([[(0.11, 0.02), (-0.02, 0.12)], [(0.09, 0.07), (-0.06, 0.1)]])
    with pytest.warns(UserWarning, match="step from frame to frame changes by 1[78]"):
        register(images)


@pytest.mark.parametrize("turn", [0.02, more(0.025)])
def test_a_hum_that_advances_as_the_specimen_drifts_is_found(turn):
    """The specimen drifts by as much of the hum's period as its phase advances, so the hum hardly shows in rows."""
    still = simulate((64, 50), 10, 1, 6, image_counts=100.0, walk=0.05)
    hum = np.zeros_like(still.displacement)
    hum[:, 1] = 0.5 * np.sin(2 * np.pi * (11 * np.arange(64) / 64 + turn * np.arange(10)[:, None]))[..., None]
    series = dataclasses.replace(still, displacement=still.displacement + hum)
    error = register(series.images).displacement - series.displacement
    assert np.sqrt(np.mean((error - error.mean(axis=0)) ** 2)) < 0.02


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_step_within_a_frame_of_a_lattice_is_told_and_its_error_is_infinite():
    jump = Step(4, 32, (2.0, -2.5))
    stepped = simulate(SHAPE, FRAMES, 1, 12, image_counts=60.0, jitter=(0.2, 0.3), distortions=[jump])
    found = register(stepped.images)
    assert [n for n, told in enumerate(found.flags) if any("steps by" in one for one in told)] == [4]
    assert np.isinf(found.frame_covariance[4, 0, 0])
    assert np.isfinite(found.frame_error).all()


@pytest.mark.filterwarnings("ignore:moving all frames")
def test_a_lattice_along_the_scan_is_told_with_an_error_that_holds():
    y, x = np.mgrid[:80, :80].astype(float)
    rng = np.random.default_rng(1)
    rows = rng.normal(0, 0.4, (8, 2, 80))
    strength = 1 + 0.1 * np.sin(y / 9) * np.cos(x / 11)
    images = []
    for down, right in rows:
        v, h = y + down[:, None], x + right[:, None]
        waves = (1 + np.cos(2 * np.pi * v / 8)) * (1 + np.cos(2 * np.pi * h / 8))
        images.append(rng.poisson(60 * strength * (0.1 + waves)))
    with pytest.warns(UserWarning, match="rows of the lattice run along the scan"):
        found = register(np.array(images))
    error = found.displacement - rows[..., None]
    true = np.sqrt(np.mean((error - error.mean(axis=0)) ** 2))
    assert 0.5 < true / np.sqrt(np.mean(found.frame_error**2)) < 2


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("shift", [(-4.5, 4.5), (4.0, 5.0)])
def test_rows_after_a_step_of_half_the_diagonal_of_a_cell_are_told(shift):
    """Upon the other columns of the cell they fit tolerably and hardly seem to have stepped."""
    stepped = simulate(
        SHAPE, FRAMES, 1, 12, image_counts=60.0, walk=0.3, jitter=(0.2, 0.3), distortions=[Step(4, 40, shift)]
    )
    found = register(stepped.images)
    assert [n for n, told in enumerate(found.flags) if told] == [4]
    assert "rows 40-63 show something else" in found.flags[4][0]
    assert np.isinf(found.frame_covariance[4, 0, 0])


def test_a_hum_in_too_few_frames_to_find_its_phase_is_told():
    still = simulate((64, 50), 4, 1, 6, image_counts=100.0, walk=0.05)
    hum = np.zeros_like(still.displacement)
    hum[:, 1] = 0.5 * np.sin(2 * np.pi * (11 * np.arange(64) / 64 + 0.1 * np.arange(4)[:, None]))[..., None]
    with pytest.warns(UserWarning, match="a scan distortion of 11 cycles a frame"):
        register(dataclasses.replace(still, displacement=still.displacement + hum).images)


def test_a_hum_that_is_badly_told_from_the_scene_is_in_the_predicted_error():
    """In six frames the phase advances nearly as the specimen drifts, so much of the hum is taken for the scene."""
    hum = np.zeros((6, 2, 64, 1))
    hum[:, 1] = 0.5 * np.sin(2 * np.pi * (11 * np.arange(64) / 64 + 0.03 * np.arange(6)[:, None]))[..., None]
    true, predicted = [], []
    for seed in (6, 7, 8, 9):  # what is left of one hum is one draw of an amplitude and a phase
        still = simulate((64, 50), 6, 1, seed, image_counts=100.0, walk=1e-3)
        series = dataclasses.replace(still, displacement=still.displacement + hum)
        found = register(series.images)
        error = found.displacement - series.displacement
        true.append(np.mean((error - error.mean(axis=0)) ** 2))
        predicted.append(found.predicted_error**2)
    assert 0.5 < np.sqrt(np.mean(true) / np.mean(predicted)) < 2


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("amplitude", "jitter"), [(0.3, 0.0), more(0.0, 0.4)])
def test_a_displacement_that_varies_within_rows_is_in_the_predicted_error(amplitude, jitter):
    """As mains hum of two periods a row, which the polynomials along a row cannot follow; displaced rows they can."""
    still = simulate((64, 96), 6, 1, 3, image_counts=100.0, walk=0.3, jitter=(jitter, jitter))
    pixel = np.arange(6 * 64 * 96).reshape(6, 1, 64, 96)
    hum = np.repeat(amplitude * np.sin(2 * np.pi * pixel / 37.3), 2, axis=1)
    series = dataclasses.replace(still, displacement=still.displacement + hum)
    found = register(series.images)
    error = found.displacement - series.displacement
    assert 0.5 < np.sqrt(np.mean((error - error.mean(axis=0)) ** 2)) / found.predicted_error < 2


def test_a_random_walk_along_rows_is_in_the_predicted_error():
    """Cubics along the row follow the slow part; the fast part also disturbs what they find of the slow one."""
    still = simulate((64, 96), 6, 1, 3, image_counts=100.0, walk=0.3)
    walk = np.cumsum(np.random.default_rng(1).normal(0, 0.06, still.displacement.shape), axis=3)
    series = dataclasses.replace(still, displacement=still.displacement + walk - walk.mean(axis=3, keepdims=True))
    found = register(series.images)
    error = found.displacement - series.displacement
    assert 0.7 < np.sqrt(np.mean((error - error.mean(axis=0)) ** 2)) / found.predicted_error < 1.4


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_error_is_infinite_where_the_first_rows_of_a_frame_lie_elsewhere():
    """The stage moves within the first rows of frame 4, by half the diagonal of a cell."""
    jump = Step(4, 10, (-4.5, 4.5))
    stepped = simulate(SHAPE, FRAMES, 1, 12, image_counts=60.0, walk=0.3, jitter=(0.2, 0.3), distortions=[jump])
    found = register(stepped.images)
    assert [n for n, told in enumerate(found.flags) if told] == [4]
    assert np.flatnonzero(np.isinf(found.frame_covariance[:, 0, 0])).tolist() == [4]


@pytest.mark.parametrize(("step", "seed"), [(0.0, 1), more(0.0, 2), (2.0, 1)])
def test_counts_of_a_still_scene_of_little_contrast_are_left_where_they_are(step, seed):
    """A tenth more counts in a grain than around it; the noise of four frames looks like a lattice of some pixels."""
    rng, (y, x) = np.random.default_rng(seed), np.indices((72, 96))
    shifts = step * np.arange(4)
    scenes = [52 + 5 / (1 + np.exp(np.hypot(y - 34 - 0.6 * u, (x - 50 + 0.8 * u) / 1.4) - 22)) for u in shifts]
    speckle = rng.normal(size=(90, 120)) if step else np.zeros((90, 120))
    moved = [speckle[9 - round(0.6 * u) :, 12 + round(0.8 * u) :][:72, :96] for u in shifts]
    frames = np.array([rng.poisson(scene + 3 * more) for scene, more in zip(scenes, moved, strict=True)], float)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = register(frames)
    assert np.abs(found.shift).max() > 0.5
    assert (distrusted(found, "X-ray counts", image=False, frames=frames) == "") == (step > 0)
