"""Watched folder as an instrument: the numbered files that any vendor's program saves are frames."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

from lbj import LbjError, Signal, UsageError
from lbj.importing import Source, open_source
from lbj.importing.folder import combine

from .arrivals import Arrivals, File
from .protocol import Abilities, Changed, Exposure, Frame, Picture, Request

POLL = 0.2  # s
SAME = 1e-3  # of a step along an axis
TRIES = 5  # times that a file whose size has settled is read before it is given up


class Folder:
    """Follows a folder into which numbered files are saved, in the order of their numbers.

    A file is whole when its size and time have not changed for some while and an importer reads all of it. Files of
    one number, images and spectra, are one frame. Files that are replaced after they were taken, come late, are deleted
    before, or do not come at all, are told.

    Parameters
    ----------
    path : path
    settle : float
        s for which a file must not have changed.
    patience : float
        s to wait for a number that is missing, or a partner, when later ones are there.
    idle : float, optional
        s without a new file after which no more are waited for.
    taken : collection of str
        Names of files that are frames already.

    Raises
    ------
    UsageError
        If there is no such folder, or a time is below zero.
    """

    def __init__(
        self, *, path: str | os.PathLike[str], settle: float = 1.0, patience: float = 10.0, idle: float | None = None,
        taken: Collection[str] = (),
    ) -> None:  # fmt: skip
        if not Path(path).is_dir():
            raise UsageError(f"there is no folder {os.fspath(path)!r} to watch")
        for name, seconds in (("settle", settle), ("patience", patience), ("idle", idle)):
            if seconds is not None and not seconds >= 0:
                raise UsageError(f"{name} takes seconds, not below zero, got {seconds:g}")
        self._arrivals = Arrivals(Path(path), settle, patience, taken)
        self._signals: list[Signal] = []
        self._frames: Iterator[tuple[Any, dict[str, Any]]] = iter(())
        self._files: list[File] = []
        self._shifts: dict[str, float] = {}
        self._ahead: tuple[list[File], Source] | None = None
        self._tries, self._idle = 0, idle

    def abilities(self) -> Abilities:
        """As `Instrument.abilities`."""
        return Abilities(f"Files in {self._arrivals.path}", exposes=False)

    def survey(self) -> Picture:
        """As `Instrument.survey`: there is none."""
        raise UsageError("a folder takes no survey image")

    def blank(self) -> None:
        """As `Instrument.blank`: it cannot."""
        raise UsageError("a folder has no beam to blank")

    def prepare(
        self, exposure: Exposure | None, stop: threading.Event
    ) -> tuple[list[Signal], dict[str, Any]] | None:  # fmt: skip
        """As `Instrument.prepare`: waits for the first files, which say what the frames hold."""
        del exposure
        if self._ahead is None and not self._next_files(stop):
            return None
        assert self._ahead is not None
        source = self._ahead[1]
        self._signals = [signal for signal in source.signals if not signal.static]
        return list(self._signals), dict(source.metadata)

    def acquire(self, request: Request) -> Frame | None:
        """As `Instrument.acquire`.

        Raises
        ------
        Changed
            If the next files hold other signals than those before.
        """
        while True:
            part = self._next_part()
            if part is not None:
                break
            if self._ahead is None and not self._next_files(request.stop, request.tell):
                self._arrivals.tell_left()
                for note in self._arrivals.told():
                    request.tell(note)
                return None
            self._begin_files()
        data, attributes = part
        for name, shift in self._shifts.items():
            spread = attributes.get("energy_shift")
            spread = spread if isinstance(spread, dict) else dict.fromkeys(self._shifts, spread or 0.0)
            attributes["energy_shift"] = {**spread, name: spread.get(name, 0.0) + shift}
        about = {"files": [file.path.name for file in self._files]}
        attributes["metadata"] = {**attributes.get("metadata", {}), **about}
        return Frame(dict(data), attributes, notes=self._arrivals.told())

    def close(self) -> None:
        """As `Instrument.close`."""
        self._frames = iter(())

    def _next_part(self) -> tuple[Any, dict[str, Any]] | None:
        """Next frame of the files being read; those that fail half-way are left out from there on."""
        try:
            part = next(self._frames, None)
        except LbjError as error:
            self._arrivals.tell(f"{_names(self._files)}: cannot be read to the end: {error}")
            part = None
        if part is not None and any(file.changed for file in self._files):
            self._arrivals.tell(f"{_names(self._files)}: replaced while being read; what was read first is kept")
        return part

    def _next_files(self, stop: threading.Event, tell: Callable[[str], None] | None = None) -> bool:
        """Wait for the next files that can be read; whether there are any. Without `tell`, notes are kept."""
        begun = time.monotonic()
        while not stop.is_set():
            files = self._arrivals.next()
            opened = bool(files) and self._open(files)
            if tell is not None:
                for note in self._arrivals.told():
                    tell(note)
            if opened:
                return True
            if not files:
                if self._idle is not None and time.monotonic() - max(begun, self._arrivals.changed) > self._idle:
                    return False
                stop.wait(POLL)
        return False

    def _open(self, files: list[File]) -> bool:
        """Open files that have settled; those that cannot be read are tried some times more, and then told."""
        try:
            self._ahead = files, combine([file.path for file in files], lambda path: open_source([path]))
        except (LbjError, OSError) as error:
            self._tries += 1
            if self._tries < TRIES and not isinstance(error, UsageError):
                self._arrivals.wait_again(files)
            else:
                self._arrivals.take(files)
                self._arrivals.tell(f"{_names(files)}: left out: {error}")
                self._tries = 0
            return False
        self._tries = 0
        return True

    def _begin_files(self) -> None:
        """Go on with the files that were opened, if they hold what those before did."""
        assert self._ahead is not None
        files, source = self._ahead
        shifts = _fitting(self._signals, [signal for signal in source.signals if not signal.static], _names(files))
        self._arrivals.take(files)
        self._files, self._frames, self._shifts, self._ahead = files, iter(source.frames), shifts, None


def _fitting(before: list[Signal], now: list[Signal], names: str) -> dict[str, float]:
    """Shift of the energy axes against the first files', eV.

    Raises
    ------
    Changed
        If the signals are others.
    """
    known = {signal.name: signal for signal in before}
    if [signal.name for signal in now] != list(known):
        raise Changed(f"{names} hold {', '.join(signal.name for signal in now)}; those before {', '.join(known)}")
    shifts = {}
    for signal in now:
        first = known[signal.name]
        if (signal.kind, signal.shape, signal.dtype) != (first.kind, first.shape, first.dtype):
            raise Changed(
                f"{names}: {signal.name} is {signal.kind} {signal.dtype} {signal.shape}; before it was {first.kind} "
                f"{first.dtype} {first.shape}"
            )
        for axis, model in zip(signal.axes, first.axes, strict=True):
            step, wanted = axis.get("scale"), model.get("scale")
            if step and wanted and abs(step / wanted - 1) > SAME:
                raise Changed(f"{names}: {signal.name} has {step:g} per {axis['name']} index; before it had {wanted:g}")
        if signal.kind != "image":
            shift = float(signal.axes[-1].get("offset", 0.0)) - float(first.axes[-1].get("offset", 0.0))
            if shift:
                shifts[signal.name] = shift
    return shifts


def _names(files: list[File]) -> str:
    return " and ".join(file.path.name for file in files)
