"""Completion: what is done when a series is complete, or has failed."""

from __future__ import annotations

import importlib
import json
import os
import shlex
import subprocess
import threading
from collections.abc import Callable
from typing import Any

from lbj import UsageError

from .guarded import Guarded

LONGEST = 60.0  # s

Function = Callable[[Any, dict[str, Any]], Any]


def carry_out(hook: str | Function, instrument: Guarded, outcome: dict[str, Any]) -> str:
    """Do one thing, for a minute at most, and say what came of it.

    Parameters
    ----------
    hook : str or function
        ``blank``; ``command: PROGRAM ARGUMENTS``, which finds the outcome as JSON on its standard input and in the
        variable ``MFSI_OUTCOME``; ``python: module:function`` or a function, called with the instrument and outcome.
    instrument : Guarded
    outcome : dict
        ``reason`` and ``text``, ``failed``, ``frames``, ``region``, ``journal``, ``folder``.

    Raises
    ------
    Exception
        What went wrong.
    """
    if callable(hook):
        return _called(hook, instrument, outcome, getattr(hook, "__name__", "a function"))
    what, _, rest = (part.strip() for part in hook.partition(":"))
    if what == "blank":
        instrument.call("blank", time_out=LONGEST)
        return "the beam is blanked"
    if what == "command":
        return _run(rest, outcome)
    module, _, name = rest.partition(":")
    return _called(getattr(importlib.import_module(module), name), instrument, outcome, rest)


def _run(command: str, outcome: dict[str, Any]) -> str:
    words = shlex.split(command, posix=os.name == "posix")
    if not words:
        raise UsageError("the command to be run is empty")
    text = json.dumps(outcome)
    done = subprocess.run(  # noqa: S603 the user's own command
        words, input=text, capture_output=True, text=True, timeout=LONGEST, check=False,
        env={**os.environ, "MFSI_OUTCOME": text},
    )  # fmt: skip
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise UsageError(f"{words[0]} ended with {done.returncode}: {' '.join(said)}")
    return f"{words[0]} was run"


def _called(function: Function, instrument: Guarded, outcome: dict[str, Any], name: str) -> str:
    """Call a function in a thread that is left behind where it does not come back."""
    failures: list[BaseException] = []

    def work() -> None:
        try:
            function(instrument.instrument, outcome)
        except BaseException as error:  # noqa: BLE001 raised again outside
            failures.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(LONGEST)
    if thread.is_alive():
        raise TimeoutError(f"{name} did not come back within {LONGEST:g} s")
    if failures:
        raise failures[0]
    return f"{name} was called"
