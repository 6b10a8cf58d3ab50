"""Energy losses that a command cannot work with are refused or told in words, never by Python's own warnings."""

import warnings

import numpy as np
import pytest

import lbj
import mfsi_core
from mfsi_core.cli import main
from mfsi_core.compression.chart import pick_chart


def spectra(shape, start, step, seed=0):
    """Counts of a core loss with an edge at 532 eV, or of a low loss where the axis holds 0 eV."""
    energy = start + step * np.arange(shape[-1])
    if start > 50:
        mean = 400 * (energy / 480) ** -3.0 + 150 * (energy > 532) * np.exp(-np.maximum(energy - 532, 0) / 80)
    else:
        mean = 5000 * np.exp(-0.5 * (energy / 0.3) ** 2) + 30 * np.exp(-0.5 * ((energy - 20) / 4) ** 2) + 1
    return np.random.default_rng(seed).poisson(np.broadcast_to(mean, shape)).astype(np.float32)


def journal(path, frames, **signals):
    """Write a journal; `signals`: name to (first energy, width of a channel, spectra of each frame)."""
    space = [{"name": name, "scale": 2e-9, "units": "m"} for name in ("y", "x")]
    declared = [
        lbj.Signal(
            name.replace("_", "-"), "spectra", cubes[0].shape, dtype="float32",
            axes=[*space, {"name": "energy", "offset": start, "scale": step, "units": "eV"}],
        )
        for name, (start, step, cubes) in signals.items()
    ]  # fmt: skip
    with lbj.create(path, declared, {"beam_energy": 2e5}) as writer:
        for i in range(frames):
            writer.append({name.replace("_", "-"): cubes[i] for name, (_, _, cubes) in signals.items()})
    return str(path)


def said(capsys, *arguments):
    """Exit code and everything that a command says; a warning of Python's is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        code = main([str(argument) for argument in arguments])
    out = capsys.readouterr()
    return code, out.out + out.err


LOW = {
    "cut": spectra((6, 7, 300), 0.1, 0.1),
    "saturated": np.minimum(spectra((6, 7, 400), -10.0, 0.1), 100),
}


@pytest.mark.parametrize("kind", LOW)
def test_a_chart_says_that_a_low_loss_tells_no_shifts(tmp_path, capsys, kind):
    core, low = spectra((6, 7, 400), 480.0, 0.5), LOW[kind]
    start = 0.1 if kind == "cut" else -10.0
    path = journal(tmp_path / "a.lbj", 1, EELS=(480.0, 0.5, [core]), EELS_LL=(start, 0.1, [low]))
    code, text = said(capsys, "chart", path, "--elements", "O", "--shifts", "EELS-LL")
    assert code == 2
    assert "shifts cannot be measured on EELS-LL: 42 of 42 spectra have no zero-loss peak" in text
    code, text = said(capsys, "chart", path, "--elements", "O")  # the drift is then seen on the edges
    assert code == 0
    assert "note: EELS-LL: 42 of 42 spectra have no zero-loss peak" in text


def test_energy_losses_are_not_quantified_as_x_rays(tmp_path, capsys):
    path = journal(tmp_path / "a.lbj", 1, EELS=(480.0, 0.5, [spectra((6, 7, 400), 480.0, 0.5)]))
    (tmp_path / "k.csv").write_text("element,family,k,basis,line_scope\nO,K,1,wt,family\n")
    code, text = said(
        capsys, "quantify", path, "-o", tmp_path / "q", "--elements", "O", "--factors", tmp_path / "k.csv"
    )
    assert code == 2
    assert "'EELS' holds energy losses" in text


def test_a_scree_says_why_nothing_was_tested(tmp_path, capsys):
    cubes = [spectra((6, 7, 60), 480.0, 0.5, seed) for seed in range(2)]
    path = journal(tmp_path / "a.lbj", 2, EELS=(480.0, 0.5, cubes))
    code, text = said(capsys, "scree", path, "-o", tmp_path / "s")
    assert code == 0
    assert "no counts but a multiple of them" in text


@pytest.mark.parametrize("command", ["run", "maps"])
def test_a_series_of_which_nothing_was_scanned(tmp_path, capsys, command):
    space = [{"name": name, "scale": 2e-9, "units": "m"} for name in ("y", "x")]
    energy = {"name": "energy", "scale": 10, "units": "eV"}
    signal = lbj.Signal("EDX", "events", (4, 5, 1024), axes=[*space, energy])
    with lbj.create(tmp_path / "a.lbj", [signal], {"beam_energy": 2e5, "elements": ["Ti"]}) as writer:
        for _ in range(2):
            writer.append({"EDX": np.zeros((4, 5, 1024), np.uint16)}, scanned_pixels=0)
    code, text = said(capsys, command, tmp_path / "a.lbj", "-o", tmp_path / "out")
    assert code in (0, 3)
    assert "aborted" in text


@pytest.mark.parametrize("limit", [300, 1e9])
def test_saturated_spectra_are_told(tmp_path, capsys, limit):
    cubes = [np.minimum(spectra((6, 7, 400), 480.0, 0.5, seed), limit) for seed in range(2)]
    path = journal(tmp_path / "a.lbj", 2, EELS=(480.0, 0.5, cubes))
    code, text = said(capsys, "maps", path, "-o", tmp_path / "m", "--elements", "O")
    assert code == 0
    assert ("84 of 84 spectra of EELS are saturated, between 480 and" in text) == (limit == 300)
    assert ("Map of O K: spectra are saturated in its windows" in text) == (limit == 300)


@pytest.mark.parametrize("limit", [300, 1e9])
@pytest.mark.parametrize(
    ("command", "options"),
    [("denoise", ["-o", "{}/d.lbj", "--components", "2"]), ("denoise", ["-o", "{}/d.lbj", "--components", "2", "--median"]),
     ("chart", ["--elements", "O", "--shifts", "0"])],
    ids=["denoise", "median", "chart"],
)  # fmt: skip
def test_saturated_spectra_are_told_by_what_rebuilds_and_packs_them(tmp_path, capsys, command, options, limit):
    """Of the second of two frames four rows of five reach the limit."""
    cubes = [spectra((5, 6, 300), 500.0, 0.25, seed) for seed in range(2)]
    cubes[0], cubes[1][4:] = np.floor(cubes[0] / 2), np.floor(cubes[1][4:] / 2)
    cubes[1] = np.minimum(cubes[1], limit)
    path = journal(tmp_path / "a.lbj", 2, EELS=(500.0, 0.25, cubes))
    code, text = said(capsys, command, path, *(one.format(tmp_path) for one in options))
    assert code == 0
    assert ("24 of 60 spectra of EELS are saturated, between 500 and" in text) == (limit == 300)


def test_channels_that_no_spectrum_holds_are_no_onset(tmp_path, capsys):
    cubes = [spectra((6, 7, 400), 440.0, 0.5, seed) for seed in range(2)]
    cubes[1][..., 200:210] = np.nan  # 540 eV and more, behind the edge
    path = journal(tmp_path / "a.lbj", 2, EELS=(440.0, 0.5, cubes))
    code, text = said(capsys, "maps", path, "-o", tmp_path / "m", "--elements", "O", "--align-edges")
    assert code == 0
    assert "begin" not in text
    cubes[0][..., 200:210] = np.nan
    path = journal(tmp_path / "b.lbj", 2, EELS=(440.0, 0.5, cubes))
    code, text = said(capsys, "maps", path, "-o", tmp_path / "n", "--elements", "O", "--align-edges")
    assert code == 0
    assert "the axis was moved" not in text


def test_an_axis_that_falls_is_told(tmp_path, capsys):
    falling = spectra((6, 7, 400), 480.0, 0.5)[..., ::-1]
    path = journal(tmp_path / "a.lbj", 1, EELS=(679.5, -0.5, [falling]))
    code, text = said(capsys, "maps", path, "-o", tmp_path / "m", "--elements", "O")
    assert code == 0
    assert "does not rise" in text


@pytest.mark.parametrize("shift", [0.0, 9.0])
def test_an_onset_is_measured_where_frames_are_shifted(tmp_path, capsys, shift):
    space = [{"name": name, "scale": 2e-9, "units": "m"} for name in ("y", "x")]
    energy = {"name": "energy", "offset": 480.0 + shift, "scale": 0.5, "units": "eV"}
    with lbj.create(tmp_path / "a.lbj", [lbj.Signal("EELS", "spectra", (6, 7, 400), axes=[*space, energy])]) as writer:
        for stored in (0.0, 4.0, -3.0, 7.5):
            writer.append({"EELS": spectra((6, 7, 400), 480.0 + stored, 0.5)}, energy_shift={"EELS": stored})
    code, text = said(capsys, "maps", tmp_path / "a.lbj", "-o", tmp_path / "m", "--elements", "O")
    assert code == 0
    assert ("O K +9" in text or "O K +8.9" in text) if shift else "begin" not in text


def test_sums_of_losses_are_called_so_while_they_are_recorded(tmp_path):
    space = [{"name": name, "scale": 2e-9, "units": "m"} for name in ("y", "x")]
    energy = {"name": "energy", "offset": 480.0, "scale": 0.5, "units": "eV"}
    signal = lbj.Signal("EELS", "spectra", (6, 7, 60), axes=[*space, energy])
    with mfsi_core.Session(tmp_path / "a.lbj", [signal], elements=["O"]) as session:
        for seed in range(3):
            session.push({"EELS": spectra((6, 7, 60), 480.0, 0.5, seed)})
        assert any(note.startswith("summed EELS: too noisy") for note in session.status()["notes"])


def test_a_chart_of_pixels_shifted_off_the_axis_knows_the_noise():
    energy, spread = 480.0 + 0.5 * np.arange(320), np.random.default_rng(8).uniform(-6, 9, (3, 20, 24))
    true = energy + spread[..., None]
    mean = 300 * (true / 480) ** -3.0 + 120 * (true > 532) * np.exp(-np.maximum(true - 532, 0) / 80)
    frames = list(np.random.default_rng(9).poisson(mean).astype(np.float32))
    axes = [{"name": "y"}, {"name": "x"}, {"name": "energy", "offset": 480.0, "scale": 0.5, "units": "eV"}]
    signal = lbj.Signal("EELS", "spectra", (20, 24, 320), dtype="float32", axes=axes)
    chart = pick_chart(frames, ["O"], signal=signal, shifts=spread)
    assert chart.noise.gain == pytest.approx(1, abs=0.1)
    assert not any("spikes" in note for note in chart.notes)


def test_edges_of_the_other_range_are_hinted_at(tmp_path, capsys):
    low, core = spectra((6, 7, 300), -10.0, 0.1), spectra((6, 7, 400), 480.0, 0.5)
    path = journal(tmp_path / "a.lbj", 1, EELS_LL=(-10.0, 0.1, [low]), EELS_HL=(480.0, 0.5, [core]))
    code, text = said(capsys, "maps", path, "-o", tmp_path / "m", "--elements", "O")
    assert code == 0
    assert "No edge of O lies on the energy axis of EELS-LL" in text
    assert "--signal EELS-HL maps the other spectra" in text
    code, text = said(capsys, "maps", path, "-o", tmp_path / "n", "--elements", "O", "--signal", "EELS-HL")
    assert "map-O_K.npy" in text
