"""The tutorial for the person at the microscope, step by step, which takes its pictures.

``MFSI_PICTURES=docs python -m pytest tests/mfsi_core/window/test_tutorial.py`` takes those of the documentation anew.
"""

import os
from pathlib import Path

import pytest
from browser import chromium

import lbj
from mfsi_core.acquisition.session_folder import journal_of
from mfsi_core.window.link import Link
from mfsi_core.window.server import window

DOCS = Path(__file__).parents[3] / "docs"
PICTURES = ["acquire-1-survey.png", "acquire-2-region.png", "acquire-3-series.png", "acquire-4-dark.png"]


@pytest.fixture
def session(tmp_path):
    folder = tmp_path / "session"
    link = Link(folder, "simulated", {"seed": 3})
    yield folder, link
    link("stop")
    link("wait", seconds=60)
    link("close")


def write(page, name, content):
    page.run(f"(() => {{ const it = document.querySelector('[name={name}]'); it.focus(); it.select(); }})()")
    page.write(content)
    page.press("Tab")


def test_the_tutorial(session, tmp_path):
    folder, link = session
    pictures = Path(os.environ.get("MFSI_PICTURES", tmp_path))
    frames = 40 if "MFSI_PICTURES" in os.environ else 8

    def shot(name):
        page.run("document.activeElement.blur(); scrollTo(0, 0)")
        page.run(
            "document.getElementById('folder').hidden = true"
        )  # no path of this machine, whenever it is drawn anew
        page.shot(pictures / name)

    with chromium() as browser, window(link, folder) as server:
        page = browser.page()
        page.size(1280)
        page.open(server.page("acquire.html"))
        page.until("document.body.dataset.shown")
        # 1 Take a survey.
        page.run("document.getElementById('take').click()")
        page.until("!document.getElementById('survey').hidden && document.querySelector('#survey canvas').width > 300")
        shot(PICTURES[0])
        # 2 Draw the region, set the pixel, read what it costs.
        page.run("scrollTo(0, 0)")
        box = page.run("document.querySelector('#survey canvas').getBoundingClientRect().toJSON()")
        page.drag((box["x"] + 120, box["y"] + 90), (box["x"] + 184, box["y"] + 154))
        page.until("document.querySelector('[name=field]').value === '4 nm, 4.125 nm'")
        write(page, "frames", str(frames))
        write(page, "dwell", "0.5 ms")
        page.until("document.getElementById('pixels').textContent === '73 × 75 pixels'")
        page.until("[...document.querySelectorAll('#figures td')].some((cell) => cell.textContent.includes('172'))")
        shot(PICTURES[1])
        # 3 Acquire; look at image, maps, drift and dose.
        page.run("document.getElementById('acquire').click()")
        page.until(f"document.getElementById('region').textContent.startsWith('Region 1: {frames} ')", 300)
        page.until("document.getElementById('phase').textContent === 'idle'")
        if "MFSI_PICTURES" in os.environ:
            page.until(f"document.getElementById('map-Ti_Ka').textContent.includes('of {frames} frames')", 500)
            page.until("!document.getElementById('ratio').hidden")
        shot(PICTURES[2])
        # 4 The next region.
        page.run("document.getElementById('next').click()")
        page.until("document.getElementById('region').textContent === 'The next is region 2'")
        page.size(800, dark=True)
        shot(PICTURES[3])
        assert page.problems() == []
    with lbj.open(journal_of(folder, 1)) as journal:
        assert len(journal) == frames
        assert {name for name, signal in journal.signals.items() if signal.role == "survey"} == {"Survey", "Region"}


def test_the_tutorial_shows_the_pictures():
    text = (DOCS / "tutorial-acquisition.md").read_text(encoding="utf-8")
    assert [name for name in PICTURES if f"({name})" in text and (DOCS / name).exists()] == PICTURES
