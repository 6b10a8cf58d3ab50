"""Outputs: nothing of the user's is replaced, nothing is left half written, and what was interrupted can be repeated."""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import textwrap

import h5py
import numpy as np
import pytest

import lbj
from lbj import StorageError, UsageError, outputs
from lbj.archive.convert import convert
from lbj.command import run
from lbj.exporting.hdf5_file import new_hdf5
from lbj.outputs import MANIFEST, new_files, new_folder, new_journal


def make(folder, by="a step", inputs=(), known=(), **files):
    with new_folder(folder, by, known, inputs) as work:
        for name, text in files.items():
            (work / name).write_text(text)


def held(folder):
    """Contents of a folder by name, the manifest apart."""
    return {path.name: path.read_text() for path in folder.iterdir() if path.name != MANIFEST}


def test_results_of_the_same_step_are_replaced_and_others_stay(tmp_path):
    out = tmp_path / "deep" / "out"
    make(out, one="1", two="2")
    make(out, by="another", three="3")
    make(out, one="11", four="4")
    assert held(out) == {"one": "11", "three": "3", "four": "4"}


@pytest.mark.parametrize("known", [(), ("one",)], ids=["found at the end", "known beforehand"])
def test_what_the_program_has_not_made_stays(tmp_path, known):
    (tmp_path / "one").write_text("mine")
    with pytest.raises(UsageError, match="one' exists, and this program has not made it"):
        make(tmp_path, known=known, one="1", two="2")
    assert held(tmp_path) == {"one": "mine"}


def test_what_was_changed_since_stays(tmp_path):
    make(tmp_path, one="1", two="2")
    (tmp_path / "one").write_text("1, corrected by hand")
    with pytest.raises(UsageError, match="changed since"):
        make(tmp_path, one="3")
    make(tmp_path, two="22")
    assert held(tmp_path) == {"one": "1, corrected by hand", "two": "22"}


def test_links_are_never_followed(tmp_path):
    out = tmp_path / "out"
    make(out, one="1")
    (tmp_path / "mine").write_text("1")
    (out / "one").unlink()
    (out / "one").symlink_to(tmp_path / "mine")
    with pytest.raises(UsageError, match="has not made it"):
        make(out, one="2")
    assert (tmp_path / "mine").read_text() == "1"


def test_a_manifest_cannot_name_what_lies_elsewhere_or_was_not_made(tmp_path):
    out = tmp_path / "out"
    make(out, one="1")
    (tmp_path / "outside").write_text("mine")
    (out / "input").write_text("mine")
    listed = json.loads((out / MANIFEST).read_text())
    row = listed["files"][0]
    for name in ("../outside", str(tmp_path / "outside"), "input", "..", "", "a\0b", MANIFEST):
        listed["files"].append({**row, "name": name})
    (out / MANIFEST).write_text(json.dumps(listed))
    make(out, two="2")
    assert held(out) == {"input": "mine", "two": "2"}
    assert (tmp_path / "outside").read_text() == "mine"


@pytest.mark.parametrize("text", ["", "[]", '{"files": 3}', '{"files": [{"name": 1}]}', '{"files": {"one": 1}}'])
def test_a_manifest_that_cannot_be_read_lists_nothing(tmp_path, text):
    make(tmp_path, one="1")
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(UsageError, match="has not made it"):
        make(tmp_path, one="2")
    make(tmp_path, two="2")
    assert held(tmp_path) == {"one": "1", "two": "2"}


def test_inputs_and_journals_of_an_earlier_step_stay(tmp_path):
    make(tmp_path, **{"series.lbj": "data", "table": "1", "old": "2"})
    make(tmp_path, inputs=[tmp_path / "table"], new="3")
    assert held(tmp_path) == {"series.lbj": "data", "table": "1", "new": "3"}
    with pytest.raises(UsageError, match="is an input"):
        make(tmp_path, inputs=[tmp_path / "table"], known=["table"], table="4")


def test_work_that_fails_leaves_everything_as_it_was(tmp_path):
    make(tmp_path / "out", one="1")
    for folder in (tmp_path / "out", tmp_path / "fresh" / "deep"):
        with pytest.raises(StorageError, match="was not written: No such file"):
            make(folder, **{"one": "half", "none/two": "3"})
    assert held(tmp_path / "out") == {"one": "1"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("fails", range(1, 7))
def test_what_was_interrupted_while_files_were_moved_can_be_repeated(tmp_path, monkeypatch, fails):
    """Of the moves: the manifest, three files, one of which replaces another, the manifest again."""
    make(tmp_path, one="1", old="0")
    plain, left = os.replace, [fails]

    def replace(source, target):
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt
        plain(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace)
        try:
            make(tmp_path, one="11", two="22", three="33")
        except KeyboardInterrupt:
            assert fails <= 5
    make(tmp_path, one="111", two="222", three="333")
    assert {**held(tmp_path), "old": ""} == {"one": "111", "two": "222", "three": "333", "old": ""}


def test_two_at_once_do_not_mix(tmp_path):
    with new_folder(tmp_path, "a step"):
        with pytest.raises(UsageError, match="another process"):
            make(tmp_path, one="1")
        with new_files(tmp_path / "sum.txt") as part:  # a file beside is no part of it
            part.write_text("1")
    with new_journal(tmp_path / "a.lbj") as part:
        part.write_text("whole")
        with pytest.raises(UsageError, match="another process"), new_journal(tmp_path / "a.lbj"):
            pass
    assert held(tmp_path) == {"sum.txt": "1", "a.lbj": "whole"}


def test_one_that_died_is_no_obstacle(tmp_path):
    dying = f"""
        import os
        from lbj.outputs import new_folder, new_journal
        with new_folder({str(tmp_path)!r}, "a step") as work, new_journal({str(tmp_path / "a.lbj")!r}) as part:
            (work / "one").write_text("half")
            part.write_text("half")
            os._exit(9)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(dying)], check=False, timeout=60)
    assert not {"one", "a.lbj"} & set(os.listdir(tmp_path))
    make(tmp_path, one="1")
    with new_journal(tmp_path / "a.lbj") as part:
        assert not part.exists()
        part.write_text("whole")
    assert held(tmp_path) == {"one": "1", "a.lbj": "whole"}


def test_a_journal_is_never_replaced(tmp_path):
    path = tmp_path / "a.lbj"

    def late():
        with new_journal(path) as part:
            part.write_text("late")
            path.write_text("early")

    with pytest.raises(UsageError, match="never overwritten"):
        late()
    assert held(tmp_path) == {"a.lbj": "early"}
    path.write_text("")
    with new_journal(path) as part:  # an empty file, as a temporary one, holds nothing
        part.write_text("whole")
    assert held(tmp_path) == {"a.lbj": "whole"}
    (tmp_path / "b.lbj").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="never overwritten"), new_journal(tmp_path / "b.lbj"):
        pass


def test_a_single_file_is_replaced_if_it_was_made_here(tmp_path):
    for text in "12":
        with new_files(tmp_path / "sum.txt", tmp_path / "input") as part:
            part.write_text(text)
    (tmp_path / "input").write_text("mine")
    for name, message in (("input", "is an input"), ("", "is a folder")):
        with pytest.raises(UsageError, match=message), new_files(tmp_path / name, tmp_path / "input"):
            pass
    with pytest.raises(StorageError, match="no folder"), new_files(tmp_path / "none" / "sum.txt"):
        pass
    assert held(tmp_path) == {"sum.txt": "2", "input": "mine"}


def test_a_file_stands_where_a_folder_is_wanted(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(UsageError, match="is a file"):
        make(tmp_path / "out", one="1")


def test_a_terminated_command_tidies_up(tmp_path):
    command = f"""
        import argparse, os, signal, time
        from lbj.command import run
        from lbj.outputs import new_journal

        def work(args):
            with new_journal({str(tmp_path / "a.lbj")!r}) as part:
                part.write_text("half")
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(60)

        parser = argparse.ArgumentParser("tool")
        parser.set_defaults(command="step", run=work)
        raise SystemExit(run(parser, []))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(command)], check=False, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (1, "tool step: interrupted\n")
    assert os.listdir(tmp_path) == []


def test_a_command_leaves_the_handler_of_signals_as_it_was():
    before = signal.getsignal(signal.SIGTERM)
    parser = argparse.ArgumentParser("tool")
    parser.set_defaults(command="step", run=lambda _: int(signal.getsignal(signal.SIGTERM) is before))
    assert run(parser, []) == 0
    assert signal.getsignal(signal.SIGTERM) is before


def limited(tmp_path, body, size=100_000):
    """Run Python in a process that may write files of `size` bytes; its output."""
    pytest.importorskip("resource")
    head = f"import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))\n"
    done = subprocess.run(
        [sys.executable, "-c", head + textwrap.dedent(body)],
        check=False, capture_output=True, text=True, timeout=120, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_hdf5_on_a_full_disk_is_an_error_and_no_crash(tmp_path):
    body = """
        import numpy as np, pathlib
        from lbj.exporting.hdf5_file import new_hdf5
        try:
            with new_hdf5(pathlib.Path("a.h5")) as file:
                data = file.create_dataset("a", (40, 100, 100), "f8", chunks=(1, 100, 100), compression="lzf")
                for i in range(40):
                    data[i] = np.random.default_rng(i).random((100, 100))
                data.attrs["note"] = "x"
        except OSError as error:
            print(type(error).__name__, error)
    """
    assert limited(tmp_path, body) == "StorageError cannot write 'a.h5': File too large\n"


def test_hdf5_is_written_whole(tmp_path):
    values = np.arange(6000.0).reshape(20, 300)
    with new_hdf5(tmp_path / "a.h5") as file:
        file.create_dataset("a/values", data=values, chunks=(1, 300), compression="gzip")
        file["a"].attrs["units"] = "eV"
        np.testing.assert_array_equal(file["a/values"][3], values[3])
    with h5py.File(tmp_path / "a.h5") as file:
        np.testing.assert_array_equal(file["a/values"], values)
        assert file["a"].attrs["units"] == "eV"
    with pytest.raises(ZeroDivisionError), new_hdf5(tmp_path / "b.h5"):
        raise ZeroDivisionError


@pytest.mark.parametrize("suffix", [".lbj", ".npz", ".h5", ".hspy", ".rpl", ".tif"])
def test_every_format_on_a_full_disk(tmp_path, suffix):
    """Nothing is left, the message says so, and there is no advice to go on appending."""
    rng = np.random.default_rng(0)
    signals = [lbj.Signal("EDX", "events", (30, 30, 100)), lbj.Signal("HAADF", "image", (300, 300))]
    with lbj.create(tmp_path / "a.lbj", signals, sync=False) as writer:
        for _ in range(3):
            image = rng.integers(0, 2**16, (300, 300)).astype(np.uint16)
            writer.append({"EDX": rng.poisson(1.0, (30, 30, 100)), "HAADF": image})
    body = f"""
        from lbj.cli import main
        command = ["convert", "--quiet"] if {suffix == ".lbj"} else ["export"]
        print(main([*command, "a.lbj", "-o", "b{suffix}"]))
    """
    before = sorted(os.listdir(tmp_path))
    said = limited(tmp_path, "import sys; sys.stderr = sys.stdout\n" + textwrap.dedent(body))
    reason = "(File too large|[0-9]+ requested and [0-9]+ written)"  # the latter are numpy's words
    assert re.fullmatch(
        f"lbj (convert|export): 'b{suffix}' was not written: {reason}; nothing of it is left. Mend that and repeat the "
        "command\n1\n",
        said,
    )
    assert sorted(os.listdir(tmp_path)) == before


def test_a_folder_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied", str(tmp_path / f"{outputs.PART}0.part"))

    monkeypatch.setattr(outputs.Path, "mkdir", refuse)
    with (
        pytest.raises(StorageError, match=r"a.lbj' was not written: Permission denied"),
        new_journal(tmp_path / "a.lbj"),
    ):
        pass


def test_an_error_of_the_source_is_not_one_of_the_output(tmp_path):
    with pytest.raises(UsageError, match="cannot open"):
        convert([str(tmp_path / "none.npz")], tmp_path / "a.lbj")
    assert os.listdir(tmp_path) == []
