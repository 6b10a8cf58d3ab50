"""Bruker maps. Truth is the file's own XML and container, as data/README.md states it."""

from __future__ import annotations

import math
import struct
from dataclasses import replace

import numpy as np
import pytest
from test_importing import read_all, total

import lbj
from lbj.importing import bruker_header, open_source
from lbj.importing.bruker_container import Container
from lbj.importing.bruker_header import Header, Image, apply


def axes(source, name):
    return [(axis.get("offset"), axis.get("scale")) for axis in next(s for s in source.signals if s.name == name).axes]


def test_pixels_of_a_tilted_map(shared_data):
    source, data, attributes = read_all(shared_data / "bruker/bcf-edx-ebsd.bcf")
    assert source.signals[1].shape == (87, 100, 2048)
    assert total(data, "EDX") == 36_864
    assert [scale for _, scale in axes(source, "EDX")[:2]] == pytest.approx([416.8974972e-9, 414.5152257e-9])
    assert [scale for _, scale in axes(source, "Ch 0")] == pytest.approx([416.8974972e-9, 414.5152257e-9])
    assert source.metadata["stage_tilt"] == [pytest.approx(math.radians(70), rel=1e-6)]
    assert "dwell_time" not in attributes[0]
    assert any("0 to 1 times" in note for note in source.notes)
    assert any("times of single pixels" in note for note in source.notes)


def test_missing_chunks_that_nothing_uses(shared_data):
    source, data, attributes = read_all(shared_data / "bruker/4on3.bcf")
    assert source.signals[-1].shape == (3, 4, 1024)
    assert total(data, "EDX") == 4
    assert any("3 of 17 chunks" in note for note in source.notes)
    assert any(note.startswith("BSE left out") for note in source.notes)
    assert attributes[0]["dwell_time"] == {"EDX": pytest.approx(8e-6)}  # 1 us, 4 times a pixel, 2 times a line


def test_wide_energy_range(shared_data):
    source, data, attributes = read_all(shared_data / "bruker/P45_8bit_compressed_80keV_range.bcf")
    assert source.signals[-1].shape == (75, 100, 4096)
    assert total(data, "EDX") == 4_627_814
    assert axes(source, "EDX")[-1] == pytest.approx((-1900.02982, 19.994))
    assert source.metadata["elements"] == ["Al", "Ca", "Cl", "Fe", "K", "Mg", "Na", "O", "P", "Si", "Ti"]
    assert attributes[0]["dwell_time"] == {"EDX": pytest.approx(63 * 2 * 16 * 2e-6)}


@pytest.mark.parametrize("name", ["4on3", "test_TEM", "P45_12bit_packed_8bit_compressed"])
def test_every_needed_chunk_is_asked_for(shared_data, tmp_path, name):
    path = tmp_path / "a.bcf"
    raw = (shared_data / f"bruker/{name}.bcf").read_bytes()
    path.write_bytes(raw)
    container = Container(path)
    assert container.read("HeaderData").startswith(b"<?xml")
    last = max(int(chunk) for inner in container.files for chunk in inner.chunks)
    path.write_bytes(raw[: 280 + last * container.chunk + 33])
    with pytest.raises(lbj.TruncatedError, match=f"chunk {last}"):
        open_source([path])


@pytest.mark.parametrize(("at", "value"), [(296, 8), (296, 2**31), (324, 0), (324, 2**30), (320, 2**31)])
def test_container_that_lies(shared_data, tmp_path, at, value):
    raw = bytearray((shared_data / "bruker/4on3.bcf").read_bytes())
    struct.pack_into("<I", raw, at, value)
    (tmp_path / "a.bcf").write_bytes(raw)
    with pytest.raises(lbj.DamagedError, match=r"a\.bcf"):
        open_source([tmp_path / "a.bcf"])


def test_image_keeps_its_own_pixels():
    def item(title, *shape):
        return {
            "data": np.zeros(shape),
            "axes": [{"size": n, "scale": 9.0, "units": "um"} for n in shape],
            "metadata": {"General": {"title": title}},
        }

    items = [item("SE", 30, 40), item("BSE", 8, 8), item("odd", 5, 5), item("EDX", 8, 8, 16)]
    images = [Image(["SE"], (30, 40), (1e-6, 2e-6)), Image(["BSE", "empty"], (8, 8), None)]
    notes = []
    apply(Header((3e-6, 4e-6), None, [2, 2], 1e-3, images, False), items, notes)
    scales = [[axis["scale"] for axis in one["axes"][:2]] for one in items]
    assert scales == [[1e-6, 2e-6], [3e-6, 4e-6], [None, None], [3e-6, 4e-6]]
    assert any(note.startswith("odd") for note in notes)
    assert any(note.startswith("empty left out") for note in notes)
    assert items[-1]["metadata"]["Acquisition_instrument"]["SEM"]["dwell_time"] == 2e-3


def test_overview_is_a_survey_in_its_place(shared_data, monkeypatch):
    real = bruker_header.apply

    def with_overview(header, items, notes):
        image = Image(["SE"], (20, 30), (5e-6, 5e-6), overview=True, part=(6.0, 10.0, 12.0, 18.0))
        items.append(
            {
                "data": np.arange(600, dtype=np.uint16).reshape(20, 30),
                "axes": [{"size": 20}, {"size": 30}],
                "metadata": {"General": {"title": "SE"}},
            }
        )
        real(replace(header, images=[*header.images, image]), items, notes)

    monkeypatch.setattr(bruker_header, "apply", with_overview)
    source, data, _ = read_all(shared_data / "bruker/4on3.bcf")
    survey = source.signals[-1]
    assert (survey.name, survey.role, survey.shape) == ("overview", "survey", (20, 30))
    assert survey.axes[0]["scale"] == 5e-6
    # The map's 3 x 4 pixels are rows 6 to 11 and columns 10 to 17: its first pixel's corner is that of (6, 10).
    matrix = np.array(survey.to_field)
    np.testing.assert_allclose(matrix @ [5.5, 9.5, 1], [-0.5, -0.5])
    np.testing.assert_allclose(matrix @ [11.5, 17.5, 1], [2.5, 3.5])
    assert source.static["overview"].sum() == 599 * 300
    assert "overview" not in data
