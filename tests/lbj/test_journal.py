"""Writing and reading a journal: kinds of signals, blocks, groups, static signals, attributes, appending."""

import datetime as dt
import io
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

import lbj
from lbj.format import layout
from lbj.recovery.verify import verify

SHAPE = (5, 7, 30)


def cube(seed, shape=SHAPE, rate=0.1):
    return np.random.default_rng(seed).poisson(rate, shape).astype(np.uint32)


def edx(**more):
    return lbj.Signal("EDX", "events", SHAPE, **more)


def findings(path):
    with open(path, "rb") as file:
        return [(finding.code, finding.message) for finding in verify(file)]


@pytest.mark.parametrize("coding", ["raw", "leb128", "split-rice"])
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 65537, 2), (3, 1, 4096), (257, 255, 1), (2, 3, 4, 5)])
@pytest.mark.parametrize("rate", [0, 0.01, 40])
def test_events_of_every_shape(tmp_path, coding, shape, rate):
    data = cube(1, shape, rate)
    with lbj.create(tmp_path / "a.lbj", [lbj.Signal("EDX", "events", shape, coding=coding)]) as writer:
        writer.append({"EDX": data})
        writer.append({"EDX": lbj.Events.from_dense(data)})
    with lbj.open(tmp_path / "a.lbj") as journal:
        for frame in journal:
            events = frame.events("EDX")
            assert events == lbj.Events.from_dense(data)
            assert events.total == data.sum()
            np.testing.assert_array_equal(events.spectrum(), data.reshape(-1, shape[-1]).sum(0))
            np.testing.assert_array_equal(events.image(), data.sum(-1))
            np.testing.assert_array_equal(frame.array("EDX"), data)
    assert findings(tmp_path / "a.lbj") == []


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint64", "float32", "float64"])
@pytest.mark.parametrize("coding", ["raw", "shuffle-zstd"])
def test_dense_signals_keep_their_dtype(tmp_path, dtype, coding):
    values = np.arange(35).reshape(5, 7).astype(dtype)
    spectra = (np.arange(1050) % 97).reshape(SHAPE).astype(dtype)
    signals = [
        lbj.Signal("HAADF", "image", (5, 7), dtype=dtype, coding=coding),
        lbj.Signal("EELS", "spectra", SHAPE, dtype=np.dtype(dtype), coding=coding),
    ]
    with lbj.create(tmp_path / "a.lbj", signals) as writer:
        writer.append({"HAADF": values, "EELS": spectra})
    with lbj.open(tmp_path / "a.lbj") as journal:
        for name, expected in (("HAADF", values), ("EELS", spectra)):
            got = journal[0].array(name)
            assert got.dtype == dtype
            np.testing.assert_array_equal(got, expected)
            got += 1  # an array of one's own


def test_large_frames_are_cut_into_blocks_that_join_again(tmp_path):
    data = cube(2, (40, 50, 300), 0.6)
    with lbj.create(tmp_path / "a.lbj", [lbj.Signal("EDX", "events", data.shape)]) as writer:
        writer.append({"EDX": data})
    raw = (tmp_path / "a.lbj").read_bytes()
    assert raw.count(b"\xf5LB\x01BLOK") > 4
    with lbj.open(tmp_path / "a.lbj") as journal:
        assert journal[0].events("EDX") == lbj.Events.from_dense(data)
    assert findings(tmp_path / "a.lbj") == []


def test_a_frame_of_more_than_2_32_voxels(tmp_path):
    shape = (2048, 2048, 4096)
    pixel = np.array([0, 2048 * 2048 - 1, 17, 2048 * 2048 - 1], np.uint32)
    channel = np.array([0, 1023, 1024, 4095], np.uint32)
    events = lbj.Events(pixel, channel, np.array([1, 2**32 - 1, 3, 2**31], np.uint32), shape)
    with lbj.create(tmp_path / "a.lbj", [lbj.Signal("EDX", "events", shape)]) as writer:
        writer.append({"EDX": events})
    with lbj.open(tmp_path / "a.lbj") as journal:
        assert journal[0].events("EDX") == events
        with pytest.raises(lbj.UsageError, match="max_bytes"):
            journal[0].array("EDX")
    assert (tmp_path / "a.lbj").stat().st_size < 2000


def test_one_channel_of_more_than_2_32_counts_is_cut_by_rows(tmp_path):
    data = np.full((3, 2, 1), 2**31, np.uint32)
    with lbj.create(tmp_path / "a.lbj", [lbj.Signal("EDX", "events", data.shape)]) as writer:
        writer.append({"EDX": data})
    with lbj.open(tmp_path / "a.lbj") as journal:
        assert journal[0].events("EDX").total == 6 * 2**31
        np.testing.assert_array_equal(journal[0].array("EDX"), data)


def test_groups_read_as_their_sum(tmp_path):
    signals = [lbj.Signal(f"EDX-{i}", "events", SHAPE, group="EDX") for i in (1, 2)]
    with lbj.create(tmp_path / "a.lbj", signals) as writer:
        writer.append({"EDX-1": cube(1), "EDX-2": cube(2)}, live_time={"EDX-1": 1.0, "EDX-2": 2.0})
    with lbj.open(tmp_path / "a.lbj") as journal:
        assert list(journal.signals) == ["EDX-1", "EDX-2"]
        assert "EDX" in journal.signals
        assert "EELS" not in journal.signals
        assert journal.signals["EDX"].shape == SHAPE
        np.testing.assert_array_equal(journal[0].events("EDX").dense(), cube(1) + cube(2))
        assert journal[0].live_time == {"EDX-1": 1.0, "EDX-2": 2.0}
        with pytest.raises(lbj.UsageError, match=r"no signal 'EELS'; it has EDX-1, EDX-2"):
            journal.signals["EELS"]


def test_static_signals_are_stored_once_and_the_last_counts(tmp_path):
    signals = [edx(), lbj.Signal("survey", "image", (3, 3), role="survey")]
    with lbj.create(tmp_path / "a.lbj", signals) as writer:
        writer.put_static("survey", np.zeros((3, 3)))
        writer.append({"EDX": cube(0)})
        writer.put_static("survey", np.ones((3, 3)))
        with pytest.raises(lbj.UsageError, match="put_static"):
            writer.append({"survey": np.ones((3, 3))})
        with pytest.raises(lbj.UsageError, match="append"):
            writer.put_static("EDX", cube(0))
    with lbj.open(tmp_path / "a.lbj") as journal:
        assert len(journal) == 1
        assert journal.static("survey").sum() == 9
        with pytest.raises(lbj.UsageError, match="dark"):
            journal.static("dark")
    assert findings(tmp_path / "a.lbj") == []


def test_attributes_come_back_as_given(tmp_path):
    given_ = {
        "live_time": {"EDX": 0.5},
        "real_time": 0.75,
        "dwell_time": 1e-3,
        "beam_current": 17e-12,
        "start_time": "2026-11-21T08:30:00.5Z",
        "region": 3,
        "scanned_pixels": {"EDX": 30},
        "energy_shift": -0.25,
        "scan": {"order": "serpentine"},
        "metadata": {"note": "µ"},
    }
    with lbj.create(tmp_path / "a.lbj", [edx()]) as writer:
        writer.append({"EDX": cube(0)}, **given_)
        writer.append({"EDX": cube(0)})
        writer.append({"EDX": cube(0)}, start_time=dt.datetime(2026, 1, 2, 3, tzinfo=dt.timezone.utc))
    with lbj.open(tmp_path / "a.lbj") as journal:
        assert journal[0].attributes == given_
        assert journal[0].region == 3
        assert journal[0].dwell_time == 1e-3
        assert journal[1].live_time is None
        assert journal[1].region == 0
        assert journal[-1].start_time == "2026-01-02T03:00:00Z"
        with pytest.raises(AttributeError, match="colour"):
            _ = journal[0].colour
        with pytest.raises(IndexError):
            _ = journal[3]


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"dwel_time": 1}, "dwel_time.*dwell_time"),
        ({"live_time": {"EELS": 1}}, "EELS.*EDX"),
        ({"live_time": float("nan")}, "finite"),
        ({"beam_current": "17 pA"}, "finite number"),
        ({"region": -1}, "region"),
        ({"start_time": "yesterday"}, "RFC 3339"),
        ({"start_time": "2026-01-01T00:00:00+02:00"}, "UTC"),
        ({"metadata": {"a": object()}}, "JSON"),
    ],
)
def test_bad_attributes_are_named_and_nothing_is_stored(tmp_path, bad, words):
    with lbj.create(tmp_path / "a.lbj", [edx()]) as writer:
        writer.append({"EDX": cube(0)})
        with pytest.raises(lbj.UsageError, match=words):
            writer.append({"EDX": cube(1)}, **bad)
        writer.append({"EDX": cube(2)})
    with lbj.open(tmp_path / "a.lbj") as journal:
        assert len(journal) == 2
    assert findings(tmp_path / "a.lbj") == []


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"EDX": -np.ones(SHAPE)}, r"-1\.0 at voxel \(0, 0, 0\).*spectra"),
        ({"EDX": np.full(SHAPE, 0.5)}, "0.5 at voxel"),
        ({"EDX": np.full(SHAPE, np.nan)}, "nan at voxel"),
        ({"EDX": np.full(SHAPE, 2.0**33)}, "8589934592"),
        ({"EDX": np.ones((7, 5, 30))}, r"\(5, 7, 30\).*\(7, 5, 30\)"),
        ({"EDX": np.ones((30, 5, 7))}, "navigation axes come first"),
        ({"EDX": "no"}, "navigation axes"),
        ({"EELS": np.ones(SHAPE)}, "no signal 'EELS'; it has EDX, HAADF"),
        ({"HAADF": np.full((5, 7), 0.5)}, "uint16.*float64"),
        ({"HAADF": np.full((5, 7), 70000)}, "would change"),
        ({"HAADF": np.zeros((5, 8))}, r"\(5, 7\).*\(5, 8\)"),
    ],
)
def test_bad_data_are_named_and_nothing_is_stored(tmp_path, data, words):
    path = tmp_path / "a.lbj"
    with lbj.create(path, [edx(), lbj.Signal("HAADF", "image", (5, 7))]) as writer:
        size = path.stat().st_size
        with pytest.raises(lbj.UsageError, match=words):
            writer.append(data)
        assert path.stat().st_size == size
    assert findings(path) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("", "events", SHAPE), "name"),
        (("EDX", "counts", SHAPE), "events, spectra, image"),
        (("EDX", "events", (5,)), "shape"),
        (("EDX", "events", (5, 0, 3)), "shape"),
        (("EDX", "events", "abc"), "shape"),
        (("EDX", "events", (2**20, 2**20, 3)), "pixels"),
        (("EDX", "events", (2**32, 1, 3)), "shape"),
    ],
)
def test_bad_signals(arguments, words):
    with pytest.raises(lbj.UsageError, match=words):
        lbj.Signal(*arguments)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"dtype": "float32"}, "uint8, uint16, uint32"),
        ({"axes": [{"name": "y"}]}, "one axis per dimension"),
        ({"axes": [{"name": "y", "size": 6}, {"name": "x"}, {"name": "E"}]}, "6 contradicts"),
        ({"axes": [{"name": "y", "scale": float("inf")}, {"name": "x"}, {"name": "E"}]}, "finite"),
        ({"axes": [{"name": "y", "values": [1]}, {"name": "x"}, {"name": "E"}]}, "list of 5 values"),
        ({"to_field": [[1, 0], [0, 1]]}, "to_field"),
    ],
)
def test_bad_declarations(more, words):
    with pytest.raises(lbj.UsageError, match=words):
        edx(**more)


def test_create_refuses_contradictions(tmp_path):
    path = tmp_path / "a.lbj"
    with pytest.raises(lbj.UsageError, match="two signals"):
        lbj.create(path, [edx(), edx()])
    with pytest.raises(lbj.UsageError, match="differ in kind or shape"):
        lbj.create(path, [edx(group="g"), lbj.Signal("b", "events", (1, 1, 1), group="g")])
    with pytest.raises(lbj.UsageError, match="has the name of a signal"):
        lbj.create(path, [edx(group="b"), lbj.Signal("b", "image", (1, 1))])
    with pytest.raises(lbj.UsageError, match="split-rice; got 'zip'"):
        lbj.create(path, [edx(coding="zip")])
    with pytest.raises(lbj.UsageError, match="1 to 65,535"):
        lbj.create(path, [])
    with pytest.raises(lbj.UsageError, match="plain JSON"):
        lbj.create(path, [edx()], {"t": float("nan")})
    with pytest.raises(lbj.StorageError, match="cannot write"):
        lbj.create(tmp_path / "no" / "a.lbj", [edx()])
    assert not path.exists()


def test_a_journal_is_never_overwritten(tmp_path):
    with lbj.create(tmp_path / "a.lbj", [edx()]) as writer:
        writer.append({"EDX": cube(0)})
    before = (tmp_path / "a.lbj").read_bytes()
    with pytest.raises(lbj.UsageError, match=r"lbj\.append"):
        lbj.create(tmp_path / "a.lbj", [edx()])
    assert (tmp_path / "a.lbj").read_bytes() == before
    (tmp_path / "empty.lbj").touch()
    with lbj.create(tmp_path / "empty.lbj", [edx()]) as writer:
        writer.append({"EDX": cube(0)})


def test_reopening_keeps_every_byte_before(tmp_path):
    path = tmp_path / "a.lbj"
    before = b""
    for i in range(3):
        with lbj.append(path) if i else lbj.create(path, [edx()]) as writer:
            assert writer.append({"EDX": cube(i)}, region=i) == i
        data = path.read_bytes()
        assert data.startswith(before)
        before = data
    with lbj.open(path) as journal:
        assert journal.complete
        assert [frame.region for frame in journal] == [0, 1, 2]
        for i, frame in enumerate(journal):
            np.testing.assert_array_equal(frame.array("EDX"), cube(i))
    assert findings(path) == []


def test_reopening_cuts_only_the_unfinished_frame(tmp_path):
    path = tmp_path / "a.lbj"
    with lbj.create(path, [edx()]) as writer:
        writer.append({"EDX": cube(0)})
        whole = path.read_bytes()
        writer.append({"EDX": cube(1)})
        torn = path.read_bytes()
    path.write_bytes(torn[:-5])
    with lbj.append(path) as writer:
        assert path.read_bytes() == whole
        assert len(writer) == 1
        writer.append({"EDX": cube(2)})
    with lbj.open(path) as journal:
        np.testing.assert_array_equal(journal[1].array("EDX"), cube(2))
    assert findings(path) == []


def test_append_leaves_a_damaged_journal_as_it_was(tmp_path):
    path = tmp_path / "a.lbj"
    with lbj.create(path, [edx()]) as writer:
        writer.append({"EDX": cube(0)})
        at = path.stat().st_size
        writer.append({"EDX": cube(1)})
        data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    with pytest.raises(lbj.DamagedError, match=f"no record starts here.* at byte {at} "):
        lbj.append(path)
    assert path.read_bytes() == data


def test_amendments(tmp_path):
    path = tmp_path / "a.lbj"
    with lbj.create(path, [edx()], {"title": "old", "elements": ["Ti"]}) as writer:
        writer.append({"EDX": cube(0)})
        writer.amend({"metadata": {"title": "new", "elements": None}})
    axes = [{"name": "y"}, {"name": "x"}, {"name": "energy", "offset": -5, "scale": 10, "units": "eV"}]
    with lbj.append(path) as writer:
        writer.amend({"signals": {"EDX": {"axes": axes}}})
        with pytest.raises(lbj.UsageError, match="EELS"):
            writer.amend({"signals": {"EELS": {}}})
        with pytest.raises(lbj.UsageError, match="axis"):
            writer.amend({"signals": {"EDX": {"axes": []}}})
    with lbj.open(path) as journal:
        assert journal.metadata == {"title": "new"}
        assert journal.signals["EDX"].axes[2]["offset"] == -5
        assert journal.complete
    assert findings(path) == []


def test_content_digest_is_that_of_clause_7_3_and_independent_of_coding(tmp_path):
    import hashlib

    data, image = cube(3), np.arange(35, dtype=np.uint16).reshape(5, 7)
    digests = set()
    for coding in ("raw", "leb128", "split-rice"):
        path = tmp_path / f"{coding}.lbj"
        with lbj.create(path, [edx(coding=coding), lbj.Signal("HAADF", "image", (5, 7))]) as writer:
            writer.append({"EDX": data, "HAADF": image})
        with lbj.open(path) as journal:
            digests.add(journal.content_digest())
    flat = data.reshape(-1, SHAPE[-1]).T.ravel()
    where = np.flatnonzero(flat)
    lists = [where // 35, where % 35, flat[where]]
    counts = hashlib.sha256(b"EDX\nevents\nuint32\n5,7,30\n" + b"".join(x.astype("<u4").tobytes() for x in lists))
    picture = hashlib.sha256(b"HAADF\nimage\nuint16\n5,7\n" + image.astype("<u2").tobytes())
    frame = hashlib.sha256(counts.digest() + picture.digest())
    assert digests == {hashlib.sha256(frame.digest()).hexdigest()}


def test_frames_are_read_from_many_threads(tmp_path):
    path = tmp_path / "a.lbj"
    with lbj.create(path, [edx()], sync=False) as writer:
        for i in range(40):
            writer.append({"EDX": cube(i)})
    wrong = []

    def check(start):
        wrong.extend(i for i in range(start, 40, 4) if not np.array_equal(journal[i].array("EDX"), cube(i)))

    with lbj.open(path) as journal:
        threads = [threading.Thread(target=check, args=(start,)) for start in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_import_and_info_leave_numba_and_numpy_alone(tmp_path):
    with lbj.create(tmp_path / "a.lbj", [edx()]) as writer:
        writer.append({"EDX": cube(0)})
    code = f"""
import sys, lbj, lbj.cli
assert lbj.cli.main(["info", {str(tmp_path / "a.lbj")!r}]) == 0
print(sorted({{"numba", "numpy", "h5py", "rsciio", "zstandard"}} & set(sys.modules)))
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == "[]"


def test_the_public_names_are_the_promised_ones():
    assert sorted(lbj.__all__) == lbj.__all__
    for name in lbj.__all__:
        assert getattr(lbj, name).__doc__
    with pytest.raises(AttributeError):
        _ = lbj.nothing


@pytest.mark.parametrize(
    ("pixel", "channel", "count", "words"),
    [
        ([0, 0], [1, 1], [1, 1], "unique and sorted"),
        ([1, 0], [1, 1], [1, 1], "entry 1 is not after entry 0"),
        ([0, 0], [1, 0], [1, 1], "sorted"),
        ([0], [30], [1], "channel 30"),
        ([35], [0], [1], "pixel 35"),
        ([0], [0], [0], "at least 1"),
        ([0, 1], [0], [1], "equally long"),
        ([-1], [0], [1], "0..4294967295"),
        ([0.5], [0], [1], "integers"),
        ([[0]], [0], [1], "one-dimensional"),
    ],
)
def test_events_refuse_what_they_cannot_be(pixel, channel, count, words):
    with pytest.raises(lbj.UsageError, match=words):
        lbj.Events(pixel, channel, count, shape=SHAPE)


@given(
    entries=st.lists(st.tuples(st.integers(0, 34), st.integers(0, 29), st.integers(0, 5)), max_size=40),
)
def test_events_from_a_list_in_any_order(entries):
    dense = np.zeros((35, 30), np.uint32)
    for pixel, channel, count in entries:
        dense[pixel, channel] += count
    columns = np.array(entries, np.int64).reshape(-1, 3).T
    events = lbj.Events.from_list(columns[0], columns[1], SHAPE, columns[2])
    assert events == lbj.Events.from_dense(dense.reshape(SHAPE))
    assert lbj.Events.sum([events, events]) == lbj.Events.from_dense(2 * dense.reshape(SHAPE))


class JournalMachine(RuleBasedStateMachine):
    """Any sequence of writing, closing, reopening, tearing and reading against a list of frames."""

    def __init__(self):
        super().__init__()
        self.file = io.BytesIO()
        self.writer = lbj.create(self.file, [edx(), lbj.Signal("I", "image", (2, 2), dtype="float32")])
        self.frames, self.title, self.torn, self.closed = [], None, b"", False

    @precondition(lambda self: self.writer is not None)
    @rule(seed=st.integers(0, 99), rate=st.sampled_from([0, 0.01, 3.0]), image=st.booleans())
    def add(self, seed, rate, image):
        data = {"EDX": cube(seed, rate=rate)}
        if image:
            data["I"] = np.full((2, 2), seed, np.float32)
        self.writer.append(data, region=seed)
        self.frames.append((data, seed))
        self.closed = False

    @precondition(lambda self: self.writer is not None)
    @rule(title=st.text(max_size=5, alphabet="aß€"))
    def amend(self, title):
        self.writer.amend({"metadata": {"title": title}})
        self.title = title
        self.closed = False

    @precondition(lambda self: self.writer is not None)
    @rule()
    def close(self):
        self.writer.close()
        self.writer, self.closed = None, True

    @precondition(lambda self: self.writer is not None)
    @rule(tail=st.sampled_from([b"\xf5", bytes(64), bytes(3), b"\xf5LB\x01FRAM"]))
    def die(self, tail):
        self.file.seek(0, 2)
        self.file.write(tail)
        self.writer, self.torn = None, tail

    @precondition(lambda self: self.writer is None)
    @rule()
    def reopen(self):
        self.writer, self.torn = lbj.append(self.file), b""

    @invariant()
    def reads_back(self):
        with lbj.open(self.file) as journal:
            assert len(journal) == len(self.frames)
            assert journal.metadata.get("title") == self.title
            assert journal.complete == (self.closed and not self.torn)
            for frame, (data, region) in zip(journal, self.frames, strict=True):
                assert frame.region == region
                assert set(frame.names) == set(data)
                for name, expected in data.items():
                    np.testing.assert_array_equal(frame.array(name), expected)
            digest = journal.content_digest()
        found = {finding.code for finding in verify(self.file)}
        torn = {"4.4.2" if len(self.torn) == 64 else "4.4.1"} if self.torn else set()
        assert found == torn | (set() if self.closed and not self.torn else {"6.1"})
        assert len(digest) == 64


TestJournalMachine = JournalMachine.TestCase
TestJournalMachine.settings = settings(max_examples=40, stateful_step_count=20)


def test_a_file_that_grows_past_four_gib(tmp_path):
    path = tmp_path / "a.lbj"
    with lbj.create(path, [edx(), lbj.Signal("I", "image", (2, 2))], sync=False) as writer:
        writer.append({"EDX": cube(0)})
        # A sparse ancillary record of 5 GiB, without digest, between two frames.
        import zlib

        end, length = writer.contents.end, 5 * 2**30
        head = layout.record.build({"flags": 0, "type": b"xxXx", "length": length, "payload_crc": 0, "header_crc": 0})[
            :-4
        ]
        with open(path, "r+b") as file:
            file.seek(end)
            file.write(head + zlib.crc32(head).to_bytes(4, "little"))
            file.truncate(end + 24 + length)
        writer.contents.others.append((b"xxXx", end))
        writer.contents.end = end + 24 + length
        writer.append({"EDX": cube(1)})
    with lbj.open(path) as journal:
        assert journal.complete
        np.testing.assert_array_equal(journal[1].array("EDX"), cube(1))
    os.truncate(path, Path(path).stat().st_size - 48)
    with lbj.open(path) as journal:
        assert not journal.complete
        np.testing.assert_array_equal(journal[1].array("EDX"), cube(1))


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"beam_energy": "200 kV"}, "beam_energy must be a number .eV., got '200 kV'"),
        ({"beam_energy": -1}, "above zero"),
        ({"elements": "Ti"}, "list of symbols"),
        ({"elements": ["Ti", "oxygen"]}, "list of symbols"),
        ({"title": 3}, "title must be text"),
        ({"stage_tilt": "level"}, "stage_tilt"),
    ],
)
def test_metadata_of_the_wrong_type_are_refused(tmp_path, metadata, words):
    signals = [lbj.Signal("EDX", "events", (1, 1, 4))]
    with pytest.raises(lbj.UsageError, match=words):
        lbj.create(tmp_path / "a.lbj", signals, metadata)
    assert not (tmp_path / "a.lbj").exists()
    with lbj.create(tmp_path / "a.lbj", signals, {"stage_tilt": [0.1, 0.2], "beam_energy": 2e5}) as writer:
        with pytest.raises(lbj.UsageError, match=words):
            writer.amend({"metadata": metadata})


@pytest.mark.parametrize(
    ("shape", "dtype", "coding", "kind"),
    [
        ((7, 12, 2), "int16", "lossless-int", "spectra"),
        ((8, 8, 5), "int32", "noise-q(1)", "spectra"),
        ((9, 10, 5), "int64", "lossless-int", "spectra"),
        ((9, 30), "float32", "shuffle-zstd", "image"),
        ((5, 70), "uint8", "raw", "image"),
    ],
)
def test_rows_that_do_not_divide_make_no_block_too_large(monkeypatch, shape, dtype, coding, kind):
    """With a limit of 70 elements in the place of 2^32-1; a reader refuses a larger block (clause 5.3.5)."""
    monkeypatch.setattr(lbj.codings, "MAX_BLOCK", 70)
    values = np.random.default_rng(0).poisson(200, shape).astype(dtype)
    out = io.BytesIO()
    with lbj.create(out, [lbj.Signal("S", kind, shape, dtype=dtype, coding=coding)], sync=False) as writer:
        writer.append({"S": values})
    with lbj.open(io.BytesIO(out.getvalue())) as journal:
        got = journal[0].array("S")
        assert max(np.prod(block.shape) for block in journal[0].stored_blocks("S")) <= 70
    assert np.abs(got.astype(float) - values).max() <= (0 if coding != "noise-q(1)" else 10)
