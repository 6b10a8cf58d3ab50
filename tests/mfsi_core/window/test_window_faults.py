"""What the acquisition window says when something goes wrong or the answer is there, and how it goes on."""

import json
import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
from browser import chromium

import lbj
from lbj import Signal
from mfsi_core.acquisition import Recorder, Settings
from mfsi_core.acquisition.session_folder import journal_of
from mfsi_core.host.calls import caller
from mfsi_core.host.service import Remote
from mfsi_core.instruments import Abilities, Changed, Frame, Picture
from mfsi_core.window.link import Link
from mfsi_core.window.server import window

PIXEL = 1e-10
SIZE = 24


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture
def page(browser):
    """A page of its own, which asks nothing any more when the test is over."""
    page = browser.page()
    page.size(1280)
    yield page
    page.open("about:blank")


class Faulty:
    """A microscope whose fourth frame is made by its deed, and so are the next ones, `times` in all."""

    def __init__(self, deed, times=1, tall=1.0):
        self.deed, self.times, self.tall = deed, times, tall
        self.serial, self.asked, self.released = 0, 0, threading.Event()
        self.rng = np.random.default_rng(1)

    def abilities(self):
        return Abilities("Faulty microscope", ["HAADF"], survey=True, blank=True)

    def survey(self):
        return Picture(np.arange(3200, dtype=np.uint16).reshape(40, 80), 2 * PIXEL)

    def prepare(self, exposure, _stop):
        axes = [
            {"name": name, "scale": exposure.pixel * high, "units": "m"} for name, high in (("y", self.tall), ("x", 1))
        ]
        return [Signal("HAADF", "image", exposure.pixels, axes=axes)], {"beam_energy": 2e5}

    def acquire(self, _request):
        self.asked += 1
        return self.deed(self) if self.deed and 4 <= self.asked < 4 + self.times else self.frame()

    def frame(self, step=1, shape=(SIZE, SIZE)):
        self.serial += step
        y, x = np.indices(shape)
        return Frame(
            {"HAADF": self.rng.poisson(50 + 40 * np.sin(0.9 * y) * np.sin(x)).astype(np.uint16)}, {}, self.serial
        )

    def blank(self):
        pass

    def close(self):
        self.released.set()


def raises(_faulty):
    raise RuntimeError("the shutter is stuck")


def repeats(faulty):
    return faulty.frame(0)


def skips(faulty):
    return faulty.frame(4)


def other_shape(faulty):
    return faulty.frame(shape=(SIZE, SIZE - 2))


def changes(_faulty):
    raise Changed("the frames are of 64 x 64 pixels now")


def hangs(faulty):
    faulty.released.wait(60)
    return faulty.frame()


def text(page, name):
    return page.run(f"document.getElementById('{name}').innerText")


def told(page, name, words, seconds=60.0):
    page.until(f"document.getElementById({name!r}).innerText.includes({words!r})", seconds)


def opened(page, server):
    page.open(server.page("acquire.html"))
    page.until("document.body.dataset.shown")


def click(page, name):
    page.run(f"document.getElementById({name!r}).click()")


def frames_in(folder, region=1):
    with lbj.open(journal_of(folder, region)) as journal:
        for frame in journal:
            frame.array("HAADF")
        return len(journal)


@pytest.mark.parametrize(
    ("deed", "times", "said"),
    [
        (raises, 1, "The series failed: RuntimeError: the shutter is stuck."),
        (repeats, 5, "The series failed: the instrument handed out its frame 3 again, 5 times one after the other."),
        (other_shape, 1, "The series failed: signal 'HAADF' was declared with shape (24, 24), the frame has (24, 22)"),
        (hangs, 1, "The series failed: the instrument did not answer within 1 s (acquire)."),
        (changes, 1, "The series ended: the frames are of 64 x 64 pixels now."),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_series_that_fails_says_why_and_acquire_again_goes_on(page, tmp_path, deed, times, said):
    faulty = Faulty(deed, times)
    settings = Settings(field=SIZE * PIXEL, pixel=PIXEL, frames=5, time_out=1.0 if deed is hangs else 60.0)
    with Recorder(tmp_path, faulty, settings, analysis=False) as recorder, window(caller(recorder), tmp_path) as server:
        opened(page, server)
        click(page, "acquire")
        told(page, "ended", said)
        told(page, "ended", "Region 1 holds 3 frames, all whole; ")
        assert text(page, "phase") == ("idle" if deed is changes else "failed")
        assert frames_in(tmp_path) == 3
        if deed is repeats:
            assert "it was not stored twice" in text(page, "warnings")
        if deed is hangs:
            click(page, "acquire")
            told(page, "ended", "has not come back from a call")
            faulty.released.set()
            assert recorder._guarded._late.done.wait(60)
        if deed is changes:
            assert "New region, then Acquire" in text(page, "ended")
            click(page, "next")
            told(page, "region", "The next is region 2")
            click(page, "acquire")
            told(page, "region", "Region 2: 5 frames")
        else:
            assert "Acquire again goes on" in text(page, "ended")
            click(page, "acquire")
            told(page, "region", "Region 1: 8 frames")
        page.until("document.getElementById('ended').hidden")
        assert page.problems() == []
    assert frames_in(tmp_path) == (3 if deed is changes else 8)


def test_frames_that_an_instrument_left_out_are_told_above_all(page, tmp_path):
    settings = Settings(field=SIZE * PIXEL, pixel=PIXEL, frames=5)
    with (
        Recorder(tmp_path, Faulty(skips), settings, analysis=False) as recorder,
        window(caller(recorder), tmp_path) as server,
    ):
        opened(page, server)
        click(page, "acquire")
        told(page, "region", "Region 1: 5 frames")
        told(page, "warnings", "the instrument left out 3 frames before its frame 7")
        click(page, "acquire")
        told(page, "region", "Region 1: 10 frames")
        page.until("document.getElementById('warnings').hidden")


def test_a_survey_that_fails_is_told(page, tmp_path, monkeypatch):
    faulty = Faulty(None)
    monkeypatch.setattr(faulty, "survey", lambda: raises(faulty))
    with Recorder(tmp_path, faulty, analysis=False) as recorder, window(caller(recorder), tmp_path) as server:
        opened(page, server)
        click(page, "take")
        told(page, "refused", "RuntimeError: the shutter is stuck")
        assert text(page, "phase") == "idle"


def test_pixels_that_are_not_square_are_shown_as_they_are(page, tmp_path):
    """Pixels twice as high as wide: the picture is twice as high, the bar is measured along x, the dose is half."""
    settings = Settings(field=SIZE * PIXEL, pixel=PIXEL, frames=2)
    with Recorder(tmp_path, Faulty(None, tall=2.0), settings) as recorder, window(caller(recorder), tmp_path) as server:
        opened(page, server)
        click(page, "acquire")
        page.until("!document.getElementById('image').hidden && document.querySelector('#image canvas').style.width")
        shown = page.run(
            "(({ width, height }) => [parseFloat(width) - 87, parseFloat(height) - 31])(document.querySelector('#image canvas').style)"
        )
        assert shown[1] / shown[0] == pytest.approx(2, rel=0.02)
        one = recorder.plan()["dose_per_frame"]
        assert recorder.state()["region"]["dose"] == pytest.approx(2 * one / 2)


def test_a_series_ends_when_a_map_has_the_ratio_wanted(page, tmp_path):
    folder = tmp_path / "session"
    link = Link(folder, "simulated", {"channels": 256, "seed": 2, "speed": 4.0})
    link("change", settings={"field": "1.5nm", "corner": "3nm", "pixel": "0.1nm", "frames": 5000})
    try:
        with window(link, folder) as server:
            opened(page, server)
            page.run("document.querySelector('[name=snr]').closest('details').open = true")
            page.run("document.querySelector('[name=snr]').focus()")
            page.write("Ca_Ka:0.8")
            page.press("Tab")
            click(page, "acquire")
            told(page, "pace", "the map Ca_Ka has a signal-to-noise ratio of", 300)
            assert text(page, "phase") == "idle"
            state = link("state")["state"]
            assert state["outcome"]["reason"] == "answer"
            assert state["outcome"]["total"] < 5000
            assert state["analysis"]["status"]["maps"]["Ca_Ka"] >= 0.8
            assert page.problems() == []
    finally:
        link("stop")
        link("close")


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="processes are killed by signals")
def test_a_server_that_is_killed_and_started_again_shows_what_happened_meanwhile(page, tmp_path):
    command = [sys.executable, "-m", "mfsi_core.cli", "acquire", "--instrument", "simulated", "--option", "channels=256",
               "--no-browser", "-o", str(tmp_path)]  # fmt: skip

    def serve():
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        return process, process.stdout.readline().strip()

    server, address = serve()
    try:
        page.open(address)
        page.until("document.body.dataset.shown")
        with Remote(tmp_path) as remote:
            remote.call("change", settings={"field": "1nm", "corner": "3nm", "pixel": "0.1nm", "frames": 100000})
            click(page, "acquire")
            page.until("/Region 1: [1-9]/.test(document.getElementById('region').innerText)")
            server.kill()
            server.communicate()
            page.until("!document.getElementById('lost').hidden")
            assert "Recording goes on" in text(page, "lost")
            gone = remote.call("state")["state"]["region"]["frames"]
            server, again = serve()
            assert again == address
            page.until("document.getElementById('lost').hidden")
            page.until(f"parseInt(document.getElementById('region').innerText.replace(/.*: |\\D/g, '')) > {gone}")
            assert text(page, "phase") == "recording"
            click(page, "stop")
            told(page, "pace", "it was stopped after")
            remote.call("close")
    finally:
        server.kill()
        server.communicate()


def focused(page):
    return page.run("document.activeElement.id || document.activeElement.name || document.activeElement.tagName")


def go_to(page, name):
    """Press Tab until an element has the focus."""
    for _ in range(120):
        if focused(page) == name:
            return
        page.press("Tab")
    raise AssertionError(f"{name} is never reached")


def test_from_survey_to_second_region_by_keyboard_alone(page, tmp_path):
    with (
        Recorder(tmp_path, Faulty(None), Settings(field="1nm", pixel=PIXEL), analysis=False) as recorder,
        window(caller(recorder), tmp_path) as server,
    ):
        opened(page, server)
        go_to(page, "take")
        page.press("Enter")
        page.until("!document.getElementById('survey').hidden")
        go_to(page, "field")
        page.write("2.4nm")
        go_to(page, "frames")
        page.write("4")
        go_to(page, "CANVAS")
        page.press("ArrowDown")
        page.until("document.querySelector('[name=corner]').value.startsWith('200 pm')")
        go_to(page, "acquire")
        page.press("Enter")
        told(page, "region", "Region 1: 4 frames")
        page.until("!document.getElementById('acquire').disabled")
        go_to(page, "next")
        page.press(" ")
        told(page, "region", "The next is region 2")
        go_to(page, "frames")
        page.write("1000000")
        page.press("Enter")
        page.until("/Region 2: [1-9]/.test(document.getElementById('region').innerText)")
        go_to(page, "stop")
        page.press("Enter")
        told(page, "pace", "it was stopped after")
        assert recorder.state()["regions"] == [1, 2]
        assert page.problems() == []
    assert json.loads((tmp_path / "state.json").read_text())["settings"]["corner"] == pytest.approx(
        [2e-10, 0], abs=1e-15
    )
    assert os.path.exists(journal_of(tmp_path, 2))
