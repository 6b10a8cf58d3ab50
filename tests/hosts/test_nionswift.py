"""The Nion Swift plugin, for real and headless: Nion Swift with its own simulated microscope."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("nion.instrumentation", reason="Nion Swift is not installed (the extra 'nionswift')")

PLUGIN = Path(__file__).parents[2] / "hosts" / "nionswift"
SCRIPT = Path(__file__).parents[1] / "helpers" / "swift_series.py"


@pytest.mark.parametrize("what", ["series", "stopped", "panel"])
def test_in_swift(what, tmp_path):
    # In a program of its own: Swift registers its hardware once a process.
    done = subprocess.run(
        [sys.executable, SCRIPT, PLUGIN, what, tmp_path / "session"],
        capture_output=True, text=True, timeout=300, check=False, cwd=tmp_path,  # the simulator leaves files there
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(PLUGIN.parents[1]), os.environ.get("PYTHONPATH", "")])},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert "as it should be" in done.stdout
