"""Build journals byte by byte, right or wrong, from the standard's tables, and keep what a reader must find in them."""

from __future__ import annotations

import hashlib
import json
import math
import struct
import zlib
from typing import Any, NamedTuple

import numpy as np

from . import codings

SIGNATURE = b"\x89LBJ\r\n\x1a\n"
UUID = "00000000-0000-4000-8000-000000000000"
STATIC = 2**64 - 1
DENSE = 2**24
TINY = 64

Json = dict[str, Any]


class Counts(NamedTuple):
    """Counts of an array too large to be held dense: [channel-major voxel index, count] in rising order."""

    list: list[list[int]]


class Block(NamedTuple):
    """One block of a signal: window (bounds per axis) and coding."""

    window: list[tuple[int, int]] | None = None
    coding: str = ""
    options: Json = {}  # noqa: RUF012 of the coding's encoder


def compact(value: Any) -> bytes:
    """JSON text without spaces."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def record(kind: bytes, payload: bytes, *, digest: bool = True, flags: int | None = None) -> bytes:
    """Bytes of one record (clause 4.2)."""
    crc = zlib.crc32(payload) if digest else 0
    start = b"\xf5LB" + bytes([digest if flags is None else flags]) + kind + struct.pack("<QI", len(payload), crc)
    return start + struct.pack("<I", zlib.crc32(start)) + payload + bytes(-len(payload) % 8)


def resealed(data: bytearray, at: int) -> None:
    """Make the header digest of the record at `at` right again."""
    data[at + 20 : at + 24] = struct.pack("<I", zlib.crc32(data[at : at + 20]))


def events(name: str = "EDX", shape: tuple[int, ...] = (2, 3, 4), dtype: str = "uint32", **more: Any) -> Json:
    """Declaration of an events signal."""
    return {"name": name, "kind": "events", "shape": list(shape), "dtype": dtype, **more}


def spectra(name: str = "EELS", shape: tuple[int, ...] = (2, 3, 4), dtype: str = "float32", **more: Any) -> Json:
    """Declaration of a spectra signal."""
    return {"name": name, "kind": "spectra", "shape": list(shape), "dtype": dtype, **more}


def image(name: str = "HAADF", shape: tuple[int, ...] = (2, 3), dtype: str = "uint16", **more: Any) -> Json:
    """Declaration of an image signal."""
    return {"name": name, "kind": "image", "shape": list(shape), "dtype": dtype, **more}


def draw(seed: str, shape: tuple[int, ...], dtype: str = "uint32", *, below: int = 2**32) -> np.ndarray:
    """Pseudo-random integers that depend on nothing but the seed: SHAKE-256 read as little-endian u32."""
    raw = hashlib.shake_256(seed.encode()).digest(4 * math.prod(shape))
    return (np.frombuffer(raw, "<u4") % np.uint64(below)).astype(dtype).reshape(shape)


def sparse(seed: str, shape: tuple[int, ...], dtype: str = "uint32", *, one_in: int = 6) -> np.ndarray:
    """Pseudo-random counts: one voxel in `one_in` is not empty, one of four of those holds two or three."""
    x = draw(seed, shape, below=4 * one_in)
    return np.asarray(np.where(x < 3, 1, np.where(x == 3, 2 + draw(seed + "+", shape, below=2), 0)).astype(dtype))


class File:
    """A journal under construction, with what a reader must find.

    Attributes
    ----------
    data : bytearray
    at : dict
        Offset of the last record of each type.
    frames, static : what a reader finds, as in the adapter protocol.
    """

    def __init__(
        self, *signals: Json, version: tuple[int, int] = (0, 9), digest: bool = True, unused: int = 0, **more: Any
    ) -> None:
        self.signals = list(signals) or [events()]
        self.version, self.digest, self.unused = version, digest, unused
        self.metadata: Json = more.get("metadata", {})
        self.described = self.signals
        self.data = bytearray(SIGNATURE)
        self.at: dict[str, int] = {}
        self.frames: list[Json] = []
        self.static: Json = {}
        self.groups: list[tuple[int, int]] = []
        self.statics: list[tuple[int, int]] = []
        self.others: list[tuple[bytes, int]] = []
        self.totals = [[0, 0] for _ in self.signals]
        self.contents: list[bytes] = []
        self.features = {f"kind:{signal['kind']}" for signal in self.signals if "kind" in signal}
        self.json = compact({"uuid": UUID, "signals": self.signals, **more})
        self.put(b"HEAD", self.head())

    def head(self) -> bytes:
        """Payload of HEAD."""
        return struct.pack("<HHI", *self.version, self.unused) + self.json

    def put(self, kind: bytes, payload: bytes, *, listed: bool = True, **options: Any) -> int:
        """Append a record; returns its offset."""
        offset = len(self.data)
        self.at[kind.decode("latin-1")] = offset
        self.features |= {f"record:{kind.decode('latin-1')}", f"digest:{options.get('digest', self.digest)}".lower()}
        if kind not in (b"HEAD", b"FRAM", b"BLOK", b"DONE", b"iNDX", b"fOOT") and listed:
            self.others.append((kind, offset))
        self.data += record(kind, payload, **{"digest": self.digest, **options})
        return offset

    def fram(self, number: int | None = None) -> int:
        """Append FRAM."""
        self.number = len(self.frames) if number is None else number
        self.blocks, self.sum = 0, 0
        return self.put(b"FRAM", struct.pack("<QQ", self.number, self.unused))

    def blok(
        self,
        signal: int,
        coding: int,
        coded: bytes,
        voxels: int = 0,
        events: int = 0,
        *,
        window: list[tuple[int, int]] | None = None,
        flags: int | None = None,
        frame: int | None = None,
        **options: Any,
    ) -> int:
        """Append BLOK with the fields as given."""
        bits = int(window is not None) if flags is None else flags
        number = self.number if frame is None else frame
        payload = struct.pack("<QHHIII", number, signal, coding, bits, voxels, events)
        for bounds in window or []:
            payload += struct.pack("<II", *bounds)
        self.blocks += 1
        self.sum += events
        self.features |= {f"coding:{name}" for name, known in codings.NUMBER.items() if known == coding}
        self.features |= {"window"} if window else set()
        offset = self.put(b"BLOK", payload + coded, **options)
        if signal < len(self.totals):
            self.totals[signal][0] += events
            self.totals[signal][1] += len(self.data) - offset
        return offset

    def done(
        self,
        attributes: Json | bytes | None = None,
        *,
        blocks: int | None = None,
        total: int | None = None,
        number: int | None = None,
    ) -> int:
        """Append DONE."""
        text = attributes if isinstance(attributes, bytes) else compact(attributes) if attributes else b""
        count = self.blocks if blocks is None else blocks
        counts = self.sum if total is None else total
        frame = self.number if number is None else number
        return self.put(b"DONE", struct.pack("<QIIQ", frame, count, self.unused, counts) + text)

    def frame(self, data: Json | None = None, attributes: Json | None = None, blocks: Json | None = None) -> File:
        """Append a whole frame: data by signal name (arrays or Counts), coding and windows by `blocks`."""
        fram = self.fram()
        found = {name: self.add_signal(name, value, (blocks or {}).get(name)) for name, value in (data or {}).items()}
        self.groups.append((fram, self.done(attributes)))
        self.complete(found, attributes, self._sums(data or {}))
        self.contents.append(self.digest_of(data or {}))
        return self

    def complete(self, signals: Json, attributes: Json | None = None, groups: Json | None = None) -> None:
        """Note what a reader finds in the frame just completed."""
        self.frames.append({"attributes": attributes or {}, "signals": signals, "groups": groups or {}})

    def damage(self, error: str, offset: Any) -> None:
        """Note that a reader cannot read the frame just completed."""
        self.frames.append({"error": error, "offset": offset})

    def put_static(self, name: str, value: Any, **options: Any) -> File:
        """Append a pseudo-frame with one static signal."""
        fram = self.fram(STATIC)
        self.static[name] = self.add_signal(name, value, options.get("blocks"))
        self.statics.append((fram, self.done()))
        return self

    def add_signal(self, name: str, value: Any, blocks: Any) -> Json:
        """Add the blocks of a signal to the frame, and return what a reader must find."""
        number = [signal["name"] for signal in self.signals].index(name)
        signal = self.signals[number]
        kind = signal["kind"]
        for block in blocks or [Block()]:
            coding = block.coding or ("leb128" if kind == "events" else "raw")
            window = block.window or [(0, size) for size in signal["shape"]]
            if kind == "events":
                voxel, count = cut(signal["shape"], value, window)
                shape = tuple(stop - start for start, stop in window)
                coded = codings.counts(coding, voxel, count, shape, signal["dtype"], **block.options)
                self.blok(number, codings.NUMBER[coding], coded, len(voxel), sum(count), window=block.window)
            else:
                part = value[tuple(slice(*bounds) for bounds in window)]
                coded = codings.array(coding, part.astype(np.dtype(signal["dtype"]).newbyteorder("<")), **block.options)
                self.blok(number, codings.NUMBER[coding], coded, window=block.window)
        return expected_array(signal["shape"], signal["dtype"], value)

    def _sums(self, data: Json) -> Json:
        out: Json = {}
        for signal in self.signals:
            group = signal.get("group")
            if group and signal["kind"] == "events" and signal["name"] in data:
                out[group] = out.get(group, 0) + data[signal["name"]].astype(np.uint64)
        return {name: expected_array(list(value.shape), "uint64", value) for name, value in out.items()}

    def digest_of(self, data: Json) -> bytes:
        """Frame digest of clause 7.3.1."""
        frame = hashlib.sha256()
        for signal in self.signals:
            if signal["name"] not in data:
                continue
            value, shape = data[signal["name"]], signal["shape"]
            title = [signal["name"], signal["kind"], signal["dtype"], ",".join(map(str, shape))]
            one = hashlib.sha256("".join(line + "\n" for line in title).encode())
            if signal["kind"] == "events":
                voxel, count = cut(shape, value, [(0, size) for size in shape])
                pixels = math.prod(shape[:-1])
                for numbers in ([v // pixels for v in voxel], [v % pixels for v in voxel], count):
                    one.update(np.array(numbers, "<u4").tobytes())
            else:
                one.update(value.astype(np.dtype(signal["dtype"]).newbyteorder("<")).tobytes())
            frame.update(one.digest())
        return frame.digest()

    def content(self) -> bytes:
        """Content digest of all frames (clause 7.3.1)."""
        return hashlib.sha256(b"".join(self.contents)).digest()

    def close(self, *, change: Any = None, other: list[tuple[bytes, int]] | None = None) -> File:
        """Append index and footer (clause 6); `change` may alter the numbers before they are packed."""
        size_of = 24 + 16 * (len(self.totals) + len(self.groups) + len(self.statics) + len(self.others))
        offset = len(self.data)
        fields: Json = {
            "counts": [len(self.groups), len(self.totals), len(self.statics), len(self.others), self.unused],
            "totals": [tuple(total) for total in self.totals],
            "groups": self.groups + self.statics,
            "others": list(self.others if other is None else other),
            "foot": [offset, len(self.groups), offset + 24 + size_of + 48],
            "after": b"",
        }
        if change:
            change(fields)
        payload = struct.pack("<QIIII", *fields["counts"])
        payload += b"".join(struct.pack("<QQ", *pair) for pair in fields["totals"] + fields["groups"])
        payload += b"".join(struct.pack("<4sIQ", kind, self.unused, at) for kind, at in fields["others"])
        self.put(b"iNDX", payload + fields["after"], digest=True)
        self.put(b"fOOT", struct.pack("<QQQ", *fields["foot"]), digest=True)
        return self

    def expect(self, frames: int | None = None, **change: Any) -> Json:
        """Answer of a reader; `frames`: how many of the frames it gives."""
        out: Json = {
            "result": "ok",
            "offset": None,
            "version": list(self.version),
            "header": {"signals": self.described, "metadata": self.metadata},
            "frames": self.frames[:frames],
            "static": self.static,
        }
        if frames is None and len(self.contents) == len(self.frames):
            out["digest"] = self.content().hex()
        if change.get("result", "ok") not in ("ok", "truncated"):
            del out["static"]
        out.update(change)
        return out


def cut(shape: list[int], value: Any, window: list[tuple[int, int]]) -> tuple[list[int], list[int]]:
    """Channel-major indices inside the window, and counts, of the voxels that are not empty."""
    if isinstance(value, Counts):
        return _cut_list(shape, value, window)
    part = value[tuple(slice(*bounds) for bounds in window)]
    flat = np.moveaxis(part, -1, 0).ravel()
    voxel = np.flatnonzero(flat)
    return voxel.tolist(), flat[voxel].tolist()


def _cut_list(shape: list[int], value: Counts, window: list[tuple[int, int]]) -> tuple[list[int], list[int]]:
    pixels, inside = math.prod(shape[:-1]), []
    for index, count in value.list:
        place, rest = [index // pixels], index % pixels
        for size in reversed(shape[:-1]):
            place.insert(1, rest % size)
            rest //= size
        place = [*place[1:], place[0]]
        if not all(start <= i < stop for i, (start, stop) in zip(place, window, strict=True)):
            continue
        at = place[-1] - window[-1][0]
        for i, (start, stop) in zip(place[:-1], window[:-1], strict=True):
            at = at * (stop - start) + i - start
        inside.append((at, count))
    inside.sort()
    return [at for at, _ in inside], [count for _, count in inside]


def expected_array(shape: list[int], dtype: str, value: Any) -> Json:
    """What a reader answers for an array: full values where they are few, else the digest, a list where it is huge."""
    out: Json = {"shape": list(shape), "dtype": dtype}
    if math.prod(shape) > DENSE and isinstance(value, Counts):
        return {**out, "list": value.list}
    flat = value.astype(np.dtype(dtype).newbyteorder("<"))
    if flat.size <= TINY and flat.dtype.kind != "f":
        return {**out, "values": flat.ravel().tolist()}
    return {**out, "sha256": hashlib.sha256(flat.tobytes()).hexdigest()}
