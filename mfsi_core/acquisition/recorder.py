"""Recorder: surveys and records series with any instrument; every completed frame is kept."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from numpy.typing import NDArray

from lbj import UsageError

from ..instruments.finding import connector
from ..instruments.protocol import Changed, Instrument, Picture, checked_picture
from . import session_folder, state, surveys
from .completion import Function, carry_out, check
from .guarded import READY, connected
from .log import Event, Log, said
from .region import Region
from .regions import Regions
from .series import Host, Series
from .settings import Settings

PLACED = {"corner", "field"}  # controls that say where the region lies
EVERY = 0.2  # s between writes of the state while frames come


class Recorder:
    """Records series with an instrument; use it as a context manager. All methods may be called from any thread.

    Parameters
    ----------
    folder : path
        The session's; it is made, or a session in it is continued. One recorder at a time works in it.
    instrument : Instrument or str
        Or the name of one (`instruments.find`), which is connected in the thread that calls it ever after.
    settings : Settings, optional
        Default: those of the session that is continued.
    analysis : bool
        Whether a process beside it follows the frames.
    completed, failed : sequence of functions
        Called with the instrument and what came of a series (`completion.carry_out`), after the settings' own.
    options : dict, optional
        What the instrument of that name takes.

    Raises
    ------
    UsageError
        If another recorder works in the folder, or the instrument is unknown.
    StorageError
        If the folder cannot be made.
    PluginError, NoAnswerError
        If the instrument of that name fails to connect, or is not connected within a minute.
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
        options: dict[str, Any] | None = None,
    ) -> None:
        connect = _connector(instrument, options or {})
        self.folder = Path(folder).absolute()
        self._held = session_folder.take(self.folder)
        self._lock = threading.RLock()
        self._hooks = {False: list(completed), True: list(failed)}
        try:
            self._guarded, self.abilities = connected(connect)
        except BaseException:
            self._held.close()
            raise
        before = session_folder.read_json(self.folder / session_folder.STATE) or {}
        self.log = Log(self.folder / session_folder.EVENTS, before.get("sequence"))
        self._settings = settings or _settings(before, self.log)
        self.surveyed = surveys.kept(self.folder, before)
        self.phase, self._outcome = "idle", before.get("outcome")
        self.series: Series | None = None  # the present one, or the last
        self._thread: threading.Thread | None = None
        # An event, since before Python 3.13 a thread whose `join` was interrupted by Ctrl-C counts as ended.
        self._rests = threading.Event()
        self._rests.set()
        self.host, self._written = Host(), 0.0
        self.log.add("opened", f"{self.abilities.title}: the session is open")
        self.regions = Regions(self.folder, self.log, analysis=analysis)
        self._take_up(before)

    def _take_up(self, before: dict[str, Any]) -> None:
        """Say how the recorder before ended."""
        if before.get("phase") in ("recording", "stopping", "surveying"):
            text = f"the recorder before was ended while it was {before['phase']}"
            region = self.regions.present
            if region is not None:
                text += f"; region {region.number} holds {len(region)} frames, all whole"
            self.log.add("died", text, "warning")
        self._publish(now=True)

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
            changed = self._settings.changed(changes)
            if self.surveyed is not None and PLACED & set(changes):
                surveys.check_within(changed, self.surveyed)
            self._settings = changed
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
        return 0 if self.regions.present is None else len(self.regions.present)

    def plan(self) -> dict[str, Any]:
        """Times, doses and sizes of the series as set, before anything is exposed; see `state.costs`."""
        return state.costs(self._settings, self.abilities, self.regions.present)

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
            picture = checked_picture(self._guarded.call("survey", time_out=self._settings.time_out or READY))
        except Exception as error:
            self.log.add("error", f"no survey was taken: {said(error)}", "error")
            with self._lock:
                self._enter("idle")
            raise
        with self._lock:
            self.surveyed = picture
            surveys.keep(self.folder, picture)
            self.log.add("survey", "a survey of {} x {} pixels was taken".format(*picture.image.shape))
            self._enter("idle")
            return picture

    def new_region(self) -> int:
        """Have the next series begin a new region, in the next sub-folder; returns its number.

        Raises
        ------
        UsageError
            If frames are being recorded.
        """
        with self._lock:
            self._must_rest()
            self.regions.begins_new = True
            self._publish(now=True)
            return self.regions.next_number()

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
            check(self._settings, self.abilities)
            self._outcome = None
            self.series = Series(
                self._settings,
                self._guarded,
                self.abilities,
                self.log,
                self._publish,
                lambda: self._settings,
                self.host,
            )
            self._enter("recording")
            self._thread = threading.Thread(target=self._record, args=(self.series,), name="recorder", daemon=True)
            self._rests.clear()
            self._thread.start()
        if not wait:
            return {}
        try:
            self._rests.wait()
        except KeyboardInterrupt:
            self.stop()
            self._rests.wait()
        return dict(self.outcome or {})

    def stop(self) -> None:
        """End the series after the frame that is being exposed."""
        with self._lock:
            if self.phase == "recording" and self.series is not None:
                self.series.stop.set()
                self._enter("stopping")

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until nothing is being recorded; whether that is so now."""
        return self._rests.wait(seconds if seconds is None else min(seconds, threading.TIMEOUT_MAX))

    def _record(self, series: Series) -> None:
        try:
            region = self._begin(series)
            waited = ("stopped", "it was stopped before the first frame")
            reason, text = waited if region is None else series.record(region)
        except Changed as error:
            reason, text = "changed", said(error)
        except Exception as error:  # noqa: BLE001 the outcome says it
            reason, text = "failed", said(error)
        try:
            self._end(series, reason, text)
        finally:
            self._rests.set()

    def _begin(self, series: Series) -> Region | None:
        """Set the instrument up; begin the region's journal, or make sure that the one there can be extended.

        None where it was stopped while it waited for the first frame.
        """
        settings, ready = series.settings, series.prepare()
        if ready is None:
            return None
        signals, metadata = ready
        with self._lock:
            region = self.regions.take(settings, signals, metadata, self.surveyed, exposed=self.abilities.exposes)
            series.follower = self.regions.follower
            self._publish(now=True)
            return region

    def _end(self, series: Series, reason: str, text: str) -> None:
        """Say how the series ended, and do what is to be done then."""
        region, failed, settings = self.regions.present, reason == "failed", series.settings
        outcome = {
            "reason": reason, "text": text, "failed": failed, "frames": series.frames,
            "total": len(region) if region is not None else 0, "region": region.number if region is not None else None,
            "journal": str(region.path) if region is not None else None, "folder": str(self.folder),
        }  # fmt: skip
        self.log.add("failed" if failed else "ended", text, "error" if failed else "info", reason=reason)
        carry_out(settings.on_failure if failed else settings.on_completion, self._guarded, outcome, self.log)
        carry_out(self._hooks[failed], self._guarded, outcome, self.log)
        with self._lock:
            self._outcome = outcome
            self._enter("failed" if failed else "idle")

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
        return state.picture(self.folder, name, self._number())

    def history(self, since: int = 0) -> list[dict[str, Any]]:
        """What the analysis found frame by frame, from frame `since` of the region on."""
        number = self._number()
        return [] if number is None else state.history(self.folder, number, since)

    def _number(self) -> int | None:
        return None if self.regions.present is None else self.regions.present.number

    def _must_rest(self) -> None:
        if self.phase == "closed":
            raise UsageError("the recorder is closed; open the session again")
        if not self._rests.is_set() and self._thread is not threading.current_thread():
            raise UsageError("frames are being recorded; stop first")
        if self.phase == "surveying":
            raise UsageError("a survey is being taken; wait for it")

    def _enter(self, phase: str) -> None:
        self.phase = phase
        self._publish(now=True)

    def _publish(self, *, now: bool = False) -> None:
        """Write the state where others find it; while frames come, not too often."""
        moment = time.monotonic()
        if now or moment - self._written >= EVERY:
            with self._lock:
                self._written = moment
                session_folder.write_json(self.folder / session_folder.STATE, self.state())

    def close(self) -> None:
        """Stop, and close the journal, the analysis and the instrument."""
        self.stop()
        self.wait()
        with self._lock:
            if self.phase == "closed":
                return
            self.regions.close()
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


def _connector(instrument: Instrument | str, options: dict[str, Any]) -> Callable[[], Instrument]:
    if isinstance(instrument, str):
        return connector(instrument, **options)
    given = instrument
    return lambda: given


def _settings(before: dict[str, Any], log: Log) -> Settings:
    """Settings of the session that is continued; the usual ones where they cannot be read."""
    try:
        return Settings(**before.get("settings", {}))
    except (TypeError, UsageError) as error:
        log.add("settings", f"the settings of the session before cannot be read: {error}", "warning")
        return Settings()
