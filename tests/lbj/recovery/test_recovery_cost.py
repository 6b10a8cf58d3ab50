"""Work of recovery and verification is linear in the file, and nothing is given up on the way; files and processes shared."""

import io
import json
import multiprocessing
import os
import struct
import threading
import zlib

import numpy as np
import pytest

import lbj
from lbj import UsageError
from lbj.format.records import Bytes
from lbj.recovery import recover, verify
from lbj.recovery.digests import SalvagedBytes, shifted
from lbj_conformance.generate.builder import File, image, record


class Counting(io.BytesIO):
    """Bytes that count how many of them are read."""

    def __init__(self, data):
        super().__init__(data)
        self.count = 0

    def read(self, size=-1):
        out = super().read(size)
        self.count += len(out)
        return out


def wrong_header(length):
    """Header of a BLOK whose payload digest will be wrong."""
    start = b"\xf5LB\x01BLOK" + struct.pack("<QI", length, 1)
    return start + struct.pack("<I", zlib.crc32(start))


def journal():
    file = File(image("I", (2, 2), "uint8"))
    file.frame({"I": np.arange(4, dtype=np.uint8).reshape(2, 2)})
    begin = len(file.data)
    file.frame({"I": np.arange(4, 8, dtype=np.uint8).reshape(2, 2)})
    return bytes(file.data[:begin]), bytes(file.data[begin:])


def nested(depth):
    """Wrong records inside of one another, then a frame; all end where no record stands."""
    before, frame = journal()
    size = 24 * depth + len(frame) + 8
    return before + b"".join(wrong_header(size - 24 * (i + 1)) for i in range(depth)) + frame + bytes([7] * 8)


def staircase(depth):
    """Wrong records of one length, each begun in the one before."""
    before, frame = journal()
    return before + wrong_header(12 * depth + 8) * depth + frame + bytes([7] * (12 * depth))


def gaps(number):
    before, frame = journal()
    return before + (record(b"abCd", b"") + b"garbage!") * number + frame


def markers(number):
    before, frame = journal()
    return before + b"\xf5LB not!" * number + frame


def recovered(data):
    out, lines = io.BytesIO(), []
    file = Counting(data)
    found = recover.recover(file, out, lines.append)
    with lbj.open(io.BytesIO(out.getvalue())) as saved:
        values = [frame.array("I").tolist() for frame in saved]
        notes = saved.header["source"].get("notes", [])
    return file.count, found, values, notes


@pytest.mark.parametrize("made", [nested, staircase, gaps, markers])
def test_work_is_linear_and_every_whole_frame_is_kept(made):
    """However deep it lies; the bytes that are read stand for the work."""
    read = []
    for size in (400, 1600):
        data = made(size)
        count, found, values, _ = recovered(data)
        assert values == [[[0, 1], [2, 3]], [[4, 5], [6, 7]]]
        assert found.kept == [0, 1]
        file = Counting(data)
        findings = sum(1 for _ in verify.verify(file))
        assert findings > (1 if made is markers else size // 2)
        read.append((count, file.count))
    for few, many in zip(*read, strict=True):
        assert many < 5 * few


def test_digests_of_stretches_follow_from_those_of_beginnings():
    rng = np.random.default_rng(0)
    data = rng.bytes(50_000)
    source = SalvagedBytes(io.BytesIO(data))
    for _ in range(50):
        a, b = sorted(rng.integers(0, len(data) + 1, 2).tolist())
        assert zlib.crc32(data[a:b]) == source._before(b) ^ shifted(source._before(a), b - a)
    assert shifted(0x12345678, 0) == 0x12345678
    assert shifted(zlib.crc32(b"a"), 2**33) == shifted(shifted(zlib.crc32(b"a"), 2**32), 2**32)


def test_losses_without_number_are_counted():
    _, found, values, notes = recovered(gaps(1500))
    assert len(values) == 2
    assert found.losses == 3000  # each record is not understood, each gap is none
    assert notes[-1] == f"and {found.losses - 1000} more losses"
    assert len(notes) == 1001


def test_old_notes_that_leave_no_room_are_left_out_and_said_so():
    notes = ["x" * 2**20] * 15
    out = io.BytesIO()
    with lbj.create(out, [lbj.Signal("I", "image", (2, 2))], source={"notes": notes}, sync=False) as writer:
        writer.append({"I": np.zeros((2, 2), np.uint16)})
        writer.amend({"source": {"notes": [*notes, "y" * (2**20 - 150)]}})
    broken = bytearray(out.getvalue())
    broken += b"garbage!" * 4 + record(b"abCd", b"")
    saved = io.BytesIO()
    found = recover.recover(io.BytesIO(bytes(broken)), saved, lambda _: None)
    assert found.kept == [0]
    with lbj.open(io.BytesIO(saved.getvalue())) as journal:
        assert journal.header["source"]["notes"][0] == "16 notes were left out"


def test_recovery_keeps_what_amendments_made_of_the_source():
    out = io.BytesIO()
    with lbj.create(out, [lbj.Signal("I", "image", (2, 2))], source={"name": "a", "notes": ["one"]}) as writer:
        writer.append({"I": np.zeros((2, 2), np.uint16)})
        writer.amend({"source": {"notes": ["one", "two"], "uuid": "not ours"}})
    with lbj.open(io.BytesIO(out.getvalue())) as journal:
        old = journal.header["uuid"]
    saved = io.BytesIO()
    recover.recover(io.BytesIO(out.getvalue()[:-8]), saved, lambda _: None)
    with lbj.open(io.BytesIO(saved.getvalue())) as journal:
        source = journal.header["source"]
    assert source["name"] == "a"
    assert source["notes"][:2] == ["one", "two"]
    assert source["uuid"] == old


def test_amendments_beside_a_long_axis_cost_their_own_size(monkeypatch):
    """4,000 amendments of a signal with a table of 100,000 values: the table is looked at once, not 4,000 times."""
    seen = []
    plain = lbj.signal.finite
    axes = [{"name": "y"}, {"name": "x"}, {"name": "e", "values": list(range(1000))}]
    out = io.BytesIO()
    writer = lbj.create(out, [lbj.Signal("E", "events", (1, 1, 1000), axes=axes)], sync=False)
    monkeypatch.setattr(lbj.signal, "finite", lambda *given: (seen.append(1), plain(*given))[1])
    for i in range(300):
        writer.amend({"signals": {"E": {"metadata": {"a": i}}}})
    writer.close()
    assert len(seen) < 10
    recover.recover(io.BytesIO(out.getvalue()), io.BytesIO(), lambda _: None)
    assert len(seen) < 10 * 1000
    with pytest.raises(UsageError, match="values"):
        lbj.Signal("E", "events", (1, 1, 1000)).amended(
            {"axes": [{"name": "y"}, {"name": "x"}, {"name": "e", "values": [1]}]}
        )


def test_signals_of_a_frame_are_found_by_name(monkeypatch):
    names = [f"s{i}" for i in range(200)]
    out = io.BytesIO()
    signals = [lbj.Signal(name, "image", (1, 1), coding="raw", group=f"g{i // 2}") for i, name in enumerate(names)]
    with lbj.create(out, signals, sync=False) as writer:
        writer.append({name: np.full((1, 1), i, np.uint16) for i, name in enumerate(names)})
    with lbj.open(io.BytesIO(out.getvalue())) as journal:
        frame = journal[0]
        monkeypatch.setattr(lbj.Frame, "names", property(lambda _: pytest.fail("a list of all names for each")))
        assert [int(frame.array(name)[0, 0]) for name in names] == list(range(200))
        assert [int(frame.array(f"g{i}")[0, 0]) for i in range(100)] == [4 * i + 1 for i in range(100)]
        assert json.dumps(journal.signals.group("none")) == "[]"


def test_threads_append_through_one_writer(tmp_path):
    writer = lbj.create(tmp_path / "a.lbj", [lbj.Signal("A", "image", (16, 16))], {"title": "t"}, sync=False)

    def work(k):
        for i in range(20):
            writer.append({"A": np.full((16, 16), 100 * k + i, np.uint16)})
            writer.amend({"metadata": {f"{k}": i}})

    threads = [threading.Thread(target=work, args=(k,)) for k in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.close()
    with lbj.open(tmp_path / "a.lbj") as journal:
        assert sorted(int(frame.array("A")[0, 0]) for frame in journal) == [
            100 * k + i for k in range(5) for i in range(20)
        ]
        assert [journal.metadata[str(k)] for k in range(5)] == [19] * 5


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_processes_forked_after_opening_read_for_themselves(tmp_path):
    with lbj.create(tmp_path / "a.lbj", [lbj.Signal("A", "image", (16, 16))], sync=False) as writer:
        for i in range(40):
            writer.append({"A": np.full((16, 16), i, np.uint16)})
        context = multiprocessing.get_context("fork")
        child = context.Process(target=_append, args=(writer,))
        child.start()
        child.join(60)
        assert child.exitcode == 5
    with lbj.open(tmp_path / "a.lbj") as journal:
        assert len(journal) == 40
        readers = [context.Process(target=_read, args=(journal,)) for _ in range(4)]
        for reader in readers:
            reader.start()
        _check(journal)
        for reader in readers:
            reader.join(60)
        assert [reader.exitcode for reader in readers] == [0] * 4


def _append(writer):
    try:
        writer.append({"A": np.zeros((16, 16), np.uint16)})
    except UsageError as error:
        os._exit(5 if "one writer" in str(error) else 6)
    os._exit(7)


def _read(journal):
    _check(journal)
    os._exit(0)


def _check(journal):
    for _ in range(10):
        for i, frame in enumerate(journal):
            assert int(frame.array("A")[3, 3]) == i


def test_reading_leaves_the_position_of_a_file_alone(tmp_path):
    (tmp_path / "a").write_bytes(bytes(range(100)))
    with (tmp_path / "a").open("rb") as file:
        file.seek(7)
        source = Bytes(file)
        assert source.read(50, 3) == bytes([50, 51, 52])
        if hasattr(os, "pread"):
            assert file.tell() == 7
        with pytest.raises(lbj.TruncatedError):
            source.read(98, 3)
