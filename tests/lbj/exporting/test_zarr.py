"""Zarr 3 as other programs read it: tensorstore, and zarr with xarray where their versions can."""

import json
import os

import numpy as np
import pytest

import lbj
from lbj.cli import main
from lbj.exporting import export


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    """Signals of all kinds, odd sizes, a frame without an image, axes with steps, tables and without anything."""
    path = tmp_path_factory.mktemp("zarr") / "series.lbj"
    random = np.random.default_rng(4)
    energy = {"name": "energy", "offset": -20.0, "scale": 10.0, "units": "eV"}
    place = [{"name": name, "offset": 1e-9, "scale": 2e-9, "units": "m"} for name in "yx"]
    table = {"name": "loss", "values": list(np.arange(7.0) ** 2), "units": "eV"}
    signals = [
        lbj.Signal("EDX", "events", (13, 70, 4096), axes=[*place, energy]),
        lbj.Signal("EELS/odd", "spectra", (2, 3, 7), dtype="float64", axes=[{"name": "y"}, {"name": "frame"}, table]),
        lbj.Signal("HAADF", "image", (5, 3)),
        lbj.Signal("survey", "image", (4, 4), role="survey", dtype="int8"),
    ]
    with lbj.create(path, signals, {"title": "for everybody"}) as writer:
        writer.put_static("survey", np.arange(-8, 8, dtype=np.int8).reshape(4, 4))
        for i in range(3):
            data = {
                "EDX": random.poisson(0.001, (13, 70, 4096)).astype(np.uint32),
                "EELS/odd": random.normal(0, 1, (2, 3, 7)),
            }
            if i != 1:
                data["HAADF"] = random.integers(0, 60000, (5, 3), np.uint16)
            writer.append(data, live_time={"EDX": 0.5 + i}, time_offset=float(i))
    with lbj.open(path) as opened:
        yield opened


@pytest.fixture(scope="module")
def store(journal, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "series.zarr"
    export(journal, out)
    return out


def read(path):
    tensorstore = pytest.importorskip("tensorstore")
    spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(path)}}
    found = tensorstore.open(spec, read=True).result()
    return found, found.read().result()


def test_tensorstore_reads_every_array(journal, store):
    found, counts = read(store / "EDX" / "EDX")
    assert counts.shape == (3, 13, 70, 4096)
    assert found.domain.labels == ("frame", "y", "x", "energy")
    assert all(np.array_equal(counts[i], journal[i].array("EDX")) for i in range(3))
    _, loss = read(store / "EELS_odd" / "EELS_odd")
    assert all(np.array_equal(loss[i], journal[i].array("EELS/odd")) for i in range(3))
    _, images = read(store / "HAADF" / "HAADF")
    assert np.array_equal(images, [journal[i].array("HAADF") for i in (0, 2)])
    _, survey = read(store / "survey" / "survey")
    assert np.array_equal(survey, journal.static("survey"))


def test_tensorstore_reads_every_axis(store):
    assert np.array_equal(read(store / "EDX" / "energy")[1], -20.0 + 10.0 * np.arange(4096))
    assert np.allclose(read(store / "EDX" / "y")[1], 1e-9 + 2e-9 * np.arange(13), rtol=1e-15)
    assert np.array_equal(read(store / "EELS_odd" / "loss")[1], np.arange(7.0) ** 2)
    assert np.array_equal(read(store / "HAADF" / "frame")[1], [0, 2])
    assert np.array_equal(read(store / "EDX" / "live_time")[1], [0.5, 1.5, 2.5])
    assert not (store / "HAADF" / "y").exists()  # nothing is known of it


def test_metadata(journal, store):
    told = json.loads((store / "zarr.json").read_text())
    assert told["zarr_format"] == 3
    assert told["attributes"]["title"] == "for everybody"
    group = json.loads((store / "EDX" / "zarr.json").read_text())["attributes"]
    assert group["frames"][2] == journal[2].attributes
    energy = json.loads((store / "EDX" / "energy" / "zarr.json").read_text())
    assert energy["attributes"]["units"] == "eV"


def test_what_is_empty_is_not_stored(tmp_path):
    with lbj.create(tmp_path / "a.lbj", [lbj.Signal("EDX", "events", (64, 64, 4096))]) as writer:
        for channel in (None, 7):
            pixel = [] if channel is None else [5]
            writer.append({"EDX": lbj.Events(pixel, pixel and [channel], pixel and [1], (64, 64, 4096))})
    with lbj.open(tmp_path / "a.lbj") as journal:
        export(journal, tmp_path / "a.zarr")
    chunks = [name for _, _, names in os.walk(tmp_path / "a.zarr" / "EDX" / "EDX" / "c") for name in names]
    assert len(chunks) == 1
    assert read(tmp_path / "a.zarr" / "EDX" / "EDX")[1].sum() == 1


def test_zarr_and_xarray_where_they_can(journal, store):
    pytest.importorskip("zarr", minversion="3")
    xarray = pytest.importorskip("xarray")
    with xarray.open_zarr(store, group="EDX", consolidated=False) as data:
        assert data["EDX"].dims == ("frame", "y", "x", "energy")
        assert int(data["EDX"].sum()) == sum(frame.events("EDX").total for frame in journal)
        assert data["energy"].attrs["units"] == "eV"


def test_a_folder_is_never_replaced(journal, tmp_path, capsys):
    out = tmp_path / "out.zarr"
    out.mkdir()
    (out / "mine").write_text("kept")
    with pytest.raises(lbj.UsageError, match="never replaced"):
        export(journal, out)
    assert os.listdir(tmp_path) == ["out.zarr"]
    with pytest.raises(lbj.StorageError, match="no folder"):
        export(journal, tmp_path / "missing" / "out.zarr")


def test_what_fails_leaves_nothing(tmp_path, capsys):
    with lbj.create(tmp_path / "a.lbj", [lbj.Signal("EDX", "events", (2, 2, 2))]) as writer:
        writer.append({})
    assert main(["export", str(tmp_path / "a.lbj"), "-o", str(tmp_path / "a.zarr")]) == 2
    assert "no signal" in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["a.lbj"]


def test_names_that_no_folder_should_have(tmp_path):
    axes = [{"name": "..", "scale": 1.0}, {"name": "a/b\0", "scale": 1.0}, {"name": "live_time" * 40, "scale": 1.0}]
    names = ["..", "zarr.json", "c", "live_time", "frame", "a/b"]
    with lbj.create(
        tmp_path / "a.lbj", [lbj.Signal(name, "spectra", (1, 2, 3), axes=axes) for name in names]
    ) as writer:
        writer.append({name: np.full((1, 2, 3), i, np.float32) for i, name in enumerate(names)}, live_time=1.0)
    with lbj.open(tmp_path / "a.lbj") as journal:
        export(journal, tmp_path / "a.zarr")
        export(journal, tmp_path / "a.nxs")
    assert sorted(path.name for path in tmp_path.iterdir() if path.name[0] != ".") == ["a.lbj", "a.nxs", "a.zarr"]
    groups = [path for path in (tmp_path / "a.zarr").iterdir() if path.is_dir()]
    assert len(groups) == len(names)
    found = [read(array)[1] for group in groups for array in group.iterdir() if (array / "c" / "0" / "0").is_dir()]
    assert {int(data.flat[0]) for data in found if data.ndim == 4} == set(
        range(1, len(names))
    )  # of the first all are zero
