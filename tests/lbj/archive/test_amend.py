"""Amendments by command: what they change, what they say, what they refuse, and that nothing recorded changes."""

import json
import math
import os

import numpy as np
import pytest

import lbj
from lbj.archive.amend import Settings, amend
from lbj.cli import main


@pytest.fixture
def path(tmp_path):
    """Two detectors of one group, an image with a pixel size, one frame."""
    energy = {"name": "energy", "offset": -200.0, "scale": 10.0, "units": "eV"}
    place = [{"name": name, "offset": 0.0, "scale": 1e-9, "units": "m"} for name in "yx"]
    signals = [
        lbj.Signal(f"EDX-{i}", "events", (3, 5, 40), axes=[*place, energy], group="EDX", metadata={"elevation": 0.3})
        for i in (1, 2)
    ]
    signals.append(lbj.Signal("HAADF", "image", (3, 5)))
    out = tmp_path / "series.lbj"
    with lbj.create(out, signals, {"beam_energy": 300e3, "title": "as recorded"}) as writer:
        counts = np.arange(600, dtype=np.uint32).reshape(3, 5, 40) % 3
        writer.append({"EDX-1": counts, "EDX-2": counts, "HAADF": np.ones((3, 5), np.uint16)}, live_time=0.5)
    return out


def test_values_arrive_in_the_units_of_the_format(path):
    amend(path, Settings(
        ("beam_energy=200 keV", "elements=Ti, O", "convergence_angle=25mrad", "stage_tilt=0.5deg,-1deg", "title=",
         "EDX.elevation=18deg", "EDX-2.solid_angle=0.7sr"),
        ("EDX.energy.offset=-0.21keV", "HAADF.x.scale=0.05nm", "HAADF.y.scale=5e-11m"),
    ))  # fmt: skip
    with lbj.open(path) as journal:
        assert journal.metadata["beam_energy"] == 200e3
        assert journal.metadata["elements"] == ["Ti", "O"]
        assert journal.metadata["convergence_angle"] == pytest.approx(0.025)
        assert journal.metadata["stage_tilt"] == pytest.approx([math.radians(0.5), math.radians(-1)])
        assert "title" not in journal.metadata
        for name in ("EDX-1", "EDX-2"):
            assert journal.signals[name].metadata["elevation"] == pytest.approx(math.radians(18))
            axis = journal.signals[name].axes[2]
            assert (axis["offset"], axis["scale"], axis["units"]) == (pytest.approx(-210), 10.0, "eV")
        assert "solid_angle" not in journal.signals["EDX-1"].metadata
        assert journal.signals["EDX-2"].metadata["solid_angle"] == 0.7
        for axis in journal.signals["HAADF"].axes:
            assert (axis["scale"], axis["units"]) == (pytest.approx(5e-11), "m")


@pytest.mark.parametrize(
    ("setting", "axis", "key", "wanted"),
    [
        *((f"HAADF.x.scale={said}", ("HAADF", 1), "scale", 5e-11)
          for said in ("0.05nm", "50 pm", "0.5Å", "5e-5um", "5e-5µm", "5E-8 mm", "5e-11m", "0.00000000005 m")),
        *((f"EDX.energy.scale={said}", ("EDX-1", 2), "scale", 20.0) for said in ("20", "20eV", "0.02 keV", "+2e1")),
        ("EDX-2.energy.offset=-1e2", ("EDX-2", 2), "offset", -100.0),
        ("EDX.energy.name=E / eV", ("EDX-2", 2), "name", "E / eV"),
        ("EDX.y.name=zeile", ("EDX-1", 0), "name", "zeile"),
        ("EDX.energy.units=keV", ("EDX-1", 2), "scale", 10e3),
        ("EDX.x.units=nm", ("EDX-2", 1), "scale", 1e-18),
    ],
)  # fmt: skip
def test_every_form_of_an_axis(path, setting, axis, key, wanted):
    amend(path, Settings((), (setting,)))
    with lbj.open(path) as journal:
        found = journal.signals[axis[0]].axes[axis[1]]
        assert found[key] == (wanted if isinstance(wanted, str) else pytest.approx(wanted, rel=1e-12))
        assert found.get("units") in ("m", "eV")


def test_nothing_recorded_changes(path):
    before = path.read_bytes()
    with lbj.open(path) as journal:
        digest = journal.content_digest()
    amend(path, Settings(("beam_energy=200keV",)))
    assert path.read_bytes().startswith(before)
    with lbj.open(path) as journal:
        assert journal.content_digest() == digest
        assert journal.complete
    assert main(["verify", str(path)]) == 0


def test_units_say_what_the_numbers_have_been(path):
    amend(path, Settings(axes=("EDX-1.energy.units=keV",)))
    with lbj.open(path) as journal:
        axis = journal.signals["EDX-1"].axes[2]
        assert (axis["offset"], axis["scale"], axis["units"]) == (-200e3, 10e3, "eV")


def test_a_number_without_a_unit_is_in_the_axis_own(path):
    amend(path, Settings(axes=("EDX.energy.offset=-190", "EDX.energy.scale=9.99")))
    with lbj.open(path) as journal:
        assert journal.signals["EDX-2"].axes[2] == {
            "name": "energy", "size": 40, "offset": -190.0, "scale": 9.99, "units": "eV"
        }  # fmt: skip


def test_a_table_is_replaced_only_by_offset_and_scale_together(tmp_path):
    out = tmp_path / "table.lbj"
    axes = [{"name": "x", "values": [0.0, 1.0, 4.0]}, {"name": "energy", "values": [1.0, 2.0], "units": "eV"}]
    lbj.create(out, [lbj.Signal("S", "spectra", (3, 2), axes=axes)]).close()
    with pytest.raises(lbj.UsageError, match="table of 2"):
        amend(out, Settings(axes=("S.energy.offset=1eV",)))
    amend(out, Settings(axes=("S.energy.offset=1eV", "S.energy.scale=2eV", "S.x.units=nm")))
    with lbj.open(out) as journal:
        assert journal.signals["S"].axes[1] == {"name": "energy", "size": 2, "offset": 1.0, "scale": 2.0, "units": "eV"}
        assert journal.signals["S"].axes[0]["values"] == pytest.approx([0, 1e-9, 4e-9])


def test_info_shows_the_present_state_and_what_was_amended(path, capsys):
    assert main(["amend", str(path), "--set", "beam_energy=200keV", "--axis", "EDX-1.energy.offset=-10"]) == 0
    assert "beam_energy 200000 eV (was 300000 eV)" in capsys.readouterr().out
    assert main(["info", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "beam energy 200 keV" in shown
    assert "amended: beam_energy 200000 eV (was 300000 eV), 20" in shown
    assert "amended: EDX-1.energy.offset -10 eV (was -200 eV), 20" in shown
    assert "energy -10 to 380 eV by 10" in shown
    main(["info", str(path), "--json"])
    assert len(json.loads(capsys.readouterr().out)["amended"]) == 2


def test_what_stands_there_already_is_not_stored_again(path, capsys):
    size = os.path.getsize(path)
    assert main(["amend", str(path), "--set", "beam_energy=300keV"]) == 0
    assert "already" in capsys.readouterr().out
    assert os.path.getsize(path) == size


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "beam_enrgy=200keV"], "known are acquisition_mode, beam_energy"),
        (["--set", "beam_energy=200"], "with a unit"),
        (["--set", "beam_energy=200nm"], "with a unit"),
        (["--set", "beam_energy=-200keV"], "above zero"),
        (["--set", "beam_energy=1e9keV"], "check the unit"),
        (["--set", "beam_energy=200 parsec"], "no unit"),
        (["--set", "beam_energy=1e999keV"], "number"),
        (["--set", "elements=Ti,Qq"], "'Qq'"),
        (["--set", "stage_tilt=1deg,2deg,3deg"], "stage_tilt"),
        (["--set", "live_time=1s"], "frame by frame"),
        (["--set", "EDX.colour=red"], "known are aperture"),
        (["--set", "EDS.elevation=18deg"], "EDX-1, EDX-2, HAADF, EDX"),
        (["--set", "=1"], "NAME=VALUE"),
        (["--axis", "EDX.energy.start=1"], "known are name, offset"),
        (["--axis", "EDX.enregy.offset=1"], "it has y, x, energy"),
        (["--axis", "EDX.energy.offset=1nm"], "something else"),
        (["--axis", "EDX.energy.scale=0"], "zero"),
        (["--axis", "EDX.energy.name=x"], "its own"),
        (["--axis", "HAADF.x.units=nm"], "scale is needed"),
        ([], "--set"),
    ],
)
def test_refused_with_what_is_known(path, capsys, arguments, said):
    before = path.read_bytes()
    assert main(["amend", str(path), *arguments]) == 2
    assert said in capsys.readouterr().err
    assert path.read_bytes() == before


def test_one_wrong_setting_spoils_all(path):
    before = path.read_bytes()
    with pytest.raises(lbj.UsageError):
        amend(path, Settings(("beam_energy=200keV", "nonsense=1")))
    assert path.read_bytes() == before


def test_a_journal_cut_short_is_left_alone(path, capsys):
    cut = path.read_bytes()[:-60]
    path.write_bytes(cut)
    assert main(["amend", str(path), "--set", "beam_energy=200keV"]) == 1
    assert "recover" in capsys.readouterr().err
    assert path.read_bytes() == cut


def test_a_journal_being_written_is_left_alone(path, capsys):
    with lbj.append(path):
        assert main(["amend", str(path), "--set", "beam_energy=200keV"]) == 2
    assert "another process" in capsys.readouterr().err


def test_at_import_the_source_s_word_stays(tmp_path, capsys):
    source, out = tmp_path / "series.npz", tmp_path / "series.lbj"
    np.savez(source, EDX=np.ones((2, 3, 4, 5), np.uint16))
    assert main(["convert", str(source), "-o", str(out), "--set", "beam_energy=80keV", "--set", "nothing=1"]) == 2
    assert not out.exists()
    assert main(["convert", str(source), "-o", str(out), "--set", "beam_energy=80keV"]) == 0
    with lbj.open(out) as journal:
        assert journal.metadata["beam_energy"] == 80e3
        assert "beam_energy" not in journal.head.json["metadata"]


def test_what_amendments_pass_through_need_not_be_right(path, capsys):
    """Only what comes out at the end keeps the rules; the history is told all the same."""
    with lbj.open(path) as journal:
        axes = journal.signals["HAADF"].axes
    writer = lbj.append(path)
    for change in (5, {"a": 1}, [1, 2], axes):
        writer._put(b"aMNd", {"signals": {"HAADF": {"axes": change, "metadata": [] if change == 5 else {}}}})
    writer._put(b"aMNd", {"metadata": {"title": ["x"] * 99}, "x-lbj-amended": "\x1b[31m"})
    writer.close()
    assert main(["info", str(path)]) == 0
    assert "\x1b" not in capsys.readouterr().out
