"""The aligned sum is read by lbj, mfsi and HyperSpy's reader; lines and points are treated as such."""

import h5py
import numpy as np
import pytest

import lbj
from mfsi_core.cli import main
from mfsi_core.quantification.chips import make_chips

ELECTRON = 1.602176634e-19
FACTORS = "element,family,k,basis,line_scope\nTi,K,1.1,wt,alpha\nAl,K,1.0,wt,alpha\n"


def write(path, shape=(8, 9), frames=3, level=3.0, pixel=(1e-10, 2e-10)):
    """Two detectors of a group; Ti and Al lines on a background."""
    energy = 40.0 * np.arange(256)
    mean = 0.02 + level * (np.exp(-0.5 * ((energy - 4510) / 55) ** 2) + np.exp(-0.5 * ((energy - 1487) / 45) ** 2))
    space = [{"name": n, "scale": s, "units": "m"} for n, s in zip("yx", pixel, strict=True)]
    axes = [*space, {"name": "energy", "scale": 40.0, "offset": 0.0, "units": "eV"}]
    signals = [
        lbj.Signal(f"EDX-{k}", "events", (*shape, 256), group="EDX", axes=axes, metadata={"elevation": 0.3})
        for k in (1, 2)
    ]
    rng = np.random.default_rng(1)
    with lbj.create(path, signals, {"beam_energy": 2e5, "elements": ["Ti", "Al"], "title": "grain"}) as writer:
        for _ in range(frames):
            data = {s.name: rng.poisson(np.broadcast_to(mean / 2, s.shape)).astype(np.uint16) for s in signals}
            times = {"EDX-1": 1.5, "EDX-2": 1.0}
            writer.append(data, live_time=times, real_time=2.0, dwell_time=1e-3, beam_current=1e-10)
    return path


@pytest.mark.parametrize(("upsampling", "suffix"), [(1, "h5"), (1, "hspy"), (2, "h5")])
def test_the_sum_carries_times_geometry_and_dose(tmp_path, upsampling, suffix):
    path, out = write(tmp_path / "a.lbj"), tmp_path / f"sum.{suffix}"
    assert main(["accumulate", str(path), "-o", str(out), "--upsampling", str(upsampling)]) == 0
    assert main_lbj("convert", out, tmp_path / "sum.lbj") == 0
    with lbj.open(tmp_path / "sum.lbj") as journal, h5py.File(out) as file:
        signal, frame = journal.signals["EDX"], journal[0]
        assert (len(journal), signal.kind, signal.shape) == (1, "spectra", (8 * upsampling, 9 * upsampling, 256))
        assert [axis["scale"] for axis in signal.axes] == pytest.approx([1e-10 / upsampling, 2e-10 / upsampling, 40])
        assert journal.metadata == {"beam_energy": 2e5, "elements": ["Ti", "Al"], "title": "grain"}
        assert signal.metadata["elevation"] == 0.3
        assert frame.live_time == {"EDX": pytest.approx(3 * 1.25)}
        assert frame.real_time == {"EDX": pytest.approx(3 * 2.0)}
        dose = 1e-10 * 3e-3 / ELECTRON / 2.0  # of a pixel of 1 by 2 angstrom
        assert frame.attributes["metadata"]["dose_e_per_A2"] == pytest.approx(dose, rel=1e-6)
        assert ("dwell_time" in frame.attributes) == (upsampling == 1)
        np.testing.assert_array_equal(file["EDX"][:], frame.array("EDX"))


def main_lbj(command, source, out):
    from lbj.cli import main as lbj_main

    return lbj_main([command, str(source), "-o", str(out)])


def test_hyperspys_reader_opens_the_sum(tmp_path):
    reader = pytest.importorskip("rsciio.hspy", reason="rosettasciio is not installed")
    assert main(["accumulate", str(write(tmp_path / "a.lbj")), "-o", str(tmp_path / "sum.h5")]) == 0
    (found,) = reader.file_reader(str(tmp_path / "sum.h5"))
    assert found["data"].shape == (8, 9, 256)
    assert [axis["navigate"] for axis in found["axes"]] == [True, True, False]
    microscope = found["metadata"]["Acquisition_instrument"]["TEM"]
    assert microscope["beam_energy"] == 200
    assert microscope["dwell_time"] == pytest.approx(3e-3)
    assert microscope["Detector"]["EDS"]["live_time"] == pytest.approx(3.75)
    assert found["metadata"]["Sample"]["elements"] == ["Ti", "Al"]


def test_mfsi_quantifies_and_maps_the_sum_as_it_does_the_series(tmp_path):
    pandas = pytest.importorskip("pandas", reason="tables are pandas tables")
    path, factors = write(tmp_path / "a.lbj"), tmp_path / "k.csv"
    factors.write_text(FACTORS)
    assert main(["accumulate", str(path), "-o", str(tmp_path / "sum.h5")]) == 0
    tables = []
    for name in ("a.lbj", "sum.h5"):
        out = str(tmp_path / f"q-{name}")
        assert main(["quantify", str(tmp_path / name), "-o", out, "--chips", "4", "--factors", str(factors)]) == 0
        assert main(["maps", str(tmp_path / name), "-o", str(tmp_path / f"m-{name}")]) == 0
        tables.append(pandas.read_csv(tmp_path / f"q-{name}" / "quantification.csv"))
    np.testing.assert_allclose(tables[1].at_pct, tables[0].at_pct, atol=0.2)
    maps = [np.load(tmp_path / f"m-{name}" / "map-Ti_Ka.npy") for name in ("a.lbj", "sum.h5")]
    np.testing.assert_allclose(maps[1], maps[0], rtol=1e-3, atol=0.1)


@pytest.mark.parametrize(
    ("shape", "size", "grid", "pixels"),
    [((1, 40), 15, (1, 2), 15), ((40, 1), 15, (2, 1), 15), ((1, 9), 15, (1, 1), 9), ((1, 1), 15, (1, 1), 1)],
)
def test_chips_of_a_line_are_stretches_of_it(shape, size, grid, pixels):
    chips = make_chips(size, shape)
    assert chips.grid == grid
    assert (chips.pixels == pixels).all()
    np.testing.assert_array_equal(np.bincount(chips.labels[chips.labels >= 0]), chips.pixels)
    with pytest.raises(lbj.UsageError, match="do not fit"):
        make_chips(15, (9, 40))


@pytest.mark.parametrize("shape", [(1, 40), (30, 1), (1, 1)])
@pytest.mark.drawn
def test_lines_and_points_are_drawn_and_quantified(tmp_path, shape):
    from matplotlib import image

    (tmp_path / "k.csv").write_text(FACTORS)
    path = write(tmp_path / "a.lbj", shape, level=20.0, pixel=(1e-9, 1e-9))
    assert main(["run", str(path), "-o", str(tmp_path / "r"), "--factors", str(tmp_path / "k.csv")]) == 0
    report = (tmp_path / "r" / "report.html").read_text(encoding="utf-8")
    assert "Composition" in report
    drawn = image.imread(tmp_path / "r" / "map-Ti_Ka.png")
    assert drawn.shape[1] > 500  # a plot with axes
    assert drawn.shape[0] > 300


def test_a_section_that_cannot_be_made_is_named_and_the_report_written(tmp_path, capsys):
    (tmp_path / "k.csv").write_text(FACTORS.replace("Al,K", "Fe,K"))  # no factor for Al, which the series names
    path = write(tmp_path / "a.lbj")
    assert (
        main(["run", str(path), "-o", str(tmp_path / "r"), "--factors", str(tmp_path / "k.csv"), "--chips", "4"]) == 3
    )
    said = capsys.readouterr().out
    assert "note: The report is without the composition: no factor is given for Al" in said
    assert (tmp_path / "r" / "report.html").exists()
    assert (tmp_path / "r" / "accumulated.h5").exists()


def test_ripple_readers_open_the_sum(tmp_path):
    reader = pytest.importorskip("rsciio.ripple", reason="rosettasciio is not installed")
    path = write(tmp_path / "a.lbj")
    for name in ("sum.h5", "sum.rpl"):
        assert main(["accumulate", str(path), "-o", str(tmp_path / name), "--upsampling", "2"]) == 0
    assert sorted(p.name for p in tmp_path.glob("sum.r*")) == ["sum.raw", "sum.rpl"]
    (found,) = reader.file_reader(str(tmp_path / "sum.rpl"), lazy=False)
    with h5py.File(tmp_path / "sum.h5") as file:
        np.testing.assert_array_equal(found["data"], file["EDX"][:])
    tem = found["metadata"]["Acquisition_instrument"]["TEM"]
    assert tem["beam_energy"] == 200
    assert tem["Detector"]["EDS"]["live_time"] == pytest.approx(3 * 1.25)
    assert tem["Detector"]["EDS"]["elevation_angle"] == pytest.approx(np.degrees(0.3))
    assert [axis["scale"] for axis in found["axes"]] == pytest.approx([0.05, 0.1, 40.0])
    assert main_lbj("convert", tmp_path / "sum.rpl", tmp_path / "sum.lbj") == 0
