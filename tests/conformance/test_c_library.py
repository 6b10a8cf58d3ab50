"""The C reader as a shared library, from C and by ctypes: counts into a buffer, and what is wrong as codes with text."""

import ctypes
import importlib.util
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import lbj

PORT = Path(__file__).parents[2] / "conformance" / "ports" / "c"
spec = importlib.util.spec_from_file_location("c_example", PORT / "example.py")
example = importlib.util.module_from_spec(spec)
spec.loader.exec_module(example)

SIGNALS = [
    lbj.Signal("EDX", "events", (3, 5, 40), dtype="uint16", coding="split-rice"),
    lbj.Signal("HAADF", "image", (3, 5), dtype="int32"),
    lbj.Signal("EELS", "spectra", (3, 5, 30), dtype="float32"),
]


@pytest.fixture(scope="module")
def library(c_build):
    return example.load(str(c_build / "liblbj.so"))


@pytest.fixture
def journal(tmp_path):
    rng = np.random.default_rng(5)
    frames = []
    with lbj.create(tmp_path / "a.lbj", SIGNALS, sync=False) as writer:
        for n in range(3):
            counts = rng.poisson(0.05, (3, 5, 40)).astype(np.uint16)
            counts[0, 0, 0] = 60000 + n
            frame = {
                "EDX": counts,
                "HAADF": rng.integers(-9, 2**31, (3, 5), dtype=np.int32),
                "EELS": rng.poisson(50, (3, 5, 30)).astype(np.float32),
            }
            frames.append(frame)
            writer.append(frame)
    return tmp_path / "a.lbj", frames


def run(c_build, *arguments):
    """Run the example, under the sanitizers too, which find reads and writes beside the buffer."""
    command = [str(argument) for argument in arguments]
    plain, checked = (
        subprocess.run([c_build / name, *command], capture_output=True, text=True, check=False)
        for name in ("example", "example_sanitized")
    )
    assert (plain.returncode, plain.stdout, plain.stderr) == (checked.returncode, checked.stdout, checked.stderr)
    return plain


def test_counts_of_every_frame_in_c(c_build, journal):
    path, frames = journal
    done = run(c_build, path, "EDX")
    totals = [f"frame {n}: {frame['EDX'].sum(dtype=np.uint64)} counts" for n, frame in enumerate(frames)]
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == totals


@pytest.mark.parametrize("name", ["EDX", "HAADF", "EELS"])
def test_arrays_of_every_frame_by_ctypes(library, journal, name):
    path, frames = journal
    found = [array.copy() for array in example.frames(library, str(path), name)]
    assert found[0].dtype == frames[0][name].dtype
    np.testing.assert_array_equal(found, [frame[name] for frame in frames])


def test_only_names_of_the_library_are_exported(c_build):
    if not shutil.which("nm"):
        pytest.skip("no 'nm' here")
    done = subprocess.run(
        ["nm", "-D", "--defined-only", c_build / "liblbj.so"], capture_output=True, text=True, check=True
    )
    names = [line.split()[-1] for line in done.stdout.splitlines()]
    assert "lbj_read_into" in names
    assert [name for name in names if not name.startswith(("lbj_", "_init", "_fini"))] == []


def test_a_buffer_of_another_size_is_refused_untouched(library, journal):
    path, frames = journal
    reader, error, frame = ctypes.c_void_p(), example.Error(), ctypes.POINTER(example.Frame)()
    assert library.lbj_open_path(ctypes.byref(reader), str(path).encode(), None, ctypes.byref(error)) == 0
    assert library.lbj_next(reader, ctypes.byref(frame), ctypes.byref(error)) == 0
    right = frames[0]["EDX"].nbytes
    buffer = np.full(right + 8, 7, np.uint8)
    for size in (0, right - 1, right + 1):
        status = library.lbj_read_into(reader, 0, buffer.ctypes.data, size, ctypes.byref(error))
        assert library.lbj_status_name(status) == b"refused"
        assert error.message == b"the array has %d bytes, the caller's buffer %d" % (right, size)
        assert (buffer == 7).all()
    assert library.lbj_read_into(reader, 0, buffer.ctypes.data, right, ctypes.byref(error)) == 0
    np.testing.assert_array_equal(buffer[:right].view(np.uint16), frames[0]["EDX"].ravel())
    assert (buffer[right:] == 7).all()
    assert library.lbj_read_into(reader, 99, buffer.ctypes.data, right, None) != 0
    library.lbj_close(reader)


def test_what_is_wrong_with_a_file_is_said(c_build, library, journal, tmp_path):
    path, frames = journal
    raw = path.read_bytes()
    with pytest.raises(example.JournalError, match="cannot be opened: No such file"):
        list(example.frames(library, str(tmp_path / "none.lbj"), "EDX"))
    (tmp_path / "text.lbj").write_text("no journal at all, but a text of some length")
    with pytest.raises(example.JournalError, match="damaged at byte 0"):
        list(example.frames(library, str(tmp_path / "text.lbj"), "EDX"))
    with pytest.raises(KeyError):
        list(example.frames(library, str(path), "EDS"))
    (tmp_path / "cut.lbj").write_bytes(raw[: len(raw) // 2])
    cut = run(c_build, tmp_path / "cut.lbj", "EDX")
    assert cut.returncode == 1
    assert "truncated" in cut.stderr
    assert cut.stdout.splitlines() == [f"frame 0: {frames[0]['EDX'].sum(dtype=np.uint64)} counts"]
    assert run(c_build, path, "HAADF").returncode == 1
    assert run(c_build, tmp_path, "EDX").returncode == 1
    (tmp_path / "empty.lbj").write_bytes(b"")
    assert "truncated" in run(c_build, tmp_path / "empty.lbj", "EDX").stderr


def test_no_damage_reads_beside_the_buffer(c_build, journal, tmp_path):
    """The sanitizers end the program at the first wrong access, with another exit code than 0 and 1."""
    raw = bytearray(journal[0].read_bytes())
    rng = np.random.default_rng(11)
    for place in rng.integers(100, len(raw), 60):
        damaged = raw.copy()
        damaged[place] ^= 1 << int(rng.integers(8))
        (tmp_path / "d.lbj").write_bytes(damaged)
        done = subprocess.run(
            [c_build / "example_sanitized", tmp_path / "d.lbj", "EDX"], capture_output=True, check=False
        )
        assert done.returncode in (0, 1), done.stderr
