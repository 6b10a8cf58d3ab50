"""Layouts of records, field by field, from the tables of clauses 4.2 to 5.4."""

from __future__ import annotations

from typing import Any

from construct import Bytes, Int8ul, Int16ul, Int32ul, Int64ul, Struct

SIGNATURE = bytes.fromhex("894C424A0D0A1A0A")
"""The first eight bytes of a file (clause 4.1.1)."""
MARKER = bytes.fromhex("F54C42")
"""The first three bytes of a record (clause 4.2.1)."""
MAJOR, MINOR = 0, 9

HEAD, FRAM, BLOK, DONE = b"HEAD", b"FRAM", b"BLOK", b"DONE"
COPY, AMND = b"hEAD", b"aMNd"
STATIC = 0xFFFF_FFFF_FFFF_FFFF
"""The frame number of a pseudo-frame of static signals (clause 5.2.3)."""
HAS_DIGEST = 0b1
"""Bit of a record's flags (clause 4.2.5)."""
HAS_WINDOW = 0b1
"""Bit of a block's flags (clause 5.3.4)."""

record = Struct(
    "marker" / Bytes(3),
    "flags" / Int8ul,
    "type" / Bytes(4),
    "length" / Int64ul,
    "payload_crc" / Int32ul,
    "header_crc" / Int32ul,
)
head = Struct("major" / Int16ul, "minor" / Int16ul, "unused" / Int32ul)
fram = Struct("frame" / Int64ul, "unused" / Int64ul)
blok = Struct(
    "frame" / Int64ul,
    "signal" / Int16ul,
    "coding" / Int16ul,
    "flags" / Int32ul,
    "voxels" / Int32ul,
    "events" / Int32ul,
)
bounds = Struct("start" / Int32ul, "stop" / Int32ul)
done = Struct("frame" / Int64ul, "blocks" / Int32ul, "unused" / Int32ul, "events" / Int64ul)

RECORD_SIZE, FRAM_SIZE, BLOK_SIZE, BOUNDS_SIZE = 24, 16, 24, 8


def packed(layout: Struct, **fields: Any) -> bytes:
    """Bytes of a layout; fields that are not given are 0."""
    given = {part.name: fields.get(part.name, 0) for part in layout.subcons}
    made: bytes = layout.build(given)
    return made
