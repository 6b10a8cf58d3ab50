"""Every exporter, on journals of odd shapes and names: what it writes holds all that it can, read without our readers."""

import csv
import json

import h5py
import numpy as np
import pytest

import lbj
from lbj.cli import main
from lbj.exporting import WRITABLE

SHAPES = {  # counts, image
    "one pixel": ((1, 1, 7), (1, 1)),
    "one channel": ((3, 4, 1), (3, 4)),
    "one row": ((1, 9, 5), (1, 9)),
    "one column": ((6, 1, 5), (6, 1)),
    "not square": ((2, 7, 3), (5, 2)),
}
NAMES = {"names that collide": ("a/b", "a_b", "A:B", "A_B"), "names of all alphabets": ("ΔE ☃", "信号", "Größe", "¿")}


def journals():
    """Name -> counts by signal, images by signal: arrays of two frames."""
    random = np.random.default_rng(4)
    counts = lambda shape: random.poisson(0.8, (2, *shape)).astype(np.uint32)  # noqa: E731
    image = lambda shape: random.integers(1, 60000, (2, *shape)).astype(np.uint16)  # noqa: E731
    out = {name: ({"EDX": counts(one)}, {"HAADF": image(two)}) for name, (one, two) in SHAPES.items()}
    out["no counts"] = ({"EDX": np.zeros((2, 3, 4, 5), np.uint32)}, {"HAADF": np.zeros((2, 3, 4), np.uint16)})
    for name, (a, b, c, d) in NAMES.items():
        out[name] = ({a: counts((2, 3, 5)), b: counts((2, 3, 4))}, {c: image((2, 3)), d: image((4, 3))})
    return out


JOURNALS = journals()


def written(path, counts, images):
    signals = [lbj.Signal(name, "events", data.shape[1:]) for name, data in counts.items()]
    signals += [lbj.Signal(name, "image", data.shape[1:]) for name, data in images.items()]
    with lbj.create(path, signals, sync=False) as writer:
        for n in (0, 1):
            writer.append({name: data[n] for name, data in (counts | images).items()})
    return path


def datasets(group):
    """Every dataset of a HDF5 file, by its path."""
    found = {}
    group.visititems(lambda name, item: found.update({name: item[()]} if isinstance(item, h5py.Dataset) else {}))
    return found


def of_journal(path, folder):
    assert main(["convert", str(path), "-o", str(folder / "back.lbj"), "--quiet"]) == 0
    with lbj.open(folder / "back.lbj") as journal:
        return [
            np.array([frame.array(name) for frame in journal]).reshape(2, *signal.shape)
            for name, signal in journal.signals.items()
        ]


def of_zarr(path, _):
    tensorstore = pytest.importorskip("tensorstore")
    found = []
    for item in sorted(path.glob("*/*/zarr.json")):
        if "kind" in json.loads(item.read_text(encoding="utf-8"))["attributes"]:  # no coordinate, no times
            spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": str(item.parent)}}
            found.append(tensorstore.open(spec).result().read().result())
    return found


def of_nexus(path, _):
    with h5py.File(path) as file:
        stacks = datasets(file["entry/measurement/event1"])
    return [data for name, data in stacks.items() if name.endswith(("/intensity", "/real"))]


def of_ripple(path, _):
    found = []
    for header in path.parent.glob("*.rpl"):
        said = dict(line.split("\t")[:2] for line in header.read_text(encoding="latin-1").splitlines() if "\t" in line)
        kind = {"unsigned": "u", "signed": "i", "float": "f"}[said["data-type"]] + said["data-length"]
        data = np.fromfile(header.with_suffix(".raw"), "<" + kind)
        assert data.size == int(said["width"]) * int(said["height"]) * int(said["depth"])
        found.append(data)
    return found


def of_msa(path, _):
    found = []
    for file in path.parent.glob("*.msa"):
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        numbers = " ".join(line for line in lines if line and not line.startswith("#")).replace(",", " ").split()
        found.append(np.array(numbers, float))
    return found


def of_csv(path, _):
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = dict.fromkeys(row["signal"] for row in rows)
    return [np.array([float(row["intensity"]) for row in rows if row["signal"] == name]) for name in names]


def of_parquet(path, _):
    table = pytest.importorskip("pyarrow.parquet").read_table(path).to_pandas()
    return [np.array(part["count"]) for _, part in table.groupby("signal")]


def of_tiff(path, _):
    tifffile = pytest.importorskip("tifffile")
    with tifffile.TiffFile(path) as file:
        return [series.asarray() for series in file.series]


READERS = {".npz": of_journal, ".h5": of_journal, ".hspy": of_journal, ".zarr": of_zarr, ".nxs": of_nexus, ".rpl": of_ripple,
           ".msa": of_msa, ".csv": of_csv, ".parquet": of_parquet, ".tif": of_tiff, ".tiff": of_tiff}  # fmt: skip
IMAGES_ONLY, COUNTS_ONLY = (".tif", ".tiff"), (".msa", ".csv", ".parquet")


def test_all_exporters_are_here():
    assert set(READERS) == set(WRITABLE)


@pytest.mark.parametrize("suffix", WRITABLE)
@pytest.mark.parametrize("name", JOURNALS)
def test_what_is_written_holds_it_all(tmp_path, name, suffix):
    """Totals of every signal, so that none is lost, doubled or taken for another; of stacks every value."""
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    counts, images = JOURNALS[name]
    path = written(tmp_path / "a.lbj", counts, images)
    (tmp_path / "out").mkdir()
    out = tmp_path / "out" / f"series{suffix}"
    assert main(["export", str(path), "-o", str(out)]) == 0
    wanted = [] if suffix in IMAGES_ONLY else [*counts.values()]
    wanted += [] if suffix in COUNTS_ONLY else [*images.values()]
    if suffix == ".parquet":  # a row for each voxel that is not empty
        wanted = [data for data in wanted if data.any()]
    found = READERS[suffix](out, tmp_path)
    assert sorted(float(np.sum(data, dtype=float)) for data in found) == sorted(float(data.sum()) for data in wanted)
    if suffix not in (".rpl", *COUNTS_ONLY):
        stacks = sorted((np.squeeze(data).astype(float) for data in found), key=lambda data: (data.sum(), data.size))
        truth = sorted((np.squeeze(data).astype(float) for data in wanted), key=lambda data: (data.sum(), data.size))
        for one, other in zip(stacks, truth, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("suffix", WRITABLE)
def test_a_journal_without_frames_is_told(tmp_path, capsys, suffix):
    signals = [lbj.Signal("EDX", "events", (2, 2, 3)), lbj.Signal("HAADF", "image", (2, 2))]
    lbj.create(tmp_path / "a.lbj", signals).close()
    assert main(["export", str(tmp_path / "a.lbj"), "-o", str(tmp_path / f"series{suffix}")]) == 2
    assert "frame" in capsys.readouterr().err
    assert [item.name for item in tmp_path.iterdir()] == ["a.lbj"]
