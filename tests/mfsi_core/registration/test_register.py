"""Registration against the simulator's truth, the Cramér-Rao bound, closed forms and the X-ray maps of a real series."""

import dataclasses
import warnings

import numpy as np
import pytest
from cells import more
from scipy import ndimage

import lbj
from lbj import Signal, UsageError
from lbj.importing import open_source
from mfsi_core import Registration, accumulate, register, simulate
from mfsi_core.registration.incremental import Registrar
from mfsi_core.registration.rigid.align import align
from mfsi_core.registration.rigid.pairs import candidate_shifts

# For perfect or noisy lattices: the warning that frames may lie a lattice period off is justified there.
ties = pytest.mark.filterwarnings("ignore:moving all frames from one on")


def truth_of(series):
    """Mean displacement of each frame, (N, 2)."""
    return series.displacement.mean(axis=(2, 3))


def bound(series):
    """Cramér-Rao bound for one component of one frame's shift, unknown scene, Poisson noise, px rms."""
    y, x = np.indices(series.shape, float)
    h = 1e-3

    def rate(a, b):
        return series.image_counts * series.scene.haadf(series.scene.densities(a, b))

    slopes = np.stack([rate(y + h, x) - rate(y - h, x), rate(y, x + h) - rate(y, x - h)]) / (2 * h)
    fisher = np.einsum("ayx,byx,yx->ab", slopes, slopes, 1 / rate(y, x))
    return np.sqrt(np.trace(np.linalg.inv(fisher)) / 2 * (1 - 1 / len(series)))


def blobs(rng, size, shifts):
    """Images of a field of Gaussian blobs without a lattice, sampled at q + shift; their exact values."""
    centres = rng.uniform(-40, size + 40, (60, 2))
    heights, widths = rng.uniform(0.3, 1, 60), rng.uniform(1.5, 5, 60)
    y, x = np.indices((size, size), float)
    out = []
    for uy, ux in shifts:
        square = (y[..., None] + uy - centres[:, 0]) ** 2 + (x[..., None] + ux - centres[:, 1]) ** 2
        out.append(0.2 + (heights * np.exp(-square / (2 * widths**2))).sum(axis=-1))
    return np.array(out)


@ties
@pytest.mark.parametrize(
    ("shape", "frames", "counts"),
    [
        more((64, 64), 8, 500.0),
        ((50, 70), 8, 50.0),
        ((64, 64), 2, 20.0),
        more((64, 64), 12, 5.0),
        more((64, 64), 20, 1.0),
        ((64, 64), 20, 0.3),
    ],
)
def test_shift_error_is_near_the_cramer_rao_bound(shape, frames, counts):
    ratios = []
    for seed in range(1000, 1002):
        series = simulate(shape, frames, 1, seed, image_counts=counts, walk=0.3)
        found = register(series.images)
        ratios.append(np.mean((found.shift - truth_of(series)) ** 2) / max(bound(series), 0.003) ** 2)
        error = found.displacement - series.displacement
        assert np.sqrt(np.mean((error - error.mean(axis=0)) ** 2)) < max(3 * bound(series), 0.02)
    assert np.sqrt(np.mean(ratios)) < 1.7


def row_bound(series, jitter):
    """Bayesian Cramér-Rao bound for white jitter of rows, px rms: scene and variance known, frames free to shift."""
    rows = series.shape[0]
    prior = np.zeros((2 * rows, 2 * rows))
    for a in range(2):
        prior[a::2, a::2] = 1e4 + np.eye(rows) * jitter[a] ** 2
    inverse, total, h, i = np.linalg.inv(prior), 0.0, 1e-3, np.arange(rows)

    def rate(a, b):
        return series.image_counts * series.scene.haadf(series.scene.densities(a, b))

    some = range(0, len(series), 3)  # the bound hardly differs from frame to frame
    for n in some:
        y, x = series.positions(n)
        down, right = ((rate(y + h * (1 - a), x + h * a) - rate(y - h * (1 - a), x - h * a)) / (2 * h) for a in (0, 1))
        fisher = np.zeros_like(prior)
        for a, b, product in ((0, 0, down * down), (1, 1, right * right), (0, 1, down * right), (1, 0, down * right)):
            fisher[2 * i + a, 2 * i + b] = (product / rate(y, x)).sum(axis=1)
        total += np.trace(np.linalg.inv(fisher + inverse)) / (2 * rows)
    return np.sqrt(total / len(some) * (1 - 1 / len(series)))


@pytest.mark.parametrize("counts", [8.0, more(40.0), 200.0])
def test_field_error_is_near_the_bayesian_bound_and_predicted(counts):
    ratios, predictions = [], []
    for seed in (31, 32):
        series = simulate((80, 90), 8, 1, seed, image_counts=counts, jitter=(0.35, 0.5), walk=0.2)
        found = register(series.images)
        error = found.displacement - series.displacement
        error -= error.mean(axis=0)  # a displacement that is the same in all frames cannot be seen
        ratios.append(np.mean(error**2) / row_bound(series, (0.35, 0.5)) ** 2)
        predictions.append(found.predicted_error / np.sqrt(np.mean(error**2)))
    assert np.sqrt(np.mean(ratios)) < 1.4
    assert 0.8 < np.mean(predictions) < 1.2


def test_displacement_follows_rows_and_within_rows_and_gain():
    """A scene without a lattice; the displacement curves along each row, and frames differ in brightness."""
    rng = np.random.default_rng(8)
    size, frames = 64, 10
    centres, widths = rng.uniform(-10, size + 10, (70, 2)), rng.uniform(1.2, 2.5, 70)
    y, x = np.indices((size, size), float)
    along = np.linspace(-1, 1, size)
    truth = rng.normal(0, 0.4, (frames, 2, size, 1)) + rng.normal(0, 0.2, (frames, 2, size, 1)) * along
    truth += np.cumsum(rng.normal(0, 0.3, (frames, 2)), axis=0)[:, :, None, None]
    truth -= truth.mean(axis=0)
    images = []
    for n, (uy, ux) in enumerate(truth):
        square = (y + uy - centres[:, 0, None, None]) ** 2 + (x + ux - centres[:, 1, None, None]) ** 2
        rate = 0.1 + np.exp(-square / (2 * widths[:, None, None] ** 2)).sum(axis=0)
        images.append((1 + 0.1 * n) * rng.poisson(200 * rate) + 30 * n)
    found = register(np.array(images))
    error = found.displacement - truth
    error -= error.mean(axis=0)
    rows = truth - truth.mean(axis=(2, 3), keepdims=True)
    assert np.sqrt(np.mean(rows**2)) > 0.35
    assert np.sqrt(np.mean(error**2)) < 0.2


def test_steady_drift_shears_every_frame():
    """A shear that is the same in all frames cannot be seen; it is inferred from the drift from frame to frame."""
    series = simulate((60, 50), 8, 1, 5, image_counts=100.0, drift=(0.8, -0.6), walk=0.02)
    found = register(series.images)
    assert np.abs(found.displacement - series.displacement).max() < 0.12
    assert np.abs(found.displacement.mean(axis=(0, 2, 3))).max() < 1e-5


def humming(turn):
    """Series with a hum of 11 cycles a frame, whose phase advances by `turn` cycles from frame to frame."""
    still = simulate((64, 50), 10, 1, 6, image_counts=100.0, walk=0.05)
    phase = 2 * np.pi * (11 * np.arange(64) / 64 + turn * np.arange(10)[:, None])
    wave = np.zeros_like(still.displacement)
    wave[:, 1] = 0.5 * np.sin(phase)[..., None]
    return dataclasses.replace(still, displacement=still.displacement + wave)


@pytest.mark.parametrize(("turn", "left"), [(0.03, 0.04), more(0.06, 0.02)])
def test_a_hum_nearly_in_step_is_taken_out_of_all_frames(turn, left):
    series = humming(turn)
    found = register(series.images)  # no warning
    truth = series.displacement.mean(axis=0)[1, :, 0]
    assert np.ptp(truth) > 0.4
    assert np.std(found.displacement.mean(axis=0)[1, :, 0] - truth) < left
    error = found.displacement - series.displacement
    assert np.sqrt(np.mean((error - error.mean(axis=0)) ** 2)) < 2 * found.predicted_error


@ties
@pytest.mark.parametrize(
    ("shape", "frames", "counts"), [((64, 48), 12, 5.0), ((40, 64), 5, 40.0), more((64, 64), 8, 300.0)]
)
def test_jitter_is_no_hum(shape, frames, counts):
    for seed in range(2):
        register(simulate(shape, frames, 1, 90 + seed, image_counts=counts, jitter=(0.3, 0.4)).images)  # no warning


def test_rows_displaced_alike_in_all_frames_are_seen_where_frames_are_shifted():
    """Where frames are shifted by pixels, a distortion common to all frames can be told from the scene (no lattice)."""
    rng = np.random.default_rng(12)
    size, frames = 72, 8
    centres, widths = rng.uniform(-12, size + 12, (90, 2)), rng.uniform(1.2, 2.5, 90)
    y, x = np.indices((size, size), float)
    rows = rng.normal(0, 0.3, (1, 2, size, 1)) + rng.normal(0, 0.2, (frames, 2, size, 1))
    truth = rows + rng.uniform(-3, 3, (frames, 2))[:, :, None, None]
    truth = np.broadcast_to(truth - truth.mean(axis=(0, 2, 3), keepdims=True), (frames, 2, size, size))
    images = []
    for uy, ux in truth:
        square = (y + uy - centres[:, 0, None, None]) ** 2 + (x + ux - centres[:, 1, None, None]) ** 2
        images.append(rng.poisson(200 * (0.1 + np.exp(-square / (2 * widths[:, None, None] ** 2)).sum(axis=0))))
    found = register(np.array(images)).displacement
    common = truth.mean(axis=0)[:, 4:-4]
    assert np.sqrt(np.mean(common**2)) > 0.25
    assert np.sqrt(np.mean((found.mean(axis=0)[:, 4:-4] - common) ** 2)) < 0.15


def test_areas_are_registered_each_for_itself_or_modulo_the_lattice():
    first = simulate((60, 60), 5, 1, 21, image_counts=60.0)
    second = simulate((60, 60), 5, 1, 22, image_counts=60.0, drift=(-0.2, 0.3))
    images, regions = np.concatenate([first.images, second.images]), [3] * 5 + [7] * 5
    found = register(images, regions=regions)
    assert not found.modulo_lattice
    np.testing.assert_array_equal(found.region, regions)
    for part, series in ((slice(0, 5), first), (slice(5, 10), second)):
        assert np.abs(found.shift[part] - truth_of(series)).max() < 0.05
    with pytest.raises(UsageError, match="2 areas"):
        accumulate(images, found)
    both = register(images, regions=regions, across=True)
    assert both.modulo_lattice
    assert np.abs(both.shift.mean(axis=0)).max() < 1e-5
    summed = accumulate(images, both)[8:-8, 8:-8]
    one = accumulate(images[:5], both.subset(slice(0, 5)))[8:-8, 8:-8]
    assert summed.std() / summed.mean() > 0.85 * one.std() / one.mean()


def test_a_journal_is_registered_by_its_images(tmp_path):
    series = simulate((40, 44), 5, 64, 3, image_counts=50.0)
    series.save(tmp_path / "a.lbj")
    with lbj.open(tmp_path / "a.lbj") as journal:
        np.testing.assert_array_equal(register(journal).displacement, register(series.images).displacement)
        with pytest.raises(UsageError, match="no image"):
            register(journal, signal="EDX")


def test_frames_pushed_one_at_a_time():
    series = simulate((40, 44), 6, 1, 3, image_counts=50.0)
    registrar = Registrar()
    with pytest.raises(UsageError, match="push a frame"):
        registrar.registration  # noqa: B018
    for image in series.images:
        registrar.push(image)
    assert np.abs(registrar.registration.displacement - series.displacement).max() < 0.1
    with pytest.raises(UsageError, match="frame 6 is of"):
        registrar.push(np.zeros((3, 3)))


def test_displacement_is_the_shift_everywhere_with_zero_mean():
    series = simulate((40, 31), 6, 1, 3, image_counts=30.0)
    found = register(series.images)
    assert found.displacement.shape == (6, 2, 40, 31)
    assert found.displacement.dtype == np.float32
    assert np.abs(found.displacement - series.displacement).max() < 0.2
    assert np.abs(found.displacement.mean(axis=(0, 2, 3))).max() < 1e-6
    assert found.frame_error.shape == (6,)
    assert not found.left_out.any()


@pytest.mark.parametrize("elements", [("Sr",), more(("Ca", "Ti", "O"))])
def test_steady_drift_over_several_lattice_periods_hops_none(elements):
    for seed in range(2):
        series = simulate(
            (80, 72), 24, 1, seed, elements=elements, image_counts=6.0, spacing=8.0, drift=(0.7, -0.3), walk=0.2
        )
        truth = truth_of(series)
        assert np.ptp(truth[:, 0]) > 1.5 * 8
        assert np.abs(register(series.images).shift - truth).max() < 0.5


@ties
@pytest.mark.parametrize("counts", [more(20.0), 1.0])
def test_jitter_and_random_walk_hop_none(counts):
    for seed in range(2):
        series = simulate(
            (64, 64), 20, 1, 50 + seed, image_counts=counts, drift=(0.3, -0.2), walk=0.5, jitter=(0.35, 0.5)
        )
        assert np.abs(register(series.images).shift - truth_of(series)).max() < 1.0


@pytest.mark.parametrize("shape", [(200, 200), more((180, 320))])
def test_frames_of_many_pixels_hop_none(shape):
    """Correlation peaks between grid points must be as high as those on grid points, or frames hop a lattice period."""
    for seed in range(2):
        series = simulate(shape, 6, 1, 70 + seed, image_counts=8.0, walk=0.5, jitter=(0.1, 0.15))
        assert np.abs(align(series.images.astype(float))[0] - truth_of(series)).max() < 1.0


def test_the_shortest_shift_is_a_candidate_even_where_rows_hide_it():
    series = simulate((200, 200), 2, 1, 3502, image_counts=40.0, jitter=(0.35, 0.5))
    pairs = candidate_shifts(series.images / series.images.max())
    truth = truth_of(series)
    assert np.hypot(*(pairs.shift[0] - (truth[0] - truth[1])).T).min() < 1.0


@ties
@pytest.mark.filterwarnings("ignore:rows of the lattice run along the scan")
@pytest.mark.parametrize("counts", [more(40.0), 8.0])
def test_a_perfect_crystal_aligned_with_the_scan_offers_hops_and_none_is_taken(counts):
    y, x = np.indices((96, 96), float)
    for seed in range(2):
        rng = np.random.default_rng(seed)
        shifts = np.cumsum(rng.normal(0, 0.3, (8, 2)), axis=0)
        shifts -= shifts.mean(axis=0)
        rows = shifts[:, :, None] + rng.normal(0, 1, (8, 2, 96)) * np.array([0.35, 0.5])[:, None]
        images = []
        for uy, ux in rows[..., None]:
            near = np.exp((np.cos(2 * np.pi * (y + uy) / 8) + np.cos(2 * np.pi * (x + ux) / 8) - 2) / 1.2)
            images.append(rng.poisson(counts * (0.1 + near) / (0.1 + near).mean()))
        found = register(np.array(images)).displacement.mean(axis=(2, 3))
        truth = rows.mean(axis=2)
        assert np.abs(found - (truth - truth.mean(axis=0))).max() < 1.0


def test_jumps_of_a_third_of_the_field_without_a_lattice():
    rng = np.random.default_rng(4)
    shifts = rng.uniform(-16, 16, (8, 2))
    shifts -= shifts.mean(axis=0)
    found = register(rng.poisson(50 * blobs(rng, 96, shifts)))
    assert np.abs(found.shift - shifts).max() < 0.3


def test_brightness_contrast_and_offset_may_drift():
    rng = np.random.default_rng(5)
    shifts = rng.uniform(-2, 2, (10, 2))
    shifts -= shifts.mean(axis=0)
    images = blobs(rng, 64, shifts)
    fading = np.linspace(1, 0.3, 10)[:, None, None]
    noise = rng.normal(0, 0.02, images.shape)
    assert np.abs(register(fading * images + 3 * fading + noise).shift - shifts).max() < 0.05


@pytest.mark.parametrize("dtype", ["uint8", more("uint16"), more("int32"), "float32", "bool"])
def test_any_real_type_and_scale(dtype):
    series = simulate((40, 40), 5, 1, 9, image_counts=20.0, walk=1.0)
    images = series.images > 20 if dtype == "bool" else series.images.astype(dtype)
    truth = truth_of(series)
    found = register(images).shift
    assert np.abs(found - truth).max() < (0.2 if dtype == "bool" else 0.06)
    scaled = register(images.astype(float) * 1e9 - 3e9).shift
    assert np.abs(scaled - found).max() < 1e-3
    listed = register([np.asfortranarray(image) for image in images]).shift
    np.testing.assert_allclose(listed, found, atol=1e-6)


def test_static_scan_artefacts_do_not_win():
    """A pattern that stands still in the frame, with a tenth of the scene's contrast, as scan artefacts do."""
    rng = np.random.default_rng(6)
    shifts = np.stack([np.linspace(-2, 2, 12), np.linspace(1, -1, 12)], axis=1)
    images = blobs(rng, 64, shifts)
    static = 0.1 * images.std() * rng.normal(0, 1, (64, 64))
    found = register(images + static + rng.normal(0, 0.01, images.shape)).shift
    assert np.abs(found - shifts).max() < 0.2


def test_one_frame_does_not_move():
    found = register(np.random.default_rng(0).random((1, 7, 5)))
    assert not found.displacement.any()
    assert not found.left_out.any()


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_frames_of_one_pixel_do_not_move(frames):
    for images in (np.ones((frames, 1, 1)), np.arange(frames, dtype=float).reshape(-1, 1, 1)):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = register(images)
        assert found.displacement.shape == (frames, 2, 1, 1)
        assert not found.displacement.any()
        assert not found.left_out.any()


@pytest.mark.parametrize("shape", [(1, 9), (9, 1), (2, 2), (2, 7), (3, 3), (5, 4), (1, 2), (4, 64)])
@pytest.mark.parametrize("frames", [2, 3, 7])
def test_tiny_frames_give_finite_shifts_with_zero_mean(shape, frames):
    images = np.random.default_rng(sum(shape) + frames).poisson(5, (frames, *shape)) + np.eye(*shape)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "[0-9]+ of [0-9]+ frames (are blank|show too little)", UserWarning)
        found = register(images)
    assert np.isfinite(found.displacement).all()
    assert np.abs(found.shift.mean(axis=0)).max() < 1e-5
    assert np.abs(found.shift).max() <= max(shape)
    for axis in range(2):
        assert shape[axis] > 1 or not found.shift[:, axis].any()


def test_a_line_scan_is_registered_along_the_line():
    rng = np.random.default_rng(11)
    place = rng.uniform(0, 200, 25)
    shifts = rng.uniform(-2, 2, 6)
    shifts -= shifts.mean()
    lines = [sum(np.exp(-((np.arange(200) + u - c) ** 2) / 8) for c in place) for u in shifts]
    images = rng.poisson(200 * np.array(lines)[:, None, :])
    for stack, axis in ((images, 1), (images.transpose(0, 2, 1), 0)):
        found = register(stack).shift
        assert np.abs(found[:, axis] - shifts).max() < 0.1
        assert not found[:, 1 - axis].any()


def test_equal_frames_do_not_move():
    image = blobs(np.random.default_rng(1), 32, [(0, 0)])
    assert np.abs(register(np.repeat(image, 4, axis=0)).shift).max() < 1e-3


@pytest.mark.parametrize("bad", ["blank", "zero", "nan", "inf"])
def test_useless_frames_are_left_out_and_the_rest_is_registered(bad):
    images = simulate((40, 40), 6, 1, 13, image_counts=40.0).images.astype(float)
    spoilt = images.copy()
    spoilt[2] = {"blank": 7.0, "zero": 0.0, "nan": np.nan, "inf": np.inf}[bad]
    with pytest.warns(UserWarning, match="1 of 6 frames .* left out: 2"):
        found = register(spoilt)
    assert found.left_out.tolist() == [False, False, True, False, False, False]
    assert not found.displacement[2].any()
    rest = [0, 1, 3, 4, 5]
    np.testing.assert_allclose(found.shift[rest], register(images[rest]).shift, atol=1e-3)


@pytest.mark.parametrize(("shape", "frames"), [((16, 16), 3), ((64, 64), 2), ((40, 60), 10), ((1, 50), 4)])
def test_noise_alone_is_not_registered(shape, frames):
    for seed in range(4):
        images = np.random.default_rng(seed).poisson(5.0, (frames, *shape))
        with pytest.warns(UserWarning, match=f"{frames} of {frames} frames show too little"):
            found = register(images)
        assert not found.displacement.any()
        assert not found.left_out.any()
        assert found.predicted_error == np.inf


def test_a_frame_of_noise_does_not_disturb_the_others():
    series = simulate((48, 48), 8, 1, 17, image_counts=20.0)
    images = series.images.copy()
    images[5] = np.random.default_rng(0).poisson(images.mean(), images.shape[1:])
    with pytest.warns(UserWarning, match="1 of 8 frames resemble the others no more than noise would .*: 5"):
        found = register(images)
    rest = [0, 1, 2, 3, 4, 6, 7]
    truth = truth_of(series)[rest]
    assert np.abs(found.shift[rest] - (truth - truth.mean(axis=0))).max() < 0.05
    assert not found.displacement[5].any()
    assert np.isfinite(found.frame_error[rest]).all()
    np.testing.assert_array_equal(np.flatnonzero(found.left_out), [5])
    assert found.predicted_error < 0.05


def test_frames_of_another_place_are_left_out():
    rng = np.random.default_rng(3)
    places = [ndimage.gaussian_filter(rng.normal(0, 1, (80, 80)), 1.3) for _ in range(2)]
    images = rng.poisson([40 * (1 + 2 * np.clip(places[n > 3], -0.4, 0.4)) for n in range(7)])
    with pytest.warns(UserWarning, match="3 of 7 frames resemble the others no more than noise would .*: 4, 5, 6"):
        found = register(images)
    np.testing.assert_array_equal(np.flatnonzero(found.left_out), [4, 5, 6])


def test_all_frames_useless():
    with pytest.warns(UserWarning, match="3 of 3 frames"):
        found = register(np.zeros((3, 8, 8)))
    assert found.left_out.all()
    assert not found.displacement.any()


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((4, 4)),
        np.zeros((0, 4, 4)),
        np.zeros((2, 0, 4)),
        np.zeros((2, 4, 4), complex),
        [np.zeros((4, 4)), np.zeros((4, 5))],
        [["a", "b"], ["c", "d"]],
    ],
)
def test_wrong_images_are_a_usage_error(images):
    with pytest.raises(UsageError):
        register(images)


def test_images_and_oxide_maps_of_a_real_series_agree(shared_data):
    """Oxygen and aluminium maps of oxide spheres are independent of the images and of the growing contamination."""
    source = open_source([shared_data / "jeol" / "64.pts"])
    axis = next(signal for signal in source.signals if signal.name == "EDX").axes[-1]
    images, maps = [], []
    for data, _ in source.frames:
        images.append(next(value for name, value in data.items() if name != "EDX"))
        energy = axis["offset"] + axis["scale"] * data["EDX"].channel
        line = (np.abs(energy - 525) < 65) | (np.abs(energy - 1487) < 65)
        counts = data["EDX"].count[line]
        maps.append(np.bincount(data["EDX"].pixel[line], counts, 64 * 64).reshape(64, 64))
    groups = np.array(maps).reshape(10, 5, 64, 64).sum(axis=1)
    smooth = ndimage.gaussian_filter(groups.mean(axis=0), 0.6) + 0.2
    tried = np.arange(-1, 1.01, 0.1)
    inner = (slice(4, -4), slice(4, -4))
    likelihood = np.empty((10, tried.size))
    for k, u in enumerate(tried):
        expected = np.maximum(ndimage.shift(smooth, (-u, 0), order=3, mode="nearest"), 0.02)[inner]
        scaled = expected * groups[(slice(None), *inner)].sum(axis=(1, 2), keepdims=True) / expected.sum()
        likelihood[:, k] = (groups[(slice(None), *inner)] * np.log(scaled) - scaled).sum(axis=(1, 2))
    at = np.clip(likelihood.argmax(axis=1), 1, tried.size - 2)
    left, middle, right = (likelihood[np.arange(10), at + k] for k in (-1, 0, 1))
    from_maps = tried[at] + 0.05 * (left - right) / (left + right - 2 * middle)
    from_images = register(images).shift[:, 0].reshape(10, 5).mean(axis=1)
    difference = (from_images - from_images.mean()) - (from_maps - from_maps.mean())
    assert np.ptp(from_maps) > 0.3
    assert np.abs(difference).max() < 0.2


class TestRegistration:
    def test_from_known_displacements(self):
        field = np.random.default_rng(0).normal(0, 1, (3, 2, 4, 5))
        found = Registration(displacement=field)
        np.testing.assert_array_equal(found.displacement, field.astype(np.float32))
        np.testing.assert_allclose(found.shift, field.mean(axis=(2, 3)))
        assert np.isnan(found.predicted_error)
        assert len(found) == 3
        assert found.shape == (4, 5)

    @pytest.mark.parametrize(
        "field",
        [
            np.zeros((2, 4, 4)),
            np.zeros((2, 3, 4, 4)),
            np.zeros((0, 2, 4, 4)),
            np.full((1, 2, 3, 3), np.nan),
            np.zeros((1, 2, 3, 3), complex),
        ],
    )
    def test_wrong_displacements(self, field):
        with pytest.raises(UsageError, match="displacement"):
            Registration(field)

    def test_left_out_must_fit(self):
        with pytest.raises(UsageError, match="left_out"):
            Registration(np.zeros((3, 2, 2, 2)), left_out=[True])

    def test_on_a_signal_of_the_same_pixels_is_itself(self):
        found = Registration(np.zeros((2, 2, 4, 5)))
        assert found.on(Signal("EDX", "events", (4, 5, 10))) is found

    def test_on_a_signal_of_other_pixels_needs_to_field(self):
        with pytest.raises(UsageError, match="to_field"):
            Registration(np.zeros((2, 2, 4, 5))).on(Signal("EDX", "events", (8, 10, 10)))

    def test_on_a_coarser_signal(self):
        """An image scanned four times finer than its spectra; the field's coordinates are the spectra's pixels."""
        y, x = np.indices((40, 48), float)
        plane = np.stack([0.02 * y - 0.01 * x + 2, 0.03 * x - 1])
        to_field = [[0.25, 0, -0.375], [0, 0.25, -0.375]]
        fine = Registration(plane[None], predicted_error=0.4, to_field=to_field)
        coarse = fine.on(Signal("EDX", "events", (10, 12, 3)))
        row, column = np.indices((10, 12)) * 4 + 1.5
        expected = np.stack([0.02 * row - 0.01 * column + 2, 0.03 * column - 1]) / 4
        np.testing.assert_allclose(coarse.displacement[0], expected, atol=1e-6)
        assert coarse.predicted_error == pytest.approx(0.1)

    def test_on_a_turned_signal(self):
        """The image's rows run along the field's columns."""
        turned = [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
        found = Registration.rigid([[1.5, -0.5]], (6, 4), to_field=turned).on(Signal("EDX", "events", (4, 6, 2)))
        np.testing.assert_allclose(found.shift, [[-0.5, 1.5]])
