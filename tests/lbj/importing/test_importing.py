"""Vendor import. Truth is rosettasciio, the vendor's own sums, or the generator of a synthetic file."""

from __future__ import annotations

import builtins
import contextlib
import json
import math
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from vendor_files import PEAK, pts_file, pts_words, random_counts, velox_file, velox_meta, velox_words

import lbj
from lbj.archive.convert import convert
from lbj.importing import jeol_stream, open_source, velox_stream
from lbj.importing.units import linear_axis


def read_all(*paths):
    """The series as {signal: [data of each frame]} and the frames' attributes."""
    source = open_source(list(paths))
    data, attributes = {}, []
    for frame, given in source.frames:
        for name, value in frame.items():
            data.setdefault(name, []).append(value)
        attributes.append(given)
    assert source.n_frames in (None, len(attributes))
    return source, data, attributes


def rsciio(module, path, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return __import__(f"rsciio.{module}", fromlist=["file_reader"]).file_reader(str(path), **kwargs)


def total(data, name):
    return sum(events.total for events in data[name])


# Velox


@pytest.mark.parametrize(
    ("name", "totals"),
    [
        ("fei_SI_SuperX-HAADF_10frames_10x50.emd", [764005]),
        ("fei_SI_EDS-HAADF-4detectors_2frames.emd", [916174, 867647, 865236, 913682]),
        ("fei_emd_si.emd", [6564]),
        ("velox_v11_SI_16x16_2frames.emd", [13945, 10177, 11538, 6437]),
    ],
)
def test_velox_voxel_for_voxel(shared_data, name, totals):
    path = shared_data / "velox" / name
    source, data, _ = read_all(path)
    items = rsciio("emd", path, sum_frames=False, load_SI_image_stack=True, sum_EDS_detectors=False, SI_dtype=np.uint32)
    cubes = {item["original_metadata"]["BinaryResult"]["Detector"]: item for item in items if item["data"].ndim == 4}
    haadf = next(
        i for i in items if i["data"].ndim == 3 and i["original_metadata"]["BinaryResult"]["Detector"] == "HAADF"
    )
    counted = [signal for signal in source.signals if signal.kind == "events"]
    assert len(counted) == len(cubes) == len(totals)
    assert [signal.group for signal in counted] == (["EDX"] * 4 if len(totals) == 4 else [None])
    for signal, expected in zip(counted, totals, strict=True):
        item = cubes[signal.metadata["detector"]]
        assert total(data, signal.name) == expected == item["data"].sum(dtype=np.int64)
        for events, cube in zip(data[signal.name], item["data"], strict=True):
            np.testing.assert_array_equal(events.dense(), cube)
        for axis, theirs in zip(signal.axes, item["axes"][1:], strict=True):
            ours = linear_axis("", 1, theirs["offset"], theirs["scale"], theirs["units"])
            assert axis["units"] == ours["units"]
            assert axis["offset"] == pytest.approx(ours["offset"], rel=1e-9, abs=1e-20)
            assert axis["scale"] == pytest.approx(ours["scale"], rel=1e-9)
    assert [signal.name for signal in source.signals if signal.kind == "image"] == ["HAADF"]
    np.testing.assert_array_equal(np.stack(data["HAADF"]), haadf["data"])


def test_velox_times(shared_data):
    path = shared_data / "velox" / "fei_SI_EDS-HAADF-4detectors_2frames.emd"
    with h5py.File(path) as file:
        spectra = [json.loads(bytes(g["Metadata"][:, 0]).rstrip(b"\0")) for g in file["Data/Spectrum"].values()]
    final = {m["BinaryResult"]["Detector"]: m["Detectors"] for m in spectra}
    source, _, attributes = read_all(path)
    for signal in source.signals[:4]:
        detector = signal.metadata["detector"]
        stated = next(d for d in final[detector].values() if d["DetectorName"] == detector)
        assert sum(a["live_time"][signal.name] for a in attributes) == pytest.approx(
            float(stated["LiveTime"]), rel=5e-4
        )
        assert sum(a["real_time"][signal.name] for a in attributes) == pytest.approx(
            float(stated["RealTime"]), rel=1e-5
        )
        assert signal.metadata["solid_angle"] == 0.225
        assert signal.metadata["elevation"] == pytest.approx(math.radians(22), rel=1e-4)
    assert attributes[0]["dwell_time"]["EDX-1"] == 0.064
    assert [a["screen_current"] for a in attributes] == pytest.approx([0.73678e-9, 0.72036e-9], rel=1e-4)
    assert "beam_current" not in attributes[0]
    assert attributes[0]["start_time"] == "2018-03-15T22:12:15Z"
    assert source.metadata["beam_energy"] == 200e3


def test_velox_live_time_of_counters_that_restart(shared_data):
    _, _, attributes = read_all(shared_data / "velox" / "fei_emd_si.emd")
    for item in attributes:
        assert 0.85 < item["live_time"]["EDX"] / item["real_time"]["EDX"] < 0.92
    assert attributes[0]["real_time"]["EDX"] == pytest.approx(256 * 50e-6)


def test_velox_partial_frame_and_notes(shared_data):
    source, _, attributes = read_all(shared_data / "velox" / "fei_emd_si.emd")
    assert attributes[-1]["scanned_pixels"] == {"EDX": 1273 - 4 * 256}
    assert all("scanned_pixels" not in item for item in attributes[:-1])
    assert any("5 counts" in note for note in source.notes)
    assert any(
        "72 counts" in n for n in open_source([shared_data / "velox/fei_SI_SuperX-HAADF_10frames_10x50.emd"]).notes
    )


def test_velox_elements(shared_data):
    assert open_source([shared_data / "velox/velox_v11_SI_16x16_2frames.emd"]).metadata["elements"] == [
        "C",
        "O",
        "Ca",
        "Cu",
    ]


def test_velox_brings_no_person_along(shared_data):
    for path in sorted((shared_data / "velox").glob("*.emd")):
        source, _, attributes = read_all(path)
        text = json.dumps([source.metadata, attributes, source.notes, [s.to_json() for s in source.signals]])
        assert not any(word in text for word in ("Thorsten", "UserId", "TITAN5", "TALOS-"))


@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
@pytest.mark.parametrize(
    ("frames", "ny", "nx", "channels"), [(1, 1, 1, 1), (1, 3, 4, 64), (3, 2, 5, 4096), (2, 1, 1, 8)]
)
def test_velox_synthetic(tmp_path, monkeypatch, chunk, frames, ny, nx, channels):
    monkeypatch.setattr(velox_stream, "CHUNK", chunk)
    rng = np.random.default_rng(chunk + frames)
    cubes = {f"SuperXG2{i}": random_counts(rng, frames, ny, nx, channels) for i in (1, 2)}
    images = rng.integers(0, 65536, (frames, ny, nx)).astype(np.uint16)
    streams = {name: velox_words(cube, tail=[0] * 3) for name, cube in cubes.items()}
    velox_file(tmp_path / "a.emd", streams, {"HAADF": images, "BF": images[:, ::-1]}, channels=channels)
    source, data, _ = read_all(tmp_path / "a.emd")
    assert [s.name for s in source.signals] == ["EDX-1", "EDX-2", "HAADF", "BF"]
    for name, cube in zip(("EDX-1", "EDX-2"), cubes.values(), strict=True):
        np.testing.assert_array_equal([events.dense() for events in data[name]], cube)
    np.testing.assert_array_equal(data["HAADF"], images)
    np.testing.assert_array_equal(data["BF"], images[:, ::-1])
    assert sum("6 counts of 2 detectors behind the last pixel marker" in note for note in source.notes) == 1


def test_velox_markers_only(tmp_path):
    velox_file(tmp_path / "a.emd", {"SuperX": np.full(24, 65535)}, {"HAADF": np.zeros((2, 3, 4), np.uint16)})
    _, data, attributes = read_all(tmp_path / "a.emd")
    assert [len(events) for events in data["EDX"]] == [0, 0]
    assert all("scanned_pixels" not in item for item in attributes)


def test_velox_without_images_takes_the_scan_area(tmp_path):
    cube = random_counts(np.random.default_rng(1), 2, 3, 4, 64)
    area = {"top": "0.25", "bottom": "0.625", "left": "0.5", "right": "1.0"}
    scan = {"ScanArea": area, "ScanSize": {"width": "8", "height": "8"}}
    velox_file(tmp_path / "a.emd", {"SuperX": velox_words(cube, pixels=20)}, scan=scan)
    source, data, attributes = read_all(tmp_path / "a.emd")
    assert source.signals[0].shape == (3, 4, 64)
    cube.reshape(24, 64)[20:] = 0
    np.testing.assert_array_equal([events.dense() for events in data["EDX"]], cube)
    assert attributes[1]["scanned_pixels"] == {"EDX": 8}
    assert attributes[1]["real_time"]["EDX"] == pytest.approx(0.08)


def test_velox_counts_of_an_unfinished_pixel_stay(tmp_path):
    cube = random_counts(np.random.default_rng(2), 1, 2, 3, 64)
    velox_file(
        tmp_path / "a.emd", {"SuperX": velox_words(cube, pixels=4, tail=[9, 9])}, {"HAADF": np.zeros((1, 2, 3), "u2")}
    )
    source, data, attributes = read_all(tmp_path / "a.emd")
    cube.reshape(6, 64)[4:] = 0
    cube.reshape(6, 64)[4, 9] = 2
    np.testing.assert_array_equal(data["EDX"][0].dense(), cube[0])
    assert attributes[0]["scanned_pixels"] == {"EDX": 4}
    assert any("not finished" in note for note in source.notes)


def test_velox_images_of_other_lengths(tmp_path):
    cube = random_counts(np.random.default_rng(3), 3, 2, 2, 64)
    images = {
        "HAADF": np.arange(12, dtype=np.uint16).reshape(3, 2, 2),
        "BF": np.ones((1, 5, 5), np.float32),
        "SuperXG21": np.ones((3, 2, 2), np.float32),
        "DF": np.ones((2, 2, 2), np.uint16),
    }
    velox_file(tmp_path / "a.emd", {"SuperX": velox_words(cube)}, images)
    source, data, _ = read_all(tmp_path / "a.emd")
    assert {s.name: s.role for s in source.signals} == {"EDX": None, "HAADF": None, "BF": "survey"}
    np.testing.assert_array_equal(source.static["BF"], images["BF"][0])
    assert list(data) == ["EDX", "HAADF"]
    assert any("SuperXG21" in note for note in source.notes)
    assert any("DF" in note for note in source.notes)


def test_velox_stream_longer_than_its_images(tmp_path):
    cube = random_counts(np.random.default_rng(4), 3, 2, 2, 64)
    velox_file(tmp_path / "a.emd", {"SuperX": velox_words(cube)}, {"HAADF": np.zeros((2, 2, 2), np.uint16)})
    source, data, _ = read_all(tmp_path / "a.emd")
    np.testing.assert_array_equal([events.dense() for events in data["EDX"]], cube[:2])
    assert any("3 frames, the images 2" in note for note in source.notes)


def test_velox_counters_that_run_on(tmp_path):
    cube = random_counts(np.random.default_rng(5), 3, 2, 5, 64)
    readings = [(0.08, 0.09), (0.16, 0.19), (0.25, 0.285)]
    metas = [velox_meta("HAADF", live=live, real=real) for live, real in readings]
    velox_file(tmp_path / "a.emd", {"SuperXG21": velox_words(cube)}, {"HAADF": np.zeros((3, 2, 5), "u2")}, metas=metas)
    _, _, attributes = read_all(tmp_path / "a.emd")
    expected = [0.08 / 0.09 * 0.1, 0.08 / 0.1 * 0.1, 0.09 / 0.095 * 0.1]
    assert [item["live_time"]["EDX"] for item in attributes] == pytest.approx(expected)
    assert [item["real_time"]["EDX"] for item in attributes] == pytest.approx([0.1] * 3)


def broken_velox(path, change):
    velox_file(path, {"SuperX": [1, 2, 65535] * 6}, {"HAADF": np.zeros((1, 2, 3), np.uint16)})
    with h5py.File(path, "r+") as file:
        change(file)


def _replace(name, make):
    def change(file):
        group = file[f"Data/SpectrumStream/{0:032x}"]
        del group[name]
        make(group)

    return change


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        (lambda file: [file["Data"].__delitem__(key) for key in list(file["Data"])], lbj.UsageError, "holds nothing"),
        (_replace("Data", lambda g: g.create_dataset("Data", data=np.ones((9, 1), "f4"))), lbj.DamagedError, "uint16"),
        (
            _replace("Data", lambda g: g.create_dataset("Data", data=np.full((9, 1), 64, "u2"))),
            lbj.DamagedError,
            "channel 64",
        ),
        (_replace("Data", lambda g: None), lbj.DamagedError, "no member 'Data'"),
        (
            _replace("Data", lambda g: g.create_dataset("Data", (1 << 44, 1), "u2", chunks=(8192, 1))),
            lbj.DamagedError,
            "declares",
        ),
        (
            _replace("AcquisitionSettings", lambda g: g.create_dataset("AcquisitionSettings", data=[b"{oops"])),
            lbj.DamagedError,
            "bincount",
        ),
    ],
)
def test_velox_bad(tmp_path, change, error, says):
    broken_velox(tmp_path / "a.emd", change)
    with pytest.raises(error, match=says):
        open_source([tmp_path / "a.emd"])


def test_velox_truncated_at_many_places(shared_data, tmp_path):
    raw = (shared_data / "velox" / "fei_emd_si.emd").read_bytes()
    for size in (4, 100, 2048, len(raw) // 2, len(raw) - 1):
        (tmp_path / "a.emd").write_bytes(raw[:size])
        with pytest.raises((lbj.DamagedError, lbj.UsageError), match=r"a\.emd"):
            read_all(tmp_path / "a.emd")


def test_velox_metadata_that_cannot_be_read_is_absent(tmp_path):
    def change(file):
        for where in (f"Data/Image/{0:032x}/Metadata", f"Data/SpectrumStream/{0:032x}/Metadata"):
            file[where][...] = 255

    broken_velox(tmp_path / "a.emd", change)
    source, data, attributes = read_all(tmp_path / "a.emd")
    assert total(data, "EDX") == 12
    assert attributes == [{}]
    assert "scale" not in source.signals[0].axes[-1]


# JEOL


def test_jeol_sweep_by_sweep(shared_data):
    path = shared_data / "jeol" / "64.pts"
    source, data, attributes = read_all(path)
    some = [0, 1, 24, 49]
    cube, image = rsciio("jeol", path, sum_frames=False, frame_list=some, SI_dtype=np.uint16, read_em_image=True)
    assert total(data, "EDX") == 1_436_255
    assert [s.name for s in source.signals] == ["EDX", "image"]
    vendor = rsciio("jeol", path)[0]["original_metadata"]["EDS Data"]["AnalyzableMap MeasData"]["Data"]["EDXRF"]
    ours = np.sum([events.spectrum() for events in data["EDX"]], axis=0)
    # The vendor's spectrum begins at 0 eV, channel 96, and differs in its zero peak, up to 510 eV.
    np.testing.assert_array_equal(ours[96 + 52 :], vendor[52:4000])
    for i, dense_sweep, theirs in zip(some, cube["data"], image["data"], strict=True):
        np.testing.assert_array_equal(data["EDX"][i].dense(), dense_sweep)
        np.testing.assert_array_equal(data["image"][i], theirs)
    energy = source.signals[0].axes[-1]
    assert energy["offset"] == pytest.approx(cube["axes"][-1]["offset"] * 1e3)
    assert energy["scale"] == pytest.approx(cube["axes"][-1]["scale"] * 1e3)
    assert source.signals[0].axes[0]["scale"] == pytest.approx(cube["axes"][1]["scale"] * 1e-6)
    assert source.metadata["beam_energy"] == 200e3
    assert sum(a["live_time"]["EDX"] for a in attributes) == pytest.approx(993.85, rel=5e-4)
    assert sum(a["real_time"]["EDX"] for a in attributes) == pytest.approx(1023.8, rel=5e-4)


def sweeps_of(rng, n, ny, nx, counts):
    return [(rng.integers(0, ny * nx, counts), rng.integers(0, 4096, counts)) for _ in range(n)]


def dense(sweep, ny, nx):
    out = np.zeros((ny * nx, 4096), np.uint32)
    np.add.at(out, sweep, 1)
    return out.reshape(ny, nx, 4096)


@pytest.mark.parametrize("chunk", [1, 13, 1 << 20])
@pytest.mark.parametrize("with_image", [True, False])
def test_jeol_synthetic(tmp_path, monkeypatch, chunk, with_image):
    monkeypatch.setattr(jeol_stream, "CHUNK", chunk)
    rng = np.random.default_rng(6)
    sweeps = sweeps_of(rng, 3, 4, 8, 60)
    images = [rng.integers(0, 4096, (4, 8)) for _ in sweeps] if with_image else None
    pts_file(tmp_path / "a.pts", sweeps, (4, 8), images=images, ticks=[(10, 9), (10, 8), (10, 10)])
    source, data, attributes = read_all(tmp_path / "a.pts")
    for events, sweep in zip(data["EDX"], sweeps, strict=True):
        np.testing.assert_array_equal(events.dense(), dense(sweep, 4, 8))
    assert ("image" in data) == with_image
    if with_image:
        np.testing.assert_array_equal(data["image"], images)
    spent = 32 * 2e-3
    assert [a["live_time"]["EDX"] for a in attributes] == pytest.approx([0.9 * spent, 0.8 * spent, spent])
    assert all("scanned_pixels" not in item for item in attributes)
    assert source.metadata["local_start_time"] == "2021-04-01T12:00:00"


def test_jeol_agrees_with_rosettasciio_on_a_synthetic_file(tmp_path):
    rng = np.random.default_rng(7)
    images = [rng.integers(0, 4096, (8, 8)) for _ in range(2)]
    pts_file(tmp_path / "a.pts", sweeps_of(rng, 2, 8, 8, 50), (8, 8), images=images)
    cube, image = rsciio("jeol", tmp_path / "a.pts", sum_frames=False, SI_dtype=np.uint16, read_em_image=True)
    source, data, _ = read_all(tmp_path / "a.pts")
    np.testing.assert_array_equal([events.dense() for events in data["EDX"]], cube["data"])
    np.testing.assert_array_equal(data["image"], image["data"])
    assert source.signals[0].axes[-1]["offset"] == pytest.approx(cube["axes"][-1]["offset"] * 1e3)


@pytest.mark.parametrize("cut", [1, 5, 8, 31])
def test_jeol_partial_sweep_is_kept(tmp_path, cut):
    rng = np.random.default_rng(8)
    sweeps = sweeps_of(rng, 2, 4, 8, 200)
    pts_file(tmp_path / "a.pts", sweeps, (4, 8), images=[np.ones((4, 8), int)] * 2, cut=cut)
    _, data, attributes = read_all(tmp_path / "a.pts")
    expected = dense(sweeps[1], 4, 8)
    expected.reshape(32, -1)[cut:] = 0
    np.testing.assert_array_equal(data["EDX"][1].dense(), expected)
    assert attributes[1]["scanned_pixels"] == cut
    assert attributes[1]["real_time"]["EDX"] == pytest.approx(cut * 2e-3)
    assert data["image"][1].sum() == cut


def test_jeol_without_counts(tmp_path):
    nothing = (np.zeros(0, int), np.zeros(0, int))
    pts_file(tmp_path / "a.pts", [nothing, nothing], (2, 2))
    _, data, _ = read_all(tmp_path / "a.pts")
    assert [len(events) for events in data["EDX"]] == [0, 0]


def test_jeol_live_time_of_the_whole_series_is_not_divided(tmp_path):
    pts_file(
        tmp_path / "a.pts",
        sweeps_of(np.random.default_rng(9), 2, 2, 2, 9),
        (2, 2),
        ticks=[(10, 5), (10, 5)],
        live=0.015,
    )
    source, _, attributes = read_all(tmp_path / "a.pts")
    assert source.metadata["live_time"] == {"EDX": 0.015}
    assert all("live_time" not in item for item in attributes)
    assert any("whole series" in note for note in source.notes)


def test_jeol_part_of_the_field(tmp_path):
    inside = np.array([5, 6, 9, 10, 10, 6]), np.arange(6)
    pts_file(tmp_path / "a.pts", [inside, inside], (4, 4), area=[1, 1, 2, 2])
    source, data, attributes = read_all(tmp_path / "a.pts")
    np.testing.assert_array_equal(data["EDX"][0].dense(), dense(inside, 4, 4)[1:3, 1:3])
    assert source.signals[0].axes[0]["offset"] == pytest.approx(source.signals[0].axes[0]["scale"])
    assert attributes[0]["real_time"] == {"EDX": pytest.approx(4 * 2e-3)}
    assert any("rows 1 to 2, columns 1 to 2" in note for note in source.notes)


def test_jeol_area_that_the_events_contradict(tmp_path):
    pts_file(tmp_path / "a.pts", sweeps_of(np.random.default_rng(9), 2, 4, 4, 99), (4, 4), area=[1, 1, 2, 2])
    source, data, attributes = read_all(tmp_path / "a.pts")
    assert data["EDX"][0].shape == (4, 4, 4096)
    assert total(data, "EDX") == 198
    assert all("real_time" not in item for item in attributes)
    assert any("events elsewhere" in note for note in source.notes)


def test_jeol_line_scan(shared_data):
    source, data, attributes = read_all(shared_data / "jeol/DigiLine_View000_0000003.pts")
    assert source.signals[0].shape == (1, 256, 4096)
    assert len(data["EDX"]) == 50
    assert total(data, "EDX") == 31_178
    y, x, _ = source.signals[0].axes
    assert y["offset"] == pytest.approx(144 * x["scale"])  # row 144
    assert sum(item["real_time"]["EDX"] for item in attributes) == pytest.approx(63.99, rel=1e-3)
    assert sum(item["live_time"]["EDX"] for item in attributes) == pytest.approx(63.13, rel=5e-3)
    words = np.fromfile(shared_data / "jeol/DigiLine_View000_0000003.pts", "<u2", offset=32768)
    channels = np.bincount(words[words >> 12 == 11] & 0xFFF, minlength=4096)
    np.testing.assert_array_equal(np.sum([events.spectrum() for events in data["EDX"]], axis=0), channels)


@pytest.mark.parametrize("chunk", [1, 5, 1 << 20])
def test_jeol_synthetic_line(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(jeol_stream, "CHUNK", chunk)
    seen = [[(0, 5), (3, 7), (15, 9)], [(2, 7), (2, 8), (14, 1)], [(1, 3), (6, 3)]]  # (column, channel) of each sweep
    words = [0x9000 | 5 * 512]
    for sweep in seen:
        for column, channel in sweep:
            words += [0x8000 | column * 256, 0xB000 | channel]
    pts_words(tmp_path / "a.pts", np.array(words, "<u2"), (8, 16), 3, area=[0, 5, 15, 5])
    source, data, attributes = read_all(tmp_path / "a.pts")
    assert source.signals[0].shape == (1, 16, 4096)
    for sweep, events in zip(seen, data["EDX"], strict=True):
        expected = np.zeros((1, 16, 4096), int)
        np.add.at(expected[0], tuple(np.array(sweep).T), 1)
        np.testing.assert_array_equal(events.dense(), expected)
    assert "scanned_pixels" not in attributes[1]
    assert attributes[2]["scanned_pixels"] == 7  # the last sweep came to column 6, all others to 14 at least


def test_jeol_image(shared_data):
    path = shared_data / "jeol/DigiLine_View000_0000000.img"
    item = rsciio("jeol", path)[0]
    source, data, _ = read_all(path)
    np.testing.assert_array_equal(data["image"][0], item["data"])
    assert source.signals[0].axes[0]["scale"] == pytest.approx(item["axes"][0]["scale"] * 1e-6)
    assert source.metadata["beam_energy"] == 200e3


def test_jeol_few_unknown_words_are_noted(tmp_path):
    sweeps = sweeps_of(np.random.default_rng(10), 2, 4, 8, 500)
    pts_file(tmp_path / "a.pts", sweeps, (4, 8), foreign=[0x1234, 0xF000])
    source, data, _ = read_all(tmp_path / "a.pts")
    assert total(data, "EDX") == 1000
    assert any("2 words" in note for note in source.notes)


def test_jeol_bad(tmp_path):
    path = tmp_path / "a.pts"
    rng = np.random.default_rng(11)
    pts_words(path, rng.integers(0, 65536, 10_000), (64, 64), 2)
    with pytest.raises(lbj.DamagedError, match="no known type"):
        open_source([path])
    pts_words(path, [], (64, 64), 2)
    with pytest.raises(lbj.TruncatedError, match="no event words"):
        open_source([path])
    path.write_bytes(b"nonsense" * 100)
    with pytest.raises(lbj.UsageError, match=r"no JEOL \.pts file"):
        open_source([path])
    path.write_bytes(b"\x30\x01\0\0PTTD")
    with pytest.raises(lbj.TruncatedError, match="317 bytes"):
        open_source([path])


def test_jeol_broken_anywhere_in_the_header(tmp_path):
    rng = np.random.default_rng(12)
    pts_file(tmp_path / "a.pts", sweeps_of(rng, 1, 4, 8, 50), (4, 8))
    good = (tmp_path / "a.pts").read_bytes()
    bad = [good[:size] for size in range(0, len(good), 37)]
    for at in range(4, 1000, 3):
        flipped = bytearray(good)
        flipped[at] ^= int(rng.integers(1, 256))
        bad.append(bytes(flipped))
    named = []
    for content in bad:
        (tmp_path / "b.pts").write_bytes(content)
        with contextlib.suppress(lbj.LbjError):
            named.append("")
            read_all(tmp_path / "b.pts")
            named.pop()
    assert len(named) > 50


def test_jeol_cut_file_keeps_what_is_there(shared_data, tmp_path):
    raw = (shared_data / "jeol" / "64.pts").read_bytes()
    (tmp_path / "a.pts").write_bytes(raw[: len(raw) // 2])
    source, data, attributes = read_all(tmp_path / "a.pts")
    assert any("it was cut" in note for note in source.notes)
    _, whole, _ = read_all(shared_data / "jeol" / "64.pts")
    assert data["EDX"][:-1] == whole["EDX"][: len(data["EDX"]) - 1]
    assert attributes[-1]["scanned_pixels"] < 4096


def test_jeol_event_outside_the_pixels(tmp_path):
    pts_words(tmp_path / "a.pts", [0x9000 | 4095, 0x8000, 0xB001], (3, 3), 1)
    with pytest.raises(lbj.DamagedError, match=r"a\.pts: an event at grid position \(4095, 0\)"):
        read_all(tmp_path / "a.pts")


CONVERT = """
import sys
from lbj.archive.convert import convert
print(convert([sys.argv[1]], sys.argv[2], quiet=True)[0])
"""


def test_jeol_large_and_sparse_converts_within_1_gb(tmp_path):
    """14 sweeps of 512 x 512 x 4096 voxels, 15 GB as a dense cube."""
    rng = np.random.default_rng(13)
    sweeps = sweeps_of(rng, 14, 512, 512, 22_000)
    pts_file(tmp_path / "a.pts", sweeps, (512, 512))
    command = [sys.executable, "-c", CONVERT + PEAK, str(tmp_path / "a.pts"), str(tmp_path / "a.lbj")]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[3])
    frames, kilobytes = map(int, done.stdout.split())
    assert frames == 14
    assert kilobytes < 1_000_000
    with lbj.open(tmp_path / "a.lbj") as journal:
        for frame, (pixel, channel) in zip(journal, sweeps, strict=True):
            assert frame.events("EDX") == lbj.Events.from_list(pixel, channel, (512, 512, 4096))


# Cubes


@pytest.mark.parametrize(
    ("path", "shape", "counts"),
    [
        ("bruker/L2083-K-4-1_tilt0.bcf", (256, 256, 2048), 886_553),
        ("bruker/test_TEM.bcf", (64, 64, 2048), 26_005),
        ("bruker/P45_12bit_packed_8bit_compressed.bcf", (75, 100, 2048), 915_942),
        ("eds/core_shell.hdf5", (64, 64, 992), 884_071),
        ("eds/bare_core.hdf5", (84, 84, 992), 437_439),
        ("eds/88_ES-LP_G8_selection2_cropped2.hspy", (80, 80, 1917), 716_887),
    ],
)
def test_eds_cubes(shared_data, path, shape, counts):
    source, data, _ = read_all(shared_data / path)
    items = rsciio("bruker" if path.endswith("bcf") else "hspy", shared_data / path)
    signal = next(signal for signal in source.signals if signal.name == "EDX")
    assert (signal.kind, signal.shape) == ("events", shape)
    assert total(data, "EDX") == counts
    cube = next(item for item in items if item["data"].ndim == 3)
    np.testing.assert_array_equal(data["EDX"][0].dense(), cube["data"])
    assert signal.axes[-1]["offset"] == pytest.approx(cube["axes"][-1]["offset"] * 1e3)
    assert signal.axes[-1]["scale"] == pytest.approx(cube["axes"][-1]["scale"] * 1e3)
    for item in items:
        if item["data"].ndim == 2:
            np.testing.assert_array_equal(data[item["metadata"]["General"]["title"]][0], item["data"])


def test_eds_metadata_in_journal_units(shared_data):
    source, _, attributes = read_all(shared_data / "eds/88_ES-LP_G8_selection2_cropped2.hspy")
    assert source.metadata["beam_energy"] == 200e3
    assert source.metadata["elements"][:3] == ["Al", "Ca", "Fe"]
    signal = source.signals[0]
    assert signal.metadata["elevation"] == pytest.approx(math.radians(22))
    assert signal.metadata["azimuth"] == pytest.approx(math.radians(45))
    assert signal.metadata["energy_resolution"] == 130
    assert signal.axes[0]["scale"] == pytest.approx(9.85911335721014e-9)
    assert attributes == [{"live_time": {"EDX": 28.085}, "real_time": {"EDX": pytest.approx(410.872)}}]


def test_dm3_cube_is_turned_energy_last(shared_data):
    path = shared_data / "eels/DMReader_SpectrumImage_SI-EELS.dm3"
    source, data, attributes = read_all(path)
    cube = rsciio("digitalmicrograph", path)[0]["data"]
    signal = source.signals[0]
    assert (signal.name, signal.kind, signal.shape, signal.dtype) == ("EELS", "spectra", (49, 6, 1024), "float32")
    np.testing.assert_array_equal(data["EELS"][0], np.moveaxis(cube, 0, -1))
    assert signal.axes[-1] == {"name": "energy", "size": 1024, "units": "eV", "offset": 350.0, "scale": 0.5}
    assert source.metadata["convergence_angle"] == pytest.approx(0.030)
    assert source.metadata["collection_angle"] == pytest.approx(0.033)
    assert attributes == [{"dwell_time": {"EELS": 0.2}, "exposure": {"EELS": 0.2}}]


def test_haadf_finer_than_its_spectrum_image_covers_the_same_field(shared_data):
    folder = shared_data / "eels"
    source, data, _ = read_all(folder / "SI-HAADF.dm3", folder / "DMReader_SpectrumImage_SI-EELS.dm3")
    assert [signal.name for signal in source.signals] == ["EELS", "HAADF"]
    haadf = source.signals[1]
    assert haadf.shape == (1568, 192)
    matrix = np.array(haadf.to_field)
    corners = matrix[:, :2] @ np.array([[-0.5, 1567.5], [-0.5, 191.5]]) + matrix[:, 2:]
    np.testing.assert_allclose(corners, [[-0.5, 48.5], [-0.5, 5.5]])
    np.testing.assert_array_equal(data["HAADF"][0], rsciio("digitalmicrograph", folder / "SI-HAADF.dm3")[0]["data"])


def test_line_scans_of_two_energy_ranges(shared_data):
    folder = shared_data / "eels"
    source, data, _ = read_all(folder / "LSMO_linescan.hspy", folder / "LSMO_linescan_low_loss.hspy")
    assert {s.name: s.shape for s in source.signals} == {"EELS-HL": (1, 40, 586), "EELS-LL": (1, 40, 1024)}
    np.testing.assert_array_equal(data["EELS-HL"][0][0], rsciio("hspy", folder / "LSMO_linescan.hspy")[0]["data"])
    low = next(signal for signal in source.signals if signal.name == "EELS-LL")
    assert low.axes[-1]["offset"] == -50
    assert source.metadata["beam_energy"] == 80e3


def test_image_stack(shared_data):
    path = shared_data / "images/stem_abf_data_imagestack.hspy"
    source, data, _ = read_all(path)
    assert [signal.name for signal in source.signals] == ["ABF"]
    np.testing.assert_array_equal(data["ABF"], rsciio("hspy", path)[0]["data"])
    assert source.signals[0].axes[0]["scale"] == pytest.approx(9.202398359775543e-12)


def write_hspy(path, data, axes, signal_type, metadata=None):
    from rsciio.hspy import file_writer

    full = {
        "General": {"title": "series", "authors": "A. N. Operator"},
        "Signal": {"signal_type": signal_type},
        "_HyperSpy": {},
        **(metadata or {}),
    }
    described = [
        {
            "_type": "UniformDataAxis",
            "name": name,
            "units": units,
            "offset": 0.0,
            "scale": 0.5,
            "size": size,
            "navigate": units not in ("keV", "eV"),
            "is_binned": False,
        }
        for (name, units), size in zip(axes, data.shape, strict=True)
    ]
    item = {
        "data": data,
        "axes": described,
        "metadata": full,
        "original_metadata": {},
        "attributes": {"_lazy": False, "ragged": False},
        "package_info": {"package": "hyperspy", "package_version": "2.0"},
        "learning_results": {},
        "models": {},
        "tmp_parameters": {},
    }
    file_writer(str(path), item)


FRAMES = [("frame", ""), ("y", "nm"), ("x", "nm"), ("Energy", "keV")]


def test_hspy_frames(tmp_path):
    cube = random_counts(np.random.default_rng(14), 3, 4, 5, 64)
    times = {"Acquisition_instrument": {"TEM": {"Detector": {"EDS": {"live_time": 9.0}}, "beam_current": 0.5}}}
    write_hspy(tmp_path / "a.hspy", cube, FRAMES, "EDS_TEM", times)
    source, data, attributes = read_all(tmp_path / "a.hspy")
    np.testing.assert_array_equal([events.dense() for events in data["EDX"]], cube)
    assert source.signals[0].axes[-1]["scale"] == 500
    assert source.metadata["live_time"] == {"EDX": 9.0}
    assert attributes == [{"beam_current": pytest.approx(0.5e-9)}] * 3
    assert any("whole series" in note for note in source.notes)
    assert "Operator" not in json.dumps([source.metadata, attributes])


def test_zspy_is_a_folder_and_still_one_file(tmp_path, monkeypatch):
    import rsciio.hspy
    import rsciio.zspy

    cube = random_counts(np.random.default_rng(14), 2, 4, 5, 64)
    monkeypatch.setattr(rsciio.hspy, "file_writer", rsciio.zspy.file_writer)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        write_hspy(tmp_path / "a.zspy", cube, FRAMES, "EDS_TEM")
    _, data, _ = read_all(tmp_path / "a.zspy")
    np.testing.assert_array_equal([events.dense() for events in data["EDX"]], cube)


@pytest.mark.parametrize("value", [-1.0, 0.5, np.nan, 2.0**32])
def test_eds_that_are_no_counts_become_spectra(tmp_path, value):
    cube = random_counts(np.random.default_rng(15), 1, 4, 5, 64)[0].astype(np.float64)
    write_hspy(tmp_path / "a.hspy", cube, FRAMES[1:], "EDS_TEM")
    assert open_source([tmp_path / "a.hspy"]).signals[0].kind == "events"
    cube[2, 3, 5] = value
    write_hspy(tmp_path / "b.hspy", cube, FRAMES[1:], "EDS_TEM")
    source, data, _ = read_all(tmp_path / "b.hspy")
    assert (source.signals[0].kind, source.signals[0].dtype) == ("spectra", "float64")
    assert any("stored as spectra" in note for note in source.notes)
    np.testing.assert_array_equal(data["EDX"][0], cube)


def test_rosettasciio_missing(shared_data, monkeypatch):
    for name in ("rsciio", "rsciio.bruker"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(lbj.UsageError, match=r"pip install 'mfsi\[vendor\]"):
        open_source([shared_data / "bruker/test_TEM.bcf"])


def test_velox_and_jeol_need_no_rosettasciio(shared_data, monkeypatch):
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        assert not name.startswith("rsciio")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    read_all(shared_data / "velox/fei_emd_si.emd")
    open_source([shared_data / "jeol/64.pts"])


def test_import_of_lbj_is_light():
    heavy = ("h5py", "numba", "rsciio", "tifffile")
    code = f"import sys, lbj, lbj.importing; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=Path(__file__).parents[3]
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["bruker/test_TEM.bcf", "eels/SI-HAADF.dm3", "eels/CuZn_HAADF.hspy"])
def test_damaged_cubes(shared_data, tmp_path, name):
    raw = (shared_data / name).read_bytes()
    for size in (0, 10, 300, len(raw) // 2):
        path = tmp_path / f"a{Path(name).suffix}"
        path.write_bytes(raw[:size])
        with pytest.raises((lbj.DamagedError, lbj.UsageError), match=path.name):
            read_all(path)


# Arrays by name


def test_npz_by_name(tmp_path):
    rng = np.random.default_rng(16)
    cube = random_counts(rng, 3, 4, 5, 64)
    eels, haadf = rng.normal(size=(3, 4, 5, 16)).astype(np.float32), rng.integers(0, 99, (3, 8, 10)).astype(np.uint16)
    np.savez_compressed(tmp_path / "a.npz", EDS=cube, EELS=eels, HAADF=haadf, energy=np.arange(64))
    source, data, _ = read_all(tmp_path / "a.npz")
    assert {s.name: s.kind for s in source.signals} == {"EDX": "events", "EELS": "spectra", "HAADF": "image"}
    np.testing.assert_array_equal([events.dense() for events in data["EDX"]], cube)
    np.testing.assert_array_equal(data["EELS"], eels)
    np.testing.assert_array_equal(data["HAADF"], haadf)
    assert source.signals[2].to_field == [[0.5, 0.0, -0.25], [0.0, 0.5, -0.25]]
    assert any("energy" in note for note in source.notes)


def test_npz_one_frame_and_detectors(tmp_path):
    cube = random_counts(np.random.default_rng(17), 1, 4, 5, 64)[0]
    np.savez(
        tmp_path / "a.npz", **{"EDX-1": cube, "EDX-2": cube.astype(np.int64), "BF": cube[..., 0].astype(np.float16)}
    )
    source, data, _ = read_all(tmp_path / "a.npz")
    assert [(s.name, s.group) for s in source.signals] == [("EDX-1", "EDX"), ("EDX-2", "EDX"), ("BF", None)]
    assert source.signals[2].dtype == "float32"
    np.testing.assert_array_equal(data["EDX-2"][0].dense(), cube)


def test_npz_one_pixel(tmp_path):
    np.savez(tmp_path / "a.npz", EDX=np.array([[[3]]]), HAADF=np.array([[7]]))
    _, data, _ = read_all(tmp_path / "a.npz")
    assert data["EDX"][0].total == 3
    assert data["HAADF"][0].item() == 7


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"arr_0": np.zeros((2, 3, 4), int)}, "no name that says"),
        ({"map": np.zeros((2, 3, 4, 5))}, "neither spectra nor images"),
        ({"EDX": np.zeros((2, 3, 4, 5), int), "HAADF": np.zeros((3, 3, 4))}, "has 2 frames"),
        ({"notes": np.zeros(3)}, "no array can be a signal"),
        ({"EDX": np.array([[[None]]])}, "Python objects"),
        ({"EDX": np.asfortranarray(np.zeros((2, 3, 4), int))}, "Fortran"),
    ],
)
def test_npz_refused(tmp_path, arrays, says):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(lbj.UsageError, match=says):
        open_source([tmp_path / "a.npz"])


def test_npz_negative_counts_become_spectra(tmp_path):
    np.savez(tmp_path / "a.npz", EDX=np.full((2, 2, 3), -1))
    source, _, _ = read_all(tmp_path / "a.npz")
    assert source.signals[0].kind == "spectra"
    assert "-1" in source.notes[0]


def test_npz_damaged(tmp_path):
    np.savez(tmp_path / "a.npz", EDX=np.zeros((4, 4, 64), np.uint16))
    raw = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "b.npz").write_bytes(raw[:-30])
    with pytest.raises(lbj.DamagedError, match=r"b\.npz"):
        open_source([tmp_path / "b.npz"])
    with zipfile.ZipFile(tmp_path / "a.npz") as archive, zipfile.ZipFile(tmp_path / "c.npz", "w") as lying:
        lying.writestr("EDX.npy", archive.read("EDX.npy").replace(b"(4, 4, 64), }", b"(9999, 9999, 9999)}"))
    with pytest.raises(lbj.DamagedError, match=r"c\.npz: EDX claims uint16 of shape"):
        read_all(tmp_path / "c.npz")


# Several files


def write_tif(path, image):
    import tifffile

    tifffile.imwrite(path, image)


def test_folder_of_paired_frames(tmp_path):
    rng = np.random.default_rng(18)
    cube = random_counts(rng, 11, 4, 5, 64)
    images = rng.integers(0, 999, (11, 4, 5)).astype(np.uint16)
    for i in range(11):
        np.savez(tmp_path / f"frame_{i}_EDX.npz", EDX=cube[i])
        write_tif(tmp_path / f"frame_{i}_HAADF.tif", images[i])
    (tmp_path / "readme.txt").write_text("about")
    source, data, _ = read_all(tmp_path)
    assert [signal.name for signal in source.signals] == ["EDX", "HAADF"]
    assert source.n_frames == 11
    np.testing.assert_array_equal([events.dense() for events in data["EDX"]], cube)
    np.testing.assert_array_equal(data["HAADF"], images)
    assert any("readme.txt" in note for note in source.notes)
    (tmp_path / "frame_7_HAADF.tif").unlink()
    with pytest.raises(lbj.UsageError, match=r"frame_7_EDX\.npz is unpaired"):
        open_source([tmp_path])


def test_paired_files_in_any_order(tmp_path):
    for i in (1, 2, 10):
        np.savez(tmp_path / f"2024_SI_{i:03}.npz", EDX=np.full((1, 1, 2), i))
        np.savez(tmp_path / f"2024_HAADF_{i:03}.npz", HAADF=np.full((1, 1), i))
    files = sorted(tmp_path.iterdir(), reverse=True)
    _, data, _ = read_all(*files)
    assert [events.count.tolist() for events in data["EDX"]] == [[1, 1], [2, 2], [10, 10]]
    assert [image.item() for image in data["HAADF"]] == [1, 2, 10]


def test_successive_files_of_any_name_keep_the_order_given(tmp_path):
    for name, value in (("b", 1), ("a", 2), ("c", 3)):
        np.savez(tmp_path / f"{name}.npz", EDX=np.full((1, 1, 2), value))
    _, data, _ = read_all(*(tmp_path / f"{name}.npz" for name in "bac"))
    assert [int(events.count[0]) for events in data["EDX"]] == [1, 2, 3]


def test_successive_multi_frame_files(shared_data, tmp_path):
    one = shared_data / "velox/fei_emd_si.emd"
    (tmp_path / "s_1.emd").write_bytes(one.read_bytes())
    (tmp_path / "s_2.emd").write_bytes(one.read_bytes())
    _, data, attributes = read_all(tmp_path / "s_1.emd", tmp_path / "s_2.emd")
    assert len(attributes) == 10
    assert total(data, "EDX") == 2 * 6564
    assert data["EDX"][0] == data["EDX"][5]


def test_bcf_series_shifts_the_energy_axis(tmp_path):
    for i, offset in enumerate((0.0, 0.02)):
        cube = random_counts(np.random.default_rng(i), 1, 2, 2, 64)[0]
        write_hspy(tmp_path / f"s_{i}.hspy", cube, FRAMES[1:], "EDS_TEM")
        with h5py.File(tmp_path / f"s_{i}.hspy", "r+") as file:
            file["Experiments/series/axis-2"].attrs["offset"] = offset
    _, _, attributes = read_all(tmp_path / "s_0.hspy", tmp_path / "s_1.hspy")
    assert "energy_shift" not in attributes[0]
    assert attributes[1]["energy_shift"] == {"EDX": pytest.approx(20.0)}


@pytest.mark.parametrize(
    ("second", "says"),
    [
        ({"EDX": np.zeros((3, 3, 2), int)}, "the first file of the series"),
        ({"EELS": np.zeros((2, 2, 2))}, "holds EELS"),
    ],
)
def test_series_whose_files_do_not_fit(tmp_path, second, says):
    np.savez(tmp_path / "s_1.npz", EDX=np.zeros((2, 2, 2), int))
    np.savez(tmp_path / "s_2.npz", **second)
    with pytest.raises(lbj.UsageError, match=rf"s_2\.npz.*{says}"):
        read_all(tmp_path / "s_1.npz", tmp_path / "s_2.npz")


def test_two_detectors_that_cannot_be_told_apart(tmp_path):
    for name in ("A_1", "A_2", "B_1", "B_2"):
        write_tif(tmp_path / f"{name}.tif", np.zeros((2, 2), np.uint16))
    with pytest.raises(lbj.UsageError, match="two name patterns"):
        read_all(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.xyz", b"hello", "no importer"),
        ("a.dat", b"", "no importer"),
        ("a.h5", None, "no known layout"),
        ("missing.emd", ..., "cannot open"),
    ],
)
def test_unreadable_kinds(tmp_path, name, content, says):
    path = tmp_path / name
    if content is None:
        with h5py.File(path, "w") as file:
            file["x"] = 1
    elif content is not ...:
        path.write_bytes(content)
    with pytest.raises(lbj.UsageError, match=says):
        open_source([path])


def test_nothing_to_open(tmp_path):
    with pytest.raises(lbj.UsageError, match="no file"):
        open_source([])
    with pytest.raises(lbj.UsageError, match="no readable file"):
        open_source([tmp_path])


def test_tif_stack(tmp_path):
    import tifffile

    stack = np.arange(60, dtype=np.float32).reshape(5, 3, 4)
    size = {"resolution": (2.0, 4.0), "metadata": {"axes": "TYX", "unit": "nm"}}
    tifffile.imwrite(tmp_path / "movie_BF.tif", stack, imagej=True, **size)
    source, data, _ = read_all(tmp_path / "movie_BF.tif")
    assert [s.name for s in source.signals] == ["BF"]
    np.testing.assert_array_equal(data["BF"], stack)
    assert [axis["scale"] for axis in source.signals[0].axes] == pytest.approx([0.25e-9, 0.5e-9])


def test_journal_is_a_source_too(tmp_path, shared_data):
    convert([str(shared_data / "velox/fei_emd_si.emd")], tmp_path / "a.lbj", quiet=True)
    convert([str(tmp_path / "a.lbj")], tmp_path / "b.lbj", {"EDX": "leb128"}, quiet=True)
    with lbj.open(tmp_path / "a.lbj") as a, lbj.open(tmp_path / "b.lbj") as b:
        assert b.signals["EDX"].coding == "leb128"
        assert [f.attributes for f in a] == [f.attributes for f in b]
        assert [f.events("EDX") for f in a] == [f.events("EDX") for f in b]
        assert a.metadata == b.metadata


def test_convert_keeps_everything(tmp_path, shared_data):
    path = shared_data / "velox/velox_v11_SI_16x16_2frames.emd"
    source, data, attributes = read_all(path)
    convert([str(path)], tmp_path / "a.lbj", quiet=True)
    with lbj.open(tmp_path / "a.lbj") as journal:
        assert journal.metadata == source.metadata
        assert [frame.attributes for frame in journal] == attributes
        for name in ("EDX-1", "EDX-2", "EDX-3", "EDX-4"):
            assert [frame.events(name) for frame in journal] == data[name]
        assert sum(frame.events("EDX").total for frame in journal) == 42_097
        np.testing.assert_array_equal([frame.array("HAADF") for frame in journal], data["HAADF"])
