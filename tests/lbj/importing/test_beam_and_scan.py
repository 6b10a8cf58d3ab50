"""What the beam and the scan did: energies of the beam, impossible values, bulk specimens, aborted frames."""

import numpy as np
import pytest

import lbj
import mfsi_core
from lbj.format.plausible import implausible
from mfsi_core.cli import main
from mfsi_core.quantification.quantify import analyse

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


@pytest.mark.parametrize("lines", [ZR, {1922.0: 30, 1996.0: 15, 525.0: 40}, {1012.0: 30, 1740.0: 40}, {705.0: 30}])
@pytest.mark.parametrize("method", ["filter", "windows"])
def test_without_a_beam_energy_the_line_that_shows_is_mapped(tmp_path, capsys, lines, method):
    """At 5 to 15 kV: Zr, Y, Zn and Fe by L lines alone; their K lines lie on the axis."""
    place = next(iter(lines))
    element = {2042.0: "Zr", 1922.0: "Y", 1012.0: "Zn", 705.0: "Fe"}[place]
    path = journal(tmp_path / "a.lbj", lines, {"elements": [element, "Si"] if len(lines) > 1 else [element]})
    assert main(["maps", path, "-o", str(tmp_path / "m"), "--maps", method]) == 0
    assert f"out of the spectrum itself: {element} Lα" in capsys.readouterr().out
    found = np.load(tmp_path / "m" / f"map-{element}_La.npy")
    assert 30 < found.mean() < 90  # of 60 in a single line, of which a family's other lines take part; K would hold 0


def test_at_high_voltage_the_line_stays_what_it_was(tmp_path):
    path = journal(tmp_path / "a.lbj", {15775.0: 30, 17668.0: 5, **ZR}, {"elements": ["Zr", "Si"]})
    assert main(["maps", path, "-o", str(tmp_path / "m")]) == 0
    assert (tmp_path / "m" / "map-Zr_Ka.npy").exists()


def test_factors_of_lines_that_do_not_show_are_refused():
    def factor(element, family):
        return {"element": element, "family": family, "k": 1.0, "basis": "at", "line_scope": "family"}

    both = [factor("Zr", "K"), factor("Zr", "L"), factor("Si", "K")]
    events = [lbj.Events.from_dense(counts(ZR))]
    with pytest.raises(lbj.UsageError, match="--beam-energy"):
        mfsi_core.quantify(events, ["Zr", "Si"], 6, both, signal=SIGNAL)
    found = analyse(events, ["Zr", "Si"], 6, both[1:], signal=SIGNAL)
    assert [factor.family for factor in found.factors] == ["L", "K"]
    seen = [lbj.Events.from_dense(counts({15775.0: 30, **ZR}))]
    assert analyse(seen, ["Zr", "Si"], 6, both, signal=SIGNAL).factors[0].family == "K"


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


def test_an_impossible_beam_is_refused(tmp_path):
    with pytest.raises(lbj.UsageError, match=r"2e\+08 eV is impossible"):
        lbj.create(tmp_path / "a.lbj", [SIGNAL], metadata={"beam_energy": 200000e3})
    with pytest.raises(lbj.UsageError, match=r"beam_current of 0\.3 A is impossible"):
        lbj.create(tmp_path / "a.lbj", [SIGNAL], metadata={"beam_current": 0.3})
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
    assert any("in the bulk specimens" in note for note in made.notes) == flagged
    assert any("beam energy is not known" in note for note in made.notes) == (beam is None)


def test_aborted_frames_are_told_and_their_dose_is_what_was_scanned(tmp_path):
    with lbj.create(tmp_path / "a.lbj", [SIGNAL], metadata={"beam_energy": 2e5, "elements": ["Si"]}) as writer:
        for number in (42, 14):
            cube = counts(ZR, number)
            cube.reshape(42, -1)[number:] = 0
            writer.append({"EDX": cube}, beam_current=1e-11, dwell_time=1e-3, scanned_pixels=number)
    summary = mfsi_core.run([str(tmp_path / "a.lbj")], tmp_path / "out", quiet=True)
    assert any("aborted" in note and "frame 1 (33%)" in note for note in summary["notes"])
    assert summary["total_dose"] == pytest.approx(summary["dose_per_frame"] * 4 / 3)
