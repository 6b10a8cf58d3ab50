"""`mfsi host`: sessions by JSON lines, its schema, and what it refuses."""

import argparse
import base64
import io
import json
import re
import shutil
import signal
import subprocess
import sys

import jsonschema
import numpy as np
import pytest

import lbj
from lbj.command import run
from mfsi_core import simulate
from mfsi_core.commands import host as command
from mfsi_core.host import host as hosting
from mfsi_core.host.host import Host, schema, serve

SERIES = simulate((24, 20), 4, 256, 1, counts=2e3, image_counts=100)
HOST = [sys.executable, "-c", "import sys; from mfsi_core.host.host import serve; serve(sys.stdin.buffer, sys.stdout)"]
SCHEMA = json.loads(schema())
VALID = {
    kind: jsonschema.Draft202012Validator({**SCHEMA, "oneOf": [{"$ref": f"#/$defs/{kind}"}]})
    for kind in ("request", "answer")
}


def packed(array):
    array = np.asarray(array)
    text = base64.b64encode(array.astype(array.dtype.newbyteorder("<")).tobytes()).decode()
    return {"dtype": array.dtype.name, "shape": list(array.shape), "base64": text}


def unpacked(answer):
    data = base64.b64decode(answer["base64"])
    return np.frombuffer(data, np.dtype(answer["dtype"]).newbyteorder("<")).reshape(answer["shape"])


def listed(events):
    return {name: getattr(events, name).tolist() for name in ("pixel", "channel", "count")}


def opening(path, **more):
    signals = [one.to_json() for one in SERIES.signals]
    return {"do": "open", "path": str(path), "signals": signals, "metadata": SERIES.metadata, **more}


def pushing(number):
    data, attributes = SERIES.frame(number)
    return {
        "do": "push",
        "data": {"EDX": listed(data["EDX"]), "HAADF": packed(data["HAADF"])},
        "attributes": attributes,
    }


def ask(host, request):
    """Answer to a request; both must be what the schema says."""
    VALID["request"].validate(request)
    answer = json.loads(host.answer(json.dumps(request).encode()))
    VALID["answer"].validate(answer)
    return answer


def refused(host, request):
    """Refuses a request that the schema refuses too, and says why."""
    line = request if isinstance(request, bytes) else json.dumps(request).encode()
    if not isinstance(request, bytes):
        assert not VALID["request"].is_valid(request)
    answer = json.loads(host.answer(line))
    VALID["answer"].validate(answer)
    assert (answer["ok"], answer["error"]) == (False, "UsageError")
    return answer["message"]


def cli(arguments):
    parser = argparse.ArgumentParser(prog="mfsi")
    commands = parser.add_subparsers(dest="command")
    command.add(lambda name, text, example: commands.add_parser(name, help=text, epilog=example))
    return run(parser, arguments)


def started():
    return subprocess.Popen(HOST, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def exchange(process, request):
    process.stdin.write(json.dumps(request).encode() + b"\n")
    process.stdin.flush()
    return json.loads(process.stdout.readline())


@pytest.fixture
def host():
    """A host whose journal is closed whatever becomes of the test."""
    host = Host()
    yield host
    host.end()


def test_a_conversation_records_and_maps_the_series(host, tmp_path):
    path = tmp_path / "a.lbj"
    assert ask(host, opening(path)) == {"ok": True, "frames": 0, "signals": ["EDX", "HAADF"]}
    assert ask(host, {"do": "status"})["status"]["frames"] == 0
    for n in range(4):
        assert ask(host, pushing(n)) == {"ok": True, "frame": n}
    status = ask(host, {"do": "status"})["status"]
    assert (status["frames"], len(status["maps"])) == (4, 3)
    with lbj.open(path) as journal:
        for n in range(4):
            data, attributes = SERIES.frame(n)
            assert journal[n].events("EDX") == data["EDX"]
            assert np.array_equal(journal[n].array("HAADF"), data["HAADF"])
            assert journal[n].attributes == attributes
        assert journal.metadata == SERIES.metadata
    assert status["counts"] == sum(events.total for events in SERIES.events)
    values = unpacked(ask(host, {"do": "map", "name": "Ti_Ka"}))
    assert values.shape == (24, 20)
    file = str(tmp_path / "ti.npy")
    assert ask(host, {"do": "map", "name": "Ti_Ka", "file": file}) == {"ok": True, "file": file}
    assert np.array_equal(np.load(file), values)
    assert ask(host, {"do": "close"}) == {"ok": True, "frames": 4}
    assert "no journal is open" in ask(host, {"do": "status"})["message"]
    assert ask(host, {"do": "open", "path": str(path), "elements": ["Ti"], "sync": False})["frames"] == 4
    again = ask(host, {"do": "status"})["status"]
    assert set(again["maps"]) == {"Ti_Ka", "0.52keV"}  # the oxygen of the specimen, beside Ti L
    assert again["drift"] == status["drift"]
    host.end()


def test_maps_hold_the_counts_of_their_window(host, tmp_path):
    signals = [{"name": "X", "kind": "events", "shape": [1, 2, 64]}]
    windows = {"A": {"window": [20, 24]}, "B": {"window": [40, 44], "background": [[30, 32], [50, 52]]}}
    ask(host, {"do": "open", "path": str(tmp_path / "a.lbj"), "signals": signals, "windows": windows})
    ask(host, {"do": "push", "data": {"X": {"pixel": [1, 0, 1], "channel": [21, 41, 21], "count": [5, 2, 1]}}})
    ask(host, {"do": "push", "data": {"X": {"pixel": [1], "channel": [22], "count": [2**25]}}})
    answer = ask(host, {"do": "map", "name": "A"})
    assert answer["dtype"] == "float64"
    assert unpacked(answer).tolist() == [[0, 2**25 + 6]]
    answer = ask(host, {"do": "map", "name": "B"})
    assert (answer["dtype"], unpacked(answer).tolist()) == ("float32", [[2, 0]])
    host.end()


def test_data_come_as_lists_as_base64_and_as_files(host, tmp_path):
    cube = np.random.default_rng(0).poisson(0.3, (3, 4, 5)).astype(np.uint16)
    image = np.arange(12, dtype=np.float64).reshape(3, 4) / 7
    signals = [
        {"name": "EDX", "kind": "events", "shape": [3, 4, 5]},
        {"name": "HAADF", "kind": "image", "shape": [3, 4], "dtype": "float64"},
    ]
    np.save(tmp_path / "cube.npy", cube)
    np.save(tmp_path / "image.npy", np.asfortranarray(image))
    y, x, channel = np.nonzero(cube)
    one_each = np.repeat(np.stack([y * 4 + x, channel]), cube[y, x, channel], axis=1)[:, ::-1]
    forms = [
        {"EDX": packed(cube), "HAADF": packed(image)},
        {"EDX": {"file": str(tmp_path / "cube.npy")}, "HAADF": {"file": str(tmp_path / "image.npy")}},
        {"EDX": {"pixel": one_each[0].tolist(), "channel": one_each[1].tolist()}, "HAADF": packed(image)},
        {"EDX": {"pixel": [], "channel": [], "count": []}},
    ]
    ask(host, {"do": "open", "path": str(tmp_path / "a.lbj"), "signals": signals})
    for number, data in enumerate(forms):
        assert ask(host, {"do": "push", "data": data}) == {"ok": True, "frame": number}
    host.end()
    with lbj.open(tmp_path / "a.lbj") as journal:
        for n in range(3):
            assert np.array_equal(journal[n].array("EDX"), cube)
            assert np.array_equal(journal[n].array("HAADF"), image)
        assert journal[3].events("EDX").total == 0


def change(message, *path, to):
    """The message with one place changed."""
    out = json.loads(json.dumps(message))
    at = out
    for step in path[:-1]:
        at = at[step]
    if to is None:
        del at[path[-1]]
    else:
        at[path[-1]] = to
    return out


OPEN, PUSH = opening("a.lbj"), pushing(0)
WRONG = [
    ({}, "do"),
    ([], "object"),
    ("status", "object"),
    ({"do": "fly"}, "open, push"),
    ({"do": ["push"]}, "'do'"),
    ({"do": "status", "full": True}, "no field 'full'"),
    ({"do": "close", "id": 3}, "no field 'id'"),
    ({"do": "map"}, "lacks 'name'"),
    ({"do": "map", "name": 3}, "text"),
    ({"do": "map", "name": "Ti_Ka", "file": "ti.png"}, ".npy"),
    ({"do": "push"}, "lacks 'data'"),
    (change(PUSH, "data", to=[1]), "an object"),
    (change(PUSH, "data", "EDX", to=[1]), "pixel, channel, count"),
    (change(PUSH, "data", "EDX", to={"events": 1}), "pixel, channel, count"),
    (change(PUSH, "data", "EDX", "channel", to=None), "lacks 'channel'"),
    (change(PUSH, "data", "EDX", "extra", to=[1]), "no field 'extra'"),
    (change(PUSH, "data", "EDX", "pixel", 0, to=-1), "whole numbers from 0"),
    (change(PUSH, "data", "EDX", "pixel", 0, to=2**32), "whole numbers from 0"),
    (change(PUSH, "data", "EDX", "pixel", 0, to=1.5), "whole numbers from 0"),
    (change(PUSH, "data", "EDX", "pixel", 0, to=True), "whole numbers from 0"),
    (change(PUSH, "data", "EDX", "count", 0, to=0), "whole numbers from 1"),
    (change(PUSH, "data", "HAADF", "dtype", to="complex64"), "dtype"),
    (change(PUSH, "data", "HAADF", "dtype", to=None), "lacks 'dtype'"),
    (change(PUSH, "data", "HAADF", "shape", to=[24, 20, "1"]), "[24, 20]"),
    (change(PUSH, "data", "HAADF", "shape", to="24x20"), "a list"),
    (change(PUSH, "data", "HAADF", "base64", to=7), "text"),
    (change(PUSH, "data", "HAADF", to={"file": "a.npy", "dtype": "uint8"}), "no field 'dtype'"),
    (change(PUSH, "attributes", "live_tme", to=3), "'live_tme'"),
    (change(PUSH, "attributes", "dwell_time", to="1 ms"), "dwell_time"),
    (change(PUSH, "attributes", "region", to=-1), "region"),
    (change(PUSH, "attributes", to=[]), "an object"),
    (change(OPEN, "path", to=None), "lacks 'path'"),
    (change(OPEN, "path", to=3), "text"),
    (change(OPEN, "sync", to=1), "true or false"),
    (change(OPEN, "elements", to="Ti"), "a list"),
    (change(OPEN, "elements", to=[22]), "symbols"),
    (change(OPEN, "elements", to=["titanium"]), "titanium"),
    (change(OPEN, "signals", to=[]), "1 to 65,535"),
    (change(OPEN, "signals", 0, to="EDX"), "an object"),
    (change(OPEN, "signals", 0, "kind", to="video"), "kind"),
    (change(OPEN, "signals", 0, "kind", to=None), "lacks 'kind'"),
    (change(OPEN, "signals", 0, "shape", 0, to=0), "shape"),
    (change(OPEN, "signals", 0, "dtype", to="bool"), "dtype"),
    (change(OPEN, "signals", 0, "colour", to="red"), "no field 'colour'"),
    (change(OPEN, "signals", 0, "axes", 0, "unit", to="m"), "no field 'unit'"),
    (change(OPEN, "signals", 0, "axes", 0, "units", to=3), "text"),
    (change(OPEN, "signals", 0, "axes", 0, "scale", to="1"), "a number"),
    (change(OPEN, "windows", to={"Ti": {"window": [1]}}), "pair"),
    (change(OPEN, "windows", to={"Ti": {"window": ["1", 2]}}), "number"),
    (change(OPEN, "windows", to={"Ti": {"window": [4500, 4600], "background": [[1, 2]]}}), "two pairs"),
    (change(OPEN, "windows", to={"Ti": [4500, 4600]}), "dict"),
    (change(change(OPEN, "signals", to=None), "metadata", to={"title": "x"}), "metadata"),
]


@pytest.mark.parametrize(("request_", "said"), WRONG)
def test_schema_and_host_refuse_the_same(host, tmp_path, monkeypatch, request_, said):
    monkeypatch.chdir(tmp_path)
    if not isinstance(request_, dict) or request_.get("do") != "open":
        ask(host, opening("b.lbj"))
    assert said in refused(host, request_)
    assert not (tmp_path / "a.lbj").exists()
    host.end()
    if (tmp_path / "b.lbj").exists():
        with lbj.open("b.lbj") as journal:
            assert len(journal) == 0


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"\n", "JSON"),
        (b"push\n", "JSON"),
        (b'{"do": "status"} {"do": "status"}\n', "JSON"),
        (b'{"do": "status"\n', "JSON"),
        (b'\xff{"do": "status"}\n', "UTF-8"),
        (b'{"do": "status", "do": "close"}\n', "twice"),
        (b'{"do": "push", "data": {}, "attributes": {"beam_current": NaN}}\n', "NaN"),
        (b'{"do": "push", "data": {}, "attributes": {"beam_current": 1e999}}\n', "1e999"),
        (b"[" * 200_000 + b"\n", "JSON"),
        (b'{"do": "push", "data": {}, "attributes": {"region": ' + b"9" * 5000 + b"}}\n", "JSON"),
    ],
)
def test_a_line_that_is_no_json_object_is_refused(line, said):
    assert said in refused(Host(), line)


def test_what_only_the_journal_can_know_is_refused_too(host, tmp_path):
    path = tmp_path / "a.lbj"
    ask(host, opening(path))
    (tmp_path / "text.npy").write_text("no array")
    np.save(tmp_path / "other.npy", np.zeros((3, 3)))
    np.save(tmp_path / "objects.npy", np.full((24, 20), None), allow_pickle=True)
    whole = (tmp_path / "whole.npy").open("wb")
    np.save(whole, np.zeros((24, 20)))
    whole.truncate(1000)
    whole.close()
    short = PUSH["data"]["HAADF"]["base64"][:-4]
    for request, said in [
        (change(PUSH, "data", "BF", to=PUSH["data"]["HAADF"]), "no signal 'BF'"),
        (change(PUSH, "data", "HAADF", to=PUSH["data"]["EDX"]), "kind 'image'"),
        (change(PUSH, "data", "EDX", "pixel", 0, to=480), "480"),
        (change(PUSH, "data", "EDX", "channel", 0, to=256), "256"),
        (change(PUSH, "data", "EDX", "count", to=[1]), "equally long"),
        (change(PUSH, "data", "HAADF", "shape", to=[20, 24]), "[24, 20]"),
        (change(PUSH, "data", "HAADF", "shape", to=[2**31, 2**31]), "[24, 20]"),
        (change(PUSH, "data", "HAADF", "base64", to=short), "characters of base64"),
        (change(PUSH, "data", "HAADF", "base64", to="!" * len(PUSH["data"]["HAADF"]["base64"])), "base64"),
        (change(PUSH, "data", "HAADF", "base64", to=short + "AA=="), "base64|bytes"),
        (change(PUSH, "data", "HAADF", to={"file": str(tmp_path / "none.npy")}), "none.npy"),
        (change(PUSH, "data", "HAADF", to={"file": str(tmp_path / "text.npy")}), "text.npy"),
        (change(PUSH, "data", "HAADF", to={"file": str(tmp_path / "other.npy")}), "[24, 20]"),
        (change(PUSH, "data", "HAADF", to={"file": str(tmp_path / "objects.npy")}), "objects.npy"),
        (change(PUSH, "data", "HAADF", to={"file": str(tmp_path / "whole.npy")}), "whole.npy"),
        (change(PUSH, "attributes", "live_time", to={"BF": 1.0}), "BF"),
        ({"do": "map", "name": "Ti_Ka"}, "none yet"),
        (opening(tmp_path / "b.lbj"), "close it first"),
    ]:
        answer = ask(host, request)
        assert (answer["ok"], answer["error"]) == (False, "UsageError")
        assert re.search(said.replace("[", r"\["), answer["message"]), answer["message"]
    assert ask(host, {"do": "status"})["status"]["frames"] == 0
    assert ask(host, PUSH) == {"ok": True, "frame": 0}
    ask(host, {"do": "close"})
    assert "exists" in ask(host, opening(path))["message"]
    assert ask(host, opening(tmp_path / "none" / "a.lbj"))["error"] == "StorageError"
    assert ask(host, opening("a\0.lbj"))["error"] == "ValueError"
    assert "no journal" in ask(host, {"do": "open", "path": str(tmp_path / "b.lbj")})["message"]


def served(*lines):
    answers = io.StringIO()
    serve(io.BytesIO(b"".join(lines)), answers)
    return [json.loads(line) for line in answers.getvalue().splitlines()]


def test_every_line_has_one_answer_and_the_end_closes_the_journal(tmp_path):
    lines = [json.dumps(one).encode() + b"\n" for one in (opening(tmp_path / "a.lbj"), pushing(0), {"do": "fly"})]
    answers = served(*lines, b"\n", json.dumps(pushing(1)).encode())
    assert [one["ok"] for one in answers] == [True, True, False, False, True]
    with lbj.open(tmp_path / "a.lbj") as journal:
        assert (len(journal), journal.complete) == (2, True)


def test_a_line_that_is_too_long_is_passed_over(monkeypatch):
    monkeypatch.setattr(hosting, "LONGEST", 40)
    long = b'{"do": "status", "text": "' + b"x" * 100 + b'"}\n'
    answers = served(b'{"do": "status"}\n', long, b'{"do": "close"}\n', b"x" * 39 + b"\n", b"x" * 100)
    said = ["no journal", "39 bytes", "no journal", "39 bytes", "39 bytes"]
    assert [part in one["message"] for part, one in zip(said, answers, strict=True)] == [True] * 5


def test_frames_that_were_answered_survive_the_kill_of_the_host(host, tmp_path):
    path = tmp_path / "a.lbj"
    with started() as process:
        assert exchange(process, opening(path))["ok"]
        for n in range(3):
            assert exchange(process, pushing(n)) == {"ok": True, "frame": n}
        process.send_signal(signal.SIGKILL)
        process.stdin.close()
    with lbj.open(path) as journal:
        assert (len(journal), journal.complete, journal.tail) == (3, False, None)
        for n in range(3):
            assert journal[n].events("EDX") == SERIES.frame(n)[0]["EDX"]
    assert ask(host, {"do": "open", "path": str(path)})["frames"] == 3
    assert ask(host, pushing(3)) == {"ok": True, "frame": 3}
    host.end()


def test_no_error_ends_the_host(host, tmp_path, monkeypatch):
    ask(host, opening(tmp_path / "a.lbj"))
    for wrong in (lambda _: {"frames": float("inf")}, lambda _: 1 / 0):
        monkeypatch.setattr(hosting.Session, "status", wrong)
        assert ask(host, {"do": "status"})["ok"] is False
    monkeypatch.undo()
    assert ask(host, {"do": "status"})["ok"]
    host.end()


PLAIN = r"""
import base64, json, struct, subprocess, sys
assert "numpy" not in sys.modules
host = subprocess.Popen(json.loads(sys.argv[1]), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
def ask(**request):
    host.stdin.write(json.dumps(request) + "\n")
    host.stdin.flush()
    answer = json.loads(host.stdout.readline())
    if not answer["ok"]:
        sys.exit(answer["message"])
    return answer
ask(do="open", path=sys.argv[2], signals=[
    {"name": "EDX", "kind": "events", "shape": [2, 3, 64]},
    {"name": "HAADF", "kind": "image", "shape": [2, 3], "dtype": "uint16"}], windows={"A": {"window": [20, 24]}})
for frame in range(3):
    image = base64.b64encode(struct.pack("<6H", *range(300, 306))).decode()
    ask(do="push", attributes={"dwell_time": 0.001}, data={
        "EDX": {"pixel": [frame, 5], "channel": [21, 22], "count": [1, 7]},
        "HAADF": {"dtype": "uint16", "shape": [2, 3], "base64": image}})
print(ask(do="status")["status"]["counts"])
print(*struct.unpack("<6f", base64.b64decode(ask(do="map", name="A")["base64"])))
ask(do="close")
host.stdin.close()
sys.exit(host.wait())
"""

NODE = r"""
const [command, path] = [JSON.parse(process.argv[2]), process.argv[3]];
const host = require("child_process").spawn(command[0], command.slice(1), {stdio: ["pipe", "pipe", "inherit"]});
const lines = require("readline").createInterface({input: host.stdout})[Symbol.asyncIterator]();
async function ask(request) {
  host.stdin.write(JSON.stringify(request) + "\n");
  const answer = JSON.parse((await lines.next()).value);
  if (!answer.ok) throw new Error(answer.message);
  return answer;
}
(async () => {
  await ask({do: "open", path, windows: {A: {window: [20, 24]}}, signals: [
    {name: "EDX", kind: "events", shape: [2, 3, 64]},
    {name: "HAADF", kind: "image", shape: [2, 3], dtype: "uint16"}]});
  for (let frame = 0; frame < 3; frame++) {
    const image = Buffer.from(new Uint16Array([300, 301, 302, 303, 304, 305]).buffer).toString("base64");
    await ask({do: "push", attributes: {dwell_time: 0.001}, data: {
      EDX: {pixel: [frame, 5], channel: [21, 22], count: [1, 7]},
      HAADF: {dtype: "uint16", shape: [2, 3], base64: image}}});
  }
  console.log((await ask({do: "status"})).status.counts);
  const map = Buffer.from((await ask({do: "map", name: "A"})).base64, "base64");
  console.log(Array.from({length: 6}, (_, i) => map.readFloatLE(4 * i).toFixed(1)).join(" "));
  await ask({do: "close"});
  host.stdin.end();
})();
"""


@pytest.mark.parametrize("language", ["python", "node"])
def test_clients_without_numpy_can_record_and_read_maps(tmp_path, language):
    program = {"python": sys.executable, "node": shutil.which("node")}[language]
    if program is None:
        pytest.skip("node is not installed")
    script = tmp_path / f"client.{'py' if language == 'python' else 'js'}"
    script.write_text(PLAIN if language == "python" else NODE)
    path = tmp_path / "a.lbj"
    arguments = [program, str(script), json.dumps(HOST), str(path)]
    done = subprocess.run(arguments, check=False, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["24", "1.0 1.0 1.0 0.0 0.0 21.0"]
    with lbj.open(path) as journal:
        assert (len(journal), journal.complete) == (3, True)
        assert journal[2].array("HAADF").tolist() == [[300, 301, 302], [303, 304, 305]]


def test_the_conversation_of_the_help_is_what_the_host_says(host, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("haadf1.npy", np.array([[3, 9, 7]], np.uint8))
    seen = 0
    whole = re.sub(r"\n +", " ", command.CONVERSATION).splitlines()
    for question, answer in zip(whole[::2], whole[1::2], strict=True):
        assert (question[:2], answer[:2]) == ("> ", "< ")
        got = ask(host, json.loads(question[2:]))
        said = json.dumps(got, ensure_ascii=False)
        for part in answer[2:].removesuffix("...}}").split(" ... "):
            assert part.rstrip(", ") in said
            seen += 1
    assert seen == len(whole) // 2 + 3


def test_the_command_serves_and_prints_the_schema(tmp_path, monkeypatch, capfd):
    assert cli(["host", "--schema"]) == 0
    assert json.loads(capfd.readouterr().out) == SCHEMA
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    lines = io.BytesIO(json.dumps(opening(tmp_path / "a.lbj")).encode())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(lines))
    assert cli(["host"]) == 0
    assert json.loads(capfd.readouterr().out)["ok"]


def test_the_schema_refuses_wrong_answers():
    right = {"ok": True, "frame": 3}
    VALID["answer"].validate(right)
    for wrong in (
        {**right, "ok": False},
        {**right, "frame": -1},
        {**right, "more": 1},
        {"ok": True},
        {"ok": False, "error": "UsageError"},
        {"ok": True, "status": {"frames": 1}},
        {"ok": True, "dtype": "bool", "shape": [1], "base64": "AA=="},
    ):
        assert not VALID["answer"].is_valid(wrong)
