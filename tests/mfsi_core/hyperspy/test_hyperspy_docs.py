"""The Python of docs/hyperspy.md runs as printed."""

import re
from pathlib import Path

import numpy as np
import pytest

import lbj
import mfsi_core.hyperspy  # noqa: F401  adds the format where the package is not installed

pytest.importorskip("hyperspy.api", reason="HyperSpy is not installed")
pytest.importorskip("exspy", reason="eXSpy is not installed")
pytest.importorskip("xarray", reason="xarray is not installed")

TEXT = (Path(__file__).parents[3] / "docs" / "hyperspy.md").read_text(encoding="utf-8")


@pytest.mark.filterwarnings("ignore")
def test_the_examples_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    energy = 10.0 * np.arange(1000)
    mean = 0.05 + sum(2 * np.exp(-0.5 * ((energy - line) / 50) ** 2) for line in (1487, 4510, 6400))
    space = [{"name": name, "scale": 1e-9, "units": "m"} for name in "yx"]
    axes = [*space, {"name": "energy", "scale": 10.0, "units": "eV"}]
    signals = [lbj.Signal("EDX", "events", (5, 6, 1000), axes=axes), lbj.Signal("HAADF", "image", (5, 6), axes=space)]
    counts = rng.poisson(np.broadcast_to(mean, (3, 5, 6, 1000)))
    with lbj.create("series.lbj", signals, {"beam_energy": 2e5, "elements": ["Ti", "Al"]}) as writer:
        for one in counts:
            writer.append({"EDX": one, "HAADF": np.ones((5, 6), np.uint16)}, live_time=2.0, beam_current=1e-10)
        writer.put_displacement("HAADF", coefficients=np.zeros((3, 1, 1, 2)))
    names = {}
    for block in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL):
        exec(compile(block, "hyperspy.md", "exec"), names)
    np.testing.assert_array_equal(names["edx"].data, counts.sum(axis=0))
    np.testing.assert_allclose(names["sharp"].data, counts.sum(axis=0), rtol=1e-6)
    assert names["frames"].axes_manager.navigation_shape == (6, 5, 3)
    assert names["eds"].live_time == pytest.approx(6.0 / 30)
    assert sum(float(one.data.mean()) for one in names["ti_and_al"]) == pytest.approx(100)
    assert capsys.readouterr().out.split() == [str(counts.sum()), str(counts[..., 627:654].sum())]
