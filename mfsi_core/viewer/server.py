"""Server of the pages: viewer or planner, and one journal, on the loopback under a random token."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO, TypeVar
from urllib.parse import parse_qs, quote, unquote, urlsplit

from lbj import StorageError, UsageError
from lbj.format.urls import is_url, open_url

from .files import TYPES, page_files

JOURNAL = "journal/"  # the journal's name follows
CHUNK = 1 << 20
REFUSALS = {
    HTTPStatus.FORBIDDEN: "This server answers under 127.0.0.1 and localhost alone.",
    HTTPStatus.NOT_FOUND: "There is nothing here. The whole address, with its secret, is what the command printed.",
}
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self'; "
    "img-src 'self' data: blob:; connect-src 'self' data:{}; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


class PageServer(ThreadingHTTPServer):
    """Serve the pages, and a journal where one is given, to this machine alone.

    Parameters
    ----------
    journal : path or URL, optional
        File that the viewer opens; it may grow meanwhile. One elsewhere is read by ranges and handed on.
    port : int
        0 takes a free one.
    token : str, optional
        Default: a new one.

    Attributes
    ----------
    address : str
        Of the pages, with the token: without it nothing is served.
    """

    daemon_threads = True

    def __init__(
        self,
        journal: str | os.PathLike[str] | None = None,
        port: int = 0,
        token: str | None = None,
        handler: type[PageHandler] | None = None,
    ) -> None:
        self.journal = journal
        self.remote = open_url(str(journal)) if is_url(journal) else None
        self._one_at_a_time = threading.Lock()  # of those who read it
        self.token = token or secrets.token_urlsafe(16)
        self.files = page_files()
        super().__init__(("127.0.0.1", port), handler or PageHandler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Tell what went wrong, unless the page was closed meanwhile."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    @property
    def address(self) -> str:
        """Address of the folder in which the pages are, `/` at its end."""
        return f"http://127.0.0.1:{self.server_address[1]}/{self.token}/"

    def page(self, name: str = "viewer.html") -> str:
        """Address of a page, the viewer with the journal."""
        shown = f"?url={quote(JOURNAL + quote(self.name))}" if self.name and name == "viewer.html" else ""
        return self.address + name + shown

    @property
    def name(self) -> str:
        """Name of the journal, without its folder; empty without a journal."""
        if self.journal is None:
            return ""
        return unquote(urlsplit(str(self.journal)).path).rpartition("/")[2] if self.remote else Path(self.journal).name

    @contextlib.contextmanager
    def reading(self) -> Iterator[tuple[int, Callable[[int, int], bytes]]]:
        """Give the size of the journal, and a function of offset and length that reads a part of it."""
        with contextlib.ExitStack() as stack:
            if self.remote is None:
                assert self.journal is not None
                file: BinaryIO = stack.enter_context(open(self.journal, "rb"))
            else:
                stack.enter_context(self._one_at_a_time)
                file = self.remote

            def read(offset: int, length: int) -> bytes:
                file.seek(offset)
                return file.read(length)

            yield file.seek(0, os.SEEK_END), read


class PageHandler(BaseHTTPRequestHandler):
    """Answers with files of the pages, and the journal, those who know the token."""

    server: PageServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing: a page asks for hundreds of ranges."""

    def do_GET(self) -> None:
        """Answer a request."""
        self._answer(body=True)

    def do_HEAD(self) -> None:
        """Answer with the header alone."""
        self._answer(body=False)

    def asked(self) -> str | None:
        """Name of what is asked for; None after a refusal of those who do not know the token."""
        path = urlsplit(self.path).path
        prefix = f"/{self.server.token}/"
        if self.headers.get("Host", "").rpartition(":")[0] not in {"127.0.0.1", "localhost"}:
            self.refuse(HTTPStatus.FORBIDDEN)
        elif not secrets.compare_digest(path[: len(prefix)].encode(), prefix.encode()):
            self.refuse(HTTPStatus.NOT_FOUND)
        else:
            return unquote(path[len(prefix) :])
        return None

    def _answer(self, *, body: bool) -> None:
        name = self.asked()
        if name is None:
            return
        if self.server.journal is not None and name == JOURNAL + self.server.name:
            self._send_journal(body=body)
        elif name in self.server.files:
            self._send_file(name, urlsplit(self.path).query, body=body)
        else:
            self.refuse(HTTPStatus.NOT_FOUND)

    def refuse(self, status: HTTPStatus) -> None:
        """Answer with a status and a sentence."""
        said = REFUSALS.get(status, status.phrase).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(said)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(said)

    def _send_file(self, name: str, query: str, *, body: bool) -> None:
        content = self.server.files[name].read_bytes()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", TYPES[self.server.files[name].suffix])
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Security-Policy", POLICY.format(_origin(query)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.end_headers()
        if body:
            self.wfile.write(content)

    def _send_journal(self, *, body: bool) -> None:
        try:
            with self.server.reading() as (size, read):
                self._send_range(size, read, body=body)
        except (OSError, StorageError) as error:
            if isinstance(error, ConnectionError):
                raise
            self.refuse(HTTPStatus.NOT_FOUND)

    def _send_range(self, size: int, read: Callable[[int, int], bytes], *, body: bool) -> None:
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        first, last = (int(found[1]), int(found[2] or size - 1)) if found else (0, size - 1)
        stop = min(last + 1, size)
        if found and first >= stop:
            self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
            self.send_header("Content-Range", f"bytes */{size}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        start = read(first, min(CHUNK, stop - first))  # an error of reading is told before the header is sent
        self.send_response(HTTPStatus.PARTIAL_CONTENT if found else HTTPStatus.OK)
        if found:
            self.send_header("Content-Range", f"bytes {first}-{stop - 1}/{size}")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(stop - first))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        while body and start:  # nothing where the file has become shorter: the other end sees that bytes are missing
            self.wfile.write(start)
            first += len(start)
            start = read(first, min(CHUNK, stop - first)) if first < stop else b""


def _origin(query: str) -> str:
    """Server of ?url= as the policy names it, with a blank before it; nothing where the address is of this server."""
    asked = urlsplit(parse_qs(query).get("url", [""])[0])
    host = re.fullmatch(r"[A-Za-z0-9.-]+(:\d+)?|\[[0-9a-fA-F:]+\](:\d+)?", asked.netloc)
    return f" {asked.scheme}://{asked.netloc}" if asked.scheme in {"http", "https"} and host else ""


def check_journal(path: str | os.PathLike[str]) -> None:
    """Refuse what is no journal before a browser is opened; a damaged one is for the page to tell.

    Raises
    ------
    UsageError
        If the path is no file, or holds something else under another name.
    OSError
        If it cannot be read.
    """
    if is_url(path):
        return
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise UsageError(f"{os.fspath(path)!r} is no file")
    with open(path, "rb") as file:
        start = file.read(8)
    if not start:
        raise UsageError(f"{os.fspath(path)!r} is empty")
    if start[:4] != b"\x89LBJ" and not os.fspath(path).endswith(".lbj"):
        raise UsageError(f"{os.fspath(path)!r} is no journal; lbj convert {os.fspath(path)} -o OUT.lbj makes one of it")


def serving(journal: str | os.PathLike[str] | None = None) -> AbstractContextManager[PageServer]:
    """Serve in a thread while the block runs."""
    return running(PageServer(journal))


S = TypeVar("S", bound=PageServer)


@contextlib.contextmanager
def running(server: S) -> Iterator[S]:
    """Serve in a thread while the block runs, and close then."""
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
