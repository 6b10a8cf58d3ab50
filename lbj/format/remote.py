"""Remote files, by HTTP or fsspec (s3): read in byte ranges, with read-ahead and a cache."""

from __future__ import annotations

import io
import os
import threading
import time
from collections.abc import Callable
from typing import Any

from ..errors import StorageError, UsageError

AHEAD = 2**16  # least bytes of a request
WHOLE = 2**24  # bytes of a frame up to which one request fetches all of it
KEPT = 2**26  # bytes in the cache
TRIES = 3
PAUSE = 0.5  # s before a second try, twice that before the third


class Transient(Exception):  # noqa: N818 it becomes an error when the tries are used up
    """A request failed in a way that may pass: a connection that broke, a server that stalled or was busy."""


class RangeFile(io.RawIOBase):
    """A file of which every read may be a request; what was read is kept for a while.

    Threads may share it; a process that was forked or that it was pickled to opens it again.

    Attributes
    ----------
    url : str
    requests : int
        How many were made.
    """

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url, self.requests = url, 0
        self._at, self._size = 0, 0
        self._spans: list[tuple[int, bytes]] = []
        self._lock = threading.Lock()
        self.renew()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.url,)

    def renew(self) -> None:
        """Ask for the size again; what was read is forgotten."""
        with self._lock:
            self._spans = []
        self._size = self._try(self._look, "its beginning")

    def pread(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`, fewer at the end alone."""
        stop = min(offset + length, self._size)
        if stop <= offset:
            return b""
        found = self._kept(offset, stop)
        if found is None:
            end = min(max(stop, offset + AHEAD), self._size)
            begin = min(offset, max(0, end - AHEAD))
            found = self._get(begin, end)[offset - begin : stop - begin]
        return found

    def prefetch(self, start: int, stop: int) -> None:
        """Have the bytes that will be read soon come by one request, unless they are many."""
        stop = min(stop, self._size)
        if start < stop <= start + WHOLE and self._kept(start, stop) is None:
            self._get(start, stop)

    def read(self, size: int = -1) -> bytes:  # noqa: D102
        data = self.pread(self._at, self._size - self._at if size is None or size < 0 else size)
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = 0) -> int:  # noqa: D102
        self._at = max(0, offset + (0, self._at, self._size)[whence])
        return self._at

    def tell(self) -> int:  # noqa: D102
        return self._at

    def readable(self) -> bool:  # noqa: D102
        return True

    def seekable(self) -> bool:  # noqa: D102
        return True

    def _kept(self, start: int, stop: int) -> bytes | None:
        with self._lock:
            for begin, data in reversed(self._spans):
                if begin <= start and stop <= begin + len(data):
                    return data[start - begin : stop - begin]
        return None

    def _get(self, start: int, stop: int) -> bytes:
        data: bytes = self._try(lambda: self._fetch(start, stop), f"bytes {start} to {stop}")
        if len(data) != stop - start:
            raise StorageError(f"{self.url!r}: {stop - start} bytes from {start} on were asked for, {len(data)} came")
        with self._lock:
            self._spans.append((start, data))
            while len(self._spans) > 1 and sum(len(one) for _, one in self._spans) > KEPT:
                self._spans.pop(0)
        return data

    def _try(self, ask: Callable[[], Any], what: str) -> Any:
        for number in range(TRIES):
            if number:
                time.sleep(PAUSE * 2 ** (number - 1))
            self.requests += 1
            try:
                return ask()
            except Transient as error:
                last = error
        raise StorageError(f"{self.url!r}: {what} could not be read: {last}; tried {TRIES} times. Try again later")

    def _look(self) -> int:
        """Return the size of the file."""
        raise NotImplementedError

    def _fetch(self, start: int, stop: int) -> bytes:
        """Fetch a range of bytes."""
        raise NotImplementedError


class FsspecFile(RangeFile):
    """A file behind one of the file systems of fsspec, such as s3."""

    def _look(self) -> int:
        self._connect()
        found = self._asked(lambda: self._system.info(self._path))
        if found.get("type") == "directory" or found.get("size") is None:
            raise StorageError(f"cannot open {self.url!r}: it is no file, or its size is not known")
        return int(found["size"])

    def _connect(self) -> None:
        try:
            import fsspec

            self._system, self._path = fsspec.core.url_to_fs(self.url, skip_instance_cache=True)
            self._process = os.getpid()
        except ImportError as error:
            raise UsageError(
                f"{self.url!r}: reading it needs another package ({error}): pip install 'mfsi[remote]'"
            ) from error
        except ValueError as error:
            raise UsageError(f"{self.url!r}: {error}") from error

    def _fetch(self, start: int, stop: int) -> bytes:
        if os.getpid() != self._process:  # connections do not survive a fork
            self._connect()
        return bytes(self._asked(lambda: self._system.cat_file(self._path, start=start, end=stop)))

    def _asked(self, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except FileNotFoundError as error:
            raise StorageError(f"cannot open {self.url!r}: there is no such file") from error
        except PermissionError as error:
            raise StorageError(f"cannot open {self.url!r}: access is refused ({error})") from error
        except ImportError as error:
            raise UsageError(
                f"{self.url!r}: reading it needs another package ({error}): pip install 'mfsi[remote]'"
            ) from error
        except Exception as error:
            raise Transient(f"{type(error).__name__}: {error}") from error
