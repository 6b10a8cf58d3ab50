"""Mapper: starts the process `mapping` for the analysis, and takes its results."""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import sys
import threading
from typing import Any

from .mapping import Job


class Mapper:
    """Gives jobs to the process, one at a time, and takes what comes of them; never waits.

    Parameters
    ----------
    arguments : list of str
        Of the process.
    """

    def __init__(self, arguments: list[str]) -> None:
        self._arguments = arguments
        self._answers: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._process: subprocess.Popen[bytes] | None = None
        self.busy = False

    def start(self, job: Job) -> None:
        """Begin a job; where the process has died, a new one does it."""
        self.busy = True
        try:
            if self._process is None or self._process.poll() is not None:
                self.close()
                self._answers = queue.SimpleQueue()  # a late answer of the process before is not wanted
                self._process = subprocess.Popen(  # noqa: S603
                    [sys.executable, "-m", "mfsi_core.acquisition.mapping", *self._arguments],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                )  # fmt: skip
                threading.Thread(target=_listen, args=(self._process, self._answers), daemon=True).start()
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(job).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            self._answers.put({"error": f"Mapping failed: {error}."})

    def result(self) -> dict[str, Any] | None:
        """What came of the job: `mapping.carry_out`, or ``error``; None while it is being done."""
        try:
            answer = self._answers.get_nowait()
        except queue.Empty:
            return None
        self.busy = False
        return answer

    def close(self) -> None:
        """End the process, whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdin is not None
            with contextlib.suppress(OSError):
                self._process.stdin.close()


def _listen(process: subprocess.Popen[bytes], answers: queue.SimpleQueue[dict[str, Any]]) -> None:
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            with contextlib.suppress(ValueError):
                answers.put(json.loads(line))
    code = process.wait()
    answers.put({"error": f"The process that makes the maps ended with {code}."})
