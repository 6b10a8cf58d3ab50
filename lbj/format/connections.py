"""HTTP connections, kept open from request to request, through a proxy where the environment names one."""

from __future__ import annotations

import base64
import http.client
import os
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from ..errors import StorageError

PORTS = {"http": 80, "https": 443}
MOVED = (301, 302, 303, 307, 308)
MOST_MOVES = 10
SMALL = 2**16  # bytes up to which an unwanted answer is received to its end, so that the connection can be kept


class _Line(NamedTuple):
    """A connection to one server, with what a proxy needs: a prefix for the path of requests, and headers."""

    address: tuple[str, str]
    connection: http.client.HTTPConnection
    before: str
    headers: dict[str, str]

    def asked(self, url: urllib.parse.SplitResult, headers: dict[str, str]) -> http.client.HTTPResponse:
        """Send a request and return the beginning of its answer."""
        target = urllib.parse.urlunsplit(("", "", url.path or "/", url.query, ""))
        try:
            self.connection.request("GET", self.before + target, headers={**headers, **self.headers})
            return self.connection.getresponse()
        except BaseException:
            self.connection.close()
            raise


class Connections:
    """Connections of one process, each of which carries one request at a time; threads may share them."""

    def __init__(self) -> None:
        self._idle: list[_Line] = []
        self._lock, self._process = threading.Lock(), os.getpid()

    @contextmanager
    def answer(
        self, place: str, headers: dict[str, str], timeout: float
    ) -> Iterator[tuple[str, http.client.HTTPResponse]]:
        """Give the URL that answers a request, after redirections, and its answer.

        Raises
        ------
        StorageError
            If it is redirected on and on, or to what is no web server.
        OSError, ValueError, http.client.HTTPException
            As by `http.client`.
        """
        for _ in range(MOST_MOVES):
            url = urllib.parse.urlsplit(place)
            if url.scheme not in PORTS or not url.hostname:
                raise StorageError(f"cannot open {place!r}: it names no web server")
            line, found = self._sent(url, headers, timeout)
            try:
                if found.status not in MOVED:
                    yield place, found
                    return
                place = urllib.parse.urljoin(place, found.headers.get("Location", ""))
            finally:
                self._release(line, found)
        raise StorageError(f"cannot open {place!r}: it is redirected more than {MOST_MOVES} times")

    def close(self) -> None:
        """Close what is idle."""
        with self._lock:
            lines, self._idle = self._idle, []
        for line in lines:
            line.connection.close()

    def _sent(
        self, url: urllib.parse.SplitResult, headers: dict[str, str], timeout: float
    ) -> tuple[_Line, http.client.HTTPResponse]:
        """Send a request: by a connection that was kept or, where the server closed that meanwhile, by a new one."""
        kept = self._take((url.scheme, url.netloc))
        if kept is not None:
            try:
                return kept, kept.asked(url, headers)
            except (ConnectionError, http.client.BadStatusLine):
                pass
        line = _connected(url, timeout)
        return line, line.asked(url, headers)

    def _take(self, address: tuple[str, str]) -> _Line | None:
        with self._lock:
            if self._process != os.getpid():  # after a fork, open connections belong to the parent process
                self._process, self._idle = os.getpid(), []
            found = next((line for line in self._idle if line.address == address), None)
            if found is not None:
                self._idle.remove(found)
        return found

    def _release(self, line: _Line, answer: http.client.HTTPResponse) -> None:
        """Keep a connection whose answer was read to its end, or is short."""
        try:
            if not answer.isclosed() and answer.length is not None and answer.length <= SMALL:
                answer.read()
        except (OSError, http.client.HTTPException):
            pass
        if answer.isclosed() and line.connection.sock is not None:
            with self._lock:
                self._idle.append(line)
        else:
            line.connection.close()


def _connected(url: urllib.parse.SplitResult, timeout: float) -> _Line:
    """Return a connection to a server, directly or by the proxy that the environment names."""
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    host, port = str(url.hostname), url.port or PORTS[url.scheme]
    address = (url.scheme, url.netloc)
    named = urllib.request.getproxies().get(url.scheme)
    if not named or urllib.request.proxy_bypass(host):
        return _Line(address, kind(host, port, timeout=timeout), "", {})
    proxy = urllib.parse.urlsplit(named if "://" in named else f"http://{named}")
    user = urllib.parse.unquote(f"{proxy.username}:{proxy.password or ''}") if proxy.username else ""
    key = {"Proxy-Authorization": "Basic " + base64.b64encode(user.encode()).decode()} if user else {}
    connection = kind(str(proxy.hostname), proxy.port or PORTS["http"], timeout=timeout)
    if url.scheme == "http":
        return _Line(address, connection, f"http://{url.netloc}", key)
    connection.set_tunnel(host, port, headers=key)
    return _Line(address, connection, "", {})
