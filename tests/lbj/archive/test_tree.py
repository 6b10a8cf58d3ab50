"""A tree of files as a tree of journals: every file accounted for, every journal proved, nothing stopped by a bad one."""

import csv
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import lbj
from lbj.archive import pool
from lbj.archive.plan import plan
from lbj.archive.tree import convert_tree
from lbj.cli import main
from lbj.exporting import export


def npz(path, frames=1, seed=0, shape=(3, 4, 20)):
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    np.savez(path, EDX=random.poisson(0.1, (frames, *shape)).astype(np.uint16))
    return path


def rows(out):
    with open(out / "convert.csv", newline="", encoding="utf-8") as file:
        return {row["source"]: row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def trees(tmp_path_factory):
    """A tree with one of everything, and what `lbj convert` made of it."""
    tree = tmp_path_factory.mktemp("trees") / "archive"
    npz(tree / "a" / "map.npz", 3, 1)
    npz(tree / "b" / "deep" / "map.npz", 2, 2)
    for i in (1, 2, 10):
        npz(tree / "series" / f"SI_{i}.npz", 1, i)
    for i in (1, 2, 3):
        npz(tree / "gap" / f"SI_{i:03d}.npz", 1, i)
    (tree / "gap" / "SI_002.npz").write_bytes(b"PK\x03\x04 nothing like it")
    npz(tree / "mixed" / "grain_1.npz", 1, 1)
    npz(tree / "mixed" / "grain_2.npz", 1, 2, shape=(5, 5, 20))
    npz(tree / "long" / "map_1.npz", 2, 1)
    npz(tree / "long" / "map_2.npz", 2, 2)
    (tree / "broken.emd").write_bytes(b"\x89HDF\r\n\x1a\n" + b"x" * 500)
    (tree / "notes.txt").write_text("for people")
    (tree / "program.exe").write_bytes(b"MZ")
    (tree / "old.zip").write_bytes(b"PK")
    (tree / ".hidden.npz").write_bytes(b"")
    (tree / "link.npz").symlink_to(tree / "a" / "map.npz")
    (tree / "round").symlink_to(tree)
    (tree / "nowhere.npz").symlink_to(tree / "missing")
    with lbj.create(tree / "a" / "map.lbj", [lbj.Signal("HAADF", "image", (2, 2))], {"title": "journal"}) as writer:
        writer.append({"HAADF": np.ones((2, 2), np.uint16)})
    (tree / "a" / "cut.lbj").write_bytes((tree / "a" / "map.lbj").read_bytes()[:-30])
    out = tree.parent / "journals"
    code = main(["convert", str(tree), "-o", str(out), "--quiet"])
    return tree, out, code


def test_each_file_is_accounted_for(trees):
    tree, out, code = trees
    assert code == 3
    found = rows(out)
    visible = [os.path.relpath(os.path.join(place, name), tree) for place, _, names in os.walk(tree) for name in names]
    assert set(found) == {*visible, "round"} - {".hidden.npz"}
    states = {name: row["state"] for name, row in found.items()}
    assert {name for name, state in states.items() if state == "not read"} == {
        "broken.emd", os.path.join("gap", "SI_002.npz"), os.path.join("a", "cut.lbj")
    }  # fmt: skip
    for name, why in (("link.npz", "a link"), ("round", "a link"), ("nowhere.npz", "a link"), ("notes.txt", "text"),
                      ("program.exe", "nothing reads .exe"), ("old.zip", "unpack")):  # fmt: skip
        assert states[name] == "left alone"
        assert why in found[name]["what"]
    assert "recover" in found[os.path.join("a", "cut.lbj")]["what"]


def test_journals_hold_what_their_files_hold(trees):
    tree, out, _ = trees
    with lbj.open(out / "b" / "deep" / "map.lbj") as journal:
        counts = np.load(tree / "b" / "deep" / "map.npz")["EDX"]
        assert all(np.array_equal(frame.array("EDX"), cube) for frame, cube in zip(journal, counts, strict=True))
    assert main(["verify", *map(str, sorted(out.rglob("*.lbj")))]) == 0


def test_numbered_frames_make_one_journal(trees):
    tree, out, _ = trees
    with lbj.open(out / "series" / "SI_1-10.lbj") as journal:
        assert len(journal) == 3
        assert np.array_equal(journal[2].array("EDX"), np.load(tree / "series" / "SI_10.npz")["EDX"][0])
    assert os.listdir(out / "series") == ["SI_1-10.lbj"]


def test_a_broken_frame_leaves_the_others_together(trees):
    _, out, _ = trees
    with lbj.open(out / "gap" / "SI_001-003.lbj") as journal:
        assert len(journal) == 2


def test_what_makes_no_series_is_converted_alone(trees):
    _, out, _ = trees
    assert sorted(os.listdir(out / "mixed")) == ["grain_1.lbj", "grain_2.lbj"]
    assert sorted(os.listdir(out / "long")) == ["map_1.lbj", "map_2.lbj"]


def test_names_that_collide(trees):
    tree, out, _ = trees
    assert (out / "a" / "map.lbj").read_bytes() == (tree / "a" / "map.lbj").read_bytes()
    with lbj.open(out / "a" / "map.npz.lbj") as journal:
        assert len(journal) == 3


def test_repeated_it_goes_on(trees, tmp_path, capsys):
    tree, out, _ = trees
    first = tmp_path / "out"
    shutil.copytree(out, first)
    (first / "b" / "deep" / "map.lbj").unlink()
    with lbj.open(first / "series" / "SI_1-10.lbj") as journal:
        uuid = journal.header["uuid"]
    assert main(["convert", str(tree), "-o", str(first)]) == 3
    said = capsys.readouterr().out
    assert "1 converted" in said
    assert rows(first)[os.path.join("b", "deep", "map.npz")]["state"] == "converted"
    assert rows(first)[os.path.join("series", "SI_10.npz")]["state"] == "there before"
    assert rows(first)[os.path.join("gap", "SI_003.npz")]["state"] == "there before"
    with lbj.open(first / "series" / "SI_1-10.lbj") as journal:
        assert journal.header["uuid"] == uuid


def test_what_stands_there_of_other_files_is_left(tmp_path):
    tree, out = tmp_path / "tree", tmp_path / "out"
    npz(tree / "a.npz", seed=1)
    npz(tree / "b.npz", seed=2)
    assert main(["convert", str(tree), "-o", str(out), "--quiet"]) == 0
    npz(tree / "a.npz", seed=9)
    (out / "b.lbj").unlink()
    assert main(["convert", str(tree / "b.npz"), "-o", str(out / "b.lbj"), "--quiet"]) == 0  # not proved
    before = (out / "a.lbj").read_bytes()
    assert main(["convert", str(tree), "-o", str(out), "--quiet"]) == 3
    found = rows(out)
    assert found["a.npz"]["state"] == found["b.npz"]["state"] == "not read"
    assert "stands there" in found["a.npz"]["what"]
    assert (out / "a.lbj").read_bytes() == before


def test_settings_reach_every_journal(tmp_path):
    tree, out = tmp_path / "tree", tmp_path / "out"
    npz(tree / "a.npz")
    lbj.create(tree / "b.lbj", [lbj.Signal("HAADF", "image", (2, 2))]).close()
    assert main(["convert", str(tree), "-o", str(out), "--quiet", "--set", "beam_energy=80keV"]) == 0
    for name in ("a.lbj", "b.lbj"):
        with lbj.open(out / name) as journal:
            assert journal.metadata["beam_energy"] == 80e3
    assert main(["convert", str(tree), "-o", str(out), "--quiet", "--set", "beam_energy=80keV"]) == 0
    assert main(["convert", str(tree), "-o", str(out), "--quiet", "--set", "beam_energy=90keV"]) == 3
    assert "without what is set" in rows(out)["a.npz"]["what"]


def test_a_target_inside_the_tree_is_no_source(tmp_path):
    tree = tmp_path / "tree"
    npz(tree / "a.npz")
    for _ in range(2):
        convert_tree(tree, tree / "journals")
    assert sorted(os.listdir(tree / "journals")) == [".made-by-mfsi.json", "a.lbj", "convert.csv"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["tree", "-o", "tree"], "into itself"),
        (["empty", "-o", "out"], "no file that could be read"),
        (["tree", "-o", "tree/a.npz"], "is a file"),
        (["tree", "-o", "out", "--coding", "EDX=leb128"], "--coding"),
    ],
)
def test_wrong_usage(tmp_path, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(tmp_path)
    npz(tmp_path / "tree" / "a.npz")
    (tmp_path / "empty").mkdir()
    assert main(["convert", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert sorted(os.listdir()) == ["empty", "tree"]


def test_the_same_file_twice_is_named(tmp_path, capsys):
    name = str(npz(tmp_path / "map.npz"))
    assert main(["convert", name, name, "-o", str(tmp_path / "a.lbj")]) == 1
    assert "both named" in capsys.readouterr().err


def test_a_report_that_is_not_ours_is_left_before_the_work(tmp_path, capsys):
    npz(tmp_path / "tree" / "a.npz")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "convert.csv").write_text("mine")
    assert main(["convert", str(tmp_path / "tree"), "-o", str(tmp_path / "out")]) == 2
    assert os.listdir(tmp_path / "out") == ["convert.csv"]


@pytest.mark.skipif(sys.platform != "linux", reason="names that are no text")
def test_names_that_are_no_text(tmp_path):
    tree = tmp_path / "tree"
    npz(tree / "a.npz")
    os.rename(tree / "a.npz", os.path.join(os.fsencode(tree), b"a\xff\n.npz"))
    assert main(["convert", str(tree), "-o", str(tmp_path / "out")]) == 0
    assert b"a\xff\n.lbj" in os.listdir(os.fsencode(tmp_path / "out"))
    assert list(rows(tmp_path / "out")) == ["a\\xff\n.npz"]


def test_pairs_by_number(tmp_path):
    for i in (1, 2):
        for name in ("SI", "HAADF"):
            (tmp_path / f"{name}_{i}.npz").touch()
    (tmp_path / "survey.npz").touch()
    jobs = {job.out.name: [path.name for path in job.files] for job in plan(tmp_path, tmp_path / "out").jobs}
    assert jobs == {
        "HAADF_1-SI_2.lbj": ["HAADF_1.npz", "HAADF_2.npz", "SI_1.npz", "SI_2.npz"], "survey.lbj": ["survey.npz"]
    }  # fmt: skip


def test_names_without_collisions(tmp_path):
    for name in ("a.npz", "A.tif", "a.lbj", "a.npz.lbj", "b.emd"):
        (tmp_path / name).touch()
    if len(os.listdir(tmp_path)) < 5:
        pytest.skip("this file system does not tell upper and lower case apart")
    found = {job.files[0].name: job.out.name for job in plan(tmp_path, tmp_path / "out").jobs}
    assert found["a.lbj"] == "a.lbj"
    assert found["a.npz.lbj"] == "a.npz.lbj"
    assert found["b.emd"] == "b.lbj"
    assert len({name.lower() for name in found.values()}) == 5


def test_a_hyperspy_file_comes_back(tmp_path):
    """A file of another format, with an axis of frames, images and times."""
    tree = tmp_path / "tree"
    tree.mkdir()
    with lbj.create(
        tmp_path / "a.lbj", [lbj.Signal("EDX", "events", (3, 3, 9)), lbj.Signal("I", "image", (3, 3))]
    ) as w:
        for i in range(2):
            w.append({"EDX": np.full((3, 3, 9), i, np.uint32), "I": np.ones((3, 3), np.uint16)}, live_time=0.5)
    with lbj.open(tmp_path / "a.lbj") as journal:
        export(journal, tree / "a.hspy")
    assert not convert_tree(tree, tmp_path / "out").failed


WORKER = """
import json, os, sys
for line in sys.stdin:
    job = json.loads(line)
    if job["files"] == ["kill"]:
        os.kill(os.getpid(), 9)
    print(json.dumps([{"files": job["files"], "state": "converted"}]), flush=True)
"""


def test_a_process_that_dies_takes_its_job_alone(tmp_path, monkeypatch):
    (tmp_path / "killed_worker.py").write_text(WORKER)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(pool, "WORKER", "killed_worker")
    jobs = [{"files": [name]} for name in ("a", "kill", "b", "c", "kill", "d")]
    found = dict(pool.carried_out(jobs))
    assert [isinstance(found[i], str) for i in range(6)] == [False, True, False, False, True, False]
    assert "code -9" in found[1]


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_interrupted_it_leaves_nothing_half_written(tmp_path):
    tree, out = tmp_path / "tree", tmp_path / "out"
    for i in range(6):
        npz(tree / f"{'abcdef'[i]}.npz", 20, i, shape=(40, 40, 300))
    process = subprocess.Popen(
        [sys.executable, "-m", "lbj.cli", "convert", str(tree), "-o", str(out)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    deadline = time.monotonic() + 60
    while not (out.is_dir() and os.listdir(out)) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 1
    left = sorted(out.iterdir())
    assert all(path.suffix == ".lbj" for path in left), left
    assert main(["convert", str(tree), "-o", str(out), "--quiet"]) == 0


def test_vendors_files(shared_data, tmp_path):
    """What the files themselves say, as the README of the shared data has it; one is cut in the middle."""
    for name in ("velox/fei_emd_si.emd", "bruker/test_TEM.bcf", "bruker/4on3.bcf", "eels/EELS_STO.dm3"):
        (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(shared_data / name, tmp_path / "tree" / name)
    whole = (shared_data / "bruker/test_TEM.bcf").read_bytes()
    (tmp_path / "tree" / "bruker" / "cut.bcf").write_bytes(whole[: len(whole) // 2])
    outcome = convert_tree(tmp_path / "tree", tmp_path / "out")
    assert [os.path.basename(result.files[0]) for result in outcome.failed] == ["cut.bcf"]
    counts = {"velox/fei_emd_si": 6564, "bruker/test_TEM": 26005, "bruker/4on3": 4}
    for name, total in counts.items():
        with lbj.open(tmp_path / "out" / f"{name}.lbj") as journal:
            assert sum(frame.events("EDX").total for frame in journal) == total
    assert outcome.after < outcome.before
