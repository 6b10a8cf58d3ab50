"""Mutated files of the importers beside the own formats: a named error or data, in bounded time."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import signal_files as sf

import lbj
from lbj.importing import open_source


def counts(*shape):
    return np.random.default_rng(sum(shape)).poisson(3, shape).astype(np.uint16)


def make(folder, name):
    """Write one small file of a kind; return its path."""
    path = folder / name
    cube = sf.signal(counts(3, 4, 8), [sf.Y, sf.X, sf.ENERGY], "EDS_TEM", Acquisition_instrument={"TEM": sf.TEM})
    if name.endswith(".ser"):
        sf.ser_file(path, list(counts(6, 8)), [(3, 0.0, 1e-9, "meters"), (2, 0.0, 1e-9, "meters")], spectra=True)
    elif name.endswith(".ndata"):
        sf.nion_zip(path, counts(3, 4, 5), sf.nion_properties((3, 4, 5), [(0, 1, "nm")] * 3, sequence=True))
    elif name.endswith(".h5"):
        sf.nion_hdf5(path, counts(3, 4, 5), sf.nion_properties((3, 4, 5), [(0, 1, "nm")] * 3, sequence=True))
    elif name.endswith(".msa"):
        sf.write("msa", path, sf.signal(counts(16), [sf.ENERGY], "EDS_TEM"))
    else:
        module = {"emd": "emd", "hspy": "hspy", "tif": "tiff", "prz": "pantarhei", "nxs": "nexus"}[name.split(".")[1]]
        sf.write(module, path, cube)
    return path


def attempt(path):
    """Read all; whatever is wrong is one of our errors, and its message is no novel."""
    try:
        for _ in open_source([path]).frames:
            pass
    except lbj.LbjError as error:
        assert path.name in str(error)
        assert len(str(error)) < 3000
        return False
    return True


@pytest.mark.parametrize("name", ["a.ser", "a.ndata", "a.h5", "a.msa", "a.emd", "a.hspy", "a.tif", "a.prz", "a.nxs"])
def test_bytes_cut_and_changed(tmp_path, name):
    good = make(tmp_path, name).read_bytes()
    path = tmp_path / f"b{name[1:]}"
    rng = np.random.default_rng(len(good))
    path.write_bytes(good)
    assert attempt(path)
    failed = 0
    for i in range(24):
        raw = bytearray(good)
        if i < 8:
            raw = raw[: int(rng.integers(0, len(raw)))]
        else:
            for _ in range(3):
                at = int(rng.integers(0, min(len(raw), 2048) if i % 2 else len(raw)))
                raw[at : at + 4] = rng.choice([b"\xff" * 4, b"\0" * 4, rng.bytes(4)])
        path.write_bytes(raw)
        failed += not attempt(path)
    assert failed


JUNK = [0, -1, 1e300, float("nan"), "text", b"\xff\xfe", [1, 2, 3], np.zeros((2, 2)), 2**63, h5py.Empty("f4")]


@pytest.mark.parametrize("name", ["a.h5", "a.emd", "a.hspy"])
def test_attributes_of_other_types_and_links(tmp_path, name):
    good = make(tmp_path, name).read_bytes()
    with h5py.File(tmp_path / name) as file:
        places: list[str] = []
        file.visit(places.append)
        attributes = [(place, key) for place in places for key in file[place].attrs]
    path = tmp_path / f"b{name[1:]}"
    rng = np.random.default_rng(len(good))

    def changed(change):
        path.write_bytes(good)
        with h5py.File(path, "r+") as file:
            change(file)
        attempt(path)

    for place, key in attributes:
        junk = JUNK[int(rng.integers(len(JUNK)))]
        changed(lambda file, p=place, k=key, j=junk: file[p].attrs.__setitem__(k, j))
    for place in places:
        changed(lambda file, p=place: file.__delitem__(p))
        for other in ("/", "/nowhere", f"/{places[0]}"):

            def link(file, p=place, target=other):
                del file[p]
                file[p] = h5py.SoftLink(target)

            changed(link)

        def small(file, p=place):
            del file[p]
            file[p] = np.zeros(2)

        changed(small)


def test_groups_that_hold_one_another_end(tmp_path):
    path = make(tmp_path, "a.hspy")
    with h5py.File(path, "r+") as file:
        metadata = file["Experiments/a title/metadata"]
        for name in "abcdefgh":
            metadata[name] = metadata  # a hard link to itself
            metadata[f"s{name}"] = h5py.SoftLink("/")
    assert attempt(path)


def test_a_size_that_lies(tmp_path):
    path = make(tmp_path, "a.hspy")
    with h5py.File(path, "r+") as file:
        group = file["Experiments/a title"]
        del group["data"]
        group.create_dataset("data", (3, 4, 1 << 40), "u2", chunks=(1, 1, 1024), compression="gzip")
    with pytest.raises(lbj.DamagedError, match="declares"):
        open_source([path])
    sf.nion_zip(tmp_path / "b.ndata", counts(2, 2), sf.nion_properties((1 << 40, 1 << 40), [], collection=3, datum=1))
    assert attempt(tmp_path / "b.ndata")


@pytest.mark.parametrize("bigtiff", [False, True])
def test_a_tiff_whose_pages_go_round(tmp_path, bigtiff):
    import tifffile

    path = tmp_path / "a.tif"
    tifffile.imwrite(path, counts(4, 5, 6), bigtiff=bigtiff, metadata=None, photometric="minisblack")
    assert attempt(path)
    with tifffile.TiffFile(path) as file:
        first, last = file.pages[0].offset, file.pages[-1].offset
        size = len(file.pages[-1].tags)
    raw = bytearray(path.read_bytes())
    at = last + (8 + 20 * size if bigtiff else 2 + 12 * size)
    wide = 8 if bigtiff else 4
    assert raw[at : at + wide] == bytes(wide)
    raw[at : at + wide] = first.to_bytes(wide, "little")
    path.write_bytes(raw)
    with pytest.raises(lbj.DamagedError, match="earlier one"):
        open_source([path])
