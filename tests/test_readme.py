"""The README's Python runs as printed, and its commands exist."""

import re
from pathlib import Path

import numpy as np

import lbj

README = (Path(__file__).parents[1] / "README.md").read_text()


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(7)
    y, x = np.mgrid[:200, :200]
    scene = 50 * (2 + np.sin(x / 9) + np.cos(y / 7 + x / 31))
    images = rng.poisson(np.stack([scene, np.roll(scene, 2, 0)])).astype(np.uint16)
    counts = np.zeros((200, 200, 2048), np.uint8)
    counts[rng.integers(0, 200, 5000), rng.integers(0, 200, 5000), rng.integers(0, 2048, 5000)] += 1
    names = {"frames": [(counts, image) for image in images], "images": images}
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)
    np.testing.assert_array_equal(names["image"], images[-1])
    assert names["events"].total == counts.sum()
    assert names["cube"].shape == (400, 400, 100)
    assert names["fe"].values.shape == (200, 200)
    with lbj.open("live.lbj") as journal:
        assert len(journal) == 2


def test_the_commands_of_the_readme_exist():
    from lbj.cli import _parser

    said = set(re.findall(r"^lbj (\w+) ", README, re.MULTILINE))
    said |= set(re.findall(r"lbj (conform)`", README))
    assert said == set(_parser()._subparsers._group_actions[0].choices)


def test_the_steps_of_the_readme_exist():
    from mfsi_core.cli import _parser

    steps = set(_parser()._subparsers._group_actions[0].choices)
    said = set(re.findall(r"mfsi (\w+)[ `]", README))
    assert said - {"COMMAND"} <= steps
    assert steps - said == set() or steps - said <= {"maps", "accumulate", "acquire"}
