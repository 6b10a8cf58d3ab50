"""Frames that lack the spectra that their journal declares: commands use the others, and say so."""

import contextlib
import csv
import json
from pathlib import Path

import h5py
import numpy as np
import pytest

import lbj
import mfsi_core
from mfsi_core.cli import main
from mfsi_core.pipeline.align import register_journal, with_spectra

LACKING = {"some": (0, 3, 5), "all": range(6)}
FACTORS = "element,family,k,basis,line_scope\nTi,K,1,wt,family\nO,K,1,wt,family\n"


def series(kind):
    """Frames of EDX counts or EELS spectra beside an image, whose scene drifts."""
    if kind == "EDX":
        made = mfsi_core.simulate((28, 32), 6, 512, 1, counts=2e4, image_counts=100, drift=(0.4, -0.2))
        return made.signals, made.metadata, [made.frame(n)[0] for n in range(6)]
    made = mfsi_core.simulate((28, 32), 6, 512, 2, counts=2e4, image_counts=100, drift=(0.4, -0.2))
    axes = [*made.signals[1].axes, {"name": "energy", "offset": 400.0, "scale": 1.0, "units": "eV"}]
    energy = 400.0 + np.arange(300)
    mean = 300 * (energy / 400) ** -3 + 60 * (energy > 532)
    spectra = np.random.default_rng(3).poisson(mean, (6, 28, 32, 300)).astype(np.float32)
    signals = [lbj.Signal("EELS", "spectra", (28, 32, 300), dtype="float32", axes=axes), made.signals[1]]
    return signals, {"elements": ["O"]}, [
        {"EELS": cube, "HAADF": made.frame(n)[0]["HAADF"]} for n, cube in enumerate(spectra)
    ]  # fmt: skip


@pytest.fixture(scope="module", params=[(kind, which) for kind in ("EDX", "EELS") for which in LACKING], ids="-".join)
def journal(request, tmp_path_factory):
    """Path, name of the spectra, frames that lack them, and their sum over pixels and the other frames."""
    (name, which), path = request.param, tmp_path_factory.mktemp("a") / "a.lbj"
    signals, metadata, frames = series(name)
    total = 0
    with lbj.create(path, signals, metadata) as writer:
        for n, data in enumerate(frames):
            if n in LACKING[which]:
                del data[name]
            else:
                total += data[name].spectrum() if name == "EDX" else data[name].sum(axis=(0, 1), dtype=float)
            writer.append(data)
    return str(path), name, list(LACKING[which]), total


def told(name, lacking):
    if len(lacking) == 6:
        return f"{name} is declared, but no frame holds it."
    return f"{len(lacking)} of 6 frames hold no {name} and enter no sum of spectra: {', '.join(map(str, lacking))}."


def test_results_are_of_all_frames_again_where_something_fails(journal):
    path, _, lacking, _ = journal
    with lbj.open(path) as opened:
        view, results = register_journal(opened, [path], quiet=True)
        registration = results.registration
        during = []
        with contextlib.suppress(ZeroDivisionError), with_spectra(view, results) as holding:
            during += [results.frames, len(holding), len(results.registration.shift)]
            raise ZeroDivisionError
        assert during == [6 - len(lacking) % 6] * 3
    assert results.frames == len(view) == 6
    assert results.registration is registration


def test_a_run_registers_all_and_sums_what_is_there(journal, tmp_path, capsys):
    path, name, lacking, _ = journal
    assert main(["run", path, "-o", str(tmp_path / "r"), "--elements", "O"]) == 0
    assert f"note: {told(name, lacking)}" in capsys.readouterr().out
    summary = json.loads((tmp_path / "r" / "summary.json").read_text())
    with (tmp_path / "r" / "registration.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["frame"] for row in rows] == list("012345")
    assert all(abs(float(rows[5][f"u{a}_px"]) - float(rows[0][f"u{a}_px"])) > 0.3 for a in "yx")
    assert summary["frames"] == 6
    assert bool(list((tmp_path / "r").glob("map-O*.npy"))) == (len(lacking) < 6)


def test_the_aligned_sum_holds_what_the_frames_hold(journal, tmp_path, capsys):
    path, name, lacking, total = journal
    code = main(["accumulate", path, "-o", str(tmp_path / "sum.h5"), "--method", "push"])
    out = capsys.readouterr()
    if len(lacking) == 6:
        assert code == 2
        assert "holds no spectra to sum" in out.err
        return
    assert code == 0
    assert told(name, lacking) in out.out
    with h5py.File(tmp_path / "sum.h5") as file:
        found = file[name] if isinstance(file[name], h5py.Dataset) else file[name]["data"]
        assert file[name].attrs.get("frames", 6 - len(lacking)) == 6 - len(lacking)
        assert found[:].sum(dtype=float) == pytest.approx(float(np.sum(total)), rel=0.1)  # less what left the field


@pytest.mark.parametrize(
    "command", ["maps --elements O", "scree", "quantify --elements Ti,O --chips 14 --factors {}/k.csv",
                "template --at 14,14 --size 9,9"],
)  # fmt: skip
def test_every_step_tells(journal, tmp_path, capsys, command):
    path, name, lacking, _ = journal
    (tmp_path / "k.csv").write_text(FACTORS)
    step, *options = command.format(tmp_path).split()
    code = main([step, path, "-o", str(tmp_path / "out"), *options])
    out = capsys.readouterr()
    said = out.out + out.err
    if name == "EELS" and step == "quantify":
        assert code == 2  # energy losses are no X-rays
    elif len(lacking) == 6 and step in ("scree", "quantify"):
        assert code == 2
        assert "spectra" in said
    else:
        assert code == 0
        assert told(name, lacking) in said
        assert any(Path(tmp_path / "out").iterdir())
