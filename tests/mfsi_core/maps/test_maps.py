"""X-ray line maps by windows: net counts, their variance, alignment, and warnings of overlaps."""

import numpy as np
import pytest
from scipy import stats
from scipy.ndimage import map_coordinates

import lbj
from mfsi_core import Map, Registration, element_maps, line_map, map_snr, simulate

STEP = 10.0  # eV per channel
ENERGY = 5.0 + STEP * np.arange(300)
WINDOW, BELOW, ABOVE = (1400, 1600), (1200, 1350), (1650, 1750)


def declared(shape, kind="events"):
    axis = {"name": "energy", "size": 300, "offset": 5.0, "scale": STEP, "units": "eV"}
    return lbj.Signal("EDX", kind, shape, axes=[{"name": "y"}, {"name": "x"}, axis])


SIGNAL = declared((40, 50, 300))


def part(window):
    return (ENERGY >= window[0]) & (ENERGY < window[1])


def rates(shape=(40, 50), level=20.0, seed=0):
    """A peak of known strength on a sloping background: expected counts, and those of the peak in the window."""
    strength = np.random.default_rng(seed).uniform(200, 800, shape)
    profile = np.diff(stats.norm(1500, 30).cdf(np.append(ENERGY - STEP / 2, ENERGY[-1] + STEP / 2)))
    background = level * (1.5 - ENERGY / 3000)
    return strength[..., None] * profile + background, strength * profile[part(WINDOW)].sum()


def chi_square(pulls, chance=1e-6):
    """Whether sum of squares and mean of standard normal numbers are as likely as not."""
    low, high = stats.chi2(pulls.size).ppf([chance, 1 - chance])
    assert low < (pulls**2).sum() < high
    assert abs(pulls.mean()) * np.sqrt(pulls.size) < stats.norm.isf(chance)


def test_net_counts_lie_within_the_predicted_variance():
    mean, net = rates()
    found = line_map(np.random.default_rng(1).poisson(mean), WINDOW, (BELOW, ABOVE), SIGNAL)
    chi_square((found.values - net) / np.sqrt(found.variance))


def test_a_line_on_a_straight_background_is_found_exactly():
    mean, net = rates()
    np.testing.assert_allclose(line_map(mean, WINDOW, (BELOW, ABOVE), SIGNAL).values, net, rtol=1e-3)
    beside = line_map(mean, (2000, 2100), ((1800, 1900), (2300, 2400)), SIGNAL)
    np.testing.assert_allclose(beside.values, 0, atol=1e-9)


def test_what_is_not_finite_spoils_the_maps_of_its_own_channels_alone():
    mean, _ = rates((6, 7))
    clean = line_map(mean, WINDOW, (BELOW, ABOVE), declared((6, 7, 300), "spectra"))
    holed = mean.copy()
    holed[2, 3, [2, 299]] = np.nan, np.inf  # far from the windows
    found = line_map(holed, WINDOW, (BELOW, ABOVE), declared((6, 7, 300), "spectra"))
    np.testing.assert_allclose(found.values, clean.values)
    np.testing.assert_allclose(found.variance, clean.variance)
    holed[2, 3, 150] = np.nan  # within
    found = line_map(holed, WINDOW, (BELOW, ABOVE), declared((6, 7, 300), "spectra"))
    assert np.argwhere(~np.isfinite(found.values)).tolist() == [[2, 3]]


def independent_net(cube):
    """The straight line through the mean counts of both background windows, written out."""
    at = [ENERGY[part(window)].mean() for window in (BELOW, ABOVE)]
    level = [cube[..., part(window)].mean(axis=-1) for window in (BELOW, ABOVE)]
    slope = (level[1] - level[0]) / (at[1] - at[0])
    under = level[0][..., None] + slope[..., None] * (ENERGY[part(WINDOW)] - at[0])
    return (cube[..., part(WINDOW)] - under).sum(axis=-1)


def test_net_counts_are_the_window_less_the_straight_line():
    cube = np.random.default_rng(2).poisson(rates()[0])
    np.testing.assert_allclose(line_map(cube, WINDOW, (BELOW, ABOVE), SIGNAL).values, independent_net(cube), rtol=1e-9)


def test_variance_is_that_of_poisson_counts_in_a_linear_sum():
    """The response to one count in each channel gives its weight; variances add with the weights squared."""
    weight = line_map(np.eye(300)[None], WINDOW, (BELOW, ABOVE), declared((1, 300, 300))).values[0]
    cube = np.random.default_rng(10).poisson(rates(level=8.0)[0])
    found = line_map(cube, WINDOW, (BELOW, ABOVE), SIGNAL)
    np.testing.assert_allclose(found.values, cube @ weight, atol=1e-9)
    np.testing.assert_allclose(found.variance, cube @ weight**2, rtol=1e-9)


def test_predicted_variance_is_that_of_many_draws():
    mean, _ = rates((5, 6), 3.0)
    signal = declared(mean.shape)
    rng = np.random.default_rng(3)
    maps = [line_map(rng.poisson(mean), WINDOW, (BELOW, ABOVE), signal) for _ in range(600)]
    spread = np.var([one.values for one in maps], axis=0, ddof=1).mean()
    predicted = np.mean([one.variance for one in maps])
    assert abs(spread / predicted - 1) < 5 * np.sqrt(2 / (599 * 30))


def test_predicted_variance_of_an_aligned_series_is_that_of_many_draws():
    mean, _ = rates((6, 7), 3.0)
    signal = declared(mean.shape)
    moved = Registration.rigid([[0.3, -0.4], [-0.3, 0.4]], (6, 7))
    rng = np.random.default_rng(4)
    maps = []
    for _ in range(400):
        frames = [lbj.Events.from_dense(rng.poisson(mean)) for _ in range(2)]
        maps.append(line_map(frames, WINDOW, (BELOW, ABOVE), signal, moved))
    inside = np.s_[1:-1, 1:-1]
    spread = np.var([one.values for one in maps], axis=0, ddof=1)[inside].mean()
    predicted = np.mean([one.variance[inside] for one in maps])
    # Neighbouring pixels share counts: as if there were a quarter of the 20.
    assert abs(spread / predicted - 1) < 5 * np.sqrt(2 / (399 * 5))


def test_every_kind_of_source_gives_the_same_map(tmp_path):
    rng = np.random.default_rng(5)
    frames = [rng.poisson(rates(level=0.5)[0] / 50) for _ in range(3)]
    expected = line_map(sum(frames), WINDOW, (BELOW, ABOVE), SIGNAL)
    with lbj.create(tmp_path / "a.lbj", [SIGNAL]) as writer:
        for frame in frames:
            writer.append({"EDX": frame.astype(np.uint32)})
    events = [lbj.Events.from_dense(frame) for frame in frames]
    still = Registration.rigid(np.zeros((3, 2)), (40, 50))
    with lbj.open(tmp_path / "a.lbj") as journal:
        for source, more in (
            (journal, {}),
            (events, {}),
            (lbj.Events.sum(events), {}),
            (np.stack(frames), {}),
            (events, {"registration": still}),
            (journal, {"registration": still}),
        ):
            found = line_map(source, WINDOW, (BELOW, ABOVE), "EDX" if source is journal else SIGNAL, **more)
            np.testing.assert_allclose(found.values, expected.values, rtol=1e-9, atol=1e-9)
            np.testing.assert_allclose(found.variance, expected.variance, rtol=1e-9)
        part_of_it = line_map(journal, WINDOW, (BELOW, ABOVE), frames=slice(0, None, 2))
        np.testing.assert_allclose(part_of_it.values, independent_net(frames[0] + frames[2]), atol=1e-9)


def test_an_aligned_map_is_the_sum_of_interpolated_frames():
    rng = np.random.default_rng(6)
    frames = [rng.poisson(rates(level=0.5)[0] / 50) for _ in range(3)]
    shift = np.float32([[1.3, -0.6], [-2.1, 0.2], [0.8, 0.4]])
    y, x = np.indices((40, 50), float)
    expected = np.zeros((40, 50))
    for (uy, ux), frame in zip(shift.astype(float), frames, strict=True):
        expected += map_coordinates(independent_net(frame), [y - uy, x - ux], order=1, mode="constant")
    registration = Registration.rigid(shift, (40, 50))
    events = [lbj.Events.from_dense(frame) for frame in frames]
    found = line_map(events, WINDOW, (BELOW, ABOVE), SIGNAL, registration)
    np.testing.assert_allclose(found.values, expected, atol=1e-6 * expected.max())
    left = Registration(registration.displacement, left_out=[False, True, False])
    kept = Registration(registration.displacement[::2])
    one = line_map(events, WINDOW, (BELOW, ABOVE), SIGNAL, left)
    np.testing.assert_array_equal(one.values, line_map(events[::2], WINDOW, (BELOW, ABOVE), SIGNAL, kept).values)


def test_backgrounds_are_chosen_beside_the_line():
    mean, net = rates()
    found = line_map(mean, WINDOW, signal=SIGNAL)
    (low, below), (above, high) = found.background
    assert low < below <= WINDOW[0] < WINDOW[1] <= above < high
    assert below - low == pytest.approx(100)  # half as wide as the window
    assert high - above == pytest.approx(100)
    np.testing.assert_allclose(found.values, net, rtol=0.01)
    with pytest.warns(UserWarning, match="both background windows lie above"):
        first = line_map(mean, (0, 200), signal=SIGNAL).background
    assert all(low >= 200 for low, _ in first)  # no room below: both lie above
    with pytest.warns(UserWarning, match="both background windows lie below"):
        last = line_map(mean, (2800, 3000), signal=SIGNAL).background
    assert all(high <= 2800 for _, high in last)


@pytest.mark.parametrize(
    ("window", "background", "message"),
    [
        ((1600, 1400), None, "window must run from low to high.*1600"),
        ((1500, 1500), None, "window must run"),
        ((2900, 3100), None, "window.*leaves the axis.*0 to 3000"),
        ((-50, 100), None, "window.*leaves the axis"),
        ((1501, 1504), None, "window.*no channel.*10 eV apart"),
        (1500, None, "window must be a pair"),
        (("a", "b"), None, "window must be a pair"),
        ((float("nan"), 1500), None, "window must run"),
        ((0, 3000), None, "no room for a background"),
        (WINDOW, ((1300, 1200), ABOVE), "lower background window must run"),
        (WINDOW, (BELOW, (2900, 3300)), "upper background window.*leaves the axis"),
        (WINDOW, ((1300, 1450), ABOVE), "overlap the window"),
        (WINDOW, (BELOW, (1550, 1700)), "overlap the window"),
        (WINDOW, (BELOW, (1300, 1360)), "must not overlap"),
    ],
)
def test_bad_windows_are_named(window, background, message):
    with pytest.raises(lbj.UsageError, match=message):
        line_map(
            np.ones((2, 3, 300)),
            window,
            background,
            declared((2, 3, 300), "spectra"),
        )


def test_windows_are_channels_where_no_axis_is_known():
    cube = np.zeros((2, 3, 40))
    cube[..., 10:14] = 5
    cube[0, 1, 10:14] = 7
    found = line_map(cube, (10, 14), ((4, 8), (20, 24)))
    np.testing.assert_array_equal(found.values, cube.sum(axis=-1))
    np.testing.assert_array_equal(found.variance, cube.sum(axis=-1))


def test_an_image_has_no_lines(tmp_path):
    with lbj.create(tmp_path / "a.lbj", [lbj.Signal("HAADF", "image", (4, 5))]) as writer:
        writer.append({"HAADF": np.ones((4, 5), np.uint16)})
    with lbj.open(tmp_path / "a.lbj") as journal, pytest.raises(lbj.UsageError, match="spectra, got image 'HAADF'"):
        line_map(journal, (1, 2), signal="HAADF")
    with pytest.raises(lbj.UsageError, match="two navigation axes"):
        line_map(np.ones((4, 5)), (1, 2))


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1)])
def test_small_maps(shape):
    cube = np.random.default_rng(7).poisson(9, (*shape, 300))
    found = line_map(
        [lbj.Events.from_dense(cube)],
        WINDOW,
        (BELOW, ABOVE),
        declared(cube.shape),
    )
    np.testing.assert_allclose(found.values, independent_net(cube), atol=1e-9)


def test_an_empty_frame_has_a_map_of_nothing():
    found = line_map(lbj.Events([], [], [], (3, 4, 60)), (20, 30))
    assert found.values.shape == found.variance.shape == (3, 4)
    assert not found.values.any()
    assert not found.variance.any()


def test_element_maps_by_windows_of_a_simulated_series():
    series = simulate((24, 24), 4, 1024, 3, elements=("Sr", "Ti", "Al"), counts=4e5, drift=(0, 0), walk=0.0)
    found = element_maps(series.events, ["Sr", "Ti", "Al", "Sr"], series.signals[0], method="windows")
    assert {name: one.line for name, one in found.items()} == {"Sr": "Sr_Ka", "Ti": "Ti_Ka", "Al": "Al_Ka"}
    energy = series.signals[0].axes[-1]["offset"] + 20.0 * np.arange(1024)
    for element, one in found.items():
        inside = (energy >= one.window[0]) & (energy < one.window[1])
        # Of the other species and the background nothing is left but the curvature of the background.
        share = series.spectra[element][inside].sum() / series.spectra[element].sum()
        expected = 4 * share * series.maps[element]
        assert abs(one.values.sum() / expected.sum() - 1) < 0.03
        assert np.corrcoef(one.values.ravel(), expected.ravel())[0, 1] > 0.95
        for low, high in one.background:
            assert not (inside & (energy >= low) & (energy < high)).any()


def test_an_element_without_a_line_on_the_axis_is_left_out():
    signal = declared((2, 2, 300), "spectra")
    found = element_maps(np.ones((2, 2, 300)), ["K", "Al"], signal)
    assert list(found) == ["Al"]
    with pytest.raises(lbj.UsageError, match="'Xx'"):
        element_maps(np.ones((2, 2, 300)), ["Xx"], signal)
    with pytest.raises(lbj.UsageError, match="'filter' or 'windows', got 'lines'"):
        element_maps(np.ones((2, 2, 300)), ["Al"], signal, method="lines")
    for cube, message in ((-np.ones((2, 2, 300)), "none below zero"), (np.zeros((2, 2, 300)), "some above")):
        with pytest.raises(lbj.UsageError, match=message):
            element_maps(cube, ["Al"], signal)


def test_signal_to_noise_against_the_truth():
    truth = np.array([[1.0, 2], [3, 6]])
    assert map_snr(truth + np.array([2, -2]), truth=truth) == pytest.approx(3 / 2)  # mean signal / rms error
    assert map_snr(truth, truth=truth) == float("inf")
    assert map_snr(Map(truth + 1, truth, (0, 1), ((0, 1), (0, 1))), truth=truth) == pytest.approx(3)


def test_signal_to_noise_of_two_halves():
    rng = np.random.default_rng(8)
    a = rng.normal(size=(20, 20))
    b = a + rng.normal(size=(20, 20))
    r = stats.pearsonr(a.ravel(), b.ravel()).statistic
    assert map_snr(a, b) == pytest.approx(np.sqrt(2 * r / (1 - r)))
    assert map_snr(5 + 3 * a, b) == pytest.approx(map_snr(a, b))
    assert map_snr(a, a.copy()) > 1e6
    assert map_snr(a, -a) == 0
    assert map_snr(a, np.zeros((20, 20))) == 0


def test_signal_to_noise_of_two_halves_is_that_of_their_sum():
    """Signal of standard deviation 1 in each half, noise of 0.5: 2 / (sqrt(2) 0.5) in the sum."""
    rng = np.random.default_rng(9)
    signal = rng.normal(0, 1, (300, 300))
    first, second = (signal + rng.normal(0, 0.5, signal.shape) for _ in range(2))
    assert map_snr(first, second) == pytest.approx(2 / (np.sqrt(2) * 0.5), rel=0.02)


def test_bad_maps_are_named():
    with pytest.raises(lbj.UsageError, match="second map or the truth"):
        map_snr(np.ones((2, 2)))
    with pytest.raises(lbj.UsageError, match=r"\(2, 2\) and \(2, 3\)"):
        map_snr(np.ones((2, 2)), np.ones((2, 3)))
    with pytest.raises(lbj.UsageError, match=r"\(2, 2\) and \(3, 2\)"):
        map_snr(np.ones((2, 2)), truth=np.ones((3, 2)))
