"""Server of the acquisition window: its pages, and the recorder's calls as JSON."""

from __future__ import annotations

import json
import os
import secrets
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import Any

from ..acquisition.log import said
from ..acquisition.session_folder import read_json
from ..host.calls import REQUESTS
from ..viewer.files import files_below
from ..viewer.server import PageHandler, PageServer, running

Call = Callable[..., dict[str, Any]]

CALLS, PAGE = "call", "acquire.html"
ANSWERS = 5.0  # s for which a server may take to answer
LONGEST = 1 << 20  # bytes of a request
MAY_CALL = frozenset(REQUESTS) - {"wait"}
NOT_FROM_A_PAGE = ("wait", "file")  # fields: those that take long, or write files
WHERE = "window.json"  # in the session's folder: the address, which stays, so that a page finds a new server


class WindowServer(PageServer):
    """Serve the acquisition window to this machine alone.

    Parameters
    ----------
    call : function
        Takes the name of a call and its fields, returns the answer's fields (`window.link.Link`, or one of a recorder
        in this process).
    folder : path
        Of the session. The address of an earlier server of it is taken again where it is free.
    """

    def __init__(self, call: Call, folder: Path) -> None:
        self.call, self.closed = call, False
        try:
            super().__init__(None, *_kept(folder), _Handler)
        except OSError:
            super().__init__(None, 0, None, _Handler)
        self.files |= files_below(Path(__file__).parent / "static")
        self._keep(folder)

    def server_close(self) -> None:
        """Close; connections that are open are answered no more."""
        self.closed = True
        super().server_close()

    def _keep(self, folder: Path) -> None:
        part = folder / f"{WHERE}.{secrets.token_hex(4)}"
        with os.fdopen(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            json.dump({"port": self.server_address[1], "token": self.token}, file)
        part.replace(folder / WHERE)


class _Handler(PageHandler):
    server: WindowServer

    def do_POST(self) -> None:  # noqa: N802 the library's name
        """Answer a call: ``{"do": …}`` as `mfsi host` takes it."""
        name = None if self.server.closed else self.asked()
        self.close_connection |= self.server.closed
        if name is None:
            return
        length = self.headers.get("Content-Length", "")
        if name != CALLS or not length.isdecimal() or int(length) > LONGEST:
            self.close_connection = True
            self.refuse(HTTPStatus.NOT_FOUND if name != CALLS else HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        content = json.dumps(self._called(self.rfile.read(int(length)))).encode()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(content)

    def _called(self, body: bytes) -> dict[str, Any]:
        try:
            request = json.loads(body)
            do = request.pop("do")
            if do not in MAY_CALL or any(field in request for field in NOT_FROM_A_PAGE):
                raise ValueError(do)
        except (ValueError, KeyError, TypeError, AttributeError):
            return {"ok": False, "message": "this is no call of the recorder that a page may make"}
        try:
            return {"ok": True, **self.server.call(do, **request)}
        except Exception as error:  # noqa: BLE001 whatever an instrument raised
            return {"ok": False, "message": said(error)}


def served(folder: Path) -> str | None:
    """Address under which a server shows the window of a session already; None where none does."""
    port, token = _kept(folder)
    if token is None:
        return None
    address = f"http://127.0.0.1:{port}/{token}/{PAGE}"
    try:
        with urllib.request.urlopen(address, timeout=ANSWERS) as answer:
            return address if answer.status == HTTPStatus.OK else None
    except (OSError, ValueError, HTTPException):
        return None


def _kept(folder: Path) -> tuple[int, str | None]:
    """Port and token of an earlier server of the session; 0 and None where none is known."""
    where = read_json(folder / WHERE) or {}
    port, token = where.get("port"), where.get("token")
    if isinstance(port, int) and 0 < port < 1 << 16 and isinstance(token, str) and len(token) > 16:
        return port, token
    return 0, None


def window(call: Call, folder: Path) -> AbstractContextManager[WindowServer]:
    """Serve in a thread while the block runs."""
    return running(WindowServer(call, folder))
