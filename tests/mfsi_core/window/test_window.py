"""The acquisition window in Chromium without a screen, on the simulated microscope."""

import json
import os
import signal
import urllib.error
import urllib.request

import pytest
from browser import chromium

import lbj
from mfsi_core.acquisition.session_folder import journal_of
from mfsi_core.cli import main
from mfsi_core.host.service import Remote
from mfsi_core.window.link import Link
from mfsi_core.window.server import served, window

AT_REST = "document.getElementById('phase').textContent === 'idle'"
SMALL = {"field": "1nm", "corner": "3nm", "pixel": "0.0555nm", "frames": 3}


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture
def page(browser):
    """A page of its own, which asks nothing any more when the test is over."""
    page = browser.page()
    yield page
    page.open("about:blank")


@pytest.fixture
def session(tmp_path):
    """Folder and calls of a session with a recorder in a process of its own."""
    folder = tmp_path / "session"
    link = Link(folder, "simulated", {"channels": 256})
    link("change", settings=SMALL)
    yield folder, link
    link("stop")
    link("wait", seconds=60)
    link("close")


def text(page, name):
    return page.run(f"document.getElementById('{name}').textContent")


def figure(page, label):
    rows = "[...document.querySelectorAll('#figures tr')]"
    return page.run(f"{rows}.find((row) => row.cells[0].textContent === '{label}').cells[1].textContent")


def write(page, name, content):
    """Type into a control in place of what stands there, by keys."""
    page.run(f"(() => {{ const it = document.querySelector('[name={name}]'); it.focus(); it.select(); }})()")
    page.write(content)
    page.press("Tab")


def opened(page, server):
    page.open(server.page("acquire.html"))
    page.until("document.body.dataset.shown")


def test_what_is_typed_while_the_recorder_is_slow_to_answer_is_kept(page, session):
    folder, link = session
    with window(link, folder) as server:
        opened(page, server)
        page.run("""window.fast = window.fetch; window.fetch = async (...call) => {
            if (call[1].body.includes('"change"')) await new Promise((done) => setTimeout(done, 1500));
            return window.fast(...call);
        }""")
        for name, content in {"field": "2nm", "frames": "7", "dwell": "2ms"}.items():
            write(page, name, content)
        page.until("document.getElementById('pixels').textContent === '37 × 37 pixels'")
        page.until("document.querySelector('[name=frames]').value === '7'")
        page.run("document.getElementById('acquire').click()")
        page.until("!document.getElementById('stop').disabled")
    settings = link("state")["state"]["settings"]
    assert (settings["frames"], settings["dwell"]) == (7, 2e-3)


def test_from_the_plan_to_a_second_region(page, session, tmp_path):
    folder, _ = session
    with window(session[1], folder) as server:
        page.size(1280)
        opened(page, server)
        # The settings of Jones et al. (2018): 17 pA, 200 x 200 pixels of 0.555 Å, 1 ms are 3.44e5 e/Å2 a frame.
        for name, content in {
            "corner": "0nm",
            "field": "11.1nm",
            "pixel": "0.0555nm",
            "current": "17pA",
            "dwell": "1ms",
        }.items():
            write(page, name, content)
        page.until("document.getElementById('pixels').textContent === '200 × 200 pixels'")
        assert figure(page, "Dose per frame").replace("\u202f", "") == "344500 e/Å²"
        assert figure(page, "Frame time") == "40 s"
        # A region drawn on the survey.
        page.run("document.getElementById('take').click()")
        page.until("!document.getElementById('survey').hidden && document.querySelector('#survey canvas').width > 300")
        page.run("scrollTo(0, 0)")
        box = page.run("document.querySelector('#survey canvas').getBoundingClientRect().toJSON()")
        page.drag((box["x"] + 101, box["y"] + 61), (box["x"] + 119, box["y"] + 89))
        page.until("document.getElementById('pixels').textContent !== '200 × 200 pixels'")
        with Remote(folder) as remote:
            state = remote.call("state")["state"]
        shown = page.run("document.querySelector('#survey canvas').style.width")
        nm = 20e-9 / (float(shown.removesuffix("px")) - 1 - 86)  # a pixel of the page; the survey shows 20 nm
        assert state["settings"]["corner"] == pytest.approx([60 * nm, 100 * nm], abs=0.3e-9)
        assert state["settings"]["field"] == pytest.approx([28 * nm, 18 * nm], abs=0.3e-9)
        for name, content in {"field": "1nm", "frames": "4"}.items():
            write(page, name, content)
        page.until("document.getElementById('pixels').textContent === '19 × 19 pixels'")
        page.run("document.getElementById('acquire').click()")
        page.until("document.getElementById('region').textContent.startsWith('Region 1: 4')", 90)
        page.until(AT_REST)
        page.until("!document.getElementById('image').hidden", 60)
        page.shot(tmp_path / "window.png")
        # Again: the same journal. Then the next region.
        page.run("document.getElementById('acquire').click()")
        page.until("document.getElementById('region').textContent.startsWith('Region 1: 8')", 90)
        page.until(AT_REST)
        page.run("document.getElementById('next').click()")
        page.until("document.getElementById('region').textContent === 'The next is region 2'")
        page.run("document.getElementById('acquire').click()")
        page.until("document.getElementById('region').textContent.startsWith('Region 2: 4')", 90)
        assert page.problems() == []
    for number, frames in ((1, 8), (2, 4)):
        with lbj.open(journal_of(folder, number)) as journal:
            assert len(journal) == frames
            assert journal.signals["HAADF"].shape == (19, 19)


def test_a_control_that_cannot_be_is_said_beside_it_and_nothing_is_acquired(page, session):
    folder, link = session
    with window(link, folder) as server:
        opened(page, server)
        write(page, "dwell", "1 mm")
        page.until("document.getElementById('dwell-fault').textContent.includes('dwell')")
        page.run("document.getElementById('acquire').click()")
        page.until("document.activeElement.name === 'dwell'")
        assert link("state")["state"]["settings"]["dwell"] == pytest.approx(1e-3)
        assert link("state")["state"]["regions"] == []
        write(page, "dwell", "2 ms")
        page.until("document.getElementById('dwell-fault').textContent === ''")
        assert link("state")["state"]["settings"]["dwell"] == pytest.approx(2e-3)


def test_a_wrong_entry_that_is_folded_away_is_shown_when_acquire_is_pressed(page, session):
    folder, _ = session
    fold = "document.querySelector('[name=max_dose]').closest('details')"
    with window(session[1], folder) as server:
        opened(page, server)
        page.run(f"{fold}.open = true")
        write(page, "max_dose", "-3")
        page.until("document.getElementById('max_dose-fault').textContent.includes('-3')")
        page.run(f"{fold}.open = false")
        page.run("document.getElementById('acquire').click()")
        page.until("document.activeElement.name === 'max_dose'")
        assert page.run(f"{fold}.open")
        assert text(page, "region") == "The next is region 1"
        assert page.problems() == []


def test_by_keyboard_alone(page, session):
    folder, link = session
    link("survey")
    with window(link, folder) as server:
        opened(page, server)
        page.until("!document.getElementById('survey').hidden")
        before = link("state")["state"]["settings"]["corner"]
        seen = set()
        for _ in range(80):
            page.press("Tab")
            seen.add(
                page.run("document.activeElement.id || document.activeElement.name || document.activeElement.tagName")
            )
            if page.run("document.activeElement.matches('#survey canvas')"):
                break
        assert {"take", "next", "acquire", "corner", "field", "pixel", "frames", "on_completion"} <= seen
        page.press("ArrowRight")
        page.until("document.querySelector('[name=corner]').value.includes('3.125')")
        after = link("state")["state"]["settings"]["corner"]
        assert after == pytest.approx([before[0], before[1] + 0.125e-9], abs=0.13e-9)
        page.run("document.querySelector('[name=frames]').focus()")
        page.press("Enter")
        page.until("document.getElementById('region').textContent.startsWith('Region 1: 3')", 90)


def test_the_page_finds_a_new_server_and_tells_what_happened_meanwhile(page, session):
    folder, link = session
    with window(link, folder) as server:
        opened(page, server)
        address = server.page("acquire.html")
    page.until("!document.getElementById('lost').hidden")
    assert "start the same command again" in text(page, "lost")
    link("acquire")
    link("wait", seconds=60)
    with window(link, folder) as server:
        assert server.page("acquire.html") == address
        page.until("document.getElementById('lost').hidden")
        page.until("document.querySelector('#events li.new') !== null")
        assert "3 frames were recorded" in page.run("document.getElementById('events').textContent")
        page.open(address)  # and after a reload
        page.until("document.getElementById('events').textContent.includes('3 frames were recorded')")


def test_a_recorder_that_is_killed_is_started_again_with_its_frames(page, session):
    folder, link = session
    link("change", settings={"frames": 500})
    with window(link, folder) as server:
        opened(page, server)
        page.run("document.getElementById('acquire').click()")
        page.until("document.getElementById('region').textContent.match(/Region 1: [1-9]/)", 90)
        os.kill(json.loads((folder / "service.json").read_text())["process"], signal.SIGKILL)
        page.until("document.getElementById('events').textContent.includes('was ended while it was recording')", 90)
        frames = link("state")["state"]["region"]["frames"]
        assert frames > 0
        write(page, "frames", "2")
        page.until("!document.getElementById('acquire').disabled")
        page.run("document.getElementById('acquire').click()")
        page.until(f"document.getElementById('region').textContent.startsWith('Region 1: {frames + 2} ')", 90)
    with lbj.open(journal_of(folder, 1)) as journal:
        assert len(journal) == frames + 2


def post(address, body, host=None):
    request = urllib.request.Request(address, body, {"Host": host} if host else {})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def test_only_who_knows_the_token_calls_and_only_what_a_page_may(tmp_path):
    called = []

    def call(do, **fields):
        called.append(do)
        return {"state": fields}

    with window(call, tmp_path) as server:
        assert (tmp_path / "window.json").stat().st_mode & 0o777 == 0o600
        address = server.address + "call"
        assert post(address, b'{"do": "state"}') == {"ok": True, "state": {}}
        for wrong in (address.replace(server.token, "x" * 22), server.address + "other"):
            with pytest.raises(urllib.error.HTTPError, match="404") as refused:
                post(wrong, b'{"do": "state"}')
            assert b"the command printed" in refused.value.read()
        with pytest.raises(urllib.error.HTTPError, match="403") as refused:
            post(address, b'{"do": "state"}', host="elsewhere.example:80")
        assert b"127.0.0.1 and localhost alone" in refused.value.read()
        bad = [
            b"",
            b"[]",
            b"{",
            b'{"do": 1}',
            b'{"do": "close"}',
            b'{"do": "acquire", "wait": true}',
            b'{"do": "picture", "file": "x"}',
        ]
        assert all(not post(address, body)["ok"] for body in bad)
        assert called == ["state"]
        with pytest.raises((urllib.error.HTTPError, urllib.error.URLError, ConnectionError)):
            post(address, b" " * (2 << 20))


def test_a_second_window_of_a_session_shows_the_first_and_does_not_end_it(session, capsys):
    folder, link = session
    with window(link, folder) as server:
        assert served(folder) == server.page("acquire.html")
        assert main(["acquire", "--instrument", "simulated", "-o", str(folder), "--no-browser"]) == 0
        said = capsys.readouterr()
        assert said.out.strip() == server.page("acquire.html")
        assert "another program serves the window" in said.err
        assert link("state")["state"]["phase"] == "idle"
    assert served(folder) is None
