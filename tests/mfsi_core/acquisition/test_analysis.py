"""The analysis beside the recorder: what it finds, against the truth of simulations, and what it costs."""

import contextlib
import json
import os
import threading
import time

import numpy as np
import pytest

import lbj
from lbj import Signal
from mfsi_core.acquisition.analysis import Analysis
from mfsi_core.acquisition.damage import Trend
from mfsi_core.acquisition.follower import Follower
from mfsi_core.acquisition.mapper import Mapper
from mfsi_core.acquisition.mapping import carry_out, chosen, job_of
from mfsi_core.acquisition.settings import Settings
from mfsi_core.acquisition.stopping import Progress, reached
from mfsi_core.instruments import simulated
from mfsi_core.instruments.protocol import Exposure, Request
from mfsi_core.instruments.simulated import Simulated
from mfsi_core.live.running import RunningRegistration
from mfsi_core.simulation.edx import simulate


class AtOnce:
    """Makes the maps in this process, as they are asked for."""

    def __init__(self, journal, folder, choice):
        self.given, self.jobs, self.busy = (journal, folder, choice), 0, False

    def start(self, job):
        self.jobs, self.busy = self.jobs + 1, True
        self.answer = json.loads(json.dumps(carry_out(json.loads(json.dumps(job)), *self.given)))

    def result(self):
        self.busy = False
        return self.answer


class Busy:
    """Never has maps."""

    jobs, busy = 0, False

    def start(self, _job):
        self.jobs, self.busy = self.jobs + 1, True

    def result(self):
        return None


@pytest.fixture
def follow(tmp_path):
    opened = []

    def follow(signals, metadata, frames, mapper=AtOnce, attributes=None):
        path = tmp_path / "a.lbj"
        journal_frames = [(data, attributes or own) for data, own in frames]
        with lbj.create(path, signals, metadata, sync=False) as writer:
            for data, own in journal_frames:
                writer.append(data, **own)
        journal = lbj.open(path)
        opened.append(journal)
        choice = chosen(journal, {})
        made = mapper(journal, tmp_path, choice) if mapper is AtOnce else mapper()
        analysis = Analysis(journal, tmp_path, choice, made)
        opened.append(analysis)
        while analysis.take():
            analysis.map()
        analysis._rest_until = 0.0
        analysis.map(quiet=True)
        analysis.map()
        analysis.publish(now=True)
        history = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
        return analysis, json.loads((tmp_path / "status.json").read_text()), history

    yield follow
    for one in opened:
        one.close()


def test_drift_dose_counts_and_maps_are_the_true_ones(follow, tmp_path):
    series = simulate((40, 44), 10, 512, 3, counts=4e4, image_counts=100, drift=(0.5, -0.3), jitter=(0.1, 0.1))
    path = series.displacement.mean(axis=(2, 3))
    _, status, history = follow(series.signals, series.metadata, list(series))
    assert np.allclose([line["shift_px"] for line in history], path - path[0], atol=0.12)
    assert np.allclose(status["drift"]["shift_px"], path[-1] - path[0], atol=0.12)
    assert (status["frames"], status["mapped"], status["failures"]) == (10, 10, [])
    assert status["counts"] == sum(data["EDX"].total for data, _ in series)
    dose = 17e-12 * 1e-4 / 1.602176634e-19 / (3.9 / 9) ** 2
    assert [line["dose"] for line in history] == pytest.approx([dose * (n + 1) for n in range(10)])
    assert set(status["maps"]) == {"Ca_Ka", "Ti_Ka", "O_Ka"}
    assert 0.05 < status["rows_px"] < 0.3  # the rows' own jitter is 0.1 px, and the drift within a frame
    assert 0 < status["predicted_error_px"] < 0.2
    true = series.maps["Ti"]
    found = np.load(tmp_path / "map-Ti_Ka.npy")
    assert np.corrcoef(found.ravel(), true.ravel())[0, 1] > 0.4  # one of few counts
    image = np.load(tmp_path / "image.npy")
    still = series.scene.haadf(series.scene.densities(*series.positions(0)))
    assert np.corrcoef(image[8:-8, 8:-8].ravel(), still[8:-8, 8:-8].ravel())[0, 1] > 0.97


def test_a_drift_farther_than_the_field_is_followed(follow):
    rng = np.random.default_rng(5)
    scene = rng.poisson(60, (140, 60)).astype(float)
    scene = np.asarray([np.convolve(row, np.ones(5) / 5, "same") for row in scene.T]).T
    frames = [({"HAADF": rng.poisson(5 * scene[2 * n : 2 * n + 40, 5:45]).astype(np.uint16)}, {}) for n in range(45)]
    analysis, status, history = follow([Signal("HAADF", "image", (40, 40))], {}, frames, Busy)
    assert np.allclose([line["shift_px"] for line in history], [[2 * n, 0] for n in range(45)], atol=0.3)
    assert status["drift"]["rate_px"] == pytest.approx([2, 0], abs=0.01)
    assert (status["drift"]["shift_nm"], status["total_dose"]) == (None, None)  # neither pixel nor current are known
    assert analysis.running.shape == (40, 40)


@pytest.mark.parametrize("seed", [0, 2])
def test_few_periods_of_a_crystal_are_followed_without_hops(seed, monkeypatch):
    microscope, pixel, places = Simulated(seed=seed, drift=(4e-12, -6e-12)), 5.55e-11, []
    real = simulated.scan_displacement
    monkeypatch.setattr(simulated, "scan_displacement", lambda *given: places.append(real(*given)) or places[-1])
    exposure = Exposure((18, 18), pixel, (9e-9, 9e-9), 1e-3, 0.0, 17e-12, ["HAADF"])
    microscope.prepare(exposure, threading.Event())
    running = RunningRegistration()
    for number in range(38):
        running.push(microscope.acquire(Request(number, 0.0, threading.Event())).data["HAADF"])
    true = np.array([place.mean(axis=1) for place in places]) / pixel
    assert np.allclose(np.array(running.shift) - running.shift[0], true - true[0], atol=0.3)
    assert running.doubts() == []


def test_a_crystal_that_jumps_may_lie_a_period_off_and_that_is_told():
    rng, running = np.random.default_rng(11), RunningRegistration()
    y, x = np.mgrid[:24, :24]
    for number in range(16):
        at = x + (3.4 if number >= 10 else 0.0) + 0.02 * number
        running.push(rng.poisson(100 * (2.2 + np.cos(2 * np.pi * y / 8) + np.cos(2 * np.pi * at / 8))))
    assert running.jumped == [10]
    assert "Frame 10: the image lies elsewhere than the drift" in running.doubts()[0]


@pytest.mark.parametrize("fall", [0.0, 0.3])
def test_damage_is_told_where_there_is_some(follow, fall):
    rng = np.random.default_rng(6)
    scene = 200 * (2 + np.sin(np.arange(32) / 3)[:, None] + np.cos(np.arange(32) / 4))
    frames = [({"HAADF": rng.poisson(scene * (1 - fall * n / 19)).astype(np.uint16)}, {"region": 1}) for n in range(20)]
    _, status, _ = follow([Signal("HAADF", "image", (32, 32))], {}, frames, Busy)
    found = status["damage"]["HAADF mean"]
    assert abs(found["change"] + fall) < 4 * found["error"] + 0.01
    assert found["clear"] == (fall > 0)
    assert len(status["damage_notes"]) == (fall > 0)
    if fall:
        assert "HAADF mean fell by 30%" in status["damage_notes"][0]


def exposed(seed, critical_dose, frames, size, dwell):
    """Signals, metadata and frames of a simulated crystal that loses its first element at a dose."""
    microscope, rng = Simulated(seed=seed, critical_dose=critical_dose, channels=256), np.random.default_rng(seed)
    corner = (3e-9 + rng.uniform(0, 8e-9), 3e-9 + rng.uniform(0, 8e-9))
    exposure = Exposure((size, size), 1e-10, corner, dwell, 0.0, 17e-12, ["EDX", "HAADF"])
    signals, metadata = microscope.prepare(exposure, threading.Event())
    made = [microscope.acquire(Request(number, 0.0, threading.Event())) for number in range(frames)]
    return signals, metadata, [(frame.data, frame.attributes) for frame in made]


def test_damage_of_the_simulated_crystal_is_told(follow):
    dose = 17e-12 * 1e-3 / 1.602176634e-19  # e/Å² of a frame
    _, status, _ = follow(*exposed(1, 40 * dose, 16, 24, 1e-3), Busy)
    assert status["damage"]["EDX counts"]["change"] < 0
    assert any(note.startswith("HAADF mean fell by") for note in status["damage_notes"])


def test_no_damage_is_told_where_there_is_none():
    for seed in range(10):
        trends = {"HAADF": Trend(), "EDX": Trend()}
        for number, (data, _) in enumerate(exposed(seed, 1e18, 30, 10, 1e-4)[2]):
            trends["HAADF"].add(number, float(data["HAADF"].mean()))
            trends["EDX"].add(number, float(data["EDX"].total))
        assert not any(trend.found()["clear"] for trend in trends.values())


def test_work_a_frame_is_the_same_however_long_the_series(follow, monkeypatch):
    read = []
    real = lbj.Journal.__getitem__
    monkeypatch.setattr(lbj.Journal, "__getitem__", lambda self, at: read.append(at) or real(self, at))
    rng = np.random.default_rng(7)
    frames = [({"HAADF": rng.poisson(50, (8, 8)).astype(np.uint16)}, {}) for _ in range(200)]
    analysis, _, history = follow([Signal("HAADF", "image", (8, 8))], {}, frames, Busy)
    assert len(read) <= 2 * 200
    assert len(history) == 200
    assert analysis.mapper.jobs == 1  # what is not done is waited for, without waiting


def test_all_frames_are_mapped_anew_a_few_times(follow):
    rng = np.random.default_rng(8)
    frames = [({"HAADF": rng.poisson(50, (8, 8)).astype(np.uint16)}, {}) for _ in range(100)]
    analysis, status, _ = follow([Signal("HAADF", "image", (8, 8))], {}, frames)
    assert analysis.mapper.jobs <= 25  # 1, 2, 3, 4, 5, 7, 9, 12 … at most
    assert status["mapped"] == 100


def test_frames_without_an_image_or_with_a_blank_one_are_flagged_and_passed_over(follow):
    rng = np.random.default_rng(9)
    scene = 100 * (2 + np.sin(np.arange(24) / 2)[:, None] + np.cos(np.arange(24) / 3))
    good = [{"HAADF": rng.poisson(scene).astype(np.uint16)} for _ in range(6)]
    signals = [Signal("HAADF", "image", (24, 24)), Signal("BF", "image", (24, 24))]
    other = {"BF": good[0]["HAADF"]}
    blank = {"HAADF": np.zeros((24, 24), np.uint16)}
    frames = [(data, {}) for data in (blank, *good[:3], other, blank, *good[3:])]
    _, status, history = follow(signals, {}, frames)
    assert [(one["frame"], one["reason"]) for one in status["flagged"]] == [(0, "blank"), (4, "no image"), (5, "blank")]
    assert [line["frame"] for line in history if line["shift_px"] is None] == [0, 4, 5]
    assert np.allclose([line["shift_px"] for line in history if line["shift_px"]], 0, atol=0.1)
    assert status["failures"] == []


@pytest.mark.parametrize(
    ("wanted", "status", "word"),
    [
        ({"snr": {"Ti_Ka": 5.0}}, {"maps": {"Ti_Ka": 5.1}, "mapped": 7}, "answer"),
        ({"snr": {"Ti_Ka": 5.0}}, {"maps": {"Ti_Ka": None}, "mapped": 7}, None),
        ({"snr": {"Ti_Ka": 5.0}}, {}, None),
        ({"snr": {"Ti_Ka": 5.0, "O_Ka": 5.0}}, {"maps": {"Ti_Ka": 9.0, "O_Ka": 4.9}}, None),
        ({"max_error": 0.1}, {"predicted_error_px": 0.09}, "answer"),
        ({"max_error": 0.1}, {"predicted_error_px": None}, None),
        ({"components": 3}, {"components": 3}, "answer"),
        ({"components": 3, "max_error": 0.1}, {"components": 3, "predicted_error_px": 0.2}, None),
        ({"max_dose": 50.0}, {}, "dose"),
        ({"max_dose": 50.5}, {}, None),
        ({"max_time": 10.0}, {}, "time"),
        ({"max_time": 10.5}, {}, None),
        ({"frames": 4}, {}, "frames"),
    ],
)
def test_a_series_ends_by_what_comes_first(wanted, status, word):
    settings = Settings(**{"frames": 5, **wanted})
    found = reached(settings, Progress(frames=4, seconds=10.0, dose=40.0, next_dose=10.2, status=status))
    assert (found and found[0]) == word


def test_a_scene_that_changes_is_aligned_anew_and_that_is_told(follow):
    rng = np.random.default_rng(10)
    y, x = np.mgrid[:32, :32]
    one = 100 * (2 + np.sin(y / 2) + np.cos(x / 3))
    other = 100 * (2 + np.sin((x + y) / 2.5) * np.cos((x - 2 * y) / 5))
    dark = [rng.poisson(100, (32, 32))]
    images = dark + [rng.poisson(one) for _ in range(5)] + [rng.poisson(other) for _ in range(6)]
    frames = [({"HAADF": image.astype(np.uint16)}, {}) for image in images]
    analysis, status, history = follow([Signal("HAADF", "image", (32, 32))], {}, frames, Busy)
    assert analysis.running.begun_anew == [1, 8]  # noise was no scene; three frames of another are one
    assert [line["frame"] for line in history if line["shift_px"] is None] == [6, 7]
    assert np.allclose([line["shift_px"] for line in history if line["shift_px"]], 0, atol=0.1)
    assert any("From frame 8 on" in note for note in status["notes"])


def test_an_analysis_that_another_took_the_place_of_writes_no_more(follow, tmp_path):
    rng = np.random.default_rng(12)
    frames = [({"HAADF": rng.poisson(50, (8, 8)).astype(np.uint16)}, {}) for _ in range(6)]
    before, _, _ = follow([Signal("HAADF", "image", (8, 8))], {}, frames, Busy)
    with lbj.append(tmp_path / "a.lbj", sync=False) as writer:
        writer.append(frames[0][0])
    after = Analysis(lbj.open(tmp_path / "a.lbj"), tmp_path, before.choice, Busy())
    assert before.superseded
    assert not before.take()
    while after.take():
        pass
    after.publish(now=True)
    before.publish(now=True)
    history = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert [line["frame"] for line in history] == list(range(7))
    assert json.loads((tmp_path / "status.json").read_text())["frames"] == 7
    after.journal.close()
    after.close()


def test_a_mapping_process_that_is_killed_is_told_and_another_takes_its_place(follow, tmp_path):
    series = simulate((16, 16), 3, 64, 2, counts=2e3)
    analysis, _, _ = follow(series.signals, series.metadata, list(series), Busy)
    job = job_of(analysis.following.frames, analysis.running)
    mapper = Mapper([str(tmp_path / "a.lbj"), str(tmp_path), "{}"])

    def result():
        end = time.monotonic() + 60
        while (found := mapper.result()) is None:
            assert time.monotonic() < end
            time.sleep(0.02)
        return found

    with contextlib.closing(mapper):
        mapper.start(job)
        mapper._process.kill()
        assert result() == {"error": "The process that makes the maps ended with -9."}
        mapper.start({**job, "frames": "nonsense"})
        assert os.getpriority(os.PRIO_PROCESS, mapper._process.pid) == os.getpriority(
            os.PRIO_PROCESS, 0
        )  # the analysis'
        assert "Mapping failed" in result()["error"]
        mapper._process.kill()  # while it has nothing to do
        mapper._process.wait()
        mapper.start(job)
        assert result()["found"]["analysed"] == 3


def test_an_analysis_that_cannot_begin_says_why(follow, tmp_path):
    series = simulate((16, 16), 1, 64, 2, counts=2e3)
    follow(series.signals, series.metadata, list(series))
    follower = Follower(tmp_path / "a.lbj", tmp_path / "live", {"elements": [], "image": "Nope"})
    follower.process.wait(60)
    follower.close()
    assert "ended with 1: the journal has no signal 'Nope'; it has" in follower.fault
