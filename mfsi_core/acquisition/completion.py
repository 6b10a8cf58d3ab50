"""Completion: what happens when a series is complete or has failed: blank the beam, run a command or a function."""

from __future__ import annotations

import importlib
import json
import os
import shlex
import shutil
import subprocess
import threading
from collections.abc import Callable, Sequence
from typing import Any

from lbj import UsageError

from ..instruments.protocol import Abilities
from .guarded import Guarded
from .log import Log, said
from .settings import Settings

LONGEST = 60.0  # s

Function = Callable[[Any, dict[str, Any]], Any]


def carry_out(hooks: Sequence[str | Function], instrument: Guarded, outcome: dict[str, Any], log: Log) -> None:
    """Do one thing after the other, each for a minute at most, and log what came of it; one that fails stops no other.

    Parameters
    ----------
    hooks : sequence of str or function
        ``blank``; ``command: PROGRAM ARGUMENTS``, which finds the outcome as JSON on its standard input and in the
        variable ``MFSI_OUTCOME``; ``python: module:function`` or a function, called with the instrument and outcome.
    instrument : Guarded
    outcome : dict
        ``reason`` and ``text``, ``failed``, ``frames``, ``region``, ``journal``, ``folder``.
    log : Log
    """
    for hook in hooks:
        try:
            log.add("completion", _carried_out(hook, instrument, outcome))
        except Exception as error:  # noqa: BLE001 told, and the next one is done
            log.add("completion", f"what was to be done at the end failed: {said(error)}", "error")


def _carried_out(hook: str | Function, instrument: Guarded, outcome: dict[str, Any]) -> str:
    """Do one thing, and say what came of it."""
    if callable(hook):
        return _called(hook, instrument, outcome, getattr(hook, "__name__", "a function"))
    what, _, rest = (part.strip() for part in hook.partition(":"))
    if what == "blank":
        instrument.call("blank", time_out=LONGEST)
        return "the beam is blanked"
    if what == "command":
        return _run(rest, outcome)
    return _called(_function(rest), instrument, outcome, rest)


def check(settings: Settings, abilities: Abilities) -> None:
    """Make sure, before anything is exposed, that the instrument can do what is wanted, and the end can be kept.

    Raises
    ------
    UsageError
        Naming what cannot be.
    """
    if abilities.exposes:
        settings.exposure  # noqa: B018 refuses what cannot be
    unknown = [name for name in settings.signals if name not in abilities.signals]
    if unknown and abilities.signals:
        there = ", ".join(abilities.signals)
        raise UsageError(f"{abilities.title} does not record {', '.join(unknown)}; it records {there}")
    recorded = settings.signals or abilities.usual or abilities.signals
    if settings.image and recorded and settings.image not in recorded:
        raise UsageError(
            f"image: there is no {settings.image!r} to align by; what is recorded is {', '.join(recorded)}"
        )
    if settings.energy_steps and not abilities.energy:
        raise UsageError(f"{abilities.title} does not step the energy: leave energy_steps empty")
    for hook in (*settings.on_completion, *settings.on_failure):
        what, _, rest = (part.strip() for part in hook.partition(":"))
        if what == "blank" and not abilities.blank:
            raise UsageError(f"{abilities.title} does not blank the beam: leave 'blank' out")
        if what == "command":
            _words(rest)
        if what == "python":
            _function(rest)


def _words(command: str) -> list[str]:
    """Program and arguments of a command that can be run."""
    try:
        words = shlex.split(command, posix=os.name == "posix")
    except ValueError as error:
        raise UsageError(f"the command {command!r} cannot be taken apart: {error}") from error
    if not words or shutil.which(words[0]) is None:
        raise UsageError(f"the command to be run at the end is not found: {words[0] if words else 'it is empty'}")
    return words


def _function(name: str) -> Function:
    """Function of that name, as module:function."""
    module, _, rest = name.partition(":")
    try:
        function = getattr(importlib.import_module(module), rest)
    except Exception as error:
        raise UsageError(f"the function to be called at the end cannot be imported: {error}") from error
    if not callable(function):
        raise UsageError(f"{name} is no function")
    found: Function = function
    return found


def _run(command: str, outcome: dict[str, Any]) -> str:
    words = _words(command)
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
