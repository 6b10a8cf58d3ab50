"""Analysis: a process that follows a journal while it is being written, and says what it shows so far.

``python -m mfsi_core.acquisition.analysis JOURNAL FOLDER WANTED`` reads lines from its standard input, of which each
says that there is more to see, and ends when there are no more lines and it has caught up. Into the folder it writes

* ``status.json``: as `Session.status`, and more (see ``docs/acquisition.md``);
* ``history.jsonl``: a line for every frame;
* ``image.npy``: mean of the aligned frames; ``last.npy``: the last frame; ``map-….npy``: the maps.

What is done for a frame does not grow with their number; maps and components, which are made of all frames, are made
anew whenever there are a quarter more, and not so often that more than a third of the time goes into them.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

import lbj

from ..live.options import Choice, choose
from ..live.running import RunningRegistration
from ..live.status import State
from ..live.tracking import Following
from ..registration.area import register_area
from ..registration.register import prepared, usable_frames
from ..series.axis import centres
from ..series.selection import picture
from .damage import Trend, told
from .follower import HISTORY, STATUS
from .session_folder import write_bytes, write_json

GROWN = 1.25  # times more frames, after which all of them are mapped anew
SHARE = 3.0  # times as long as that takes, it is not done again
SAMPLE = 12  # frames of which the rows are registered, to tell the error
PUBLISHED = 0.2  # s between pictures
LOOK = 1.0  # s after which the journal is looked at though nothing was told
NICE = 5


class Analysis:
    """Follows one journal."""

    def __init__(self, journal: lbj.Journal, folder: Path, choice: Choice) -> None:
        self.journal, self.folder, self.choice = journal, folder, choice
        to_field = None if choice.guide is None else choice.guide.to_field
        self.running = RunningRegistration(to_field=to_field)
        self.following = Following(journal, choice, self.running)
        self.mapped, self._rest_until = 0, 0.0
        self.found: dict[str, Any] = {}
        self.trends: dict[str, Trend] = {}
        self.windows: dict[str, slice] = {}
        self.dose = 0.0
        self._published = 0.0
        with contextlib.suppress(OSError):
            (folder / HISTORY).unlink(missing_ok=True)

    def catch_up(self) -> bool:
        """Take up a new frame, if there is one."""
        before = len(self.following.frames)
        if not self.following.next():
            return False
        if len(self.following.frames) > before:
            self._note(before)
        return True

    def _note(self, number: int) -> None:
        """Write down what one frame shows, and what goes up or down with the dose."""
        seen = self.following.frames[number]
        self.dose += seen.dose or 0.0
        line: dict[str, Any] = {
            "frame": number, "dose": self.dose if seen.dose is not None else None, "reason": seen.reason,
            "shift_px": None, "error_px": None,
        }  # fmt: skip
        if number < len(self.running) and math.isfinite(self.running.error[number]):
            line["shift_px"] = self.running.shift[number].tolist()
            line["error_px"] = self.running.error[number]
        values: dict[str, float] = {}
        try:
            values = self._values(self.journal[number])
        except Exception as error:  # noqa: BLE001
            self.following.fail(f"Reading frame {number}", error)
        line["values"] = values
        if not seen.reason:
            at = self.dose if seen.dose is not None else float(number + 1)
            for name, value in values.items():
                self.trends.setdefault(name, Trend()).add(at, value)
        with contextlib.suppress(OSError), (self.folder / HISTORY).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def _values(self, frame: Any) -> dict[str, float]:
        """Numbers that tell damage: mean of the image, counts, and counts in the windows of the maps."""
        out: dict[str, float] = {}
        guide, spectra = self.choice.guide, self.choice.spectra
        if guide is not None and guide.name in frame.names:
            image = picture(frame, guide, None)
            if np.isfinite(image).any():
                out[f"{guide.name} mean"] = float(np.nanmean(image))
        if spectra is not None and any(name in frame.names for name in self.journal.signals.group(spectra.name)):
            if spectra.kind == "events":
                sums = frame.events(spectra.name).spectrum()
            else:
                sums = np.nansum(frame.array(spectra.name), axis=(0, 1), dtype=float)
            out[f"{spectra.name} counts"] = float(sums.sum())
            out.update({f"{name} counts": float(sums[part].sum()) for name, part in self.windows.items()})
        return out

    def due(self, *, quiet: bool = False) -> bool:
        """Whether all frames are to be mapped anew; where no more come, for the last ones' sake."""
        there = len(self.following.frames)
        grown = there > self.mapped and (quiet or there >= GROWN * self.mapped)
        return grown and time.monotonic() >= self._rest_until

    def map_all(self) -> None:
        """Make maps and components of all frames so far, and tell the error of their registration."""
        begun = time.monotonic()
        self.mapped = len(self.following.frames)
        try:
            self._map()
        except Exception as error:  # noqa: BLE001 the frames are stored, whatever is wrong with their maps
            self.following.fail("Mapping", error)
        self._rest_until = time.monotonic() + SHARE * (time.monotonic() - begun)

    def _map(self) -> None:
        state = State(self.following)
        self.found = {**state.status, "rows_px": None}
        try:
            self._sample()
        except Exception as error:  # noqa: BLE001
            self.following.fail("Registering rows", error)
        for name, one in state.maps.items() if self.mapped else ():
            self._save(f"map-{name}", one.values)
            axis = centres(self.choice.spectra) if self.choice.spectra is not None else np.zeros(0)
            first, last = np.searchsorted(axis, one.window)
            self.windows.setdefault(name, slice(int(first), int(last)))

    def _sample(self) -> None:
        """Register the rows of the last frames: their error, and how far rows lie off whole frames, px rms."""
        guide = self.choice.guide
        last = [n for n, frame in enumerate(self.following.frames) if not frame.reason][-SAMPLE:]
        if guide is None or len(last) < 2 or len({self.following.frames[n].region for n in last}) > 1:
            return
        stack, _ = prepared(np.array([picture(self.journal[n], guide, None) for n in last]))
        stack = stack[usable_frames(stack)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            area = register_area(stack)
        known = np.isfinite(area.error)
        if known.sum() > 1:
            self.found["predicted_error_px"] = float(np.sqrt((area.error[known] ** 2).mean()))
            rows = np.array([one.mean(axis=2, dtype=np.float64) for one in area.displacement])[known]
            self.found["rows_px"] = float((rows - rows.mean(axis=2, keepdims=True)).std())

    def publish(self, *, now: bool = False) -> None:
        """Write what there is to see, if the last time is some while ago."""
        if not self.following.frames or (not now and time.monotonic() - self._published < PUBLISHED):
            return
        last = self.following.frames[-1]
        with contextlib.suppress(Exception):
            mean = self.running.mean(last.region)
            if mean is not None:
                self._save("image", mean)
            self._save("last", self.following.image)
        damage = {name: found for name, trend in self.trends.items() if (found := trend.found())}
        over = f"{self.dose:.3g} e/Å²" if self.dose else f"{len(self.following.frames)} frames"
        notes = [told(name, found, over) for name, found in damage.items() if found["clear"]]
        status = {
            **self.found, "frames": len(self.following.frames), "mapped": self.mapped, "damage": damage,
            "damage_notes": notes, "failures": list(self.following.failures),
        }  # fmt: skip
        write_json(self.folder / STATUS, status)
        self._published = time.monotonic()

    def _save(self, name: str, image: Any) -> None:
        data = io.BytesIO()
        np.save(data, np.asarray(image, np.float32))
        write_bytes(self.folder / f"{name}.npy", data.getvalue())


def main(arguments: list[str]) -> int:
    """Follow until the recorder ends."""
    path, folder, wanted = Path(arguments[0]), Path(arguments[1]), json.loads(arguments[2])
    if hasattr(os, "nice"):
        os.nice(NICE)
    told_of, ended = threading.Event(), threading.Event()

    def listen() -> None:
        while sys.stdin.buffer.readline():
            told_of.set()
        ended.set()
        told_of.set()

    threading.Thread(target=listen, daemon=True).start()
    with lbj.open(path) as journal:
        choice = choose(
            journal.signals, journal.metadata, elements=wanted.get("elements") or None, windows=None,
            image=wanted.get("image") or None, signal=None,
        )  # fmt: skip
        analysis = Analysis(journal, folder, choice)
        quiet = False
        while not ended.is_set():
            told_of.clear()
            while analysis.catch_up():
                analysis.publish()
                if analysis.due():
                    analysis.map_all()
            if analysis.due(quiet=quiet):
                analysis.map_all()
            analysis.publish(now=True)
            quiet = not told_of.wait(LOOK)
        while analysis.catch_up():
            pass
        analysis.publish(now=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
