"""Import in a separate process: a crash, hang or memory leak of a vendor library stops there."""

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
from ..errors import DamagedError, LbjError, LibraryError, PluginError
from ..signal import Signal
from . import child, open_source
from .notes import BESIDE, Note, left_out
from .plugin import importers
from .source import Frame, Source
from .wire import receive, send

CHILD = child.__name__
WALL = 8  # an answer is waited for so many times as long as the CPU time that is allowed
LAST = 5  # s for the process to end after its last answer

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
    PluginError
        If an importer of another package did, and nothing else reads the files.
    """
    names = [os.fspath(path) for path in paths]
    if not _can_start() or all(os.path.basename(name).endswith(".lbj") for name in names):
        return open_source(names)  # a journal's reader bounds its own work
    try:
        return _open(names, [], [])
    except _Died as death:
        plugins = [str(one) for one in _plugins(names)]
        if not plugins:
            raise _as_error(death, names) from death
        blame = PluginError(f"{_all(names)}: {', '.join(plugins)} {death}")
    try:
        return _open(names, plugins, [left_out(f"read without a plugin: {blame}")])
    except _Died as death:
        raise _as_error(death, names) from death
    except errors.UsageError as error:
        raise blame from error


def call(function: str, arguments: dict[str, Any], size: int, what: str) -> Any:
    """Have a function of ours, which calls a plugin, carried out in a process of its own.

    Parameters
    ----------
    function : str
        ``package.module:name``.
    arguments : dict
        Plain values, arrays and Events.
    size : int
        Bytes that it works on; it may take as long as the import of a file of that size, or 8 times that CPU time.
    what : str
        The plugin, for errors.

    Returns
    -------
    plain values, arrays and Events

    Raises
    ------
    PluginError
        If it took more than that, or the process ended.
    """
    if not _can_start():
        return child.carried_out(function, arguments)
    one, seconds = Child(), WALL * child.seconds_for(size)
    try:
        one.begin({"call": function, "arguments": arguments})
        return one.answer(seconds)["value"]
    except _Died as death:
        raise PluginError(f"{what} {death}") from death
    finally:
        one.end()


def _plugins(names: list[str]) -> list[Any]:
    inside = [os.path.join(folder, name) for path in names for folder, _, found in os.walk(path) for name in found]
    return list({str(one): one for path in [*names, *inside] for one in importers(path)}.values())


def _open(names: list[str], without: list[str], said: list[str]) -> Source:
    """Open files in a separate process `without` some plugins, whose failures are `said` in the notes."""
    one = _idle.pop() if _idle else None
    if one is None or not one.lives:
        one = Child()
    seconds = WALL * child.allowed(names)[0]
    with _kept(one):
        one.begin({"open": names, "folder": _here(), "without": without})
        answer = _answered(one, names, seconds)
    source = Source(
        [Signal.from_json(item) for item in answer["signals"]],
        iter(()),
        answer["n_frames"],
        answer["static"],
        answer["metadata"],
        [],
    )
    source.notes = [*said, *_notes(answer)]
    source.frames = _frames(one, names, source.notes, said, seconds)
    return source


def _answered(one: Child, names: list[str], seconds: float) -> dict[str, Any]:
    answer = one.answer(seconds)
    if not one.waits:
        memory = child.allowed(names)[1]
        raise DamagedError(f"{_all(names)}: reading it takes more than {memory / 2**30:.1f} GiB of memory")
    return answer


def _can_start() -> bool:
    """Whether this interpreter can be started anew: a host program that embeds Python cannot."""
    return os.path.basename(sys.executable or "").lower().startswith(("python", "pypy"))


def _notes(answer: dict[str, Any]) -> list[str]:
    return [Note(text, BESIDE if rank is None else rank) for text, rank in answer["notes"]]


@contextlib.contextmanager
def _kept(one: Child) -> Iterator[None]:
    """Keep the process for the next series if it answered, be it with an error of the file; else end it."""
    try:
        yield
    except BaseException:
        _release(one)
        raise


def _here() -> str:
    try:
        return os.getcwd()
    except OSError:  # it has been deleted: no relative name leads anywhere
        return os.sep


def _release(one: Child) -> None:
    if _idle or not one.waits:
        one.end()
    else:
        _idle.append(one)


def _frames(one: Child, names: list[str], notes: list[str], said: list[str], seconds: float) -> Iterator[Frame]:
    """Frame after frame, read ahead by one."""
    with _kept(one):
        one.begin({"next": True})
        while True:
            try:
                answer = _answered(one, names, seconds)
            except _Died as death:
                plugins = [str(plugin) for plugin in _plugins(names)]
                if plugins:
                    raise PluginError(f"{_all(names)}: {', '.join(plugins)} {death}") from death
                raise _as_error(death, names) from death
            notes[:] = [*said, *_notes(answer)]
            if "end" in answer:
                break
            one.begin({"next": True})
            yield answer["data"], answer["attributes"]
    _release(one)


class _Died(Exception):  # noqa: N818 it becomes an error where it is known of what
    """The process ended, or was given up."""

    def __init__(self, seconds: float, code: int, words: str, *, late: bool) -> None:
        self.late = late
        end = f"ended its process (code {code}){': ' * bool(words)}{words}"
        super().__init__(f"takes more than {seconds:g} s, and was given up" if late else end)


def _as_error(death: _Died, names: list[str]) -> LbjError:
    if death.late:
        return DamagedError(f"{_all(names)}: reading it {death}")
    return LibraryError(f"{_all(names)}: a library that reads it {death}")


class Child:
    """One process that imports, or calls a plugin.

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

    def answer(self, seconds: float) -> dict[str, Any]:
        """Wait for the answer to the last request, which is given up after so many seconds."""
        assert self._process.stdout is not None
        timer = threading.Timer(seconds, self._stop)
        timer.daemon = True
        timer.start()
        try:
            found = receive(self._process.stdout)  # type: ignore[arg-type]
        except (EOFError, ValueError, KeyError, TypeError, LookupError) as error:
            raise self._death(seconds) from error
        finally:
            timer.cancel()
        self.waits = found.get("error") != "MemoryError"
        if self.waits and "error" in found:
            raise _error(found["error"], found["message"])
        return found

    def _stop(self) -> None:
        self._late = True
        self._process.kill()

    def _death(self, seconds: float) -> _Died:
        try:
            code = self._process.wait(LAST)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._said.seek(0)
        lines = self._said.read()[-10_000:].decode("utf-8", "replace").strip().splitlines()
        late = self._late or code == -getattr(signal, "SIGXCPU", 0)
        return _Died(seconds if self._late else seconds / WALL, code, lines[-1] if lines else "", late=late)

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
