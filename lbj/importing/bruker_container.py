"""Bruker container: the files inside a `.bcf`, AidAim's single file system.

Behind 280 bytes the container is made of equal chunks, each with a header of 32 bytes whose first four name the chunk
that continues a list. A list of 512-byte entries (at the chunk that byte 320 names, their number at byte 324) names
the files: the chunk of a file's list of chunks, its size, its parent and its name. The contents may be compressed with
zlib, block by block.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import DamagedError, TruncatedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIGNATURE = b"AAMVHFSS"
START, HEAD, ENTRY, PACKED = 280, 32, 512, b"AACS"
MOST_FILES = 4096
MOST = 1 << 28  # bytes of a file that is read as a whole


@dataclass(frozen=True)
class Inner:
    """One file inside: its size and the chunks that hold it, in order."""

    name: str
    size: int
    chunks: np.ndarray


class Container:
    """What a `.bcf` holds.

    Raises
    ------
    DamagedError, TruncatedError
        If its lists contradict each other, or a chunk that a file needs is missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.bytes = path.stat().st_size
        with open(path, "rb") as file:
            head = file.read(332)
        if len(head) < 332 or head[:8] != SIGNATURE:
            raise DamagedError(f"{path}: no Bruker .bcf file: it begins with {head[:8]!r}")
        self.chunk: int = struct.unpack_from("<I", head, 296)[0]
        self.announced: int = struct.unpack_from("<I", head, 328)[0]
        first, count = struct.unpack_from("<II", head, 320)
        if not HEAD + ENTRY <= self.chunk <= MOST or not 1 <= count <= MOST_FILES:
            raise DamagedError(f"{path}: chunks of {self.chunk} bytes and {count} files are announced", offset=296)
        self.files = list(self._entries(first, count))

    @property
    def missing(self) -> int:
        """Chunks that are announced, but of which no file makes use, and that are not there."""
        return max(0, self.announced - (self.bytes - START) // self.chunk)

    def read(self, name: str) -> bytes:
        """Return one of the files, decompressed.

        Raises
        ------
        DamagedError
            If there is none of that name, or its compressed blocks contradict their sizes.
        """
        inner = next((inner for inner in self.files if inner.name == name), None)
        if inner is None or inner.size > MOST:
            held = ", ".join(f"{inner.name} ({inner.size} bytes)" for inner in self.files)
            raise DamagedError(f"{self.path}: {name} is not to be had; there are {held}")
        data = b"".join(self._payload(int(chunk)) for chunk in inner.chunks)[: inner.size]
        return b"".join(self._unpacked(data)) if data[:4] == PACKED and len(data) >= 16 else data

    def _unpacked(self, data: bytes) -> Iterator[bytes]:
        size, blocks = struct.unpack_from("<I4xI", data, 4)
        if size * blocks > MOST:
            raise DamagedError(f"{self.path}: {blocks} blocks of {size} bytes are announced in {len(data)}")
        at = 128
        for _ in range(blocks):
            packed = struct.unpack_from("<I", data, at)[0] if at + 16 <= len(data) else 0
            if not packed:
                raise DamagedError(f"{self.path}: a compressed block is missing")
            yield zlib.decompressobj().decompress(data[at + 16 : at + 16 + packed], size)
            at += 16 + packed

    def _entries(self, first: int, count: int) -> Iterator[Inner]:
        each = (self.chunk - HEAD) // ENTRY
        entries = b"".join(chunk[: each * ENTRY] for chunk in self._list(first, -(-count // each)))
        for i in range(count):
            entry = entries[i * ENTRY : (i + 1) * ENTRY]
            table, size = struct.unpack_from("<IQ", entry)
            if entry[220]:  # a folder
                continue
            name = entry[224:480].split(b"\0", 1)[0].decode("utf-8", "replace")
            n = -(-size // (self.chunk - HEAD))
            if n * self.chunk > self.bytes + self.chunk:
                raise TruncatedError(f"{self.path}: {name} has {size} bytes, the whole container has {self.bytes}")
            per = (self.chunk - HEAD) // 4
            chunks = b"".join(chunk[: per * 4] for chunk in self._list(table, -(-n // per)))
            numbers = np.frombuffer(chunks[: 4 * n], "<u4").astype(np.int64)
            last = size - (n - 1) * (self.chunk - HEAD) if n else 0
            self._check(name, numbers, last)
            yield Inner(name, size, numbers)

    def _check(self, name: str, numbers: np.ndarray, last: int) -> None:
        """Check that every chunk of a file is there, of the last one `last` bytes."""
        needs = [(int(number), self.chunk) for number in numbers[:-1]] + [
            (int(number), last + HEAD) for number in numbers[-1:]
        ]
        for number, used in needs:
            if START + number * self.chunk + used > self.bytes:
                raise TruncatedError(
                    f"{self.path}: {name} continues in chunk {number}, but the file ends after {self.bytes} bytes"
                )

    def _list(self, first: int, count: int) -> Iterator[bytes]:
        """Yield the payloads of a list that goes on from chunk to chunk."""
        for _ in range(count):
            payload = self._payload(first)
            if not payload:
                raise TruncatedError(f"{self.path}: its lists continue in chunk {first}, which is not there")
            yield payload
            with open(self.path, "rb") as file:
                file.seek(START + first * self.chunk)
                first = struct.unpack("<I", file.read(4))[0]

    def _payload(self, number: int) -> bytes:
        with open(self.path, "rb") as file:
            file.seek(START + number * self.chunk + HEAD)
            return file.read(self.chunk - HEAD)
