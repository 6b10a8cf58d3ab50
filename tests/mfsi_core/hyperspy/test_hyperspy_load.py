"""``hs.load("x.lbj")``: typed signals with axes and metadata, whole or lazy, of the frames and detectors asked for."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import small_series
from vendor_files import PEAK

import lbj
import mfsi_core
from mfsi_core.hyperspy import plugin

hs = pytest.importorskip("hyperspy.api", reason="HyperSpy is not installed")
pytest.importorskip("exspy", reason="eXSpy is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::hyperspy.exceptions.VisibleDeprecationWarning")

FRAMES, Y, X, C = small_series.FRAMES, small_series.Y, small_series.X, small_series.C


@pytest.fixture(scope="module")
def truth():
    return small_series.frame_data()[0]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("load") / "a.lbj"
    small_series.write(path)
    return path


@pytest.mark.parametrize("lazy", [False, True])
def test_sums_are_typed_and_calibrated(path, truth, lazy):
    edx, eels, haadf, survey = hs.load(path, lazy=lazy)
    kinds = [type(one).__name__ for one in (edx, eels, haadf, survey)]
    assert kinds == [
        ("Lazy" if lazy else "") + name for name in ("EDSTEMSpectrum", "EELSSpectrum", "Signal2D", "Signal2D")
    ]
    assert [one.metadata.General.title for one in (edx, eels, haadf, survey)] == ["EDX", "EELS", "HAADF", "survey"]
    np.testing.assert_array_equal(np.asarray(edx.data), sum(f["EDX-1"] + f["EDX-2"] for f in truth))
    np.testing.assert_array_equal(np.asarray(eels.data), sum(f["EELS"] for f in truth))
    np.testing.assert_array_equal(np.asarray(haadf.data), sum(f["HAADF"].astype(int) for f in truth))
    x, y, energy = edx.axes_manager["x"], edx.axes_manager["y"], edx.axes_manager["Energy"]
    assert [x.scale, y.scale, y.offset, energy.scale, energy.offset] == pytest.approx([3, 2, 1, 0.01, -0.05])
    assert (x.units, energy.units, eels.axes_manager[-1].units) == ("nm", "keV", "eV")
    assert energy.is_binned
    assert haadf.axes_manager[0].scale == pytest.approx(1.5)


@pytest.mark.parametrize(("frames", "live", "dwell"), [(None, 4 * 1.5 + 6, 4e-3), (slice(1, 3), 2.5 + 3.5, 2e-3)])
def test_times_are_summed_with_the_frames(path, frames, live, dwell):
    """Of detectors that are added, the mean live time; the current stays what it is."""
    edx, eels, *_ = hs.load(path, frames=frames)
    tem = edx.metadata.Acquisition_instrument.TEM
    count = 4 if frames is None else 2
    assert tem.Detector.EDS.live_time == pytest.approx(live)
    assert tem.Detector.EDS.real_time == pytest.approx(4.0 * count)
    assert tem.dwell_time == pytest.approx(dwell)
    assert (tem.beam_energy, tem.beam_current, tem.convergence_angle) == pytest.approx((200, 0.1, 20))
    assert tem.Stage.tilt_alpha == pytest.approx(np.rad2deg(0.1))
    eds = tem.Detector.EDS
    angles = (eds.elevation_angle, eds.azimuth_angle, eds.energy_resolution_MnKa)
    assert angles == pytest.approx((22, 45, 130))
    assert edx.metadata.Sample.elements == ["Ti", "O"]
    assert edx.metadata.General.date == "2026-11-21"
    found = eels.metadata.Acquisition_instrument.TEM.Detector.EELS
    assert (found.collection_angle, found.exposure, found.dwell_time) == pytest.approx((40, 0.1 * count, dwell))
    single = hs.load(path, frames=slice(2, 3))[0].metadata.Acquisition_instrument.TEM
    assert single.Detector.EDS.live_time == pytest.approx(3.5)
    assert single.dwell_time == pytest.approx(1e-3)


def test_frames_and_detectors(path, truth):
    edx, eels, haadf, survey = hs.load(path, sum_frames=False)
    assert [axis.name for axis in edx.axes_manager._axes] == ["frame", "y", "x", "Energy"]
    np.testing.assert_array_equal(edx.data, np.stack([f["EDX-1"] + f["EDX-2"] for f in truth]))
    np.testing.assert_array_equal(haadf.data, np.stack([f["HAADF"] for f in truth]))
    assert (haadf.data.dtype, eels.data.dtype, survey.data.shape) == (np.uint16, np.float32, (5, 6))
    assert haadf.axes_manager.navigation_shape == (FRAMES,)
    assert edx.metadata.Acquisition_instrument.TEM.dwell_time == pytest.approx(1e-3)
    each = hs.load(path, detectors="each")
    assert [one.metadata.General.title for one in each] == ["EDX-1", "EDX-2", "EELS", "HAADF", "survey"]
    np.testing.assert_array_equal(each[1].data, sum(f["EDX-2"] for f in truth))
    assert each[1].metadata.Acquisition_instrument.TEM.Detector.EDS.live_time == pytest.approx(2 + 3 + 4 + 5)
    one = hs.load(path, detectors=["EDX-2"])[0]
    np.testing.assert_array_equal(one.data, each[1].data)
    assert one.metadata.Acquisition_instrument.TEM.Detector.EDS.live_time == pytest.approx(14)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"detectors": ["EDX-3"]}, "EDX-1, EDX-2"),
        ({"detectors": "all"}, "'sum', 'each'"),
        ({"detectors": False}, "'sum', 'each'"),
        ({"frames": slice(7, 9)}, "no frame selected"),
        ({"frames": 3}, "must be a slice"),
        ({"aligned": True}, "mfsi register"),
        ({"max_bytes": 100}, "lazy=True"),
    ],
)
def test_options_that_cannot_be_followed(path, options, word):
    with pytest.raises(lbj.UsageError, match=word):
        hs.load(path, **options)


def test_files_that_are_no_journal_or_broken(path, tmp_path):
    data = path.read_bytes()
    cases = {"foreign": b"\x89HDF\r\n\x1a\n" + bytes(300), "empty": b"", "short": data[:60]}
    for name, content in cases.items():
        (tmp_path / f"{name}.lbj").write_bytes(content)
        with pytest.raises(lbj.DamagedError):
            hs.load(tmp_path / f"{name}.lbj")
    with lbj.open(path) as journal:
        place = journal[3].block_records("EELS")[0]
    (tmp_path / "cut.lbj").write_bytes(data[: place.offset])  # a writer died: the frames before count
    assert hs.load(tmp_path / "cut.lbj", sum_frames=False)[0].axes_manager.navigation_shape == (X, Y, 3)
    broken = bytearray(data)
    broken[place.body + 40] ^= 0xFF
    (tmp_path / "broken.lbj").write_bytes(broken)
    with pytest.raises(lbj.DamagedError) as error:
        hs.load(tmp_path / "broken.lbj")
    assert error.value.offset == place.offset
    lazy = hs.load(tmp_path / "broken.lbj", lazy=True)[1]
    with pytest.raises(lbj.DamagedError):
        lazy.compute(show_progressbar=False)


def test_frames_that_lack_signals_and_series_of_images(tmp_path):
    signals = [lbj.Signal("EDX", "events", (2, 3, 4)), lbj.Signal("BF", "image", (3, 2), dtype="int8")]
    with lbj.create(tmp_path / "a.lbj", signals) as writer:
        writer.append({"EDX": np.full((2, 3, 4), 7)})
        writer.append({"BF": np.full((3, 2), -1, np.int8)})
        writer.append({"BF": np.full((3, 2), 5, np.int8)})
    edx, image = hs.load(tmp_path / "a.lbj")
    assert edx.data.tolist() == np.full((2, 3, 4), 7).tolist()
    assert image.data.tolist() == [[4, 4]] * 3
    with lbj.create(tmp_path / "b.lbj", signals[1:]) as writer:
        writer.append({"BF": np.full((3, 2), -1, np.int8)})
        writer.append({"BF": np.full((3, 2), 5, np.int8)})
    assert hs.load(tmp_path / "b.lbj").data.tolist() == [[[-1, -1]] * 3, [[5, 5]] * 3]
    with lbj.create(tmp_path / "c.lbj", signals):
        pass
    with pytest.raises(lbj.UsageError, match="no frame"):
        hs.load(tmp_path / "c.lbj")


@pytest.mark.parametrize("name", ["EDX", "EELS", "HAADF"])
@pytest.mark.parametrize("lazy", [False, True])
def test_aligned_is_what_accumulate_gives(tmp_path, truth, name, lazy):
    """Displacements of the images, which are finer; a frame left out; energy shifts of the spectra."""
    path = tmp_path / "a.lbj"
    rng = np.random.default_rng(4)
    with lbj.create(path, small_series.signals(), small_series.METADATA) as writer:
        for frame in truth:
            writer.append(frame, live_time=1.0, dwell_time=1e-3, energy_shift={"EELS": 0.25})
        u = rng.normal(0, 1.5, (FRAMES, 2, 2 * Y, 2 * X)).astype(np.float32)
        writer.put_displacement("HAADF", u, left_out=[False, True, False, False])
    found = {one.metadata.General.title: one for one in hs.load(path, aligned=True, lazy=lazy)}
    frames = {one.metadata.General.title: one for one in hs.load(path, aligned=True, lazy=lazy, sum_frames=False)}
    with lbj.open(path) as journal:
        registration = mfsi_core.Registration.load(journal)
        expected = mfsi_core.accumulate(journal, registration, signal=name)
    signal = found[name]
    assert signal.data.dtype == np.float32
    np.testing.assert_allclose(np.asarray(signal.data), expected, rtol=1e-6, atol=1e-5)
    assert frames[name].axes_manager.navigation_shape[-1] == 3
    np.testing.assert_allclose(np.asarray(frames[name].data).sum(axis=0), expected, rtol=1e-5, atol=1e-4)
    if name == "EDX":
        tem = signal.metadata.Acquisition_instrument.TEM
        assert tem.Detector.EDS.live_time == pytest.approx(3.0)
        assert type(signal).__name__.endswith("EDSTEMSpectrum")
        assert signal.axes_manager["Energy"].units == "keV"
    part = np.asarray(signal.inav[1:5, 2:4].data) if name != "HAADF" else np.asarray(signal.isig[1:5, 2:4].data)
    np.testing.assert_allclose(part, expected[2:4, 1:5], rtol=1e-6, atol=1e-5)


def test_aligned_applies_energy_shifts_alone(tmp_path, caplog):
    axes = [{"name": "y"}, {"name": "x"}, {"name": "energy", "scale": 0.5, "offset": 0.0, "units": "eV"}]
    with lbj.create(tmp_path / "a.lbj", [lbj.Signal("EELS", "spectra", (1, 1, 4), axes=axes)]) as writer:
        writer.append({"EELS": np.array([[[1, 0, 0, 0]]], np.float32)}, energy_shift=1.0)
        writer.append({"EELS": np.array([[[0, 1, 0, 0]]], np.float32)}, energy_shift=0.5)
    assert hs.load(tmp_path / "a.lbj", aligned=True).data.ravel().tolist() == [0, 0, 2, 0]
    assert not caplog.records
    assert hs.load(tmp_path / "a.lbj").data.ravel().tolist() == [1, 1, 0, 0]
    assert "only aligned=True applies" in caplog.text


def test_areas_are_not_added_up_without_a_word(tmp_path, caplog):
    with lbj.create(tmp_path / "a.lbj", [lbj.Signal("EDX", "events", (2, 3, 4))]) as writer:
        for region in (0, 0, 1):
            writer.append({"EDX": np.ones((2, 3, 4), int)}, region=region)
        writer.put_displacement("EDX", coefficients=np.zeros((3, 1, 1, 2)), left_out=[False, True, False])
    with pytest.raises(lbj.UsageError, match="2 areas"):
        hs.load(tmp_path / "a.lbj", aligned=True, lazy=True)
    with pytest.raises(lbj.UsageError, match="could be registered"):
        hs.load(tmp_path / "a.lbj", aligned=True, frames=slice(1, 2))
    caplog.clear()
    assert hs.load(tmp_path / "a.lbj", aligned=True, sum_frames=False).data.shape == (2, 2, 3, 4)
    assert not caplog.records
    assert int(hs.load(tmp_path / "a.lbj").data[0, 0, 0]) == 3
    assert "frames of 2 areas are added up" in caplog.text


@pytest.mark.parametrize(("energy", "kind"), [(2e4, "EDS_SEM"), (8e4, "EDS_TEM")])
def test_the_beam_tells_the_microscope(tmp_path, energy, kind):
    detector = {"elevation": np.deg2rad(30)}
    signal = lbj.Signal("EDX", "events", (2, 3, 4), metadata=detector)
    with lbj.create(tmp_path / "a.lbj", [signal], {"beam_energy": energy, "magnification": 500}) as writer:
        writer.append({"EDX": np.ones((2, 3, 4), int)}, live_time=2.0)
    found = hs.load(tmp_path / "a.lbj").metadata
    assert found.Signal.signal_type == kind
    instrument = found.Acquisition_instrument.as_dictionary()[kind[4:]]
    assert (instrument["beam_energy"], instrument["magnification"]) == (energy / 1e3, 500)
    assert instrument["Detector"]["EDS"]["elevation_angle"] == pytest.approx(30)


def test_lazy_blocks_are_frames_read_when_computed(path, truth):
    edx = hs.load(path, lazy=True, sum_frames=False)[0]
    assert edx.data.chunks[0] == (1,) * FRAMES
    assert edx.data.chunksize[-1] == C
    copied = pickle.loads(pickle.dumps(edx.data))
    dense = np.stack([f["EDX-1"] + f["EDX-2"] for f in truth])
    np.testing.assert_array_equal(copied[2, 3].compute(), dense[2, 3])
    block = edx.data.blocks[1].compute()
    assert type(block) is np.ndarray
    np.testing.assert_array_equal(edx.inav[2:5, 1, 3].isig[4:].data, dense[3, 1, 2:5, 4:])
    np.testing.assert_array_equal(edx.sum("frame").data, dense.sum(axis=0))
    edx.rechunk((1, 5, 9))
    np.testing.assert_array_equal(edx.data.compute(), dense)
    edx.compute(show_progressbar=False)
    np.testing.assert_array_equal(edx.data, dense)


def test_stacks_and_several_files(path, tmp_path, truth):
    small_series.write(tmp_path / "b.lbj", seed=2)
    other = small_series.frame_data(2)[0]
    stacks = hs.load([path, tmp_path / "b.lbj"], stack=True)
    expected = [sum(f["EDX-1"] + f["EDX-2"] for f in series) for series in (truth, other)]
    np.testing.assert_array_equal(stacks[0].data, expected)
    lazy = hs.load([path, tmp_path / "b.lbj"], stack=True, lazy=True, sum_frames=False)
    assert lazy[1].axes_manager.navigation_shape == (X, Y, FRAMES, 2)
    np.testing.assert_array_equal(lazy[1].data[1, 3].compute(), other[3]["EELS"])
    lists = hs.load([path, tmp_path / "b.lbj"])
    assert [len(one) for one in lists] == [4, 4]


LOAD = """
import sys
import hyperspy.api as hs
assert "lbj.reader" not in sys.modules
signals = hs.load(sys.argv[1])
signals[0].save(sys.argv[2])
print(hs.load(sys.argv[2], lazy=True))
"""


def _entry_points():
    try:
        import tomllib
    except ImportError:
        tomllib = pytest.importorskip("tomli", reason="Python 3.10 reads no TOML")
    with (Path(__file__).parents[3] / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)["project"]["entry-points"]


def test_hyperspy_finds_the_format_by_itself(path, tmp_path, monkeypatch):
    """With the entry points of pyproject.toml installed, and nothing of ours imported."""
    from plugin_package import install

    install(tmp_path / "site", "mfsi", "0.1.0", _entry_points())
    root = Path(__file__).parents[3]
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'site'}:{root}")
    command = [sys.executable, "-W", "ignore", "-c", LOAD, str(path), str(tmp_path / "b.lbj")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert "LazyEDSTEMSpectrum" in done.stdout


def test_the_entry_point_cannot_break_hyperspy(monkeypatch, caplog):
    """What HyperSpy does with it: it looks for the module, which imports the package around it, and reads the file."""
    import importlib.util

    import rsciio
    import yaml

    (name,) = _entry_points()["hyperspy.extensions"]
    origin = importlib.util.find_spec(name).origin
    assert yaml.safe_load((Path(origin).parent / "hyperspy_extension.yaml").read_text()) == {"signals": {}}
    assert sum(one["name"] == "LBJ" for one in rsciio.IO_PLUGINS) == 1
    plugin.add_format()
    assert sum(one["name"] == "LBJ" for one in rsciio.IO_PLUGINS) == 1

    class Broken(list):
        def append(self, item):
            raise RuntimeError("changed since")

    monkeypatch.setattr(sys.modules["rsciio._io_plugins"], "IO_PLUGINS", Broken())
    plugin.add_format()
    assert "not told of .lbj files: changed since" in caplog.text


def test_a_broken_hyperspy_breaks_nothing_of_ours():
    code = "import sys; sys.modules.update(hyperspy=None, rsciio=None, dask=None)\nimport lbj, lbj.reader, mfsi_core.hyperspy"
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=False)
    assert done.returncode == 0, done.stderr


def test_the_explicit_way_by_name_and_by_module(path, tmp_path):
    from mfsi_core.hyperspy import api

    other = tmp_path / "a.dat"
    other.write_bytes(path.read_bytes())
    assert len(hs.load(other, file_format="LBJ")) == 4
    assert len(hs.load(other, file_format="lbj")) == 4
    assert len(hs.load(other, file_format=api)) == 4


BOUNDED = """
import hyperspy.api as hs
hs.preferences.General.show_progressbar = False
import sys
edx = hs.load(sys.argv[1], lazy=True, sum_frames=False)
print(int(edx.sum(["x", "y", "frame"]).isig[100].data[0]))
print(int(edx.rebin(scale=[4, 4, 2, 4]).inav[5, 6, 1].isig[25].data[0]))
"""


def test_lazy_work_takes_little_memory(tmp_path):
    """6 frames of 268 MB, one count a pixel in channel 100: sums and binning of 1.6 GB."""
    shape = (256, 256, 2048)
    axes = [{"name": "y"}, {"name": "x"}, {"name": "energy", "scale": 5.0, "units": "eV"}]
    events = lbj.Events(np.arange(65536), np.full(65536, 100), np.ones(65536, int), shape)
    with lbj.create(tmp_path / "a.lbj", [lbj.Signal("EDX", "events", shape, dtype="uint16", axes=axes)]) as writer:
        for _ in range(6):
            writer.append({"EDX": events})
    command = [sys.executable, "-W", "ignore", "-c", "import mfsi_core.hyperspy\n" + BOUNDED + PEAK, tmp_path / "a.lbj"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[3], check=False)
    assert done.returncode == 0, done.stderr
    total, binned, peak = map(int, done.stdout.split())
    assert (total, binned) == (6 * 65536, 4 * 4 * 2)
    assert peak < 700_000
