"""Recorder: plans, surveys and records regions with any instrument; every completed frame is kept, whatever happens."""

from __future__ import annotations

import contextlib
import datetime
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lbj import LbjError, UsageError

from ..instruments import find
from ..instruments.protocol import Changed, Frame, Instrument, Picture, Request
from . import session_folder, state
from .checking import Order
from .completion import Function, carry_out
from .follower import Follower
from .guarded import Guarded
from .log import Event, Log
from .region import Region
from .settings import Settings
from .stopping import Progress, reached

REPEATS = 5  # times that an instrument may hand out a frame again, one after the other
EVERY = 0.2  # s between writes of the state while frames come
READY = 30.0  # s for which an instrument may take to be asked what it can do


class Recorder:
    """Records series with an instrument; use it as a context manager. All methods may be called from any thread.

    Parameters
    ----------
    folder : path
        The session's; it is made, or a session in it is continued. One recorder at a time works in it.
    instrument : Instrument or str
        Or the name of one (`instruments.find`).
    settings : Settings, optional
        Default: those of the session that is continued.
    analysis : bool
        Whether a process beside it follows the frames.
    completed, failed : sequence of functions
        Called with the instrument and what came of a series (`completion.carry_out`), after the settings' own.

    Raises
    ------
    UsageError
        If another recorder works in the folder, or the instrument is unknown.
    StorageError
        If the folder cannot be made.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        instrument: Instrument | str,
        settings: Settings | None = None,
        *,
        analysis: bool = True,
        completed: Sequence[Function] = (),
        failed: Sequence[Function] = (),
    ) -> None:
        self.folder = Path(folder).absolute()
        self._held = session_folder.take(self.folder)
        self._lock = threading.RLock()
        self._analysis = analysis
        self._hooks = {False: list(completed), True: list(failed)}
        try:
            self._guarded = Guarded(find(instrument) if isinstance(instrument, str) else instrument)
            self.abilities = self._guarded.call("abilities", time_out=READY)
        except BaseException:
            self._held.close()
            raise
        self.log = Log(self.folder / session_folder.EVENTS)
        before = session_folder.read_json(self.folder / session_folder.STATE) or {}
        self._settings = settings or _settings(before, self.log)
        self.surveyed = _kept_picture(self.folder, before)
        self.phase, self._outcome = "idle", before.get("outcome")
        self.region: Region | None = None
        self.follower: Follower | None = None
        self.begins_region = False  # whether a new region is begun with the next frame
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self.begun, self.recorded, self.host, self._written = 0.0, 0, state.Host(), 0.0
        self._order = Order()
        self._take_up(before)

    def _take_up(self, before: dict[str, Any]) -> None:
        """Find the regions that are there, and say how the recorder before ended."""
        self.log.add("opened", f"{self.abilities.title}: the session is open")
        numbers = session_folder.regions(self.folder)
        if numbers:
            try:
                self.region = Region.reopen(self.folder, numbers[-1])
            except LbjError as error:
                self.log.add("error", f"region {numbers[-1]} cannot be continued: {error}", "error")
        if before.get("phase") in ("recording", "stopping", "surveying"):
            frames = f"; region {self.region.number} holds {len(self.region)} frames, all whole" if self.region else ""
            self.log.add("died", f"the recorder before was ended while it was {before['phase']}{frames}", "warning")
        self._publish(now=True)

    # Controls

    @property
    def settings(self) -> Settings:
        """The controls."""
        return self._settings

    def change(self, **changes: Any) -> dict[str, Any]:
        """Change controls and return what that costs, see `plan`.

        Raises
        ------
        UsageError
            Naming the control that is unknown or not what it should be; nothing is changed.
        """
        with self._lock:
            self._settings = self._settings.changed(changes)
            self.log.add("settings", f"changed: {', '.join(sorted(changes))}", changed=sorted(changes))
            self._publish(now=True)
            return self.plan()

    @property
    def outcome(self) -> dict[str, Any] | None:
        """What came of the last series, see `acquire`; None while one is recorded, and before the first."""
        return self._outcome

    @property
    def frames(self) -> int:
        """Frames in the journal of the region."""
        return len(self.region) if self.region else 0

    def plan(self) -> dict[str, Any]:
        """Times, doses and sizes of the series as set, before anything is exposed; see `state.costs`."""
        return state.costs(self._settings, self.abilities)

    def survey(self) -> Picture:
        """Take a survey image, on which the region is drawn, and keep it.

        Raises
        ------
        UsageError
            If the instrument takes none, or frames are being recorded.
        """
        with self._lock:
            self._must_rest()
            if not self.abilities.survey:
                raise UsageError(f"{self.abilities.title} takes no survey image")
            self._enter("surveying")
            try:
                found = self._guarded.call("survey", time_out=self._settings.time_out or READY)
                image = np.asarray(found.image)
                if image.ndim != 2 or image.dtype.kind not in "biuf" or not found.pixel > 0:
                    raise UsageError(f"the survey must be an image with the edge of its pixels, got {image.shape}")
            except Exception as error:
                self.log.add("error", f"no survey was taken: {_said(error)}", "error")
                self._enter("idle")
                raise
            self.surveyed = Picture(image, float(found.pixel), found.corner)
            with contextlib.suppress(OSError):
                np.save(self.folder / session_folder.SURVEY, image)
            self.log.add("survey", f"a survey of {image.shape[0]} x {image.shape[1]} pixels was taken")
            self._enter("idle")
            return self.surveyed

    def new_region(self) -> int:
        """Have the next series begin a new region, in the next sub-folder; returns its number.

        Raises
        ------
        UsageError
            If frames are being recorded.
        """
        with self._lock:
            self._must_rest()
            self.begins_region = True
            self._publish(now=True)
            return self.next_number()

    def next_number(self) -> int:
        """Number that the next new region will have."""
        return max(session_folder.regions(self.folder), default=0) + 1

    # Recording

    def acquire(self, frames: int | None = None, *, wait: bool = True) -> dict[str, Any]:
        """Record a series: begins the region, or extends the journal of the one that is there.

        Parameters
        ----------
        frames : int, optional
            How many; default: what the settings say. It becomes theirs.
        wait : bool
            Return when the series has ended. Otherwise at once; `state` tells.

        Returns
        -------
        dict
            What came of it (empty without `wait`): ``reason`` (``frames``, ``dose``, ``time``, ``answer``, ``stopped``,
            ``ended``, ``changed``, ``failed``), ``text``, ``failed``, ``frames``, ``total``, ``region``, ``journal``,
            ``folder``.

        Raises
        ------
        UsageError
            If frames are being recorded already, or a control is not what it should be. What goes wrong with
            instrument, disk or frames is not raised: it is the outcome.
        """
        with self._lock:
            self._must_rest()
            if frames is not None:
                self._settings = self._settings.changed({"frames": frames})
            if self.abilities.exposes:
                self._settings.exposure  # noqa: B018 refuses what cannot be
            self._stop.clear()
            self._outcome, self.recorded, self.begun = None, 0, time.monotonic()
            self._enter("recording")
            self._thread = threading.Thread(target=self._record, name="recorder", daemon=True)
            self._thread.start()
            thread = self._thread
        if not wait:
            return {}
        try:
            thread.join()
        except KeyboardInterrupt:
            self.stop()
            thread.join()
        return dict(self.outcome or {})

    def stop(self) -> None:
        """End the series after the frame that is being exposed."""
        with self._lock:
            if self.phase == "recording":
                self._stop.set()
                self._enter("stopping")

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until nothing is being recorded; whether that is so now."""
        thread = self._thread
        if thread is not None:
            thread.join(seconds)
        return thread is None or not thread.is_alive()

    def _record(self) -> None:
        settings = self._settings
        try:
            ready = self._begin(settings)
            reason, text = self._frames_of(settings) if ready else ("stopped", "it was stopped before the first frame")
        except Changed as error:
            reason, text = "changed", _said(error)
        except Exception as error:  # noqa: BLE001 the outcome says it
            reason, text = "failed", _said(error)
        self._end(settings, reason, text)

    def _begin(self, settings: Settings) -> bool:
        """Set the instrument up; begin the region's journal, or make sure that the one there can be extended.

        Returns whether frames are to come: not where it was stopped while waiting for the first one.
        """
        exposure = settings.exposure if self.abilities.exposes else None
        ready = self._guarded.call("prepare", exposure, self._stop, time_out=self._patience(settings))
        if ready is None:
            return False
        signals, metadata = ready
        self._order = Order()
        with self._lock:
            if self.region is None or self.begins_region:
                region = Region.begin(
                    self.folder, self.next_number(), settings, signals, metadata, self.surveyed,
                    exposed=self.abilities.exposes,
                )  # fmt: skip
                self._leave_region()
                self.region, self.begins_region = region, False
                self.log.add("region", f"region {region.number} is begun", region=region.number)
            else:
                self.region.extend(settings, signals)
                self.log.add("extended", f"region {self.region.number} is extended", region=self.region.number)
            self._follow(settings)
            self._publish(now=True)
        return True

    def _patience(self, settings: Settings) -> float | None:
        """S to wait for an answer; without end for an instrument that waits for others."""
        return settings.patience if self.abilities.exposes else settings.time_out

    def _frames_of(self, settings: Settings) -> tuple[str, str]:
        """Record frames until there are enough; returns why it ended."""
        region, patience = self.region, self._patience(settings)
        assert region is not None
        self.begun = time.monotonic()
        repeats, before = 0, time.perf_counter()
        while True:
            found = reached(settings, self._progress(region, settings))
            if found:
                return found
            if self._stop.is_set():
                return "stopped", f"it was stopped after {self.recorded} frames"
            shift, asked = settings.energy_shift(len(region)), time.time()
            request = Request(len(region), shift, self._stop, self._tell)
            self.host.add(time.perf_counter() - before)
            frame = self._guarded.call("acquire", request, time_out=patience)
            before = time.perf_counter()
            if frame is None:
                if self._stop.is_set():
                    return "stopped", f"it was stopped after {self.recorded} frames"
                return "ended", "no more frames come from the instrument"
            repeated = self._order.repeated(frame)
            if repeated:
                repeats += 1
                self.log.add("repeated", f"{repeated}; it was not stored twice", "warning")
                if repeats >= REPEATS:
                    return "failed", f"{repeated}, {repeats} times one after the other"
                continue
            repeats = 0
            self._store(region, settings, frame, shift, asked)
            del frame

    def _tell(self, note: str) -> None:
        """Tell what an instrument says while no frame comes."""
        self.log.add("note", note, "warning")
        with self._lock:
            self._publish()

    def _store(self, region: Region, settings: Settings, frame: Frame, shift: float, asked: float) -> None:
        """Put a frame into the journal; it is durable when this returns, and told to the analysis."""
        skipped = self._order.skipped(frame)
        number = region.append(frame, settings if self.abilities.exposes else None, shift, asked)
        with self._lock:
            self.recorded += 1
            self.log.add("frame", f"frame {number} is in the journal", frame=number, region=region.number)
            for note in [*([skipped] if skipped else []), *frame.notes]:
                self.log.add("skipped" if note is skipped else "note", note, "warning", frame=number)
            if self.follower is not None:
                self.follower.tell(len(region))
            self._publish()

    def _progress(self, region: Region, settings: Settings) -> Progress:
        following = dict(self.follower.status()) if self.follower is not None else {}
        next_dose = settings.plan.dose_per_frame if self.abilities.exposes else 0.0
        return Progress(self.recorded, time.monotonic() - self.begun, region.dose, next_dose, following)

    def _end(self, settings: Settings, reason: str, text: str) -> None:
        """Say how the series ended, and do what is to be done then."""
        region, failed = self.region, reason == "failed"
        outcome = {
            "reason": reason, "text": text, "failed": failed, "frames": self.recorded,
            "total": len(region) if region else 0, "region": region.number if region else None,
            "journal": str(region.path) if region else None, "folder": str(self.folder),
        }  # fmt: skip
        self.log.add("failed" if failed else "ended", text, "error" if failed else "info", reason=reason)
        hooks: list[str | Function] = [
            *(settings.on_failure if failed else settings.on_completion),
            *self._hooks[failed],
        ]
        for hook in hooks:
            try:
                self.log.add("completion", carry_out(hook, self._guarded, outcome))
            except Exception as error:  # noqa: BLE001 told, and the next one is done
                self.log.add("completion", f"what was to be done at the end failed: {_said(error)}", "error")
        with self._lock:
            self._outcome = outcome
            self._enter("failed" if failed else "idle")

    # Analysis

    def _follow(self, settings: Settings) -> None:
        """Start the analysis of the region where none runs."""
        region = self.region
        if not self._analysis or region is None:
            return
        wanted = {"elements": settings.elements, "image": settings.image}
        if self.follower is not None:
            if self.follower.running and self.follower.wanted == wanted:
                return
            if not self.follower.running:
                self.log.add("analysis", f"{self.follower.fault}; it is started again", "warning")
            self.follower.close()  # two of them would write into one folder
        try:
            self.follower = Follower(region.path, region.live, wanted)
            self.follower.tell(len(region))
        except OSError as error:
            self.log.add("analysis", f"the analysis could not be started: {_said(error)}", "warning")

    def _leave_region(self) -> None:
        if self.follower is not None:
            self.follower.leave()
            self.follower = None
        if self.region is not None:
            self.region.close()

    # What is seen

    def state(self) -> dict[str, Any]:
        """All there is to know, as plain JSON values; see ``docs/acquisition.md``."""
        with self._lock:
            return state.snapshot(self)

    def events(self, since: int = 0) -> list[Event]:
        """What happened after the event of that number."""
        return self.log.since(since)

    def picture(self, name: str) -> NDArray[Any]:
        """Picture that the state names: ``survey``, ``image``, a map, (Y, X).

        Raises
        ------
        UsageError
            If there is none of that name.
        """
        return state.picture(self.folder, name, self.region.number if self.region else None)

    def history(self, since: int = 0) -> list[dict[str, Any]]:
        """What the analysis found frame by frame, from frame `since` of the region on."""
        return state.history(self.folder, self.region.number, since) if self.region else []

    def _must_rest(self) -> None:
        if self.phase == "closed":
            raise UsageError("the recorder is closed; open the session again")
        if self._thread is not None and self._thread.is_alive() and self._thread is not threading.current_thread():
            raise UsageError("frames are being recorded; stop first")

    def _enter(self, phase: str) -> None:
        self.phase = phase
        self._publish(now=True)

    def _publish(self, *, now: bool = False) -> None:
        """Write the state where others find it; while frames come, not too often."""
        moment = time.monotonic()
        if now or moment - self._written >= EVERY:
            self._written = moment
            session_folder.write_json(self.folder / session_folder.STATE, self.state())

    def close(self) -> None:
        """Stop, and close the journal, the analysis and the instrument."""
        self.stop()
        self.wait()
        with self._lock:
            if self.phase == "closed":
                return
            if self.follower is not None:
                self.follower.close()
                self.follower = None
            self._leave_region()
            self._guarded.close()
            self.log.add("closed", "the session is closed")
            self._enter("closed")
            self._held.close()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _said(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, LbjError) and text else f"{type(error).__name__}: {text}".removesuffix(": ")


def _settings(before: dict[str, Any], log: Log) -> Settings:
    """Settings of the session that is continued; the usual ones where they cannot be read."""
    try:
        return Settings(**before.get("settings", {}))
    except (TypeError, UsageError) as error:
        log.add("settings", f"the settings of the session before cannot be read: {error}", "warning")
        return Settings()


def _kept_picture(folder: Path, before: dict[str, Any]) -> Picture | None:
    about: Any = before.get("survey")
    try:
        image = np.load(folder / session_folder.SURVEY)
        return Picture(image, float(about["pixel"]), (float(about["corner"][0]), float(about["corner"][1])))
    except (OSError, ValueError, TypeError, KeyError, IndexError):
        return None


def utc(seconds: float) -> str:
    """Time of a clock as RFC 3339."""
    found = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return found.isoformat(timespec="microseconds").replace("+00:00", "Z")
