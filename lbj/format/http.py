"""HTTP: files on web servers, a range of bytes a request (RFC 9110)."""

from __future__ import annotations

import http.client
import re

from ..errors import StorageError
from ..version import __version__
from .connections import Connections
from .remote import AHEAD, RangeFile, Transient

TIMEOUT = 30.0  # s without a byte from the server
BUSY = (408, 425, 429, 500, 502, 503, 504)
GONE = (401, 403, 404, 410)


class HttpFile(RangeFile):
    """A file on a web server that serves parts of files.

    Its connection is kept from request to request. A redirection is followed once and kept; a server that says nothing
    for `TIMEOUT` seconds, is busy or breaks off is asked again, three times in all.
    """

    def __init__(self, url: str) -> None:
        self._connections = Connections()
        super().__init__(url)

    def close(self) -> None:
        """Close the connections."""
        self._connections.close()
        super().close()

    def _look(self) -> int:
        self._place, self._tag = self.url, ""
        size, data = self._answer(0, AHEAD)
        if data:
            with self._lock:
                self._spans.append((0, data))
        return size

    def _fetch(self, start: int, stop: int) -> bytes:
        return self._answer(start, stop)[1]

    def _answer(self, start: int, stop: int) -> tuple[int, bytes]:
        """Return the size of the file and the bytes of a range, which may go beyond its end."""
        headers = {
            "Range": f"bytes={start}-{stop - 1}",
            "Accept-Encoding": "identity",
            "User-Agent": f"lbj/{__version__}",
        }
        if self._tag:
            headers["If-Range"] = self._tag
        try:
            with self._connections.answer(self._place, headers, TIMEOUT) as (place, response):
                if response.status in (200, 206):
                    return self._read(place, response, start)
        except (StorageError, Transient):
            raise
        except (ValueError, http.client.InvalidURL) as error:
            raise StorageError(f"cannot open {self.url!r}: {error}") from error
        except TimeoutError as error:
            raise Transient(f"the server said nothing for {TIMEOUT:g} s") from error
        except (OSError, http.client.HTTPException) as error:
            raise Transient(f"{error}" or type(error).__name__) from error
        return self._refused(response, start, stop)

    def _read(self, place: str, response: http.client.HTTPResponse, start: int) -> tuple[int, bytes]:
        self._place = place
        if response.status == 200:
            if self._tag:
                raise StorageError(f"{self.url!r} was changed on the server since it was opened; open it again")
            size = response.headers.get("Content-Length", "")
            if start == 0 and size.isdigit() and int(size) <= AHEAD:  # a file so small that it was sent whole
                return int(size), response.read()
            raise StorageError(
                f"{self.url!r}: the server does not serve parts of files (no range requests); download it first"
            )
        declared = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", response.headers.get("Content-Range", "").strip())
        if response.status != 206 or declared is None or int(declared[1]) != start:
            raise StorageError(
                f"{self.url!r}: the server answers a request of bytes from {start} with status {response.status} and "
                f"{response.headers.get('Content-Range')!r}; download it, and open that"
            )
        tag = response.headers.get("ETag", "")
        self._tag = tag if tag.startswith('"') else ""  # a weak ETag (W/…) does not promise equal bytes
        length = int(declared[2]) - start + 1
        data = response.read(length)
        if len(data) < length:
            raise Transient(f"the connection broke off after {len(data)} bytes")
        return int(declared[3]), data

    def _refused(self, answer: http.client.HTTPResponse, start: int, stop: int) -> tuple[int, bytes]:
        if answer.status == 416:
            whole = re.fullmatch(r"bytes \*/(\d+)", answer.headers.get("Content-Range", "").strip())
            if start == 0 and whole and int(whole[1]) == 0:
                return 0, b""
            raise StorageError(f"{self.url!r} is shorter than it was, or was changed; open it again")
        if answer.status in BUSY:
            raise Transient(f"the server answers {answer.status} {answer.reason}")
        if answer.status in GONE and self._place != self.url:  # a redirection that has expired
            self._place = self.url
            return self._answer(start, stop)
        raise StorageError(f"cannot open {self.url!r}: the server answers {answer.status} {answer.reason}")
