"""Velox files: what kind of file it is, and where everything in it belongs. Truth is the file's own settings."""

from __future__ import annotations

import json
import math
import zlib

import h5py
import numpy as np
import pytest
from test_importing import read_all, total
from vendor_files import random_counts, velox_columns, velox_file, velox_meta, velox_words

import lbj
from lbj.archive.convert import convert
from lbj.importing import open_source


def scan(ny, nx, top=0.0, left=0.0, bottom=1.0, right=1.0, **more):
    """Settings of a scan of part of a field of ny x nx pixels."""
    area = {"top": str(top), "left": str(left), "bottom": str(bottom), "right": str(right)}
    return {"ScanSize": {"width": str(nx), "height": str(ny)}, "ScanArea": area, **more}


def add(path, where, data, meta, **others):
    """Add a group with a data set and its metadata to a Velox file."""
    with h5py.File(path, "a") as file:
        group = file.create_group(where)
        group["Data"] = data
        group["Metadata"] = velox_columns([meta])
        for name, value in others.items():
            group[name] = value


def text(item):
    return np.array([json.dumps(item)], object).astype(h5py.string_dtype())


# The real files, as data/README.md states them


def test_combined_eds_and_eels(shared_data):
    source, data, attributes = read_all(shared_data / "velox/example_velox_EELS_EDS.emd")
    by_name = {signal.name: signal for signal in source.signals}
    assert [by_name[f"EDX-{i}"].shape for i in range(1, 7)] == [(16, 20, 4096)] * 6
    assert [total(data, f"EDX-{i}") for i in range(1, 7)] == [1156, 1674, 2330, 1921, 1913, 2099]
    losses = [by_name[f"EELS-{i}"] for i in (1, 2, 3)]
    assert [(s.kind, s.shape, s.dtype) for s in losses] == [("spectra", (16, 20, 2048), "uint16")] * 3
    assert [int(data[s.name][0].sum(dtype=int)) for s in losses] == [65_540_456, 65_523_224, 65_521_751]
    assert [s.axes[-1]["offset"] for s in losses] == pytest.approx([-21.5026, 480, 800])
    assert {s.axes[-1]["scale"] for s in losses} == {0.1692}
    assert attributes[0]["exposure"] == pytest.approx({"EELS-1": 2e-6, "EELS-2": 5e-3, "EELS-3": 4e-3})
    assert attributes[0]["scanned_pixels"]["EDX-1"] == 319
    # 320 pixels take the 2.9071 s that every segment's real time counter shows; the survey's pixels took 56 us each.
    assert attributes[0]["dwell_time"]["EDX-1"] * 320 == pytest.approx(2.9071472, rel=1e-3)
    assert by_name["DF-S"].shape == (16, 20)
    survey = by_name["DF-S-2"]
    assert (survey.shape, survey.role) == ((128, 128), "survey")
    assert survey.to_field == [[1.0, 0.0, -39.0], [0.0, 1.0, -29.0]]  # the map begins at pixel (39, 29) of the survey
    assert "DF-S-2" not in attributes[0]["dwell_time"]
    assert all("solid_angle" not in by_name[f"EDX-{i}"].metadata for i in range(1, 7))
    assert source.metadata["solid_angle"] == {"EDX": 4.35}
    assert source.metadata["elements"] == ["O", "Fe", "Co"]
    assert any("solid angle" in note for note in source.notes)


def test_rows_of_the_spectrum_images_are_rows_of_the_map(shared_data):
    path = shared_data / "velox/example_velox_EELS_EDS.emd"
    _, data, _ = read_all(path)
    with h5py.File(path) as file:
        whole = next(
            g for g in file["Data/EelsSpectrumImage"].values() if b"-21.5" in bytes(g["AcquisitionMetadata"][:, 0])
        )
        np.testing.assert_array_equal(data["EELS-1"][0][3, 7], whole["Data"][7, :, 3])


def test_names_of_groups_do_not_matter(shared_data, tmp_path):
    path = tmp_path / "a.emd"
    path.write_bytes((shared_data / "velox/example_velox_EELS_EDS.emd").read_bytes())
    with h5py.File(path, "r+") as file:
        images = file["Data/Image"]
        survey = next(key for key, group in images.items() if group["Data"].shape == (128, 128, 1))
        images.move(survey, "0" * 32)
        for i, key in enumerate(list(file["Data/SpectrumStream"])):
            file["Data/SpectrumStream"].move(key, f"{9 - i}" * 32)
    source, data, _ = read_all(path)
    assert [s.shape for s in source.signals if s.kind == "events"] == [(16, 20, 4096)] * 6
    assert total(data, "EDX-3") == 2330
    assert [s.shape for s in source.signals if s.role == "survey"] == [(128, 128)]


def test_point_analysis(shared_data):
    source, data, attributes = read_all(shared_data / "velox/EDS-STO.emd")
    assert {s.name: (s.shape, s.group) for s in source.signals} == {
        f"EDX-{i}": ((1, 1, 4096), "EDX") for i in (1, 2, 3, 4)
    }
    assert [total(data, f"EDX-{i}") for i in (1, 2, 3, 4)] == [34_344, 8_501, 70_797, 77_188]
    assert attributes[0]["live_time"]["EDX-1"] == pytest.approx(25.7172954595)
    assert attributes[0]["real_time"]["EDX-4"] == pytest.approx(26.2523776)
    assert "scanned_pixels" not in attributes[0]
    assert source.metadata["elements"] == ["O", "Ti", "Cu", "Sr"]
    with h5py.File(shared_data / "velox/EDS-STO.emd") as file:
        sums = {int(g["Data"][:].sum()): g["Data"][:, 0] for g in file["Data/Spectrum"].values()}
    np.testing.assert_array_equal(data["EDX-3"][0].spectrum(), sums[70_797])


def test_stack_without_spectra(shared_data):
    path = shared_data / "velox/fei_example_tem_stack.emd"
    source, data, attributes = read_all(path)
    assert [(s.kind, s.shape, s.dtype) for s in source.signals] == [("image", (3, 3), "int16")]
    with h5py.File(path) as file:
        stack = next(iter(file["Data/Image"].values()))["Data"][:]
    np.testing.assert_array_equal(np.stack(next(iter(data.values())), axis=-1), stack)
    assert attributes[0]["exposure"] == {"Ceta": 0.8}


@pytest.mark.parametrize("name", ["velox_v11_SI_16x16_2frames", "fei_SI_EDS-HAADF-4detectors_2frames"])
def test_solid_angle_of_a_segment_or_of_all(shared_data, name):
    source = open_source([shared_data / f"velox/{name}.emd"])
    stated = {signal.metadata.get("solid_angle") for signal in source.signals if signal.kind == "events"}
    # 0.7 sr seen from 18 degrees above the plane is the whole Super-X; 0.225 sr is a quarter of 0.9 sr.
    assert stated == ({None} if "v11" in name else {0.225})


# Kinds


def test_scan_decides_not_the_images(tmp_path):
    cube = random_counts(np.random.default_rng(1), 2, 3, 4, 64)
    settings = scan(8, 8, 0.25, 0.5, 0.625, 1.0)
    images = {"BF": np.ones((2, 5, 5), np.uint16), "HAADF": np.arange(24, dtype=np.uint16).reshape(2, 3, 4)}
    metas = [velox_meta("HAADF", Scan=settings)] * 2
    velox_file(tmp_path / "a.emd", {"SuperX": velox_words(cube)}, images, metas=metas, scan=settings)
    add(
        tmp_path / "a.emd",
        "Data/Image/survey",
        np.zeros((8, 8, 1), "u2"),
        velox_meta("DF", Scan=scan(8, 8, DwellTime="1e-5")),
    )
    source, data, attributes = read_all(tmp_path / "a.emd")
    by_name = {signal.name: signal for signal in source.signals}
    np.testing.assert_array_equal([events.dense() for events in data["EDX"]], cube)
    assert by_name["DF"].role == "survey"
    assert by_name["DF"].to_field == [[1.0, 0.0, -2.0], [0.0, 1.0, -4.0]]
    assert "DF" not in attributes[0]["dwell_time"]


def test_coarse_survey_of_another_magnification(tmp_path):
    cube = random_counts(np.random.default_rng(2), 1, 4, 4, 64)
    velox_file(tmp_path / "a.emd", {"SuperX": velox_words(cube)}, scan=scan(4, 4))
    meta = velox_meta("DF", Scan=scan(4, 4, DwellTime="1e-5"))
    meta["BinaryResult"]["PixelSize"] = {"width": "4e-9", "height": "6e-9"}  # twice the map's
    add(tmp_path / "a.emd", "Data/Image/survey", np.zeros((4, 4, 1), "u2"), meta)
    source, _, _ = read_all(tmp_path / "a.emd")
    survey = next(signal for signal in source.signals if signal.role == "survey")
    matrix = np.array(survey.to_field)
    np.testing.assert_allclose(matrix[:, :2], 2 * np.eye(2))
    np.testing.assert_allclose(matrix @ [1.5, 1.5, 1.0], [1.5, 1.5])  # both centres are one place


@pytest.mark.parametrize("change", [{"ScanRotation": "0.9"}, {"ScanSize": {"width": "0", "height": "0"}}])
def test_survey_whose_place_is_not_told(tmp_path, change):
    cube = random_counts(np.random.default_rng(3), 1, 2, 2, 64)
    velox_file(tmp_path / "a.emd", {"SuperX": velox_words(cube)}, scan=scan(2, 2))
    meta = velox_meta("DF", Scan={**scan(6, 6, DwellTime="1e-5"), **change})
    add(tmp_path / "a.emd", "Data/Image/survey", np.zeros((6, 6, 1), "u2"), meta)
    source, _, _ = read_all(tmp_path / "a.emd")
    survey = next(signal for signal in source.signals if signal.role == "survey")
    assert survey.to_field is None
    assert any("DF" in note and "not known" in note for note in source.notes)


def test_images_of_two_sizes_and_no_scan(tmp_path):
    images = {"BF": np.ones((1, 2, 3), np.uint16), "HAADF": np.ones((1, 3, 2), np.uint16)}
    velox_file(tmp_path / "a.emd", {"SuperX": [1, 65535] * 6}, images)
    with pytest.raises(lbj.DamagedError, match="several sizes"):
        open_source([tmp_path / "a.emd"])


def test_line_scan(tmp_path):
    cube = random_counts(np.random.default_rng(4), 2, 1, 5, 64)
    velox_file(tmp_path / "a.emd", {"SuperX": velox_words(cube)}, scan=scan(10, 10, 0.5, 0.0, 0.5, 0.5))
    source, data, _ = read_all(tmp_path / "a.emd")
    assert source.signals[0].shape == (1, 5, 64)
    np.testing.assert_array_equal([events.dense() for events in data["EDX"]], cube)


def test_point_with_a_survey(tmp_path):
    velox_file(tmp_path / "a.emd", {"SuperX": [3, 3, 9]}, scan={"ScanSize": {"width": "0", "height": "0"}})
    add(tmp_path / "a.emd", "Data/Image/survey", np.zeros((6, 6, 1), "u2"), velox_meta("DF", Scan=scan(6, 6)))
    source, data, _ = read_all(tmp_path / "a.emd")
    assert {s.name: (s.shape, s.role) for s in source.signals} == {"EDX": ((1, 1, 64), None), "DF": ((6, 6), "survey")}
    assert data["EDX"][0].spectrum()[[3, 9]].tolist() == [2, 1]


def test_detector_that_saw_nothing(tmp_path):
    cube = random_counts(np.random.default_rng(5), 1, 2, 3, 64)
    streams = {"SuperXG21": velox_words(cube), "SuperXG22": np.zeros(0, np.uint16)}
    velox_file(tmp_path / "a.emd", streams, scan=scan(2, 3))
    _, data, attributes = read_all(tmp_path / "a.emd")
    assert [total(data, f"EDX-{i}") for i in (1, 2)] == [cube.sum(), 0]
    assert attributes[0]["scanned_pixels"] == {"EDX-1": 6, "EDX-2": 0}


def test_eels_alone_with_two_ranges_and_frames(tmp_path):
    with h5py.File(tmp_path / "a.emd", "w") as file:
        file["Version"] = text({"version": "13"})
    rng = np.random.default_rng(6)
    cubes = {"b": rng.integers(0, 9, (2, 3, 5, 16)), "a": rng.integers(0, 9, (2, 3, 5, 16))}  # frames, Y, X, C
    for (key, cube), offset in zip(cubes.items(), (-20.0, 400.0), strict=True):
        rows = [
            {
                "Data": {
                    "offset": offset + (row // 3),
                    "dispersion": 0.5,
                    "exposureTime": 0.1,
                    "detectorFramesAveraged": 3,
                }
            }
            for row in range(6)
        ]
        add(
            tmp_path / "a.emd",
            f"Data/EelsSpectrumImage/{key}",
            np.moveaxis(cube.reshape(6, 5, 16), 0, 2).astype(np.uint16),
            velox_meta("Zebra"),
            Info=text({"width": "5", "height": "3", "bincount": "16"}),
            AcquisitionMetadata=velox_columns(rows),
        )
    source, data, attributes = read_all(tmp_path / "a.emd")
    assert {s.name: s.axes[-1]["offset"] for s in source.signals} == {"EELS-LL": -20.0, "EELS-HL": 400.0}
    np.testing.assert_array_equal(data["EELS-LL"], cubes["b"])
    np.testing.assert_array_equal(data["EELS-HL"], cubes["a"])
    assert [item["exposure"]["EELS-LL"] for item in attributes] == pytest.approx([0.3, 0.3])
    assert "energy_shift" not in attributes[0]
    assert attributes[1]["energy_shift"] == {"EELS-LL": 1.0, "EELS-HL": 1.0}


def test_pruned_map_keeps_its_images_and_the_sum(tmp_path):
    velox_file(tmp_path / "a.emd", {}, {"HAADF": np.ones((1, 4, 6), np.uint16)})
    counts = np.arange(64, dtype=np.uint32)
    for name, part in (("SuperXG21", counts), ("SuperXG22", counts), ("SuperXG2", 2 * counts)):
        add(tmp_path / "a.emd", f"Data/Spectrum/{name}", part[:, None], velox_meta(name))
    add(tmp_path / "a.emd", "Data/SpectrumImage/x", np.zeros((9, 1), "u1"), velox_meta("SuperXG2"))
    source, _, _ = read_all(tmp_path / "a.emd")
    assert {s.name: (s.kind, s.role) for s in source.signals} == {
        "HAADF": ("image", None),
        "EDX-1": ("spectra", "survey"),
        "EDX-2": ("spectra", "survey"),
    }
    assert source.signals[1].to_field == [[4.0, 0.0, 1.5], [0.0, 6.0, 2.5]]
    assert any("pruned" in note for note in source.notes)
    convert([str(tmp_path / "a.emd")], tmp_path / "a.lbj", quiet=True)
    with lbj.open(tmp_path / "a.lbj") as journal:
        np.testing.assert_array_equal(journal.static("EDX-1")[0, 0], counts)


def test_nothing_left(tmp_path):
    velox_file(tmp_path / "a.emd", {})
    add(tmp_path / "a.emd", "Data/SpectrumImage/x", np.zeros((9, 1), "u1"), velox_meta("SuperXG2"))
    with pytest.raises(lbj.UsageError, match=r"1 SpectrumImage.*pruned"):
        open_source([tmp_path / "a.emd"])


def test_elements_of_any_settings(tmp_path):
    velox_file(tmp_path / "a.emd", {"SuperX": [1, 65535]}, scan=scan(1, 1))
    with h5py.File(tmp_path / "a.emd", "a") as file:
        group = file.create_group("SharedProperties/EDSSpectrumQuantificationSettings")
        group["0"] = text({"absorptionCorrection": "false"})
        group["1"] = text({"elementSelection": [22, "8"]})
    assert open_source([tmp_path / "a.emd"]).metadata["elements"] == ["Ti", "O"]


def test_what_is_not_read_is_named(tmp_path):
    velox_file(tmp_path / "a.emd", {"SuperX": [1, 65535]}, scan=scan(1, 1))
    add(tmp_path / "a.emd", "Data/SurfaceSpectrum/x", np.zeros((9, 1)), velox_meta("A"))
    assert any("SurfaceSpectrum" in note for note in open_source([tmp_path / "a.emd"]).notes)


def test_one_large_chunk_is_decompressed_once(tmp_path, monkeypatch):
    words = 1 << 21
    velox_file(tmp_path / "a.emd", {"SuperX": [1, 65535]}, scan=scan(1024, 2048))
    with h5py.File(tmp_path / "a.emd", "a") as file:
        group = next(iter(file["Data/SpectrumStream"].values()))
        del group["Data"]
        data = group.create_dataset("Data", (words, 1), "u2", chunks=(words, 1), compression="gzip")
        data.id.write_direct_chunk((0, 0), zlib.compress(np.full(words, 65535, "<u2").tobytes()))
    read = []
    real = h5py.Dataset.__getitem__
    monkeypatch.setattr(h5py.Dataset, "__getitem__", lambda self, at: read.append(self.name) or real(self, at))
    open_source([tmp_path / "a.emd"])
    assert sum(name.endswith("/Data") and "SpectrumStream" in name for name in read) == 1


def test_chunk_too_large_to_be_read(tmp_path):
    velox_file(tmp_path / "a.emd", {"SuperX": [1, 65535]}, scan=scan(1, 1))
    with h5py.File(tmp_path / "a.emd", "a") as file:
        group = next(iter(file["Data/SpectrumStream"].values()))
        del group["Data"]
        group.create_dataset("Data", (8, 1), "u2", chunks=(1 << 29, 1), maxshape=(None, 1))
    with pytest.raises(lbj.DamagedError, match="chunks of"):
        open_source([tmp_path / "a.emd"])


def test_rotation_time_and_line_of_a_frame(tmp_path):
    cube = random_counts(np.random.default_rng(7), 1, 2, 2, 64)
    velox_file(tmp_path / "a.emd", {"SuperX": velox_words(cube)}, scan=scan(2, 2, LineTime="0.03"))
    _, _, attributes = read_all(tmp_path / "a.emd")
    assert attributes[0]["scan"] == {"line_time": 0.03}
    assert math.isclose(attributes[0]["rotation"], 0.5)
