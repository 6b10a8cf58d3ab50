"""The separate process in which files are imported, with its limits of time and memory; answers on standard output."""

from __future__ import annotations

import contextlib
import os
import pkgutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from ..errors import LbjError
from ..plugins.output import kept_output
from . import open_source, plugin
from .source import Frame
from .wire import receive, send

CPU = 15  # s of CPU time that an import may take, before what is added for every megabyte of the files
CPU_PER_MB = 5.0
MEMORY = 2**31  # bytes of memory that an import may take, before what is added for every byte of the files
MEMORY_PER_BYTE = 1100  # no compression in use expands a byte to more


def main() -> None:
    """Answer until the input ends; what libraries print goes to the standard error."""
    with kept_output() as answers:
        _serve(sys.stdin.buffer, answers.buffer)


def _serve(requests: BinaryIO, answers: BinaryIO) -> None:
    tempfile.tempdir = sys.argv[1]
    frames: Iterator[Frame] = iter(())
    source: Any = None
    while True:
        try:
            asked = receive(requests)
        except EOFError:
            return
        try:
            if "open" in asked:
                os.chdir(asked["folder"])  # to which the names relate; the caller may have gone elsewhere since
                limit(asked["open"])
                plugin.avoided = set(asked["without"])
                source = open_source(asked["open"])
                frames = source.frames
                answer = _described(source)
            elif "call" in asked:
                answer = {"value": carried_out(asked["call"], asked["arguments"])}
            else:
                found = next(frames, None)
                answer = {"end": True} if found is None else {"data": dict(found[0]), "attributes": found[1]}
                answer["notes"] = _notes(source)
        except LbjError as error:
            answer = {"error": type(error).__name__, "message": str(error)}
        except MemoryError:
            answer = {"error": "MemoryError", "message": ""}
        _answer(answers, answer)


def carried_out(function: str, arguments: dict[str, Any]) -> Any:
    """Call a function of ours, ``package.module:name``."""
    return pkgutil.resolve_name(function)(**arguments)


def _answer(answers: BinaryIO, answer: dict[str, Any]) -> None:
    try:
        send(answers, answer)
    except MemoryError:
        send(answers, {"error": "MemoryError", "message": ""})


def _described(source: Any) -> dict[str, Any]:
    return {
        "signals": [signal.to_json() for signal in source.signals],
        "n_frames": source.n_frames,
        "static": dict(source.static),
        "metadata": source.metadata,
        "notes": _notes(source),
    }


def _notes(source: Any) -> list[Any]:
    return [[str(note), getattr(note, "rank", None)] for note in source.notes]


def size_of(paths: Sequence[str]) -> int:
    """Bytes of the files, and of what lies in folders."""
    total = 0
    for path in paths:
        inside = [os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names]
        for name in [path, *inside]:
            with contextlib.suppress(OSError):
                total += os.stat(name).st_size
    return total


def allowed(paths: Sequence[str]) -> tuple[int, int]:
    """CPU time (s) and memory (bytes) that the import of these files may take."""
    size = size_of(paths)
    memory = MEMORY + MEMORY_PER_BYTE * size
    with contextlib.suppress(ValueError, OSError, AttributeError):
        memory = min(memory, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return seconds_for(size), memory


def seconds_for(size: int) -> int:
    """CPU time (s) that work on so many bytes may take."""
    return CPU + int(CPU_PER_MB * size / 1e6)


def limit(paths: Sequence[str]) -> None:
    """Have the system end this process where the import takes more; not on Windows, where time alone is watched."""
    try:
        import resource
    except ImportError:
        return
    seconds, memory = allowed(paths)
    used = resource.getrusage(resource.RUSAGE_SELF)
    _lower(resource, resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + seconds + 1)
    with contextlib.suppress(OSError, ValueError), open("/proc/self/statm", encoding="ascii") as file:
        _lower(resource, resource.RLIMIT_AS, int(file.read().split()[0]) * resource.getpagesize() + memory)


def _lower(resource: Any, what: int, value: int) -> None:
    """Set the soft limit, as far as the hard one goes."""
    _, hard = resource.getrlimit(what)
    resource.setrlimit(what, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


if __name__ == "__main__":
    main()
