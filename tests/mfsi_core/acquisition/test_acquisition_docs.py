"""The page on acquisition: its Python runs as printed."""

import re
from pathlib import Path

import lbj

PAGE = (Path(__file__).parents[3] / "docs" / "acquisition.md").read_text(encoding="utf-8")


def test_the_python_of_the_page_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first, second = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(first, "acquisition.md", "exec"), {})
    for region, frames in (("region-001", 4), ("region-002", 2)):
        with lbj.open(tmp_path / "session" / region / "series.lbj") as journal:
            assert len(journal) == frames
    names = {}
    exec(compile(second, "acquisition.md", "exec"), names)
    assert names["state"]["outcome"] == names["outcome"]
    assert (names["outcome"]["reason"], names["state"]["region"]["frames"]) == ("frames", 2)
    assert names["image"]["shape"] == names["state"]["survey"]["shape"]
