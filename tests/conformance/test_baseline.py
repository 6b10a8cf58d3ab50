"""The baseline writers: conformance/ports/python/lbj_baseline.py, its adapter, and the pseudo-code of spec/baseline.md.

Run ``python tests/conformance/test_baseline.py`` after a change of that page: it writes the page's example anew.
"""

import ast
import base64
import errno
import importlib.util
import io
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pseudo_code as pseudo
import pytest

import lbj
from lbj.recovery.verify import verify

ROOT = Path(__file__).parents[2]
PORT = ROOT / "conformance" / "ports" / "python"
PAGE = ROOT / "spec" / "baseline.md"

spec = importlib.util.spec_from_file_location("lbj_baseline", PORT / "lbj_baseline.py")
baseline = importlib.util.module_from_spec(spec)
spec.loader.exec_module(baseline)
write_frame = baseline.write_frame

EVENTS = {"EDX": {"kind": "events"}}


def cube(shape, dose, dtype=np.uint16, seed=0):
    return np.random.default_rng(seed).poisson(dose, shape).astype(dtype)


def only_open(path):
    """Whether a validator finds nothing but that there is no footer."""
    file = path if isinstance(path, io.BytesIO) else io.BytesIO(path.read_bytes())
    return [finding.code for finding in verify(file)] == ["6.1"]


def read(path):
    with lbj.open(path) as journal:
        return [{name: frame.array(name) for name in frame.names} for frame in journal]


# The page


def pseudo_code(file=None):
    """Names that the page's pseudo-code defines, over a file in memory."""
    file = io.BytesIO() if file is None else file
    flushed = []

    def read_at(position, size):
        return list(file.getvalue()[position : position + size])

    names = {
        "array": list,
        "append": list.append,
        "length": len,
        "code": lambda text, i: ord(text[i]),
        "write": lambda numbers: file.write(bytes(numbers)),
        "read": read_at,
        "file_size": lambda: len(file.getvalue()),
        "flush": lambda: flushed.append(file.tell()),
        "flushed": flushed,
        "file": file,
    }
    return pseudo.run(PAGE.name, names)


def page_example():
    """Lines of hex of the file that the page's `example` writes."""
    page = pseudo_code()
    page["example"]()
    raw = page["file"].getvalue()
    return "".join(f"{i:5}  {raw[i : i + 16].hex(' ')}\n" for i in range(0, len(raw), 16))


def page_bytes():
    page = PAGE.read_text()
    rows = re.search(r"<!-- example -->\n```\n(.*?)```\n<!-- /example -->", page, re.DOTALL)[1].splitlines()
    return bytes.fromhex("".join(row[7:] for row in rows))


def rewrite_page():
    text = re.sub(
        r"(?<=<!-- example -->\n).*?(?=<!-- /example -->)",
        lambda _: f"```\n{page_example()}```\n",
        PAGE.read_text(),
        flags=re.DOTALL,
    )
    PAGE.write_text(text)


def test_page_shows_what_its_pseudo_code_writes():
    page = pseudo_code()
    page["example"]()
    assert page["file"].getvalue() == page_bytes()
    done = page_bytes().rindex(b"\xf5LB\0DONE")
    assert page["flushed"] == [done, len(page_bytes())]


def test_page_example_is_read_and_is_the_stated_baseline():
    raw = page_bytes()
    counts = np.zeros((2, 3, 4), np.uint16)
    counts[0, 1, 0], counts[1, 0, 2] = 1, 2
    with lbj.open(io.BytesIO(raw)) as journal:
        (frame,) = journal
        assert np.array_equal(frame.array("EDX"), counts)
        assert np.array_equal(frame.array("HAADF"), np.arange(1000, 1006).reshape(2, 3))
    assert only_open(io.BytesIO(raw))
    at = 8
    while at < len(raw):
        length, digest = struct.unpack_from("<QI", raw, at + 8)
        assert (raw[at + 3], digest) == (0, 0)
        at += 24 + length + -length % 8


def test_page_events_are_those_of_the_python_writer(tmp_path):
    counts = cube((5, 7, 300), 0.1)
    page = pseudo_code()
    signal = '{"name":"EDX","kind":"events","shape":[5,7,300],"dtype":"uint16"}'
    page["begin_journal"]('{"uuid":"12345678-1234-4123-8123-123456789abc","signals":[' + signal + "]}")
    page["begin_frame"](0)
    page["end_frame"](0, 1, page["write_counts"](0, 0, counts.ravel().tolist(), 35, 300))
    write_frame(tmp_path / "a.lbj", {"EDX": counts}, None, EVENTS)
    payloads = []
    for raw in (page["file"].getvalue(), (tmp_path / "a.lbj").read_bytes()):
        at = raw.index(b"BLOK") - 4
        payloads.append(raw[at + 24 :][: struct.unpack_from("<Q", raw, at + 8)[0]])
        assert np.array_equal(read(io.BytesIO(raw))[0]["EDX"], counts)
    assert payloads[0] == payloads[1]


def test_page_arithmetic():
    page = pseudo_code()
    assert page["crc32"](list(b"123456789")) == 0xCBF43926
    assert page["crc32"]([]) == 0
    rng = np.random.default_rng(1)
    for size in (1, 20, 77):
        raw = rng.bytes(size)
        assert page["crc32"](list(raw)) == zlib.crc32(raw)
    out = []
    page["put"](out, 2**53 - 1, 8)
    assert bytes(out) == struct.pack("<Q", 2**53 - 1)
    assert page["get"]([0, *out], 1, 8) == 2**53 - 1


def series(page, frames):
    """The page's journal of several frames and the offset after HEAD and after each frame."""
    signal = '{"name":"I","kind":"image","shape":[1,3],"dtype":"uint8"}'
    page["begin_journal"]('{"uuid":"12345678-1234-4123-8123-123456789abc","signals":[' + signal + "]}")
    ends = [page["file"].tell()]
    for i in range(frames):
        page["begin_frame"](i)
        page["write_raw"](i, 0, [i, 5, 9], 1)
        page["end_frame"](i, 1, 0)
        ends.append(page["file"].tell())
    return page["file"].getvalue(), ends


def test_page_finds_the_end_wherever_the_file_ends():
    whole, ends = series(pseudo_code(), 2)
    for size in range(len(whole) + 1):
        done = [i for i, end in enumerate(ends) if end <= size]
        expected = [ends[done[-1]], done[-1]] if done else [0, 0]
        assert pseudo_code(io.BytesIO(whole[:size]))["find_end"]() == expected
        if done and size < len(whole):
            torn = io.BytesIO(whole[:size] + bytes(100))
            found = pseudo_code(torn)["find_end"]()
            if found == [0, 0]:  # zeros made a wrong header or DONE of what was to come
                with pytest.raises(lbj.DamagedError):
                    lbj.open(torn)
            else:
                assert found == [ends[found[1]], found[1]]
                assert torn.getvalue()[: found[0]] == whole[: found[0]]
                assert found[1] == sum(whole[:end] == torn.getvalue()[:end] for end in ends[1:])
    for i in range(ends[0], len(whole)):  # a wrong header is never taken for an end
        wrong = bytearray(whole)
        wrong[i] ^= 0x40
        assert pseudo_code(io.BytesIO(bytes(wrong)))["find_end"]() in ([0, 0], [ends[2], 2])


def test_page_refuses_what_it_did_not_write(tmp_path):
    write_frame(tmp_path / "a.lbj", {"I": np.zeros((2, 3))})
    assert pseudo_code(io.BytesIO((tmp_path / "a.lbj").read_bytes()))["find_end"]() == [0, 0]
    assert pseudo_code(io.BytesIO(b"II*\0" + bytes(50)))["find_end"]() == [0, 0]


# The Python writer: what it writes is read


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
@pytest.mark.parametrize(
    ("shape", "dose"),
    [
        ((1, 1, 1), 1.0),
        ((1, 1, 4096), 0.3),
        ((1, 40, 100), 3.0),
        ((40, 30, 1), 0.5),
        ((1, 65537, 3), 0.05),
        ((13, 7, 29), 20.0),
        ((64, 64, 512), 0.0004),
        ((3, 4, 5, 6), 0.5),
        ((9, 11), 0.7),
        ((4, 4, 4), 0.0),
    ],
)
def test_counts_round_trip(tmp_path, shape, dose, dtype):
    path = tmp_path / "a.lbj"
    counts = [cube(shape, dose, dtype, seed) for seed in range(2)]
    for i, array in enumerate(counts):
        assert write_frame(path, {"EDX": array}, signals=EVENTS) == i
    for array, found in zip(counts, read(path), strict=True):
        assert np.array_equal(found["EDX"], array)
    with lbj.open(path) as journal:
        assert journal.signals["EDX"].dtype == np.dtype(dtype).name
    assert only_open(path)


@pytest.mark.parametrize("count", [1, 2, 3, 129, 130, 2**14 + 2, 2**21 + 1, 2**21 + 2, 2**28 + 2, 2**32 - 1])
def test_one_voxel_of_any_count(tmp_path, count):
    counts = np.zeros((5, 6, 7), np.uint32)
    counts[4, 3, 2] = count
    write_frame(tmp_path / "a.lbj", {"EDX": counts}, signals=EVENTS)
    assert np.array_equal(read(tmp_path / "a.lbj")[0]["EDX"], counts)
    assert only_open(tmp_path / "a.lbj")


@pytest.mark.parametrize("voxel", [0, 63, 64, 2**13 - 1, 2**13, 2**20, 2**27 - 1, 2**27, 2**31, 2**32 - 3])
def test_gaps_of_any_size(tmp_path, voxel):
    shape = (3, 5, 286331153)  # 2^32 - 1 voxels
    counts = baseline.Counts(shape, np.array([2**32 - 2, voxel]), np.array([3, 1]))
    write_frame(tmp_path / "a.lbj", {"EDX": counts})
    with lbj.open(tmp_path / "a.lbj") as journal:
        events = journal[0].events("EDX")
        index = np.asarray(events.channel, np.int64) * 15 + events.pixel
        assert sorted(zip(index.tolist(), np.asarray(events.count).tolist(), strict=True)) == [
            (voxel, 1),
            (2**32 - 2, 3),
        ]


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f4", "f8"])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", ["image", "spectra"])
def test_other_arrays_round_trip(tmp_path, dtype, order, kind):
    raw = np.random.default_rng(3).bytes(7 * 12 * int(dtype[1]))
    array = np.frombuffer(raw, order + dtype).reshape(7, 12).T  # bits of any value, NaN among them, not contiguous
    write_frame(tmp_path / "a.lbj", {"I": array}, signals={"I": {"kind": kind}})
    found = read(tmp_path / "a.lbj")[0]["I"]
    assert found.shape == (12, 7)
    assert found.astype("<" + dtype).tobytes() == array.astype("<" + dtype).tobytes()
    assert only_open(tmp_path / "a.lbj")


def test_counts_in_other_types_of_number(tmp_path):
    counts = cube((4, 5, 6), 0.5)
    views = [counts.astype(t) for t in (np.int64, np.uint64, np.float32, np.int8, ">u2")]
    views += [counts.tolist(), np.asfortranarray(counts), np.repeat(counts, 2, axis=1)[:, ::2]]
    for view in views:
        write_frame(tmp_path / "a.lbj", {"EDX": view}, signals=EVENTS)
    for found in read(tmp_path / "a.lbj"):
        assert np.array_equal(found["EDX"], counts)


def test_list_of_events(tmp_path):
    rng = np.random.default_rng(4)
    pixel, channel = rng.integers(0, 20, 500), rng.integers(0, 30, 500)
    expected = np.zeros((4, 5, 30), int)
    np.add.at(expected, (pixel // 5, pixel % 5, channel), 1)
    listed = baseline.counts_from_list(pixel.astype(np.uint16), channel.tolist(), (4, 5, 30))
    write_frame(tmp_path / "a.lbj", {"EDX": listed})
    write_frame(tmp_path / "a.lbj", {"EDX": baseline.counts_from_list([], [], (4, 5, 30))})
    full, empty = read(tmp_path / "a.lbj")
    assert np.array_equal(full["EDX"], expected)
    assert not empty["EDX"].any()
    assert only_open(tmp_path / "a.lbj")


def test_descriptions_and_attributes(tmp_path):
    path = tmp_path / "a.lbj"
    about = {
        "EDX 1": {
            "kind": "events",
            "group": "EDX",
            "axes": [
                {"name": "y", "scale": 1e-9, "units": "m"},
                {"name": "x", "values": [0.0, 1.5, 2.0]},
                {"name": "energy", "scale": np.float32(10), "offset": -480, "units": "eV"},
            ],
            "metadata": {"elevation": 0.3},
        },
        "live": {"kind": "image", "role": "live_time", "of": "EDX", "shape": (2, 3), "dtype": "float32"},
        "EDX 2": {"kind": "events", "group": "EDX", "shape": [2, 3, 4], "dtype": "uint16", "x-ours-y": 1},
    }
    metadata = {"title": "Å", "beam_energy": np.float64(2e5), "elements": ("Ti", "O"), "x-ours-n": np.arange(2)}
    counts = cube((2, 3, 4), 1.0)
    for i in range(2):
        write_frame(
            path,
            {"EDX 1": counts, "HAADF": np.ones((2, 3))} if i == 0 else {"EDX 2": counts},
            metadata,
            about,
            live_time={"EDX 1": 1.5},
            dwell_time=np.float32(0.5),
            region=np.int64(i),
            start_time="2026-01-31T23:59:59.5Z",
            frame_metadata={"comment": "drift"},
        )
    write_frame(path, {})
    with lbj.open(path) as journal:
        assert [list(frame.names) for frame in journal] == [["EDX 1", "HAADF"], ["EDX 2"], []]
        assert journal[1].attributes == {
            "live_time": {"EDX 1": 1.5},
            "dwell_time": 0.5,
            "region": 1,
            "start_time": "2026-01-31T23:59:59.5Z",
            "metadata": {"comment": "drift"},
        }
        assert journal.metadata == {"title": "Å", "beam_energy": 2e5, "elements": ["Ti", "O"], "x-ours-n": [0, 1]}
        axes = journal.signals["EDX 1"].axes
        assert [axis["size"] for axis in axes] == [2, 3, 4]
        assert (axes[0]["offset"], axes[2]["offset"]) == (0, -480)
    assert only_open(path)


def test_payloads_have_digests(tmp_path):
    write_frame(tmp_path / "a.lbj", {"EDX": cube((4, 4, 9), 1.0)}, signals=EVENTS)
    raw = bytearray((tmp_path / "a.lbj").read_bytes())
    raw[raw.index(b"BLOK") + 20 + 26] ^= 1
    assert "4.2.5" in {finding.code for finding in verify(io.BytesIO(raw))}


def test_appends_to_a_journal_of_the_library_and_the_library_to_it(tmp_path):
    path = tmp_path / "a.lbj"
    signals = [lbj.Signal("EDX", "events", (4, 5, 6)), lbj.Signal("I", "image", (4, 5), dtype="uint16")]
    counts = [cube((4, 5, 6), 1.0, np.uint32, i) for i in range(4)]
    image = np.full((4, 5), 3, np.uint16)
    with lbj.create(path, signals, metadata={"title": "t"}) as writer:
        writer.append({"EDX": counts[0], "I": image})
        writer.amend({"metadata": {"title": "u"}})
    assert write_frame(path, {"EDX": counts[1]}, {"title": "t"}) == 1
    with lbj.append(path) as writer:
        writer.append({"EDX": counts[2], "I": image})
    assert write_frame(path, {"EDX": counts[3], "I": image}) == 3
    assert [np.array_equal(found["EDX"], count) for found, count in zip(read(path), counts, strict=True)] == [True] * 4
    assert only_open(path)


# The Python writer: reopening


@pytest.mark.parametrize("tail", [b"", bytes(1), bytes(64)], ids=len)
def test_reopening_wherever_the_last_frame_ends(tmp_path, tail):
    path = tmp_path / "a.lbj"
    counts, image = [cube((2, 3, 9), 0.5, seed=i) for i in range(3)], np.arange(6, dtype=np.uint8).reshape(2, 3)
    sizes = []
    for i in range(2):
        write_frame(path, {"EDX": counts[i], "I": image}, signals=EVENTS, region=i)
        sizes.append(path.stat().st_size)
    whole = path.read_bytes()
    refused = 0
    for size in range(sizes[0], sizes[1] + 1):
        torn = whole[:size] + tail
        path.write_bytes(torn)
        kept = 1 + torn.startswith(whole)
        try:
            assert write_frame(path, {"EDX": counts[2], "I": image}) == kept
        except baseline.JournalError as error:
            refused += 1
            assert error.result == "damaged"
            assert path.read_bytes() == torn
            with pytest.raises(lbj.DamagedError) as library:
                lbj.open(io.BytesIO(torn))
            assert library.value.offset == error.offset
            continue
        assert path.read_bytes()[: sizes[kept - 1]] == whole[: sizes[kept - 1]]
        expected = [*counts[:kept], counts[2]]
        assert [np.array_equal(frame["EDX"], c) for frame, c in zip(read(path), expected, strict=True)] == [True] * (
            kept + 1
        )
        assert only_open(path)
    assert (refused > 0) == (len(tail) > 24)  # zeros in place of what was to come can make a wrong DONE


def test_a_wrong_bit_is_refused_where_the_library_refuses(tmp_path):
    path = tmp_path / "a.lbj"
    for i in range(2):
        write_frame(path, {"I": np.full((1, 3), i, np.uint8)}, {"title": "t"}, region=i)
    whole = path.read_bytes()
    for i in range(len(whole)):
        wrong = bytearray(whole)
        wrong[i] ^= 1 << i % 8
        path.write_bytes(wrong)
        try:
            lbj.open(io.BytesIO(wrong)).close()
            expected = None
        except (lbj.DamagedError, lbj.UnsupportedError) as error:
            expected = (type(error).__name__[: -len("Error")].lower(), error.offset)
        try:
            assert write_frame(path, {}) == 2
            found = None
            assert path.read_bytes()[: len(whole)] == wrong
        except baseline.JournalError as error:
            found = (error.result, error.offset)
            assert path.read_bytes() == wrong
        assert found == expected, i


def rec(kind, payload, flags=1, crc=None):
    crc = zlib.crc32(payload) * (flags & 1) if crc is None else crc
    start = b"\xf5LB" + bytes([flags]) + kind + struct.pack("<QI", len(payload), crc)
    return start + struct.pack("<I", zlib.crc32(start)) + payload + bytes(-len(payload) % 8)


HEAD_JSON = (
    b'{"uuid":"12345678-1234-4123-8123-123456789abc","signals":'
    b'[{"name":"I","kind":"image","shape":[1,3],"dtype":"uint8"}]}'
)
SIGNATURE = b"\x89LBJ\r\n\x1a\n"
START = SIGNATURE + rec(b"HEAD", struct.pack("<HHI", 0, 9, 0) + HEAD_JSON)
FRAM = struct.pack("<QQ", 0, 0)
DONE = struct.pack("<QIIQ", 0, 0, 0, 0)
PSEUDO = rec(b"FRAM", struct.pack("<QQ", 2**64 - 1, 0)) + rec(b"DONE", struct.pack("<QIIQ", 2**64 - 1, 0, 0, 0))


def head(json_text=HEAD_JSON, version=(0, 9)):
    return SIGNATURE + rec(b"HEAD", struct.pack("<HHI", *version, 0) + json_text)


@pytest.mark.parametrize(
    ("result", "offset", "raw"),
    [
        ("truncated", 0, b""),
        ("truncated", 0, SIGNATURE[:5]),
        ("truncated", 8, SIGNATURE),
        ("truncated", 8, START[:-1]),
        ("truncated", 8, START[:20]),
        ("damaged", 0, b"II*\0" + bytes(60)),
        ("damaged", 8, SIGNATURE + rec(b"FRAM", FRAM)),
        ("damaged", 8, SIGNATURE + rec(b"NEWX", b"")),
        ("unsupported", 8, head(version=(0, 10))),
        ("unsupported", 8, head(version=(1, 0))),
        ("damaged", 8, head(b"[]")),
        ("damaged", 8, head(HEAD_JSON.replace(b'"uuid"', b'"x":1,"x":2,"uuid"'))),
        ("damaged", 8, head(HEAD_JSON.replace(b'"uuid"', b'"x":NaN,"uuid"'))),
        ("damaged", 8, head(HEAD_JSON.replace(b'"uuid"', b'"x":1e999,"uuid"'))),
        ("damaged", 8, head(HEAD_JSON.replace(b'"uuid"', b'"x":"\\ud800","uuid"'))),
        ("damaged", 8, head(HEAD_JSON.replace(b'"uuid"', b'"x":' + b"[" * 32 + b"]" * 32 + b',"uuid"'))),
        ("damaged", 8, head(HEAD_JSON.replace(b'"uuid"', b'"x":' + b"[" * 99999 + b"]" * 99999 + b',"uuid"'))),
        ("damaged", 8, head(HEAD_JSON.replace(b"[1,3]", b"[0,3]"))),
        ("damaged", 8, head(HEAD_JSON.replace(b'"image"', b'["image"]'))),
        ("damaged", 8, head(HEAD_JSON.replace(b'"uint8"', b'"uint9"'))),
        ("damaged", 8, head(HEAD_JSON.replace(b'"I"', b'"\\u0007"'))),
        ("damaged", 8, head(HEAD_JSON.replace(b'"I"', b'"I","group":"I"'))),
        ("damaged", 8, head(HEAD_JSON.replace(b'"I"', b'"I","axes":[{"name":"y","size":1}]'))),
        ("damaged", len(START), START + b"\xf5X"),
        ("damaged", len(START), START + START[8:]),
        ("damaged", len(START), START + rec(b"DONE", DONE)),
        ("damaged", len(START), START + rec(b"BLOK", bytes(24))),
        ("damaged", len(START), START + rec(b"FRAM", FRAM + bytes(8))),
        ("damaged", len(START), START + rec(b"FRAM", FRAM, flags=0, crc=1)),
        ("damaged", len(START), START + rec(b"FR1M", FRAM)),
        ("unsupported", len(START), START + rec(b"FRAM", FRAM, flags=3)),
        ("unsupported", len(START), START + rec(b"FRaM", FRAM)),
        ("unsupported", len(START), START + rec(b"NEWX", b"")),
        ("damaged", len(START) + 40, START + rec(b"FRAM", FRAM) + rec(b"DONE", DONE, crc=1)),
        ("damaged", len(START) + 40, START + rec(b"FRAM", FRAM) + rec(b"DONE", struct.pack("<QIIQ", 0, 1, 0, 0))),
        ("damaged", len(START) + 40, START + rec(b"FRAM", FRAM) + rec(b"DONE", struct.pack("<QIIQ", 1, 0, 0, 0))),
        ("damaged", len(START) + 40, START + rec(b"FRAM", struct.pack("<QQ", 1, 0)) + rec(b"DONE", DONE)),
        ("damaged", len(START), START + rec(b"aMNd", b"[]")),
        ("damaged", len(START), START + rec(b"aMNd", b"{}", crc=1)),
        ("damaged", len(START), START + bytes(64) + b"x"),
    ],
)
def test_files_that_are_left_alone(tmp_path, result, offset, raw):
    path = tmp_path / "a.lbj"
    path.write_bytes(raw)
    with pytest.raises(baseline.JournalError, match=f"{result} at offset {offset}: ") as error:
        write_frame(path, {"I": np.zeros((1, 3), np.uint8)})
    assert (error.value.result, error.value.offset) == (result, offset)
    assert path.read_bytes() == raw


@pytest.mark.parametrize(
    ("kept", "more"),
    [
        (0, b""),
        (0, rec(b"neWx", b"anything")),
        (0, rec(b"cONT", bytes(40), crc=7)),
        (0, rec(b"fOOT", bytes(25))),
        (0, rec(b"aMNd", b'{"metadata":{"a":1}}')),
        (0, PSEUDO),
        (1, rec(b"FRAM", FRAM) + rec(b"aMNd", b"[]") + rec(b"DONE", DONE)),
        # abandoned by the next
        (
            1,
            rec(b"FRAM", struct.pack("<QQ", 9, 0))
            + rec(b"BLOK", bytes(30), crc=5)
            + rec(b"FRAM", FRAM)
            + rec(b"DONE", DONE),
        ),
        # clause 9.1: the frame counts
        (1, rec(b"FRAM", b"x" + FRAM[1:], crc=1) + rec(b"DONE", DONE)),
        (1, rec(b"FRAM", FRAM) + rec(b"DONE", DONE + b"{")),
    ],
)
def test_files_that_are_appended_to(tmp_path, kept, more):
    path = tmp_path / "a.lbj"
    path.write_bytes(START + more)
    assert write_frame(path, {"I": np.full((1, 3), 7, np.uint8)}) == kept
    assert path.read_bytes()[: len(START + more)] == START + more
    with lbj.open(path) as journal:
        assert journal[kept].array("I").tolist() == [[7, 7, 7]]


# The Python writer: refusals


CUBE = np.zeros((2, 3, 4), np.uint16)
IMAGE = np.zeros((2, 3), np.uint8)
REFUSED = [
    ({"EDX": CUBE}, {}, "signals={'EDX': {'kind': ...}}"),
    ({"EDX": np.zeros(4)}, {}, "kind"),
    ({"EDX": CUBE + 0.5}, {"signals": EVENTS}, "whole counts"),
    ({"EDX": CUBE - 1.0}, {"signals": EVENTS}, "whole counts"),
    ({"EDX": CUBE + np.nan}, {"signals": EVENTS}, "whole counts"),
    ({"EDX": CUBE + np.inf}, {"signals": EVENTS}, "whole counts"),
    ({"EDX": CUBE + 2.0**32}, {"signals": EVENTS}, "4294967295"),
    ({"EDX": CUBE + 2.0**31}, {"signals": {"EDX": {"kind": "events", "dtype": "uint16"}}}, "65535"),
    ({"EDX": CUBE.astype(np.uint32) + 2**31}, {"signals": EVENTS}, "2^32-1 counts"),
    ({"EDX": CUBE.astype(complex) + 1}, {"signals": EVENTS}, "numbers"),
    ({"I": IMAGE.astype(bool)}, {}, "dtype"),
    ({"I": IMAGE.astype(complex)}, {}, "dtype"),
    ({"I": IMAGE.astype("U3")}, {}, "dtype"),
    ({}, {}, "signals"),
    ({"I": IMAGE}, {"signals": {"J": {"kind": "image"}}}, "shape"),
    ({"I": IMAGE}, {"signals": {"I": {"axis": []}}}, "axis"),
    ({"I": IMAGE}, {"signals": {"I": {"shape": [3, 2]}}}, "(2, 3)"),
    ({"I": IMAGE}, {"signals": {"I": {"dtype": "uint16"}}}, "uint16"),
    ({"I": IMAGE}, {"signals": {"I": {"kind": "picture"}}}, "picture"),
    ({"I": IMAGE}, {"signals": {"I": {"role": "survey"}}}, "static"),
    ({"I": IMAGE}, {"signals": {"I": {"coding": "split-rice"}}}, "coding"),
    ({"I": IMAGE}, {"signals": {"I": {"group": "I"}}}, "group"),
    ({"I": IMAGE}, {"signals": {"I": {"axes": [{"name": "y"}]}}}, "axis"),
    ({"I": IMAGE}, {"signals": {"I": {"axes": [{"name": "y"}, {"scale": 1}]}}}, "axis"),
    ({"I": IMAGE}, {"signals": {"I": {"axes": [{"name": "y"}, {"name": "x", "values": [1, 2]}]}}}, "axis"),
    ({"I": IMAGE}, {"signals": {"I": {"axes": [{"name": "y"}, {"name": "x", "offset": 1}]}}}, "axis"),
    ({"I": IMAGE}, {"signals": {"I": {"to_field": [[1, 0], [0, 1]]}}}, "to_field"),
    ({"I": IMAGE}, {"signals": {"I": {"metadata": 1}}}, "metadata"),
    ({"I": IMAGE}, {"signals": {"I": {"axes": 1}}}, "axes"),
    ({}, {"signals": {"I": {"kind": "image", "shape": 5, "dtype": "uint8"}}}, "shape"),
    ({"I": IMAGE}, {"signals": {"I": {"role": "live_time"}}}, "of a signal"),
    ({"I": IMAGE, "E": CUBE[:1]}, {"signals": {"I": {"role": "live_time", "of": "E"}, "E": EVENTS["EDX"]}}, "pixels"),
    ({"": IMAGE}, {}, "name"),
    ({"a" * 65: IMAGE}, {}, "name"),
    ({"\n": IMAGE}, {}, "name"),
    ({"\ud800": IMAGE}, {}, "surrogates"),
    ({1: IMAGE}, {}, "name"),
    ({"I": IMAGE}, {"metadata": {"a": float("nan")}}, "finite"),
    ({"I": IMAGE}, {"metadata": {"a": 10**400}}, "finite"),
    ({"I": IMAGE}, {"metadata": {"a": np.float32("inf")}}, "finite"),
    ({"I": IMAGE}, {"metadata": {1: 2}}, "JSON"),
    ({"I": IMAGE}, {"metadata": {"a": {1, 2}}}, "JSON"),
    ({"I": IMAGE}, {"metadata": {"a": "\udc00"}}, "surrogates"),
    ({"I": IMAGE}, {"metadata": {"beam_energy": "200 kV"}}, "beam_energy"),
    ({"I": IMAGE}, {"metadata": {"beam_energy": -1}}, "beam_energy"),
    ({"I": IMAGE}, {"metadata": {"elements": "TiO"}}, "elements"),
    ({"I": IMAGE}, {"metadata": {"elements": ["titanium"]}}, "elements"),
    ({"I": IMAGE}, {"dwell": 1}, "dwell"),
    ({"I": IMAGE}, {"dwell_time": "1 us"}, "dwell_time"),
    ({"I": IMAGE}, {"dwell_time": float("nan")}, "finite"),
    ({"I": IMAGE}, {"live_time": {"EDX": 1.0}}, "live_time"),
    ({"I": IMAGE}, {"live_time": {"I": "x"}}, "live_time"),
    ({"I": IMAGE}, {"region": -1}, "region"),
    ({"I": IMAGE}, {"region": 1.5}, "region"),
    ({"I": IMAGE}, {"scanned_pixels": True}, "scanned_pixels"),
    ({"I": IMAGE}, {"start_time": "2026-01-31 23:59"}, "start_time"),
    ({"I": IMAGE}, {"frame_metadata": 1}, "metadata"),
    ({"EDX": baseline.Counts((2, 3, 4), [1, 1], [1, 1])}, {}, "each voxel once"),
    ({"EDX": baseline.Counts((2, 3, 4), [24], [1])}, {}, "below 24,"),
    ({"EDX": baseline.Counts((2, 3, 4), [-1], [1])}, {}, "below 24,"),
    ({"EDX": baseline.Counts((2, 3, 4), [1], [0])}, {}, "whole counts"),
    ({"EDX": baseline.Counts((2, 3, 4), [1.5], [1])}, {}, "each voxel once"),
    ({"EDX": baseline.Counts((2**16, 2**16, 4), [1], [1])}, {}, "pixels"),
    ({"EDX": baseline.Counts((2**15, 2**16, 4), [1], [1])}, {}, "2^32-1 voxels"),
    ({"I": baseline.Counts((2, 3, 4), [1], [1])}, {"signals": {"I": {"kind": "image"}}}, "array"),
]


@pytest.mark.parametrize(("data", "arguments", "says"), REFUSED)
def test_what_cannot_be_stored_creates_nothing(tmp_path, data, arguments, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        write_frame(tmp_path / "a.lbj", data, **arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("data", "arguments", "says"),
    [
        ({"EDX": CUBE[:, :2]}, {}, "(2, 3, 4)"),
        ({"EDX": CUBE[0]}, {}, "(2, 3, 4)"),
        ({"EDX": CUBE + 0.1}, {}, "whole counts"),
        ({"EDX": CUBE + 70000.0}, {}, "65535"),
        ({"EDX": baseline.Counts((3, 2, 4), [1], [1])}, {}, "(2, 3, 4)"),
        ({"I": IMAGE.astype(np.uint16)}, {}, "uint8"),
        ({"J": IMAGE}, {}, "J"),
        ({}, {"metadata": {"title": "other"}}, "metadata"),
        ({}, {"metadata": {}}, "metadata"),
        ({}, {"signals": {"EDX": {"kind": "spectra"}}}, "kind"),
        ({}, {"signals": {"J": {"kind": "image"}}}, "J"),
        ({}, {"signals": {"I": {"axes": [{"name": "y"}, {"name": "x"}]}}}, "axes"),
        ({}, {"dwell_time": float("inf")}, "finite"),
    ],
)
def test_what_cannot_be_stored_leaves_the_journal(tmp_path, data, arguments, says):
    path = tmp_path / "a.lbj"
    write_frame(path, {"EDX": CUBE, "I": IMAGE}, {"title": "t"}, EVENTS)
    before = path.read_bytes()
    for tail in (b"", b"\xf5LB\x01FR"):
        path.write_bytes(before + tail)
        with pytest.raises(ValueError, match=re.escape(says)):
            write_frame(path, data, **arguments)
        assert path.read_bytes() == before + tail


@pytest.mark.parametrize(
    ("pixel", "channel"),
    [([6], [0]), ([0], [4]), ([-1], [0]), ([0, 1], [0]), ([0.5], [0]), ([[0]], [[0]]), ([0], [-1]), ([0], [1.0])],
)
def test_events_outside_are_refused(pixel, channel):
    with pytest.raises(ValueError, match=r"expected (pixel|channel): "):
        baseline.counts_from_list(pixel, channel, (2, 3, 4))


# The Python writer: locks and failures


def test_the_library_s_writer_and_this_one_keep_each_other_out(tmp_path):
    path = tmp_path / "a.lbj"
    with lbj.create(path, [lbj.Signal("I", "image", (2, 3), dtype="uint8")]) as writer:
        writer.append({"I": IMAGE})
        before = path.read_bytes()
        with pytest.raises(BlockingIOError, match="another writer"):
            write_frame(path, {"I": IMAGE})
        assert path.read_bytes() == before
    with open(path, "r+b", buffering=0) as file, baseline._locked(file, wait=False):
        with pytest.raises(lbj.LbjError):
            lbj.append(path)
    assert write_frame(path, {"I": IMAGE}) == 1


CONCURRENT = """
import sys
sys.path.insert(0, sys.argv[1])
import numpy as np
from lbj_baseline import write_frame
done = 0
while done < 20:
    try:
        write_frame(sys.argv[2], {"I": np.full((2, 3), int(sys.argv[3]), np.uint8)})
        done += 1
    except BlockingIOError:
        pass
"""


def test_two_processes_lose_nothing(tmp_path):
    path = tmp_path / "a.lbj"
    write_frame(path, {"I": IMAGE})
    runs = [subprocess.Popen([sys.executable, "-c", CONCURRENT, PORT, path, str(i)]) for i in (1, 2)]
    assert [run.wait() for run in runs] == [0, 0]
    values = [int(found["I"][0, 0]) for found in read(path)]
    assert (values[0], values.count(1), values.count(2)) == (0, 20, 20)
    assert only_open(path)


@pytest.mark.parametrize("existing", [False, True])
@pytest.mark.parametrize("fails", range(1, 3))
def test_a_disk_that_fails_stores_nothing(tmp_path, monkeypatch, existing, fails):
    path = tmp_path / "a.lbj"
    if existing:
        write_frame(path, {"I": IMAGE})
    before = path.read_bytes() if existing else None
    calls = []

    def fsync(number):
        calls.append(number)
        if len(calls) == fails:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(baseline.os, "fsync", fsync)
        with pytest.raises(OSError, match=os.strerror(errno.EIO)):
            write_frame(path, {"I": IMAGE})
    assert path.exists() == existing
    if existing:
        assert path.read_bytes() == before
    assert write_frame(path, {"I": IMAGE}) == int(existing)


FULL = """
import sys, resource
sys.path.insert(0, sys.argv[1])
import numpy as np
from lbj_baseline import write_frame
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
try:
    write_frame(sys.argv[2], {"I": np.zeros((50, 60), np.uint8)})
except OSError as error:
    print(error.errno)
"""


def test_a_full_disk_stores_nothing(tmp_path):
    pytest.importorskip("resource")
    path = tmp_path / "a.lbj"
    write_frame(path, {"I": np.zeros((50, 60), np.uint8)})
    before = path.read_bytes()
    other = tmp_path / "new.lbj"
    for room in (0, 10, 2000, 40 + 3048 + 47):  # all but a byte of FRAM, BLOK and DONE
        for file in (path, other):
            size = len(before) + room if file is path else room
            run = [sys.executable, "-c", FULL, PORT, file, str(size)]
            assert subprocess.run(run, check=True, capture_output=True).stdout.strip() == b"%d" % errno.EFBIG
        assert path.read_bytes() == before
        assert not other.exists()


def test_done_is_written_when_all_else_is_on_the_disk(tmp_path, monkeypatch):
    path = tmp_path / "a.lbj"
    seen = []
    monkeypatch.setattr(baseline.os, "fsync", lambda _: seen.append(path.read_bytes()))
    write_frame(path, {"I": IMAGE})
    assert [b"DONE" in raw for raw in seen[:2]] == [False, True]
    assert [b"BLOK" in raw for raw in seen[:2]] == [True, True]


# What it needs


@pytest.mark.parametrize("name", ["lbj_baseline.py", "adapter.py"])
def test_python_3_7_and_numpy_are_enough(name):
    tree = ast.parse((PORT / name).read_text(), feature_version=(3, 7))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module.split(".")[0])
    assert imported - {"numpy", "lbj_baseline", "msvcrt"} <= set(sys.stdlib_module_names)


def test_usage_in_the_docstring_works(tmp_path, monkeypatch):
    usage = [line[4:] for line in baseline.__doc__.splitlines() if line.startswith("    ")]
    frames = [(cube((4, 5, 6), 1.0, seed=i), np.full((4, 5), i)) for i in range(3)]
    shutil.copy(PORT / "lbj_baseline.py", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "lbj_baseline", baseline)
    names = {"frames": frames}
    exec("\n".join(usage), names)
    assert names["number"] == 2
    assert [np.array_equal(a["EDX"], b) for a, (b, _) in zip(read("series.lbj"), frames, strict=True)] == [True] * 3


# The adapter


def adapter(*arguments):
    run = subprocess.run([sys.executable, PORT / "adapter.py", *arguments], capture_output=True, check=True)
    return json.loads(run.stdout)


def test_adapter_describes_itself():
    described = adapter("describe")
    assert described["name"] == "baseline-python"
    assert (described["commands"], described["codings"]) == (["encode"], [])


SIGNAL = {"name": "EDX", "kind": "events", "shape": [2, 3, 4], "dtype": "uint32"}


def asked(frames=({"signals": {"EDX": {"list": [[1, 1], [15, 2]]}}},), static=None, **header):
    return {"header": {"signals": [SIGNAL], "metadata": {}, **header}, "frames": list(frames), "static": static or {}}


@pytest.mark.parametrize(
    ("result", "question"),
    [
        ("ok", asked()),
        ("ok", asked(frames=[{}])),
        ("unsupported", asked(frames=[])),
        ("unsupported", asked(frames=[{"attributes": {"colour": 1}}])),
        ("unsupported", asked(static={"S": {}})),
        ("unsupported", asked(source={"name": "x"})),
        ("unsupported", asked(signals=[{**SIGNAL, "role": "dark"}])),
        ("unsupported", asked(frames=[{"signals": {"EDX": {"list": [[0, 2**32 - 1], [1, 1]]}}}])),
        ("refused", asked(frames=[{"signals": {"EDX": {"list": [[24, 1]]}}}])),
        ("refused", asked(frames=[{}, {"signals": {"EDX": {"list": [[1, 0]]}}}])),
        ("refused", asked(frames=[{"signals": {"EDX": {"list": [[1, 1.5]]}}}])),
        ("refused", asked(frames=[{"signals": {"other": {"list": []}}}])),
        ("refused", asked(frames=[{"attributes": {"region": -1}}])),
        ("refused", asked(signals=[SIGNAL, SIGNAL])),
        ("refused", asked(signals=[{**SIGNAL, "dtype": "float32"}])),
        ("refused", asked(signals=[{**SIGNAL, "kind": "image"}], frames=[{"signals": {"EDX": {"base64": "AAA="}}}])),
    ],
)
def test_adapter_answers(tmp_path, result, question):
    (tmp_path / "a.json").write_text(json.dumps(question))
    assert adapter("encode", tmp_path / "a.json", tmp_path / "a.lbj") == {"result": result}
    assert (tmp_path / "a.lbj").exists() == (result == "ok")


def test_adapter_encodes(tmp_path):
    image = np.arange(6, dtype=">f4").reshape(2, 3)
    raw = base64.b64encode(image.astype("<f4").tobytes()).decode()
    signals = [SIGNAL, {"name": "I", "kind": "image", "shape": [2, 3], "dtype": "float32", "coding": "shuffle-zstd"}]
    frames = [
        {"attributes": {"region": 0, "metadata": {"a": 1}}, "signals": {"EDX": {"list": [[1, 1], [15, 2]]}}},
        {"attributes": {"x-ours-b": 2}, "signals": {"I": {"base64": raw}}},
    ]
    question = asked(frames=frames, signals=signals, metadata={"title": "t"})
    (tmp_path / "a.json").write_text(json.dumps(question))
    assert adapter("encode", tmp_path / "a.json", tmp_path / "a.lbj") == {"result": "ok"}
    counts = np.zeros((2, 3, 4), int)
    counts[0, 1, 0], counts[1, 0, 2] = 1, 2  # as in spec/minimal.md
    with lbj.open(tmp_path / "a.lbj") as journal:
        assert journal.metadata == {"title": "t"}
        assert [frame.attributes for frame in journal] == [frame["attributes"] for frame in frames]
        assert np.array_equal(journal[0].array("EDX"), counts)
        assert np.array_equal(journal[1].array("I"), image)
    assert only_open(tmp_path / "a.lbj")
    assert adapter("encode", tmp_path / "a.json", tmp_path / "a.lbj") == {"result": "refused"}
    assert (tmp_path / "a.lbj").exists()


if __name__ == "__main__":
    rewrite_page()
