"""Which pixels of an aborted frame were scanned."""

import numpy as np
import pytest

import lbj
from lbj.cli import main
from lbj.scanned import scanned, scanned_of

SHAPE = (3, 4)


def written(path, attributes):
    signals = [
        lbj.Signal("HAADF", "image", SHAPE),
        lbj.Signal("EDX-1", "events", (*SHAPE, 8), group="EDX"),
        lbj.Signal("EDX-2", "events", (*SHAPE, 8), group="EDX"),
    ]
    data = {"HAADF": np.zeros(SHAPE, np.uint16)}
    data |= {name: np.zeros((*SHAPE, 8), np.uint8) for name in ("EDX-1", "EDX-2")}
    with lbj.create(path, signals) as writer:
        for one in attributes:
            writer.append(data, **one)


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"scanned_pixels": 6}, ["1111", "1100", "0000"]),
        ({"scanned_pixels": 0}, ["0000", "0000", "0000"]),
        ({"scanned_pixels": 6, "scan": {"order": "serpentine"}}, ["1111", "0011", "0000"]),
        ({"scanned_pixels": 9, "scan": {"order": "serpentine"}}, ["1111", "1111", "1000"]),
        ({"scanned_pixels": 3, "scan": {"order": [11, 0, 5, *range(1, 5), *range(6, 11)]}}, ["1000", "0100", "0001"]),
        ({"scanned_pixels": {"HAADF": 4, "EDX-1": 2}}, ["1111", "0000", "0000"]),
    ],
)
def test_the_first_pixels_in_the_order_of_the_scan(tmp_path, attributes, expected):
    written(tmp_path / "a.lbj", [attributes])
    with lbj.open(tmp_path / "a.lbj") as journal:
        mask = scanned(journal[0], journal.signals["HAADF"])
    assert [("".join("01"[int(pixel)] for pixel in row)) for row in mask] == expected


def test_whole_frames_and_signals_of_which_nothing_is_said(tmp_path):
    written(tmp_path / "a.lbj", [{}, {"scanned_pixels": 12}, {"scanned_pixels": {"HAADF": 1}}])
    with lbj.open(tmp_path / "a.lbj") as journal:
        image, counts = journal.signals["HAADF"], journal.signals["EDX"]
        assert scanned(journal[0], image) is None
        assert scanned(journal[1], image) is None
        assert scanned(journal[2], counts) is None
        assert scanned_of(journal, counts) is None
        np.testing.assert_array_equal(scanned_of(journal, image).sum(axis=(1, 2)), [12, 12, 1])


def test_a_group_was_scanned_where_all_its_detectors_were(tmp_path):
    written(tmp_path / "a.lbj", [{"scanned_pixels": {"EDX-1": 5, "EDX-2": 7}}])
    with lbj.open(tmp_path / "a.lbj") as journal:
        assert scanned(journal[0], journal.signals["EDX"]).sum() == 5
        assert scanned(journal[0], journal.signals["EDX-2"]).sum() == 7


@pytest.mark.parametrize("suffix", ["rpl", "msa", "csv", "nxs"])
def test_exports_of_sums_leave_out_what_was_not_scanned(tmp_path, capsys, suffix):
    """A serpentine frame that stopped in its second row: the pixels before are those that the sums hold."""
    signals = [
        lbj.Signal("EELS", "spectra", (*SHAPE, 5), dtype="uint16"),
        lbj.Signal("EDX", "events", (*SHAPE, 5)),
    ]
    whole, stopped = (np.random.default_rng(seed).integers(1, 9, (*SHAPE, 5), dtype=np.uint16) for seed in (1, 2))
    with lbj.create(tmp_path / "a.lbj", signals) as writer:
        writer.append({"EELS": whole, "EDX": whole})
        writer.append({"EELS": stopped, "EDX": stopped}, scanned_pixels=6, scan={"order": "serpentine"})
    reached = np.array([[1, 1, 1, 1], [0, 0, 1, 1], [0, 0, 0, 0]], bool)
    expected = whole.astype(int) + np.where(reached[..., None], stopped, 0)
    assert main(["export", str(tmp_path / "a.lbj"), "-o", str(tmp_path / f"a.{suffix}")]) == 0
    said = capsys.readouterr().out
    assert said.count("1 of 2 frames were aborted") == 2
    assert f"({stopped[~reached].sum()} in all)" in said
    spectrum = expected.sum(axis=(0, 1))
    if suffix == "rpl":
        for name, dtype in (("a.raw", "<u4"), ("a_EDX.raw", "u1")):
            data = (tmp_path / name).read_bytes()
            found = np.frombuffer(data, f"<u{len(data) // expected.size}" if dtype != "u1" else "u1")
            np.testing.assert_array_equal(found.reshape(expected.shape), expected)
    elif suffix == "nxs":
        h5py = pytest.importorskip("h5py")
        with h5py.File(tmp_path / "a.nxs") as file:
            sums = []

            def take(name, item):
                if str(item.attrs.get("long_name", "")).startswith("sum of"):
                    sums.append(item[()])

            file.visititems(take)
        assert len(sums) == 2
        for one in sums:
            np.testing.assert_array_equal(one, spectrum)
    elif suffix == "csv":
        rows = (tmp_path / "a.csv").read_text().splitlines()[1:]
        np.testing.assert_array_equal([float(row.split(",")[-1]) for row in rows], [*spectrum, *spectrum])
    else:
        for name in ("a.msa", "a_EDX.msa"):
            lines = (tmp_path / name).read_text().splitlines()
            held = [line for line in lines if line and line[0] != "#"]
            np.testing.assert_array_equal([float(v) for line in held for v in line.split(",")], spectrum)
