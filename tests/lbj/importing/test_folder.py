"""Folders: which number counts, what is missing, and what belongs to a file's own frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from test_importing import FRAMES, read_all, write_hspy, write_tif
from vendor_files import random_counts

import lbj
from lbj.archive.convert import convert
from lbj.importing import open_source
from lbj.importing.naming import detector_name
from lbj.importing.numbering import gaps, grouped


@pytest.mark.parametrize(
    ("names", "order"),
    [
        (["tilt_10", "tilt_-10", "tilt_0", "tilt_-5"], ["tilt_-10", "tilt_-5", "tilt_0", "tilt_10"]),
        (["t+5", "t-5", "t0", "t-10"], ["t-10", "t-5", "t0", "t+5"]),
        (["a-2", "a-1", "a-10"], ["a-1", "a-2", "a-10"]),
        (["s_0010", "s_0000", "s_0005"], ["s_0000", "s_0005", "s_0010"]),
        (["d_0.5", "d_1.5", "d_1.0", "d_0.0"], ["d_0.0", "d_0.5", "d_1.0", "d_1.5"]),
        (["r_1.10", "r_1.2", "r_1.1"], ["r_1.1", "r_1.2", "r_1.10"]),
        (["2024-01-05_3", "2024-01-05_1"], ["2024-01-05_1", "2024-01-05_3"]),
        (["tilt_-10_0003", "tilt_10_0001", "tilt_0_0002"], ["tilt_10_0001", "tilt_0_0002", "tilt_-10_0003"]),
    ],
)
def test_order_of_numbers(names, order):
    groups = grouped([Path(f"{name}.bcf") for name in names])
    assert [[path.stem for path in files.values()] for files in groups.values()] == [order]


def test_two_detectors_are_two_patterns():
    groups = grouped([Path(f"{name}_{i}.tif") for name in ("BF1", "BF2") for i in (3, 4, 5)])
    assert [list(files) for files in groups.values()] == [[3, 4, 5], [3, 4, 5]]


@pytest.mark.parametrize(
    ("numbers", "says"),
    [
        ([1, 2, 3, 4], None),
        ([0, 5, 10, 15], None),
        ([-10, -5, 0, 5], None),
        ([7], None),
        ([1, 2, 5, 6, 7], "2 and 5"),
        ([0, 5, 10, 20, 25], "10 and 20; they usually rise by 5"),
        ([1, 10, 50, 400], None),
    ],
)
def test_gaps(numbers, says):
    notes = gaps("s_#", numbers)
    assert len(notes) == (says is not None)
    assert says is None or says in notes[0]


def test_missing_numbers_are_told(tmp_path):
    for i in (1, 2, 3, 6):
        np.savez(tmp_path / f"s_{i}.npz", EDX=np.full((2, 2, 3), i))
    assert any("between the numbers 3 and 6" in note for note in open_source([tmp_path]).notes)


@pytest.mark.parametrize(
    ("texts", "name"),
    [
        (["Se_implanted"], "image"),
        (["SE_implanted"], "SE"),
        (["Se_implanted_BSE"], "BSE"),
        (["", "sample_haadf_3"], "HAADF"),
        (["DF4", "HAADF"], "DF4"),
        (["base"], "image"),
    ],
)
def test_selenium_is_no_detector(texts, name):
    assert detector_name(*texts) == name


def test_live_time_of_each_file_is_its_frames(tmp_path):
    for i, live in enumerate((2.0, 3.0)):
        cube = random_counts(np.random.default_rng(i), 1, 2, 2, 64)[0]
        write_hspy(
            tmp_path / f"s_{i}.hspy",
            cube,
            FRAMES[1:],
            "EDS_TEM",
            {
                "Acquisition_instrument": {
                    "TEM": {"Detector": {"EDS": {"live_time": live}}, "Stage": {"tilt_alpha": 10.0 * i}}
                }
            },
        )
    source, _, attributes = read_all(tmp_path)
    assert [item["live_time"] for item in attributes] == [{"EDX": 2.0}, {"EDX": 3.0}]
    assert "live_time" not in source.metadata
    assert "stage_tilt" not in attributes[0].get("metadata", {})
    assert attributes[1]["metadata"]["stage_tilt"] == [pytest.approx(np.deg2rad(10))]


def test_sums_of_times_of_files_of_several_frames(tmp_path):
    for i, live in enumerate((9.0, 7.0)):
        cube = random_counts(np.random.default_rng(i), 3, 2, 2, 64)
        times = {"Acquisition_instrument": {"TEM": {"Detector": {"EDS": {"live_time": live}}}}}
        write_hspy(tmp_path / f"s_{i}.hspy", cube, FRAMES, "EDS_TEM", times)
    source, _, attributes = read_all(tmp_path)
    assert "live_time" not in source.metadata
    assert [item["metadata"]["live_time"]["EDX"] for item in attributes] == [9.0] * 3 + [7.0] * 3
    assert all("live_time" not in item for item in attributes)
    convert([str(tmp_path)], tmp_path / "a.lbj", quiet=True)
    with lbj.open(tmp_path / "a.lbj") as journal:
        assert journal[5].attributes["metadata"]["live_time"] == {"EDX": 7.0}


def test_image_beside_a_file_of_many_frames_is_a_survey(shared_data):
    folder = shared_data / "jeol"
    files = [folder / "DigiLine_View000_0000003.pts", folder / "DigiLine_View000_0000000.img"]
    source, data, _ = read_all(*files)
    assert {s.name: (s.shape, s.role) for s in source.signals} == {
        "EDX": ((1, 256, 4096), None),
        "image": ((512, 512), "survey"),
    }
    assert source.static["image"].sum() == 33_558_847
    assert len(data["EDX"]) == 50
    assert any("survey" in note for note in source.notes)


def test_image_that_lacks_its_frame_is_still_missed(tmp_path):
    for i in (1, 2, 3):
        np.savez(tmp_path / f"f_{i}_EDX.npz", EDX=np.full((2, 2, 3), i))
    write_tif(tmp_path / "f_2_HAADF.tif", np.zeros((2, 2), np.uint16))
    with pytest.raises(lbj.UsageError, match="unpaired"):
        read_all(tmp_path)


def test_three_files_of_other_names_beside_negative_numbers(tmp_path):
    for name, value in (("x_-1", 1), ("x_-2", 2), ("y", 3)):
        np.savez(tmp_path / f"{name}.npz", EDX=np.full((1, 1, 2), value))
    _, data, _ = read_all(*(tmp_path / f"{name}.npz" for name in ("x_-1", "x_-2", "y")))
    assert sorted(int(events.count[0]) for events in data["EDX"]) == [1, 2, 3]
