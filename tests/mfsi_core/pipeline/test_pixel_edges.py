"""Pixels that are not square: field, dose, displacements and pictures by both edges."""

import csv
import json
import struct

import numpy as np
import pytest

import lbj
import mfsi_core
from mfsi_core import drawing
from mfsi_core.live.session import Session
from mfsi_core.report import figures
from mfsi_core.series.axis import pixel_size
from mfsi_core.series.dose import ELECTRON

SERIES = mfsi_core.simulate((24, 40), 4, 512, 1, counts=3e4, image_counts=100, drift=(0.4, -0.2))
HIGH, WIDE = 0.8e-9, 0.4e-9  # m


def tall(signal):
    axes = [{**signal.axes[0], "scale": HIGH}, {**signal.axes[1], "scale": WIDE}, *signal.axes[2:]]
    return lbj.Signal(signal.name, signal.kind, signal.shape, dtype=signal.dtype, axes=axes)


def pushed(writer):
    for n in range(4):
        data, attributes = SERIES.frame(n)
        writer(data, **{**attributes, "beam_current": 1e-11, "dwell_time": 1e-3})


SIGNALS = [tall(signal) for signal in SERIES.signals]
DOSE = 1e-11 * 1e-3 / ELECTRON / (8.0 * 4.0)  # e/Å² into 8 by 4 Å


@pytest.mark.parametrize(
    ("y", "x", "expected"),
    [
        ({"scale": 2e-9, "units": "m"}, {"scale": -1e-9, "units": "m"}, (2e-9, 1e-9)),
        ({"scale": 2e-9, "units": "m"}, {"scale": 1.0}, (2e-9, 2e-9)),
        ({"scale": 1.0}, {"scale": 1e-9, "units": "m"}, (1e-9, 1e-9)),
        ({"scale": 2.0, "units": "1/m"}, {"scale": 0.0, "units": "m"}, None),
    ],
)
def test_edges_along_y_and_x(y, x, expected):
    axes = [{"name": "y", **y}, {"name": "x", **x}]
    assert pixel_size(lbj.Signal("I", "image", (3, 4), axes=axes)) == expected


def test_a_line_has_one_edge():
    axes = [{"name": "x", "scale": 3e-9, "units": "m"}, {"name": "energy", "scale": 10.0, "units": "eV"}]
    assert pixel_size(lbj.Signal("EDX", "events", (5, 8), axes=axes)) == (3e-9, 3e-9)


def test_a_run_reports_field_dose_and_displacements_by_both_edges(tmp_path):
    with lbj.create(tmp_path / "a.lbj", SIGNALS, metadata=SERIES.metadata) as writer:
        pushed(writer.append)
    summary = mfsi_core.run([str(tmp_path / "a.lbj")], tmp_path / "out", quiet=True)
    assert (summary["pixel_y_m"], summary["pixel_m"]) == (pytest.approx(HIGH), pytest.approx(WIDE))
    assert summary["dose_per_frame"] == pytest.approx(DOSE)
    assert summary["total_dose"] == pytest.approx(4 * DOSE)
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "40 × 24 px, 16 nm × 19.2 nm" in page
    with (tmp_path / "out" / "registration.csv").open() as file:
        for row in csv.DictReader(file):
            assert float(row["uy_nm"]) == pytest.approx(0.8 * float(row["uy_px"]), abs=2e-5)
            assert float(row["ux_nm"]) == pytest.approx(0.4 * float(row["ux_px"]), abs=2e-5)


def test_a_session_tells_dose_and_drift_by_both_edges(tmp_path):
    with Session(tmp_path / "a.lbj", SIGNALS, SERIES.metadata) as session:
        pushed(session.push)
        status = json.loads(json.dumps(session.status()))
    assert status["dose_per_frame"] == pytest.approx(DOSE)
    for name in ("shift", "rate"):
        np.testing.assert_allclose(status["drift"][f"{name}_nm"], status["drift"][f"{name}_px"] * np.array([0.8, 0.4]))


def drawn(png):
    """Width and height of a picture."""
    return struct.unpack(">II", png[16:24])


@pytest.mark.drawn
def test_pictures_are_as_high_as_the_field():
    image = np.random.default_rng(1).random((30, 60))
    square, high = (drawing.map_picture(image, (edge, 1e-9), "Ti") for edge in (1e-9, 2e-9))
    assert drawn(high)[1] - drawn(square)[1] == pytest.approx(2.25 / 2 * drawing.DPI, abs=2)  # 30 x 2 nm, as it is wide


@pytest.mark.parametrize(("shape", "end"), [((1, 5), 4 * 0.4), ((5, 1), 4 * 0.8)])
def test_a_line_is_drawn_along_its_own_edge(shape, end, monkeypatch):
    seen = []
    monkeypatch.setattr(drawing, "png", lambda figure: seen.append(figure.axes[0].lines[0].get_xdata()))
    drawing.map_picture(np.ones(shape), (HIGH, WIDE), "Ti")
    assert seen[0][-1] == pytest.approx(end)


@pytest.mark.parametrize("edges", [(HIGH, WIDE), (WIDE, WIDE)])
def test_shifts_are_drawn_in_nm_where_pixels_are_not_square(edges, monkeypatch):
    seen = []
    monkeypatch.setattr(figures, "png", seen.append)
    figures.shifts(np.array([[0.0, 0.0], [1.0, 2.0]]), np.array([0.1, 0.1]), edges)
    series, path = seen[0].axes[:2]
    metric = edges[0] != edges[1]
    assert series.get_ylabel() == f"shift ({'nm' if metric else 'px'})"
    np.testing.assert_allclose(path.lines[0].get_xydata()[-1], [2 * 0.4, 0.8] if metric else [2, 1])
