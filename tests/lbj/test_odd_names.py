"""Names, attributes and numbers that the standard allows and programs stumble on: no traceback, nothing lost."""

import io
import json
import os
import subprocess
import sys

import h5py
import numpy as np
import pytest

import lbj
from lbj.archive.convert import convert
from lbj.cli import main as lbj_main
from lbj.exporting import export
from lbj.format.attributes import known
from lbj.importing.naming import members
from lbj.writer import begin
from mfsi_core.cli import main
from mfsi_core.series.axis import pixel_size
from mfsi_core.series.dose import dose

ODD = {
    "live_time": "long", "dwell_time": {"EDX": "short", "HAADF": 2.0, "nobody": 1.0}, "beam_current": [1],
    "region": [], "scan": 7, "start_time": "yesterday", "x-mine": {"y": None}, "energy_shift": {"nobody": 1}, "rotation": 0.5,
}  # fmt: skip


def series(path, names=("EDX", "HAADF"), attributes=None, scale=1e-10, frames=3):
    """A journal as another writer may write it: nothing of what is given is checked."""
    rng = np.random.default_rng(0)
    axes = [{"name": n, "size": 12, "scale": scale, "offset": 0.0, "units": "m"} for n in "yx"]
    energy = {"name": "energy", "size": 256, "scale": 20.0, "offset": 0.0, "units": "eV"}
    signals = [
        lbj.Signal(names[0], "events", (12, 12, 256), axes=[*axes, energy]),
        lbj.Signal(names[1], "image", (12, 12), axes=axes),
    ]
    y, x = np.mgrid[:12, :12]
    image = 200 + 100 * np.cos(y * 0.8) * np.cos(x * 0.9)
    with begin(path, signals, {"beam_energy": 2e5, "elements": ["Ti"]}, sync=False) as writer:
        for i in range(frames):
            data = {names[0]: rng.poisson(0.1, (12, 12, 256)), names[1]: rng.poisson(image).astype(np.uint16)}
            writer.put_frame(i, data, attributes or {}, static=False)
    return path


def summary(folder):
    return json.loads((folder / "summary.json").read_text(), parse_constant=pytest.fail)


@pytest.mark.parametrize(
    "names", [("EDX", "I$^$"), ("$\\frac{1$", "HAADF"), (".", ".."), ("/", "a/b"), ("a/", "\u0000x"[1:])]
)
def test_a_run_takes_any_name(tmp_path, capsys, names):
    assert main(["run", str(series(tmp_path / "a.lbj", names)), "-o", str(tmp_path / "r")]) == 0
    assert capsys.readouterr().err == ""
    with h5py.File(tmp_path / "r" / "accumulated.h5") as file:
        (name,) = set(file) - {"Experiments"}
        assert file[name].shape == (12, 12, 256)
        assert name == members(names)[names[0]]


@pytest.mark.skipif(sys.platform != "linux", reason="names of files that are no text")
def test_file_names_need_not_be_text(tmp_path):
    path = os.path.join(os.fsencode(tmp_path), b"a\xff.lbj")
    series(path)
    with lbj.open(path) as journal:
        assert len(journal) == 3
    command = [sys.executable, "-m", "mfsi_core.cli", "run", path, "-o", os.path.join(os.fsencode(tmp_path), b"r\xff")]
    done = subprocess.run(command, check=False, capture_output=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, b"")
    with open(os.path.join(os.fsencode(tmp_path), b"r\xff", b"summary.json"), encoding="utf-8") as file:
        assert json.load(file)["inputs"] == ["a\\xff.lbj"]


def test_attributes_of_other_types_are_ignored(tmp_path, capsys):
    """Clause 5.4.4; what is stored stays readable."""
    path = series(tmp_path / "a.lbj", attributes=ODD)
    with lbj.open(path) as journal:
        frame = journal[0]
        assert frame.attributes == ODD
        assert frame.known == {"dwell_time": {"HAADF": 2.0}, "rotation": 0.5}
        assert (frame.region, frame.live_time, frame.beam_current) == (0, None, None)
    assert main(["run", str(path), "-o", str(tmp_path / "r")]) == 0
    assert lbj_main(["convert", str(path), "-o", str(tmp_path / "b.lbj")]) == 0
    for suffix in ("npz", "hspy", "rpl", "tif"):
        assert lbj_main(["export", str(path), "-o", str(tmp_path / f"b.{suffix}")]) == 0
    assert capsys.readouterr().err == ""
    with lbj.open(tmp_path / "b.lbj") as journal:
        assert journal[0].attributes == {"dwell_time": {"HAADF": 2.0}, "rotation": 0.5}


def test_what_is_known_of_attributes():
    given = {"live_time": {"A": 1, "B": True, "C": float("inf")}, "region": 3, "scan": {}, "beam_current": None}
    assert known(given, ["A", "B", "C"]) == {"live_time": {"A": 1}, "region": 3, "scan": {}}
    assert known({"exposure": {"group": 2.0}}, ["A"]) == {}


@pytest.mark.parametrize("scale", [1e-10, 1e-200, 1e200, 0.0])
def test_infinite_doses_are_none(tmp_path, scale):
    odd = {"beam_current": 1e308, "dwell_time": 1e3}
    assert main(["run", str(series(tmp_path / "a.lbj", attributes=odd, scale=scale)), "-o", str(tmp_path / "r")]) == 0
    assert summary(tmp_path / "r").get("dose_per_frame") is None


def test_dose_and_size_of_pixels():
    # 1 A for 1.602e-19 s is one electron, here on one square Angstrom.
    assert dose(1.0, 1.602176634e-19, (1e-10, 1e-10)) == pytest.approx(1.0)
    assert dose(1e308, 1e308, (1e-10, 1e-10)) is None
    assert dose(1.0, 1.0, (1e-200, 1e-200)) is None
    assert dose(None, 1.0, (1e-10, 1e-10)) is None
    axes = [{"name": n, "scale": 1e-200, "units": "m"} for n in "yx"]
    assert pixel_size(lbj.Signal("I", "image", (2, 2), axes=axes)) is None


def test_names_side_by_side():
    names = ["a/b", "a_b", "A_B", ".", "..", "static", "lbj", "x"]
    found = members(names, ["lbj", "static"])
    assert list(found) == names
    assert len({name.casefold() for name in found.values()} | {"lbj", "static"}) == len(names) + 2
    assert not any("/" in name or not name.strip(".") for name in found.values())
    assert found["x"] == "x"


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
def test_no_signal_is_lost_where_names_collide(tmp_path, suffix):
    names = ["a/b", "a_b", "A_B", "static", "lbj", "."]
    signals = [lbj.Signal(name, "image", (2, 3)) for name in names]
    signals += [lbj.Signal("s/t", "image", (2, 3), role="survey"), lbj.Signal("s_t", "image", (2, 3), role="dark")]
    signals += [lbj.Signal("e/f", "events", (2, 3, 4)), lbj.Signal("e_f", "events", (2, 3, 4))]
    with lbj.create(tmp_path / "a.lbj", signals, sync=False) as writer:
        writer.put_static("s/t", np.full((2, 3), 50, np.uint16))
        writer.put_static("s_t", np.full((2, 3), 51, np.uint16))
        counts = {"e/f": np.full((2, 3, 4), 7, np.uint8), "e_f": np.full((2, 3, 4), 8, np.uint8)}
        writer.append({name: np.full((2, 3), i, np.uint16) for i, name in enumerate(names)} | counts)
    with lbj.open(tmp_path / "a.lbj") as journal:
        export(journal, tmp_path / f"b{suffix}")
    convert([str(tmp_path / f"b{suffix}")], tmp_path / "c.lbj")
    with lbj.open(tmp_path / "c.lbj") as journal:
        assert list(journal.signals) == [signal.name for signal in signals]
        assert [int(journal[0].array(name)[0, 0]) for name in names] == list(range(len(names)))
        assert [int(journal.static(name)[0, 0]) for name in ("s/t", "s_t")] == [50, 51]
        assert [journal[0].events(name).total for name in ("e/f", "e_f")] == [7 * 24, 8 * 24]


@pytest.mark.parametrize("suffix", [".hspy", ".rpl"])
def test_every_signal_has_a_place_of_its_own(tmp_path, suffix):
    path = series(tmp_path / "a.lbj", ("a/b", "a_b"), frames=1)
    with lbj.open(path) as journal:
        export(journal, tmp_path / f"b{suffix}")
    if suffix == ".hspy":
        with h5py.File(tmp_path / "b.hspy") as file:
            assert len(file["Experiments"]) == 2
    else:
        assert len(list(tmp_path.glob("b*.rpl"))) == 2


def spiked(shape, dtype, at, value, kind):
    data = np.random.default_rng(0).poisson(200, shape).astype(dtype)
    for place in at:
        data[place] = value
    out = io.BytesIO()
    signal = lbj.Signal("E", kind, shape, dtype=data.dtype.name, coding="noise-q(1)")
    with lbj.create(out, [signal], sync=False) as writer:
        writer.append({"E": data})
    with lbj.open(io.BytesIO(out.getvalue())) as journal:
        return data, journal[0].array("E")


@pytest.mark.parametrize(
    ("shape", "dtype", "at", "value", "kind"),
    [
        ((20, 20, 300), "f4", [(3, 4, 5)], 1e9, "spectra"),
        ((20, 20, 300), "f8", [(0, 0, 0), (19, 19, 299)], -1e9, "spectra"),
        ((6, 7, 100), "i4", [(1, 2, 50), (4, 4, 4)], 2e9, "spectra"),
        ((64, 48), "u2", [(5, 6), (0, 0)], 65000, "image"),
        ((64, 48), "f4", [(63, 47)], 1e30, "image"),
    ],
)
def test_noise_is_measured_beside_a_huge_spike_which_comes_back(shape, dtype, at, value, kind):
    """Poisson noise of 200 counts, quantised at one standard deviation: everything else within a half of it."""
    data, got = spiked(shape, dtype, at, value, kind)
    assert all(got[place] == data[place] for place in at)
    rest = np.ones(shape, bool)
    for place in at:
        rest[place] = False
    error = (got.astype(float) - data)[rest]
    assert error.std() < 0.5 * np.sqrt(200)
    assert abs(error.mean()) < max(0.2, 5 * np.sqrt(200 / 12 / rest.sum()))  # of even errors within one step
