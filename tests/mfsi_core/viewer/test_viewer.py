"""The viewer in Chromium without a screen, on journals whose content is known."""

import json
import os
import re
import subprocess
import sys
import threading
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from browser import chromium

import lbj
from mfsi_core.cli import main
from mfsi_core.viewer import server as serve
from mfsi_core.viewer.bundle import bundle
from mfsi_core.viewer.server import serving

ROOT = Path(__file__).parents[3]
CATCH = """
window.saved = [];
URL.createObjectURL = (blob) => { saved.push(blob); return "blob:caught"; };
HTMLAnchorElement.prototype.click = function () { saved.at(-1).title = this.download; };
"""
IDLE = "document.body.ariaBusy === 'false' && !document.getElementById('content').hidden"
ENERGY = {"name": "energy", "offset": 100, "scale": 10, "units": "eV"}
PLANE = [{"name": name, "offset": 0, "scale": 2e-10, "units": "m"} for name in "yx"]


@pytest.fixture(scope="module")
def page():
    with chromium() as browser:
        yield browser.page()


@pytest.fixture
def saw(page, tmp_path):
    """Open a journal in the page, and come back when all of it is shown."""
    with serving() as server:

        def open_(path):
            server.journal = path
            page.open(server.page())
            page.until(IDLE)
            page.run(CATCH)
            return page

        yield open_
    assert page.problems() == []


def settled(page):
    """After a change: a drawing of the page later, when nothing is being summed."""
    page.run("new Promise((done) => requestAnimationFrame(done))")
    page.until(IDLE)


def saved(page, panel, kind="CSV"):
    """Name and content of the file that a button of a panel hands out."""
    page.run(
        f"[...document.querySelectorAll('#{panel} .exports button')].find((b) => b.textContent === '{kind}').click()"
    )
    page.until("saved.length && saved.at(-1).title")
    content = page.run("saved.at(-1).arrayBuffer().then((b) => Array.from(new Uint8Array(b)))")
    name = page.run("saved.at(-1).title")
    page.run("saved.length = 0")
    return name, bytes(content)


def saved_rows(page, panel):
    return [line.split(",") for line in saved(page, panel)[1].decode().split("\r\n")[:-1]]


def table(page, panel):
    rows = saved_rows(page, panel)
    return rows if rows[0][0].startswith(("energy", "channel")) else np.array(rows, float)


def spectrum(page, column=1):
    return np.array([float(row[column]) for row in table(page, "spectrum-panel")[1:]])


def put(page, **values):
    for name, value in values.items():
        event = "input" if name in ("elements", "frame") else "change"
        page.run(
            f"{{ const e = document.getElementById('{name}'); e.value = {json.dumps(value)}; e.dispatchEvent(new Event('{event}')); }}"
        )
    settled(page)


def told(page):
    return page.run("document.getElementById('notices').textContent")


class Known:
    """A journal of five frames and what it holds."""

    def __init__(self, path):
        rng = np.random.default_rng(5)
        self.path, shape = path, (7, 9, 40)
        self.counts = rng.poisson(0.3, (5, *shape)).astype(np.uint16)
        self.images = rng.integers(0, 4000, (5, 7, 9)).astype(np.uint16)
        self.shifts = [0.0, 10.0, -4.0, 0.0, 23.0]
        signals = [
            lbj.Signal("EDX", "events", shape, dtype="uint16", axes=[*PLANE, ENERGY]),
            lbj.Signal("HAADF", "image", shape[:2], dtype="uint16", axes=PLANE),
        ]
        with lbj.create(path, signals, metadata={"title": "known", "elements": ["Si"]}) as writer:
            for counts, image, shift in zip(self.counts, self.images, self.shifts, strict=True):
                writer.append({"EDX": counts, "HAADF": image}, energy_shift=shift, live_time=1.5)

    def moved(self, frames=range(5)):
        """Counts on one energy axis, summed over frames."""
        out = np.zeros(self.counts.shape[1:])
        for n in frames:
            whole, part = divmod(self.shifts[n] / 10, 1)
            for step, share in ((int(whole), 1 - part), (int(whole) + 1, part)):
                inside = range(max(0, -step), min(40, 40 - step))
                for c in inside:
                    out[..., c + step] += share * self.counts[n, ..., c]
        return out


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    return Known(tmp_path_factory.mktemp("known") / "a b#ü.lbj")


def test_sums_maps_and_areas_are_those_of_the_journal(saw, known):
    page = saw(known.path)
    cube = known.moved()
    np.testing.assert_allclose(spectrum(page), cube.sum(axis=(0, 1)), rtol=1e-12)
    np.testing.assert_allclose(table(page, "image-panel"), known.images.mean(axis=0))
    np.testing.assert_allclose(table(page, "map-panel"), cube[..., 5:].sum(axis=2), atol=1e-9)  # above the zero strobe
    put(page, low="0.3", high="0.38")
    np.testing.assert_allclose(table(page, "map-panel"), cube[..., 20:29].sum(axis=2), atol=1e-9)
    put(page, top="2", bottom="4", left="1", right="7")
    np.testing.assert_allclose(spectrum(page, 2), cube[2:5, 1:8].sum(axis=(0, 1)), rtol=1e-12)
    put(page, frame="2")
    np.testing.assert_allclose(table(page, "image-panel"), known.images[2])
    np.testing.assert_allclose(spectrum(page), known.moved([2]).sum(axis=(0, 1)), atol=1e-9)
    np.testing.assert_allclose(table(page, "map-panel"), known.moved([2])[..., 20:29].sum(axis=2), atol=1e-9)
    assert "frame 2" in page.run("document.querySelector('#image-panel h2').textContent")


def test_by_keyboard_alone(saw, known):
    page = saw(known.path)
    page.run("document.activeElement.blur()")
    for key in ".", ".", ".", ",":  # the first one shows frame 0
        page.press(key)
        settled(page)
    assert page.run("document.getElementById('frame').value") == "1"
    page.press("a")
    settled(page)
    page.run("document.querySelector('#map-panel canvas').focus()")
    page.press("ArrowDown")
    settled(page)
    before = page.run("['top','bottom','left','right'].map((id) => Number(document.getElementById(id).value))")
    page.press("ArrowUp")
    page.press("ArrowRight", shift=True)
    settled(page)
    top, bottom, left, right = before
    assert page.run("['top','bottom','left','right'].map((id) => Number(document.getElementById(id).value))") == [
        top - 1, bottom - 1, left, right + 1,
    ]  # fmt: skip
    area = known.moved()[top - 1 : bottom, left : right + 2].sum(axis=(0, 1))
    np.testing.assert_allclose(spectrum(page, 2), area, rtol=1e-12)
    page.press("Escape")
    settled(page)
    assert len(table(page, "spectrum-panel")[0]) == 2


def test_every_control_is_reached_by_tab_seen_and_named(saw, known):
    page = saw(known.path)
    page.run("document.activeElement.blur()")
    stop = """(() => { const e = document.activeElement, drawn = getComputedStyle(e);
      return e === document.body ? null : [e.id || e.textContent || e.tagName, drawn.outlineStyle, parseFloat(drawn.outlineWidth)]; })()"""
    stops = []
    while not stops or stops[-1]:
        page.press("Tab")
        stops.append(page.run(stop))
        assert len(stops) < 100
    assert all(style == "solid" and width >= 2 for _, style, width in stops[:-1])
    reached = {name for name, _, _ in stops[:-1]}
    shown = "[...document.querySelectorAll('button, input, select')].filter((e) => e.checkVisibility() && !e.disabled)"
    ours = page.run(f"{shown}.filter((e) => e.tabIndex === 0).map((e) => e.id || e.textContent)")
    assert set(ours) <= reached
    named = {"button", "combobox", "slider", "textbox", "spinbutton", "checkbox", "application", "group", "tab"}
    found = [node for node in page.call("Accessibility.getFullAXTree")["nodes"] if not node["ignored"]]
    names = [(node["role"]["value"], node["name"]["value"]) for node in found if node["role"]["value"] in named]
    assert [role for role, name in names if not name.strip()] == []
    groups = [name for role, name in names if role == "group"]  # tell apart the buttons PNG, SVG and CSV
    assert len(groups) == len(set(groups)) == 3


def test_times_and_currents_have_their_units(saw, known):
    page = saw(known.path)
    heads = page.run("[...document.querySelectorAll('#panel-1 th')].map((e) => e.textContent)")
    assert {"live_time, s", "energy_shift, eV"} <= set(heads)


def test_a_map_of_an_area_drawn_by_mouse(saw, known):
    page = saw(known.path)
    page.size(1280, 1600)
    settled(page)
    box = page.run(
        "(({x, y, width, height}) => [x, y, width, height])(document.querySelector('#map-panel canvas').getBoundingClientRect())"
    )
    scale = (box[2] - 87) / 9
    page.drag(
        (box[0] + 1 + 2.5 * scale, box[1] + 1 + 0.5 * scale), (box[0] + 1 + 5.5 * scale, box[1] + 1 + 3.5 * scale)
    )
    settled(page)
    np.testing.assert_allclose(spectrum(page, 2), known.moved()[0:4, 2:6].sum(axis=(0, 1)), rtol=1e-12)


def test_aligned_by_the_displacements_of_the_journal(saw, tmp_path):
    rng = np.random.default_rng(2)
    path, scene = tmp_path / "moved.lbj", rng.poisson(20, (12, 12, 6))
    moves = [(0, 0), (1, -2), (-2, 1)]
    signals = [
        lbj.Signal("EDX", "events", (8, 8, 6), dtype="uint16"),
        lbj.Signal("HAADF", "image", (8, 8), dtype="uint16"),
        lbj.Signal("coarse", "image", (4, 4), dtype="uint16"),
    ]
    with lbj.create(path, signals) as writer:
        for uy, ux in moves:
            seen = scene[2 + uy : 10 + uy, 2 + ux : 10 + ux]
            images = {"HAADF": seen.sum(axis=2).astype(np.uint16), "coarse": np.ones((4, 4), np.uint16)}
            writer.append({"EDX": seen.astype(np.uint16), **images})
        writer.append({"EDX": np.ones((8, 8, 6), np.uint16), "HAADF": np.ones((8, 8), np.uint16)})
        fields = np.broadcast_to(np.array([*moves, (0, 0)], float)[:, :, None, None], (4, 2, 8, 8))
        writer.put_displacement("HAADF", fields, left_out=[False, False, False, True])
    page = saw(path)
    page.run("document.getElementById('aligned').click()")
    settled(page)
    inner = (slice(1, 6), slice(1, 6))  # seen by all frames
    np.testing.assert_allclose(table(page, "map-panel")[inner], 3 * scene[2:10, 2:10].sum(axis=2)[inner])
    np.testing.assert_allclose(table(page, "image-panel"), scene[2:10, 2:10].sum(axis=2))
    put(page, top="3", bottom="4", left="2", right="5")
    np.testing.assert_allclose(spectrum(page, 2), 3 * scene[5:7, 4:8].sum(axis=(0, 1)))
    said = page.run("document.getElementById('tabpanels').textContent")
    assert "mean displacement" in page.run("document.querySelector('#tabpanels .room').ariaLabel")
    assert "−2" in said
    assert "left out" in said
    assert told(page) == ""
    put(page, image="coarse")
    assert "coarse is shown as recorded" in told(page)


@pytest.mark.parametrize("order", ["raster", "serpentine", [5, 0, 11, 3]])
def test_what_was_not_scanned_is_in_no_mean(saw, tmp_path, order):
    path, images = tmp_path / "aborted.lbj", np.arange(1, 25, dtype=np.uint8).reshape(2, 3, 4)
    listed = {"raster": [*range(6)], "serpentine": [0, 1, 2, 3, 7, 6]}.get(str(order), [5, 0, 11, 3])
    seen = np.isin(np.arange(12), listed).reshape(3, 4)
    with lbj.create(path, [lbj.Signal("A", "image", (3, 4), dtype="uint8")]) as writer:
        writer.append({"A": images[0]})
        writer.append(
            {"A": np.where(seen, images[1], 0).astype(np.uint8)}, scanned_pixels=len(listed), scan={"order": order}
        )
    page = saw(path)
    np.testing.assert_allclose(table(page, "image-panel"), np.where(seen, images.mean(axis=0), images[0]))


def test_a_damaged_journal_shows_what_survives(saw, known, tmp_path):
    whole = known.path.read_bytes()
    with lbj.open(known.path) as journal:
        starts = [whole.index(b"FRAM", 8)]
    while (found := whole.find(b"FRAM", starts[-1] + 4)) > 0:
        starts.append(found)
    assert len(starts) == len(journal) == 5
    body, header, cut = (bytearray(whole) for _ in range(3))
    place = whole.index(b"BLOK", starts[2]) + 60
    body[place] ^= 255
    header[starts[3] - 4 : starts[3] + 8] = bytes(12)
    for name, content in (("body", body), ("header", header), ("lost", header[:-48]), ("cut", cut[: starts[4] + 100])):
        (tmp_path / f"{name}.lbj").write_bytes(content)
    page = saw(tmp_path / "body.lbj")
    assert "EDX: frame 2 cannot be read" in told(page)
    np.testing.assert_allclose(spectrum(page), known.moved([0, 1, 3, 4]).sum(axis=(0, 1)), rtol=1e-12)
    np.testing.assert_allclose(table(page, "image-panel"), known.images.mean(axis=0))
    page = saw(tmp_path / "header.lbj")
    assert "frame 3 cannot be read" in told(page)
    np.testing.assert_allclose(spectrum(page), known.moved([0, 1, 2, 4]).sum(axis=(0, 1)), rtol=1e-12)
    page = saw(tmp_path / "lost.lbj")
    assert "4 frames survive; lost, as far as the file shows: frame 3" in told(page)
    np.testing.assert_allclose(spectrum(page), known.moved([0, 1, 2, 4]).sum(axis=(0, 1)), rtol=1e-12)
    page = saw(tmp_path / "cut.lbj")
    assert "What is complete is shown: 4 frames." in told(page)
    (offset,) = re.findall(r"byte (\d+)", told(page))
    assert told(page).count(offset) == 1
    np.testing.assert_allclose(table(page, "image-panel"), known.images[:4].mean(axis=0))


def test_what_is_no_journal_is_said(page, tmp_path, known):
    (tmp_path / "no.lbj").write_bytes(b"something else, longer than a header of a record")
    with serving(tmp_path / "no.lbj") as server:
        page.open(server.page())
        page.until("document.getElementById('notices').textContent")
        assert "no.lbj cannot be opened: neither signature nor HEAD" in told(page)
        page.drop("#file", known.path)  # the next one opens all the same
        page.until(IDLE)
        page.run(CATCH)
        np.testing.assert_allclose(table(page, "image-panel"), known.images.mean(axis=0))


def test_pictures_leave_as_png_and_svg(saw, known):
    page = saw(known.path)
    for panel in ("image-panel", "map-panel", "spectrum-panel"):
        name, content = saved(page, panel, "PNG")
        assert name.endswith(".png")
        assert content.startswith(b"\x89PNG")
        assert len(content) > 2000
        name, content = saved(page, panel, "SVG")
        text = content.decode()
        page.run(f"window.svg = new DOMParser().parseFromString({json.dumps(text)}, 'image/svg+xml').documentElement")
        assert page.run("svg.nodeName") == "svg"
        words = page.run("[...svg.querySelectorAll('text')].map((t) => t.textContent)")
        assert "energy (keV)" in words if panel == "spectrum-panel" else any(word.endswith(" pm") for word in words)


def test_a_spectrum_of_one_channel_is_seen(saw, tmp_path):
    path = tmp_path / "one.lbj"
    with lbj.create(path, [lbj.Signal("EDX", "events", (3, 4, 1), axes=[*PLANE, ENERGY])]) as writer:
        writer.append({"EDX": np.full((3, 4, 1), 2)})
    page = saw(path)
    assert spectrum(page).tolist() == [24]
    _, drawn = saved(page, "spectrum-panel", "SVG")
    (dash,) = re.findall(rb'<path d="M([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)"[^>]*stroke-width="2"', drawn)
    left, top, right, bottom = map(float, dash)
    assert (right - left, bottom - top) == (8, 0)


def test_a_picture_wider_than_a_canvas_may_be_is_drawn(saw, tmp_path):
    path = tmp_path / "wide.lbj"
    ramp = np.arange(65537, dtype=np.uint32)
    with lbj.create(path, [lbj.Signal("A", "image", (2, 65537), dtype="uint32")]) as writer:
        writer.append({"A": np.stack([ramp, ramp])})
    page = saw(path)
    across = "(x) => canvas.getContext('2d').getImageData(x * (canvas.clientWidth - 87), 20, 1, 1).data[0]"
    script = f"{{ const canvas = document.querySelector('#image-panel canvas'); [0.25, 0.5, 0.75].map({across}) }}"
    assert page.run(script) == pytest.approx([64, 128, 191], abs=8)


def test_nothing_leaves_the_machine(page, known):
    with serving(known.path) as server:
        before = len(page.events("Network.requestWillBeSent"))
        page.open(server.page())
        page.until(IDLE)
        asked = [event["request"]["url"] for event in page.events("Network.requestWillBeSent")[before:]]
        assert len(asked) > 10
        assert all(url.startswith((server.address, "data:", "blob:")) for url in asked)
        refused = "fetch('http://127.0.0.1:9/x').then(() => 'sent', () => 'refused')"
        assert page.run(refused) == "refused"
        assert any("Content Security Policy" in text for text in page.problems())
        page.browser.events.clear()


def test_a_journal_on_another_server_is_read_by_ranges(page, known):
    """A server of files that lets other pages read: the page's own lets none. No byte of it is fetched twice."""
    ranges = []

    class Public(serve.PageHandler):
        def do_GET(self):
            ranges.append(self.headers["Range"])
            super().do_GET()

        def end_headers(self):
            self.send_header("Access-Control-Allow-Origin", "*")
            self.send_header("Access-Control-Expose-Headers", "Content-Range")
            super().end_headers()

    with serving() as own, serve.PageServer(known.path, handler=Public) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        there = f"{other.address}{serve.JOURNAL}{quote(known.path.name)}"
        page.open(f"{own.address}viewer.html?url={quote(there, safe='')}")
        page.until(IDLE)
        page.run(CATCH)
        np.testing.assert_allclose(table(page, "image-panel"), known.images.mean(axis=0))
        assert page.problems() == []
        other.shutdown()
    pages = [tuple(map(int, one.removeprefix("bytes=").split("-"))) for one in ranges if one != "bytes=0-7"]
    assert pages
    assert ranges.count("bytes=0-7") == 1  # by which the size is asked for
    assert all(first > last for (_, last), (first, _) in pairwise(sorted(pages)))


def test_what_a_server_must_do_is_said_where_it_does_not(page, known):
    with serving() as own, serving(known.path) as other:  # lets no other page read
        there = f"{other.address}{serve.JOURNAL}{quote(known.path.name)}"
        page.open(f"{own.address}viewer.html?url={quote(there, safe='')}")
        page.until("document.getElementById('notices').textContent")
        assert "Access-Control-Allow-Origin" in told(page)
        while len(page.problems()) < 2:  # why, and that it failed
            page.run("new Promise((done) => setTimeout(done, 20))")
        assert all("CORS" in text or "ERR_FAILED" in text for text in page.problems())
        page.browser.events.clear()


class Rich:
    """Everything that a journal can hold beside events and images of one shape."""

    def __init__(self, path):
        rng = np.random.default_rng(8)
        self.path, (rows, columns, channels) = path, (4, 6, 30)
        self.loss = rng.normal(50, 5, (3, rows, columns, channels)).astype(np.float32)
        self.loss[1, 2, 3, 4] = np.nan
        self.plane = rng.uniform(-3, 3, (3, rows, columns)).astype(np.float32)
        self.plane[0] = 0
        self.counts = rng.poisson(2.0, (3, 2, rows, columns, channels)).astype(np.uint8)
        self.line = rng.poisson(3.0, (3, 1, 9, 5)).astype(np.uint16)
        self.survey = rng.integers(0, 99, (5, 8)).astype(np.int64)
        loss = {"name": "energy", "offset": 400, "scale": 2, "units": "eV"}
        values = {"name": "wavelength", "units": "m", "values": [5e-7, 6e-7, 6.5e-7, 8e-7, 9e-7]}
        signals = [
            *(lbj.Signal(f"EDX-{k}", "events", (rows, columns, channels), dtype="uint8", group="EDX") for k in (1, 2)),
            lbj.Signal(
                "EELS",
                "spectra",
                self.loss.shape[1:],
                dtype="float32",
                axes=[{"name": "y"}, {"name": "x"}, loss],
                coding="shuffle-zstd",
            ),
            lbj.Signal("drift", "image", (rows, columns), dtype="float32", role="energy_shift", of="EELS"),
            lbj.Signal("line", "spectra", (1, 9, 5), dtype="uint16", axes=[{"name": "y"}, {"name": "x"}, values]),
            lbj.Signal("point", "events", (1, 1, 5), dtype="uint16"),
            lbj.Signal("survey", "image", (5, 8), dtype="int64", role="survey"),
        ]
        with lbj.create(path, signals) as writer:
            writer.put_static("survey", self.survey)
            for n in range(3):
                data = {"EDX-1": self.counts[n, 0], "EELS": self.loss[n], "drift": self.plane[n], "line": self.line[n]}
                if n != 1:
                    data["EDX-2"] = self.counts[n, 1]
                writer.append({**data, "point": self.line[n, :, :1]}, region=n // 2)

    def moved(self, frames):
        out = np.zeros(self.loss.shape[1:])
        for n in frames:
            for y, x, c in np.ndindex(out.shape):
                whole, part = divmod(float(self.plane[n, y, x]) / 2, 1)
                for k, share in ((c + int(whole), 1 - part), (c + int(whole) + 1, part)):
                    if 0 <= k < out.shape[2] and share and np.isfinite(self.loss[n, y, x, c]):
                        out[y, x, k] += share * self.loss[n, y, x, c]
        return out


def test_the_page_as_one_file_shows_every_kind_of_signal(page, tmp_path):
    """From file:, where browsers load neither modules nor workers, and with all that a journal can hold."""
    rich = Rich(tmp_path / "rich.lbj")
    (tmp_path / "viewer.html").write_text(bundle(), "utf-8")
    page.open((tmp_path / "viewer.html").as_uri())
    page.until("document.getElementById('theme').textContent")  # the page has begun
    page.drop("#file", rich.path)
    page.until(IDLE)
    page.run(CATCH)
    assert page.run("[...document.getElementById('spectra').options].map((o) => o.value)") == [
        "EDX", "EDX-1", "EDX-2", "EELS", "line", "point",
    ]  # fmt: skip
    assert page.run("document.getElementById('region').value") == "0"  # the first area, two of the frames
    two = rich.counts[0].astype(int).sum(axis=0) + rich.counts[1, 0]
    np.testing.assert_allclose(table(page, "map-panel"), two.sum(axis=2))
    put(page, region="")
    assert "2 areas are summed" in told(page)
    put(page, spectra="EELS")
    np.testing.assert_allclose(spectrum(page), rich.moved(range(3)).sum(axis=(0, 1)), rtol=1e-6)
    put(page, low="410", high="430")
    np.testing.assert_allclose(table(page, "map-panel"), rich.moved(range(3))[..., 5:16].sum(axis=2), rtol=1e-6)
    put(page, top="1", bottom="2", left="0", right="3")
    np.testing.assert_allclose(spectrum(page, 2), rich.moved(range(3))[1:3, :4].sum(axis=(0, 1)), rtol=1e-6)
    put(page, frame="2")
    np.testing.assert_allclose(spectrum(page, 2), rich.moved([2])[1:3, :4].sum(axis=(0, 1)), rtol=1e-6)
    page.run("document.getElementById('all').click()")
    put(page, spectra="line", low="6e-7", high="8e-7")
    np.testing.assert_allclose(
        [float(row[1]) for row in saved_rows(page, "map-panel .part:not([hidden])")[1:]],
        rich.line.sum(axis=(0, 1))[:, 1:4].sum(axis=1),
    )
    put(page, spectra="point")
    np.testing.assert_allclose(spectrum(page), rich.line[:, 0, 0].sum(axis=0))
    put(page, image="survey")
    np.testing.assert_allclose(table(page, "image-panel"), rich.survey)
    assert page.problems() == []


def test_the_planner_tells_the_papers_numbers(page, tmp_path, monkeypatch):
    """As one file, written as the documentation says, and by keyboard."""
    monkeypatch.chdir(tmp_path)
    said = re.findall(r"`python -m (\S+) (\w+\.html)`", (ROOT / "docs" / "viewer.md").read_text("utf-8"))
    assert [name for _, name in said] == ["viewer.html", "planner.html"]
    for module, name in said:
        subprocess.run([sys.executable, "-m", module, name], check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    page.open((tmp_path / "planner.html").as_uri())
    figures = "document.getElementById('figures').textContent"
    page.until(f"{figures}.includes('344 500 e/Å²')".replace(" ", "\\u202f", 1))
    assert "200 × 200" in page.run(figures)
    page.run("document.getElementById('flyback').focus()")
    page.run("document.getElementById('flyback').select()")
    page.write("200")
    assert "takes a time with its unit" in page.run("document.getElementById('flyback-fault').textContent")
    assert page.run("document.getElementById('flyback').ariaInvalid") == "true"
    page.write("us")
    assert page.run("document.getElementById('flyback').ariaInvalid") is None
    assert "--flyback 200us" in page.run("document.getElementById('command').textContent")
    assert "40.04 s" in page.run(figures)
    assert page.problems() == []


def test_light_and_dark(saw, known):
    page = saw(known.path)
    ground = "getComputedStyle(document.body).backgroundColor"
    page.size(1280, dark=False)
    assert page.run(ground) == "rgb(255, 255, 255)"
    page.size(800, dark=True)
    assert page.run(ground) == "rgb(18, 23, 28)"
    page.until("document.documentElement.scrollWidth <= 800")
    page.run("document.getElementById('theme').click()")
    assert page.run(ground) == "rgb(255, 255, 255)"
    page.run("localStorage.clear()")
    page.size(1280)


def test_the_command_refuses_other_files(tmp_path, capsys):
    (tmp_path / "x.emd").write_bytes(b"\x89HDF\r\n\x1a\n")
    assert main(["view", "--no-browser", str(tmp_path / "x.emd")]) == 2
    assert "lbj convert" in capsys.readouterr().err
    assert main(["view", "--no-browser", str(tmp_path)]) == 2
    (tmp_path / "empty.lbj").touch()
    assert main(["view", "--no-browser", str(tmp_path / "empty.lbj")]) == 2
    assert "is empty" in capsys.readouterr().err
    assert main(["view", "--no-browser", str(tmp_path / "none.lbj")]) == 1
