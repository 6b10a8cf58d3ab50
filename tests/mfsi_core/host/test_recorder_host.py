"""The recorder by JSON lines: what `mfsi host` answers, and its schema."""

import base64
import importlib
import json
import sys
import time

import jsonschema
import numpy as np
import pytest
from plugin_package import install

import lbj
from mfsi_core.acquisition import guarded
from mfsi_core.host.host import Host, schema

SCHEMA = json.loads(schema())
SETTINGS = {"field": "1nm", "corner": "3nm", "pixel": "0.1nm", "frames": 2}


def check(kind, message):
    jsonschema.Draft202012Validator({**SCHEMA, "oneOf": [{"$ref": f"#/$defs/{kind}"}]}).validate(message)


@pytest.fixture
def host():
    one = Host()
    yield one
    one.end()


def ask(host, do, **fields):
    request = {"do": do, **fields}
    check("request", request)
    answer = json.loads(host.answer(json.dumps(request).encode()))
    check("answer", answer)
    return answer


def test_a_series_from_plan_to_a_second_region(host, tmp_path):
    folder = str(tmp_path / "s")
    opened = ask(host, "recorder", folder=folder, instrument="simulated", options={"seed": 2}, analysis=False)
    assert opened["state"]["phase"] == "idle"
    assert ask(host, "change", settings=SETTINGS)["plan"]["pixels"] == [10, 10]
    assert ask(host, "plan")["plan"]["frames"] == 2
    survey = ask(host, "survey")
    pixels = np.frombuffer(base64.b64decode(survey["base64"]), survey["dtype"]).reshape(survey["shape"])
    assert np.array_equal(np.load(tmp_path / "s" / "survey.npy"), pixels)
    assert ask(host, "acquire", frames=3, wait=True)["outcome"]["total"] == 3
    assert ask(host, "region")["region"] == 2
    assert ask(host, "acquire")["outcome"] == {}
    assert ask(host, "stop")["phase"] in ("stopping", "idle")
    assert ask(host, "wait", seconds=30)["done"]
    state = ask(host, "state")["state"]
    assert state["region"]["number"] == 2
    events = ask(host, "events", since=state["sequence"] - 2)["events"]
    assert [event["sequence"] for event in events] == [state["sequence"] - 1, state["sequence"]]
    assert ask(host, "history")["history"] == []
    assert ask(host, "picture", name="survey")["base64"] == survey["base64"]
    out = str(tmp_path / "survey.npy")
    assert ask(host, "picture", name="survey", file=out)["file"] == out
    assert np.array_equal(np.load(out), pixels)
    assert "there is no picture 'map-X'" in ask(host, "picture", name="map-X")["message"]
    assert "a recorder is open" in ask(host, "recorder", folder=folder, instrument="simulated")["message"]
    ask(host, "close")
    with lbj.open(tmp_path / "s" / "region-001" / "series.lbj") as journal:
        assert len(journal) == 3


def test_what_cannot_be_is_said(host, tmp_path):
    assert "no recorder is open" in ask(host, "plan")["message"]
    folder = str(tmp_path / "s")
    assert "no plugin 'none' in mfsi.instruments" in ask(host, "recorder", folder=folder, instrument="none")["message"]
    wrong = ask(host, "recorder", folder=folder, instrument="simulated", options={"sneed": 1})["message"]
    assert "'sneed'" in wrong
    wrong = ask(host, "recorder", folder=folder, instrument="simulated", settings={"dwell": "1nm"})["message"]
    assert "no unit of time" in wrong
    assert ask(host, "recorder", folder=folder, instrument="simulated", analysis=False)["ok"]  # nothing was left open
    assert "there is no control" in ask(host, "change", settings={"pixle": 1})["message"]


def test_a_stop_is_heard_while_a_frame_is_exposed(host, tmp_path):
    options = {"speed": 1.0}
    ask(host, "recorder", folder=str(tmp_path), instrument="simulated", options=options, analysis=False)
    ask(host, "change", settings={**SETTINGS, "dwell": "100ms"})  # 10 s a frame
    ask(host, "acquire")
    begun = time.monotonic()
    ask(host, "stop")
    assert ask(host, "wait", seconds=60)["done"]
    assert time.monotonic() - begun < 60
    assert ask(host, "state")["state"]["outcome"]["reason"] == "stopped"


SLOW = """
import threading

free, closed, threads = threading.Event(), threading.Event(), []

class Scope:
    def abilities(self):
        raise AssertionError("nobody asks any more")

    prepare = acquire = abilities

    def close(self):
        threads.append(threading.get_ident())
        closed.set()

def make():
    threads.append(threading.get_ident())
    free.wait(600)
    return Scope()
"""


def test_an_instrument_that_hangs_while_connecting_is_given_up_and_closed_when_it_comes(host, tmp_path, monkeypatch):
    install(tmp_path / "site", "slow", "1.0", {"mfsi.instruments": {"slow": "slow_scope:make"}}, slow_scope=SLOW)
    monkeypatch.syspath_prepend(tmp_path / "site")
    folder, out = str(tmp_path / "s"), sys.stdout
    with monkeypatch.context() as patched:
        patched.setattr(guarded, "CONNECTED", 0.2)
        answer = ask(host, "recorder", folder=folder, instrument="slow")
    assert answer["error"] == "NoAnswerError"
    assert "did not answer within 0.2 s (connecting)" in answer["message"]
    assert sys.stdout is out
    assert ask(host, "recorder", folder=folder, instrument="simulated", analysis=False)["ok"]
    module = importlib.import_module("slow_scope")
    module.free.set()
    assert module.closed.wait(60)
    assert module.threads[0] == module.threads[1]
