"""Arrays that are read when computed: the same values as the frames, whatever part is asked for."""

import io
import pickle
import subprocess
import sys

import numpy as np
import pytest
import small_series

import lbj
from lbj.arrays.frames import FrameArray, frame_array
from lbj.arrays.windows import PIECE

da = pytest.importorskip("dask.array", reason="dask is not installed")


@pytest.fixture
def path(tmp_path):
    small_series.write(tmp_path / "a.lbj")
    return tmp_path / "a.lbj"


@pytest.fixture(scope="module")
def truth():
    return small_series.frame_data()[0]


@pytest.mark.parametrize(
    "index",
    [
        (),
        (slice(1, 3), slice(None, None, 2), -1, slice(5, None)),
        (slice(None, None, -1), 3),
        (2, ..., 4),
        (slice(2, 2), slice(None)),
        (slice(None), slice(6, 0, -4), slice(1, 2)),
    ],
)
def test_any_part_of_any_signal(path, truth, index):
    with lbj.open(path) as journal:
        for name in ("EDX-1", "EELS", "EDX"):
            dense = np.stack([frame["EDX-1"] + frame["EDX-2"] if name == "EDX" else frame[name] for frame in truth])
            np.testing.assert_array_equal(frame_array(journal, name)[index], dense[index])
            found = journal.to_dask(name)[index]
            np.testing.assert_array_equal(found.compute(), dense[index])
            assert found.dtype == (np.uint32 if name == "EDX" else dense.dtype)
        np.testing.assert_array_equal(journal.to_dask("survey"), journal.static("survey"))


def test_sums_are_exact(tmp_path):
    """Counts beyond 16 bits and integers beyond 24; a sum is wide enough before it overflows."""
    rng = np.random.default_rng(2)
    signals = [
        lbj.Signal("EDX", "events", (2, 3, 4), dtype="uint16"),
        lbj.Signal("i", "image", (2, 3), dtype="uint32"),
        lbj.Signal("s", "spectra", (2, 3, 4), dtype="int16"),
    ]
    data = [
        {
            "EDX": rng.integers(60000, 65536, (2, 3, 4)),
            "i": rng.integers(2**31, 2**32, (2, 3)).astype(np.uint32),
            "s": rng.integers(-30000, 30000, (2, 3, 4)).astype(np.int16),
        }
        for _ in range(3)
    ]
    with lbj.create(tmp_path / "a.lbj", signals) as writer:
        for one in data:
            writer.append(one)
    with lbj.open(tmp_path / "a.lbj") as journal:
        for signal in signals:
            array = FrameArray(journal, signal, [signal.name], [0, 1, 2], summed=True)
            np.testing.assert_array_equal(array[...], sum(one[signal.name].astype(np.int64) for one in data))
            assert array.shape == signal.shape


@pytest.mark.parametrize("room", [0, 1 << 27])
def test_blocks_of_parts_of_frames(tmp_path, monkeypatch, room):
    """Frames of several blocks, by channels and by rows, with frames kept and not kept in memory."""
    from lbj.arrays import decoded, parts

    monkeypatch.setattr(parts, "RECENT", decoded.Recent(room))
    monkeypatch.setattr(parts, "LARGEST", room)
    rng = np.random.default_rng(3)
    counts = rng.poisson(0.5, (3, 40, 30, 256)).astype(np.uint8)
    spectra = rng.integers(0, 9, (3, 40, 60, 512)).astype(np.uint16)
    signals = [lbj.Signal("EDX", "events", (40, 30, 256)), lbj.Signal("EELS", "spectra", (40, 60, 512), dtype="uint16")]
    with lbj.create(tmp_path / "a.lbj", signals, sync=False) as writer:
        for one, other in zip(counts, spectra, strict=True):
            writer.append({"EDX": one, "EELS": other})
    with lbj.open(tmp_path / "a.lbj") as journal:
        assert all(len(journal[0].block_records(name)) > 1 for name in ("EDX", "EELS"))
        for part in np.s_[1, 3:17, 2:9, 100:140], np.s_[:, 39:, :, :], np.s_[2, :, 29:, 255:]:
            np.testing.assert_array_equal(frame_array(journal, "EDX")[part], counts[part])
            np.testing.assert_array_equal(frame_array(journal, "EELS")[part], spectra[part])


def test_a_piece_is_one_frame_all_channels_and_bounded(tmp_path):
    shape = (600, 300, 1024)
    with lbj.create(tmp_path / "a.lbj", [lbj.Signal("EDX", "events", shape)]) as writer:
        for _ in range(3):
            writer.append({"EDX": lbj.Events([5], [7], [1], shape)})
    with lbj.open(tmp_path / "a.lbj") as journal:
        array = journal.to_dask("EDX")
    assert array.chunksize[0] == 1
    assert array.chunksize[-1] == 1024
    assert np.prod(array.chunksize) * 4 <= PIECE
    assert array[:, 0, 5, 7].sum().compute() == 3


COMPUTE = """
import pickle, sys
array = pickle.loads(open(sys.argv[1], "rb").read())
print(int(array.sum().compute(scheduler="synchronous")))
"""


def test_tasks_travel_and_hold_no_open_file(tmp_path, path, truth, monkeypatch):
    """A pickled array is computed by another process in another folder, after the journal was closed here."""
    monkeypatch.chdir(tmp_path)
    with lbj.open("a.lbj") as journal:
        array = journal.to_dask("EDX")
        (tmp_path / "array").write_bytes(pickle.dumps(array))
        assert array.name == journal.to_dask("EDX").name
        assert array.name != journal.to_dask("EDX-1").name
    (tmp_path / "elsewhere").mkdir()
    command = [sys.executable, "-c", COMPUTE, str(tmp_path / "array")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path / "elsewhere", check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == sum(int(frame[name].sum()) for frame in truth for name in ("EDX-1", "EDX-2"))


def test_another_file_under_the_name_is_told(tmp_path, path):
    with lbj.open(path) as journal:
        array = journal.to_dask("EELS")
    path.unlink()
    small_series.write(path, seed=5)
    with pytest.raises(lbj.UsageError, match="not the journal any more"):
        array.compute()
    path.unlink()
    with pytest.raises(lbj.StorageError):
        array.compute()


def test_a_journal_that_grew_or_was_amended_is_read_as_it_was(tmp_path, path, truth):
    """An array holds the frames that were there; what was computed before does not hide what came after."""
    with lbj.open(path) as journal:
        array = journal.to_dask("EELS")
    dense = np.stack([frame["EELS"] for frame in truth])
    np.testing.assert_array_equal(array.compute(), dense)
    with lbj.append(path) as writer:
        writer.append(truth[1])
        writer.amend({"metadata": {"title": "later"}})
    np.testing.assert_array_equal(array.compute(), dense)
    with lbj.open(path) as journal:
        longer = journal.to_dask("EELS")
        np.testing.assert_array_equal(longer[4].compute(), truth[1]["EELS"])
        with journal.opener()() as again:
            assert again.metadata["title"] == "later"


def test_damage_is_named_where_it_is_read(tmp_path, path):
    with lbj.open(path) as journal:
        array = journal.to_dask("EELS")
        place = journal[2].block_records("EELS")[0]
    data = bytearray(path.read_bytes())
    data[place.body + 40] ^= 0xFF
    path.write_bytes(data)
    assert array[:2].compute().shape == (2, 7, 9, 21)
    with pytest.raises(lbj.DamagedError) as error:
        array[2].compute()
    assert error.value.offset == place.offset


def test_what_has_no_name_or_no_frames(path):
    with pytest.raises(lbj.UsageError, match="open it by its path"):
        lbj.open(io.BytesIO(path.read_bytes())).to_dask("EELS")
    with lbj.open(path) as journal, pytest.raises(lbj.UsageError, match="no signal 'EELSS'"):
        journal.to_dask("EELSS")
    signals = [lbj.Signal("a", "image", (2,)), lbj.Signal("b", "image", (2,))]
    with lbj.create(path.parent / "b.lbj", signals) as writer:
        writer.append({"a": np.zeros(2, np.uint16)})
    with lbj.open(path.parent / "b.lbj") as journal, pytest.raises(lbj.UsageError, match="no frame"):
        journal.to_dask("b")


def test_datasets_have_coordinates_and_units(path, truth):
    pytest.importorskip("xarray", reason="xarray is not installed")
    with lbj.open(path) as journal:
        data = journal.to_xarray()
    assert data["EDX-1"].dims == ("frame", "y", "x", "energy")
    assert data["EELS"].dims == ("frame", "y", "x", "energy_EELS")
    assert data["HAADF"].dims == ("frame", "y_HAADF", "x_HAADF")
    assert data["survey"].dims == ("y_survey", "x_survey")
    np.testing.assert_allclose(data.energy, -50 + 10 * np.arange(33))
    np.testing.assert_allclose(data.y, 1e-9 + 2e-9 * np.arange(7))
    np.testing.assert_allclose(data.x_HAADF, 1.5e-9 * np.arange(18))
    assert (data.energy.units, data.energy_EELS.units, data.x.units) == ("eV", "eV", "m")
    np.testing.assert_allclose(data.beam_current, 1e-10)
    assert data.attrs["beam_energy"] == 2e5
    assert data["EDX-1"].attrs["energy_resolution"] == 130
    np.testing.assert_array_equal(data["EELS"].sel(energy_EELS=401, frame=2), truth[2]["EELS"][:, :, 2])
    np.testing.assert_array_equal(data["EDX-2"].compute(), np.stack([frame["EDX-2"] for frame in truth]))
    np.testing.assert_array_equal(data["EDX"], np.stack([frame["EDX-1"] + frame["EDX-2"] for frame in truth]))
    assert list(data.data_vars) == ["EDX", "EDX-1", "EDX-2", "EELS", "HAADF", "survey"]


def test_datasets_of_odd_journals(tmp_path):
    """Signals that frames lack, that are named as axes are, and axes of one name within a signal."""
    pytest.importorskip("xarray", reason="xarray is not installed")
    signals = [
        lbj.Signal("y", "image", (2, 3), dtype="int8"),
        lbj.Signal("frame", "spectra", (2, 3, 4), axes=[{"name": name} for name in ("x", "x", "frame")]),
        lbj.Signal("c", "image", (2,), axes=[{"name": "y", "values": [1.0, 5.0]}]),
    ]
    with lbj.create(tmp_path / "a.lbj", signals) as writer:
        writer.append({"y": np.ones((2, 3), np.int8)}, region=3)
        writer.append({"y": np.ones((2, 3), np.int8), "frame": np.full((2, 3, 4), 2, np.float32)})
    with lbj.open(tmp_path / "a.lbj") as journal:
        data = journal.to_xarray().compute()
    assert sorted(data.data_vars) == ["frame", "y"]
    assert data["y"].shape == (2, 2, 3)
    assert data["frame"].shape == (1, 2, 3, 4)
    assert data["frame"].dtype == np.float32
    assert data.region.values.tolist() == [3, 0]
    assert data["frame"].dims[0] == "frame_number_frame"
    assert data.frame_number_frame.values.tolist() == [1]
