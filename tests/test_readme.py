"""The examples of the README and of the pages that it leads to: Python runs as printed, commands are understood."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

import lbj

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {name: (ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("journals.md", "maps.md", "live.md")}
SHOWN = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "conformance" / "protocol.md"]


def blocks(text, language):
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def given():
    """What the examples take for granted."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[:200, :200]
    scene = 50 * (2 + np.sin(x / 9) + np.cos(y / 7 + x / 31))  # a lattice: a particle on it tells its periods apart
    scene += 100 * np.exp(-((y - 80) ** 2 + (x - 120) ** 2) / 400)
    images = rng.poisson(np.stack([scene, np.roll(scene, 2, 0)])).astype(np.uint16)
    counts = np.zeros((200, 200, 2048), np.uint8)
    counts[rng.integers(0, 200, 5000), rng.integers(0, 200, 5000), rng.integers(0, 2048, 5000)] += 1
    return counts, {"frames": [(counts, image) for image in images], "images": images}


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    counts, names = given()
    found = blocks(README, "python")
    assert len(found) == 2
    for block in found:
        exec(compile(block, "README.md", "exec"), names)
    with lbj.open("series.lbj") as journal:
        assert [frame.events("EDX").total for frame in journal] == [counts.sum()] * 2
    assert names["cube"].shape == (400, 400, 100)
    assert names["fe"].values.shape == (200, 200)


def test_the_python_of_the_pages_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    counts, names = given()
    for page, text in PAGES.items():
        (block,) = blocks(text, "python")
        exec(compile(block, page, "exec"), names)
    np.testing.assert_array_equal(names["image"], names["images"][-1])
    assert names["events"].total == counts.sum()
    assert names["fe"].values.shape == (200, 200)
    with lbj.open("live.lbj") as journal:
        assert len(journal) == 2


def commands(text, program):
    """Command lines of a program in the examples, without comments."""
    lines = [line.strip() for block in blocks(text, "sh") for line in block.splitlines()]
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith(f"{program} ")]


@pytest.mark.parametrize("page", SHOWN, ids=lambda page: page.name)
@pytest.mark.parametrize("program", ["lbj", "mfsi"])
def test_the_commands_are_understood(page, program):
    text = page.read_text(encoding="utf-8")
    if program == "lbj":
        from lbj.cli import _parser
    else:
        from mfsi_core.cli import _parser
    for line in commands(text, program):
        if line[0] == "conformance":
            from lbj_conformance.__main__ import _parser as suite

            suite().parse_args(line[1:])
        else:
            _parser().parse_args(line)


def test_every_command_of_lbj_has_an_example():
    from lbj.cli import _parser

    said = {line[0] for page in (README, PAGES["journals.md"]) for line in commands(page, "lbj")}
    assert said | {"conform"} == set(_parser()._subparsers._group_actions[0].choices)


def test_every_step_of_mfsi_is_named():
    from mfsi_core.cli import _parser

    steps = set(_parser()._subparsers._group_actions[0].choices)
    text = README + "".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md"))
    assert steps <= set(re.findall(r"mfsi (\w+)", text)) | set(re.findall(r"`(\w+)`", README))


def test_links_lead_somewhere():
    pages = [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md")]
    for page in [*pages, *(ROOT / "docs").glob("*.md")]:
        for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if not link.startswith(("http:", "https:", "mailto:", "examples/")):  # the gallery is made by Sphinx
                places = [page.parent / link, ROOT / link]  # Sphinx puts spec/ and conformance/ into docs/
                assert any(place.exists() for place in places), f"{page.name}: {link}"


def test_the_pages_of_the_browser_stand_apart_from_those_of_the_documentation():
    from mfsi_core.viewer.files import page_files

    linked = re.findall(r'<a href="([^"]+)">', (ROOT / "docs" / "index.md").read_text(encoding="utf-8"))
    assert {Path(address).name for address in linked} == {name for name in page_files() if name.endswith(".html")}
    assert not any((ROOT / "docs" / address).with_suffix(".md").exists() for address in linked)
