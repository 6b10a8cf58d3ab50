"""Plugins: every kind with every fault. Each is named, none takes anything down, and what they print is not in answers."""

import re

import numpy as np
import pytest
from plugin_package import install

import lbj
import mfsi_core
from lbj.cli import main as lbj_main
from lbj.errors import PluginError
from lbj.exporting import export
from lbj.importing import apart
from lbj.importing.apart import open_apart
from lbj.plugins import found
from mfsi_core.cli import main as mfsi_main
from mfsi_core.instruments import find
from mfsi_core.instruments.simulated import Simulated
from mfsi_core.pipeline.plugins import analyse

NAMED = "plugin 'ours' of bad 0.3"


def imported(folder):
    (folder / "a.ours").write_text("1")
    return next(iter(open_apart([folder / "a.ours"]).frames))[0]["HAADF"].sum() == 4


def exported(folder):
    with lbj.open(folder / "series.lbj") as journal:
        export(journal, folder / "a.ours")
    return (folder / "a.ours").read_text() == "1"


def registered(folder):
    return mfsi_core.register(images(), method="ours").shift.shape == (3, 2)


def analysed(folder):
    with lbj.open(folder / "series.lbj") as journal:
        return analyse(journal, "ours").numbers == {"one": 1}


def connected(folder):
    return find("ours", volts=3).abilities() == 1


# By kind: what asks for it, its arguments, and what a right one returns.
KINDS = {
    "lbj.importers": (
        imported,
        "path",
        "lbj.importing.Source([lbj.Signal('HAADF', 'image', (2, 2), dtype='uint8')], iter([({'HAADF': np.ones((2, 2), 'u1')}, {})]), 1)",
    ),
    "lbj.exporters": (exported, "journal, path, numbers", "path.write_text('1')"),
    "mfsi.registrations": (registered, "images", "np.zeros((len(images), 2))"),
    "mfsi.analyses": (analysed, "journal, registration, signal", "{'numbers': {'one': 1}}"),
    "mfsi.instruments": (
        connected,
        "**settings",
        "type('Ours', (), dict.fromkeys(('abilities', 'prepare', 'acquire', 'close'), lambda self: 1))()",
    ),
}
NOISE = "import os, sys\nprint('noise'); print('noise', file=sys.stderr)\n"
FAULTS = {  # before the function, in it, whether it works nevertheless, and what is said
    "raises at import": ("raise RuntimeError('broken')", "", "RuntimeError: broken"),
    "exits at import": ("raise SystemExit(3)", "", "SystemExit: 3"),
    "raises": ("", "raise RuntimeError('broken')", "RuntimeError: broken"),
    "hangs": ("", "import time; time.sleep(600)", "takes more than"),
    "wrong type": ("", "return 7", "something of|wrote no file"),
    "prints": (NOISE, NOISE.replace("\n", ";")[:-1], None),
}


def images():
    return np.random.default_rng(3).uniform(0, 1, (3, 12, 14)).astype(np.float32)


@pytest.fixture
def site(tmp_path, monkeypatch):
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(apart, "_idle", [])
    with lbj.create(
        tmp_path / "series.lbj", [lbj.Signal("HAADF", "image", (12, 14), dtype="float32")], sync=False
    ) as writer:
        for image in images():
            writer.append({"HAADF": image})
    yield folder
    while apart._idle:
        apart._idle.pop().end()


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("group", KINDS)
def test_a_plugin_that_fails_is_named_and_takes_nothing_down(site, tmp_path, monkeypatch, capfd, group, fault):
    ask, arguments, right = KINDS[group]
    first, body, said = FAULTS[fault]
    if fault == "hangs":
        monkeypatch.setattr(apart, "WALL", 0.2)
        monkeypatch.setattr(found, "LOADING", 0.2)
        if group == "mfsi.instruments":  # it is in this process: imports are given up, and a recorder gives up calls
            first, body = body, ""
    module = re.sub(r"\W", "_", f"bad {group} {fault}")  # an import that hangs keeps its name
    install(
        site, "bad", "0.3", {group: {"ours": f"{module}:work"}},
        **{module: f"import numpy as np, lbj, lbj.importing\n{first}\ndef work({arguments}):\n    {body or 'pass'}\n    return {right}\n"},
    )  # fmt: skip
    if said is None:
        assert ask(tmp_path)
    else:
        with pytest.raises(PluginError, match=f"{NAMED}.*({said})"):
            ask(tmp_path)
    assert "noise" not in capfd.readouterr().out
    assert not [path for path in tmp_path.glob("*.ours*") if group == "lbj.exporters" and said]


def test_names_that_we_have_ourselves_stay_ours(site, tmp_path, capsys):
    """Of files both are asked, ours where the other fails; of all else ours alone, which is told."""
    taken = {
        "lbj.importers": ".npz",
        "lbj.exporters": ".npz",
        "mfsi.instruments": "simulated",
        "mfsi.analyses": "quantification",
    }
    install(site, "bad", "0.3", {group: {name: "bad_one:work"} for group, name in taken.items()}, bad_one="1 / 0")
    with lbj.open(tmp_path / "series.lbj") as journal:
        export(journal, tmp_path / "a.npz")
        with pytest.raises(
            lbj.UsageError, match=r"plugin 'quantification' of bad 0.3: .* is that of files of every run"
        ):
            analyse(journal, "quantification")
    np.savez(tmp_path / "b.npz", HAADF=np.ones((2, 3, 4), np.uint8))
    assert lbj_main(["convert", str(tmp_path / "b.npz"), "-o", str(tmp_path / "b.lbj")]) == 0
    assert isinstance(find("simulated", seed=2), Simulated)
    mfsi_main(["plugins"])
    assert capsys.readouterr().out.count("is never asked") == 2
