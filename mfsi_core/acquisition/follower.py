"""Follower: starts the analysis process for the recorder, tells it of new frames and reads its results."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from .log import Log, said
from .session_folder import read_json

STATUS, HISTORY = "status.json", "history.jsonl"
ERRORS = "errors.txt"
PATIENCE = 5.0  # s for which the process may take to end


class Follower:
    """Starts the process `analysis`, tells it of frames, and reads what it found.

    The process reads the journal itself. It is told through a queue of one: while it is busy nothing waits for it, and
    when it looks again it catches up with all frames there are. It ends when the recorder does.

    Parameters
    ----------
    journal, folder : path
        What it follows, and where it writes.
    wanted : dict
        ``elements``, ``image``.
    """

    def __init__(self, journal: Path, folder: Path, wanted: dict[str, Any]) -> None:
        self.folder, self.wanted = folder, wanted
        self._status: dict[str, Any] = {}
        self._seen = -1
        self._told: queue.Queue[int | None] = queue.Queue(1)
        folder.mkdir(exist_ok=True)
        with (folder / ERRORS).open("ab") as errors:
            self.process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "mfsi_core.acquisition.analysis", str(journal), str(folder), json.dumps(wanted)],
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors, env=_environment(),
            )  # fmt: skip
        threading.Thread(target=self._tell, daemon=True).start()

    def _tell(self) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            while (frames := self._told.get()) is not None:
                self.process.stdin.write(b"%d\n" % frames)
                self.process.stdin.flush()
        with contextlib.suppress(OSError):
            self.process.stdin.close()

    def tell(self, frames: int) -> None:
        """Say that there are so many frames; never waits."""
        with contextlib.suppress(queue.Full):
            self._told.put_nowait(frames)

    @property
    def running(self) -> bool:
        """Whether the process runs."""
        return self.process.poll() is None

    @property
    def fault(self) -> str:
        """Why it does not run."""
        code = self.process.poll()
        if code is None:
            return ""
        said = ""
        with contextlib.suppress(OSError):
            lines = (self.folder / ERRORS).read_text(errors="replace").strip().splitlines()
            said = f": {lines[-1][:300]}" if lines and code > 0 else ""
        return f"the analysis was ended by signal {-code}" if code < 0 else f"the analysis ended with {code}{said}"

    def status(self) -> dict[str, Any]:
        """What it found so far; empty before."""
        path = self.folder / STATUS
        with contextlib.suppress(OSError):
            stamp = path.stat().st_mtime_ns
            if stamp != self._seen:
                self._status, self._seen = read_json(path) or self._status, stamp
        return self._status

    def leave(self) -> None:
        """End the process as `close` does, without waiting for it."""
        threading.Thread(target=self.close, daemon=True).start()

    def close(self) -> None:
        """End the process when it has caught up, or after some seconds."""
        with contextlib.suppress(queue.Empty):
            self._told.get_nowait()
        self._told.put(None)
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def follow(
    before: Follower | None, journal: Path, folder: Path, wanted: dict[str, Any], log: Log
) -> Follower | None:  # fmt: skip
    """Return what follows a journal: the one that does already, if it runs, or a new one; None where it cannot be."""
    if before is not None:
        if before.running and before.wanted == wanted:
            return before
        if not before.running:
            log.add("analysis", f"{before.fault}; it is started again", "warning")
        before.close()  # two of them would write into one folder
    try:
        return Follower(journal, folder, wanted)
    except OSError as error:
        log.add("analysis", f"the analysis could not be started: {said(error)}", "warning")
        return None


def _environment() -> dict[str, str]:
    """Environment in which the process finds what this one imported, and leaves a core to the recorder."""
    found = os.pathsep.join(path for path in sys.path if path)
    return {**os.environ, "PYTHONPATH": found, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
