"""Which pixels of an aborted frame were scanned."""

import numpy as np
import pytest

import lbj
from mfsi_core.series.scanned import scanned, scanned_of

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
