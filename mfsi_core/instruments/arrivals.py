"""Arrivals: the numbered files of a watched folder, in order, once they are complete."""

from __future__ import annotations

import re
import stat
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from lbj.importing.detect import COMPANIONS, readable
from lbj.importing.numbering import Number, grouped

Stamp = tuple[int, int]  # bytes and time, ns
UNFINISHED = (".tmp", ".part", ".partial", ".crdownload")  # of programs that give a file its name when it is whole
PREVIEWS = (".png", ".jpg", ".jpeg", ".bmp", ".gif")


@dataclass
class File:
    """A file as it was last seen.

    Attributes
    ----------
    path : path
    stamp : (int, int)
    since : float
        When it was first seen so, s.
    """

    path: Path
    stamp: Stamp
    since: float

    @property
    def changed(self) -> bool:
        """Whether it has changed since."""
        return _stamp(self.path) != self.stamp


class Arrivals:
    """Looks at the folder; see `Folder` for the parameters."""

    def __init__(self, path: Path, settle: float, patience: float, taken: Collection[str]) -> None:
        self.path, self._settle, self._patience = path, settle, patience
        self._taken: dict[str, Stamp | None] = dict.fromkeys(taken)
        self._files: dict[str, File] = {}
        self._roles: set[str] = set()
        self._strange: dict[str, set[Number]] = {}  # by name pattern that the first frame lacked: numbers it came with
        self._last: Number = None  # number of the last frame
        self._numbers: list[float] = []  # numbers of the frames taken
        self._waiting: tuple[Number, float] | None = None  # number of a frame that is incomplete, and since when
        self.changed = 0.0  # when a file last appeared, changed or vanished, s
        self._notes: list[str] = []
        self._left: set[str] = set()
        self._suffixes = set(readable()) - {*COMPANIONS, *PREVIEWS, *UNFINISHED}

    def told(self) -> list[str]:
        """Return what is to be told since the last time."""
        notes, self._notes = self._notes, []
        return notes

    def tell(self, note: str) -> None:
        """Tell something."""
        self._notes.append(note)

    def take(self, files: list[File]) -> None:
        """Files have become a frame, or never will."""
        for file in files:
            self._taken[file.path.name] = file.stamp

    def wait_again(self, files: list[File]) -> None:
        """Have files settle once more."""
        for file in files:
            file.since = time.monotonic()

    def next(self) -> list[File]:
        """Return the files of the next frame when they have settled; none before."""
        self._look()
        new = [file for name, file in self._files.items() if name not in self._taken]
        if not new:
            return []
        frames = self._numbered()
        now = time.monotonic()
        if any(now - file.since < self._settle for file in new):
            self.changed = now
        whole = {
            number: files for number, files in frames.items()
            if all(now - file.since >= self._settle for file in files)
        }  # fmt: skip
        if not whole:
            return []
        if not self._roles:
            return self._first(frames, whole, now)
        if self._more_belongs(whole):
            return self.next()
        complete = [n for n, files in whole.items() if {_role(file.path) for file in files} >= self._roles]
        if not complete:
            return []
        number = complete[0]
        if self._missing_before(number, frames) and self._keep_waiting(number, now):
            return []
        self._tell_gap(number, frames)
        return self._chosen(number, whole[number])

    def tell_left(self) -> None:
        """Say which files are there and were not taken, and why; each once."""
        for name, file in sorted(self._files.items()):
            if name in self._taken or name in self._left:
                continue
            self._left.add(name)
            settled = time.monotonic() - file.since >= self._settle
            lacking = sorted(self._roles - {_role(file.path)})
            alone = lacking if _role(file.path) in self._roles else sorted(self._roles)
            why = f"no {alone[0]!r} came with it" if alone and settled else "it still changes"
            self.tell(f"{name}: not taken: {why}")

    def _first(self, frames: dict[Number, list[File]], whole: dict[Number, list[File]], now: float) -> list[File]:
        """Files of the first frame; their name patterns are those that every frame must have."""
        number = next(iter(frames))
        if number not in whole or any(now - file.since < 2 * self._settle for file in whole[number]):
            return []
        self._roles = {_role(file.path) for file in whole[number]}
        return self._chosen(number, whole[number])

    def _more_belongs(self, whole: dict[Number, list[File]]) -> bool:
        """Whether a name pattern that the first frame lacked belongs to every frame; the frames are then taken again.

        It does where its file came late for the only frame taken so far, or came with two frames.
        """
        for number, files in whole.items():
            for role in {_role(file.path) for file in files} - self._roles:
                self._strange.setdefault(role, set()).add(number)
        for role, numbers in self._strange.items():
            alone = len(self._numbers) == 1 and numbers == set(self._numbers)
            if role in self._roles or not (alone or len(numbers) > 1):
                continue
            self._roles.add(role)
            again = [path for group in self._groups() for n, path in group.items() if n in numbers]
            for path in again:
                self._taken.pop(path.name, None)
            names = ", ".join(sorted(path.name for path in again))
            self.tell(f"{names}: taken together from here on; the first frame was taken before all of its files came")
            return True
        return False

    def _groups(self) -> list[dict[Number, Path]]:
        """Files by number, for every pattern of names."""
        return list(grouped([file.path for file in self._files.values()]).values())

    def _chosen(self, number: Number, files: list[File]) -> list[File]:
        extra = [file for file in files if _role(file.path) not in self._roles]
        if extra:
            self.take(extra)
            self.tell(f"{', '.join(file.path.name for file in extra)}: left out, the first frame had no such file")
        if self._last is not None and number is not None and number < self._last:
            self.tell(f"{files[0].path.name} came late, after the file with the number {self._last:g}")
        self._last = number if self._last is None or number is None else max(self._last, number)
        if number is not None:
            self._numbers.append(float(number))
        self._waiting = None
        return [file for file in files if file not in extra]

    def _numbered(self) -> dict[Number, list[File]]:
        """Files not taken yet, by number; which digits of a name are the number is judged on all files."""
        frames: dict[Number, list[File]] = {}
        for numbers in self._groups():
            for number, path in numbers.items():
                if path.name not in self._taken:
                    frames.setdefault(number, []).append(self._files[path.name])
        return dict(sorted(frames.items(), key=lambda item: item[0] or 0))

    def _missing_before(self, number: Number, frames: dict[Number, list[File]]) -> bool:
        """Whether a frame before is not there yet: a partner or the file is missing, or it has not settled."""
        if any(other is not None and number is not None and other < number for other in frames):
            return True
        return bool(self._gap(number))

    def _gap(self, number: Number) -> int:
        """How many frames are missing between the last one and this number, by the usual step of numbers."""
        if self._last is None or number is None or number <= self._last:
            return 0
        steps = [b - a for a, b in zip(self._numbers, self._numbers[1:], strict=False) if b > a]
        usual = min(steps) if steps else 1.0
        return max(round((number - self._last) / usual) - 1, 0)

    def _keep_waiting(self, number: Number, now: float) -> bool:
        if self._waiting is None or self._waiting[0] != number:
            self._waiting = number, now
        return now - self._waiting[1] < self._patience

    def _tell_gap(self, number: Number, frames: dict[Number, list[File]]) -> None:
        """Say what is left behind."""
        left = [(n, files) for n, files in frames.items() if n is not None and number is not None and n < number]
        for _, files in left:
            there = {_role(file.path) for file in files}
            lacking = sorted(self._roles - there)
            why = f"no {lacking[0]!r} came with it" if lacking else "it never settled"
            self.tell(f"{', '.join(file.path.name for file in files)}: left out: {why}")
            self.take(files)
        missing = self._gap(number) - len(left)
        if missing > 0 and self._last is not None:
            which = f"the number{'s' if missing > 1 else ''} between {self._last:g} and {number:g}"
            self.tell(f"no file came with {which}: {missing} frame{'s are' if missing > 1 else ' is'} missing")

    def _look(self) -> None:
        """Look which files there are, and which have changed."""
        now, found = time.monotonic(), {}
        for path in self.path.iterdir():
            stamp = _stamp(path) if self._wanted(path) else None
            if stamp is not None:
                found[path.name] = path, stamp
        for name in [name for name in self._files if name not in found]:
            del self._files[name]
            self.changed = now
            if name not in self._taken:
                self.tell(f"{name}: deleted before it was taken")
        for name, (path, stamp) in found.items():
            known = self._files.get(name)
            if known is not None and known.stamp == stamp:
                continue
            if name in self._taken and known is not None and self._taken[name] is not None:
                self.tell(f"{name}: replaced after it was taken; the journal keeps what it was")
            self._files[name], self.changed = File(path, stamp, now), now

    def _wanted(self, path: Path) -> bool:
        return not path.name.startswith((".", "~")) and path.suffix.lower() in self._suffixes


def _role(path: Path) -> str:
    """What is left of a name without its numbers."""
    return re.sub(r"\d+", "#", path.stem) + path.suffix.lower()


def _stamp(path: Path) -> Stamp | None:
    """Size and time of a file; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else None
