"""What goes wrong: killed writers, full disks, files torn or damaged at random places, two writers, readers that follow."""

import contextlib
import io
import os
import random
import resource
import signal
import subprocess
import sys
import time

import faulty_writer
import numpy as np
import pytest

import lbj
from lbj.recovery.recover import recover
from lbj.recovery.verify import verify

KILLS = 300


def checked(path):
    """Number of completed frames, every one of them as it was written."""
    with lbj.open(path) as journal:
        for number, frame in enumerate(journal):
            expected = faulty_writer.data(number)
            np.testing.assert_array_equal(frame.array("EDX"), expected["EDX"])
            np.testing.assert_array_equal(frame.array("HAADF"), expected["HAADF"])
            assert frame.region == number
        return len(journal)


def series(path, frames=5, *, close=True):
    """A journal of frames; returns the ends of its frames."""
    writer = lbj.create(path, faulty_writer.SIGNALS, sync=False)
    ends = []
    for number in range(frames):
        writer.append(faulty_writer.data(number), region=number)
        ends.append(os.path.getsize(path) if isinstance(path, (str, os.PathLike)) else path.seek(0, 2))
    if close:
        writer.close()
    return ends


@pytest.fixture(scope="module")
def begin():
    """Start a writer on a path; returns its process number and its log."""
    server = subprocess.Popen(
        [sys.executable, faulty_writer.__file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )

    def start(path, how):
        log = path.with_suffix(".log")
        log.unlink(missing_ok=True)
        server.stdin.write(f"{path} {log} {how}\n")
        server.stdin.flush()
        process = int(server.stdout.readline())
        while not log.exists():
            time.sleep(1e-4)
        return process, log

    yield start
    server.stdin.close()
    server.wait()
    server.stdout.close()


def kill(process):
    """SIGKILL, and wait until it is gone."""
    os.kill(process, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        while True:
            os.kill(process, 0)
            time.sleep(1e-4)


def test_killed_at_random_moments(tmp_path, begin):
    """SIGKILL at any moment, creation and closing included: what was reported as stored is there, whole."""
    rng = random.Random(20261121)
    survived = []
    for turn in range(KILLS):
        path = tmp_path / f"{turn}.lbj"
        process, log = begin(path, "create")
        time.sleep(rng.uniform(0, 0.03))
        kill(process)
        reported = log.read_bytes().count(b".")
        try:
            frames = checked(path)
        except (lbj.StorageError, lbj.TruncatedError):  # killed while the header was written
            assert reported == 0
            continue
        assert reported <= frames <= reported + 1
        assert {finding.code for finding in verify(io.BytesIO(path.read_bytes()))} <= {"4.4.1", "5.4.1", "6.1"}
        with lbj.append(path, sync=False) as writer:
            assert len(writer) == frames
            writer.append(faulty_writer.data(frames), region=frames)
        assert checked(path) == frames + 1
        assert list(verify(io.BytesIO(path.read_bytes()))) == []
        survived.append(frames)
    assert len(survived) > KILLS // 2
    assert len(set(survived)) > 3


def test_truncated_at_every_byte(tmp_path):
    whole = tmp_path / "whole.lbj"
    ends = series(whole, 3)
    data = whole.read_bytes()
    head = ends[0] - (ends[1] - ends[0]) - 64
    for size in range(head, len(data)):
        complete = sum(size >= end for end in ends)
        with contextlib.suppress(lbj.TruncatedError), lbj.open(io.BytesIO(data[:size])) as journal:
            assert len(journal) == complete
            assert journal.tail is None or ends[complete - 1] <= journal.tail.offset <= size or not complete
        if size % 7 == 0 and complete:
            assert checked(io.BytesIO(data[:size])) == complete
            kept = recover(io.BytesIO(data[:size]), io.BytesIO(), lambda _: None).kept
            assert kept == list(range(complete))


@pytest.mark.parametrize("seed", range(60))
def test_damaged_at_random_places(seed, tmp_path):
    """Bytes are changed, zeroed, cut out or put in: frames that were not touched come back, and no others."""
    rng = np.random.default_rng(seed)
    file = io.BytesIO()
    ends = series(file, 8, close=bool(seed % 2))
    data = bytearray(file.getvalue())
    with lbj.open(io.BytesIO(data)) as journal:
        begins = [group.fram for group in journal.contents.frames]
    at = int(rng.integers(begins[0], ends[-1]))
    size = int(min(rng.integers(1, 2000), ends[-1] - at))
    hit = {i for i, (begin, end) in enumerate(zip(begins, ends, strict=True)) if begin < at + size and at < end}
    kind = ["noise", "zeros", "cut", "inserted"][seed % 4]
    if kind == "noise":
        data[at : at + size] = rng.bytes(size)
    elif kind == "zeros":
        data[at : at + size] = bytes(size)
    elif kind == "cut":
        del data[at : at + size // 8 * 8]
    else:
        hit = {i for i, (begin, end) in enumerate(zip(begins, ends, strict=True)) if begin < at < end}
        data[at:at] = rng.bytes(size // 8 * 8)
    out = tmp_path / "out.lbj"
    with open(out, "x+b") as target:
        found = recover(io.BytesIO(data), target, lambda _: None)
    assert set(found.kept) >= set(range(8)) - hit
    with lbj.open(out) as journal:
        assert len(journal) == len(found.kept)
        for number, frame in zip(found.kept, journal, strict=True):
            np.testing.assert_array_equal(frame.array("EDX"), faulty_writer.data(number)["EDX"])
            np.testing.assert_array_equal(frame.array("HAADF"), faulty_writer.data(number)["HAADF"])
    assert set(found.lost) <= hit
    assert set(found.lost) | set(found.kept) == set(range(max([*found.kept, *found.lost], default=-1) + 1))


def test_two_writers(tmp_path):
    path = tmp_path / "a.lbj"
    with lbj.create(path, faulty_writer.SIGNALS) as writer:
        writer.append(faulty_writer.data(0))
        before = path.read_bytes()
        with pytest.raises(lbj.UsageError, match=r"a\.lbj.*is being written by another"):
            lbj.append(path)
        with pytest.raises(lbj.UsageError, match="exists"):
            lbj.create(path, faulty_writer.SIGNALS)
        code = f"import lbj\ntry:\n lbj.append({str(path)!r})\nexcept lbj.UsageError as e:\n print(e)"
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        assert "is being written by another" in out
        assert path.read_bytes() == before
        writer.append(faulty_writer.data(1), region=1)
    lbj.append(path).close()
    assert checked(path) == 2


class FullDisk(io.BytesIO):
    """A file that takes `room` bytes and no more."""

    room = 2**20

    def write(self, data):
        if self.tell() + len(data) > self.room:
            super().write(bytes(data)[: max(0, self.room - self.tell())])
            raise OSError(28, "No space left on device")
        return super().write(data)


def test_a_full_disk_at_every_byte_of_a_frame():
    probe = io.BytesIO()
    ends = series(probe, 2, close=False)
    for room in range(ends[0], ends[1], 11):
        file = FullDisk()
        writer = lbj.create(file, faulty_writer.SIGNALS, sync=False)
        writer.append(faulty_writer.data(0), region=0)
        file.room = room
        with pytest.raises(lbj.StorageError, match=r"No space left.*1 frames completed before are safe"):
            writer.append(faulty_writer.data(1), region=1)
        assert checked(io.BytesIO(file.getvalue())) == 1
        file.room = 2**20
        writer.append(faulty_writer.data(1), region=1)
        writer.close()
        assert checked(file) == 2
        assert list(verify(file)) == []


FILL = """
import os, resource, signal, sys
import faulty_writer, lbj
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path, room = sys.argv[1], int(sys.argv[2])
if room:
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
writer = lbj.create(path, faulty_writer.SIGNALS)
try:
    while True:
        writer.append(faulty_writer.data(len(writer)), region=len(writer))
except lbj.StorageError as error:
    print(len(writer), error)
"""


def fill(path, room=0):
    where = os.path.dirname(faulty_writer.__file__)
    line = [sys.executable, "-c", FILL, str(path), str(room)]
    done = subprocess.run(line, capture_output=True, text=True, check=True, cwd=where, timeout=120)
    frames, said = done.stdout.split(" ", 1)
    assert "frames completed before are safe" in said
    return int(frames)


def test_a_limit_on_the_size_of_files(tmp_path):
    path = tmp_path / "a.lbj"
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    frames = fill(path, 10000)
    assert frames > 2
    assert checked(path) == frames
    with lbj.append(path) as writer:
        writer.append(faulty_writer.data(frames), region=frames)
    assert checked(path) == frames + 1


def test_a_full_file_system(tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no right to mount a small tmpfs here; the limit on file sizes is tested instead")
    try:
        frames = fill(folder / "a.lbj")
        assert frames > 10
        assert checked(folder / "a.lbj") == frames
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_reader_follows(tmp_path):
    path = tmp_path / "a.lbj"
    writer = lbj.create(path, faulty_writer.SIGNALS)
    with lbj.open(path) as journal:
        assert (len(journal), journal.complete, journal.refresh()) == (0, False, 0)
        for number in range(3):
            writer.append(faulty_writer.data(number), region=number)
            assert journal.refresh() == 1
            np.testing.assert_array_equal(journal[number].array("EDX"), faulty_writer.data(number)["EDX"])
        with open(path, "ab") as file:
            file.write(b"\xf5LB\x01FRA")
        assert journal.refresh() == 0
        assert isinstance(journal.tail, lbj.TruncatedError)
        writer.append(faulty_writer.data(3), region=3)
        assert journal.refresh() == 1
        writer.close()
        assert journal.refresh() == 0
        assert journal.complete


def test_a_reader_follows_writers_that_are_killed(tmp_path, begin):
    """The reader never sees a frame that is not whole, nor loses one, while writers die and others go on."""
    path = tmp_path / "a.lbj"
    lbj.create(path, faulty_writer.SIGNALS).close()
    rng = random.Random(5)
    with lbj.open(path) as journal:
        seen = 0
        for _ in range(30):
            process, _ = begin(path, "append")
            until = time.monotonic() + rng.uniform(0.01, 0.06)
            while time.monotonic() < until:
                journal.refresh()
                assert len(journal) >= seen
                for number in range(seen, len(journal)):
                    np.testing.assert_array_equal(journal[number].array("EDX"), faulty_writer.data(number)["EDX"])
                seen = len(journal)
            kill(process)
        assert seen > 12
    assert checked(path) >= seen
