"""Import in a process of its own: what a file makes a library do stops there."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from typing import IO, Any

from .. import errors
from ..errors import DamagedError, LbjError, LibraryError
from ..signal import Signal
from . import child, open_source
from .notes import BESIDE, Note
from .source import Frame, Source
from .wire import receive, send

CHILD = child.__name__
WALL = 8  # times the CPU time that is allowed: how long an answer is waited for
LAST = 5  # s that a process has to end once it says nothing any more

_idle: list[Child] = []


def open_apart(paths: Sequence[str | os.PathLike[str]]) -> Source:
    """Open one series as `lbj.importing.open_source` does, in a process of its own.

    That process may take 15 s of CPU time and 5 s for every megabyte of the files, and 2 GiB of memory and 1100 bytes
    for every byte of them, never more than the machine has.

    Raises
    ------
    UsageError, DamagedError, UnsupportedError, LibraryError
        As `open_source`, also while frames are read.
    DamagedError
        If it took more than that.
    LibraryError
        If a library ended the process.
    """
    names = [os.fspath(path) for path in paths]
    if not _can_start() or all(os.path.basename(name).endswith(".lbj") for name in names):
        return open_source(names)  # a journal's reader bounds its own work
    one = _idle.pop() if _idle else None
    if one is None or not one.lives:
        one = Child()
    with _kept(one):
        one.begin({"open": names})
        answer = one.answer(names)
    source = Source(
        [Signal.from_json(item) for item in answer["signals"]],
        iter(()),
        answer["n_frames"],
        answer["static"],
        answer["metadata"],
        [],
    )
    source.notes = _notes(answer)
    source.frames = _frames(one, names, source.notes)
    return source


def _can_start() -> bool:
    """Whether this interpreter can be started anew: a host program that embeds Python cannot."""
    return os.path.basename(sys.executable or "").lower().startswith(("python", "pypy"))


def _notes(answer: dict[str, Any]) -> list[str]:
    return [Note(text, BESIDE if rank is None else rank) for text, rank in answer["notes"]]


@contextlib.contextmanager
def _kept(one: Child) -> Iterator[None]:
    """Keep the process for the next series where it answered with an error of the file; end it where it failed."""
    try:
        yield
    except BaseException:
        _release(one)
        raise


def _release(one: Child) -> None:
    if _idle or not one.waits:
        one.end()
    else:
        _idle.append(one)


def _frames(one: Child, names: list[str], notes: list[str]) -> Iterator[Frame]:
    """Frame after frame, read ahead by one."""
    with _kept(one):
        one.begin({"next": True})
        while True:
            answer = one.answer(names)
            notes[:] = _notes(answer)
            if "end" in answer:
                break
            one.begin({"next": True})
            yield answer["data"], answer["attributes"]
    _release(one)


class Child:
    """One process that imports.

    Attributes
    ----------
    owner : int
        The process that started it.
    waits : bool
        Whether it is sound and waits for a request.
    """

    def __init__(self) -> None:
        self.owner, self.waits = os.getpid(), True
        self._late = False
        self._folder = tempfile.mkdtemp(prefix="lbj-")
        self._said = tempfile.TemporaryFile()
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(item for item in sys.path if item),
            "OPENBLAS_NUM_THREADS": "1",  # each thread takes memory before it has done anything
            "PYTHONWARNINGS": "ignore",
        }
        self._process = subprocess.Popen(  # noqa: S603 -- a module of this package
            [sys.executable, "-m", CHILD, self._folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env=environment,
        )

    @property
    def lives(self) -> bool:
        """Whether it is this process's, and still there: a signal may have ended it meanwhile."""
        return self.owner == os.getpid() and self._process.poll() is None

    def begin(self, message: dict[str, Any]) -> None:
        """Send a request."""
        self.waits = False
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # it has died, which the answer will say
            send(self._process.stdin, message)  # type: ignore[arg-type]

    def answer(self, names: list[str]) -> dict[str, Any]:
        """Wait for the answer to the last request."""
        assert self._process.stdout is not None
        seconds, memory = child.allowed(names)
        timer = threading.Timer(WALL * seconds, self._stop)
        timer.daemon = True
        timer.start()
        try:
            found = receive(self._process.stdout)  # type: ignore[arg-type]
        except (EOFError, ValueError, KeyError, TypeError, LookupError) as error:
            raise self._death(names, seconds) from error
        finally:
            timer.cancel()
        self.waits = found.get("error") != "MemoryError"
        if not self.waits:
            raise DamagedError(f"{_all(names)}: reading it takes more than {memory / 2**30:.1f} GiB of memory")
        if "error" in found:
            raise _error(found["error"], found["message"])
        return found

    def _stop(self) -> None:
        self._late = True
        self._process.kill()

    def _death(self, names: list[str], seconds: int) -> LbjError:
        try:
            code = self._process.wait(LAST)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._said.seek(0)
        lines = self._said.read()[-10_000:].decode("utf-8", "replace").strip().splitlines()
        if self._late or code == -getattr(signal, "SIGXCPU", 0):
            return DamagedError(f"{_all(names)}: reading it takes more than {seconds} s, and was given up")
        said = f": {lines[-1]}" if lines else ""
        return LibraryError(f"{_all(names)}: a library that reads it ended its process (code {code}){said}")

    def __del__(self) -> None:
        """End with the series that nobody read to its end."""
        self.end()

    def end(self) -> None:
        """End the process and remove what it left."""
        if self.owner != os.getpid() or self._said.closed:
            return
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._said):
            _close(pipe)
        shutil.rmtree(self._folder, ignore_errors=True)


def _close(pipe: IO[bytes] | None) -> None:
    with contextlib.suppress(OSError):
        if pipe is not None:
            pipe.close()


def _all(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def _error(kind: str, message: str) -> LbjError:
    """Return the error that the other process raised, in its words."""
    known = getattr(errors, kind, LbjError)
    error: LbjError = known.__new__(known)
    Exception.__init__(error, message)
    error.__dict__.update(reason=message, offset=None, clause="")
    return error


@atexit.register
def _end() -> None:
    while _idle:
        _idle.pop().end()
