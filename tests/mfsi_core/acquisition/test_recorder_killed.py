"""Processes that are killed or stopped: the recorder's, the analysis', and that of a program that looks at it."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import lbj
from lbj import Signal, StorageError
from mfsi_core.acquisition import Recorder, Settings
from mfsi_core.acquisition.session_folder import read_json, recorded_now
from mfsi_core.host.service import WHERE, Remote, connect
from mfsi_core.instruments import Abilities, Frame
from mfsi_core.live.running import RunningRegistration

SETTINGS = {"field": "1nm", "corner": "3nm", "pixel": "0.1nm", "frames": 100000}
PATIENCE = 300.0

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="processes are killed by signals")


def until(true):
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "it never came about"
        time.sleep(0.05)


def test_a_recorder_that_is_killed_leaves_whole_frames_and_the_next_goes_on(tmp_path):
    remote = connect(tmp_path, "simulated", {"seed": 4})
    remote.call("change", settings=SETTINGS)
    remote.call("acquire")
    remote.close()  # a window that is gone, and another that comes
    with Remote(tmp_path) as again:
        until(lambda: (again.call("state")["state"]["region"] or {"frames": 0})["frames"] >= 3)
        seen = again.call("events")["events"]
        os.kill(read_json(tmp_path / WHERE)["process"], signal.SIGKILL)
        until(lambda: not recorded_now(tmp_path))
        with pytest.raises(StorageError, match="is gone"):
            again.call("state")
    with pytest.raises(StorageError, match="no recorder listens"):
        Remote(tmp_path)
    path = tmp_path / "region-001" / "series.lbj"
    with lbj.open(path) as journal:
        frames = len(journal)
        assert frames >= 3
        assert all(frame.events("EDX").total > 0 and frame.array("HAADF").any() for frame in journal)
    assert read_json(tmp_path / "state.json")["phase"] == "recording"
    with Recorder(tmp_path, "simulated", analysis=False) as recorder:
        news = recorder.events(seen[-1]["sequence"])
        told = next(event for event in news if event["kind"] == "died")
        assert f"region 1 holds {frames} frames, all whole" in told["text"]
        assert recorder.settings.frames == 100000
        assert recorder.acquire(2)["total"] == frames + 2
    with lbj.open(path) as journal:
        assert len(journal) == frames + 2


class Plain:
    """Small images as fast as they are asked for."""

    def __init__(self):
        self.rng = np.random.default_rng(3)

    def abilities(self):
        return Abilities("Plain")

    def prepare(self, exposure, _stop):
        return [Signal("HAADF", "image", exposure.pixels)], {}

    def acquire(self, request):
        image = self.rng.poisson(50, (16, 16)) + 40 * (np.indices((16, 16)).sum(axis=0) % 5 == 0)
        return Frame({"HAADF": image.astype(np.uint16)}, {}, request.number)

    def close(self):
        pass


def test_an_analysis_that_hangs_or_dies_delays_and_costs_nothing(tmp_path):
    with Recorder(tmp_path, Plain(), Settings(field="1.6nm", pixel="0.1nm", frames=40)) as recorder:
        recorder.acquire(4)
        until(lambda: recorder.state()["analysis"]["status"].get("frames") == 4)
        process = recorder.regions.follower.process
        assert os.getpriority(os.PRIO_PROCESS, process.pid) == min(os.getpriority(os.PRIO_PROCESS, 0) + 5, 19)
        process.send_signal(signal.SIGSTOP)
        assert recorder.acquire(40)["total"] == 44
        state = recorder.state()["analysis"]
        assert (state["running"], state["behind"]) == (True, 40)
        process.send_signal(signal.SIGCONT)
        until(lambda: recorder.state()["analysis"]["behind"] == 0)
        assert len(recorder.history()) == 44
        process.kill()
        process.wait()
        state = recorder.state()["analysis"]
        assert (state["running"], state["fault"]) == (False, "the analysis was ended by signal 9")
        assert recorder.acquire(1)["total"] == 45
        assert "it is started again" in next(e["text"] for e in recorder.events() if e["kind"] == "analysis")
        until(lambda: recorder.state()["analysis"]["behind"] == 0)
        history = recorder.history()
        assert len(history) == 45
    once = RunningRegistration()  # which never died
    with lbj.open(tmp_path / "region-001" / "series.lbj") as journal:
        for frame in journal:
            once.push(frame.array("HAADF"))
    assert np.array_equal([line["shift_px"] for line in history], once.shift)


def test_a_recorder_that_cannot_start_says_why(tmp_path):
    with pytest.raises(lbj.UsageError, match="no plugin 'none'"):
        connect(tmp_path, "none")
    with Recorder(tmp_path, Plain(), analysis=False), pytest.raises(lbj.UsageError, match="another recorder works"):
        connect(tmp_path, "simulated")


def test_the_secret_is_the_owners_and_strangers_are_turned_away(tmp_path):
    with connect(tmp_path, "simulated") as remote:
        assert (tmp_path / WHERE).stat().st_mode & 0o077 == 0
        where = read_json(tmp_path / WHERE)
        code = (
            "import sys; from multiprocessing.connection import Client\n"
            f"Client(('127.0.0.1', {where['port']}), authkey=b'guessed')"
        )
        stranger = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert "AuthenticationError" in stranger.stderr
        assert remote.call("state")["state"]["phase"] == "idle"
        remote.call("close")
    until(lambda: not recorded_now(tmp_path) and not (tmp_path / WHERE).exists())
