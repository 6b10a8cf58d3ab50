"""EELS edge maps: net counts and their variance over a power law, against simulated truth."""

import json

import numpy as np
import pytest

import lbj
from mfsi_core import Registration, edge_map, line_map, map_snr
from mfsi_core.cli import main
from mfsi_core.maps.edge_windows import edge_windows
from mfsi_core.simulation.eels import simulate_eels

FIT, WINDOW = (400.0, 450.0), (452.0, 492.0)
ONE_EDGE = {"Ti": (456.0, 0.12)}


def declared(shape, kind="spectra", offset=300.0, scale=0.25, name="EELS"):
    axis = {"name": "energy", "offset": offset, "scale": scale, "units": "eV"}
    return lbj.Signal(name, kind, shape, axes=[{"name": "y"}, {"name": "x"}, axis])


def inside(axis, window=WINDOW):
    return (axis >= window[0]) & (axis < window[1])


def simulated(shape=(20, 30), frames=1, seed=0, **more):
    return simulate_eels(shape, frames, 1024, seed, edges=ONE_EDGE, **more)


def true_net(series):
    return series.gain * series.maps["Ti"] * series.shapes["Ti"][inside(series.axis)].sum()


def pulls(found, net):
    return (found.values - net) / np.sqrt(found.variance)


@pytest.mark.parametrize(("gain", "read_noise"), [(1.0, 0.0), (1.0, 3.0), (4.0, 5.0)])
@pytest.mark.parametrize("electrons", [17, 170, 17000])  # 5 to 5000 in a channel before the edge
def test_net_counts_lie_within_the_predicted_variance(electrons, gain, read_noise):
    series = simulated((24, 36), seed=electrons, electrons=electrons, gain=gain, read_noise=read_noise)
    found = edge_map(series.frame(0)[0]["EELS"], WINDOW, FIT, series.signals[0])
    off = pulls(found, true_net(series))
    assert 0.92 < off.std() < 1.08  # 864 pixels: +- 0.024
    assert abs(off.mean()) < 0.12  # +- 0.034
    assert found.window == WINDOW
    assert found.background == (FIT,)


def test_the_background_is_unbiased_at_few_counts():
    """Mean over many pixels: a fit of logarithms is 4 to 20 % off at 4 electrons per channel."""
    axis = 300.0 + 0.25 * np.arange(1024)
    mean = 4.0 * (axis / 450) ** -3.0
    cube = np.random.default_rng(3).poisson(mean, (60, 60, 1024))
    found = edge_map(cube, WINDOW, FIT, declared(cube.shape))
    below = mean[inside(axis)].sum()
    error = np.sqrt(found.variance.sum()) / 3600
    assert error < 0.01 * below
    assert abs(found.values.mean()) < 4 * error


def test_noise_is_estimated_from_the_residuals():
    for gain, read_noise, tolerance in ((1.0, 0.0, 0.05), (4.0, 0.0, 0.2), (1.0, 6.0, 0.4)):
        series = simulated(electrons=200, gain=gain, read_noise=read_noise)
        found = edge_map(series.frame(0)[0]["EELS"], WINDOW, FIT, series.signals[0])
        before = inside(series.axis, FIT)
        mean = series.mean(0)[..., before].mean()
        assert found.noise[0] * mean + found.noise[1] ** 2 == pytest.approx(
            gain * mean + read_noise**2 + 1 / 12, rel=0.02
        )
        assert found.noise[0] == pytest.approx(gain, abs=tolerance)


def test_noise_may_be_given():
    series = simulated((3, 4), electrons=500, gain=2.0)
    cube = series.frame(0)[0]["EELS"]
    assert edge_map(cube, WINDOW, FIT, series.signals[0], noise=(2.0, 3.0)).noise == (2.0, 3.0)
    low, high = (edge_map(cube, WINDOW, FIT, series.signals[0], noise=(g, 0)).variance for g in (1.0, 4.0))
    np.testing.assert_allclose(high, 4 * low, rtol=0.05)
    for bad in (3.0, (1.0,), (-1.0, 2.0), (0.0, 0.0), (np.nan, 1.0), ("a", 1)):
        with pytest.raises(lbj.UsageError, match="noise must be"):
            edge_map(cube, WINDOW, FIT, series.signals[0], noise=bad)


def test_spikes_do_not_enter_the_noise():
    series = simulated(electrons=200, read_noise=0.0)
    cube = series.frame(0)[0]["EELS"]
    cube[3, 4, 500], cube[10, 11, 420] = 1e5, 1e6
    assert edge_map(cube, WINDOW, FIT, series.signals[0]).noise[0] == pytest.approx(1.0, abs=0.1)


def test_a_power_law_without_noise_leaves_nothing():
    axis = 300.0 + 0.25 * np.arange(1024)
    exponent, strength = np.meshgrid(np.linspace(1.5, 5, 5), [1e-5, 3.0, 1e7])
    cube = strength[..., None] * (axis / 450) ** -exponent[..., None]
    step = np.where(axis >= 455, 0.1, 0.0) * strength[..., None]
    found = edge_map(cube + step, WINDOW, FIT, declared(cube.shape))
    np.testing.assert_allclose(found.values, step[..., inside(axis)].sum(axis=-1), rtol=1e-4)


def test_dark_subtracted_vacuum_is_nothing_on_average():
    series = simulated(electrons=500)
    rng = np.random.default_rng(5)
    cube = series.frame(0)[0]["EELS"]
    cube[:, 15:] = np.rint(rng.normal(0, 3, cube[:, 15:].shape))
    assert (cube < 0).any()
    found = edge_map(cube, WINDOW, FIT, series.signals[0])
    vacuum = found.values[:, 15:]
    assert np.isfinite(found.values).all()
    assert 0.85 < (vacuum / np.sqrt(found.variance[:, 15:])).std() < 1.15
    assert abs(vacuum.mean()) < 4 * np.sqrt(found.variance[:, 15:].mean() / vacuum.size)
    off = pulls(found, true_net(series))[:, :15]
    assert 0.88 < off.std() < 1.12


def test_every_kind_of_source_gives_the_same_map(tmp_path):
    series = simulated((6, 7), 3, electrons=300)
    frames = [series.frame(i)[0]["EELS"] for i in range(3)]
    expected = edge_map(sum(frames), WINDOW, FIT, series.signals[0])
    with lbj.create(tmp_path / "a.lbj", series.signals) as writer:
        for data, attributes in series:
            writer.append(data, **attributes)
    still = Registration.rigid(np.zeros((3, 2)), (6, 7))
    with lbj.open(tmp_path / "a.lbj") as journal:
        for source, more in ((journal, {}), (frames, {}), (np.stack(frames), {}), (journal, {"registration": still})):
            found = edge_map(source, WINDOW, FIT, "EELS" if source is journal else series.signals[0], **more)
            np.testing.assert_allclose(found.values, expected.values, rtol=1e-3)  # the read noise is of three frames
            np.testing.assert_allclose(found.variance, expected.variance, rtol=0.02)
        part = edge_map(journal, WINDOW, FIT, frames=slice(0, None, 2))
        np.testing.assert_allclose(
            part.values, edge_map(frames[0] + frames[2], WINDOW, FIT, series.signals[0]).values, rtol=1e-3
        )


def test_events_are_counts_too():
    counts = np.random.default_rng(1).poisson(5.0, (3, 4, 60)).astype(np.uint32)
    signal = declared(counts.shape, "events", 400, 2.0)
    found = edge_map(lbj.Events.from_dense(counts), (460, 500), (404, 458), signal)
    again = edge_map(counts, (460, 500), (404, 458), declared(counts.shape, offset=400, scale=2.0))
    np.testing.assert_allclose(found.values, again.values)


def test_an_aligned_map_has_the_variance_of_interpolated_frames():
    series = simulated((26, 34), 2, electrons=300, read_noise=3.0)
    mean = np.broadcast_to(series.mean(0)[13, 17], (26, 34, 1024))
    rng = np.random.default_rng(8)
    frames = [rng.poisson(mean) + rng.normal(0, 3, mean.shape) for _ in range(2)]
    moved = Registration.rigid([[0.25, -0.5], [-0.25, 0.5]], (26, 34))
    found = edge_map(frames, WINDOW, FIT, series.signals[0], moved)
    net = 2 * series.maps["Ti"][13, 17] * series.shapes["Ti"][inside(series.axis)].sum()
    off = ((found.values - net)[1:-1, 1:-1]) / np.sqrt(found.variance[1:-1, 1:-1])
    assert 0.88 < off.std() < 1.12
    assert abs(off.mean()) < 0.15


def test_a_pixel_that_no_frame_saw_is_nothing():
    cube = np.random.default_rng(2).poisson(50, (2, 4, 5, 1024))
    moved = Registration.rigid([[2.0, 0.0], [2.0, 0.0]], (4, 5))
    found = edge_map(cube, WINDOW, FIT, declared((4, 5, 1024)), moved)
    assert not found.values[:2].any()
    assert not found.variance[:2].any()
    assert (found.variance[2:] > 0).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_voxel_that_is_not_finite_blinds_its_pixel_only(value):
    series = simulated((4, 5), electrons=300)
    cube = series.frame(0)[0]["EELS"]
    clean = edge_map(cube, WINDOW, FIT, series.signals[0], noise=(1, 3))
    cube[1, 2, 450], cube[3, 3, 700], cube[0, 0, 3] = value, value, value  # the last lies in no window
    found = edge_map(cube, WINDOW, FIT, series.signals[0], noise=(1, 3))
    blind = np.zeros((4, 5), bool)
    blind[1, 2] = blind[3, 3] = True
    np.testing.assert_array_equal(np.isnan(found.values), blind)
    np.testing.assert_array_equal(np.isnan(found.variance), blind)
    np.testing.assert_allclose(found.values[~blind], clean.values[~blind], rtol=1e-2)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (7, 1)])
def test_small_maps(shape):
    series = simulated(shape, electrons=2000)
    found = edge_map(series.frame(0)[0]["EELS"], WINDOW, FIT, series.signals[0])
    assert found.values.shape == found.variance.shape == shape
    assert np.abs(pulls(found, true_net(series))).max() < 5


@pytest.mark.parametrize("value", [0.0, 7.0, 1e6, 1e-6, -4.0])
def test_a_constant_cube_has_no_edge(value):
    found = edge_map(np.full((3, 4, 1024), value), WINDOW, FIT, declared((3, 4, 1024)))
    assert np.isfinite(found.variance).all()
    if value >= 0:
        np.testing.assert_allclose(found.values, 0, atol=1e-4 * abs(value))


def test_nothing_but_nan_gives_nothing_but_nan():
    found = edge_map(np.full((2, 3, 1024), np.nan), WINDOW, FIT, declared((2, 3, 1024)))
    assert np.isnan(found.values).all()
    assert np.isnan(found.variance).all()


def test_three_channels_are_enough():
    series = simulated((5, 6), electrons=2e4)
    found = edge_map(series.frame(0)[0]["EELS"], (455.0, 470.0), (449.0, 449.75), series.signals[0], noise=(1, 3))
    assert np.isfinite(found.values).all()
    assert (found.variance > 0).all()


@pytest.mark.parametrize(
    ("window", "fit_window", "message"),
    [
        ((492, 452), FIT, "the window must run from low to high.*492.*eV"),
        (WINDOW, (450, 400), "the fit window must run from low to high"),
        (WINDOW, (400, 460), "fit window.*below the window"),
        (FIT, WINDOW, "fit window.*below the window"),
        ((540, 600), FIT, "leaves the axis, which runs from 299.875 to 555.875 eV"),
        (WINDOW, (290, 350), "fit window.*leaves the axis"),
        (WINDOW, (449.0, 449.4), "holds 2 channels.*3 or more"),
        (WINDOW, (449.01, 449.02), "fit window.*holds no channel"),
        (WINDOW, 400, "the fit window must be a pair"),
    ],
)
def test_bad_windows_are_named(window, fit_window, message):
    with pytest.raises(lbj.UsageError, match=message):
        edge_map(np.ones((2, 3, 1024)), window, fit_window, declared((2, 3, 1024)))


def test_energies_must_be_positive():
    low = declared((2, 3, 1024), offset=-50.0)
    with pytest.raises(lbj.UsageError, match=r"begins at -10 eV.*above 0"):
        edge_map(np.ones((2, 3, 1024)), (50, 60), (-10, 40), low)
    with pytest.raises(lbj.UsageError, match="two navigation axes"):
        edge_map(np.ones((4, 5)), (2, 3), (0, 1))


def test_maps_with_blind_pixels_have_a_signal_to_noise_ratio():
    rng = np.random.default_rng(8)
    a = rng.normal(size=(20, 20))
    b = a + 0.3 * rng.normal(size=(20, 20))
    blind, known = a.copy(), np.ones((20, 20), bool)
    blind[3, 4], known[3, 4] = np.nan, False
    assert map_snr(blind, b) == pytest.approx(map_snr(a[known][None], b[known][None]))
    assert map_snr(blind, truth=b) == pytest.approx(map_snr(a[known][None], truth=b[known][None]))
    assert map_snr(np.full((2, 2), np.nan), np.ones((2, 2))) == 0


def lines_of_titanium_and_barium():
    energy = 10.0 * np.arange(1024)
    signal = lbj.Signal(
        "EDX", "spectra", (2, 2, 1024),
        axes=[{"name": "y"}, {"name": "x"}, {"name": "energy", "offset": 0.0, "scale": 10.0, "units": "eV"}],
    )  # fmt: skip
    peak = 400 * np.exp(-0.5 * ((energy - 4511) / 50) ** 2)
    return signal, peak + 2.0


def test_a_line_of_another_element_in_a_window_is_told():
    signal, mean = lines_of_titanium_and_barium()
    cube = np.random.default_rng(1).poisson(mean, (2, 2, 1024))
    clean, both = ((4100, 4300), (5300, 5500)), ((4100, 4300), (4850, 5000))
    line_map(cube, (4350, 4670), clean, signal, elements=["Ti", "Sr"])
    with pytest.warns(UserWarning, match=r"the line Ba_La1 at 446\d eV lies in the window \(4350, 4670\) eV"):
        line_map(cube, (4350, 4670), clean, signal, elements=["Ti", "Ba"])
    with pytest.warns(
        UserWarning, match=r"the line Ti_Kb\d at 49\d\d eV lies in the background window \(4850, 5000\) eV"
    ):
        line_map(cube, (4350, 4670), both, signal, elements=["Ti"])


def test_the_elements_of_the_journal_are_asked(tmp_path):
    signal, mean = lines_of_titanium_and_barium()
    cube = np.random.default_rng(1).poisson(mean, (2, 2, 1024)).astype(np.float32)
    with lbj.create(tmp_path / "a.lbj", [signal], {"elements": ["Ti", "Ba", "Xx"]}) as writer:
        writer.append({"EDX": cube})
    with lbj.open(tmp_path / "a.lbj") as journal:
        with pytest.warns(UserWarning, match="the line Ba_L"):
            line_map(journal, (4350, 4670), ((4100, 4300), (5300, 5500)))
        line_map(journal, (4350, 4670), ((4100, 4300), (5300, 5500)), elements=["Ti"])


def test_without_elements_a_peak_in_the_background_is_told():
    signal, mean = lines_of_titanium_and_barium()
    cube = np.random.default_rng(1).poisson(mean, (2, 2, 1024))
    line_map(cube, (4350, 4670), ((4100, 4300), (5300, 5500)), signal)
    with pytest.warns(UserWarning, match=r"a peak, perhaps Ti_Ka, at 45\d\d eV lies in the background window"):
        line_map(cube, (3500, 3700), ((3200, 3400), (4350, 4670)), signal)


def test_windows_keep_clear_of_other_edges():
    axis = 350.0 + 0.5 * np.arange(1024)
    found = edge_windows(["Ti", "O", "La"], axis)
    assert {name: one.edge.name for name, one in found.items()} == {"Ti": "Ti_L3", "O": "O_K", "La": "La_M5"}
    onsets = {"Ti": 456, "O": 532, "La": 832}
    for name, one in found.items():
        assert one.window[0] == pytest.approx(onsets[name], abs=4)
        assert 10 <= one.window[1] - one.window[0] <= 45
        assert one.fit_window[1] <= one.window[0] < onsets[name] + 1
        assert one.fit_window[1] - one.fit_window[0] >= 10
        for other, onset in onsets.items():
            if other != name:
                assert not one.fit_window[0] < onset + 10 < one.fit_window[1]
                assert not one.window[0] < onset < one.window[1]
    assert list(edge_windows(["V", "O"], axis)) == ["V"]  # O K lies on V L2,3: no background before it
    assert edge_windows(["Cu"], axis) == {}


def test_edges_of_a_journal_are_mapped(tmp_path, capsys):
    series = simulate_eels((16, 20), 2, 1280, 4, electrons=2000)
    with lbj.create(tmp_path / "a.lbj", series.signals, {"elements": ["Ca", "Ti", "O", "Mn"]}) as writer:
        for data, attributes in series:
            writer.append(data, **attributes)
    assert main(["maps", str(tmp_path / "a.lbj"), "-o", str(tmp_path / "maps"), "--elements", "Ti,Mn"]) == 0
    assert "No edge of Mn lies on the energy axis" in capsys.readouterr().out
    assert (tmp_path / "maps" / "map-Ti_L3.png").stat().st_size > 1000
    found = np.load(tmp_path / "maps" / "map-Ti_L3.npy")
    assert np.corrcoef(found.ravel(), series.maps["Ti"].ravel())[0, 1] > 0.95
    assert main(["run", str(tmp_path / "a.lbj"), "-o", str(tmp_path / "report")]) == 0
    summary = json.loads((tmp_path / "report" / "summary.json").read_text())
    assert set(summary["maps"]) == {"map-Ca_L3", "map-Ti_L3", "map-O_K"}
    assert summary["maps"]["map-Ti_L3"]["snr"] > 3
    page = (tmp_path / "report" / "report.html").read_text()
    assert "power law" in page
    assert "Window (eV)" in page


def test_the_oxide_interface_by_a_fit_of_its_sums(shared_data):
    """Real data: the map's sum over many pixels against a straight line through logarithms of the bright sum."""
    reader = pytest.importorskip("rsciio.digitalmicrograph")
    path = shared_data / "eels" / "DMReader_SpectrumImage_SI-EELS.dm3"
    if not path.exists():
        pytest.skip(f"no file {path}")
    cube = np.moveaxis(reader.file_reader(str(path))[0]["data"], 0, -1)
    signal = declared(cube.shape, offset=350.0, scale=0.5)
    axis = 350.0 + 0.5 * np.arange(1024)
    for window, fit_window in (((453.5, 495.5), (405, 451)), ((530, 572), (487, 527)), ((830, 860), (740, 823))):
        found = edge_map(cube, window, fit_window, signal)
        assert np.isfinite(found.values).all()
        total, before, behind = cube.sum(axis=(0, 1), dtype=float), inside(axis, fit_window), inside(axis, window)
        slope, level = np.polyfit(np.log(axis[before]), np.log(total[before]), 1)
        net = total[behind].sum() - np.exp(level + slope * np.log(axis[behind])).sum()
        assert found.values.sum() == pytest.approx(net, rel=0.05)
