"""Analysis: the process that follows a journal while it is being recorded, and writes drift, image, maps and status.

``python -m mfsi_core.acquisition.analysis JOURNAL FOLDER WANTED`` reads lines from its standard input, of which each
says that there is more to see, and ends when there are no more lines and it has caught up. Into the folder it writes

* ``status.json``: as `Session.status`, and more (see ``docs/acquisition.md``);
* ``history.jsonl``: a line for every frame;
* ``image.npy``: mean of the aligned frames; ``last.npy``: the last frame; ``map-….npy``: the maps.

What is done for a frame does not grow with their number. Maps and components, which are made of all frames, are made
in a further process (`mapping`) whenever there are a quarter more, and not for more than a third of the time.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import sys
import threading
import time
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np

import lbj
from lbj.frame import Frame
from lbj.scanned import blanked, scanned

from ..live.options import Choice
from ..live.running import RunningRegistration
from ..live.status import drift
from ..live.tracking import Following
from .damage import Trend, told
from .follower import HISTORY, STATUS
from .mapper import Mapper
from .mapping import chosen, job_of, save
from .session_folder import write_json

GROWN = 1.25  # the maps are made anew when there are so many times more frames,
REST = 2.0  # but not before so many times as long as the last maps took
PUBLISHED = 0.2  # s between writes of status and images
LOOK = 1.0  # s after which the journal is looked at even if the recorder announced no frame
NICE = 5


class Analysis:
    """Follows one journal; `mapper` makes the maps."""

    def __init__(self, journal: lbj.Journal, folder: Path, choice: Choice, mapper: Mapper) -> None:
        self.journal, self.folder, self.choice, self.mapper = journal, folder, choice, mapper
        self.running = RunningRegistration(
            to_field=None if choice.reference_signal is None else choice.reference_signal.to_field
        )
        self.following = Following(journal, choice, self.running)
        self.mapped, self._mapping, self._rest_until = 0, 0, 0.0
        self.found: dict[str, Any] = {}
        self.failures: list[str] = []
        self.trends: dict[str, Trend] = {}
        self.windows: dict[str, slice] = {}
        self.counts, self.doses, self.silent = 0, 0.0, 0
        self._news: dict[str, Any] = {}
        self._published = 0.0
        self._history: FileIO | None = None
        with contextlib.suppress(OSError):
            (folder / HISTORY).unlink(missing_ok=True)
            self._history = FileIO(folder / HISTORY, "w")

    @property
    def superseded(self) -> bool:
        """Whether another analysis has begun in the folder: that of a recorder that came after one that was killed."""
        if self._history is None:
            return False
        try:
            return os.fstat(self._history.fileno()).st_ino != (self.folder / HISTORY).stat().st_ino
        except OSError:
            return True

    def close(self) -> None:
        """Close the file."""
        if self._history is not None:
            self._history.close()

    def take(self) -> bool:
        """Take up a new frame, if there is one."""
        before = len(self.following.frames)
        if self.superseded or not self.following.next():
            return False
        if len(self.following.frames) > before:
            self._note(before)
        return True

    def _note(self, number: int) -> None:
        """Write a frame's line of the history, and add its values to the trends against the dose."""
        seen = self.following.frames[number]
        self.doses, self.silent = self.doses + (seen.dose or 0.0), self.silent + (seen.dose is None)
        line: dict[str, Any] = {
            "frame": number, "dose": None if self.silent else self.doses, "reason": seen.reason,
            "shift_px": None, "error_px": None,
        }  # fmt: skip
        if number < len(self.running) and math.isfinite(self.running.error[number]):
            line["shift_px"] = self.running.shift[number].tolist()
            line["error_px"] = self.running.error[number]
        values: dict[str, float] = {}
        try:
            values = self._values(self.journal[number])
        except Exception as error:  # noqa: BLE001 the frame is stored
            self.following.fail(f"Reading frame {number}", error)
        if not seen.reason:
            at = float(number + 1) if self.silent else self.doses
            for name, value in values.items():
                self.trends.setdefault(name, Trend()).add(at, value)
        line.update(values=values, **self._news)
        self._news = {}
        with contextlib.suppress(OSError):
            if self._history is not None:
                self._history.write(json.dumps(line).encode() + b"\n")

    def _values(self, frame: Frame) -> dict[str, float]:
        """Numbers that tell damage: mean of the image, counts, and counts in the windows of the maps."""
        out: dict[str, float] = {}
        reference_signal, spectra, image = self.choice.reference_signal, self.choice.spectra, self.following.image
        if reference_signal is not None and np.isfinite(image).any():
            out[f"{reference_signal.name} mean"] = float(np.nanmean(image))
        if spectra is not None and any(name in frame.names for name in self.journal.signals.group(spectra.name)):
            if spectra.kind == "events":
                sums = blanked(frame.events(spectra.name), scanned(frame, spectra)).spectrum()
                self.counts += int(sums.sum())
            else:
                sums = np.nansum(blanked(frame.array(spectra.name), scanned(frame, spectra)), axis=(0, 1), dtype=float)
            out[f"{spectra.name} counts"] = float(sums.sum())
            out.update({f"{name} counts": float(sums[part].sum()) for name, part in self.windows.items()})
        return out

    def map(self, *, quiet: bool = False) -> None:
        """Take the maps that are ready, and begin new ones where they are due; `quiet`: no more frames come."""
        answer = self.mapper.result() if self.mapper.busy else None
        if answer is not None:
            self._take_maps(answer)
        there = len(self.following.frames)
        due = there > self.mapped and (quiet or there >= GROWN * self.mapped)
        if due and not self.mapper.busy and (quiet or time.monotonic() >= self._rest_until):
            self._mapping = there
            self.mapper.start(job_of(self.following.frames, self.running))

    def _take_maps(self, answer: dict[str, Any]) -> None:
        self.mapped, self._rest_until = self._mapping, time.monotonic() + REST * answer.get("seconds", 0.0)
        if "error" in answer:
            self.failures.append(answer["error"])
            return
        self.found = answer["found"]
        for name, (first, last) in answer["windows"].items():
            self.windows.setdefault(name, slice(first, last))
        self._news = {"mapped": self.mapped, "snr": self.found["maps"], "components": self.found["components"]}

    def publish(self, *, now: bool = False) -> None:
        """Write what there is to see, if the last time is some while ago."""
        if not self.following.frames or (not now and time.monotonic() - self._published < PUBLISHED):
            return
        if self.superseded:
            return
        mean = self.running.mean(self.following.frames[-1].region)
        if mean is not None:
            save(self.folder, "image", mean)
        save(self.folder, "last", self.following.image)
        write_json(self.folder / STATUS, self.status())
        self._published = time.monotonic()

    def status(self) -> dict[str, Any]:
        """What is known so far; see ``docs/acquisition.md``."""
        frames = self.following.frames
        damage = {name: found for name, trend in self.trends.items() if (found := trend.found())}
        over = f"{len(frames)} frames" if self.silent else f"{self.doses:.3g} e/Å²"
        flagged = [{"frame": n, "reason": frame.reason} for n, frame in enumerate(frames) if frame.reason]
        events = self.choice.spectra is not None and self.choice.spectra.kind == "events"
        known = np.flatnonzero(np.isfinite(self.running.error))
        shift = np.array(self.running.shift).reshape(-1, 2)[known]
        return {
            "maps": {}, "predicted_error_px": None, "components": None, "left_out": [],
            **self.found,
            "drift": drift(known, shift, self.following.source),
            "frames": len(frames), "mapped": self.mapped, "analysed": self.mapped,
            "counts": self.counts if events else None,
            "dose_per_frame": frames[-1].dose if frames else None,
            "total_dose": None if self.silent else self.doses,
            "flagged": flagged, "journal_bytes": self.journal.bytes,
            "damage": damage,
            "damage_notes": [told(name, found, over) for name, found in damage.items() if found["clear"]],
            "notes": [*self.found.get("notes", []), *self.running.doubts()],
            "failures": [*self.following.failures, *dict.fromkeys(self.failures)],
        }  # fmt: skip


def main(arguments: list[str]) -> int:
    """Follow until the recorder ends."""
    path, folder, wanted = Path(arguments[0]), Path(arguments[1]), json.loads(arguments[2])
    if hasattr(os, "nice"):
        os.nice(NICE)
    news, ended = threading.Event(), threading.Event()

    def listen() -> None:
        # Unbuffered: Python aborts at its exit where a thread still holds the lock of standard input's buffer.
        with open(sys.stdin.fileno(), "rb", buffering=0, closefd=False) as told:
            while told.readline():
                news.set()
        ended.set()
        news.set()

    threading.Thread(target=listen, daemon=True).start()
    mapper = Mapper(arguments)
    with lbj.open(path) as journal, contextlib.closing(mapper):
        analysis = Analysis(journal, folder, chosen(journal, wanted), mapper)
        quiet = False
        while not ended.is_set() and not analysis.superseded:
            news.clear()
            while analysis.take():
                analysis.map()
                analysis.publish()
            analysis.map(quiet=quiet)
            analysis.publish(now=True)
            quiet = not news.wait(LOOK)
        while analysis.take():
            pass
        analysis.publish(now=True)
        analysis.close()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except lbj.LbjError as error:
        sys.exit(str(error))
