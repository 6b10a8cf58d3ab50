"""Codings that lose what lies below the noise, and float-lattice: against the simulator's truth."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

import lbj
from lbj.archive.convert import convert
from lbj.codings.shared.declared import quality
from lbj.loss import losses
from lbj.recovery.recover import recover
from mfsi_core.compression.check import reconstruct
from mfsi_core.eels.denoising import denoise_journal
from mfsi_core.simulation.eels import simulate_eels

READ = 3.0
CHART = "chart(0:16,100:exact,140:1,160:20,230:7;0.5)"


@pytest.fixture(scope="module")
def simulated():
    simulation = simulate_eels((20, 25), channels=300, seed=11, electrons=800, read_noise=READ)
    return simulation, simulation.frame(0)[0]["EELS"]


def stored(tmp_path, array, coding, kind="spectra", name="a.lbj"):
    """The array as it comes back, and what the journal says of its loss."""
    signal = lbj.Signal("S", kind, array.shape, dtype=array.dtype, coding=coding)
    with lbj.create(tmp_path / name, [signal]) as writer:
        writer.append({"S": array})
    with lbj.open(tmp_path / name) as journal:
        return journal[0].array("S"), losses(journal).get("S")


@pytest.mark.parametrize("step", [0.5, 1, 2])
def test_errors_are_even_in_units_of_the_true_noise(tmp_path, simulated, step):
    simulation, cube = simulated
    back, loss = stored(tmp_path, cube, f"noise-q({step})")
    deviation = np.sqrt(simulation.mean(0) + READ**2)
    error = (back - cube) / deviation
    assert np.sqrt(np.mean(error**2)) == pytest.approx(step / np.sqrt(12), rel=0.03)
    assert np.abs(error).max() < 0.62 * step  # half a step, times the scatter of the counts about their mean
    for part in np.array_split(np.argsort(deviation.ravel()), 4):
        assert np.sqrt(np.mean(error.ravel()[part] ** 2)) == pytest.approx(step / np.sqrt(12), rel=0.05)
    z = error.mean(axis=(0, 1)) * np.sqrt(12 * 500) / step
    assert np.sqrt(np.mean(z**2)) < 1.15
    assert abs(z.mean()) < 4 / np.sqrt(300)
    assert loss.chi2 == pytest.approx(step**2 / 12, rel=0.05)
    assert loss.worst < 0.55 * step
    assert loss.gain == pytest.approx(1, rel=0.1)


@pytest.mark.parametrize(("electrons", "gain", "read"), [(5, 1, 0.5), (30, 1, 1), (300, 4, 6), (20000, 0.3, 2)])
def test_noise_is_measured_at_every_dose(tmp_path, electrons, gain, read):
    simulation = simulate_eels((20, 25), channels=300, seed=5, electrons=electrons, gain=gain, read_noise=read)
    cube = simulation.frame(0)[0]["EELS"]
    back, loss = stored(tmp_path, cube, "noise-q(1)")
    assert loss.gain == pytest.approx(gain, rel=0.15)
    error = (back - cube) / np.sqrt(gain * simulation.mean(0) + read**2)
    assert np.sqrt(np.mean(error**2)) == pytest.approx(1 / np.sqrt(12), rel=0.15)
    z = error.mean(axis=(0, 1)) * np.sqrt(12 * 500)
    assert np.sqrt(np.mean(z**2)) < 1.2


def test_negative_values_are_ordinary(tmp_path):
    rng = np.random.default_rng(1)
    cube = (rng.poisson(3, (20, 20, 200)) - 3 + rng.normal(0, 2, (20, 20, 200))).astype(np.float32)
    back, _ = stored(tmp_path, cube, "noise-q(1)")
    error = (back - cube) / np.sqrt(3 + 4)
    assert np.sqrt(np.mean(error**2)) == pytest.approx(1 / np.sqrt(12), rel=0.1)
    assert abs(error.mean()) < 4 / np.sqrt(12 * cube.size)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int32", "float64"])
def test_integers_come_back_as_integers(tmp_path, dtype):
    cube = np.random.default_rng(2).poisson(60, (12, 15, 100)).astype(dtype)
    back, loss = stored(tmp_path, cube, "noise-q(1)")
    assert back.dtype == dtype
    measured = np.mean((back.astype(float) - cube) ** 2) / 60
    assert measured == pytest.approx(1 / 12 + (0 if dtype == "float64" else 1 / 12 / 60), rel=0.15)
    assert loss.chi2 == pytest.approx(measured, rel=0.15)


def test_images_are_quantised_too(tmp_path):
    rng = np.random.default_rng(3)
    y, x = np.indices((80, 90))
    rate = 60 * (1.3 + np.sin(y / 3) * np.cos(x / 4))
    image = rng.poisson(rate).astype(np.uint16)
    back, _ = stored(tmp_path, image, "noise-q(1)", "image")
    error = (back.astype(float) - image) / np.sqrt(rate)
    assert np.sqrt(np.mean(error**2)) == pytest.approx(np.sqrt(1 / 12 + np.mean(1 / rate) / 12), rel=0.12)


# Bits of normal noise of one step plus the quantiser's, known apart from it: what an encoder can reach at 1 sigma.
NOISE_BITS = np.log2(np.sqrt(2 * np.pi * np.e * (1 + 1 / 12)))


def test_large_frames_come_near_the_entropy_of_their_noise(tmp_path):
    simulation = simulate_eels((24, 30), channels=760, seed=21, electrons=2500, read_noise=READ)
    cube = simulation.frame(0)[0]["EELS"]
    back, _ = stored(tmp_path, cube, "noise-q(1)")
    error = (back - cube) / np.sqrt(simulation.mean(0) + READ**2)
    assert np.sqrt(np.mean(error**2)) == pytest.approx(1 / np.sqrt(12), rel=0.03)
    assert 8 * (tmp_path / "a.lbj").stat().st_size / cube.size < 1.08 * NOISE_BITS


@pytest.mark.parametrize("counts", [10, 300])
def test_lattices_of_any_angle_are_predicted(tmp_path, counts):
    y, x = np.indices((200, 190))
    waves = [np.cos(0.61 * (x * np.cos(a) + y * np.sin(a))) for a in (0.3, 1.4)]
    image = np.random.default_rng(counts).poisson(counts * (1.2 + 0.5 * waves[0] + 0.5 * waves[1])).astype(np.uint16)
    stored(tmp_path, image, "noise-q(1)", "image")
    assert 8 * (tmp_path / "a.lbj").stat().st_size / image.size < 1.26 * NOISE_BITS


def test_exceptions_come_back_bit_for_bit(tmp_path, simulated):
    _, cube = simulated
    cube = cube.copy()
    nan = np.array([0x7FC12345], np.uint32).view(np.float32)[0]
    cube[3, 4, 5], cube[0, 0, 0], cube[-1, -1, -1] = nan, np.inf, -np.inf
    cube[7, 8, 150] = 30000  # a spike
    cube[10:12, 3:5, 20] = 65535  # saturated
    places = [(3, 4, 5), (0, 0, 0), (-1, -1, -1), (7, 8, 150), (10, 3, 20), (11, 4, 20)]
    for coding in ("noise-q(1)", CHART):
        back, loss = stored(tmp_path, cube, coding, name=f"{coding[:5]}.lbj")
        for place in places:
            assert back[place].tobytes() == cube[place].tobytes()
        assert loss.worst < 0.6


@pytest.mark.parametrize(
    ("cube", "said"),
    [
        (np.full((10, 10, 50), 7, np.float32), "constant"),
        (np.full((10, 10, 50), np.nan, np.float32), "not finite"),
        (np.ones((1, 1, 1), np.float32), "too few"),
        (np.linspace(1, 90, 10000).reshape(10, 10, 100).astype(np.float32), "data with noise"),
        (
            np.random.default_rng(0).poisson(200, (30, 30, 200)) * np.exp(np.random.default_rng(1).normal(0, 1.0, 200)),
            "not that of a detector",
        ),
    ],
)
@pytest.mark.parametrize("coding", ["noise-q(1)", "chart(0:1;1)"])
def test_noise_that_cannot_be_measured_is_refused(tmp_path, cube, said, coding):
    with pytest.raises(lbj.UsageError, match=said):
        stored(tmp_path, cube, coding)
    with lbj.open(tmp_path / "a.lbj") as journal:
        assert len(journal) == 0


@pytest.mark.parametrize("shape", [(1, 1, 300), (1, 40, 60), (40, 1, 60), (300, 1, 1), (2, 3, 64), (2, 5, 6, 40)])
def test_odd_shapes(tmp_path, shape):
    cube = np.random.default_rng(4).poisson(100, shape).astype(np.float32)
    for coding in ("noise-q(1)", "chart(0:1;1)"):
        back, _ = stored(tmp_path, cube, coding, name=f"{coding[:5]}.lbj")
        assert np.sqrt(np.mean((back - cube) ** 2)) == pytest.approx(10 / np.sqrt(12), rel=0.25)


def starts(pairs, channels):
    ends = [*(a for a, _ in pairs[1:]), channels]
    return np.concatenate([np.arange(a, b, f) for (a, f), b in zip(pairs, ends, strict=True)])


def test_chart_is_what_its_meaning_says(tmp_path, simulated):
    _, cube = simulated
    pairs = [(0, 16), (100, 1), (140, 20), (230, 7)]
    back, _ = stored(tmp_path, cube, "chart(0:16,100:1,140:20,230:7;0.01)")
    rows = cube.reshape(-1, 300).astype(float)
    expected = reconstruct(rows, rows.mean(axis=0), starts(pairs, 300)).reshape(cube.shape)
    assert np.abs(back - expected).max() < 0.05 * np.sqrt(cube.mean())


def test_chart_keeps_bin_sums_and_exact_blocks(tmp_path, simulated):
    simulation, cube = simulated
    back, loss = stored(tmp_path, cube, CHART)
    np.testing.assert_array_equal(back[..., 100:140], cube[..., 100:140])
    where = starts([(0, 16), (100, 40), (140, 1), (160, 20), (230, 7)], 300)
    sums = np.add.reduceat((back - cube).astype(float), where, axis=-1)
    noise = np.add.reduceat(simulation.mean(0) + READ**2, where, axis=-1)
    error = sums / np.sqrt(noise)
    single = (where > 100) & (where < 160)
    assert np.abs(error[..., single]).max() < 0.3  # half a step, times the scatter of the counts about their mean
    assert np.sqrt(np.mean(error[..., single] ** 2)) == pytest.approx(0.5 / np.sqrt(12), rel=0.05)
    assert np.abs(error).max() < 0.6  # a step
    lossy = np.delete(error, np.flatnonzero(where == 100), axis=-1)
    assert loss.chi2 == pytest.approx(np.mean(lossy**2), rel=0.05)
    assert loss.worst == pytest.approx(np.abs(lossy).max(), rel=0.15)
    z = lossy.mean(axis=(0, 1)) * np.sqrt(12 * 500) / 0.5
    assert np.sqrt(np.mean(z**2)) < 1.3


def test_exceptions_leave_their_bins_neighbours_alone(tmp_path, simulated):
    simulation, cube = simulated
    odd = cube.copy()
    odd[3, 4, :3], odd[5, 6, 298:], odd[7, 8, 140:150], odd[9, 9] = np.inf, np.nan, -np.inf, np.nan
    back, _ = stored(tmp_path, odd, "chart(0:16,140:20;0.5)")
    bad = ~np.isfinite(odd)
    assert back[bad].tobytes() == odd[bad].tobytes()
    beside = bad.any(axis=-1) & ~bad.all(axis=-1)
    error = ((back - cube) / np.sqrt(simulation.mean(0) + READ**2))[beside][~bad[beside]]
    assert np.abs(error).max() < 5  # noise of the voxels, which bins even out, and no more


def test_sums_over_bins_are_nearer_than_single_bins(tmp_path):
    simulation = simulate_eels((20, 25), channels=400, seed=12, electrons=800, read_noise=READ)
    cube, mean = simulation.frame(0)[0]["EELS"], simulation.mean(0)
    back, _ = stored(tmp_path, cube, "chart(0:4,160:16;0.5)")
    for window in (slice(0, 160), slice(40, 120), slice(160, 400), slice(100, 304)):
        noise = mean[..., window].sum(axis=-1) + READ**2 * (window.stop - window.start)
        error = (back[..., window].sum(axis=-1, dtype=float) - cube[..., window].sum(axis=-1, dtype=float)) ** 2 / noise
        assert error.mean() < 0.5**2 / 12 / 3  # a third of what independent errors of the bins would add up to


@pytest.mark.parametrize(
    ("coding", "said"),
    [
        ("noise-q", "needs its step"),
        ("noise-q(0)", "0.01 to 100"),
        ("noise-q(one)", "0.01 to 100"),
        ("noise-q(nan)", "0.01 to 100"),
        ("chart(0:4)", "and a step"),
        ("chart(1:4;1)", "begin at channel 0"),
        ("chart(0:4,20:2,20:3;1)", "without overlap"),
        ("chart(0:4,50:2,20:3;1)", "in order"),
        ("chart(0:0;1)", "at least 1"),
        ("chart(0:-3;1)", "whole number"),
        ("chart(0:exact;1)", "lossless-int"),
        ("chart(0:4,400:2;1)", "300 channels"),
        ("chart(0:4,290:11;1)", "larger than its block"),
        ("chart(;1)", "whole number"),
        ("lossless-int(3)", "takes no parameters"),
        ("median(3)", "can be coded with"),
    ],
)
def test_wrong_parameters_are_named(tmp_path, simulated, coding, said):
    with pytest.raises(lbj.UsageError, match=said):
        stored(tmp_path, simulated[1], coding)


def test_charts_are_for_spectra(tmp_path):
    with pytest.raises(lbj.UsageError, match="kind 'image'"):
        stored(tmp_path, np.zeros((4, 5), np.uint16), "chart(0:1;1)", "image")


def test_same_bytes_for_any_number_of_threads(tmp_path, monkeypatch):
    cube = np.random.default_rng(5).poisson(50, (40, 50, 400)).astype(np.float32)
    files = []
    for cores in (1, 3):
        monkeypatch.setattr(os, "cpu_count", lambda n=cores: n)
        stored(tmp_path, cube, "noise-q(1)", name=f"{cores}.lbj")
        files.append((tmp_path / f"{cores}.lbj").read_bytes())
    assert len(files[0]) == len(files[1])
    with lbj.open(tmp_path / "1.lbj") as one, lbj.open(tmp_path / "3.lbj") as three:
        np.testing.assert_array_equal(one[0].array("S"), three[0].array("S"))


def test_loss_is_said_wherever_a_journal_is_opened(tmp_path, simulated):
    stored(tmp_path, simulated[1], "noise-q(1)")
    path = str(tmp_path / "a.lbj")
    run = [sys.executable, "-m", "lbj.cli"]
    told = subprocess.run([*run, "info", path], capture_output=True, text=True, check=True).stdout
    assert "S is stored with loss: noise-q(1)" in told
    loss = json.loads(subprocess.run([*run, "info", "--json", path], capture_output=True, check=True).stdout)
    assert loss["signals"][0]["loss"]["chi2"] == pytest.approx(1 / 12, rel=0.05)
    for command in (
        ["export", path, "-o", str(tmp_path / "a.npz")],
        ["convert", path, "-o", str(tmp_path / "b.lbj")],
        ["recover", path, "-o", str(tmp_path / "c.lbj")],
        ["verify", path],
    ):
        told = subprocess.run([*run, *command], capture_output=True, text=True, check=True).stdout
        assert told.count("stored with loss") == 1, command
    assert "stored with loss" in denoise_journal(path, str(tmp_path / "d.lbj"), 3, "S")[-1]


def test_loss_is_never_applied_twice(tmp_path, simulated):
    back, _ = stored(tmp_path, simulated[1], CHART)
    convert([str(tmp_path / "a.lbj")], tmp_path / "b.lbj", quiet=True)
    with open(tmp_path / "a.lbj", "rb") as file:
        recover(file, tmp_path / "c.lbj", lambda line: None)
    convert([str(tmp_path / "a.lbj")], tmp_path / "d.lbj", {"S": "shuffle-zstd"}, quiet=True)
    for name in "bcd":
        with lbj.open(tmp_path / f"{name}.lbj") as journal:
            np.testing.assert_array_equal(journal[0].array("S"), back)
            assert ("S" in losses(journal)) == (name != "d")
            assert any("with loss" in note for note in journal.header["source"].get("notes", [])) == (name == "d")
    with pytest.raises(lbj.UsageError, match="lose twice"):
        convert([str(tmp_path / "a.lbj")], tmp_path / "e.lbj", {"S": "noise-q(1)"}, quiet=True)
    assert not (tmp_path / "e.lbj").exists()


def test_images_that_are_no_integers_need_no_other_declaration(tmp_path):
    image = np.random.default_rng(6).normal(0, 1, (30, 40)).astype(np.float32)
    back, loss = stored(tmp_path, image, None, "image")
    np.testing.assert_array_equal(back, image)
    assert loss is None


def test_stated_quality_needs_its_bytes():
    with pytest.raises(lbj.DamagedError):
        quality(b"\0" * 20)


def lattices():
    rng = np.random.default_rng(7)
    adc = rng.poisson(300, (20, 30, 40)) + 500
    dark, gain = rng.normal(500, 3, 40), rng.normal(1, 0.05, 40)
    single = (adc.astype(np.float32) - dark.astype(np.float32)) * gain.astype(np.float32)
    broken = ((adc - dark) * gain).astype(np.float32)
    broken[3, 4, 5], broken[0, 0, 0], broken[1, 1, 1] = np.nan, -np.inf, 12345.678
    return {
        "dark and gain a channel": ((adc - dark) * gain).astype(np.float32),
        "in single precision": single,
        "one gain": ((adc - dark) * 0.731).astype(np.float32),
        "gain 1": (adc - dark).astype(np.float32),
        "integers in float64": adc.astype(np.float64),
        "with exceptions": broken,
    }


@pytest.mark.parametrize("name", lattices())
def test_lattices_are_found(tmp_path, name):
    cube = lattices()[name]
    back, _ = stored(tmp_path, cube, "float-lattice")
    assert back.tobytes() == cube.tobytes()
    assert (tmp_path / "a.lbj").stat().st_size < 0.35 * cube.size * 4


@pytest.mark.parametrize("array", [np.random.default_rng(8).normal(0, 1, (20, 30, 8)).astype(np.float32)])
def test_what_is_no_lattice_is_refused(tmp_path, array):
    with pytest.raises(lbj.UsageError, match="column 0"):
        stored(tmp_path, array, "float-lattice")
    with pytest.raises(lbj.UsageError, match="float32 and float64"):
        stored(tmp_path, array.astype(np.int32), "float-lattice", name="b.lbj")


def test_low_loss_line_lies_on_a_lattice(tmp_path, shared_data):
    path = shared_data / "eels/LSMO_linescan_low_loss.hspy"
    convert([str(path)], tmp_path / "a.lbj", {"EELS": "float-lattice"}, quiet=True)
    convert([str(path)], tmp_path / "b.lbj", {"EELS": "shuffle-zstd"}, quiet=True)
    with lbj.open(tmp_path / "a.lbj") as a, lbj.open(tmp_path / "b.lbj") as b:
        assert a[0].array("EELS").tobytes() == b[0].array("EELS").tobytes()
    assert (tmp_path / "a.lbj").stat().st_size < 0.7 * (tmp_path / "b.lbj").stat().st_size


@pytest.mark.parametrize(
    "name",
    ["eels/DMReader_SpectrumImage_SI-EELS.dm3", "eels/CuZn_EELS_mapping_tutorial.hspy", "eels/LSMO_linescan.hspy"],
)
def test_real_core_loss_shrinks_twelvefold(tmp_path, shared_data, name):
    path = shared_data / name
    convert([str(path)], tmp_path / "a.lbj", {"EELS": "noise-q(1)"}, quiet=True)
    with lbj.open(tmp_path / "a.lbj") as journal:
        signal = journal.signals["EELS"]
        assert signal.pixels * signal.channels * 4 > 12.5 * journal.totals("EELS")[1]
