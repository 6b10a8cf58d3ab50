"""Vendor files that were tampered with: a named error, or the data as they are; never anything else."""

from __future__ import annotations

import json
import random

import h5py
import numpy as np
import pytest
from test_importing import read_all
from vendor_files import pts_file, random_counts, velox_file, velox_meta, velox_words

import lbj
from lbj.importing import open_source

ODD = ["", "x", None, [], {}, -1, 0, 1e308, "nan", "-5", 2**70, True, [[]], {"a": 1}, "999999999", 0.5, "inf", "\u0000"]
HARMLESS = ("Optics", "Stage", "Detectors", "Instrument", "Acquisition", "Core", "BinaryResult")  # no word on the data


def velox(path):
    """Write a small file; return its counts."""
    cube = random_counts(np.random.default_rng(1), 2, 3, 4, 64)
    images = {"HAADF": np.arange(24, dtype=np.uint16).reshape(2, 3, 4)}
    area = {"left": "0", "top": "0", "right": "1", "bottom": "1"}
    settings = {"ScanSize": {"width": "4", "height": "3"}, "ScanArea": area}
    metas = [velox_meta("HAADF", Scan=settings) for _ in range(2)]
    velox_file(path, {"SuperXG21": velox_words(cube)}, images, metas=metas, scan=settings)
    return int(cube.sum())


def retyped(chance, item, keys=None):
    """Put something odd in the place of one value somewhere in a JSON object; only below `keys`, if given."""
    key = chance.choice([key for key in item if keys is None or key in keys])
    if isinstance(item[key], dict) and item[key] and chance.random() < 0.8:
        retyped(chance, item[key])
    elif chance.random() < 0.2:
        del item[key]
    else:
        item[key] = chance.choice(ODD)


def change_metadata(path, chance, keys=None):
    with h5py.File(path, "r+") as file:
        groups = [*file["Data/SpectrumStream"].values(), *file["Data/Image"].values()]
        data = chance.choice(groups)["Metadata"]
        item = json.loads(data[:, 0].tobytes().split(b"\0")[0])
        for _ in range(chance.choice([1, 3])):
            retyped(chance, item, keys)
        raw = json.dumps(item).encode()[: data.shape[0]]
        data[...] = 0
        data[: len(raw), :] = np.frombuffer(raw, np.uint8)[:, None]


def damaged(chance, raw, first):
    """Cut, drop, flip and overwrite bytes, mostly among the `first`."""
    out = bytearray(raw)
    end = min(first, len(out)) if chance.random() < 0.7 else len(out)
    what = chance.random()
    if what < 0.2:
        return bytes(out[: chance.randrange(len(out))])
    if what < 0.3:
        at = chance.randrange(end)
        del out[at : at + chance.choice([1, 4, 512])]
        return bytes(out)
    for _ in range(chance.choice([1, 2, 20])):
        at = chance.randrange(end)
        if chance.random() < 0.5:
            out[at] ^= 1 << chance.randrange(8)
        else:
            out[at : at + 4] = chance.choice([0, 1, 2**31 - 1, 2**32 - 1]).to_bytes(4, "little")
    return bytes(out)


def outcome(path):
    """Counts of a file, or None where it is refused by name."""
    try:
        source, data, _ = read_all(path)
    except lbj.LbjError as error:
        assert path.name in str(error)
        return None
    for signal in source.signals:
        for value in data.get(signal.name, []):
            assert value.shape == signal.shape
    return sum(events.total for s in source.signals if s.kind == "events" for events in data.get(s.name, []))


@pytest.mark.parametrize("seed", range(24))
def test_metadata_that_do_not_concern_the_data(tmp_path, seed):
    total = velox(tmp_path / "a.emd")
    change_metadata(tmp_path / "a.emd", random.Random(seed), HARMLESS)
    assert outcome(tmp_path / "a.emd") == total


@pytest.mark.parametrize("seed", range(12))
def test_any_metadata(tmp_path, seed):
    total = velox(tmp_path / "a.emd")
    change_metadata(tmp_path / "a.emd", random.Random(seed))
    found = outcome(tmp_path / "a.emd")
    assert found is None or found <= total


@pytest.mark.parametrize("name", ["Data", "Metadata", "AcquisitionSettings"])
@pytest.mark.parametrize("other", ["number", "group", "empty", "text", "table", "link", "elsewhere", "gone"])
def test_other_things_in_their_place(tmp_path, name, other):
    total = velox(tmp_path / "a.emd")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["Data"] = np.ones((9, 1), np.uint16)
    with h5py.File(tmp_path / "a.emd", "r+") as file:
        group = next(iter(file["Data/SpectrumStream"].values()))
        del group[name]
        if other == "group":
            group.create_group(name)
        elif other != "gone":
            group[name] = {
                "number": 3,
                "empty": h5py.Empty("f4"),
                "text": "text",
                "table": np.zeros((2, 3, 0), np.float32),
                "link": h5py.SoftLink("/Data/nowhere"),
                "elsewhere": h5py.ExternalLink(str(tmp_path / "b.h5"), "/Data"),
            }[other]
    assert outcome(tmp_path / "a.emd") in (None, total)


@pytest.mark.parametrize("seed", range(16))
@pytest.mark.parametrize("kind", ["emd", "pts"])
def test_bytes_of_a_small_file(tmp_path, kind, seed):
    path = tmp_path / f"a.{kind}"
    if kind == "emd":
        velox(path)
    else:
        rng = np.random.default_rng(2)
        sweeps = [(rng.integers(0, 32, 60), rng.integers(0, 4096, 60)) for _ in range(3)]
        pts_file(path, sweeps, (4, 8), images=[np.ones((4, 8), int)] * 3)
    path.write_bytes(damaged(random.Random(seed), path.read_bytes(), 2500))
    outcome(path)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("name", ["bruker/4on3.bcf", "jeol/DigiLine_View000_0000000.img"])
def test_bytes_of_a_vendor_file(shared_data, tmp_path, name, seed):
    path = tmp_path / name.rpartition("/")[2]
    path.write_bytes(damaged(random.Random(seed), (shared_data / name).read_bytes(), 6000))
    outcome(path)


@pytest.mark.parametrize(("key", "value"), [("width", "1e9"), ("height", "-3"), ("width", "nan"), ("height", [])])
def test_sizes_that_lie(tmp_path, key, value):
    velox(tmp_path / "a.emd")
    with h5py.File(tmp_path / "a.emd", "r+") as file:
        for group in file["Data/SpectrumStream"].values():
            item = json.loads(group["Metadata"][:, 0].tobytes().split(b"\0")[0])
            item["Scan"]["ScanSize"][key] = value
            raw = json.dumps(item).encode()
            group["Metadata"][...] = 0
            group["Metadata"][: len(raw), 0] = np.frombuffer(raw, np.uint8)
    try:
        source = open_source([tmp_path / "a.emd"])
    except lbj.LbjError:
        return
    assert all(signal.pixels <= 2**32 for signal in source.signals)
