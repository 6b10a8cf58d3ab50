"""The vectors and the runner; what the implementations of the repository make of them is tested in test_ports.py."""

import hashlib
import io
import json
import re
import struct
import subprocess
import sys
import textwrap
import zlib
from collections import Counter
from pathlib import Path

import jsonschema
import minimal
import pytest
from ports import LBJ

from lbj.recovery.verify import verify
from lbj_conformance import __main__ as command
from lbj_conformance import client, judge, suite
from lbj_conformance.generate.__main__ import main as generate

ROOT = Path(__file__).parents[2]
HERE = suite.FOLDER
MANIFEST = suite.manifest()
VECTORS = {vector["id"]: vector for vector in MANIFEST["vectors"]}


def test_the_manifest_conforms_to_its_schema():
    schema = json.loads((HERE / "manifest.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(MANIFEST)


def test_the_manifest_lists_every_file_with_its_digest():
    files = {path.relative_to(HERE).as_posix() for path in (HERE / "vectors").rglob("*") if path.is_file()}
    assert files == {vector["file"] for vector in MANIFEST["vectors"]}
    for vector in MANIFEST["vectors"]:
        assert hashlib.sha256((HERE / vector["file"]).read_bytes()).hexdigest() == vector["sha256"], vector["id"]
    assert sum((HERE / file).stat().st_size for file in files) < 4 * 2**20
    twice = [digest for digest, n in Counter(vector["sha256"] for vector in MANIFEST["vectors"]).items() if n > 1]
    assert all(len({v["call"] for v in MANIFEST["vectors"] if v["sha256"] == digest}) > 1 for digest in twice)


def test_the_generator_makes_the_vectors_again_byte_for_byte(tmp_path):
    generate(tmp_path)
    assert (tmp_path / "manifest.json").read_bytes() == (HERE / "manifest.json").read_bytes()
    for vector in MANIFEST["vectors"]:
        assert (tmp_path / vector["file"]).read_bytes() == (HERE / vector["file"]).read_bytes(), vector["id"]


def test_the_first_vector_is_the_file_of_the_standard():
    assert (HERE / VECTORS["accept/minimal"]["file"]).read_bytes() == b"".join(data for data, _ in minimal.rows())


def test_every_clause_has_a_vector_and_every_vector_clauses():
    text = (ROOT / "spec" / "lbj.md").read_text()
    clauses = set(re.findall(r"^\*\*(\d+\.\d+(?:\.\d+)?)\*\*", text, re.MULTILINE))
    headings = set(re.findall(r"^### (\d+\.\d+) ", text, re.MULTILINE))
    shown = {clause for vector in MANIFEST["vectors"] for clause in vector["clauses"]}
    other = set(MANIFEST["not_by_a_file"])
    assert clauses - shown - other == set()
    assert shown - clauses - headings == set()
    assert other & shown == set()
    assert other <= clauses
    for named in re.findall(r"(tests/[\w/]+\.py)(?:::(\w+))?", " ".join(MANIFEST["not_by_a_file"].values())):
        source = (ROOT / named[0]).read_text()
        assert f"def {named[1]}" in source


def test_the_page_has_the_numbers_of_the_manifest():
    page = (ROOT / "docs" / "conformance.md").read_text(encoding="utf-8")
    calls = Counter(vector["call"] for vector in VECTORS.values())
    every = len(VECTORS)
    for text in (
        f"It has {every} vectors", f"an indexed reader | | all {every} |", f"slow | the text alone | all {every} |",
        f"{every - calls['recover']}; it does not recover", f"{every - calls['encode']}; it does not write new journals",
        f"of the {calls['encode']} to be written",
    ):  # fmt: skip
        assert text in page


def test_every_feature_occurs():
    found = {feature for vector in MANIFEST["vectors"] for feature in vector["features"]}
    codings = {f"coding:{name}" for name in suite.CODINGS}
    kinds = {"kind:events", "kind:spectra", "kind:image"}
    registry = (ROOT / "spec" / "registry.md").read_text()
    records = {f"record:{name}" for name in re.findall(r"^\| `(\w{4})` \|", registry, re.MULTILINE)}
    assert codings | kinds | records | {"window", "digest:true", "digest:false"} <= found


@pytest.mark.parametrize("name", [name for name in VECTORS if VECTORS[name]["call"] == "decode"])
def test_the_validator_on_the_vectors(name):
    """What is right passes, what is damaged is reported, what readers pass over is named by its clause."""
    vector = VECTORS[name]
    codes = {finding.code for finding in verify(io.BytesIO((HERE / vector["file"]).read_bytes()))}
    if "findings" in vector:
        assert codes & set(vector["findings"])
    elif name.startswith("accept/"):
        assert codes <= {"6.1"}
    else:
        assert codes - {"6.1"}


def test_the_errata_name_vectors():
    errata = (ROOT / "spec" / "errata.md").read_text()
    named = set(re.findall(r"`((?:accept|reject|recover|unsupported)/[^`]+)`", errata))
    assert len(named) > 10
    assert named <= set(VECTORS)


def adapter(tmp_path, body):
    """A command whose `decode` is `body`."""
    path = tmp_path / "adapter.py"
    about = {"name": "toy", "version": "1", "reader": "streaming", "commands": ["decode"], "codings": ["raw"]}
    source = f"import json, os, sys, time\nif sys.argv[1] == 'describe':\n    print(json.dumps({about}))\nelse:\n"
    header = {"signals": [{"name": "EDX", "kind": "events", "shape": [2, 3, 4], "dtype": "uint32"}], "metadata": {}}
    frames = [{"attributes": {}, "signals": {"EDX": {"error": "unsupported", "offset": 208}}}]
    unknown = {"result": "ok", "offset": None, "header": header, "frames": frames, "static": {}}
    source = f"UNKNOWN = {unknown}\n{source}"
    path.write_text(source + textwrap.indent(textwrap.dedent(body), "    "))
    return [sys.executable, str(path)]


@pytest.mark.parametrize(
    ("body", "vector", "status"),
    [
        ("print(json.dumps({'result': 'truncated', 'offset': 0}))", "reject/empty-file", "pass"),
        ("print(json.dumps({'result': 'damaged', 'offset': 0}))", "reject/empty-file", "fail"),
        ("print(json.dumps({'result': 'truncated', 'offset': 1}))", "reject/empty-file", "fail"),
        ("print(json.dumps({'result': 'ok', 'offset': None}))", "accept/minimal", "fail"),
        ("print(json.dumps({'result': 'unsupported', 'offset': 0}))", "accept/minimal", "fail"),
        ("print(json.dumps(UNKNOWN))", "accept/minimal", "unsupported"),
        ("print(json.dumps({'result': 'unsupported', 'offset': 0}))", "accept/every-dtype-raw", "fail"),
        ("sys.exit(1)", "reject/empty-file", "crash"),
        ("os.abort()", "reject/empty-file", "crash"),
        ("print('no JSON')", "reject/empty-file", "crash"),
        ("print('[]')", "reject/empty-file", "crash"),
        ("time.sleep(60)", "reject/empty-file", "timeout"),
    ],
)
def test_statuses_are_told_apart(tmp_path, body, vector, status):
    _, (result, *rest) = suite.run(adapter(tmp_path, body), 2.0 if status == "timeout" else 30.0, vector)
    assert rest == []
    assert result.status == status
    assert (result.differences == []) == (status == "pass")


def test_an_adapter_that_does_not_describe_itself(tmp_path, capsys):
    path = tmp_path / "a.py"
    path.write_text("print('{}')")
    assert command.main(["run", "--", sys.executable, str(path)]) == 1
    assert "'describe' must give 'name'" in capsys.readouterr().err
    assert command.main(["run", "--", str(tmp_path / "absent")]) == 1
    assert "cannot run" in capsys.readouterr().err


def test_the_report(tmp_path, capsys):
    report = tmp_path / "report.json"
    toy = adapter(tmp_path, "print(json.dumps({'result': 'truncated', 'offset': 0}))")
    assert command.main(["run", "--only", "reject/half-a", "--json", str(report), "--", *toy]) == 1
    text = capsys.readouterr().out
    assert "reject/half-a-header-then-zeros" in text
    assert "provokes" in text
    found = json.loads(report.read_text())
    assert found["totals"]["pass"] == 1
    assert found["totals"]["fail"] == 2
    assert {result["status"] for result in found["results"]} == {"pass", "fail"}
    assert command.main(["run", "--only", "nothing", "--", *toy]) == 2


def test_from_anywhere_as_a_module(tmp_path):
    line = [sys.executable, "-m", "lbj_conformance", "run", "--only", "accept/minimal", "--", *LBJ]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "lbj" in done.stdout


def minimal_answer():
    return client.call(LBJ, ["decode", str(HERE / VECTORS["accept/minimal"]["file"])], 60.0).value


CHANGES = {
    "attributes": lambda a: a["frames"][0]["attributes"].update(region=1),
    "array": lambda a: a["frames"][0]["signals"]["EDX"].update(sha256="0" * 64),
    "shape": lambda a: a["frames"][0]["signals"]["EDX"].update(shape=[3, 2, 4]),
    "dtype": lambda a: a["frames"][0]["signals"]["EDX"].update(dtype="uint16"),
    "signal missing": lambda a: a["frames"][0]["signals"].clear(),
    "signal added": lambda a: a["frames"][0]["signals"].update(B=a["frames"][0]["signals"]["EDX"]),
    "frame missing": lambda a: a["frames"].clear(),
    "frame added": lambda a: a["frames"].append(a["frames"][0]),
    "name": lambda a: a["header"]["signals"][0].update(name="edx"),
    "metadata": lambda a: a["header"]["metadata"].update(a=1),
    "role": lambda a: a["header"]["signals"][0].update(role="dark"),
    "static": lambda a: a["static"].update(dark={}),
    "version": lambda a: a.update(version=[1, 0]),
    "digest": lambda a: a.update(digest="0" * 64),
    "error": lambda a: a["frames"].__setitem__(0, {"error": "damaged", "offset": 8}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_judge_sees_every_difference(change):
    answer = minimal_answer()
    expect = VECTORS["accept/minimal"]["expect"]
    assert judge.journal(expect, answer) == []
    CHANGES[change](answer)
    assert judge.journal(expect, answer) != []


@pytest.mark.parametrize(
    ("source", "right"),
    [
        ({"name": "n", "notes": ["a", "lost"], "uuid": "u"}, True),
        ({"name": "n", "notes": ["lost", "a"]}, False),
        ({"notes": ["a"]}, False),
        ({"name": "n"}, False),
        (None, False),
    ],
)
def test_the_judge_looks_at_what_a_source_had(source, right):
    answer, expect = minimal_answer(), VECTORS["accept/minimal"]["expect"]
    answer["header"]["source"] = source
    expect = {**expect, "header": {**expect["header"], "source": {"name": "n", "notes": ["a"]}}}
    assert (judge.journal(expect, answer) == []) is right


def test_json_values_are_compared_as_json():
    assert judge.same({"a": [1, 2.0]}, {"a": [1.0, 2]})
    for a, b in ((1, True), (0, False), (0, None), ([1], [1, 1]), ({"a": 1}, {"a": 1, "b": 2}), ("1", 1)):
        assert not judge.same(a, b)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[:-1],
        lambda data: data.replace(b"00000000-0000-4000-8000-000000000000", b"11111111-0000-4000-8000-000000000000", 1),
    ],
)
def test_recovered_journals_are_looked_at(tmp_path, spoil):
    """A recoverer that copies the file is found out: the uuid is the old one, and the source does not name it."""
    vector = VECTORS["recover/whole"]
    out = tmp_path / "out.lbj"
    data = bytearray(spoil((HERE / vector["file"]).read_bytes()))
    length = struct.unpack_from("<Q", data, 16)[0]
    data[24:28] = struct.pack("<I", zlib.crc32(data[32 : 32 + length]))
    out.write_bytes(data)
    differences = judge.recovered(vector["expect"], {"result": "ok", "kept": [0, 1, 2, 3], "lost": []}, out)
    assert any("source" in line for line in differences)
    assert judge.recovered(vector["expect"], {"result": "ok", "kept": [0, 1], "lost": []}, tmp_path / "none")[1:]
