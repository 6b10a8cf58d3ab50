"""Layouts of every record, field by field: the executable form of the tables in spec/lbj.md.

Payloads are parsed by these declarations. What is written for every frame, and the headers of records, go through
`struct.Struct` objects that are derived from them, an order of magnitude faster.
"""

from __future__ import annotations

import struct

from construct import Array, Bytes, Const, GreedyBytes, Int8ul, Int16ul, Int32ul, Int64ul, Struct, this

SIGNATURE = b"\x89LBJ\r\n\x1a\n"
MARKER = b"\xf5LB"
MAJOR, MINOR = 0, 9

HEAD, FRAM, BLOK, DONE = b"HEAD", b"FRAM", b"BLOK", b"DONE"
INDX, FOOT, AMND, CONT, COPY, PERS, DISP = b"iNDX", b"fOOT", b"aMNd", b"cONT", b"hEAD", b"pERs", b"dISP"
CRITICAL = (HEAD, FRAM, BLOK, DONE)


def packer(declared: Struct) -> struct.Struct:
    """Return the packer of a declaration's fields of fixed size, constants included, in their order."""
    fields = [field.subcon for field in declared.subcons if field.subcon is not GreedyBytes]
    return struct.Struct("<" + "".join(getattr(field, "fmtstr", f"<{field.sizeof()}s")[1:] for field in fields))


RECORD_SIZE = 24
HAS_DIGEST = 1
STATIC = 2**64 - 1
HAS_WINDOW = 1
MODULO_LATTICE = 1
LEFT_OUT = 1

_record = Struct(
    "marker" / Const(MARKER),
    "flags" / Int8ul,
    "type" / Bytes(4),
    "length" / Int64ul,
    "payload_crc" / Int32ul,
    "header_crc" / Int32ul,
)
record = _record.compile()
pack_record, unpack_record = packer(_record).pack, packer(_record).unpack

head = Struct(
    "major" / Int16ul,
    "minor" / Int16ul,
    "unused" / Int32ul,
    "json" / GreedyBytes,
).compile()

_fram = Struct(
    "frame" / Int64ul,
    "unused" / Int64ul,
)
fram = _fram.compile()
pack_fram = packer(_fram).pack
FRAM_SIZE = 16

_blok = Struct(
    "frame" / Int64ul,
    "signal" / Int16ul,
    "coding" / Int16ul,
    "flags" / Int32ul,
    "voxels" / Int32ul,
    "events" / Int32ul,
)
blok = _blok.compile()
pack_blok = packer(_blok).pack
BLOK_SIZE = 24

_bounds = Struct(
    "start" / Int32ul,
    "stop" / Int32ul,
)
bounds = _bounds.compile()
pack_bounds = packer(_bounds).pack
BOUNDS_SIZE = 8

_done = Struct(
    "frame" / Int64ul,
    "blocks" / Int32ul,
    "unused" / Int32ul,
    "events" / Int64ul,
    "json" / GreedyBytes,
)
done = _done.compile()
pack_done = packer(_done).pack
DONE_SIZE = 24

indx = Struct(
    "frames" / Int64ul,
    "signals" / Int32ul,
    "statics" / Int32ul,
    "others" / Int32ul,
    "unused" / Int32ul,
    "totals" / Array(this.signals, Struct("events" / Int64ul, "bytes" / Int64ul)),
    "groups" / Array(this.frames + this.statics, Struct("fram" / Int64ul, "done" / Int64ul)),
    "other" / Array(this.others, Struct("type" / Bytes(4), "unused" / Int32ul, "offset" / Int64ul)),
).compile()
INDX_SIZE = 24

foot = Struct(
    "index" / Int64ul,
    "frames" / Int64ul,
    "size" / Int64ul,
).compile()
FOOT_SIZE = 24

cont = Struct(
    "frames" / Int64ul,
    "sha256" / Bytes(32),
).compile()
CONT_SIZE = 40

disp = Struct(
    "frames" / Int64ul,
    "signal" / Int16ul,
    "terms" / Int16ul,
    "rows" / Int32ul,
    "columns" / Int32ul,
    "flags" / Int32ul,
).compile()
DISP_SIZE = 24

# Where a payload has its unused field (clause 1.5).
UNUSED = {HEAD: slice(4, 8), COPY: slice(4, 8), FRAM: slice(8, 16), DONE: slice(12, 16), INDX: slice(20, 24)}
