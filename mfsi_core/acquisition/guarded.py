"""Guarded: calls of an instrument with a time-out, in a thread of their own; one that hangs is given up."""

from __future__ import annotations

import contextlib
import queue
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from lbj import LbjError

from ..instruments.protocol import Abilities, Instrument, checked_abilities

CONNECTED = 60.0  # s that an instrument may take to connect
READY = 30.0  # s that it may take to state its abilities


class NoAnswerError(LbjError):
    """The instrument did not answer in time, or still has not."""


class _Call:
    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        self.function, self.arguments = function, arguments
        self.done = threading.Event()
        self.begun = time.monotonic()
        self.result: Any = None
        self.error: BaseException | None = None


class Guarded:
    """Connects an instrument and calls its methods, all in one thread; see `Instrument`.

    Parameters
    ----------
    connect : function
        Returns the instrument.
    time_out : float
        s, that it may take.

    Attributes
    ----------
    instrument : Instrument

    Raises
    ------
    NoAnswerError
        If it took longer. An instrument that comes later is closed.
    Exception
        What `connect` raised.
    """

    def __init__(self, connect: Callable[[], Instrument], time_out: float) -> None:
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._late: _Call | None = None
        threading.Thread(target=self._work, name="instrument", daemon=True).start()
        call = _Call(connect, ())
        try:
            self.instrument: Instrument = self._result(call, "connecting", time_out)
        except BaseException:
            self._calls.put(_Call(self._closed, (call,)))
            self._calls.put(None)
            raise

    @staticmethod
    def _closed(late: _Call) -> None:
        late.result.close()

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            try:
                call.result = call.function(*call.arguments)
            except BaseException as error:  # noqa: BLE001 raised again where it was asked for
                call.error = error
            call.done.set()
            del call

    def call(self, name: str, *arguments: Any, time_out: float | None = None) -> Any:
        """Call a method; `time_out` in s, None waits without end.

        Raises
        ------
        NoAnswerError
            If it took longer, or an earlier call still has not come back. What it returns later is thrown away.
        Exception
            What the method raised.
        """
        if self._late is not None:
            if not self._late.done.is_set():
                waited = time.monotonic() - self._late.begun
                raise NoAnswerError(f"the instrument has not come back from a call for {waited:.0f} s; restart it")
            self._late = None
        return self._result(_Call(getattr(self.instrument, name), arguments), name, time_out)

    def _result(self, call: _Call, name: str, time_out: float | None) -> Any:
        self._calls.put(call)
        if not call.done.wait(time_out if time_out is None else min(time_out, threading.TIMEOUT_MAX)):
            self._late = call
            raise NoAnswerError(f"the instrument did not answer within {time_out:g} s ({name})")
        if call.error is not None:
            if not isinstance(call.error, Exception):  # which would end whoever asked
                raise LbjError(f"the instrument ended {name} with {type(call.error).__name__}") from call.error
            raise call.error
        return call.result

    def close(self) -> None:
        """Close the instrument, unless it hangs, and end the thread."""
        with contextlib.suppress(Exception):  # the instrument is given up either way
            self.call("close", time_out=10.0)
        self._calls.put(None)


def connected(connect: Callable[[], Instrument]) -> tuple[Guarded, Abilities]:
    """Connect an instrument, and ask what it can do; what it prints goes to standard error."""
    with contextlib.redirect_stdout(sys.stderr):
        guarded = Guarded(connect, CONNECTED)
    try:
        return guarded, checked_abilities(guarded.call("abilities", time_out=READY))
    except BaseException:
        guarded.close()
        raise
