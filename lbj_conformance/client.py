"""Client: calls an adapter command, and tells an answer from a crash or a timeout."""

from __future__ import annotations

import json
import subprocess
from typing import Any, NamedTuple

STDERR_SHOWN = 2000
STDOUT_SHOWN = 200


class AdapterError(Exception):
    """The command is no adapter: it does not describe itself as the protocol says."""


class Answer(NamedTuple):
    """What one call of an adapter gave.

    Attributes
    ----------
    status : {"answered", "crash", "timeout"}
    value : dict
        The JSON object; empty unless answered.
    message : str
        What went wrong, with the end of standard error.
    """

    status: str
    value: dict[str, Any]
    message: str = ""


def call(command: list[str], arguments: list[str], timeout: float) -> Answer:
    """Run `command` with `arguments`; exit code 0 and one JSON object on standard output are an answer."""
    try:
        done = subprocess.run(  # noqa: S603 the command under test
            [*command, *arguments], capture_output=True, timeout=timeout, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        return Answer("timeout", {}, f"no answer to '{arguments[0]}' within {timeout:g} s")
    except OSError as error:
        return Answer(
            "crash",
            {},
            f"cannot run {command[0]!r}: {error.strerror} (is it on the path, and the environment activated?)",
        )
    tail = done.stderr[-STDERR_SHOWN:].decode(errors="replace").strip()
    if done.returncode:
        ended = f"signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
        return Answer("crash", {}, f"'{arguments[0]}' ended with {ended}; an adapter exits with 0\n{tail}".rstrip())
    try:
        value = json.loads(done.stdout)
    except ValueError as error:
        began = done.stdout[:STDOUT_SHOWN].decode(errors="replace")
        return Answer("crash", {}, f"'{arguments[0]}' printed no JSON ({error}): {began!r}\n{tail}".rstrip())
    if not isinstance(value, dict):
        return Answer("crash", {}, f"'{arguments[0]}' must print one JSON object, got {type(value).__name__}")
    return Answer("answered", value)
