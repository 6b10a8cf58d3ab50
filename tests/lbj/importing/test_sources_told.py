"""What a source says beside its array arrives or is named: NeXus, Berkeley's files of HyperSpy, dates, companions."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import signal_files as sf

import lbj
from lbj.archive.convert import convert
from lbj.cli import main
from lbj.errors import UsageError
from lbj.importing import open_source


def counts(*shape):
    return np.random.default_rng(sum(shape)).poisson(3, shape).astype(np.uint16)


def read(path):
    source = open_source([path])
    return source, list(source.frames)


def nexus(path, write):
    with h5py.File(path, "w") as file:
        entry = file.create_group("scan_12")
        entry.attrs["NX_class"] = "NXentry"
        entry["title"] = "a line of steel"
        entry["start_time"] = "2020-03-04T05:06:07+01:00"
        group = entry.create_group("plot")
        group.attrs["NX_class"] = "NXdata"
        write(entry, group)


def test_nexus_with_axes_named_by_the_group(tmp_path):
    data = counts(4, 5, 16)

    def write(entry, group):
        detector = entry.create_group("instrument/detector")
        detector["counts"] = data
        detector["dark"] = counts(3, 7)
        detector["temperatures"] = np.arange(9.0)
        group["counts"] = h5py.SoftLink("/scan_12/instrument/detector/counts")
        group.attrs["signal"] = "counts"
        group.attrs["axes"] = ["energy", "sample_x", "sample_y"]
        group.attrs.update({"energy_indices": 2, "sample_x_indices": [1], "sample_y_indices": 0})
        group["energy"] = np.linspace(1.0, 5.0, 17)  # bounds of 16 bins
        group["sample_x"] = 2.0 + 0.5 * np.arange(5)
        group["sample_y"] = np.array([0.0, 1.0, 4.0, 9.0])
        group["counts_errors"] = np.sqrt(data)
        for name, units in (("energy", "keV"), ("sample_x", "mm"), ("sample_y", "um")):
            group[name].attrs["units"] = units

    nexus(tmp_path / "a.nxs", write)
    source, frames = read(tmp_path / "a.nxs")
    assert [(s.kind, s.shape) for s in source.signals] == [("spectra", data.shape), ("image", (3, 7))]
    np.testing.assert_array_equal(frames[0][0][source.signals[0].name], data)
    y, x, energy = source.signals[0].axes
    assert (x["offset"], x["scale"], x["units"]) == pytest.approx((2e-3, 0.5e-3, "m"))
    assert y["values"] == pytest.approx([0, 1e-6, 4e-6, 9e-6])
    assert (energy["offset"], energy["scale"], energy["units"]) == pytest.approx((1125, 250, "eV"))
    assert "units" not in source.signals[1].axes[0]
    assert source.metadata["title"] == "a line of steel"
    assert source.metadata["local_start_time"] == "2020-03-04T05:06:07"
    text = " ".join(source.notes)
    assert "plot/counts_errors" in text
    assert "instrument/detector/temperatures" in text


def test_nexus_of_the_old_kind(tmp_path):
    data = counts(3, 5, 6)

    def write(_, group):
        group["stack"] = data
        group["stack"].attrs.update({"signal": 1, "axes": "time:y:x"})
        for name, size, step, units in (("time", 3, 2.0, "s"), ("y", 5, 1.0, "nm"), ("x", 6, 3.0, "nm")):
            group[name] = step * np.arange(size)
            group[name].attrs["units"] = units

    nexus(tmp_path / "a.nxs", write)
    source, frames = read(tmp_path / "a.nxs")
    assert [(s.kind, s.shape) for s in source.signals] == [("image", (5, 6))]
    assert [axis["scale"] for axis in source.signals[0].axes] == pytest.approx([1e-9, 3e-9])
    assert [attributes["time_offset"] for _, attributes in frames] == [0, 2, 4]


def test_nexus_of_hyperspy_has_its_elements_and_date(tmp_path):
    more = {
        "General": {"title": "steel", "date": "2021-03-04", "time": "15:16:17"},
        "Sample": {"elements": ["Fe", "Cr"]},
        "Acquisition_instrument": {"TEM": sf.TEM},
    }
    sf.write("nexus", tmp_path / "a.nxs", sf.signal(counts(4, 5, 16), [sf.Y, sf.X, sf.ENERGY], "EDS_TEM", **more))
    source, _ = read(tmp_path / "a.nxs")
    assert [signal.name for signal in source.signals] == ["EDX"]
    assert source.metadata["elements"] == ["Fe", "Cr"]
    assert source.metadata["local_start_time"] == "2021-03-04T15:16:17"


def test_berkeley_files_of_hyperspy_have_its_order_of_axes(tmp_path):
    data = counts(5, 6)
    sf.write("emd", tmp_path / "a.emd", sf.signal(data, [("", "", 1.0, 0.0, False)] * 2))
    source, frames = read(tmp_path / "a.emd")
    np.testing.assert_array_equal(frames[0][0][source.signals[0].name], data)


def test_a_date_without_a_time(tmp_path):
    sf.write("msa", tmp_path / "a.msa", sf.signal(counts(64), [sf.ENERGY], General={"date": "2021-03-04"}))
    source, _ = read(tmp_path / "a.msa")
    assert source.metadata["local_start_time"] == "2021-03-04"
    convert([str(tmp_path / "a.msa")], tmp_path / "a.lbj", quiet=True)
    assert main(["export", str(tmp_path / "a.lbj"), "-o", str(tmp_path / "a.hspy")]) == 0
    with h5py.File(tmp_path / "a.hspy") as file:
        found = [group["metadata/General"].attrs["date"] for group in file["Experiments"].values()]
    assert found == ["2021-03-04"]


def test_the_file_that_describes_another_is_named(tmp_path):
    sf.write("ripple", tmp_path / "a.rpl", sf.signal(counts(4, 5, 16), [sf.Y, sf.X, sf.ENERGY]))
    with pytest.raises(UsageError, match=r"a\.rpl describes it"):
        open_source([tmp_path / "a.raw"])


def test_info_tells_roles_tables_and_axes_without_a_unit(tmp_path, capsys):
    signals = [
        lbj.Signal(
            "CL",
            "spectra",
            (2, 3, 4),
            axes=[
                {"name": "y", "scale": 0.03125},
                {"name": "x"},
                {"name": "wavelength", "units": "m", "values": [4e-7, 4.1e-7, 4.3e-7, 5e-7]},
            ],
        ),
        lbj.Signal("survey", "image", (4, 4), role="survey"),
    ]
    with lbj.create(tmp_path / "a.lbj", signals) as writer:
        writer.put_static("survey", np.zeros((4, 4), np.uint16))
        writer.append({"CL": np.zeros((2, 3, 4), np.float32)})
    assert main(["info", str(tmp_path / "a.lbj")]) == 0
    text = capsys.readouterr().out
    assert "y 0 to 0.03125 (no unit) by 0.03125, wavelength 400 to 500 nm by a table" in text
    assert "survey, stored once" in text


def test_times_and_distances_between_pages_of_tiff(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    stack, plain = counts(3, 5, 6), {"imagej": True, "resolution": (2, 4)}
    tifffile.imwrite(tmp_path / "t.tif", stack, metadata={"axes": "TYX", "unit": "um", "finterval": 0.7}, **plain)
    tifffile.imwrite(tmp_path / "z.tif", stack, metadata={"axes": "ZYX", "unit": "nm", "spacing": 3.0}, **plain)
    stated = {"axes": "TYX", "TimeIncrement": 100.0, "TimeIncrementUnit": "ms"}
    tifffile.imwrite(tmp_path / "t.ome.tif", stack, metadata=stated)
    tifffile.imwrite(
        tmp_path / "d.tif", stack[0], datetime="2020:01:02 03:04:05", description="BF of steel", metadata=None
    )
    assert [attributes["time_offset"] for _, attributes in read(tmp_path / "t.tif")[1]] == pytest.approx([0, 0.7, 1.4])
    assert read(tmp_path / "z.tif")[0].metadata["frame_axis"]["scale"] == pytest.approx(3e-9)
    offsets = [attributes["time_offset"] for _, attributes in read(tmp_path / "t.ome.tif")[1]]
    assert offsets == pytest.approx([0, 0.1, 0.2])
    source, _ = read(tmp_path / "d.tif")
    assert source.metadata["local_start_time"] == "2020-01-02T03:04:05"
    assert any("BF of steel" in note for note in source.notes)


def test_emd_of_version_1_names_its_groups_by_words(tmp_path):
    data = counts(3, 4, 5, 6)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        root = file.create_group("root")
        root.attrs.update({"emd_group_type": "root", "version_major": 1})
        group = root.create_group("datacube")
        group.attrs["emd_group_type"] = "array"
        group["data"] = data
        for i, (name, units, step) in enumerate([("Rx", "A", 2.0), ("Ry", "A", 2.0), ("Qx", "A^-1", 0.1)]):
            group[f"dim{i}"] = [0.0, step]
            group[f"dim{i}"].attrs.update({"name": name, "units": units})
    source, frames = read(tmp_path / "a.h5")
    assert source.signals[0].shape == data.shape
    assert source.signals[0].axes[0]["scale"] == pytest.approx(2e-10)
    np.testing.assert_array_equal(frames[0][0][source.signals[0].name], data)


def test_a_folder_tells_what_files_without_a_number_hold(tmp_path):
    for name in ("si_1", "si_2", "overview"):
        data = counts(5, 6) if name == "overview" else counts(4, 5, 16)
        axes = sf.PLANE if name == "overview" else [sf.Y, sf.X, sf.LOSS]
        sf.write("hspy", tmp_path / f"{name}.hspy", sf.signal(data, axes, "" if name == "overview" else "EELS"))
    (tmp_path / "damaged.dm3").write_bytes(b"\0\0\0\3\0\1\0\0\0\0\0\1" + bytes(30))
    notes = open_source([tmp_path]).notes
    assert any(note.startswith("overview.hspy: left out") and "1 frame of image image 5 x 6" in note for note in notes)
    assert any(note.startswith("damaged.dm3: left out") and "cannot be read" in note for note in notes)


def test_values_of_another_kind_are_named(tmp_path):
    more = {
        "General": {"title": "a", "date": 20210304},
        "Sample": {"elements": ["Fe", "Xx"]},
        "Acquisition_instrument": {"TEM": {"beam_energy": "200 kV"}},
    }
    axes = [("y", "nm", float("nan"), 0.0, True), sf.X, sf.ENERGY]
    sf.write("hspy", tmp_path / "a.hspy", sf.signal(counts(4, 5, 16), axes, "EDS_TEM", **more))
    source, _ = read(tmp_path / "a.hspy")
    assert source.metadata["elements"] == ["Fe"]
    text = " ".join(source.notes)
    for word in ("General.date '20210304'", "beam_energy '200 kV'", "Xx", "axis y states a step of nan"):
        assert word in text
    more["Sample"]["elements"] = "Al, O"
    sf.write("hspy", tmp_path / "b.hspy", sf.signal(counts(4, 5, 16), axes, "EDS_TEM", **more))
    assert read(tmp_path / "b.hspy")[0].metadata["elements"] == ["Al", "O"]


def test_units_beside_a_number_and_in_the_name_of_an_axis(tmp_path):
    head = {
        "FORMAT": "EMSA/MAS Spectral Data File", "VERSION": "1.0", "TITLE": "NIO EELS OK SHELL", "NPOINTS": "16.",
        "NCOLUMNS": "1.", "XUNITS": "Energy Loss (eV)", "YUNITS": "Intensity", "DATATYPE": "Y", "XPERCHAN": "3.1",
        "OFFSET": "520.13", "SIGNALTYPE": "ELS", "BEAMKV   -kV": "120.0", "CONVANGLE-mR": "1.5", "DWELLTIME-ms": "100",
    }  # fmt: skip
    lines = [f"#{key:<12}: {value}" for key, value in head.items()] + ["#SPECTRUM    : Spectral Data Starts Here"]
    text = "\n".join([*lines, *(f"{i}." for i in range(16)), "#ENDOFDATA   : End Of Data", ""])
    (tmp_path / "a.msa").write_text(text)
    source, frames = read(tmp_path / "a.msa")
    energy = source.signals[0].axes[-1]
    assert (energy["name"], energy["units"]) == ("energy", "eV")
    assert (energy["offset"], energy["scale"]) == pytest.approx((520.13, 3.1))
    assert frames[0][1]["dwell_time"] == {"EELS": pytest.approx(0.1)}
    assert source.metadata["beam_energy"] == pytest.approx(120e3)
    assert source.metadata["convergence_angle"] == pytest.approx(1.5e-3)
