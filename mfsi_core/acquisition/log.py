"""Log: the numbered events of a session, in memory and in a file, for pages that join late or reconnect."""

from __future__ import annotations

import contextlib
import datetime
import json
import threading
from collections import deque
from pathlib import Path
from typing import Any

from lbj import LbjError

KEPT = 5000  # events in memory; older ones are read from the file
LEVELS = ("info", "warning", "error")

Event = dict[str, Any]


class Log:
    """Events of a session: ``sequence`` (from 1), ``time`` (UTC), ``kind``, ``level``, ``text``, and more.

    Parameters
    ----------
    path : path
        JSON lines, appended to. A disk that is full costs the line in the file, never an exception.
    least : int, optional
        Number that an event is known to have had, though the file may have lost it.
    """

    def __init__(self, path: Path, least: Any = None) -> None:
        self.path = path
        self._lock = threading.Lock()
        known = read(path)
        self._events = deque(known, KEPT)
        self.sequence = max([event["sequence"] for event in known[-1:]] + [least if isinstance(least, int) else 0])
        self._torn = path.exists() and path.read_bytes()[-1:] not in (b"", b"\n")

    def add(self, kind: str, text: str, level: str = "info", **data: Any) -> Event:
        """Add an event of now."""
        now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        with self._lock:
            self.sequence += 1
            event = {"sequence": self.sequence, "time": now, "kind": kind, "level": level, "text": text, **data}
            self._events.append(event)
            line = json.dumps(event, default=str) + "\n"
            with contextlib.suppress(OSError):
                with self.path.open("a", encoding="utf-8") as file:
                    begin, self._torn = "\n" if self._torn else "", True
                    file.write(begin + line)
                self._torn = False
        return event

    def since(self, sequence: int = 0) -> list[Event]:
        """Return the events after one."""
        with self._lock:
            first = self._events[0]["sequence"] if self._events else 1
            events = list(self._events)
        if sequence + 1 < first:
            return [event for event in read(self.path) if sequence < event["sequence"] < first] + events
        return [event for event in events if event["sequence"] > sequence]


def read(path: Path) -> list[Event]:
    """Return the events of a file; lines that are torn are passed over."""
    events = []
    with contextlib.suppress(OSError):
        for line in path.read_bytes().splitlines():
            with contextlib.suppress(ValueError):
                event = json.loads(line)
                if isinstance(event, dict) and isinstance(event.get("sequence"), int):
                    events.append(event)
    return events


def said(error: BaseException) -> str:
    """Words of an error, with its type where it is none of ours."""
    text = " ".join(str(error).split())
    return text if isinstance(error, LbjError) and text else f"{type(error).__name__}: {text}".removesuffix(": ")
