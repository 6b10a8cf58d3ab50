"""Energy alignment of EELS: zero-loss peak, shifted spectra, de-scan plane, gain averaging, against simulated truth."""

import numpy as np
import pytest

import lbj
from mfsi_core import descan_plane, gain_average, shift_spectra, write_shifts, zero_loss_shift
from mfsi_core.simulation.eels import simulate_eels

AXIS = -10 + 0.1 * np.arange(400)  # eV


def spectra_signal(shape, name="EELS", offset=300.0, scale=0.25):
    axis = {"name": "energy", "offset": offset, "scale": scale, "units": "eV"}
    return lbj.Signal(name, "spectra", shape, dtype="float64", axes=[{"name": "y"}, {"name": "x"}, axis])


def peaks(shift, counts=1e5, tail=0.0, axis=AXIS):
    """Mean spectra with a zero-loss peak at 0 eV true energy, of 0.5 eV, with a tail to higher losses."""
    energy = axis + np.asarray(shift)[..., None]
    peak = np.exp(-0.5 * (energy / 0.5) ** 2)
    late = np.where(energy > 0, np.exp(-np.maximum(energy, 0) / 1.5) * (1 - np.exp(-np.maximum(energy, 0) / 0.5)), 0)
    return counts * 0.1 / (0.5 * np.sqrt(2 * np.pi)) * (peak + tail * late)


@pytest.mark.parametrize("flicker", [0.0, 0.3])
def test_the_zero_loss_peak_is_found_to_a_fraction_of_a_channel(flicker):
    series = simulate_eels(
        (16, 20), 2, 64, 3, electrons=200, low_loss=True, drift=0.3, jitter=0.2, descan=(0.02, 0.03), flicker=flicker
    )
    low = np.stack([series.frame(i)[0]["EELS-LL"] for i in range(2)])
    found = zero_loss_shift(low, series.low_axis)
    assert found.shape == (2, 16, 20)
    error = (found - series.shift) / 0.1  # channels
    assert error.std() < 0.015  # 400,000 electrons: 0.008 at best
    assert abs(error.mean()) < 0.02  # the plasmon's tail
    assert np.abs(error).max() < 0.1


def test_precision_is_near_the_bound_of_counting():
    """The position of a Gaussian peak of n electrons is known to sigma / sqrt(n) at best."""
    shift = np.random.default_rng(1).uniform(-1, 1, (30, 30))
    for counts in (300, 3000, 30000):
        low = np.random.default_rng(2).poisson(peaks(shift, counts))
        error = zero_loss_shift(low, AXIS) - shift
        assert error.std() < 1.6 * 0.5 / np.sqrt(counts)
        assert abs(error.mean()) < 5 * 0.5 / np.sqrt(counts * 900)


def test_saturated_channels_do_not_matter():
    shift = np.random.default_rng(1).uniform(-1, 1, (20, 20))
    low = np.random.default_rng(2).poisson(peaks(shift))
    cut = np.minimum(low, 4000)  # of 8000
    error = (zero_loss_shift(cut, AXIS) - shift) / 0.1
    assert error.std() < 0.05
    assert abs(error.mean()) < 0.02


def test_a_tail_moves_all_peaks_alike():
    shift = np.random.default_rng(1).uniform(-1, 1, (20, 20))
    low = np.random.default_rng(2).poisson(peaks(shift, tail=0.5)) * np.random.default_rng(3).uniform(
        0.2, 1, (20, 20, 1)
    )
    error = (zero_loss_shift(low, AXIS) - shift) / 0.1
    assert error.std() < 0.05
    assert abs(error.mean()) < 1.5  # the maximum itself lies there


def test_shifts_are_to_be_added_to_the_axis():
    """A peak recorded at +1.5 eV of the axis: true energy = axis + shift = 0."""
    low = peaks(np.full((2, 3), -1.5))
    assert AXIS[low[0, 0].argmax()] == pytest.approx(1.5)
    np.testing.assert_allclose(zero_loss_shift(low, AXIS), -1.5, atol=1e-3)


def test_spectra_without_a_peak_are_told():
    rng = np.random.default_rng(4)
    low = rng.poisson(peaks(np.zeros((3, 4))) + 5.0).astype(float)
    low[0, 0] = rng.poisson(50, 400)
    low[0, 1] = 0
    low[0, 2] = 7
    low[1, 0] = np.nan
    low[1, 1, 30] = np.nan
    low[1, 2] = rng.normal(0, 3, 400)
    low[2, 2] = rng.poisson(peaks(np.array(10.0)))  # cut by the end of the axis
    with pytest.warns(UserWarning, match="7 of 12 spectra have no zero-loss peak"):
        found = zero_loss_shift(low, AXIS)
    none = np.zeros((3, 4), bool)
    none[0, :3] = none[1, :3] = none[2, 2] = True
    np.testing.assert_array_equal(np.isnan(found), none)
    np.testing.assert_allclose(found[~none], 0, atol=0.02)
    with pytest.warns(UserWarning, match="1 of 1"):
        assert np.isnan(zero_loss_shift(np.ones((1, 1, 1)), [0.0]))
    with pytest.warns(UserWarning, match="6 of 6"):
        assert np.isnan(zero_loss_shift(np.full((2, 3, 40), np.nan), np.arange(40.0))).all()


def plasmon(energy, place, width, counts):
    """Lorentzian."""
    return counts / (1 + ((energy - place) / (width / 2)) ** 2) * (energy > 2)


@pytest.mark.parametrize(
    ("first", "step", "place", "width"), [(1.5, 0.2, 22.0, 9.0), (8.0, 0.1, 15.0, 0.8), (0.5, 0.5, 25.0, 15.0)]
)
def test_a_plasmon_is_no_zero_loss_peak(first, step, place, width):
    """The zero-loss peak, of 0.8 eV, lies below the axis; its tail may be seen."""
    energy = first + step * np.arange(500)
    mean = 2e5 * np.exp(-0.5 * (energy / 0.35) ** 2) + 400 * np.exp(-energy / 3) + plasmon(energy, place, width, 2000)
    low = np.random.default_rng(6).poisson(np.broadcast_to(mean, (4, 5, 500)))
    with pytest.warns(UserWarning, match="20 of 20 spectra have no zero-loss peak.*plasmon"):
        assert np.isnan(zero_loss_shift(low, energy)).all()


def test_pixels_whose_peak_left_the_axis_do_not_get_the_plasmons_shift():
    """A narrow plasmon, as of Al: only beside the zero-loss peaks of the other pixels does its width tell."""
    shift = np.random.default_rng(7).uniform(-3, 0, (10, 10))
    shift[2:4, 3:] += 5.0
    energy = AXIS[0] + 9 + np.arange(500) * 0.1 + shift[..., None]
    mean = 9e3 * np.exp(-0.5 * (energy / 0.25) ** 2) + plasmon(energy, 15.0, 2.0, 3000) + 3
    low = np.random.default_rng(8).poisson(mean)
    with pytest.warns(UserWarning, match="have no zero-loss peak"):
        found = zero_loss_shift(low, AXIS[0] + 9 + np.arange(500) * 0.1)
    assert np.isnan(found[shift > 1.5]).all()
    whole = shift < 0
    np.testing.assert_allclose(found[whole], shift[whole], atol=0.02)


@pytest.mark.parametrize("first", [60.0, 300.0, 650.0])
def test_core_losses_have_no_zero_loss_peak(first):
    energy = first + 0.4 * np.arange(600)
    lines = 900 * np.exp(-0.5 * ((energy - first - 90) / 1.2) ** 2)  # a white line, higher than the background before
    low = np.random.default_rng(9).poisson(np.broadcast_to(3e2 * (energy / first) ** -2.5 + lines, (3, 4, 600)))
    with pytest.warns(UserWarning, match=f"12 of 12 spectra.*axis runs from {first:g}"):
        assert np.isnan(zero_loss_shift(low, energy)).all()


def test_a_peak_saturated_on_its_flanks_is_of_no_use():
    low = np.random.default_rng(2).poisson(peaks(np.zeros((4, 5)), 1e7))
    cut = np.minimum(low, 900)  # of 800,000
    cut[:2] = np.minimum(low[:2], 400000)
    with pytest.warns(UserWarning, match="10 of 20 spectra"):
        found = zero_loss_shift(cut, AXIS)
    np.testing.assert_array_equal(np.isnan(found), np.arange(20).reshape(4, 5) >= 10)
    np.testing.assert_allclose(found[:2], 0, atol=0.02)


def test_a_peak_far_from_where_the_axis_has_it_is_told():
    axis = AXIS + 9.0
    with pytest.warns(UserWarning, match=r"lies at 9\.\d eV of the axis; if that is a plasmon"):
        np.testing.assert_allclose(zero_loss_shift(peaks(np.zeros((2, 3))), axis), -9, atol=0.01)


def test_a_journal_is_read_frame_by_frame(tmp_path):
    series = simulate_eels((5, 6), 3, 64, 3, electrons=500, low_loss=True, drift=0.4)
    with lbj.create(tmp_path / "a.lbj", series.signals) as writer:
        for data, attributes in series:
            writer.append(data, **attributes)
    with lbj.open(tmp_path / "a.lbj") as journal:
        found = zero_loss_shift(journal)
        np.testing.assert_allclose(found, series.shift, atol=0.01)
        np.testing.assert_array_equal(
            found[1], zero_loss_shift(journal[1].array("EELS-LL"), journal.signals["EELS-LL"])
        )
        with pytest.raises(lbj.UsageError, match="'HAADF' is an image"):
            zero_loss_shift(journal, "HAADF")
        with pytest.raises(lbj.UsageError, match="no signal 'X'"):
            zero_loss_shift(journal, "X")


@pytest.mark.parametrize(
    ("axis", "message"),
    [
        (np.arange(400) ** 2, "evenly spaced"),
        (np.arange(400)[::-1], "must rise"),
        (np.arange(399), "399 channels, the spectra 400"),
        ("eV", "must be a Signal or an array"),
        (lbj.Signal("EELS", "spectra", (2, 2, 400)), "must be in eV"),
    ],
)
def test_bad_axes_are_named(axis, message):
    with pytest.raises(lbj.UsageError, match=message):
        zero_loss_shift(peaks(np.zeros((2, 2))), axis)


def test_the_real_low_loss_line_drifts_smoothly(shared_data):
    reader = pytest.importorskip("rsciio.hspy")
    path = shared_data / "eels" / "LSMO_linescan_low_loss.hspy"
    if not path.exists():
        pytest.skip(f"no file {path}")
    low = reader.file_reader(str(path))[0]["data"][None]
    found = zero_loss_shift(low, -50 + 0.5 * np.arange(1024))
    # The highest channel is 3.0 eV at first and 3.5 eV at last.
    highest = (-50 + 0.5 * low.argmax(axis=-1))[0]
    assert np.abs(found[0] + highest).max() <= 0.3
    plane = descan_plane(found)
    assert (found - plane.values).std() < 0.05 * 0.5
    assert plane.slope_y == 0


def test_a_plane_is_found_among_outliers():
    rng = np.random.default_rng(5)
    y, x = np.indices((21, 31), float)
    truth = 0.7 + 0.02 * (y - 10) - 0.05 * (x - 15)
    shift = truth + rng.normal(0, 0.01, truth.shape)
    shift[rng.uniform(size=shift.shape) < 0.25] += 3.0
    shift[4:8, 3:9] = np.nan
    plane = descan_plane(shift)
    assert plane[:3] == pytest.approx((0.7, 0.02, -0.05), abs=2e-3)
    np.testing.assert_allclose(plane.values, truth, atol=0.01)


def test_weights_count():
    shift = np.zeros((4, 6))
    shift[:, 3:] = 1.0
    weights = np.ones((4, 6))
    weights[:, 3:] = 0
    assert descan_plane(shift, weights)[:3] == pytest.approx((0, 0, 0), abs=1e-9)
    with pytest.raises(lbj.UsageError, match="weights must be"):
        descan_plane(shift, np.ones(3))
    with pytest.raises(lbj.UsageError, match="weights must be"):
        descan_plane(shift, -weights)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (2, 2)])
def test_small_planes(shape):
    y, x = np.indices(shape, float)
    plane = descan_plane(2.0 + 0.5 * y + 0.25 * x)
    np.testing.assert_allclose(plane.values, 2.0 + 0.5 * y + 0.25 * x, atol=1e-6)
    assert plane.slope_y == pytest.approx(0.5 if shape[0] > 1 else 0, abs=1e-6)
    constant = descan_plane(np.full(shape, -1.5))
    assert constant[:3] == pytest.approx((-1.5, 0, 0), abs=1e-9)


def test_no_plane_without_shifts():
    with pytest.raises(lbj.UsageError, match="no pixel has a finite shift"):
        descan_plane(np.full((3, 3), np.nan))
    with pytest.raises(lbj.UsageError, match=r"one frame's, \(Y, X\)"):
        descan_plane(np.zeros(4))


def test_whole_channels_are_moved_without_change():
    cube = np.arange(24.0).reshape(1, 2, 12)
    axis = 100 + 0.5 * np.arange(12)
    found = shift_spectra(cube, [[1.0, -1.5]], axis)  # eV: two channels up, three down
    np.testing.assert_array_equal(found[0, 0], [np.nan, np.nan, *cube[0, 0, :-2]])
    np.testing.assert_array_equal(found[0, 1], [*cube[0, 1, 3:], np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(shift_spectra(cube, 0.0, axis), cube)


def test_parts_of_channels_are_shared_out():
    cube = np.zeros((1, 1, 20))
    cube[0, 0, 8] = 100
    found = shift_spectra(cube, 0.25, np.arange(20.0))
    np.testing.assert_allclose(found[0, 0, 8:10], [75, 25])
    assert np.isnan(found[0, 0, 0])
    assert np.nansum(found) == pytest.approx(100)
    down = shift_spectra(cube, -3.25, np.arange(20.0), fill=0.0)
    np.testing.assert_allclose(down[0, 0, 4:6], [25, 75])
    assert down.sum() == pytest.approx(100)
    straight = 5 + 2.0 * np.arange(20)
    moved = shift_spectra(straight, 0.4, np.arange(20.0))
    np.testing.assert_allclose(moved[1:], straight[1:] - 0.8)


def test_spectra_of_unknown_or_excessive_shift_are_empty():
    cube = np.ones((1, 4, 10))
    found = shift_spectra(cube, [[0.0, np.nan, 10.0, -11.0]], np.arange(10.0))
    np.testing.assert_array_equal(np.isfinite(found).sum(axis=-1), [[10, 0, 0, 0]])
    cube[0, 0, 3] = np.inf
    spoiled = shift_spectra(cube, 0.5, np.arange(10.0), fill=0)
    np.testing.assert_array_equal(np.flatnonzero(~np.isfinite(spoiled[0, 0])), [3, 4])
    assert shift_spectra(np.ones((1, 1, 1)), 0.0, [5.0]) == 1
    with pytest.raises(lbj.UsageError, match=r"shifts of shape \(3,\) do not fit"):
        shift_spectra(cube, np.zeros(3), np.arange(10.0))
    with pytest.raises(lbj.UsageError, match="the axis has 9 channels"):
        shift_spectra(cube, 0.0, np.arange(9.0))


def test_shifts_of_the_low_loss_align_the_core_loss():
    """Dual EELS: dispersions 0.1 and 0.25 eV; the aligned mean is that of a series without shifts."""
    settings = {"frames": 2, "channels": 700, "seed": 6, "electrons": 20000, "low_loss": True}
    moved = simulate_eels((8, 10), drift=0.7, descan=(0.1, 0.15), jitter=0.2, **settings)
    still = simulate_eels((8, 10), **settings)
    assert np.ptp(moved.shift) > 4 * 0.25
    frames = [moved.frame(i)[0] for i in range(2)]
    shift = zero_loss_shift(np.stack([frame["EELS-LL"] for frame in frames]), moved.low_axis)
    core = np.stack([frame["EELS"] for frame in frames])
    aligned = shift_spectra(core, shift, moved.axis)
    expected = still.mean(0).sum(axis=(0, 1)) * 2
    inside = slice(20, -20)
    raw, mended = (
        (data.sum(axis=(0, 1, 2))[inside] - expected[inside]) / np.sqrt(expected[inside]) for data in (core, aligned)
    )
    assert raw.std() > 5
    assert mended.std() < 1.3


def test_shifts_are_kept_in_a_journal(tmp_path):
    series = simulate_eels((4, 5), 2, 32, 3, low_loss=True, drift=0.5, descan=(0.1, 0))
    path = tmp_path / "a.lbj"
    with lbj.create(path, series.signals, {"title": "dual"}) as writer:
        for data, attributes in series:
            writer.append(data, **attributes)
    shift = series.shift.copy()
    shift[0, 1, 2] = np.nan
    write_shifts(path, tmp_path / "b.lbj", shift)
    with lbj.open(path) as before, lbj.open(tmp_path / "b.lbj") as after:
        assert after.metadata == {"title": "dual"}
        assert after.header["source"]["name"] == "a.lbj"
        assert "Energy shifts" in after.header["source"]["notes"][-1]
        for name in ("EELS", "EELS-LL"):
            kept = after.signals[f"{name} energy shift"]
            assert (kept.role, kept.of, kept.shape) == ("energy_shift", name, (4, 5))
            for i in range(2):
                np.testing.assert_allclose(after[i].array(kept.name), shift[i], rtol=1e-6)
                np.testing.assert_array_equal(after[i].array(name), before[i].array(name))
                assert after[i].energy_shift[name] == pytest.approx(np.nanmedian(shift[i]))
        assert after[1].dwell_time == before[1].dwell_time
    write_shifts(path, tmp_path / "c.lbj", [0.0, 0.5], ["EELS"])
    with lbj.open(tmp_path / "c.lbj") as journal:
        assert journal[1].energy_shift == {"EELS": 0.5}
        assert list(journal.signals) == ["EELS", "EELS-LL", "HAADF"]
    for bad in (np.zeros(3), np.zeros((2, 4, 4)), 0.5):
        with pytest.raises(lbj.UsageError, match="do not fit"):
            write_shifts(path, tmp_path / "d.lbj", bad)
    assert not (tmp_path / "d.lbj").exists()


OFFSETS = [0, 3, 7, 12, 18, 25, 33]  # channels, unequally spaced


def pattern_series(read_noise=0.0):
    """Frames with a fixed pattern of 2 % at some offsets, the true offsets, and the spectrum without pattern."""
    settings = {"channels": 512, "seed": 7, "electrons": 20000, "read_noise": read_noise}
    moved = simulate_eels((6, 8), max(OFFSETS) + 1, drift=0.25, fixed_pattern=0.02, **settings)
    still = simulate_eels((6, 8), 1, **settings)
    frames = np.stack([moved.frame(i)[0]["EELS"] for i in OFFSETS])
    return moved, frames, moved.shift[OFFSETS, 0, 0], still.mean(0).sum(axis=(0, 1))


def test_a_fixed_pattern_averages_out():
    moved, frames, offsets, truth = pattern_series()
    inside = slice(40, -10)

    def scatter(spectra):
        return (spectra.sum(axis=(0, 1)) / truth - 1)[inside].std()

    assert scatter(frames[0]) == pytest.approx(0.02, rel=0.1)
    plain = gain_average(frames, offsets, moved.signals[0])
    assert scatter(plain.spectra) == pytest.approx(0.02 / np.sqrt(len(OFFSETS)), rel=0.2)
    divided = gain_average(frames, offsets, moved.signals[0], divide=True)
    shot = 1 / np.sqrt(truth[inside].mean() * len(OFFSETS))
    assert scatter(divided.spectra) < 2 * shot + 0.0005
    assert scatter(divided.spectra) < 0.3 * scatter(plain.spectra)
    error = plain.pattern - moved.pattern / moved.pattern.mean()
    assert error[inside].std() < 0.1 * 0.02 + 2 * shot
    assert plain.frames[0] == 1
    assert plain.frames[-1] == len(OFFSETS)


def test_a_journal_and_measured_offsets_do_as_well(tmp_path):
    series = simulate_eels((4, 5), 12, 256, 8, electrons=5000, drift=0.6, fixed_pattern=0.03, low_loss=True)
    with lbj.create(tmp_path / "a.lbj", series.signals) as writer:
        for data, attributes in series:
            writer.append(data, **attributes)
    with lbj.open(tmp_path / "a.lbj") as journal:
        offsets = np.median(zero_loss_shift(journal), axis=(1, 2))
        found = gain_average(journal, offsets, divide=True)
    error = found.pattern - series.pattern / series.pattern.mean()
    assert error[30:-10].std() < 0.3 * 0.03


def test_a_detector_without_pattern_shows_none_and_a_dead_channel_is_kept_out():
    rng = np.random.default_rng(9)
    offsets = 0.25 * np.array([0, 3, 7, 12])
    mean = 1000 * ((300 + 0.25 * np.arange(200) + offsets[:, None]) / 300) ** -3.0
    frames = rng.poisson(np.broadcast_to(mean[:, None, None], (4, 3, 3, 200))).astype(float)
    signal = spectra_signal((3, 3, 200))
    assert gain_average(frames, offsets, signal).pattern[15:-5].std() < 2.5 / np.sqrt(1000 * 36)
    frames[..., 100] = 0
    assert gain_average(frames, offsets, signal).pattern[100] == 1
    frames[:, 1, 1] = np.nan
    found = gain_average(frames, offsets, signal)
    assert np.isfinite(found.pattern).all()
    assert np.isnan(found.spectra[1, 1]).all()
    assert np.isfinite(np.delete(found.spectra.reshape(9, 200), 4, axis=0)[:, 13:]).all()


@pytest.mark.parametrize(
    ("offsets", "message"),
    [
        ([0.0, 0.0], "at least a channel apart"),
        ([0.0], "2 finite numbers"),
        ([0.0, np.nan], "2 finite numbers"),
        ([[0.0, 1.0]], "2 finite numbers"),
    ],
)
def test_bad_offsets_are_named(offsets, message):
    with pytest.raises(lbj.UsageError, match=message):
        gain_average(np.ones((2, 3, 4, 50)), offsets, spectra_signal((3, 4, 50)))


def test_gain_averaging_needs_dense_spectra_and_an_axis():
    with pytest.raises(lbj.UsageError, match="dense spectra"):
        gain_average([lbj.Events([], [], [], (2, 2, 30))] * 2, [0.0, 1.0])
    with pytest.raises(lbj.UsageError, match="signal=Signal"):
        gain_average(np.ones((2, 3, 4, 50)), [0.0, 1.0])
    flat = gain_average(np.full((2, 1, 1, 50), 3.0), [0.0, 1.0], spectra_signal((1, 1, 50)))
    np.testing.assert_allclose(flat.pattern, 1, atol=1e-9)
    np.testing.assert_allclose(flat.spectra, 3)
