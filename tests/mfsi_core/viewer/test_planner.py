"""The planner's page gives the figures of `mfsi plan` to the last digit."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from lbj import UsageError
from mfsi_core.cli import main
from mfsi_core.planning import plan

SCRIPT = Path(__file__).parents[2] / "js" / "plan.mjs"
QUANTITIES = {
    "pixel": (["nm", "pm", "Å", "angstrom"], 0.02, 2000),
    "current": (["pA", "nA", "fA", "A"], 0.01, 500),
    "dwell": (["us", "ms", "s", "µs", "ns"], 0.1, 900),
    "flyback": (["us", "ms", "s"], 0.0, 500),
    "write-overhead": (["ms", "s", "min"], 0.0, 20),
    "comm-overhead": (["us", "ms", "h"], 0.0, 20),
}


@pytest.fixture(scope="module")
def pages():
    """Plans of the page's script."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no Node.js here: 'node' is needed to test the planner's arithmetic")

    def run(tmp_path, settings):
        path = tmp_path / "settings.json"
        path.write_text(json.dumps(settings))
        done = subprocess.run([node, SCRIPT, path], capture_output=True, text=True, check=True)
        return json.loads(done.stdout, parse_int=float)  # JavaScript knows no other numbers

    return run


def settings(rng):
    out = {}
    for name, (units, low, high) in QUANTITIES.items():
        value = (
            0.0 if low == 0.0 and rng.random() < 0.3 else float(np.exp(rng.uniform(np.log(low or 1e-3), np.log(high))))
        )
        digits = int(rng.integers(1, 17))
        out[name] = f"{value:.{digits}g}{' ' * int(rng.integers(0, 2))}{rng.choice(units)}"
    number, unit = re.fullmatch(r"(\S*?\d) ?([^\d\s]+)", out["pixel"]).groups()
    sides = [f"{float(number) * pixels:.12g}{unit}" for pixels in rng.uniform(1.01, 4000, int(rng.integers(1, 3)))]
    out["field"] = ",".join(sides)
    out["frames"], out["motifs"] = str(int(rng.integers(1, 5000))), str(int(rng.integers(1, 300)))
    return out


def test_a_hundred_plans_have_the_same_digits(pages, tmp_path, capsys):
    rng = np.random.default_rng(18)
    every = [settings(rng) for _ in range(100)]
    found = pages(tmp_path, every)
    for one, page in zip(every, found, strict=True):
        assert main(["plan", "--json", *(word for name, value in one.items() for word in (f"--{name}", value))]) == 0
        said = json.loads(capsys.readouterr().out)
        del said["columns"]
        assert page == said, one


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pixel", "0.0555"), ("pixel", "0.0555A"), ("pixel", "0nm"), ("pixel", "nm"), ("pixel", "1e999nm"), ("pixel", "-1nm"),
        ("field", "1nm,2nm,3nm"), ("field", "0.01nm"), ("field", "11.1 parsec"), ("field", ""), ("current", "17pa"), ("current", "17 m"),
        ("field", "1e300m"), ("pixel", "1e-200m"), ("current", "1e300A"), ("dwell", "1e-300s"), ("flyback", "1e300h"),
        ("field", "4mm"), ("field", "11,1nm"), ("pixel", "0,0555nm"), ("frames", "1e300"), ("frames", "9007199254740992"),
        ("motifs", "0"), ("write-overhead", "abc"), ("comm-overhead", "NaNs"), ("current", "∞A"), ("dwell", "1 ms 2"),
        ("dwell", "1_000us"), ("dwell", "one ms"), ("flyback", "-1us"), ("frames", "0"), ("frames", "2.5"), ("motifs", "x"),
    ],
)  # fmt: skip
def test_what_the_command_refuses_the_page_refuses(pages, tmp_path, name, value):
    right = {
        "field": "11.1nm", "pixel": "0.0555nm", "current": "17pA", "dwell": "1ms", "frames": "230", "flyback": "0s",
        "write-overhead": "0s", "comm-overhead": "0s", "motifs": "1",
    }  # fmt: skip
    assert pages(tmp_path, [right])[0]["pixels"] == [200, 200]
    assert pages(tmp_path, [right | {name: value}]) == [{"refused": name}]
    given = {key.replace("-", "_"): text for key, text in (right | {name: value}).items()}
    with pytest.raises((UsageError, ValueError)):
        plan(**given | {"frames": int(given["frames"]), "motifs": int(given["motifs"])})


@pytest.mark.parametrize(
    "extreme",
    [
        {"field": "65535pm,65537pm", "pixel": "1pm"}, {"current": "1e30A"}, {"current": "1e-30A"}, {"dwell": "1e30s"},
        {"dwell": "1e-30s"}, {"field": "1e-28m", "pixel": "1e-30m"}, {"field": "1e30m", "pixel": "1e30m"},
        {"frames": "9007199254740991", "motifs": "9007199254740991"}, {"flyback": "1e30s", "comm-overhead": "1e-30s"},
    ],
)  # fmt: skip
def test_extremes_have_finite_figures_and_the_same_digits(pages, tmp_path, capsys, extreme):
    one = {
        "field": "11.1nm", "pixel": "0.0555nm", "current": "17pA", "dwell": "1ms", "frames": "230", "flyback": "0s",
        "write-overhead": "0s", "comm-overhead": "0s", "motifs": "1",
    } | extreme  # fmt: skip
    assert main(["plan", "--json", *(word for name, value in one.items() for word in (f"--{name}", value))]) == 0
    said = json.loads(capsys.readouterr().out, parse_int=float)
    del said["columns"]
    assert np.isfinite(np.hstack(list(said.values()))).all()
    assert pages(tmp_path, [one]) == [said]
