"""Export. Truth is what was put into the journal; other programs' formats are read back with their own readers."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import warnings
from pathlib import Path

import h5py
import numpy as np
import pytest
from vendor_files import PEAK, random_counts

import lbj
from lbj.archive.convert import convert
from lbj.exporting import export, series
from lbj.importing import open_source

Y, X, C, N = 5, 7, 64, 3


def rsciio(module, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return __import__(f"rsciio.{module}", fromlist=["file_reader"]).file_reader(str(path))


def space(ny, nx):
    return [
        {"name": "y", "size": ny, "offset": 1e-9, "scale": 2e-9, "units": "m"},
        {"name": "x", "size": nx, "offset": 0.0, "scale": 3e-9, "units": "m"},
    ]


def energy(offset, scale, size=C):
    return {"name": "energy", "size": size, "offset": offset, "scale": scale, "units": "eV"}


@pytest.fixture
def truth():
    rng = np.random.default_rng(1)
    return {
        "EDX-1": random_counts(rng, N, Y, X, C),
        "EDX-2": random_counts(rng, N, Y, X, C, mean=0.3),
        "EELS": rng.normal(100, 10, (N, Y, X, 12)).astype(np.float32),
        "HAADF": rng.integers(0, 65536, (N, 2 * Y, 2 * X)).astype(np.uint16),
        "survey": rng.integers(0, 256, (3, 3)).astype(np.uint8),
    }


@pytest.fixture
def journal(tmp_path, truth):
    detector = {"elevation": math.radians(22), "energy_resolution": 130.0}
    x_ray = {"axes": [*space(Y, X), energy(-500.0, 10.0)], "group": "EDX"}
    signals = [
        lbj.Signal("EDX-1", "events", (Y, X, C), metadata={**detector, "azimuth": 0.1}, **x_ray),
        lbj.Signal("EDX-2", "events", (Y, X, C), metadata={**detector, "azimuth": 0.2}, **x_ray),
        lbj.Signal("EELS", "spectra", (Y, X, 12), axes=[*space(Y, X), energy(400.0, 0.5, 12)]),
        lbj.Signal("HAADF", "image", (2 * Y, 2 * X), axes=space(2 * Y, 2 * X), to_field=[[0.5, 0, 0], [0, 0.5, 0]]),
        lbj.Signal("survey", "image", (3, 3), dtype="uint8", role="survey"),
    ]
    metadata = {
        "beam_energy": 200e3,
        "elements": ["Ti", "O"],
        "convergence_angle": 0.02,
        "collection_angle": 0.04,
        "stage_tilt": [0.1, -0.2],
        "title": "Dünnschicht",
    }
    with lbj.create(tmp_path / "a.lbj", signals, metadata=metadata) as writer:
        writer.put_static("survey", truth["survey"])
        for i in range(N):
            data = {name: values[i] for name, values in truth.items() if name != "survey"}
            live = {"EDX-1": 1.0 + i, "EDX-2": 2.0 + i}
            writer.append(data, live_time=live, real_time=4.0, exposure={"EELS": 0.1}, beam_current=1e-10, region=i)
    with lbj.open(tmp_path / "a.lbj") as opened:
        yield opened


def same_journal(a, b, frames=range(N)):
    assert {name: s.to_json() for name, s in a.signals.items()} == {name: s.to_json() for name, s in b.signals.items()}
    assert a.metadata == b.metadata
    assert len(b) == len(frames)
    for i, frame in zip(frames, b, strict=True):
        assert a[i].attributes == frame.attributes
        assert a[i].names == frame.names
        for name in frame.names:
            if a.signals[name].kind == "events":
                assert a[i].events(name) == frame.events(name)
            else:
                np.testing.assert_array_equal(a[i].array(name), frame.array(name))
    np.testing.assert_array_equal(a.static("survey"), b.static("survey"))


@pytest.mark.parametrize("suffix", ["npz", "h5"])
@pytest.mark.parametrize("frames", [slice(None), slice(1, 3), slice(2, None)])
def test_lists_are_lossless(tmp_path, journal, suffix, frames):
    path = tmp_path / f"out.{suffix}"
    export(journal, path, frames)
    convert([str(path)], tmp_path / "b.lbj", quiet=True)
    with lbj.open(tmp_path / "b.lbj") as back:
        same_journal(journal, back, range(N)[frames])


@pytest.mark.parametrize("suffix", ["npz", "h5"])
def test_documented_layout(tmp_path, journal, truth, suffix):
    path = tmp_path / f"out.{suffix}"
    export(journal, path)
    arrays = np.load(path) if suffix == "npz" else h5py.File(path)
    with arrays:
        described = json.loads(bytes(arrays["lbj"][:]))
        assert described["layout"] == 1
        assert described["metadata"]["title"] == "Dünnschicht"
        assert [item["signals"] for item in described["frames"]] == [["EDX-1", "EDX-2", "EELS", "HAADF"]] * N
        offset = arrays["EDX-1/offset"][:].astype(int)
        dense = np.zeros((N, Y * X, C), int)
        for i in range(N):
            part = slice(offset[i], offset[i + 1])
            voxel = tuple(arrays[f"EDX-1/{name}"][part] for name in ("pixel", "channel"))
            dense[i][voxel] = arrays["EDX-1/count"][part]
        np.testing.assert_array_equal(dense.reshape(truth["EDX-1"].shape), truth["EDX-1"])
        np.testing.assert_array_equal(arrays["HAADF"][:], truth["HAADF"])
        np.testing.assert_array_equal(arrays["EELS"][:], truth["EELS"])
        np.testing.assert_array_equal(arrays["static/survey"][:], truth["survey"])


@pytest.mark.parametrize("suffix", ["npz", "h5"])
def test_odd_journals(tmp_path, suffix):
    """No counts, one pixel, and frames that lack a signal."""
    signals = [lbj.Signal("EDX", "events", (1, 1, 1)), lbj.Signal("HAADF", "image", (1, 1), dtype="float64")]
    nothing = lbj.Events([], [], [], (1, 1, 1))
    with lbj.create(tmp_path / "a.lbj", signals) as writer:
        writer.append({"EDX": nothing})
        writer.append({"HAADF": np.array([[0.25]])})
        writer.append({"EDX": np.array([[[2**32 - 1]]]), "HAADF": np.array([[-1.0]])})
    with lbj.open(tmp_path / "a.lbj") as journal:
        export(journal, tmp_path / f"out.{suffix}")
    convert([str(tmp_path / f"out.{suffix}")], tmp_path / "b.lbj", quiet=True)
    with lbj.open(tmp_path / "b.lbj") as back:
        assert [frame.names for frame in back] == [["EDX"], ["HAADF"], ["EDX", "HAADF"]]
        assert back[0].events("EDX") == nothing
        assert back[2].events("EDX").total == 2**32 - 1
        assert back[1].array("HAADF") == 0.25


@pytest.mark.parametrize("block", [1, 1 << 26])
def test_hspy_stack(tmp_path, journal, truth, monkeypatch, block):
    monkeypatch.setattr(series, "BLOCK", block)
    export(journal, tmp_path / "out.hspy")
    items = {item["metadata"]["General"]["title"]: item for item in rsciio("hspy", tmp_path / "out.hspy")}
    assert list(items) == ["EDX-1", "EDX-2", "EELS", "HAADF", "survey"]
    edx = items["EDX-1"]
    np.testing.assert_array_equal(edx["data"], truth["EDX-1"])
    np.testing.assert_array_equal(items["EDX-2"]["data"], truth["EDX-2"])
    np.testing.assert_array_equal(items["survey"]["data"], truth["survey"])
    assert edx["data"].dtype == np.uint8
    assert [axis["name"] for axis in edx["axes"]] == ["frame", "y", "x", "Energy"]
    assert [axis["navigate"] for axis in edx["axes"]] == [True, True, True, False]
    assert [axis["units"] for axis in edx["axes"]] == ["", "nm", "nm", "keV"]
    assert edx["axes"][1]["scale"] == pytest.approx(2.0)
    assert edx["axes"][1]["offset"] == pytest.approx(1.0)
    assert (edx["axes"][3]["offset"], edx["axes"][3]["scale"]) == pytest.approx((-0.5, 0.01))
    assert edx["metadata"]["Signal"]["signal_type"] == "EDS_TEM"
    assert list(edx["metadata"]["Sample"]["elements"]) == ["Ti", "O"]
    microscope = edx["metadata"]["Acquisition_instrument"]["TEM"]
    assert microscope["beam_energy"] == 200
    assert microscope["beam_current"] == pytest.approx(0.1)
    assert microscope["convergence_angle"] == pytest.approx(20)
    assert microscope["Stage"]["tilt_alpha"] == pytest.approx(math.degrees(0.1))
    eds = microscope["Detector"]["EDS"]
    assert eds["live_time"] == pytest.approx(1 + 2 + 3)
    assert eds["real_time"] == pytest.approx(12)
    assert (eds["elevation_angle"], eds["energy_resolution_MnKa"]) == pytest.approx((22, 130))
    assert eds["azimuth_angle"] == pytest.approx(math.degrees(0.1))
    eels = items["EELS"]
    np.testing.assert_array_equal(eels["data"], truth["EELS"])
    assert eels["metadata"]["Signal"]["signal_type"] == "EELS"
    assert eels["axes"][-1]["units"] == "eV"
    found = eels["metadata"]["Acquisition_instrument"]["TEM"]["Detector"]["EELS"]
    assert found == {"collection_angle": pytest.approx(40), "exposure": pytest.approx(0.1)}
    np.testing.assert_array_equal(items["HAADF"]["data"], truth["HAADF"])
    assert [axis["navigate"] for axis in items["HAADF"]["axes"]] == [True, False, False]


def test_hspy_one_frame(tmp_path, journal, truth):
    export(journal, tmp_path / "out.hspy", slice(1, 2))
    items = {item["metadata"]["General"]["title"]: item for item in rsciio("hspy", tmp_path / "out.hspy")}
    np.testing.assert_array_equal(items["EDX-2"]["data"], truth["EDX-2"][1])
    assert [axis["name"] for axis in items["EDX-2"]["axes"]] == ["y", "x", "Energy"]
    assert items["HAADF"]["data"].shape == (2 * Y, 2 * X)


@pytest.mark.parametrize("frames", [slice(None), slice(1, 2)])
def test_hspy_comes_back(tmp_path, journal, frames):
    export(journal, tmp_path / "out.hspy", frames)
    convert([str(tmp_path / "out.hspy")], tmp_path / "b.lbj", quiet=True)
    with lbj.open(tmp_path / "b.lbj") as back:
        same_journal(journal, back, range(N)[frames])


def test_hspy_of_frames_that_lack_signals_comes_back(tmp_path):
    signals = [lbj.Signal("EDX", "events", (2, 3, 4)), lbj.Signal("a/b", "image", (3,), dtype="int8")]
    with lbj.create(tmp_path / "a.lbj", signals) as writer:
        writer.append({"EDX": np.full((2, 3, 4), 7)}, region=2)
        writer.append({"a/b": np.array([-1, 0, 1], np.int8)}, rotation=0.5)
        writer.append({"EDX": np.zeros((2, 3, 4), int), "a/b": np.array([5, 6, 7], np.int8)})
    with lbj.open(tmp_path / "a.lbj") as journal:
        export(journal, tmp_path / "out.hspy")
        convert([str(tmp_path / "out.hspy")], tmp_path / "b.lbj", quiet=True)
        with lbj.open(tmp_path / "b.lbj") as back:
            assert [frame.names for frame in back] == [["EDX"], ["a/b"], ["EDX", "a/b"]]
            assert [frame.attributes for frame in back] == [frame.attributes for frame in journal]
            assert back[0].events("EDX") == journal[0].events("EDX")
            np.testing.assert_array_equal(back[1].array("a/b"), [-1, 0, 1])


def test_hspy_changed_in_hyperspy_is_told_by_what_it_says_now(tmp_path, journal):
    """Another program moved the energy axis and named other elements: its word goes, and that is said."""
    export(journal, tmp_path / "out.hspy", slice(0, 1))
    with h5py.File(tmp_path / "out.hspy", "r+") as file:
        for name in ("EDX-2", "EELS", "HAADF", "survey"):
            del file["Experiments"][name]
        group = file["Experiments/EDX-1"]
        del group["metadata/Sample/_list_elements"]
        group["metadata/Sample/_list_elements"] = [b"Fe"]
    source = open_source([tmp_path / "out.hspy"])
    assert source.metadata["elements"] == ["Fe"]
    assert source.metadata["title"] == "Dünnschicht"
    assert source.signals[0].axes[-1]["offset"] == -500
    with h5py.File(tmp_path / "out.hspy", "r+") as file:
        file["Experiments/EDX-1/axis-2"].attrs["offset"] = -0.4
    source = open_source([tmp_path / "out.hspy"])
    assert source.signals[0].axes[-1]["offset"] == pytest.approx(-400)
    assert source.metadata["elements"] == ["Fe"]
    assert any("changed since" in note for note in source.notes)
    with h5py.File(tmp_path / "out.hspy", "r+") as file:
        group = file["Experiments/EDX-1"]
        data = group["data"][:] / 2
        del group["data"]
        group["data"] = data
    source = open_source([tmp_path / "out.hspy"])
    assert source.signals[0].kind == "spectra"
    np.testing.assert_array_equal(next(source.frames)[0]["EDX"], data)


EXPORT = """
import sys
import lbj
from lbj.exporting import export
with lbj.open(sys.argv[1]) as journal:
    export(journal, sys.argv[2])
"""


def test_hspy_never_holds_the_dense_cube(tmp_path):
    """6 frames of 134 MB each; the whole is 805 MB."""
    rng = np.random.default_rng(2)
    shape = (256, 256, 2048)
    with lbj.create(tmp_path / "a.lbj", [lbj.Signal("EDX", "events", shape)]) as writer:
        for _ in range(6):
            frame = lbj.Events.from_list(rng.integers(0, 65536, 5000), rng.integers(0, 2048, 5000), shape)
            writer.append({"EDX": frame})
    command = [sys.executable, "-c", EXPORT + PEAK, str(tmp_path / "a.lbj"), str(tmp_path / "a.hspy")]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert int(done.stdout) < 500_000
    with h5py.File(tmp_path / "a.hspy") as file:
        data = file["Experiments/EDX/data"]
        assert data.shape == (6, *shape)
        np.testing.assert_array_equal(data[5], frame.dense())


@pytest.mark.parametrize("frames", [slice(None), slice(0, 1)])
def test_ripple(tmp_path, journal, truth, frames):
    export(journal, tmp_path / "out.rpl", frames)
    names = sorted(path.name for path in tmp_path.iterdir() if path.suffix in (".rpl", ".raw"))
    assert names == sorted(f"out{part}{end}" for part in ("", "_EELS", "_HAADF") for end in (".rpl", ".raw"))
    item = rsciio("ripple", tmp_path / "out.rpl")[0]
    np.testing.assert_array_equal(item["data"], (truth["EDX-1"] + truth["EDX-2"])[frames].sum(0))
    axes = {axis["name"]: axis for axis in item["axes"]}
    assert axes["width"]["scale"] == pytest.approx(3)
    assert axes["height"]["units"] == "nm"
    assert (axes["Energy"]["offset"], axes["Energy"]["scale"], axes["Energy"]["units"]) == (-500, 10, "eV")
    assert item["metadata"]["Signal"]["signal_type"] == "EDS_TEM"
    eels = rsciio("ripple", tmp_path / "out_EELS.rpl")[0]
    np.testing.assert_allclose(eels["data"], truth["EELS"][frames].sum(0, dtype=np.float64), rtol=1e-12)
    image = rsciio("ripple", tmp_path / "out_HAADF.rpl")[0]
    np.testing.assert_array_equal(np.squeeze(image["data"]), truth["HAADF"][frames].sum(0, dtype=np.int64))


def test_tif(tmp_path, journal, truth):
    import tifffile

    export(journal, tmp_path / "out.tif")
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert file.is_ome
        assert [s.name for s in file.series] == ["HAADF"]
        np.testing.assert_array_equal(file.series[0].asarray(), truth["HAADF"])
    source = open_source([tmp_path / "out.tif"])
    assert [s.name for s in source.signals] == ["HAADF"]
    assert [axis["scale"] for axis in source.signals[0].axes] == pytest.approx([2e-9, 3e-9])
    np.testing.assert_array_equal([frame["HAADF"] for frame, _ in source.frames], truth["HAADF"])


def test_tif_of_several_images_and_of_one_frame(tmp_path):
    rng = np.random.default_rng(3)
    images = {
        "HAADF": rng.integers(0, 9, (2, 4, 5)).astype(np.uint16),
        "BF": rng.normal(size=(2, 8, 8)).astype(np.float32),
    }
    signals = [lbj.Signal(name, "image", stack.shape[1:], dtype=stack.dtype.name) for name, stack in images.items()]
    with lbj.create(tmp_path / "a.lbj", signals) as writer:
        for i in range(2):
            writer.append({name: stack[i] for name, stack in images.items()})
    with lbj.open(tmp_path / "a.lbj") as journal:
        for frames in (slice(None), slice(1, 2)):
            export(journal, tmp_path / "out.tif", frames)
            source = open_source([tmp_path / "out.tif"])
            data = [frame for frame, _ in source.frames]
            for name, stack in images.items():
                np.testing.assert_array_equal([frame[name] for frame in data], stack[frames])


def test_tif_needs_an_image_that_tiff_can_hold(tmp_path):
    with lbj.create(tmp_path / "a.lbj", [lbj.Signal("EDX", "events", (1, 1, 2))]) as writer:
        writer.append({"EDX": np.ones((1, 1, 2), int)})
    with lbj.open(tmp_path / "a.lbj") as journal, pytest.raises(lbj.UsageError, match="no image"):
        export(journal, tmp_path / "out.tif")
    with lbj.create(tmp_path / "b.lbj", [lbj.Signal("ADF", "image", (1, 2), dtype="int64")]) as writer:
        writer.append({"ADF": np.ones((1, 2), int)})
    with lbj.open(tmp_path / "b.lbj") as journal, pytest.raises(lbj.UsageError, match="64-bit"):
        export(journal, tmp_path / "out.tif")


def test_wrong_calls(tmp_path, journal):
    with pytest.raises(lbj.UsageError, match="no export to"):
        export(journal, tmp_path / "out.xyz")
    with pytest.raises(lbj.UsageError, match="no frame selected"):
        export(journal, tmp_path / "out.npz", slice(5, 9))
    with pytest.raises(lbj.StorageError, match="cannot write"):
        export(journal, tmp_path / "missing" / "out.npz")


def test_a_failed_export_leaves_nothing_behind(tmp_path, journal, monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(series.Series, "count_dtype", refuse)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(lbj.StorageError, match="No space left"):
        export(journal, tmp_path / "out.hspy")
    assert sorted(tmp_path.iterdir()) == before


def test_a_broken_list_is_named(tmp_path, journal):
    export(journal, tmp_path / "out.h5")
    good = (tmp_path / "out.h5").read_bytes()
    for name, change in {
        "EDX-1/offset": lambda d: d.__setitem__(1, 1 << 40),
        "EDX-2/pixel": lambda d: d.__setitem__(0, 4000),
        "lbj": lambda d: d.__setitem__(0, 0),
    }.items():
        (tmp_path / "b.h5").write_bytes(good)
        with h5py.File(tmp_path / "b.h5", "r+") as file:
            change(file[name])
        with pytest.raises(lbj.DamagedError, match=r"b\.h5"):
            list(open_source([tmp_path / "b.h5"]).frames)
    (tmp_path / "b.h5").write_bytes(good)
    with h5py.File(tmp_path / "b.h5", "r+") as file:
        del file["HAADF"]
    with pytest.raises(lbj.DamagedError, match="'HAADF' is missing"):
        list(open_source([tmp_path / "b.h5"]).frames)
