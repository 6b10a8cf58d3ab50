"""Plugins: a package that is installed adds one of each kind; whatever one does is named and takes nothing down."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from plugin_package import install

import lbj
import mfsi_core
from lbj.cli import main as lbj_main
from lbj.errors import PluginError
from lbj.exporting import export
from lbj.importing import apart, detect
from lbj.importing.apart import open_apart
from lbj.plugins.found import installed, named
from mfsi_core.cli import main as mfsi_main
from mfsi_core.instruments import find
from mfsi_core.pipeline.plugins import analyse

DOCS = (Path(__file__).parents[3] / "docs" / "plugins.md").read_text()


@pytest.fixture
def site(tmp_path, monkeypatch):
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(apart, "_idle", [])
    yield folder
    while apart._idle:
        apart._idle.pop().end()


@pytest.fixture
def acme(site):
    """The package of docs/plugins.md."""
    groups = {}
    for group, name, value in re.findall(r'entry-points\."([\w.]+)"\]\n"?([\w.-]+)"? = "(.+)"', DOCS):
        groups[group] = {name: value}
    install(site, "acme-mfsi", "1.0", groups, acme_mfsi="\n".join(re.findall(r"```python\n(.*?)```", DOCS, re.DOTALL)))


@pytest.fixture
def series(tmp_path):
    rng = np.random.default_rng(3)
    images = rng.uniform(0, 1, (3, 12, 14)).astype(np.float32)
    for n, image in enumerate(images):
        image[4 + n, 5 + 2 * n] = 9  # of each frame the brightest pixel, which moves
    path = tmp_path / "series.lbj"
    with lbj.create(path, [lbj.Signal("HAADF", "image", (12, 14), dtype="float32")], sync=False) as writer:
        for image in images:
            writer.append({"HAADF": image})
    return path, images


def bad(site, group, name, body):
    install(site, "bad", "0.3", {group: {name: "bad_one:work"}}, bad_one=body)


def test_an_importer_is_found(acme, tmp_path, capsys):
    values = np.arange(48.0).reshape(2, 24)
    np.savetxt(tmp_path / "a.acme", values)
    assert lbj_main(["convert", str(tmp_path / "a.acme"), "-o", str(tmp_path / "a.lbj")]) == 0
    assert "stage position left out" in capsys.readouterr().out
    with lbj.open(tmp_path / "a.lbj") as journal:
        assert journal.metadata["beam_energy"] == 200e3
        np.testing.assert_array_equal([frame.array("HAADF") for frame in journal], values.reshape(2, 4, 6))
    assert ".acme" in detect.readable()
    (tmp_path / "folder").mkdir()
    for n in range(2):
        np.savetxt(tmp_path / "folder" / f"a{n}.acme", values[n : n + 1])
    assert len(list(open_apart([tmp_path / "folder"]).frames)) == 2


def test_an_exporter_is_found(acme, series, tmp_path):
    path, images = series
    assert lbj_main(["export", str(path), "-o", str(tmp_path / "out.sum"), "--frames", "1:"]) == 0
    np.testing.assert_allclose(np.loadtxt(tmp_path / "out.sum"), images[1:].sum(axis=0), rtol=1e-6)


def test_a_registration_is_found(acme, series, tmp_path):
    path, images = series
    found = mfsi_core.register(images, method="brightest")
    np.testing.assert_allclose(found.shift, [[1, 2], [0, 0], [-1, -2]])
    assert np.isnan(found.predicted_error)
    assert mfsi_main(["register", str(path), "-o", str(tmp_path / "r.csv"), "--registration", "brightest"]) == 0
    rows = (tmp_path / "r.csv").read_text().splitlines()[1:]
    assert [row.split(",")[1:3] for row in rows] == [
        ["1.00000", "2.00000"],
        ["0.00000", "0.00000"],
        ["-1.00000", "-2.00000"],
    ]


def test_an_analysis_is_found(acme, series, tmp_path):
    path, images = series
    with lbj.open(path) as journal:
        found = analyse(journal, "hot-pixels")
    assert found.numbers == {"hot pixels": 3}
    assert [(row["y"], row["x"]) for row in found.rows] == [(4, 5), (5, 7), (6, 9)]
    out = tmp_path / "out"
    assert mfsi_main(["run", str(path), "-o", str(out), "--registration", "brightest", "--analysis", "hot-pixels"]) == 0
    summary = json.loads((out / "summary.json").read_text())
    assert summary["analyses"] == {"hot-pixels": {"hot pixels": 3}}
    assert {"hot-pixels.csv", "hot-pixels-mean.npy", "hot-pixels-mean.png"} <= set(summary["files"])
    assert any("Registered by plugin 'brightest' of acme-mfsi 1.0" in note for note in summary["notes"])
    np.testing.assert_allclose(np.load(out / "hot-pixels-mean.npy"), images.mean(axis=0), rtol=1e-6)
    assert "Analysis: hot-pixels" in (out / "report.html").read_text()


def test_an_instrument_is_found(acme, capsys):
    with pytest.raises(lbj.UsageError, match="nothing is connected"):
        find("acme", volts=3)
    mfsi_main(["plugins"])
    listed = capsys.readouterr().out
    assert all(f"  {name:<16} acme-mfsi 1.0" in listed for name in (".acme", ".sum", "brightest", "hot-pixels", "acme"))
    assert "of acme-mfsi 1.0" not in listed  # which would tell a fault


def test_what_no_package_provides_is_named(site, series, tmp_path):
    path, images = series
    with pytest.raises(lbj.UsageError, match=r"no plugin 'none' in mfsi.registrations; there are none"):
        mfsi_core.register(images, method="none")
    with pytest.raises(lbj.UsageError, match=r"no plugin 'none' in mfsi.analyses"):
        mfsi_core.run([str(path)], tmp_path / "out", analyses=["none"])
    assert not (tmp_path / "out").exists()
    with lbj.open(path) as journal, pytest.raises(lbj.UsageError, match=r"no export to .xyz; use .*\.h5, "):
        export(journal, tmp_path / "a.xyz")


def test_of_two_packages_with_one_name_neither_is_taken(site):
    for package in ("one", "other"):
        install(site, package, "1", {"mfsi.analyses": {"same": f"{package}:work"}}, **{package: "work = print"})
    with pytest.raises(lbj.UsageError, match="provided by one 1 and other 1; uninstall all but one"):
        named("mfsi.analyses", "same")


def test_packages_whose_lists_are_broken_are_passed_over(acme, site):
    (site / "broken-1.dist-info").mkdir()
    (site / "broken-1.dist-info" / "entry_points.txt").write_bytes(b"[mfsi.analyses\n\xff = = \n no")
    (site / "empty-1.dist-info").mkdir()
    assert [one.name for one in installed("mfsi.analyses")] == ["hot-pixels"]


FAILS = {
    "says that it is damaged": (
        "import lbj\ndef work(path): raise lbj.DamagedError('no header', offset=3)",
        "DamagedError: no header at byte 3",
    ),
    "raises": ("def work(path): raise KeyError('tag 7')", "failed on .*KeyError: 'tag 7'"),
    "import fails": ("import nothing_of_this_name", "cannot be imported: ModuleNotFoundError"),
    "import exits": ("raise SystemExit(3)", "cannot be imported: SystemExit"),
    "no function": ("work = 7", "is of type int; a function is expected"),
    "not there": ("", "cannot be imported: AttributeError"),
    "returns a list": (
        "def work(path): return []",
        "returns a lbj.importing.Source, or None.* it returned something of type list",
    ),
    "exits": ("import os\ndef work(path): os._exit(4)", "ended its process .code 4."),
    "hangs": ("import time\ndef work(path): time.sleep(600)", "takes more than .* s, and was given up"),
    "no signal": (
        "from lbj.importing import Source\ndef work(path): return Source([], iter(()), 1)",
        "signals is empty",
    ),
}


@pytest.mark.parametrize("how", FAILS)
def test_an_importer_that_fails_is_named(site, tmp_path, monkeypatch, how):
    body, said = FAILS[how]
    bad(site, "lbj.importers", "acme", body)
    if how == "hangs":
        monkeypatch.setattr(apart, "WALL", 0.2)
    (tmp_path / "a.acme").write_text("1")
    with pytest.raises(PluginError, match=f"plugin 'acme' of bad 0.3.*{said}"):
        open_apart([tmp_path / "a.acme"])


@pytest.mark.parametrize("how", ["raises", "says that it is damaged", "hangs", "exits", "import exits"])
def test_a_file_is_read_without_a_plugin_that_fails(site, tmp_path, monkeypatch, how):
    bad(site, "lbj.importers", ".npz", FAILS[how][0])
    monkeypatch.setattr(apart, "WALL", 0.3)
    np.savez(tmp_path / "a.npz", HAADF=np.ones((2, 3, 4), np.uint8))
    source = open_apart([tmp_path / "a.npz"])
    assert len(list(source.frames)) == 2
    assert any("without a plugin" in note and "plugin '.npz' of bad 0.3" in note for note in source.notes)


def test_a_file_that_is_not_the_plugins_own_is_read_as_ever(site, tmp_path):
    bad(site, "lbj.importers", ".npz", "def work(path):\n    print('looked at it')\n    return None")
    np.savez(tmp_path / "a.npz", HAADF=np.ones((2, 3, 4), np.uint8))
    source = open_apart([tmp_path / "a.npz"])
    assert len(list(source.frames)) == 2
    assert source.notes == []


FRAMES = {
    "raises": ("raise OSError('gone')", r"failed on .*frame 1: OSError: gone"),
    "no pair": ("yield 7", "frame 1 of .*a pair .* is expected"),
    "unknown signal": ("yield {'A': np.ones((2, 2))}, {}", "frame 1 of .*'A', a signal that is not declared"),
    "shape": ("yield {'HAADF': np.ones((2, 3))}, {}", r"HAADF: Events or an array of shape \(2, 2\) is expected, got \(2, 3\)"),
    "objects": ("yield {'HAADF': np.array([[None, 1], [2, 3]])}, {}", "numbers are expected, got an array of object"),
    "exits": ("import os; os._exit(5)", "ended its process .code 5."),
    "hangs": ("import time; time.sleep(600)", "takes more than"),
}  # fmt: skip


@pytest.mark.parametrize("how", FRAMES)
def test_an_importer_that_fails_at_a_frame_is_named(site, tmp_path, monkeypatch, how):
    body, said = FRAMES[how]
    bad(
        site, "lbj.importers", "acme",
        "import numpy as np, lbj\nfrom lbj.importing import Source\n"
        "def frames():\n    yield {'HAADF': np.ones((2, 2), np.uint8)}, {}\n"
        f"    {body}\n    yield None\n"
        "def work(path):\n    return Source([lbj.Signal('HAADF', 'image', (2, 2), dtype='uint8')], frames(), 2)\n",
    )  # fmt: skip
    if how == "hangs":
        monkeypatch.setattr(apart, "WALL", 0.3)
    (tmp_path / "a.acme").write_text("1")
    if how == "raises":
        assert lbj_main(["convert", str(tmp_path / "a.acme"), "-o", str(tmp_path / "a.lbj"), "--quiet"]) == 1
        assert not (tmp_path / "a.lbj").exists()
    with pytest.raises(PluginError, match=f"plugin 'acme' of bad 0.3.*{said}"):
        list(open_apart([tmp_path / "a.acme"]).frames)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("def work(journal, path, numbers): raise ValueError('no')", "failed on the export to a.xyz: ValueError: no"),
        ("def work(journal, path, numbers): pass", "wrote no file a.xyz"),
        ("def work(journal, path, numbers): path.mkdir()", "wrote no file a.xyz"),
        (
            "import os\ndef work(journal, path, numbers):\n    path.write_text('half')\n    os._exit(1)",
            "ended its process",
        ),
        ("import time\ndef work(*_): time.sleep(600)", "takes more than"),
    ],
)
def test_an_exporter_that_fails_is_named(site, series, tmp_path, monkeypatch, body, said):
    bad(site, "lbj.exporters", "xyz", body)
    monkeypatch.setattr(apart, "WALL", 0.3)
    with lbj.open(series[0]) as journal, pytest.raises(PluginError, match=f"plugin 'xyz' of bad 0.3.*{said}"):
        export(journal, tmp_path / "a.xyz")
    assert not (tmp_path / "a.xyz").exists()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("1 / 0", "failed on 3 images of .*ZeroDivisionError"),
        ("return images", r"displacements of shape \(3, 2\) or .* are expected.*of shape \(3, 12, 14\)"),
        ("return 'none'", "of type str"),
        ("return images[:, 0, :2], [1, 2]", "errors must be 3 numbers"),
        ("import sys; sys.exit()", "failed on 3 images of .*SystemExit"),
        ("import os; os._exit(6)", "ended its process .code 6."),
    ],
)
def test_a_registration_that_fails_is_named(site, series, body, said):
    bad(site, "mfsi.registrations", "ours", f"def work(images):\n    {body}")
    with pytest.raises(PluginError, match=f"plugin 'ours' of bad 0.3.*{said}"):
        mfsi_core.register(series[1], method="ours")


def test_frames_that_a_registration_gives_up_are_left_out(site, series):
    bad(
        site,
        "mfsi.registrations",
        "ours",
        "def work(images):\n    return [[1, 2], [float('nan')] * 2, [3, 2]], [0.1, 0.1, 0.2]",
    )
    with pytest.warns(UserWarning, match="1 of 3 frames"):
        found = mfsi_core.register(series[1], method="ours")
    assert found.left_out.tolist() == [False, True, False]
    np.testing.assert_allclose(found.shift, [[-1, 0], [0, 0], [1, 0]], atol=1e-6)
    np.testing.assert_allclose(found.predicted_error, np.sqrt((0.01 + 0.04) / 2))
    assert "gave it no displacement" in found.flags[1][0]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return None", "it returned something of type NoneType"),
        ("return {'figure': 1}", "it returned figure"),
        ("return {'text': 'one'}", "text is no list of texts"),
        ("return {'numbers': {'a': 'b'}}", "the number 'a' is of type str"),
        ("return {'table': {'a': [1], 'b': [1, 2]}}", r"columns have 1 \(a\), 2 \(b\) entries"),
        ("return {'maps': {'../../a': [[1]]}}", "is no name of a map"),
        ("return {'maps': {'a': [1]}}", "no array of numbers with two axes"),
        ("raise RuntimeError", "RuntimeError"),
        ("import time; time.sleep(600)", "takes more than"),
    ],
)
def test_an_analysis_that_fails_is_named_and_the_run_goes_on(site, series, tmp_path, monkeypatch, body, said):
    bad(site, "mfsi.analyses", "ours", f"def work(journal, registration, signal):\n    print('noise')\n    {body}")
    monkeypatch.setattr(apart, "WALL", 0.3)
    with lbj.open(series[0]) as journal, pytest.raises(PluginError, match=f"plugin 'ours' of bad 0.3.*{said}"):
        analyse(journal, "ours")
    if "time" in body:
        summary = mfsi_core.run([str(series[0])], tmp_path / "out", analyses=["ours"], quiet=True)
        assert summary["not_made"] == ["the analysis ours"]
        assert any("plugin 'ours' of bad 0.3" in note for note in summary["notes"])


def test_what_plugins_print_is_not_in_the_answers(site, tmp_path):
    """Neither Python's nor the C library's prints, at import and at work."""
    noise = "import os\nprint('noise')\nos.write(1, b'noise')\n"
    bad(
        site,
        "lbj.importers",
        "acme",
        noise + "def work(path):\n" + noise.replace("\n", "\n    ").join(["    ", "return None"]),
    )
    (tmp_path / "a.acme").write_text("1")
    code = f"import sys; from lbj.cli import main; main(['convert', {str(tmp_path / 'a.acme')!r}, '-o', 'a.lbj'])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert done.stdout == ""
    assert "no importer for this file" in done.stderr


def test_a_plugin_that_does_not_come_up_is_listed_with_its_fault(site, acme, capsys):
    bad(site, "mfsi.instruments", "bad", "print('noise')\nraise RuntimeError('no driver')")
    assert mfsi_main(["plugins"]) == 1
    out = capsys.readouterr().out
    assert "does not come up: plugin 'bad' of bad 0.3: bad_one:work cannot be imported: RuntimeError: no driver" in out
    assert "noise" not in out
    with pytest.raises(PluginError, match="no driver"):
        named("mfsi.instruments", "bad").load()


def test_an_analysis_whose_name_is_no_files_name_writes_nothing(site, series, tmp_path):
    bad(site, "mfsi.analyses", "../away", "def work(journal, registration, signal): return {'table': {'a': [1]}}")
    summary = mfsi_core.run([str(series[0])], tmp_path / "out", analyses=["../away"], quiet=True)
    assert summary["not_made"] == ["the analysis ../away"]
    assert not list(tmp_path.rglob("away*"))


def test_an_exporter_of_files_that_are_written_here_is_told(site, capsys):
    bad(site, "lbj.exporters", ".npz", "def work(journal, path, numbers): pass")
    mfsi_main(["plugins"])
    assert "is never asked: lbj export writes such files itself" in capsys.readouterr().out
