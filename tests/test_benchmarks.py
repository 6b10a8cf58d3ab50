"""The page of benchmarks: figures stand in fragments that programs wrote, and every program has one."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
FRAGMENTS = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "benchmarks").glob("*.md")}
HEAD = re.compile(r"`python benchmarks/(\w+)(\.py)?( [^`]*)?`, \d{4}-\d\d-\d\d, .*mfsi [\d.]+, Python [\d.]+")


def programs():
    """Names of the files that run, and of the folders."""
    files = [*(ROOT / "benchmarks").glob("*.py"), *(ROOT / "benchmarks").glob("*/__main__.py")]
    run = {path for path in files if "__main__" in path.read_text(encoding="utf-8")}
    return sorted({path.parent.name if path.stem == "__main__" else path.stem for path in run} - {"write"})


def test_the_page_includes_every_fragment_once_and_has_no_figures_of_its_own():
    included = re.findall(r"```\{include\} benchmarks/([\w-]+)\.md\n```", PAGE)
    assert sorted(included) == sorted(FRAGMENTS)
    text = re.sub(r"```.*?```|`[^`]*`", "", PAGE, flags=re.DOTALL)
    assert not re.search(r"^\s*\|", text, re.MULTILINE)
    assert not re.search(r"\d[.,]\d|\d ?(%|times|s\b)", text)


@pytest.mark.parametrize("name", sorted(FRAGMENTS))
def test_a_fragment_says_which_program_wrote_it(name):
    head, _, body = FRAGMENTS[name].partition("\n\n")
    found = HEAD.match(head)
    assert found, head
    assert name.partition("-")[0] == found[1]
    assert body.strip()
    assert "/work" not in head


def test_every_program_has_a_fragment():
    assert len(programs()) > 10
    assert [name for name in programs() if name not in FRAGMENTS] == []
