"""Imports in a process of their own: the same data come back, and whatever a library does ends in a named error."""

import gc
import io
import json
import os
import pickle
import subprocess
import sys
import textwrap
import time

import h5py
import numpy as np
import pytest

import lbj
from lbj import DamagedError, UsageError
from lbj.archive.convert import convert
from lbj.errors import LibraryError
from lbj.importing import apart, child, open_source, wire
from lbj.importing.outside import refuse_links, refuse_programs


@pytest.fixture
def npz(tmp_path):
    rng = np.random.default_rng(0)
    counts = rng.poisson(0.2, (3, 4, 5, 20)).astype(np.uint8)
    image = rng.normal(size=(3, 4, 5)).astype(np.float32)
    np.savez(tmp_path / "a.npz", EDX=counts, HAADF=image)
    return tmp_path / "a.npz"


def same(a, b):
    if isinstance(a, lbj.Events):
        return a.shape == b.shape and all(
            np.array_equal(getattr(a, n), getattr(b, n)) for n in ("pixel", "channel", "count")
        )
    return a.dtype == b.dtype and np.array_equal(a, b)


def check(paths):
    near, far = open_source(paths), apart.open_apart(paths)
    assert [s.to_json() for s in far.signals] == [s.to_json() for s in near.signals]
    assert (far.n_frames, far.metadata) == (near.n_frames, near.metadata)
    assert far.static.keys() == near.static.keys()
    assert all(same(far.static[name], value) for name, value in near.static.items())
    count = 0
    for one, other in zip(near.frames, far.frames, strict=True):
        assert one[1] == other[1]
        assert one[0].keys() == other[0].keys()
        assert all(same(value, other[0][name]) for name, value in one[0].items())
        count += 1
    assert far.notes == near.notes
    assert [getattr(note, "rank", 1) for note in far.notes] == [getattr(note, "rank", 1) for note in near.notes]
    return count


def test_the_same_data_come_back(npz, tmp_path):
    assert check([npz]) == 3
    np.savez(tmp_path / "b.npz", EDX=np.ones((1, 1, 1), np.uint16))
    assert check([tmp_path / "b.npz"]) == 1


@pytest.mark.parametrize("name", ["velox/fei_emd_si.emd", "jeol/64.pts", "eels/SI-HAADF.dm3", "bruker/test_TEM.bcf"])
def test_vendor_files_come_back_the_same(shared_data, name):
    if not (shared_data / name).exists():
        pytest.skip(f"no {name} among the vendor files")
    assert check([shared_data / name]) >= 1


def test_one_process_serves_series_after_series(npz):
    def used():
        source = apart.open_apart([npz])
        one = source.frames.gi_frame.f_locals["one"]
        list(source.frames)
        return one

    assert used() is used()
    apart._idle[-1]._process.terminate()
    apart._idle[-1]._process.wait()
    assert used() is used()
    source = apart.open_apart([npz])
    next(source.frames)
    source.frames.close()  # one that is left in its midst is ended
    assert len(list(apart.open_apart([npz]).frames)) == 3


def test_errors_come_back_as_they_were(tmp_path):
    for name, data, kind in (("a.npz", b"PK\x03\x04 no zip", DamagedError), ("a.xyz", b"nothing", UsageError)):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(kind) as near:
            list(open_source([tmp_path / name]).frames)
        with pytest.raises(kind) as far:
            list(apart.open_apart([tmp_path / name]).frames)
        assert str(near.value) == str(far.value)
        assert getattr(far.value, "offset", None) is None


class Doing:
    """A child in which an import does something else: a module of that name is put before the real one."""

    def __init__(self, tmp_path, monkeypatch, body):
        folder = tmp_path / "path"
        folder.mkdir()
        (folder / "doing.py").write_text(
            "import lbj.importing.child as child\n\ndef open_source(paths):\n"
            + textwrap.indent(textwrap.dedent(body), "    ")
            + "\n\nchild.open_source = open_source\nchild.main()\n"
        )
        monkeypatch.syspath_prepend(str(folder))
        monkeypatch.setattr(apart, "CHILD", "doing")
        monkeypatch.setattr(apart, "_idle", [])
        (tmp_path / "a.npz").write_bytes(b"PK\x03\x04")
        self.path = tmp_path / "a.npz"


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        ("import os; os.abort()", LibraryError, "ended its process"),
        ("import sys; print('the last word', file=sys.stderr); sys.exit(3)", LibraryError, r"code 3\): the last word"),
        ("print('to the standard output'); raise MemoryError", DamagedError, "more than .* GiB of memory"),
    ],
)
def test_what_a_library_does_stops_there(tmp_path, monkeypatch, body, kind, message):
    path = Doing(tmp_path, monkeypatch, body).path
    with pytest.raises(kind, match=message):
        apart.open_apart([path])
    assert lbj.open  # this process lives


def test_one_that_never_ends_is_given_up(tmp_path, monkeypatch):
    pytest.importorskip("resource")
    path = Doing(tmp_path, monkeypatch, "child.limit = None\nwhile True: pass").path
    monkeypatch.setattr(child, "CPU", 1)
    monkeypatch.setattr(apart, "WALL", 1)
    with pytest.raises(DamagedError, match="more than 1 s"):
        apart.open_apart([path])


def test_one_that_waits_for_ever_is_given_up(tmp_path, monkeypatch):
    path = Doing(tmp_path, monkeypatch, "import time; time.sleep(1000)").path
    monkeypatch.setattr(child, "CPU", 1)
    monkeypatch.setattr(apart, "WALL", 1)
    with pytest.raises(DamagedError, match="more than 1 s"):
        apart.open_apart([path])


def limited(body):
    """Run Python in a new process; returns its exit code."""
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(body)], check=False, capture_output=True, timeout=60)
    return done.returncode


def test_the_system_ends_what_takes_more_than_it_may(npz):
    pytest.importorskip("resource")
    head = f"""
        from lbj.importing import child
        child.CPU, child.MEMORY, child.MEMORY_PER_BYTE = 0, 2**28, 0
        child.limit([{str(npz)!r}])
    """
    assert limited(head + "\n        while True: pass") < 0
    assert limited(head) == 0
    if os.path.exists("/proc/self/statm"):
        assert limited(head + "\n        bytes(2**29)") == 1
        assert limited(head + "\n        bytes(2**26)") == 0


def test_more_is_allowed_for_larger_files(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a").write_bytes(bytes(2_000_000))
    assert child.size_of([str(tmp_path)]) >= 2_000_000
    seconds, memory = child.allowed([str(tmp_path / "deep" / "a"), str(tmp_path / "none")])
    assert seconds == 25
    assert memory <= 2**31 + 1100 * 2_000_000


def test_a_host_that_embeds_python_imports_itself(npz, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/opt/vendor/microscope")
    monkeypatch.setattr(apart, "Child", lambda: pytest.fail("the host was started once more"))
    assert len(list(apart.open_apart([npz]).frames)) == 3


def test_stored_blocks_are_copied(tmp_path):
    """A journal under another name is read in the other process, and what is lossy there is not coded twice."""
    rng = np.random.default_rng(0)
    signal = lbj.Signal("EELS", "spectra", (8, 8, 100), coding="noise-q(1)")
    with lbj.create(tmp_path / "a.lbj", [signal], sync=False) as writer:
        writer.append({"EELS": rng.poisson(200, (8, 8, 100)).astype(np.float32)}, live_time=2.0)
    os.rename(tmp_path / "a.lbj", tmp_path / "a.dat")
    convert([str(tmp_path / "a.dat")], tmp_path / "b.lbj")
    with lbj.open(tmp_path / "a.dat") as old, lbj.open(tmp_path / "b.lbj") as new:
        assert new.signals["EELS"].coding == "noise-q(1)"
        assert np.array_equal(old[0].array("EELS"), new[0].array("EELS"))
        assert [bytes(b.data) for b in old[0].stored_blocks("EELS")] == [
            bytes(b.data) for b in new[0].stored_blocks("EELS")
        ]
        assert new[0].live_time == 2.0


def test_messages_hold_no_programs():
    message = {
        "a": [np.arange(6, dtype=">u2").reshape(2, 3), np.zeros((0, 2)), np.array(2.5), None, True, 1.5, "ü"],
        "b": {"c": lbj.Events([1], [2], [3], (2, 2, 4)), "d": np.int64(7), "e": float("nan"), "f": b"\xff"},
    }
    file = io.BytesIO()
    wire.send(file, message)
    file.seek(0)
    got = wire.receive(file)
    assert np.array_equal(got["a"][0], message["a"][0])
    assert got["a"][0].dtype == np.dtype(">u2")
    assert got["a"][1].shape == (0, 2)
    assert got["a"][3:] == [None, True, 1.5, "ü"]
    assert same(got["b"]["c"], message["b"]["c"])
    assert got["b"]["d"] == 7
    assert got["b"]["f"] == "\\xff"
    text = json.dumps({"value": {"array": 0}, "arrays": [["|O", [1]]]}).encode()
    with pytest.raises((EOFError, ValueError)):
        wire.receive(io.BytesIO(len(text).to_bytes(8, "little") + text + pickle.dumps(1)))
    with pytest.raises(EOFError):
        wire.receive(io.BytesIO(file.getvalue()[:-1]))


def outside(path, how):
    with h5py.File(path, "w") as file:
        if how == "external link":
            file["a"] = h5py.ExternalLink("other.h5", "/data")
        elif how == "deep external link":
            file.create_group("one/two")["a"] = h5py.ExternalLink("other.h5", "/data")
        elif how == "external storage":
            file.create_dataset("one/a", (8,), "u1", external=[("/etc/hostname", 0, 8)])
        elif how == "virtual dataset":
            layout = h5py.VirtualLayout((4,), "u1")
            layout[:] = h5py.VirtualSource("other.h5", "data", (4,))
            file.create_virtual_dataset("a", layout)
        else:
            file["a"] = np.arange(4)
            file["b"] = h5py.SoftLink("/a")
            file["c"] = h5py.SoftLink("/nowhere")


@pytest.mark.parametrize("how", ["external link", "deep external link", "external storage", "virtual dataset"])
def test_hdf5_that_stands_in_other_files_is_refused(tmp_path, how):
    outside(tmp_path / "a.h5", how)
    for reader in (open_source, apart.open_apart):
        with pytest.raises(UsageError, match="in another file, which is not followed"):
            reader([tmp_path / "a.h5"])


def test_links_inside_of_hdf5_are_fine(tmp_path):
    outside(tmp_path / "a.h5", "none")
    with h5py.File(tmp_path / "a.h5") as file:
        refuse_links(tmp_path / "a.h5", file)


def described(tmp_path, **more):
    folder = tmp_path / "a.zspy"
    (folder / "data").mkdir(parents=True)
    array = {"chunks": [4], "shape": [4], "dtype": "<u2", "compressor": {"id": "zlib"}, "filters": None, **more}
    (folder / "data" / ".zarray").write_text(json.dumps(array))
    return folder


@pytest.mark.parametrize(
    "more",
    [
        {"filters": [{"id": "delta"}, {"id": "pickle"}]},
        {"compressor": {"id": "anything"}},
        {"codecs": [{"name": "sharding_indexed", "configuration": {"codecs": [{"name": "numcodecs.pickle"}]}}]},
    ],
)
def test_zarr_that_runs_programs_is_refused(tmp_path, more):
    folder = described(tmp_path, **more)
    with pytest.raises(UsageError, match="coded by"):
        open_source([folder])


def test_zarr_that_leads_elsewhere_or_is_broken_is_refused(tmp_path):
    folder = described(tmp_path)
    refuse_programs(folder)
    (folder / "data" / "0").symlink_to("/etc/hostname")
    with pytest.raises(UsageError, match="a link out of the folder"):
        refuse_programs(folder)
    (folder / "data" / "0").unlink()
    for text in ("no JSON", "[" * 100_000):
        (folder / "data" / ".zarray").write_text(text)
        with pytest.raises(DamagedError, match="cannot be read"):
            refuse_programs(folder)


def test_nothing_is_left_of_a_process(tmp_path):
    """Its folder goes with it, also where nobody read the series."""
    source = apart.open_apart([_image(tmp_path)])
    one = source.frames.gi_frame.f_locals["one"]
    folder = one._folder
    assert os.path.isdir(folder)
    del source, one
    gc.collect()  # an error of an earlier file may hold the process by its traceback
    end = time.monotonic() + 30
    while os.path.exists(folder) and time.monotonic() < end:
        time.sleep(0.01)
    assert not os.path.exists(folder)


def _image(tmp_path):
    np.savez(tmp_path / "i.npz", HAADF=np.ones((2, 3), np.uint8))
    return tmp_path / "i.npz"


def test_relative_names_relate_to_where_the_caller_is_now(tmp_path, monkeypatch):
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        np.savez(tmp_path / name / "a.npz", HAADF=np.full((1, 2, 3), len(name), np.uint8))
        monkeypatch.chdir(tmp_path / name)
        source = apart.open_apart(["a.npz"])
        assert [int(data["HAADF"][0, 0]) for data, _ in source.frames] == [len(name)]
