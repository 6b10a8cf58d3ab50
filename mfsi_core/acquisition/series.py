"""Series: the loop that records frame after frame, from *acquire* until a limit is reached."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable
from typing import Any

from lbj import Signal, UsageError

from ..instruments.protocol import Abilities, Frame, Request
from .checking import Order
from .follower import Follower
from .guarded import Guarded
from .log import Log
from .region import Region
from .settings import Settings
from .stopping import LIMITS, Progress, reached

REPEATS = 5  # times in a row that an instrument may deliver the same frame again


class Host:
    """Time that the recorder takes for a frame, from the instrument's answer to the next question, s."""

    def __init__(self) -> None:
        self.frames, self.last, self.total, self.worst = 0, 0.0, 0.0, 0.0

    def add(self, seconds: float) -> None:
        """Add a frame's."""
        self.frames, self.last, self.total = self.frames + 1, seconds, self.total + seconds
        self.worst = max(self.worst, seconds)

    def to_json(self) -> dict[str, Any]:
        """Return last, mean and worst."""
        mean = self.total / self.frames if self.frames else 0.0
        return {"last_s": self.last, "mean_s": mean, "worst_s": self.worst}


@dataclasses.dataclass
class Series:
    """Records frames until there are enough.

    Attributes
    ----------
    settings : Settings
        By which they are exposed.
    guarded, abilities
        Of the instrument.
    log : Log
    changed : function
        Called when something has changed.
    limits : function
        Returns the settings as they are now, by which the series ends.
    host : Host
    follower : Follower or None
        Told of every frame.
    stop : threading.Event
        Set when it is to end.
    frames : int
        Recorded so far.
    begun : float
        When the first one was asked for, monotonic, s.
    """

    settings: Settings
    guarded: Guarded
    abilities: Abilities
    log: Log
    changed: Callable[[], None]
    limits: Callable[[], Settings]
    host: Host
    follower: Follower | None = None
    stop: threading.Event = dataclasses.field(default_factory=threading.Event)
    frames: int = 0
    begun: float = dataclasses.field(default_factory=time.monotonic)

    @property
    def patience(self) -> float | None:
        """S to wait for an answer; without end for an instrument that waits for others."""
        return self.settings.patience if self.abilities.exposes else self.settings.time_out

    def prepare(self) -> tuple[list[Signal], dict[str, Any]] | None:
        """Set the instrument up; returns the signals of its frames and metadata, None where it was stopped meanwhile.

        Raises
        ------
        UsageError
            If it does not record a signal, or a map, that the settings ask for.
        """
        exposure = self.settings.exposure if self.abilities.exposes else None
        ready = self.guarded.call("prepare", exposure, self.stop, time_out=self.patience)
        if ready is None:
            return None
        signals, metadata = ready
        absent = [name for name in self.settings.signals if name not in {signal.name for signal in signals}]
        if absent:
            there = ", ".join(signal.name for signal in signals)
            raise UsageError(f"the instrument does not record {', '.join(absent)}; it records {there or 'nothing'}")
        self.settings.check_maps(signals, metadata.get("elements"))
        return signals, metadata

    def record(self, region: Region) -> tuple[str, str]:
        """Record frames; returns why it ended, in a word and a sentence."""
        self.begun = time.monotonic()
        order, repeats, before = Order(), 0, time.perf_counter()
        while True:
            found = reached(self._limits(), self._progress(region))
            if found:
                return found
            if self.stop.is_set():
                return "stopped", f"it was stopped after {self.frames} frames"
            shift, asked = self.settings.energy_shift(len(region)), time.time()
            request = Request(len(region), shift, self.stop, self._tell)
            self.host.add(time.perf_counter() - before)
            frame = self.guarded.call("acquire", request, time_out=self.patience)
            before = time.perf_counter()
            if frame is None:
                if self.stop.is_set():
                    return "stopped", f"it was stopped after {self.frames} frames"
                return "ended", "no more frames come from the instrument"
            repeated = order.repeated(frame)
            if repeated:
                repeats += 1
                self.log.add("repeated", f"{repeated}; it was not stored twice", "warning")
                if repeats >= REPEATS:
                    return "failed", f"{repeated}, {repeats} times one after the other"
                continue
            repeats = 0
            self._store(region, frame, order.skipped(frame), shift, asked)
            del frame

    def _limits(self) -> Settings:
        """The limits of now, so that a series can be made shorter or longer while it runs."""
        now = self.limits()
        if now is self.settings:
            return now
        return dataclasses.replace(self.settings, **{name: getattr(now, name) for name in LIMITS})

    def _tell(self, note: str) -> None:
        """Tell what an instrument says while no frame comes."""
        self.log.add("note", note, "warning")
        self.changed()

    def _store(self, region: Region, frame: Frame, skipped: str, shift: float, asked: float) -> None:
        """Put a frame into the journal; it is durable when this returns, and told to the analysis."""
        number = region.append(frame, self.settings if self.abilities.exposes else None, shift, asked)
        self.frames += 1
        self.log.add("frame", f"frame {number} is in the journal", frame=number, region=region.number)
        if skipped:
            self.log.add("skipped", skipped, "warning", frame=number)
        for note in frame.notes:
            self.log.add("note", note, "warning", frame=number)
        if self.follower is not None:
            self.follower.tell(len(region))
        if self.frames == 1 and region.dose is None and self.limits().max_dose is not None:
            text = (
                "the frames do not tell current, dwell time and pixel: their dose is not known, and no limit to it kept"
            )
            self.log.add("note", text, "warning")
        self.changed()

    def _progress(self, region: Region) -> Progress:
        status = dict(self.follower.status()) if self.follower is not None else {}
        next_dose = self.settings.plan.dose_per_frame if self.abilities.exposes else 0.0
        return Progress(self.frames, time.monotonic() - self.begun, region.dose, next_dose, status)
