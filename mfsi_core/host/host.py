"""Host: the server of `mfsi host`, a session or recorder driven by JSON lines (``messages.schema.json``)."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import resources
from typing import Any, BinaryIO, TextIO

import numpy as np

from lbj import UsageError
from lbj.outputs import new_files

from ..acquisition.recorder import Recorder
from ..live.session import Session
from . import calls, messages

REQUESTS = {**messages.REQUESTS, **calls.REQUESTS}
LONGEST = 2**30  # bytes of a line; larger data come in files

Answer = dict[str, Any]


def serve(requests: BinaryIO, answers: TextIO) -> None:
    """Answer every line of requests with one line, until they end; the journal is closed then."""
    host = Host()
    try:
        while line := requests.readline(LONGEST):
            answer = host.answer(line) if len(line) < LONGEST else _too_long(line, requests)
            answers.write(answer + "\n")
            answers.flush()
    finally:
        host.end()


def _too_long(line: bytes, requests: BinaryIO) -> str:
    while line and not line.endswith(b"\n"):
        line = requests.readline(LONGEST)
    return _refusal(UsageError(f"a line holds up to {LONGEST - 1} bytes; give larger data as files"))


def _refusal(error: Exception) -> str:
    return json.dumps({"ok": False, "error": type(error).__name__, "message": str(error)})


def schema() -> str:
    """Return the JSON Schema (draft 2020-12) of the requests and answers."""
    return resources.files(__package__).joinpath("messages.schema.json").read_text(encoding="utf-8")


class Host:
    """Carries out requests, one session or recorder after another.

    Attributes
    ----------
    recorder : Recorder or None
    """

    def __init__(self) -> None:
        self._session: Session | None = None
        self.recorder: Recorder | None = None
        self._calls: dict[str, Callable[..., Answer]] = {
            "open": self._begin,
            "push": self._push,
            "status": self._status,
            "map": self._map,
            "close": self._close,
            "recorder": self.open_recorder,
        }

    def answer(self, line: bytes) -> str:
        """Carry out the request on a line; whatever is wrong with it is said in the answer."""
        try:
            what, fields = messages.parse(line, REQUESTS)
            call = self._calls[what] if what in self._calls else self._recorder_call(what)
            return json.dumps({"ok": True, **call(**fields)}, allow_nan=False)
        except Exception as error:  # noqa: BLE001 no line may end the host
            return _refusal(error)

    def end(self) -> None:
        """Close the journal or recorder, if one is open."""
        if self._session is not None:
            self._session.close()
        if self.recorder is not None:
            self.recorder.close()

    @property
    def recording(self) -> bool:
        """Whether a recorder records."""
        return self.recorder is not None and not self.recorder.wait(0)

    def open_recorder(self, folder: str, instrument: str, options: dict[str, Any] | None = None, **more: Any) -> Answer:
        """Open a recorder; see `calls.open_recorder`."""
        self._must_be_free()
        self.recorder = calls.open_recorder(folder, instrument, options, **more)
        return {"state": self.recorder.state()}

    def _recorder_call(self, what: str) -> Callable[..., Answer]:
        if self.recorder is None:
            raise UsageError("no recorder is open; open one with 'recorder' first")
        return calls.calls(self.recorder)[what]

    def _must_be_free(self) -> None:
        if self._session is not None:
            raise UsageError("a journal is open; close it first")
        if self.recorder is not None:
            raise UsageError("a recorder is open; close it first")

    @property
    def _current(self) -> Session:
        if self._session is None:
            raise UsageError("no journal is open; open one first")
        return self._session

    def _begin(self, path: str, signals: list[Any] | None = None, **wanted: Any) -> Answer:
        self._must_be_free()
        if not all(isinstance(symbol, str) for symbol in wanted.get("elements", [])):
            raise UsageError(f"elements must be a list of symbols, got {wanted['elements']}")
        declared = None if signals is None else [messages.signal(item) for item in signals]
        self._session = Session(path, declared, **wanted)
        return {"frames": len(self._session), "signals": list(self._session.journal.signals)}

    def _push(self, data: dict[str, Any], attributes: dict[str, Any] | None = None) -> Answer:
        session = self._current
        declared = session.journal.signals
        frame = {name: messages.data(item, declared[name]) for name, item in data.items()}
        return {"frame": session.push(frame, **messages.attributes(attributes or {}))}

    def _status(self) -> Answer:
        return {"status": self._current.status()}

    def _map(self, name: str, file: str | None = None) -> Answer:
        if file is not None and not file.endswith(".npy"):
            raise UsageError(f"a map is written as .npy; 'file' must end so, got {file!r}")
        maps = self._current.maps
        if name not in maps:
            raise UsageError(f"there is no map {name!r}; there are {', '.join(maps) or 'none yet'}")
        if file is None:
            return messages.packed(maps[name])
        with new_files(file, self._current.path) as part:
            np.save(part, messages.precise(maps[name]))
        return {"file": file}

    def _close(self) -> Answer:
        if self.recorder is not None:
            recorder = self.recorder
            recorder.close()
            self.recorder = None  # not before, or those who ask meanwhile end the service
            return {"frames": recorder.frames}
        session, self._session = self._current, None
        session.close()
        return {"frames": len(session)}
