"""Service: a recorder in a process of its own, which goes on whatever happens to the programs that look at it.

``python -m mfsi_core.host.service FOLDER INSTRUMENT OPTIONS`` (JSON) opens the session and listens on the
loopback. Where, and by what secret, stands in ``service.json`` in the session's folder, which only its owner can read.
Requests and answers are those of ``mfsi host``.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
import threading
import time
import traceback
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Any

from lbj import LbjError, StorageError, UsageError

from ..acquisition.log import said
from ..acquisition.session_folder import read_json, recorded_now

WHERE = "service.json"
LOOPBACK = "127.0.0.1"
STARTS = 180.0  # s; what makes an instrument slow is given up, and named, before
ALONE = 3600.0  # s without a request after which a recorder that records nothing ends


class Service:
    """Answers requests, each connection in a thread of its own, until one of them is ``close``."""

    def __init__(self, folder: str, instrument: str, options: dict[str, Any]) -> None:
        from .host import Host

        self.host = Host()
        self.host.open_recorder(folder, instrument, options)
        self._ended = threading.Event()
        self._asked = time.monotonic()
        self._path = Path(folder) / WHERE
        secret = secrets.token_hex(32)
        self._listener = Listener((LOOPBACK, 0), authkey=secret.encode())
        where = {
            "port": self._listener.address[1], "secret": secret, "process": os.getpid(),
            "instrument": instrument, "options": options,
        }  # fmt: skip
        part = self._path.with_name(f"{WHERE}.{os.getpid()}")
        with os.fdopen(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            json.dump(where, file)
        part.replace(self._path)

    def run(self) -> None:
        """Serve until it is closed, or nobody asks and nothing is recorded for an hour."""
        threading.Thread(target=self._accept, daemon=True).start()
        try:
            while not self._ended.wait(1.0):
                if self.host.recording:
                    self._asked = time.monotonic()
                if time.monotonic() - self._asked > ALONE:
                    break
        finally:
            self.host.end()
            if (read_json(self._path) or {}).get("process") == os.getpid():  # and not of one that came after
                with contextlib.suppress(OSError):
                    self._path.unlink()

    def _accept(self) -> None:
        while True:
            try:
                connection = self._listener.accept()
            except (OSError, EOFError, AuthenticationError):
                continue
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: Connection) -> None:
        with contextlib.suppress(OSError, EOFError), connection:
            while True:
                line = connection.recv_bytes()
                self._asked = time.monotonic()
                answer = self.host.answer(line)
                try:
                    connection.send_bytes(answer.encode())
                finally:
                    if self.host.recorder is None:
                        self._ended.set()


class Remote:
    """A recorder in another process; use it as a context manager, which leaves the recorder running.

    Parameters
    ----------
    folder : path
        Of the session.

    Raises
    ------
    StorageError
        If no recorder listens there.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder).absolute()
        where = read_json(self.folder / WHERE)
        self._lock = threading.Lock()
        try:
            self._connection = Client((LOOPBACK, where["port"]), authkey=where["secret"].encode())
        except (TypeError, KeyError, OSError, EOFError, AuthenticationError) as error:
            raise StorageError(f"no recorder listens for {str(self.folder)!r}") from error

    def call(self, do: str, **fields: Any) -> dict[str, Any]:
        """Ask for something; returns the fields of the answer.

        Raises
        ------
        UsageError
            With what the recorder said, where it refused.
        StorageError
            If the recorder is gone; `connect` opens the session again.
        """
        with self._lock:
            try:
                self._connection.send_bytes(json.dumps({"do": do, **fields}).encode())
                answer: dict[str, Any] = json.loads(self._connection.recv_bytes())
            except (OSError, EOFError, ValueError) as error:
                raise StorageError(f"the recorder of {str(self.folder)!r} is gone") from error
        if not answer.pop("ok"):
            raise UsageError(answer["message"])
        return answer

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def __enter__(self) -> Remote:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def connect(folder: str | os.PathLike[str], instrument: str, options: dict[str, Any] | None = None) -> Remote:
    """Return the recorder of a session: the one that works there, or a new process that continues the session.

    Raises
    ------
    UsageError
        If it could not be started, with what it said; or a recorder works there that does not listen, is of another
        instrument, or has other options than those given.
    StorageError
        If the folder cannot be made or written to.
    """
    where = Path(folder).absolute()
    with contextlib.suppress(StorageError):
        remote = Remote(where)
        _same(where, instrument, options or {})
        return remote
    if where.is_dir() and recorded_now(where):
        raise UsageError(f"another recorder works in {str(where)!r}; end it, or choose another folder")
    errors = where / "service.txt"
    try:
        where.mkdir(parents=True, exist_ok=True)
        errors.write_bytes(b"")
    except OSError as error:
        raise StorageError(f"cannot use {str(where)!r} as the session's folder: {error.strerror}") from error
    with contextlib.suppress(OSError):
        (where / WHERE).unlink()
    with errors.open("wb") as words:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", __name__, str(where), instrument, json.dumps(options or {})],
            stdin=subprocess.DEVNULL, stdout=words, stderr=words, start_new_session=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )  # fmt: skip
    threading.Thread(target=process.wait, daemon=True).start()  # its end is taken notice of
    end = time.monotonic() + STARTS
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(StorageError):
            return Remote(where)
        time.sleep(0.05)
    code = process.poll()
    process.kill()
    slow = f"it was not ready within {STARTS:g} s; does its instrument {instrument!r} answer?"
    ended = slow if code is None else f"it ended with {code} and said nothing"
    lines = errors.read_text(errors="replace").strip().splitlines() or [ended]
    raise UsageError(f"the recorder could not be started: {lines[-1]}")


def _same(folder: Path, instrument: str, options: dict[str, Any]) -> None:
    """Make sure that the recorder that works in the folder is of that instrument and has the options that are given."""
    there = read_json(folder / WHERE) or {}
    name, has = there.get("instrument", instrument), there.get("options", {})
    wrong = [f"{key}={has.get(key)!r}, not {value!r}" for key, value in options.items() if has.get(key) != value]
    if name != instrument or wrong:
        what = f"is of {name!r}, not of {instrument!r}" if name != instrument else f"has {'; '.join(wrong)}"
        raise UsageError(f"the recorder that works in {str(folder)!r} {what}; end it first, or choose another folder")


def main(arguments: list[str]) -> int:
    """Serve one session."""
    folder, instrument, options = arguments
    try:
        Service(folder, instrument, json.loads(options)).run()
    except Exception as error:  # noqa: BLE001 what an instrument raises may be anything
        if not isinstance(error, LbjError):
            traceback.print_exc()
        print(said(error), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
