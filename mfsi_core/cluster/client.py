"""Client: the connection to a dask.distributed scheduler; tasks, time-outs, and errors by name."""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any, cast

from lbj import LbjError, StorageError, UsageError

PATIENCE = 60.0  # s without any worker, after which a result is given up
CONNECT = 10.0  # s
LOOK = 5.0  # s between looks at the workers


class ClusterError(LbjError):
    """The scheduler cannot be reached, or it or its workers failed; nothing was changed: repeat the call."""


@contextlib.contextmanager
def connected(address: str | None) -> Iterator[Any]:
    """Give a client of the scheduler at an address, ``tcp://host:port``; None of none.

    Raises
    ------
    UsageError
        If dask.distributed is not installed.
    ClusterError
        If none answers there within 10 s.
    """
    if address is None:
        yield None
        return
    try:
        from distributed import Client
    except ImportError as error:
        raise UsageError("a cluster needs dask.distributed: pip install 'mfsi[cluster]'") from error
    try:
        if not address:  # which would start one
            raise ValueError("the address is empty")
        client: Any = Client(address, timeout=CONNECT, set_as_default=False)  # type: ignore[no-untyped-call]
    except Exception as error:
        word = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise ClusterError(
            f"no scheduler answers at {address!r} ({word}); expected is an address as tcp://host:8786, at which "
            "'dask scheduler' says that it listens"
        ) from error
    with client:
        yield client


class Workers:
    """The workers behind a client.

    Raises
    ------
    UsageError
        If `client` is no client of dask.distributed, or an asynchronous one.
    """

    def __init__(self, client: Any) -> None:
        try:
            from distributed import Client
        except ImportError:
            Client = ()  # type: ignore[misc, assignment]  # noqa: N806
        if not isinstance(client, Client) or client.asynchronous:
            raise UsageError(
                f"client must be a dask.distributed.Client (not asynchronous), got {type(client).__name__}"
            )
        self._client: Any = cast("Any", client)
        with _named():
            self._wait(lambda: bool(self._client.ncores()))
            self.number = max(sum(self._client.ncores().values()), 1)  # of threads

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Have a function carried out, by whichever worker the scheduler chooses; returns its future.

        None is asked for a certain worker: the scheduler never takes up again what it was asked to give, if it may, to
        a worker that died while there was no other.
        """
        with _named(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sending large graph")
            return self._client.submit(function, *arguments, pure=False)

    def tree(self, parts: list[Any], join: Callable[[Any, Any], Any]) -> Any:
        """Join futures, neighbours first, as a tree; returns the future of the whole."""
        while len(parts) > 1:
            odd = parts[-1:] if len(parts) % 2 else []
            parts = [self.submit(join, one, other) for one, other in zip(parts[::2], parts[1::2], strict=False)] + odd
        return parts[0]

    def result(self, future: Any) -> Any:
        """Wait for a result.

        Raises
        ------
        LbjError
            As it was raised by the function.
        ClusterError
            If workers that hold it died again and again, none is left for a minute, or the scheduler is gone.
        """
        with _named():
            self._wait(future.done)
            return future.result(timeout=PATIENCE)

    def _wait(self, done: Callable[[], bool]) -> None:
        seen = looked = time.monotonic()
        pause = 0.0005
        while not done():
            time.sleep(pause)
            pause = min(2 * pause, 0.05)
            now = time.monotonic()
            if now - looked > LOOK:
                looked = now
                if self._client.status != "running":
                    raise ClusterError(f"the scheduler is gone (the client is {self._client.status})")
                if self._client.ncores():
                    seen = now
            if now - seen > PATIENCE:
                raise ClusterError(f"the scheduler has had no worker for {PATIENCE:g} s")


@contextlib.contextmanager
def _named() -> Iterator[None]:
    """Name what is raised inside."""
    try:
        yield
    except StorageError as error:
        raise StorageError(f"{error}; the workers open files by the same names as this process") from error
    except (LbjError, MemoryError, KeyboardInterrupt):
        raise
    except BaseException as error:
        word = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise ClusterError(f"the cluster failed: {word}") from error
