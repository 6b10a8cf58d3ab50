"""Link: calls the recorder in its own process, and starts that again where it was killed."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from lbj import StorageError

from ..host.service import Remote, connect


class Link:
    """Calls of one session's recorder, from any thread.

    Parameters
    ----------
    folder : path
        Of the session.
    instrument : str
        Its name, see `instruments.finding.find`.
    options : dict
        Its options.

    Raises
    ------
    UsageError
        If the recorder cannot be started, with what it said.
    """

    def __init__(self, folder: Path, instrument: str, options: dict[str, Any]) -> None:
        self._what = (folder, instrument, options)
        self._mine = threading.local()  # one connection a thread, so that a long call (a survey) blocks no other
        self._starting = threading.Lock()
        self._remote()

    def _remote(self) -> Remote:
        if getattr(self._mine, "remote", None) is None:
            with self._starting:
                self._mine.remote = connect(*self._what)
        return self._mine.remote  # type: ignore[no-any-return]

    def __call__(self, do: str, **fields: Any) -> dict[str, Any]:
        """Ask for something, see `service.Remote.call`; once more where the recorder had to be started again."""
        try:
            return self._remote().call(do, **fields)
        except StorageError:
            self._mine.remote = None
            return self._remote().call(do, **fields)
