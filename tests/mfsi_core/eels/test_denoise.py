"""Denoising by principal components, and removal of spikes and bad channels, against simulated truth."""

import hashlib

import numpy as np
import pytest
from scipy import stats

import lbj
from mfsi_core import denoise
from mfsi_core.cli import main
from mfsi_core.eels.denoising import denoise_journal
from mfsi_core.eels.outliers import remove_outliers
from mfsi_core.simulation.eels import simulate_eels


@pytest.fixture(scope="module")
def series():
    return simulate_eels((20, 30), 2, 600, 1, electrons=200, low_loss=True, flicker=0.1)


@pytest.fixture
def journal(tmp_path, series):
    path = tmp_path / "a.lbj"
    with lbj.create(
        path, series.signals, {"title": "sum", "elements": ["Ti"]}, source={"notes": ["an old note"]}
    ) as writer:
        for data, attributes in series:
            writer.append(data, **attributes)
    return path


def test_components_bring_spectra_nearer_to_the_truth(series):
    noisy = np.stack([series.frame(i)[0]["EELS"] for i in range(2)])
    mean = np.stack([series.mean(i) for i in range(2)])
    found = denoise(noisy, 5)
    assert found.shape == noisy.shape
    before, after = (np.sqrt(np.mean((data - mean) ** 2)) for data in (noisy, found))
    # Noise of 5 of 600 channels and of 5 of 1200 pixels is left: sqrt(5 / 600 + 5 / 1200) = 0.11.
    assert after < 0.15 * before
    assert found.mean() == pytest.approx(noisy.mean(), rel=1e-3)


def test_weights_make_weak_channels_count():
    """A feature where counts are few is found before the noise of where they are many (Keenan and Kotula 2004)."""
    rng = np.random.default_rng(2)
    mean = np.full((20, 20, 300), 1.0)
    mean[..., :150] = 4000.0
    mean[:10, :, 200:230] += 4.0
    noisy = rng.poisson(mean)
    found = denoise(noisy, 2)
    contrast = found[:10, :, 200:230].mean() - found[10:, :, 200:230].mean()
    assert contrast == pytest.approx(4.0, rel=0.1)
    _, _, components = np.linalg.svd(noisy.reshape(400, 300).astype(float), full_matrices=False)
    assert np.abs(components[1][200:230]).max() < 0.02  # without weights: the second component is noise


def test_all_components_leave_everything_as_it_was():
    cube = np.random.default_rng(3).normal(5, 3, (6, 7, 12))
    np.testing.assert_allclose(denoise(cube, 12), cube, rtol=1e-9, atol=1e-9)


def test_one_component_is_the_spectrum_that_all_share():
    shared = np.outer(np.arange(1.0, 31), np.linspace(9, 2, 40)).reshape(5, 6, 40)
    np.testing.assert_allclose(denoise(shared, 1), shared, rtol=1e-9)


def test_voxels_that_are_not_finite_stay_and_spoil_nothing():
    shared = np.outer(np.arange(1.0, 31), np.linspace(9, 2, 40)).reshape(5, 6, 40)
    cube = shared.copy()
    cube[1, 2, 3], cube[4, 4, :20], cube[0, 0] = np.nan, np.inf, -np.inf
    found = denoise(cube, 1)
    np.testing.assert_array_equal(found[~np.isfinite(cube)], cube[~np.isfinite(cube)])
    np.testing.assert_allclose(found[np.isfinite(cube)], shared[np.isfinite(cube)], rtol=1e-9)


@pytest.mark.parametrize("shape", [(1, 1, 9), (1, 9, 1), (5, 1, 3), (1, 1, 1), (1, 1, 1, 4)])
@pytest.mark.parametrize("median", [False, True])
@pytest.mark.parametrize("value", [0.0, 7.0, -3.0])
def test_small_and_constant_cubes(shape, median, value):
    np.testing.assert_allclose(denoise(np.full(shape, value), 1, median=median), value, atol=1e-12)


@pytest.mark.parametrize(
    ("cube", "components", "message"),
    [
        (np.ones((2, 3, 4)), 5, "components must be 1 to 4"),
        (np.ones((1, 3, 4)), 4, "components must be 1 to 3"),
        (np.ones((2, 3, 4)), 0, "components must be 1 to 4"),
        (np.ones((3, 4)), 1, r"\(Y, X, C\)"),
        (np.full((2, 3, 4), np.nan), 1, "finite spectra"),
        (np.ones((1, 1, 8193)), 1, "8192 is the most"),
    ],
)
def test_bad_use_is_named(cube, components, message):
    with pytest.raises(lbj.UsageError, match=message):
        denoise(cube, components)


def test_spikes_are_replaced_and_nothing_else(series):
    rng = np.random.default_rng(4)
    for name in ("EELS", "EELS-LL"):  # the zero-loss peak flickers by 10 %
        clean = series.frame(0)[0][name].astype(float)
        assert not remove_outliers(clean)[1].any()
        cube = clean.copy()
        where = np.unravel_index(rng.choice(cube.size, 40, replace=False), cube.shape)
        # In the zero-loss peak a spike of 20 sigma of counting noise drowns in the flicker.
        cube[where] += 20 * np.sqrt(np.abs(clean[where]) + 9) + (0.5 * clean[where] if name == "EELS-LL" else 0)
        found, changed = remove_outliers(cube)
        np.testing.assert_array_equal(found[~changed], cube[~changed])
        spikes = np.zeros(cube.shape, bool)
        spikes[where] = True
        assert not (changed & ~spikes).any()
        assert (changed & spikes).sum() >= 38
        near = np.abs(found - clean)[spikes & changed] / np.sqrt(np.abs(clean[spikes & changed]) + 9)
        assert np.median(near) < 3


def test_structure_of_spectrum_or_image_is_no_outlier():
    rng = np.random.default_rng(5)
    mean = np.full((12, 12, 100), 50.0)
    mean += 900 * np.exp(-0.5 * ((np.arange(100) - 40.3) / 0.85) ** 2)  # a line two channels wide in all pixels
    mean[6, 6] = 700  # a pixel bright in all channels
    assert not remove_outliers(rng.poisson(mean))[1].any()


@pytest.mark.parametrize("fwhm", [2.2, 3.0, 5.0])
@pytest.mark.parametrize("shape", [(9, 11), (1, 30)])
def test_the_white_line_of_a_particle_of_one_pixel_stays(fwhm, shape):
    """Hartree-Slater-like step and white line, on a power law."""
    rng = np.random.default_rng(6)
    channel = np.arange(400)
    for place in (120.0, 120.5, 250.3):
        mean = np.full((*shape, 400), 1.0) * 2e3 * (1 + channel / 200) ** -2.5
        line = 4000 * np.exp(-0.5 * ((channel - place) / (fwhm / 2.355)) ** 2) + 400 * (channel > place)
        mean[0, shape[1] // 2] += line
        assert not remove_outliers(rng.poisson(mean))[1].any()


def test_the_frames_before_and_after_speak_for_a_narrow_line():
    """A line one channel wide in one pixel: seen again, a pixel off, it is the specimen's; else a spike."""
    rng = np.random.default_rng(7)
    mean = np.full((3, 8, 9, 100), 40.0)
    for frame, column in enumerate((3, 4, 4)):
        mean[frame, 5, column, 60] += 3000
    frames = rng.poisson(mean).astype(float)
    spike = frames[1].copy()
    spike[2, 2, 30] += 3000
    for others, count in (([frames[0], frames[2]], 1), ([frames[0]], 1), ([frames[0] * 0 + 40.0], 2)):
        changed = remove_outliers(spike, neighbours=lambda others=others: others)[1]
        assert changed[2, 2, 30]
        assert changed.sum() == count
    found = denoise(np.stack([frames[0], spike, frames[2]]), 20, median=True)
    assert found[1, 5, 4, 60] > 1000


@pytest.mark.parametrize(("step", "width"), [(0.1, 0.3), (0.25, 0.5), (0.5, 0.8), (1.0, 0.8), (0.2, 0.15)])
@pytest.mark.parametrize("shape", [(9, 10), (1, 60), (40, 1)])
def test_a_sharp_zero_loss_peak_that_moves_stays(step, width, shape):
    rng = np.random.default_rng(8)
    ends = -5 + step * (np.arange(251) - 0.5) + rng.normal(0, 1, shape)[..., None]
    energy = (ends[..., 1:] + ends[..., :-1]) / 2
    mean = 1e4 / step * np.diff(stats.norm(0, width / 2.355).cdf(ends)) + 300 / (1 + ((energy - 15) / 4) ** 2) + 5
    cube = rng.poisson(mean).astype(float)
    assert not remove_outliers(cube)[1].any()
    cube[0, 0, 200] += 4000
    np.testing.assert_array_equal(np.argwhere(remove_outliers(cube)[1]), [[0, 0, 200]])


@pytest.mark.parametrize("shape", [(12, 13), (1, 40)])
def test_dead_and_hot_channels_are_replaced(shape):
    rng = np.random.default_rng(9)
    energy = 420 + 0.5 * np.arange(300)
    true = 4e3 * (energy / 420) ** -2.8 + 300 * (energy > 460) * np.exp(-0.5 * ((energy - 462) / 1.5) ** 2)
    cube = rng.poisson(np.broadcast_to(true, (*shape, 300))).astype(float)
    clean = cube.copy()
    cube[..., [0, 70]] = 0
    cube[..., 299] += 4000
    cube[..., 84] *= 2.5  # on the white line
    cube[..., 200:202] = 11
    found, changed = remove_outliers(cube)
    bad = [0, 70, 84, 200, 201, 299]
    np.testing.assert_array_equal(np.flatnonzero(changed.all(axis=(0, 1))), bad)
    assert changed.sum() == len(bad) * cube[..., 0].size
    np.testing.assert_allclose(found[..., bad].mean(axis=(0, 1)), true[bad], rtol=0.12)
    np.testing.assert_array_equal(found[~changed], clean[~changed])


@pytest.mark.parametrize("place", [(0, 0, 0), (0, 12, 249), (9, 12, 0), (4, 0, 100), (0, 6, 248)])
@pytest.mark.parametrize("shape", [(10, 13, 250), (1, 13, 250), (13, 1, 250)])
def test_spikes_at_the_ends_of_axis_and_scan_are_replaced(place, shape):
    place = tuple(min(at, size - 1) for at, size in zip(place, shape, strict=True))
    true = 800.0 * (1 + np.arange(250) / 300) ** -3
    clean = np.random.default_rng(10).poisson(np.broadcast_to(true, shape)).astype(float)
    cube = clean.copy()
    cube[place] += 5e4
    found, changed = remove_outliers(cube)
    np.testing.assert_array_equal(np.argwhere(changed), [place])
    assert found[place] == pytest.approx(true[place[2]], rel=0.12)


def test_a_spike_in_a_constant_cube_and_missing_voxels():
    cube = np.full((5, 6, 50), 3.0)
    cube[2, 3, 20], cube[0, 0, 0], cube[4, 5, 7] = 1e4, np.nan, -np.inf
    found, changed = remove_outliers(cube)
    assert changed.sum() == 3
    np.testing.assert_array_equal(found, 3.0)
    nothing, changed = remove_outliers(np.full((2, 3, 4), np.nan))
    assert np.isnan(nothing).all()
    assert not changed.any()
    one, changed = remove_outliers(np.where(np.arange(200) == 20, 1e4, 3.0)[None, None])
    assert (one.max(), changed.sum()) == (3.0, 1)


def test_the_command_keeps_on_record_what_it_did(journal, series, tmp_path, capsys):
    out = tmp_path / "b.lbj"
    assert main(["denoise", str(journal), "-o", str(out), "--components", "4", "--median"]) == 0
    assert "4 principal components" in capsys.readouterr().out
    with lbj.open(journal) as before, lbj.open(out) as after:
        source = after.header["source"]
        assert source["name"] == "a.lbj"
        assert source["uuid"] == before.header["uuid"]
        assert source["files"] == [{"name": "a.lbj", "sha256": hashlib.sha256(journal.read_bytes()).hexdigest()}]
        assert source["notes"][0] == "an old note"
        assert "outliers beyond 8 sigma" in source["notes"][1]
        assert "4 principal components" in source["notes"][2]
        assert after.metadata == before.metadata
        assert after.signals["EELS"].dtype == "float32"
        for i in range(2):
            np.testing.assert_array_equal(after[i].array("HAADF"), before[i].array("HAADF"))
            np.testing.assert_array_equal(after[i].array("EELS-LL"), before[i].array("EELS-LL"))
            assert after[i].attributes == before[i].attributes
            found, noisy = after[i].array("EELS"), before[i].array("EELS")
            assert np.abs(found - series.mean(i)).mean() < 0.2 * np.abs(noisy - series.mean(i)).mean()
    assert main(["denoise", str(journal), "-o", str(out), "--components", "4"]) == 2  # never overwritten
    assert "exists" in capsys.readouterr().err


def test_the_journal_and_the_array_agree(journal, series, tmp_path):
    noisy = np.stack([series.frame(i)[0]["EELS-LL"] for i in range(2)])
    denoise_journal(journal, tmp_path / "b.lbj", 3, "EELS-LL")
    expected = denoise(noisy, 3)
    with lbj.open(tmp_path / "b.lbj") as after:
        for i in range(2):
            np.testing.assert_allclose(after[i].array("EELS-LL"), expected[i], rtol=1e-5, atol=1e-3)


def test_other_signals_are_refused(tmp_path, capsys):
    signals = [
        lbj.Signal("EDX", "events", (2, 3, 8)),
        lbj.Signal("HAADF", "image", (2, 3)),
        lbj.Signal("EELS", "spectra", (2, 3, 8)),
    ]
    path, out = tmp_path / "a.lbj", tmp_path / "b.lbj"
    with lbj.create(path, signals) as writer:
        writer.append({"EDX": np.ones((2, 3, 8), np.uint32), "HAADF": np.ones((2, 3), np.uint16)})
        writer.append({"EELS": np.ones((2, 3, 8), np.float32)})
    for name, message in (
        ("EDX", "X-ray counts as events.*dense spectra"),
        ("HAADF", "of kind image"),
        ("X", "no signal 'X'"),
    ):
        with pytest.raises(lbj.UsageError, match=message):
            denoise_journal(path, out, 2, name)
    assert main(["denoise", str(path), "-o", str(out), "--components", "9"]) == 2
    assert "components must be 1 to 6" in capsys.readouterr().err
    assert not out.exists()
    denoise_journal(path, out, 1)  # a frame without EELS stays one
    with lbj.open(out) as after:
        assert after[0].names == ["EDX", "HAADF"]
        assert after[0].events("EDX").total == 48
        np.testing.assert_allclose(after[1].array("EELS"), 1, rtol=1e-6)


def test_static_signals_are_copied(tmp_path):
    signals = [
        lbj.Signal("EELS", "spectra", (2, 3, 8)),
        lbj.Signal("survey", "image", (4, 4), role="survey"),
        lbj.Signal("dark", "image", (4, 4), role="dark"),
    ]
    with lbj.create(tmp_path / "a.lbj", signals) as writer:
        writer.put_static("survey", np.arange(16, dtype=np.uint16).reshape(4, 4))
        writer.append({"EELS": np.ones((2, 3, 8), np.float32)})
    denoise_journal(tmp_path / "a.lbj", tmp_path / "b.lbj", 1)
    with lbj.open(tmp_path / "b.lbj") as after:
        np.testing.assert_array_equal(after.static("survey"), np.arange(16).reshape(4, 4))


def test_help_has_an_example(capsys):
    with pytest.raises(SystemExit):
        main(["denoise", "--help"])
    assert "mfsi denoise series.lbj -o denoised.lbj --components 6" in capsys.readouterr().out


def test_what_was_changed_where_is_told_and_drawn(tmp_path, capsys):
    """A pixel of its own, which one component cannot hold; dead channels and a spike."""
    rng = np.random.default_rng(11)
    axis = {"name": "energy", "offset": 500.0, "scale": 0.5, "units": "eV"}
    mean = np.broadcast_to(2000.0 * (1 + np.arange(120) / 300) ** -3, (9, 10, 120)).copy()
    mean[4, 6, 50:] *= 1.5
    with lbj.create(
        tmp_path / "a.lbj", [lbj.Signal("EELS", "spectra", (9, 10, 120), axes=[{"name": "y"}, {"name": "x"}, axis])]
    ) as writer:
        for number in range(2):
            cube = rng.poisson(mean).astype(np.float32)
            cube[..., 30] = 0
            if number:
                cube[2, 3, 80] = 1e5
            writer.append({"EELS": cube})
    out = tmp_path / "b.lbj"
    assert main(["denoise", str(tmp_path / "a.lbj"), "-o", str(out), "--components", "1", "--median"]) == 0
    said = capsys.readouterr().out
    assert "181 outliers" in said
    assert "1 spikes in 1 pixels, and 1 dead or hot channels at 515 eV" in said
    assert "1 pixels show what the components do not hold, most of all (4, 6)" in said
    assert (tmp_path / "b.png").read_bytes()[:4] == b"\x89PNG"
    assert (
        main(["denoise", str(tmp_path / "a.lbj"), "-o", str(tmp_path / "c.lbj"), "--components", "2", "--median"]) == 0
    )
    assert "do not hold" not in capsys.readouterr().out
