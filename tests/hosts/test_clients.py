"""Clients of `mfsi host` in other languages: their worked examples record what they say, and errors are errors there."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import lbj

HOSTS = Path(__file__).parents[2] / "hosts"
HOST = [sys.executable, "-m", "mfsi_core.cli", "host"]
CLIENTS = {"node": HOSTS / "node" / "example.mjs", "octave-cli": HOSTS / "octave" / "record_series.m"}


def program(name):
    if not shutil.which(name):
        pytest.skip(f"no {name} here, which this client is for")
    return name


def run(*command, **options):
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, timeout=300, check=False, **options
    )


@pytest.mark.parametrize("name", CLIENTS)
def test_the_worked_example_records_a_series(name, tmp_path):
    done = run(program(name), CLIENTS[name], tmp_path / "a.lbj", *HOST)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["frames"], said["counts"], said["shape"]) == (4, 12, [3, 5])
    assert said["refused"] == "UsageError: there is no map 'Fe_Ka'; there are Ti_Ka"
    values = np.array(said["map"]).reshape(3, 5)  # all counts near the line are in two pixels, of 4 each
    assert np.argsort(values.ravel())[-2:].tolist() in ([0, 7], [7, 0])
    assert np.flatnonzero(values).tolist() == [0, 7]
    with lbj.open(tmp_path / "a.lbj") as journal:
        assert journal.complete
        for n, frame in enumerate(journal):
            np.testing.assert_array_equal(frame.array("HAADF"), 1000 * n + np.arange(15).reshape(3, 5))
            events = frame.events("EDX")
            assert sorted(zip(events.pixel, events.channel, strict=True)) == [(0, 451), (7, 93 + n), (7, 450)]
            assert frame.dwell_time == 1e-4
    assert (said["outcome"], said["recorded"]) == ("2 frames were recorded", 2)
    (recorded,) = (tmp_path / "a-recorded").rglob("*.lbj")
    with lbj.open(recorded) as journal:
        assert len(journal) == 2
        assert journal.signals["HAADF"].shape == (10, 20)


NODE = """
import {Host} from %r;
const tried = async (make) => { try { return await make(); } catch (error) { return error.message; } };
const none = new Host("/no/such/program", []);
const one = await tried(() => none.ask("status"));
const dies = new Host("sh", ["-c", "read line; echo broken >&2; exit 3"]);
const two = await tried(() => dies.ask("status"));
const three = await tried(() => dies.ask("status"));
console.log(JSON.stringify([one, two, three]));
"""

OCTAVE = """
addpath ("%s");
host = mfsi_host ("sh", {"-c", "read line; exit 3"});
said = {};
for n = 1:2
  try
    host.ask ("status");
  catch caught
    said{n} = caught.identifier;
  end
end
host.close ();
disp (jsonencode (said));
"""


def test_a_host_that_ends_is_told_in_node(tmp_path):
    (tmp_path / "a.mjs").write_text(NODE % str(HOSTS / "node" / "mfsi.mjs"))
    done = run(program("node"), tmp_path / "a.mjs")
    assert done.returncode == 0, done.stderr
    none, dies, later = json.loads(done.stdout)
    assert "ENOENT" in none
    assert dies == later == "the host ended (code 3): broken"


def test_a_host_that_ends_is_told_in_octave(tmp_path):
    (tmp_path / "a.m").write_text(OCTAVE % (HOSTS / "octave"))
    done = run(program("octave-cli"), tmp_path / "a.m")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["mfsi:ended", "mfsi:ended"]


def test_arrays_of_any_shape_and_type_come_through_octave(tmp_path):
    """Rows, columns and channels keep their places, and one number stays a list."""
    code = (
        f'addpath ("{HOSTS / "octave"}");\n'
        "for x = {uint16(reshape(1:24, 2, 3, 4)), single([1.5 -2; 3 4]), int32(7), 1:3, (1:3)'}\n"
        "  data = mfsi_array (x{1});\n"
        "  assert (isequal (mfsi_values (data), x{1}) && strcmp (class (mfsi_values (data)), class (x{1})));\n"
        "  disp (jsonencode (data));\n"
        "end\n"
        "disp (jsonencode (mfsi_events (5, 6, 7)));\n"
    )
    (tmp_path / "a.m").write_text(code)
    done = run(program("octave-cli"), tmp_path / "a.m")
    assert done.returncode == 0, done.stderr
    import base64

    *arrays, events = map(json.loads, done.stdout.splitlines())
    assert events == {"pixel": [5], "channel": [6], "count": [7]}
    found = [np.frombuffer(base64.b64decode(one["base64"]), one["dtype"]).reshape(one["shape"]) for one in arrays]
    expected = [
        np.arange(1, 25, dtype=np.uint16).reshape(2, 3, 4, order="F"), np.array([[1.5, -2], [3, 4]], np.float32),
        np.array([[7]], np.int32), np.array([[1.0, 2, 3]]), np.array([[1.0], [2], [3]]),
    ]  # fmt: skip
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype
