"""Cut at every byte, and with every bit flipped, a small journal gives the result that clause 9.1 states."""

import io
import re
import struct
import zlib

import numpy as np
import pytest
from cells import more

import lbj
from lbj.format import layout
from lbj.recovery.recover import recover
from lbj.recovery.verify import verify

SHAPE = (2, 3, 4)


def cube(i):
    return np.random.default_rng(i).poisson(0.3, SHAPE).astype(np.uint32)


def image(i):
    return np.full((2, 3), 100 + i, np.uint16)


def build(*, close=True, frames=3):
    file = io.BytesIO()
    writer = lbj.create(
        file, [lbj.Signal("EDX", "events", SHAPE), lbj.Signal("I", "image", (2, 3), coding="raw")], {"title": "t"}
    )
    ends = [file.tell()]
    for i in range(frames):
        writer.append({"EDX": cube(i), "I": image(i)}, region=i)
        ends.append(file.tell())
    writer.amend({"metadata": {"title": "amended"}})
    ends.append(file.tell())
    if close:
        writer.close()
    return file.getvalue(), ends


def read(data):
    """Frames as {number: (cube, image)}, or the error; and the damaged frames' numbers."""
    whole, damaged = {}, []
    with lbj.open(io.BytesIO(data)) as journal:
        for i in range(len(journal)):
            try:
                whole[i] = (journal[i].array("EDX"), journal[i].array("I"))
            except lbj.DamagedError as error:
                assert error.offset is not None
                assert error.clause
                damaged.append(i)
        return whole, damaged, journal


def right(whole):
    return all(np.array_equal(c, cube(i)) and np.array_equal(p, image(i)) for i, (c, p) in whole.items())


def restored(data, expect_loss=True):
    lost = []
    out = io.BytesIO()
    kept, _, count = recover(io.BytesIO(data), out, lost.append)
    assert count == len(lost)
    assert bool(lost) == expect_loss
    assert list(verify(out)) == []
    with lbj.open(out) as journal:
        assert len(journal) == len(kept)
        frames = {}
        for i, frame in enumerate(journal):
            number = (frame.metadata or {}).get("original_frame", i)
            frames[number] = (frame.array("EDX"), frame.array("I"))
        return frames


def record(kind, payload, *, flags=1, crc=None):
    crc = zlib.crc32(payload) if crc is None else crc
    head = b"\xf5LB" + bytes([flags]) + kind + struct.pack("<QI", len(payload), crc if flags else 0)
    return head + struct.pack("<I", zlib.crc32(head)) + payload + bytes(-len(payload) % 8)


@pytest.mark.parametrize("close", [True, False])
def test_every_prefix(close):
    data, ends = build(close=close)
    for cut in range(len(data)):
        part = data[:cut]
        if cut < ends[0]:
            with pytest.raises(lbj.TruncatedError):
                lbj.open(io.BytesIO(part))
            assert [finding.offset for finding in verify(io.BytesIO(part))] != []
            continue
        due = sum(cut >= end for end in ends[1:4])
        whole, damaged, journal = read(part)
        assert sorted(whole) == list(range(due))
        assert damaged == []
        assert right(whole)
        assert not journal.complete
        boundaries = {0, *(end for end in ends)}
        if cut not in boundaries and cut < ends[-1]:
            assert isinstance(journal.tail, lbj.TruncatedError)
            assert journal.tail.offset >= max(end for end in boundaries if end <= cut)
        codes = {finding.code for finding in verify(io.BytesIO(part))}
        assert "6.1" in codes
        assert codes <= {"6.1", "4.4.1", "5.4.1"}


def test_every_prefix_is_recovered_and_continued():
    data, ends = build()
    for cut in range(ends[0], len(data), 5):
        due = sum(cut >= end for end in ends[1:4])
        part = io.BytesIO(data[:cut])
        with lbj.append(part) as writer:
            assert len(writer) == due
            writer.append({"EDX": cube(due), "I": image(due)})
        whole, _, journal = read(part.getvalue())
        assert len(whole) == due + 1
        assert right(whole)
        assert journal.complete
        assert list(verify(part)) == []
    for cut in (ends[1] + 100, ends[3] - 1):
        frames = restored(data[:cut])
        assert sorted(frames) == list(range(sum(cut >= end for end in ends[1:4])))
        assert right(frames)


def test_a_zero_filled_tail_is_truncation():
    data, ends = build(close=False)
    for size in (24, 4096):
        _, damaged, journal = read(data[: ends[2]] + bytes(size))
        assert len(journal) == 2
        assert damaged == []
        assert journal.tail.clause == "4.4.2"


def padding_bits(data):
    """Offsets of padding bytes, found by walking the records."""
    at, out = 8, set()
    while at < len(data):
        length = struct.unpack_from("<Q", data, at + 8)[0]
        end = at + 24 + length
        out |= set(range(end, end + -length % 8))
        at = end + -length % 8
    return out


def fixed_bytes(data):
    """Offsets of the signature, and of every record's header and the first 24 bytes of its payload."""
    at, out = 8, set(range(8))
    while at < len(data):
        out |= set(range(at, at + 48))
        at += 24 + (struct.unpack_from("<Q", data, at + 8)[0] + 7) // 8 * 8
    return out


@pytest.mark.parametrize(("close", "bits"), [(True, 2), (False, 1), more(True, 8)])
def test_every_flipped_bit(close, bits):
    """So many where each bit has a meaning of its own; one of every other byte, which only a digest looks at."""
    data, ends = build(close=close)
    padding, fixed = padding_bits(data), fixed_bytes(data)
    for byte in range(len(data)):
        for bit in [(byte + k * 8 // bits) % 8 for k in range(bits if byte in fixed else 1)]:
            torn = bytearray(data)
            torn[byte] ^= 1 << bit
            codes = [finding.code for finding in verify(io.BytesIO(torn))]
            assert [code for code in codes if code != "6.1"] or byte >= ends[-1], (byte, bit)
            try:
                whole, damaged, journal = read(torn)
            except lbj.DamagedError as error:
                # Signature, HEAD or amendment; or a broken chain without an index.
                assert byte not in padding
                assert byte < ends[0] or byte >= ends[3] or not close, (byte, bit, error)
                assert error.offset is not None
                continue
            assert right(whole), (byte, bit)
            if byte in padding or byte >= ends[3]:
                assert sorted(whole) == [0, 1, 2]
                assert journal.complete == (close and byte < len(data) - 24)
                continue
            hit = sum(byte >= end for end in ends[1:4])
            if close:
                assert journal.complete
                assert damaged == [hit]
            else:
                # Without an index the chain is walked; only a payload digest is left to be found on access, and a
                # longer length may reach past the end.
                assert set(range(hit)) <= set(whole)
                assert hit not in whole


def test_every_flipped_byte_is_recovered_but_for_its_own_frame():
    data, ends = build()
    padding = padding_bits(data)
    for byte in range(ends[0], ends[4], 3):
        torn = bytearray(data)
        torn[byte] ^= 0x10
        hit = sum(byte >= end for end in ends[1:4])
        in_frame = byte < ends[3] and byte not in padding
        frames = restored(bytes(torn), expect_loss=byte not in padding)
        assert right(frames)
        assert sorted(frames) == [i for i in range(3) if not (in_frame and i == hit)]


def test_recover_uses_the_copy_of_a_lost_head():
    file = io.BytesIO()
    writer = lbj.create(file, [lbj.Signal("I", "image", (300, 400), coding="raw")])
    for i in range(4):
        writer.append({"I": np.full((300, 400), i)})
    writer.close()
    data = bytearray(file.getvalue())
    assert data.count(b"\xf5LB\x01hEAD") == 1
    data[40] ^= 1
    lost, out = [], io.BytesIO()
    with pytest.raises(lbj.DamagedError):
        lbj.open(io.BytesIO(data))
    kept, _, _ = recover(io.BytesIO(data), out, lost.append)
    assert kept == [0, 1, 2, 3]
    assert "copy" in lost[0]
    with lbj.open(out) as journal:
        assert [frame.array("I").max() for frame in journal] == [0, 1, 2, 3]


def test_recover_without_any_head_says_so():
    data, _ = build()
    torn = bytearray(data)
    torn[40] ^= 1
    with pytest.raises(lbj.DamagedError, match=r"HEAD.*another copy of the file"):
        recover(io.BytesIO(torn), io.BytesIO(), print)


def test_other_files_are_named():
    for start, words in (
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"PK\x03\x04aaaa", "zip"),
        (b"\x89PNG\r\n\x1a\n", "signature"),
    ):
        with pytest.raises(lbj.DamagedError, match=words) as caught:
            lbj.open(io.BytesIO(start + bytes(100)))
        assert caught.value.offset == 0
    with pytest.raises(lbj.TruncatedError):
        lbj.open(io.BytesIO(b""))


def replace_head(data, change):
    length = struct.unpack_from("<Q", data, 16)[0]
    end = 32 + length + -length % 8
    return data[:8] + record(b"HEAD", change(data[32 : 32 + length])) + data[end:]


def test_a_newer_major_version_is_refused_and_a_newer_minor_read():
    data, _ = build(close=False)
    newer = replace_head(data, lambda head: struct.pack("<HH", 7, 3) + head[4:])
    with pytest.raises(lbj.UnsupportedError, match=r"7\.3.*knows up to 0"):
        lbj.open(io.BytesIO(newer))
    newer = replace_head(data, lambda head: struct.pack("<HH", 0, 99) + head[4:])
    assert right(read(newer)[0])
    with pytest.raises(lbj.UsageError, match="minor version 99"):
        lbj.append(io.BytesIO(newer))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"{",
        b'{"signals":[]}',
        b'{"signals":[{"name":"EDX"}]}',
        b'{"signals":1}',
        b'{"signals":[1]}',
        b'{"signals":[{"name":"a","kind":"events","shape":[1,-1,1],"dtype":"uint32"}]}',
        b'{"signals":[{"name":"a","kind":"events","shape":[1,1.5,1],"dtype":"uint32"}]}',
        b'{"signals":[{"name":"a","kind":"events","shape":{"a":1},"dtype":"uint32"}]}',
        b'{"signals":[{"name":"a","kind":"events","shape":[1,1,1],"dtype":["uint32"]}]}',
        b'{"signals":[{"name":"a","kind":["events"],"shape":[1,1,1],"dtype":"uint32"}]}',
        b'{"signals":[{"name":"a","kind":"image","shape":[1,1],"dtype":"uint8","axes":[1,2]}]}',
        b'{"signals":[{"name":"a","kind":"image","shape":[1,1],"dtype":"uint8","axes":[{"name":"y","values":1},{}]}]}',
        b'{"signals":[{"name":"a","kind":"image","shape":[1,1],"dtype":"uint8","to_field":[1,2]}]}',
        b'{"signals":[{"name":"a","kind":"image","shape":[1,1],"dtype":"uint8","group":["a"]}]}',
        b'{"signals":[{"name":"a","kind":"image","shape":[1,1],"dtype":"uint8","coding":7}]}',
        b'{"signals":[{"name":"a","kind":"image","shape":[1,1],"dtype":"uint8","metadata":7}]}',
        b'{"a":NaN}',
        b'{"a":1e999}',
        b'{"a":' + b"9" * 400 + b"}",
        b'{"a":1,"a":2}',
        b'{"a":"\\ud800"}',
        b'\xef\xbb\xbf{"a":1}',
        b'{"a":"\xff"}',
        b'{"a":' + b"[" * 40 + b"]" * 40 + b"}",
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_headers_that_lie(text):
    data, _ = build(close=False)
    with pytest.raises(lbj.DamagedError) as caught:
        lbj.open(io.BytesIO(replace_head(data, lambda head: head[:8] + text)))
    assert caught.value.offset == 8
    assert caught.value.clause in ("4.5", "5.1.4")


def insert(data, at, *records):
    return data[:at] + b"".join(records) + data[at:]


def test_unknown_records():
    data, ends = build(close=False)
    for at in (ends[1], ends[1] + 40):  # between frames, and inside one
        with pytest.raises(lbj.UnsupportedError, match=rf"'XYZW' .* at byte {at}"):
            lbj.open(io.BytesIO(insert(data, at, record(b"XYZW", b"12345"))))
        with pytest.raises(lbj.UnsupportedError, match="XyZW"):
            lbj.open(io.BytesIO(insert(data, at, record(b"XyZW", b"12345"))))
        for kind in (b"xYZW", b"xyZw"):
            whole, _, _ = read(insert(data, at, record(kind, b"12345", flags=0)))
            assert len(whole) == 3
            assert right(whole)
        with pytest.raises(lbj.UnsupportedError, match="third"):
            lbj.open(io.BytesIO(insert(data, at, record(b"xYzW", b""))))
        with pytest.raises(lbj.UnsupportedError, match="reserved"):
            lbj.open(io.BytesIO(insert(data, at, record(b"xYZW", b"", flags=3))))
        with pytest.raises(lbj.DamagedError, match="second HEAD"):
            lbj.open(io.BytesIO(insert(data, at, record(b"HEAD", b""))))


def test_an_index_that_hides_an_unknown_critical_record():
    file = io.BytesIO()
    writer = lbj.create(file, [lbj.Signal("I", "image", (2, 3))])
    writer.contents.others.append((b"XYZW", writer.contents.end))
    writer._store(record(b"XYZW", b""))
    writer.close()
    with pytest.raises(lbj.UnsupportedError, match="XYZW"):
        lbj.open(file)


def test_a_record_length_that_lies():
    data, ends = build(close=False)
    for length in (2**40, 2**62, 2**63, 2**64 - 1):
        head = b"\xf5LB\x00xYZW" + struct.pack("<QI", length, 0)
        head += struct.pack("<I", zlib.crc32(head))
        lying = insert(data, ends[1], head)
        if length > 2**62:
            with pytest.raises(lbj.DamagedError, match="2\\^62"):
                lbj.open(io.BytesIO(lying))
        else:
            whole, _, journal = read(lying)
            assert sorted(whole) == [0]
            assert journal.tail.offset == ends[1]
        assert sorted(restored(lying)) == [0, 1, 2]


FRAM = record(b"FRAM", struct.pack("<QQ", 0, 0))


def done(blocks, events, number=0, text=b""):
    return record(b"DONE", struct.pack("<QIIQ", number, blocks, 0, events) + text)


def blok(data, *, frame=0, signal=0, coding=1, flags=0, voxels=0, events=0, window=()):
    fixed = struct.pack("<QHHIII", frame, signal, coding, flags, voxels, events)
    return record(b"BLOK", fixed + b"".join(struct.pack("<II", *pair) for pair in window) + data)


FULL = ((0, 2), (0, 3), (0, 4))


@pytest.mark.parametrize(
    ("records", "error", "clause"),
    [
        ([blok(b"", voxels=1, events=1)], lbj.DamagedError, "8.2"),
        ([blok(b"\x00", voxels=2, events=1)], lbj.DamagedError, "5.3.6"),
        ([blok(b"\x00", voxels=0, events=1)], lbj.DamagedError, "5.3.6"),
        ([blok(b"", voxels=25, events=30)], lbj.DamagedError, "5.3.6"),
        ([blok(b"", voxels=24, events=2**32 - 1, coding=2)], lbj.DamagedError, "8.3"),
        ([blok(b"\x00\xff", voxels=1, events=1, coding=2)], lbj.DamagedError, "8.3"),
        ([blok(b"\x60", coding=2)], lbj.DamagedError, "8.3"),
        ([blok(b"", signal=9)], lbj.DamagedError, "5.3.2"),
        ([blok(b"", coding=3)], lbj.DamagedError, "5.3.2"),
        ([blok(b"", coding=999)], lbj.UnsupportedError, None),
        ([blok(b"", flags=2)], lbj.UnsupportedError, None),
        ([blok(b"", flags=1)], lbj.DamagedError, "4.3.4"),
        ([blok(b"", flags=1, window=((0, 2), (0, 3), (0, 5)))], lbj.DamagedError, "5.3.4"),
        ([blok(b"", flags=1, window=((1, 1), (0, 3), (0, 4)))], lbj.DamagedError, "5.3.4"),
        ([blok(b"", flags=1, window=((0, 2), (0, 3), (0, 3)))], lbj.DamagedError, "5.3.7"),
        ([blok(b"", flags=1, window=FULL), blok(b"", flags=1, window=FULL)], lbj.DamagedError, "5.3.7"),
        ([blok(b"", coding=0)], lbj.DamagedError, "8.1"),
        ([blok(bytes(96), coding=0, voxels=1, events=1)], lbj.DamagedError, "8.1"),
        ([blok(b"")] * 2, lbj.DamagedError, "5.3.7"),
        ([record(b"BLOK", b"123")], lbj.DamagedError, "4.3.4"),
        ([blok(b"", frame=5)], lbj.DamagedError, "5.3.1"),
    ],
)
def test_blocks_that_lie(records, error, clause):
    data, ends = build(close=False, frames=0)
    lying = data[: ends[0]] + FRAM + b"".join(records) + done(len(records), 0)
    with pytest.raises(error) as caught, lbj.open(io.BytesIO(lying)) as journal:
        journal[0].array("EDX")
    if clause:
        assert caught.value.clause == clause
        assert caught.value.offset >= ends[0]
    codes = {finding.code for finding in verify(io.BytesIO(lying))}
    assert (clause or caught.value.clause) in codes or clause in ("5.3.1", "4.3.4")
    assert restored(lying) == {}


@pytest.mark.parametrize(
    ("records", "clause"),
    [
        ([FRAM, done(1, 0)], "5.4.2"),
        ([FRAM, done(0, 0, number=1)], "5.4.2"),
        ([done(0, 0)], "5.4.2"),
        ([blok(b"")], "5.3.1"),
        ([record(b"FRAM", struct.pack("<QQ", 3, 0)), done(0, 0, number=3)], "5.2.2"),
        ([record(b"FRAM", bytes(8))], "5.2.1"),
        ([FRAM, record(b"DONE", bytes(8))], "4.3.4"),
    ],
)
def test_frames_that_lie(records, clause):
    data, ends = build(close=False, frames=0)
    with pytest.raises(lbj.DamagedError) as caught:
        lbj.open(io.BytesIO(data[: ends[0]] + b"".join(records)))
    assert caught.value.clause == clause
    assert list(verify(io.BytesIO(data[: ends[0]] + b"".join(records))))


def test_an_abandoned_frame_does_not_exist():
    data, ends = build(close=False, frames=0)
    whole = data[: ends[0]] + FRAM + blok(b"") + FRAM + blok(b"\x00", voxels=1, events=1) + done(1, 1)
    with lbj.open(io.BytesIO(whole)) as journal:
        assert len(journal) == 1
        assert journal[0].events("EDX").total == 1
        with pytest.raises(lbj.UsageError, match="holds no 'I'"):
            journal[0].array("I")


def test_attributes_that_lie():
    data, ends = build(close=False, frames=0)
    with lbj.open(io.BytesIO(data[: ends[0]] + FRAM + done(0, 0, text=b"[1]"))) as journal:
        with pytest.raises(lbj.DamagedError):
            _ = journal[0].attributes


def test_an_index_that_lies_is_ignored_or_caught():
    data, _ = build()
    index = data.rindex(b"iNDX") - 4
    length = struct.unpack_from("<Q", data, index + 8)[0]
    payload = data[index + 24 : index + 24 + length]
    foot = data[index + 24 + length :]
    size = struct.calcsize("<QIIII")
    for at, value in ((0, 2), (0, 2**60), (8, 5), (12, 9), (16, 2**32 - 1)):
        lie = bytearray(payload)
        struct.pack_into("<Q" if at == 0 else "<I", lie, at, value)
        whole, damaged, journal = read(data[:index] + record(b"iNDX", bytes(lie)) + foot)
        assert sorted(whole) == [0, 1, 2]
        assert damaged == []
        assert journal.complete
    lie = bytearray(payload)
    groups = size + 2 * 16
    first, second = payload[groups : groups + 16], payload[groups + 16 : groups + 32]
    lie[groups : groups + 32] = second + first
    swapped = data[:index] + record(b"iNDX", bytes(lie)) + foot
    assert sorted(read(swapped)[0]) == [0, 1, 2]
    assert "6.3.2" in {finding.code for finding in verify(io.BytesIO(swapped))}
    fram, end = struct.unpack("<QQ", first)
    for pair in ((fram, end - 8), (fram + 8, end)):
        lie[groups : groups + 32] = struct.pack("<QQ", *pair) + second
        assert read(data[:index] + record(b"iNDX", bytes(lie)) + foot)[1] == [0]


def test_huge_declared_shapes_allocate_nothing():
    file = io.BytesIO()
    signal = lbj.Signal("I", "image", (2**16 - 1, 2**16 - 1), dtype="float64")
    lbj.create(file, [signal]).close()
    import zstandard

    bomb = zstandard.ZstdCompressor().compress(bytes(1000))
    with lbj.open(file) as journal:
        start = journal.head.end
    lying = file.getvalue()[:start] + FRAM + blok(bomb, coding=3) + done(1, 0)
    with lbj.open(io.BytesIO(lying)) as journal, pytest.raises(lbj.UsageError, match="max_bytes"):
        journal[0].array("I")
    with lbj.open(io.BytesIO(lying), max_bytes=2**40) as journal, pytest.raises(lbj.DamagedError, match="content size"):
        journal[0].array("I")


def test_errors_are_one_tree():
    assert issubclass(lbj.TruncatedError, lbj.DamagedError)
    for kind in (lbj.DamagedError, lbj.UnsupportedError, lbj.UsageError, lbj.StorageError):
        assert issubclass(kind, lbj.LbjError)
    error = lbj.DamagedError("x is wrong", offset=5, clause="4.1")
    assert str(error) == "x is wrong at byte 5 [clause 4.1]"
    assert (error.offset, error.clause) == (5, "4.1")


@pytest.mark.parametrize("seed", [*range(15), *map(more, range(15, 40))])
def test_random_damage_never_crashes_or_invents(seed):
    rng = np.random.default_rng(seed)
    data, _ = build(close=bool(seed % 2))
    torn = bytearray(data)
    for _ in range(rng.integers(1, 6)):
        at, size = int(rng.integers(8, len(data))), int(rng.integers(1, 60))
        if rng.random() < 0.3:
            del torn[at : at + size]
        elif rng.random() < 0.5:
            torn[at:at] = rng.bytes(size)
        else:
            torn[at : at + size] = rng.bytes(len(torn[at : at + size]))
    for use in (read, lambda data: list(verify(io.BytesIO(data))), restored):
        try:
            result = use(bytes(torn))
        except (lbj.LbjError, AssertionError) as error:
            if isinstance(error, AssertionError):
                raise
            continue
        if use is read:
            assert right(result[0])


def test_layout_constants_are_the_sizes_of_their_layouts():
    assert layout.record.sizeof() == layout.RECORD_SIZE
    assert layout.blok.sizeof() == layout.BLOK_SIZE
    assert layout.foot.sizeof() == layout.FOOT_SIZE
    assert layout.bounds.sizeof() == layout.BOUNDS_SIZE


def test_an_amendment_inside_a_frame_is_ignored_by_every_role():
    data, ends = build(close=False)
    inside = insert(data, ends[1] + 40, record(b"aMNd", b'{"metadata":{"title":"wrong"}}'))
    with lbj.open(io.BytesIO(inside)) as journal:
        assert journal.metadata["title"] == "amended"
        assert len(journal) == 3
    out = io.BytesIO()
    assert recover(io.BytesIO(inside), out, print) == ([0, 1, 2], [], 0)
    with lbj.open(out) as journal:
        assert journal.metadata["title"] == "amended"


def test_recovery_keeps_the_provenance_and_names_what_is_lost():
    file = io.BytesIO()
    source = {"name": "a vendor's file", "files": [{"name": "a.emd", "sha256": "0" * 64}], "notes": ["dropped x"]}
    with lbj.create(file, [lbj.Signal("I", "image", (2, 3))], source=source) as writer:
        for i in range(3):
            writer.append({"I": image(i)})
    data = bytearray(file.getvalue())
    with lbj.open(io.BytesIO(data)) as journal:
        uuid, group = journal.header["uuid"], journal.contents.frames[1]
    data[group.done + 30] ^= 1
    out = io.BytesIO()
    found = recover(io.BytesIO(data), out, lambda _: None)
    assert (found.kept, found.lost) == ([0, 2], [1])
    with lbj.open(out) as journal:
        kept = journal.header["source"]
        assert kept["uuid"] == uuid != journal.header["uuid"]
        assert kept["files"] == source["files"]
        assert kept["notes"][0] == "dropped x"
        assert "frame 1" in kept["notes"][1]
        assert [frame.attributes.get("metadata") for frame in journal] == [None, {"original_frame": 2}]


def test_recovery_names_unknown_records_within_frames_which_it_leaves_out():
    """Clauses 9.6 and 9.7: the result keeps none; an amendment there is ignored by all readers, and no loss."""
    file = io.BytesIO()
    with lbj.create(file, [lbj.Signal("I", "image", (2, 3), coding="raw")], {"title": "t"}) as writer:
        records = [(b"abCd", b"anything"), (b"aMNd", b'{"metadata":{"title":"no"}}')]
        writer.put_frame(0, {"I": image(0)}, {}, records, static=False)
        writer.append({"I": image(1)})
    out, lines = io.BytesIO(), []
    assert recover(io.BytesIO(file.getvalue()), out, lines.append)[:2] == ([0, 1], [])
    assert [re.sub(r"\d+", "#", line, count=1) for line in lines] == ["record abCd at byte #: in frame 0, left out"]
    assert list(verify(out)) == []
    with lbj.open(out) as journal:
        assert journal.metadata == {"title": "t"}
        assert journal.header["source"]["notes"] == lines
        assert [frame.array("I")[0, 0] for frame in journal] == [100, 101]


def test_recovery_of_a_journal_with_as_many_amendments_as_may_be():
    file = io.BytesIO()
    writer = lbj.create(file, [lbj.Signal("I", "image", (2, 3))], sync=False)
    for i in range(4096):
        writer.amend({"metadata": {"n": i}})
    writer.append({"I": image(0)})
    writer.close()
    out = io.BytesIO()
    assert recover(io.BytesIO(file.getvalue()), out, lambda _: None).kept == [0]
    assert list(verify(out)) == []
