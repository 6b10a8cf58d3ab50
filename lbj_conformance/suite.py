"""Suite: runs the vectors against one adapter and returns the results."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from lbj.progress import track

from . import judge
from .client import AdapterError, Answer, call

PACKAGE = Path(__file__).parent
FOLDER = PACKAGE / "data"  # vectors, manifest, protocol and ports, where the package is installed
if not FOLDER.is_dir():
    FOLDER = PACKAGE.parent / "conformance"  # in a checkout
STRICT = [sys.executable, "-m", "lbj_conformance.strict"]
JOBS = 2
COMMANDS = ("decode", "recover", "encode")
READERS = ("streaming", "indexed")
CODINGS = ("raw", "leb128", "split-rice", "shuffle-zstd", "lossless-int", "float-lattice", "noise-q", "chart")


class Result(NamedTuple):
    """Outcome of one vector: `status` is pass, fail, unsupported, crash or timeout."""

    id: str
    status: str
    differences: list[str]
    seconds: float


def manifest() -> dict[str, Any]:
    """The manifest of the vectors."""
    with (FOLDER / "manifest.json").open(encoding="utf-8") as file:
        found: dict[str, Any] = json.load(file)
    return found


def run(command: list[str], timeout: float, only: str = "") -> tuple[dict[str, Any], list[Result]]:
    """Test `command` on every vector whose id begins with `only`.

    Returns
    -------
    about, results
        The command's own description, and one Result a vector.

    Raises
    ------
    AdapterError
        If the command does not answer `describe` as the protocol says.
    """
    about = describe(command, timeout)
    vectors = [vector for vector in manifest()["vectors"] if vector["id"].startswith(only)]
    with ThreadPoolExecutor(JOBS) as pool:
        waiting = [pool.submit(_timed, command, about, vector, timeout) for vector in vectors]
        return about, [one.result() for one in track(waiting, about["name"])]


def describe(command: list[str], timeout: float) -> dict[str, Any]:
    """The command's answer to `describe`, checked."""
    answer = call(command, ["describe"], timeout)
    if answer.status != "answered":
        raise AdapterError(answer.message)
    known = {"commands": COMMANDS, "codings": CODINGS, "reader": READERS}
    wanted: dict[str, type] = {"name": str, "version": str, "reader": str, "commands": list, "codings": list}
    for key, kind in wanted.items():
        if key in ("reader", "codings") and "decode" not in answer.value.get("commands", []):
            continue
        if not isinstance(answer.value.get(key), kind):
            raise AdapterError(
                f"'describe' must give {key!r}, {'an array' if kind is list else 'a string'}; got {answer.value}"
            )
    for key, words in known.items():
        given = answer.value.get(key, [])
        strange = set(given if isinstance(given, list) else [given]) - set(words)
        if strange:
            raise AdapterError(f"'describe' gives {key!r} {sorted(map(str, strange))}; known are {', '.join(words)}")
    return answer.value


def _timed(command: list[str], about: dict[str, Any], vector: dict[str, Any], timeout: float) -> Result:
    start = time.perf_counter()
    if vector["call"] not in about["commands"]:
        return Result(vector["id"], "unsupported", [f"{about['name']} has no '{vector['call']}'"], 0.0)
    with tempfile.TemporaryDirectory() as folder:
        status, differences = one(command, about, vector, Path(folder) / "out.lbj", timeout)
    return Result(vector["id"], status, differences, time.perf_counter() - start)


def one(
    command: list[str], about: dict[str, Any], vector: dict[str, Any], out: Path, timeout: float
) -> tuple[str, list[str]]:
    """Status and differences of one vector; `out` is where the command may write."""
    path, expect = str(FOLDER / vector["file"]), vector["expect"]
    if vector["call"] == "decode":
        answer = call(command, ["decode", path], timeout)
        if about["reader"] == "indexed":
            expect = vector.get("expect_indexed", expect)
        differences = judge.journal(expect, answer.value)
        whole = any(line.startswith(("result:", "offset:")) for line in differences)
        excused = bool(lacking(vector, about)) and not whole and "unsupported" in json.dumps(answer.value)
        return _judged(answer, differences, excused=excused)
    before = (FOLDER / expect["before"]).read_bytes() if "before" in expect else None
    if before is not None:
        out.write_bytes(before)
    answer = call(command, [vector["call"], path, str(out)], timeout)
    if vector["call"] == "recover":
        differences = judge.recovered(expect, answer.value, out) if answer.status == "answered" else []
        excused = bool(lacking(vector, about))
    else:
        excused = answer.value.get("result") == "unsupported"
        same = answer.value.get("result") == expect["result"]
        differences = [] if same else [f"result: expected {expect['result']}, got {answer.value.get('result')}"]
        if same and expect["result"] == "ok" and not out.exists():
            differences = ["PATH was not written"]
        if expect["result"] == "refused" and (out.read_bytes() if out.exists() else None) != before:
            differences.append("what must be refused was written all the same")
    if not differences and answer.status == "answered" and "journal" in expect:
        read = call(STRICT, ["decode", str(out)], timeout)
        found = judge.journal({"result": "ok", **expect["journal"]}, read.value, written=True)
        differences = [f"read back from what was written: {line}" for line in found]
    return _judged(answer, differences, excused=excused)


def lacking(vector: dict[str, Any], about: dict[str, Any]) -> set[str]:
    """Codings that the vector needs and the command does not claim, as features."""
    needed = {name for name in vector["features"] if name.startswith("coding:")}
    return needed - {f"coding:{name}" for name in about.get("codings", [])}


def _judged(answer: Answer, differences: list[str], *, excused: bool) -> tuple[str, list[str]]:
    if answer.status != "answered":
        return answer.status, [answer.message]
    if not differences:
        return "pass", []
    return ("unsupported" if excused else "fail"), differences
