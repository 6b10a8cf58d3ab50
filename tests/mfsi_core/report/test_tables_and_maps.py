"""Maps as calibrated TIFFs and tables as Parquet, read by other programs."""

import csv

import numpy as np
import pytest

import lbj
from lbj.exporting.tif import write_map
from mfsi_core.cli import main
from mfsi_core.report.parquet import to_parquet


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Three frames of a gradient with the Ti line, pixels of 0.5 by 0.25 nm."""
    out = tmp_path_factory.mktemp("maps") / "series.lbj"
    random = np.random.default_rng(2)
    space = [{"name": name, "scale": step, "units": "m"} for name, step in (("y", 5e-10), ("x", 2.5e-10))]
    energy = {"name": "energy", "scale": 20.0, "offset": 0.0, "units": "eV"}
    line = np.exp(-0.5 * ((20.0 * np.arange(300) - 4510) / 55) ** 2)
    mean = 0.01 + line * np.linspace(0.1, 2, 12)[None, :, None] * np.ones((10, 1, 1))
    signals = [
        lbj.Signal("EDX", "events", (10, 12, 300), axes=[*space, energy]), lbj.Signal("HAADF", "image", (10, 12), axes=space)
    ]  # fmt: skip
    with lbj.create(out, signals, {"beam_energy": 2e5, "elements": ["Ti"]}) as writer:
        for _ in range(3):
            image = random.poisson(200 * mean.sum(axis=2)).astype(np.uint16)
            writer.append({"EDX": random.poisson(mean).astype(np.uint16), "HAADF": image}, dwell_time=1e-3)
    return out


def test_maps(path, tmp_path):
    tifffile = pytest.importorskip("tifffile")
    assert main(["maps", str(path), "-o", str(tmp_path / "maps"), "--tif"]) in (0, 3)
    (found,) = (tmp_path / "maps").glob("*Ti*.tif")
    with tifffile.TiffFile(found) as file:
        data = file.asarray()
        assert file.imagej_metadata["Labels"] == ["counts", "standard error"]
    assert np.array_equal(data[0], np.load(found.with_suffix(".npy")).astype(np.float32))
    assert np.median(data[1]) > 0
    reader = pytest.importorskip("rsciio.tiff", reason="rosettasciio is not installed")
    (item,) = reader.file_reader(str(found))
    scales = {axis["name"]: (axis["scale"], axis["units"]) for axis in item["axes"][1:]}
    assert scales["height"] == (pytest.approx(5e-4), "µm")
    assert scales["width"] == (pytest.approx(2.5e-4), "µm")


def test_a_map_without_a_scale(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    write_map(tmp_path / "a.tif", np.full((1, 1), -2.5), np.zeros((1, 1)), None)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert "unit" not in file.imagej_metadata
        assert file.asarray().reshape(2).tolist() == [-2.5, 0]


def test_images_state_their_resolution(path, tmp_path):
    tifffile = pytest.importorskip("tifffile")
    from lbj.cli import main as lbj_main

    assert lbj_main(["export", str(path), "-o", str(tmp_path / "a.tif")]) == 0
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.is_ome
        assert file.pages[0].resolution == (
            pytest.approx(1e-2 / 2.5e-10, rel=1e-5),
            pytest.approx(1e-2 / 5e-10, rel=1e-5),
        )
        assert file.pages[0].resolutionunit.name == "CENTIMETER"


def test_registration_as_parquet(path, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    for name in ("r.csv", "r.parquet"):
        assert main(["register", str(path), "-o", str(tmp_path / name)]) in (0, 3)
    table = parquet.read_table(tmp_path / "r.parquet")
    with open(tmp_path / "r.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert table.column_names == list(rows[0])
    assert table["uy_px"].to_pylist() == [float(row["uy_px"]) for row in rows]
    assert sorted(one.name for one in tmp_path.iterdir() if one.name[0] != ".") == ["r.csv", "r.parquet"]


def test_scree_as_parquet(path, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    assert main(["scree", str(path), "-o", str(tmp_path), "--parquet"]) in (0, 3)
    with open(tmp_path / "scree.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    table = parquet.read_table(tmp_path / "scree.parquet")
    assert table.column_names == rows[0]
    assert table.num_rows == len(rows) - 1


def test_quantification_as_parquet(path, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    factors = tmp_path / "k.csv"
    factors.write_text("element,family,k,basis,line_scope,reference,rel_sd\nTi,K,1,wt,alpha,Ti,0.1\n")
    out = tmp_path / "q"
    command = ["quantify", str(path), "-o", str(out), "--factors", str(factors), "--elements", "Ti", "--chips", "5"]
    assert main([*command, "--parquet"]) in (0, 3)
    with open(out / "quantification.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    table = parquet.read_table(out / "quantification.parquet")
    assert table.column_names == list(rows[0])
    assert table["element"].to_pylist() == ["Ti"] * len(rows)
    assert table["counts"].to_pylist() == [float(row["counts"]) for row in rows]
    assert table["chip_id"].to_pylist() == [int(row["chip_id"]) for row in rows]


def test_empty_columns_are_texts(tmp_path):
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    (tmp_path / "a.csv").write_text("n,flags,x\n1,,0.5\n2,,\n")
    to_parquet(tmp_path / "a.csv", tmp_path / "a.parquet")
    table = parquet.read_table(tmp_path / "a.parquet")
    assert [pa.types.is_string(field.type) for field in table.schema] == [False, True, False]
    assert table["x"].to_pylist() == [0.5, None]
