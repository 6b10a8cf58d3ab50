"""Motifs: found at every true repeat and nowhere else, and averaged as dense interpolation would."""

import argparse
import json
import re

import h5py
import numba
import numpy as np
import pytest
from inverse_warp import bilinear, solve_rows, solve_smooth
from scipy.ndimage import gaussian_filter

import lbj
from lbj.command import run
from lbj.outputs import MANIFEST
from mfsi_core import Registration, accumulate, coverage, register, simulate
from mfsi_core.commands import template
from mfsi_core.motifs import Motifs, average_motif, find_motif, follow_motif, motif_table
from mfsi_core.motifs.symmetry import GROUPS, transforms_of

A, B = np.array([0.0, 0.0]), np.array([0.5, 0.5])


def mean_image(images, registration):
    seen = coverage(registration).astype(float)
    return accumulate(images, registration) / np.where(seen > 0, seen, np.nan)


def columns(series, fraction, margin):
    """True positions of one kind of column, at least `margin` inside the field."""
    index = np.stack(np.meshgrid(np.arange(-40, 41), np.arange(-40, 41), indexing="ij"), -1).reshape(-1, 2)
    places = (index + fraction) @ series.scene.vectors
    return places[((places >= margin) & (places <= np.array(series.shape) - 1 - margin)).all(axis=1)]


def distances(one, other):
    return np.hypot(*(one[:, None] - other).transpose(2, 0, 1))


def drawn_at(place, size):
    """Centre of the whole pixels that are drawn around a place."""
    half = (np.array(size) - 1) / 2
    return np.round(place - half) + half


def found_motifs(positions, size, transform="0", symmetry="1", by_frame=None):
    positions = np.asarray(positions, float)
    names = np.broadcast_to(np.asarray(transform), len(positions))
    return Motifs(
        positions, np.ones(len(positions)), names, size, np.ones(size), transforms_of(symmetry), 1.0, by_frame=by_frame
    )


# Finding


@pytest.mark.parametrize(
    ("elements", "counts", "frames"),
    [(("Ca", "Ti", "O"), 5, 8), (("Ca", "Ti", "O"), 20, 8), (("K", "Ti"), 60, 6), (("Sr", "Ti", "O"), 200, 10)],
)
@pytest.mark.parametrize("kind", [A, B])
def test_every_true_repeat_is_found_and_none_on_the_other_sublattice(elements, counts, frames, kind):
    """Composition changes over the field, so that A columns are the brighter on one side and B on the other."""
    size = (9, 9)
    series = simulate((76, 70), frames, 32, 11, elements=elements, image_counts=counts, counts=100)
    image = mean_image(series.images, register(series.images))
    everywhere, inside = columns(series, kind, -9), columns(series, kind, 7)
    for place in (inside[0], inside[len(inside) // 2]):
        found = find_motif(image, (place, size))
        offset = drawn_at(place, size) - place
        away = distances(found.positions - offset, everywhere)
        assert away.min(axis=1).max() < 1
        assert distances(inside + offset, found.positions).min(axis=1).max() < 1
        assert len(set(away.argmin(axis=1))) == len(found)
        error = found.positions - offset - everywhere[away.argmin(axis=1)]
        # What is peculiar to the one repeat that was drawn moves all by the same amount.
        assert np.sqrt(((error - error.mean(axis=0)) ** 2).mean()) < 0.1
        assert np.abs(error.mean(axis=0)).max() < 0.25
        np.testing.assert_allclose(np.hypot(*found.lattice.T), 9, rtol=0.02)


def test_a_crystal_of_one_kind_of_column_has_no_false_sublattice():
    series = simulate((70, 64), 6, 32, 5, elements=("Sr",), image_counts=50, counts=100)
    image = mean_image(series.images, Registration(series.displacement))
    place = columns(series, A, 8)[7]
    found = find_motif(image, (place, (9, 9)))
    assert len(found) >= len(columns(series, A, 6))
    assert distances(found.positions, columns(series, A, -9) + drawn_at(place, (9, 9)) - place).min(axis=1).max() < 0.3


def test_a_motif_between_columns_and_of_another_shape():
    series = simulate((80, 90), 6, 32, 2, image_counts=60, counts=100)
    image = mean_image(series.images, Registration(series.displacement))
    middle, size = np.array([40.0, 45.5]), (11, 14)
    found = find_motif(image, (slice(35, 46), slice(39, 53)))
    np.testing.assert_allclose(found.positions, find_motif(image, (middle, size)).positions)
    moved = (found.positions - middle) @ np.linalg.inv(series.scene.vectors)
    assert len(found) > 40
    assert np.abs(moved - np.round(moved)).max() * 9 < 0.4


def test_noise_holds_the_motif_only():
    for seed in range(4):
        noise = np.random.default_rng(seed).poisson(50, (60, 64)).astype(float)
        for image in (noise, gaussian_filter(noise, 0.7)):
            found = find_motif(image, ((30, 30), (9, 11)))
            np.testing.assert_allclose(found.positions, [[30, 30]], atol=0.3)
            assert found.lattice is None


def blobs(places, widths, shape=(180, 200), noise=3.0):
    """Particles at random places, of round and long shapes, counted."""
    y, x = np.indices(shape)
    image = np.full(shape, 10.0)
    for (py, px), (wy, wx) in zip(places, widths, strict=True):
        image += 40 * np.exp(-((y - py) ** 2) / (2 * wy * wy) - (x - px) ** 2 / (2 * wx * wx))
    return image + np.random.default_rng(0).normal(0, noise, shape)


def test_particles_without_a_lattice_are_told_from_others_by_two_levels_of_score():
    rng = np.random.default_rng(7)
    places = np.zeros((0, 2))
    while len(places) < 24:
        place = rng.uniform([14, 14], [165, 185])
        if not len(places) or np.hypot(*(places - place).T).min() > 24:
            places = np.vstack([places, place])
    long = rng.random(len(places)) < 0.4
    long[0] = False
    image = blobs(places, np.where(long[:, None], [[1.8, 8.0]], [[3.0, 3.0]]))
    found = find_motif(image, (places[0], (21, 21)))
    away = distances(found.positions, places[~long] + drawn_at(places[0], (21, 21)) - places[0])
    assert sorted(away.argmin(axis=1)) == list(range((~long).sum()))
    assert away.min(axis=1).max() < 0.25


LETTER = np.zeros((15, 15))
LETTER[3:12, 4:6] = LETTER[10:12, 4:11] = 1.0


@pytest.mark.parametrize("symmetry", ["4mm", "4", "2mm"])
def test_rotated_and_mirrored_repeats_are_found_and_named(symmetry):
    """Painted by rotating arrays: a turn from axis y towards axis x by numpy."""
    rng = np.random.default_rng(3)
    painters = {f"{90 * k}": (k, False) for k in range(4)} | {f"m{90 * k}": (k, True) for k in range(4)}
    image, truth = rng.normal(0, 0.1, (150, 150)), []
    for number, (y, x) in enumerate(np.ndindex(4, 4)):
        name = list(painters)[number % 8]
        turns, mirrored = painters[name]
        place = np.array([20 + 36 * y, 20 + 36 * x]) + rng.integers(-6, 7, 2)
        part = np.rot90(LETTER[:, ::-1] if mirrored else LETTER, turns, axes=(0, 1))
        image[place[0] - 7 : place[0] + 8, place[1] - 7 : place[1] + 8] += part
        truth.append((place, name))
    found = find_motif(image, LETTER, symmetry=symmetry)
    names = transforms_of(symmetry)
    wanted = [(place, name) for place, name in truth if name in names]
    for place, name in wanted:
        nearest = int(np.hypot(*(found.positions - place).T).argmin())
        assert np.hypot(*(found.positions[nearest] - place)) < 0.1
        assert found.transform[nearest] == name
    if symmetry == "4mm":
        assert len(found) == 16
        average = average_motif(image[None], Registration.rigid([[0, 0]], image.shape), found, None)
        np.testing.assert_allclose(average.mean, LETTER, atol=0.25)


@pytest.mark.parametrize("symmetry", GROUPS)
def test_transforms_form_a_group(symmetry):
    matrices = list(transforms_of(symmetry).values())
    np.testing.assert_array_equal(matrices[0], np.eye(2))
    for one in matrices:
        np.testing.assert_allclose(one @ one.T, np.eye(2), atol=1e-12)
        for other in matrices:
            assert sum(np.allclose(one @ other, third) for third in matrices) == 1


def test_given_positions_are_kept_or_refined():
    series = simulate((64, 64), 6, 32, 4, image_counts=100, counts=100)
    image = mean_image(series.images, Registration(series.displacement))
    true = columns(series, A, 8)
    rough = np.round(true)
    motif = (rough[3], (9, 9))
    kept = find_motif(image, motif, rough, refine=False)
    np.testing.assert_array_equal(kept.positions, rough)
    assert kept.score.min() > 0.5
    refined = find_motif(image, motif, rough)
    error = refined.positions - true
    assert np.std(error, axis=0).max() < 0.08 < np.std(rough - true, axis=0).min()
    beyond = find_motif(image, motif, [[1.0, 2.0], [30.0, 30.0]], refine=False)
    np.testing.assert_array_equal(np.isnan(beyond.score), [True, False])


def test_a_threshold_of_the_users():
    series = simulate((64, 64), 6, 32, 4, image_counts=100, counts=100)
    image = mean_image(series.images, Registration(series.displacement))
    motif = (columns(series, A, 10)[4], (9, 9))
    everything = find_motif(image, motif)
    level = float(np.median(everything.score))
    part = find_motif(image, motif, threshold=level)
    assert 0 < len(part) < len(everything)
    assert part.score.min() >= level


def test_what_no_frame_saw_holds_no_repeat():
    series = simulate((80, 64), 6, 32, 4, image_counts=100, counts=100)
    image = mean_image(series.images, Registration(series.displacement))
    motif = (columns(series, A, 20)[0] * [1, 0] + [0, 20], (9, 9))
    whole = find_motif(image, motif)
    image[:, 40:] = np.nan
    image[60:70, :12] = np.nan
    found = find_motif(image, motif)
    left, right = found.positions[:, 1].min(), found.positions[:, 1].max()
    assert left < 8
    assert 30 < right <= 35.75
    clear = (whole.positions[:, 1] < 34.5) & ~(
        (abs(whole.positions[:, 0] - 64.5) < 10.5) & (whole.positions[:, 1] < 17.5)
    )
    assert distances(whole.positions[clear], found.positions).min(axis=1).max() < 0.3
    hidden = (abs(found.positions[:, 0] - 64.5) < 8.5) & (found.positions[:, 1] < 15)
    assert not hidden.any()


def test_a_motif_as_large_as_the_image_and_one_at_the_border_are_found_where_they_are():
    image = np.random.default_rng(0).normal(0, 1, (20, 24))
    found = find_motif(image, (slice(None), slice(None)))
    np.testing.assert_allclose(found.positions, [[9.5, 11.5]], atol=0.02)
    for rows, columns_ in ((slice(0, 9), slice(0, 7)), (slice(11, 20), slice(17, 24))):
        found = find_motif(image, (rows, columns_))
        np.testing.assert_allclose(found.positions, [[rows.start + 4, columns_.start + 3]], atol=0.05)


IMAGE = np.random.default_rng(1).normal(0, 1, (20, 24))


@pytest.mark.parametrize(
    ("image", "motif", "options", "message"),
    [
        (IMAGE, np.ones((21, 5)), {}, "larger"),
        (IMAGE, np.ones((5, 5)), {}, "blank"),
        (np.ones((20, 24)), ((9, 9), (5, 5)), {}, "blank"),
        (IMAGE, ((1, 9), (5, 5)), {}, "inside"),
        (IMAGE, ((9, 22), (5, 5)), {}, "inside"),
        (IMAGE, (slice(3, 3), slice(0, 4)), {}, "inside"),
        (IMAGE, (slice(0, 8, 2), slice(0, 4)), {}, "step"),
        (IMAGE, np.ones(5), {}, "two slices"),
        (IMAGE, np.eye(6), {}, "found nowhere.*score"),
        (np.full((20, 24), np.nan), ((9, 9), (5, 5)), {}, "finite"),
        (np.where(np.arange(24) < 12, IMAGE, np.nan), ((9, 12), (5, 5)), {}, "not finite"),
        (IMAGE[0], ((9, 9), (5, 5)), {}, "image"),
        (IMAGE, ((9, 9), (5, 5)), {"symmetry": "5"}, "symmetry.*'5'"),
        (IMAGE, ((9, 9), (5, 5)), {"threshold": 2.0}, "threshold"),
        (IMAGE, ((9, 9), (5, 5)), {"positions": [1.0, 2.0]}, "positions"),
        (IMAGE, ((9, 9), (5, 5)), {"positions": [[1.0, np.nan]]}, "positions"),
    ],
)
def test_bad_motifs_are_named(image, motif, options, message):
    with pytest.raises(lbj.UsageError, match=message):
        find_motif(image, motif, **options)


@pytest.mark.parametrize("short", [0.2, 4e-3, 3e-5])
def test_a_score_that_falls_short_is_told_with_the_digits_that_show_it(short):
    """The best score is that of the one place found where less is asked for."""
    best = float(find_motif(IMAGE, np.eye(6), threshold=0.5).score.max())
    with pytest.raises(lbj.UsageError, match="found nowhere") as caught:
        find_motif(IMAGE, np.eye(6), threshold=best + short)
    told, needed = (float(text) for text in re.findall(r"\d\.\d+", str(caught.value)))
    assert told < needed
    assert told == pytest.approx(best, abs=5e-3)


# Averaging

SHAPE = (21, 19, 5)


def counted(frames=3, shape=SHAPE, seed=0):
    return np.random.default_rng(seed).poisson(0.8, (frames, *shape)).astype(np.uint32)


def rigid():
    shift = np.random.default_rng(1).normal(0, 1.7, (3, 2))
    return Registration.rigid(shift, SHAPE[:2])


def smooth():
    y, x = np.indices(SHAPE[:2])
    rng = np.random.default_rng(2)
    field = [0.5 * np.sin(0.4 * y + rng.uniform(0, 6)) + 0.5 * np.sin(0.3 * x + rng.uniform(0, 6)) for _ in range(6)]
    return Registration(np.reshape(field, (3, 2, *SHAPE[:2])))


def jittered():
    rows = np.random.default_rng(3).normal(0, 0.8, (3, 2, SHAPE[0], 1))
    return Registration(np.broadcast_to(rows, (3, 2, *SHAPE[:2])))


def dense_average(cubes, registration, motifs, s, solve):
    """The definition, on dense frames."""
    h, w = motifs.size
    offset = np.stack(
        np.meshgrid((np.arange(h * s) + 0.5) / s - h / 2, (np.arange(w * s) + 0.5) / s - w / 2, indexing="ij"), -1
    )
    total, seen = np.zeros((h * s, w * s, cubes.shape[-1])), np.zeros((h * s, w * s), int)
    for n, (cube, field) in enumerate(zip(cubes, registration.displacement, strict=True)):
        places = motifs.positions if motifs.by_frame is None else motifs.by_frame[n]
        for place, name in zip(places, motifs.transform, strict=True):
            if np.isnan(place).any():
                continue
            scene = place + offset @ motifs.matrices[name].T
            qy, qx = solve(field, scene[..., 0], scene[..., 1])
            inside = (qy >= 0) & (qy <= SHAPE[0] - 1) & (qx >= 0) & (qx <= SHAPE[1] - 1)
            seen += inside
            for c in range(cubes.shape[-1]):
                total[..., c] += np.where(inside, bilinear(cube[..., c], np.nan_to_num(qy), np.nan_to_num(qx)), 0)
    return total, seen


def some_motifs(by_frame=False):
    rng = np.random.default_rng(5)
    places = rng.uniform(0, 18, (7, 2))
    names = np.array(["0", "90", "m0", "m270", "180", "0", "m90"])
    moved = None
    if by_frame:
        moved = places + rng.normal(0, 0.3, (3, 7, 2))
        moved[1, 2] = np.nan
    return found_motifs(places, (4, 5), names, "4mm", moved)


@pytest.mark.parametrize("by_frame", [False, True])
@pytest.mark.parametrize("s", [1, 3])
@pytest.mark.parametrize(("make", "solve"), [(rigid, solve_smooth), (smooth, solve_smooth), (jittered, solve_rows)])
def test_the_average_equals_the_dense_definition(make, solve, s, by_frame):
    cubes, registration, motifs = counted(), make(), some_motifs(by_frame)
    expected, seen = dense_average(cubes, registration, motifs, s, solve)
    for source in ([lbj.Events.from_dense(cube) for cube in cubes], cubes):
        got = average_motif(source, registration, motifs, upsampling=s)
        assert got.values.shape == expected.shape
        np.testing.assert_allclose(got.values, expected, rtol=0, atol=1e-6 * expected.max())
        np.testing.assert_array_equal(got.coverage, seen)
        part = average_motif(source, registration, motifs, upsampling=s, channels=slice(1, 4))
        np.testing.assert_array_equal(part.values, got.values[..., 1:4])
    image = average_motif(cubes[..., 2], registration, motifs, upsampling=s)
    np.testing.assert_allclose(image.values, expected[..., 2], rtol=0, atol=1e-6 * expected.max())
    assert image.repeats == 7


def test_one_repeat_is_the_accumulated_sum_of_its_rectangle():
    cubes = counted()
    for registration in (rigid(), smooth(), jittered()):
        for s in (1, 2):
            whole = accumulate(cubes, registration, upsampling=s)
            got = average_motif(cubes, registration, found_motifs([[9, 8.5]], (5, 4)), upsampling=s)
            np.testing.assert_allclose(got.values, whole[7 * s : 12 * s, 7 * s : 11 * s], rtol=1e-6, atol=1e-6)
            np.testing.assert_array_equal(got.coverage, coverage(registration, s)[7 * s : 12 * s, 7 * s : 11 * s])


def test_the_average_does_not_depend_on_threads_or_where_it_goes(tmp_path, monkeypatch):
    cubes, registration, motifs = counted(), jittered(), some_motifs()
    before = numba.get_num_threads()
    for source in ([lbj.Events.from_dense(cube) for cube in cubes], cubes):
        results = []
        for threads in (1, min(2, numba.config.NUMBA_NUM_THREADS)):
            numba.set_num_threads(threads)
            try:
                results.append(average_motif(source, registration, motifs, upsampling=2).values)
            finally:
                numba.set_num_threads(before)
        np.testing.assert_array_equal(*results)
        with monkeypatch.context() as patch, h5py.File(tmp_path / "out.h5", "w") as file:
            patch.setattr("mfsi_core.motifs.averages.BAND_BYTES", 3 * 10 * 5 * 8)  # three rows
            data = file.create_dataset("sum", results[0].shape, "f8")
            got = average_motif(source, registration, motifs, upsampling=2, out=data)
            np.testing.assert_array_equal(data[:], results[0])
            np.testing.assert_array_equal(got.coverage, average_motif(source, registration, motifs, None, 2).coverage)


def test_regions_and_journals_are_pooled():
    cubes, motifs = counted(), some_motifs()
    other = found_motifs([[5.2, 6.1], [9.0, 11.3]], (4, 5))
    parts = [(cubes, rigid(), motifs), (counted(3, seed=9), smooth(), other)]
    pooled = average_motif(*(list(part) for part in zip(*parts, strict=True)))
    alone = [average_motif(*part) for part in parts]
    np.testing.assert_allclose(pooled.values, alone[0].values + alone[1].values, rtol=1e-12)
    np.testing.assert_array_equal(pooled.coverage, alone[0].coverage + alone[1].coverage)
    assert pooled.repeats == 9


def test_frames_left_out_are_not_averaged():
    cubes, registration, motifs = counted(), smooth(), some_motifs()
    partly = Registration(registration.displacement, left_out=[False, True, False])
    kept = Registration(registration.displacement[[0, 2]])
    got, expected = average_motif(cubes, partly, motifs), average_motif(cubes[[0, 2]], kept, motifs)
    np.testing.assert_array_equal(got.values, expected.values)
    np.testing.assert_array_equal(got.coverage, expected.coverage)
    none = average_motif(cubes, Registration(registration.displacement, left_out=[True] * 3), motifs)
    assert not none.values.any()
    assert np.isnan(none.mean).all()


def test_a_finer_image_is_averaged_on_the_same_grid():
    """A signal with twice the pixels: a plane of intensity is sampled at the same scene positions."""
    fine = lbj.Signal("fine", "image", (40, 36), to_field=[[0.5, 0, -0.25], [0, 0.5, -0.25]])
    y, x = np.indices((40, 36)) * 0.5 - 0.25
    images = np.stack([3 * y + x] * 2)
    registration = Registration.rigid([[0.25, -0.5], [-0.25, 0.5]], (20, 18), to_field=np.eye(2, 3))
    got = average_motif(images, registration, found_motifs([[8.0, 7.5]], (3, 4)), fine)
    rows, columns_ = np.meshgrid(np.arange(7, 10), np.arange(6, 10), indexing="ij")
    np.testing.assert_allclose(got.mean, 3 * rows + columns_, rtol=1e-6)


def test_counts_are_those_expected():
    series = simulate((60, 56), 8, 64, 6, counts=8000, image_counts=30)
    registration = Registration(series.displacement)
    motifs = found_motifs(columns(series, B, 8), (9, 9))
    got = average_motif(series.events, registration, motifs)
    rates = np.zeros((8, 60, 56, 1))
    for n in range(8):
        density = series.scene.densities(*series.positions(n))
        rates[n, ..., 0] = series.scale * np.sum(list(density.values()), axis=0)
    expected = average_motif(rates, registration, motifs)
    total, truth = got.values.sum(), expected.values.sum()
    assert abs(total - truth) < 5 * np.sqrt(2 * truth)
    assert np.corrcoef(got.values.sum(axis=-1).ravel(), expected.values.ravel())[0, 1] > 0.97
    np.testing.assert_array_equal(got.coverage, expected.coverage)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"upsampling": 0}, "upsampling"),
        ({"channels": slice(0, 4, 2)}, "channels"),
        ({"registration": Registration.rigid([[0, 0]] * 2, SHAPE[:2])}, "2 frames.*3"),
        ({"registration": [rigid(), rigid()], "motifs": [some_motifs()]}, "each source"),
        ({"out": np.zeros((4, 4, 5))}, r"out.*\(4, 5, 5\)"),
    ],
)
def test_bad_averages_are_named(change, message):
    arguments = {"source": counted(), "registration": rigid(), "motifs": some_motifs(), **change}
    with pytest.raises(lbj.UsageError, match=message):
        average_motif(arguments.pop("source"), arguments.pop("registration"), arguments.pop("motifs"), **arguments)


def test_motifs_of_different_size_are_not_pooled():
    with pytest.raises(lbj.UsageError, match="one size"):
        average_motif([counted(), counted()], [rigid(), smooth()], [some_motifs(), found_motifs([[5, 5]], (3, 3))])


# Frame by frame


def test_a_repeat_is_followed_through_the_frames():
    """A registration that is wrong by a known shift in one frame: the repeats are found shifted by it."""
    series = simulate((60, 64), 6, 32, 8, image_counts=150, counts=100)
    found = find_motif(
        mean_image(series.images, Registration(series.displacement)), (columns(series, A, 10)[6], (9, 9))
    )
    wrong = series.displacement.copy()
    wrong[3] += np.array([0.4, -0.3])[:, None, None]
    left_out = np.arange(6) == 5
    followed = follow_motif(series.images, Registration(wrong, left_out=left_out), found)
    assert followed.by_frame.shape == (6, len(found), 2)
    assert np.isnan(followed.by_frame[5]).all()
    inside = ((found.positions > 8) & (found.positions < 50)).all(axis=1)
    moved = followed.by_frame[:, inside] - found.positions[inside]
    assert np.isfinite(moved[:5]).all()
    np.testing.assert_allclose(moved[3].mean(axis=0), [0.4, -0.3], atol=0.06)
    np.testing.assert_allclose(moved[[0, 1, 2, 4]].mean(axis=1), 0, atol=0.06)
    assert moved[:5].std(axis=1).max() < 0.2


def test_the_table_holds_a_row_for_each_frame_and_repeat():
    registration, motifs = smooth(), some_motifs()
    table = motif_table(motifs, registration, "a.lbj", [4, 6, 9], [0, 0, 1])
    assert list(table.columns[:6]) == ["journal", "frame", "region", "repeat", "y_px", "x_px"]
    assert set(table.frame) == {4, 6, 9}
    assert set(table.region[table.frame == 9]) == {1}
    for row in table.itertuples():
        field = registration.displacement[[4, 6, 9].index(row.frame)]
        move = [bilinear(u, [row.frame_y_px], [row.frame_x_px])[0] for u in field]
        np.testing.assert_allclose(
            [row.frame_y_px + move[0], row.frame_x_px + move[1]], [row.y_px, row.x_px], atol=1e-5
        )
        np.testing.assert_array_equal([row.y_px, row.x_px], motifs.positions[row.repeat])
        assert row.transform == motifs.transform[row.repeat]
    followed = motif_table(some_motifs(by_frame=True), registration)
    assert not ((followed.frame == 1) & (followed.repeat == 2)).any()


# The command


def command(*arguments):
    parser = argparse.ArgumentParser(prog="mfsi")
    commands = parser.add_subparsers(dest="command")
    template.add(lambda name, text, example: commands.add_parser(name, description=text, epilog=example))
    return run(parser, ["template", *(str(argument) for argument in arguments)])


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    """Two areas of two crystals, in one journal."""
    path = tmp_path_factory.mktemp("motifs") / "areas.lbj"
    first, second = (simulate((56, 60), 4, 256, seed, counts=20000, image_counts=60) for seed in (1, 2))
    with lbj.create(path, first.signals, metadata=first.metadata) as writer:
        for region, series in enumerate((first, second)):
            for data, attributes in series:
                writer.append(data, region=region, **attributes)
    return path, first, second


def test_the_command_writes_table_averages_pictures_and_maps(journal, tmp_path, capsys):
    import pandas as pd

    path, first, second = journal
    place = columns(first, A, 12)[3]
    out = tmp_path / "motif"
    at = f"{place[0]:.2f},{place[1]:.2f}"
    assert command(path, "--at", at, "--size", "9,9", "-o", out, "--upsampling", 2, "--elements", "Ti,Ca") == 0
    text = capsys.readouterr().out
    assert "motif.png" in text
    table = pd.read_csv(out / "motifs.csv")
    assert set(table.journal) == {"areas.lbj"}
    assert set(table.frame) == set(range(8))
    repeats = table.groupby("region").repeat.nunique()
    for region, series in enumerate((first, second)):
        assert repeats[region] >= len(columns(series, A, 6))
    with h5py.File(out / "motif.h5") as file:
        assert file["EDX/values"].shape == (18, 18, 256)
        assert file["HAADF/values"].shape == (18, 18)
        assert file["EDX/values"].attrs["repeats"] == repeats.sum()
        y, _, energy = json.loads(file["EDX/values"].attrs["axes"])
        assert y["scale"] == pytest.approx(first.signals[0].axes[0]["scale"] / 2)
        assert y["offset"] == pytest.approx(-8.5 * y["scale"])
        assert energy["units"] == "eV"
        image = file["HAADF/values"][:] / file["HAADF/coverage"][:]
    middle = np.array([8.5, 8.5]) + 2 * (place - drawn_at(place, (9, 9)))
    near = np.unravel_index(image[4:14, 4:14].argmax(), (10, 10))
    assert np.hypot(*(np.array(near) + 4 - middle)) < 1.6  # the column at the motif's centre
    calcium, titanium = np.load(out / "map-Ca_Ka.npy"), np.load(out / "map-Ti_Ka.npy")
    assert calcium[7:11, 7:11].mean() > 3 * titanium[7:11, 7:11].mean()
    assert (out / "motif.png").read_bytes()[1:4] == b"PNG"


def test_the_beam_energy_given_decides_by_what_line_the_motif_is_mapped(journal, tmp_path, capsys):
    """7 keV do not excite Ti K (4966 eV) well; the energy axis 40 eV off is told of every map."""
    _, first, _ = journal
    path, out = tmp_path / "one.lbj", tmp_path / "out"
    first.save(path)
    y, x = columns(first, A, 12)[3]
    basics = (path, "--at", f"{y:.2f},{x:.2f}", "--size", "9,9", "--elements", "Ti,Ca", "-o", out)
    assert command(*basics, "--beam-energy", "7keV") == 0
    assert {entry.name for entry in out.glob("map-*.npy")} == {"map-Ti_La.npy", "map-Ca_Ka.npy"}
    capsys.readouterr()
    signal = next(one for one in first.signals if one.name == "EDX")
    axes = [*signal.axes[:2], {**signal.axes[2], "offset": signal.axes[2]["offset"] + 40.0}]
    with lbj.append(path) as writer:
        writer.amend({"signals": {"EDX": {"axes": axes}}})
    assert command(*basics) == 0
    said = capsys.readouterr().out
    assert "Map of Ca Kα in the motif: The energy axis is off" in said


def test_the_command_draws_the_image_that_a_motif_is_read_off(journal, tmp_path, capsys):
    path, _, _ = journal
    assert command(path, "-o", tmp_path / "motif") == 0
    assert "aligned.png" in capsys.readouterr().out
    assert {entry.name for entry in (tmp_path / "motif").iterdir()} == {"aligned.png", MANIFEST}
    assert command(path, "--at", "20,20", "-o", tmp_path / "motif") == 2
    assert "--size" in capsys.readouterr().err


def test_the_command_takes_positions_frame_by_frame_and_several_journals(journal, tmp_path, capsys):
    import pandas as pd

    path, first, _ = journal
    single = tmp_path / "one.lbj"
    first.save(single)
    places = columns(first, A, 12)
    at = f"{places[0][0]:.2f},{places[0][1]:.2f}"
    given = tmp_path / "places.csv"
    pd.DataFrame(np.round(places), columns=["y_px", "x_px"]).to_csv(given, index=False)
    basics = ("--at", at, "--size", "9,9", "-o", tmp_path / "out")
    assert command(single, *basics, "--positions", given, "--keep") == 0
    table = pd.read_csv(tmp_path / "out" / "motifs.csv")
    np.testing.assert_allclose(table[["y_px", "x_px"]].drop_duplicates(), np.round(places), atol=1e-3)
    assert command(single, *basics, "--every-frame", "--symmetry", "2") == 0
    table = pd.read_csv(tmp_path / "out" / "motifs.csv")
    assert len(set(table[table.repeat == 0].y_px)) > 1
    assert command(single, path, *basics) == 0
    assert set(pd.read_csv(tmp_path / "out" / "motifs.csv").journal) == {"one.lbj", "areas.lbj"}
    capsys.readouterr()
    for wrong, words in (
        ((path, *basics, "--positions", given), "one area"),
        ((single, *basics[:-2], "-o", tmp_path / "out", "--at", "12"), "--at"),
        ((single, *basics, "--at", "500,500"), "inside"),
        ((single, *basics, "--elements", "Xx"), "Xx"),
        ((single, *basics, "--positions", tmp_path / "bad.csv"), "y_px"),
    ):
        (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
        assert command(*wrong) == 2
        assert words in capsys.readouterr().err
