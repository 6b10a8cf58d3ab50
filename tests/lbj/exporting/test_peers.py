"""NeXus, EMSA/MAS and tables, each read back by a program that is not ours."""

import csv
import os

import h5py
import numpy as np
import pytest

import lbj
from lbj.cli import main
from lbj.exporting import export


def make(path, frames=3, **extra):
    random = np.random.default_rng(6)
    place = [{"name": name, "offset": 1e-9, "scale": 2e-9, "units": "m"} for name in "yx"]
    energy = {"name": "energy", "offset": -20.0, "scale": 10.0, "units": "eV"}
    loss = {"name": "energy", "offset": 400.0, "scale": 0.25, "units": "eV"}
    signals = [
        lbj.Signal("HAADF", "image", (3, 5), axes=place),
        *(lbj.Signal(f"EDX-{i}", "events", (3, 5, 53), axes=[*place, energy], group="EDX",
                     metadata={"elevation": np.radians(18), "solid_angle": 0.7}) for i in (1, 2)),
        lbj.Signal("EELS", "spectra", (3, 5, 31), axes=[*place, loss], metadata={"collection_angle": 0.03}),
        lbj.Signal("survey", "image", (4, 4), role="survey"),
    ]  # fmt: skip
    metadata = {
        "title": "Körner",
        "beam_energy": 2e5,
        "elements": ["Ti", "O"],
        "microscope": "Titan",
        "manufacturer": "FEI Company",
        "electron_source": "XFEG",
        **extra,
    }
    with lbj.create(path, signals, metadata) as writer:
        writer.put_static("survey", np.ones((4, 4), np.uint16))
        for i in range(frames):
            data = {name: random.poisson(0.3, (3, 5, 53)).astype(np.uint32) for name in ("EDX-1", "EDX-2")}
            data["HAADF"] = random.integers(0, 60000, (3, 5), np.uint16)
            data["EELS"] = random.normal(100, 10, (3, 5, 31)).astype(np.float32)
            times = {"EDX-1": 0.5, "EDX-2": 0.3}
            writer.append(data, live_time=times, real_time=0.6, exposure={"EELS": 0.002}, beam_current=5e-11,
                          start_time=f"2026-03-0{i + 1}T10:20:30Z")  # fmt: skip
    return path


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return make(tmp_path_factory.mktemp("peers") / "series.lbj")


@pytest.fixture(scope="module")
def journal(path):
    with lbj.open(path) as opened:
        yield opened


def summed(journal, name):
    return sum(frame.array(name).astype(np.float64) for frame in journal).sum(axis=(0, 1))


@pytest.fixture(scope="module")
def nexus(journal, tmp_path_factory):
    out = tmp_path_factory.mktemp("nexus") / "series.nxs"
    export(journal, out)
    return out


def test_rosettasciio_reads_nexus(journal, nexus):
    reader = pytest.importorskip("rsciio.nexus", reason="rosettasciio is not installed")
    found = {}
    for item in reader.file_reader(str(nexus)):
        found.setdefault(item["data"].shape, []).append(item)
    images = found[3, 3, 5][0]
    assert np.array_equal(images["data"], [frame.array("HAADF") for frame in journal])
    assert [axis["units"] for axis in images["axes"][1:]] == ["m", "m"]
    for item, name in zip(found[3, 3, 5, 53], ("EDX-1", "EDX-2"), strict=True):
        assert np.array_equal(item["data"], [frame.array(name) for frame in journal])
        assert item["axes"][-1]["scale"] == pytest.approx(10)
        assert item["axes"][-1]["offset"] == pytest.approx(-20)
        assert item["axes"][-1]["units"] == "eV"
    assert np.array_equal(found[3, 3, 5, 31][0]["data"], [frame.array("EELS") for frame in journal])
    assert np.array_equal(found[(53,)][0]["data"], summed(journal, "EDX"))


def test_nexus_says_what_the_definition_asks_for(journal, nexus):
    with h5py.File(nexus) as file:
        entry = file[file.attrs["default"]]
        assert entry["definition"][()] == b"NXem"
        assert entry["start_time"][()] == b"2026-03-01T10:20:30Z"
        assert entry["sample1/atom_types"][()] == b"Ti, O"
        source = entry["measurement/instrument/ebeam_column/electron_source"]
        assert (source["voltage"][()], source["voltage"].attrs["units"]) == (2e5, "V")
        assert source["emitter_type"][()] == b"XFEG"
        made = entry["measurement/instrument/fabrication"]
        assert (made["vendor"][()], made["model"][()]) == (b"FEI Company", b"Titan")
        energies = entry["roi1/eds/indexing/summary/axis_energy"]  # numbers, as NXem_eds says
        assert energies.dtype == np.float64
        assert energies[:3].tolist() == [-20, -10, 0]
        group = entry
        while "default" in group.attrs:  # what a viewer shows first
            group = group[group.attrs["default"]]
        assert group.attrs["NX_class"] == "NXdata"
        assert group[group.attrs["signal"]].ndim == len(group.attrs["axes"])
        assert np.array_equal(entry["measurement/event1/spectrum1/frames/live_time"], [0.5] * 3)
        methods = {item.attrs["NX_class"] for roi in ("roi1", "roi2") for item in entry[roi].values()}
        assert methods == {"NXem_eds", "NXem_eels"}
        assert np.allclose(entry["roi2/eels/indexing/spectrum1/spectrum_0d/intensity"], summed(journal, "EELS"))


def test_nexus_comes_back_as_a_journal(journal, nexus, tmp_path):
    assert main(["convert", str(nexus), "-o", str(tmp_path / "back.lbj"), "--quiet"]) == 0
    with lbj.open(tmp_path / "back.lbj") as back:
        assert len(back) == 3
        assert np.array_equal(back[1].array("HAADF"), journal[1].array("HAADF"))


@pytest.mark.parametrize("frames", [1, 2])
def test_nexus_of_a_line_and_without_calibration(tmp_path, frames):
    signals = [
        lbj.Signal("L", "spectra", (4, 6)),
        lbj.Signal("P", "image", (4,)),
        lbj.Signal("V", "spectra", (2, 3, 4, 6)),
    ]
    with lbj.create(tmp_path / "a.lbj", signals) as writer:
        for _ in range(frames):
            writer.append({s.name: np.ones(s.shape, s.dtype) for s in signals})
    with lbj.open(tmp_path / "a.lbj") as journal:
        export(journal, tmp_path / "a.nxs")
    what = "stack" if frames > 1 else "spectrum"
    with h5py.File(tmp_path / "a.nxs") as file:
        event = file["entry/measurement/event1"]
        assert event[f"spectrum1/{what}_1d/intensity"].shape[-2:] == (4, 6)
        assert event[f"spectrum2/{what}_3d/intensity"].shape[-4:] == (2, 3, 4, 6)
        assert event[f"image1/{'stack' if frames > 1 else 'image'}_1d/real"].shape[-1] == 4


def test_nexus_refuses_what_it_has_no_place_for(tmp_path):
    with lbj.create(tmp_path / "a.lbj", [lbj.Signal("V", "spectra", (2, 2, 2, 2, 6))]) as writer:
        writer.append({"V": np.ones((2, 2, 2, 2, 6), np.float32)})
    with lbj.open(tmp_path / "a.lbj") as journal, pytest.raises(lbj.UsageError, match="4 axes of space"):
        export(journal, tmp_path / "a.nxs")
    assert os.listdir(tmp_path) == ["a.lbj"]


def test_rosettasciio_reads_msa(path, journal, tmp_path, capsys):
    reader = pytest.importorskip("rsciio.msa", reason="rosettasciio is not installed")
    assert main(["export", str(path), "-o", str(tmp_path / "sum.msa")]) == 0
    assert sorted(name for name in os.listdir(tmp_path) if name.endswith("msa")) == ["sum.msa", "sum_EELS.msa"]
    (found,) = reader.file_reader(str(tmp_path / "sum.msa"))
    assert np.array_equal(found["data"], summed(journal, "EDX"))
    axis = found["axes"][0]
    assert (axis["scale"], axis["offset"], axis["units"]) == (10.0, -20.0, "eV")
    assert found["metadata"]["Signal"]["signal_type"].startswith("EDS")
    tem = found["metadata"]["Acquisition_instrument"]["TEM"]
    assert tem["beam_energy"] == 200
    assert tem["beam_current"] == pytest.approx(0.05)
    assert tem["Detector"]["EDS"]["live_time"] == pytest.approx(3 * 0.4)
    assert tem["Detector"]["EDS"]["elevation_angle"] == pytest.approx(18)
    assert found["metadata"]["General"]["date"] == "2026-03-01"
    (found,) = reader.file_reader(str(tmp_path / "sum_EELS.msa"))
    assert np.allclose(found["data"], summed(journal, "EELS"), rtol=1e-12)
    tem = found["metadata"]["Acquisition_instrument"]["TEM"]
    assert tem["Detector"]["EELS"]["collection_angle"] == pytest.approx(30)
    assert tem["Detector"]["EELS"]["exposure"] == pytest.approx(3 * 15 * 2.0)  # ms, of all that was added up
    assert main(["convert", str(tmp_path / "sum.msa"), "-o", str(tmp_path / "back.lbj")]) == 0


def test_msa_with_a_table_of_energies(tmp_path):
    reader = pytest.importorskip("rsciio.msa", reason="rosettasciio is not installed")
    energy = {"name": "energy", "values": [1.0, 2.0, 4.0], "units": "eV"}
    with lbj.create(tmp_path / "a.lbj", [lbj.Signal("S", "spectra", (2, 3), axes=[{"name": "x"}, energy])]) as writer:
        writer.append({"S": np.array([[1, 2, 3], [4, 5, 6]], np.float32)})
    with lbj.open(tmp_path / "a.lbj") as journal:
        export(journal, tmp_path / "a.msa")
    (found,) = reader.file_reader(str(tmp_path / "a.msa"))
    assert found["data"].tolist() == [5, 7, 9]
    assert "4.0, 9.0" in (tmp_path / "a.msa").read_text()


def test_csv(path, journal, tmp_path):
    assert main(["export", str(path), "-o", str(tmp_path / "sum.csv"), "--frames", "0:2"]) == 0
    with open(tmp_path / "sum.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    wanted = sum(journal[i].events("EDX").spectrum() for i in (0, 1))
    assert [int(row["intensity"]) for row in rows if row["signal"] == "EDX"] == wanted.tolist()
    assert [float(row["energy"]) for row in rows if row["signal"] == "EELS"][:3] == [400.0, 400.25, 400.5]
    assert {row["unit"] for row in rows} == {"eV"}


def test_pyarrow_reads_parquet(path, journal, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    assert main(["export", str(path), "-o", str(tmp_path / "counts.parquet"), "--frames", "1:3"]) == 0
    table = parquet.read_table(tmp_path / "counts.parquet")
    assert table.column_names == ["signal", "frame", "y", "x", "channel", "count"]
    assert table.schema.metadata[b"energy of EDX-1"] == b"-20.0 + 10.0 * channel eV"
    columns = {name: np.asarray(table[name].to_pylist()) for name in table.column_names}
    for number in (1, 2):
        for name in ("EDX-1", "EDX-2"):
            here = (columns["frame"] == number) & (columns["signal"] == name)
            cube = np.zeros((3, 5, 53), np.uint32)
            cube[columns["y"][here], columns["x"][here], columns["channel"][here]] = columns["count"][here]
            assert np.array_equal(cube, journal[number].array(name))


@pytest.mark.parametrize(
    ("suffix", "said"), [("msa", "no spectra"), ("csv", "no spectra"), ("parquet", "lists counts")]
)
def test_images_alone_are_no_spectra(tmp_path, suffix, said, capsys):
    if suffix == "parquet":
        pytest.importorskip("pyarrow")
    with lbj.create(tmp_path / "a.lbj", [lbj.Signal("I", "image", (2, 2))]) as writer:
        writer.append({"I": np.ones((2, 2), np.uint16)})
    assert main(["export", str(tmp_path / "a.lbj"), "-o", str(tmp_path / f"a.{suffix}")]) == 2
    assert said in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["a.lbj"]
