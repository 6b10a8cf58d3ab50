"""Run a command line: exit codes, error messages, broken pipes and Ctrl-C, the same for every command."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import NoReturn

from .errors import DamagedError, LbjError, UsageError


def run(parser: argparse.ArgumentParser, argv: list[str] | None) -> int:
    """Parse the arguments, call ``args.run(args)`` and return the exit code.

    0 done; 1 the answer is no or the input is unusable; 2 wrong usage; 3 done with loss.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names of files need not be text
            stream.reconfigure(errors="backslashreplace")
    args = parser.parse_args(argv)
    title = f"{parser.prog} {args.command}"
    try:
        with terminable():
            code: int = args.run(args)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except UsageError as error:
        print(f"{title}: {error}", file=sys.stderr)
        return 2
    except (LbjError, OSError) as error:
        print(f"{title}: {error}{_remedy(error, args.command)}", file=sys.stderr)
        return 1
    except MemoryError as error:
        what = f" ({error})" if str(error) else ""
        print(f"{title}: the memory of this process does not suffice{what}; take less at once", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{title}: interrupted", file=sys.stderr)
        return 1
    return code


def _remedy(error: Exception, command: str) -> str:
    """What to do about a journal that is damaged; what begins otherwise (clause 4.1.2) is none."""
    journal = isinstance(error, DamagedError) and error.clause not in ("", "4.1.2")
    return "; 'lbj recover' saves the frames that are whole" if journal and command != "recover" else ""


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Have SIGTERM end the work as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before if before is not None else signal.SIG_DFL)


def _interrupt(*_: object) -> NoReturn:
    """End as an interrupted command does, which tidies up."""
    raise KeyboardInterrupt
