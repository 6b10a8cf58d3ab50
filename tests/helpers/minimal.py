"""A minimal journal put together with struct and zlib alone, from the specification's tables, and its annotated hex.

Run ``python tests/helpers/minimal.py > spec/minimal.md`` after a change of the standard.
"""

import struct
import zlib

HEADER_JSON = (
    b'{"uuid":"00000000-0000-4000-8000-000000000000",'
    b'"signals":[{"name":"EDX","kind":"events","shape":[2,3,4],"dtype":"uint32"}]}'
)
TITLE = """# A minimal file, byte by byte

A journal of one frame of one EDX signal of 2 x 3 pixels and 4 channels, with three counts: one in channel 0 of pixel
(y 0, x 1), two in channel 2 of pixel (y 1, x 0). It is closed: index and footer are there. Made by
`tests/helpers/minimal.py`.

The voxels are 0 * 6 + 1 = 1 with count 1, and 2 * 6 + 3 = 15 with count 2 (clause 2.3). In leb128 (clause 8.2) they are
the token 1 * 2 + 0 = `02`, then the token (15 - 2) * 2 + 1 = `1B` and count - 2 = `00`.

The same three counts in split-rice (clause 8.3) with m = 4: V = 24 makes two chunks of 16, E = 3. At the start
A = 48 // 1 = 48 and B = 16 << ((bit_length(3) + 1) // 2) = 32. Chunk 0: N = 3, p = 56 >> 4 = 3, z = 0, k = 1: bits
`0 0`. A = 48, B = 32 + 0 - 2 = 30. Split of 16 with N = 3: L = 1, h = 1, z = 0, k = 0: `0`. Lower half, N = 1: index 1 in
3 bits, lowest first: `1 0 0`. Upper half (8 to 15), N = 2: L = 0, h = 1, z = 2, t = 2: `1 1`. Of 12 to 15: L = 0: `1 1`.
Of 14 to 15: `1 1`. Of 15 alone: nothing, its count is 2. Chunk 1: N = 0, p = 3, z = 5, k = 0: `1 1 1 1 1 0`. With m in
front and the first bit lowest, these 18 bits are the bytes `04 C8 FF 01`.

Content digests (clause 7.3), computed by an implementation made from the text alone: signal
`651753789b74ac571d4414c755d7227353a653d3dbbec89463b1df9a9d539be5`, frame
`2cca43d0ec58a937c4ff305b65da78251f40a3199990e0850c34ec8264a0eb6a`, journal
`d50ce5aeddb4e51d5a836cde2e3ec5f23444ce58fc14661c726f414d9486ec2a`.
"""


def record(kind: bytes, *fields: tuple[str, bytes], digest: bool = True):
    """Rows (bytes, text) of one record."""
    payload = b"".join(data for data, _ in fields)
    crc = zlib.crc32(payload) if digest else 0
    start = b"\xf5LB" + bytes([digest]) + kind + struct.pack("<QI", len(payload), crc)
    yield start[:3], "marker"
    yield start[3:4], "flags: the payload has a digest"
    yield kind, f"type {kind.decode()}"
    yield start[8:16], f"length {len(payload)}"
    yield start[16:20], "payload_crc"
    yield struct.pack("<I", zlib.crc32(start)), "header_crc"
    yield from fields
    if len(payload) % 8:
        yield bytes(-len(payload) % 8), "padding"


def rows():
    """Rows (bytes, text) of the whole file."""
    out = [(b"\x89LBJ\r\n\x1a\n", "signature")]

    def size():
        return sum(len(data) for data, _ in out)

    out += record(
        b"HEAD",
        (struct.pack("<H", 0), "major 0"),
        (struct.pack("<H", 9), "minor 9"),
        (bytes(4), "unused"),
        (HEADER_JSON, "json: " + HEADER_JSON.decode()),
    )
    fram = size()
    out += record(b"FRAM", (struct.pack("<Q", 0), "frame 0"), (bytes(8), "unused"))
    blok = size()
    out += record(
        b"BLOK",
        (struct.pack("<Q", 0), "frame 0"),
        (struct.pack("<H", 0), "signal 0"),
        (struct.pack("<H", 1), "coding 1: leb128"),
        (struct.pack("<I", 0), "flags: no window"),
        (struct.pack("<I", 2), "voxels 2"),
        (struct.pack("<I", 3), "events 3"),
        (b"\x02", "gap 1, count 1"),
        (b"\x1b", "gap 13, count above 1"),
        (b"\x00", "count 2"),
    )
    done = size()
    out += record(
        b"DONE",
        (struct.pack("<Q", 0), "frame 0"),
        (struct.pack("<I", 1), "blocks 1"),
        (bytes(4), "unused"),
        (struct.pack("<Q", 3), "events 3"),
    )
    index = size()
    out += record(
        b"iNDX",
        (struct.pack("<Q", 1), "frames 1"),
        (struct.pack("<I", 1), "signals 1"),
        (struct.pack("<I", 0), "statics 0"),
        (struct.pack("<I", 0), "others 0"),
        (bytes(4), "unused"),
        (struct.pack("<Q", 3), "total: events 3"),
        (struct.pack("<Q", done - blok), f"total: bytes {done - blok}"),
        (struct.pack("<Q", fram), f"group: fram {fram}"),
        (struct.pack("<Q", done), f"group: done {done}"),
    )
    end = size() + 48
    out += record(
        b"fOOT",
        (struct.pack("<Q", index), f"index {index}"),
        (struct.pack("<Q", 1), "frames 1"),
        (struct.pack("<Q", end), f"size {end}"),
    )
    return out


def page() -> str:
    """Return the page spec/minimal.md."""
    lines = [TITLE, "```"]
    at = 0
    for data, text in rows():
        for i in range(0, len(data), 16):
            lines.append(f"{at + i:5d}  {data[i : i + 16].hex(' '):<47}  {text if i == 0 else ''}".rstrip())
        at += len(data)
    return "\n".join([*lines, "```", ""])


if __name__ == "__main__":
    print(page(), end="")
