"""The implementations of the repository: their commands, and their adapters called without a process a vector."""

import contextlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

from lbj import conform
from lbj_conformance import client, matrix, suite
from lbj_conformance.strict.__main__ import COMMANDS

ROOT = Path(__file__).parents[2]
PORTS = suite.FOLDER / "ports"
LBJ = [sys.executable, "-m", "lbj.cli", "conform"]
BASELINE = [sys.executable, str(PORTS / "python" / "adapter.py")]
NODE = shutil.which("node")
JS = [NODE, str(PORTS / "js" / "adapter.mjs")] if NODE else None
STREAMING = [*JS, "--streaming"] if JS else None


def lbj(call, *rest):
    return getattr(conform, call)(*rest)


def strict(call, *rest):
    return COMMANDS[call][0](*rest)


@contextlib.contextmanager
def baseline():
    """The baseline writer's adapter, a script beside the module that it imports."""
    sys.path.insert(0, str(PORTS / "python"))
    try:
        import adapter

        yield adapter.main
    finally:
        sys.path.remove(str(PORTS / "python"))
        sys.modules.pop("adapter", None)
        sys.modules.pop("lbj_baseline", None)


@contextlib.contextmanager
def javascript():
    """One Node.js for all calls; an exception in the adapter is raised."""
    line = [NODE, str(ROOT / "tests" / "js" / "calls.mjs")]
    process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def call(*arguments):
        process.stdin.write(json.dumps(arguments).encode() + b"\n")
        process.stdin.flush()
        found = json.loads(process.stdout.readline())
        if "crash" in found:
            raise RuntimeError(found["crash"])
        return json.loads(found["answer"])

    try:
        yield call
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait()


@contextlib.contextmanager
def inside(monkeypatch):
    """Have the suite and the matrix call the adapters in Python in this process, and one Node.js; others as ever."""
    with contextlib.ExitStack() as stack:
        functions = {tuple(LBJ): lbj, tuple(suite.STRICT): strict, tuple(BASELINE): stack.enter_context(baseline())}
        if JS:
            call_node = stack.enter_context(javascript())
            functions[tuple(JS)] = call_node
            functions[tuple(STREAMING)] = lambda *arguments: call_node("--streaming", *arguments)

        def call(command, arguments, timeout):
            function = functions.get(tuple(command))
            if function is None:
                return client.call(command, arguments, timeout)
            return client.Answer("answered", json.loads(json.dumps(function(*arguments))))

        monkeypatch.setattr(suite, "call", call)
        monkeypatch.setattr(suite, "JOBS", 1)  # they share this process
        monkeypatch.setattr(matrix, "call", call)
        yield call
