"""The commands of docs/archive.md and docs/export.md run as printed."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

import lbj
from lbj.cli import main as lbj_main
from mfsi_core.cli import main as mfsi_main

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a journal, a file to be imported, and a tree."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(1)
    energy = {"name": "energy", "offset": 0.0, "scale": 20.0, "units": "eV"}
    space = [{"name": name, "offset": 0.0, "scale": 1e-10, "units": "m"} for name in "yx"]
    signals = [
        lbj.Signal("EDX", "events", (8, 8, 64), axes=[*space, energy]), lbj.Signal("HAADF", "image", (8, 8), axes=space)
    ]  # fmt: skip
    with lbj.create("series.lbj", signals, {"beam_energy": 3e5}) as writer:
        for _ in range(3):
            counts = random.poisson(0.5, (8, 8, 64)).astype(np.uint16)
            writer.append({"EDX": counts, "HAADF": random.poisson(500, (8, 8)).astype(np.uint16)}, live_time=1.0)
    Path("archive").mkdir()
    for name in ("other.npz", "archive/map.npz"):
        np.savez(name, EDX=np.ones((2, 3, 4, 5), np.uint16))
    return tmp_path


@pytest.mark.parametrize("page", ["archive.md", "export.md"])
def test_the_commands_run(folder, page):
    lines = re.findall(
        r"^((?:lbj|mfsi) .*)$",
        "\n".join(re.findall(r"```\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)),
        re.MULTILINE,
    )
    assert lines
    for line in lines:
        program, *arguments = shlex.split(line.replace(".emd", ".npz"))
        assert {"lbj": lbj_main, "mfsi": mfsi_main}[program](arguments) == 0, line


def test_every_suffix_of_the_table_is_written(folder):
    suffixes = re.findall(r"`\.(\w+)`", (DOCS / "export.md").read_text().split("| suffix |")[1].split("\n\n")[0])
    assert {"zarr", "nxs", "msa", "hspy", "rpl", "csv", "npz", "h5"} <= set(suffixes)
    for suffix in suffixes:
        if suffix == "parquet":
            pytest.importorskip("pyarrow")
        assert lbj_main(["export", "series.lbj", "-o", f"out.{suffix}"]) == 0
        assert Path(f"out.{suffix}").exists()
