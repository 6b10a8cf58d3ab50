"""Aligned sums (`accumulate`, pull and push) against dense definitions in NumPy and SciPy."""

import importlib
import itertools
import math
import tracemalloc

import h5py
import numba
import numpy as np
import pytest
from inverse_warp import bilinear, solve_rows, solve_smooth

import lbj
from mfsi_core import Registration, accumulate, common_region, coverage, shift_spectra, write_shifts
from mfsi_core.accumulation.output import result_axes

SHAPE = (13, 17, 6)  # of a frame


def counts(frames=4, shape=SHAPE, rate=0.7, seed=0):
    return np.random.default_rng(seed).poisson(rate, (frames, *shape)).astype(np.uint32)


def listed(cubes):
    return [lbj.Events.from_dense(cube) for cube in cubes]


def rigid(frames=4, shape=SHAPE[:2], seed=1):
    return Registration.rigid(np.random.default_rng(seed).normal(0, 1.7, (frames, 2)), shape)


def smooth(frames=4, shape=SHAPE[:2], seed=2):
    """Fields that vary by up to 0.25 px from pixel to pixel, so that every position has one solution."""
    rng = np.random.default_rng(seed)
    y, x = np.indices(shape)
    field = np.empty((frames, 2, *shape))
    for u in field.reshape(-1, *shape):
        wave = 0.5 * np.sin(0.4 * y + rng.uniform(0, 6)) + 0.5 * np.sin(0.3 * x + 0.2 * y + rng.uniform(0, 6))
        u[:] = rng.normal(0, 1.5) + wave
    return Registration(displacement=field)


def jittered(frames=4, shape=SHAPE[:2], seed=3):
    """Every row displaced by itself; neighbours overtake one another, so that positions have several solutions."""
    rows = np.random.default_rng(seed).normal(0, 0.8, (frames, 2, shape[0], 1))
    return Registration(displacement=np.broadcast_to(rows, (frames, 2, *shape)))


def in_ev(shape=SHAPE, kind="events", scale=1.0):
    """Signal with channels of `scale` eV."""
    axes = [{"name": "y"}, {"name": "x"}, {"name": "energy", "offset": 400.0, "scale": scale, "units": "eV"}]
    return lbj.Signal("X", kind, shape, axes=axes)


def moved_up(cubes, channels):
    """Every count moved by so many channels, of the frame or its pixels, and shared out to the two around."""
    out = np.zeros(cubes.shape)
    for place in np.ndindex(cubes.shape):
        at = place[-1] + channels[place[: np.ndim(channels)]]
        for channel, share in ((math.floor(at), 1 - at % 1), (math.floor(at) + 1, at % 1)):
            if 0 <= channel < cubes.shape[-1]:
                out[(*place[:-1], channel)] += share * cubes[place]
    return out


def scene_grid(shape, s):
    return np.meshgrid(*((np.arange(size * s) + 0.5) / s - 0.5 for size in shape), indexing="ij")


FIELDS = {"rigid": (rigid, solve_smooth), "smooth": (smooth, solve_smooth), "jittered": (jittered, solve_rows)}


def dense_pull(cubes, registration, s, solve):
    """The definition on dense frames; also the number of frames that saw each output pixel."""
    rows, columns = registration.shape
    y, x = scene_grid(registration.shape, s)
    total, seen = np.zeros((*y.shape, cubes.shape[-1])), np.zeros(y.shape, int)
    for cube, field in zip(cubes, registration.displacement, strict=True):
        qy, qx = solve(field, y, x)
        inside = (qy >= 0) & (qy <= rows - 1) & (qx >= 0) & (qx <= columns - 1)
        seen += inside
        for c in range(cubes.shape[-1]):
            total[..., c] += np.where(inside, bilinear(cube[..., c], np.nan_to_num(qy), np.nan_to_num(qx)), 0)
    return total, seen


def dense_push(cubes, displacement, s):
    """Every count splatted onto its four neighbours; also what fell beside the field, per channel."""
    shape = displacement.shape[2:]
    total = np.zeros((shape[0] * s + 2, shape[1] * s + 2, cubes.shape[-1]))  # one more pixel all around
    lost = np.zeros(cubes.shape[-1])
    for cube, field in zip(cubes, displacement.astype(float), strict=True):
        at = (np.indices(shape) + field + 0.5) * s - 0.5
        cell = np.floor(at).astype(int)
        for corner in itertools.product((0, 1), repeat=2):
            weight = np.ones(shape)
            for axis in range(2):
                part = at[axis] - cell[axis]
                weight *= part if corner[axis] else 1 - part
            place = [cell[axis] + corner[axis] for axis in range(2)]
            inside = (place[0] >= 0) & (place[0] < shape[0] * s) & (place[1] >= 0) & (place[1] < shape[1] * s)
            share = weight[..., None] * cube
            lost += share[~inside].sum(axis=0)
            np.add.at(total, (place[0][inside] + 1, place[1][inside] + 1), share[inside])
    return total[1:-1, 1:-1], lost


def close(got, expected):
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-6 * expected.max())


@pytest.mark.parametrize("s", [1, 2, 3, 8])
@pytest.mark.parametrize("kind", FIELDS)
def test_pull_equals_the_dense_definition(kind, s):
    make, solve = FIELDS[kind]
    cubes, registration = counts(), make()
    expected, seen = dense_pull(cubes, registration, s, solve)
    assert seen.min() < seen.max() == len(cubes)  # some frames did not see some pixels
    for source in (listed(cubes), cubes):
        got = accumulate(source, registration, upsampling=s)
        assert got.dtype == np.float32
        close(got, expected)
    np.testing.assert_array_equal(coverage(registration, s), seen)


def test_of_several_solutions_the_one_scanned_first_counts():
    field = np.zeros((1, 2, 4, 3))
    field[0, 0] = np.array([0, 1, -1, 0])[:, None]  # rows 0 … 3 sampled scene rows 0, 2, 1, 3
    values = np.array([10.0, 20.0, 40.0, 80.0])[:, None] * [1, 10, 100]
    got = accumulate(values[None], Registration(displacement=field))
    # Scene row 1 lies half-way between frame rows 0 and 1, and again on row 2.
    np.testing.assert_array_equal(got, np.array([10.0, 15.0, 20.0, 80.0])[:, None] * [1, 10, 100])


def test_where_neighbouring_rows_part_the_gap_is_interpolated_and_beyond_the_frame_is_nothing():
    field = np.zeros((1, 2, 3, 2))
    field[0, 0] = np.array([0, 0, 2])[:, None]  # rows sampled scene rows 0, 1 and 4
    values = np.array([[[3.0, 3], [6, 6], [12, 12]]])
    np.testing.assert_array_equal(accumulate(values, Registration(displacement=field))[:, 0], [3, 6, 8])
    np.testing.assert_array_equal(accumulate(values, Registration(displacement=field + 1)), [[0, 0], [0, 3], [0, 6]])


@pytest.mark.parametrize("s", [1, 2, 3, 4])
def test_output_index_i_is_scene_position_i_plus_half_over_s_less_half(s):
    y, x = np.indices((6, 7))
    ramp = (100 + 10 * y + x)[None].astype(float)
    got = accumulate(ramp, Registration.rigid([[0, 0]], (6, 7)), upsampling=s)
    py, px = scene_grid((6, 7), s)
    inside = (py >= 0) & (py <= 5) & (px >= 0) & (px <= 6)
    np.testing.assert_allclose(got, np.where(inside, 100 + 10 * py + px, 0), rtol=1e-6)


@pytest.mark.parametrize("method", ["pull", "push"])
@pytest.mark.parametrize("make", [rigid, smooth, jittered])
def test_a_part_of_the_result_is_that_part_of_the_whole_to_the_bit(method, make):
    cubes, registration = counts(), make()
    for source in (listed(cubes), cubes):
        for s in (1, 3):
            whole = accumulate(source, registration, upsampling=s, method=method)
            for rows, columns, channels in (
                (slice(2, 9), slice(None), None),
                (slice(-4, None), slice(5, 6), slice(2, 5)),
                (slice(5, 900), slice(3, -2), slice(-1, None)),
                (slice(4, 4), slice(None), slice(0, 2)),
            ):
                part = accumulate(source, registration, "EDX", s, (rows, columns), channels, method)
                np.testing.assert_array_equal(part, whole[rows, columns, channels or slice(None)])


@pytest.mark.parametrize("s", [1, 2, 3, 8])
@pytest.mark.parametrize("make", [rigid, smooth, jittered])
def test_push_equals_a_splat_in_numpy(make, s):
    cubes, registration = counts(), make()
    expected, lost = dense_push(cubes, registration.displacement, s)
    for source in (listed(cubes), cubes):
        got = accumulate(source, registration, upsampling=s, method="push")
        close(got, expected)
        np.testing.assert_allclose(got.sum(axis=(0, 1), dtype=float) + lost, cubes.sum(axis=(0, 1, 2)), rtol=1e-6)


@pytest.mark.parametrize("s", [1, 2])
def test_push_loses_no_count(s):
    """Displacements in eighths of a pixel have weights that floats hold exactly."""
    cubes = counts(frames=5)
    field = np.random.default_rng(4).integers(-30, 31, (5, 2, *SHAPE[:2])) / 8
    got = accumulate(listed(cubes), Registration(displacement=field), upsampling=s, method="push")
    expected, lost = dense_push(cubes, field, s)
    assert lost.sum() > 0
    np.testing.assert_array_equal(got, expected)
    assert got.sum(dtype=float) + lost.sum() == cubes.sum()


@pytest.mark.parametrize("method", ["pull", "push"])
def test_unmoved_frames_give_the_plain_sum(method):
    cubes = counts(frames=7)
    still = Registration.rigid(np.zeros((7, 2)), SHAPE[:2])
    for source in (listed(cubes), cubes, list(cubes)):
        np.testing.assert_array_equal(accumulate(source, still, method=method), cubes.sum(axis=0))


@pytest.mark.parametrize("kind", ["events", "dense"])
def test_a_voxel_beyond_2_to_24_makes_the_result_float64(kind):
    cubes = np.zeros((2, 3, 4, 2), np.uint32)
    cubes[:, 1, 2, 1] = 2**24, 1
    still = Registration.rigid(np.zeros((2, 2)), (3, 4))
    for method in ("pull", "push"):
        source = listed(cubes) if kind == "events" else cubes
        got = accumulate(source, still, method=method)
        assert got.dtype == np.float64
        np.testing.assert_array_equal(got, cubes.sum(axis=0, dtype=np.uint64))
        first = Registration.rigid(np.zeros((1, 2)), (3, 4))
        assert accumulate(source[:1], first, method=method).dtype == np.float32  # 2^24 itself fits
        with pytest.warns(UserWarning, match="16777217"):
            accumulate(source, still, method=method, out=np.zeros((3, 4, 2), np.float32))
        wide = np.zeros((3, 4, 2))
        assert accumulate(source, still, method=method, out=wide) is wide
        assert wide.max() == 2**24 + 1


@pytest.mark.parametrize("shift", [None, [0.3, -1.7, 0.9]])
@pytest.mark.parametrize("method", ["pull", "push"])
@pytest.mark.parametrize("make", [rigid, smooth, jittered])
def test_the_result_does_not_depend_on_threads_or_where_it_goes(tmp_path, make, method, shift):
    shape = (37, 11, 5)
    cubes, registration = counts(3, shape), make(3, shape[:2])
    given = {"upsampling": 2, "method": method, "energy_shift": shift}
    before = numba.get_num_threads()
    for name, source in (("events", listed(cubes)), ("spectra", cubes)):
        given["signal"] = in_ev(shape, kind=name)
        results = []
        for threads in (1, min(2, numba.config.NUMBA_NUM_THREADS)):
            numba.set_num_threads(threads)
            try:
                results.append(accumulate(source, registration, **given))
            finally:
                numba.set_num_threads(before)
        np.testing.assert_array_equal(*results)
        memory = np.memmap(tmp_path / name, np.float32, "w+", shape=(74, 22, 5))
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            data = file.create_dataset("sum", memory.shape, "f4", chunks=(7, 5, 5), compression="lzf")
            for out in (memory, data, np.full(memory.shape, 7.0, np.float64)):
                assert accumulate(source, registration, **given, out=out) is out
                np.testing.assert_array_equal(np.asarray(out[:], np.float32), results[0])


def test_a_dataset_is_filled_in_bands(tmp_path, monkeypatch):
    module = importlib.import_module("mfsi_core.accumulation.fillers")
    monkeypatch.setattr(module, "BAND_BYTES", 5 * 17 * 2 * 6 * 8)  # five rows
    cubes, registration = counts(), smooth()
    for source in (listed(cubes), cubes):
        expected = accumulate(source, registration, upsampling=2)
        with h5py.File(tmp_path / "bands.h5", "w") as file:
            data = file.create_dataset("sum", expected.shape, "f4", chunks=(4, 34, 6))
            accumulate(source, registration, upsampling=2, out=data)
            np.testing.assert_array_equal(data[:], expected)


@pytest.mark.parametrize("s", [2, 8])
@pytest.mark.parametrize("kind", ["events", "dense"])
def test_memory_is_bounded_at_any_upsampling(tmp_path, monkeypatch, s, kind):
    module = importlib.import_module("mfsi_core.accumulation.fillers")
    monkeypatch.setattr(module, "BAND_BYTES", 2**20)
    cubes = counts(2, (32, 24, 40), 0.1)
    source, registration = listed(cubes) if kind == "events" else cubes, rigid(2, (32, 24))
    accumulate(source, registration)  # compiles
    with h5py.File(tmp_path / "large.h5", "w") as file:
        data = file.create_dataset("sum", (32 * s, 24 * s, 40), "f4", chunks=(1, 24 * s, 40))
        tracemalloc.start()
        try:
            accumulate(source, registration, upsampling=s, out=data)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 6 * 2**20  # the result at 8 takes 7.5 MiB, and twice that in float64
        np.testing.assert_allclose(data[s // 2 :: 9], accumulate(source, registration, upsampling=s)[s // 2 :: 9])


def test_common_region_is_the_largest_rectangle_that_all_frames_saw():
    for seed in range(6):
        registration = smooth(5, (11, 9), seed) if seed % 2 else jittered(2, (11, 9), seed)
        seen = coverage(registration) == len(registration)
        best = 0
        for top, left in np.ndindex(seen.shape):
            for bottom, right in itertools.product(range(top + 1, 12), range(left + 1, 10)):
                if seen[top:bottom, left:right].all():
                    best = max(best, (bottom - top) * (right - left))
        region = common_region(registration)
        assert seen[region].all()
        assert seen[region].size == best > 0
    apart = Registration.rigid([[8, 0], [-8, 0]], (11, 9))
    assert np.zeros((11, 9))[common_region(apart)].size == 0


def test_common_region_of_integer_shifts():
    region = common_region(Registration.rigid([[2, -1], [-1, 3], [0, 0]], (20, 30)))
    assert region == (slice(2, 19), slice(3, 29))


def test_frames_left_out_give_nothing():
    cubes, registration = counts(), smooth()
    left_out = np.array([False, True, False, True])
    partly = Registration(registration.displacement, left_out=left_out)
    kept = Registration(registration.displacement[~left_out])
    for method in ("pull", "push"):
        got = accumulate(listed(cubes), partly, method=method)
        np.testing.assert_array_equal(got, accumulate(listed(cubes[~left_out]), kept, method=method))
    np.testing.assert_array_equal(coverage(partly), coverage(kept))
    assert common_region(partly) == common_region(kept)


def test_all_frames_left_out_give_zeros():
    none = Registration(rigid().displacement, left_out=np.ones(4, bool))
    for out in (None, np.ones(SHAPE, np.float32)):
        got = accumulate(listed(counts()), none, out=out)
        np.testing.assert_array_equal(got, np.zeros(SHAPE))
    np.testing.assert_array_equal(coverage(none), np.zeros(SHAPE[:2]))


def test_every_kind_of_source_gives_the_same(tmp_path):
    cubes, registration = counts(), smooth()
    images = np.random.default_rng(5).integers(0, 900, (4, *SHAPE[:2])).astype(np.uint16)
    spectra = cubes.astype(np.float32) * 1.5
    signals = [
        lbj.Signal("EDX", "events", SHAPE),
        lbj.Signal("EELS", "spectra", SHAPE),
        lbj.Signal("HAADF", "image", SHAPE[:2]),
    ]
    with lbj.create(tmp_path / "a.lbj", signals) as writer:
        for cube, image, spectrum in zip(cubes, images, spectra, strict=True):
            writer.append({"EDX": cube, "HAADF": image, "EELS": spectrum})
    expected, _ = dense_pull(cubes, registration, 1, solve_smooth)
    picture, _ = dense_pull(images[..., None], registration, 1, solve_smooth)
    with lbj.open(tmp_path / "a.lbj") as journal:
        close(accumulate(journal, registration), expected)
        close(accumulate(journal, registration, journal.signals["EDX"]), expected)
        close(accumulate(journal, registration, signal="EELS"), 1.5 * expected)
        close(accumulate(journal, registration, signal="HAADF"), picture[..., 0])
        push = accumulate(journal, registration, signal="HAADF", method="push", upsampling=2)
        close(push, dense_push(images[..., None], registration.displacement, 2)[0][..., 0])
        with pytest.raises(lbj.UsageError, match="EDS"):
            accumulate(journal, registration, signal="EDS")
    close(accumulate(tuple(listed(cubes)), registration), expected)
    close(accumulate((cube for cube in cubes), registration), expected)
    close(accumulate(list(images), registration), picture[..., 0])
    close(accumulate(list(images), registration, region=(slice(1, 3), slice(2, 9))), picture[1:3, 2:9, 0])
    one = Registration(registration.displacement[:1])
    np.testing.assert_array_equal(accumulate(lbj.Events.from_dense(cubes[0]), one), accumulate(listed(cubes[:1]), one))


def test_displacements_of_a_finer_image_move_the_spectra_by_their_own_pixels():
    """An image of twice the pixels: its index i lies at index (i + 1/2) / 2 - 1/2 of the spectra."""
    cubes = counts(2, (8, 9, 3))
    fine = Registration.rigid([[2, -4], [-2, 4]], (16, 18), to_field=[[0.5, 0, -0.25], [0, 0.5, -0.25]])
    coarse = Registration.rigid([[1, -2], [-1, 2]], (8, 9))
    np.testing.assert_array_equal(accumulate(listed(cubes), fine), accumulate(listed(cubes), coarse))
    y, x = np.indices((16, 18)) / 2 - 0.25  # of the spectra's pixels
    ramps = np.stack([0.1 * y - 0.05 * x, 0.2 + 0.1 * x])  # which linear interpolation keeps
    fine = Registration(displacement=2 * np.stack([ramps, -ramps]), to_field=fine.to_field)
    y, x = np.indices((8, 9))
    ramps = np.stack([0.1 * y - 0.05 * x, 0.2 + 0.1 * x])
    expected, _ = dense_pull(cubes, Registration(displacement=np.stack([ramps, -ramps])), 2, solve_smooth)
    for source in (listed(cubes), cubes):
        close(accumulate(source, fine, upsampling=2), expected)


@pytest.mark.parametrize("method", ["pull", "push"])
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 9, 2), (9, 1, 2), (2, 2, 1), (1, 65_537, 2), (3, 2, 70_000)])
def test_small_and_odd_sizes(shape, method):
    cubes = np.random.default_rng(6).poisson(1.5, (1, *shape)).astype(np.uint32)
    still = Registration.rigid([[0, 0]], shape[:2])
    for source in (listed(cubes), cubes):
        np.testing.assert_array_equal(accumulate(source, still, method=method), cubes[0])
        if math.prod(shape) < 100:
            tripled = accumulate(source, still, upsampling=3, method=method)
            assert tripled.shape == (3 * shape[0], 3 * shape[1], shape[2])
            np.testing.assert_array_equal(tripled[1::3, 1::3], cubes[0])
    moved = Registration.rigid([[0, -1]], shape[:2])  # sampled one pixel further left
    expected = np.zeros(shape)
    expected[:, :-1] = cubes[0][:, 1:]
    np.testing.assert_array_equal(accumulate(listed(cubes), moved, method=method), expected)


@pytest.mark.parametrize("shape", [(1, 5), (5, 1), (1, 1)])
def test_fields_of_a_single_row_or_column(shape):
    """There is no solution between rows where there is one row only: each pixel is seen where it was sampled."""
    cubes = counts(1, (*shape, 2), 5)
    field = np.zeros((1, 2, *shape))
    if max(shape) > 1:
        field[0, int(shape[0] == 1)] = np.array([0, 0.5, 0, 0.5, 0]).reshape(shape)
    expected = np.zeros((*shape, 2))
    at = [0, 1.5, 2, 3.5, 4][: max(shape)]
    for c in range(2):  # positions rise, so the inverse is linear interpolation
        expected[..., c] = np.interp(np.arange(max(shape)), at, cubes[0, ..., c].ravel()).reshape(shape)
    close(accumulate(listed(cubes), Registration(displacement=field)), expected)


SHIFTS = {
    "frames": np.array([0.25, -2.4, 2.0, 900.0]),  # channels; the last frame leaves the axis
    "pixels": np.random.default_rng(8).normal(0, 2, (4, *SHAPE[:2])).round(1),
}


@pytest.mark.parametrize("s", [1, 4])
@pytest.mark.parametrize("kind", FIELDS)
@pytest.mark.parametrize("shift", SHIFTS)
def test_shifted_frames_equal_the_dense_definition(shift, kind, s):
    make, solve = FIELDS[kind]
    cubes, registration, channels = counts(), make(), SHIFTS[shift]
    moved = moved_up(cubes, channels)
    expected = {
        "pull": dense_pull(moved, registration, s, solve)[0],
        "push": dense_push(moved, registration.displacement, s)[0],
    }
    part = (slice(3, 11), slice(2, -1), slice(2, 4))
    for source, name in ((listed(cubes), "events"), (cubes, "spectra")):
        given = {"signal": in_ev(kind=name, scale=0.1), "upsampling": s, "energy_shift": 0.1 * channels}
        for method in ("pull", "push"):
            whole = accumulate(source, registration, method=method, **given)
            close(whole, expected[method])
            cut = accumulate(source, registration, method=method, region=part[:2], channels=part[2], **given)
            np.testing.assert_array_equal(cut, whole[part])


def test_a_line_comes_to_lie_at_its_true_energy():
    """Recorded at 452, 449 and 450.5 eV, in frames to whose axis -2, 1 and -0.5 eV are to be added: it is at 450 eV."""
    cubes = np.zeros((3, 2, 3, 100), np.uint32)
    cubes[0, :, :, 52], cubes[1, :, :, 49], cubes[2, :, :, 50:52] = 10, 20, 40
    still, shift = Registration.rigid(np.zeros((3, 2)), (2, 3)), np.array([-2, 1, -0.5])
    got = accumulate(listed(cubes), still, in_ev((2, 3, 100)), energy_shift=shift)
    np.testing.assert_array_equal(got[0, 0, 48:53], [0, 20, 70, 20, 0])
    same = sum(shift_spectra(cube, one, in_ev((2, 3, 100)), 0) for cube, one in zip(cubes, shift, strict=True))
    np.testing.assert_array_equal(got, same)  # nothing lies at the ends, where shift_spectra fills


@pytest.mark.parametrize("scale", [1.0, 0.1, 0.3])
def test_push_keeps_counts_moved_by_whole_channels(scale):
    cubes = counts(frames=5)
    field = np.random.default_rng(4).integers(-30, 31, (5, 2, *SHAPE[:2])) / 8
    channels = np.array([0, 1, -3, 2, 5])
    got = accumulate(
        listed(cubes), Registration(displacement=field), in_ev(scale=scale), method="push",
        energy_shift=[scale * n for n in channels],
    )  # fmt: skip
    np.testing.assert_array_equal(got, dense_push(moved_up(cubes, channels), field, 1)[0])


@pytest.mark.parametrize("method", ["pull", "push"])
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 9, 2), (2, 2, 1), (1, 65_537, 2)])
def test_shifts_of_small_and_odd_sizes(shape, method):
    cubes = np.random.default_rng(6).poisson(1.5, (1, *shape)).astype(np.uint32)
    still = Registration.rigid([[0, 0]], shape[:2])
    for source, kind in ((listed(cubes), "events"), (cubes, "spectra"), (listed(0 * cubes), "events")):
        for shift in (2.5, -2.5, 10.0):  # of channels of 10 eV
            got = accumulate(source, still, in_ev(shape, kind, 10.0), method=method, energy_shift=shift)
            given = np.stack([one.dense() for one in source]) if kind == "events" else source
            part = abs(shift) / 10
            expected = (1 - part) * given[0]
            if shift > 0:
                expected[..., 1:] += part * given[0, ..., :-1]
            else:
                expected[..., :-1] += part * given[0, ..., 1:]
            np.testing.assert_array_equal(got, expected)


def test_shifted_counts_beyond_2_to_24_are_kept():
    """Two channels that share their counts: neither alone, halved, passes 2^24."""
    cubes = np.full((1, 2, 2, 3), 2**24 + 1, np.uint32)
    still = Registration.rigid([[0, 0]], (2, 2))
    for method in ("pull", "push"):
        for source, kind in ((listed(cubes), "events"), (cubes, "spectra")):
            got = accumulate(source, still, in_ev((2, 2, 3), kind), method=method, energy_shift=0.5)
            assert got.dtype == np.float64
            np.testing.assert_array_equal(got[0, 0], [2**23 + 0.5, 2**24 + 1, 2**24 + 1])


def test_the_shifts_of_a_journal_are_applied(tmp_path):
    cubes, registration = counts(), smooth()
    stored = [{"X": 1.0, "X2": -0.5}, None, 0.5, {"X2": 3.0}]
    channels = np.array([1, 0, 0.5, 0])
    signals = [
        in_ev(),
        lbj.Signal("X2", "spectra", SHAPE, dtype="uint32", axes=in_ev().axes),
        lbj.Signal("I", "image", SHAPE[:2]),
    ]
    with lbj.create(tmp_path / "a.lbj", signals) as writer:
        for cube, shift in zip(cubes, stored, strict=True):
            writer.append({"X": cube, "X2": cube, "I": cube[..., 0]}, energy_shift=shift)
    expected = {
        "X": dense_pull(moved_up(cubes, channels), registration, 1, solve_smooth)[0],
        "X2": dense_pull(moved_up(cubes, np.array([-0.5, 0, 0.5, 3])), registration, 1, solve_smooth)[0],
        "I": dense_pull(cubes[..., :1], registration, 1, solve_smooth)[0][..., 0],
    }
    left_out = Registration(registration.displacement, left_out=[True, False, False, False])
    with lbj.open(tmp_path / "a.lbj") as journal:
        for name, right in expected.items():
            close(accumulate(journal, registration, name), right)
        close(
            accumulate(journal, left_out, "X"),
            dense_pull(moved_up(cubes[1:], channels[1:]), Registration(registration.displacement[1:]), 1, solve_smooth)[
                0
            ],
        )
        plain = accumulate(listed(cubes), registration)
        np.testing.assert_array_equal(accumulate(journal, registration, "X", energy_shift=0), plain)
        twice = accumulate(journal, registration, "X", energy_shift=2 * channels)
        close(twice, dense_pull(moved_up(cubes, 2 * channels), registration, 1, solve_smooth)[0])


def test_shifts_of_pixels_that_a_journal_holds_are_applied(tmp_path):
    cubes, registration = counts(), smooth()
    signal = lbj.Signal("X", "spectra", SHAPE, dtype="uint32", axes=in_ev().axes)
    with lbj.create(tmp_path / "a.lbj", [signal]) as writer:
        for cube in cubes:
            writer.append({"X": cube})
    shift = np.random.default_rng(9).integers(-24, 25, (4, *SHAPE[:2])) / 8
    shift[1, 2, 3], shift[2] = np.nan, np.nan
    write_shifts(tmp_path / "a.lbj", tmp_path / "b.lbj", shift)
    filled = shift.copy()
    filled[1, 2, 3], filled[2] = np.nanmedian(shift[1]), 0  # the frame's; nothing is known of frame 2
    expected, _ = dense_pull(moved_up(cubes, filled), registration, 1, solve_smooth)
    with lbj.open(tmp_path / "b.lbj") as journal:
        close(accumulate(journal, registration, "X"), expected)


def test_the_detectors_of_a_group_share_one_shift(tmp_path):
    cubes, registration = counts(2), smooth(2)
    axes = in_ev().axes
    signals = [lbj.Signal(f"X-{n}", "events", SHAPE, axes=axes, group="X") for n in (1, 2)]
    for name, shift in (("same", {"X-1": 1.0, "X-2": 1.0}), ("differ", {"X-1": 1.0})):
        with lbj.create(tmp_path / f"{name}.lbj", signals) as writer:
            for cube in cubes:
                writer.append({"X-1": cube, "X-2": 2 * cube}, energy_shift=shift)
    with lbj.open(tmp_path / "same.lbj") as journal:
        close(
            accumulate(journal, registration, "X"),
            dense_pull(3 * moved_up(cubes, np.ones(2)), registration, 1, solve_smooth)[0],
        )
    with lbj.open(tmp_path / "differ.lbj") as journal, pytest.raises(lbj.UsageError, match="X-1, X-2"):
        accumulate(journal, registration, "X")


@pytest.mark.parametrize("method", ["pull", "push"])
def test_frames_without_events(method):
    empty = np.zeros((3, *SHAPE), np.uint32)
    assert not accumulate(listed(empty), smooth(3), method=method, upsampling=2).any()
    empty[1] = counts(1)[0]  # one frame in the middle
    pull, push = dense_pull(empty, smooth(3), 1, solve_smooth), dense_push(empty, smooth(3).displacement, 1)
    close(accumulate(listed(empty), smooth(3), method=method), {"pull": pull, "push": push}[method][0])


def test_results_hold_plain_sums_of_one_or_many_frames():
    """Not divided by coverage or upsampling: flat frames give the coverage itself."""
    flat = np.ones((4, *SHAPE[:2], 1), np.uint32)
    for make, s in itertools.product((rigid, smooth, jittered), (1, 2)):
        registration = make()
        np.testing.assert_allclose(
            accumulate(listed(flat), registration, upsampling=s)[..., 0], coverage(registration, s), atol=1e-6
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"registration": rigid(3)}, "3 frames.*4"),
        ({"registration": rigid(4, (13, 16))}, r"\(13, 16\)"),
        ({"upsampling": 0}, "upsampling.*0"),
        ({"upsampling": -1}, "upsampling"),
        ({"upsampling": 1.5}, "upsampling.*1.5"),
        ({"upsampling": True}, "upsampling"),
        ({"method": "pul"}, "method.*'pul'"),
        ({"region": (slice(0, 8, 2), slice(None))}, "rows.*step"),
        ({"region": (slice(None), slice(None, None, -1))}, "columns.*step"),
        ({"region": (slice(0, 2.5), slice(None))}, "rows.*whole"),
        ({"region": (3, slice(None))}, "rows"),
        ({"region": slice(0, 3)}, "region"),
        ({"region": (slice(0, 3),)}, "region"),
        ({"channels": slice(0, 6, 2)}, "channels"),
        ({"channels": 3}, "channels"),
        ({"out": np.zeros((13, 17, 5), np.float32)}, r"out.*\(13, 17, 6\)"),
        ({"out": np.zeros(SHAPE, np.int64)}, "out.*int64"),
        ({"source": []}, "at least one frame"),
        ({"source": [np.zeros((3, 4)), np.zeros((3, 5))]}, "frame 1"),
        ({"source": [lbj.Events([], [], [], (3, 4, 2)), np.zeros((3, 4, 2))]}, "all Events or all arrays"),
        ({"source": np.zeros((4, 2))}, "two navigation axes"),
        ({"source": np.zeros((4, 2, 3, 4, 5))}, "two navigation axes"),
        ({"signal": lbj.Signal("X", "events", (13, 17, 7))}, "X.*7"),
        ({"energy_shift": 0.5}, "eV.*energy_shift=0"),
        ({"signal": in_ev(), "energy_shift": [0.5]}, r"energy_shift.*\(1,\).*4 frames"),
        ({"signal": in_ev(), "energy_shift": np.ones((4, 17, 13))}, r"energy_shift.*\(13, 17\)"),
        ({"signal": in_ev(), "energy_shift": [0, 1, np.nan, 1]}, "frame 2"),
        ({"source": np.zeros((4, 13, 17)), "energy_shift": 0.5}, "image"),
    ],
)
def test_bad_input_is_named(change, message):
    arguments = {"source": listed(counts()), "registration": rigid(), **change}
    with pytest.raises(lbj.UsageError, match=message):
        accumulate(arguments.pop("source"), arguments.pop("registration"), **arguments)


@pytest.mark.parametrize("field", [np.zeros((3, 2, 4)), np.zeros((3, 3, 4, 5)), np.full((1, 2, 3, 3), np.nan), "u"])
def test_bad_displacements_are_named(field):
    with pytest.raises(lbj.UsageError, match="displacement"):
        Registration(displacement=field)


def test_bad_upsampling_of_the_coverage_is_named():
    with pytest.raises(lbj.UsageError, match="upsampling"):
        coverage(rigid(), 0)


def test_axes_of_a_part_at_finer_steps():
    axes = [
        {"name": "y", "offset": 10.0, "scale": 2.0, "units": "m"},
        {"name": "x", "values": [0.0, 1.0, 4.0, 9.0]},
        {"name": "energy", "offset": -5.0, "scale": 10.0, "units": "eV"},
    ]
    signal = lbj.Signal("EDX", "events", (3, 4, 20), axes=axes)
    y, x, energy = result_axes(signal, 2, (slice(2, 6), slice(0, 8)), slice(3, 7))
    # Output row 2 is scene row 0.75, column 1 column 0.25, channel 0 the source's channel 3.
    assert (y["size"], y["offset"], y["scale"]) == (4, 11.5, 1.0)
    assert x["values"][1] == 0.25
    assert (energy["size"], energy["offset"], energy["scale"]) == (4, 25.0, 10.0)
