"""The JavaScript reader, conformance/ports/js, under Node."""

import hashlib
import json
import re
import shutil
import struct
import subprocess
import zlib

import numpy as np
import pytest
from ports import PORTS, ROOT

import lbj
from lbj_conformance import suite

HERE, JS = suite.FOLDER, PORTS / "js"


@pytest.fixture(scope="session")
def node():
    """Node.js."""
    found = shutil.which("node")
    if not found:
        pytest.skip("no Node.js here: 'node' is needed to test the JavaScript reader")
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
    if int(version[1:].split(".")[0]) < 18:
        pytest.skip(f"the JavaScript reader needs Node.js 18 or later, this is {version}")
    return found


def script(node, name, *arguments):
    done = subprocess.run(
        [node, str(ROOT / "tests" / "js" / name), *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def sha256(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def test_every_source_and_the_worker_give_what_was_written(node, tmp_path):
    rng = np.random.default_rng(0)
    shape = (5, 7, 300)
    counts = {name: rng.poisson(0.02, shape).astype(np.uint16) for name in ("A", "B")}
    floats = {name: rng.normal(size=shape).astype(np.float32) for name in ("P", "Q")}
    image = rng.integers(-(2**62), 2**62, (5, 7))
    gain = rng.normal(size=(40, 50))
    coefficients = rng.normal(size=(3, 5, 4, 2)).astype(np.float32)
    signals = [
        *(lbj.Signal(name, "events", shape, dtype=np.uint16, group="AB") for name in counts),
        *(lbj.Signal(name, "spectra", shape, dtype=np.float32, group="S", coding="shuffle-zstd") for name in floats),
        lbj.Signal("image", "image", image.shape, dtype=np.int64, coding="shuffle-zstd"),
        lbj.Signal("gain", "image", gain.shape, dtype=np.float64, role="gain"),
    ]
    path = tmp_path / "a.lbj"
    with lbj.create(path, signals, metadata={"title": "once"}) as writer:
        writer.put_static("gain", gain)
        writer.append({"image": image[::-1].copy()})
        writer.append({**counts, **floats, "image": image}, live_time=1.5)
        writer.append({"image": image})
        writer.put_displacement("image", rng.normal(size=(3, 2, 5, 7)))
        writer.put_displacement(
            "image", coefficients=coefficients, error=[0.5, 0.25, 2.0], left_out=[False, True, False]
        )
        writer.amend({"metadata": {"title": "twice ☃"}})
    found = script(node, "read.mjs", path)
    expected = {
        "length": 3,
        "attributes": {"live_time": 1.5},
        "title": "twice ☃",
        "A": sha256(counts["A"]),
        "AB": sha256(counts["A"].astype(np.uint64) + counts["B"]),
        "S": sha256(floats["P"].astype(np.float64) + floats["Q"]),
        "image": sha256(image),
        "gain": sha256(gain),
        "absent": None,
    }
    moved = np.polynomial.legendre.legval(
        (2 * np.arange(7) + 1) / 7 - 1, coefficients[1].transpose(1, 2, 0).astype(float)
    )
    for way in ("bytes", "walked", "blob", "url", "worker"):
        length, terms, left_out, error, field = found[way]["moved"]
        assert (length, terms, left_out, error) == (3, 4, [False, True, False], [0.5, 0.25, 2.0])
        np.testing.assert_allclose(np.reshape(field, (2, 5, 7)), moved, rtol=1e-12, atol=1e-12)
    for way in ("bytes", "walked", "blob", "url", "worker"):
        assert {name: found[way][name] for name in expected} == expected, way
        assert sorted(found[way]["names"]) == ["A", "B", "P", "Q", "image"]
    assert found["worker"]["error"] == {"kind": "truncated", "offset": 8}
    assert found["worker"]["recovered"] == {"kept": [0, 1, 2], "lost": [], "begins": "LBJ"}
    assert found["limit"] == "limit"


def test_changed_bytes_are_refused_or_decoded_and_nothing_else(node):
    files = sorted((HERE / "vectors" / "accept").glob("*.lbj"))
    tally = script(node, "mutate.mjs", 20, *files)
    assert min(min(told.values()) for told in tally.values()) > 500


def header(kind, length, crc=1):
    start = struct.pack("<3sB4sQI", b"\xf5LB", 1, kind, length, crc)
    return start + struct.pack("<I", zlib.crc32(start))


@pytest.mark.parametrize("gap", [0, 8])
def test_recovery_asks_in_proportion_to_the_file(node, tmp_path, gap):
    """Headers with wrong payload digests in one another, with and without bytes between them."""
    minimal = (HERE / "vectors" / "accept" / "minimal.lbj").read_bytes()
    paths = []
    for number in (3000, 12000):
        step = 24 + gap
        nested = b"".join(header(b"abCd", step * (number - 1 - i)) + bytes(gap) for i in range(number))
        paths.append(tmp_path / f"{number}.lbj")
        paths[-1].write_bytes(minimal[:312] + nested + minimal[312:])
    one, four = script(node, "nested.mjs", *paths)
    assert one["kept"] == four["kept"] == [0]
    assert four["asked"] < 5 * one["asked"]
    assert four["asked"] < 50 * four["size"]


def test_the_types_name_what_the_module_exports(node):
    line = f"import('{(JS / 'lbj.mjs').as_uri()}').then((all) => console.log(Object.keys(all).join()))"
    names = subprocess.run([node, "-e", line], capture_output=True, text=True, check=True).stdout.strip().split(",")
    declared = re.findall(r"^export (?:class|function) (\w+)", (JS / "lbj.d.ts").read_text(), re.MULTILINE)
    assert sorted(names) == sorted(declared)
