"""`mfsi plan`: doses, times, sizes and resolvability, against the paper's figures and journals as written."""

import argparse
import json
import math

import numpy as np
import pytest

import lbj
from lbj.command import run
from mfsi_core import simulate
from mfsi_core.commands.plan import add
from mfsi_core.planning import (
    column_snr,
    column_table,
    counts_per_nm2,
    expected_spectrum,
    journal_bytes,
    measured_size,
    plan,
    quantity,
    resolvability,
    resolvability_figure,
    resolved_spacing,
)
from mfsi_core.planning.resolvability import column_contrast
from mfsi_core.planning.size import poisson_entropy

E = 1.602176634e-19
PAPER = ["--field", "11.1nm", "--pixel", "0.0555nm", "--current", "17pA", "--dwell", "1ms", "--frames", "230"]
ELEMENTS = {"Ag": (0.3, 7.5), "Se": (0.3, 18.0), "Sn": (0.62, 5.0), "Zn": (0.3, 5.0)}


def mfsi(*args):
    """Exit code of ``mfsi plan``."""
    parser = argparse.ArgumentParser(prog="mfsi")
    commands = parser.add_subparsers(dest="command")
    add(lambda name, text, _: commands.add_parser(name, description=text))
    return run(parser, ["plan", *args])


def paper(**more):
    return plan("11.1nm", "0.555Å", "17pA", "1ms", 230, **more)


@pytest.mark.parametrize("counts", [0.3, 20.0, 1e4, 1e9])
@pytest.mark.parametrize("snr", [5.0, 5 / 3])
def test_the_resolved_spacing_is_where_the_ratio_is_reached(counts, snr):
    spacing = resolved_spacing(counts, snr)
    assert column_snr(counts, spacing) == pytest.approx(snr, rel=1e-6)
    assert column_snr(counts, 0.99 * spacing) < snr
    assert resolved_spacing(0.0, snr) == math.inf


def test_the_papers_doses():
    made = paper()
    assert made.pixels == (200, 200)
    assert made.field_nm == pytest.approx((11.1, 11.1))
    assert made.dose_per_frame == pytest.approx(3.44e5, rel=2e-3)
    assert plan("10nm", "0.1nm", "74pA", "10ms", 1).pixel_charge == pytest.approx(4.62e6, rel=1e-3)
    assert plan("10nm", "0.1nm", "74pA", "2ms", 1).pixel_charge == pytest.approx(9.24e5, rel=1e-3)


def test_times_and_doses_with_overheads():
    made = plan("6nm,3nm", "1nm", "10pA", "2ms", 5, flyback="1ms", write_overhead="0.2s", comm_overhead="100 ms")
    assert made.pixels == (6, 3)
    assert made.frame_time_s == pytest.approx(18 * 2e-3)
    assert made.frame_time_with_overheads_s == pytest.approx(0.036 + 6 * 1e-3 + 0.3)
    assert made.series_time_s == pytest.approx(5 * 0.342)
    assert made.total_dose == pytest.approx(5 * 10e-12 * 2e-3 / E / 100)
    assert made.total_dose_with_overheads == pytest.approx(10e-12 * 5 * 0.342 / E / 1800)
    assert made.dose_rate == pytest.approx(10e-12 / E / 100)
    assert made.series_dose_rate == pytest.approx(made.total_dose / (5 * 0.342))
    assert made.series_dose_rate_with_overheads == pytest.approx(10e-12 / E / 1800)


def test_without_overheads_both_doses_are_one():
    made = paper()
    assert made.total_dose_with_overheads == pytest.approx(made.total_dose, rel=1e-12)
    assert made.series_dose_rate == pytest.approx(made.dose_rate / 40000)


def test_template_matching_gives_an_effective_dose():
    made = paper(motifs=112)
    assert made.effective_dose == pytest.approx(230 * 112 * 3.44e5, rel=2e-3)
    assert made.total_dose == paper().total_dose


@pytest.mark.parametrize(
    ("field", "pixel", "pixels"),
    [
        ("11.1nm", "0.0555nm", (200, 200)),
        ("11.2nm", "0.0555nm", (202, 202)),
        ("0.3nm", "0.1nm", (3, 3)),
        ("1um,55.5nm", "0.5nm", (2000, 111)),
        ("0.1nm", "1angstrom", (1, 1)),
        ([2e-9, 3e-9], 1e-9, (2, 3)),
        (7e-9, "2nm", (4, 4)),
    ],
)
def test_the_field_grows_to_whole_pixels(field, pixel, pixels):
    made = plan(field, pixel, "1pA", "1us", 1)
    assert made.pixels == pixels
    assert made.field_nm == pytest.approx([n * made.pixel_nm for n in pixels])


@pytest.mark.parametrize(
    "text", ["0.555Å", "0.555\u212b", " 0.555 angstrom ", "55.5pm", "5.55e-2nm", ".0555nm", "5.55e-5um"]
)
def test_lengths(text):
    assert quantity(text, "length", "pixel") == pytest.approx(5.55e-11)


@pytest.mark.parametrize("text", ["100us", "100\u00b5s", "100\u03bcs", "0.1 ms", "1e-4s"])
def test_times(text):
    assert quantity(text, "time", "dwell") == pytest.approx(1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"field": "0nm"}, "field must be finite and above zero"),
        ({"field": "-1nm"}, "field must be"),
        ({"field": "11.1"}, "field takes a length with its unit .* without one"),
        ({"field": "0.01nm"}, "field, 0.01 nm, is smaller than a pixel"),
        ({"field": "11nm,0.01nm"}, "smaller than a pixel"),
        ({"field": "1nm,2nm,3nm"}, "one length or two"),
        ({"field": ""}, "field takes a length"),
        ({"pixel": "17pA"}, "pixel takes a length .*'pA' is no unit of length"),
        ({"pixel": "3.9A"}, "written Å or angstrom"),
        ({"pixel": "nm"}, "pixel takes a length"),
        ({"pixel": "1e999nm"}, "pixel must be finite"),
        ({"pixel": math.nan}, "pixel must be finite"),
        ({"current": "0pA"}, "current must be"),
        ({"current": "17pa"}, "current takes a current"),
        ({"dwell": "1nm"}, "dwell takes a time"),
        ({"dwell": "1,5ms"}, "dwell takes a time"),
        ({"frames": 0}, "frames must be at least 1"),
        ({"frames": 2.5}, "frames takes a whole number"),
        ({"motifs": -1}, "motifs must be at least 1"),
        ({"flyback": "-1us"}, "flyback must be finite and not negative"),
        ({"write_overhead": "2"}, "write-overhead takes a time"),
        ({"comm_overhead": "2kg"}, "comm-overhead takes a time"),
        ({"image_bits": -1.0}, "image-bits"),
    ],
)
def test_bad_input_is_named(change, message):
    given = {"field": "11.1nm", "pixel": "0.0555nm", "current": "17pA", "dwell": "1ms", "frames": 230}
    with pytest.raises(lbj.UsageError, match=message):
        plan(**(given | change))


def test_entropy_of_counts_is_that_of_the_distribution():
    from scipy.stats import poisson

    rates = [1e-6, 4e-4, 0.3, 1.0, 25.0, 59.9, 60.1, 400.0]
    assert poisson_entropy(rates) * math.log(2) == pytest.approx([float(poisson(r).entropy()) for r in rates], rel=1e-4)
    assert poisson_entropy([0.0]) == 0


@pytest.mark.parametrize(
    ("shape", "channels", "density", "elements", "electrons"),
    [((48, 48), 2048, 4e-4, ("Ca", "Ti", "O"), 50), ((30, 70), 1024, 4e-3, ("Fe", "Pt", "O"), 200),
     ((32, 32), 4096, 4e-5, ("Al", "Si", "O"), 8)],
)  # fmt: skip
def test_the_estimated_size_is_near_that_of_a_journal(tmp_path, shape, channels, density, elements, electrons):
    simulation = simulate(
        shape, 6, channels, 5, elements=elements, counts=density * math.prod(shape) * channels, image_counts=electrons
    )
    simulation.save(tmp_path / "series.lbj")
    true = (tmp_path / "series.lbj").stat().st_size
    with lbj.open(tmp_path / "series.lbj") as journal:
        counts, stored = journal.totals("EDX")
        spectrum, bits = measured_size(journal)
    density = counts / 6 / math.prod(shape) / channels  # what leaves the axis is not recorded
    assert spectrum.sum() == pytest.approx(density * channels)
    guess = expected_spectrum(elements, channels, density)
    assert journal_bytes(shape, 6, spectrum, bits) == pytest.approx(true, rel=0.1)
    assert journal_bytes(shape, 6, guess, bits) == pytest.approx(true, rel=0.1)
    records = 6 * 180 + 1000
    assert journal_bytes(shape, 6, spectrum, 0) - records == pytest.approx(stored, rel=0.1)


def test_the_size_grows_with_pixels_and_frames():
    spectrum = expected_spectrum()
    assert spectrum.sum() == pytest.approx(4e-4 * 2048)
    one = journal_bytes((200, 200), 1, spectrum)
    assert journal_bytes((200, 200), 10, spectrum) > 9.5 * one
    assert journal_bytes((200, 200), 1, spectrum, 0) == pytest.approx(one - 40000)
    assert 1000 < journal_bytes((1, 1), 1, np.zeros(2048), 0) < 2000


@pytest.mark.parametrize(("element", "spacing"), [(e, d) for e, (d, _) in ELEMENTS.items()])
def test_the_papers_verdicts(element, spacing):
    counts = ELEMENTS[element][1]
    assert resolvability(counts, spacing)[1] == "none"
    assert resolvability(counts * 230, spacing)[1] == ("clear" if element == "Sn" else "marginal")
    assert resolvability(counts * 230 * 112, spacing)[1] == "clear"


def test_the_papers_verdicts_do_not_hang_on_one_width():
    for width in (0.201, 0.226):
        verdicts = [[resolvability(n * f, d, width)[1] for f in (1, 230, 230 * 112)] for d, n in ELEMENTS.values()]
        assert verdicts == [["none", "clear" if d == 0.62 else "marginal", "clear"] for d, _ in ELEMENTS.values()]


@pytest.mark.parametrize("spacing", [0.12, 0.3, 0.62, 2.0])
def test_the_models_snr_is_that_of_drawn_counts(spacing):
    rng = np.random.default_rng(3)
    photons = 200.0 / spacing**2  # 200 counts a cell
    number = rng.poisson(200, 4000)
    place = np.abs(rng.normal(0, 0.21 / 2.354820, number.sum()) / spacing)
    place = np.abs(place - np.rint(place))  # columns everywhere: what leaves a cell enters the next
    cell = np.repeat(np.arange(number.size), number)
    near = np.bincount(cell[place < 0.25], minlength=number.size)
    difference = 2 * near - number
    snr, _ = resolvability(photons, spacing)
    assert difference.mean() / 200 == pytest.approx(float(column_contrast(spacing)), abs=0.004)
    assert snr == pytest.approx(difference.mean() / math.sqrt(200), abs=0.06)
    assert difference.std() == pytest.approx(math.sqrt(200), rel=0.05)


def test_nothing_is_resolved_without_counts():
    assert resolvability(0.0, 0.3) == (0.0, "none")
    assert resolvability(-2.0, 0.3) == (0.0, "none")
    assert column_snr(np.array([1.0, 4.0]), 0.62)[1] == pytest.approx(2 * column_snr(1.0, 0.62))
    with pytest.raises(lbj.UsageError, match="spacing"):
        resolvability(5.0, 0.0)
    with pytest.raises(lbj.UsageError, match="width"):
        resolvability(5.0, 0.3, -1.0)
    with pytest.raises(lbj.UsageError, match="counts per nm²"):
        resolvability(math.inf, 0.3)


def test_counts_are_scaled_by_frames_and_motifs():
    table = column_table(ELEMENTS, 230, 112)
    assert [c.counts_per_nm2 for c in table if c.element == "Sn"] == pytest.approx([5, 1150, 128800])
    assert [c.stage for c in column_table({"Sn": (0.62, 5.0)}, 230)] == ["1 frame", "series"]
    assert [c.stage for c in column_table({"Sn": (0.62, 5.0)}, 1)] == ["1 frame"]


@pytest.fixture(scope="module")
def trial(tmp_path_factory):
    simulation = simulate((40, 60), 8, 2048, 2, counts=9000)
    path = tmp_path_factory.mktemp("trial") / "trial.lbj"
    simulation.save(path)
    return simulation, path


def test_counts_per_area_measured_in_a_journal(trial):
    simulation, path = trial
    area = (40 * 60) * (0.39 / 9) ** 2  # nm², pixels of a ninth of the cell
    with lbj.open(path) as journal:
        found = counts_per_nm2(journal, ["Ti", "Ca"])
    energy = np.arange(2048) * 10.0 + 5
    for element, alpha in (("Ti", 4510.0), ("Ca", 3691.0)):  # eV; all lines are resolved there
        spectrum = simulation.spectra[element]
        share = spectrum[np.abs(energy - alpha) < 180].sum() / spectrum.sum()
        expected = simulation.maps[element].sum() * share / area
        assert found[element] == pytest.approx(expected, rel=0.08)


def test_a_journal_that_cannot_be_measured(tmp_path):
    plane = [{"name": name, "size": n, "scale": 1e-10, "units": "m"} for name, n in (("y", 3), ("x", 4))]
    energy = {"name": "energy", "size": 64, "offset": 5.0, "scale": 10.0, "units": "eV"}
    counts = lbj.Events.from_dense(np.ones((3, 4, 64), np.uint16))
    with lbj.create(tmp_path / "bare.lbj", [lbj.Signal("EDX", "events", (3, 4, 64))]) as writer:
        writer.append({"EDX": counts})
    with lbj.open(tmp_path / "bare.lbj") as journal:
        with pytest.raises(lbj.UsageError, match="size of its pixels"):
            counts_per_nm2(journal, ["Ti"])
        spectrum, bits = measured_size(journal)
    assert spectrum.tolist() == [1.0] * 64
    assert bits == 0
    with lbj.create(tmp_path / "soft.lbj", [lbj.Signal("EDX", "events", (3, 4, 64), axes=[*plane, energy])]) as writer:
        writer.append({"EDX": counts})
    with lbj.open(tmp_path / "soft.lbj") as journal, pytest.raises(lbj.UsageError, match="no line of Al lies"):
        counts_per_nm2(journal, ["O", "Al"])
    with lbj.create(tmp_path / "empty.lbj", [lbj.Signal("EDX", "events", (3, 4, 64))]):
        pass
    with lbj.open(tmp_path / "empty.lbj") as journal:
        with pytest.raises(lbj.UsageError, match="no frames"):
            measured_size(journal)


def test_command_as_json(capsys):
    assert mfsi(*PAPER, "--flyback", "200us", "--write-overhead", "2s", "--comm-overhead", "0.5s", "--json") == 0
    out = json.loads(capsys.readouterr().out)
    names = {
        "pixels", "field_nm", "frame_time_s", "frame_time_with_overheads_s", "series_time_s", "dose_per_frame",
        "total_dose", "total_dose_with_overheads", "dose_rate", "series_dose_rate", "pixel_charge", "file_bytes",
    }  # fmt: skip
    assert names <= set(out)
    assert out["pixels"] == [200, 200]
    assert out["frame_time_with_overheads_s"] == pytest.approx(40 + 0.04 + 2.5)
    assert out["total_dose"] == pytest.approx(230 * out["dose_per_frame"])
    assert 1e7 < out["file_bytes"] < 4e7


def test_command_prints_a_table_and_draws(tmp_path, capsys):
    from matplotlib import image

    elements = "Ag:0.3nm:7.5,Se:0.3nm:18,Sn:6.2Å:5,Zn:0.3nm:5"
    plot = tmp_path / "plan.png"
    assert mfsi(*PAPER, "--motifs", "112", "--elements", elements, "--plot", str(plot)) == 0
    out = capsys.readouterr().out
    assert "200 x 200" in out
    assert "3.445e+05 e/Å2" in out
    assert [line.split()[-1] for line in out.splitlines() if line.startswith("Sn")] == ["none", "clear", "clear"]
    assert [line.split()[-1] for line in out.splitlines() if line.startswith("Ag")] == ["none", "marginal", "clear"]
    picture = image.imread(plot)
    assert picture.shape[1] > picture.shape[0] > 500
    assert picture.std() > 0.02


def test_figures_of_all_sorts_are_drawn():
    alone = resolvability_figure([])
    far = resolvability_figure(column_table({"Fe": (12.0, 1e-4), "O": (0.05, 1e4), "Ti": (1.0, -3.0)}, 1))
    assert alone.startswith(b"\x89PNG")
    assert far.startswith(b"\x89PNG")
    assert far != alone


def test_command_measures_a_trial_journal(trial, capsys):
    _, path = trial
    assert mfsi(*PAPER, "--journal", str(path), "--elements", "Ti:0.39nm,Ca:0.39nm", "--json") == 0
    out = json.loads(capsys.readouterr().out)
    with lbj.open(path) as journal:
        expected = counts_per_nm2(journal, ["Ti", "Ca"])["Ti"]
    assert out["columns"][1]["counts_per_nm2"] == pytest.approx(230 * expected)
    per_pixel = path.stat().st_size / 8 / 2400  # eight frames of 2,400 pixels, as dense as those planned
    assert out["file_bytes"] == pytest.approx(230 * 40000 * per_pixel, rel=0.15)


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        (["--elements", "Ti:0.3nm"], 2, "no counts are known for Ti"),
        (["--elements", "Ti"], 2, "Ag:0.3nm"),
        (["--elements", "Xx:0.3nm:4"], 2, "Xx"),
        (["--elements", "Ti:0.3nm:0"], 2, "above zero"),
        (["--elements", "Ti:3pA:4"], 2, "spacing of Ti"),
        (["--elements", "Ti:0.3nm:4,Ti:0.4nm:4"], 2, "twice"),
        (["--journal", "absent.lbj"], 1, "absent.lbj"),
        (["--journal", "absent.lbj", "--density", "0.1"], 2, "--density"),
        (["--density", "-1"], 2, "density"),
        (["--channels", "0"], 2, "channels"),
        (["--pixel", "17pA"], 2, "'pA' is no unit of length"),
    ],
)
def test_command_refuses(more, code, message, capsys):
    assert mfsi(*PAPER, *more) == code
    assert message in capsys.readouterr().err
