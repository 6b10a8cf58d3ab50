"""The implementations that stand in the repository, on the vectors and on each other's journals."""

import struct
import subprocess
from collections import Counter

import pytest
from ports import BASELINE, JS, LBJ, PORTS, STREAMING, inside

from lbj_conformance import client, matrix, suite
from lbj_conformance.generate.builder import SIGNATURE, UUID, compact, record

HERE = suite.FOLDER
VECTORS = {vector["id"]: vector for vector in suite.manifest()["vectors"]}
CALLS = Counter(vector["call"] for vector in VECTORS.values())
javascript = pytest.mark.skipif(not JS, reason="no Node.js here: 'node' is needed to test the JavaScript reader")


@pytest.fixture
def call(monkeypatch):
    with inside(monkeypatch) as found:
        yield found


def passes(command, *, without=()):
    about, results = suite.run(command, 60.0)
    bad = [result for result in results if result.status not in ("pass", *without)]
    assert not bad, (about["name"], bad[:3])
    return about, Counter(result.status for result in results)


FEW = ["accept/minimal", "reject/empty-file", "recover/whole", "recover/head-torn"]


@pytest.mark.parametrize(
    "command",
    [LBJ, suite.STRICT, BASELINE, pytest.param(JS, marks=javascript), pytest.param(STREAMING, marks=javascript)],
    ids=["lbj", "strict", "baseline", "js", "js-streaming"],
)
def test_the_command_answers_what_its_functions_do(call, tmp_path, command):
    """The other tests call the functions of an adapter, which saves a process a vector."""
    about = client.call(command, ["describe"], 60.0)
    assert about == call(command, ["describe"], 60.0)
    encoded = next(vector["id"] for vector in VECTORS.values() if vector["call"] == "encode")
    answered = 0
    for vector in map(VECTORS.get, [*FEW, encoded]):
        if vector["call"] in about.value["commands"]:
            out = [[], []] if vector["call"] == "decode" else [[str(tmp_path / f"{n}-{answered}.lbj")] for n in "ab"]
            arguments = [vector["call"], str(HERE / vector["file"])]
            answer = client.call(command, arguments + out[0], 60.0)
            assert answer.status == "answered"
            assert answer == call(command, arguments + out[1], 60.0)
            answered += 1
    assert answered


def test_the_library_passes(call):
    about, counts = passes(LBJ)
    assert about["reader"] == "indexed"
    assert counts == {"pass": len(VECTORS)}


def test_the_strict_reader_passes(call):
    about, counts = passes(suite.STRICT)
    assert about["reader"] == "streaming"
    assert counts == {"pass": len(VECTORS)}


@javascript
def test_the_javascript_reader_passes(call):
    about, counts = passes(JS, without=["unsupported"])
    assert set(about["codings"]) == set(suite.CODINGS)
    assert counts["unsupported"] == CALLS["encode"]


@javascript
def test_the_javascript_reader_walks_like_a_streaming_reader(call, tmp_path):
    """Where the two kinds of reader differ; elsewhere the walk is the one of journals without an index."""
    about = call(STREAMING, ["describe"], 60.0).value
    assert about["reader"] == "streaming"
    differ = [vector for vector in VECTORS.values() if "expect_indexed" in vector]
    assert len(differ) > 20
    for vector in differ:
        status, differences = suite.one(STREAMING, about, vector, tmp_path / "out.lbj", 60.0)
        assert status == "pass", (vector["id"], differences)


def test_the_c_implementation_passes(c_build, call):
    about, counts = passes([str(c_build / "lbj_c")], without=["unsupported"])
    if "shuffle-zstd" in about["codings"]:
        assert counts == {"pass": len(VECTORS) - CALLS["recover"], "unsupported": CALLS["recover"]}


def test_the_c_implementation_passes_under_sanitizers(c_build, call):
    passes([str(c_build / "lbj_c_sanitized")], without=["unsupported"])


def test_the_c_implementation_without_libzstd(c_build, call, tmp_path):
    subprocess.run(["make", "-s", "-C", PORTS / "c", f"BUILD={tmp_path}", "ZSTD=no", "lbj_c"], check=True)
    about, results = suite.run([str(tmp_path / "lbj_c")], 60.0)
    assert "shuffle-zstd" not in about["codings"]
    lacking = {result.id for result in results if result.status == "unsupported"}
    assert {result.status for result in results} == {"pass", "unsupported"}
    assert all("coding:shuffle-zstd" in VECTORS[name]["features"] or name.startswith("recover/") for name in lacking)
    assert any(name.startswith("accept/") for name in lacking)


def test_the_baseline_writer_passes(call):
    _, counts = passes(BASELINE, without=["unsupported"])
    assert counts["pass"] >= CALLS["encode"] - 5  # no static signals, no journal without frames, no cutting into blocks


def test_every_writer_with_every_reader(c_build, call):
    c = [str(c_build / "lbj_c")]
    if "shuffle-zstd" not in suite.describe(c, 60.0)["codings"]:
        pytest.skip("the C reader was built without libzstd, and cannot read everything that lbj writes")
    cells = matrix.run([LBJ, suite.STRICT, c, BASELINE, *([JS] if JS else [])], 60.0)
    readers = ("lbj", "strict", "c", "js")[: 3 + bool(JS)]
    assert {(cell.writer, cell.reader) for cell in cells} == {
        (writer, reader) for writer in ("lbj", "strict", "c", "baseline-python") for reader in readers
    }
    for cell in cells:
        assert cell.read == cell.written, cell
        assert cell.written >= 10
    assert "baseline-python" in matrix.table(cells)


def test_a_header_declares_at_most_65535_signals(tmp_path, c_build, call):
    """Clause 5.1.4; such files are too large for vectors."""

    def declaring(many):
        signals = [{"name": f"{n:x}", "kind": "image", "shape": [1], "dtype": "int8"} for n in range(many)]
        head = struct.pack("<HHI", 0, 9, 0) + compact({"uuid": UUID, "signals": signals})
        path = tmp_path / f"{many}.lbj"
        path.write_bytes(SIGNATURE + record(b"HEAD", head))
        return ["decode", str(path)]

    c = [str(c_build / "lbj_c")]
    for reader in (c, LBJ, suite.STRICT, *([JS] if JS else [])):
        answer = call(reader, declaring(65536), 60.0).value
        assert (answer["result"], answer["offset"]) == ("damaged", 8), reader
    for reader in (c, LBJ):
        answer = call(reader, declaring(65535), 60.0).value
        assert answer["result"] == "ok"
        assert len(answer["header"]["signals"]) == 65535


@pytest.mark.parametrize(("size", "result"), [(2**24, "ok"), (2**24 + 1, "damaged")])
def test_json_has_at_most_16_mib(tmp_path, c_build, call, size, result):
    """Clause 4.5.1, white space included; such files are too large for vectors."""
    text = compact({"uuid": UUID, "signals": [{"name": "I", "kind": "image", "shape": [1], "dtype": "int8"}]})
    path = tmp_path / "long.lbj"
    path.write_bytes(SIGNATURE + record(b"HEAD", struct.pack("<HHI", 0, 9, 0) + text.ljust(size)))
    for reader in ([str(c_build / "lbj_c")], LBJ, suite.STRICT, *([JS] if JS else [])):
        answer = call(reader, ["decode", str(path)], 60.0).value
        assert (answer["result"], answer["offset"]) == (result, None if result == "ok" else 8), reader
    for number, reader in enumerate((LBJ, suite.STRICT, *([JS] if JS else []))):
        answer = call(reader, ["recover", str(path), str(tmp_path / f"{number}.lbj")], 60.0).value
        assert answer["result"] == result, reader
