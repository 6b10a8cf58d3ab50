"""Catalogue of the vectors: functions register here, each makes one file and says which mistake it provokes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from .builder import File

VERSION = "0.9"


class Made(NamedTuple):
    """A file and what a reader must answer; `indexed` where an indexed reader answers otherwise."""

    data: bytes
    expect: dict[str, Any]
    features: set[str]
    indexed: dict[str, Any] | None = None
    findings: list[str] | None = None


class Vector(NamedTuple):
    """One entry of the manifest before it is made."""

    id: str
    call: str
    clauses: tuple[str, ...]
    provokes: str
    make: Callable[[], Made]


VECTORS: list[Vector] = []


def vector(id_: str, *clauses: str, provokes: str) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    """Register a function that makes a vector; it returns a File that is right, or a Made."""

    def register(make: Callable[[], Any]) -> Callable[[], Any]:
        def made() -> Made:
            found = make()
            return right(found) if isinstance(found, File) else found

        folder = id_.split("/", maxsplit=1)[0]
        call = folder if folder in ("recover", "encode") else "decode"
        VECTORS.append(Vector(id_, call, clauses, provokes, made))
        return make

    return register


def right(file: File, findings: list[str] | None = None) -> Made:
    """A file that every reader reads; `findings`: clauses that a validator reports all the same."""
    return Made(bytes(file.data), file.expect(), file.features, None, findings)


def wrong(
    file: File, result: str, offset: int | None, *, frames: int = 0, data: bytes | None = None, **change: Any
) -> Made:
    """A file that reading ends in; the frames before are given by a streaming reader, by no indexed one."""
    indexed = change.pop("indexed", None)
    findings = change.pop("findings", None)
    expect = file.expect(frames, result=result, offset=offset, **change)
    if indexed is None and result not in ("ok", "truncated"):
        indexed = {"result": result, "offset": offset}
    return Made(bytes(file.data if data is None else data), expect, file.features, indexed, findings)


def no_head(result: str, offset: int, data: bytes) -> Made:
    """A file whose HEAD cannot be read."""
    return Made(data, {"result": result, "offset": offset}, set())


def by_index(
    file: File, frames: list[dict[str, Any]], streaming: dict[str, Any], findings: list[str] | None = None
) -> Made:
    """A file of which an indexed reader gives these frames, some of them damaged; a streaming one answers otherwise."""
    indexed = {key: value for key, value in file.expect().items() if key != "digest"}
    return Made(bytes(file.data), streaming, file.features, {**indexed, "frames": frames}, findings)
