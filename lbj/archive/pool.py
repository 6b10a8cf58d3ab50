"""Pool: jobs of `lbj convert FOLDER` in parallel processes; one that dies takes down no other job."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any

WORKER = "lbj.archive.worker"


def processes() -> int:
    """Return how many processes work side by side: one for every core that this one may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def carried_out(jobs: Sequence[dict[str, Any]]) -> Iterator[tuple[int, list[dict[str, Any]] | str]]:
    """Yield the place of each job and its results as they come; a text where its process died.

    Parameters
    ----------
    jobs : sequence of dict
        Arguments of `lbj.archive.jobs.carry_out`.
    """
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[int, list[dict[str, Any]] | str]] = queue.SimpleQueue()
    for place in range(len(jobs)):
        waiting.put(place)
    workers = [_Worker(jobs, waiting, done) for _ in range(min(processes(), len(jobs)))]
    try:
        for worker in workers:
            worker.start()
        for _ in jobs:
            yield done.get()
    finally:
        for worker in workers:
            worker.stop()


class _Worker(threading.Thread):
    """A thread that hands jobs to a process, and starts another when that one has died."""

    def __init__(self, jobs: Sequence[dict[str, Any]], waiting: Any, done: Any) -> None:
        super().__init__(daemon=True)
        self._jobs, self._waiting, self._done = jobs, waiting, done
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()
        self._stopped = False

    def run(self) -> None:
        """Work until nothing waits."""
        while True:
            try:
                place = self._waiting.get_nowait()
            except queue.Empty:
                break
            try:
                self._done.put((place, self._answer(self._jobs[place])))
            except OSError as error:
                self._done.put((place, f"no process could be started for it: {error}"))
        self.stop()

    def _answer(self, job: dict[str, Any]) -> list[dict[str, Any]] | str:
        process = self._running()
        if process is None:
            return "interrupted"
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
            found: list[dict[str, Any]] = json.loads(line)
        except (OSError, ValueError):
            code = self._ended()
            return f"the process that read it ended (code {code}); it may have needed more memory than there is"
        return found

    def _running(self) -> subprocess.Popen[str] | None:
        with self._lock:
            if self._stopped:
                return None
            if self._process is None:
                paths = os.pathsep.join(item for item in sys.path if item)
                self._process = subprocess.Popen(  # noqa: S603 a module of this package
                    [sys.executable, "-m", WORKER],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    encoding="utf-8",
                    env={**os.environ, "PYTHONPATH": paths},
                )
            return self._process

    def _ended(self) -> int | None:
        with self._lock:
            process, self._process = self._process, None
        return _close(process) if process is not None else None

    def stop(self) -> None:
        """End the process; what it was writing is removed."""
        with self._lock:
            self._stopped = True
            process, self._process = self._process, None
        if process is not None:
            process.terminate()
            _close(process)


def _close(process: subprocess.Popen[str]) -> int:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    try:
        return process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
