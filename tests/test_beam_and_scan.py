"""What the beam and the scan did: energies of the beam, impossible values, bulk specimens, aborted frames."""

import numpy as np
import pytest

import lbj
import mfsi_core
from lbj.plausible import implausible
from mfsi_core.cli import main
from mfsi_core.quantification.table import analyse

AXES = [{"name": "y", "scale": 1e-9, "units": "m"}, {"name": "x", "scale": 1e-9, "units": "m"}]
ENERGY = {"name": "energy", "scale": 10.0, "offset": 0.0, "units": "eV"}
SIGNAL = lbj.Signal("EDX", "events", (6, 7, 2048), axes=[*AXES, ENERGY])


def counts(lines, seed=0):
    energy = 10.0 * np.arange(2048)
    mean = np.full(2048, 0.01)
    for place, amount in lines.items():
        sigma = np.sqrt(max(130.0**2 + 2.45 * (place - 5895), 900.0)) / 2.3548
        mean += amount * 10 / (sigma * 2.5066) * np.exp(-0.5 * ((energy - place) / sigma) ** 2)
    return np.random.default_rng(seed).poisson(np.broadcast_to(mean, (6, 7, 2048))).astype(np.uint16)


def journal(path, lines, metadata, **attributes):
    with lbj.create(path, [SIGNAL], metadata=metadata) as writer:
        for seed in range(2):
            writer.append({"EDX": counts(lines, seed)}, **attributes)
    return str(path)


ZR = {2042.0: 30, 2124.0: 15, 1740.0: 40}  # La, Lb; Si Ka


@pytest.mark.parametrize(("given", "line"), [("15keV", "Zr_La"), ("15000", "Zr_La"), ("200 keV", "Zr_Ka")])
def test_the_beam_energy_is_asked_for_and_taken(tmp_path, capsys, given, line):
    path = journal(tmp_path / "a.lbj", ZR, {"elements": ["Zr", "Si"]})
    assert main(["maps", path, "-o", str(tmp_path / "m")]) == 0
    assert "--beam-energy" in capsys.readouterr().out
    assert main(["maps", path, "-o", str(tmp_path / "n"), "--beam-energy", given]) == 0
    assert "--beam-energy" not in capsys.readouterr().out
    assert (tmp_path / "n" / f"map-{line}.npy").exists()


def test_what_no_beam_energy_can_change_is_not_asked(tmp_path, capsys):
    path = journal(tmp_path / "a.lbj", {1740.0: 40, 525.0: 30}, {"elements": ["Si", "O"]})
    assert main(["maps", path, "-o", str(tmp_path / "m")]) == 0
    assert "--beam-energy" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "value", "unit"),
    [
        ("beam_current", 2.0, "A"), ("screen_current", -1e-9, "A"), ("dwell_time", 1e6, "s per pixel"),
        ("exposure", 1e9, "s"), ("beam_current", {"EDX": 1.0}, "A"),
    ],
)  # fmt: skip
def test_impossible_values_are_refused(tmp_path, name, value, unit):
    assert unit in implausible(name, value)
    with lbj.create(tmp_path / "a.lbj", [SIGNAL]) as writer:
        with pytest.raises(lbj.UsageError, match=f"{name}.*impossible.*unit"):
            writer.append({"EDX": counts({})}, **{name: value})


def test_an_impossible_beam_energy_is_refused(tmp_path):
    with pytest.raises(lbj.UsageError, match=r"2e\+08 eV is impossible"):
        lbj.create(tmp_path / "a.lbj", [SIGNAL], metadata={"beam_energy": 200000e3})
    with pytest.raises(SystemExit):
        main(["maps", "a.lbj", "-o", "m", "--beam-energy", "200000keV"])
    assert implausible("beam_energy", 300e3) is None


@pytest.mark.parametrize(("beam", "flagged"), [(15e3, True), (30e3, True), (80e3, False), (None, False)])
def test_a_bulk_specimen_is_told(beam, flagged):
    cube = counts({1740.0: 60, 525.0: 40})
    factors = [{"element": e, "family": "K", "k": 1.0, "basis": "at", "line_scope": "family"} for e in ("Si", "O")]

    found = analyse(lbj.Events.from_dense(cube), ["Si", "O"], 6, factors, signal=SIGNAL)
    assert not found.bulk
    made = type(found)(**{**found.__dict__, "beam_energy": beam})
    assert made.bulk == flagged
    assert ("bulk" in str(made.table["flags"].iloc[0])) == flagged
    assert any("bulk" in note for note in made.notes) == flagged


def test_aborted_frames_are_told_and_their_dose_is_what_was_scanned(tmp_path):
    with lbj.create(tmp_path / "a.lbj", [SIGNAL], metadata={"beam_energy": 2e5, "elements": ["Si"]}) as writer:
        for number in (42, 14):
            cube = counts(ZR, number)
            cube.reshape(42, -1)[number:] = 0
            writer.append({"EDX": cube}, beam_current=1e-11, dwell_time=1e-3, scanned_pixels=number)
    summary = mfsi_core.run([str(tmp_path / "a.lbj")], tmp_path / "out", quiet=True)
    assert any("aborted" in note and "frame 1 (33%)" in note for note in summary["notes"])
    assert summary["total_dose"] == pytest.approx(summary["dose_per_frame"] * 4 / 3)
