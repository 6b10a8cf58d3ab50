"""Scree: variance ratios against a dense decomposition and HyperSpy, significant components against simulations."""

import argparse
import csv
import tracemalloc
import warnings

import numpy as np
import pytest
from scipy.sparse import csr_array

import lbj
from lbj import Signal, UsageError
from lbj.events import Events
from mfsi_core import Registration, accumulate, simulate
from mfsi_core.commands import scree as command
from mfsi_core.components import counted
from mfsi_core.components.count_splitting import Halves, z_scores
from mfsi_core.components.counted import count_components
from mfsi_core.components.figure import scree_figure
from mfsi_core.components.scree import scree, variance_ratios, with_sum


def dense_ratios(cube):
    """The definition written out: every count over the roots of its pixel's and its channel's sum; squared SVD."""
    rows = np.asarray(cube, float).reshape(-1, cube.shape[-1])
    weight = np.sqrt(np.outer(rows.sum(axis=1), rows.sum(axis=0)))
    weighted = np.divide(rows, weight, out=np.zeros_like(rows), where=weight > 0)
    square = np.linalg.svd(weighted, compute_uv=False) ** 2
    return square / square.sum()


def rates(rank, shape, channels, counts, seed):
    """Expected counts of gradients of so many spectra: (Y*X, C), counts in all."""
    rng = np.random.default_rng(seed)
    at = np.indices(shape).reshape(2, -1) / max(shape)
    maps = [1 + np.cos(2 * np.pi * (rng.uniform(0.5, 2, 2) @ at + rng.random())) for _ in range(rank)]
    channel = np.arange(channels)
    peaks = [
        np.exp(-0.5 * ((channel - channels * (0.15 + 0.7 * rng.random(3))[:, None]) / 3) ** 2) for _ in range(rank)
    ]
    rate = np.transpose(maps) @ [peak.sum(axis=0) + 0.05 for peak in peaks]
    return rate * counts / rate.sum()


def mixture(rank, shape, channels, counts, seed, frames=1):
    """Counts drawn from `rates`: (frames, Y, X, C)."""
    rate = rates(rank, shape, channels, counts, seed)
    return np.random.default_rng(seed).poisson(rate, (frames, *rate.shape)).reshape(frames, *shape, channels)


@pytest.mark.parametrize(
    ("shape", "counts"),
    [((30, 20, 64), 400), ((30, 20, 64), 2e5), ((5, 7, 90), 300), ((1, 1, 16), 50), ((9, 4, 1), 50), ((6, 6, 36), 500)],
)
def test_ratios_are_those_of_the_dense_decomposition(shape, counts):
    cube = np.random.default_rng(1).poisson(mixture(2, shape[:2], shape[2], counts, 2)[0])
    cube[..., shape[2] // 2 :][..., 1:3] = 0
    cube[0, :2, :] *= shape[0] == 1
    for given in (cube, cube.astype(np.uint16), Events.from_dense(cube)):
        np.testing.assert_allclose(variance_ratios(given), dense_ratios(cube), atol=1e-12)
    np.testing.assert_allclose(variance_ratios(cube * 0.37), dense_ratios(cube), atol=1e-12)


@pytest.mark.parametrize("counts", [3000, 300000])
def test_ratios_are_those_of_hyperspy(counts):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        hs = pytest.importorskip("hyperspy.api", exc_type=ImportError)
        hs.preferences.General.show_progressbar = False
        cube = mixture(3, (24, 20), 128, counts, 3)[0]
        peer = hs.signals.Signal1D(cube.astype(float))
        peer.decomposition(normalize_poissonian_noise=True, algorithm="SVD", print_info=False)
        expected = peer.get_explained_variance_ratio().data
    np.testing.assert_allclose(variance_ratios(Events.from_dense(cube)), expected, atol=1e-10)


def test_every_entry_is_of_the_sum_that_accumulate_gives():
    sim = simulate((24, 30), 9, 128, 4, counts=4000)
    registration = Registration(sim.displacement, left_out=np.arange(9) == 2)
    found = scree(sim.events, frames=[1, 3, 8], registration=registration)
    usable = [0, 1, 3, 4, 5, 6, 7, 8]
    for i, number in enumerate([1, 3, 8]):
        frames = usable[:number]
        cube = accumulate([sim.events[f] for f in frames], Registration(sim.displacement[frames]))
        np.testing.assert_allclose(found.variance_ratio[i], dense_ratios(cube), atol=1e-6)
    still = scree(sim.events, frames=[4])
    np.testing.assert_allclose(still.variance_ratio[0], dense_ratios(Events.sum(sim.events[:4]).dense()), atol=1e-12)
    assert still.dose.tolist() == [sum(events.total for events in sim.events[:4])]
    assert still.dose_unit == "counts"


def test_numbers_of_frames_are_the_squares_and_all():
    sim = simulate((8, 8), 11, 32, 5, counts=300)
    found = scree(sim.events)
    assert found.frames.tolist() == [1, 4, 9, 11]
    assert len(found.dose) == len(found.variance_ratio) == len(found.significant) == len(found.z) == len(found) == 4
    np.testing.assert_array_equal(scree([e.dense() for e in sim.events]).variance_ratio, found.variance_ratio)


@pytest.mark.parametrize(("shape", "channels", "moving"), [((64, 64), 1024, True), ((90, 50), 512, False)])
def test_three_components_from_sixteen_frames_of_a_crystal(shape, channels, moving):
    sim = simulate(shape, 16, channels, 11)
    registration = Registration(sim.displacement) if moving else None
    found = scree(sim.events, frames=[1, 16], registration=registration)
    assert found.significant[0] <= 3
    assert found.significant[1] == 3
    assert (found.z[1] > 4.5).nonzero()[0].tolist() == [0, 1, 2]


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_as_many_components_as_spectra(rank):
    for counts in (2e5, 4e6):
        frames = mixture(rank, (32, 40), 128, counts / 4, rank, frames=4)
        assert scree(frames, frames=[4]).significant.tolist() == [rank]


@pytest.mark.parametrize("counts", [1, 30, 1000, 1e5, 1e6])
def test_one_spectrum_is_one_component_at_any_dose(counts):
    found = [int(scree(mixture(1, (20, 32), 128, counts, seed)).significant[0]) for seed in range(3)]
    assert max(found) <= 1
    assert min(found) == 1 or counts < 1000


def test_scores_of_noise_are_standard_normal():
    scores = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        rate = rates(2, (30, 20), 100, 1e5, seed)
        scores.extend(z_scores(csr_array(rng.poisson(rate)), csr_array(rng.poisson(rate)), (30, 20))[2:])
    assert len(scores) > 200
    assert abs(np.mean(scores)) < 5 / np.sqrt(len(scores))
    assert 0.8 < np.std(scores) < 1.2


def test_halves_hold_every_count_that_stays_in_the_field():
    events = Events.from_list([0, 1, 5, 5], [0, 1, 1, 0], (2, 3, 2), [1000, 3, 2, 1])
    displacement = np.zeros((2, 2, 3), np.float32)
    displacement[1, 0, 0], displacement[0, 1, 2] = 1.4, 0.6
    halves = Halves(events.shape)
    halves.add(events, displacement, 7)
    first, second = (half.toarray() for half in halves.parts)
    expected = np.zeros((6, 2))
    expected[1] = 1000, 3
    np.testing.assert_array_equal(first + second, expected)
    assert 400 < first[1, 0] < 600


def test_odd_series():
    empty = Events.from_list([], [], (4, 5, 6))
    found = scree([empty, empty])
    assert found.significant.tolist() == [0, 0]
    assert not found.variance_ratio.any()
    for shape in ((1, 1, 50), (7, 9, 1), (1, 1, 1)):
        one = np.random.default_rng(6).poisson(100, (2, *shape))
        found = scree(one)
        assert found.significant.tolist() == [1, 1]
        np.testing.assert_allclose(found.variance_ratio[:, 0], 1)
    fractional = np.random.default_rng(6).poisson(100, (2, 4, 4, 8)) * 0.7
    assert scree(fractional).significant.tolist() == [-1, -1]


def test_a_strong_strobe_peak_hides_no_component():
    cube = mixture(3, (32, 32), 400, 3e5, 8, frames=2)
    cube[..., :6] += np.random.default_rng(9).poisson(200.0, cube[..., :6].shape)
    assert scree(cube, frames=[2]).significant.tolist() == [3 + 1]  # the strobe is a spectrum of its own


def test_another_sum_is_appended():
    sim = simulate((24, 24), 4, 128, 6, counts=20000)
    found = scree(sim.events)
    cell = Events.sum(sim.events).dense()[:12, :10]
    more = with_sum(with_sum(found, cell, "template-matched", 1e6, 4), cell * 0.5, "halved", 5e5, 4)
    assert more.labels == ["cumulative", "cumulative", "template-matched", "halved"]
    assert more.significant.shape == more.dose.shape == more.frames.shape == (4,)
    assert more.significant[-1] == -1
    assert more.significant[-2] >= 1
    for row in more.variance_ratio[2:]:
        np.testing.assert_allclose(row[:120], dense_ratios(cell), atol=1e-12)
        assert not row[120:].any()
    np.testing.assert_array_equal(more.variance_ratio[:2], found.variance_ratio)
    assert scree_figure(more).startswith(b"\x89PNG")


def test_wrong_use_is_refused():
    frames = mixture(1, (4, 4), 8, 500, 0, frames=3)
    for numbers in ([0], [4], [2, 1], [], [1.5], [2, 2], 4):
        with pytest.raises(UsageError, match="from 1 to 3"):
            scree(frames, frames=numbers)
    with pytest.raises(UsageError, match="image"):
        scree(frames[..., 0])
    with pytest.raises(UsageError, match="negative"):
        scree(frames - 1000.0)
    with pytest.raises(UsageError, match="not finite"):
        variance_ratios(np.full((2, 2, 3), np.nan))
    with pytest.raises(UsageError, match="three axes"):
        variance_ratios(np.ones((3, 3)))
    with pytest.raises(UsageError, match="left out"):
        scree(frames, registration=Registration.rigid(np.zeros((3, 2)), (4, 4), left_out=[True] * 3))
    with pytest.raises(UsageError, match="2 frames"):
        scree(frames, registration=Registration.rigid(np.zeros((2, 2)), (4, 4)))


def test_dose_is_current_times_time_over_area(tmp_path):
    axes = [{"name": n, "size": 4, "offset": 0.0, "scale": 2e-10, "units": "m"} for n in "yx"]
    signal = Signal("EDX", "events", (4, 4, 8), axes=[*axes, {"name": "energy", "size": 8}])
    frame = Events.from_dense(mixture(1, (4, 4), 8, 500, 0)[0])
    with lbj.create(tmp_path / "s.lbj", [signal]) as writer:
        for current in (1.602176634e-10, 3.204353268e-10):
            writer.append({"EDX": frame}, beam_current=current, dwell_time=1e-6)
    with lbj.open(tmp_path / "s.lbj") as journal:
        found = scree(journal, frames=[1, 2])
    np.testing.assert_allclose(found.dose, [1000 / 4, 3000 / 4])
    assert found.dose_unit == "e/Å²"


def test_command_writes_table_and_figure(tmp_path, capsys):
    sim = simulate((24, 24), 4, 64, 7, counts=5000)
    sim.save(tmp_path / "series.lbj")
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers()
    command.add(lambda name, text, example: commands.add_parser(name, help=text, description=text, epilog=example))
    args = parser.parse_args(["scree", str(tmp_path / "series.lbj"), "-o", str(tmp_path / "out")])
    assert args.run(args) == 0
    assert "4 frames" in capsys.readouterr().out
    with open(tmp_path / "out" / "scree.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["frames"] for row in rows] == ["1"] * 64 + ["4"] * 64
    assert sum(float(row["variance_ratio"]) for row in rows[64:]) == pytest.approx(1, abs=1e-6)
    assert [row["component"] for row in rows[:64]] == [str(k) for k in range(1, 65)]
    assert all((float(row["z"]) > 4.5) == (row["significant"] == "1") for row in rows if row["z"])
    assert {row["dose_unit"] for row in rows} == {"e/Å²"}
    assert (tmp_path / "out" / "scree.png").read_bytes().startswith(b"\x89PNG")
    args.output = str(tmp_path / "series.lbj")
    with pytest.raises(UsageError, match="is a file"):
        args.run(args)


def test_spectra_of_a_journal_are_not_taken_for_counts(tmp_path):
    cube = 17 * np.random.default_rng(2).poisson(mixture(2, (12, 10), 64, 40.0, 2)[0])
    with lbj.create(tmp_path / "a.lbj", [lbj.Signal("EELS", "spectra", cube.shape, dtype="float32")]) as writer:
        writer.append({"EELS": cube.astype(np.float32)})
    with lbj.open(tmp_path / "a.lbj") as journal:
        found = scree(journal, "EELS")
    assert found.significant.tolist() == [-1]
    np.testing.assert_allclose(found.variance_ratio[0], dense_ratios(cube), atol=1e-6)


@pytest.mark.parametrize(("shape", "counts"), [((20, 32), 3e4), ((9, 7), 500), ((40, 36), 1e5)])
def test_components_counted_frame_by_frame_are_those_of_the_whole_sum(shape, counts):
    frames = mixture(3, shape, 300, counts, 5, frames=6)
    move = np.random.default_rng(6).normal(0, 2, (6, 2))
    registration = Registration.rigid(move, shape, left_out=np.arange(6) == 2)
    expected = int(scree(frames, frames=[5], registration=registration).significant[-1])
    assert count_components(frames, "data", registration) == expected
    assert count_components(frames * 0.5, "data", registration) == -1


def test_components_of_large_fields_are_counted_by_squares(monkeypatch):
    frames = mixture(2, (40, 40), 60, 1e5, 7, frames=2)
    still = Registration.rigid(np.zeros((2, 2)), (40, 40))
    monkeypatch.setattr(counted, "MOST_PIXELS", 500)  # squares of 2 px
    assert count_components(frames, "data", still) == 2


def test_counting_components_takes_the_same_memory_however_many_frames():
    frame = Events.from_dense(mixture(2, (30, 30), 64, 2e4, 8)[0])
    peaks = []
    for number in (5, 50):
        still = Registration.rigid(np.zeros((number, 2)), (30, 30))
        tracemalloc.start()
        count_components([frame] * number, "data", still)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]
